# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What every suite uses. A suite file has a store, a run directory and a cache of its own;
# each test starts without containers and must leave nothing behind: teardown compares.
bats_require_minimum_version 1.5.0

# --- set up and tear down; a suite calls them from the functions of the same names ---

suite_setup() {
    E2E=$(mktemp -d "$E2E_SUITE/$(basename "$BATS_TEST_FILENAME" .bats).XXXXXX")
    mkdir "$E2E/tmp" "$E2E/home" "$E2E/empty"
    export E2E
    export DRAY_ROOT=$E2E/root DRAY_RUN_ROOT=$E2E/run DRAY_CACHE=$E2E/cache
    export TMPDIR=$E2E/tmp HOME=$E2E/home
    unset DRAY_TARGET XDG_CACHE_HOME XDG_CONFIG_HOME DOCKER_CONFIG REGISTRY_AUTH_FILE
}

suite_teardown() {
    remove_containers
    # a store is removed as a whole: that it has nothing mounted below it is checked first
    ! grep -F "$E2E" /proc/self/mountinfo
    rm -rf "$E2E"
}

# What one test leaves is what the next one finds: the machine is looked at once, behind each.
test_setup() {
    OUT=$BATS_TEST_TMPDIR
    [[ -f $E2E/baseline ]] || baseline >"$E2E/baseline"
}

# Containers that a test made go first; then the machine must look as before it.
test_teardown() {
    local end=$((SECONDS + 20))
    remove_containers
    while :; do
        baseline >"$OUT/after"
        ! cmp -s "$E2E/baseline" "$OUT/after" || return 0
        ((SECONDS < end)) || break
        sleep 0.05
    done
    echo "left behind or lost (< before, > after):"
    diff "$E2E/baseline" "$OUT/after" || true
    rm "$E2E/baseline" # not the fault of the tests behind it
    return 1
}

remove_containers() {
    local ids
    compgen -G "$DRAY_ROOT/containers/[0-9a-f]*" >/dev/null || return 0
    ids=$("$DRAY" ps -aq --no-trunc 2>/dev/null) || return 0
    # shellcheck disable=SC2086 # a list of words
    [[ -z $ids ]] || timeout 120 "$DRAY" rm -f -v $ids >/dev/null
}

baseline() { /usr/bin/python3 -IS "$E2E_LIB/baseline.py" "$E2E"; }

