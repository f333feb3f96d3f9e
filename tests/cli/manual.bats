#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The table of verbs, the help and the manual say the same.
load helpers

@test "every command has a manual page with the options of its table" {
    for verb in $(verbs); do
        page="$MAN_DIR/dray-$verb.1.scd"
        [ -f "$page" ] || { echo "no $page" >&2; false; }
        diff <(help_options "$verb") <(page_options "$page") >&2
        head -1 "$page" | grep -qx "dray-$verb(1)"
    done
}

@test "dray(1) has the global options, and names every command" {
    diff <(help_options) <(page_options "$MAN_DIR/dray.1.scd") >&2
    for verb in $(verbs); do
        grep -q "^\*dray-$verb\*(1)$" "$MAN_DIR/dray.1.scd"
    done
}

@test "every manual page belongs to a command, and is valid" {
    for page in "$MAN_DIR"/dray-*.1.scd; do
        verb=${page##*/dray-}
        verbs | grep -qx "${verb%.1.scd}"
    done
    command -v scdoc >/dev/null || skip "scdoc is not installed"
    for page in "$MAN_DIR"/*.scd; do
        scdoc <"$page" >/dev/null
    done
}
