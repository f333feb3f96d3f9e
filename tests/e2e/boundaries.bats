#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# C01, C02, C11, C25, C33: the same commands over every boundary: local, ssh, exec, and wsl
# by a stand-in for wsl.exe.
# bats file_tags=any-runtime,plain-build
# shellcheck disable=SC2030,SC2031 # each test has an environment of its own
load lib/common
load lib/far
load lib/wsl

setup_file() {
    suite_setup
    far_start
    wsl_start 1
    suite_pull busybox:1
    IMAGE=$(image busybox:1)
    export IMAGE
}
teardown_file() {
    far_stop
    wsl_stop
    suite_teardown
}
setup() { test_setup; }
teardown() { test_teardown; }

# dray's words in the namespace where ssh finds its configuration
dray() { in_far timeout --foreground -k 5 120 "$DRAY" "$@"; }

# starts ARGS...: what was executed over here, and how often a helper over there
starts() {
    timeout 120 strace -D -f -qq -e trace=execve -e signal=none -o "$OUT/trace" \
        nsenter -t "$FAR_PID" -m -- env XDG_RUNTIME_DIR="$E2E_SUITE/ssh" "$DRAY" "$@" >"$OUT/out" 2>&1
    grep -cE 'execve\("[^"]*/(ssh|sh|wsl\.exe)", .*= 0' "$OUT/trace"
}

starts_wsl() {
    timeout 120 strace -D -f -qq -e trace=execve -e signal=none -o "$OUT/trace" "$DRAY" "$@" >"$OUT/out" 2>&1
    grep -cE 'execve\("[^"]*/wsl\.exe", .*= 0' "$OUT/trace"
}

# below_named PID NAME: the process of that name below another one
below_named() {
    local pid
    for pid in $(pgrep -P "$1"); do
        [[ $(cat "/proc/$pid/comm") != "$2" ]] || echo "$pid"
        below_named "$pid" "$2"
    done
}

# The main things, with whatever DRAY_TARGET says.
all_of_it() {
    local words=() word big i
    ok pull -q "$IMAGE"
    ok run --rm "$IMAGE" echo hello
    same "$output" hello
    exits 7 run --rm "$IMAGE" sh -c 'exit 7'
    ok run -d --name far "$IMAGE" sh -c 'echo logged; exec sleep 100'
    within 10 has_logged far logged
    # every byte, empty words, long ones: no shell outside ever sees them
    printf -v word '%b' "$(printf '\\x%02x' {1..255})"
    printf -v big '%0100000d' 7
    words=("$word" $'\xc3\xa4\xe2\x82\xac' '' '$HOME' '*' ';' "'\"" $'\n' '-n' "$big" '!!' '%s')
    try dray exec far sh -c 'for a; do printf "%s|" "$a"; done | md5sum' sh "${words[@]}"
    same "$output" "$(printf '%s|' "${words[@]}" | md5sum)"
    try dray run --rm -e A="$word" "$IMAGE" sh -c 'for a in "$A" "$@"; do printf "%s|" "$a"; done | md5sum' sh "${words[@]}"
    same "$output" "$(printf '%s|' "$word" "${words[@]}" | md5sum)"
    # stdin and stdout at once, more than any pipe holds
    head -c 8000000 /dev/urandom >"$OUT/bytes"
    # shellcheck disable=SC2094 # nothing writes to it
    dray exec -i far cat <"$OUT/bytes" | cmp - "$OUT/bytes"
    ok cp "$OUT/bytes" far:/tmp/b
    ok cp far:/tmp/b "$OUT/back"
    cmp "$OUT/back" "$OUT/bytes"
    exits 137 exec far sh -c 'kill -9 $$'
    ok stop -t 0 far
    ok rm far
}

@test "over local" {
    DRAY_TARGET=local: all_of_it
}

@test "over ssh, by the name of the user's own config" {
    DRAY_TARGET=ssh://far all_of_it
}

@test "over exec, with a prefix of words" {
    DRAY_TARGET="exec://nice -n 1" all_of_it
}

@test "over wsl, while init warns and through 4 KiB" {
    WSL_TWIN_WARN="Failed to translate a path" DRAY_TARGET=wsl://dray all_of_it
}

