#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Bad input: a one-line error that names the thing and the reason, the exit code, no trace.
# bats file_tags=any-runtime
load lib/common

setup_file() {
    suite_setup
    suite_pull busybox:1 conf:1
    IMAGE=$(image busybox:1)
    export IMAGE
}
teardown_file() { suite_teardown; }
setup() { test_setup; }
teardown() { test_teardown; }

# A pull and a run of the same broken image: 1 and 125, the same reason, and no layer stays.
# The broken ones are made from real:1, since layers that the store has are not asked for.
broken() { # REFERENCE WORD...
    local ref=$1
    shift
    ls "$DRAY_ROOT/layers" >"$OUT/layers"
    refused 1 "$@" -- pull "$ref"
    refused 125 "$@" -- run -q --rm "$ref" true
    ls "$DRAY_ROOT/layers" | diff "$OUT/layers" -
    lacks "$(dray images --format '{{.Repository}}:{{.Tag}}')" "$ref"
}
# An image in the real registry, made wrong by oci-tool.py.
spoiled() { # TAG CHANGE...
    local tag=$1
    shift
    /usr/bin/python3 "$E2E_LIB/oci-tool.py" push "$E2E_IMAGES/layout" real "$REGISTRY" "spoiled:$tag" "$@"
    image "spoiled:$tag"
}
# The registry that lies: sets FAKE to its address.
fake() { # FAULT...
    local fault args=()
    for fault; do args+=(--fault "$fault"); done
    rm -f "$OUT/port"
    /usr/bin/python3 "$E2E_LIB/../../fake/registry.py" --port 0 --port-file "$OUT/port" \
        --dir "$E2E_IMAGES/layout" "${args[@]}" >"$OUT/fake.log" 2>&1 3>&- &
    FAKE_PID=$!
    within 10 test -s "$OUT/port"
    FAKE=127.0.0.1:$(tr -dc 0-9 <"$OUT/port")
}
fake_stop() {
    kill "$FAKE_PID" 2>/dev/null || true
    wait "$FAKE_PID" 2>/dev/null || true
}

# --- names ---

@test "an unknown image of a registry that is there" {
    broken "$(image no/such/image:1)" no/such/image
}

@test "an unknown tag" {
    broken "$(image busybox:no-such-tag)" no-such-tag
}

@test "an unknown digest" {
    broken "$REGISTRY/busybox@sha256:$(printf '0%.0s' {1..64})" 0000000000
}

@test "a registry that is not there: connection refused" {
    broken 127.0.0.1:9/busybox:1 127.0.0.1:9
}

@test "a registry whose name does not resolve" {
    broken registry.invalid/busybox:1 registry.invalid
}

@test "a bad reference is refused before anything is asked" {
    local ref
    for ref in '' upper/CASE:1 'a b' ':tag' 'name:' 'name@sha256:12' 'a//b' '../etc' \
        "name:$(printf 'x%.0s' {1..200})" $'new\nline' $'esc\e[31mape' 'name@md5:00'; do
        try dray pull "$ref"
        [[ $status -eq 1 || $status -eq 125 ]] || explain "pull '$ref'"
        one_line_error || explain "pull '$ref'"
        lacks "$stderr" $'\e'
        try dray run --rm "$ref" true
        same "$status" 125 "run '$ref'"
        one_line_error || explain "run '$ref'"
    done
}

@test "a bad flag, a missing argument, too many words, no image" {
    refused 125 --no-such-flag -- run --no-such-flag "$IMAGE"
    refused 125 --name -- run --name
    try dray run
    same "$status" 125
    one_line_error
    try dray pull a b
    [[ $status -ne 0 ]]
    one_line_error
    try dray nosuchverb
    [[ $status -ne 0 ]]
    one_line_error nosuchverb
    try dray --no-such-flag ps
    [[ $status -ne 0 ]]
    one_line_error --no-such-flag
}

