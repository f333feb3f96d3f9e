#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Every flag of run and create does what it says, seen from inside or in the cgroup.
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

# limit CONTAINER CONTROLLER V1-FILE V2-FILE: the value in the container's cgroup
limit() {
    local dir
    dir=$(cgroup_dir "$1" "$2")
    if [[ -f $dir/$3 ]]; then cat "$dir/$3"; else cat "$dir/$4"; fi
}

@test "-e sets, replaces, takes from ours and removes" {
    export FROM_OURS=ours
    ok run --rm -e A=1 -e 'B=two words' -e FROM_OURS -e EMPTY= "$IMAGE" env
    has "$output" "A=1"
    has "$output" "B=two words"
    has "$output" "FROM_OURS=ours"
    has "$output" "EMPTY="
    ok run --rm --entrypoint env -e SHARED=flag "$(image conf:1)"
    has "$output" "SHARED=flag"
    lacks "$output" "SHARED=image"
    has "$output" "FROM_IMAGE=yes"
}

@test "--env-file reads a file of variables" {
    printf '# comment\nA=1\n\nB=x y "z"\nHOME\n' >"$OUT/env"
    ok run --rm --env-file "$OUT/env" -e A=flag "$IMAGE" env
    has "$output" "A=flag"
    has "$output" 'B=x y "z"'
}

@test "-w is made when it is missing, inside the root file system" {
    ok run --rm -w /some/where "$IMAGE" pwd
    same "$output" /some/where
    ok run --rm -w /tmp/../etc "$IMAGE" pwd
    same "$output" /etc
    try dray run --rm -w relative "$IMAGE" pwd
    [[ $status -eq 125 ]] || explain "a relative working directory was accepted"
}

@test "-u takes names, numbers and groups out of the image's own files" {
    ok run --rm -u app "$IMAGE" id
    has "$output" "uid=1000(app) gid=1000(app)"
    has "$output" "60(extra)"
    ok run --rm -u 1001 "$IMAGE" id
    has "$output" "uid=1001(svc) gid=50(staff)"
    ok run --rm -u 4242:60 "$IMAGE" id
    has "$output" "uid=4242"
    has "$output" "gid=60(extra)"
    ok run --rm -u app:staff "$IMAGE" id -g
    same "$output" 50
}

@test "C16: an unknown user or group is refused by name, never uid 0" {
    refused 125 nobody-here -- run --rm -u nobody-here "$IMAGE" id
    refused 125 nogroup-here -- run --rm -u app:nogroup-here "$IMAGE" id
    refused 125 4294967296 -- run --rm -u 4294967296 "$IMAGE" id
    refused 125 -- run --rm -u -1 "$IMAGE" id
}

# bats test_tags=also-windows
@test "-v binds a file and a directory, both ways; ro refuses writes" {
    mkdir "$OUT/dir"
    echo inside >"$OUT/file"
    ok run --rm -v "$OUT/dir:/data" -v "$OUT/file:/data-file" "$IMAGE" sh -c 'cat /data-file; echo new >/data/made'
    same "$output" inside
    same "$(cat "$OUT/dir/made")" new
    exits 1 run --rm -v "$OUT/dir:/data:ro" "$IMAGE" sh -c 'echo x >/data/made'
    same "$(cat "$OUT/dir/made")" new
}

@test "-v of a missing directory makes it, as Docker does" {
    ok run --rm -v "$OUT/missing:/data" "$IMAGE" touch /data/file
    [[ -f $OUT/missing/file ]]
}

@test "a bind mount keeps what is mounted below it, and mounts nothing on our side" {
    mkdir -p "$OUT/dir/sub"
    ok run --rm -v "$OUT/dir:/data" --tmpfs /data/sub "$IMAGE" sh -c 'touch /data/sub/x; mount | grep " /data"'
    has "$output" "/data/sub type tmpfs"
    [[ ! -e $OUT/dir/sub/x ]]
}

