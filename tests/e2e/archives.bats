#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Images into files and back, and from place to place (C12). What dray writes is read by
# skopeo and umoci, what skopeo writes is read by dray; the image's id stays through it all.
# bats file_tags=any-runtime
load lib/common
load lib/registry

setup_file() {
    suite_setup
    cd "$E2E" || return 1
    local name
    for name in real layers; do
        dray pull -q "$(image "$name:1")" >/dev/null
        dray tag "$(image "$name:1")" "$name:1"
    done
}
teardown_file() { suite_teardown; }
setup() {
    test_setup
    cd "$OUT" || return 1
}
teardown() { test_teardown; }

id() { dray inspect --type image --format '{{.Id}}' "$1"; }
# The blobs of a transport's image, as skopeo reads them: ids of config and layers.
config_of() { skopeo inspect --raw --config "$1" | sha256sum | cut -d' ' -f1; }
elsewhere() { DRAY_ROOT=$OUT/root DRAY_CACHE=$OUT/cache dray "$@"; }
ok_elsewhere() {
    try elsewhere "$@"
    [[ $status -eq 0 ]] || explain "dray $* failed"
}
# fails CODE TEXT COMMAND...: with an error that says it
fails() {
    local code=$1 text=$2
    shift 2
    try "$@"
    [[ $status -eq $code ]] || explain "exit status $status, not $code: $*"
    grep -q -- "$text" <<<"$stderr" || explain "it does not say '$text'"
}

@test "C12: what save writes is read by skopeo and umoci, and has the same config" {
    local format
    for format in docker-archive oci-archive oci-dir; do
        ok save --format "$format" -o "$format" real:1 layers:1
    done
    ok save --format docker-dir -o docker-dir layers:1
    same "sha256:$(config_of docker-archive:docker-archive:real:1)" "$(id real:1)"
    same "sha256:$(config_of docker-archive:docker-archive:layers:1)" "$(id layers:1)"
    same "sha256:$(config_of oci-archive:oci-archive:docker.io/library/layers:1)" "$(id layers:1)"
    same "sha256:$(config_of oci:oci-dir:docker.io/library/real:1)" "$(id real:1)"
    same "sha256:$(config_of dir:docker-dir)" "$(id layers:1)"
    # the registry's own manifest, since the cache has its blobs
    same "$(skopeo inspect --raw oci:oci-dir:docker.io/library/layers:1 | sha256sum)" \
        "$(skopeo inspect --tls-verify=false --raw "docker://$(image layers:1)" | sha256sum)"
    # skopeo verifies each layer's digest and, into docker's form, its diff id
    skopeo copy -q --insecure-policy oci:oci-dir:docker.io/library/layers:1 docker-archive:again:layers:1
    skopeo copy -q --insecure-policy docker-archive:docker-archive:layers:1 dir:again-dir
    ok copy -q oci:oci-dir:docker.io/library/layers:1 oci:umoci:layers
    umoci raw unpack --image umoci:layers theirs
    umoci raw unpack --image "$E2E_IMAGES/layout:layers" ours
    ok cache prune -f
    python3 "$E2E_LIB/compare-trees.py" ours theirs
}

