#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Terminals, in real ones: run -it, exec -it, start -ai, attach. lib/pty.py fails a test when
# the terminal's settings after dray are not what they were before it.
# bats file_tags=any-runtime
load lib/busybox

# in_pty CODE ARGS... <STEPS: dray in a terminal
in_pty() {
    local want=$1
    shift
    try timeout --foreground -k 5 90 "$E2E_LIB/pty.py" "$DRAY" "$@"
    [[ $status -eq $want ]] || explain "dray $*: want exit status $want"
}

@test "run -it is a terminal: keys, size, exit code" {
    in_pty 7 run -it --name t "$IMAGE" sh <<'STEPS'
expect # 
raw
send tty; stty size; test -t 0 && test -t 1 && test -t 2 && echo yes-$((1+1))\r
expect /dev/
expect 24 80
expect yes-2
send exit 7\r
STEPS
    same "$(inspect t '{{.Config.Tty}} {{.Config.OpenStdin}}')" "true true"
}

@test "the size of the terminal follows" {
    in_pty 0 run -it --rm "$IMAGE" sh <<'STEPS'
expect # 
resize 30 100
send until [ "$(stty size)" = "30 100" ]; do :; done; echo now $((30+3)) rows\r
expect now 33 rows
send exit\r
STEPS
}

@test "keys are not signals: ctrl-c, ctrl-z and ctrl-d go to the container" {
    in_pty 0 run -it --rm "$IMAGE" sh -c 'trap "echo got-int" INT; stty -icanon -isig -echo; echo ready; dd bs=1 count=3 2>/dev/null | od -An -tx1' <<'STEPS'
expect ready
raw
send \x03\x1a\x04
expect 03 1a 04
STEPS
    in_pty 0 run -it --rm "$IMAGE" sh -c 'trap "echo got-int; exit 0" INT; echo ready; while :; do sleep 0.05; done' <<'STEPS'
expect ready
send \x03
expect got-int
STEPS
}

@test "kill -TERM of dray goes to the container, and the terminal is as before" {
    in_pty 9 run -it --rm "$IMAGE" on-signal 9 TERM <<'STEPS'
expect ready
raw
signal TERM
expect got TERM
STEPS
}

@test "kill -TERM of dray without --sig-proxy ends it, and the terminal is as before" {
    in_pty 143 run -it --name t --sig-proxy=false "$IMAGE" on-signal 9 TERM <<'STEPS'
expect ready
raw
signal TERM
cooked
STEPS
    same "$(status_of t)" running
}

