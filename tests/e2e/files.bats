#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Files of containers: cp, diff, export, commit; history and tag of what came of it.
load lib/common

setup_file() {
    suite_setup
    suite_pull busybox:1
    IMAGE=$(image busybox:1)
    export IMAGE
}
teardown_file() { suite_teardown; }
setup() { test_setup; }
teardown() { test_teardown; }

@test "diff: added, changed, deleted" {
    ok run --name c "$IMAGE" sh -c 'echo x >/new; echo y >>/etc/group; rm /etc/passwd'
    ok diff c
    same "$output" $'C /etc\nC /etc/group\nD /etc/passwd\nA /new'
    refused 1 nobody -- diff nobody
}

@test "export: the whole file system, to stdout or a file that is whole or not there" {
    ok run --name c "$IMAGE" sh -c 'echo x >/new; rm /etc/passwd'
    dray export c >"$OUT/tar"
    tar -tf "$OUT/tar" | sed 's,^\./,,' >"$OUT/list"
    grep -qx new "$OUT/list"
    grep -qx bin/busybox "$OUT/list"
    if grep -q etc/passwd "$OUT/list"; then return 1; fi
    ok export -o "$OUT/file.tar" c
    cmp <(tar -tf "$OUT/file.tar" | sort) <(tar -tf "$OUT/tar" | sort)
    refused 1 nobody -- export -o "$OUT/none.tar" nobody
    [[ ! -e $OUT/none.tar ]]
    same "$(find "$OUT" -name 'none*')" ""
    refused 1 "$OUT/no/where" -- export -o "$OUT/no/where" c
}

@test "commit makes an image with what changed, and with other settings" {
    ok run --name c "$IMAGE" sh -c 'echo mine >/new; rm /etc/passwd'
    ok commit -a me -m "why not" -c 'CMD ["cat", "/new"]' -c 'ENV A=b' c committed:1
    [[ $output =~ ^sha256:[0-9a-f]{64}$ ]]
    local id=$output
    ok run --rm committed:1
    same "$output" mine
    exits 1 run --rm committed:1 sh -c 'echo $A; ls /etc/passwd'
    same "$output" b
    ok inspect --format '{{.Id}} {{.Author}}' committed:1
    same "$output" "$id me"
    ok history --format '{{.Comment}}' committed:1
    same "${lines[0]}" "why not"
    ok images committed
    has "$output" committed
    ok commit c
    ok rmi -f "$output"
    ok rmi committed:1
    refused 1 FROM -- commit -c 'FROM x' c other
    refused 1 nobody -- commit nobody
}

@test "tag and history" {
    ok tag "$IMAGE" other/name:2
    same "$(inspect other/name:2 '{{.Id}}')" "$(inspect "$IMAGE" '{{.Id}}')"
    ok images other/name
    has "${lines[1]}" 2
    ok history other/name:2
    has "${lines[0]}" "CREATED BY"
    ok history -q --no-trunc other/name:2
    same "${lines[0]}" "$(inspect "$IMAGE" '{{.Id}}')"
    ok rmi other/name:2
    has "$output" "Untagged: other/name:2"
    lacks "$output" Deleted
    refused 1 nothing -- tag nothing:1 x
    refused 1 nothing -- history nothing:1
}
