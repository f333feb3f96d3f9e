#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Several commands at once: each gives its own answer, and nothing is left of any.
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

@test "twenty containers at once: each has its own output and exit code" {
    local i code pids=()
    for ((i = 0; i < 20; i++)); do
        dray run --rm "$IMAGE" sh -c "echo out-$i; exit $i" >"$OUT/out.$i" 2>"$OUT/err.$i" &
        pids+=($!)
    done
    for ((i = 0; i < 20; i++)); do
        code=0
        wait "${pids[i]}" || code=$?
        same "$code" "$i" "exit code, $(cat "$OUT/err.$i")"
        same "$(cat "$OUT/out.$i")" "out-$i"
    done
}

@test "C15: ten containers of one name at once: one is made, nine are refused by name" {
    local i code pids=() made=0
    for ((i = 0; i < 10; i++)); do
        dray create --name same "$IMAGE" true >"$OUT/out.$i" 2>"$OUT/err.$i" &
        pids+=($!)
    done
    for ((i = 0; i < 10; i++)); do
        code=0
        wait "${pids[i]}" || code=$?
        if [[ $code -eq 0 ]]; then
            made=$((made + 1))
        else
            same "$code" 125
            has "$(cat "$OUT/err.$i")" "the name same is in use"
        fi
    done
    same "$made" 1
    same "$(dray ps -aq | wc -l)" 1
}

@test "C21: twenty that wait, before the end and after it, get the same code" {
    local i pids=()
    ok run -d --name w "$IMAGE" sh -c 'sleep 0.5; exit 7'
    for ((i = 0; i < 20; i++)); do
        dray wait w >"$OUT/out.$i" 2>&1 &
        pids+=($!)
    done
    wait "${pids[@]}"
    same "$(sort -u "$OUT"/out.*)" 7
    ok wait w
    same "$output" 7
}

@test "stop, start, kill, exec and rm of one container at once: nothing hangs or stays" {
    local i pids=()
    ok run -d --name many "$IMAGE" sleep 100
    for ((i = 0; i < 3; i++)); do
        dray stop -t 0 many &
        pids+=($!)
        dray start many &
        pids+=($!)
        dray exec many true &
        pids+=($!)
        dray kill many &
        pids+=($!)
        dray rm -f many &
        pids+=($!)
    done >/dev/null 2>&1
    for i in "${pids[@]}"; do
        local code=0
        wait "$i" || code=$?
        ((code != 124)) || explain "one of them hung"
    done
    ok rm -f many
}

@test "pulls of an image while it is removed and run: no half image" {
    local i ref pids=() code
    ref=$(image layers:1)
    for ((i = 0; i < 6; i++)); do
        dray pull -q "$ref" &
        pids+=($!)
        dray rmi -f "$ref" &
        pids+=($!)
    done >/dev/null 2>&1
    for i in "${pids[@]}"; do
        code=0
        wait "$i" || code=$?
        ((code != 124)) || explain "one of them hung"
    done
    ok pull -q "$ref"
    ok create "$ref" /anything
    ok rm "$output"
}
