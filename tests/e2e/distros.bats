#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# C02, C04: WSL's distros, by a stand-in for wsl.exe: those that cannot be used, and why.
# bats file_tags=any-runtime,plain-build
# shellcheck disable=SC2030,SC2031 # each test has an environment of its own
load lib/common
load lib/wsl

setup_file() {
    suite_setup
    wsl_start 1
}
teardown_file() {
    wsl_stop
    suite_teardown
}
setup() { test_setup; }
teardown() { test_teardown; }

@test "C02: WSL1, a distro that is being changed, one that is stopped, and one that is not there" {
    export DRAY_TARGET=wsl://dray
    ok ps
    wsl --terminate dray >/dev/null
    ok ps
    # in which letters makes no difference to Windows
    ok --target wsl://DRAY ps
    wsl --set-state dray Converting >/dev/null
    for WSL_TWIN_OLD in "" 1; do
        export WSL_TWIN_OLD
        refused 69 "Konvertierungsvorgang ausgeführt" E_ILLEGAL_STATE_CHANGE "can be used again" -- ps
        refused 78 "angegebenen Namen" WSL_E_DISTRO_NOT_FOUND "wsl --import" -- --target wsl://nobody ps
    done
    wsl --set-state dray Stopped >/dev/null
    wsl --set-version dray 1 >/dev/null
    DRAY_ROOT=/var/other refused 78 "wsl://dray: it is a WSL1 distro" "wsl --set-version dray 2" -- ps
    # nothing was put into it
    lacks "$(wsl -d dray --exec /bin/ls /var)" other
    refused 78 "WSL1" -- target check
    wsl --set-version dray 2 >/dev/null
    ok ps
}

@test "C33: over wsl.exe: garbage, a line that is cut, closed, stuck or full: typed errors, nothing half-made" {
    local client code=0
    export DRAY_TARGET=wsl://dray IMAGE
    IMAGE=$(image busybox:1)
    ok pull -q "$IMAGE"
    wsl_faults cut=0 cut=30 cut=1000 cut=200000 close=0 close=30 close=200000
    # a pull that is cut off in what it asks, and in its first layer: nothing of the image is there
    local fault
    for fault in cut-up=100 cut-up=300000 cut=300; do
        WSL_TWIN_FAULT=$fault refused 69 "wsl://dray: " -- pull -q "$(image real:1)"
        ok images -q "$(image real:1)"
        same "$output" "" "$fault"
    done
    ok pull -q "$(image real:1)"
    ok rmi "$(image real:1)"
    # wsl.exe is killed while both ends wait
    ok run -d --name on "$IMAGE" sleep 100
    "$DRAY" exec on sh -c 'echo there; exec sleep 50' >"$OUT/o" 2>"$OUT/e" 3>&- &
    client=$!
    within 10 grep -q there "$OUT/o"
    pkill -KILL -x wsl.exe
    wait "$client" || code=$?
    same "$code $(<"$OUT/e")" "125 dray: wsl://dray: the connection was lost"
    ok exec on true
    ok rm -f on
    ok rmi "$IMAGE"
}

# As it was before: no distro but the first one, no target, no directory, nothing at work.
as_before() {
    same "$(wsl --list --all --quiet | tr -d '\r')" dray
    same "$(dray target ls -q)" local
    same "$(find "$HOME/.local/share/dray" -type f -o -mindepth 2 -type d ! -name .making)" ""
}

@test "C04: a distro out of an image: made, fit, used, gone" {
    distro_image
    ok target create wsl --use --from "oci:$E2E/distros:1" lab
    same "$output" lab
    has "$stderr" "Making the distro lab in $HOME/.local/share/dray/distros/lab"
    lacks "$stderr" "installing"
    local disk=$HOME/.local/share/dray/distros/lab/ext4.vhdx
    [[ -L $disk/lib && ! -e $disk/etc/gone && -e $disk/usr/lib/x86_64-linux-gnu ]]
    same "$(find "$disk" -name '.wh.*')" ""
    ok target inspect lab --format '{{.url}} {{.distro_dir}}'
    same "$output" "wsl://lab $HOME/.local/share/dray/distros/lab"
    (
        unset DRAY_ROOT DRAY_RUN_ROOT DRAY_RUNTIME
        ok run --rm hello
        has "$output" "Hello"
    )
    refused 1 "a target lab is there already" -- target create wsl -q --from x lab
    ok target rm --unregister lab
    as_before
}

@test "C04: out of a root file system: the runtime is brought, or is the package manager's" {
    local crun
    distro_image
    mkdir -p "$OUT/r/usr/bin"
    tar -C "$OUT/r" -xf "$E2E/wsl/root.tar"
    crun=$(find "$OUT/r" -name crun -type f)
    mv "$crun" "$OUT/r/usr/bin/hidden"
    printf '#!/bin/sh\necho "$*" >/apk-args\nmv /usr/bin/hidden /usr/bin/crun\n' >"$OUT/r/bin/apk"
    chmod 755 "$OUT/r/bin/apk"
    tar -C "$OUT/r" -czf "$OUT/root.tar.gz" .
    ok target create wsl --from "$OUT/root.tar.gz" --dir "$OUT/disk" lab
    has "$stderr" "installing crun by its package manager"
    same "$(cat "$OUT/disk/ext4.vhdx/apk-args")" "add --no-cache -q crun"
    (unset DRAY_ROOT DRAY_RUN_ROOT DRAY_RUNTIME && ok --target lab run --rm hello)
    ok target rm --unregister lab
    [[ ! -e $OUT/disk ]]
    # a wrapper stands for a static crun
    printf '#!/bin/sh\nexec /usr/bin/hidden "$@"\n' >"$OUT/crun-1.99-linux"
    ok target create wsl -q --from "$OUT/root.tar.gz" --runtime-file "$OUT/crun-1.99-linux" lab
    same "$stderr" ""
    ok target inspect lab --format '{{.runtime}}'
    same "$output" /usr/local/bin/crun
    (unset DRAY_ROOT DRAY_RUN_ROOT DRAY_RUNTIME && ok --target lab run --rm hello)
    ok target rm --unregister lab
    as_before
}

