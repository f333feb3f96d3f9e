#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# create, start, stop, kill, wait, rm, ps, inspect; ids, names and prefixes.
# bats file_tags=any-runtime,plain-build
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

@test "C20: a container goes created, running, exited" {
    ok create --name c "$IMAGE" on-signal 4 TERM
    [[ $output =~ ^[0-9a-f]{64}$ ]] || explain "create prints the id"
    is_status c created
    same "$(inspect c '{{.State.Pid}}')" 0
    ok start c
    same "$output" c
    is_status c running
    within 10 has_logged c ready
    ok kill -s TERM c
    ok wait c
    same "$output" 4
    is_status c exited
    same "$(inspect c '{{.State.ExitCode}}')" 4
}

# bats test_tags=also-windows
@test "C21: wait gives the real exit code to many waiters, and again afterwards" {
    ok run -d --name w "$IMAGE" sh -c 'sleep 1; exit 9'
    local i
    for i in 1 2 3 4 5; do dray wait w >"$OUT/$i" & done
    wait
    for i in 1 2 3 4 5; do same "$(cat "$OUT/$i")" 9 "waiter $i"; done
    ok wait w
    same "$output" 9
}

@test "C21: a wait that comes while the container ends gives its code all the same" {
    local i
    for ((i = 0; i < 30; i++)); do
        ok run -d --name "w$i" "$IMAGE" sh -c "sleep 0.0$((i % 10)); exit 5"
        ok wait "w$i"
        same "$output" 5 "wait $i"
    done
}

@test "C21: wait for several containers prints their codes in order" {
    ok run -d --name a "$IMAGE" sh -c 'sleep 0.4; exit 1'
    ok run -d --name b "$IMAGE" sh -c 'exit 2'
    ok wait a b
    same "${lines[*]}" "1 2"
}

@test "C21: wait does not poll: it ends within a tenth of a second after the container" {
    ok run -d --name w "$IMAGE" sleep 100
    dray wait w >"$OUT/w" &
    sleep 0.3
    ok kill w
    wait $!
    same "$(cat "$OUT/w")" 137
}

@test "start -a attaches and ends with the container's code" {
    ok create --name a "$IMAGE" sh -c 'echo attached; exit 5'
    exits 5 start -a a
    same "$output" attached
}

@test "an exited container starts again with the files it has written" {
    exits 0 run --name again "$IMAGE" sh -c 'echo x >>/count; cat /count | wc -l'
    same "${output// /}" 1
    ok start -a again
    same "${output// /}" 2
}

@test "start of a running container succeeds and changes nothing" {
    ok run -d --name r "$IMAGE" sleep 100
    local pid
    pid=$(pid_of r)
    ok start r
    same "$(pid_of r)" "$pid"
}

@test "C18: stop sends SIGTERM, waits and returns when the container is dead" {
    ok run -d --name s "$IMAGE" on-signal 3 TERM
    within 10 has_logged s ready
    local pid
    pid=$(pid_of s)
    ok stop s
    same "$output" s
    [[ ! -d /proc/$pid ]] || explain "process $pid is alive"
    is_status s exited
    same "$(inspect s '{{.State.ExitCode}}')" 3
}

@test "C18: stop kills what does not listen, after the timeout" {
    # what it was made with is longer than a test may take
    ok run -d --name deaf --stop-timeout 1000 "$IMAGE" sh -c 'trap "" TERM; echo ready; while :; do sleep 0.1; done'
    within 10 has_logged deaf ready
    ok stop -t 1 deaf
    same "$(inspect deaf '{{.State.ExitCode}}')" 137
}

@test "C18: stop uses the image's stop signal, or --stop-signal" {
    ok run -d --name image-s --entrypoint on-signal "$(image conf:1)" 11 USR1 TERM
    within 10 has_logged image-s ready
    ok stop image-s
    has "$(dray logs image-s)" "got USR1"
    ok run -d --name own-s --stop-signal SIGUSR2 "$IMAGE" on-signal 12 USR1 USR2 TERM
    within 10 has_logged own-s ready
    ok stop own-s
    has "$(dray logs own-s)" "got USR2"
}

@test "C18: stopping a stopped container succeeds, an unknown one is not found" {
    ok run --name s "$IMAGE" true
    ok stop s
    refused 1 nobody -- stop nobody
}

@test "C22: kill takes signal names in any case, with or without SIG, and numbers" {
    local sig
    for sig in TERM sigterm SigTerm 15; do
        ok run -d --rm --name k "$IMAGE" on-signal 0 TERM
        within 10 has_logged k ready
        ok kill -s "$sig" k
        within 10 not_there k
    done
    ok run -d --name k "$IMAGE" sh -c 'for s in 1 34 35; do trap "echo got $s" $s; done; echo ready; while :; do sleep 0.05; done'
    within 10 has_logged k ready
    for sig in RTMIN:34 34:34 SIGRTMIN+1:35 HUP:1; do
        ok kill -s "${sig%:*}" k
        within 5 has_logged k "got ${sig#*:}"
        is_status k running
    done
}
not_there() { ! "$DRAY" inspect "$1" >/dev/null 2>&1; }