@test "named volumes live on, are shared, and take what the image had there" {
    ok run --rm -v things:/home/app "$(image conf:1)" x
    ok run --rm -u 0 -v things:/v "$IMAGE" sh -c 'stat -c %u /v; echo kept >/v/file'
    same "$output" 1000 "owner of the filled volume"
    ok run --rm -v things:/elsewhere:ro "$IMAGE" cat /elsewhere/file
    same "$output" kept
    rm -rf "$DRAY_ROOT/volumes/things"
}

@test "the image's volumes are anonymous: rm -v and --rm remove them" {
    ok run --rm "$(image conf:1)" x
    ok create --name v "$(image conf:1)" x
    ok start v
    ok wait v
    ok rm -v v
    # teardown finds what is left in volumes/
}

@test "anonymous volumes of -v /path work and stay until rm -v" {
    ok run --name v -v /stays "$IMAGE" sh -c 'echo x >>/stays/f; wc -l </stays/f'
    ok start -a v
    same "${output// /}" 2
}

@test "--tmpfs gives an empty file system with its options" {
    ok run --rm --tmpfs /scratch:size=4m,mode=1770 "$IMAGE" sh -c 'mount | grep " /scratch "; stat -c %a /scratch'
    has "${lines[0]}" tmpfs
    has "${lines[0]}" "size=4096k"
    same "${lines[1]}" 1770
    exits 1 run --rm --tmpfs /scratch:size=1m "$IMAGE" dd if=/dev/zero of=/scratch/f bs=1M count=2
}

@test "--read-only: no write to the root file system, volumes and tmpfs still work" {
    exits 1 run --rm --read-only "$IMAGE" touch /file
    ok run --rm --read-only --tmpfs /tmp "$IMAGE" touch /tmp/file
    ok run --rm --read-only -v "$OUT:/data" "$IMAGE" touch /data/file
}

@test "--entrypoint replaces the image's and drops its command" {
    ok run --rm --entrypoint echo "$(image conf:1)"
    same "$output" ""
    ok run --rm --entrypoint echo "$(image conf:1)" words
    same "$output" words
    # Docker: an empty one takes the image's away
    ok run --rm --entrypoint '' "$(image conf:1)" echo none
    same "$output" none
}

@test "--label, on the container and in inspect, with the image's" {
    ok create --name l --label a=1 -l b "$(image conf:1)"
    same "$(inspect l '{{index .Config.Labels "a"}}')" 1
    same "$(inspect l '{{index .Config.Labels "made.by"}}')" the-suite
}

@test "--cap-drop and --cap-add change the capabilities, with and without CAP_" {
    ok run --rm --cap-drop ALL "$IMAGE" grep CapEff /proc/self/status
    has "$output" 0000000000000000
    ok run --rm --cap-drop all --cap-add cap_net_raw "$IMAGE" grep CapEff /proc/self/status
    has "$output" 0000000000002000
    ok run --rm --cap-add SYS_ADMIN "$IMAGE" grep CapEff /proc/self/status
    has "$output" 00000000a82425fb
    # every capability that we have ourselves, at the most
    ok run --rm --cap-add ALL "$IMAGE" grep CapBnd /proc/self/status
    lacks "$output" 00000000a80425fb
    refused 125 NO_SUCH_CAP -- run --rm --cap-add NO_SUCH_CAP "$IMAGE" true
}

@test "a user that is not root has no effective capabilities" {
    ok run --rm -u app "$IMAGE" grep -E 'CapEff|CapPrm' /proc/self/status
    lacks "$output" a80425fb
    has "$output" 0000000000000000
}

@test "--privileged: all devices, no filter, nothing masked" {
    ok run --rm --privileged "$IMAGE" sh -c 'grep Seccomp: /proc/self/status; ls /dev | wc -l; unshare -m true && echo may'
    [[ ${lines[0]} =~ Seccomp:[[:space:]]0 ]] || explain "a filter is on"
    ((lines[1] > 20))
    same "${lines[2]}" may
}

