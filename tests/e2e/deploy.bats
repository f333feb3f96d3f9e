#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Deployments, for real (C35): brought up, changed, scaled, broken, healed, cut off, taken
# down. What a plan decides is tested without a target, in tests/unit/deploy/test_plan.c.
# bats file_tags=plain-build
load lib/busybox

setup() {
    test_setup
    mkdir "$OUT/shop"
    cd "$OUT/shop" || return
}
teardown() {
    dray compose down -p shop -v -q -t 0
    test_teardown
}

# file TEXT: dray.yaml; IMAGE and SLEEP are put in
file() {
    local text=${1//IMAGE/$IMAGE}
    printf 'version: v1\ndeployment: shop\nservices:\n%s\n' \
        "${text//SLEEP/image: {name: "$IMAGE"\}, stop_signal: KILL, command: {args: [sleep, 100]\}}" >dray.yaml
}
ids() { dray compose ps -a --format '{{.Name}} {{.ID}}' --no-trunc; }
is_being_stopped() { [[ $(dray compose ps "$1" --format '{{.Status}}') == *Stopping* ]]; }
names() { dray compose ps "$@" --format '{{.Name}}' | tr '\n' ' '; }

@test "C35: up makes all; again it does nothing; a change replaces one service; scale; down leaves nothing" {
    local before after
    file '  web: {SLEEP, depends: [db], storage: ["data:/data"]}
  db: {SLEEP}'
    ok up -d
    same "$(names)" "db-rep-1 web-rep-1 "
    before=$(ids)
    ok up -d
    same "$stderr" ""
    same "$(ids)" "$before"
    same "$(dray exec web-rep-1 cat /etc/hosts | grep -w db | cut -f1)" \
        "$(inspect db-rep-1 '{{.NetworkSettings.Networks.shop_default.IPAddress}}')"

    sed -i 's/web: {/web: {env: {A: b}, /' dray.yaml
    ok up --dry-run --format '{{.Action}} {{.Name}} {{.Why}}'
    same "$output" "recreate web-rep-1 its description has changed"
    same "$(ids)" "$before"
    ok up -d
    after=$(ids)
    same "$(grep db- <<<"$after")" "$(grep db- <<<"$before")"
    [[ $(grep web- <<<"$after") != $(grep web- <<<"$before") ]]
    same "$(dray exec web-rep-1 sh -c 'echo $A')" b

    ok scale db=3
    same "$(names db)" "db-rep-1 db-rep-2 db-rep-3 "
    same "$(grep web- <<<"$(ids)")" "$(grep web- <<<"$after")"
    ok up -d --scale db=1
    same "$(names)" "db-rep-1 web-rep-1 "

    sed -i '/  db:/d; s/, depends: .db.//' dray.yaml
    ok up -d
    [[ $stderr == *"db-rep-1 is of service db, which is not in the file any more"* ]] || explain orphan
    ok up -d --remove-orphans
    same "$(names -a)" "web-rep-1 "

    echo 'networks: {default: {internal: true}}' >>dray.yaml
    ok up -d
    same "$(dray network inspect -f '{{.Internal}}' shop_default)" true
    same "$(names)" "web-rep-1 "
    ok up -d
    same "$stderr" ""

    ok down
    same "$(names -a)" ""
    same "$(dray network ls -q -f name=shop)" ""
    same "$(dray volume ls -q)" shop_data
    ok down -v -p shop
    same "$(dray volume ls -q)" ""
}

@test "C35: depends gates by health and by completion; a job is done once; logs are one stream" {
    file '  web: {SLEEP, depends: [{service: db, condition: healthy}, {service: job, condition: completed}]}
  db:
    image: {name: IMAGE}
    stop_signal: KILL
    command: {args: [sh, -c, "echo db begins; sleep 0.5; touch /ready; exec sleep 100"]}
    health: {command: [test, -e, /ready], interval: 200ms}
  job: {image: {name: IMAGE}, rtype: job, command: {args: [sh, -c, "echo job done"]}}'
    local id
    ok up --wait
    same "$(inspect db-rep-1 '{{.State.Health.Status}}')" healthy
    same "$(inspect job-rep-1 '{{.State.Status}} {{.State.ExitCode}}')" "exited 0"
    id=$(inspect job-rep-1 '{{.Id}}')
    ok up --wait
    same "$(inspect job-rep-1 '{{.Id}}')" "$id"
    ok compose logs
    same "$(sort <<<"$output" | tr '\n' ';')" "db-1  | db begins;job-1 | job done;"
    ok compose logs --no-log-prefix job
    same "$output" "job done"
    ok compose run -T --no-deps web sh -c 'echo one; exit 0' </dev/null
    same "$output" one
    exits 3 compose run -T web sh -c 'exit 3' </dev/null
    same "$(names -a)" "db-rep-1 job-rep-1 web-rep-1 "
}

@test "C35: what is broken is named, the rest goes on, and the next up heals it" {
    file '  web: {SLEEP, depends: [{service: db, condition: healthy}]}
  other: {SLEEP}
  db: {SLEEP, health: {command: ["false"], interval: 100ms, retries: 1}}'
    exits 1 up -d
    [[ $stderr == *"service db: db-rep-1: it is unhealthy"* ]] || explain "no reason"
    same "$(names)" "db-rep-1 other-rep-1 "
    sed -i 's/"false"/"true"/' dray.yaml
    ok up -d
    same "$(names)" "db-rep-1 other-rep-1 web-rep-1 "

    file '  other: {image: {name: IMAGE}, command: {args: ["false"]}, restart_policy: always, health: {command: ["true"]}}
  db: {SLEEP}'
    local seconds
    for seconds in 4 30; do # on a machine with other work it is not begun in four
        exits 1 up --wait --timeout "${seconds}s"
        [[ $stderr != *"service other: other-rep-1: it was not ready in time; it has been restarted"*"ended with 1"* ]] || break
    done
    [[ $stderr == *"service other: other-rep-1: it was not ready in time; it has been restarted"*"ended with 1"* ]] || explain "no reason"
    ok down -t 0 --remove-orphans
    file '  a: {SLEEP}
  b: {image: {name: "nowhere.invalid/x:1", pull_policy: never}}'
    exits 1 up -d --remove-orphans
    [[ $stderr == *"service b: image nowhere.invalid/x:1 is not on this target"* ]] || explain "no reason"
    same "$(names -a)" ""
}

@test "C35: a port that is busy: nothing of that container is left; free, the next up makes it" {
    file '  web: {SLEEP, port_mappings: ["38431:80"]}
  other: {SLEEP}'
    ok run -d --name busy -p 38431:80 "$IMAGE" sleep 100
    exits 1 up -d
    [[ $stderr == *"service web: web-rep-1: "*38431* ]] || explain "no reason"
    same "$(names -a)" "other-rep-1 "
    ok rm -f busy
    ok up -d
    same "$(names)" "other-rep-1 web-rep-1 "
}

# bats test_tags=any-runtime
@test "C35: two ups at once: the second waits, and finds nothing to do; replicas are replaced one by one" {
    file '  web: {SLEEP, scale: 3}'
    dray up -d >"$OUT/first" 2>&1 &
    local first=$!
    ok up -d
    wait "$first"
    same "$(names)" "web-rep-1 web-rep-2 web-rep-3 "
    same "$(cat "$OUT/first" "$OUT/.stderr" | grep -c 'web-rep-.: created')" 3
    ok up -d --force-recreate -t 0
    same "$(grep -o 'web-rep-.' <<<"$stderr" | tr '\n' ' ')" "web-rep-1 web-rep-2 web-rep-3 "
}

# bats test_tags=any-runtime
@test "C35: up stays and shows what they say; a signal stops them in their order, a second one kills them" {
    file '  web: {image: {name: IMAGE}, depends: [db], stop_grace_period: 60s, command: {args: [sh, -c, "trap : TERM; echo here I am; while :; do sleep 0.1; done"]}}
  db: {SLEEP}'
    "$DRAY" up >"$OUT/up" 2>"$OUT/up.err" &
    local up=$! code=0
    within 20 grep -q 'web-1 | here I am' "$OUT/up"
    kill -INT "$up"
    within 20 is_being_stopped web
    is_status db-rep-1 running
    kill -INT "$up"
    wait "$up" || code=$?
    same "$code" 130
    same "$(inspect web-rep-1 '{{.State.Status}} {{.State.ExitCode}}')" "exited 137"
    is_status db-rep-1 exited

    sed -i 's/trap : TERM; //; s/stop_grace_period: 60s/stop_signal: KILL/' dray.yaml
    "$DRAY" up >"$OUT/up" 2>"$OUT/up.err" &
    up=$! code=0
    within 20 grep -q 'web-1 | here I am' "$OUT/up"
    kill -INT "$up"
    wait "$up" || code=$?
    same "$code" 130
    same "$(grep stopped "$OUT/up.err")" $'container web-rep-1: stopped\ncontainer db-rep-1: stopped'

    ok compose start
    same "$stderr" $'container db-rep-1: started\ncontainer web-rep-1: started'
    ok compose restart
    same "$stderr" $'container db-rep-1: restarted\ncontainer web-rep-1: restarted'
    ok compose stop
    same "$stderr" $'container web-rep-1: stopped\ncontainer db-rep-1: stopped'
}

# bats test_tags=any-runtime
@test "C35: up joins what begins later, and ends when nothing of it runs any more" {
    file '  web: {image: {name: IMAGE}, stop_signal: KILL, command: {args: [sh, -c, "echo run $(hostname); exec sleep 100"]}}
  mute: {SLEEP, log: {driver: none}}'
    "$DRAY" up >"$OUT/up" 2>"$OUT/up.err" &
    local up=$!
    within 20 grep -q '^web-1 *| run' "$OUT/up"
    ok scale web=2
    within 20 grep -q '^web-2 *| run' "$OUT/up"
    ok stop web-rep-2
    within 20 grep -q '^web-2 exited with code 137' "$OUT/up"
    ok start web-rep-2
    runs() { [[ $(grep -c "^$1 *| run" "$OUT/up") == "$2" ]]; }
    within 20 runs web-2 2
    ok scale web=1
    ok up -d --force-recreate web
    within 20 runs web-1 2
    kill -0 "$up"
    ok compose stop
    wait "$up"
    same "$(grep -c 'mute-1 exited with code 137' "$OUT/up")" 1
    same "$(grep -v created "$OUT/up.err")" ""
}

# bats test_tags=any-runtime
@test "C35: configs and secrets are there before the start; start-first replaces without a gap; anonymous volumes go on" {
    echo one >app.conf
    echo hush >token
    cat >compose.yaml <<COMPOSE
name: shop
services:
  app:
    image: "$IMAGE"
    command: [sh, -c, "cat /etc/deep/app.conf /run/secrets/token; exec sleep 100"]
    stop_signal: SIGKILL
    volumes: [/anon]
    configs: [{source: app, target: /etc/deep/app.conf}]
    secrets: [token]
configs: {app: {file: ./app.conf}}
secrets: {token: {file: ./token}}
COMPOSE
    ok up -d
    within 10 logged_twice shop-app-1
    same "$(dray logs shop-app-1 | tr '\n' ' ')" "one hush "
    same "$(dray exec shop-app-1 stat -c %a /run/secrets/token)" 444
    ok exec shop-app-1 touch /anon/kept
    echo two >app.conf
    ok up -d
    same "$(dray exec shop-app-1 cat /etc/deep/app.conf)" two
    ok exec shop-app-1 test -e /anon/kept
    echo '    deploy: {update_config: {order: start-first}}' >order
    sed -i '/stop_signal/r order' compose.yaml
    echo three >app.conf
    ok up -d
    same "$(names -a)" "shop-app-2 "
    same "$(grep -o 'shop-app-.: [a-z]*' <<<"$stderr" | tr '\n' ' ')" \
        "shop-app-2: created shop-app-2: ready shop-app-1: removed "
    ok down -v -t 0
    same "$(dray volume ls -q)" ""
}
logged_twice() { [[ $(dray logs "$1" | grep -c '') -eq 2 ]]; }

# helper_of PID: the helper that a running dray has started
helper_of() {
    local pid
    for pid in $(cat "/proc/$1/task/$1/children" 2>/dev/null); do
        [[ $(readlink "/proc/$pid/exe" 2>/dev/null) != "$DRAY_ROOT"/bin/* ]] || echo "$pid"
    done
}

# cut_off ROLE MILLISECONDS: up is killed, or its helper, after that time
cut_off() {
    local role=$1 ms=$2 pid victim
    "$DRAY" up -d >"$OUT/killed" 2>&1 </dev/null &
    pid=$!
    sleep "0.$(printf %03d "$ms")"
    victim=$pid
    [[ $role == dray ]] || victim=$(helper_of "$pid") || true
    [[ -z $victim ]] || kill -9 "$victim" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
}

@test "C35: up or its helper killed at twenty moments: the next up converges, down leaves nothing" {
    local ms
    file '  web: {SLEEP, scale: 2, depends: [db], storage: ["data:/data"]}
  db: {SLEEP}'
    for ms in 5 15 25 40 55 75 100 130 170 220; do
        cut_off dray "$ms"
        ((ms % 2)) || ok up -d -q # whatever the helper of the killed one is still doing
        cut_off helper "$((ms + 5))"
        ((ms % 2)) || ok down -v -t 0 -q
    done
    ok up -d
    same "$(names)" "db-rep-1 web-rep-1 web-rep-2 "
    ok up -d
    same "$stderr" ""
    ok down -v -t 0
    same "$(dray ps -aq)" ""
    same "$(dray network ls -q -f name=shop)$(dray volume ls -q)" ""
}
