#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Runtimes that hang, flood, lie or die: the answer comes in time, and nothing is left.
# bats file_tags=any-runtime,plain-build
load lib/common

setup_file() {
    suite_setup
    IMAGE=$(image busybox:1)
    export IMAGE
    suite_pull busybox:1
}
teardown_file() { suite_teardown; }
setup() { test_setup; }
teardown() { test_teardown; }

# runtime LINES...: a script that dray is told to use
runtime() {
    printf '%s\n' '#!/bin/sh' "$@" >"$OUT/runtime"
    chmod 755 "$OUT/runtime"
    export DRAY_RUNTIME=$OUT/runtime
}

start_is_over() { ! pgrep -f "$OUT/runtime" >/dev/null; }

@test "C33: a runtime that writes megabytes to stderr does not hang the start" {
    runtime 'head -c 3000000 /dev/zero | tr "\0" e >&2' 'exit 3'
    refused 125 "the runtime was killed" 256 -- run --rm "$IMAGE" true
}

@test "a runtime that says nothing, lies or dies is named" {
    runtime 'exit 3'
    refused 125 "$OUT/runtime" "status 3" -- run --rm "$IMAGE" true
    runtime 'kill -9 $$'
    refused 125 "$OUT/runtime" "signal 9" -- run --rm "$IMAGE" true
    runtime 'exit 0' # without having made a container
    refused 125 pid -- run --rm "$IMAGE" true
    runtime # not a program at all
    printf garbage >"$OUT/runtime"
    refused 125 "$OUT/runtime" -- run --rm "$IMAGE" true
}

@test "C33: one signal gives up an attached start whose runtime hangs, and nothing is left" {
    local pid status=0
    runtime 'sleep 300'
    "$DRAY" run --name given-up "$IMAGE" true 2>"$OUT/err" &
    pid=$!
    within 5 pgrep -f "$OUT/runtime"
    kill -TERM "$pid"
    wait "$pid" || status=$?
    same "$status" 130
    has "$(cat "$OUT/err")" cancelled
    within 5 start_is_over
    ok ps -aq
    same "$output" ""
}

@test "H5: kill -9 of dray while the runtime hangs: the start is undone, run and start" {
    local id pid
    ok create "$IMAGE" true
    id=$output
    runtime 'sleep 300'
    for what in "run --rm $IMAGE true" "start $id"; do
        # shellcheck disable=SC2086 # a list of words
        "$DRAY" $what 2>/dev/null &
        pid=$!
        within 5 pgrep -f "$OUT/runtime"
        kill -9 "$pid"
        wait "$pid" || true
        within 5 start_is_over
    done
    unset DRAY_RUNTIME
    ok ps -aq --no-trunc
    same "$output" "$id"
    ok start -a "$id"
}

@test "H5: kill -9 of the monitor while the runtime works: the runtime goes with it" {
    local pid
    runtime 'sleep 300'
    "$DRAY" run --rm "$IMAGE" true 2>"$OUT/err" &
    pid=$!
    within 5 pgrep -f "$OUT/runtime"
    kill -9 "$(awk '/^PPid:/ { print $2 }' "/proc/$(pgrep -of "$OUT/runtime")/status")"
    local status=0
    wait "$pid" || status=$?
    same "$status" 125
    has "$(cat "$OUT/err")" monitor
    within 5 start_is_over
}
