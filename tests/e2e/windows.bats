#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# C02, C25, C33: the Windows program under Wine, and a wsl.exe that leads to a real guest.
# bats file_tags=any-runtime,plain-build
# shellcheck disable=SC2030,SC2031 # each test has an environment of its own
load lib/common
load lib/wsl
load lib/windows
load lib/registry

setup_file() {
    windows_suite_setup || return 0
    [[ ! -f $DRAY_EXE ]] || ok pull -q "$IMAGE"
}
teardown_file() { windows_suite_teardown; }
setup() { windows_test_setup; }
# containers of a test end with the distro; those of the next one must not see them
teardown() {
    if [[ -z $MISSING && -f $DRAY_EXE ]]; then windows_remove_containers; fi
}

windows_remove_containers() {
    local ids
    ids=$(dray ps -aq | tr -d '\r')
    # shellcheck disable=SC2086 # a list of words
    [[ -z $ids ]] || dray rm -f -v $ids >/dev/null
}

win_wsl() { timeout 120 wine wsl.exe "$@"; }
in_distro() { win_wsl -d dray -u root --cd / --exec "$@"; }

@test "the stand-in: wsl.exe's own words, its codes, and those of what it runs" {
    try win_wsl --list --quiet
    cmp "$OUT/.stdout" <(printf 'dray\r\n' | iconv -t utf-16le)
    WSL_UTF8=1 try win_wsl --list --quiet
    cmp "$OUT/.stdout" <(printf 'dray\r\n')
    WSL_UTF8=1 WSL_TWIN_OLD=1 try win_wsl --list --quiet
    cmp "$OUT/.stdout" <(printf 'dray\r\n' | iconv -t utf-16le)
    WSL_UTF8=1 try win_wsl -d nobody --exec true
    same "$status" 255 # all that is left here of -1
    has "$output" WSL_E_DISTRO_NOT_FOUND
    same "$stderr" ""
    try in_distro sh -c 'echo out; echo err >&2; exit 7'
    same "$status $output $stderr" "7 out err"
    try in_distro sh -c 'kill -9 $$'
    same "$status" 9
    WSL_TWIN_WARN="ein ü" try in_distro true
    same "$stderr" "wsl: ein ü"
}

@test "the stand-in: --exec takes words as they are, a shell reads those behind --" {
    try in_distro printf '%s|' 'a b' '$HOME' '*' 'q"q' 'b\' 'b\\"' 'ä€😀' "it's"
    same "$output" "a b|\$HOME|*|q\"q|b\\|b\\\\\"|ä€😀|it's|"
    try win_wsl -d dray -- echo one';' 'echo $HOME'
    same "$output" $'one\n/root'
}

@test "the stand-in: any bytes, both ways at once, and its end is the main child's" {
    head -c 5000000 /dev/urandom >"$OUT/bytes"
    # shellcheck disable=SC2094 # nothing writes to it
    in_distro cat <"$OUT/bytes" | cmp - "$OUT/bytes"
    try in_distro sh -c 'sleep 50 & echo $!'
    same "$status" 0
    try in_distro kill "$output"
    same "$status" 0
}

@test "C02: dray.exe: version, the target and what is the matter with it" {
    needs_exe
    ok --version
    has "$output" "dray version "
    ok version
    has "$output" "windows"
    ok target check
    has "$output" "ok       connection"
    has "$output" "crun"
    refused 78 "angegebenen Namen" WSL_E_DISTRO_NOT_FOUND -- --target wsl://nobody ps
    WSL_TWIN_OLD=1 refused 78 "angegebenen Namen" WSL_E_DISTRO_NOT_FOUND -- --target wsl://nobody ps
    WINEPATH='' refused 69 "WSL is not here" "wsl --install" -- ps
}

