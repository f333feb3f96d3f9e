#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# exec: another command in a running container.
# bats file_tags=plain-build
load lib/busybox

# bats test_tags=also-windows
@test "C25: exec gives stdout, stderr and the code" {
    ok run -d --name x "$IMAGE" sleep 100
    exits 7 exec x sh -c 'echo out; echo err >&2; exit 7'
    same "$output" out
    same "$stderr" err
}

@test "C25: the command's own 125, 126 and 127 come through with nothing said by dray" {
    ok run -d --name x "$IMAGE" sleep 100
    local code
    for code in 125 126 127; do
        exits "$code" exec x sh -c "exit $code"
        same "$stderr" ""
    done
}

@test "C25: a command that is not there gives 127, one that cannot be executed 126" {
    ok run -d --name x "$IMAGE" sleep 100
    refused 127 no-such-command -- exec x no-such-command
    refused 126 not-executable -- exec x /usr/bin/not-executable
}

@test "C25: exec kept apart: a signal that ends the command is 128+n" {
    ok run -d --name x "$IMAGE" sleep 100
    exits 137 exec x sh -c 'kill -9 $$'
}

@test "C25: exec in a stopped or unknown container is refused by name" {
    ok create --name stopped "$IMAGE" true
    try dray exec stopped true
    [[ $status -ne 0 ]]
    one_line_error stopped
    try dray exec nobody true
    [[ $status -ne 0 ]]
    one_line_error nobody
}

@test "C25: words reach the command byte for byte" {
    ok run -d --name x "$IMAGE" sleep 100
    local words=('a b' '' '"' '$HOME' '`id`' ';ls' $'new\nline' '\\' '-n' 'ä€')
    try dray exec x sh -c 'for a; do printf "[%s]" "$a"; done' sh "${words[@]}"
    same "$output" "$(printf '[%s]' "${words[@]}")"
}

@test "C25: env, user and workdir of an exec" {
    ok run -d --name x -e BOTH=run -e RUN=yes "$IMAGE" sleep 100
    ok exec -e BOTH=exec -u app -w /tmp x sh -c 'echo $BOTH $RUN; id -un; pwd; echo $HOME'
    same "${lines[*]}" "exec yes app /tmp /home/app"
    ok exec -u 1001:60 x id
    has "$output" "uid=1001"
    has "$output" "gid=60"
    ok exec -u svc x id
    has "$output" "60(extra)"
}

@test "an unknown user is refused by name, never root" {
    ok run -d --name x "$IMAGE" sleep 100
    try dray exec -u nobody-here x id
    [[ $status -ne 0 ]]
    one_line_error nobody-here
}

# bats test_tags=also-windows
@test "C25: stdin of an exec: -i passes every byte" {
    ok run -d --name x "$IMAGE" sleep 100
    head -c 3000000 /dev/urandom >"$OUT/in"
    dray exec -i x cat <"$OUT/in" >"$OUT/out"
    cmp "$OUT/in" "$OUT/out"
    same "$(echo unseen | dray exec x cat)" ""
}

@test "exec -d returns at once and the command goes on" {
    ok run -d --name x "$IMAGE" sleep 100
    ok exec -d x sh -c 'until [ -e /go ]; do sleep 0.05; done; echo done >/done'
    same "$(dray exec x cat /done 2>/dev/null)" ""
    ok exec x touch /go
    within 5 eval '[[ $(dray exec x cat /done 2>/dev/null) == done ]]'
}

@test "exec runs with the container's limits: capabilities, seccomp, cgroup" {
    ok run -d --name x --cap-drop ALL "$IMAGE" sleep 100
    ok exec x grep -E '^(CapEff|Seccomp):' /proc/self/status
    has "$output" "0000000000000000"
    # youki 0.7 gives the processes of its exec no filter, whatever config.json says
    [[ $output =~ Seccomp:[[:space:]]2 || $(runtime_name) == youki ]] || explain "no filter"
    ok exec --privileged x grep CapEff /proc/self/status
    lacks "$output" "0000000000000000"
    dray exec x sleep 100 & # as long as the container
    local dir
    dir=$(cgroup_dir x memory)
    within 5 eval "[[ \$(wc -l <'$dir/cgroup.procs') -ge 2 ]]"
}

@test "H3: an exec sees the file descriptors 0, 1 and 2 only" {
    ok run -d --name x "$IMAGE" sleep 100
    exec 7</etc/passwd
    ok exec x ls /proc/self/fd
    exec 7<&-
    same "$(echo "$output" | tr '\n' ' ')" "0 1 2 3 "
}

# bats test_tags=also-windows
@test "ten execs at a time in one container" {
    ok run -d --name x "$IMAGE" sleep 100
    local i pids=() got bad=0
    for ((i = 1; i <= 10; i++)); do
        dray exec x sh -c "sleep 0.2; exit $i" &
        pids+=($!)
    done
    for ((i = 1; i <= 10; i++)); do
        got=0
        wait "${pids[i - 1]}" || got=$?
        [[ $got -eq $i ]] || { echo "want $i, got $got"; bad=1; }
    done
    [[ $bad -eq 0 ]]
}

# bats test_tags=also-windows
@test "C26: dropping an exec ends the process on the other side" {
    ok run -d --name x "$IMAGE" sleep 100
    "$DRAY" exec x sleep 98 &
    local pid=$!
    within 5 eval '[[ $(dray exec x ps) == *"sleep 98"* ]]'
    kill -9 "$pid"
    wait "$pid" || true
    within 5 eval '[[ $(dray exec x ps) != *"sleep 98"* ]]'
}

@test "fifty megabytes out of an exec come through whole" {
    ok run -d --name x "$IMAGE" sleep 100
    dray exec x dd if=/dev/zero bs=1M count=50 >"$OUT/out" 2>/dev/null
    same "$(stat -c %s "$OUT/out")" 52428800
}
