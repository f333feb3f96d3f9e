# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# For suites that need nothing but busybox: pulled once, $IMAGE names it.
load lib/common

setup_file() {
    suite_setup
    suite_pull busybox:1
    IMAGE=$(image busybox:1)
    export IMAGE
}
teardown_file() { suite_teardown; }
setup() { test_setup; }
teardown() { test_teardown; }
