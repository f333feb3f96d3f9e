/* SPDX-License-Identifier: Apache-2.0 */
/* dray's own format (C35): where every field goes, and every problem with its place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"
#include "deploy/check.h"
#include "deploy/read.h"
#include "deploy/write.h"

static const char *const surroundings[] = {"HOME=/home/me", "TAG=7",
                                           "EMPTY=", "DOLLARS=a$S:b", NULL};

/* Problems as lines "LINE:COLUMN TEXT"; NULL: none, and *ret is the model. */
static char *read_text(const char *text, struct deploy_model **ret)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    deploy_auto_problems struct deploy_problems problems = DEPLOY_PROBLEMS_INIT;
    struct deploy_sources sources = {
        .text = text, .directory = "/srv/shop", .environment = surroundings};
    if (deploy_read(&sources, &problems, ret, &err) == 0 &&
        deploy_check(*ret, &problems, &err) == 0)
        return NULL;
    if (!problems.count)
        return dr_strdup(err.text);
    assert_int_equal(err.kind, DR_ERR_CONFIG);
    dr_auto_json json_t *list = deploy_problems_json(&problems);
    char *lines = dr_strdup("");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *item = json_array_get(list, i);
        char *more =
            dr_printf("%s%d:%d %s\n", lines, (int)dr_json_int(item, "line", 0),
                      (int)dr_json_int(item, "column", 0), dr_json_str(item, "text"));
        free(lines);
        lines = more;
    }
    return lines;
}

static struct deploy_model *good(const char *text)
{
    struct deploy_model *model = NULL;
    dr_auto_free char *problems = read_text(text, &model);
    if (problems)
        fail_msg("%s", problems);
    return model;
}

static void bad(const char *text, const char *lines)
{
    struct deploy_model *model = NULL;
    dr_auto_free char *problems = read_text(text, &model);
    deploy_model_free(model);
    assert_non_null(problems);
    assert_string_equal(problems, lines);
}

#define HEAD "version: v1\ndeployment: shop\nservices:\n  web:\n    image: nginx\n"

static void assert_words(char *const *words, const char *expected)
{
    dr_auto_free char *text = dr_strdup("");
    for (; words && *words; words++) {
        char *more = dr_printf("%s%s%s", text, *text ? "|" : "", *words);
        free(text);
        text = more;
    }
    assert_string_equal(text, expected);
}

static const char everything[] =

    "version: v1\n"
    "deployment: shop\n"
    "services:\n"
    "  web:\n"
    "    rtype: service\n"
    "    image: {name: nginx:1.25, pull_policy: always, platform: linux/arm64}\n"
    "    command:\n"
    "      entrypoint: [/bin/sh, -c]\n"
    "      args: [sleep 10, 5, true]\n"
    "      workdir: /srv\n"
    "    env: {PORT: 80, DEBUG: true, TAG: v$E:TAG, EMPTY: \"\"}\n"
    "    resources: {cpu: 500m, cpu_shares: 512, memory: 512Mi, pids: 100, shm: "
    "1Mi}\n"
    "    storage:\n"
    "    - ./conf:/etc/conf:ro\n"
    "    - {source: data, target: /data, no_copy: true}\n"
    "    - {type: anonymous, target: /cache}\n"
    "    - {type: tmpfs, target: /tmp, size: 64Mi, mode: 1770}\n"
    "    - {source: ~/x, target: /x, read_only: true, propagation: rslave}\n"
    "    endpoints: [{name: http, port: 80}, 53/udp]\n"
    "    port_mappings: [8080:80, {address: \"::1\", host: 443, container: 8443}]\n"
    "    capabilities: [NET_ADMIN]\n"
    "    cap_drop: [ALL]\n"
    "    devices: [/dev/fuse, {source: /dev/null, target: /dev/x, permissions: r}]\n"
    "    privileged: true\n"
    "    health: {http: {port: 80, path: /up}, interval: 5s, timeout: 1s500ms, "
    "retries: 2, start_grace: 1m30s}\n"
    "    restart_policy: {policy: on-failure, max_retries: 5}\n"
    "    hostname: front\n"
    "    domainname: example\n"
    "    dns: 1.1.1.1\n"
    "    dns_search: [a.example, b.example]\n"
    "    dns_options: [\"ndots:1\"]\n"
    "    extra_hosts: {one: 10.0.0.1}\n"
    "    labels: [a=b, c]\n"
    "    user: 1000:1000\n"
    "    stop_signal: INT\n"
    "    stop_grace_period: 1m30s\n"
    "    sysctls: {net.core.somaxconn: 1024}\n"
    "    ulimits: {nofile: 1024, nproc: {soft: 10, hard: 20}}\n"
    "    security_opts: [no-new-privileges]\n"
    "    networks: {front: {aliases: [w], ip: 10.5.0.9}}\n"
    "    read_only_root_fs: true\n"
    "    tty: true\n"
    "    stdin_open: true\n"
    "    init: true\n"
    "    scale: {replicas: 1}\n"
    "    update: {order: start_first}\n"
    "    depends: [{service: db, condition: healthy, restart: true}, job]\n"
    "    log: {max_size: 1Mi, max_files: 2}\n"
    "  db: {image: postgres}\n"
    "  job: {image: busybox, rtype: job}\n"
    "networks: {front: {subnets: [10.5.0.0/24], internal: true}}\n"
    "volumes: {data: {labels: {keep: 1}}}\n";

