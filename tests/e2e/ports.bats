#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Ports of containers: forwarded through the session.
# bats file_tags=any-runtime
load lib/busybox

tool() { python3 "$E2E_LIB/port-tool.py" "$@"; }

# server CONTAINER PORT: the tool's server in the container's network, until the test ends
server() {
    nsenter -t "$(pid_of "$1")" -n python3 "$E2E_LIB/port-tool.py" serve "$2" >"$OUT/server" &
    SERVERS+=" $!"
    within 10 grep -qs ready "$OUT/server"
}
teardown() {
    # shellcheck disable=SC2086 # a list of words
    [[ -z ${SERVERS:-} ]] || kill $SERVERS
    test_teardown
}

# forwarded PORT: the local port that leads to it, as the last `dray forward` printed it
forwarded() { sed -n "s/^Forwarding from .*:\([0-9]*\) -> $1\$/\1/p" "$OUT/forward"; }
forward() { # CONTAINER PORT...
    "$DRAY" forward "$@" >"$OUT/forward" 2>"$OUT/forward.err" &
    FORWARD=$!
    within 10 grep -qs Forwarding "$OUT/forward"
}

@test "forward carries connections into a container without a network" {
    ok run -d --name web --network none "$IMAGE" sleep 1000
    server web 80
    forward web :80 '[::1]::80' :81
    grep -qx 'Forwarding from 127.0.0.1:[0-9]* -> 80' "$OUT/forward"
    grep -qx 'Forwarding from \[::1\]:[0-9]* -> 80' "$OUT/forward"
    local port v6
    port=$(forwarded 80 | head -1)
    v6=$(forwarded 80 | tail -1)
    same "$(tool peer 127.0.0.1 "$port")" ::ffff:127.0.0.1
    same "$(tool peer ::1 "$v6")" ::ffff:127.0.0.1
    tool transfer 127.0.0.1 "$port" 20000000
    tool half_close 127.0.0.1 "$port"
    tool resets 127.0.0.1 "$port"
    tool many 127.0.0.1 "$port" 100
    tool refused 127.0.0.1 "$(forwarded 81)"
    has "$(cat "$OUT/forward.err")" "port 81 of container web: Connection refused"
    # a second one of the same local port
    refused 1 "127.0.0.1:$port" "Address already in use" -- forward web "$port:80"
    kill -INT "$FORWARD"
    wait "$FORWARD"
    run ! tool peer 127.0.0.1 "$port"
}

@test "forward ends with the container, and wants one that runs" {
    ok run -d --name web --network host "$IMAGE" sleep 1000
    forward web :80
    ok stop -t 0 web
    try wait "$FORWARD"
    same "$status" 1
    has "$(cat "$OUT/forward.err")" "container web has ended"
    ok start web
    refused 1 10.255.255.254:80 "no address" -- forward web 10.255.255.254:80:80
    ok stop -t 0 web
    refused 1 web "is not running" -- forward web 8080:80
    refused 1 nothing -- forward nothing 8080:80
    refused 125 8080:0 -- forward web 8080:0
    refused 125 ::1:80:80 brackets -- forward web ::1:80:80
}
