# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The images of the suites: an OCI layout made by umoci out of this system's own files, and
# a registry's directory with what skopeo makes of them, which each run gets a copy of.
#
#   busybox:1  one layer: busybox, its links, /etc/passwd and group with some users
#   conf:1     busybox with user, env, entrypoint, cmd, workdir, volume, stop signal, labels
#   layers:1   four layers with every kind of entry, whiteouts and an opaque directory
#   implied:1  layers:1 and one more that names files in directories it does not bring
#   real:1     bash, the libraries it needs, time zones (hard links), a sparse file
#   deep:1     busybox and forty layers
# and busybox:docker (Docker's media types), layers:zstd, layers:none, layers:gzip-members,
# layers:trailing-zeros (other forms of the same layers).

busybox_rootfs() { # DIR
    local root=$1 applet
    mkdir -p "$root"/{bin,etc,tmp,root,home/app,var/tmp,usr/bin,proc,sys,dev}
    chmod 1777 "$root/tmp" "$root/var/tmp"
    cp /bin/busybox "$root/bin/busybox"
    for applet in $(/bin/busybox --list); do
        [[ $applet == busybox ]] || ln -s busybox "$root/bin/$applet"
    done
    cat >"$root/etc/passwd" <<'PASSWD'
root:x:0:0:root:/root:/bin/sh
app:x:1000:1000:an app:/home/app:/bin/sh
svc:x:1001:50:in two groups:/:/bin/sh
PASSWD
    cat >"$root/etc/group" <<'GROUP'
root:x:0:
staff:x:50:
app:x:1000:
extra:x:60:svc,app
GROUP
    chown -R 1000:1000 "$root/home/app"
    printf '#!/bin/sh\nexit 0\n' >"$root/usr/bin/not-executable"
    chmod 644 "$root/usr/bin/not-executable"
    # libraries are not needed, sleeping until a signal comes is
    cat >"$root/usr/bin/on-signal" <<'SCRIPT'
#!/bin/sh
# on-signal CODE SIGNAL...: says ready, exits with CODE when one of the signals comes
code=$1; shift
for s; do trap "echo got $s; exit $code" "$s"; done
echo ready
while :; do sleep 0.05; done
SCRIPT
    chmod 755 "$root/usr/bin/on-signal"
}

# image_from_tree LAYOUT TAG TREE: one layer
image_from_tree() {
    umoci new --image "$1:$2"
    tar -C "$3" --xattrs --xattrs-include='*' --numeric-owner --sparse --format=posix \
        -cf "$1.$2.tar" .
    umoci raw add-layer --image "$1:$2" "$1.$2.tar"
    rm -f "$1.$2.tar"
}

real_rootfs() { # DIR
    local root=$1 lib
    mkdir -p "$root"/{bin,etc,tmp,usr/share,var}
    cp -a --parents /usr/share/zoneinfo/Europe /usr/share/zoneinfo/UTC "$root" 2>/dev/null || true
    ln "$root"/usr/share/zoneinfo/Europe/Vienna "$root/var/vienna" 2>/dev/null || true
    cp /bin/bash /bin/cat /bin/ls "$root/bin/"
    for lib in $(ldd /bin/bash /bin/cat /bin/ls | grep -o '/[^ ]*' | grep '\.so' | sort -u); do
        cp --parents -L "$lib" "$root"
    done
    cp -a /etc/passwd /etc/group /etc/services /etc/alternatives "$root/etc/"
    truncate -s 8M "$root/var/sparse"
    printf middle | dd of="$root/var/sparse" bs=1 seek=4194304 conv=notrunc status=none
    truncate -s 16M "$root/var/sparse"
    setfattr -n user.origin -v "this system" "$root/bin/bash"
    chmod 4755 "$root/bin/cat"
}

# images_make DIR: DIR/layout with all tags, DIR/registry with all images; quick when they are
# there
images_make() {
    local dir=$1 layout=$1/layout i
    [[ -f $dir/complete ]] && return 0
    rm -rf "$dir"
    mkdir -p "$dir/work"
    umoci init --layout "$layout"

    busybox_rootfs "$dir/work/busybox"
    image_from_tree "$layout" busybox "$dir/work/busybox"
    umoci config --image "$layout:busybox" --config.cmd sh --config.env PATH=/bin:/usr/bin

    umoci tag --image "$layout:busybox" conf
    umoci config --image "$layout:conf" --config.user app --config.env FROM_IMAGE=yes \
        --config.env SHARED=image --config.entrypoint /bin/echo --config.entrypoint entry \
        --config.cmd cmd --config.workingdir /made/by/dray --config.volume /home/app \
        --config.stopsignal SIGUSR1 --config.label made.by=the-suite

    umoci new --image "$layout:layers"
    for i in 1 2 3 4; do
        /usr/bin/python3 "$E2E_LIB/layer-tar.py" "$i" "$dir/work/$i.tar"
        umoci raw add-layer --image "$layout:layers" "$dir/work/$i.tar"
    done
    umoci tag --image "$layout:layers" implied
    /usr/bin/python3 "$E2E_LIB/layer-tar.py" 5 "$dir/work/5.tar"
    umoci raw add-layer --image "$layout:implied" "$dir/work/5.tar"

    real_rootfs "$dir/work/real"
    image_from_tree "$layout" real "$dir/work/real"

    umoci tag --image "$layout:busybox" deep
    mkdir "$dir/work/deep"
    for ((i = 1; i <= 40; i++)); do
        echo "$i" >"$dir/work/deep/only-$i"
        echo "$i" >"$dir/work/deep/last"
        tar -C "$dir/work/deep" -cf "$dir/work/deep.tar" "only-$i" last
        umoci raw add-layer --image "$layout:deep" "$dir/work/deep.tar"
    done
    umoci gc --layout "$layout"
    registry_start "$dir/work/registry"
    images_push "$layout"
    registry_stop "$dir/work/registry"
    mv "$dir/work/registry/data" "$dir/registry"
    rm -rf "$dir/work"
    touch "$dir/complete"
}

# What no tool pushes: see oci-tool.py
push_changed() { # LAYOUT TAG NAME:TAG CHANGE...
    local layout=$1 tag=$2 name=$3
    shift 3
    /usr/bin/python3 "$E2E_LIB/oci-tool.py" push "$layout" "$tag" "$REGISTRY" "$name" "$@"
}

images_push() { # LAYOUT
    local layout=$1 name
    for name in busybox conf layers implied real deep; do
        registry_push "$layout:$name" "$name:1"
    done
    registry_push "$layout:busybox" busybox:docker --format v2s2
    for name in zstd none gzip-members trailing-zeros; do
        push_changed "$layout" layers "layers:$name" "$name"
    done
}

# images_served DIR WHERE: starts a registry in WHERE that has all images of DIR
images_served() {
    mkdir -p "$2"
    cp -R --reflink=auto "$1/registry" "$2/data"
    registry_start "$2"
}
