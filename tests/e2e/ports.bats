#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Ports of containers: published by listening sockets of the target, and forwarded through the
# session.
# bats file_tags=any-runtime
load lib/busybox

tool() { python3 "$E2E_LIB/port-tool.py" "$@"; }

# server CONTAINER PORT: the tool's server in the container's network, until the test ends
server() {
    nsenter -t "$(pid_of "$1")" -n python3 "$E2E_LIB/port-tool.py" serve "$2" >"$OUT/server" &
    SERVERS+=" $!"
    within 10 grep -qs ready "$OUT/server"
}
teardown() {
    # shellcheck disable=SC2086 # a list of words
    [[ -z ${SERVERS:-} ]] || kill $SERVERS
    test_teardown
}

# forwarded PORT: the local port that leads to it, as the last `dray forward` printed it
forwarded() { sed -n "s/^Forwarding from .*:\([0-9]*\) -> $1\$/\1/p" "$OUT/forward"; }
forward() { # CONTAINER PORT...
    "$DRAY" forward "$@" >"$OUT/forward" 2>"$OUT/forward.err" &
    FORWARD=$!
    within 10 grep -qs Forwarding "$OUT/forward"
}

# The host port that a published one has.
published() { dray port "$1" "$2" | sed 's/.*://'; }
listening() { # ADDRESS PORT: in the network where we are
    [[ -n $(ss -Hltn "src = $1 and sport = :$2") ]]
}

@test "a published port: httpd and curl, in LISTEN state, free with the end" {
    ok run -d --name web --network bridge -p 18080:80 -p '[::1]:18080:80' "$IMAGE" \
        sh -c 'echo hello >/tmp/index.html; exec httpd -f -p 80 -h /tmp'
    listening 127.0.0.1 18080
    listening '[::1]' 18080
    within 10 curl -sf http://127.0.0.1:18080/index.html -o "$OUT/page"
    same "$(cat "$OUT/page")" hello
    same "$(curl -sf 'http://[::1]:18080/index.html')" hello
    ok port web
    same "$output" $'80/tcp -> 127.0.0.1:18080\n80/tcp -> [::1]:18080'
    ok ps --format '{{.Ports}}'
    same "$output" '127.0.0.1:18080->80/tcp, [::1]:18080->80/tcp'
    same "$(dray inspect web | jq -c '.[0] | [.NetworkSettings.Ports, .HostConfig.PortBindings,
        .Config.ExposedPorts, .HostConfig.PublishAllPorts]')" \
        '[{"80/tcp":[{"HostIp":"127.0.0.1","HostPort":"18080"},{"HostIp":"::1","HostPort":"18080"}]},'\
'{"80/tcp":[{"HostIp":"","HostPort":"18080"},{"HostIp":"::1","HostPort":"18080"}]},{"80/tcp":{}},false]'
    # busy: named, and nothing is left; what runs goes on
    refused 125 127.0.0.1:18080/tcp "Address already in use" -- \
        run --rm --name second -p 18080:80 "$IMAGE" true
    ok ps -aq
    same "${#lines[@]}" 1
    same "$(curl -sf http://127.0.0.1:18080/index.html)" hello
    ok stop -t 0 web
    ok ps -a --format '{{.Ports}}'
    same "$output" ""
    same "$(inspect web '{{json .NetworkSettings.Ports}}')" '{}'
    run ! listening 127.0.0.1 18080
    ok run --rm --name second -p 18080:80 "$IMAGE" true
    # kill -9 of the monitor
    local monitor
    ok start web
    listening 127.0.0.1 18080
    monitor=$(monitor_pid web)
    kill -9 "$monitor"
    within 5 test ! -d "/proc/$monitor"
    ok run --rm --name second -p 18080:80 "$IMAGE" true
}

