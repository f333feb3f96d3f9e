#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Whole pulls over a bad line, by processes that are killed and that share their work. What the
# line itself is tested with is tests/unit/registry/test_line.c.
# bats file_tags=any-runtime,plain-build
load lib/common
load lib/registry

setup_file() {
    suite_setup
    proxy_start "$E2E/proxy"
}
teardown_file() {
    registry_stop "$E2E/proxy"
    suite_teardown
}
setup() {
    test_setup
    : >"$E2E/proxy/rules"
    : >"$E2E/proxy/log"
    rm -rf "$DRAY_CACHE"
}
teardown() { test_teardown; }

rules() { printf '%s\n' "$@" >"$E2E/proxy/rules"; }
# Bytes of blobs that the registry sent.
blob_bytes() { awk '$3 ~ /\/blobs\// && $4 ~ /^20/ { n += $8 } END { print n + 0 }' "$E2E/proxy/log"; }
image_bytes() { # NAME: of its blobs
    skopeo inspect --tls-verify=false --raw "docker://$REGISTRY/$1" | jq '[.config.size, .layers[].size] | add'
}

@test "a pull that is killed again and again goes on with what it has, on both sides" {
    local size i pid done_after=0
    size=$(image_bytes real:1)
    rules "slow=4000000 GET /blobs/"
    for ((i = 1; i <= 12; i++)); do
        "$DRAY" pull -q "$PROXY/real:1" >"$OUT/out" 2>&1 &
        pid=$!
        sleep "0.$((i * 7 % 10))"
        kill -KILL "$pid" 2>/dev/null || done_after=$i
        wait "$pid" || true
        ((done_after == 0)) || break
    done
    rules "reset=200000 GET /blobs/"
    ok pull -q "$PROXY/real:1"
    ok run --rm --entrypoint /bin/bash "$PROXY/real:1" -c 'echo it is whole'
    same "$output" "it is whole"
    # a kill loses what was on its way: a few pieces of 64 KiB
    (($(blob_bytes) <= size + 13 * 400000)) || explain "$(blob_bytes) bytes for $size"
    [[ -z $(ls "$DRAY_CACHE/partial" 2>/dev/null) ]] || explain "partials are left"
    # and what is unchanged costs one HEAD
    : >"$E2E/proxy/log"
    ok pull -q "$PROXY/real:1"
    same "$(awk '{ print $2 }' "$E2E/proxy/log")" HEAD
    ok rmi "$PROXY/real:1"
}

@test "pulls at once of images that share layers fetch each layer once" {
    local name pids=() failed=0 pid
    # so that they meet
    rules "slow=3000000 GET /blobs/"
    for name in busybox:1 conf:1 deep:1 busybox:1; do
        dray pull -q "$PROXY/$name" >"$OUT/$name.$RANDOM" 2>&1 &
        pids+=($!)
    done
    for pid in "${pids[@]}"; do wait "$pid" || failed=1; done
    [[ $failed -eq 0 ]] || { cat "$OUT"/*:1.*; false; }
    # each repository has its own address for the layer: it is asked for by one of them
    local twice
    twice=$(awk '$3 ~ /\/blobs\// && $8 > 5000 { sub(/.*\/blobs\//, "", $3); print $3 }' "$E2E/proxy/log" | sort | uniq -d)
    same "$twice" "" "fetched twice"
    for name in busybox:1 deep:1; do ok run --rm "$PROXY/$name" true; done
}

@test "a pull that is cut off stays what it was, and says what to do" {
    rules "status=503" "retry-after=900"
    refused 1 "is in trouble (503)" "try again in 900 s" -- pull -q "$PROXY/busybox:1"
    rules "corrupt=100 GET /blobs/"
    refused 1 "the registry sent wrong bytes" -- pull -q "$PROXY/layers:1"
    : >"$E2E/proxy/rules"
    refused 1 "did you mean the tag docker?" -- pull -q "$PROXY/busybox:dokcer"
    ok pull -q "$PROXY/layers:1"
}
