#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# dray compose config: what a deployment's files say; no target is asked.
load helpers

teardown() {
    [ ! -e "$DRAY_ROOT" ] && [ ! -e "$DRAY_RUN_ROOT" ]
}

@test "a deployment is shown in full, and reads back the same, without its secrets" {
    mkdir -p shop/below
    echo "TOKEN=s3cr3t" >secrets
    cat >shop/dray.yaml <<-'END'
	version: v1
	services:
	  web: {image: nginx, env: {T: $S:TOKEN, H: $E:PLACE}, storage: [./conf:/conf, data:/data]}
	  db: {image: postgres, scale: 2}
	END
    cd shop/below
    PLACE=here "$DRAY" compose config --secrets-file ../../secrets >one
    grep -qx 'deployment: shop' one
    # shellcheck disable=SC2016
    grep -qx '      T: $S:{TOKEN}' one
    grep -qx '      H: here' one
    grep -qx "      source: $BATS_TEST_TMPDIR/shop/conf" one
    ! grep s3cr3t one || false
    "$DRAY" compose config --secrets-file ../../secrets -f one | diff one -
    # shellcheck disable=SC2094
    "$DRAY" compose config --secrets-file ../../secrets -f - <one | diff one -
    [ "$("$DRAY" compose config --secrets-file ../../secrets -f one --services --volumes)" = $'web\ndb\ndata' ]
    "$DRAY" compose config --secrets-file ../../secrets -f one --format json | python3 -m json.tool >/dev/null
    [ -z "$("$DRAY" compose config --secrets-file ../../secrets -f one -q)" ]
}

@test "secrets of Compose files are shown as where they are from" {
    echo hush >token
    cat >compose.yaml <<-'END'
	services: {web: {image: nginx, secrets: [a, b]}}
	secrets: {a: {file: ./token}, b: {environment: PLACE}}
	END
    PLACE=nowhere "$DRAY" compose config -p shop >one
    grep -qx "      source: $PWD/token" one
    grep -qx '      variable: PLACE' one
    ! grep -E 'hush|nowhere' one || false
    PLACE=nowhere "$DRAY" compose config -f one | diff one -
}

@test "all that is wrong with a file is told, each with its place" {
    printf 'version: v1\nservices:\n  web: {imgae: x, scale: many}\n' >dray.yaml
    run "$DRAY" compose config -q
    [ "$status" = 78 ]
    [ "${lines[0]}" = "dray: dray.yaml:3:8: services.web: 'image' is missing" ]
    [[ ${lines[1]} = *":3:9: services.web: there is no field 'imgae'; did you mean 'image'?" ]]
    [[ ${lines[2]} = *":3:26: services.web.scale: 'many': expected a number from 0 to 1000,"* ]]
    [ "${lines[3]}" = "dray: 3 problems in the deployment's files" ]
}

@test "the schema is JSON and needs no file" {
    "$DRAY" compose config --schema | python3 -c 'import json, sys
assert "services" in json.load(sys.stdin)["properties"]'
}
