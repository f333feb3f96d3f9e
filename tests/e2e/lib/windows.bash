# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Windows, as far as Wine goes: programs made by mingw run here, with a drive C: that the
# suite's directory holds, and with a wsl.exe that leads to the distro of lib/wsl.bash.

WINDOWS_CC=x86_64-w64-mingw32-gcc-posix
# without a display, and without the parts that only browsers and .NET programs need
export WINEDEBUG=-all WINEDLLOVERRIDES="mscoree=;mshtml=;winemenubuilder.exe=" WINEARCH=win64
unset DISPLAY
# whatever the machine's locale is: Wine writes names of files and words of ours in it
export LC_ALL=C.UTF-8

windows_missing() {
    local program
    for program in "$WINDOWS_CC" wine wineserver; do
        command -v "$program" >/dev/null || echo "$program"
    done
}

# A Windows directory takes seconds to make, and most of it never changes: it is made once
# per machine. Its libraries are Wine's own, by links.
windows_make() { # DIR
    local file dlls
    mkdir -p "${1%/*}"
    (
        flock 9
        [[ ! -f $1/made ]] || exit 0
        rm -rf "$1"
        mkdir -p "$1/home"
        if ! WINEPREFIX=$1/prefix HOME=$1/home timeout -k 5 200 wineboot -i >"$1/log" 2>&1 ||
            ! WINEPREFIX=$1/prefix timeout -k 5 60 wineserver -w; then
            windows_kill "$1/prefix"
            exit 1
        fi
        dlls=$(dirname "$(find /usr/lib/*/wine -path '*x86_64-windows/kernel32.dll' | head -1)")
        for file in "$1"/prefix/drive_c/windows/system32/*; do
            [[ ! -f $dlls/${file##*/} ]] || ln -sf "$dlls/${file##*/}" "$file"
        done
        : >"$1/made"
    ) 9>"$1.lock"
}

# windows_program NAME EXE: of tests/fake/NAME.c
windows_program() {
    "$WINDOWS_CC" -municode -std=gnu17 -O1 -s "$E2E_LIB/../../fake/$1.c" -o "$2" -lws2_32
}

# Sets WINEPREFIX and starts a wineserver of ours: it holds sockets and processes, so it
# belongs to the sandbox, and it stays, so that further starts are cheap.
windows_start() {
    local made=${DRAY_BUILD_CACHE:-/var/cache/dray-build}/wine dir=$E2E/windows place
    windows_make "$made" || return 1
    mkdir -p "$dir/dosdevices" "$dir/drive_c" "$dir/bin"
    cp "$made"/prefix/*.reg "$made/prefix/.update-timestamp" "$dir"
    cp -a "$made/prefix/drive_c/users" "$made/prefix/drive_c/ProgramData" "$dir/drive_c"
    mkdir -p "$E2E/wsl/state/drives"
    ln -s "$dir/drive_c" "$E2E/wsl/state/drives/c"
    for place in windows 'Program Files'; do
        ln -s "$made/prefix/drive_c/$place" "$dir/drive_c/$place"
    done
    ln -s ../drive_c "$dir/dosdevices/c:"
    ln -s / "$dir/dosdevices/z:"
    mkdir -p "$dir/drive_c/users/me"
    windows_program wsl-win "$dir/bin/wsl.exe" || return 1
    export WINEPREFIX=$dir WINEPATH="Z:${dir//\//\\}\\bin"
    # the first program brings the services along
    wineserver -p 3>&- && wine cmd /c exit 3>&- </dev/null >/dev/null 2>&1
}

# What of a wineserver's does not end when it is told to is killed by its number: a program that
# hangs holds up no suite. A process of ours has our WINEPREFIX in its environment.
windows_stop() {
    if [[ -d $E2E/windows ]]; then
        wine_server_ends "$E2E/windows" || {
            windows_kill "$E2E/windows"
            wine_server_ends "$E2E/windows" || echo "a wineserver of $E2E/windows does not end" >&2
        }
    fi
    rm -rf "$E2E/windows"
}
wine_server_ends() { # PREFIX: within ten seconds each, -k asks it to end, -w waits until it has
    WINEPREFIX=$1 timeout -k 1 10 wineserver -k
    WINEPREFIX=$1 timeout -k 1 10 wineserver -w
}
windows_kill() { # PREFIX
    local pid
    while read -r pid; do
        # tools of this side have it too, and are no Windows
        [[ $(readlink "/proc/$pid/exe") == */wine* ]] || continue
        echo "does not end when it is asked to: $(tr '\0' ' ' <"/proc/$pid/cmdline")" >&2
        kill -KILL "$pid" 2>/dev/null || true
    done < <(grep -lzsxF "WINEPREFIX=$1" /proc/[0-9]*/environ | tr -dc '0-9\n')
}

# C:\users\me, as this side sees it
windows_home() { echo "$E2E/windows/drive_c/users/me"; }

# --- a suite of dray.exe; each does these at least ---

# DRAY_EXE: the program; without it tests that need it are skipped. A distro "dray" and a drive
# C: are there. Fails where nothing of this can be had.
windows_suite_setup() {
    MISSING=$(windows_missing)
    export MISSING
    if [[ -n $MISSING ]]; then return 1; fi
    suite_setup
    wsl_start 30
    windows_start
    IMAGE=$(image busybox:1)
    export IMAGE DRAY_TARGET=wsl://dray
    # its own places for credentials, config and cache are Windows'
    unset DRAY_CACHE
    [[ ! -f ${DRAY_EXE:=$E2E_LIB/../../../build-windows/src/cli/dray.exe} ]] || DRAY_EXE=$(realpath "$DRAY_EXE")
    export DRAY_EXE
}
windows_suite_teardown() {
    if [[ -n $MISSING ]]; then return 0; fi
    windows_stop
    wsl_stop
    suite_teardown
}
windows_test_setup() {
    [[ -z $MISSING ]] || skip "not installed: ${MISSING//$'\n'/, }"
    # shellcheck disable=SC2034 # for the tests
    OUT=$BATS_TEST_TMPDIR
    cd "$(windows_home)" || return 1
}
needs_exe() { [[ -f $DRAY_EXE ]] || skip "no $DRAY_EXE: scripts/build-windows makes it"; }
dray() { timeout --foreground -k 5 120 wine "$DRAY_EXE" "$@"; }
