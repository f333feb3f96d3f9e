#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Networks of containers (contract C06, C17, C23, C31). The teardown of every test compares
# the machine's links, mounts, namespaces and processes with what was there before it.
load lib/common

setup_file() {
    suite_setup
    suite_pull busybox:1
    IMAGE=$(image busybox:1)
    export IMAGE
}
teardown_file() { suite_teardown; }
setup() {
    test_setup
    routes >"$OUT/routes"
}
teardown() {
    test_teardown && routes | diff "$OUT/routes" -
}
routes() { ip -4 route show table all && ip -6 route show table all; }

ip_of() { inspect "$1" "{{.NetworkSettings.Networks.${2:-bridge}.IPAddress}}"; }
bridges() { ip -o link show type bridge | grep -o 'dr-[0-9a-f]*' || true; }

@test "C17, C06: the first instruction has its address, its gateway and its route; the way back works" {
    local gateway
    # youki, crun and runc alike: the very first thing that the container does
    ok run --rm --network bridge "$IMAGE" sh -c \
        'ip -o -4 addr show eth0; ip route; cat /sys/class/net/eth0/address /sys/class/net/lo/flags
         set -- $(ip route | grep default); ping -c1 -W2 "$3" >/dev/null && echo reached "$3"
         ip -o -6 addr show eth0'
    has "${lines[0]}" "inet 10."
    has "$output" "default via 10."
    has "$output" " dev eth0"
    has "$output" "02:d4:0a:"
    has "$output" 0x9 # lo is up
    gateway=${lines[-1]#reached }
    has "${lines[0]}" "inet ${gateway%.1}.2/20" # without IPv6 nothing more follows

    ok run -d --name a --network bridge "$IMAGE" sleep 100
    same "$(ip -o link show type veth | grep -o "dr-$(full_id a | cut -c1-10)0h" | sort -u)" \
        "dr-$(full_id a | cut -c1-10)0h"
    has "$(ip_of a)" "${gateway%.1}." # the last one's is not given again at once
    busybox ping -c1 -W2 "$(ip_of a)" >/dev/null
    same "$(dray ps --format '{{.Networks}}')" bridge

    same "$(inspect a '{{.HostConfig.NetworkMode}}')" bridge
}
