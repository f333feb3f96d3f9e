#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Pushing to Debian's docker-registry, over a line that is good and over one that is not. What
# arrives is read back by skopeo.
# bats file_tags=any-runtime,plain-build
load lib/common
load lib/registry

setup_file() {
    suite_setup
    proxy_start "$E2E/proxy"
    dray pull -q "$PROXY/real:1" >/dev/null
    dray pull -q "$PROXY/layers:1" >/dev/null
    export E2E_REAL=$PROXY/real:1
}
teardown_file() {
    registry_stop "$E2E/proxy"
    suite_teardown
}
setup() {
    test_setup
    : >"$E2E/proxy/rules"
    : >"$E2E/proxy/log"
}
teardown() { test_teardown; }

rules() { printf '%s\n' "$@" >"$E2E/proxy/rules"; }
asked() { grep -c "^main $1" "$E2E/proxy/log" || true; } # how often, by a pattern
# Bytes of blobs that were sent to the registry.
sent_bytes() { awk '$2 == "PATCH" || ($2 == "PUT" && $3 ~ /uploads/) { n += $7 } END { print n + 0 }' "$E2E/proxy/log"; }
raw() { skopeo inspect --tls-verify=false --raw "docker://$REGISTRY/$1"; }
digest_of() { echo "sha256:$(raw "$1" | sha256sum | cut -d' ' -f1)"; }
# The layers' tars of an image in the registry, by their digests.
diff_ids() {
    rm -rf "$OUT/copy"
    skopeo copy -q --insecure-policy --src-tls-verify=false "docker://$REGISTRY/$1" "dir:$OUT/copy"
    local layer
    for layer in $(jq -r '.layers[].digest' "$OUT/copy/manifest.json"); do
        zcat "$OUT/copy/${layer#sha256:}" | sha256sum | cut -d' ' -f1
    done
}

@test "push sends what was pulled byte for byte, prints its digest, and a second push sends no blob" {
    rm -rf "$DRAY_CACHE/notes"
    ok tag "$PROXY/layers:1" "$PROXY/new/place:1"
    ok push "$PROXY/new/place:1"
    has "$output" "The push refers to repository [$PROXY/new/place]"
    has "$output" ": Pushed"
    has "${lines[-1]}" "1: digest: $(digest_of layers:1) size: $(raw layers:1 | wc -c)"
    same "$(raw new/place:1)" "$(raw layers:1)"
    lacks "$output$stderr" $'\e'
    : >"$E2E/proxy/log"
    ok push "$PROXY/new/place:1"
    same "$(sent_bytes)" 0
    same "$(asked POST)" 0
    same "$(grep -c 'Layer already exists' <<<"$output")" 4
    ok push -q "$PROXY/new/place:1"
    same "$output" "$PROXY/new/place:1"
    ok image push -q "$PROXY/new/place:1"
}

@test "layers of another repository of the registry are mounted from there" {
    ok pull -q "$PROXY/layers:1"
    ok tag "$PROXY/layers:1" "$PROXY/mounted:1"
    : >"$E2E/proxy/log"
    ok push "$PROXY/mounted:1"
    has "$output" "Mounted from "
    same "$(asked 'PATCH')" 0
    (($(asked 'POST .*mount=sha256.*&from=.* 201') >= 4)) || explain "not mounted"
    same "$(raw mounted:1)" "$(raw layers:1)"
}

@test "push --all-tags pushes every tag of the repository, and no other one" {
    local i
    for i in a b; do ok tag "$PROXY/layers:1" "$PROXY/tags:$i"; done
    ok tag "$PROXY/layers:1" "$PROXY/tagsnot:c"
    ok push --all-tags "$PROXY/tags"
    same "$(skopeo list-tags --tls-verify=false "docker://$REGISTRY/tags" | jq -c '.Tags | sort')" '["a","b"]'
    refused 1 "$PROXY/tags:a" "no tag" -- push -a "$PROXY/tags:a"
    refused 1 "nothing/here" -- push -a "$PROXY/nothing/here"
}

