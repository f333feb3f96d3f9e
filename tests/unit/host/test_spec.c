/* SPDX-License-Identifier: Apache-2.0 */
/* dray_spec_*: the table of fields, its page in docs/, and what each value becomes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/fs.h"
#include "base/json.h"
#include "dray.h"
#include "spec/table.h"

static const char head[] = "<!-- SPDX-License-Identifier: Apache-2.0 -->\n"
                           "# The fields of a spec\n"
                           "\n"
                           "What `dray_spec_set` and `dray_spec_add` take "
                           "(`include/dray.h`). This page is the table in\n"
                           "`src/spec/table.c` as text; a test compares the two, "
                           "and writes it again when it is run\n"
                           "with `UPDATE=1`.\n";

static void add_rows(struct dr_buf *page, bool add)
{
    struct dr_error err = DR_ERROR_INIT;
    dr_buf_addf(page, &err, "\n## %s\n\n| field | value | what |\n| --- | --- | --- |\n",
                add ? "Added to, any number of times" : "Set");
    for (const struct spec_row *row = spec_rows; row->name; row++)
        if (row->add == add)
            assert_int_equal(dr_buf_addf(page, &err, "| `%s` | %s | %s |\n", row->name,
                                         row->form, row->meaning),
                             0);
}

static void the_page_in_docs_is_the_table(void **state)
{
    dr_auto_buf struct dr_buf want = DR_BUF_INIT(1 << 16), is = DR_BUF_INIT(1 << 16);
    struct dr_error err = DR_ERROR_INIT;
    dr_buf_addf(&want, &err, "%s", head);
    add_rows(&want, false);
    add_rows(&want, true);
    if (getenv("UPDATE"))
        assert_int_equal(
            dr_file_write(AT_FDCWD, SPEC_FIELDS_PAGE, want.data, want.len, 0644, 0, &err),
            0);
    assert_int_equal(dr_file_read(AT_FDCWD, SPEC_FIELDS_PAGE, &is, &err), 0);
    assert_string_equal(is.data, want.data);
}

/* The header's own list of names. */
static void the_header_names_every_field(void **state)
{
    dr_auto_buf struct dr_buf header = DR_BUF_INIT(1 << 20);
    struct dr_error err = DR_ERROR_INIT;
    assert_int_equal(dr_file_read(AT_FDCWD, DRAY_HEADER, &header, &err), 0);
    const char *list = strstr(header.data, " *   set: ");
    assert_non_null(list);
    for (const struct spec_row *row = spec_rows; row->name; row++) {
        size_t len = strlen(row->name);
        const char *at = list;
        while ((at = strstr(at, row->name)) &&
               (strchr("abcdefghijklmnopqrstuvwxyz_", at[len]) ||
                strchr("abcdefghijklmnopqrstuvwxyz_", at[-1])))
            at++;
        if (!at || at > strstr(list, " */"))
            fail_msg("%s is not in the header", row->name);
    }
}