@test "bad values of flags are refused by name, and nothing is made" {
    local -a bad=("--memory x" "--memory 1k" "--cpus -1" "--cpus many" "--cpus 1.2.3"
        "--pids-limit x" "--cpu-shares x" "--ulimit nofile" "--ulimit nofile=2:1" "--ulimit nofile=x"
        "--stop-signal NOSUCH" "--stop-timeout x" "--shm-size x" "--sysctl nonsense"
        "--cap-add NOSUCH" "-v some/where:/x" "-v /" "-v /etc:relative" "-v /a:/b:nosuch"
        "-v /etc:/a:ro:rw:x" "-v :" "--tmpfs relative" "--device nonsense" "--device /dev/null:/x:q"
        "--network nosuch" "--pull sometimes" "--platform nonsense/x/y/z" "--hostname a_b/c"
        "--env-file /no/such/file" "--security-opt seccomp=/no/such/file" "--user a:b:c" "-e =x"
        "--label =x" "--rm=maybe")
    local flag
    for flag in "${bad[@]}"; do
        # shellcheck disable=SC2086 # flag and value
        try dray run -q --rm $flag "$IMAGE" true
        [[ $status -eq 125 ]] || explain "$flag"
        one_line_error || explain "$flag"
    done
}

@test "a bad line of an env file is named with file and line" {
    printf 'GOOD=1\nBAD KEY=2\n' >"$OUT/env"
    refused 125 "$OUT/env" 2 -- run --rm --env-file "$OUT/env" "$IMAGE" true
    printf '=x\n' >"$OUT/env"
    refused 125 "$OUT/env" 1 -- run --rm --env-file "$OUT/env" "$IMAGE" true
    refused 125 "$OUT" -- run --rm --env-file "$OUT" "$IMAGE" true
}

@test "a name in use" {
    ok create --name taken "$IMAGE" true
    refused 125 taken -- run --rm --name taken "$IMAGE" true
}

# --- what the registry answers ---

@test "401, 403 and 404: each says what it was, and nothing is tried again" {
    local code words
    for code in 401 403 404; do
        fake "status=$code" error=DENIED:words-of-the-registry
        broken "$FAKE/real:real" "$FAKE"
        words=$stderr
        case $code in
        401 | 403) [[ $words == *"$code"* || $words == *enied* || $words == *uthori* ]] || explain "$code" ;;
        404) [[ $words == *"$code"* || $words == *"not found"* ]] || explain "$code" ;;
        esac
        fake_stop
    done
}

@test "H4: 429 and 503 with a long Retry-After stop at once and say when" {
    local code
    for code in 429 503; do
        fake "status=$code" retry-after=3600
        SECONDS=0
        broken "$FAKE/real:real" "$FAKE" "$code"
        ((SECONDS < 60)) || explain "took $SECONDS s"
        fake_stop
    done
}

@test "H4: 5xx, a reset and a short body that pass are tried again and the pull succeeds" {
    local fault
    for fault in status=500@1 status=503@1 reset=1000@1 truncate=1000@1 drop@1; do
        fake "$fault"
        DRAY_CACHE=$OUT/cache-$fault ok pull -q "$FAKE/real:real"
        ok rmi "$FAKE/real:real"
        fake_stop
    done
}

@test "H3: what a registry says is escaped and cut: one line, no terminal escapes" {
    fake status=403 "error=DENIED:$(printf 'red \033[31m\nsecond line %01000d' 0)"
    broken "$FAKE/real:real" "$FAKE"
    lacks "$stderr" $'\e'
    fake_stop
}

@test "something that is no registry at all" {
    fake garbage
    DRAY_TEST_TIMEOUT=200 refused 1 "$FAKE" -- pull "$FAKE/real:real"
    fake_stop
    fake content-type=text/html
    broken "$FAKE/real:real" text/html
    fake_stop
}

@test "H2: a manifest of more than 4 MiB is refused" {
    fake huge-manifest
    broken "$FAKE/real:real" 4194304
    fake_stop
}

@test "H2: a blob whose digest is wrong" {
    fake wrong-digest
    DRAY_CACHE=$OUT/cache broken "$FAKE/real:real" "wrong bytes"
    fake_stop
}

@test "H2: a manifest whose digest is wrong" {
    local digest
    digest=$(jq -r '.manifests[] | select(.annotations["org.opencontainers.image.ref.name"] == "real") | .digest' "$E2E_IMAGES/layout/index.json")
    fake wrong-manifest
    DRAY_CACHE=$OUT/cache broken "$FAKE/real@$digest" "wrong bytes"
    fake_stop
}