@test "an image without its blobs in the cache is made again: same layers, smaller names" {
    local before
    before=$(diff_ids real:1)
    rm -rf "$DRAY_CACHE"
    ok tag "$PROXY/real:1" "$PROXY/again:1"
    ok push "$PROXY/again:1"
    has "${lines[-1]}" "1: digest: $(digest_of again:1)"
    same "$(diff_ids again:1)" "$before" "diff ids"
    # a second time nothing is sent, nor made again
    rm -rf "$DRAY_CACHE/blobs"
    : >"$E2E/proxy/log"
    ok push "$PROXY/again:1"
    same "$(sent_bytes)" 0
    [[ -z $(find "$DRAY_CACHE/blobs" -type f) ]] || explain "blobs were made"
    # what commit made is in no cache at all
    ok create --name to-commit --entrypoint /bin/bash "$PROXY/real:1"
    ok commit to-commit "$PROXY/committed:1"
    ok push -q "$PROXY/committed:1"
    same "$(diff_ids committed:1 | head -n 1)" "$(head -n 1 <<<"$before")"
    ok rm to-commit
    # and dray takes it back
    ok rmi "$PROXY/committed:1"
    ok run --rm --entrypoint /bin/bash "$PROXY/committed:1" -c 'echo back'
    same "$output" back
}

@test "a push over a bad line arrives whole" {
    ok tag "$PROXY/real:1" "$PROXY/bad:1"
    rm -rf "$DRAY_CACHE/notes"
    rules 'truncate-request=100000@1 PATCH' 'status=503@1 POST' 'drop-late@1 PUT uploads' \
        'reset-request=10@1 PUT manifests' 'status=429@1 HEAD blobs' 'retry-after=1'
    ok push "$PROXY/bad:1"
    has "${lines[-1]}" "1: digest: $(digest_of bad:1)"
    : >"$E2E/proxy/rules"
    ok pull -q "$PROXY/bad:1"
}

@test "uploads go on at the Location that the registry names, which gets no token elsewhere" {
    ok tag "$PROXY/real:1" "$PROXY/relative:1"
    rm -rf "$DRAY_CACHE/notes"
    rules 'location=relative'
    ok push "$PROXY/relative:1"
    # A registry that wants tokens. The Location carries a signature, and refuses a request that
    # brings an Authorization, too.
    local REGISTRY PROXY
    token_server_start "$E2E/tokens" --user ann:pw
    registry_start "$E2E/private" "$(token_auth "$E2E/tokens")"
    proxy_start "$E2E/line" --fault 'location=side POST'
    ok tag "$E2E_REAL" "$PROXY/side:1"
    ok push --creds ann:pw "$PROXY/side:1"
    registry_stop "$E2E/line"
    registry_stop "$E2E/private"
    registry_stop "$E2E/tokens"
    ((0 < $(grep -c '^side PATCH' "$E2E/line/log"))) || explain "nothing went there"
    same "$(grep '^side' "$E2E/line/log" | grep -c Bearer)" 0
    # one token serves the whole push
    same "$(grep -c 'ann repository:side:pull,push$' "$E2E/tokens/log")" 1
}

@test "what a registry refuses is said in its own words" {
    ok tag "$PROXY/real:1" "$PROXY/no:1"
    rm -rf "$DRAY_CACHE/notes"
    rules 'status=413 PATCH' 'error=SIZE_INVALID:no_more_than_1_kB_here'
    refused 1 "$PROXY/no:1" "too large (413)" "SIZE_INVALID: no more than 1 kB here" -- push -q "$PROXY/no:1"
    rules 'status=403 POST' 'error=DENIED:the_project_is_archived'
    refused 1 "denies the push (403)" "DENIED: the project is archived" -- push -q "$PROXY/no:1"
    rules 'status=404 POST' 'error=NAME_UNKNOWN:make_it_first'
    refused 1 "has no repository no (404)" "NAME_UNKNOWN: make it first" -- push -q "$PROXY/no:1"
    rules 'status=400 PUT manifests' 'error=MANIFEST_INVALID:we_want_labels'
    refused 1 "MANIFEST_INVALID: we want labels" -- push -q "$PROXY/no:1"
    rules 'status=429 PUT manifests' 'retry-after=600'
    refused 1 "(429)" "try again in 600 s" -- push -q "$PROXY/no:1"
    refused 1 "not-here" "is not on this target" -- push "$PROXY/not-here:1"
    refused 1 "by its tag" -- push "$PROXY/real@$(digest_of real:1)"
    refused 1 -- push "Bad Name"
}
