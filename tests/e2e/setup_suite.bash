# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Once per run of bats: images out of real files of this system, and a registry with them.
#
# From outside: DRAY (the program; default build/src/cli/dray), DRAY_RUNTIME (which runtime
# the suites run with; default: what dray finds), DRAY_E2E_IMAGES (a directory that keeps the
# images between runs), DRAY_TEST_OVER (ssh, wsl or wine: every command of the suites goes over that
# boundary, see lib/over.bash; a test that looks at things that are not there says so by not_over).

setup_suite() {
    local here IFS=$' \t\n' # bats --filter-tags leaves another one
    here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
    # shellcheck source=tests/e2e/lib/registry.bash
    source "$here/lib/registry.bash"
    export E2E_LIB=$here/lib
    export DRAY=${DRAY:-$here/../../build/src/cli/dray}
    [[ -x $DRAY ]] || {
        echo "no dray at $DRAY: build it, or set DRAY" >&2
        return 1
    }
    DRAY=$(realpath "$DRAY")
    if [[ -n ${DRAY_RUNTIME:-} ]]; then
        DRAY_RUNTIME=$(command -v "$DRAY_RUNTIME") || {
            echo "no runtime $DRAY_RUNTIME on PATH" >&2
            return 1
        }
        export DRAY_RUNTIME
    fi
    E2E_SUITE=$(mktemp -d /tmp/dray-e2e.XXXXXX)
    export E2E_SUITE
    [[ -z ${DRAY_CHECK_RUN:-} ]] || echo "$E2E_SUITE" >>"$DRAY_CHECK_RUN/made"
    export E2E_IMAGES=${DRAY_E2E_IMAGES:-$E2E_SUITE/images}
    # shellcheck source=tests/e2e/lib/images.bash
    source "$E2E_LIB/images.bash"
    images_make "$E2E_IMAGES"
    images_served "$E2E_IMAGES" "$E2E_SUITE/registry"
    # shellcheck source=tests/e2e/lib/over.bash
    source "$E2E_LIB/over.bash"
    over_start "${DRAY_TEST_OVER:-}"
}

teardown_suite() {
    # shellcheck source=/dev/null
    source "$E2E_LIB/registry.bash"
    # shellcheck source=/dev/null
    source "$E2E_LIB/over.bash"
    over_stop "${DRAY_TEST_OVER:-}"
    registry_stop "$E2E_SUITE/registry"
    rm -rf "$E2E_SUITE"
}