@test "--security-opt: no-new-privileges, seccomp=unconfined, a profile of one's own" {
    ok run --rm --security-opt no-new-privileges "$IMAGE" grep NoNewPrivs /proc/self/status
    [[ $output =~ NoNewPrivs:[[:space:]]1 ]] || explain "privileges"
    ok run --rm --security-opt seccomp=unconfined "$IMAGE" grep Seccomp: /proc/self/status
    [[ $output =~ Seccomp:[[:space:]]0 ]] || explain "a filter is on"
    echo '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir","mkdirat"],"action":"SCMP_ACT_ERRNO"}]}' >"$OUT/profile"
    exits 1 run --rm --security-opt "seccomp=$OUT/profile" "$IMAGE" mkdir /made
    ok run --rm --security-opt "seccomp=$OUT/profile" "$IMAGE" touch /made
    refused 125 "$OUT/none" -- run --rm --security-opt "seccomp=$OUT/none" "$IMAGE" true
    refused 125 nonsense -- run --rm --security-opt nonsense=1 "$IMAGE" true
}

@test "--device gives a device with its permissions, and no other" {
    exits 1 run --rm "$IMAGE" sh -c 'exec 3</dev/loop-control'
    [[ -e /dev/loop-control ]] || skip "no /dev/loop-control here"
    ok run --rm --device /dev/loop-control:/dev/control:r "$IMAGE" sh -c 'exec 3</dev/control'
    exits 1 run --rm --device /dev/loop-control:/dev/control:r "$IMAGE" sh -c 'exec 3>/dev/control'
    refused 125 /dev/no-such -- run --rm --device /dev/no-such "$IMAGE" true
}

@test "the default devices work, /dev/shm and /dev/pts are there" {
    ok run --rm "$IMAGE" sh -c 'echo x >/dev/null; head -c 3 /dev/zero | wc -c; head -c 4 /dev/urandom | wc -c; mount | grep -c -E " /dev/(shm|pts|mqueue) "'
    same "${lines[*]// /}" "3 4 3"
}

@test "C27: --memory is the limit in the cgroup, and it holds" {
    ok run -d --name m --memory 64m "$IMAGE" sleep 100
    same "$(limit m memory memory.limit_in_bytes memory.max)" 67108864
    exits 137 run --rm --memory 32m "$IMAGE" sh -c 'x=$(head -c 100000000 /dev/zero | tr "\0" x); echo ${#x}'
}

@test "--cpus, --cpu-shares, --pids-limit are in the cgroup" {
    ok run -d --name m --cpus 0.5 --cpu-shares 512 --pids-limit 50 "$IMAGE" sleep 100
    same "$(limit m pids pids.max pids.max)" 50
    local dir
    dir=$(cgroup_dir m cpu)
    if [[ -f $dir/cpu.max ]]; then
        same "$(cat "$dir/cpu.max")" "50000 100000"
    else
        same "$(cat "$dir/cpu.cfs_quota_us") $(cat "$dir/cpu.cfs_period_us")" "50000 100000"
        same "$(cat "$dir/cpu.shares")" 512
    fi
}

@test "--pids-limit holds: a container cannot fork without end" {
    try dray run --rm --pids-limit 10 "$IMAGE" sh -c 'for i in $(seq 1 30); do sleep 2 & done; echo made it'
    [[ $status -ne 0 || $stderr == *fork* ]] || explain "thirty processes with a limit of ten"
}

@test "--ulimit sets the limits; one above our own hard limit is a clear error" {
    ok run --rm --ulimit nofile=100:200 --ulimit core=0 "$IMAGE" sh -c 'ulimit -Sn; ulimit -Hn; ulimit -c'
    same "${lines[*]}" "100 200 0"
    refused 125 bogus -- run --rm --ulimit bogus=1 "$IMAGE" true
    local hard
    hard=$(ulimit -Hn)
    [[ $hard != unlimited ]] || skip "no hard limit here"
    capsh --has-p=cap_sys_resource 2>/dev/null && skip "we may raise limits"
    try dray run --rm --ulimit "nofile=$((hard + 1))" "$IMAGE" true
    [[ $status -eq 125 || $status -eq 1 ]] || explain "want an error"
    has "$stderr" nofile
}

