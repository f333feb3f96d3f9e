#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Networks of containers (contract C06, C17, C23, C31). The teardown of every test compares
# the machine's links, mounts, namespaces and processes with what was there before it.
load lib/busybox

setup() {
    test_setup
    routes >"$OUT/routes"
}
teardown() {
    remove_containers
    dray network prune -f >/dev/null
    ip link del dummy7 2>/dev/null || true
    test_teardown && within 10 routes_as_before
}
routes_as_before() { routes | diff "$OUT/routes" -; }
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

@test "network create, ls, inspect, rm: what is asked for and what is chosen" {
    local n json
    n=$(dray network create --subnet 10.77.0.0/24 --gateway 10.77.0.254 --ip-range 10.77.0.128/25 \
        --ipv6 --subnet fd77::/64 -o mtu=1300 --label a=b web)
    same "$(dray network inspect web | jq -r '.[0].Id')" "$n"
    json=$(dray network inspect "${n:0:12}" | jq -c '.[0] | [.Name, .Driver, .EnableIPv6, .Internal, .IPAM.Config,
        .Options["com.docker.network.driver.mtu"], .Labels, .Containers]')
    same "$json" '["web","bridge",true,false,[{"Gateway":"10.77.0.254","IPRange":"10.77.0.128/25","Subnet":"10.77.0.0/24"},{"Gateway":"fd77::1","Subnet":"fd77::/64"}],"1300",{"a":"b"},{}]'
    ok network create other
    same "$(dray network ls --format '{{.Name}} {{.Driver}}' | tr '\n' ,)" \
        "bridge bridge,host host,none null,other bridge,web bridge,"
    same "$(dray network ls -q -f label=a=b)" "${n:0:12}"
    same "$(dray network ls -f type=custom --format '{{.Name}}' | tr '\n' ,)" other,web,
    same "$(dray network inspect host --format '{{.Driver}}')" host
    # nothing of a network is there before somebody is on it
    same "$(bridges)" ""
    has "$(dray events --since 1m --until 0s -f type=network --format '{{.Action}} {{.Actor.Attributes.name}}')" "create web"

    refused 1 exists web -- network create web
    refused 1 "host" meaning -- network create host
    refused 1 "a/b" -- network create a/b
    refused 1 10.77.0.0/16 overlaps "network 'web'" -- network create --subnet 10.77.0.0/16 x
    refused 1 10.77.0.9/24 "did you mean 10.77.0.0/24" -- network create --subnet 10.77.0.9/24 x
    refused 1 10.78.0.0/33 -- network create --subnet 10.78.0.0/33 x
    refused 1 gateway 10.78.0.0 -- network create --subnet 10.78.0.0/24 --gateway 10.78.0.0 x
    refused 1 10.78.0.0/31 "no address" -- network create --subnet 10.78.0.0/31 x
    refused 1 mtu 60 -- network create -o mtu=60 x
    refused 1 mtu 1000 1280 -- network create --ipv6 -o mtu=1000 x
    ip link add dummy7 type bridge && ip addr add 10.79.3.1/24 dev dummy7 && ip link set dummy7 up
    refused 1 10.79.0.0/16 overlaps 10.79.3.0/24 route -- network create --subnet 10.79.0.0/16 x
    ip link del dummy7
    refused 1 "pre-defined" -- network rm bridge
    refused 1 "no such network: nope" -- network rm nope
    ok network rm -f nope
    refused 1 "no such network: nope" -- network inspect nope
    same "$(dray network rm web other)" $'web\nother'
    same "$(dray network ls -f type=custom -q)" ""
}