static const struct {
    const char *field;
    bool add;
    const char *value, *json; /* the spec after it, without the image */
} good[] = {
    {"name", false, "a.b_c-1", "{\"name\":\"a.b_c-1\"}"},
    {"service", false, "web", "{\"service\":\"web\"}"},
    {"replica", false, "3", "{\"replica\":3}"},
    {"deployment", false, "prod", "{\"deployment\":\"prod\"}"},
    {"image", false, "alpine", "{\"image\":\"docker.io/library/alpine:latest\"}"},
    {"image_id", false,
     "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
     "{\"image_id\":\"sha256:"
     "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\"}"},
    {"workdir", false, "/a", "{\"workdir\":\"/a\"}"},
    {"user", false, "u:g", "{\"user\":\"u:g\"}"},
    {"hostname", false, "h", "{\"hostname\":\"h\"}"},
    {"network", false, "host", "{\"networks\":[{\"name\":\"host\"}]}"},
    {"network", true, "name=n,ip=10.0.0.2,alias=a,alias=b",
     "{\"networks\":[{\"aliases\":[\"a\",\"b\"],\"ip\":\"10.0.0.2\",\"name\":\"n\"}]}"},
    {"network_alias", true, "db", "{\"networks\":[{\"aliases\":[\"db\"]}]}"},
    {"ip", false, "10.0.0.2", "{\"networks\":[{\"ip\":\"10.0.0.2\"}]}"},
    {"ip6", false, "fd00::2", "{\"networks\":[{\"ip6\":\"fd00::2\"}]}"},
    {"mac_address", false, "02:00:00:00:00:01",
     "{\"networks\":[{\"mac\":\"02:00:00:00:00:01\"}]}"},
    {"domainname", false, "d.example", "{\"domainname\":\"d.example\"}"},
    {"dns", true, "192.0.2.53", "{\"dns\":[\"192.0.2.53\"]}"},
    {"dns_search", true, ".", "{\"dns_search\":[\".\"]}"},
    {"dns_option", true, "ndots:1", "{\"dns_options\":[\"ndots:1\"]}"},
    {"add_host", true, "a:host-gateway", "{\"extra_hosts\":[\"a:host-gateway\"]}"},
    {"add_host", true, "a=[2001:db8::1]", "{\"extra_hosts\":[\"a:2001:db8::1\"]}"},
    {"memory", false, "64m", "{\"memory_bytes\":67108864}"},
    {"cpus", false, "1.5", "{\"nano_cpus\":1500000000}"},
    {"cpu_shares", false, "512", "{\"cpu_shares\":512}"},
    {"pids_limit", false, "-1", "{\"pids_limit\":-1}"},
    {"shm_size", false, "1k", "{\"shm_size_bytes\":1024}"},
    {"stop_signal", false, "hup", "{\"stop_signal\":\"SIGHUP\"}"},
    {"stop_timeout", false, "0", "{\"stop_timeout_s\":0}"},
    {"log_driver", false, "none", "{\"log_driver\":\"none\"}"},
    {"restart", false, "on-failure:3", "{\"restart\":\"on-failure\",\"restart_max\":3}"},
    {"restart", false, "always", "{\"restart\":\"always\"}"},
    {"schedule", false, "*/5 * * * mon", "{\"schedule\":\"*/5 * * * mon\"}"},
    {"health_cmd", false, "a && b", "{\"health_test\":[\"CMD-SHELL\",\"a && b\"]}"},
    {"health_interval", false, "1m30s", "{\"health_interval_ns\":90000000000}"},
    {"health_timeout", false, "5", "{\"health_timeout_ns\":5000000000}"},
    {"health_start_period", false, "1s", "{\"health_start_period_ns\":1000000000}"},
    {"health_start_interval", false, "250ms", "{\"health_start_interval_ns\":250000000}"},
    {"health_retries", false, "4", "{\"health_retries\":4}"},
    {"tty", false, "true", "{\"tty\":true}"},
    {"interactive", false, "true", "{\"stdin_open\":true}"},
    {"rm", false, "true", "{\"auto_remove\":true}"},
    {"rm", false, "false", "{}"},
    {"read_only", false, "true", "{\"read_only\":true}"},
    {"privileged", false, "true", "{\"privileged\":true}"},
    {"init", false, "true", "{\"init\":true}"},
    {"no_healthcheck", false, "true", "{\"health_test\":[\"NONE\"]}"},
    {"entrypoint", false, "", "{\"has_entrypoint\":true}"},
    {"entrypoint", false, "/x y", "{\"entrypoint\":[\"/x y\"],\"has_entrypoint\":true}"},
    {"entrypoint", true, "/x", "{\"entrypoint\":[\"/x\"],\"has_entrypoint\":true}"},
    {"args", true, "", "{\"args\":[\"\"]}"},
    {"env", true, "A=b=c", "{\"env\":[\"A=b=c\"]}"},
    {"env", true, "A", "{\"env\":[\"A\"]}"},
    {"label", true, "k", "{\"labels\":[\"k=\"]}"},
    {"annotation", true, "k=v", "{\"annotations\":[\"k=v\"]}"},
    {"volume", true, "data:/d:ro",
     "{\"mounts\":[{\"read_only\":true,\"source\":\"data\",\"target\":\"/d\",\"type\":"
     "\"volume\"}]}"},
    {"tmpfs", true, "/t", "{\"mounts\":[{\"target\":\"/t\",\"type\":\"tmpfs\"}]}"},
    {"device", true, "/dev/null",
     "{\"devices\":[{\"container_path\":\"/dev/null\",\"host_path\":\"/dev/null\","
     "\"permissions\":\"rwm\"}]}"},
    {"publish", true, "[::1]:8080:80/udp",
     "{\"ports\":[{\"container_port\":80,\"host_ip\":\"::1\",\"host_port\":8080,"
     "\"protocol\":\"udp\"}]}"},
    {"publish_all", false, "true", "{\"publish_all\":true}"},
    {"expose", true, "80-81", "{\"exposed\":[\"80/tcp\",\"81/tcp\"]}"},
    {"ulimit", true, "nofile=1:2",
     "{\"ulimits\":[{\"hard\":2,\"name\":\"nofile\",\"soft\":1}]}"},
    {"sysctl", true, "net.core.x=1", "{\"sysctls\":[\"net.core.x=1\"]}"},
    {"cap_add", true, "ALL", "{\"cap_add\":[\"ALL\"]}"},
    {"cap_drop", true, "net_raw", "{\"cap_drop\":[\"net_raw\"]}"},
    {"security_opt", true, "seccomp=unconfined",
     "{\"security_opts\":[\"seccomp=unconfined\"]}"},
    {"log_opt", true, "max-size=1m", "{\"log_max_size_bytes\":1048576}"},
    {"log_opt", true, "max-file=3", "{\"log_max_files\":3}"},
    {"health_test", true, "CMD", "{\"health_test\":[\"CMD\"]}"},
};

