#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# run: output, exit codes, streams, signals.
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

@test "run gives the container's stdout and stderr, each on its own" {
    ok run --rm "$IMAGE" sh -c 'echo to stdout; echo to stderr >&2'
    same "$output" "to stdout"
    same "$stderr" "to stderr"
}

@test "C21: run ends with the container's exit code" {
    local code
    for code in 0 1 2 42 125 126 127 255; do
        exits "$code" run --rm "$IMAGE" sh -c "exit $code"
        same "$stderr" "" "stderr with code $code"
    done
}

@test "C21: a container killed by signal n gives 128+n" {
    ok run -d --name k "$IMAGE" sleep 100
    ok kill k
    ok wait k
    same "$output" 137
    [[ -z ${DRAY_SANITIZED:-} ]] || return 0 # its init is not static: it has no libraries
    # process 1 cannot be killed from inside: init's child can
    exits 137 run --rm --init "$IMAGE" sh -c 'kill -9 $$; sleep 5'
    exits 143 run --rm --init "$IMAGE" sh -c 'kill -15 $$; sleep 5'
}

@test "a command that is not in the image gives 127 and names it" {
    refused 127 no-such-command -- run --rm "$IMAGE" no-such-command
    refused 127 /no/such/path -- run --rm "$IMAGE" /no/such/path
}

@test "a command that cannot be executed gives 126 and names it" {
    refused 126 /usr/bin/not-executable -- run --rm "$IMAGE" /usr/bin/not-executable
    refused 126 /etc -- run --rm "$IMAGE" /etc
}

@test "C25: words reach the container byte for byte" {
    local words=('a b' '' '"' "'" '$HOME' '`id`' '*' ';ls' $'tab\there' $'new\nline' '\\' '-n' 'ä€' $'\x01')
    try dray run --rm "$IMAGE" sh -c 'for a; do printf "[%s]" "$a"; done' sh "${words[@]}"
    [[ $status -eq 0 ]]
    same "$output" "$(printf '[%s]' "${words[@]}")"
}

# bats test_tags=also-windows
@test "C26: a megabyte of random bytes comes through run unchanged, in both directions" {
    head -c 1048576 /dev/urandom >"$OUT/in"
    dray run --rm -i "$IMAGE" cat <"$OUT/in" >"$OUT/out"
    cmp "$OUT/in" "$OUT/out"
}

@test "fifty megabytes of output come through whole" {
    dray run --rm "$IMAGE" sh -c 'dd if=/dev/zero bs=1M count=50 2>/dev/null' >"$OUT/out"
    same "$(stat -c %s "$OUT/out")" 52428800
}

@test "without -i the container's stdin is empty" {
    echo "not for you" >"$OUT/in"
    same "$(dray run --rm "$IMAGE" cat <"$OUT/in")" ""
}

@test "-i ends the container's stdin with ours" {
    same "$(printf 'one\ntwo\n' | dray run --rm -i "$IMAGE" wc -l | tr -d ' ')" 2
}

@test "run -d prints the whole id and returns while the container runs" {
    ok run -d --name background "$IMAGE" sleep 100
    [[ $output =~ ^[0-9a-f]{64}$ ]] || explain "not an id"
    is_status background running
}

@test "run -d of a command that is not there fails like run, and nothing is left with --rm" {
    refused 127 no-such-command -- run -d --rm "$IMAGE" no-such-command
}

# bats test_tags=also-windows
@test "SIGTERM and SIGINT to dray reach the container" {
    local sig pid signals=(TERM INT)
    [[ ${DRAY_TEST_OVER:-} != wine ]] || signals=(INT) # Windows has no other
    for sig in "${signals[@]}"; do
        # in the background bash ignores SIGINT for its children, python3 puts that right
        /usr/bin/python3 -c 'import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execv(sys.argv[1], sys.argv[1:])' "$DRAY" run --rm "$IMAGE" on-signal 7 "$sig" >"$OUT/$sig" &
        pid=$!
        within 10 grep -q ready "$OUT/$sig"
        kill "-$sig" "$pid"
        try wait "$pid"
        same "$status" 7 "exit code after SIG$sig"
        has "$(cat "$OUT/$sig")" "got $sig"
    done
}

@test "--rm leaves nothing, without it the exited container stays with its code" {
    ok run --rm --name gone "$IMAGE" true
    run dray inspect gone
    [[ $status -ne 0 ]]
    exits 3 run --name stays "$IMAGE" sh -c 'exit 3'
    same "$(status_of stays)" exited
    same "$(inspect stays '{{.State.ExitCode}}')" 3
}

@test "C13: entrypoint, command, env, workdir and user come from the image" {
    ok run --rm "$(image conf:1)"
    same "$output" "entry cmd"
    ok run --rm "$(image conf:1)" other words
    same "$output" "entry other words"
    ok run --rm --entrypoint sh "$(image conf:1)" -c 'id -u; id -g; pwd; echo $FROM_IMAGE; echo $HOME'
    same "${lines[0]} ${lines[1]}" "1000 1000"
    same "${lines[2]}" /made/by/dray
    same "${lines[3]}" yes
    same "${lines[4]}" /home/app
}

