# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Debian's docker-registry on loopback, on a port that the kernel picks; the token server that it
# trusts; and the proxy that spoils the line to it.

# registry_start DIR [YAML]: serves DIR/data; sets REGISTRY (127.0.0.1:PORT) and writes DIR/pid.
# YAML: more lines for its configuration, token_auth's for example.
registry_start() {
    local dir=$1 more=${2:-} i port
    mkdir -p "$dir/data"
    cat >"$dir/config.yml" <<CONFIG
version: 0.1
log: {level: info, accesslog: {disabled: false}}
storage: {filesystem: {rootdirectory: $dir/data}, delete: {enabled: true}}
http: {addr: '127.0.0.1:0'}
$more
CONFIG
    : >"$dir/log"
    OTEL_TRACES_EXPORTER=none docker-registry serve "$dir/config.yml" >"$dir/log" 2>&1 3>&- 4>&- 5>&- 6>&- &
    echo $! >"$dir/pid"
    for ((i = 0; i < 600; i++)); do
        port=$(sed -n 's/.*listening on 127\.0\.0\.1:\([0-9]*\).*/\1/p' "$dir/log")
        [[ -n $port ]] && break
        sleep 0.05
    done
    [[ -n $port ]] || {
        echo "docker-registry did not start:" >&2
        cat "$dir/log" >&2
        return 1
    }
    REGISTRY=127.0.0.1:$port
    export REGISTRY
}

registry_stop() { # DIR
    local pid
    [[ -f $1/pid ]] || return 0
    pid=$(<"$1/pid")
    kill "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
    rm -f "$1/pid"
}

# registry_push LAYOUT:TAG NAME:TAG [skopeo options]
registry_push() {
    local from=$1 to=$2
    shift 2
    skopeo copy -q --insecure-policy --dest-tls-verify=false "$@" \
        "oci:$from" "docker://$REGISTRY/$to"
}

# token_server_start DIR [options of token-server.py]: sets TOKEN_SERVER (127.0.0.1:PORT); its
# log is DIR/log, its certificate DIR/cert.pem.
token_server_start() {
    fake_start token-server.py "$1" --dir "$@"
    TOKEN_SERVER=$FAKE
    export TOKEN_SERVER
}

# token_auth DIR [REALM]: what makes docker-registry trust the token server that runs in DIR.
token_auth() {
    echo "auth: {token: {realm: '${2:-http://$TOKEN_SERVER/token}', service: fake,"
    echo "  issuer: fake-issuer, rootcertbundle: '$1/cert.pem'}}"
}

# proxy_start DIR [options of proxy.py]: in front of $REGISTRY; sets PROXY (127.0.0.1:PORT); its
# log is DIR/log, and DIR/rules may hold what is to go wrong.
proxy_start() {
    local dir=$1
    shift
    fake_start proxy.py "$dir" --upstream "$REGISTRY" --rules "$dir/rules" "$@"
    PROXY=$FAKE
    export PROXY
}

# fake_start PROGRAM DIR OPTIONS...: sets FAKE (127.0.0.1:PORT), writes DIR/pid
fake_start() {
    local program=$1 dir=$2 i
    shift 2
    mkdir -p "$dir"
    : >"$dir/log"
    rm -f "$dir/port"
    /usr/bin/python3 "$(dirname "${BASH_SOURCE[0]}")/../../fake/$program" \
        --port-file "$dir/port" --log "$dir/log" "$@" >"$dir/err" 2>&1 3>&- 4>&- 5>&- 6>&- &
    echo $! >"$dir/pid"
    for ((i = 0; i < 400; i++)); do
        [[ ! -s $dir/port ]] || break
        sleep 0.05
    done
    [[ -s $dir/port ]] || {
        echo "$program did not start:" >&2
        cat "$dir/err" >&2
        return 1
    }
    FAKE=127.0.0.1:$(<"$dir/port")
}