@test "C22: an unknown signal is refused by name, a container that does not run too" {
    ok run -d --name k "$IMAGE" sleep 100
    refused 1 NOSUCH -- kill -s NOSUCH k || refused 125 NOSUCH -- kill -s NOSUCH k
    is_status k running
    ok kill k
    ok wait k
    refused 1 k -- kill k
}

@test "C19: rm of a running container fails and touches nothing; -f removes it" {
    ok run -d --name r "$IMAGE" sleep 100
    refused 1 r running -- rm r
    is_status r running
    ok rm -f r
    refused 1 r -- inspect r
}

@test "C19: rm of an unknown container fails, rm -f succeeds" {
    refused 1 nobody -- rm nobody
    ok rm -f nobody
}

@test "C15: create with a name in use fails, names it, and leaves the other one alone" {
    ok run -d --name twin "$IMAGE" sleep 100
    local id
    id=$(full_id twin)
    refused 125 twin -- create --name twin "$IMAGE" true
    refused 125 twin -- run --name twin "$IMAGE" true
    same "$(full_id twin)" "$id"
    is_status twin running
    ok ps -aq
    same "${#lines[@]}" 1 "containers"
}

@test "C05: a bad name is refused as it stands" {
    local name
    for name in 'a b' '-a' '.a' 'a/b' '../a' 'ä' "$(printf 'a%.0s' {1..200})"; do
        try dray create --name "$name" "$IMAGE" true
        [[ $status -eq 125 ]] || explain "accepted $name"
        one_line_error
    done
    ok ps -aq
    same "$output" ""
}

@test "C05: names that differ in one odd character are two containers with two logs" {
    ok run --name a.b "$IMAGE" echo dot
    ok run --name a-b "$IMAGE" echo dash
    ok run --name a_b "$IMAGE" echo underscore
    same "$(dray logs a.b)" dot
    same "$(dray logs a-b)" dash
    same "$(dray logs a_b)" underscore
}

@test "ids, names and id prefixes work; an ambiguous prefix is refused" {
    local id i
    ok create --name byname "$IMAGE" true
    id=$output
    for i in "$id" "${id:0:12}" "${id:0:4}" byname; do
        same "$(full_id "$i")" "$id" "$i"
    done
    # of seventeen ids two begin with the same digit
    for ((i = 0; i < 17; i++)); do
        ok create "$IMAGE" true
        echo "${output:0:1}" >>"$OUT/first"
    done
    local digit
    digit=$(sort "$OUT/first" | uniq -d | head -n 1)
    refused 1 "$digit" -- inspect "$digit"
}

@test "ps shows running containers, -a all, -q ids, with Docker's columns" {
    ok run -d --name up "$IMAGE" sleep 100
    exits 3 run --name down "$IMAGE" sh -c 'exit 3'
    ok ps
    has "${lines[0]}" "CONTAINER ID"
    has "${lines[0]}" IMAGE
    has "${lines[0]}" COMMAND
    has "${lines[0]}" STATUS
    has "$output" up
    has "$output" "Up "
    lacks "$output" down
    ok ps -a
    has "$output" "Exited (3)"
    ok ps -q
    [[ $output =~ ^[0-9a-f]{12}$ ]] || explain "not one id"
    ok ps --no-trunc -q
    [[ $output =~ ^[0-9a-f]{64}$ ]] || explain "not one whole id"
}

@test "ps --format json is JSON, an object a line; filters and -n choose" {
    ok run -d --name one --label color=red "$IMAGE" sleep 100
    ok create --name two --label color=blue "$IMAGE" true
    dray ps -a --format json >"$OUT/json"
    same "$(jq -r .Names "$OUT/json" | sort | tr '\n' ' ')" "one two "
    same "$(dray ps -a --filter label=color=blue --format '{{.Names}}')" two
    same "$(dray ps -a --filter status=running --format '{{.Names}}')" one
    same "$(dray ps -n 1 --format '{{.Names}}')" two
    same "$(dray ps -a --filter name=one --format '{{.Names}}')" one
}

@test "C28: inspect shows a container as Docker does" {
    ok run -d --name i --hostname box -e A=b --label k=v "$IMAGE" sleep 100
    dray inspect i >"$OUT/json"
    jq -e 'length == 1' "$OUT/json"
    same "$(jq -r '.[0].Name' "$OUT/json")" /i
    same "$(jq -r '.[0].Config.Hostname' "$OUT/json")" box
    same "$(jq -r '.[0].Config.Labels.k' "$OUT/json")" v
    same "$(jq -r '.[0].State.Running' "$OUT/json")" true
    same "$(jq -r '.[0].State.Pid' "$OUT/json")" "$(pid_there i)"
    jq -e '.[0].Config.Env | index("A=b")' "$OUT/json"
    jq -e '.[0].State.StartedAt | test("^20[0-9][0-9]-")' "$OUT/json"
}