@test "C13: the hostname is the slug of the name unless given" {
    ok run --rm --name named "$IMAGE" hostname
    same "$output" named
    ok run --rm --hostname other "$IMAGE" hostname
    same "$output" other
}

@test "C16: resolv.conf, hosts and hostname are there, and hosts knows the container" {
    ok run --rm --hostname me "$IMAGE" sh -c 'cat /etc/hostname /etc/hosts; test -f /etc/resolv.conf'
    same "${lines[0]}" me
    has "$output" localhost
    has "$output" me
}

@test "C16: the default seccomp profile is on, privileges are Docker's default" {
    ok run --rm "$IMAGE" grep -E '^(Seccomp|CapEff|NoNewPrivs):' /proc/self/status
    has "$output" "00000000a80425fb"
    [[ $output =~ Seccomp:[[:space:]]2 ]] || explain "no filter"
    exits 1 run --rm "$IMAGE" unshare -m true
}

@test "C16: masked and read-only paths are what Docker's are" {
    ok run --rm "$IMAGE" sh -c 'for f in kcore keys timer_list sched_debug latency_stats; do
        test ! -e /proc/$f || test $(wc -c </proc/$f) = 0 || echo $f; done
        for d in /proc/acpi /proc/scsi /sys/firmware; do test ! -e $d || test -z "$(ls $d)" || echo $d; done'
    same "$output" "" "what is not masked"
    exits 1 run --rm "$IMAGE" sh -c 'echo 1 >/proc/sysrq-trigger'
    exits 1 run --rm "$IMAGE" sh -c 'echo 1 >/proc/sys/kernel/panic'
    exits 1 run --rm "$IMAGE" sh -c 'echo 1 >/sys/kernel/mm/ksm/run'
}

@test "C16: the container has namespaces of its own, and a cgroup namespace" {
    ok run --rm "$IMAGE" sh -c 'for n in mnt pid ipc uts net cgroup; do readlink /proc/self/ns/$n; done'
    local n mine i=0
    for n in mnt pid ipc uts net cgroup; do
        mine=$(readlink "/proc/self/ns/$n")
        [[ ${lines[i]} != "$mine" ]] || explain "$n namespace is the host's"
        i=$((i + 1))
    done
    # in a cgroup namespace the own group is the root
    ok run --rm "$IMAGE" sh -c 'cut -d: -f3 /proc/self/cgroup | sort -u'
    same "$output" /
}

@test "H3: a container sees the file descriptors 0, 1 and 2 only" {
    exec 7</etc/passwd
    ok run --rm "$IMAGE" sh -c 'ls /proc/self/fd'
    exec 7<&-
    # 3 is ls's own
    same "$(echo "$output" | tr '\n' ' ')" "0 1 2 3 "
    ok run -d --name fds "$IMAGE" sleep 100
    same "$(ls "/proc/$(pid_of fds)/fd" | tr '\n' ' ')" "0 1 2 "
}

@test "C24: the monitor's processes hold none of dray's descriptors after run -d" {
    ok run -d --name quiet "$IMAGE" sleep 100
    local fds
    fds=$(find "/proc/$(monitor_pid quiet)/fd" -type l -printf '%l\n')
    lacks "$fds" "$OUT"
}

@test "C06, C31: containers without a network leave no link" {
    ok run --rm --network none "$IMAGE" ls /sys/class/net
    same "$output" lo
}

@test "containers do not see each other's files, processes or writes" {
    ok run -d --name one "$IMAGE" sleep 100
    ok run -d --name two "$IMAGE" sleep 100
    ok exec one sh -c 'echo mine >/file'
    exits 1 exec two cat /file
    same "$(dray exec two ps | grep -c sleep)" 1
    ok exec one cat /file
    same "$output" mine
}

# bats test_tags=any-runtime
@test "twenty containers at a time end with their own codes" {
    local i pids=() bad=0
    for ((i = 1; i <= 20; i++)); do
        dray run --rm "$IMAGE" sh -c "exit $i" &
        pids+=($!)
    done
    for ((i = 1; i <= 20; i++)); do
        local got=0
        wait "${pids[i - 1]}" || got=$?
        [[ $got -eq $i ]] || { echo "want $i, got $got"; bad=1; }
    done
    [[ $bad -eq 0 ]]
}

# bats test_tags=also-windows
@test "output goes away (a closed pipe): dray ends, the container too, nothing is left" {
    run bash -c '"$DRAY" run --rm "$IMAGE" sh -c "while echo y; do :; done" | head -n 1'
    same "${lines[0]}" y
}

@test "H3: the working directory /proc/self/fd/… is refused" {
    run dray run --rm -w /proc/self/fd/7 "$IMAGE" pwd
    [[ $status -ne 0 ]]
}
