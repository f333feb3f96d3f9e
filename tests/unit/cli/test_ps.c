/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cli/ps-filter.h"
#include "cli/ps-ports.h"
#include "cli/ps.h"

#define NOW_NS INT64_C(1700000000000000000)
#define MINUTE_NS INT64_C(60000000000)

static void the_status_is_in_dockers_words(void **state)
{
    static const struct {
        enum dray_phase phase;
        enum dray_health health;
        int exit_code; /* -1: unknown */
        const char *text;
    } rows[] = {
        {DRAY_RUNNING, 0, -1, "Up 3 minutes"},
        {DRAY_RUNNING, DRAY_HEALTHY, -1, "Up 3 minutes (healthy)"},
        {DRAY_RUNNING, DRAY_UNHEALTHY, -1, "Up 3 minutes (unhealthy)"},
        {DRAY_RUNNING, DRAY_HEALTH_STARTING, -1, "Up 3 minutes (health: starting)"},
        {DRAY_PAUSED, DRAY_HEALTHY, -1, "Up 3 minutes (Paused)"},
        {DRAY_STOPPING, 0, -1, "Up 3 minutes (Stopping)"},
        {DRAY_INITIALIZING, 0, -1, "Created"},
        {DRAY_PENDING, 0, -1, "Creating"},
        {DRAY_FAILED, 0, -1, "Dead"},
        {DRAY_RESTARTING, 0, 1, "Restarting (1) 2 minutes ago"},
        {DRAY_EXITED, 0, 0, "Exited (0) 2 minutes ago"},
        {DRAY_EXITED, 0, 137, "Exited (137) 2 minutes ago"},
        {DRAY_EXITED, 0, -1, "Exited (unknown) 2 minutes ago"}, /* C21 */
    };
    for (size_t i = 0; i < DR_COUNT(rows); i++) {
        struct dray_state container = {
            .phase = rows[i].phase,
            .health = rows[i].health,
            .started_ns = NOW_NS - 3 * MINUTE_NS,
            .finished_ns = NOW_NS - 2 * MINUTE_NS,
            .exit_known = rows[i].exit_code >= 0,
            .exit_code = rows[i].exit_code,
        };
        dr_auto_free char *text = ps_status(&container, NOW_NS);
        assert_string_equal(text, rows[i].text);
    }
}

static void a_schedule_says_what_comes_and_what_was(void **state)
{
    struct dray_state container = {.phase = DRAY_SCHEDULED,
                                   .next_run_ns = NOW_NS + 5 * MINUTE_NS - 1};
    dr_auto_free char *first = ps_status(&container, NOW_NS);
    assert_string_equal(first, "Scheduled, next in 5 minutes");
    container.run_count = 7;
    container.exit_known = true;
    container.finished_ns = NOW_NS - 2 * MINUTE_NS;
    dr_auto_free char *good = ps_status(&container, NOW_NS);
    assert_string_equal(good, "Scheduled, next in 5 minutes, last (0) 2 minutes ago");
    container.failed_count = 2;
    container.exit_known = false;
    dr_auto_free char *bad = ps_status(&container, NOW_NS);
    assert_string_equal(bad,
                        "Scheduled, next in 5 minutes, 2 of 7 failed, last (unknown) "
                        "2 minutes ago");
}

static void rows_are_cut_and_escaped(void **state)
{
    const struct dray_container c = {
        .id = "0123456789abcdef",
        .name = "n",
        .image = "docker.io/library/alpine:latest",
        .command = "sh -c \x1b 0123456789012345",
        .labels = "{\"a\":\"b\",\"c\":\"\"}",
        .state = {.phase = DRAY_INITIALIZING, .created_ns = 1},
    };
    dr_auto_json json_t *row = ps_row(&c, NOW_NS, false);
    assert_string_equal(dr_json_str(row, "ID"), "0123456789ab");
    assert_string_equal(dr_json_str(row, "Image"), "alpine:latest");
    assert_string_equal(dr_json_str(row, "Command"), "\"sh -c \\x1b 01234567…\"");
    assert_string_equal(dr_json_str(row, "Labels"), "a=b,c=");
    assert_string_equal(dr_json_str(row, "State"), "created");
    dr_auto_json json_t *whole = ps_row(&c, NOW_NS, true);
    assert_string_equal(dr_json_str(whole, "ID"), "0123456789abcdef");
    assert_string_equal(dr_json_str(whole, "Command"),
                        "\"sh -c \\x1b 0123456789012345\"");
}