@test "Windows paths: the distro knows where its drives are, and says why one is none" {
    export DRAY_TARGET=wsl://dray
    local files="$OUT/a drive" mounts
    mkdir -p "$files/Users/me" "$E2E/wsl/state/drives"
    echo mine >"$files/Users/me/file"
    ln -s "$files" "$E2E/wsl/state/drives/c"
    wsl --terminate dray >/dev/null
    mounts=(-v 'C:\Users\me:/a' -v 'c:/Users/../Users/me/:/b:ro'
        --mount 'type=bind,src=\\?\C:\Users,dst=/c' -v '\\wsl.localhost\DRAY\etc:/d')
    ok run --name drives "${mounts[@]}" "$IMAGE" sh -c \
        'cat /a/file /c/me/file /d/passwd; echo new >/a/new; echo no >/b/no; true'
    same "$output" $'mine\nmine\nroot:x:0:0::/root:/bin/sh'
    has "$stderr" "Read-only file system"
    same "$(<"$files/Users/me/new")" new
    same "$(inspect drives '{{json .HostConfig.Binds}}' | jq -r '.[0]')" /mnt/c/Users/me:/a
    ok rm drives
    refused 125 'D:\x' "not mounted in the distro (/mnt/d)" "mount -t drvfs D: /mnt/d" -- run -v 'D:\x:/a' "$IMAGE"
    refused 125 '\\server\share' "network share" -- run -v '\\server\share:/a' "$IMAGE"
    refused 125 "in the distro other" "the target is dray" -- run -v '\\wsl$\other\x:/a' "$IMAGE"
    printf '[automount]\nroot = "/win"\n' | wsl -d dray --exec tee /etc/wsl.conf >/dev/null
    wsl --terminate dray >/dev/null
    ok run --rm -v 'C:\Users\me:/a' "$IMAGE" cat /a/file
    printf '[automount]\nenabled=false\n' | wsl -d dray --exec tee /etc/wsl.conf >/dev/null
    wsl --terminate dray >/dev/null
    refused 125 "enabled=false" -- run -v 'C:\Users\me:/a' "$IMAGE"
    wsl -d dray --exec rm /etc/wsl.conf
    rm -r "$E2E/wsl/state/drives"
    wsl --terminate dray >/dev/null
    DRAY_TARGET=ssh://far refused 125 "no WSL distro" "no drive C:" -- run -v 'C:\x:/a' "$IMAGE"
    ok ps -aq
    same "$output" ""
}

@test "C02: what wsl.exe says itself, in any language and encoding" {
    refused 78 "angegebenen Namen" WSL_E_DISTRO_NOT_FOUND "wsl --import" -- --target wsl://nobody ps
    WSL_TWIN_OLD=1 refused 78 "angegebenen Namen" WSL_E_DISTRO_NOT_FOUND -- --target wsl:// \
        --target wsl://nobody ps
    PATH=/usr/sbin:/usr/bin:/sbin:/bin refused 69 "WSL is not here" "wsl --install" -- --target wsl:// ps
    wsl --import "my 'distro" "$E2E/wsl/mine" - <"$E2E/wsl/root.tar" >/dev/null
    ok --target "wsl://my%20'distro" ps
    wsl --unregister "my 'distro" >/dev/null
}

@test "a distro stays up while a container runs, and goes idle when none does" {
    export DRAY_TARGET=wsl://dray
    ok run -d --name stays -p 18400:80 "$IMAGE" sh -c \
        'mkdir /w; echo page >/w/index.html; exec httpd -f -p 80 -h /w'
    sleep 2 # twice as long as the stand-in waits
    wsl_runs dray
    # what Windows forwards is a socket in LISTEN state (0A), in the network of the distro's own
    # processes: Windows looks nowhere else
    listens() { wsl -d dray --exec cat /proc/net/tcp | grep -q "^ *[0-9]*: 0100007F:$1 00000000:0000 0A "; }
    listens "$(printf %04X 18400)"
    within 10 curl -sf http://127.0.0.1:18400/ -o "$OUT/page"
    same "$(cat "$OUT/page")" page
    ok port stays
    same "$output" "80/tcp -> 127.0.0.1:18400"
    ok ps -q
    [[ -n $output ]]
    ok rm -f stays
    run ! listens "$(printf %04X 18400)"
    within 10 wsl_idle
}

