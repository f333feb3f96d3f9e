/* SPDX-License-Identifier: Apache-2.0 */
/* Variables in Compose files, and the files that they come from. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "deploy/compose-interpolate.h"

static const char *const environment[] = {"A=one",  "EMPTY=",           "DOLLAR=$A",
                                          "B=b }b", "MONEY=${A} costs", NULL};

static const char *get(void *state, const char *name)
{
    return compose_env_get(state, name);
}

static void count_unset(void *state, const char *name)
{
}

static int put_in(const char *text, char **ret, struct dr_error *err)
{
    compose_auto_env struct compose_env env;
    compose_env_init(&env, environment);
    const struct compose_interpolation how = {get, count_unset, &env};
    return compose_interpolate(&how, text, 4096, ret, err);
}

static void variables_are_put_in(void **state)
{
    static const struct {
        const char *text, *wanted;
    } good[] = {
        {"", ""},
        {"plain", "plain"},
        {"$A", "one"},
        {"$A-$A.", "one-one."},
        {"x${A}y", "xoney"},
        {"$UNSET.", "."},
        {"$$A $${A} $$$A", "$A ${A} $one"},
        {"${A:-no}${A-no}", "oneone"},
        {"${UNSET:-d}${UNSET-e}", "de"},
        {"${EMPTY:-d}${EMPTY-e}.", "d."},
        {"${UNSET:-}.", "."},
        {"${UNSET:-${UNSET:-${A}}}!", "one!"},
        {"${UNSET:-a ${A} b}", "a one b"},
        {"${UNSET:-$$A}", "$A"},
        {"${UNSET:-p$${A}q}r}", "p${A}qr}"},
        {"${A:+yes}${EMPTY:+no}${EMPTY+set}${UNSET+no}", "yesset"},
        {"${A:+<$A>}", "<one>"},
        {"${A:?must}${EMPTY?must}", "one"},
        {"${A:-${UNSET:?never asked}}", "one"},
        /* a value is not looked at again */
        {"$DOLLAR ${MONEY}", "$A ${A} costs"},
        {"${UNSET:-{\"a\":1}", "{\"a\":1"},
        {"${UNSET:-http://x:80/?q=1}", "http://x:80/?q=1"},
        {"${UNSET:-a-b?c+d}", "a-b?c+d"},
        {"${B}", "b }b"},
        {"}{", "}{"},
    };
    for (size_t i = 0; i < DR_COUNT(good); i++) {
        struct dr_error err = DR_ERROR_INIT;
        dr_auto_free char *text = NULL;
        if (put_in(good[i].text, &text, &err) < 0)
            fail_msg("%s: %s", good[i].text, err.text);
        assert_string_equal(text, good[i].wanted);
    }
}

static void what_is_no_variable_is_refused(void **state)
{
    static const struct {
        const char *text, *why;
    } bad[] = {
        {"costs 5$", "'$': behind '$' comes NAME"},
        {"$1", "'$1': behind '$' comes NAME"},
        {"${", "'${': behind '$'"},
        {"${A", "'${A': behind '$'"},
        {"${A:-x", "'${A:-x': behind '$'"},
        {"${A:x}", "'${A:x}': behind '$'"},
        {"${A!}", "'${A!}': behind '$'"},
        {"${}", "'${}': behind '$'"},
        {"${-x}", "'${-x}': behind '$'"},
        {"${UNSET:-$}", "'$}': behind '$'"},
        {"${UNSET?}", "the variable UNSET must be set"},
        {"${EMPTY:?say $A}", "the variable EMPTY must be set: say one"},
        {"${UNSET:-${ALSO:?deep}}", "the variable ALSO must be set: deep"},
    };
    for (size_t i = 0; i < DR_COUNT(bad); i++) {
        dr_auto_error struct dr_error err = DR_ERROR_INIT;
        char *text = NULL;
        assert_int_equal(put_in(bad[i].text, &text, &err), -1);
        assert_int_equal(err.kind, DR_ERR_CONFIG);
        if (strncmp(err.text, bad[i].why, strlen(bad[i].why)) != 0)
            fail_msg("%s: '%s' instead of '%s'", bad[i].text, err.text, bad[i].why);
    }
}

static void hostile_variables_stay_small(void **state)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_free char *many = dr_alloc(4096), *deep = dr_alloc(4096), *text = NULL;
    for (size_t i = 0; i < 2000; i++)
        memcpy(many + 2 * i, "$A", 2);
    assert_int_equal(put_in(many, &text, &err), -1);
    assert_non_null(strstr(err.text, "more than 4096 bytes"));
    dr_error_release(&err);
    for (size_t i = 0; i < 500; i++)
        memcpy(deep + 5 * i, "${U:-", 5);
    assert_int_equal(put_in(deep, &text, &err), -1);
    assert_string_equal(err.text, "variables are nested too deep");
}

