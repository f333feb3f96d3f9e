/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/json.h"

/* H2: one document, one shape */
static void h2_ambiguous_json_is_refused(void **state)
{
    static const struct {
        const char *text, *reason;
    } bad[] = {
        {"{\"a\":1,\"a\":2}", "duplicate object key"},
        {"{\"a\":1} x", "end of file expected"},
        {"{\"a\":\"\xff\"}", "unable to decode byte 0xff"},
        {"{\"a\":NaN}", "invalid token"},
        {"", "'[' or '{' expected"},
        {"{\"a\":\"\\u0000\"}", "\\u0000"},
    };
    for (size_t i = 0; i < DR_COUNT(bad); i++) {
        struct dr_error err = DR_ERROR_INIT;
        assert_null(dr_json_parse(bad[i].text, strlen(bad[i].text), 1000, &err));
        assert_int_equal(err.kind, DR_ERR_FORMAT);
        assert_non_null(strstr(err.text, bad[i].reason));
        assert_memory_equal(err.text, "JSON line ", 10);
    }
}

static void a_byte_order_mark_is_not_part_of_it(void **state)
{
    struct dr_error err = DR_ERROR_INIT;
    static const char text[] = "\xef\xbb\xbf{\"a\":1}";
    dr_auto_json json_t *json = dr_json_parse(text, strlen(text), 1000, &err);
    assert_int_equal(dr_json_int(json, "a", 0), 1);
    assert_null(dr_json_parse(text, 3, 1000, &err));
    dr_error_release(&err);
}

/* H3: the parser quotes the document, which may hold anything */
static void h3_parse_errors_hold_no_escapes(void **state)
{
    struct dr_error err = DR_ERROR_INIT;
    static const char text[] = "{\"a\": \x1b[31m}";
    assert_null(dr_json_parse(text, strlen(text), 1000, &err));
    assert_null(strchr(err.text, '\x1b'));
    assert_non_null(strstr(err.text, "\\x1b"));
}

static void h2_depth_and_size_are_bounded(void **state)
{
    struct dr_error err = DR_ERROR_INIT;
    char deep[200];
    memset(deep, '[', 65);
    memset(deep + 65, ']', 65);
    assert_null(dr_json_parse(deep, 130, 1000, &err));
    assert_string_equal(err.text, "JSON nested deeper than 64 levels");
    dr_auto_json json_t *ok = dr_json_parse(deep + 1, 128, 1000, &err);
    assert_non_null(ok);
    static const char braces[] =
        "[\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\\\"\"]";
    dr_auto_json json_t *text = dr_json_parse(braces, strlen(braces), 1000, &err);
    assert_non_null(text);
    assert_null(dr_json_parse("[1,2,3]", 7, 6, &err));
    assert_string_equal(err.text, "JSON of 7 bytes, at most 6 are accepted");
}

static void getters_never_fail(void **state)
{
    assert_null(dr_json_str(NULL, "x"));
    assert_int_equal(dr_json_int(NULL, "x", 5), 5);
    dr_auto_json json_t *o = json_pack("{sssi}", "s", "text", "i", 3);
    assert_null(dr_json_str(o, "i"));
    assert_int_equal(dr_json_int(o, "s", 9), 9);
    assert_false(dr_json_bool(o, "i"));
    assert_null(dr_json_array(o, "s"));
    assert_string_equal(dr_json_str(o, "s"), "text");
}

static void string_vectors_cross_json(void **state)
{
    dr_auto_strv char **in = NULL;
    dr_strv_add(&in, "a");
    dr_strv_add(&in, "b c");
    dr_auto_json json_t *json = dr_json_from_strv(in);
    dr_auto_strv char **out = dr_json_strv(json);
    assert_int_equal(dr_strv_len(out), 2);
    assert_string_equal(out[1], "b c");
    dr_auto_strv char **none = dr_json_strv(NULL);
    assert_int_equal(dr_strv_len(none), 0);
}

static void buffer_never_grows_over_its_maximum(void **state)
{
    struct dr_error err = DR_ERROR_INIT;
    dr_auto_buf struct dr_buf buf = DR_BUF_INIT(8);
    assert_int_equal(dr_buf_add(&buf, "12345", 5, &err), 0);
    assert_int_equal(dr_buf_add(&buf, "6789", 4, &err), -1);
    assert_int_equal(err.kind, DR_ERR_FORMAT);
    assert_string_equal(err.text, "more than 8 bytes");
    assert_string_equal(buf.data, "12345");
    dr_buf_consume(&buf, 2);
    assert_string_equal(buf.data, "345");
    assert_int_equal(dr_buf_addf(&buf, &err, "%d", 42), 0);
    assert_string_equal(buf.data, "34542");
}

static void wrapping_keeps_the_reason_whole(void **state)
{
    struct dr_error err = DR_ERROR_INIT;
    char context[2000];
    memset(context, 'c', sizeof context - 1);
    context[sizeof context - 1] = '\0';
    dr_fail(&err, DR_ERR_EXISTS, "the reason");
    dr_wrap(&err, "create %s", "web");
    assert_string_equal(err.text, "create web: the reason");
    dr_wrap(&err, "%s", context);
    assert_int_equal(strlen(err.text), DR_ERROR_TEXT_MAX - 1);
    assert_string_equal(err.text + strlen(err.text) - 24, ": create web: the reason");
    assert_int_equal(err.kind, DR_ERR_EXISTS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(h2_ambiguous_json_is_refused),
        cmocka_unit_test(a_byte_order_mark_is_not_part_of_it),
        cmocka_unit_test(h3_parse_errors_hold_no_escapes),
        cmocka_unit_test(h2_depth_and_size_are_bounded),
        cmocka_unit_test(getters_never_fail),
        cmocka_unit_test(string_vectors_cross_json),
        cmocka_unit_test(buffer_never_grows_over_its_maximum),
        cmocka_unit_test(wrapping_keeps_the_reason_whole),
    };
    return cmocka_run_group_tests_name("base json", tests, NULL, NULL);
}