@test "a server that listens on IPv6 alone, by ports of both families" {
    ok network create --subnet 10.77.0.0/24 --subnet fd77::/64 six
    ok run -d --name six --network name=six,ip6=fd77::9 -p 18081:80 -p '[::1]:18081:80' "$IMAGE" \
        sh -c 'echo six >/tmp/index.html; exec httpd -f -p "[fd77::9]:80" -h /tmp'
    within 10 curl -sf 'http://[::1]:18081/index.html' -o "$OUT/page"
    same "$(cat "$OUT/page")" six
    same "$(curl -sf http://127.0.0.1:18081/index.html)" six
    ok rm -f six
    ok network rm six
}

@test "bytes, half-close, resets, UDP and a slow reader go through a published port" {
    ok run -d --name c --network bridge -p 7000 -p '[::1]::7000/udp' -p 127.0.0.1::7000/udp -p 7001 \
        "$IMAGE" sleep 1000
    server c 7000
    local port udp udp6 before monitor
    port=$(published c 7000)
    udp=$(dray port c 7000/udp | sed -n 's/^127.0.0.1://p')
    udp6=$(dray port c 7000/udp | sed -n 's/^\[::1\]://p')
    monitor=$(monitor_pid c)
    # from the gateway, as any host
    same "$(tool peer 127.0.0.1 "$port")" "::ffff:$(inspect c '{{.NetworkSettings.Gateway}}')"
    tool transfer 127.0.0.1 "$port" 33000000
    tool half_close 127.0.0.1 "$port"
    tool resets 127.0.0.1 "$port"
    tool refused 127.0.0.1 "$(published c 7001)"
    tool udp 127.0.0.1 "$udp"
    tool udp ::1 "$udp6"
    before=$(ls "/proc/$monitor/fd" | wc -l)
    tool many 127.0.0.1 "$port" 1000
    tool slow 127.0.0.1 "$port" "$monitor"
    # nothing of those is left
    few_fds() { (($(ls "/proc/$monitor/fd" | wc -l) <= before + 4)); }
    within 10 few_fds
    # a log that nobody spoilt
    ok logs c
    same "$output" ""
    # and the container's limit is not the monitor's
    same "$(awk '/open files/ { print $4 }' "/proc/$(pid_of c)/limits")" "$(ulimit -Sn)"
}

@test "free ports, ranges, -P and --expose; ps finds them" {
    ok run -d --name r --network none -p 18100-18102:90-92 -p 18103-18110:93 -p 18103-18110:94/tcp \
        --expose 95-96 -P "$IMAGE" sleep 1000
    ok port r 91
    same "$output" 127.0.0.1:18101
    same "$(published r 93) $(published r 94)" "18103 18104"
    [[ $(published r 95) -gt 1023 && $(published r 96) -gt 1023 ]]
    ok create --name e --expose 99 --expose 100/udp "$IMAGE" sleep 1000
    ok start e
    ok ps --filter name=e --format '{{.Ports}}'
    same "$output" "99/tcp, 100/udp"
    same "$(inspect e '{{json .NetworkSettings.Ports}}')" '{"100/udp":null,"99/tcp":null}'
    ok ps -a --filter publish=18101 --format '{{.Names}}'
    same "$output" r
    ok ps --filter expose=100/udp --filter publish=18000-18050 --format '{{.Names}}'
    same "$output" e
    ok ps --filter expose=90-100 -q
    same "${#lines[@]}" 2
    # numbers that are the same on both sides are shown as one range
    ok run -d --name same -p 18200-18203:18200-18203 "$IMAGE" sleep 1000
    ok ps --filter name=same --format '{{.Ports}}'
    same "$output" "127.0.0.1:18200-18203->18200-18203/tcp"
    refused 125 18201 "Address already in use" -- run -p 18201-18202:1-2 "$IMAGE" true
    ok ps -aq
    same "${#lines[@]}" 3
    # with the host's network there is nothing to publish
    ok run --rm --network host -p 18101:80 "$IMAGE" true
    has "$stderr" "discarded"
}

