/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cli/forward.h"

static void a_forward_is_written_as_kubectl_takes_it(void **state)
{
    static const struct {
        const char *text, *address;
        int local, port;
        const char *shown;
    } rows[] = {
        {"8080:80", "127.0.0.1", 8080, 80, "127.0.0.1:8080"},
        {"80", "127.0.0.1", 80, 80, "127.0.0.1:80"},
        {":80", "127.0.0.1", 0, 80, "127.0.0.1:0"},
        {"0:80/tcp", "127.0.0.1", 0, 80, "127.0.0.1:0"},
        {"localhost:1:65535", "127.0.0.1", 1, 65535, "127.0.0.1:1"},
        {"10.1.2.3::80", "10.1.2.3", 0, 80, "10.1.2.3:0"},
        {"[::1]:8080:80", "::1", 8080, 80, "[::1]:8080"},
        {"[::]::80", "::", 0, 80, "[::]:0"},
        {"[::1]:5353:53/udp", "::1", 5353, 53, "[::1]:5353"},
    };
    for (size_t i = 0; i < DR_COUNT(rows); i++) {
        struct dr_error err = DR_ERROR_INIT;
        struct forward f;
        assert_int_equal(forward_parse(rows[i].text, &f, &err), 0);
        dr_auto_free char *shown = forward_shown(&f);
        assert_string_equal(f.address, rows[i].address);
        assert_int_equal(f.local, rows[i].local);
        assert_int_equal(f.udp, strstr(rows[i].text, "/udp") != NULL);
        assert_int_equal(f.port, rows[i].port);
        assert_string_equal(shown, rows[i].shown);
        forward_release(&f);
    }
}

static void what_is_no_forward_is_refused_by_name(void **state)
{
    static const struct {
        const char *text, *reason;
    } rows[] = {
        {"", "the container's port"},         {"8080:", "the container's port"},
        {"8080:0", "the container's port"},   {"1:65536", "the container's port"},
        {"x:80", "the local port"},           {"::1:8080:80", "in brackets"},
        {"[::1:8080:80", "in brackets"},      {"1.2.3.4:x:80", "the local port"},
        {"8080:80/sctp", "only tcp and udp"}, {"-1:80", "the local port"},
        {"8080:80/", "only tcp and udp"},     {"[]:80:80", "in brackets"},
    };
    for (size_t i = 0; i < DR_COUNT(rows); i++) {
        struct dr_error err = DR_ERROR_INIT;
        struct forward f;
        assert_int_equal(forward_parse(rows[i].text, &f, &err), -1);
        assert_int_equal(err.kind, DR_ERR_INVALID);
        assert_non_null(strstr(err.text, rows[i].reason));
        assert_non_null(strstr(err.text, rows[i].text));
    }
}

static void a_busy_port_is_an_error_that_names_it(void **state)
{
    struct dr_error err = DR_ERROR_INIT;
    struct forward first, second;
    assert_int_equal(forward_parse(":80", &first, &err), 0);
    assert_int_equal(forward_listen(&first, &err), 0);
    assert_true(first.local > 0);
    second = (struct forward){
        .address = dr_strdup("127.0.0.1"), .local = first.local, .port = 80, .fd = -1};
    assert_int_equal(forward_listen(&second, &err), -1);
    dr_auto_free char *shown = forward_shown(&first);
    assert_non_null(strstr(err.text, shown));
    assert_non_null(strstr(err.text, "Address already in use"));
    assert_int_equal(err.kind, DR_ERR_NETWORK);
    forward_release(&first);
    forward_release(&second);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_forward_is_written_as_kubectl_takes_it),
        cmocka_unit_test(what_is_no_forward_is_refused_by_name),
        cmocka_unit_test(a_busy_port_is_an_error_that_names_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
