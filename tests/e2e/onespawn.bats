#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Exactly one helper is started per user command, whatever it does (DESIGN, idea 1).
load lib/common

setup_file() {
    suite_setup
    suite_pull busybox:1
    IMAGE=$(image busybox:1)
    export IMAGE
}
teardown_file() { suite_teardown; }
setup() { test_setup; }
teardown() { test_teardown; }

# spawns ARGS...: how many times dray-guest was executed to serve a session. With -D strace
# does not hold us up while a detached container runs.
spawns() {
    # a leak check cannot be done while somebody traces
    local -x ASAN_OPTIONS=${ASAN_OPTIONS:-}:detect_leaks=0
    timeout 60 strace -D -f -qq -e trace=execve -e signal=none -o "$OUT/trace" "$DRAY" "$@" >"$OUT/out" 2>&1
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
