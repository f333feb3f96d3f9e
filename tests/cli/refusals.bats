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
        read -ra typed <<<"$(words "$verb")"
        verb=${typed[*]}
        refuses 125 "dray $verb: unknown flag: --nonsense; see \`dray $verb --help\`" \
            "${typed[@]}" --nonsense
        refuses 125 "dray $verb: unknown shorthand flag: -Z; see \`dray $verb --help\`" \
            "${typed[@]}" -Z
    done
    refuses 125 "dray: unknown flag: --nonsense; see \`dray --help\`" --nonsense ps
}

@test "typos get what was meant" {
    refuses 125 "dray run: unknown flag: --detahc (did you mean --detach?); see \`dray run --help\`" \
        run --detahc alpine
    refuses 1 "dray: unknown command: imgaes (did you mean images?); see \`dray --help\`" imgaes
    refuses 1 "dray: unknown command: container lss (did you mean ls?); see \`dray container --help\`" \
        container lss
    refuses 1 "dray: unknown command: xyzzy; see \`dray --help\`" xyzzy
    refuses 1 "dray: unknown command: xyzzy; see \`dray --help\`" help xyzzy
}

@test "Docker's flags and commands that dray does not have are refused by name" {
    refuses 125 "dray run: --memory-swap is not supported yet (this limit is still to come); see \`dray run --help\`" \
        run --memory-swap 1g alpine
    refuses 125 "dray exec: unknown shorthand flag: -T; see \`dray exec --help\`" exec -T c sh
    refuses 125 "dray update: --cpu-quota is not supported yet (use --cpus); see \`dray update --help\`" \
        update --cpu-quota 5 c
    refuses 125 "dray volume create: --opt is not supported yet (volumes are directories of the target); see \`dray volume create --help\`" \
        volume create -o size=1 v
    refuses 125 "dray logs: --details is not supported yet (a log has no attributes); see \`dray logs --help\`" \
        logs --details c
    refuses 125 "dray network create: --attachable is not supported yet (it is for networks of a swarm); see \`dray network create --help\`" \
        network create --attachable n
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
    refuses 125 "dray run: --dns: 'x' is not an IP address; see \`dray run --help\`" run --dns x alpine
    refuses 125 "dray run: --dns-search: 'a b' is no domain, and not '.' for none; see \`dray run --help\`" \
        run --dns-search 'a b' alpine
    refuses 125 "dray run: --add-host: 'db': expected NAME:ADDRESS, where ADDRESS may be host-gateway; see \`dray run --help\`" \
        run --add-host db alpine
    refuses 125 "dray run: --add-host: 'db:1.2.3': '1.2.3' is neither an IP address nor host-gateway; see \`dray run --help\`" \
        run --add-host db:1.2.3 alpine
    refuses 125 "dray run: invalid argument \"12x\" for \"-m, --memory\" flag: it must be a size: a number with b, k, m or g behind it; see \`dray run --help\`" \
        run -m 12x alpine
    refuses 125 "dray run: invalid argument \"1m\" for \"-m, --memory\" flag: the minimum is 6m; see \`dray run --help\`" \
        run -m1m alpine
    refuses 125 "dray run: invalid argument \"sometimes\" for \"--pull\" flag: it must be always, missing, newer or never; see \`dray run --help\`" \
        run --pull=sometimes alpine
    refuses 125 "dray run: --network: 'name=a,x=b': there is no option 'x'; name, alias, ip, ip6 and mac-address are what there is; see \`dray run --help\`" \
        run --network name=a,x=b alpine
    refuses 125 "dray run: flag needs an argument: --name string; see \`dray run --help\`" run --name
    refuses 125 "dray run: invalid environment variable \"=x\": it must be NAME or NAME=VALUE; see \`dray run --help\`" \
        run -e =x alpine
    refuses 125 "dray stop: invalid argument \"-1\" for \"-t, --timeout\" flag: it must be a whole number from 0 to 2147483647; see \`dray stop --help\`" \
        stop -t -1 c
    refuses 125 "dray logs: invalid argument \"x\" for \"-n, --tail\" flag: it must be a number of lines, or all; see \`dray logs --help\`" \
        logs -n x c
    refuses 125 "dray logs: --since: \"noon\" is no time: 2006-01-02T15:04:05Z, 2006-01-02, seconds since 1970, or 10m for ten minutes ago; see \`dray logs --help\`" \
        logs --since noon c
    refuses 125 "dray inspect: invalid argument \"x\" for \"--type\" flag: it must be container, image, volume or network; see \`dray inspect --help\`" \
        inspect --type x c
    refuses 125 "dray ps: --filter foo=1: it must be KEY=VALUE with one of the keys ancestor, before, exited, expose, health, id, label, name, network, publish, since, status and volume; see \`dray ps --help\`" \
        ps -f foo=1
}

