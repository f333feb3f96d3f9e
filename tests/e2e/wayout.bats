#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The way out of networks, resolvers and names (contract C13, C16, C30), with real traffic:
# "world" is a namespace of its own with an HTTP and a DNS server (lib/world.py), which knows
# no way back to containers.
load lib/busybox

WORLD=198.51.100.2 WORLD6=2001:db8:77::2
GUEST=198.51.100.1 GUEST6=2001:db8:77::1

setup_file() {
    suite_setup
    suite_pull busybox:1
    IMAGE=$(image busybox:1)
    # it has no name: it goes with its one process
    unshare --net python3 "$E2E_LIB/world.py" www.example.test $WORLD $WORLD6 "$E2E/go" >"$E2E/world.log" 2>&1 &
    WORLD_PID=$!
    export IMAGE WORLD_PID
    until [[ $(readlink "/proc/$WORLD_PID/ns/net") != "$(readlink /proc/self/ns/net)" ]]; do sleep 0.02; done
    ip link add world0 type veth peer name eth0 netns "$WORLD_PID"
    ip addr add $GUEST/24 dev world0
    ip addr add $GUEST6/64 dev world0 nodad
    ip link set world0 up
    nsenter -t "$WORLD_PID" -n sh -c "ip link set lo up; ip addr add $WORLD/24 dev eth0
        ip addr add $WORLD6/64 dev eth0 nodad; ip link set eth0 up"
    : >"$E2E/go"
    iptables-legacy-save -t nat >/dev/null # whoever looks makes the tables: they stay
    iptables-legacy-save -t filter >/dev/null
    within 10 grep -q ready "$E2E/world.log"
}
teardown_file() {
    kill "$WORLD_PID"
    ip link delete world0
    suite_teardown
}
setup() {
    test_setup
    # rules go a moment after who needed them; a start that still meets some warns of nothing
    within 10 no_rules_of_ours
    rules >"$OUT/rules"
}
teardown() {
    nft list table inet mine >/dev/null 2>&1 && nft delete table inet mine
    iptables-legacy -P FORWARD ACCEPT
    test_teardown && within 10 rules_as_before
}
rules_as_before() { rules | diff "$OUT/rules" -; }
no_rules_of_ours() { [[ $(nft list tables) != *dray* ]]; }
# What of the firewall and of forwarding dray may change, for links that stay.
rules() {
    nft list ruleset
    iptables-legacy-save | sed '/^#/d; s/\[.*//'
    grep -H . /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv4/conf/{default,world0}/forwarding \
        /proc/sys/net/ipv6/conf/{all,default,world0}/forwarding
}

# What a libc takes from a hosts file, without what every container has.
hosts_of() { dray exec "$1" cat /etc/hosts | sed 's/ *#.*//; /^$/d; /localhost\|ip6-/d'; } # CONTAINER

cannot_get() { # CONTAINER URL: nothing comes back
    try dray exec "$1" timeout 1 wget -qO- "$2"
    [[ $status -ne 0 && -z $output ]] || explain "$1 gets $2"
}

@test "the default network: out with the guest's address, resolvers that answer, the guest by name" {
    local gateway
    ok run --rm --network bridge --dns $WORLD --dns-search example.test --dns-option ndots:2 \
        --add-host db:10.1.2.3 --add-host me:host-gateway --hostname box --domainname in.example "$IMAGE" sh -c '
        wget -qO- http://www.example.test:8080/
        wget -qO- http://www:8080/
        hostname -f
        cat /proc/sys/kernel/domainname
        ip route | sed -n "s/.*via \([0-9.]*\).*/\1/p"
        cat /etc/resolv.conf
        sed "s/ *#.*//; /^$/d; /localhost\|ip6-/d" /etc/hosts'
    gateway=${lines[4]}
    same "$output" "$GUEST
$GUEST
box.in.example
in.example
$gateway
nameserver $WORLD
search example.test
options ndots:2
${gateway%.1}.2	box.in.example box
10.1.2.3	db
$gateway	me
$gateway	host.dray.internal host.docker.internal"

    # without a network of its own: itself by loopback, and no gateway to name
    ok run --rm --network none --hostname box "$IMAGE" sed 's/ *#.*//; /^$/d; /localhost\|ip6-/d' /etc/hosts
    same "$output" "127.0.0.1	box"
    refused 125 "--add-host me:host-gateway: the container is on no network with a gateway" -- \
        run --rm --network none --add-host me:host-gateway "$IMAGE" true
    ok run --rm --network host --add-host me:host-gateway "$IMAGE" grep -w me /etc/hosts
    has "$output" 127.0.0.1
}

@test "what a container changed in its files stays over a restart, and its own lines are right again" {
    local ip
    ok run -d --name a --network bridge --dns 192.0.2.1 "$IMAGE" sleep 100
    same "$(dray exec a cat /etc/resolv.conf)" "nameserver 192.0.2.1"
    ok exec a sh -c 'echo "10.9.9.9 mine" >>/etc/hosts; echo "nameserver 192.0.2.2" >/etc/resolv.conf'
    ok restart -t 0 a
    ip=$(inspect a '{{.NetworkSettings.Networks.bridge.IPAddress}}')
    same "$(dray exec a cat /etc/resolv.conf)" "nameserver 192.0.2.2"
    has "$(hosts_of a)" "10.9.9.9 mine"
    same "$(hosts_of a | grep -w a)" "$ip	a"

    # another one in its network has its files, as they are now and as they will be
    ok run -d --name b --network container:a "$IMAGE" sleep 100
    same "$(hosts_of b)" "$(hosts_of a)"
    ok exec b sh -c 'echo "10.9.9.8 of-b" >>/etc/hosts'
    has "$(hosts_of a)" "10.9.9.8 of-b"

    # it is that one by its id, whatever it is called: another one may have its name next
    ok rename a first
    ok run -d --name a --network none "$IMAGE" sleep 100
    ok restart -t 0 b
    same "$(readlink "/proc/$(pid_of b)/ns/net")" "$(readlink "/proc/$(pid_of first)/ns/net")"
    same "$(inspect b '{{.HostConfig.NetworkMode}}')" "container:$(full_id first)"
    ok stop -t 0 b first
    refused 125 "network container:first: that container is not running" -- start b
}