@test "after a shutdown containers are what they are, and policies hold" {
    export DRAY_TARGET=wsl://dray
    local how
    for how in --shutdown "--terminate dray"; do
        ok run -d --name plain -p 18401:80 "$IMAGE" sleep 100
        ok run -d --name again --restart always "$IMAGE" sleep 100
        # shellcheck disable=SC2086 # words
        wsl $how >/dev/null
        # the next command notices, starts again what has to be, and does not wait for it
        is_status plain exited
        within 20 is_status again running
        exits 1 wait plain
        same "$output" unknown "$how"
        # its address is there again, and the port of the other is free
        ok exec again ip -o -4 addr show eth0
        has "$output" "inet 10."
        ok start plain
        ok rm -f plain again
    done
}

@test "C33: wsl.exe killed, or the distro stopped, in the middle: an error at once" {
    export DRAY_TARGET=wsl://dray
    local client code how
    for how in kill stop; do
        ok run -d --name on "$IMAGE" sleep 100
        dray exec on sh -c 'echo there; exec sleep 50' >"$OUT/o" 2>"$OUT/e" &
        client=$! code=0
        within 10 grep -q there "$OUT/o"
        if [[ $how == kill ]]; then
            kill -9 "$(below_named "$client" wsl.exe)"
        else
            wsl --terminate dray >/dev/null
        fi
        wait "$client" || code=$?
        if [[ $how == kill ]]; then
            same "$code" 125
            has "$(cat "$OUT/e")" "dray: wsl://dray: "
        else
            # the helper may have seen the container die before it was killed itself
            [[ $code -ne 0 ]]
        fi
        ok ps -a
        ok rm -f on
    done
}

@test "over ssh: fish, csh and bash that talk; a deputy with sudo" {
    local user
    for user in fishroot cshroot bashroot deputy; do
        ok --target "ssh://$user@127.0.0.1:$FAR_PORT" run --rm "$IMAGE" echo "as $user"
        same "$output" "as $user"
        same "$stderr" ""
    done
}

@test "C02: not root, and no sudo: misconfigured, and what to do" {
    refused 78 nobody2 "needs root" "sudo -n" "allow it without a password" -- \
        --target "ssh://nobody2@far" ps
    refused 78 "no shell" -- --target "ssh://shellless@far" ps
}

@test "C02: a host that is down, strange, or takes no key is unavailable, each with its way out" {
    refused 69 "Connection refused" "does sshd run" -- --target ssh://127.0.0.1:1 ps
    refused 69 "Could not resolve" -- --target ssh://no-such-host.invalid ps
    refused 69 "Host key verification failed" "accept it" -- --target ssh://stranger ps
    refused 69 "Permission denied" "ssh-add" -- --target ssh://locked ps
    refused 78 "begin with '-'" -- --target ssh://-oProxyCommand=id ps
    refused 78 "not installed" -- --target exec://no-such-program ps
}

@test "exactly one process per command, the installation and the first connection included" {
    far_masters_end
    local target=ssh://far
    same "$(DRAY_ROOT=$E2E/fresh starts --target $target ps)" 1 "the first of all"
    same "$(starts --target $target run --rm "$IMAGE" true)" 1 run
    same "$(starts --target $target pull "$(image layers:1)")" 1 pull
    same "$(starts --target $target run -d --name one "$IMAGE" sleep 100)" 1 "run -d"
    same "$(starts --target $target exec one true)" 1 exec
    same "$(starts --target $target rm -f one)" 1 rm
    [[ $(find "$E2E/fresh/bin" -type f | wc -l) -eq 1 ]]
    rm -rf "$E2E/fresh"
    target=wsl://dray
    same "$(DRAY_ROOT=/var/fresh starts --target $target ps)" 1 "wsl: the first of all"
    same "$(starts --target $target pull "$(image layers:1)")" 1 "wsl: pull"
    same "$(starts --target $target run -d --name one "$(image busybox:docker)" sleep 100)" 1 "wsl: pull and run -d"
    same "$(starts --target $target rm -f one)" 1 "wsl: rm"
}

@test "exactly one wsl.exe per command" {
    export DRAY_TARGET=wsl://dray
    ok pull -q "$IMAGE"
    same "$(starts_wsl run --rm "$IMAGE" true)" 1 run
    same "$(starts_wsl pull "$(image layers:1)")" 1 pull
    same "$(starts_wsl run -d --name one "$IMAGE" sleep 100)" 1 "run -d"
    same "$(starts_wsl exec one true)" 1 exec
    same "$(starts_wsl rm -f one)" 1 rm
}