@test "C25: dray.exe run and exec: exit codes, stdin, each byte, each word, stderr apart" {
    needs_exe
    local word big i words
    exits 7 run --rm --network none "$IMAGE" sh -c 'echo out; echo err >&2; exit 7'
    same "$output" out
    same "$stderr" err
    exits 127 run --rm "$IMAGE" no-such-command
    has "$stderr" no-such-command
    head -c 3000000 /dev/urandom >"$OUT/bytes"
    # shellcheck disable=SC2094 # nothing writes to it
    dray run --rm -i "$IMAGE" cat <"$OUT/bytes" | cmp - "$OUT/bytes"
    ok run -d --name w "$IMAGE" sleep 100
    printf -v word '%b' "$(for i in $(seq 1 127); do printf '\\x%02x' "$i"; done)"
    printf -v big '%020000d' 7
    words=("$word" 'ä€😀' '' '$HOME' '*' ';' "'\"" $'\n' '-n' "$big" 'b\' 'b\\"' '%PATH%' '^' '&')
    try dray exec w sh -c 'for a; do printf "%s|" "$a"; done | md5sum' sh "${words[@]}"
    same "$output" "$(printf '%s|' "${words[@]}" | md5sum)"
    exits 137 exec w sh -c 'kill -9 $$'
}

@test "dray.exe: run -d, ps, logs -f, inspect, stop, start, rm" {
    needs_exe
    ok run -d --name web "$IMAGE" sh -c 'echo one; echo ä€ >&2; until test -e /go; do sleep 0.05; done; echo last; exec sleep 100'
    ok ps --format '{{.Names}} {{.State}}'
    same "$output" "web running"
    dray logs -f web >"$OUT/log" 2>"$OUT/err" &
    within 10 grep -q one "$OUT/log"
    within 10 grep -q ä€ "$OUT/err"
    ok exec web touch /go
    within 10 grep -q last "$OUT/log"
    same "$(<"$OUT/log")" $'one\nlast'
    same "$(<"$OUT/err")" ä€
    ok stop -t 0 web
    wait $! # its end is the log's
    ok inspect --format '{{.State.Status}} {{.State.ExitCode}}' web
    same "$output" "exited 137"
    exits 1 rm nobody
    has "$stderr" "no such container"
    ok rm web
    ok ps -aq
    same "$output" ""
}

@test "dray.exe: files of Windows: save, load, cp, --env-file, --cidfile, the cache" {
    needs_exe
    local home
    home=$(windows_home)
    ok save -o 'C:\users\me\image.tar' "$IMAGE"
    tar -tf "$home/image.tar" | grep -q manifest.json
    ok rmi "$IMAGE"
    ok load -i image.tar
    has "$output" busybox:1
    printf 'A=from a file\r\nB=ü\n' >"$home/env.txt"
    ok run -d --name files --env-file '.\env.txt' --cidfile id.txt "$IMAGE" sh -c 'echo "$A $B"; exec sleep 100'
    same "$(<"$home/id.txt")" "$output"
    within 10 has_logged files "from a file ü"
    mkdir -p "$home/tree/größe"
    head -c 300000 /dev/urandom >"$home/tree/größe/bytes"
    echo top >"$home/tree/top.txt"
    ok cp 'C:\users\me\tree' files:/tmp/there
    ok cp '.\tree\top.txt' files:/tmp/
    ok exec files sh -c 'cat /tmp/top.txt; wc -c </tmp/there/größe/bytes'
    same "$output" $'top\n300000'
    ok cp files:/tmp/there 'C:\users\me\back'
    diff -r "$home/tree" "$home/back"
    dray cp files:/tmp/there - | tar -t | grep -q there/top.txt
    # a drive without a slash: where one stands on it; what is read-only is replaced
    chmod 444 tree/top.txt
    ok cp files:/tmp/there/größe/bytes 'C:tree\top.txt'
    cmp tree/top.txt "$home/tree/größe/bytes"
    # pulls are remembered where Windows keeps what can be had again
    compgen -G "$E2E/windows/drive_c/users/*/AppData/Local/dray/*" >/dev/null
}

@test "dray.exe: -v with paths of Windows, absolute and relative, and those that are none" {
    needs_exe
    local home
    home=$(windows_home)
    mkdir -p "$home/src"
    echo mine >"$home/src/file"
    ok run --rm -v 'C:\users\me\src:/a' -v '.\src:/b:ro' -v '~\..\me\src:/c' \
        -v 'src:/volume' -v '\users\me:/d' --mount 'type=bind,src=c:/users/me/src,dst=/e' "$IMAGE" \
        sh -c 'cat /a/file /b/file /d/src/file /e/file; ls /volume; echo new >/a/new'
    same "$output" $'mine\nmine\nmine\nmine'
    same "$(<"$home/src/new")" new
    refused 125 "drive D: is not mounted" "mount -t drvfs D:" -- run -v 'D:\x:/a' "$IMAGE"
    refused 125 "a network share" -- run -v '\\server\share:/a' "$IMAGE"
    refused 125 "one letter is a drive" -- cp c:/etc/passwd x
    ok volume rm src
}

@test "dray.exe: Ctrl-C is SIGINT, and a client that is gone leaves nothing half-made" {
    needs_exe
    local code=0
    dray run --rm "$IMAGE" on-signal 9 INT >"$OUT/o" 2>"$OUT/e" &
    within 10 grep -q ready "$OUT/o"
    pkill -INT -x dray.exe
    wait $! || code=$?
    same "$code" 9
    # the process is ended by force
    dray run --rm -i "$IMAGE" sh -c 'echo ready; cat' >"$OUT/o2" 2>"$OUT/e" < <(exec sleep 50 3>&-) &
    within 10 grep -q ready "$OUT/o2"
    pkill -KILL -x dray.exe
    within 20 no_containers
}
no_containers() { [[ -z $(dray ps -aq) ]]; }

@test "dray.exe: a closed window is SIGHUP, or gives up what was begun; nothing is left half-made" {
    needs_exe
    local code=0
    windows_program close-win "$E2E/windows/bin/close-win.exe"
    dray run --rm "$IMAGE" on-signal 9 HUP >"$OUT/o" 3>&- &
    within 10 grep -q ready "$OUT/o"
    close_window
    wait $! || code=$?
    same "$code $(<"$OUT/o")" $'9 ready\ngot HUP'
    # in the middle of a pull, from a registry that does not answer
    python3 -c 'import socket, time
s = socket.create_server(("127.0.0.1", 0))
print(s.getsockname()[1], flush=True)
s.accept()
print("asked", flush=True)
time.sleep(1000)' >"$OUT/silent" 3>&- &
    local server=$!
    within 10 test -s "$OUT/silent"
    dray run --rm "127.0.0.1:$(head -n 1 "$OUT/silent")/x" >"$OUT/o2" 2>"$OUT/e" 3>&- &
    within 10 grep -q asked "$OUT/silent"
    close_window
    code=0
    wait $! || code=$?
    kill "$server"
    same "$code" 130
    has "$(<"$OUT/e")" "cancelled by the caller"
    ok ps -aq
    same "$output" ""
}
close_window() {
    try wine close-win.exe dray.exe
    same "$status $stderr" "1 "
}

# Wine keeps a pipe open whose end its process has closed: that is tried on Linux alone (distros.bats).
@test "C33: dray.exe: garbage, a line that is cut, stuck or full: typed errors, nothing half-made" {
    needs_exe
    local client code=0
    wsl_faults cut=30 cut=200000
    ok run -d --name on "$IMAGE" sleep 100
    dray exec on sh -c 'echo there; exec sleep 50' >"$OUT/o" 2>"$OUT/e" 3>&- &
    client=$!
    within 10 grep -q there "$OUT/o"
    pkill -KILL -x wsl.exe
    wait "$client" || code=$?
    same "$code $(tr -d '\r' <"$OUT/e")" "125 dray: wsl://dray: the connection was lost"
    ok exec on true
}

@test "C12: dray.exe: images in files of a drive: oci:, oci-archive:, docker-archive:, dir:" {
    needs_exe
    local home at id
    home=$(windows_home)
    ok copy -q "docker://$IMAGE" 'oci:C:\users\me\layout:box:1'
    [[ -f $home/layout/oci-layout ]]
    ok copy -q 'oci:C:\users\me\layout:box:1' 'oci-archive:C:/users/me/oci.tar:box:1'
    ok copy -q 'oci-archive:C:/users/me/oci.tar:box:1' 'docker-archive:C:\users\me\docker.tar:box:1'
    ok copy -q 'docker-archive:C:/users/me/docker.tar:box:1' 'dir:C:\users\me\dir'
    [[ -f $home/dir/manifest.json ]]
    ok images -q --no-trunc "$IMAGE"
    id=$output
    for at in 'oci:C:\users\me\layout:box:1' 'oci-archive:c:\users\me\oci.tar' 'docker-archive:C:/users/me/docker.tar'; do
        ok pull -q "$at"
        ok images -q --no-trunc box:1
        same "$output" "$id"
        ok rmi box:1
    done
    ok pull -q 'dir:C:\users\me\dir'
    refused 1 'C:\users\me\none.tar' -- pull -q 'oci-archive:C:\users\me\none.tar:box:1'
}

@test "C13: dray.exe: signatures under a policy, checked by Windows: good ones, another key's, none" {
    needs_exe
    local home kind
    home=$(windows_home)
    mkdir "$OUT/keys"
    openssl ecparam -name prime256v1 -genkey -noout -out "$OUT/keys/ec"
    openssl ecparam -name prime256v1 -genkey -noout -out "$OUT/keys/other"
    openssl genrsa -out "$OUT/keys/rsa" 2048 2>/dev/null
    umoci init --layout "$OUT/layout"
    skopeo copy -q --insecure-policy --src-tls-verify=false "docker://$IMAGE" "oci:$OUT/layout:1"
    registry_push "$OUT/layout:1" signed:1
    for kind in ec rsa; do
        openssl pkey -in "$OUT/keys/$kind" -pubout -out "$home/$kind.pub"
        printf '{"default":[{"type":"reject"}],"transports":{"docker":{"%s":[{"type":"sigstoreSigned","keyPath":"C:\\\\users\\\\me\\\\%s.pub","signedIdentity":{"type":"matchRepository"}}]}}}' \
            "$REGISTRY" "$kind" >"$home/policy-$kind.json"
    done
    refused 1 "the image is not signed" -- pull -q --signature-policy 'C:\users\me\policy-ec.json' "$(image signed:1)"
    sign rsa
    ok pull -q --signature-policy policy-rsa.json "$(image signed:1)"
    sign other
    refused 1 "the signature is not by the policy's key" -- pull -q --signature-policy policy-ec.json "$(image signed:1)"
    sign ec
    ok pull -q --signature-policy policy-ec.json "$(image signed:1)"
}
sign() { # KEY: one signature more
    local tag
    "$E2E_LIB/../../fake/cosign-sign.py" "$OUT/layout" 1 "$OUT/keys/$1" "$REGISTRY/signed" >"$OUT/signed"
    tag=$(sed 's/:/-/' "$OUT/signed").sig
    registry_push "$OUT/layout:$tag" "signed:$tag"
}

# tls_pair NAME SUBJECT-ALT-NAME: NAME.pem and NAME.key, signed by the CA
tls_pair() {
    local name=$1
    printf 'subjectAltName=%s\n' "$2" >"$name.ext"
    openssl req -newkey rsa:2048 -nodes -subj "/CN=$name" -keyout "$name.key" -out "$name.csr" 2>/dev/null
    openssl x509 -req -in "$name.csr" -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile "$name.ext" \
        -out "$name.pem" 2>/dev/null
}
# tls_registry NAME: serves the suite's images over TLS with that pair; sets REGISTRY
tls_registry() {
    mkdir "$OUT/$1"
    ln -s "$E2E_SUITE/registry/data" "$OUT/$1/data"
    REGISTRY_HTTP_TLS_CERTIFICATE=$PWD/$1.pem REGISTRY_HTTP_TLS_KEY=$PWD/$1.key registry_start "$OUT/$1"
}

@test "dray.exe: TLS by Windows: a registry at an address, a client's certificate, Ed25519" {
    needs_exe
    local REGISTRY box=${IMAGE#*/} certs
    # RSA: Wine cannot verify what an ECDSA key has signed
    openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=ca -keyout ca.key -out ca.pem 2>/dev/null
    tls_pair named DNS:localhost
    tls_pair address IP:127.0.0.1
    tls_pair client DNS:client
    openssl req -x509 -newkey ed25519 -nodes -days 2 -subj /CN=ed -keyout ed.key -out ed.pem 2>/dev/null
    tls_registry named
    refused 1 "is not for that address" -- pull -q --tls-ca ca.pem "$REGISTRY/$box"
    ok pull -q --tls-ca ca.pem "localhost:${REGISTRY#*:}/$box"
    refused 1 "is not trusted" -- pull -q --tls-ca client.pem "localhost:${REGISTRY#*:}/$box"
    refused 78 "ed.pem has an Ed25519 key, which Windows' TLS does not know" -- pull -q --tls-ca ed.pem "$REGISTRY/$box"
    registry_stop "$OUT/named"
    REGISTRY_HTTP_TLS_CLIENTCAS="[$PWD/ca.pem]" tls_registry address
    refused 1 "$REGISTRY" -- pull -q --tls-ca ca.pem "$REGISTRY/$box"
    certs=$(echo "$E2E"/windows/drive_c/users/*/AppData/Roaming)/containers/certs.d/${REGISTRY/:/}
    mkdir -p "$certs"
    cp ca.pem "$certs/ca.crt"
    cp client.pem "$certs/me.cert"
    cp address.key "$certs/me.key"
    refused 78 "the key does not belong to the certificate" me.cert me.key -- pull -q "$REGISTRY/$box"
    cp client.key "$certs/me.key"
    ok pull -q "$REGISTRY/$box"
    # it is in Windows' key store now
    echo none >"$certs/me.key"
    ok pull -q "$REGISTRY/$box"
    registry_stop "$OUT/address"
}

@test "dray.exe: forward, of connections and of datagrams" {
    needs_exe
    local tcp udp pid
    ok run -d --name f --network none "$IMAGE" sleep 1000
    pid=$(dray() { "$DRAY" "$@"; }; DRAY_TEST_OVER=wsl pid_of f)
    nsenter -t "$pid" -n python3 "$E2E_LIB/port-tool.py" serve 80 >"$OUT/server" 3>&- &
    within 10 grep -qs ready "$OUT/server"
    dray forward f :80 :80/udp :81/udp >"$OUT/forward" 2>"$OUT/err" 3>&- &
    within 10 grep -q '> 80/udp' "$OUT/forward"
    tcp=$(sed -n 's/^Forwarding from .*:\([0-9]*\) -> 80\r*$/\1/p' "$OUT/forward")
    udp=$(sed -n 's/^Forwarding from .*:\([0-9]*\) -> 80\/udp\r*$/\1/p' "$OUT/forward")
    python3 "$E2E_LIB/port-tool.py" transfer 127.0.0.1 "$tcp" 3000000
    python3 "$E2E_LIB/port-tool.py" udp 127.0.0.1 "$udp"
    pkill -INT -x dray.exe
    wait -n || true
    kill %1 2>/dev/null || true
}

# in_console CODE ARGS... <STEPS: in a console, which Wine makes of a terminal
in_console() {
    local want=$1
    shift
    try timeout --foreground -k 5 90 "$E2E_LIB/pty.py" wine "$DRAY_EXE" "$@"
    [[ $status -eq $want ]] || explain "dray $*: want exit status $want"
}

# Wine's console takes neither Ctrl-C nor arrows from the terminal that it is made of, nor its size.
@test "dray.exe: -it in a console: keys, UTF-8, its size, detach keys, the exit code" {
    needs_exe
    in_console 7 run -it --network none --name t "$IMAGE" sh <<'STEPS'
expect # 
send stty size; test -t 0 && test -t 1 && echo yes-$((1+1))\r
expect 24 80
expect yes-2
send printf ä | od -An -tx1\r
expect c3 a4
send exit 7\r
STEPS
    ok start t
    in_console 0 attach t <<'STEPS'
send echo there-$((1+1))\r
expect there-2
send \x10\x11
expect read escape sequence
STEPS
    ok inspect --format '{{.State.Status}}' t
    same "$output" running
}

@test "dray.exe: the size of a console's window follows, and Ctrl-C is the container's" {
    needs_exe
    windows_program console-win "$E2E/windows/bin/console-win.exe"
    try timeout --foreground -k 5 90 "$E2E_LIB/pty.py" wine console-win.exe 'C:\users\me\resize' \
        "Z:${DRAY_EXE//\//\\}" run -it --rm --network none -v 'C:\users\me:/w' "$IMAGE" sh <<'STEPS'
expect # 
send touch /w/resize; until [ "$(stty size)" = "30 100" ]; do sleep 0.05; done; stty raw; touch /w/resize.keys; until [ "$(head -c 1 | od -An -tx1)" = " 03" ]; do :; done; exit 9\r
STEPS
    [[ $status -eq 9 ]] || explain "the size does not follow, or Ctrl-C does not come"
}
