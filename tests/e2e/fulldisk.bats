#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# A full disk: a clear error, nothing left behind, and room is made again by rm and rmi.
# bats file_tags=any-runtime
load lib/common


setup_file() {
    suite_setup
    truncate -s 40M "$E2E/disk.ext4"
    mkfs.ext4 -q -m 0 "$E2E/disk.ext4"
    mkdir "$E2E/disk"
    mount -o loop "$E2E/disk.ext4" "$E2E/disk" 2>"$E2E/mount-error" || rmdir "$E2E/disk"
    export DRAY_ROOT=$E2E/disk/root
    IMAGE=$(image busybox:1)
    export IMAGE
    [[ ! -d $E2E/disk ]] || suite_pull busybox:1
}
teardown_file() {
    remove_containers
    umount "$E2E/disk" 2>/dev/null || true
    suite_teardown
}
setup() {
    [[ -d $E2E/disk ]] || skip "no loop mount here: $(cat "$E2E/mount-error")"
    rm -rf "$E2E/disk"/ballast*
    test_setup
}
teardown() {
    [[ -d $E2E/disk ]] || return 0
    rm -rf "$E2E/disk"/ballast*
    test_teardown
}

fill() { # leaves this many kB free; 0: not one block
    local free
    free=$(df -k --output=avail "$E2E/disk" | tail -n 1)
    if (($1 > 0)); then
        fallocate -l "$((free - $1))k" "$E2E/disk/ballast"
    else
        cat /dev/zero >"$E2E/disk/ballast" 2>/dev/null || true
        # what is too little for a file may do for a directory
        mkdir "$E2E/disk/ballast.d" 2>/dev/null || return 0
        local i
        for ((i = 0; i < 5000; i++)); do
            mkdir "$E2E/disk/ballast.d/$i" 2>/dev/null || return 0
        done
    fi
}

@test "H5: a pull on a full disk says so and leaves no half layer" {
    fill 3000
    find "$DRAY_ROOT/layers" -mindepth 1 -maxdepth 1 | sort >"$OUT/before"
    try dray pull -q "$(image real:1)"
    [[ $status -eq 1 ]] || explain "want exit status 1"
    one_line_error "No space left" || one_line_error "space" || explain "want the reason"
    find "$DRAY_ROOT/layers" -mindepth 1 -maxdepth 1 | sort >"$OUT/after"
    diff "$OUT/before" "$OUT/after"
    rm "$E2E/disk/ballast"
    ok run --rm "$IMAGE" true
}

@test "I7: rm and rmi work with 0 bytes free" {
    ok run -d --name running "$IMAGE" sleep 100
    ok create --name created "$IMAGE" true
    exits 0 run --name exited "$IMAGE" true
    dray pull -q "$(image layers:1)" >/dev/null
    fill 0
    ok rm -f running
    ok rm created exited
    ok rmi "$(image layers:1)"
}

@test "create and run on a full disk fail with the reason and leave nothing" {
    fill 0
    try dray run --rm "$IMAGE" true
    [[ $status -eq 125 ]] || explain "want 125"
    one_line_error space || explain "want the reason"
    try dray create "$IMAGE" true
    [[ $status -eq 125 ]] || explain "want 125"
    one_line_error space || explain "want the reason"
}

@test "I6: a container on a full disk runs on and its exit code is real" {
    ok run -d --name w "$IMAGE" sh -c 'sleep 1; exit 33'
    fill 0
    ok wait w
    same "$output" 33
}

@test "H3: a log that cannot be written does not stop the container" {
    ok run -d --name l "$IMAGE" sh -c 'i=0; while [ $i -lt 30 ]; do echo line $i; i=$((i+1)); sleep 0.05; done; exit 12'
    fill 0
    ok wait l
    same "$output" 12
}

@test "I6, I7: containers that end on a full disk keep their exit codes and can be removed" {
    local id
    ok run -d --name ends "$IMAGE" sh -c 'sleep 1; exit 5'
    ok run -d --name stopped "$IMAGE" sleep 100
    ok run -d --name kept "$IMAGE" sh -c 'sleep 1; exit 6'
    fill 0
    within 5 is_status ends exited
    ok wait ends
    same "$output" 5
    ok stop -t 0 stopped
    same "$(status_of stopped)" exited
    ok rm ends
    ok rm -f stopped
    rm -rf "$E2E/disk"/ballast*
    ok wait kept
    same "$output" 6
    id=$(full_id kept)
    # who waits hears of the end before all of it is put away
    within 5 test ! -e "$DRAY_RUN_ROOT/$id" || explain "the end was not written down when there was room"
    exits 6 start -a kept
    ok rm kept
}

@test "events that cannot be written cost nothing but themselves" {
    ok create --name e "$IMAGE" true
    fill 0
    ok rm e
    rm -rf "$E2E/disk"/ballast*
    ok create --name f "$IMAGE" true
    ok rm f
    # every line is whole, and what came after the full disk is there
    jq -e -s 'map(.action) | index("create") != null' "$DRAY_ROOT/events.log" >/dev/null
    [[ $(tail -n 1 "$DRAY_ROOT/events.log" | jq -r '.action + " " + .name') == "destroy f" ]] ||
        explain "$(tail -n 2 "$DRAY_ROOT/events.log")"
}
