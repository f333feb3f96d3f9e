/* SPDX-License-Identifier: Apache-2.0 */
/* Several Compose files are one: what is merged, appended, replaced and taken out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "deploy/compose-merge.h"

static struct deploy_value *loaded(const char *text, struct deploy_problems *problems)
{
    struct dr_error err = DR_ERROR_INIT;
    struct deploy_value *value = NULL;
    if (deploy_value_load("f.yaml", text, strlen(text), &value, &err) < 0)
        fail_msg("%s", err.text);
    compose_normalise(value, problems);
    return value;
}

/* As JSON, with scalars as texts, on one line. */
static void print(const struct deploy_value *value, struct dr_buf *out)
{
    struct dr_error err = DR_ERROR_INIT;
    if (value->type == DEPLOY_NULL)
        dr_buf_addf(out, &err, "~");
    if (value->type == DEPLOY_SCALAR)
        dr_buf_addf(out, &err, "%s", value->text);
    if (value->type == DEPLOY_LIST || value->type == DEPLOY_MAP) {
        dr_buf_addf(out, &err, value->type == DEPLOY_LIST ? "[" : "{");
        for (size_t i = 0; i < value->count; i++) {
            dr_buf_addf(out, &err, "%s", i ? ", " : "");
            if (value->keys)
                dr_buf_addf(out, &err, "%s: ", value->keys[i]);
            print(value->items[i], out);
        }
        dr_buf_addf(out, &err, value->type == DEPLOY_LIST ? "]" : "}");
    }
}

static char *printed(const struct deploy_value *value)
{
    dr_auto_buf struct dr_buf out = DR_BUF_INIT(65536);
    print(value, &out);
    return dr_buf_take(&out);
}

/* Two files that have one service a; the result is that service. */
static void merged(const char *first, const char *second, const char *wanted)
{
    deploy_auto_problems struct deploy_problems problems = DEPLOY_PROBLEMS_INIT;
    dr_auto_free char *one = dr_printf("services: {a: {%s}}", first),
                      *two = dr_printf("services: {a: {%s}}", second);
    deploy_auto_value struct deploy_value *base = loaded(one, &problems);
    compose_merge(base, loaded(two, &problems));
    compose_sweep(base);
    compose_unique(base);
    assert_int_equal(problems.count, 0);
    dr_auto_free char *text =
        printed(deploy_value_get(deploy_value_get(base, "services"), "a"));
    assert_string_equal(text, wanted);
}

static void scalars_are_replaced_and_maps_merged(void **state)
{
    merged("image: x, tty: true", "image: y", "{image: y, tty: true}");
    merged("image: x", "image: ", "{image: x}");
    merged("healthcheck: {retries: 3, interval: 5s}", "healthcheck: {retries: 4}",
           "{healthcheck: {retries: 4, interval: 5s}}");
    merged("deploy: {replicas: 2}", "deploy: {resources: {limits: {cpus: 1}}}",
           "{deploy: {replicas: 2, resources: {limits: {cpus: 1}}}}");
}

static void environments_are_merged_whatever_their_form(void **state)
{
    merged("environment: [A=1, B=2, C]", "environment: {B: 3, D: , A: }",
           "{environment: {A: ~, B: 3, C: ~, D: ~}}");
    merged("labels: {a.b: x}", "labels: [a.b=y, c]", "{labels: {a.b: y, c: ~}}");
    merged("depends_on: [a, b]", "depends_on: {b: {condition: service_healthy}}",
           "{depends_on: {a: {condition: service_started, required: true}, b: "
           "{condition: service_healthy, required: true}}}");
    merged(
        "depends_on: {b: {condition: service_healthy, restart: true}}", "depends_on: [b]",
        "{depends_on: {b: {condition: service_started, restart: true, required: true}}}");
    merged("networks: {x: {aliases: [p]}}", "networks: [x, y]",
           "{networks: {x: {aliases: [p]}, y: ~}}");
}

static void sequences_are_appended(void **state)
{
    merged("dns: 1.1.1.1", "dns: [8.8.8.8, 1.1.1.1]", "{dns: [1.1.1.1, 8.8.8.8]}");
    merged("extra_hosts: {a: 1.1.1.1}", "extra_hosts: [\"b:2.2.2.2\"]",
           "{extra_hosts: [a:1.1.1.1, b:2.2.2.2]}");
    merged("env_file: a.env", "env_file: [b.env, {path: a.env}]",
           "{env_file: [{path: a.env}, b.env]}");
    merged("expose: [80]", "expose: [81, \"80\"]", "{expose: [80, 81]}");
}

static void commands_are_replaced(void **state)
{
    merged("command: [a, b]", "command: [c]", "{command: [c]}");
    merged("entrypoint: [a, b]", "entrypoint: c d", "{entrypoint: c d}");
    merged("healthcheck: {test: [CMD, a]}", "healthcheck: {test: [CMD, b]}",
           "{healthcheck: {test: [CMD, b]}}");
    merged("logging: {driver: json-file, options: {a: 1}}", "logging: {options: {b: 2}}",
           "{logging: {driver: json-file, options: {a: 1, b: 2}}}");
    merged("logging: {driver: json-file, options: {a: 1}}", "logging: {driver: none}",
           "{logging: {driver: none}}");
    merged("ulimits: {nofile: 1}", "ulimits: {nofile: {soft: 2, hard: 3}}",
           "{ulimits: {nofile: {soft: 2, hard: 3}}}");
}

