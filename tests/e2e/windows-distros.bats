#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# C04: distros made, and taken away again, by the Windows program under Wine.
# bats file_tags=any-runtime,plain-build
# shellcheck disable=SC2030,SC2031 # each test has an environment of its own
load lib/common
load lib/wsl
load lib/windows

setup_file() {
    windows_suite_setup || return 0
    distro_image
    mv "$E2E/distros" "$(windows_home)/layout"
    unset DRAY_TARGET DRAY_ROOT DRAY_RUN_ROOT DRAY_RUNTIME
}
teardown_file() { windows_suite_teardown; }
setup() {
    windows_test_setup
    needs_exe
    HERE=$E2E/windows/drive_c/users/root/AppData/Local/dray
    FROM='oci:C:\users\me\layout'
}
teardown() {
    if [[ -f $DRAY_EXE ]]; then
        wsl --unregister lab >/dev/null || true
        dray target rm lab >/dev/null 2>&1 || true
    fi
}

# As it was before: no distro but the first one, no target, no directory, nothing at work.
as_before() {
    same "$(wsl --list --all --quiet | tr -d '\r')" dray
    same "$(dray target ls -q | tr -d '\r')" local
    same "$(find "$HERE/distros" -type f -o -mindepth 1 -type d ! -name .making)" ""
    same "$(pgrep -x wsl.exe; pgrep -x dray.exe)" ""
}

@test "C04: dray.exe makes a distro out of an image: used, and gone again" {
    ok target create wsl --use --from "$FROM:1" lab
    same "$output" lab
    has "$stderr" 'Making the distro lab in C:\users\root\AppData\Local\dray\distros\lab'
    local disk=$HERE/distros/lab/ext4.vhdx
    [[ -L $disk/lib && ! -e $disk/etc/gone && -e $disk/usr/lib/x86_64-linux-gnu ]]
    ok run --rm hello
    has "$output" Hello
    refused 1 "a target lab is there already" -- target create wsl -q --from x lab
    ok target rm --unregister lab
    as_before
}

@test "C04: dray.exe: out of a tarball of Windows, into a directory of Windows, with a runtime of Windows" {
    local home crun
    home=$(windows_home)
    mkdir "$OUT/r"
    tar -C "$OUT/r" -xf "$E2E/wsl/root.tar"
    crun=$(find "$OUT/r" -name crun -type f)
    mv "$crun" "$OUT/r/usr/bin/hidden"
    tar -C "$OUT/r" -czf "$home/root.tar.gz" .
    printf '#!/bin/sh\nexec /usr/bin/hidden "$@"\n' >"$home/crun-1.99-linux"
    ok target create wsl -q --from '.\root.tar.gz' --dir 'C:\users\me\new\disk' --runtime-file 'C:/users/me/crun-1.99-linux' lab
    same "$stderr" ""
    [[ -d $home/new/disk/ext4.vhdx/usr/bin ]]
    ok target inspect lab --format '{{.runtime}} {{.distro_dir}}'
    same "$output" '/usr/local/bin/crun C:\users\me\new\disk'
    ok --target lab run --rm hello
    ok target rm --unregister lab
    [[ ! -e $home/new/disk ]]
    as_before
}

@test "C04: dray.exe: whatever fails, nothing is left of it" {
    local home
    home=$(windows_home)
    refused 1 "a distro DRAY is there already" "dray target add DRAY wsl://DRAY" -- target create wsl -q --from "$FROM:1" DRAY
    refused 1 'C:\none.tar: No such file' -- target create wsl -q --from 'C:\none.tar' lab
    refused 1 "there is no image none in" -- target create wsl -q --from "$FROM:none" lab
    refused 1 "'disk' is not an absolute path" -- target create wsl -q --from "$FROM:1" --dir disk lab
    refused 1 "'C:disk' is not an absolute path" -- target create wsl -q --from "$FROM:1" --dir C:disk lab
    refused 1 'C:\users\me\layout is there already, and not empty' -- target create wsl -q --from "$FROM:1" --dir 'C:\users\me\layout' lab
    refused 78 "it has no OCI runtime, and no package manager" "--runtime-file" "was removed again" -- \
        target create wsl -q --from "$FROM:bare" lab
    cp "$DRAY_EXE" "$home/crun.exe"
    refused 1 "crun.exe is a program for Windows" -- target create wsl -q --from "$FROM:1" --runtime-file crun.exe lab
    head -c 20000 "$E2E/wsl/root.tar" >"$home/half.tar"
    refused 1 "half.tar: " -- target create wsl -q --from half.tar lab
    # WSL itself gives up in the middle, or is killed there
    WSL_TWIN_FAULT=fail-up=300000 refused 1 "wsl.exe: " "WSL_E_IMPORT_FAILED" -- target create wsl -q --from "$FROM:1" lab
    WSL_TWIN_FAULT=cut-up=300000 refused 1 "wsl.exe" -- target create wsl -q --from "$FROM:1" lab
    # somebody else's distros are theirs
    ok target add other wsl://dray
    refused 1 "was not made by dray" "wsl --unregister dray" -- target rm --unregister other
    ok target rm other
    as_before
}

@test "C04, H5: dray.exe: Ctrl-C while a distro is made, and a dray that is killed: nothing stays" {
    local code=0 client
    # WSL takes no more
    WSL_TWIN_FAULT=stuck-up=300000 dray target create wsl --from "$FROM:1" lab >"$OUT/o" 2>"$OUT/e" 3>&- &
    client=$!
    within 10 grep -q Making "$OUT/e"
    within 10 eval '[[ -n $(wsl --list --all --quiet | grep lab) ]]'
    pkill -INT -x dray.exe
    wait "$client" || code=$?
    same "$code" 130 "$(cat "$OUT/e")"
    as_before
    # killed: wsl.exe ends with it, and WSL takes back what it was making
    WSL_TWIN_FAULT=stuck-up=300000 dray target create wsl --from "$FROM:1" lab >"$OUT/o" 2>"$OUT/e" 3>&- &
    client=$!
    within 10 eval '[[ -n $(wsl --list --all --quiet | grep lab) ]]'
    pkill -KILL -x dray.exe
    wait "$client" || true
    within 10 eval '[[ -z $(wsl --list --all --quiet | grep lab) ]]'
    ok target create wsl -q --from "$FROM:1" lab
    ok target rm --unregister lab
    as_before
}
