#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# C02, C04: WSL's distros, by a stand-in for wsl.exe: those that cannot be used, and why.
# bats file_tags=any-runtime,plain-build
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