@test "bad words and values of the verbs that people use least" {
    refuses 125 "dray run: invalid argument \"stdlog\" for \"-a, --attach\" flag: it must be stdin, stdout or stderr; see \`dray run --help\`" \
        run -a stdlog alpine
    refuses 125 "dray run: -a and -d cannot be together: one attaches, one does not; see \`dray run --help\`" \
        run -d -a stdout alpine
    refuses 125 "dray run: the input device is not a TTY; leave -t away, or -i; see \`dray run --help\`" \
        run -it alpine
    refuses 125 "dray exec: the input device is not a TTY; leave -t away, or -i; see \`dray exec --help\`" \
        exec -it c sh
    refuses 125 "dray update: nothing to change: one of --cpus, --cpu-shares, --memory, --pids-limit and --restart is needed; see \`dray update --help\`" \
        update c
    refuses 125 "dray update: invalid argument \"1m\" for \"-m, --memory\" flag: the minimum is 6m; see \`dray update --help\`" \
        update -m 1m c
    refuses 125 "dray port: invalid port \"0\": it must be a number from 1 to 65535, with /tcp, /udp or /sctp behind it or not; see \`dray port --help\`" \
        port c 0
    refuses 125 "dray port: invalid port \"80/icmp\": it must be a number from 1 to 65535, with /tcp, /udp or /sctp behind it or not; see \`dray port --help\`" \
        port c 80/icmp
    refuses 125 "dray top: aux is not supported; -o COLUMN[,COLUMN...] is, as ps takes it; see \`dray top --help\`" \
        top c aux
    refuses 125 "dray top: -o is not supported; -o COLUMN[,COLUMN...] is, as ps takes it; see \`dray top --help\`" \
        top c -o
    refuses 125 "dray cp: one of the two must be in a container, as CONTAINER:PATH; see \`dray cp --help\`" \
        cp ./a:b /c:d
    refuses 125 "dray cp: copying between containers is not supported; copy to this machine first, or use a pipe: dray cp a:/b - | dray cp - c:DIR; see \`dray cp --help\`" \
        cp a:/b c:/d
    refuses 125 "dray cp: c: the path in the container is missing; see \`dray cp --help\`" cp c: .
    refuses 1 "dray cp: too few arguments; it is: dray cp CONTAINER:SRC DEST|- | SRC|- CONTAINER:DEST; see \`dray cp --help\`" \
        cp c:/x
    refuses 125 "dray events: --since: \"noon\" is no time: 2006-01-02T15:04:05Z, 2006-01-02, seconds since 1970, or 10m for ten minutes ago; see \`dray events --help\`" \
        events --since noon
    refuses 125 "dray events: --filter color=red: it must be KEY=VALUE with one of the keys container, event, image, label, network, type and volume; see \`dray events --help\`" \
        events -f color=red
    refuses 125 "dray container prune: --filter label: it must be KEY=VALUE with one of the keys label, label! and until; see \`dray container prune --help\`" \
        container prune --filter label
    refuses 125 "dray volume prune: --filter until=1h: it must be KEY=VALUE with one of the keys label and label!; see \`dray volume prune --help\`" \
        volume prune --filter until=1h
    refuses 125 "dray volume ls: --filter dangling=maybe: it must be true or false; see \`dray volume ls --help\`" \
        volume ls -f dangling=maybe
    refuses 125 "dray network create: --driver macvlan is not supported; bridge is what there is; see \`dray network create --help\`" \
        network create -d macvlan n
    refuses 125 "dray network create: --gateway 10.2.0.1: no --subnet is given that has it in it; see \`dray network create --help\`" \
        network create --subnet 10.1.0.0/24 --gateway 10.2.0.1 n
    refuses 125 "dray network create: --ip-range 10.1.0.0: it must be a part of a subnet, as 10.1.0.0/25; see \`dray network create --help\`" \
        network create --subnet 10.1.0.0/24 --ip-range 10.1.0.0 n
    refuses 125 "dray network create: --opt x=1 is not supported; mtu=BYTES is; see \`dray network create --help\`" \
        network create -o x=1 n
    refuses 125 "dray network ls: --filter scope=local: it must be KEY=VALUE with one of the keys driver, id, label, name and type; see \`dray network ls --help\`" \
        network ls -f scope=local
    refuses 125 "dray volume create: --driver nfs is not supported; volumes are directories of the target, which is what local means; see \`dray volume create --help\`" \
        volume create -d nfs v
    refuses 125 "dray system df: -v prints three tables, and --format table is for one; leave one away; see \`dray system df --help\`" \
        system df -v --format table
    refuses 125 "dray ps: --filter health=fine: it must be starting, healthy, unhealthy or none; see \`dray ps --help\`" \
        ps -f health=fine
    refuses 125 "dray completion: there is no completion for \"tcsh\"; bash, zsh and fish are there; see \`dray completion --help\`" \
        completion tcsh
    refuses 125 "dray start: -i attaches to one container, and 2 were named; see \`dray start --help\`" \
        start -i b c
    refuses 1 "dray: prune is not supported yet (use container, image, network, volume or system prune); see \`dray --help\`" \
        prune
    refuses 1 "dray: unknown command: volume create; see \`dray --help\`" "volume create" x
    for verb in stats history "volume ls" "system df" events; do
        # shellcheck disable=SC2086
        "$DRAY" $verb --format '{{' x 2>err && false
        grep -q "^dray $verb: " err
    done
}

