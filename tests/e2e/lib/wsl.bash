# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# A stand-in for WSL (tests/fake/wsl-relay.py) with one distro, which has busybox and crun.

# wsl_rootfs TAR: a root file system out of files of this machine
wsl_rootfs() {
    local r=$E2E/wsl-rootfs name crun
    crun=$(realpath "$(command -v crun)")
    mkdir -p "$r"/{bin,etc,root,var,usr/bin}
    cp /bin/busybox "$r/bin/busybox"
    for name in $(/bin/busybox --list); do
        [[ -e $r/bin/$name ]] || ln -s busybox "$r/bin/$name"
    done
    # shellcheck disable=SC2046 # a list of paths
    cp --parents "$crun" $(ldd "$crun" | grep -o '/[^ ]*') "$r"
    echo root:x:0:0::/root:/bin/sh >"$r/etc/passwd"
    echo nameserver 192.0.2.53 >"$r/etc/resolv.conf" # containers can reach it, if anybody is there
    tar -C "$r" -cf "$1" .
    rm -rf "$r"
}

wsl_start() { # IDLE-SECONDS
    local fake=$E2E_LIB/../../fake
    mkdir -p "$E2E/wsl/bin" "$E2E/wsl/state"
    cp "$fake/wsl.py" "$E2E/wsl/bin/wsl.exe"
    chmod 755 "$E2E/wsl/bin/wsl.exe"
    /usr/bin/python3 "$fake/wsl-relay.py" "$E2E/wsl/state" "$E2E/wsl/port" "$1" \
        >"$E2E/wsl/log" 2>&1 </dev/null 3>&- &
    echo $! >"$E2E/wsl/pid"
    within 10 test -s "$E2E/wsl/port"
    WSL_TWIN_PORT=$(<"$E2E/wsl/port")
    PATH=$E2E/wsl/bin:$PATH
    export WSL_TWIN_PORT PATH
    wsl_rootfs "$E2E/wsl/root.tar"
    wsl --import dray "$E2E/wsl/dray" - <"$E2E/wsl/root.tar"
}

# distro_image: the OCI layout $E2E/distros with an image 1 of two layers: busybox with things in
# the way, then crun; and bare, without that
distro_image() {
    local layout=$E2E/distros
    [[ ! -d $layout ]] || return 0
    umoci init --layout "$layout"
    umoci new --image "$layout:1"
    mkdir -p "$E2E/t/base" "$E2E/t/top"
    tar -C "$E2E/t/base" -xf "$E2E/wsl/root.tar"
    mkdir -p "$E2E/t/top/usr"
    mv "$E2E/t/base/usr/bin" "$E2E/t/top/usr/bin" # crun, and what it needs
    mv "$E2E/t/base/lib" "$E2E/t/top/lib"
    mkdir -p "$E2E/t/base/usr/lib"
    ln -s usr/lib "$E2E/t/base/lib"
    echo secret >"$E2E/t/base/etc/gone"
    touch "$E2E/t/top/.wh.nothing"
    mkdir "$E2E/t/top/etc"
    touch "$E2E/t/top/etc/.wh.gone"
    tar -C "$E2E/t/base" -cf "$E2E/t/1.tar" .
    # through the symbolic link, without an entry of its own for lib
    (cd "$E2E/t/top" && find lib usr/bin -type f -o -type l | tar -cf "$E2E/t/2.tar" -T - etc/.wh.gone .wh.nothing)
    umoci raw add-layer --image "$layout:1" "$E2E/t/1.tar"
    umoci raw add-layer --image "$layout:1" "$E2E/t/2.tar"
    umoci new --image "$layout:bare"
    umoci raw add-layer --image "$layout:bare" "$E2E/t/1.tar"
    rm -rf "$E2E/t"
}

# What is the matter with a line through wsl.exe (C33), and what is said then; dray is the program
# that is tried, busybox:1 is there.
wsl_faults() { # CUT... (see wsl-relay.py)
    local much="exec on head -c 1000000 /dev/zero" fault
    ok run -d --name on "$IMAGE" sleep 100
    # before the helper has spoken it is a banner; behind that it is none
    WSL_TWIN_FAULT=say=0 ok exec on echo fine
    same "$output" fine
    # shellcheck disable=SC2086 # words
    {
        WSL_TWIN_FAULT=say=5000 refused 125 "wsl://dray: protocol" -- $much
        # in the boot, in HELLO, behind it; what is seen first differs
        for fault; do
            WSL_TWIN_FAULT=$fault refused 125 "wsl://dray" -- $much
        done
    }
    # one that hangs is waited for as long as was said
    ok target add --connect-timeout 500ms slow wsl://dray
    WSL_TWIN_FAULT=stuck=0 refused 69 "wsl://dray did not answer in time" -- --target slow ps
    WSL_TWIN_FAULT=stuck=30 refused 69 "wsl://dray" " in time" "longer connect_timeout" -- --target slow ps
    # and one that was there and says nothing any more as long as that
    ok target add --line-timeout 1s mute wsl://dray
    # shellcheck disable=SC2086 # words
    WSL_TWIN_FAULT=stuck=100000 refused 125 "wsl://dray: the connection was lost: nothing has come" -- --target mute $much
    ok target rm slow
    ok target rm mute
    # who was running runs
    ok exec on echo whole
    same "$output" whole
    # all pipes on the way are full before anything is taken at the end
    head -c 3000000 /dev/urandom >"$OUT/bytes"
    # shellcheck disable=SC2094 # nothing writes to it
    dray exec -i on cat <"$OUT/bytes" | (sleep 1; cat) | cmp - "$OUT/bytes"
    ok rm -f on
}

wsl_stop() {
    [[ ! -f $E2E/wsl/pid ]] || kill "$(<"$E2E/wsl/pid")"
    rm -rf "$E2E/wsl"
}

# By hand, in UTF-8.
wsl() { WSL_UTF8=1 wsl.exe "$@"; }
wsl_runs() { [[ $(wsl --list --running --quiet) == "$1"$'\r' ]]; }
wsl_idle() { [[ -z $(wsl --list --running --quiet) ]]; }
