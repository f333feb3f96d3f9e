#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Peak memory of whatever moves images: the host at most 64 MiB, the helper at most 32 MiB.
# bats file_tags=any-runtime,plain-build
load lib/common


setup_file() {
    suite_setup
    # some 200 MB of this system's files in three layers
    local layout=$E2E/layout i=0 dir
    umoci init --layout "$layout"
    umoci new --image "$layout:large"
    for dir in /usr/lib/x86_64-linux-gnu /usr/share /usr/bin; do
        [[ -d $dir ]] || continue
        i=$((i + 1))
        take "$dir" 90 >"$E2E/list"
        tar -C / --no-recursion -cf "$E2E/layer.tar" -T "$E2E/list"
        umoci raw add-layer --image "$layout:large" "$E2E/layer.tar"
        rm "$E2E/layer.tar"
    done
    # shellcheck source=/dev/null
    source "$E2E_LIB/registry.bash"
    registry_push "$layout:large" large:1
    rm -rf "$layout"
}
# take DIR MEGABYTES: names of files below it until so much is reached
take() {
    find "$1" -xdev -type f -size -20M -readable -printf '%s %P\n' | sort -k2 |
        awk -v limit="$2" -v dir="${1#/}" '{ sum += $1; if (sum > limit * 1000000) exit
            sub(/^[0-9]* /, ""); print dir "/" $0 }'
}
teardown_file() { suite_teardown; }
setup() { test_setup; }
teardown() { test_teardown; }

# within_limits DRAY_ARG...: runs it, and looks what it takes at most on each side
within_limits() {
    "$DRAY" "$@" >"$OUT/out" 2>&1 &
    local pid=$! helper="" peak_host=0 peak_helper=0 kb
    while kill -0 "$pid" 2>/dev/null; do
        kb=$(awk '/^VmHWM/ { print $2 }' "/proc/$pid/status" 2>/dev/null || echo 0)
        ((${kb:-0} > peak_host)) && peak_host=$kb
        [[ -n $helper && -d /proc/$helper ]] || helper=$(cat "/proc/$pid/task/$pid/children" 2>/dev/null | tr -d ' ')
        if [[ -n $helper ]]; then
            kb=$(awk '/^VmHWM/ { print $2 }' "/proc/$helper/status" 2>/dev/null || echo 0)
            ((${kb:-0} > peak_helper)) && peak_helper=$kb
        fi
        sleep 0.01
    done
    wait "$pid" || { cat "$OUT/out"; false; }
    echo "# peak of $1: dray $peak_host kB, helper $peak_helper kB" >&3
    ((peak_helper > 0))
    ((peak_host <= 65536)) || { echo "$1: dray took $peak_host kB"; false; }
    ((peak_helper <= 32768)) || { echo "$1: the helper took $peak_helper kB"; false; }
}

@test "H1: pull, push, save and load of some 200 MB stay below 64 MiB in dray and 32 MiB in the helper" {
    [[ -z ${DRAY_SANITIZED:-} ]] || skip "a sanitizer's shadow memory is not ours"
    local name
    name=$(image large:1)
    within_limits pull -q "$name"
    # without the blobs all layers are made again
    rm -rf "$DRAY_CACHE"
    dray tag "$name" "$(image made-again:1)"
    within_limits push "$(image made-again:1)"
    grep -q ': Pushed' "$OUT/out" || { cat "$OUT/out"; false; }
    within_limits save -o "$OUT/saved.tar" "$name"
    dray rmi "$name" "$(image made-again:1)" >"$OUT/removed"
    within_limits load -q -i "$OUT/saved.tar"
    rm "$OUT/saved.tar"
}

@test "a monitor has at most 600 kB of its own" {
    [[ -z ${DRAY_SANITIZED:-} ]] || skip "a sanitizer's shadow memory is not ours"
    suite_pull busybox:1
    ok run -d --name m "$(image busybox:1)" sleep 100
    # pages of the program itself are shared as soon as there is a second one
    ok run -d --name n "$(image busybox:1)" sleep 100
    local kb
    kb=$(awk '/^Private_(Clean|Dirty)/ { sum += $2 } END { print sum }' "/proc/$(monitor_pid m)/smaps_rollup")
    echo "# monitor: $kb kB private" >&3
    ((kb <= 600)) || { echo "the monitor has $kb kB"; false; }
}
