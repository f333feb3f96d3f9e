#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Volumes, and cleaning up: volume verbs, prune, system df.
# bats file_tags=any-runtime
load lib/busybox

@test "a volume: made, used, listed, inspected, removed" {
    ok volume create --label tier=db data
    same "$output" data
    ok volume create data
    ok run --rm -v data:/d "$IMAGE" sh -c 'echo kept >/d/f'
    ok run --rm --mount src=data,dst=/d,readonly "$IMAGE" cat /d/f
    same "$output" kept
    ok volume ls
    same "$(cells "$output")" $'DRIVER|VOLUME NAME\nlocal|data'
    ok volume ls -q -f label=tier=db
    same "$output" data
    ok volume ls -q -f name=nothing
    same "$output" ""
    ok volume inspect data --format '{{.Name}} {{.Driver}} {{index .Labels "tier"}}'
    same "$output" "data local db"
    same "$(cat "$(dray volume inspect -f '{{.Mountpoint}}' data)/f")" kept
    ok inspect -f '{{.Name}}' data
    ok volume rm data
    same "$output" data
    refused 1 data -- volume rm data
    ok volume rm -f data
    refused 1 data -- volume inspect data
    ok volume create
    [[ $output =~ ^[0-9a-f]{64}$ ]]
    ok volume rm "$output"
}

@test "a volume that a container has stays" {
    ok create --name c -v data:/d "$IMAGE" true
    ok volume create free
    refused 1 data -- volume rm data
    ok volume ls -q -f dangling=true
    same "$output" free
    ok volume ls -q -f dangling=false
    same "$output" data
    ok rm c
    ok volume rm data free
}

@test "volume prune takes the anonymous ones, and all on request" {
    ok volume create named
    ok create --name c -v /anon "$IMAGE" true
    ok volume prune -f
    has "$output" "Total reclaimed space: 0B"
    ok rm c
    ok volume prune -f
    has "$output" "Deleted Volumes:"
    ok volume ls -q
    same "$output" named
    ok volume prune -f -a --filter label=nothing
    ok volume ls -q
    same "$output" named
    ok volume prune -f -a
    has "$output" named
    ok volume ls -q
    same "$output" ""
}

@test "container prune takes what does not run, after a yes" {
    ok run -d --name up "$IMAGE" sleep 100
    ok create --name made "$IMAGE" true
    ok run --name ended --label keep "$IMAGE" true
    local ended
    ended=$(full_id ended)
    try bash -c 'echo n | "$DRAY" container prune'
    same "$status" 1
    ok ps -aq
    same "${#lines[@]}" 3
    ok container prune -f --filter 'label!=keep'
    ok ps -a --format '{{.Names}}'
    same "$(sort <<<"$output")" $'ended\nup'
    try bash -c 'echo y | "$DRAY" container prune'
    same "$status" 0
    has "$output" "Deleted Containers:"
    has "$output" "$ended"
    has "$output" "Total reclaimed space: "
    ok ps -a --format '{{.Names}}'
    same "$output" up
}

@test "image prune takes images without a name, and unused ones on request" {
    ok tag "$IMAGE" spare:1
    ok create --name c "$IMAGE" sh
    ok commit c
    local loose=$output
    ok image prune -f
    has "$output" "deleted: $loose"
    has "$output" "Total reclaimed space: "
    ok images -q --no-trunc
    lacks "$output" "$loose"
    ok image prune -f -a
    ok inspect --type image "$IMAGE"
    ok rm c
    ok rmi -f spare:1
}

@test "system df counts, and shows one by one" {
    ok run -d --name up "$IMAGE" sleep 100
    ok run --name ended -v v:/v "$IMAGE" sh -c 'echo x >/f'
    ok system df
    same "$(cells "${lines[0]}")" "TYPE|TOTAL|ACTIVE|SIZE|RECLAIMABLE"
    [[ ${lines[1]} =~ ^Images\ +1\ +1\  ]] || explain images
    [[ ${lines[2]} =~ ^Containers\ +2\ +1\  ]] || explain containers
    [[ ${lines[3]} =~ ^Local\ Volumes\ +1\ +1\  ]] || explain volumes
    ok system df -v
    has "$output" "Images space usage:"
    has "$output" "SHARED SIZE"
    has "$output" "Containers space usage:"
    has "$output" ended
    has "$output" "Local Volumes space usage:"
    ok system df -v --format json
    same "$(jq -r '.Volumes[0].Name' <<<"$output")" v
    ok rm -f up ended
    ok volume rm v
}

@test "system prune takes all that is not used" {
    ok create --name c -v /anon -v named:/n "$IMAGE" true
    ok system prune -f --volumes
    has "$output" "Deleted Containers:"
    has "$output" "Deleted Volumes:"
    has "$output" "Total reclaimed space: "
    ok volume ls -q
    same "$output" named
    ok volume rm named
    ok inspect --type image "$IMAGE"
}