@test "a firewall of somebody that drops: a warning says what to do, and that helps" {
    local advice
    nft -f - <<<'table inet mine { chain way { type filter hook forward priority 0; policy drop; }; }'
    ok run -d --name a --network bridge "$IMAGE" sleep 100
    has "$stderr" "warning: the nftables chain 'way' of table inet mine drops what is forwarded"
    advice=${stderr##*: }
    # so is the second one, whoever starts it
    ok create --name b "$IMAGE" sleep 100
    ok start b
    has "$stderr" "warning: the nftables chain 'way' of table inet mine drops what is forwarded"
    same "$output" b
    cannot_get a http://$WORLD:8080/
    bash -c "$advice"
    ok run --rm "$IMAGE" true # the next one hears no more of it
    same "$stderr" ""
    ok exec a wget -qO- http://$WORLD:8080/
    same "$output" $GUEST
    # what somebody flushed comes back with the next one
    nft flush ruleset
    ok run --rm --network bridge "$IMAGE" wget -qO- http://$WORLD:8080/
    same "$output$stderr" $GUEST
    ok exec a wget -qO- http://$WORLD:8080/
}

# bats test_tags=any-runtime
@test "a kernel without nf_tables: iptables does it; without that too nothing is left" {
    local before
    iptables-legacy -P FORWARD DROP
    before=$(rules)
    ok_without_nft() {
        try python3 "$E2E_LIB/without-nft.py" "$DRAY" "$@"
        [[ $status -eq 0 ]] || explain "dray $* failed"
    }
    ok_without_nft run --rm --network bridge "$IMAGE" wget -qO- http://$WORLD:8080/
    same "$output" $GUEST
    within 5 rules_are "$before"

    try without iptables-legacy iptables-nft -- python3 "$E2E_LIB/without-nft.py" "$DRAY" run --rm --network bridge "$IMAGE" true
    same "$status" 125
    one_line_error "no rules for networks of containers" "Protocol not supported" "iptables-restore is not installed"
    within 5 rules_are "$before"
    iptables-legacy -P FORWARD ACCEPT
}
rules_are() { [[ $(rules) == "$1" ]]; }

hosts_are() { [[ $(hosts_of "$1" | sort) == "$2" ]]; } # CONTAINER LINES

@test "networks of one's own: names that come and go, IPv6, nothing between them, internal ones closed" {
    local a a6 rest
    ok network create --subnet 10.77.0.0/24 --subnet fd77::/64 one
    ok network create --subnet 10.78.0.0/24 two
    ok network create --subnet 10.79.0.0/24 --internal in
    ok run -d --name web --network one --network-alias www "$IMAGE" sh -c \
        'mkdir /w; echo page of web >/w/index.html; httpd -f -p 80 -h /w'
    ok run -d --name db --network name=one,alias=store --network two "$IMAGE" sleep 100
    a=$(inspect web '{{.NetworkSettings.Networks.one.IPAddress}}')
    a6=$(inspect web '{{.NetworkSettings.Networks.one.GlobalIPv6Address}}')

    # by name, alias and short id, by IPv4 and IPv6; who started later is known, too
    within 10 dray exec db wget -qO- http://web/
    ok exec db sh -c 'for n in web www $0; do wget -qO- "http://$n/"; done' "$(full_id web | cut -c1-12)"
    same "$output" "page of web
page of web
page of web"
    ok exec db wget -qO- "http://[$a6]/"
    same "$output" "page of web"
    ok exec web ping -c1 -W2 store
    # out, by both
    ok exec web wget -qO- http://$WORLD:8080/
    same "$output" $GUEST
    ok exec web wget -qO- "http://[$WORLD6]:8080/"
    same "$output" $GUEST6

    # another network: no name, and no way by the address either
    ok run -d --name far --network two "$IMAGE" sleep 100
    lacks "$(hosts_of far)" web
    cannot_get far "http://$a/"
    ok exec far ping -c1 -W2 db # which is on both
    # an internal one: no way out, but to each other
    ok run -d --name inner --network in "$IMAGE" sleep 100
    cannot_get inner http://$WORLD:8080/
    cannot_get inner "http://$a/"
    ok run --rm --network in "$IMAGE" ping -c1 -W2 inner

    # renamed, stopped, killed with its monitor: the others know
    ok rename web site
    ok exec db wget -qO- http://site/
    lacks "$(hosts_of db)" web
    rest=$(hosts_of db | grep -v "$(full_id site | cut -c1-12)" | sort)
    kill -9 "$(monitor_pid site)"
    ok ps -q # the next command puts things right
    within 5 hosts_are db "$rest"
    lacks "$(hosts_of db)" site
    ok rm -f far inner db site
    ok network rm one two in
}
