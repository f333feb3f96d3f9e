#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# What dray unpacks is what umoci unpacks: content, owner, mode, time, xattrs, links.
# bats file_tags=any-runtime,plain-build
load lib/common

setup_file() {
    suite_setup
}
teardown_file() { suite_teardown; }
setup() { test_setup; }
teardown() { test_teardown; }

# mounted IMAGE COMMAND...: runs COMMAND with the image's layers mounted at $OUT/tree, in a
# mount namespace of its own, as the store keeps them. A stack whose layers depend on each
# other has a directory more, whose meta file lists what is mounted (src/guest/layers/stack.c).
mounted() {
    local ref=$1 stack lower top meta
    shift
    dray create --name stack-of --entrypoint none "$ref" >/dev/null || return 1
    stack=$(dray inspect --type image --format '{{json .RootFS.Layers}}' "$ref" |
        jq -r 'reverse | .[]' | cut -d: -f2)
    top=${stack%%$'\n'*}
    for meta in "$DRAY_ROOT/layers/$top"-*/meta; do
        [[ ! -f $meta ]] || ! jq -e .stack "$meta" >/dev/null || stack=$(jq -r '.stack[]' "$meta")
    done
    # relative names: forty absolute ones would not fit into the page that mount(2) takes
    lower=${stack//$'\n'//fs:}/fs
    mkdir -p "$OUT/tree" "$OUT/upper" "$OUT/work"
    cd "$DRAY_ROOT/layers" || return 1
    # shellcheck disable=SC2016 # $1.. are the inner shell's
    unshare -m sh -c 'mount -t overlay overlay -o "lowerdir=$1,upperdir=$2/upper,workdir=$2/work" "$2/tree" &&
        shift 2 && "$@"' sh "$lower" "$OUT" "$@"
}

compare() { # NAME[:TAG] [options of compare-trees.py]
    local name=${1%:*} tag=1
    [[ $1 != *:* ]] || tag=${1#*:}
    shift
    ok pull -q "$(image "$name:$tag")"
    umoci raw unpack --image "$E2E_IMAGES/layout:$name" "$OUT/umoci"
    mounted "$(image "$name:$tag")" /usr/bin/python3 "$E2E_LIB/compare-trees.py" \
        "$OUT/umoci" "$OUT/tree" "$@"
}

@test "C14: busybox" { compare busybox; }
@test "C14: real files of this system: libraries, hard links, a sparse file, setuid, xattrs" { compare real; }
@test "C14: four layers with every kind of entry, whiteouts and an opaque directory" { compare layers; }
@test "C10: zstd:chunked, a frame for each file and a table of them behind the tar" {
    /usr/bin/python3 "$E2E_LIB/oci-tool.py" push "$E2E_IMAGES/layout" layers "$REGISTRY" \
        layers:chunked chunked
    compare layers:chunked
}
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
    local id white
    for id in $(dray inspect --type image --format '{{json .RootFS.Layers}}' "$(image layers:1)" | jq -r '.[]'); do
        id=${id#sha256:}
        # a whiteout is never seen, and has the time at which it was made
        mapfile -t white < <(find "$OUT/first/$id/fs" -type c -printf '--no-mtime-of\n%P\n')
        /usr/bin/python3 "$E2E_LIB/compare-trees.py" "${white[@]}" "$OUT/first/$id/fs" "$DRAY_ROOT/layers/$id/fs"
    done
}
