#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# A web server, a cache and a database, the real ones: brought up, changed, scaled, broken,
# healed and taken down as one deployment, in both of its formats (C35).
# bats file_tags=plain-build
load lib/common
load lib/services

setup_file() {
    suite_setup
    services_pull || skip "nginx, redis and postgresql could not be unpacked (scripts/install-deps)"
    echo DB_PASSWORD=pw >"$E2E/secrets"
    export DRAY_TEST_TIMEOUT=180
}
teardown_file() { suite_teardown; }
setup() {
    test_setup
    cp "$BATS_TEST_DIRNAME"/webapp/*.yaml "$OUT/"
    cd "$OUT" || return
}
teardown() {
    dray down -q --volumes -p shop >/dev/null 2>&1 || true
    dray down -q --volumes -p boutique >/dev/null 2>&1 || true
    dray volume prune -f >/dev/null # the image's own, of replicas that went
    cd / || return
    test_teardown
}

page() { curl -s -m 60 "http://127.0.0.1:$1/cgi-bin/page"; } # PORT
ids() { dray ps -a --no-trunc --format '{{.Names}} {{.ID}}' | sort; }
id_of() { full_id "$1"; }
up() { ok up -q --wait --timeout 150s --secrets-file "$E2E/secrets" "$@"; }
edit() { sed -i "$1" dray.yaml; } # SCRIPT of sed

# bats test_tags=any-runtime
@test "a web application in dray's own format lives through changes, growth and failures" {
    up
    same "$(page 18080)" "hits=1 rows=1 greeting=hello"
    same "$(page 18080)" "hits=2 rows=2 greeting=hello"
    has_ticked() { [[ $(dray exec cache-rep-1 redis-cli get ticks) -ge 1 ]]; }
    within 30 has_ticked
    # it is in place: nothing is done
    local before
    before=$(ids)
    up
    same "$(ids)" "$before"
    ok up --dry-run --secrets-file "$E2E/secrets"
    lacks "$output" create
    lacks "$output" recreate
    # another image, another variable: that service alone is replaced
    edit 's/web:1/web:2/; s/GREETING: hello/GREETING: changed/'
    ok up --dry-run --secrets-file "$E2E/secrets"
    has "$output" recreate
    lacks "$output" db-rep
    up
    same "$(curl -s -m 60 http://127.0.0.1:18080/version)" "web 2"
    same "$(page 18080)" "hits=3 rows=3 greeting=changed"
    same "$(ids | grep -v web-)" "$(grep -v web- <<<"$before")"
    # three of a service: its name means all of them
    up --scale cache=3
    ok ps --format '{{.Names}}'
    same "$(grep -c cache-rep <<<"$output")" 3
    ok exec web-rep-1 sh -c "grep -c '[[:blank:]]cache\\b' /etc/hosts"
    same "$output" 3
    up --scale cache=1
    same "$(ids | grep -c cache)" 1
    # the database is killed, and comes back with what it knew
    ok kill db-rep-1
    within 20 is_status db-rep-1 exited
    # its name goes a moment later; with it, a connection to where it was would be waited for
    nameless() { ! dray exec web-rep-1 grep -w db-rep-1 /etc/hosts; }
    within 20 nameless
    has "$(page 18080)" "could not translate"
    up
    has "$(page 18080)" "rows=4 greeting"
    # a configuration that cannot work is told as such, and the one before is another up away
    cp dray.yaml good.yaml
    before=$(ids | grep db-)
    edit 's|    stop_grace_period: 5s|    command: {entrypoint: [/usr/sbin/nginx, -c, /nowhere.conf]}|'
    try dray up -q --wait --timeout 60s --secrets-file "$E2E/secrets"
    [[ $status -ne 0 ]]
    has "$stderr" "web"
    has "$stderr" "nowhere.conf"
    same "$(ids | grep db-)" "$before"
    cp good.yaml dray.yaml
    up
    has "$(page 18080)" "rows=5 greeting"
    # what the volume holds outlives down, and goes with --volumes
    ok down -q --secrets-file "$E2E/secrets"
    same "$(ids)" ""
    ok volume ls -q
    has "$output" shop_data
    up
    same "$(page 18080)" "hits=1 rows=6 greeting=changed"
    ok down -q --volumes -p shop
    ok volume ls -q
    lacks "$output" shop_data
    ok network ls --format '{{.Name}}'
    lacks "$output" shop
}

@test "the same as a Compose file" {
    export DB_PASSWORD=pw
    ok up -f compose.yaml -q --wait --timeout 150s
    same "$(page 18081)" "hits=1 rows=1 greeting=compose"
    local db
    ok ps --format '{{.Names}} {{.Status}}'
    same "$(grep -c '(healthy)' <<<"$output")" 3
    db=$(ids | grep db-)
    ok exec boutique-web-1 cat /etc/banner
    same "$output" "the boutique"
    # what a variable changes is changed, and no more
    WEB_VERSION=2 ok up -f compose.yaml -q --wait --timeout 150s
    same "$(curl -s -m 60 http://127.0.0.1:18081/version)" "web 2"
    same "$(ids | grep db-)" "$db"
    # what stands in its way is said before anything is made
    unset DB_PASSWORD
    exits 78 up -f compose.yaml -d
    has "$stderr" "compose.yaml:14:20: the variable DB_PASSWORD must be set: is needed"
    export DB_PASSWORD=pw
    ok down -f compose.yaml -q --volumes
    same "$(ids)" ""
    ok volume ls -q
    lacks "$output" boutique
}
