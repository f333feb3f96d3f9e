#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Every command line that makes no sense: the exit code, and one line that names the thing,
# the reason and the way out. Nothing of it reaches a target.
load helpers

teardown() {
    [ ! -e "$DRAY_ROOT" ] && [ ! -e "$DRAY_RUN_ROOT" ]
}

@test "unknown flags are refused by every command" {
    for verb in $(verbs); do
        refuses 125 "dray $verb: unknown flag: --nonsense; see \`dray $verb --help\`" \
            "$verb" --nonsense
        refuses 125 "dray $verb: unknown shorthand flag: -Z; see \`dray $verb --help\`" "$verb" -Z
    done
    refuses 125 "dray: unknown flag: --nonsense; see \`dray --help\`" --nonsense ps
}

@test "typos get what was meant" {
    refuses 125 "dray run: unknown flag: --detahc (did you mean --detach?); see \`dray run --help\`" \
        run --detahc alpine
    refuses 1 "dray: unknown command: imgaes (did you mean images?); see \`dray --help\`" imgaes
    refuses 1 "dray: unknown command: container lss (did you mean ls?); see \`dray --help\`" \
        container lss
    refuses 1 "dray: unknown command: xyzzy; see \`dray --help\`" xyzzy
    refuses 1 "dray: unknown command: xyzzy; see \`dray --help\`" help xyzzy
}

@test "Docker's flags and commands that dray does not have are refused by name" {
    refuses 125 "dray run: --publish is not supported yet (networks of containers are still to come; --network host or none works); see \`dray run --help\`" \
        run --publish 80:80 alpine
    refuses 125 "dray run: --tty is not supported yet (terminals are still to come; -i works without one); see \`dray run --help\`" \
        run -it alpine
    refuses 125 "dray exec: --tty is not supported yet (terminals are still to come; -i works without one); see \`dray exec --help\`" \
        exec -t c sh
    refuses 125 "dray create: --mount is not supported yet (use -v and --tmpfs); see \`dray create --help\`" \
        create --mount type=bind,src=/a,dst=/b alpine
    refuses 125 "dray ps: --size is not supported yet (sizes of containers are still to come); see \`dray ps --help\`" \
        ps -s
    refuses 1 "dray: network is not supported yet (--network none and host are what there is for now); see \`dray --help\`" \
        network ls
}

@test "every flag of docker run is either there or refused by name" {
    for flag in add-host annotation attach blkio-weight cap-add cap-drop cgroup-parent cgroupns \
        cidfile cpu-period cpu-quota cpu-shares cpus cpuset-cpus detach detach-keys device dns \
        domainname entrypoint env env-file expose gpus group-add health-cmd hostname init \
        interactive ip ipc label label-file link log-driver log-opt mac-address memory \
        memory-swap mount name network network-alias no-healthcheck oom-score-adj pid pids-limit \
        platform privileged publish publish-all pull quiet read-only restart rm runtime \
        security-opt shm-size sig-proxy stop-signal stop-timeout storage-opt sysctl tmpfs tty \
        ulimit user userns uts volume volumes-from workdir; do
        "$DRAY" run "--$flag" 2>err || true
        if grep "unknown" err; then return 1; fi
    done
}

@test "wrong numbers of words" {
    refuses 125 "dray run: too few arguments; it is: dray run IMAGE [COMMAND] [ARG...]; see \`dray run --help\`" run
    refuses 125 "dray exec: too few arguments; it is: dray exec CONTAINER COMMAND [ARG...]; see \`dray exec --help\`" exec c
    refuses 1 "dray rm: too few arguments; it is: dray rm CONTAINER [CONTAINER...]; see \`dray rm --help\`" rm
    refuses 1 "dray pull: too many arguments; it is: dray pull NAME[:TAG|@DIGEST]; see \`dray pull --help\`" pull a b
    refuses 1 "dray ps: it takes no arguments, and \"x\" was given; see \`dray ps --help\`" ps x
    refuses 125 "dray start: -a attaches to one container, and 2 were named; see \`dray start --help\`" start -a b c
}