@test "C04: whatever fails, nothing is left of it" {
    distro_image
    local from="oci:$E2E/distros:bare"
    refused 125 "only wsl can be created" -- target create lxd
    refused 1 "--from alpine" "--from ./rootfs.tar.gz" -- target create wsl lab
    refused 1 "cannot be the name of a distro" -- target create wsl -q --from "$from" "my lab"
    refused 1 "a distro DRAY is there already" "dray target add DRAY wsl://DRAY" -- target create wsl -q --from "$from" DRAY
    refused 1 "none.tar: No such file" -- target create wsl -q --from ./none.tar lab
    refused 1 "there is no image none in" -- target create wsl -q --from "oci:$E2E/distros:none" lab
    refused 1 "is not an absolute path" -- target create wsl -q --from "$from" --dir disk lab
    mkdir "$OUT/full" && touch "$OUT/full/x"
    refused 1 "is there already, and not empty" -- target create wsl -q --from "$from" --dir "$OUT/full" lab
    refused 78 "it has no OCI runtime, and no package manager" "--runtime-file" "was removed again" -- \
        target create wsl -q --from "$from" lab
    printf '#!/bin/sh\nexit 127\n' >"$OUT/runc"
    refused 78 "$OUT/runc does not run in the distro" -- target create wsl -q --from "$from" --runtime-file "$OUT/runc" lab
    cp "$DRAY" "$OUT/dray"
    printf '\xb7' | dd of="$OUT/dray" bs=1 seek=18 conv=notrunc status=none
    refused 1 "is a program for another machine than linux/" -- target create wsl -q --from "$from" --runtime-file "$OUT/dray" lab
    tar -C / -cf "$OUT/no.tar" etc/passwd
    refused 1 "it has no /bin/sh" -- target create wsl -q --from "$OUT/no.tar" lab
    head -c 20000 "$E2E/wsl/root.tar" >"$OUT/half.tar"
    refused 1 "half.tar: " -- target create wsl -q --from "$OUT/half.tar" lab
    PATH=/usr/sbin:/usr/bin:/sbin:/bin refused 69 "WSL is not here" -- target create wsl -q --from "$from" lab
    WSL_DISTRO_NAME=x refused 1 "inside of WSL" -- target create wsl -q --from "$from" lab
    as_before
    # somebody else's distros are theirs
    ok target add other wsl://dray
    refused 1 "was not made by dray" "wsl --unregister dray" -- target rm --unregister other
    refused 1 "no target is called 'lap'" -- target rm --unregister lap
    ok target rm other
    ok target create wsl -q --from "oci:$E2E/distros:1" lab
    wsl --unregister lab >/dev/null
    mkdir "$OUT/theirs"
    wsl --import lab "$OUT/theirs/disk" - <"$E2E/wsl/root.tar" >/dev/null
    refused 1 "is not the one that dray made" "wsl --unregister lab" -- target rm --unregister lab
    wsl --unregister lab >/dev/null
    ok target rm --unregister lab
    as_before
}

# Before the real stand-in comes one of ours, for what $1 says: a case of wsl.exe's first word.
wsl_instead() {
    mkdir -p "$OUT/bin"
    printf '#!/bin/bash\nreal() { %q "$@"; }\ncase $1 in\n%s\n*) exec %q "$@" ;;\nesac\n' \
        "$E2E/wsl/bin/wsl.exe" "$1" "$E2E/wsl/bin/wsl.exe" >"$OUT/bin/wsl.exe"
    chmod 755 "$OUT/bin/wsl.exe"
}

@test "C04, C33, H5: wsl.exe or dray killed in the middle, or hanging: nothing stays, and the next one works" {
    distro_image
    local from="oci:$E2E/distros:1" client code=0
    # half of the tar arrives, then it is gone
    # shellcheck disable=SC2016 # the other shell's
    wsl_instead '--import) head -c 300000 | real "$@"; kill -9 $$ ;;'
    PATH=$OUT/bin:$PATH refused 1 "wsl.exe" -- target create wsl -q --from "$from" lab
    as_before
    # it takes nothing and says much
    wsl_instead '--import) while sleep 0.01; do printf "%0100000d" 1; done ;;'
    PATH=$OUT/bin:$PATH "$DRAY" target create wsl --from "$from" lab >"$OUT/o" 2>"$OUT/e" 3>&- &
    client=$!
    within 10 grep -q Making "$OUT/e"
    kill -TERM "$client"
    wait "$client" || code=$?
    same "$code" 130 "$(cat "$OUT/e")"
    as_before
    # dray itself, when the distro is there and is looked at
    wsl_instead "-d) echo \$\$ >$OUT/there; exec sleep 100 ;;"
    PATH=$OUT/bin:$PATH "$DRAY" target create wsl -q --from "$from" lab >/dev/null 2>&1 3>&- &
    client=$!
    within 10 test -s "$OUT/there"
    kill -9 "$client" "$(<"$OUT/there")"
    wait "$client" || true
    same "$(wsl --list --quiet | tr -d '\r' | tr '\n' ' ')" "dray lab "
    ok target create wsl -q --from "$from" lab
    ok target rm --unregister lab
    as_before
}
