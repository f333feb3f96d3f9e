/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cli/ps-filter.h"
#include "cli/ps.h"

#define NOW_NS INT64_C(1700000000000000000)
#define MINUTE_NS INT64_C(60000000000)

static json_t *item(const char *members)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    json_t *json = dr_json_parse(members, strlen(members), 65536, &err);
    assert_string_equal(err.text, "");
    return json;
}

static void the_status_is_in_dockers_words(void **state)
{
    static const struct {
        const char *status;
        int exit_code; /* -1: null */
        const char *text;
    } rows[] = {
        {"running", -1, "Up 3 minutes"},
        {"paused", -1, "Up 3 minutes (Paused)"},
        {"stopping", -1, "Up 3 minutes (Stopping)"},
        {"created", -1, "Created"},
        {"creating", -1, "Creating"},
        {"dead", -1, "Dead"},
        {"exited", 0, "Exited (0) 2 minutes ago"},
        {"exited", 137, "Exited (137) 2 minutes ago"},
        {"exited", -1, "Exited (unknown) 2 minutes ago"}, /* C21 */
    };
    for (size_t i = 0; i < DR_COUNT(rows); i++) {
        dr_auto_json json_t *json = json_object();
        dr_json_set_str(json, "status", rows[i].status);
        dr_json_set_int(json, "started_ns", NOW_NS - 3 * MINUTE_NS);
        dr_json_set_int(json, "finished_ns", NOW_NS - 2 * MINUTE_NS);
        dr_json_set(json, "exit_code",
                    rows[i].exit_code < 0 ? json_null()
                                          : json_integer(rows[i].exit_code));
        dr_auto_free char *text = ps_status(json, NOW_NS);
        assert_string_equal(text, rows[i].text);
    }
}

static void rows_are_cut_and_escaped(void **state)
{
    dr_auto_json json_t *json = item(
        "{\"id\":\"0123456789abcdef\",\"name\":\"n\",\"image\":"
        "\"docker.io/library/alpine:latest\",\"command\":[\"sh\",\"-c\",\"\\u001b "
        "0123456789012345\"],\"created_ns\":1,\"status\":\"created\",\"labels\":{\"a\":"
        "\"b\",\"c\":\"\"}}");
    dr_auto_json json_t *row = ps_row(json, NOW_NS, false);
    assert_string_equal(dr_json_str(row, "ID"), "0123456789ab");
    assert_string_equal(dr_json_str(row, "Image"), "alpine:latest");
    assert_string_equal(dr_json_str(row, "Command"), "\"sh -c \\x1b 01234567…\"");
    assert_string_equal(dr_json_str(row, "Labels"), "a=b,c=");
    dr_auto_json json_t *whole = ps_row(json, NOW_NS, true);
    assert_string_equal(dr_json_str(whole, "ID"), "0123456789abcdef");
    assert_string_equal(dr_json_str(whole, "Command"),
                        "\"sh -c \\x1b 0123456789012345\"");
}

static const char web[] =
    "{\"id\":\"abc123\",\"name\":\"web1\",\"image\":\"docker.io/library/alpine:latest\","
    "\"image_id\":\"sha256:feed01\",\"status\":\"exited\",\"exit_code\":3,"
    "\"labels\":{\"tier\":\"front\",\"x\":\"\"}}";

static void filters_match_as_dockers(void **state)
{
    static const struct {
        const char *filters[3];
        bool match;
    } rows[] = {
        {{NULL}, true},
        {{"name=web"}, true},
        {{"name=^/web1$"}, true},
        {{"name=^web.$"}, true},
        {{"name=db"}, false},
        {{"name=db", "name=web"}, true}, /* one key: any */
        {{"name=web", "id=zzz"}, false}, /* two keys: all */
        {{"id=abc"}, true},
        {{"id=c123"}, false},
        {{"status=exited"}, true},
        {{"status=running"}, false},
        {{"exited=3"}, true},
        {{"exited=0"}, false},
        {{"label=tier"}, true},
        {{"label=tier=front"}, true},
        {{"label=tier=back"}, false},
        {{"label=tier", "label=y"}, false}, /* labels: all */
        {{"label=tier", "label=x="}, true},
        {{"ancestor=alpine"}, true},
        {{"ancestor=alpine:3"}, false},
        {{"ancestor=feed"}, true},
    };
    dr_auto_json json_t *json = item(web);
    for (size_t i = 0; i < DR_COUNT(rows); i++) {
        dr_auto_error struct dr_error err = DR_ERROR_INIT;
        struct ps_filter *filter = ps_filter_new((char *const *)rows[i].filters, &err);
        assert_non_null(filter);
        assert_int_equal(ps_filter_match(filter, json), rows[i].match);
        ps_filter_free(filter);
    }
}

static void bad_filters_are_named(void **state)
{
    static const struct {
        const char *filter, *text;
        enum dr_kind kind;
    } rows[] = {
        {"foo=1",
         "--filter foo=1: it must be KEY=VALUE with one of the keys ancestor, exited, "
         "id, "
         "label, name and status",
         DR_ERR_INVALID},
        {"name",
         "--filter name: it must be KEY=VALUE with one of the keys ancestor, exited, id, "
         "label, name and status",
         DR_ERR_INVALID},
        {"volume=x", "--filter volume=x is not supported yet", DR_ERR_UNSUPPORTED},
        {"status=gone",
         "--filter status=gone: it must be one of created, running, paused, exited and "
         "dead",
         DR_ERR_INVALID},
        {"exited=x", "--filter exited=x: it must be a number from 0 to 255",
         DR_ERR_INVALID},
    };
    for (size_t i = 0; i < DR_COUNT(rows); i++) {
        dr_auto_error struct dr_error err = DR_ERROR_INIT;
        char *filters[] = {(char *)rows[i].filter, NULL};
        assert_null(ps_filter_new(filters, &err));
        assert_string_equal(err.text, rows[i].text);
        assert_int_equal(err.kind, rows[i].kind);
    }
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    char *filters[] = {(char *)"name=(", NULL};
    assert_null(ps_filter_new(filters, &err));
    assert_int_equal(err.kind, DR_ERR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_status_is_in_dockers_words),
        cmocka_unit_test(rows_are_cut_and_escaped),
        cmocka_unit_test(filters_match_as_dockers),
        cmocka_unit_test(bad_filters_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
