#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Completion, in real shells. Names of containers, images and volumes come from a dray that
# answers without a target; everything else from the real one's tables.
load helpers

setup() {
    cd "$BATS_TEST_TMPDIR" || return 1
    mkdir bin
    cat >bin/dray <<'END'
#!/bin/sh
printf '%s\n' "$*" >>"$CALLS"
case "$*" in
*"ps -a --format {{.Names}}") printf 'web\nweb2\ndb\n' ;;
*"images --format {{.Repository}}:{{.Tag}}") printf 'alpine:3\nalpine:latest\n<none>:<none>\n' ;;
*"target ls -q") printf 'lab\nlocal\n' ;;
*"volume ls -q") printf 'data\n' ;;
*"network ls --format {{.Name}}") printf 'lan\n' ;;
*) exec "$REAL" "$@" ;;
esac
END
    chmod +x bin/dray
    export REAL=$DRAY CALLS=$PWD/calls PATH=$PWD/bin:$PATH
    : >calls
}

# What bash would offer for a line whose end the cursor is at.
in_bash() {
    bash --norc -c '
        source <(dray completion bash)
        COMP_LINE=$1 COMP_POINT=${#1}
        read -ra COMP_WORDS <<<"$1"
        [[ $1 != *" " ]] || COMP_WORDS+=("")
        COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
        _dray dray
        printf "%s\n" "${COMPREPLY[@]}"' - "$1" | sort
}

in_fish() {
    # shellcheck disable=SC2016 # fish expands it
    fish -c 'dray completion fish | source; complete -C "$argv[1]"' "$1" | cut -f1 | sort
}

# zsh only completes in an editor: the function is called with what it adds caught.
in_zsh() {
    zsh -f -c '
        compdef() { }
        _files() { echo "(files $*)"; }
        compadd() {
            while [[ $1 == -* && $1 != -- ]]; do shift; done
            for word in "${@[2,-1]}"; do [[ $word == ${words[CURRENT]}* ]] && print -r -- $word; done
        }
        source <(dray completion zsh)
        words=(${(s: :)1})
        [[ $1 != *" " ]] || words+=("")
        CURRENT=${#words}
        _dray' - "$1" | sort
}

shells() {
    echo bash
    command -v zsh >/dev/null && echo zsh
    command -v fish >/dev/null && echo fish
    return 0
}

# offers LINE WORD...: in every shell there is.
offers() {
    local line=$1 shell
    shift
    for shell in $(shells); do
        diff <(printf '%s\n' "$@" | sort) <("in_$shell" "$line") || {
            echo "$shell, for '$line'" >&2
            false
        }
    done
}

@test "the scripts are valid" {
    dray completion bash | bash -n
    dray completion bash | shellcheck -s bash -e SC2034,SC2154,SC2207,SC2086,SC2046,SC2178,SC2128 -
    if command -v zsh; then dray completion zsh | zsh -n; fi
    if command -v fish; then dray completion fish | fish -n; fi
}

@test "commands, and the words of groups" {
    offers "dray re" rename restart
    offers "dray vol" volume
    offers "dray volume " create inspect list ls prune rm
    offers "dray system p" prune
    offers "dray --root /x vers" version
}

@test "options, of the command that is typed" {
    offers "dray volume create --" --driver --help --label
    offers "dray volume ls --fo" --format
    offers "dray container ls --no" --no-trunc
    offers "dray run --rm --health-r" --health-retries
    offers "dray --run" --run-root --runtime
}

@test "words that an option can have" {
    offers "dray run --pull " always missing never newer
    offers "dray run --restart un" unless-stopped
    offers "dray --runtime cr" crun
    offers "dray completion " bash fish zsh
}

@test "names come from dray itself" {
    offers "dray rm " db web web2
    offers "dray rm -f web" web web2
    offers "dray rm web " db web web2
    offers "dray stop -t 5 d" db
    offers "dray container exec d" db
    offers "dray volume rm " data
    offers "dray target use l" lab local
    offers "dray network rm " lan
    offers "dray network connect " lan
    offers "dray network connect --ip 10.0.0.9 lan d" db
    offers "dray network disconnect lan w" web web2
    offers "dray inspect d" data db
    grep -qx "ps -a --format {{.Names}}" calls
    offers "dray --root /r --run-root=/rr rm d" db
    grep -qx -- "--root /r --run-root=/rr ps -a --format {{.Names}}" calls
}

@test "images, whose names have a colon" {
    [ "$(in_bash "dray rmi al")" = $'alpine:3\nalpine:latest' ]
    # bash takes what stands before the colon for another word
    [ "$(in_bash "dray run -e A=b --rm alpine:l")" = latest ]
    if command -v fish; then [ "$(in_fish "dray run --rm alpine:l")" = alpine:latest ]; fi
    if command -v zsh; then [ "$(in_zsh "dray run --rm alpine:l")" = alpine:latest ]; fi
}

@test "files where files belong" {
    touch file.env
    [ "$(in_bash "dray run --env-file fi")" = file.env ]
    [ "$(in_bash "dray run alpine fi")" = file.env ]
    [ "$(in_bash "dray cp we")" = $'web2:\nweb:' ]
    [ "$(in_bash "dray cp web:/x fi")" = file.env ]
    if command -v fish; then [ "$(in_fish "dray run --env-file fi")" = file.env ]; fi
}

@test "nothing is offered where only the user knows" {
    [ -z "$(in_bash "dray run --name ")" ]
    [ -z "$(in_bash "dray exec web -")" ]
    [ "$(wc -l <calls)" -le 4 ]
}
