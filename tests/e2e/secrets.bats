#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# C08, C11, H4: a password gets to the registry, and nowhere else. docker-registry asks for it, over
# TLS, so that what a trace shows in plain text is what we let out.
# bats file_tags=any-runtime, plain-build
load lib/common
load lib/registry

SECRET='s3cr3t-of-ann'
BASE64=$(printf 'ann:%s' "$SECRET" | base64)

setup_file() {
    suite_setup
    mkdir "$E2E/tls" "$E2E/registry"
    # the registry's key, under a CA of its own, and ann's hash (bcrypt)
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=fake \
        -addext subjectAltName=IP:127.0.0.1 -keyout "$E2E/tls/key" -out "$E2E/tls/ca.crt" 2>/dev/null
    echo "ann:$(python3 -W ignore -c 'import crypt,sys;print(crypt.crypt(sys.argv[1],crypt.mksalt(crypt.METHOD_BLOWFISH,rounds=16)))' "$SECRET")" \
        >"$E2E/htpasswd"
    cp -r "$E2E_IMAGES/registry" "$E2E/registry/data"
    REGISTRY_HTTP_TLS_CERTIFICATE=$E2E/tls/ca.crt REGISTRY_HTTP_TLS_KEY=$E2E/tls/key \
        registry_start "$E2E/registry" "auth: {htpasswd: {realm: fake, path: $E2E/htpasswd}}"
    mkdir -p "$HOME/.config/containers/certs.d/$REGISTRY"
    cp "$E2E/tls/ca.crt" "$HOME/.config/containers/certs.d/$REGISTRY/"
    export XDG_RUNTIME_DIR=$E2E/nothing
}
teardown_file() {
    registry_stop "$E2E/registry"
    suite_teardown
}
setup() {
    test_setup
    rm -rf "$HOME/.docker"
}
teardown() { test_teardown; }

# Nothing that runs has it in its command line or environment.
not_in_processes() {
    local found
    found=$(grep -lsaF -e "$SECRET" -e "$BASE64" /proc/[0-9]*/cmdline /proc/[0-9]*/environ || true)
    same "$found" "" "processes that show the secret"
}

not_on_disk() { # whatever is the target's, or passes through its hands
    local found
    found=$(grep -rlaF -e "$SECRET" -e "$BASE64" "$DRAY_ROOT" "$DRAY_RUN_ROOT" "$DRAY_CACHE" "$TMPDIR" || true)
    same "$found" "" "files with the secret"
}

# traced DRAY_ARG...: all processes of it, with what they write, send, execute and open
traced() {
    rm -f "$OUT/trace"
    try strace -f -v -qq -s 100000 -o "$OUT/trace" -e signal=none \
        -e trace=execve,execveat,write,writev,pwrite64,sendto,sendmsg,open,openat,connect \
        "$DRAY" "$@"
}

not_in_trace() { # [PATTERN of lines that may have it]
    local found
    found=$(grep -aF -e "$SECRET" -e "$BASE64" "$OUT/trace" | grep -avE "${1:-^$}" || true)
    same "$found" "" "calls with the secret"
    lacks "$output$stderr" "$SECRET"
}

log_in() { printf '%s\n' "$SECRET" | dray login -u ann --password-stdin "$REGISTRY" 2>/dev/null; }

@test "C08: without a login the error names the way to one, and with one a run works" {
    refused 1 "denies access (401)" "dray login $REGISTRY" -- pull "$(image busybox:1)"
    same "$(log_in)" "Login Succeeded"
    same "$(stat -c %a "$HOME/.docker/config.json")" 600
    ok run --rm "$(image busybox:1)" true
    ok logout "$REGISTRY"
    refused 1 "denies access (401)" -- pull "$(image real:1)"
}

@test "H4: a password of the file is in no command line, environment, log, trace, nor on the target" {
    log_in
    dray rmi -f "$(image busybox:1)" >/dev/null 2>&1 || true
    rm -rf "$DRAY_CACHE"
    traced --debug run -d --name c "$(image busybox:1)" sh -c 'env; mount; exec sleep 100' &
    within 30 has_logged c PATH
    not_in_processes
    lacks "$(dray logs c)$(dray inspect c)$(dray events --since 10m --until 0s)" "$SECRET"
    not_on_disk
    ok rm -f c # whom strace waits for, too
    wait
    grep -q 'execve(.*dray-guest.*DRAY_ROOT=' "$OUT/trace" # it sees what it should
    not_in_trace
}

@test "H4: a helper hears the password on its stdin only, and --password-stdin is not told on" {
    mkdir -p "$HOME/.docker" "$E2E/bin"
    cat >"$E2E/bin/docker-credential-test" <<HELPER
#!/bin/sh
case \$1 in
store) cat >"$HOME/stored" ;;
get) [ -f "$HOME/stored" ] || { echo credentials not found in it; exit 1; }; cat "$HOME/stored" ;;
esac
HELPER
    chmod 755 "$E2E/bin/docker-credential-test"
    echo '{"credsStore":"test"}' >"$HOME/.docker/config.json"
    PATH=$E2E/bin:$PATH traced login -u ann --password-stdin "$REGISTRY" <<<"$SECRET"
    same "$status" 0
    # dray to the helper, and the helper (cat) to its file
    same "$(grep -caF "$SECRET" "$OUT/trace")" 2 "calls with the secret"
    not_in_trace '^[0-9]+ +write\([0-9]+, "\{\\"ServerURL\\"'
    same "$(jq -c ".auths" "$HOME/.docker/config.json")" "{\"$REGISTRY\":{}}"
    dray rmi -f "$(image busybox:1)" >/dev/null 2>&1 || true
    PATH=$E2E/bin:$PATH traced pull "$(image busybox:1)"
    same "$status" 0
    not_in_trace '^[0-9]+ +write\(1, "\{\\"ServerURL\\"'
    rm "$HOME/stored" "$HOME/.docker/config.json"
    traced pull --creds ann --password-stdin "$(image conf:1)" <<<"$SECRET"
    same "$status" 0
    not_in_trace
    not_on_disk
}
