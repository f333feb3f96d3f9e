#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The verbs that change a container: pause, restart, rename, update.
# bats file_tags=any-runtime,plain-build
load lib/busybox

@test "pause freezes every process, unpause lets them go on (C20)" {
    ok run -d --name p "$IMAGE" sh -c 'while :; do echo tick; sleep 0.05; done'
    within 10 has_logged p tick
    ok pause p
    same "$output" p
    is_status p paused
    ok ps --format '{{.Status}} {{.State}}'
    has "$output" "(Paused) paused"
    # what it had said before is read from its pipe a moment later
    silent() {
        local before
        before=$(dray logs p | wc -l)
        sleep 0.4
        same "$(dray logs p | wc -l)" "$before"
    }
    within 10 silent
    refused 1 "p is" paused -- pause p
    refused 125 p paused -- exec p true
    ok unpause p
    same "$output" p
    is_status p running
    refused 1 "p is not paused" -- unpause p
    ok pause p
    ok stop -t 1 p
    is_status p exited
    refused 1 "p is not running" -- pause p
    refused 1 nobody -- pause nobody
}

@test "several at a time, and an error for each that failed" {
    ok run -d --name a "$IMAGE" sleep 100
    ok run -d --name b "$IMAGE" sleep 100
    exits 1 pause a nobody b
    same "$output" $'a\nb'
    has "$stderr" nobody
    is_status a paused
    is_status b paused
    ok unpause a b
}

@test "restart stops it and starts it again, as the same container" {
    ok run -d --name r "$IMAGE" sh -c 'echo run >>/runs; cat /runs; exec on-signal 0 TERM'
    within 10 has_logged r ready
    local id
    id=$(full_id r)
    ok restart -t 5 r
    same "$output" r
    same "$(full_id r)" "$id"
    is_status r running
    ready_twice() { [[ $(dray logs r | grep -c ready) -eq 2 ]]; }
    within 10 ready_twice
    same "$(dray exec r cat /runs)" $'run\nrun'
    ok stop r
    ok restart r
    is_status r running
    refused 1 nobody -- restart nobody
}

@test "stop and restart with a signal of the caller's" {
    ok run -d --name s "$IMAGE" on-signal 7 INT
    within 10 has_logged s ready
    ok stop -s int -t 20 s
    same "$(inspect s '{{.State.ExitCode}}')" 7
    ok start s
    ok restart -s SIGINT -t 20 s
    within 10 bash -c '[[ $("$DRAY" logs s | grep -c "got INT") -eq 2 ]]'
    is_status s running
}

@test "rename gives another name, and only a free one" {
    ok run -d --name old "$IMAGE" sleep 100
    ok create --name taken "$IMAGE" true
    local id
    id=$(full_id old)
    ok rename old new
    same "$output" ""
    same "$(full_id new)" "$id"
    refused 1 old -- inspect --type container old
    refused 1 taken -- rename new taken
    same "$(full_id new)" "$id"
    ok ps --format '{{.Names}}'
    same "$output" new
    refused 1 nobody -- rename nobody other
}

@test "update changes limits of a running container, where the kernel sees them" {
    ok run -d --name u -m 64m "$IMAGE" sleep 100
    ok update -m 32m --pids-limit 50 --cpus 0.5 u
    same "$output" u
    same "$(inspect u '{{.HostConfig.Memory}}')" $((32 << 20))
    same "$(inspect u '{{.HostConfig.PidsLimit}}')" 50
    local dir
    dir=$(cgroup_dir u memory)
    same "$(cat "$dir"/memory.max "$dir"/memory.limit_in_bytes 2>/dev/null)" $((32 << 20))
    dir=$(cgroup_dir u pids)
    same "$(cat "$dir/pids.max")" 50
    ok update --restart unless-stopped u
    same "$(inspect u '{{.HostConfig.RestartPolicy.Name}}')" unless-stopped
    ok create --name c "$IMAGE" true
    ok update --pids-limit 9 c
    same "$(inspect c '{{.HostConfig.PidsLimit}}')" 9
    refused 1 nobody -- update --pids-limit 9 nobody
}