@test "without --ulimit the limits are the guest's own" {
    ok run --rm "$IMAGE" sh -c 'ulimit -Hn'
    same "$output" "$(ulimit -Hn)"
}

@test "--sysctl sets a namespaced one and refuses others by name" {
    ok run --rm --sysctl net.ipv4.ip_forward=1 --sysctl kernel.msgmax=9000 "$IMAGE" sh -c 'cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/msgmax'
    same "${lines[*]}" "1 9000"
    refused 125 kernel.panic -- run --rm --sysctl kernel.panic=1 "$IMAGE" true
}

@test "--init: process 1 reaps orphans and passes signals on" {
    [[ -z ${DRAY_SANITIZED:-} ]] || skip "a sanitized init is not static: it finds no libraries"
    ok run -d --name i --init "$IMAGE" sh -c '(sh -c "sleep 0.2" &) ; on-signal 5 TERM'
    has "$(dray exec i cat /proc/1/cmdline | tr '\0' ' ')" init
    within 10 has_logged i ready
    within 5 eval '[[ $(dray exec i ps) != *Z* ]]'
    ok stop i
    same "$(inspect i '{{.State.ExitCode}}')" 5
    exits 9 run --rm --init "$IMAGE" sh -c 'exit 9'
}

@test "--network none has lo only, host has ours" {
    ok run --rm --network none "$IMAGE" ls /sys/class/net
    same "$output" lo
    ok run --rm --network host "$IMAGE" readlink /proc/self/ns/net
    same "$output" "$(readlink /proc/self/ns/net)"
    refused 125 bogus -- run --rm --network bogus "$IMAGE" true
}

@test "--network none: lo is up" {
    ok run --rm "$IMAGE" ping -c 1 -W 2 127.0.0.1 || true
    ok run --rm "$IMAGE" cat /sys/class/net/lo/operstate /sys/class/net/lo/flags
    same "${lines[1]}" 0x9
}

@test "--shm-size sets the size of /dev/shm, 64 MiB by default" {
    ok run --rm "$IMAGE" sh -c 'mount | grep " /dev/shm "'
    has "$output" size=65536k
    ok run --rm --shm-size 8m "$IMAGE" sh -c 'mount | grep " /dev/shm "'
    has "$output" size=8192k
}

logged_ready() { [[ $(dray logs "$1" | grep -c ready) -eq $2 ]]; } # CONTAINER TIMES
@test "--stop-timeout is obeyed by stop" {
    ok run -d --name t --stop-timeout 1 "$IMAGE" sh -c 'trap "" TERM; echo ready; while :; do sleep 0.1; done'
    local began times
    for times in 1 2 3; do # on a machine with other work any one may take longer
        within 10 logged_ready t "$times"
        began=$SECONDS
        ok stop t
        ((SECONDS - began >= 10)) || return 0 # not the ten of the default
        ok start t
    done
    explain "it takes as long as without --stop-timeout"
}

@test "short flags cluster, = works, -- ends the flags, words behind the image are its own" {
    ok run --rm -ie A=b "$IMAGE" sh -c 'echo $A --rm' </dev/null
    same "$output" "b --rm"
    ok run --rm --env=A=c -- "$IMAGE" sh -c 'echo $A'
    same "$output" c
    ok run --rm=true "$IMAGE" echo -d --name x
    same "$output" "-d --name x"
}

@test "flags that are not there are refused by name, never ignored" {
    local flag
    for flag in --gpus=all --link-local-ip=1.2.3.4 --memory-swap=1g --no-such-flag -Z; do
        try dray run --rm "$flag" "$IMAGE" true
        [[ $status -eq 125 ]] || explain "$flag was accepted"
        one_line_error "${flag%%=*}" || one_line_error "-${flag#--}"
    done
}