@test "C23: the pid is there while the container is alive, none otherwise" {
    ok run -d --name p "$IMAGE" sleep 100
    same "$(tr '\0' ' ' <"/proc/$(pid_of p)/cmdline")" "sleep 100 "
    ok kill p
    ok wait p
    same "$(pid_of p)" 0
}

@test "the monitor goes with its container" {
    ok run -d --name m "$IMAGE" sleep 100
    local monitor
    monitor=$(monitor_pid m)
    [[ $(readlink "/proc/$monitor/exe") == "$DRAY_ROOT"/bin/* ]] || explain "$monitor is no monitor"
    ok kill m
    ok wait m
    within 5 test ! -d "/proc/$monitor"
}

@test "a container lives on after every dray has ended, and is no child of it" {
    ok run -d --name on "$IMAGE" sh -c 'sleep 1; echo still here; exit 6'
    same "$(our_processes | grep -c ' serve')" 0 "helpers"
    ok wait on
    same "$output" 6
    has "$(dray logs on)" "still here"
}

@test "a second container of an image copies nothing" {
    ok create --name first "$IMAGE" true
    local before after
    before=$(du -s --block-size=1 "$DRAY_ROOT" | cut -f1)
    ok create --name second "$IMAGE" true
    after=$(du -s --block-size=1 "$DRAY_ROOT" | cut -f1)
    ((after - before < 200000)) || explain "grew by $((after - before)) bytes"
}

# bats test_tags=also-windows
@test "several containers in one command: each is done, the bad one is named" {
    ok create --name a "$IMAGE" true
    ok create --name b "$IMAGE" true
    try dray rm a nobody b
    same "$status" 1
    one_line_error nobody
    same "$output" "$(printf 'a\nb')"
    ok ps -aq
    same "$output" ""
}

@test "--cidfile gets the id, an existing one is refused and nothing is made" {
    ok run -d --cidfile "$OUT/cid" "$IMAGE" sleep 100
    same "$(cat "$OUT/cid")" "$output"
    refused 125 "$OUT/cid" -- run -d --cidfile "$OUT/cid" "$IMAGE" sleep 100
    ok ps -aq
    same "${#lines[@]}" 1
}

@test "version, info and help say what there is" {
    ok version
    has "$output" "$(sed -n "s/^ *version: '\(.*\)',/\1/p" "$E2E_LIB/../../../meson.build" | head -n 1)"
    ok info
    has "$output" "$DRAY_ROOT"
    dray info --format json | jq -e .
    ok help
    has "$output" Usage
    ok help run
    has "$output" --rm
    ok run --help
    has "$output" --rm
}

@test "C03: an explicit runtime is used verbatim, found ones come in the order youki, crun, runc" {
    not_over "ssh wsl wine" "PATH is that of the other side"
    local name
    for name in crun runc; do
        ok --runtime "$(command -v "$name")" run --rm "$IMAGE" echo "$name"
        same "$output" "$name"
    done
    unset DRAY_RUNTIME
    try without youki -- "$DRAY" info --format json
    same "$(jq -r .runtime.name <<<"$output")" crun
    try without youki crun -- "$DRAY" info --format json
    same "$(jq -r .runtime.name <<<"$output")" runc
    if [[ -x /usr/local/bin/youki || -x /usr/bin/youki ]]; then
        ok info --format json
        same "$(jq -r .runtime.name <<<"$output")" youki
    fi
}

@test "C01: a target's places and its runtime are settings; nothing is written elsewhere" {
    not_over "wsl wine" "its places are the distro's"
    local root=$OUT/places/root run=$OUT/places/run
    ok --root "$root" --run-root "$run" info --format json
    same "$(jq -r .root <<<"$output")" "$root"
    same "$(jq -r .bundle_root <<<"$output")" "$root/bundles"
    same "$(jq -r .log_root <<<"$output")" "$root/logs"
    same "$(jq -r .run_root <<<"$output")" "$run"
    ok --root "$root" --run-root "$run" run --name c hello
    [[ -f $root/bundles/c/config.json ]] || explain "no bundle at its place"
    [[ -f $root/logs/c.log ]] || explain "no log at its place"
    ok ps -a --format '{{.Names}}'
    [[ $(grep -cx c <<<"$output") -eq 0 ]] || explain "it is in the other root as well"
    ok --root "$root" --run-root "$run" rm c
    try dray --root relative info
    [[ $status -eq 78 ]] || explain "want 78 for a path that is not absolute"
    has "$stderr" relative
    [[ ! -e relative ]] || explain "something was made below the current directory"
}
