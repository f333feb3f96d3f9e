# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The suites over a boundary: DRAY becomes a program that calls the real one with that target.
#
#   ssh   a real sshd on loopback (far.bash). The far side is this machine, so everything that a
#         suite looks at is where it was.
#   wsl   the stand-in for wsl.exe (wsl.bash): another root file system, into which the suite's
#         directory is mounted under its own name, and other pids.
#   wine  dray.exe (DRAY_EXE) under Wine, over that stand-in. What is tagged also-windows is run
#         by scripts/check, whole suites by `scripts/check wine`.

# over_program COMMAND...: makes the program; COMMAND is what comes before the real one
over_program() {
    cat >"$E2E_SUITE/over/dray" <<PROGRAM
#!/bin/bash
# \$PWD is kept: a mount namespace is entered at its root
export DRAY_TARGET=\${DRAY_TARGET:-$OVER_TARGET}
$1
PROGRAM
    chmod 755 "$E2E_SUITE/over/dray"
    export DRAY=$E2E_SUITE/over/dray
}

over_start() { # ssh|wsl or nothing
    [[ -n $1 ]] || return 0
    local E2E=$E2E_SUITE/over
    local real=$DRAY
    # shellcheck source=tests/e2e/lib/common.bash
    source "$E2E_LIB/common.bash"
    mkdir -p "$E2E"
    case $1 in
    ssh)
        # shellcheck source=tests/e2e/lib/far.bash
        source "$E2E_LIB/far.bash"
        far_start
        OVER_TARGET=ssh://far
        over_program "exec nsenter -t $FAR_PID -m --wd=\"\$PWD\" -- env XDG_RUNTIME_DIR=$E2E_SUITE/ssh '$real' \"\$@\""
        ;;
    wsl)
        # shellcheck source=tests/e2e/lib/wsl.bash
        source "$E2E_LIB/wsl.bash"
        mkdir -p "$E2E/wsl/state/drives"
        # drives are mounted where the suite's directory is, and those of its tests
        ln -s "$E2E_SUITE" "$BATS_RUN_TMPDIR" "$E2E/wsl/state/drives"
        wsl_start 60
        printf '[automount]\nroot = "%s/"\n' "$(dirname "$E2E_SUITE")" >"$E2E/wsl/dray/ext4.vhdx/etc/wsl.conf"
        OVER_TARGET=wsl://dray
        over_program "PATH=$E2E/wsl/bin:\$PATH WSL_TWIN_PORT=$WSL_TWIN_PORT exec '$real' \"\$@\""
        ;;
    wine)
        over_start wsl
        # shellcheck source=tests/e2e/lib/windows.bash
        source "$E2E_LIB/windows.bash"
        local exe=${DRAY_EXE:-$E2E_LIB/../../../build-windows/src/cli/dray.exe}
        # Wine finds its server below TMPDIR, which each suite has of its own
        mkdir -p "$E2E/tmp"
        exe=$(realpath "$exe") && TMPDIR=$E2E/tmp windows_start || return 1
        # the drive of the current directory is Z:, where all of this machine is
        over_program "export TMPDIR='$E2E/tmp' WINEPREFIX='$WINEPREFIX' WINEPATH='$WINEPATH' WINEDEBUG=-all WSL_TWIN_PORT=$WSL_TWIN_PORT; exec wine '$exe' \"\$@\""
        ;;
    *)
        echo "DRAY_TEST_OVER is '$1': ssh, wsl and wine are known" >&2
        return 1
        ;;
    esac
}

over_stop() {
    [[ -d $E2E_SUITE/over ]] || return 0
    local E2E=$E2E_SUITE/over
    # shellcheck source=tests/e2e/lib/common.bash
    source "$E2E_LIB/common.bash"
    # shellcheck source=/dev/null
    source "$E2E_LIB/$([[ $1 == ssh ]] && echo far || echo wsl).bash"
    if [[ $1 == wine ]]; then
        # shellcheck source=tests/e2e/lib/windows.bash
        source "$E2E_LIB/windows.bash"
        TMPDIR=$E2E/tmp WINEPREFIX=$E2E/windows windows_stop
    fi
    if [[ $1 == ssh ]]; then far_stop; else wsl_stop; fi
}