static void trees_name_the_place_and_warn_once(void **state)
{
    static const char text[] = "a: $NOBODY\nb: [\"$NOBODY\", '${A}']\nc:\n  d: ${A!}\n"
                               "$A: key\n";
    struct dr_error err = DR_ERROR_INIT;
    deploy_auto_value struct deploy_value *tree = NULL;
    assert_int_equal(deploy_value_load("f.yaml", text, strlen(text), &tree, &err), 0);
    compose_auto_env struct compose_env env;
    compose_env_init(&env, environment);
    deploy_auto_problems struct deploy_problems problems = DEPLOY_PROBLEMS_INIT;
    dr_auto_strv char **warnings = NULL;
    compose_interpolate_tree(tree, &env, &problems, &warnings);
    assert_string_equal(deploy_value_get(tree, "a")->text, "");
    assert_string_equal(deploy_value_get(tree, "b")->items[1]->text, "one");
    assert_non_null(deploy_value_get(tree, "$A"));
    assert_int_equal(dr_strv_len(warnings), 1);
    assert_string_equal(
        warnings[0],
        "f.yaml:1:4: the variable NOBODY is not set: nothing is put in for it");
    assert_int_equal(problems.count, 1);
    assert_int_equal(problems.items[0].line, 4);
    assert_int_equal(problems.items[0].column, 6);
}

static char *dotenv(const char *text, struct dr_error *err)
{
    compose_auto_env struct compose_env env;
    compose_env_init(&env, environment);
    dr_auto_strv char **pairs = NULL;
    const struct compose_dotenv how = {".env", &env, false};
    if (compose_dotenv_parse(&how, text, strlen(text), &pairs, err) < 0)
        return NULL;
    dr_auto_buf struct dr_buf all = DR_BUF_INIT(4096);
    for (size_t i = 0; pairs && pairs[i]; i++)
        dr_buf_addf(&all, err, "[%s]", pairs[i]);
    return dr_buf_take(&all);
}

static void dotenv_files_are_read_as_compose_reads_them(void **state)
{
    static const struct {
        const char *text, *wanted;
    } good[] = {
        {"", ""},
        {"# only words\n\n", ""},
        {"K=V\nL = W \n", "[K=V][L=W]"},
        {"K=V\r\nL=W\r\n", "[K=V][L=W]"},
        {"\xef\xbb\xbfK=V", "[K=V]"},
        {"export K=V\nexporter=x", "[K=V][exporter=x]"},
        {"K: V", "[K=V]"},
        {"K=", "[K=]"},
        {"K=\nL=x", "[K=][L=x]"},
        {"K=a=b:c", "[K=a=b:c]"},
        {"K=a b # words", "[K=a b]"},
        {"K=a#b", "[K=a#b]"},
        {"K=#fff", "[K=#fff]"},
        {"K= # words", "[K=]"},
        {"K='$A # \\n' # words", "[K=$A # \\n]"},
        {"K='it\\'s'", "[K=it's]"},
        {"K=\"$A\\n\\\"q\\\" \\$A\\t\"", "[K=one\n\"q\" $A\t]"},
        {"K=\"a\nb\"\nL=c", "[K=a\nb][L=c]"},
        {"K='a\nb'", "[K=a\nb]"},
        {"A\nNOBODY\nK=V", "[A=one][K=V]"},
        {"K=1\nL=$K$A${NO:-d}", "[K=1][L=1oned]"},
        {"A=mine\nL=$A", "[A=mine][L=one]"},
    };
    for (size_t i = 0; i < DR_COUNT(good); i++) {
        struct dr_error err = DR_ERROR_INIT;
        dr_auto_free char *all = dotenv(good[i].text, &err);
        if (!all)
            fail_msg("%s: %s", good[i].text, err.text);
        assert_string_equal(all, good[i].wanted);
    }
}

static void raw_env_files_keep_every_byte(void **state)
{
    struct dr_error err = DR_ERROR_INIT;
    compose_auto_env struct compose_env env;
    compose_env_init(&env, environment);
    dr_auto_strv char **pairs = NULL;
    const struct compose_dotenv how = {"f", &env, true};
    static const char text[] = "K='$A' # x\n";
    assert_int_equal(compose_dotenv_parse(&how, text, strlen(text), &pairs, &err), 0);
    assert_string_equal(pairs[0], "K='$A' # x");
}

static void bad_dotenv_files_name_the_line(void **state)
{
    static const struct {
        const char *text, *why;
    } bad[] = {
        {"K=V\nL='x\ny", ".env:2: the quote is not closed in the value of 'L'"},
        {"K='a' b", ".env:1: there is something behind the quoted value of 'K'"},
        {"\n=x", ".env:2: there is no name before the value"},
        {"a b=c", ".env:1: this is no name of a variable: 'a b'"},
        {"\n\nK=${", ".env:3: '${': behind '$' comes NAME"},
        {"K=\"\n\"\nL=${X:?why}", ".env:3: the variable X must be set: why"},
    };
    for (size_t i = 0; i < DR_COUNT(bad); i++) {
        dr_auto_error struct dr_error err = DR_ERROR_INIT;
        assert_null(dotenv(bad[i].text, &err));
        assert_int_equal(err.kind, DR_ERR_CONFIG);
        if (strncmp(err.text, bad[i].why, strlen(bad[i].why)) != 0)
            fail_msg("%s: '%s' instead of '%s'", bad[i].text, err.text, bad[i].why);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(variables_are_put_in),
        cmocka_unit_test(what_is_no_variable_is_refused),
        cmocka_unit_test(hostile_variables_stay_small),
        cmocka_unit_test(trees_name_the_place_and_warn_once),
        cmocka_unit_test(dotenv_files_are_read_as_compose_reads_them),
        cmocka_unit_test(raw_env_files_keep_every_byte),
        cmocka_unit_test(bad_dotenv_files_name_the_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