static void every_field_goes_where_it_belongs(void **state)
{
    struct deploy_model *model = good(everything);
    assert_string_equal(model->name, "shop");
    assert_int_equal(model->service_count, 3);
    const struct deploy_service *web = deploy_model_service(model, "web");
    const struct spec_container *s = web->spec;
    assert_string_equal(s->service, "web");
    assert_string_equal(s->deployment, "shop");
    assert_true(strstr(s->image, "nginx:1.25") != NULL);
    assert_int_equal(web->pull, DEPLOY_PULL_ALWAYS);
    assert_string_equal(web->platform, "linux/arm64");
    assert_true(s->has_entrypoint);
    assert_words(s->entrypoint, "/bin/sh|-c");
    assert_words(s->args, "sleep 10|5|true");
    assert_string_equal(s->workdir, "/srv");
    assert_words(s->env, "PORT=80|DEBUG=true|TAG=v7|EMPTY=");
    assert_int_equal(s->nano_cpus, 500000000);
    assert_int_equal(s->cpu_shares, 512);
    assert_int_equal(s->memory_bytes, 512 << 20);
    assert_int_equal(s->pids_limit, 100);
    assert_int_equal(s->shm_size_bytes, 1 << 20);
    assert_int_equal(s->mount_count, 5);
    assert_string_equal(s->mounts[0].source, "/srv/shop/conf");
    assert_true(s->mounts[0].read_only);
    assert_string_equal(s->mounts[1].source, "shop_data");
    assert_true(s->mounts[1].no_copy);
    assert_int_equal(s->mounts[2].type, SPEC_MOUNT_VOLUME);
    assert_null(s->mounts[2].source);
    assert_string_equal(s->mounts[3].options, "size=67108864,mode=1770");
    assert_string_equal(s->mounts[4].source, "/home/me/x");
    assert_string_equal(s->mounts[4].options, "rslave");
    assert_words(s->exposed, "80/tcp|53/udp");
    assert_string_equal(web->endpoints[0].name, "http");
    assert_int_equal(s->port_count, 2);
    assert_int_equal(s->ports[0].host_port, 8080);
    assert_string_equal(s->ports[1].host_ip, "::1");
    assert_words(s->cap_add, "NET_ADMIN");
    assert_words(s->cap_drop, "ALL");
    assert_string_equal(s->devices[1].permissions, "r");
    assert_true(s->privileged && s->read_only && s->tty && s->stdin_open && s->init);
    assert_words(s->health.test, "HTTP|:80/up");
    assert_int_equal(s->health.timeout_ns, 1500000000);
    assert_int_equal(s->health.start_period_ns, 90000000000);
    assert_int_equal(s->health.retries, 2);
    assert_string_equal(s->restart, "on-failure");
    assert_int_equal(s->restart_max, 5);
    assert_string_equal(s->hostname, "front");
    assert_words(s->dns, "1.1.1.1");
    assert_words(s->dns_search, "a.example|b.example");
    assert_words(s->dns_options, "ndots:1");
    assert_words(s->extra_hosts, "one:10.0.0.1");
    assert_words(s->labels, "a=b|c=");
    assert_string_equal(s->user, "1000:1000");
    assert_string_equal(s->stop_signal, "SIGINT");
    assert_int_equal(s->stop_timeout_s, 90);
    assert_words(s->sysctls, "net.core.somaxconn=1024");
    assert_int_equal(s->ulimits[1].hard, 20);
    assert_words(s->security_opts, "no-new-privileges");
    assert_int_equal(s->network_count, 1);
    assert_string_equal(s->networks[0].name, "shop_front");
    assert_words(s->networks[0].aliases, "web|w");
    assert_int_equal(s->log_max_size_bytes, 1 << 20);
    assert_int_equal(s->log_max_files, 2);
    assert_true(web->start_first);
    assert_int_equal(web->depend_count, 2);
    assert_int_equal(web->depends[0].condition, DEPLOY_HEALTHY);
    assert_true(web->depends[0].restart);
    assert_int_equal(deploy_model_service(model, "job")->rtype, DEPLOY_JOB);
    assert_string_equal(deploy_model_service(model, "db")->spec->networks[0].name,
                        "shop_default");
    assert_int_equal(model->network_count, 2);
    assert_true(deploy_model_network(model, "shop_front")->internal);
    assert_words(deploy_model_volume(model, "shop_data")->labels, "keep=1");
    deploy_model_free(model);
}