@test "ports that cannot be had are errors that say why" {
    refused 125 10.255.255.254:18080 "no address of this machine" -- \
        run -p 10.255.255.254:18080:80 "$IMAGE" true
    try setpriv --bounding-set=-net_bind_service "$DRAY" run -p 80:80 "$IMAGE" true
    same "$status" 125
    one_line_error 127.0.0.1:80/tcp CAP_NET_BIND_SERVICE
    refused 125 "8080:80-82" "different lengths, 1 and 3" -- run -p 8080:80-82 "$IMAGE" true
    refused 125 "::1:80:80" brackets -- run -p ::1:80:80 "$IMAGE" true
    refused 125 "127.0.0.1:80/tcp" twice -- run -p 80:80 -p 127.0.0.1:80:81 "$IMAGE" true
    refused 125 more 4096 -- run -p 1-5000:1-5000 "$IMAGE" true
    refused 125 sctp -- run -p 80:80/sctp "$IMAGE" true
    refused 125 65536 -- run --expose 65536 "$IMAGE" true
    refused 125 "8o" -- ps --filter publish=8o
    ok ps -aq
    same "$output" ""
}

@test "a container that restarts by its policy keeps its ports" {
    ok run -d --name web --network bridge --restart always -p 7000 "$IMAGE" \
        sh -c 'nc -l -p 7000 -e cat; exit 1'
    local port i
    port=$(published web 7000)
    for i in 1 2 3; do
        answers() { tool say 127.0.0.1 "$port" "again $i" 2>/dev/null; }
        within 20 answers
    done
    [[ $(inspect web '{{.RestartCount}}') -ge 2 ]]
    same "$(published web 7000)" "$port"
}

@test "forward carries connections into a container without a network" {
    ok run -d --name web --network none "$IMAGE" sleep 1000
    server web 80
    forward web :80 '[::1]::80' :81 :80/udp '[::1]::80/udp'
    grep -qx 'Forwarding from 127.0.0.1:[0-9]* -> 80' "$OUT/forward"
    grep -qx 'Forwarding from \[::1\]:[0-9]* -> 80' "$OUT/forward"
    local port v6
    port=$(forwarded 80 | head -1)
    v6=$(forwarded 80 | tail -1)
    same "$(tool peer 127.0.0.1 "$port")" ::ffff:127.0.0.1
    same "$(tool peer ::1 "$v6")" ::ffff:127.0.0.1
    tool transfer 127.0.0.1 "$port" 20000000
    tool half_close 127.0.0.1 "$port"
    tool resets 127.0.0.1 "$port"
    tool many 127.0.0.1 "$port" 100
    tool refused 127.0.0.1 "$(forwarded 81)"
    within 10 grep -q "port 81 of container web: Connection refused" "$OUT/forward.err"
    tool udp 127.0.0.1 "$(forwarded '80\/udp' | head -1)"
    tool udp ::1 "$(forwarded '80\/udp' | tail -1)"
    # one client, one session, which is told once
    six_sessions() { [[ $(grep -c 'Handling connection for .*/udp' "$OUT/forward") -eq 6 ]]; }
    within 10 six_sessions
    # a second one of the same local port
    refused 1 "127.0.0.1:$port" "Address already in use" -- forward web "$port:80"
    kill -INT "$FORWARD"
    wait "$FORWARD"
    run ! tool peer 127.0.0.1 "$port"
}

@test "forward ends with the container, and wants one that runs" {
    ok run -d --name web --network host "$IMAGE" sleep 1000
    forward web :80
    ok stop -t 0 web
    try wait "$FORWARD"
    same "$status" 1
    has "$(cat "$OUT/forward.err")" "container web has ended"
    ok start web
    refused 1 10.255.255.254:80 "no address" -- forward web 10.255.255.254:80:80
    ok stop -t 0 web
    refused 1 web "is not running" -- forward web 8080:80
    refused 1 nothing -- forward nothing 8080:80
    refused 125 8080:0 -- forward web 8080:0
    refused 125 ::1:80:80 brackets -- forward web ::1:80:80
}
