#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# A real foreign machine: another kernel, cgroup v2 alone, its own everything, and no way out.
# Slow, since it is emulated: one boot and the main things.
# bats file_tags=any-runtime,plain-build
load lib/common
load lib/foreign

setup_file() {
    suite_setup
    FOREIGN_MISSING=$(foreign_missing)
    export FOREIGN_MISSING
    [[ -z $FOREIGN_MISSING ]] || return 0
    foreign_start
    foreign_image
}
teardown_file() {
    foreign_stop
    suite_teardown
}
setup() {
    test_setup
    # what the settings of the suite say is of this machine
    unset DRAY_ROOT DRAY_RUN_ROOT DRAY_RUNTIME
    export DRAY_TARGET=ssh://foreign
}
teardown() {
    export DRAY_ROOT=$E2E/root DRAY_RUN_ROOT=$E2E/run
    unset DRAY_TARGET
    test_teardown
}
dray() { in_foreign timeout --foreground -k 5 240 "$DRAY" "$@"; }
fetched() { [[ $(busybox wget -qO- "http://$1/") == "from afar" ]]; }

@test "pull, run, exec, logs, ports, stop, rm on another kernel with cgroup v2, by ssh" {
    [[ -z $FOREIGN_MISSING ]] || skip "$FOREIGN_MISSING"
    local address forward
    ok target check
    for part in "Linux 6.1" "ok       cgroups        v2, with memory, cpu and pids" "ok       packet filter  nf_tables" \
        "ok       overlayfs" "crun"; do has "$output" "$part"; done
    lacks "$output" missing
    same "$(dray info --format '{{.arch}}')" "$FOREIGN_ARCH"
    # C11: the image comes through us, nothing over there reaches the registry
    ok pull -q "$IMAGE"
    same "$(dray info --format '{{.cgroup}}')" v2

    ok run --rm --memory 64m --cpus 0.5 --pids-limit 50 "$IMAGE" sh -c 'cd /sys/fs/cgroup; cat memory.max pids.max cpu.max'
    same "$output" $'67108864\n50\n50000 100000'
    exits 7 run --rm "$IMAGE" sh -c 'exit 7'
    # the limit is the kernel's: it ends by the OOM killer, and dray says so
    exits 137 run --name big --memory 16m "$IMAGE" sh -c 'x=$(head -c 100000000 /dev/zero | tr "\0" x); echo ${#x}'
    same "$(inspect big '{{.State.OOMKilled}}')" true
    ok run -d --name web -p 8080:80 --memory 64m "$IMAGE" sh -c 'echo serving; mkdir /w; echo from afar >/w/index.html; exec httpd -f -h /w'
    within 60 has_logged web serving
    ok exec web sh -c 'echo inside; wget -qO- http://127.0.0.1/'
    same "$output" $'inside\nfrom afar'
    exits 3 exec web sh -c 'exit 3'
    ok stats --no-stream --format '{{.PIDs}} {{.MemUsage}}' web
    [[ $output =~ ^1\ [0-9.]+[kKM]i?B\ /\ 64 ]] || explain "stats"
    ok update --memory 128m web
    same "$(dray exec web cat /sys/fs/cgroup/memory.max)" 134217728
    ok pause web
    is_status web paused
    ok unpause web
    # its published port is open over there, and a forward brings it here
    in_foreign "$DRAY" forward web :80 >"$OUT/forward" 2>&1 &
    forward=$!
    within 60 grep -q Forwarding "$OUT/forward"
    address=$(sed -n 's/^Forwarding from \(.*\) -> 80$/\1/p' "$OUT/forward")
    within 60 fetched "$address"
    kill "$forward"
    ok stop -t 1 web
    is_status web exited
    ok rm big web
    ok ps -aq
    same "$output" ""
    # a network: bridge, veth, address, and the rules of nf_tables
    ok network create --subnet 10.99.0.0/24 inside
    ok run --rm --network inside "$IMAGE" sh -c 'ip -4 addr show eth0 | grep -o "10.99.0.[0-9]*/24"; ping -c 1 -q 10.99.0.1 | grep -o "1 packets received"'
    same "$output" $'10.99.0.2/24\n1 packets received'
    lacks "$stderr" nf_tables
    ok network rm inside
    # nothing of dray runs there any more, and what the containers had is gone
    try in_foreign ssh foreign 'ps -o args | grep -c "[d]ray-guest"; find /sys/fs/cgroup/dray -mindepth 1 -type d
        grep overlay /proc/mounts; ls /run/dray | grep -vE "^(networks|reconciled)$"; ip link | grep -E "dr-|veth"'
    same "$output" 0
}