static void all_problems_are_told_with_their_places(void **state)
{
    bad("version: v1\n"
        "deployment: Shop\n"
        "services:\n"
        "  web:\n"
        "    imgae: nginx\n"
        "    scale: many\n"
        "    tty: \"true\"\n"
        "    resources: {memory: lots, gpu: 1}\n"
        "    storage:\n"
        "    - {type: s3, source: b, target: /x}\n"
        "  db:\n"
        "    image: postgres\n"
        "    env: [X=$E:NOBODY, Y=$S:NOBODY]\n"
        "    restart_policy: sometimes\n"
        "    hostname: true\n"
        "    command: run me\n"
        "servces: {}\n",
        "2:13 deployment: 'Shop': expected a-z, 0-9, '-' and '_', at most 63, and a "
        "letter or digit first\n"
        "5:5 services.web: 'image' is missing\n"
        "5:5 services.web: there is no field 'imgae'; did you mean 'image'?\n"
        "6:12 services.web.scale: 'many': expected a number from 0 to 1000, or a mapping "
        "of replicas\n"
        "7:10 services.web.tty: 'true': expected true or false, without quotes\n"
        "8:25 services.web.resources.memory: 'lots': expected a size, such as 512Mi or "
        "2Gi\n"
        "8:36 services.web.resources.gpu: this is understood, but GPUs are not shared "
        "among containers here\n"
        "10:7 services.web.storage[0]: s3 storage is understood, but nothing here mounts "
        "a bucket: mount it over there, and bind that\n"
        "13:11 services.db.env: $E:NOBODY: the environment has no NOBODY\n"
        "13:24 services.db.env: $S:NOBODY: no secrets file is given\n"
        "14:21 services.db.restart_policy: 'sometimes': expected no, always, "
        "unless-stopped, on-failure or on-failure:N\n"
        "15:15 services.db.hostname: 'true': expected a text (in quotes, if it is meant "
        "as one)\n"
        "16:14 services.db.command: 'run me': expected a list, or a mapping of "
        "entrypoint, args, workdir\n"
        "17:1 there is no field 'servces'; did you mean 'services'?\n");
}

static void what_services_say_together_is_checked(void **state)
{
    bad("version: v1\n"
        "deployment: shop\n"
        "services:\n"
        "  a: {image: x, depends: [b], port_mappings: [80:80]}\n"
        "  b: {image: x, depends: [c], port_mappings: [80:8080]}\n"
        "  c: {image: x, depends: [a, dd]}\n"
        "  d: {image: x, scale: 2, container_name: one, port_mappings: [90:90]}\n"
        "  e: {image: x, rtype: cron}\n"
        "  f: {image: x, schedule: \"@daily\", health: {disable: true}}\n"
        "  g: {image: x, depends: [{service: f, condition: healthy}]}\n"
        "  h: {image: x, restart_policy: always}\n"
        "  i: {image: x, depends: [{service: h, condition: completed}]}\n",
        "5:6 b: port 80/tcp is published already, by a\n"
        "6:27 the services wait for one another: a -> b -> c -> a\n"
        "6:30 c depends on 'dd', which is no service here; did you mean 'd'?\n"
        "7:6 d: 2 replicas cannot all be called 'one'\n"
        "7:6 d: port 90 can be published by one of its 2 replicas only; give a range of "
        "ports, or none\n"
        "8:6 e: a cron needs a schedule\n"
        "9:6 f: a schedule is for a cron: say rtype: cron\n"
        "10:27 g waits until f is healthy, but its health check is off\n"
        "12:27 i waits until h has completed, but that is started again whenever it "
        "ends: make it a job, or say restart_policy: no\n");
}

