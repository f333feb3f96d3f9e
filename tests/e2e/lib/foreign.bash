# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# A far side with a kernel of its own: what scripts/build-foreign made, under qemu (software
# emulation), reached by ssh through a forwarded port of loopback. It reaches nothing itself.
# FOREIGN_ARCH=arm64: a machine of that kind, five times as slow.

FOREIGN_PORT=2223
FOREIGN_ARCH=${FOREIGN_ARCH:-amd64}
FOREIGN_CACHE=${DRAY_BUILD_CACHE:-/var/cache/dray-build}/foreign
case $FOREIGN_ARCH in
amd64) FOREIGN_QEMU="qemu-system-x86_64 -M q35 -cpu max" FOREIGN_CONSOLE=ttyS0 ;;
arm64)
    FOREIGN_QEMU="qemu-system-aarch64 -M virt -cpu cortex-a57" FOREIGN_CONSOLE=ttyAMA0
    FOREIGN_CACHE+=-arm64
    ;;
esac

# Why it cannot be had; empty: it can.
foreign_missing() {
    command -v "${FOREIGN_QEMU%% *}" >/dev/null || echo "${FOREIGN_QEMU%% *} is not installed"
    [[ -f $FOREIGN_CACHE/initrd ]] || echo "nothing in $FOREIGN_CACHE: scripts/build-foreign $FOREIGN_ARCH makes it"
}

# Exports IMAGE, in the registry: busybox for that machine.
foreign_image() {
    IMAGE=$(image busybox:1)
    export IMAGE
    [[ $FOREIGN_ARCH != amd64 ]] || return 0
    local tree=$E2E/foreign/tree layout=$E2E/foreign/layout
    # shellcheck source=tests/e2e/lib/images.bash
    source "$E2E_LIB/images.bash"
    # shellcheck source=tests/e2e/lib/registry.bash
    source "$E2E_LIB/registry.bash"
    mkdir -p "$tree"
    busybox_rootfs "$tree"
    cp "$FOREIGN_CACHE/busybox" "$tree/bin/busybox"
    umoci init --layout "$layout"
    image_from_tree "$layout" busybox "$tree"
    umoci config --image "$layout:busybox" --architecture "$FOREIGN_ARCH" --config.env PATH=/bin:/usr/bin
    registry_push "$layout:busybox" "busybox:$FOREIGN_ARCH"
    IMAGE=$(image "busybox:$FOREIGN_ARCH")
}

foreign_start() {
    local dir=$E2E/foreign
    mkdir -p "$dir/ssh" "$dir/run" "$dir"/add/{root/.ssh,etc/ssh} /root/.ssh
    chmod 700 "$dir/ssh" "$dir/run"
    ssh-keygen -q -t ed25519 -N '' -f "$dir/host"
    ssh-keygen -q -t ed25519 -N '' -f "$dir/ssh/id_ed25519"
    cp "$dir/host" "$dir/add/etc/ssh/host"
    cp "$dir/ssh/id_ed25519.pub" "$dir/add/root/.ssh/authorized_keys"
    echo "[127.0.0.1]:$FOREIGN_PORT $(cat "$dir/host.pub")" >"$dir/ssh/known_hosts"
    printf '%s\n' "Host foreign" " HostName 127.0.0.1" " Port $FOREIGN_PORT" " User root" >"$dir/ssh/config"
    # the kernel unpacks one archive after the other
    (cd "$dir/add" && find . | busybox cpio -o -H newc 2>/dev/null | gzip -1) |
        cat "$FOREIGN_CACHE/initrd" - >"$dir/initrd"
    # shellcheck disable=SC2086 # words
    $FOREIGN_QEMU -smp 2 -m 768 -nodefaults -display none -no-reboot \
        -serial "file:$dir/console" -kernel "$FOREIGN_CACHE/vmlinuz" -initrd "$dir/initrd" \
        -append "console=$FOREIGN_CONSOLE panic=-1 quiet" -device virtio-net-pci,netdev=n \
        -netdev "user,id=n,restrict=on,hostfwd=tcp:127.0.0.1:$FOREIGN_PORT-:22" \
        </dev/null >"$dir/qemu" 2>&1 3>&- &
    echo $! >"$dir/pid"
    within 400 foreign_up
}
foreign_up() { grep -qs "Server listening" "$E2E/foreign/console"; }

foreign_stop() {
    local dir=$E2E/foreign
    [[ ! -f $dir/pid ]] || kill "$(<"$dir/pid")"
    rm -rf "$dir"
}

# ssh takes its configuration from /root/.ssh and nowhere else: in a mount namespace that is ours.
# shellcheck disable=SC2016 # the inner shell's
in_foreign() {
    unshare -m bash -c 'mount --bind "$0/ssh" /root/.ssh && XDG_RUNTIME_DIR=$0/run exec "$@"' \
        "$E2E/foreign" "$@"
}