@test "whatever signal ends dray, the terminal is as before" {
    local name number list=(HUP 1 INT 2 QUIT 3 USR1 10 TERM 15)
    # a sanitizer has handlers of its own for these
    [[ -n ${DRAY_SANITIZED:-} ]] || list+=(ABRT 6 SEGV 11 BUS 7)
    ulimit -c 0
    ok run -d --name t "$IMAGE" sleep 100
    for ((i = 0; i < ${#list[@]}; i += 2)); do
        name=${list[i]} number=${list[i + 1]}
        in_pty $((128 + number)) exec -it t sh <<STEPS
expect # 
raw
signal $name
cooked
STEPS
    done
}

@test "three signals end dray, and the terminal is as before" {
    in_pty 1 run -it --name t "$IMAGE" sh -c 'trap "" TERM; echo ready; while :; do sleep 0.1; done' <<'STEPS'
expect ready
raw
thrice TERM ended by the third signal
STEPS
    same "$(status_of t)" running
}

@test "a container that does not start leaves the terminal alone" {
    in_pty 127 run -it --rm "$IMAGE" no-such-command </dev/null
    has "$output" no-such-command
    in_pty 125 run -it --rm --pull never "$(image nothing:1)" </dev/null
}

@test "stopping dray gives the shell its terminal, and takes it again" {
    in_pty 0 run -it --rm "$IMAGE" sh <<'STEPS'
expect # 
raw
signal TSTP
stopped
cooked
signal CONT
raw
send echo again-$((2+3))\r
expect again-5
# in the background it does not touch the terminal
signal TSTP
stopped
cooked
background
signal CONT
cooked
foreground
signal CONT
raw
send exit\r
STEPS
}

@test "detach keys leave it running, attach joins it again" {
    in_pty 0 run -it --name t "$IMAGE" sh <<'STEPS'
expect # 
raw
send x=mine; echo set-$((1+1))\r
expect set-2
send \x10\x11
expect read escape sequence
cooked
STEPS
    same "$(status_of t)" running
    in_pty 4 attach t <<'STEPS'
raw
send \recho $x-again\r
expect mine-again
send exit 4\r
STEPS
}

@test "detach keys by flag, and half of them typed is only typed" {
    in_pty 0 run -it --name t --detach-keys ctrl-a,x "$IMAGE" sh -c 'stty -icanon -echo; echo ready; dd bs=1 count=2 2>/dev/null | od -An -tx1; sleep 100' <<'STEPS'
expect ready
send \x01y
expect 01 79
send \x01x
expect read escape sequence
STEPS
    same "$(status_of t)" running
    in_pty 0 attach --detach-keys ctrl-@ t <<'STEPS'
raw
send \x00
expect read escape sequence
STEPS
    refused 125 --detach-keys ctrl-1 -- attach --detach-keys ctrl-1 t
}

@test "exec -it: a terminal of its own, its size, its code" {
    ok run -d --name t "$IMAGE" sleep 100
    in_pty 5 exec -it t sh <<'STEPS'
expect # 
raw
send stty size; tty\r
expect 24 80
expect /dev/
resize 40 90
send until [ "$(stty size)" = "40 90" ]; do :; done; echo now $((40+1))\r
expect now 41
send exit 5\r
STEPS
    in_pty 143 exec -it t sh <<'STEPS'
expect # 
raw
signal TERM
STEPS
    same "$(status_of t)" running
}

@test "start -ai: from the first byte, with the terminal that it was made with" {
    ok create -it --name t "$IMAGE" sh -c 'echo first; read x; echo "<$x>"; exit 6'
    in_pty 6 start -ai t <<'STEPS'
expect first
raw
send hello\r
expect <hello>
STEPS
}

@test "attach --no-stdin sees and does not type" {
    ok run -dit --name t "$IMAGE" sh -c 'while ! [ -e /stop ]; do sleep 0.1; echo tick; done; exit 3'
    "$DRAY" attach --no-stdin t </dev/null >"$OUT/seen" 3>&- &
    local pid=$! code=0
    within 10 grep -q tick "$OUT/seen"
    ok exec t touch /stop
    wait "$pid" || code=$?
    same "$code" 3
}

@test "attach to what does not run is refused by its state" {
    ok create --name c "$IMAGE" sleep 100
    refused 125 "c is not running" "dray start" -- attach c
    ok run -d --name p "$IMAGE" sleep 100
    ok pause p
    refused 125 "p is paused" "dray unpause" -- attach p
    ok unpause p
    refused 125 nobody -- attach nobody
}

@test "-t without a terminal on stdin is refused as Docker does, -t alone is not" {
    refused 125 "the input device is not a TTY" -- run -it --rm "$IMAGE" true
    ok run -d --name t "$IMAGE" sleep 100
    refused 125 "the input device is not a TTY" -- exec -it t true
    ok run -t --rm "$IMAGE" sh -c 'test -t 1 && echo terminal'
    has "$output" terminal
    ok exec -t t sh -c 'test -t 1 && echo terminal'
    has "$output" terminal
}

@test "-i without a terminal: bytes as they are, and the end of stdin" {
    head -c 300000 /dev/urandom >"$OUT/in"
    dray run -i --rm "$IMAGE" cat <"$OUT/in" >"$OUT/out"
    cmp "$OUT/in" "$OUT/out"
    ok run -d --name t "$IMAGE" sleep 100
    dray exec -i t cat <"$OUT/in" >"$OUT/out"
    cmp "$OUT/in" "$OUT/out"
    ok create -i --name s "$IMAGE" cat
    dray start -ai s <"$OUT/in" >"$OUT/out"
    cmp "$OUT/in" "$OUT/out"
}

@test "-a chooses the streams" {
    ok run --rm -a stdout "$IMAGE" sh -c 'echo out; echo err >&2'
    same "$output" out
    same "$stderr" ""
    ok run --rm -a STDERR "$IMAGE" sh -c 'echo out; echo err >&2'
    same "$output" ""
    same "$stderr" err
    # stdin stays open, with nobody there: cat would wait for ever
    exits 1 run --rm -i -a stdout "$IMAGE" sh -c 'read -t 1 x; code=$?; echo "<$x>"; exit $code' <<<"not seen"
    same "$output" "<>"
    try dray run --rm -i -a stdin -a stdout "$IMAGE" cat <<<"seen"
    same "$output" seen
}

@test "--sig-proxy=false: a signal ends dray, not the container" {
    "$DRAY" run --name t --sig-proxy=false "$IMAGE" on-signal 9 TERM >"$OUT/log" 2>&1 3>&- &
    local pid=$!
    within 20 grep -q ready "$OUT/log"
    kill -TERM $pid
    local code=0
    wait $pid || code=$?
    same "$code" 143
    same "$(status_of t)" running
}

@test "a reader that goes away ends it as SIGPIPE would, with the terminal as before" {
    # shellcheck disable=SC2016
    try timeout --foreground -k 5 90 "$E2E_LIB/pty.py" bash -c '
        "$0" run -it --rm "$1" sh -c "while :; do echo y; done" | head -1 >/dev/null
        exit ${PIPESTATUS[0]}' "$DRAY" "$IMAGE" <<'STEPS'
STEPS
    same "$status" 141
}

@test "the terminal that goes away ends an exec, and leaves a container" {
    ok run -d --name t "$IMAGE" sleep 100
    try timeout --foreground -k 5 90 "$E2E_LIB/pty.py" "$DRAY" exec -it t sleep 77 <<'STEPS'
raw
hangup
STEPS
    [[ $status -ne 0 && $status -ne 99 ]] || explain "hangup"
    gone() { ! dray top t -o args | grep -q "sleep 77"; }
    within 10 gone
    same "$(status_of t)" running
}