@test "bad values of flags" {
    refuses 125 "dray run: invalid argument \"12x\" for \"-m, --memory\" flag: it must be a size: a number with b, k, m or g behind it; see \`dray run --help\`" \
        run -m 12x alpine
    refuses 125 "dray run: invalid argument \"1m\" for \"-m, --memory\" flag: the minimum is 6m; see \`dray run --help\`" \
        run -m1m alpine
    refuses 125 "dray run: invalid argument \"sometimes\" for \"--pull\" flag: it must be always, missing, newer or never; see \`dray run --help\`" \
        run --pull=sometimes alpine
    refuses 125 "dray run: --network bridge is not supported yet (networks of containers are still to come); use none or host; see \`dray run --help\`" \
        run --network bridge alpine
    refuses 125 "dray run: flag needs an argument: --name string; see \`dray run --help\`" run --name
    refuses 125 "dray run: invalid environment variable \"=x\": it must be NAME or NAME=VALUE; see \`dray run --help\`" \
        run -e =x alpine
    refuses 125 "dray stop: invalid argument \"-1\" for \"-t, --timeout\" flag: it must be a whole number from 0 to 2147483647; see \`dray stop --help\`" \
        stop -t -1 c
    refuses 125 "dray logs: invalid argument \"x\" for \"-n, --tail\" flag: it must be a number of lines, or all; see \`dray logs --help\`" \
        logs -n x c
    refuses 125 "dray logs: --since: \"noon\" is no time: 2006-01-02T15:04:05Z, 2006-01-02, seconds since 1970, or 10m for ten minutes ago; see \`dray logs --help\`" \
        logs --since noon c
    refuses 125 "dray inspect: invalid argument \"x\" for \"--type\" flag: it must be container or image; see \`dray inspect --help\`" \
        inspect --type x c
    refuses 125 "dray ps: --filter foo=1: it must be KEY=VALUE with one of the keys ancestor, exited, id, label, name and status; see \`dray ps --help\`" \
        ps -f foo=1
}

# The texts of these come from the parsers that the deployment spec shares (tests/unit/spec).
@test "bad volumes, devices, limits, signals, names and references name the input" {
    check() {
        local named=$1 rc=0
        shift
        "$DRAY" "$@" >out 2>err </dev/null || rc=$?
        [ "$rc" = 125 ] && [ ! -s out ] && [ "$(wc -l <err)" = 1 ] && grep -qF -- "$named" err ||
            { echo "dray $*: exit $rc"; cat err; false; } >&2
    }
    check "a:b" run -v a:b alpine
    check "/a:/b:nope" run -v /a:/b:nope alpine
    check "relative" run --tmpfs relative alpine
    check "sda" run --device sda alpine
    check "nofiles=1" run --ulimit nofiles=1 alpine
    check "many" run --cpus many alpine
    check "NOSIG" run --stop-signal NOSIG alpine
    check "NOSIG" kill -s NOSIG c
    check "-x" run --name -x alpine
    check "UPPER" run UPPER
    check "work" run -w work alpine
    check "a b" run --hostname "a b" alpine
    check "noequals" run --sysctl noequals alpine
}

@test "environment files are named with the line" {
    refuses 125 "dray run: --env-file: open nowhere: No such file or directory; see \`dray run --help\`" \
        run --env-file nowhere alpine
    printf 'A=1\nB C=2\n' >bad
    refuses 125 "dray run: --env-file bad, line 2: variable \"B C\" contains whitespace; see \`dray run --help\`" \
        run --env-file bad alpine
    printf '=1\n' >bad
    refuses 125 "dray exec: --env-file bad, line 1: no variable name in \"=1\"; see \`dray exec --help\`" \
        exec --env-file bad c true
}

@test "a container id file that exists is not touched" {
    echo mine >cid
    refuses 125 "dray: --cidfile cid exists: another container may be using it; remove the file, or name another" \
        run --cidfile cid alpine
    [ "$(cat cid)" = mine ]
}

@test "templates that cannot work are refused before anything is asked" {
    refuses 125 "dray ps: --format: {{range .}}: it is not supported; paths, json, index, len, join, upper and lower are; see \`dray ps --help\`" \
        ps --format '{{range .}}'
    refuses 125 "dray inspect: --format: {{ without its }}; see \`dray inspect --help\`" \
        inspect -f '{{.Id' c
    for verb in images info version; do
        "$DRAY" "$verb" --format '{{' 2>err && false
        grep -q "^dray $verb: --format: {{ without its }}" err
    done
}

@test "an error is one line of at most 2,000 characters, escaped (H3)" {
    long=$(printf 'x%.0s' {1..5000})
    "$DRAY" run --pull "$long" alpine 2>err && false
    [ "$(wc -l <err)" = 1 ]
    [ "$(LC_ALL=C.UTF-8 wc -m <err)" -le 2001 ]
    "$DRAY" run --pull $'\e[31m\nsecond' alpine 2>err && false
    [ "$(wc -l <err)" = 1 ]
    grep -qF '\x1b[31m second' err
    "$DRAY" $'\e[31m' 2>err && false
    grep -qF 'unknown command: \x1b[31m' err
}

@test "a target that is not there yet is refused by its name" {
    "$DRAY" --target ssh://host ps 2>err && false
    grep -q "^dray: .*ssh://host.* is not supported yet" err
    DRAY_TARGET=wsl://x "$DRAY" ps 2>err && false
    grep -q "wsl://x" err
}