static void every_field_goes_where_it_belongs(void **state)
{
    for (const struct spec_row *row = spec_rows; row->name; row++) {
        bool tried = false;
        for (size_t i = 0; i < DR_COUNT(good); i++)
            tried = tried ||
                    (good[i].add == row->add && strcmp(good[i].field, row->name) == 0);
        if (!tried)
            fail_msg("no value of %s is tried here", row->name);
    }
    for (size_t i = 0; i < DR_COUNT(good); i++) {
        struct dray_spec *spec = dray_spec_new(NULL);
        struct dray_error *err = NULL;
        int rc = good[i].add ? dray_spec_add(spec, good[i].field, good[i].value, &err)
                             : dray_spec_set(spec, good[i].field, good[i].value, &err);
        if (rc < 0)
            fail_msg("%s: %s", good[i].field, err->text);
        dr_auto_free char *json = dray_spec_to_json(spec);
        assert_string_equal(json, good[i].json);
        dray_spec_free(spec);
    }
}

static void a_bad_value_names_field_value_and_what_would_be_right(void **state)
{
    static const struct {
        const char *field;
        bool add;
        const char *value, *parts[3];
    } bad[] = {
        {"memory", false, "lots", {"memory: ", "lots"}},
        {"cpus", false, "x", {"cpus: ", "x"}},
        {"tty", false, "yes", {"tty: 'yes': expected true or false"}},
        {"no_healthcheck", false, "1", {"no_healthcheck: '1': expected true or false"}},
        {"cpu_shares", false, "262145", {"cpu_shares: ", "a number from 0 to 262144"}},
        {"replica", false, "-1", {"replica: '-1': expected a number from 0"}},
        {"schedule",
         false,
         "0 0 30 2 *",
         {"schedule: '0 0 30 2 *'", "none of its months"}},
        {"restart", false, "sometimes", {"restart: 'sometimes'", "unless-stopped"}},
        {"restart", false, "always:3", {"restart: 'always:3'"}},
        {"restart", false, "on-failure:x", {"restart: 'on-failure:x'"}},
        {"workdir", false, "a", {"workdir: 'a': expected an absolute path"}},
        {"name", false, "-a", {"name: ", "-a"}},
        {"image", false, "Bad Name", {"image: ", "Bad Name"}},
        {"image_id", false, "sha256:e3b0", {"image_id: ", "64 hex digits"}},
        {"stop_signal", false, "SIGNOPE", {"stop_signal: ", "SIGNOPE"}},
        {"health_interval", false, "soon", {"health_interval: ", "soon"}},
        {"env", true, "=x", {"env: '=x': expected NAME=VALUE"}},
        {"label", true, "", {"label: '': expected KEY=VALUE"}},
        {"volume", true, "./a:/b", {"volume: './a:/b'", "absolute path"}},
        {"log_opt", true, "max-file=0", {"log_opt: 'max-file=0'", "max-size=SIZE"}},
        {"publish", true, "80:x", {"publish: invalid port '80:x'", "8080:80"}},
        {"label", true, "a=\xff", {"label: ", "expected UTF-8"}},
        {"memry", false, "1g", {"there is no field 'memry'; did you mean 'memory'?"}},
        {"xyzzy", false, "1", {"there is no field 'xyzzy'"}},
        {"env", false, "A=1", {"field 'env' is added to, not set"}},
        {"memory", true, "1g", {"field 'memory' is set, not added to"}},
    };
    for (size_t i = 0; i < DR_COUNT(bad); i++) {
        struct dray_spec *spec = dray_spec_new("alpine");
        struct dray_error *err = NULL;
        assert_int_equal(bad[i].add
                             ? dray_spec_add(spec, bad[i].field, bad[i].value, &err)
                             : dray_spec_set(spec, bad[i].field, bad[i].value, &err),
                         -1);
        assert_int_equal(err->kind, DRAY_ERR_INVALID);
        for (size_t j = 0; j < 3 && bad[i].parts[j]; j++)
            if (!strstr(err->text, bad[i].parts[j]))
                fail_msg("'%s' is not in: %s", bad[i].parts[j], err->text);
        dray_error_free(err);
        dr_auto_free char *json = dray_spec_to_json(spec); /* nothing of it stays */
        assert_string_equal(json, "{\"image\":\"docker.io/library/alpine:latest\"}");
        dray_spec_free(spec);
    }
}