@test "both families, several networks, addresses of one's own, an internal network, connect and disconnect" {
    local id
    ok network create --subnet 10.77.0.0/24 --subnet fd77::/64 -o mtu=1300 web
    ok network create --subnet 10.78.0.0/24 --internal back
    ok run -d --name a --network name=web,ip=10.77.0.9,ip6=fd77::9,alias=db --network back \
        --mac-address 02:00:00:00:00:09 "$IMAGE" sleep 100
    id=$(full_id a)
    same "$(inspect a '{{json .NetworkSettings.Networks}}' | jq -c '[.web, .back | [.IPAddress, .IPPrefixLen, .Gateway, .GlobalIPv6Address, .IPv6Gateway, .MacAddress, .Aliases]]')" \
        '[["10.77.0.9",24,"10.77.0.1","fd77::9","fd77::1","02:00:00:00:00:09",["db"]],["10.78.0.2",24,"","","","02:d4:0a:4e:00:02",null]]'
    same "$(dray network inspect web --format '{{json .Containers}}' | jq -c ".[\"$id\"] | [.Name, .IPv4Address, .IPv6Address]")" \
        '["a","10.77.0.9/24","fd77::9/64"]'
    same "$(dray ps --format '{{.Networks}}' -f network=back)" web,back
    ok exec a sh -c 'ip -o addr show; ip route; ip -6 route; cat /sys/class/net/eth0/mtu /sys/class/net/eth0/address'
    has "$output" "inet 10.77.0.9/24"
    has "$output" "inet6 fd77::9/64"
    has "$output" "inet 10.78.0.2/24"
    has "$output" "default via 10.77.0.1 dev eth0"
    has "$output" "default via fd77::1 dev eth0"
    has "$output" $'1300\n02:00:00:00:00:09'
    lacks "$output" "global tentative"

    # a second one reaches the first, by both families, and only where both are
    ok run --rm --network web "$IMAGE" sh -c 'ping -c1 -W2 10.77.0.9 && ping -6 -c1 -W2 fd77::9'
    ok run --rm --network back "$IMAGE" sh -c 'ping -c1 -W2 10.78.0.2 && ! ip route | grep default'
    ok run --rm --network container:a "$IMAGE" ip -o -4 addr show eth1
    has "$output" 10.78.0.2

    refused 125 10.77.0.9 "in use by container a" -- run --rm --network web --ip 10.77.0.9 "$IMAGE" true
    refused 125 10.77.0.1 "gateway's" -- run --rm --network web --ip 10.77.0.1 "$IMAGE" true
    refused 125 10.99.0.1 "not in the subnet" -- run --rm --network web --ip 10.99.0.1 "$IMAGE" true
    refused 125 10.77.0.255 -- run --rm --network web --ip 10.77.0.255 "$IMAGE" true
    refused 125 fd77::5 "no IPv6 subnet" -- run --rm --network back --ip6 fd77::5 "$IMAGE" true
    refused 125 "no such network: nope" -- run --rm --network nope "$IMAGE" true
    refused 125 "no such container: nope" -- run --rm --network container:nope "$IMAGE" true
    refused 1 "network web is in use by a" -- network rm web
    same "$(dray ps -aq | wc -l)" 1

    # as it runs: off the first, where its default route was, and on the default network
    ok network disconnect web a
    ok network connect --ip 10.78.0.77 back "$(dray run -d --name b --network none "$IMAGE" sleep 100)"
    ok exec b ip -o -4 addr show eth0
    has "$output" 10.78.0.77/24
    refused 1 "is on network back already" -- network connect back b
    refused 1 "not on network web" -- network disconnect web b
    ok network disconnect -f web b
    ok network connect bridge a
    same "$(inspect a '{{json .NetworkSettings.Networks}}' | jq -c 'keys')" '["back","bridge"]'
    ok exec a sh -c 'ip route; ls /sys/class/net | tr "\n" " "'
    has "$output" "default via 10."
    has "$output" "eth0 eth1 lo"
    ok network rm web
    # what was connected is there in the next run, too
    ok restart -t 0 a
    same "$(dray exec a ls /sys/class/net | tr '\n' ' ')" "eth0 eth1 lo "
    has "$(dray events --since 1m --until 0s -f type=network --format json | jq -r '.Action + " " + .Actor.Attributes.container')" \
        "disconnect $id"
    ok rm -f a b
    ok network prune -f
    has "$output" back
}

@test "concurrency: no address twice; a full pool is an error and leaves nothing" {
    local i pids=() names=() want
    ok network create --subnet 10.77.0.0/28 tight
    for i in {1..13}; do
        dray run -d --name "c$i" --network tight "$IMAGE" sleep 100 >/dev/null &
        pids+=($!)
        names+=("c$i")
    done
    for i in "${pids[@]}"; do wait "$i"; done
    want=$(printf '10.77.0.%s\n' {2..14} | sort)
    same "$(for i in "${names[@]}"; do ip_of "$i" tight; done | sort)" "$want"
    refused 125 10.77.0.0/28 "no address is free" -- run --rm --network tight "$IMAGE" true
    same "$(dray ps -aq | wc -l)" 13
    ok rm -f "${names[@]}"
    ok run --rm --network tight --ip 10.77.0.7 "$IMAGE" true # at once, however long a link takes to go
    ok network rm tight
}

