#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Files of containers: cp, diff, export, commit; history and tag of what came of it.
# bats file_tags=any-runtime
load lib/busybox

# bats test_tags=also-windows
@test "cp out of a container and into one, files and directories" {
    ok run -d --name box "$IMAGE" sh -c 'mkdir /d; echo in >/d/f; echo ready; sleep 100'
    within 10 has_logged box ready
    cd "$OUT"
    ok cp box:/d/f here
    same "$(cat here)" in
    ok cp box:/d .
    same "$(cat d/f)" in
    mkdir to
    ok cp box:/d/. to
    same "$(cat to/f)" in
    ok cp box:/d/f to
    echo new >mine
    ok cp mine box:/d
    same "$(dray exec box cat /d/mine)" new
    ok cp mine box:/d/other
    same "$(dray exec box cat /d/other)" new
    ok cp to box:/copy
    same "$(dray exec box cat /copy/f)" in
    same "$(dray exec box stat -c %u:%g /copy/f)" 0:0
}

@test "cp works with one that does not run" {
    ok create --name box "$IMAGE" cat /greeting
    echo hello >"$OUT/greeting"
    ok cp "$OUT/greeting" box:/
    ok start -a box
    same "$output" hello
    ok cp box:/greeting "$OUT/back"
    cmp "$OUT/greeting" "$OUT/back"
}

@test "cp keeps links, -L follows the one that the source is, -a keeps owners" {
    not_over wine "Wine 8 says that it made a symbolic link, and makes none; there are no owners"
    ok run -d --name box "$IMAGE" sh -c 'echo x >/f; chown 1000:50 /f; ln -s /f /l; mkdir /d; ln -s f /d/l; echo ready; sleep 100'
    within 10 has_logged box ready
    ok cp box:/d "$OUT"
    same "$(readlink "$OUT/d/l")" f
    ok cp box:/l "$OUT/link"
    [[ -L $OUT/link ]]
    ok cp -L box:/l "$OUT/file"
    [[ ! -L $OUT/file && $(cat "$OUT/file") == x ]]
    ok cp -a box:/f "$OUT/owned"
    same "$(stat -c %u:%g "$OUT/owned")" 1000:50
    ok cp -a "$OUT/owned" box:/owned
    same "$(dray exec box stat -c %u:%g /owned)" 1000:50
}

@test "cp with an archive on stdin and stdout" {
    ok run -d --name box "$IMAGE" sh -c 'mkdir /d; echo 1 >/d/a; echo ready; sleep 100'
    within 10 has_logged box ready
    dray cp box:/d - >"$OUT/tar"
    same "$(tar -tf "$OUT/tar" | sort)" $'d/\nd/a'
    dray cp - box:/tmp <"$OUT/tar"
    same "$(dray exec box cat /tmp/d/a)" 1
    refused 1 /nowhere -- cp box:/nowhere -
    try bash -c '"$DRAY" cp - box:/nowhere <"$1"' - "$OUT/tar"
    same "$status" 1
    has "$stderr" /nowhere
    try bash -c 'echo garbage | "$DRAY" cp - box:/tmp'
    same "$status" 1
}

@test "cp that cannot be: what is missing is named" {
    ok create --name box "$IMAGE" true
    refused 1 /nowhere -- cp box:/nowhere "$OUT"
    refused 1 nobody -- cp nobody:/x "$OUT"
    refused 1 "$OUT/nothing" -- cp "$OUT/nothing" box:/
    refused 1 nodir -- cp box:/etc/passwd "$OUT/nodir/file"
}

@test "cp out follows no link of the container's to the outside" {
    ok run -d --name box "$IMAGE" sh -c 'ln -s /etc/hostname /out; mkdir /d; ln -s ../../../../../../etc /d/etc; echo ready; sleep 100'
    within 10 has_logged box ready
    ok cp -L box:/d/etc "$OUT/etc"
    grep -q "^app:" "$OUT/etc/passwd"
}

@test "diff: added, changed, deleted" {
    ok run --name box "$IMAGE" sh -c 'echo x >/new; echo y >>/etc/group; rm /etc/passwd'
    ok diff box
    same "$output" $'C /etc\nC /etc/group\nD /etc/passwd\nA /new'
    refused 1 nobody -- diff nobody
}

@test "export: the whole file system, to stdout or a file that is whole or not there" {
    ok run --name box "$IMAGE" sh -c 'echo x >/new; rm /etc/passwd'
    dray export box >"$OUT/tar"
    tar -tf "$OUT/tar" | sed 's,^\./,,' >"$OUT/list"
    grep -qx new "$OUT/list"
    grep -qx bin/busybox "$OUT/list"
    if grep -q etc/passwd "$OUT/list"; then return 1; fi
    ok export -o "$OUT/file.tar" box
    cmp <(tar -tf "$OUT/file.tar" | sort) <(tar -tf "$OUT/tar" | sort)
    refused 1 nobody -- export -o "$OUT/none.tar" nobody
    [[ ! -e $OUT/none.tar ]]
    same "$(find "$OUT" -name 'none*')" ""
    refused 1 "$OUT/no/where" -- export -o "$OUT/no/where" box
}

@test "commit makes an image with what changed, and with other settings" {
    ok run --name box "$IMAGE" sh -c 'echo mine >/new; rm /etc/passwd'
    ok commit -a me -m "why not" -c 'CMD ["cat", "/new"]' -c 'ENV A=b' box committed:1
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
    ok commit box
    ok rmi -f "$output"
    ok rmi committed:1
    refused 1 FROM -- commit -c 'FROM x' box other
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
