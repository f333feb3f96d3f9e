#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# kill -9 of dray itself in the middle of what streams, and readers that stop. (Wrong states,
# races and the deaths of monitors, runtimes and helpers: tests/contract.)
# bats file_tags=any-runtime,plain-build
load lib/busybox

# killed_after MILLISECONDS ARGS...: starts dray and kills it -9 after that time
killed_after() {
    local ms=$1 pid
    shift
    "$DRAY" "$@" >"$OUT/killed" 2>&1 </dev/null &
    pid=$!
    sleep "$(printf '%d.%03d' $((ms / 1000)) $((ms % 1000)))"
    kill -9 "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
}
no_helper_serves() { [[ $(our_processes | grep -c ' serve') -eq 0 ]]; }
only_init_runs() { [[ $(dray exec "$1" sh -c 'ls -d /proc/[0-9]* | wc -l') -eq 3 ]]; } # init, sh, wc

@test "kill -9 of dray at many moments of an exec: the process ends, the container goes on" {
    local ms pid
    ok run -d --name host "$IMAGE" sleep 1000
    pid=$(pid_of host)
    for ms in 1 3 6 10 15 20 30 50 80; do
        killed_after "$ms" exec host sh -c 'echo in; exec sleep 994'
        killed_after "$ms" exec host true
    done
    within 10 no_helper_serves
    within 10 only_init_runs host
    same "$(pid_of host)" "$pid"
}

@test "kill -9 of dray in the middle of an attached run: the container goes on and ends by itself" {
    local pid
    "$DRAY" run --name on "$IMAGE" sh -c 'echo ready; until [ -e /go ]; do sleep 0.05; done; exit 6' >"$OUT/run" &
    pid=$!
    within 10 grep -q ready "$OUT/run"
    kill -9 "$pid"
    wait "$pid" 2>/dev/null || true
    ok exec on touch /go
    ok wait on
    same "$output" 6
}

@test "kill -9 of dray in the middle of logs -f: the helper ends, the log goes on" {
    local pid
    ok run -d --name talks "$IMAGE" sh -c 'i=0; while :; do echo $i; i=$((i+1)); sleep 0.01; done'
    "$DRAY" logs -f talks >"$OUT/logs" &
    pid=$!
    within 10 grep -qx 5 "$OUT/logs"
    kill -9 "$pid"
    wait "$pid" 2>/dev/null || true
    within 10 no_helper_serves
    is_status talks running
    local last
    last=$(dray logs -n 1 talks)
    within 10 has_logged talks "^$((last + 5))\$"
}

@test "kill -9 of dray in the middle of events, stats and wait: nothing is left" {
    ok run -d --name c "$IMAGE" sleep 1000
    killed_after 60 events
    killed_after 60 stats
    killed_after 60 wait c
    within 10 no_helper_serves
    is_status c running
}

@test "kill -9 of dray at many moments of cp into a container: whole files only, nothing beside them" {
    local ms
    ok run -d --name host "$IMAGE" sleep 1000
    mkdir "$OUT/tree"
    head -c 30000000 /dev/urandom >"$OUT/tree/big"
    echo small >"$OUT/tree/small"
    ok exec host mkdir /in
    for ms in 3 6 10 20 40 80; do
        killed_after "$ms" cp "$OUT/tree/." host:/in
        within 10 no_helper_serves
        # what is there under its name is whole
        ok exec host sh -c 'for f in /in/* /in/.[!.]*; do [ ! -e "$f" ] || wc -c <"$f"; done'
        local size
        for size in "${lines[@]}"; do
            [[ $size -eq 30000000 || $size -eq 6 ]] || explain "after $ms ms: a file of $size bytes"
        done
    done
    ok cp "$OUT/tree/." host:/in
    same "$(dray exec host sha256sum /in/big | cut -d' ' -f1)" "$(sha256sum <"$OUT/tree/big" | cut -d' ' -f1)"
    same "$(dray exec host sh -c 'ls -A /in | tr "\n" " "')" "big small "
}

@test "kill -9 of dray at many moments of cp out of a container: the container goes on" {
    local ms
    ok run -d --name host "$IMAGE" sleep 1000
    ok exec host sh -c 'head -c 20000000 /dev/zero >/big'
    for ms in 3 6 10 20 40; do
        rm -rf "$OUT/out"
        mkdir "$OUT/out"
        killed_after "$ms" cp host:/big "$OUT/out/"
        within 10 no_helper_serves
    done
    is_status host running
    rm -rf "$OUT/out"
    ok cp host:/big "$OUT/out"
    same "$(wc -c <"$OUT/out")" 20000000
}

@test "a reader of logs -f that stops: the container ends all the same, and so does dray with it" {
    ok run -d --name busy "$IMAGE" sh -c 'i=0; while [ $i -lt 50000 ]; do
        echo line-$i-01234567890123456789012345678901234567890123456789; i=$((i+1)); done; exit 5'
    mkfifo "$OUT/pipe"
    "$DRAY" logs -f busy >"$OUT/pipe" &
    local pid=$! first
    exec 9<"$OUT/pipe"
    read -r first <&9
    has "$first" line-0-
    ok wait busy
    same "$output" 5
    exec 9<&-
    within 30 eval "! kill -0 $pid 2>/dev/null"
    wait "$pid" || true
}

@test "an attached run whose output nobody reads: its memory is bounded, and stop ends it" {
    mkfifo "$OUT/pipe"
    "$DRAY" run --rm --name flood --log-opt max-size=1m "$IMAGE" yes 01234567890123456789 >"$OUT/pipe" &
    local pid=$! first kb
    exec 9<"$OUT/pipe"
    read -r first <&9
    same "$first" 01234567890123456789
    sleep 1
    if [[ -z ${DRAY_SANITIZED:-} ]]; then # a sanitizer's shadow memory is not ours
        kb=$(awk '/^VmHWM:/ { print $2 }' "/proc/$pid/status")
        ((kb < 32768)) || explain "dray has $kb kB"
        kb=$(awk '/^VmHWM:/ { print $2 }' "/proc/$(monitor_pid flood)/status")
        ((kb < 8192)) || explain "the monitor has $kb kB"
    fi
    ok stop -t 0 flood
    exec 9<&-
    wait "$pid" || true
    within 10 no_helper_serves
}