@test "C12: without the cache the layers are made again, byte by byte" {
    local diff_ids layer
    ok cache prune -f
    ok save -o docker.tar layers:1
    ok save --format oci-archive -o oci.tar layers:1
    diff_ids=$(dray inspect --type image --format '{{json .RootFS.Layers}}' layers:1 | jq -r '.[]')
    mkdir d o
    tar -xf docker.tar -C d
    tar -xf oci.tar -C o
    for layer in $(jq -r '.[0].Layers[]' d/manifest.json); do
        echo "sha256:$(sha256sum <"d/$layer" | cut -d' ' -f1)"
    done | diff - <(echo "$diff_ids")
    for layer in $(jq -r '.layers[].digest' "o/blobs/sha256/$(jq -r '.manifests[0].digest' o/index.json | cut -d: -f2)"); do
        echo "sha256:$(zcat "o/blobs/sha256/${layer#sha256:}" | sha256sum | cut -d' ' -f1)"
    done | diff - <(echo "$diff_ids")
    # the same bytes each time
    ok save --format oci-archive -o oci2.tar layers:1
    cmp oci.tar oci2.tar
}

@test "C12: load takes what dray and skopeo wrote, from files, directories and pipes, under its names" {
    local want
    want=$(id layers:1)
    ok save -o docker.tar layers:1 real:1
    ok save --format oci-archive -o oci.tar layers:1
    ok save --format oci-dir -o layout layers:1
    # through a pipe a directory is a tar
    dray save --format docker-dir layers:1 | elsewhere load -q | grep -qx "Loaded image ID: $want"
    dray save --format oci-dir layers:1 | cmp - oci.tar
    skopeo copy -q --insecure-policy oci-archive:oci.tar docker-archive:skopeo.tar:theirs/layers:2
    skopeo copy -q --insecure-policy --dest-compress-format zstd oci-archive:oci.tar oci-archive:zstd.tar:x
    ok_elsewhere load -q -i docker.tar
    same "$output" "Loaded image: layers:1
Loaded image: real:1"
    same "$(elsewhere inspect --type image --format '{{.Id}}' layers:1)" "$want"
    ok_elsewhere rmi layers:1 real:1
    local from
    for from in oci.tar layout; do
        ok_elsewhere load -q -i "$from"
        same "$(elsewhere inspect --type image --format '{{.Id}}' layers:1)" "$want"
        ok_elsewhere rmi layers:1
    done
    ok_elsewhere load -q -i skopeo.tar
    same "$output" "Loaded image: theirs/layers:2"
    ok_elsewhere rmi theirs/layers:2
    ok_elsewhere load -q -i zstd.tar
    same "$output" "Loaded image ID: $want"
    ok_elsewhere rmi "$want"
    gzip -c docker.tar | elsewhere load -q | grep -qx "Loaded image: real:1"
    same "$(elsewhere run --rm real:1 cat /etc/services | sha256sum)" \
        "$(dray run --rm real:1 cat /etc/services | sha256sum)"
}

@test "images of buildah run, from the registry and from its archives, and keep their layers" {
    command -v buildah >/dev/null || skip "no buildah"
    local from image name=$REGISTRY/buildah
    buildah_() { buildah --storage-driver vfs --root "$OUT/theirs" --runroot "$OUT/theirs-run" "$@"; }
    {
        image=$(buildah_ from scratch)
        buildah_ config --cmd '/bin/busybox env' --env BY=buildah --label by=buildah "$image"
        buildah_ copy "$image" /bin/busybox /bin/
        buildah_ commit --format oci --tls-verify=false "$image" "docker://$name:oci"
        buildah_ commit --format docker --tls-verify=false "$image" "docker://$name:docker"
        buildah_ commit --format oci "$image" oci-archive:oci.tar
        buildah_ commit --format docker "$image" docker-archive:docker.tar:made/by:buildah
    } >log 2>&1 || { cat log && false; }
    for from in oci docker; do
        ok run --rm "$name:$from"
        has "$output" BY=buildah
        same "$(dray inspect --type image --format '{{.Config.Labels.by}}' "$name:$from")" buildah
        ok_elsewhere load -q -i "$from.tar"
        from=$output
        has "$(elsewhere run --rm "${from##* }")" BY=buildah
    done
    same "$from" "Loaded image: made/by:buildah"
    # and what is pushed is what was pulled
    ok tag "$name:docker" "$name:again"
    ok push -q "$name:again"
    same "$(skopeo inspect --tls-verify=false --raw "docker://$name:again")" \
        "$(skopeo inspect --tls-verify=false --raw "docker://$name:docker")"
}

@test "images of crane run, and crane finds nothing wrong with what dray pushes and saves" {
    local crane form name=$REGISTRY/crane
    crane=$(command -v crane || echo "${DRAY_BUILD_CACHE:-/var/cache/dray-build}/crane/bin/crane")
    [[ -x $crane ]] || skip "no crane"
    crane_() { "$crane" --insecure "$@" >>log 2>&1 || { cat log && false; }; }
    mkdir -p a/bin b/etc
    cp /bin/busybox a/bin
    echo crane >b/etc/by
    tar -C a -cf a.tar .
    tar -C b -cf b.tar .
    # no platform and no times: these configs say next to nothing
    crane_ append --oci-empty-base -f a.tar -f b.tar -t "$name:oci"
    crane_ append -f a.tar -f b.tar -t "$name:docker"
    for form in oci docker; do
        crane_ mutate --cmd /bin/busybox,cat,/etc/by "$name:$form"
        ok run --rm "$name:$form"
        same "$output" crane "$form"
    done
    for form in oci tarball legacy; do
        crane_ pull --format "$form" "$name:oci" "$form"
        ok_elsewhere load -q -i "$form"
        same "$(elsewhere run --rm "${output##* }")" crane "$form"
    done
    # digests, sizes, diff ids and types of all parts, made again and as they came
    ok tag layers:1 "$name:layers"
    ok push -q "$name:layers"
    ok cache prune -f
    ok tag real:1 "$name:real"
    ok push -q "$name:real"
    ok save -o saved.tar real:1
    crane_ validate --remote "$name:layers"
    crane_ validate --remote "$name:real"
    crane_ validate --tarball saved.tar
    same "$(grep -c PASS log)" 3
}

@test "C12: an archive with a wrong layer loads nothing" {
    ok save -o docker.tar layers:1
    mkdir d
    tar -xf docker.tar -C d
    cp "d/$(jq -r '.[0].Layers[0]' d/manifest.json)" "d/$(jq -r '.[0].Layers[-1]' d/manifest.json)"
    tar -cf bad.tar -C d .
    fails 1 "another diff id: sha256:" elsewhere load -q -i bad.tar
    same "$(elsewhere images -q)" ""
}

@test "import downloads a tarball, and its address is in the history without what is secret" {
    local blob url
    blob=$(jq -r '.layers[0].digest' "$E2E_IMAGES/layout/blobs/sha256/$(jq -r '.manifests[] |
        select(.annotations["org.opencontainers.image.ref.name"] == "busybox") | .digest' \
        "$E2E_IMAGES/layout/index.json" | cut -d: -f2)")
    fake_start registry.py "$OUT/web" --dir "$E2E_IMAGES/layout" --fault status=503@1
    url="http://$FAKE/v2/x/blobs/$blob"
    ok import "$url?token=geheim" web:1
    has "$stderr" "Retrying in"
    has "$stderr" "is in trouble (503)"
    has "$stderr" "Download complete"
    ok run --rm web:1 /bin/echo from the web
    same "$output" "from the web"
    ok history --no-trunc --format '{{.Comment}}' web:1
    same "$output" "Imported from $url"
    fails 1 "import $url/no: .* has no such file (404): check the URL" dray import "$url/no?token=geheim"
    [[ $stderr != *geheim* ]] || explain "it tells what is secret"
    kill "$(<"$OUT/web/pid")"
}

@test "a signature policy holds for images in files, and load loads none when it rejects one" {
    local reject='[{"type":"reject"}]' any='[{"type":"insecureAcceptAnything"}]' real
    ok save --format oci-dir -o oci layers:1 real:1
    ok save -o docker.tar layers:1
    real=$(realpath oci)
    echo "{\"default\":$reject}" >none.json
    echo "{\"default\":$reject,\"transports\":{\"oci\":{\"$real\":$any,
        \"$real:docker.io/library/real:1\":$reject}, \"docker-archive\":{\"\":$any}}}" >some.json
    fails 1 "docker.tar: layers:1: the signature policy none.json: it rejects what is in no scope" \
        elsewhere load --signature-policy none.json -i docker.tar
    fails 1 "the archive: layers:1: the signature policy none.json" \
        elsewhere load --signature-policy none.json <docker.tar
    fails 1 "oci: real:1: the signature policy some.json: it rejects what is in '$real:docker" \
        elsewhere load --signature-policy some.json -i oci
    fails 1 "rejects" elsewhere pull --signature-policy some.json oci:oci:real:1
    fails 1 "rejects" dray copy --signature-policy none.json docker-archive:docker.tar oci:new
    fails 125 "rejects" elsewhere run --signature-policy none.json docker-archive:docker.tar true
    ok_elsewhere images -q
    same "$output" "" # nothing was loaded
    [[ ! -e new ]] || explain "there is a copy"
    ok_elsewhere load --signature-policy some.json -i docker.tar
    ok_elsewhere pull -q --signature-policy some.json oci:oci:layers:1
    # the user's own policy counts too
    mkdir -p "$OUT/config/containers"
    cp none.json "$OUT/config/containers/policy.json"
    XDG_CONFIG_HOME=$OUT/config fails 1 "policy.json: it rejects" elsewhere load -i docker.tar
}

@test "C12: export and import give an image that runs, with --change and --message" {
    ok create --name gone "$(image busybox:1)" true
    dray export gone | gzip >root.tar.gz
    ok import -c 'CMD ["echo", "imported"]' -c 'ENV A=b' -m "by hand" root.tar.gz imported:1
    [[ $output == sha256:* ]]
    ok run --rm imported:1
    same "$output" imported
    same "$(dray history --format '{{.Comment}}' imported:1)" "by hand"
    ok run --rm "$(zcat root.tar.gz | dray import -)" /bin/true
    ok rm gone
    ok rmi imported:1
    printf 'BZhnonsense' >x
    fails 1 "import x: .*compressed by bzip2" dray import x
}

@test "C12: run takes an image out of a layout, and inspect --remote looks without a target" {
    ok run --rm "oci:$E2E_IMAGES/layout:busybox" echo from a layout
    same "$output" "from a layout"
    fails 125 "no image nothing in .*, only: busybox" dray run --rm "oci:$E2E_IMAGES/layout:nothing"
    ok --runtime /nowhere image inspect --remote --format '{{.Os}}' "$(image layers:1)" "oci:$E2E_IMAGES/layout:layers"
    same "$output" "linux
linux"
}

@test "C12: copy goes from registry to registry and to every other place, without a target" {
    local want repository=$REGISTRY/copied
    want=$(skopeo inspect --tls-verify=false --raw "docker://$(image layers:1)" | sha256sum | cut -d' ' -f1)
    ok --runtime /nowhere copy "$(image layers:1)" "docker://$repository/a:1"
    same "$output" "sha256:$want"
    same "$(skopeo inspect --tls-verify=false --raw "docker://$repository/a:1" | sha256sum | cut -d' ' -f1)" "$want"
    ok copy -q "$repository/a:1" oci-archive:a.tar:x
    ok copy -q oci-archive:a.tar:x oci:a:y
    ok copy -q oci:a:y dir:a-dir
    ok copy -q dir:a-dir docker-archive:d.tar:a:1
    ok copy -q docker-archive:d.tar "$repository/b:1"
    same "sha256:$(config_of "docker-archive:d.tar:a:1")" "$(id layers:1)"
    skopeo copy -q --insecure-policy --src-tls-verify=false "docker://$repository/b:1" dir:b-dir
    fails 1 "goes to a tag, not to a digest" dray copy "$repository/a:1" "$repository/a@sha256:$want"
}

@test "C12: copy --all takes every platform of an index along, and each side has its own options" {
    local arch want here
    arch=$(dpkg --print-architecture)
    digest() { skopeo inspect --raw "${@:2}" "$1" | sha256sum | cut -d' ' -f1; }
    /usr/bin/python3 "$E2E_LIB/oci-tool.py" push "$E2E_IMAGES/layout" layers "$REGISTRY" \
        every:1 "index=s390x,$arch,ppc64le"
    want=$(digest "docker://$REGISTRY/every:1" --tls-verify=false)
    # to a registry, a layout, a tar, a dir:, and back: the index's bytes stay
    ok copy --all "$REGISTRY/every:1" "docker://$REGISTRY/copied:1"
    same "$output" "sha256:$want"
    same "$(digest "docker://$REGISTRY/copied:1" --tls-verify=false)" "$want"
    ok copy -a "docker://$REGISTRY/every:1" oci:all:one
    ok copy -a oci:all:one oci-archive:all.tar
    ok copy -a oci-archive:all.tar dir:all-dir
    ok copy -a dir:all-dir "docker://$REGISTRY/back:1"
    same "$(digest "docker://$REGISTRY/back:1" --tls-verify=false)" "$want"
    same "sha256:$(jq -r '.manifests[0].digest' all/index.json | cut -d: -f2)" "sha256:$want"
    # all that it names is there, for skopeo too
    for here in "oci:all:one" "dir:all-dir" "docker://$REGISTRY/back:1"; do
        skopeo copy -q --all --insecure-policy --src-tls-verify=false "$here" "dir:skopeo"
        same "$(digest dir:skopeo)" "$want"
        rm -r skopeo
    done
    ok copy --platform linux/s390x oci:all:one docker-archive:one.tar
    same "$(tar -xOf one.tar "$(tar -xOf one.tar manifest.json | jq -r '.[0].Config')" | jq -r .architecture)" s390x
    fails 1 "one platform only" dray copy --all oci:all:one docker-archive:no.tar
    fails 1 "one of them is meant" dray copy --all --platform linux/s390x oci:all:one dir:no
    # a blob that is not there: nothing of the index is
    rm "all/blobs/sha256/$(jq -r '.layers[0].digest' "all/blobs/sha256/$(jq -r '.manifests[0].digest' \
        "all/blobs/sha256/$want" | cut -d: -f2)" | cut -d: -f2)"
    ok cache prune -f
    fails 1 "is not in it" dray copy --all oci:all:one "docker://$REGISTRY/half:1"
    fails 1 "no such image or tag" dray pull "$REGISTRY/half:1"
    # a password for one side is not shown to the other
    fake_start registry.py "$OUT/web" --dir "$E2E_IMAGES/layout" --auth basic --user me --password pw
    ok copy -q --src-creds me:pw "$FAKE/x:busybox" "docker://$REGISTRY/side:1"
    [[ $stderr == *"a password in the command line can be seen"* ]] || explain "no warning"
    # and what is only looked at may need one too
    ok image inspect --remote --creds me:pw --format '{{.Os}}' "$FAKE/x:busybox"
    same "$output" linux
    fails 1 "denies access (401)" dray inspect --remote "$FAKE/x:busybox"
    fails 125 "the flags about registries go with --remote" dray inspect --tls-verify=false layers:1
    fails 1 "denies access (401)" dray copy -q --dest-creds me:pw "$FAKE/x:busybox" dir:no
    kill "$(<"$OUT/web/pid")"
}

@test "search takes the list of repositories where a registry has no search" {
    ok --runtime /nowhere search --format '{{.Name}}' "$REGISTRY/lay"
    same "$output" layers
    ok search --format '{{.Name}}' "$REGISTRY/nothing-like-it"
    same "$output" ""
    fails 1 "search 127.0.0.1:1: .*refused" dray search 127.0.0.1:1/x
}

@test "C12: save -o leaves no file behind that is not whole" {
    fails 1 "nothing:1 is not on this target" dray save -o out.tar layers:1 nothing:1
    same "$(ls)" ""
    fails 1 "holds one image, 2 were given" dray save --format docker-dir -o d layers:1 real:1
    mkdir full && touch full/x
    fails 1 "name an empty directory" dray save --format oci-dir -o full layers:1
    fails 1 "No space left on device" dray save -o /dev/full layers:1
}
