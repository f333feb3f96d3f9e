#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# C02, C25, C33: the Windows program under Wine, and a wsl.exe that leads to a real guest.
# bats file_tags=any-runtime,plain-build
load lib/common
load lib/wsl
load lib/windows

setup_file() {
    local missing
    missing=$(windows_missing)
    [[ -z $missing ]] || skip "not installed: $missing"
    suite_setup
    wsl_start 30
    windows_start
}
teardown_file() {
    [[ -z $(windows_missing) ]] || return 0
    windows_stop
    wsl_stop
    suite_teardown
}
setup() { test_setup; }
teardown() { test_teardown; }

win_wsl() { timeout 60 wine wsl.exe "$@"; }
in_distro() { win_wsl -d dray -u root --cd / --exec "$@"; }

@test "the stand-in: wsl.exe's own words, its codes, and those of what it runs" {
    try win_wsl --list --quiet
    cmp "$OUT/.stdout" <(printf 'dray\r\n' | iconv -t utf-16le)
    WSL_UTF8=1 try win_wsl --list --quiet
    cmp "$OUT/.stdout" <(printf 'dray\r\n')
    WSL_UTF8=1 WSL_TWIN_OLD=1 try win_wsl --list --quiet
    cmp "$OUT/.stdout" <(printf 'dray\r\n' | iconv -t utf-16le)
    WSL_UTF8=1 try win_wsl -d nobody --exec true
    same "$status" 255 # all that is left here of -1
    has "$output" WSL_E_DISTRO_NOT_FOUND
    same "$stderr" ""
    try in_distro sh -c 'echo out; echo err >&2; exit 7'
    same "$status $output $stderr" "7 out err"
    try in_distro sh -c 'kill -9 $$'
    same "$status" 9
    WSL_TWIN_WARN="ein ü" try in_distro true
    same "$stderr" "wsl: ein ü"
}

@test "the stand-in: --exec takes words as they are, a shell reads those behind --" {
    try in_distro printf '%s|' 'a b' '$HOME' '*' 'q"q' 'b\' 'b\\"' 'ä€😀' "it's"
    same "$output" "a b|\$HOME|*|q\"q|b\\|b\\\\\"|ä€😀|it's|"
    try win_wsl -d dray -- echo one';' 'echo $HOME'
    same "$output" $'one\n/root'
}

@test "the stand-in: any bytes, both ways at once, and its end is the main child's" {
    head -c 5000000 /dev/urandom >"$OUT/bytes"
    # shellcheck disable=SC2094 # nothing writes to it
    in_distro cat <"$OUT/bytes" | cmp - "$OUT/bytes"
    try in_distro sh -c 'sleep 50 & echo $!'
    same "$status" 0
    try in_distro kill "$output"
    same "$status" 0
}
