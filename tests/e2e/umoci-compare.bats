#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# What dray unpacks is what umoci unpacks: content, owner, mode, time, xattrs, links.
load lib/common

setup_file() {
    suite_setup
}
teardown_file() { suite_teardown; }
setup() { test_setup; }
teardown() { test_teardown; }

# mounted IMAGE COMMAND...: runs COMMAND with the image's layers mounted at $OUT/tree, in a
# mount namespace of its own. The layers are found as the store keeps them.
mounted() {
    local ref=$1 ids lower="" id
    shift
    ids=$(dray inspect --type image --format '{{json .RootFS.Layers}}' "$ref" | jq -r '.[]')
    for id in $ids; do
        lower=${id#sha256:}/fs${lower:+:$lower} # the last one first
    done
    mkdir -p "$OUT/tree" "$OUT/upper" "$OUT/work"
    # relative names: forty absolute ones would not fit into the page that mount(2) takes
    cd "$DRAY_ROOT/layers" || return 1
    # shellcheck disable=SC2016 # $1.. are the inner shell's
    unshare -m sh -c 'mount -t overlay overlay -o "lowerdir=$1,upperdir=$2/upper,workdir=$2/work" "$2/tree" &&
        shift 2 && "$@"' sh "$lower" "$OUT" "$@"
}

compare() { # NAME [options of compare-trees.py]
    local name=$1
    shift
    ok pull -q "$(image "$name:1")"
    umoci raw unpack --image "$E2E_IMAGES/layout:$name" "$OUT/umoci"
    mounted "$(image "$name:1")" /usr/bin/python3 "$E2E_LIB/compare-trees.py" \
        "$OUT/umoci" "$OUT/tree" "$@"
}

@test "C14: busybox" { compare busybox; }
@test "C14: real files of this system: libraries, hard links, a sparse file, setuid, xattrs" { compare real; }
@test "C14: four layers with every kind of entry, whiteouts and an opaque directory" { compare layers; }
@test "C14: forty-one layers" { compare deep; }
@test "C14, H1: parents that only a lower layer brings keep their owner, mode, times and xattrs" {
    compare implied
}

@test "H1: a sparse file stays sparse" {
    ok pull -q "$(image real:1)"
    local file
    file=$(find "$DRAY_ROOT/layers" -path '*/var/sparse')
    same "$(stat -c %s "$file")" 16777216
    (($(stat -c %b "$file") < 2048)) || explain "takes $(stat -c %b "$file") blocks"
}

@test "I5: unpacking the same image again gives the same bytes" {
    ok pull -q "$(image layers:1)"
    cp -a "$DRAY_ROOT/layers" "$OUT/first"
    ok rmi "$(image layers:1)"
    dray rmi -f "$(image implied:1)" >/dev/null 2>&1 || true
    ok pull -q "$(image layers:1)"
    local id
    for id in $(dray inspect --type image --format '{{json .RootFS.Layers}}' "$(image layers:1)" | jq -r '.[]'); do
        /usr/bin/python3 "$E2E_LIB/compare-trees.py" "$OUT/first/${id#sha256:}/fs" "$DRAY_ROOT/layers/${id#sha256:}/fs"
    done
}
