/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cli/cli.h"

static const struct cli_verb runs = {.name = "run", .flags = CLI_VERB_RUNS};
static const struct cli_verb other = {.name = "rm"};

static int code_of(const struct cli_verb *verb, enum dr_kind kind, int code)
{
    const struct cli cli = {.verb = verb};
    const struct dr_error err = {.kind = kind, .code = code};
    return cli_exit_code(&cli, &err);
}

static void exit_codes_are_dockers(void **state)
{
    assert_int_equal(code_of(&runs, DR_ERR_START, 127), 127);
    assert_int_equal(code_of(&runs, DR_ERR_START, 126), 126);
    assert_int_equal(code_of(&runs, DR_ERR_START, 1), 125);
    assert_int_equal(code_of(&runs, DR_ERR_NOT_FOUND, 0), 125);
    assert_int_equal(code_of(&runs, DR_ERR_UNAVAILABLE, 0), 125);
    assert_int_equal(code_of(&other, DR_ERR_NOT_FOUND, 0), 1);
    assert_int_equal(code_of(&other, DR_ERR_START, 127), 1);
    assert_int_equal(code_of(&other, DR_ERR_CANCELLED, 0), 130);
}

static void C02_unavailable_and_misconfigured_are_told_apart(void **state)
{
    assert_int_equal(code_of(&other, DR_ERR_UNAVAILABLE, 0), 69);
    assert_int_equal(code_of(&other, DR_ERR_CONFIG, 0), 78);
}

static const char *hint(enum dr_kind kind, enum dr_origin origin, int code,
                        const char *text)
{
    struct dr_error err = {.kind = kind, .origin = origin, .code = code};
    strcpy(err.text, text);
    return cli_hint(&err);
}

static void hints_say_the_way_out(void **state)
{
    const char *denied = hint(DR_ERR_INTERNAL, 0, 13 /* EACCES */, "open x");
    if (geteuid() != 0)
        assert_string_equal(denied, "run it as root, for example with sudo");
    else
        assert_string_not_equal(denied, "run it as root, for example with sudo");
    assert_string_equal(hint(DR_ERR_CONFLICT, 0, 0, "container x is not running"),
                        "`dray start` starts it");
    assert_null(hint(DR_ERR_CONFLICT, 0, 0, "container x is running: stop it first"));
    assert_null(hint(DR_ERR_CONFIG, 0, 0, "it needs root: run dray as root"));
    assert_string_equal(hint(DR_ERR_NOT_FOUND, 0, 0, "no container x"),
                        "`dray ps -a` lists the containers");
    assert_string_equal(hint(DR_ERR_INTERNAL, 0, 28 /* ENOSPC */, "write"),
                        "free some space: `dray rmi` and `dray rm` work on a full disk");
    /* a runtime's exit status 28 is no ENOSPC, and a registry's code no errno */
    assert_null(hint(DR_ERR_CREATE, DR_AT_RUNTIME, 28, "x"));
    assert_null(hint(DR_ERR_PULL, DR_AT_REGISTRY, 13, "x"));
    assert_null(hint(DR_ERR_NOT_FOUND, 0, 0, "no container x; look elsewhere"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exit_codes_are_dockers),
        cmocka_unit_test(C02_unavailable_and_misconfigured_are_told_apart),
        cmocka_unit_test(hints_say_the_way_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
