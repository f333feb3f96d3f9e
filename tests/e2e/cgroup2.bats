#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The same on a machine where only cgroup v2 is mounted, and where only v1 is.
# bats file_tags=plain-build
load lib/busybox

# The machine's cgroups as COMMAND sees them are those of one version, in a private mount
# namespace. Where this kernel's controllers are bound to v1, v2 is there without any.
only_v2() { unshare -m bash -c '
    mount --make-rprivate /
    [[ $(stat -fc %T /sys/fs/cgroup) == cgroup2fs ]] || {
        umount -R /sys/fs/cgroup || umount -lR /sys/fs/cgroup
        mount -t cgroup2 cgroup2 /sys/fs/cgroup
    } || exit 99
    "$@"' bash "$@"; }
only_v1() { unshare -m bash -c '
    mount --make-rprivate /
    [[ $(stat -fc %T /sys/fs/cgroup) == tmpfs ]] || exit 99
    ! mountpoint -q /sys/fs/cgroup/unified || umount -l /sys/fs/cgroup/unified || exit 99
    "$@"' bash "$@"; }

v2() {
    try only_v2 timeout 120 "$DRAY" "$@"
    [[ $status -ne 99 ]] || skip "cgroup v2 cannot be mounted alone here"
    # without CAP_SYS_RESOURCE crun 1.8 cannot load its device filter; runc and youki can
    [[ $stderr != *RLIM_MEMLOCK* ]] || skip "this runtime wants to raise RLIMIT_MEMLOCK, and may not here"
}
v1() {
    try only_v1 timeout 120 "$DRAY" "$@"
    [[ $status -ne 99 ]] || skip "there is no cgroup v1 here"
}

@test "v2: run gives output and exit code" {
    v2 run --rm "$IMAGE" sh -c 'echo on v2; exit 3'
    same "$status" 3 || explain "run"
    same "$output" "on v2"
}

@test "v2: info says so" {
    v2 info --format json
    same "$(jq -r .cgroup <<<"$output")" v2
}

@test "v2: a detached container, exec, stop, rm" {
    v2 run -d --name d "$IMAGE" on-signal 4 TERM
    same "$status" 0 || explain "run -d"
    v2 exec d echo inside
    same "$output" inside || explain "exec"
    within 10 has_logged d ready
    v2 stop d
    same "$status" 0 || explain "stop"
    v2 wait d
    same "$output" 4
    v2 rm d
    same "$status" 0 || explain "rm"
}

@test "v2: limits are in the cgroup where the controllers are v2's" {
    grep -qw memory /sys/fs/cgroup/cgroup.controllers 2>/dev/null || skip "the memory controller is not v2's here"
    v2 run --rm --memory 64m --network none "$IMAGE" cat /sys/fs/cgroup/memory.max
    same "$output" 67108864
}

@test "v2: kill by cgroup: rm -f takes a container that forks all the time" {
    v2 run -d --name forks "$IMAGE" sh -c 'while :; do (sleep 0.2 &) ; sleep 0.01; done'
    same "$status" 0 || explain "run -d"
    v2 rm -f forks
    same "$status" 0 || explain "rm -f"
}

@test "v1: run, exec, stop, rm -f" {
    v1 run -d --name d "$IMAGE" on-signal 4 TERM
    same "$status" 0 || explain "run -d"
    v1 exec d echo inside
    same "$output" inside || explain "exec"
    v1 rm -f d
    same "$status" 0 || explain "rm -f"
}

@test "v1: rm -f takes a container that forks all the time" {
    v1 run -d --name forks "$IMAGE" sh -c 'while :; do (sleep 0.2 &) ; sleep 0.01; done'
    same "$status" 0 || explain "run -d"
    v1 rm -f forks
    same "$status" 0 || explain "rm -f"
}

@test "this machine as it is: rm -f takes a container that forks all the time" {
    ok run -d --name forks "$IMAGE" sh -c 'while :; do (sleep 0.2 &) ; sleep 0.01; done'
    ok rm -f forks
}
