#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Exactly one helper is started per user command, whatever it does (DESIGN, idea 1).
# bats file_tags=any-runtime,plain-build
load lib/busybox

# spawns ARGS...: how many times dray-guest was executed to serve a session. With -D strace
# does not hold us up while a detached container runs.
spawns() {
    # a leak check cannot be done while somebody traces
    local -x ASAN_OPTIONS=${ASAN_OPTIONS:-}:detect_leaks=0
    timeout 120 strace -D -f -qq -e trace=execve -e signal=none -o "$OUT/trace" "$DRAY" "$@" >"$OUT/out" 2>&1
    grep -c 'execve(.*"serve".*= 0' "$OUT/trace"
}

@test "pull of a new image: one" {
    same "$(spawns pull "$(image layers:1)")" 1
}

@test "the first command of all, which installs the helper: one" {
    DRAY_ROOT=$E2E/fresh same "$(DRAY_ROOT=$E2E/fresh spawns ps)" 1
}

@test "run of an image that has to be pulled: one" {
    dray rmi -f "$(image real:1)" >/dev/null 2>&1 || true
    same "$(spawns run --rm --entrypoint /bin/bash "$(image real:1)" -c true)" 1
}

@test "run, run -d, ps, logs, exec, inspect, stop, wait, start, kill, rm: one each" {
    same "$(spawns run --rm "$IMAGE" true)" 1 run
    same "$(spawns run -d --name s "$IMAGE" sleep 100)" 1 "run -d"
    same "$(spawns ps -a)" 1 ps
    same "$(spawns logs s)" 1 logs
    same "$(spawns exec s true)" 1 exec
    same "$(spawns inspect s)" 1 inspect
    same "$(spawns stop -t 0 s)" 1 stop
    same "$(spawns wait s)" 1 wait
    same "$(spawns start s)" 1 start
    same "$(spawns kill s)" 1 kill
    same "$(spawns rm -f s)" 1 rm
    same "$(spawns images)" 1 images
    same "$(spawns info)" 1 info
}

@test "the verbs that change, look and copy: one each" {
    ok run -d --name s "$IMAGE" sleep 100
    same "$(spawns pause s)" 1 pause
    same "$(spawns unpause s)" 1 unpause
    same "$(spawns restart -t 0 s)" 1 restart
    same "$(spawns rename s r)" 1 rename
    same "$(spawns update --pids-limit 99 r)" 1 update
    same "$(spawns top r)" 1 top
    same "$(spawns stats --no-stream r)" 1 stats
    same "$(spawns port r)" 1 port
    same "$(spawns ps -s)" 1 "ps -s"
    same "$(spawns cp r:/etc/passwd "$OUT/passwd")" 1 "cp out"
    same "$(spawns cp "$OUT/passwd" r:/tmp)" 1 "cp in"
    same "$(spawns diff r)" 1 diff
    same "$(spawns export -o "$OUT/tar" r)" 1 export
    same "$(spawns commit r made:1)" 1 commit
    same "$(spawns history made:1)" 1 history
    same "$(spawns tag made:1 made:2)" 1 tag
    same "$(spawns events --since 1h --until 0s)" 1 events
    same "$(spawns system df)" 1 "system df"
    same "$(spawns volume create v)" 1 "volume create"
    same "$(spawns volume rm v)" 1 "volume rm"
    same "$(spawns inspect r made:1)" 1 inspect
    same "$(spawns rmi made:1 made:2)" 1 rmi
}

@test "a deployment of twenty services: one for up, up again, ps, logs, scale and down" {
    local n
    {
        printf 'version: v1\ndeployment: twenty\nservices:\n'
        for ((n = 1; n <= 20; n++)); do
            printf '  s%s: {image: {name: "%s"}, stop_signal: KILL, command: {args: [sleep, 100]}%s}\n' \
                "$n" "$IMAGE" "$( ((n % 5)) || echo ", depends: [s1]")"
        done
    } >"$OUT/dray.yaml"
    cd "$OUT" || return
    same "$(spawns up -d)" 1 up
    same "$(dray compose ps -q | grep -c '')" 20
    same "$(spawns up -d)" 1 "up again"
    same "$(spawns compose ps)" 1 "compose ps"
    same "$(spawns compose logs)" 1 "compose logs"
    same "$(spawns scale s1=2)" 1 scale
    same "$(spawns down)" 1 down
    same "$(dray ps -aq)" ""
}

@test "rm of several containers: one" {
    ok create --name a "$IMAGE" true
    ok create --name b "$IMAGE" true
    ok create --name c "$IMAGE" true
    same "$(spawns rm a b c)" 1
}

@test "help, version without a target and a bad flag: none" {
    run spawns help
    same "$output" 0
    run spawns run --no-such-flag x
    same "$output" 0
}
