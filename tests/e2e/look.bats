#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The verbs that only look: top, stats, events, port, ps with sizes.
# bats file_tags=any-runtime,plain-build
load lib/busybox

@test "top shows the processes, with the columns that are asked for" {
    ok run -d --name t "$IMAGE" sh -c 'sleep 1234 & sleep 2345 & wait'
    within 10 bash -c '"$DRAY" top t | grep -q 2345'
    ok top t
    has "${lines[0]}" UID
    has "${lines[0]}" PID
    has "$output" "sleep 1234"
    ok top t -o pid,args
    [[ ${lines[0]} =~ ^PID\ + ]]
    has "$output" "sleep 1234"
    lacks "$output" UID
    same "$(dray top t -eo pid,comm | awk 'NR > 1 { print $1 }' | sort -n | head -1)" "$(pid_there t)"
    ok create --name c "$IMAGE" true
    refused 1 "c is not running" -- top c
    refused 1 nobody -- top nobody
}

@test "C27: stats once, with Docker's columns and as JSON" {
    ok run -d --name busy -m 64m "$IMAGE" sh -c 'while :; do :; done'
    ok run -d --name idle "$IMAGE" sleep 100
    ok stats --no-stream
    same "$(cells "${lines[0]}")" \
        "CONTAINER ID|NAME|CPU %|MEM USAGE / LIMIT|MEM %|NET I/O|BLOCK I/O|PIDS"
    same "${#lines[@]}" 3
    ok stats --no-stream --format json busy
    same "$(jq -r .Name <<<"$output")" busy
    has "$(jq -r .MemUsage <<<"$output")" "/ 64MiB"
    # it has a CPU for itself, or a good part of one
    jq -r .CPUPerc <<<"$output" | tr -d % | awk '{ exit !($1 > 5) }'
    ok stats --no-stream --format '{{.Name}} {{.CPUPerc}}' idle
    awk '{ sub("%", "", $2); exit !($2 < 5) }' <<<"$output"
    refused 1 nobody -- stats --no-stream nobody
}

@test "C27: a container that does not run has zeros, and is shown on request" {
    ok create --name c "$IMAGE" true
    ok stats --no-stream --format '{{.Name}}'
    same "$output" ""
    ok stats --no-stream -a --format '{{.Name}} {{.CPUPerc}} {{.PIDs}}'
    same "$output" "c 0.00% 0"
}

@test "live stats are drawn again, and end with Ctrl-C" {
    not_over wine "Windows has a code of its own for that, which Wine does not keep"
    ok run -d --name busy "$IMAGE" sh -c 'while :; do :; done'
    try timeout --foreground -k 5 60 "$E2E_LIB/pty.py" "$DRAY" stats <<'STEPS'
expect CONTAINER ID
expect busy
expect CONTAINER ID
expect busy
expect %
send \x03
STEPS
    same "$status" 130
}

@test "events tell what happened, in order" {
    ok run --name evented --label tier=front "$IMAGE" true
    ok rm evented
    ok events --since 1h --until 0s --filter container=evented --format '{{.Type}} {{.Action}}'
    local want
    for want in "container create" "container start" "container die" "container destroy"; do
        has "$output" "$want"
    done
    same "$(grep -n create <<<"$output" | cut -d: -f1)" 1
    ok events --since 1h --until 0s --filter event=die --filter label=tier=front --format json
    same "$(jq -r '.Actor.Attributes.exitCode' <<<"${lines[-1]}")" 0
    ok events --since 1h --until 0s --filter event=die
    [[ ${lines[-1]} =~ ^20.*Z\ container\ die\ [0-9a-f]{64}\ \(.*name=evented.*\)$ ]] || explain "line"
    ok events --since 1h --until 0s --filter container=nobody
    same "$output" ""
}

@test "events as they come, until somebody has had enough" {
    "$DRAY" events --format '{{.Type}} {{.Action}}' >"$OUT/events" 2>&1 3>&- &
    local pid=$!
    listens() { # nothing says that it does, but that it hears something
        dray volume rm "$(dray volume create)" >/dev/null
        grep -qx 'volume destroy' "$OUT/events"
    }
    within 10 listens
    ok run --rm --name live "$IMAGE" true
    within 10 grep -qx 'container die' "$OUT/events"
    within 10 grep -qx 'container destroy' "$OUT/events"
    kill $pid
    wait $pid || true
    grep -qx 'container create' "$OUT/events"
}

@test "port: nothing is published, and a port that is asked for is an error" {
    ok run -d --name w "$IMAGE" sleep 100
    ok port w
    same "$output" ""
    refused 1 "no public port '80/tcp' published for w" -- port w 80
    refused 1 nobody -- port nobody
}

@test "ps: before, since and volume choose, and mounts are shown" {
    ok create --name first -v data:/srv "$IMAGE" true
    ok create --name second -v /etc/passwd:/there:ro "$IMAGE" true
    ok create --name third -v data:/srv -v /etc/hostname:/h "$IMAGE" true
    ok ps -a --filter before=second --format '{{.Names}}'
    same "$output" first
    ok ps -a --filter since=first --format '{{.Names}}'
    same "$output" $'third\nsecond'
    ok ps -a --filter since=first --filter before=third --format '{{.Names}}'
    same "$output" second
    refused 1 "--filter since" nobody -- ps -a --filter since=nobody
    ok ps -a --filter volume=data --format '{{.Names}}'
    same "$output" $'third\nfirst'
    ok ps -a --filter volume=/etc/passwd --filter volume=/h --format '{{.Names}}'
    same "$output" $'third\nsecond'
    ok ps -a --no-trunc --format '{{.Names}} {{.Mounts}} {{.LocalVolumes}}'
    same "$output" $'third data,/etc/hostname 1\nsecond /etc/passwd 0\nfirst data 1'
    ok rm first second third
    ok volume rm data
}

@test "ps -s shows what a container has written" {
    ok run -d --name w "$IMAGE" sh -c 'dd if=/dev/zero of=/big bs=1k count=2000 2>/dev/null; echo done; sleep 100'
    within 10 has_logged w 'done'
    ok ps -s
    has "${lines[0]}" SIZE
    [[ ${lines[1]} =~ \ 2\.0[0-9]MB\ \(virtual\ [0-9.]+MB\) ]] || explain "line"
    ok ps
    lacks "${lines[0]}" SIZE
    ok inspect -s --format '{{.SizeRw}} {{.SizeRootFs}}' w
    awk '{ exit !($1 > 2000000 && $2 > $1 + 100000) }' <<<"$output"
    ok inspect --format '{{json .}}' w
    lacks "$output" SizeRw
}
