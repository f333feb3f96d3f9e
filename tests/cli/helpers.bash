# SPDX-License-Identifier: Apache-2.0
# Tests of the command line alone: nothing here needs a container, root or a runtime.
# DRAY names the program; the build's one is taken when it is not set.
: "${DRAY:=${BATS_TEST_DIRNAME}/../../build/src/cli/dray}"
# shellcheck disable=SC2034 # manual.bats uses it
MAN_DIR="${BATS_TEST_DIRNAME}/../../docs/man"

# Whatever a test does by mistake, it does it elsewhere.
setup() {
    export DRAY_ROOT="$BATS_TEST_TMPDIR/root" DRAY_RUN_ROOT="$BATS_TEST_TMPDIR/run"
    export DRAY_CACHE="$BATS_TEST_TMPDIR/cache"
    cd "$BATS_TEST_TMPDIR" || return 1
}

# A command a line; one of two words has a - between them, as its manual page.
verbs() {
    "$DRAY" help | sed -nE '/^The same/q; s/^  ([a-z]+( [a-z]+)?)  +.*/\1/p' | tr ' ' -
}

words() { # VERB: as it is typed
    echo "${1/-/ }"
}

# What the options of a help text are: "-d, --detach" or "--name string", a line each.
help_options() {
    # shellcheck disable=SC2046 # two words are two arguments
    "$DRAY" help $(words "$1") | sed -n '/ptions.*:$/,$p' |
        sed -nE 's/^  (    |-., )(--[a-z-]+( [^ ]+)?)  +.*/\1\2/p' | sed 's/^ *//'
}

# The same of a manual page.
page_options() {
    sed -nE 's/^(\*-.\*, )?\*(--[a-z-]+)\*( _([^ ]+)_)?$/\1\2 \4/p' "$1" |
        tr -d '*' | sed 's/ *$//'
}

# refuses CODE TEXT ARG...: dray fails with the code, and with this one line on stderr.
refuses() {
    local code=$1 text=$2 rc=0
    shift 2
    "$DRAY" "$@" >out 2>err </dev/null || rc=$?
    if [ "$rc" != "$code" ] || [ "$(cat err)" != "$text" ] || [ -s out ]; then
        printf 'dray %s\nexit %s, wanted %s\nstderr: %s\nwanted: %s\nstdout: %s\n' "$*" "$rc" \
            "$code" "$(cat err)" "$text" "$(cat out)" >&2
        return 1
    fi
}
