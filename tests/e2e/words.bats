#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# C25: words and variables that no JSON can hold; src/guest/init/carry.h.
# bats file_tags=plain-build
load lib/busybox
setup() {
    not_over wine "a command line of Windows is UTF-16: it holds no such words"
    test_setup
}
teardown() { [[ -n $BATS_TEST_SKIPPED ]] || test_teardown; }

# What a container says of its words, and what it should say.
SHOW='printf "%s|" "$@" | md5sum'
shown() { printf '%s|' "$@" | md5sum; }

has_logged_twice() { [[ $(dray logs "$1" 2>&1 | grep -cF -- "$2") == 2 ]]; }

@test "C25: every byte from 1 to 255, empty words and long ones, of run and of exec" {
    local every long words
    every=$(printf '\\x%02x' {1..255})
    printf -v every '%b' "$every"
    printf -v long '%0100000d' 7
    words=("$every" $'\xff' '' $'a\x80b\n' "$long" $'\xfe'"$long" '' $'\xc3\xa4')
    ok run --name x -d -e $'A=\xf0' -e $'B\xf1=b' "$IMAGE" sh -c "$SHOW; exec sleep 100" sh "${words[@]}"
    within 10 has_logged x "$(shown "${words[@]}")"
    try dray exec -e $'C=\xf2' x sh -c "$SHOW" sh "${words[@]}"
    same "$output" "$(shown "${words[@]}")"
    # an exec has the container's variables, too
    dray exec -e $'C=\xf2' x env | LC_ALL=C grep -a '^[ABC]' | LC_ALL=C sort >"$OUT/env"
    printf 'A=\xf0\nB\xf1=b\nC=\xf2\n' | cmp - "$OUT/env"
    # nothing of how they came is left: a process has its name and three descriptors
    nothing_left() {
        ok exec x sh -c 'cat /proc/1/comm; ls /proc/1/fd; ls /proc/self/fd' $'\xff'
        same "${lines[*]}" "sleep 0 1 2 0 1 2 3"
    }
    within 10 nothing_left
    # what people are shown (U+FFFD in bytes: bash writes it otherwise where there is no locale)
    same "$(inspect x '{{index .Config.Env 2}} {{index .Args 4}} {{index .Config.Cmd 7}}')" $'A=\xef\xbf\xbd \xef\xbf\xbd a\xef\xbf\xbdb '
    # and the next run has them again
    ok restart -t 0 x
    within 10 has_logged_twice x "$(shown "${words[@]}")"
    refused 1 'args[4]' 'not UTF-8' "image's config" -- commit x committed:1
}

@test "C25: such words, and users, terminals, read-only roots, privileges and an init" {
    local flags want
    want=$(shown $'\xff' '')
    while read -ra flags; do
        ok run --rm "${flags[@]}" --entrypoint sh "$IMAGE" -c "$SHOW" sh $'\xff' ''
        same "${output%$'\r'}" "$want"
    done <<'FLAGS'
--init
-u app --read-only --security-opt no-new-privileges
--privileged -t
--cap-drop ALL --network none -m 32m --pids-limit 5
FLAGS
    ok run -d --name x --read-only -u app -m 32m "$IMAGE" sleep 100
    while read -ra flags; do
        ok exec "${flags[@]}" x sh -c "$SHOW" sh $'\xff' ''
        same "${output%$'\r'}" "$want"
    done <<'FLAGS'
-u svc
--privileged -u root
-t -w /tmp
FLAGS
    # a health check is an exec
    ok run -d --name h --health-cmd $'test "\xff" = "$(printf "\\377")"' --health-interval 100ms \
        -e $'H=\xff' "$IMAGE" sh -c 'test ${#H} = 1 && exec sleep 100'
    within 10 is_healthy h
}

is_healthy() { [[ $(inspect "$1" '{{.State.Health.Status}}') == healthy ]]; }

# bats test_tags=any-runtime
@test "C25: with such words, too, 127 is a command that is not there, 126 one that is none" {
    ok run -d --name x "$IMAGE" sleep 100
    refused 127 no-such "not found in" -- run --rm "$IMAGE" no-such $'\xff'
    refused 127 /no/such -- run --rm "$IMAGE" /no/such $'\xff'
    refused 126 not-executable -- run --rm "$IMAGE" /usr/bin/not-executable $'\xff'
    refused 126 not-executable -- run --rm "$IMAGE" not-executable $'\xff'
    refused 127 no-such "not found in" -- exec x no-such $'\xff'
    refused 126 not-executable -- exec -t x /usr/bin/not-executable $'\xff'
    refused 127 'no\xffsuch' -- exec -d x $'no\xffsuch'
    same "$(dray ps -aq | wc -l)" 1
    # its own codes are its own
    exits 127 exec x sh -c 'exit 127' $'\xff'
    same "$stderr" ""
}
