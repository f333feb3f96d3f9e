#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Images: from the registry, on the disk, in the lists, and gone again.
# bats file_tags=any-runtime,plain-build
load lib/common

setup_file() { suite_setup; }
teardown_file() { suite_teardown; }
setup() { test_setup; }
teardown() { test_teardown; }

# The merged tree of an image, through a container that reads it.
content() { dray run --rm "$1" cat "$2"; }

@test "pull takes an image from a real registry and prints its reference last (C11)" {
    ok pull "$(image busybox:1)"
    has "$output" "$(image busybox:1)"
    same "${lines[-1]}" "$(image busybox:1)"
}

@test "pull -q prints nothing but the reference" {
    ok pull -q "$(image busybox:1)"
    same "$output" "$(image busybox:1)"
    same "$stderr" ""
}

@test "pull without a terminal writes lines, no escapes" {
    ok pull "$(image layers:1)"
    lacks "$output$stderr" $'\e'
    lacks "$output$stderr" $'\r'
}

@test "C10: a second pull fetches no layer again" {
    ok pull -q "$(image busybox:1)"
    local before after
    before=$(grep -c 'GET /v2/busybox/blobs' "$E2E_SUITE/registry/log" || true)
    ok pull -q "$(image busybox:1)"
    after=$(grep -c 'GET /v2/busybox/blobs' "$E2E_SUITE/registry/log" || true)
    same "$after" "$before" "blobs fetched"
}

@test "C10: a removed image comes back out of the host's cache, without the registry's blobs" {
    ok pull -q "$(image busybox:1)"
    ok rmi "$(image busybox:1)"
    local before after
    before=$(grep -c 'GET /v2/busybox/blobs' "$E2E_SUITE/registry/log" || true)
    ok pull -q "$(image busybox:1)"
    after=$(grep -c 'GET /v2/busybox/blobs' "$E2E_SUITE/registry/log" || true)
    same "$after" "$before" "blobs fetched"
    ok run --rm "$(image busybox:1)" true
}

@test "C10: the cache has the limit that the environment or config.yaml says" {
    local cache=$OUT/cache
    limited() { DRAY_CACHE=$cache DRAY_ROOT=$OUT/root dray "$@"; }
    DRAY_CACHE_LIMIT=0 limited pull -q "$(image layers:1)" >"$OUT/pulled"
    same "$(find "$cache/blobs" -type f)" ""
    mkdir -p "$OUT/config/dray"
    echo "cache_limit: 1g" >"$OUT/config/dray/config.yaml"
    export XDG_CONFIG_HOME=$OUT/config
    try limited cache df --format '{{.Limit}}'
    same "$output" 1.07GB
    limited rmi "$(image layers:1)" >"$OUT/removed"
    limited pull -q "$(image layers:1)" >"$OUT/pulled"
    [[ -n $(find "$cache/blobs" -type f) ]] || explain "nothing was kept"
    DRAY_CACHE_LIMIT=lots try limited pull -q "$(image real:1)"
    same "$status" 78
    has "$stderr" "DRAY_CACHE_LIMIT 'lots' is neither a size, as 20g, nor none"
    unset XDG_CONFIG_HOME
}

@test "C10: gzip, zstd, plain, several gzip members and zeros behind the tar are all unpacked" {
    local form
    for form in 1 zstd none gzip-members trailing-zeros; do
        # in a root of their own each, since a layer that is there is not fetched
        DRAY_ROOT=$OUT/root DRAY_CACHE=$OUT/cache ok pull "$(image "layers:$form")"
        lacks "$output" "Already exists"
        same "$(grep -c ': Pull complete' <<<"$output")" 4 "$form"
        DRAY_ROOT=$OUT/root DRAY_CACHE=$OUT/cache ok rmi "$(image "layers:$form")"
    done
}

@test "an image with Docker's media types runs" {
    ok run --rm "$(image busybox:docker)" echo docker
    same "$output" docker
}

@test "C09: an index gives the guest's platform, not the first one" {
    local arch
    arch=$(dpkg --print-architecture)
    /usr/bin/python3 "$E2E_LIB/oci-tool.py" push "$E2E_IMAGES/layout" busybox "$REGISTRY" \
        many:1 "index=s390x,$arch,ppc64le"
    ok run --rm "$(image many:1)" echo right
    same "$output" right
    ok inspect --type image --format '{{.Architecture}}' "$(image many:1)"
    same "$output" "$arch"
}

@test "C09: an index without the guest's platform is refused and names what there is" {
    /usr/bin/python3 "$E2E_LIB/oci-tool.py" push "$E2E_IMAGES/layout" busybox "$REGISTRY" \
        other:1 index=s390x,ppc64le
    refused 1 "$(image other:1)" s390x -- pull "$(image other:1)"
}

