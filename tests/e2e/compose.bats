#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Compose files, for real: what they say is there, and what is inside. How each field is
# read is tested without a target, in tests/unit/deploy.
# bats file_tags=plain-build,any-runtime
load lib/busybox

setup() {
    test_setup
    mkdir "$OUT/shop"
    cd "$OUT/shop" || return
}
teardown() {
    dray compose down -p shop -v -q -t 0
    dray compose down -p other -v -q -t 0
    test_teardown
}
names() { dray compose ps "$@" --format '{{.Name}}' | tr '\n' ' '; }

@test "a Compose file with its override, .env, profiles, extends, configs and secrets is brought up and taken down" {
    export TOKEN=hunter2
    mkdir conf data
    echo 'from a file' >conf/app.conf
    echo 'KEPT=below' >data/note
    printf 'IMAGE=%s\nGREETING="good day"\n' "$IMAGE" >.env
    echo "export FROM_FILE='a # b'" >app.env
    cat >common.yaml <<'YAML'
services:
  base:
    image: ${IMAGE:?}
    command: sleep 100
    stop_signal: KILL
    env_file: app.env
YAML
    cat >compose.yaml <<'YAML'
x-health: &health
  healthcheck: {test: ["CMD", "test", "-f", "/ready"], interval: 100ms, retries: 100}
services:
  db:
    extends: {file: common.yaml, service: base}
    <<: *health
    command: ["sh", "-c", "touch /ready; exec sleep 100"]
    volumes: ["rows:/rows"]
    networks: {back: {aliases: [database]}}
  web:
    extends: {file: common.yaml, service: base}
    depends_on: {db: {condition: service_healthy}}
    environment: {GREETING: , PLAIN: "${GREETING-no} $$HOME", GONE: }
    volumes: ["./data:/data:ro"]
    configs: [{source: app, target: /etc/app.conf, mode: 0440}, words]
    secrets: [{source: token, uid: "7"}]
    networks: [back, front]
    labels: [shop.part=web]
    deploy: {replicas: 2}
  debug:
    extends: web
    profiles: [debug]
    network_mode: service:db
    networks: !reset []
    deploy: !reset null
configs:
  app: {file: conf/app.conf}
  words: {content: "port ${PORT:-80}\n"}
secrets:
  token: {environment: TOKEN}
networks: {back: {internal: true}, front: }
volumes: {rows: }
YAML
    cat >compose.override.yaml <<'YAML'
services:
  web: {environment: [OVER=ridden], labels: {shop.part: front}}
YAML
    ok up -d
    same "$(names)" "shop-db-1 shop-web-1 shop-web-2 "
    same "$(dray exec shop-web-2 sh -c 'echo "$GREETING|$PLAIN|$OVER|$FROM_FILE|${GONE-none}"')" \
        'good day|good day $HOME|ridden|a # b|none'
    same "$(dray exec shop-web-1 cat /etc/app.conf /words /run/secrets/token /data/note)" \
        "$(printf 'from a file\nport 80\nhunter2KEPT=below')"
    same "$(dray exec shop-web-1 stat -c '%a %u' /etc/app.conf /run/secrets/token | tr '\n' ' ')" \
        "440 0 444 7 "
    same "$(inspect shop-web-1 '{{index .Config.Labels "shop.part"}}')" front
    dray exec shop-web-1 ping -c 1 -W 5 database
    dray exec shop-web-1 ping -c 1 -W 5 db
    same "$(dray exec shop-db-1 ip -o link | grep -c eth)" 1
    has "$(dray volume ls -q)" shop_rows

    ok up -d
    same "$stderr" ""
    TOKEN=other ok up -d --profile debug
    same "$(dray exec shop-debug-1 cat /run/secrets/token)" other
    same "$(dray exec shop-debug-1 cat /sys/class/net/eth0/address)" \
        "$(dray exec shop-db-1 cat /sys/class/net/eth0/address)"

    ok down --profile debug
    same "$(dray ps -aq)$(dray network ls -q --filter name=shop_)" ""
    has "$(dray volume ls -q)" shop_rows
    ok down -v --profile debug
    same "$(dray volume ls -q)" ""
}

@test "what is wrong is named with its line and nothing is made; include, stdin and names as docker compose has them" {
    cat >compose.yaml <<'YAML'
services:
  web: {imgae: x, build: .}
  db: {image: "${NO:?which}", pid: host}
YAML
    exits 78 up -d
    has "$stderr" "compose.yaml:2:9: a service has no field 'imgae'; did you mean 'image'?"
    has "$stderr" "compose.yaml:2:26: build: images cannot be built here yet"
    has "$stderr" "compose.yaml:3:15: the variable NO must be set: which"
    has "$stderr" "compose.yaml:3:31: pid: a container has a PID namespace of its own here"
    same "$(dray ps -aq)" ""

    mkdir part
    printf 'PART=included\n' >part/.env
    printf 'services: {inner: {image: "%s", command: "sleep 100", stop_signal: KILL, container_name: "$PART"}}\n' \
        "$IMAGE" >part/compose.yaml
    try dray up -d -f - <<YAML
version: "3"
name: other
include: [part/compose.yaml]
services: {outer: {image: "$IMAGE", command: [sleep, "100"], stop_signal: KILL, mem_swappiness: 1, depends_on: [inner]}}
YAML
    same "$status" 0 "$stderr"
    has "$stderr" "'version' is obsolete"
    has "$stderr" "mem_swappiness: this limit is not set here"
    same "$(names -p other)" "included other-outer-1 "
    # options about the files may stand before the verb
    same "$(dray compose -p other ps -q | wc -l)" 2
    same "$(dray compose -f part/compose.yaml --project-name=x config --services)" inner
    exits 1 compose -p other pss
    has "$stderr" "unknown command: compose pss (did you mean ps?)"
}