static void networks_and_volumes_that_are_defined_are_all_of_them(void **state)
{
    bad(HEAD "    networks: [fornt]\n    storage: [date:/data]\n"
             "networks: {front: }\nvolumes: {data: {external: true}}\n",
        "6:16 services.web.networks: 'fornt' is not under networks; did you mean "
        "'front'?\n"
        "7:15 services.web.storage[0]: 'date' is not under volumes; did you mean "
        "'data'?\n");
    struct deploy_model *model =
        good(HEAD "    networks: [front, default]\n    storage: [data:/data]\n"
                  "networks: {front: {external: true, name: other}}\n");
    assert_string_equal(model->services[0].spec->networks[0].name, "other");
    assert_string_equal(model->services[0].spec->networks[1].name, "shop_default");
    assert_true(model->networks[0].external);
    assert_string_equal(model->volumes[0].name, "shop_data");
    deploy_model_free(model);
}

static void dollar_signs_mean_something_before_e_and_s_only(void **state)
{
    struct deploy_model *model =
        good(HEAD "    env:\n      A: $E:TAG-$E:{TAG}x\n      B: $$E:TAG\n"
                  "      C: a$b$$c${D}\n      D: $$$E:TAG\n      F: $E:DOLLARS\n"
                  "      G: $E:EMPTY\n");
    assert_words(model->services[0].spec->env,
                 "A=7-7x|B=$E:TAG|C=a$b$$c${D}|D=$7|F=a$S:b|G=");
    assert_words(model->services[0].env_written,
                 "A=7-7x|B=$$E:TAG|C=a$b$$c${D}|D=$7|F=a$$S:b|G=");
    deploy_model_free(model);
}

static void the_name_may_come_from_the_directory(void **state)
{
    struct deploy_model *model = good("version: v1\nservices: {web: {image: nginx}}\n");
    assert_string_equal(model->name, "shop");
    deploy_model_free(model);
    char *name = deploy_directory_name("/x/My Shop.2/");
    assert_string_equal(name, "myshop2");
    free(name);
    assert_null(deploy_directory_name("/"));
}

/* What is written is read again, and is the same: as a document, and each spec. */
static void assert_comes_back(const struct deploy_model *model, char *written)
{
    struct deploy_model *again = good(written);
    dr_auto_json json_t *before = deploy_write_json(model);
    dr_auto_json json_t *after = deploy_write_json(again);
    dr_auto_free char *text = deploy_yaml_of_json(after);
    assert_string_equal(text, written);
    assert_true(json_equal(before, after));
    assert_int_equal(again->service_count, model->service_count);
    for (size_t i = 0; i < model->service_count; i++) {
        dr_auto_json json_t *one = spec_container_to_json(model->services[i].spec);
        dr_auto_json json_t *other = spec_container_to_json(again->services[i].spec);
        dr_auto_free char *a = dr_json_text(one), *b = dr_json_text(other);
        assert_string_equal(a, b);
    }
    deploy_model_free(again);
}

static void what_is_written_is_the_same_deployment(void **state)
{
    static const char *const more[] = {
        everything,
        HEAD
        "    env: {Y: \"yes\", N: null, MANY: \"a\\nb \\t'\\\"\", Z: 0x1f, D: $$$$E:x}\n"
        "    network_mode: none\n    scale: 0\n    health: {command: [a, \"\"]}\n"
        "    port_mappings: [80, \"1000-1002:80\", \"127.0.0.2::9\"]\n"
        "    storage: [/a, {type: tmpfs, target: /t, options: \"noexec,mode=700\"}]\n"
        "    stop_grace_period: 0\n    resources: {cpu: 1.25, memory: 10000000}\n"
        "    restart_policy: \"no\"\n    command: {entrypoint: []}\n",
        HEAD
        "    health: {command: \"a && b\", interval: 1500us}\n"
        "    networks: [a, b, shop_c]\n    storage: [v:/v, w:/w]\nnaming: deployment\n"
        "networks: {a: {name: b, external: true}, b: {}, shop_c: {external: true}}\n"
        "volumes: {v: {name: vv}, w: {external: true}}\n",
        HEAD "    health: {tcp: 80}\n    rtype: cron\n    schedule: \"*/5 * * * *\"\n"
             "    files: [{target: /f, content: \"a: $E:b\", mode: \"0600\", uid: 5},\n"
             "      {target: /g, variable: TAG, secret: true}]\n",
    };
    for (size_t i = 0; i < DR_COUNT(more); i++) {
        struct deploy_model *model = good(more[i]);
        dr_auto_free char *written = deploy_write_yaml(model);
        assert_comes_back(model, written);
        deploy_model_free(model);
    }
}