@test "--platform chooses another platform of an index" {
    /usr/bin/python3 "$E2E_LIB/oci-tool.py" push "$E2E_IMAGES/layout" busybox "$REGISTRY" \
        two:1 index=s390x,amd64
    ok pull -q --platform linux/s390x "$(image two:1)"
    ok inspect --type image --format '{{.Architecture}}' "$(image two:1)"
    same "$output" s390x
    ok rmi "$(image two:1)"
}

@test "an image is pulled by digest" {
    ok pull -q "$(image busybox:1)"
    local digest
    digest=$(dray images --format json | jq -r 'select(.Repository | endswith("/busybox")) | .Digest' |
        head -n 1)
    [[ $digest == sha256:* ]] || explain "no digest in: $(dray images --format json)"
    ok run --rm "$REGISTRY/busybox@$digest" echo by digest
    same "$output" "by digest"
    # of a tag beside the digest, which may mean something else by now, nothing is shown
    ok pull -q "$REGISTRY/busybox:other@$digest"
    ok images --format '{{.Tag}}' "$REGISTRY/busybox"
    lacks "$output" other
    ok rmi "$REGISTRY/busybox:other@$digest"
}

@test "C07: --pull never runs what is there and refuses what is not" {
    ok pull -q "$(image busybox:1)"
    ok run --rm --pull never "$(image busybox:1)" true
    refused 125 "$(image absent:1)" -- run --rm --pull never "$(image absent:1)" true
}

@test "C07: --pull missing does not ask the registry, always and newer see that a tag moved" {
    local layout=$E2E_IMAGES/layout
    registry() { # which message the image prints
        /usr/bin/python3 "$E2E_LIB/oci-tool.py" push "$layout" busybox "$REGISTRY" moving:1 \
            "config:Cmd=[\"echo\",\"$1\"]"
    }
    registry old
    ok run --rm "$(image moving:1)"
    same "$output" old
    registry new
    ok run --rm "$(image moving:1)"
    same "$output" old "with missing, the default"
    ok run --rm --pull always "$(image moving:1)"
    same "$output" new "with always"
    registry newest
    ok run --rm --pull newer "$(image moving:1)"
    same "$output" newest "with newer"
}

@test "C07: --lock pins a tag, and what is pinned is pulled and run wherever the tag goes" {
    local old new name other
    name=$(image pinned:1)
    cd "$OUT" || return 1
    registry() { # which message the image prints
        /usr/bin/python3 "$E2E_LIB/oci-tool.py" push "$E2E_IMAGES/layout" busybox "$REGISTRY" \
            pinned:1 "config:Cmd=[\"echo\",\"$1\"]" index=s390x,"$(dpkg --print-architecture)"
    }
    digest() { skopeo inspect --tls-verify=false --raw "docker://$name" | sha256sum | cut -d' ' -f1; }
    registry old
    old=sha256:$(digest)
    refused 125 "dray.lock has no digest for $name" -- run --rm --lock --pull never "$name"
    [[ ! -e dray.lock ]] || explain "a refusal wrote dray.lock"
    ok run --rm --lock "$name"
    same "$output" old
    same "$(grep -v '^#' dray.lock)" "version 1
$name $old" # of the index: the same for every platform
    registry new
    new=sha256:$(digest)
    # what is there is what is pinned: no word about it, and none with the registry
    ok run --rm --lock "$name"
    same "$output$stderr" old
    ok pull --lock "$name"
    has "$output" "Pinned: $old in dray.lock"
    has "$stderr" "the registry's tag means $new now"
    # what others pulled under that name meanwhile will not do
    ok pull -q "$name"
    ok run --rm "$name"
    same "$output" new
    refused 125 "not, or cannot be told to be, the one that dray.lock pins, $old" -- \
        run --rm --lock --pull never "$name"
    # for a deployment too: it was made of what was there, now it is of what is pinned
    echo "{name: pinned, services: {one: {image: '$name', network_mode: none}}}" >compose.yaml
    ok up -d
    ok logs pinned-one-1
    same "$output" new
    refused 1 "one that dray.lock pins, $old" -- up -qd --lock --pull never
    ok up -d --lock
    ok logs pinned-one-1
    same "$output" old
    ok up -d --lock
    has "$stderr" "pinned-one-1: unchanged"
    ok down
    ok run --rm --lock "$name"
    same "$output" old
    # the cache has nothing any more: it comes by its digest, for another platform too
    ok rmi -f "$name"
    ok cache prune -f
    ok run --rm --lock --pull always "$name"
    same "$output" old
    ok pull -q --lock --platform linux/s390x "$name"
    same "$(grep -c sha256 dray.lock)" 1
    ok pull --lock-update "$name"
    has "$output" "Pinned: $new in dray.lock"
    same "$(grep -v '^#' dray.lock)" "version 1
$name $new"
    ok run --rm --lock-file ./dray.lock "$name"
    same "$output" new
    # a digest that the registry does not have; a file that is no lock; and no registry at all
    other=sha256:$(printf '%064d' 7)
    echo "$name $other" >gone.lock
    refused 1 "gone.lock pins $other" -- pull --lock-file gone.lock "$name"
    has "$stderr" "dray pull --lock-update $name"
    echo nonsense >dray.lock
    refused 78 "dray.lock:1: 'nonsense' is no IMAGE:TAG and DIGEST" -- pull --lock "$name"
    refused 1 "pins what tags of registries mean" -- pull --lock "oci:$E2E_IMAGES/layout:busybox"
    # what has a digest of its own, or is built in, needs no pin
    rm dray.lock
    ok pull -q --lock "$REGISTRY/pinned@$new"
    ok pull -q --lock hello
    [[ ! -e dray.lock ]] || explain "$(<dray.lock)"
}