static void a_spec_goes_to_json_and_back(void **state)
{
    struct dray_spec *spec = dray_spec_new("alpine"), *back;
    char *const words[] = {(char *)"a", (char *)"b c", NULL};
    struct dray_error *err = NULL;
    assert_int_equal(dray_spec_add_all(spec, "args", words, &err), 0);
    assert_int_equal(dray_spec_add_all(spec, "args", NULL, &err), 0);
    assert_int_equal(dray_spec_set_int(spec, "stop_timeout", 7, &err), 0);
    dr_auto_free char *json = dray_spec_to_json(spec);
    assert_int_equal(dray_spec_from_json(json, &back, &err), 0);
    dr_auto_free char *again = dray_spec_to_json(back);
    assert_string_equal(again, json);
    dray_spec_free(spec);
    dray_spec_free(back);
    assert_int_equal(dray_spec_from_json("{\"nosuch\":1}", &back, &err), -1);
    assert_int_equal(err->kind, DRAY_ERR_INVALID);
    assert_non_null(strstr(err->text, "nosuch"));
    dray_error_free(err);
    assert_int_equal(dray_spec_from_json("{\"image\":\"alpine\"}", &back, &err), 0);
    dr_auto_free char *typed = dray_spec_to_json(back);
    assert_string_equal(typed, "{\"image\":\"docker.io/library/alpine:latest\"}");
    dray_spec_free(back);
    assert_int_equal(dray_spec_from_json("{\"image\":\"Bad Name\"}", &back, &err), -1);
    assert_int_equal(err->kind, DRAY_ERR_INVALID);
    dray_error_free(err);
    assert_int_equal(dray_spec_from_json("{", &back, &err), -1);
    assert_int_equal(err->kind, DRAY_ERR_FORMAT);
    dray_error_free(err);
    assert_int_equal(dray_spec_from_json(NULL, &back, &err), -1);
    dray_error_free(err);
}