static void in_secrets_file(const char *text, char path[])
{
    int fd = mkstemp(path);
    ssize_t len = (ssize_t)strlen(text);
    assert_int_equal(write(fd, text, (size_t)len), len);
    close(fd);
}

static void secrets_are_never_shown(void **state)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    deploy_auto_problems struct deploy_problems problems = DEPLOY_PROBLEMS_INIT;
    char path[] = "/tmp/dray-secrets-XXXXXX";
    in_secrets_file("# mine\r\nPASS=s3cr3t=$E:X\r\n\nOTHER=0ther", path);
    struct deploy_sources sources = {.text = HEAD
                                     "    env: {URL: \"pg://u:$S:PASS@db\", P: $S:PASS, "
                                     "Q: \"a$$$S:{OTHER}b\"}\n",
                                     .directory = "/",
                                     .environment = surroundings,
                                     .secrets_file = path};
    struct deploy_model *model = NULL;
    if (deploy_read(&sources, &problems, &model, &err) < 0)
        fail_msg("%s", err.text);
    assert_words(model->services[0].spec->env,
                 "URL=pg://u:s3cr3t=$E:X@db|P=s3cr3t=$E:X|Q=a$0therb");
    dr_auto_free char *written = deploy_write_yaml(model);
    deploy_model_free(model);
    assert_non_null(strstr(written, "URL: pg://u:$S:{PASS}@db\n"));
    assert_non_null(strstr(written, "P: $S:{PASS}\n"));
    assert_null(strstr(written, "s3cr3t"));
    assert_null(strstr(written, "0ther"));
    sources.text = written;
    assert_int_equal(deploy_read(&sources, &problems, &model, &err), 0);
    assert_words(model->services[0].spec->env,
                 "URL=pg://u:s3cr3t=$E:X@db|P=s3cr3t=$E:X|Q=a$0therb");
    deploy_model_free(model);

    sources.text = HEAD "    env: {P: $S:PASSS}\n";
    assert_int_equal(deploy_read(&sources, &problems, &model, &err), -1);
    assert_non_null(strstr(err.text, "there is no PASSS in /tmp/dray-secrets-"));
    unlink(path);
}

static void bad_secrets_files_say_where_and_not_what(void **state)
{
    static const struct {
        const char *text, *why;
    } files[] = {{"A=1\nhidden value\n", ":2: expected NAME=VALUE"},
                 {"A=\xff hidden\n", ":1: it is not valid UTF-8"},
                 {"1=hidden\n", ":1: expected NAME=VALUE"}};
    for (size_t i = 0; i < DR_COUNT(files); i++) {
        dr_auto_error struct dr_error err = DR_ERROR_INIT;
        deploy_auto_problems struct deploy_problems problems = DEPLOY_PROBLEMS_INIT;
        char path[] = "/tmp/dray-secrets-XXXXXX";
        in_secrets_file(files[i].text, path);
        struct deploy_sources sources = {.text = HEAD, .secrets_file = path};
        struct deploy_model *model = NULL;
        assert_int_equal(deploy_read(&sources, &problems, &model, &err), -1);
        unlink(path);
        assert_int_equal(err.kind, DR_ERR_CONFIG);
        assert_non_null(strstr(err.text, files[i].why));
        assert_null(strstr(err.text, "hidden"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_field_goes_where_it_belongs),
        cmocka_unit_test(all_problems_are_told_with_their_places),
        cmocka_unit_test(what_services_say_together_is_checked),
        cmocka_unit_test(networks_and_volumes_that_are_defined_are_all_of_them),
        cmocka_unit_test(dollar_signs_mean_something_before_e_and_s_only),
        cmocka_unit_test(the_name_may_come_from_the_directory),
        cmocka_unit_test(what_is_written_is_the_same_deployment),
        cmocka_unit_test(secrets_are_never_shown),
        cmocka_unit_test(bad_secrets_files_say_where_and_not_what),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