static void things_with_a_key_are_there_once(void **state)
{
    merged("volumes: [\"a:/x\", \"b:/y:ro\"]", "volumes: [\"./c:/x\", /z]",
           "{volumes: [./c:/x, b:/y:ro, /z]}");
    merged("volumes: [\"a:/x\"]",
           "volumes: [{type: bind, source: /h, target: /x}, 'C:\\d:/y']",
           "{volumes: [{type: bind, source: /h, target: /x}, C:\\d:/y]}");
    merged(
        "ports: [\"80:80\", \"81:81/udp\"]",
        "ports: [\"80:80/tcp\", \"81:81\", {target: 81, published: 81, protocol: udp}]",
        "{ports: [80:80/tcp, {target: 81, published: 81, protocol: udp}, 81:81]}");
    merged("ports: [\"127.0.0.1:80:80\"]", "ports: [\"80:80\"]",
           "{ports: [127.0.0.1:80:80, 80:80]}");
    merged("secrets: [a]",
           "secrets: [{source: a, target: a, mode: 256}, {source: a, target: b}]",
           "{secrets: [{source: a, target: a, mode: 256}, {source: a, target: b}]}");
    merged("ports: [\"80:80\", 9, {target: 80, published: 80}]", "tty: true",
           "{ports: [{target: 80, published: 80}, 9], tty: true}");
    merged("configs: [a]", "configs: [{source: b, target: /a}]",
           "{configs: [{source: b, target: /a}]}");
}

static void tags_reset_and_override(void **state)
{
    merged("image: x, ports: [\"80:80\"], environment: {A: 1, B: 2}",
           "ports: !reset [], environment: {A: !reset null}",
           "{image: x, environment: {B: 2}}");
    merged("ports: [\"80:80\"]", "ports: !override [\"81:81\"]", "{ports: [81:81]}");
    merged("environment: {A: 1}", "environment: !override {B: 2}",
           "{environment: {B: 2}}");
    merged("image: x", "tty: !reset null", "{image: x}");
}

static void extensions_are_nothing(void **state)
{
    deploy_auto_problems struct deploy_problems problems = DEPLOY_PROBLEMS_INIT;
    deploy_auto_value struct deploy_value *root =
        loaded("x-a: 1\nservices: {x-s: {x-b: 1, image: y, environment: {x-e: 1},"
               " healthcheck: {x-h: 1}, deploy: {x-d: 1, resources: {limits: {x-l: 1}}},"
               " ports: [{x-p: 1, target: 80}]}}\nvolumes: {v: {x-v: 1}}\n",
               &problems);
    dr_auto_free char *text = printed(root);
    assert_string_equal(
        text, "{services: {x-s: {image: y, environment: {x-e: 1}, healthcheck: {},"
              " deploy: {resources: {limits: {}}}, ports: [{target: 80}]}},"
              " volumes: {v: {}}}");
}

static void what_cannot_be_one_form_is_named(void **state)
{
    deploy_auto_problems struct deploy_problems problems = DEPLOY_PROBLEMS_INIT;
    deploy_auto_value struct deploy_value *root =
        loaded("services:\n  a:\n    environment: [=x, [y]]\n    depends_on: [[z]]\n"
               "    extra_hosts: {a: {}}\n    image: !shout x\n",
               &problems);
    assert_non_null(root);
    assert_int_equal(problems.count, 5);
    assert_string_equal(problems.items[0].text, "expected NAME=VALUE");
    assert_int_equal(problems.items[0].line, 3);
    assert_string_equal(problems.items[2].text, "expected a name");
    assert_string_equal(problems.items[3].text, "expected an address");
    assert_string_equal(problems.items[4].text,
                        "the tag !shout means nothing here; there are !reset and "
                        "!override");
}

static void long_lists_take_no_long_time(void **state)
{
    deploy_auto_problems struct deploy_problems problems = DEPLOY_PROBLEMS_INIT;
    dr_auto_buf struct dr_buf text = DR_BUF_INIT(4 << 20);
    struct dr_error err = DR_ERROR_INIT;
    dr_buf_addf(&text, &err, "services: {a: {environment: [");
    for (int i = 0; i < 90000; i++)
        dr_buf_addf(&text, &err, "A%d=x,", i);
    dr_buf_addf(&text, &err, "]}}");
    deploy_auto_value struct deploy_value *base = loaded(text.data, &problems);
    compose_merge(base, loaded(text.data, &problems));
    assert_int_equal(compose_count(base), 90004);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scalars_are_replaced_and_maps_merged),
        cmocka_unit_test(environments_are_merged_whatever_their_form),
        cmocka_unit_test(sequences_are_appended),
        cmocka_unit_test(commands_are_replaced),
        cmocka_unit_test(things_with_a_key_are_there_once),
        cmocka_unit_test(tags_reset_and_override),
        cmocka_unit_test(extensions_are_nothing),
        cmocka_unit_test(what_cannot_be_one_form_is_named),
        cmocka_unit_test(long_lists_take_no_long_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
