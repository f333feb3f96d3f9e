#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# kill -9 of every role at many moments: the next command works and cleans up (H5).
# bats file_tags=plain-build
load lib/common

setup_file() {
    suite_setup
    suite_pull busybox:1 conf:1
    IMAGE=$(image busybox:1)
    export IMAGE
}
teardown_file() { suite_teardown; }
setup() { test_setup; }
teardown() { test_teardown; }

# The next command is there to clean up; the teardown then compares with the baseline.
next_command_works() {
    ok run --rm "$IMAGE" echo works
    same "$output" works
    ok ps -a
}

# helper_of PID: the helper that a running dray has started
helper_of() {
    local pid
    for pid in $(cat "/proc/$1/task/$1/children" 2>/dev/null); do
        [[ $(readlink "/proc/$pid/exe" 2>/dev/null) != "$DRAY_ROOT"/bin/* ]] || echo "$pid"
    done
}

# killed_at ROLE MILLISECONDS ARGS...: starts dray, kills it or its helper after that time
killed_at() {
    local role=$1 ms=$2 pid helper
    shift 2
    "$DRAY" "$@" >"$OUT/killed" 2>&1 </dev/null &
    pid=$!
    sleep "$(printf '%d.%03d' $((ms / 1000)) $((ms % 1000)))"
    if [[ $role == helper ]]; then
        helper=$(helper_of "$pid") || true
        [[ -z $helper ]] || kill -9 "$helper" 2>/dev/null || true
    else
        kill -9 "$pid" 2>/dev/null || true
    fi
    wait "$pid" 2>/dev/null || true
}

@test "dray killed at many moments of a run: the next command works, nothing is left" {
    local ms
    for ms in 1 2 4 6 8 10 13 16 20 25 30 40 50 70 100; do
        killed_at dray "$ms" run --rm --name "k$ms" "$IMAGE" sleep 0.05
    done
    # what was on its way over there comes to its own end
    within 10 no_container_runs
    next_command_works
}
no_container_runs() { [[ -z $("$DRAY" ps -q) ]]; }

@test "the helper killed at many moments of a run: dray says so at once, nothing is left" {
    local ms
    for ms in 2 4 6 8 10 13 16 20 25 30 40 50 70; do
        killed_at helper "$ms" run --rm --name "k$ms" "$IMAGE" sleep 0.05
    done
    within 10 no_container_runs
    next_command_works
}

@test "dray and helper killed at many moments of run -d: each container is there whole or not at all" {
    local ms name status
    for ms in 1 3 5 8 11 15 20 30; do
        killed_at dray "$ms" run -d --name "d$ms" "$IMAGE" sleep 100
        killed_at helper "$ms" run -d --name "h$ms" "$IMAGE" sleep 100
    done
    next_command_works
    for name in $(dray ps -a --format '{{.Names}}'); do
        status=$(status_of "$name")
        case $status in
        created | running | exited | dead) ;;
        *) explain "$name is $status" ;;
        esac
        ok rm -f "$name"
    done
}

# bats test_tags=any-runtime
@test "I4: dray killed at many moments of create, start, stop and rm" {
    local ms
    for ms in 1 3 5 8 12 20; do
        killed_at dray "$ms" create --name "c$ms" "$IMAGE" sleep 100
        dray create --name "x$ms" "$IMAGE" sleep 100 >/dev/null
        killed_at dray "$ms" start "x$ms"
        killed_at helper "$ms" start "x$ms"
        killed_at dray "$ms" stop -t 0 "x$ms"
        killed_at helper "$ms" rm -f "x$ms"
        # its name is free again, or it is still there to be removed
        dray rm -f "x$ms" >/dev/null
        ok create --name "x$ms" "$IMAGE" true
    done
    next_command_works
}

@test "I6: the monitor killed: the exit code is unknown, never 0, and the container is gone" {
    ok run -d --name m "$IMAGE" sleep 100
    local pid
    pid=$(pid_of m)
    kill -9 "$(monitor_pid m)"
    ok ps -a
    within 5 test ! -d "/proc/$pid"
    try dray wait m
    [[ $output != 0 ]] || explain "made up an exit code"
    [[ $(status_of m) != running ]] || explain "it is running"
    [[ $(inspect m '{{.State.ExitCode}}') != 0 ]] || explain "inspect made up an exit code"
    next_command_works
}

# bats test_tags=any-runtime
@test "I6: waiting when the monitor is killed ends, and not with 0" {
    ok run -d --name m "$IMAGE" sleep 100
    dray wait m >"$OUT/wait" 2>&1 &
    local waiter=$!
    sleep 0.3
    kill -9 "$(monitor_pid m)"
    wait "$waiter" || true
    [[ $(cat "$OUT/wait") != 0 ]] || explain "wait said $(cat "$OUT/wait")"
}

# bats test_tags=any-runtime
@test "an attached run whose monitor is killed ends with 125, not with a made-up code" {
    "$DRAY" run --name m "$IMAGE" sleep 100 &
    local pid=$!
    within 5 is_status m running
    kill -9 "$(monitor_pid m)"
    try wait "$pid"
    same "$status" 125
}

# bats test_tags=any-runtime
@test "the monitor killed with --rm: the next command removes the container" {
    ok run -d --rm --name m "$IMAGE" sleep 100
    kill -9 "$(monitor_pid m)"
    next_command_works
    ok ps -aq
    same "$output" ""
}

@test "I7: a container is removed although the runtime's state is torn" {
    ok run -d --name torn "$IMAGE" sleep 100
    local state
    while read -r state; do : >"$state"; done < <(find "$DRAY_RUN_ROOT" -path '*/rt/*' -type f)
    ok rm -f torn
    next_command_works
}

@test "I7: a container is removed although the runtime's state is gone" {
    ok run -d --name gone "$IMAGE" sleep 100
    rm -rf "$DRAY_RUN_ROOT/$(full_id gone)/rt"
    ok rm -f gone
}

# bats test_tags=any-runtime
@test "I2: a torn state file makes a container that can only be removed, and stops nobody else" {
    ok create --name torn "$IMAGE" true
    ok create --name whole "$IMAGE" true
    local id
    id=$(full_id torn)
    echo '{"ver' >"$DRAY_ROOT/containers/$id/state.json"
    ok ps -a
    has "$output" whole
    ok start -a whole
    ok rm -f torn
}

# bats test_tags=any-runtime
@test "I1, I4: dray killed at many moments of a pull: the next pull is right and nothing is left" {
    local ms
    for ms in 2 5 10 15 20 30 40 60 80 120; do
        DRAY_CACHE=$OUT/cache killed_at dray "$ms" pull -q "$(image real:1)"
        dray rmi -f "$(image real:1)" >/dev/null 2>&1 || true
        DRAY_CACHE=$OUT/cache killed_at helper "$ms" pull -q "$(image real:1)"
        dray rmi -f "$(image real:1)" >/dev/null 2>&1 || true
    done
    ok pull -q "$(image real:1)"
    ok run --rm --entrypoint /bin/bash "$(image real:1)" -c 'echo whole'
    same "$output" whole
}

# bats test_tags=any-runtime
@test "I4: a reboot (another boot id, an empty run directory): containers are exited, nothing runs" {
    ok run -d --name before "$IMAGE" sleep 100
    ok create --name never-ran "$IMAGE" true
    # what a reboot takes: the processes, the cgroups and the run directory
    local monitor pid
    monitor=$(monitor_pid before)
    pid=$(pid_of before)
    kill -9 "$monitor" "$pid"
    within 5 test ! -d "/proc/$pid"
    rm -rf "$DRAY_RUN_ROOT"
    ok ps -a
    [[ $(status_of before) == exited ]] || explain "it is $(status_of before)"
    [[ $(inspect before '{{.State.ExitCode}}') != 0 ]] || explain "made up an exit code"
    same "$(status_of never-ran)" created
    ok start before
    is_status before running
}

# bats test_tags=any-runtime
@test "C33: a stopped helper: Ctrl-C still ends dray" {
    "$DRAY" run --rm --name c "$IMAGE" sleep 100 >"$OUT/out" 2>&1 &
    local pid=$! helper
    within 5 is_status c running
    helper=$(helper_of "$pid")
    kill -9 "$helper"
    try wait "$pid"
    same "$status" 125
    has "$(cat "$OUT/out")" dray
}
