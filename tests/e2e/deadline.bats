#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# C33: the line to the far side goes dead: no packet comes through, and nobody says so.
# bats file_tags=any-runtime,plain-build
load lib/common
load lib/far

setup_file() {
    suite_setup
    far_start
    suite_pull busybox:1
    IMAGE=$(image busybox:1)
    export IMAGE
}
teardown_file() {
    far_stop
    suite_teardown
}
setup() { test_setup; }
teardown() {
    alive
    far_masters_end
    test_teardown
}
dray() { in_far timeout --foreground -k 5 120 "$DRAY" "$@"; }


# No packet of the connections that are there passes any more, once BYTES have; new ones are
# not touched, as when somebody comes from another network.
dead() { # BYTES
    local ports
    within 10 connected || {
        ss -tan
        return 1
    }
    ports=$(connected)
    nft -f - <<RULES
table inet dead_line {
    set gone { type inet_service; elements = { ${ports%,} }; }
    quota passed { over $1 bytes; }
    chain out {
        type filter hook output priority 0;
        tcp sport @gone tcp dport $FAR_PORT quota name passed drop
        tcp dport @gone tcp sport $FAR_PORT quota name passed drop
    }
}
RULES
}
# connected: the clients' ports, with commas
connected() {
    ss -Htn state established "dport = :$FAR_PORT" |
        awk '{ sub(/.*:/, "", $3); printf "%s,", $3; n++ } END { exit !n }'
}
alive() { nft delete table inet dead_line 2>/dev/null || true; }

# ended JOB CODE: it ends within seconds, and says why
ended() {
    local code=0
    wait "$1" || code=$?
    same "$code" "$2" "$3"
    has "$(cat "$OUT/$3.err")" "the connection was lost"
}

@test "C33: a dead line is an error within seconds, of run, logs -f, exec and a pull; what was over there goes on" {
    local jobs=() big name
    big=$(image real:1)
    export DRAY_TARGET=ssh://far
    ok run -d --name on "$IMAGE" sh -c 'echo there; exec sleep 1000'
    dray logs -f on >"$OUT/logs" 2>"$OUT/logs.err" &
    jobs+=($!)
    dray run --name attached "$IMAGE" sh -c 'echo there; exec sleep 1000' >"$OUT/run" 2>"$OUT/run.err" &
    jobs+=($!)
    dray exec on sh -c 'echo there; exec sleep 1000' >"$OUT/exec" 2>"$OUT/exec.err" &
    jobs+=($!)
    for name in logs run exec; do
        within 10 grep -q there "$OUT/$name"
    done
    dead 500000
    dray pull -q "$big" >"$OUT/pull" 2>"$OUT/pull.err" &
    jobs+=($!)
    ended "${jobs[0]}" 69 logs
    ended "${jobs[1]}" 125 run
    ended "${jobs[2]}" 125 exec
    ended "${jobs[3]}" 69 pull
    # nobody over there knows of it yet: the pull's helper waits, with half a layer in hand, and
    # is in no one's way
    at_work
    ok pull -q "$big"
    ok run --rm "$big" bash -c 'echo whole'
    same "$output" whole
    same "$(dray ps --format '{{.Names}} {{.State}}' | sort)" $'attached running\non running'
    ok exec attached true
    ok restart -t 0 on
    ok rm -f on attached
    same "$(dray ps -aq)" ""
    # and when they hear of it, nothing stays
    at_work
    pkill -9 -P "$FAR_PID"
    within 10 nothing_half_made
}

at_work() { [[ -n $(ls "$DRAY_ROOT/layers/tmp") ]]; }
nothing_half_made() { dray images >"$OUT/images" && ! at_work; }