@test "two images share a layer: the second adds none (C14)" {
    ok pull -q "$(image busybox:1)"
    ok pull -q "$(image deep:1)"
    local before after
    before=$(find "$DRAY_ROOT/layers" -mindepth 1 -maxdepth 1 | wc -l)
    ok pull -q "$(image conf:1)"
    after=$(find "$DRAY_ROOT/layers" -mindepth 1 -maxdepth 1 | wc -l)
    same "$after" "$before" "directories in layers/"
}

@test "forty-one layers: the last one's file wins and every layer's own file is there (C14)" {
    ok run --rm "$(image deep:1)" sh -c 'cat /last; ls / | grep -c only-'
    same "${lines[0]}" 40
    same "${lines[1]}" 40
}

@test "whiteouts, opaque directories and replaced entries look as the image says (C14)" {
    ok pull -q "$(image layers:1)"
    # the image has no shell: it is looked at through busybox
    cp /bin/busybox "$E2E/busybox"
    see() { dray run --rm -v "$E2E/busybox:/busybox:ro" --entrypoint /busybox "$(image layers:1)" "$@"; }
    same "$(see ls /opaque)" new
    same "$(see cat /gone-dir)" "a file takes the name of a removed directory"
    same "$(see cat /back/was-here)" again
    same "$(see cat /dir/file)" two
    same "$(see stat -c '%a %u %g' /dir)" "700 11 12"
    run see ls /gone-file
    [[ $status -ne 0 ]]
    run see find / -xdev -name '.wh*'
    same "$output" ""
}

@test "images lists repository, tag and id, with --format json too" {
    ok pull -q "$(image busybox:1)"
    ok images
    has "${lines[0]}" REPOSITORY
    has "$output" "$REGISTRY/busybox"
    try bash -c '"$DRAY" images --format json | jq -r .Repository'
    [[ $status -eq 0 ]]
    has "$output" "$REGISTRY/busybox"
    ok images -q
    [[ ${lines[0]} =~ ^[0-9a-f]{12}$ ]] || explain "not an id"
}

@test "rmi takes a tag away first, and the layers with the last name" {
    ok pull -q "$(image busybox:1)"
    ok pull -q "$(image busybox:docker)"
    ok pull -q "$(image real:1)"
    ok rmi "$(image busybox:docker)"
    ok run --rm "$(image busybox:1)" true
    local before after
    before=$(find "$DRAY_ROOT/layers" -mindepth 1 -maxdepth 1 | wc -l)
    ok rmi "$(image real:1)"
    after=$(find "$DRAY_ROOT/layers" -mindepth 1 -maxdepth 1 | wc -l)
    ((after == before - 1)) || explain "layers: $before before, $after after"
    refused 1 "$(image real:1)" -- rmi "$(image real:1)"
}

@test "rmi refuses an image that a container uses, and names the container" {
    ok create --name user-of-it --entrypoint true "$(image deep:1)"
    refused 1 "$(image deep:1)" user-of-it -- rmi "$(image deep:1)"
    ok rm user-of-it
    ok rmi "$(image deep:1)"
}

@test "images can be named by id and by a prefix of it" {
    ok pull -q "$(image busybox:1)"
    local id
    id=$(dray images -q "$(image busybox:1)")
    ok run --rm "$id" echo "by id"
    same "$output" "by id"
    ok run --rm "${id:0:6}" echo "by prefix"
    same "$output" "by prefix"
    ok inspect --type image "$id"
    has "$output" "$REGISTRY/busybox:1"
}

@test "hello needs no registry and no network" {
    ok run --rm hello
    [[ -n $output ]]
    ok rmi hello
}

# bats test_tags=also-windows
@test "several pulls of one image at a time give one image, and fetch each blob once" {
    rm -rf "$DRAY_CACHE"
    dray rmi -f "$(image real:1)" >/dev/null 2>&1 || true
    local i pids=() failed=0
    for i in 1 2 3 4; do
        dray pull -q "$(image real:1)" >"$OUT/$i" 2>&1 &
        pids+=($!)
    done
    for i in "${pids[@]}"; do wait "$i" || failed=1; done
    [[ $failed -eq 0 ]] || { cat "$OUT"/[1-4]; false; }
    ok run --rm --entrypoint /bin/bash "$(image real:1)" -c 'echo bash of this system'
    same "$output" "bash of this system"
}