# killed_after MILLISECONDS WORD ARGS...: starts dray, then kills whatever of ours has WORD
# as its role at that time
killed_after() {
    local ms=$1 role=$2 pid exe
    shift 2
    "$DRAY" "$@" >/dev/null 2>&1 </dev/null &
    sleep "$(printf '0.%03d' "$ms")"
    for exe in /proc/[0-9]*/exe; do
        pid=${exe%/exe}
        [[ $(readlink "$exe" 2>/dev/null) == "$DRAY_ROOT"/bin/* ]] || continue
        [[ $(tr '\0' ' ' <"$pid/cmdline" 2>/dev/null) != "dray-guest $role"* &&
            $(tr '\0' ' ' <"$pid/cmdline" 2>/dev/null) != *" $role "* ]] ||
            kill -9 "${pid#/proc/}" 2>/dev/null || true
    done
    wait
}

@test "H5: monitor or helper killed at many moments of a life on a network: the next command leaves nothing" {
    local ms
    ok network create --subnet 10.77.0.0/24 web
    for ms in 5 10 15 20 25 30 35 40 50 60 80 100 130 160; do
        killed_after "$ms" monitor run --rm --network web --network bridge "$IMAGE" sleep 0.05
        killed_after "$ms" serve run -d --rm --network web "$IMAGE" sleep 0.05
    done
    within 20 nothing_runs
    within 20 no_links
    ok run --rm --network name=web,ip=10.77.0.2 "$IMAGE" true
    within 20 no_links
    ok network rm web
}
nothing_runs() { [[ -z $("$DRAY" ps -aq) ]]; }
no_links() { ! grep dr- /proc/net/dev; }

# bats test_tags=any-runtime
@test "without CAP_NET_ADMIN the error names the networks that work, and they do" {
    try setpriv --bounding-set=-net_admin "$DRAY" run --rm "$IMAGE" true
    same "$status" 125
    one_line_error "networks need CAP_NET_ADMIN in the guest" "--network none and host do not"
    try setpriv --bounding-set=-net_admin "$DRAY" run --rm --network none "$IMAGE" echo runs
    same "$status $output" "0 runs"
    has "$stderr" "warning: the container's lo is down"
    try setpriv --bounding-set=-net_admin "$DRAY" run --rm --network host "$IMAGE" echo runs
    same "$status $output$stderr" "0 runs"
    same "$(dray ps -aq)" ""
}

# reboot CONTAINER...: what a reboot takes away is gone, what is on disks stays, with the run
# directory among it.
reboot() {
    local c link pids=()
    for c; do pids+=("$(monitor_pid "$c")" "$(pid_of "$c")"); done
    kill -9 "${pids[@]}"
    sed -i 's/"boot_id":"[^"]*"/"boot_id":"an-earlier-boot"/' "$DRAY_ROOT"/containers/*/state.json
    echo an-earlier-boot >"$DRAY_RUN_ROOT/reconciled"
    for link in $(bridges) $(grep -o 'dr-[0-9a-z]*h:' /proc/net/dev); do
        ip link del "${link%:}" 2>/dev/null || true
    done
    nft flush ruleset
}

# bats test_tags=any-runtime
@test "I4: after a reboot of the guest the records of networks go, and what restarts has its own again" {
    local ip
    ok network create --subnet 10.77.0.0/30 tight
    ok run -d --name a --network tight -p 18300:80 "$IMAGE" sleep 100
    ok run -d --name b --restart always -p 18301:80 "$IMAGE" sh -c \
        'mkdir /w; echo page of b >/w/index.html; exec httpd -f -p 80 -h /w'
    ip=$(ip_of b)
    within 10 curl -sf http://127.0.0.1:18301/ -o "$OUT/page"
    reboot a b
    same "$(status_of a)" exited
    # its policy brought it back, with an address, its port and its rules
    within 10 is_status b running
    has "$(ip_of b)" "${ip%.*}."
    within 10 curl -sf http://127.0.0.1:18301/ -o "$OUT/page"
    same "$(cat "$OUT/page")" "page of b"
    has "$(nft list tables)" dray
    # the only address of the other's network, and its port, are free
    ok run --rm --network tight --ip 10.77.0.2 -p 18300:80 "$IMAGE" true
    ok start a
    same "$(ip_of a tight)" 10.77.0.2
    ok rm -f a b
    ok network rm tight
}