# bats test_tags=any-runtime
@test "the verbs of containers have theirs for services: cp, events, exec, images, port, stats, top, pause, kill, wait, rm, pull" {
    cat >compose.yaml <<-END
	name: shop
	services:
	  web: {image: "$IMAGE", command: [sleep, "100"], scale: 2, stop_signal: KILL, ports: ["127.0.0.1::80"], depends_on: [db]}
	  db: {image: "$IMAGE", command: [sleep, "100"], stop_signal: KILL}
	END
    local since
    since=$(date +%s.%N)
    refused 125 "nothing of service web runs" -- compose exec web true
    ok compose pull --policy missing
    same "$stderr" ""
    refused 1 "no such service: nosuch" -- compose pull nosuch
    ok up -d
    exits 7 compose exec --index 2 -e A=b -T web sh -c 'hostname; echo $A; exit 7'
    same "$output" $'shop-web-2\nb'
    refused 125 "service web has no replica 3 that runs" -- compose exec --index 3 web true
    ok compose port --index 2 web 80
    same "$output" "$(dray port shop-web-2 80)"
    refused 125 "an archive on stdin is for one of the 2 replicas of web" -- compose cp - web:/tmp
    refused 1 "nothing of service nosuch is there: \`dray up\` makes it" -- compose cp nosuch:/x .
    ok compose cp compose.yaml web:/etc/copied
    ok compose cp --index 2 web:/etc/copied back.yaml
    cmp compose.yaml back.yaml
    ok compose cp web:/etc/copied back.yaml
    ok compose images --format '{{.ContainerName}} {{.Repository}}:{{.Tag}}' web
    same "$output" "shop-web-1 $IMAGE"$'\n'"shop-web-2 $IMAGE"
    same "$(dray compose images -q)" "$(dray images -q --no-trunc "$IMAGE")"
    ok compose stats --no-stream --format '{{.Name}}' db
    same "$output" shop-db-1
    ok compose events --since "$since" --until 0s --format '{{.Action}} {{.Actor.Attributes.name}}' db
    same "$(sort -u <<<"$output")" $'create shop-db-1\nstart shop-db-1'
    ok compose top db
    has "$output" shop-db-1
    has "$output" "sleep 100"
    ok compose pause web
    same "$output" $'shop-web-1\nshop-web-2'
    ok compose pause
    same "$output" shop-db-1
    ok compose unpause
    ok compose kill db
    ok compose wait db
    same "$output" 137
    exits 1 compose rm
    has "$stderr" "not confirmed, nothing was removed"
    ok compose rm -f
    same "$stderr" "container shop-db-1: removed"
    ok compose rm --force --stop --volumes web
    same "$(dray compose ps -a --format '{{.Name}}')" ""
    ok down
}

@test "up --exit-code-from, --abort-on-container-exit and -failure stop all when one ends, with its code; attach" {
    cat >compose.yaml <<-END
	name: shop
	services:
	  db: {image: "$IMAGE", command: [sh, -c, "while sleep 0.1; do echo tick; done"], stop_signal: KILL}
	  tests: {image: "$IMAGE", command: [sh, -c, "echo run; sleep 0.5; exit 3"],
	    depends_on: {db: {condition: service_started}, early: {condition: service_completed_successfully, required: false}}}
	  early: {image: "$IMAGE", command: ["true"], profiles: [more]}
	END
    refused 1 "--exit-code-from: there is no service nosuch" -- up --exit-code-from nosuch
    refused 125 "--exit-code-from and --detach exclude each other" -- up -d --exit-code-from tests
    refused 125 "--abort-on-container-exit and --abort-on-container-failure exclude each other" -- \
        up --abort-on-container-exit --abort-on-container-failure
    runs() { grep -c '^tests-1 *| run' <<<"$output"; }
    exits 3 up --exit-code-from tests
    has "$stderr" "tests-1 has ended: the others are stopped"
    same "$(runs)" 1
    same "$(dray compose ps -a --format '{{.State}}' | sort -u)" exited
    exits 3 up --abort-on-container-exit
    same "$(runs)" 1 # not what it said in its run before
    exits 137 up --exit-code-from db
    # one that ends well is no failure
    exits 3 up --profile more --abort-on-container-failure
    has "$output" "early-1 exited with code 0"
    has "$stderr" "tests-1 has ended: the others are stopped"

    ok up -d db
    "$DRAY" compose attach --no-stdin db >"$OUT/ticks" &
    local attached=$! code=0
    within 20 grep -q tick "$OUT/ticks"
    ok compose kill db
    wait "$attached" || code=$?
    same "$code" 137
}
