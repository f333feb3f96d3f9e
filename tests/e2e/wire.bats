#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# What passes between dray and its helper: how often somebody waits for the other side, how many
# bytes a pull is, and what comes of a line that is cut, stuck or spoilt (C33).
# bats file_tags=any-runtime,plain-build
load lib/busybox

setup() {
    test_setup
    LOG=$OUT/relay.json
    RELAY="exec://$(realpath "$E2E_LIB/../../fake/wire-relay.py") $LOG"
}
teardown() { test_teardown; }

# through ARGS...: dray by way of the relay, which holds back the helper until it is asked
through() {
    rm -f "$LOG"
    ok --target "$RELAY" "$@" && within 10 test -s "$LOG"
}
passed() { jq -r "$1" "$LOG"; } # JQ
# What was asked before an answer was heard, and after.
asked() { passed '([.asked[], "|", .later[]] | map(select(. == "REQUEST" or . == "|")) | join(" "))'; }

@test "a command waits twice: for the shell over there, and for its answer" {
    through ps
    same "$(asked)" "REQUEST |" ps
    through run --rm "$IMAGE" true
    same "$(asked)" "REQUEST |" "run --rm"
    through run -d --name one "$IMAGE" sleep 100
    same "$(asked)" "REQUEST |" "run -d"
    through exec one true
    same "$(asked)" "REQUEST |" exec
    through inspect one
    same "$(asked)" "REQUEST |" inspect
    through stop -t 0 one
    same "$(asked)" "REQUEST |" stop
    through start one
    same "$(asked)" "REQUEST |" start
    through rm -f one
    same "$(asked)" "REQUEST | REQUEST" "rm: first whether it is there"
}

@test "a pull is the compressed layers and one percent; the helper is not sent again" {
    local size
    through pull -q "$(image real:1)"
    size=$(skopeo inspect --raw --tls-verify=false "docker://$(image real:1)" | jq '[.layers[].size] | add')
    ((size > 1000000))
    (($(passed .up) <= size + size / 100)) || explain "$(passed .up) bytes for $size"
    # what is there is not sent
    through pull -q "$(image real:1)"
    (($(passed .up) < 20000))
    ok rmi "$(image real:1)"
}

@test "C33: a line that is cut while layers cross: an error, nothing half-made, and the next pull is whole" {
    local at
    ok rmi -f "$(image real:1)" 2>/dev/null || true
    # in HELLO, in the request, in the first layer, near its end
    for at in 1 200 5000 300000 1500000; do
        RELAY_CUT_UP=$at refused 69 "dray" "exec://" -- --target "$RELAY" pull -q "$(image real:1)"
        same "$(dray images -q --no-trunc "$(image real:1)")" "" "$at"
    done
    for at in 5 20 200; do
        RELAY_CUT_DOWN=$at refused 69 "exec://" -- --target "$RELAY" pull -q "$(image real:1)"
    done
    within 10 eval '[[ -z $(our_processes) ]]'
    same "$(find "$DRAY_ROOT"/{tmp,layers/tmp} -mindepth 1 2>/dev/null)" ""
    ok pull -q "$(image real:1)"
    ok run --rm --entrypoint /bin/bash "$(image real:1)" -c 'echo whole'
    same "$output" whole
}

@test "C33: a helper's words that are garbage, or end early: typed errors, and the container goes on" {
    ok run -d --name on "$IMAGE" sleep 100
    RELAY_GARBAGE=1 ok --target "$RELAY" exec on echo "as a banner is: words before the magic"
    RELAY_GARBAGE=300000 refused 125 "exec://" "protocol" -- --target "$RELAY" exec on head -c 1000000 /dev/zero
    RELAY_CUT_DOWN=100000 try dray --target "$RELAY" exec on head -c 1000000 /dev/zero
    same "$status" 125 "$stderr"
    RELAY_CLOSE=100000 try dray --target "$RELAY" exec on head -c 1000000 /dev/zero
    same "$status" 125 "$stderr"
    is_status on running
    ok exec on true
    ok rm -f on
}

@test "C33: one that hangs is left at a signal, and does not keep what it had" {
    ok run -d --name on "$IMAGE" sleep 100
    local client code
    RELAY_STUCK=0 "$DRAY" --target "$RELAY" pull "$(image layers:1)" >"$OUT/o" 2>"$OUT/e" 3>&- &
    client=$! code=0
    within 10 eval '[[ $(our_processes) == *serve* ]]'
    kill -TERM "$client"
    wait "$client" || code=$?
    [[ $code -ne 0 ]]
    within 10 eval '[[ $(our_processes) != *serve* ]]'
    ok rm -f on
}

@test "both directions full at once: neither waits for the other" {
    ok run -d --name on "$IMAGE" sleep 100
    head -c 8000000 /dev/urandom >"$OUT/bytes"
    # shellcheck disable=SC2094 # nothing writes to it
    # what comes back is taken only after a second: all pipes on the way are full by then
    "$DRAY" --target "$RELAY" exec -i on cat <"$OUT/bytes" | (sleep 1; cat) | cmp - "$OUT/bytes"
    ok rm -f on
}
