# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Debian's docker-registry on loopback, on a port that the kernel picks.

# registry_start DIR: serves DIR/data; sets REGISTRY (127.0.0.1:PORT) and writes DIR/pid.
registry_start() {
    local dir=$1 i port
    mkdir -p "$dir/data"
    cat >"$dir/config.yml" <<CONFIG
version: 0.1
log: {level: info, accesslog: {disabled: false}}
storage: {filesystem: {rootdirectory: $dir/data}, delete: {enabled: true}}
http: {addr: '127.0.0.1:0'}
CONFIG
    : >"$dir/log"
    OTEL_TRACES_EXPORTER=none docker-registry serve "$dir/config.yml" >"$dir/log" 2>&1 3>&- 4>&- 5>&- 6>&- &
    echo $! >"$dir/pid"
    for ((i = 0; i < 200; i++)); do
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