/* C25 */
static void words_of_any_bytes_go_to_json_and_back(void **state)
{
    struct dray_spec *spec = dray_spec_new("alpine"), *back;
    struct dray_error *err = NULL;
    assert_int_equal(dray_spec_add(spec, "args", "a", &err), 0);
    assert_int_equal(dray_spec_add(spec, "args", "\xff", &err), 0);
    assert_int_equal(dray_spec_add(spec, "args", "", &err), 0);
    assert_int_equal(dray_spec_add(spec, "env", "A=\xfe", &err), 0);
    assert_int_equal(dray_spec_set(spec, "entrypoint", "\x80", &err), 0);
    assert_int_equal(dray_spec_set(spec, "health_cmd", "\x81", &err), 0);
    dr_auto_free char *json = dray_spec_to_json(spec);
    assert_non_null(strstr(json, "\"args\":[\"a\",{\"base64\":\"/w==\"},\"\"]"));
    assert_non_null(strstr(json, "\"env\":[{\"base64\":\"QT3+\"}]"));
    assert_int_equal(dray_spec_from_json(json, &back, &err), 0);
    dr_auto_free char *again = dray_spec_to_json(back);
    assert_string_equal(again, json);
    dray_spec_free(spec);
    dray_spec_free(back);
    static const struct {
        const char *json, *text;
    } bad[] = {
        {"{\"args\":[{\"base64\":\"/w=!\"}]}",
         "args[0]: must be a string, or {\"base64\""},
        {"{\"env\":[\"A=1\",{\"base64\":\"AAA=\"}]}", "env[1]: must be a string, or"},
        {"{\"args\":[{\"base64\":\"/w==\",\"a\":1}]}", "args[0]: must be"},
        {"{\"args\":[1]}", "args[0]: must be a string, or"},
        {"{\"labels\":[{\"base64\":\"/w==\"}]}", "labels[0]: must be a string"},
    };
    for (size_t i = 0; i < DR_COUNT(bad); i++) {
        assert_int_equal(dray_spec_from_json(bad[i].json, &back, &err), -1);
        assert_int_equal(err->kind, DRAY_ERR_INVALID);
        if (!strstr(err->text, bad[i].text))
            fail_msg("%s: %s", bad[i].json, err->text);
        dray_error_free(err);
    }
}

static void a_spec_that_cannot_be_is_refused_before_anything_is_asked(void **state)
{
    static const struct {
        const char *image, *field, *value, *part;
        enum dray_kind kind;
    } bad[] = {
        {NULL, "workdir", "/", "no image", DRAY_ERR_INVALID},
        {"Bad Name", "workdir", "/", "image: ", DRAY_ERR_INVALID},
        {"alpine", "network", "a b", "network: 'a b' is no network's name",
         DRAY_ERR_INVALID},
        {"alpine", "memory", "1k", "memory", DRAY_ERR_INVALID},
        {"alpine", "hostname", "a b", "hostname: 'a b'", DRAY_ERR_INVALID},
    };
    for (size_t i = 0; i < DR_COUNT(bad); i++) {
        struct dray_spec *spec = dray_spec_new(bad[i].image);
        struct dray_error *err = NULL;
        assert_int_equal(dray_spec_set(spec, bad[i].field, bad[i].value, &err), 0);
        assert_int_equal(dray_spec_check(spec, &err), -1);
        assert_int_equal(err->kind, bad[i].kind);
        if (!strstr(err->text, bad[i].part))
            fail_msg("'%s' is not in: %s", bad[i].part, err->text);
        dray_error_free(err);
        dray_spec_free(spec);
    }
}

static void c05_two_ids_never_share_a_name(void **state)
{
    static const char *const services[] = {"a.b", "a-b", "a b", "", "-a", "\xc3\xa4"};
    char *names[DR_COUNT(services)];
    for (size_t i = 0; i < DR_COUNT(services); i++) {
        names[i] = dray_service_name(services[i], 3);
        assert_true(strlen(names[i]) <= 63 && names[i][0] != '-');
        assert_int_equal(dray_name_check(names[i], NULL), 0);
        assert_non_null(strstr(names[i], "-rep-3"));
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(names[i], names[j]);
    }
    assert_string_equal(names[1], "a-b-rep-3");
    for (size_t i = 0; i < DR_COUNT(services); i++)
        dray_free(names[i]);
    struct dray_error *err = NULL;
    assert_int_equal(dray_name_check("a b", &err), -1);
    assert_int_equal(err->kind, DRAY_ERR_INVALID);
    dray_error_free(err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_page_in_docs_is_the_table),
        cmocka_unit_test(the_header_names_every_field),
        cmocka_unit_test(every_field_goes_where_it_belongs),
        cmocka_unit_test(a_bad_value_names_field_value_and_what_would_be_right),
        cmocka_unit_test(a_spec_goes_to_json_and_back),
        cmocka_unit_test(words_of_any_bytes_go_to_json_and_back),
        cmocka_unit_test(a_spec_that_cannot_be_is_refused_before_anything_is_asked),
        cmocka_unit_test(c05_two_ids_never_share_a_name),
    };
    return cmocka_run_group_tests_name("host spec", tests, NULL, NULL);
}
