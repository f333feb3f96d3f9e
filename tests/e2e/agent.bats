#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# examples/agent.c: libdray as somebody else uses it. It keeps replicas running whatever is
# killed under it, scales, and leaves nothing.
# bats file_tags=any-runtime,plain-build
load lib/common

setup_file() {
    suite_setup
    suite_pull busybox:1
    IMAGE=$(image busybox:1)
    AGENT=${AGENT:-$(dirname "$DRAY")/../../examples/agent}
    export IMAGE AGENT
    [[ -x $AGENT ]] || skip "no agent at $AGENT: it is built with the rest"
}
teardown_file() { suite_teardown; }
setup() {
    test_setup
    mkfifo "$OUT/in"
}
teardown() {
    [[ -z ${agent:-} ]] || kill -9 "$agent" 2>/dev/null || true
    exec 7>&- || true
    test_teardown
}

agent() { # REPLICAS [COMMAND...]: in the background, its stdin on descriptor 7
    local replicas=$1
    shift
    "$AGENT" -r "$DRAY_ROOT" -u "$DRAY_RUN_ROOT" ${DRAY_RUNTIME:+-p "$DRAY_RUNTIME"} \
        web "$replicas" "$IMAGE" "$@" <"$OUT/in" >>"$OUT/agent" 2>&1 &
    agent=$!
    exec 7>"$OUT/in"
}
running() { # N: so many replicas run
    [[ $(dray ps -q | wc -l) -eq $1 ]]
}
said() { # TIMES LINE...: the agent said so
    [[ $(grep -cE "$2" "$OUT/agent") -ge $1 ]]
}
finish() { # the agent ends well, and everything is gone
    kill -TERM "$agent"
    wait "$agent" || explain "the agent failed"
    agent=
    same "$(dray ps -aq)" ""
}

@test "C05: the replicas run under the names of their service" {
    agent 3 on-signal 0 TERM
    within 10 running 3
    within 5 said 3 'started, pid'
    same "$(dray ps --format '{{.Names}}' | sort | xargs)" "web-rep-0 web-rep-1 web-rep-2"
    finish
    said 3 ': removed$'
}

@test "a replica that is killed is replaced: by its signal, its init or its monitor" {
    agent 3 on-signal 0 TERM
    within 10 running 3
    ok kill web-rep-0
    kill -9 "$(pid_of web-rep-1)"
    kill -9 "$(monitor_pid web-rep-2)"
    within 10 said 2 'ended with 137'
    within 10 said 1 'web-rep-2: ended, nobody saw how'
    within 10 said 6 'started, pid'
    within 10 running 3
    finish
}

@test "C33: the agent goes on when its helper is killed" {
    agent 2 on-signal 0 TERM
    within 10 running 2
    within 10 said 2 'started, pid' # or the next helper finds one that "still runs"
    local helper
    helper=$(pgrep -P "$agent" -f dray-guest)
    kill -9 "$helper"
    within 10 said 1 'waiting: '
    within 10 pgrep -P "$agent" -f dray-guest
    ok kill web-rep-1
    within 10 said 3 'started, pid'
    within 10 running 2
    finish
}

two_are_left() { [[ $(dray ps -a --format '{{.Names}}' | sort | xargs) == "web-rep-0 web-rep-1" ]]; }
@test "it scales up and down" {
    agent 1 on-signal 0 TERM
    within 10 running 1
    echo 4 >&7
    within 10 running 4
    echo 2 >&7
    within 20 two_are_left
    echo 0 >&7
    within 20 running 0
    finish
}

@test "replicas that end by themselves are replaced, less and less often" {
    agent 1 sh -c 'exit 3'
    within 15 said 3 'web-rep-0: ended with 3'
    finish
}

@test "an agent that is killed leaves its replicas to the next one" {
    agent 2 on-signal 0 TERM
    within 10 running 2
    local before
    before=$(dray ps -q | sort)
    kill -9 "$agent"
    wait "$agent" || true
    exec 7>&-
    running 2
    agent 2 on-signal 0 TERM
    within 10 said 2 'still runs, pid'
    same "$(dray ps -q | sort)" "$before"
    finish
}

@test "C02: a runtime that is not there is a wrong configuration, told when it opens" {
    try "$AGENT" -r "$DRAY_ROOT" -u "$DRAY_RUN_ROOT" -p /no/such/runtime web 1 "$IMAGE"
    same "$status" 4
    has "$stderr" "configuration: runtime /no/such/runtime"
}