static const struct dray_container web = {
    .id = "abc123",
    .name = "web1",
    .image = "docker.io/library/alpine:latest",
    .image_id = "sha256:feed01",
    .network = "host",
    .labels = "{\"tier\":\"front\",\"x\":\"\"}",
    .state = {.phase = DRAY_EXITED, .exit_known = true, .exit_code = 3},
    .json =
        "{\"ports\":[{\"host_ip\":\"127.0.0.1\",\"host_port\":8080,\"container_port\":80,"
        "\"protocol\":\"tcp\"},{\"container_port\":53,\"protocol\":\"udp\"}]}",
};

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
        {{"health=none"}, true},
        {{"health=healthy"}, false},
        {{"network=host"}, true},
        {{"network=none"}, false},
        {{"publish=8080"}, true},
        {{"publish=8000-9000/tcp"}, true},
        {{"publish=80"}, false},
        {{"publish=8080/udp"}, false},
        {{"expose=80"}, true},
        {{"expose=50-60/udp"}, true},
        {{"expose=53"}, false},
        {{"expose=53", "publish=8080"}, true}, /* of these two, either */
    };
    for (size_t i = 0; i < DR_COUNT(rows); i++) {
        dr_auto_error struct dr_error err = DR_ERROR_INIT;
        struct ps_filter *filter = ps_filter_new((char *const *)rows[i].filters, &err);
        assert_non_null(filter);
        assert_int_equal(ps_filter_match(filter, &web), rows[i].match);
        ps_filter_free(filter);
    }
}

#define TCP(ip, host, container)                                                         \
    "{\"host_ip\":\"" ip "\",\"host_port\":" #host ",\"container_port\":" #container     \
    ",\"protocol\":\"tcp\"}"
#define EXPOSED(port, protocol)                                                          \
    "{\"container_port\":" #port ",\"protocol\":\"" protocol "\"}"

static void ports_are_shown_as_docker_shows_them(void **state)
{
    static const char *const rows[][2] = {
        {"", ""},
        {TCP("127.0.0.1", 8080, 80), "127.0.0.1:8080->80/tcp"},
        {TCP("::1", 8080, 80), "[::1]:8080->80/tcp"},
        {EXPOSED(80, "tcp"), "80/tcp"},
        {TCP("1.2.3.4", 82, 82) "," TCP("1.2.3.4", 80, 80) "," TCP("1.2.3.4", 81, 81),
         "1.2.3.4:80-82->80-82/tcp"},
        {TCP("1.2.3.4", 80, 80) "," TCP("1.2.3.4", 82, 82) "," EXPOSED(
             90, "udp") "," EXPOSED(91, "udp") "," TCP("1.2.3.4", 1, 2),
         "1.2.3.4:80->80/tcp, 1.2.3.4:82->82/tcp, 90-91/udp, 1.2.3.4:1->2/tcp"},
    };
    for (size_t i = 0; i < DR_COUNT(rows); i++) {
        dr_auto_free char *json = dr_printf("{\"ports\":[%s]}", rows[i][0]);
        const struct dray_container c = {.json = json};
        dr_auto_free char *text = ps_ports(&c);
        assert_string_equal(text, rows[i][1]);
    }
}

static void bad_filters_are_named(void **state)
{
    static const struct {
        const char *filter, *text;
        enum dr_kind kind;
    } rows[] = {
        {"foo=1",
         "--filter foo=1: it must be KEY=VALUE with one of the keys ancestor, before, "
         "exited, "
         "expose, health, id, label, name, network, publish, since, status and volume",
         DR_ERR_INVALID},
        {"name",
         "--filter name: it must be KEY=VALUE with one of the keys ancestor, before, "
         "exited, "
         "expose, health, id, label, name, network, publish, since, status and volume",
         DR_ERR_INVALID},
        {"isolation=x",
         "--filter isolation=x is not supported: it is for Windows containers",
         DR_ERR_UNSUPPORTED},
        {"status=gone",
         "--filter status=gone: it must be one of created, running, paused, "
         "restarting, scheduled, exited and dead",
         DR_ERR_INVALID},
        {"health=fine",
         "--filter health=fine: it must be starting, healthy, unhealthy or none",
         DR_ERR_INVALID},
        {"exited=x", "--filter exited=x: it must be a number from 0 to 255",
         DR_ERR_INVALID},
        {"publish=80/icmp",
         "--filter publish=80/icmp: it must be a port, or a range, with /tcp or /udp "
         "behind it or not",
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
        cmocka_unit_test(a_schedule_says_what_comes_and_what_was),
        cmocka_unit_test(rows_are_cut_and_escaped),
        cmocka_unit_test(filters_match_as_dockers),
        cmocka_unit_test(ports_are_shown_as_docker_shows_them),
        cmocka_unit_test(bad_filters_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