@test "H2: a blob whose size is wrong, longer and shorter" {
    local fault
    for fault in longer=10 shorter=10 longer-chunked=10; do
        fake "$fault"
        DRAY_TEST_TIMEOUT=200 DRAY_CACHE=$OUT/cache refused 1 "$FAKE/real" -- pull "$FAKE/real:real"
        fake_stop
    done
}

@test "H2: a wrong diffID is refused, nothing becomes visible" {
    broken "$(spoiled diffid diffid)" diff
}

@test "H2: fewer diffIDs than layers" {
    broken "$(spoiled few few-diffids)" diff
}

@test "H1: truncated gzip" {
    broken "$(spoiled gzip truncate)" sha256
}

@test "H1: truncated zstd" {
    broken "$(spoiled zstd zstd truncate)" sha256
}

@test "H2: an unknown layer type is refused by name before the download" {
    local ref
    ref=$(spoiled type layer-type=application/vnd.example.layer)
    broken "$ref" application/vnd.example.layer
}

@test "H2: foreign layers are refused, their urls are not fetched" {
    broken "$(spoiled foreign layer-type=application/vnd.docker.image.rootfs.foreign.diff.tar.gzip)" foreign
}

# --- what cannot be run ---

@test "a command that is not in the image, and one that is not executable" {
    refused 127 no-such-command -- run --rm "$IMAGE" no-such-command
    refused 126 /usr/bin/not-executable -- run --rm "$IMAGE" /usr/bin/not-executable
}

@test "an interpreter that is not there: the command is named" {
    [[ $(runtime_name) != youki ]] || skip "youki 0.7 ends with 255 then, and says nothing"
    mkdir "$OUT/dir"
    printf '#!/no/such/interpreter\n' >"$OUT/dir/script"
    chmod 755 "$OUT/dir/script"
    try dray run --rm -v "$OUT/dir:/scripts" "$IMAGE" /scripts/script
    # the runtime sees it only when the container has started: Docker gives 1 then
    [[ $status -eq 127 || $status -eq 126 || $status -eq 1 ]] || explain "want 126, 127 or 1"
    has "$stderr" /scripts/script
    lacks "$stderr" '{"msg"'
}

@test "C03: no runtime installed: the error has the command that installs one" {
    not_over "wsl wine" "the runtimes are those of the other side"
    unset DRAY_RUNTIME
    try without youki crun runc -- "$DRAY" run --rm "$IMAGE" true
    [[ $status -eq 125 || $status -eq 78 ]] || explain "want 125 or 78"
    one_line_error install crun || explain "want what to do"
}

@test "C02, C03: a runtime that is not there or not executable is a configuration error" {
    try dray --runtime /no/such/runtime run --rm "$IMAGE" true
    [[ $status -eq 125 || $status -eq 78 ]] || explain "want 125 or 78"
    one_line_error /no/such/runtime
    try dray --runtime /etc/passwd run --rm "$IMAGE" true
    [[ $status -eq 125 || $status -eq 78 ]] || explain "want 125 or 78"
    one_line_error /etc/passwd
}

@test "C02: an unknown kind of target is refused by name" {
    try dray --target nosuch://x ps
    [[ $status -ne 0 ]]
    one_line_error nosuch
}

@test "not root: the error says so and what to do" {
    not_over "wsl wine" "who we are there is not who we are here"
    cp "$DRAY" "$OUT/dray"
    chmod -R a+rx "$OUT" "$E2E" "$E2E_SUITE" 2>/dev/null
    local verb
    for verb in "run --rm $IMAGE true" "ps" "pull $IMAGE"; do
        # shellcheck disable=SC2086 # words
        try setpriv --reuid 65534 --regid 65534 --clear-groups "$OUT/dray" $verb
        [[ $status -eq 125 || $status -eq 78 ]] || explain "$verb: want 125 or 78"
        one_line_error root || explain "$verb"
    done
}