@test "a helper that is there is not sent again; an old one goes, but not one that is needed" {
    local bin=$E2E/pruned/bin i name before
    for i in 1 2 3 4; do
        name=$(printf '%064d' "$i")
        mkdir -p "$bin/$name"
        echo old >"$bin/$name/dray-guest"
        touch -d "2020-01-0$i" "$bin/$name"
    done
    mkdir -p "$E2E/pruned/bundles/some"
    echo "{\"path\":\"$bin/$(printf '%064d' 1)/dray-guest\"}" >"$E2E/pruned/bundles/some/config.json"
    DRAY_ROOT=$E2E/pruned ok --target ssh://far images
    # 1 is named by a container; 3 and 4 are the newest
    same "$(find "$bin" -name dray-guest | wc -l)" 4
    [[ ! -e $bin/$(printf '%064d' 2) ]]
    before=$(find "$E2E/pruned/bin" -printf '%p %i %C@\n' | sort)
    DRAY_ROOT=$E2E/pruned ok --target ssh://far images
    same "$(find "$E2E/pruned/bin" -printf '%p %i %C@\n' | sort)" "$before"
    rm -rf "$E2E/pruned"
}

@test "C33: ssh killed in the middle: an error at once, and the container goes on" {
    ok --target ssh://far run -d --name on "$IMAGE" sleep 100
    far_masters_end
    dray --target ssh://far exec on sh -c 'echo there; exec sleep 50' >"$OUT/o" 2>"$OUT/e" &
    local client=$! code=0
    within 10 grep -q there "$OUT/o"
    kill -9 "$(below_named "$client" ssh)"
    wait "$client" || code=$?
    same "$code" 125
    has "$(cat "$OUT/e")" "the connection was lost"
    ok --target ssh://far exec on true
    ok --target ssh://far rm -f on
}

# with_fault FAULT WORDS...: dray, whose ssh has a relay before it (tests/fake/wire-relay.py)
with_fault() {
    local -x PATH=$OUT/bin:$PATH "RELAY_${1?}"
    shift
    "$@"
}

@test "C33: over ssh: garbage, a line that is cut, closed, stuck or full: typed errors, and the container goes on" {
    export DRAY_TARGET=ssh://far XDG_CONFIG_HOME=$OUT
    local fault much="exec on head -c 1000000 /dev/zero"
    # without a terminal: at one a person may have to type a passphrase, and has time for it
    dray() { in_far setsid -w timeout -k 5 120 "$DRAY" "$@"; }
    mkdir "$OUT/bin"
    printf '#!/bin/sh\nexec "%s" "%s" /usr/bin/ssh "$@"\n' \
        "$(realpath "$E2E_LIB/../../fake/wire-relay.py")" "$OUT/relay.json" >"$OUT/bin/ssh"
    chmod 755 "$OUT/bin/ssh"
    ok run -d --name on "$IMAGE" sleep 100
    # before the helper has spoken it is a banner; behind that it is none
    with_fault GARBAGE=1 ok exec on echo fine
    same "$output" fine
    # shellcheck disable=SC2086 # words
    {
        with_fault GARBAGE=300000 refused 125 "ssh://far: protocol" -- $much
        # killed, in HELLO and behind it, in both directions; its stdout closed; what is seen first differs
        for fault in CUT_DOWN=5 CUT_DOWN=100000 CUT_UP=1 CUT_UP=200 CLOSE=5 CLOSE=100000; do
            with_fault $fault refused 125 "ssh://far" -- $much
        done
        # one that hangs: before HELLO, and behind it
        ok target add --connect-timeout 1s slow ssh://far
        with_fault STUCK=0 refused 125 "ssh://far" " in time" "longer connect_timeout" -- --target slow $much
        ok target add --line-timeout 1s mute ssh://far
        with_fault STUCK=100000 refused 125 \
            "ssh://far: the connection was lost: nothing has come from the helper for 1 s" -- --target mute $much
    }
    within 20 eval '[[ -z $(our_helper) ]]'
    # a helper that is stopped, and is heard of no more, while ssh and sshd live
    ok target add --line-timeout 4s still ssh://far
    dray --target still exec on sh -c 'echo there; exec sleep 50' >"$OUT/o" 2>"$OUT/e" &
    local client=$! code=0 helper
    within 10 grep -q there "$OUT/o"
    helper=$(our_helper)
    kill -STOP "$helper"
    wait "$client" || code=$?
    same "$code" 125
    has "$(cat "$OUT/e")" "the connection was lost: nothing has come"
    kill -CONT "$helper"
    within 10 eval '[[ -z $(our_helper) ]]'
    # all pipes on the way are full before anything is taken at the end
    head -c 3000000 /dev/urandom >"$OUT/bytes"
    # shellcheck disable=SC2094 # nothing writes to it
    dray exec -i on cat <"$OUT/bytes" | (sleep 1; cat) | cmp - "$OUT/bytes"
    ok exec on echo whole
    same "$output" whole
    ok rm -f on
}
# The helper that a client of ours has, over there.
our_helper() { pgrep -f "$DRAY_ROOT/bin/.*/dray-guest serve" || true; }