@test "--mount is refused by the part that is wrong" {
    refuses 125 "dray run: --mount type=bind,dst=/b: source is missing; see \`dray run --help\`" \
        run --mount type=bind,dst=/b alpine
    refuses 125 "dray run: --mount src=v: target is missing; see \`dray run --help\`" \
        run --mount src=v alpine
    refuses 125 "dray run: --mount type=npipe,dst=/b: type=npipe is not supported; bind, volume and tmpfs are; see \`dray run --help\`" \
        run --mount type=npipe,dst=/b alpine
    refuses 125 "dray run: --mount type=tmpfs,src=/a,dst=/b: a tmpfs has no source; see \`dray run --help\`" \
        run --mount type=tmpfs,src=/a,dst=/b alpine
    refuses 125 "dray run: --mount type=bind,src=a,dst=/b: source=a: it must be an absolute path; see \`dray run --help\`" \
        run --mount type=bind,src=a,dst=/b alpine
    refuses 125 "dray run: --mount dst=/b,readonly=perhaps: readonly=perhaps: it must be true or false; see \`dray run --help\`" \
        run --mount dst=/b,readonly=perhaps alpine
    refuses 125 "dray run: --mount dst=/b,volume-driver=x: volume-driver is not supported; type, source, target, readonly, volume-nocopy, bind-propagation, tmpfs-size and tmpfs-mode are; see \`dray run --help\`" \
        run --mount dst=/b,volume-driver=x alpine
    refuses 125 "dray run: --mount ,: it must be KEY=VALUE[,KEY=VALUE...], as in type=bind,source=/a,target=/b; see \`dray run --help\`" \
        run --mount , alpine
}

@test "nothing is removed without a yes" {
    for what in container image volume system; do
        for answer in n no yes "" Nein; do
            rc=0
            echo "$answer" | "$DRAY" $what prune >out 2>err || rc=$?
            [ "$rc" = 1 ]
            [ "$(cat err)" = "dray: $what prune: not confirmed, nothing was removed; -f does not ask" ]
            grep -q "^WARNING! This will remove" out
            grep -q "^Are you sure you want to continue? \[y/N\] $" out
        done
        rc=0
        "$DRAY" $what prune </dev/null >out 2>err || rc=$?
        [ "$rc" = 1 ]
    done
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
    check "--signal" stop -s NOSIG c
    check "NOSIG" restart -s NOSIG c
    check "-x" run --name -x alpine
    check "UPPER" run UPPER
    check "work" run -w work alpine
    check "a b" run --hostname "a b" alpine
    check "noequals" run --sysctl noequals alpine
    check "sometimes" run --restart sometimes alpine
    check "--restart" run --restart on-failure:x alpine
    check "sometimes" update --restart sometimes c
    check "many" update --cpus many c
    check "soon" run --health-interval soon --health-cmd true alpine
    check "syslog" run --log-driver syslog alpine
    check "colour" run --log-opt colour=red alpine
    check "ctrl-1" run -it --detach-keys ctrl-1 alpine
    check "-x" rename c -- -x
    check "a b" volume create "a b"
    check "UPPER" tag a UPPER
    check "UPPER" commit c UPPER
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

@test "label files are named with the line" {
    printf 'a=1\nb c=2\n' >bad
    refuses 125 "dray run: --label-file bad, line 2: label \"b c\" contains whitespace; see \`dray run --help\`" \
        run --label-file bad alpine
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

@test "a target of no known kind, and an address that is none, are refused by name" {
    "$DRAY" --target nosuch://host ps 2>err && false
    grep -q "^dray: target 'nosuch://host' is of no kind that dray knows; it is local:, ssh://" err
    rc=0
    DRAY_TARGET=ssh://-oProxyCommand=id "$DRAY" ps 2>err || rc=$?
    [ "$rc" = 78 ]
    grep -qF "dray: target 'ssh://-oProxyCommand=id': a host cannot begin with '-'" err
}
