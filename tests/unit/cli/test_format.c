/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cli/cli.h"

static const char document[] =
    "{\"Id\":\"c1\",\"Pid\":5,\"Up\":true,\"None\":null,\"Half\":0.5,"
    "\"State\":{\"Status\":\"running\",\"Code\":-1},\"Args\":[\"a\",\"b c\"],"
    "\"Labels\":{\"x.y\":\"z\",\"evil\":\"\\u001b[31mred\\nline\"}}";

static char *apply(const char *format, struct dr_error *err)
{
    struct dr_buf buf = DR_BUF_INIT(65536);
    dr_auto_json json_t *data = dr_json_parse(document, strlen(document), 65536, err);
    assert_non_null(data);
    if (cli_format(format, data, &buf, err) == 0)
        return dr_buf_take(&buf);
    dr_buf_release(&buf);
    return NULL;
}

static void templates_give_what_gos_would(void **state)
{
    static const struct {
        const char *format, *result;
    } rows[] = {
        {"{{.Id}}", "c1"},
        {"{{ .State.Status }}", "running"},
        {"a{{.Id}}b{{.Pid}}c", "ac1b5c"},
        {"{{.Up}} {{.None}} {{.Half}} {{.State.Code}}", "true <no value> 0.5 -1"},
        {"{{.Args}} {{.State}}", "[a b c] map[Status:running Code:-1]"},
        {"{{json .Args}}", "[\"a\",\"b c\"]"},
        {"{{json .State.Status}}", "\"running\""},
        {"{{index .Labels \"x.y\"}}", "z"},
        {"{{index .Labels \"missing\"}}", ""},
        {"{{index .Args 1}}", "b c"},
        {"{{len .Args}} {{len .Id}}", "2 2"},
        {"{{join .Args \", \"}}", "a, b c"},
        {"{{upper .State.Status}}{{lower .State.Status}}", "RUNNINGrunning"},
        {"{{.Id}}\\t{{\"\\t\"}}\\n{{`\\n`}}", "c1\t\t\n\\n"},
        {"a  {{- .Id -}}  b", "ac1b"},
        {"no braces } here", "no braces } here"},
        {"", ""},
    };
    for (size_t i = 0; i < DR_COUNT(rows); i++) {
        dr_auto_error struct dr_error err = DR_ERROR_INIT;
        dr_auto_free char *result = apply(rows[i].format, &err);
        assert_string_equal(err.text, "");
        assert_string_equal(result, rows[i].result);
    }
}

static void values_are_escaped(void **state) /* H3 */
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_free char *text = apply("{{.Labels.evil}}", &err);
    assert_string_equal(text, "\\x1b[31mred line");
    dr_auto_free char *json = apply("{{json .Labels.evil}}", &err);
    assert_string_equal(json, "\"\\u001B[31mred\\nline\"");
}

static void what_is_wrong_is_named(void **state)
{
    static const struct {
        const char *format, *text;
    } rows[] = {
        {"{{.State.Statu}}",
         "--format: {{.State.Statu}}: there is no \"Statu\"; there is Status, Code"},
        {"{{.Id.Deeper}}", "--format: {{.Id.Deeper}}: there is no \"Deeper\" in it"},
        {"{{index .Args 2}}",
         "--format: {{index .Args 2}}: there are not so many elements"},
    };
    for (size_t i = 0; i < DR_COUNT(rows); i++) {
        dr_auto_error struct dr_error err = DR_ERROR_INIT;
        assert_null(apply(rows[i].format, &err));
        assert_string_equal(err.text, rows[i].text);
        assert_int_equal(err.kind, DR_ERR_INVALID);
    }
}

static void templates_are_refused_before_they_are_needed(void **state)
{
    static const struct {
        const char *format, *text;
    } rows[] = {
        {"{{range .Args}}x{{end}}",
         "--format: {{range .Args}}: it is not supported; paths, "
         "json, index, len, join, upper and lower are"},
        {"{{.Id", "--format: {{ without its }}"},
        {"{{}}", "--format: {{}}: a path like .State.Status is expected"},
        {"{{.A..B}}", "--format: {{.A..B}}: two dots follow one another"},
        {"{{.Id | upper}}", "--format: {{.Id | upper}}: it goes on where it should end; "
                            "pipes and arguments are not supported"},
        {"{{join .Args}}", "--format: {{join .Args}}: a text in quotes is expected"},
        {"{{\"x}}", "--format: {{\"x}}: the closing quote is missing"},
        {"table {{if .X}}",
         "--format: {{if .X}}: it is not supported; paths, json, index, "
         "len, join, upper and lower are"},
    };
    for (size_t i = 0; i < DR_COUNT(rows); i++) {
        dr_auto_error struct dr_error err = DR_ERROR_INIT;
        assert_int_equal(cli_format_check(rows[i].format, &err), -1);
        assert_string_equal(err.text, rows[i].text);
        assert_int_equal(err.kind, DR_ERR_INVALID);
    }
}

static void good_templates_pass_the_check(void **state)
{
    static const char *const rows[] = {"json",
                                       "table",
                                       "table {{.ID}}\\t{{.Names}}",
                                       "{{.A.B.C}}",
                                       "{{index .X \"k\"}}",
                                       "{{json .}}"};
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    for (size_t i = 0; i < DR_COUNT(rows); i++)
        assert_int_equal(cli_format_check(rows[i], &err), 0);
    assert_int_equal(cli_format_check(NULL, &err), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(templates_give_what_gos_would),
        cmocka_unit_test(values_are_escaped),
        cmocka_unit_test(what_is_wrong_is_named),
        cmocka_unit_test(templates_are_refused_before_they_are_needed),
        cmocka_unit_test(good_templates_pass_the_check),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
