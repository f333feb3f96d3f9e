#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
load helpers

@test "dray alone and dray help and dray --help show every command" {
    "$DRAY" >a
    "$DRAY" help >b
    "$DRAY" --help >c
    cmp a b && cmp a c
    for verb in run create start stop kill rm wait ps logs exec inspect pull images rmi info \
        version help attach top stats pause unpause restart rename update cp diff export commit \
        events port history tag completion "container prune" "image prune" "system df" \
        "system prune" "network create" "network ls" "network rm" "network prune" \
        "network connect" "network disconnect" "volume create" "volume ls" "volume rm" "volume prune" \
        "target add" "target ls" "target use" "target check" "target inspect" "target rm"; do
        grep -q "^  $verb  " a
    done
}

@test "every command shows its help in three ways, and does nothing" {
    for verb in $(verbs); do
        read -ra typed <<<"$(words "$verb")"
        "$DRAY" help "${typed[@]}" >a
        "$DRAY" "${typed[@]}" --help >b
        cmp a b
        grep -q "^Usage:  dray ${typed[*]}" a
        [ "$verb" = run ] || [ "$verb" = create ] || { "$DRAY" "${typed[@]}" -h >c && cmp a c; }
    done
    [ ! -e root ] && [ ! -e run ]
}

@test "help wins over what follows it" {
    "$DRAY" run --help --nope >a
    "$DRAY" help run >b
    cmp a b
}

@test "Docker's management commands lead to the same help" {
    "$DRAY" container ls --help >a
    "$DRAY" help ps >b
    "$DRAY" help container ls >c
    cmp a b && cmp a c
    "$DRAY" image rm --help >a
    "$DRAY" help rmi >b
    cmp a b
    "$DRAY" container | grep -q "^Usage:  dray container COMMAND"
}

@test "the version needs no target" {
    [[ "$("$DRAY" --version)" =~ ^dray\ version\ [0-9]+\.[0-9]+\.[0-9]+$ ]]
    [ "$("$DRAY" -v)" = "$("$DRAY" --version)" ]
}

@test "lines of help are at most 100 characters" {
    for verb in "" $(verbs); do
        # shellcheck disable=SC2046
        if "$DRAY" help $(words "$verb") | grep -E '^.{101}'; then return 1; fi
    done
}

@test "a full disk behind stdout is an error, a reader that went away is not told" {
    rc=0
    "$DRAY" help >/dev/full 2>err || rc=$?
    [ "$rc" = 1 ]
    [ "$(cat err)" = "dray: cannot write to stdout: No space left on device" ]
    rc=0
    { "$DRAY" help 2>err || echo $? >rc; } | true
    [ ! -s err ]
}

@test "a group without a command behind its options says so and lists its commands" {
    "$DRAY" compose >a
    "$DRAY" compose --help >b
    cmp a b
    for words in "-f x" "--file=x" "-p shop --profile dev"; do
        # shellcheck disable=SC2086
        run "$DRAY" compose $words
        [ "$status" -eq 1 ]
        [[ ${lines[0]} == "dray: compose has options, and no command behind them: "*"see \`dray compose --help\`" ]]
        [[ $output == *$'\n  restart '* ]]
    done
    run "$DRAY" compose --nope up
    [ "$status" -eq 1 ]
    [[ ${lines[0]} == "dray: unknown option before the command of compose: --nope; see \`dray compose --help\`" ]]
    run "$DRAY" compose -f x dwon
    [ "$status" -eq 1 ]
    [ "$output" = "dray: unknown command: compose dwon (did you mean down?); see \`dray compose --help\`" ]
}
