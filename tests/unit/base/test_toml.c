/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/toml.h"

static json_t *parse(const char *text, struct dr_error *err)
{
    return dr_toml_parse(text, strlen(text), 4096, err);
}

static void toml_becomes_the_same_json(void **state)
{
    static const struct {
        const char *toml, *json;
    } cases[] = {
        {"", "{}"},
        {"# c\n\n a = 1 # d\r\nb=true", "{\"a\":1,\"b\":true}"},
        {"\xef\xbb\xbf"
         "a=1",
         "{\"a\":1}"},
        {"a.b.c = 1\na.b.d = 2", "{\"a\":{\"b\":{\"c\":1,\"d\":2}}}"},
        {"\"a b\" = 1\n'c.d' = 2\n1 = 3\n-_- = 4",
         "{\"-_-\":4,\"1\":3,\"a b\":1,\"c.d\":2}"},
        {"a = \"x\\t\\\"\\\\\\u00e9\\U0001F600\"", "{\"a\":\"x\\t\\\"\\\\é😀\"}"},
        {"a = 'C:\\x'", "{\"a\":\"C:\\\\x\"}"},
        {"a = \"\"\"\nb\n c\\\n  \n  d\"\"\"", "{\"a\":\"b\\n cd\"}"},
        {"a = \"\"\"x\"\"\"\"\"", "{\"a\":\"x\\\"\\\"\"}"},
        {"a = '''\n\\n''y'''", "{\"a\":\"\\\\n''y\"}"},
        {"a = [1, 0x1F, 0o17, 0b101, -1_000, +0]", "{\"a\":[1,31,15,5,-1000,0]}"},
        {"a = [1.5, -2e3, 1_0.2_5]", "{\"a\":[1.5,-2000.0,10.25]}"},
        {"a = [1979-05-27, 07:32:00, 1979-05-27T07:32:00.5-08:00]",
         "{\"a\":[\"1979-05-27\",\"07:32:00\",\"1979-05-27T07:32:00.5-08:00\"]}"},
        {"a = [ # x\n 1,\n [2, 'b'], # y\n]", "{\"a\":[1,[2,\"b\"]]}"},
        {"a = { b = 1, c.d = [], e = {} }",
         "{\"a\":{\"b\":1,\"c\":{\"d\":[]},\"e\":{}}}"},
        {"[a.b]\nc = 1\n[a]\nd = 2\n[ \"e\" . f ]", "{\"a\":{\"b\":{\"c\":1},\"d\":2},"
                                                    "\"e\":{\"f\":{}}}"},
        {"[[a]]\nb = 1\n[[a.c]]\nd = 2\n[[a.c]]\n[[a]]\n[a.c]\n",
         "{\"a\":[{\"b\":1,\"c\":[{\"d\":2},{}]},{\"c\":{}}]}"},
    };
    for (size_t i = 0; i < DR_COUNT(cases); i++) {
        dr_auto_error struct dr_error err = DR_ERROR_INIT;
        dr_auto_json json_t *doc = parse(cases[i].toml, &err);
        if (!doc)
            fail_msg("%s: %s", cases[i].toml, err.text);
        dr_auto_free char *text = dr_json_text(doc);
        assert_string_equal(text, cases[i].json);
    }
}

static void what_is_no_toml_is_refused_with_its_place(void **state)
{
    static const struct {
        const char *toml, *text;
    } cases[] = {
        {"a", "line 1, column 2: a key is followed by '='"},
        {"\n a = ", "line 2, column 6: this is no value"},
        {"= 1", "a key is missing"},
        {"a = 1 b = 2", "there is more on the line"},
        {"a = 1\na = 2", "line 2, column 5: the key is there already"},
        {"a.b = 1\na = 2", "the key is there already"},
        {"a = 1\na.b = 2", "used as a table, and has a value"},
        {"[a]\n[a]", "the table is there already"},
        {"a.b = 1\n[a]", "the table is there already"},
        {"[a]\nb.c = 1\n[a.b]", "the table is there already"},
        {"[a.b]\n[a]\nb.c = 1", "that table is written elsewhere"},
        {"a = {b = 1}\na.c = 2", "that table is written elsewhere"},
        {"a = {b = 1}\n[a.c]", "used as a table, and has a value"},
        {"a = [{}]\n[[a]]", "is no array of tables"},
        {"[[a]]\n[a]", "the table is there already"},
        {"[a", "a table's name ends with ']'"},
        {"[[a]", "a table's name ends with ']'"},
        {"a = \"x", "a string that does not end"},
        {"a = \"x\ny\"", "a string that does not end on its line"},
        {"a = \"\\x\"", "an escape that does not exist"},
        {"a = \"\\u12\"", "an escape without its hex digits"},
        {"a = \"\\ud800\"", "an escape that is no character"},
        {"a = \"\\u0000\"", "an escape that is no character"},
        {"a = \"\x01\"", "a control character"},
        {"# \x01", "a control character in a comment"},
        {"a = \"\xff\"", "a string that is no UTF-8"},
        {"\"\xff\" = 1", "a string that is no UTF-8"},
        {"a = [1 2]", "an array goes on with ','"},
        {"a = {b = 1,}", "a key is missing"},
        {"a = {b = 1\n}", "a table in braces goes on with ','"},
        {"a = 01", "this is no value"},
        {"a = 1__0", "this is no value"},
        {"a = 9223372036854775808", "this is no value"},
        {"a = 1.", "this is no value"},
        {"a = nan", "this is no value"},
        {"a = True", "this is no value"},
        {"\"\"\"a\"\"\" = 1", "a key is followed by '='"},
    };
    for (size_t i = 0; i < DR_COUNT(cases); i++) {
        dr_auto_error struct dr_error err = DR_ERROR_INIT;
        json_t *doc = parse(cases[i].toml, &err);
        if (doc)
            fail_msg("accepted: %s", cases[i].toml);
        assert_int_equal(err.kind, DR_ERR_FORMAT);
        if (!strstr(err.text, cases[i].text))
            fail_msg("%s: %s", cases[i].toml, err.text);
    }
}

static void depth_and_size_have_limits(void **state)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    char deep[200] = "a = ";
    memset(deep + 4, '[', 100);
    assert_null(parse(deep, &err));
    assert_non_null(strstr(err.text, "nested too deep"));
    memset(deep, 'a', 1);
    for (int i = 1; i < 150; i += 2)
        memcpy(deep + i, ".a", 2);
    assert_null(parse(deep, &err));
    assert_non_null(strstr(err.text, "too many parts"));
    assert_null(dr_toml_parse("a = 1", 5, 4, &err));
    assert_non_null(strstr(err.text, "more than 4 bytes"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(toml_becomes_the_same_json),
        cmocka_unit_test(what_is_no_toml_is_refused_with_its_place),
        cmocka_unit_test(depth_and_size_have_limits),
    };
    return cmocka_run_group_tests_name("toml", tests, NULL, NULL);
}