@test "a runtime that fails: its name, its status and its own words" {
    # no runtime knows before it tries that there is no such sysctl
    try dray run --rm --sysctl net.no.such.key=1 "$IMAGE" true
    [[ $status -eq 125 ]] || explain "want 125"
    has "$stderr" "run failed (status"
    [[ $stderr == *crun* || $stderr == *runc* || $stderr == *youki* ]] || explain "want the runtime's name"
}

@test "escapes in what a person typed are not printed raw" {
    try dray inspect $'\e[31mred'
    [[ $status -ne 0 ]]
    lacks "$stderr" $'\e'
    try dray run --rm "$IMAGE" $'\e[31mred'
    same "$status" 127
    lacks "$stderr" $'\e'
}

@test "H3: a rootfs whose /dev, /proc, /sys or /etc is a symlink out of it is harmless" {
    mkdir -p "$OUT/evil/bin" "$OUT/evil/escape"
    cp /bin/busybox "$OUT/evil/bin/sh"
    local dir
    for dir in dev proc sys etc; do ln -s "../../../../$OUT/target" "$OUT/evil/$dir"; done
    mkdir "$OUT/target"
    tar -C "$OUT/evil" -cf "$OUT/evil.tar" .
    cp -a "$E2E_IMAGES/layout" "$OUT/layout"
    umoci new --image "$OUT/layout:evil"
    umoci raw add-layer --image "$OUT/layout:evil" "$OUT/evil.tar"
    /usr/bin/python3 "$E2E_LIB/oci-tool.py" push "$OUT/layout" evil "$REGISTRY" evil:1
    ok run --rm "$(image evil:1)" sh -c 'echo $$'
    same "$output" 1
    same "$(ls -A "$OUT/target")" ""
    ok rmi "$(image evil:1)"
}

@test "H1: entries that point out of the root land inside it or are refused" {
    /usr/bin/python3 - "$OUT/hostile.tar" "$OUT/outside" <<'PYTHON'
import io, sys, tarfile
t = tarfile.open(sys.argv[1], "w", format=tarfile.PAX_FORMAT)
def add(name, kind=tarfile.REGTYPE, link="", data=b""):
    i = tarfile.TarInfo(name); i.type = kind; i.linkname = link; i.size = len(data)
    i.mode = 0o755
    t.addfile(i, io.BytesIO(data))
out = sys.argv[2]
add("bin", tarfile.DIRTYPE)
add("up", tarfile.SYMTYPE, "../../../../../../../..")
add("up" + out + "-by-symlink", data=b"escaped")
add("abs", tarfile.SYMTYPE, out.rpartition("/")[0])
add("abs/outside-by-absolute-link", data=b"escaped")
add("hard", tarfile.LNKTYPE, "abs/secret")
t.close()
PYTHON
    echo secret >"$OUT/secret"
    cp -a "$E2E_IMAGES/layout" "$OUT/layout"
    umoci tag --image "$OUT/layout:busybox" hostile
    umoci raw add-layer --image "$OUT/layout:hostile" "$OUT/hostile.tar"
    /usr/bin/python3 "$E2E_LIB/oci-tool.py" push "$OUT/layout" hostile "$REGISTRY" hostile:1
    try dray pull -q "$(image hostile:1)"
    [[ ! -e $OUT/outside-by-symlink && ! -e $OUT/outside-by-absolute-link ]]
    same "$(stat -c %h "$OUT/secret")" 1 "links to a file outside"
    if [[ $status -eq 0 ]]; then
        dray rmi "$(image hostile:1)" >/dev/null
    else
        one_line_error
    fi
}

@test "H2: labels and annotations of an image never reach the runtime" {
    /usr/bin/python3 "$E2E_LIB/oci-tool.py" push "$E2E_IMAGES/layout" busybox "$REGISTRY" labels:1 \
        "config:Labels={\"run.oci.hooks.stderr\":\"$OUT/hook\",\"org.example.sysctl\":\"x\"}"
    ok run -d --name l "$(image labels:1)" sleep 100
    local config
    config=$(find "$DRAY_ROOT/bundles" -name config.json)
    lacks "$(jq -c '.annotations // {}' "$config")" hooks.stderr
    ok rm -f l
    ok rmi "$(image labels:1)"
}