# Helpers, monitors and runtimes that run out of this suite's directories.
our_processes() {
    local exe cmd pid
    find /proc/[0-9]* -maxdepth 1 -name exe \( -lname "$DRAY_ROOT/bin/*" -o -lname '*/crun' \
        -o -lname '*/runc' -o -lname '*/youki' \) -printf '%h %l\n' 2>/dev/null |
        while read -r pid exe; do
            cmd=$(tr '\0' ' ' <"$pid/cmdline") || continue
            case $exe in
            "$DRAY_ROOT"/bin/*) echo "helper: $cmd" ;;
            *) [[ $cmd != *"$E2E"* ]] || echo "runtime: $cmd" ;;
            esac
        done 2>/dev/null | sort
}

# --- running dray ---

# With a limit: no test can hang (C33).
dray() { timeout --foreground -k 5 "${DRAY_TEST_TIMEOUT:-120}" "$DRAY" "$@"; }

# try COMMAND...: sets status, output, lines and stderr, as bats' run does, which has
# opinions about 127.
try() {
    status=0
    "$@" >"$OUT/.stdout" 2>"$OUT/.stderr" || status=$?
    output=$(tr -d '\0' <"$OUT/.stdout")
    stderr=$(tr -d '\0' <"$OUT/.stderr")
    mapfile -t lines <<<"$output"
    # shellcheck disable=SC2034 # for the tests
    [[ -n $output ]] || lines=()
}

# ok ARGS...: must succeed
ok() {
    try dray "$@"
    [[ $status -eq 0 ]] || explain "dray $* failed"
}

# exits CODE ARGS...
exits() {
    local want=$1
    shift
    try dray "$@"
    [[ $status -eq $want ]] || explain "dray $*: want exit status $want"
}

# refused CODE WORD... -- ARGS...: the exit code, and one line on stderr that has each WORD.
refused() {
    local want=$1 words=() word
    shift
    while [[ $1 != -- ]]; do
        words+=("$1")
        shift
    done
    shift
    try dray "$@"
    [[ $status -eq $want ]] || {
        explain "dray $*: want exit status $want"
        return 1
    }
    one_line_error "${words[@]}" || explain "dray $*"
}

# The error of the last command is one line, not too long, and names each WORD.
one_line_error() {
    local word
    [[ $(grep -c '' <<<"$stderr") -eq 1 ]] || {
        echo "the error is not one line"
        return 1
    }
    [[ $stderr == "dray"* ]] || {
        echo "the error does not begin with dray"
        return 1
    }
    ((${#stderr} <= 2000)) || {
        echo "the error is longer than 2000 characters"
        return 1
    }
    for word; do
        [[ $stderr == *"$word"* ]] || {
            echo "the error does not say '$word'"
            return 1
        }
    done
}

explain() {
    echo "$* (status $status)"
    echo "stdout: $output"
    echo "stderr: $stderr"
    return 1
}

# not_over BOUNDARIES REASON: a test of what is not there, or is another thing, over these
# (DRAY_TEST_OVER, a word each)
not_over() {
    [[ -z ${DRAY_TEST_OVER:-} || " $1 " != *" $DRAY_TEST_OVER "* ]] || skip "over $DRAY_TEST_OVER: $2"
}

# --- small assertions; each prints what it saw ---

same() { # GOT WANT [what]
    [[ $1 == "$2" ]] || {
        echo "${3:-value}: got '$1', want '$2'"
        return 1
    }
}
has() { # TEXT PART
    [[ $1 == *"$2"* ]] || {
        printf '%q\n is not in:\n%s\n' "$2" "$1"
        return 1
    }
}
lacks() {
    [[ $1 != *"$2"* ]] || {
        printf '%q\n is in:\n%s\n' "$2" "$1"
        return 1
    }
}
# within SECONDS COMMAND...: becomes true. On a machine with other work a second is not much:
# at least thirty are given.
within() {
    local end=$((SECONDS + ($1 > 30 ? $1 : 30)))
    shift
    until "$@"; do
        ((SECONDS < end)) || {
            echo "never became true: $*"
            return 1
        }
        sleep 0.05
    done
}

# The cells of a table, with | between them.
cells() { printf '%s\n' "$1" | sed 's/   */|/g'; }

# --- images and containers ---

# image NAME:TAG: its reference in the suite's registry
image() { echo "$REGISTRY/$1"; }

# Pulls what the suite's tests run, once per suite.
suite_pull() {
    local name
    for name; do
        dray pull -q "$(image "$name")" >/dev/null || return 1
    done
}

inspect() { dray inspect --format "$2" "$1"; }        # CONTAINER TEMPLATE
pid_there() { inspect "$1" '{{.State.Pid}}'; }        # CONTAINER
# As this machine sees it: a distro has pids of its own.
pid_of() { # CONTAINER
    local pid
    pid=$(inspect "$1" '{{.State.Pid}}') || return 1
    [[ ${DRAY_TEST_OVER:-} != w* || $pid -eq 0 ]] || pid=$(cat /proc/[0-9]*/status 2>/dev/null |
        awk -v pid="$pid" '/^NSpid:/ && $3 == pid { print $2; exit }')
    echo "$pid"
}
status_of() { inspect "$1" '{{.State.Status}}'; }     # CONTAINER
is_status() { [[ $(status_of "$1") == "$2" ]]; }      # CONTAINER STATUS
full_id() { inspect "$1" '{{.Id}}'; }                 # CONTAINER
has_logged() { dray logs "$1" 2>&1 | grep -q -- "$2"; } # CONTAINER TEXT

monitor_pid() { # CONTAINER: the process above its init
    awk '/^PPid:/ { print $2 }' "/proc/$(pid_of "$1")/status"
}

# The directory of a container's cgroup in the hierarchy of a v1 controller, or of v2.
cgroup_dir() { # CONTAINER CONTROLLER
    local pid path
    pid=$(pid_of "$1")
    path=$(sed -n "s/^[0-9]*:\([^:]*,\)\{0,1\}$2\(,[^:]*\)\{0,1\}:\(.*\)/\3/p" "/proc/$pid/cgroup")
    if [[ -n $path && -d /sys/fs/cgroup/$2$path ]]; then
        echo "/sys/fs/cgroup/$2$path"
    else
        echo "/sys/fs/cgroup$(sed -n 's/^0:://p' "/proc/$pid/cgroup")"
    fi
}

runtime_name() { dray info --format json | jq -r .runtime.name; }

# without NAME... -- COMMAND...: runs COMMAND where these runtimes cannot be executed, in a
# private mount namespace.
without() {
    local hide="" dir
    while [[ $1 != -- ]]; do
        for dir in /usr/local/sbin /usr/local/bin /usr/sbin /usr/bin /sbin /bin; do
            [[ ! -x $dir/$1 ]] || hide+=" $(realpath "$dir/$1")"
        done
        shift
    done
    shift
    : >"$OUT/hidden"
    chmod 644 "$OUT/hidden"
    HIDDEN="$OUT/hidden" HIDE=$hide unshare -m bash -c \
        'for f in $HIDE; do mount --bind "$HIDDEN" "$f" || exit 99; done; "$@"' bash "$@"
}
