#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# logs: both streams with their times, follow, tail, since, rotation.
# bats file_tags=any-runtime,plain-build
load lib/busybox

@test "C24: logs gives stdout and stderr, each where it belongs" {
    ok run --name l "$IMAGE" sh -c 'echo out; echo err >&2'
    ok logs l
    same "$output" out
    same "$stderr" err
}

@test "C24: a container that wrote nothing has an empty log" {
    ok create --name l "$IMAGE" true
    ok logs l
    same "$output$stderr" ""
    ok start -a l
    ok logs l
    same "$output$stderr" ""
}

@test "C24: -n gives the last lines, all by default" {
    ok run --name l "$IMAGE" seq 1 100
    same "$(dray logs l | wc -l)" 100
    same "$(dray logs -n 3 l | tr '\n' ' ')" "98 99 100 "
    same "$(dray logs --tail 1 l)" 100
    same "$(dray logs -n 0 l)" ""
    same "$(dray logs -n all l | wc -l)" 100
}

# A container l that says one line, and another one when the first has been written down: between.
two_lines() {
    ok run -d --name l "$IMAGE" sh -c "echo $1; until [ -e /go ]; do sleep 0.05; done; echo $2"
    within 10 has_logged l "$1"
    between=$(date +%s%N)
    ok exec l touch /go
    ok wait l
}

@test "C24: -t puts the time at which each line was written before it" {
    local begun between ended first second
    begun=$(date +%s%N)
    two_lines a b
    ended=$(date +%s%N)
    ok logs -t l
    first=$(date -d "${lines[0]%% *}" +%s%N)
    second=$(date -d "${lines[1]%% *}" +%s%N)
    ((begun < first && first < between)) || explain "the first's time is not between $begun and $between"
    ((between < second && second < ended)) || explain "the second's time is not between $between and $ended"
    same "${lines[0]#* }" a
}

@test "C24: --since and --until choose by time" {
    local between middle
    two_lines early late
    middle=$(dray logs -t l | sed -n 's/ late$//p')
    same "$(dray logs --since "$middle" l)" late
    same "$(dray logs --until "$(dray logs -t l | sed -n 's/ early$//p')" l)" early
    same "$(dray logs --since 1h l | wc -l)" 2
    same "$(dray logs --since 0.01s l 2>&1 | grep -c early)" 0
}

# bats test_tags=also-windows
@test "C24: -f follows until the container ends, and misses nothing" {
    ok run -d --name l "$IMAGE" sh -c 'for i in $(seq 1 20); do echo line $i; sleep 0.05; done'
    ok logs -f l
    same "$(echo "$output" | wc -l)" 20
    same "${lines[19]}" "line 20"
}

@test "C24: -f of a removed or stopped container ends" {
    ok run -d --name l "$IMAGE" sh -c 'echo ready; sleep 100'
    dray logs -f l >"$OUT/follow" &
    within 10 grep -q ready "$OUT/follow"
    ok rm -f l
    within 10 eval "! kill -0 $! 2>/dev/null"
    wait || true
}

@test "C24: a line without an end, bytes that are no text, and a very long line are kept" {
    dray run --name l "$IMAGE" sh -c 'printf "no end"; printf "\377\000\001" >&2' >/dev/null 2>&1
    same "$(dray logs l 2>/dev/null)" "no end"
    same "$(dray logs l 2>&1 >/dev/null | od -An -tx1 | tr -d ' \n')" ff0001
    dray run --name long "$IMAGE" sh -c 'head -c 200000 /dev/zero | tr "\0" x; echo; echo after' >/dev/null
    dray logs long >"$OUT/long"
    same "$(head -n 1 "$OUT/long" | wc -c)" 200001
    same "$(tail -n 1 "$OUT/long")" after
}

@test "logs of an unknown container: not found" {
    refused 1 nobody -- logs nobody
}

@test "the log goes with its container" {
    ok run --name l "$IMAGE" echo x
    ok rm l
    refused 1 l -- logs l
}

@test "H3: the log rotates: two hundred megabytes of output do not fill the disk" {
    # not "yes | head": youki 0.7 starts containers with SIGPIPE ignored, and yes goes on
    dray run --name big "$IMAGE" sh -c 'i=0; seq 1000000000 1000100000 >/tmp/x; while [ $i -lt 191 ]; do cat /tmp/x; i=$((i+1)); done' >/dev/null
    local used
    used=$(du -s --block-size=1M "$DRAY_ROOT/logs" | cut -f1)
    ((used < 150)) || explain "logs take $used MB"
    same "$(dray logs -n 1 big)" 1000100000
}

@test "C24: lines of two processes at a time are not mixed within a line" {
    ok run --name l "$IMAGE" sh -c 'for j in 1 2 3 4; do (for i in $(seq 1 200); do echo "process $j says $i"; done) & done; wait'
    dray logs l >"$OUT/log"
    same "$(wc -l <"$OUT/log")" 800
    same "$(grep -vcE '^process [1-4] says [0-9]+$' "$OUT/log" || true)" 0 "torn lines"
}