@test "C01: a target of config.yaml: its address, its settings, and a check of it" {
    export XDG_CONFIG_HOME=$OUT
    ok target add --use --root "$E2E/named" --runtime crun --connect-timeout 40s lab ssh://far
    ok target add mute "exec://sh -c sleep%20100" --connect-timeout 300ms
    (unset DRAY_ROOT DRAY_RUNTIME && ok info --format '{{.root}} {{.runtime.name}}' && same "$output" "$E2E/named crun")
    ok target ls --format '{{.Name}}{{.Current}} {{.URL}}'
    same "$output" "local local:
lab* ssh://far
mute exec://sh -c sleep%20100"
    ok target check
    for part in lab: "ok       connection" kernel cgroups "crun" overlayfs "free for"; do has "$output" "$part"; done
    refused 69 "did not answer in time" -- --target mute ps
    refused 69 "did not answer in time" -- target check mute
    refused 78 "no target is called 'lap'; did you mean lab?" -- --target lap ps
    ok target check local --format json
    same "$(jq -r '.[0].state' <<<"$output")" ok
    exits 78 --runtime /no/such/runtime target check
    has "$output" "missing  runtime"
    ok target rm lab
    ok target ls -q
    same "$output" $'local\nmute'
    ok ps
    rm -rf "$E2E/named"
}

@test "C33: a far side that hangs, babbles or closes early is a typed error" {
    refused 69 "status 3" -- --target "exec://sh -c exit%203" ps
    refused 69 "lost my mind" -- --target "exec://sh -c echo%20lost%20my%20mind;exit%201" ps
    refused 69 "" -- --target "exec://yes" ps
    # the helper's pipe is closed after some bytes
    refused 69 "" -- --target "exec://sh -c sh|{%20head%20-c%20100;kill%20-9%20$\$;}" ps
}

# C09: the helper is the one for the machine over there
@test "an aarch64 machine gets the helper that was built for it; a riscv64 one an error" {
    local machine=$E2E_LIB/../../fake/aarch64.py
    "$machine" true || skip "no qemu-aarch64-static, or a kernel without binfmt_misc for it"
    FAKE_MACHINE=riscv64 DRAY_ROOT=$E2E/other refused 78 "architecture is riscv64" "helper for x86_64" -- \
        --target "exec://$machine" ps
    [[ ! -e $E2E/other/bin ]]
    export DRAY_ROOT=$E2E/other DRAY_TARGET=exec://$machine
    try dray info --format '{{.arch}}'
    [[ $stderr != *"helper for x86_64 only"* ]] || skip "this dray was built without -Daarch64"
    same "$output" arm64 "$stderr"
    # byte 18 of an ELF file is the machine: 183 is aarch64
    same "$(od -An -tu2 -j18 -N2 "$DRAY_ROOT"/bin/*/dray-guest)" "   183"
    try dray target check
    has "$output" "for arm64 runs"
    # the built-in image is that of the target, and its layer is unpacked. qemu has no openat2
    # here, so no more than that can be done.
    ok pull -q hello
    same "$(od -An -tu2 -j18 -N2 "$DRAY_ROOT"/layers/*/fs/hello)" "   183"
    same "$(dray image inspect --format '{{.Architecture}}' hello)" arm64
    rm -rf "$DRAY_ROOT"
}
