/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "spec/container.h"

/* "ip:host[-last]->container/proto …" of what a spec publishes; owned. */
static char *published(const struct spec_container *spec)
{
    char *all = dr_strdup("");
    for (size_t i = 0; i < spec->port_count; i++) {
        const struct spec_port *p = &spec->ports[i];
        dr_auto_free char *last = p->host_port_last
                                      ? dr_printf("-%lld", (long long)p->host_port_last)
                                      : dr_strdup("");
        char *more = dr_printf("%s%s%s:%lld%s->%lld/%s", all, *all ? " " : "",
                               p->host_ip ? p->host_ip : "", (long long)p->host_port,
                               last, (long long)p->container_port, p->protocol);
        free(all);
        all = more;
    }
    return all;
}

static void publish_syntax_is_dockers(void **state)
{
    static const char *const rows[][2] = {
        {"80", ":0->80/tcp"},
        {"8080:80", ":8080->80/tcp"},
        {"8080:80/tcp", ":8080->80/tcp"},
        {"53:53/udp", ":53->53/udp"},
        {"127.0.0.1:8080:80", "127.0.0.1:8080->80/tcp"},
        {"0.0.0.0::80", "0.0.0.0:0->80/tcp"},
        {":80", ":0->80/tcp"},
        {"0:80", ":0->80/tcp"},
        {"[::1]:8080:80/udp", "::1:8080->80/udp"},
        {"[::]::80", ":::0->80/tcp"},
        {"8000-8002:80-82", ":8000->80/tcp :8001->81/tcp :8002->82/tcp"},
        {"80-81", ":0->80/tcp :0->81/tcp"},
        {"8000-8010:80", ":8000-8010->80/tcp"},
        {"8000-8000:80-80", ":8000->80/tcp"},
        {"1.2.3.4:65535:65535", "1.2.3.4:65535->65535/tcp"},
    };
    for (size_t i = 0; i < DR_COUNT(rows); i++) {
        struct dr_error err = DR_ERROR_INIT;
        spec_auto_container struct spec_container *spec = spec_container_new();
        assert_int_equal(spec_publish_parse(rows[i][0], spec, &err), 0);
        dr_auto_free char *text = published(spec);
        assert_string_equal(text, rows[i][1]);
        assert_int_equal(spec_port_check(spec, &err), 0);
        dr_auto_json json_t *json = spec_container_to_json(spec);
        spec_auto_container struct spec_container *again =
            spec_container_from_json(json, &err);
        assert_non_null(again);
        dr_auto_free char *same = published(again);
        assert_string_equal(same, rows[i][1]);
    }
}

static void what_is_no_port_is_named_with_the_reason(void **state)
{
    static const struct {
        const char *text, *reason;
    } rows[] = {
        {"", "the container's port"},
        {"x", "the container's port"},
        {"0", "the container's port"},
        {"65536", "the container's port"},
        {"8080:", "the container's port"},
        {"80-79", "the container's port"},
        {"1-2-3", "the container's port"},
        {"x:80", "the host's port"},
        {"-1:80", "the host's port"},
        {"0-5:80", "begins with 1"},
        {"65536:80", "the host's port"},
        {"8080:80-82", "different lengths, 1 and 3"},
        {"8000-8001:80-82", "different lengths, 2 and 3"},
        {"::1:8080:80", "stands in brackets"},
        {"[::1:8080:80", "not closed"},
        {"[]:1:2", "'' is no IP address"},
        {"localhost:1:2", "'localhost' is no IP address"},
        {"1.2.3:1:2", "'1.2.3' is no IP address"},
        {"80/icmp", "tcp or udp"},
        {"80/", "tcp or udp"},
        {"80/tcp/udp", "tcp or udp"},
        {"80/sctp", "sctp is not supported"},
        {"1-5000:1-5000", "more than 4096"},
    };
    for (size_t i = 0; i < DR_COUNT(rows); i++) {
        struct dr_error err = DR_ERROR_INIT;
        spec_auto_container struct spec_container *spec = spec_container_new();
        assert_int_equal(spec_publish_parse(rows[i].text, spec, &err), -1);
        assert_non_null(strstr(err.text, rows[i].reason));
        assert_non_null(strstr(err.text, rows[i].text));
        assert_int_equal(err.kind, strstr(rows[i].text, "sctp") ? DR_ERR_UNSUPPORTED
                                                                : DR_ERR_INVALID);
        assert_int_equal(spec->port_count, 0);
    }
}

static void expose_takes_ranges(void **state)
{
    struct dr_error err = DR_ERROR_INIT;
    spec_auto_container struct spec_container *spec = spec_container_new();
    assert_int_equal(spec_expose_parse("80", spec, &err), 0);
    assert_int_equal(spec_expose_parse("53-54/udp", spec, &err), 0);
    assert_string_equal(spec->exposed[0], "80/tcp");
    assert_string_equal(spec->exposed[1], "53/udp");
    assert_string_equal(spec->exposed[2], "54/udp");
    assert_null(spec->exposed[3]);
    static const char *const bad[] = {"", "0", "80:80", "1-65535", "80/icmp", "http"};
    for (size_t i = 0; i < DR_COUNT(bad); i++) {
        struct dr_error why = DR_ERROR_INIT;
        assert_int_equal(spec_expose_parse(bad[i], spec, &why), -1);
        assert_int_equal(why.kind, DR_ERR_INVALID);
        assert_non_null(strstr(why.text, bad[i]));
    }
}

static int check(const char *network, const char *const *ports, struct dr_error *err)
{
    spec_auto_container struct spec_container *spec = spec_container_new();
    if (network) {
        struct spec_network one = {.name = dr_strdup(network)};
        spec_container_add_network(spec, &one);
    }
    for (; *ports; ports++)
        assert_int_equal(spec_publish_parse(*ports, spec, err), 0);
    return spec_port_check(spec, err);
}

static void ports_that_exclude_each_other_are_refused(void **state)
{
    struct dr_error err = DR_ERROR_INIT;
#define PORTS(...) ((const char *const[]){__VA_ARGS__, NULL})
    assert_int_equal(check(NULL, PORTS("80:80", "127.0.0.1:80:81"), &err), -1);
    assert_non_null(strstr(err.text, "127.0.0.1:80/tcp is published twice"));
    dr_error_release(&err);
    assert_int_equal(
        check(NULL, PORTS("80:80", "80:80/udp", "[::1]:80:80", "80", "80"), &err), 0);
    assert_int_equal(check("container:x", PORTS("80:80"), &err), -1);
    assert_int_equal(err.kind, DR_ERR_INVALID);
    assert_non_null(strstr(err.text, "another one's network"));
    dr_error_release(&err);
    assert_int_equal(check("host", PORTS("80:80"), &err), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(publish_syntax_is_dockers),
        cmocka_unit_test(what_is_no_port_is_named_with_the_reason),
        cmocka_unit_test(expose_takes_ranges),
        cmocka_unit_test(ports_that_exclude_each_other_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
