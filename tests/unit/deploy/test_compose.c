/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whole Compose files, in the shapes that people publish, to the model: each directory of
 * compose/ has files and the wanted.json that they become. UPDATE=1 writes it again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/fs.h"
#include "deploy/check.h"
#include "deploy/compose-internal.h"
#include "deploy/find.h"
#include "deploy/write.h"

static const char *const environment[] = {"HOME=/home/me", "MYSQL_PASSWORD=from here",
                                          "PG_PASSWORD=pg secret", NULL};

/* --- the model as JSON --- */

static json_t *depends_json(const struct deploy_service *s)
{
    static const char *const names[] = {"started", "healthy", "completed"};
    json_t *all = json_object();
    for (size_t i = 0; i < s->depend_count; i++) {
        const struct deploy_depend *d = &s->depends[i];
        json_object_set_new(all, d->service,
                            json_sprintf("%s%s%s", names[d->condition],
                                         d->optional ? " optional" : "",
                                         d->restart ? " restart" : ""));
    }
    return all;
}

static json_t *service_json(const struct deploy_service *s)
{
    json_t *json = json_object(), *files = json_array();
    dr_json_set(json, "spec", spec_container_to_json(s->spec));
    dr_json_set_int(json, "scale", s->scale);
    dr_json_set_str(json, "container_name", s->container_name);
    dr_json_set_str(json, "platform", s->platform);
    if (s->pull)
        dr_json_set_int(json, "pull", s->pull);
    if (s->start_first)
        dr_json_set_bool(json, "start_first", true);
    if (s->depend_count)
        dr_json_set(json, "depends", depends_json(s));
    for (size_t i = 0; i < s->file_count; i++) {
        const struct deploy_file *f = &s->files[i];
        json_array_append_new(files, json_sprintf("%s %04llo %lld:%lld %s%s", f->target,
                                                  (long long)f->mode, (long long)f->uid,
                                                  (long long)f->gid,
                                                  f->secret ? "secret " : "", f->data));
    }
    if (s->file_count)
        dr_json_set(json, "files", json_incref(files));
    json_decref(files);
    return json;
}

static json_t *network_json(const struct deploy_network *n)
{
    json_t *json = json_object();
    if (n->external)
        dr_json_set_bool(json, "external", true);
    if (n->internal)
        dr_json_set_bool(json, "internal", true);
    if (n->mtu)
        dr_json_set_int(json, "mtu", n->mtu);
    for (size_t i = 0; i < n->subnet_count; i++)
        json_object_set_new(
            json, n->subnets[i].subnet,
            json_sprintf("%s %s", n->subnets[i].gateway ? n->subnets[i].gateway : "-",
                         n->subnets[i].range ? n->subnets[i].range : "-"));
    if (n->labels)
        dr_json_set(json, "labels", dr_json_from_strv(n->labels));
    return json;
}

static json_t *model_json(const struct deploy_model *m)
{
    json_t *json = json_object(), *services = json_object(), *networks = json_object(),
           *volumes = json_object();
    dr_json_set_str(json, "name", m->name);
    for (size_t i = 0; i < m->service_count; i++)
        dr_json_set(services, m->services[i].name, service_json(&m->services[i]));
    for (size_t i = 0; i < m->network_count; i++)
        dr_json_set(networks, m->networks[i].name, network_json(&m->networks[i]));
    for (size_t i = 0; i < m->volume_count; i++) {
        json_t *one = json_object();
        if (m->volumes[i].external)
            dr_json_set_bool(one, "external", true);
        if (m->volumes[i].labels)
            dr_json_set(one, "labels", dr_json_from_strv(m->volumes[i].labels));
        dr_json_set(volumes, m->volumes[i].name, one);
    }
    dr_json_set(json, "services", services);
    dr_json_set(json, "networks", networks);
    dr_json_set(json, "volumes", volumes);
    if (m->warnings)
        dr_json_set(json, "warnings", dr_json_from_strv(m->warnings));
    return json;
}

/* The directory's absolute path is different on every machine. */
static char *without(const char *text, const char *path)
{
    dr_auto_buf struct dr_buf out = DR_BUF_INIT(1 << 20);
    struct dr_error err = DR_ERROR_INIT;
    for (const char *at; (at = strstr(text, path)); text = at + strlen(path)) {
        dr_buf_add(&out, text, (size_t)(at - text), &err);
        dr_buf_add(&out, "HERE", 4, &err);
    }
    dr_buf_add(&out, text, strlen(text), &err);
    return dr_buf_take(&out);
}

/* --- files --- */

static struct deploy_model *read_fixture(const char *directory)
{
    dr_auto_strv char **files = deploy_find(directory, environment);
    assert_non_null(files);
    const struct deploy_sources sources = {.files = (const char *const *)files,
                                           .environment = environment};
    deploy_auto_problems struct deploy_problems problems = DEPLOY_PROBLEMS_INIT;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    struct deploy_model *model = NULL;
    if (deploy_read(&sources, &problems, &model, &err) < 0) {
        dr_auto_json json_t *all = deploy_problems_json(&problems);
        dr_auto_free char *text = dr_json_text(all);
        fail_msg("%s: %s\n%s", directory, err.text, text);
    }
    return model;
}

static void fixture(const char *name)
{
    dr_auto_free char *directory = dr_printf("%s/compose/%s", SOURCE_DIR, name),
                      *wanted_path = dr_printf("%s/wanted.json", directory);
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    struct deploy_model *model = read_fixture(directory);
    deploy_auto_problems struct deploy_problems problems = DEPLOY_PROBLEMS_INIT;
    if (deploy_check(model, &problems, &err) < 0)
        fail_msg("%s: %s", name, err.text);
    dr_auto_json json_t *json = model_json(model);
    deploy_model_free(model);
    dr_auto_free char *text = json_dumps(json, JSON_INDENT(1)),
                      *short_text = without(text, directory),
                      *line = dr_printf("%s\n", short_text);
    if (getenv("UPDATE"))
        assert_int_equal(
            dr_file_write(AT_FDCWD, wanted_path, line, strlen(line), 0644, 0, &err), 0);
    dr_auto_buf struct dr_buf wanted = DR_BUF_INIT(1 << 20);
    if (dr_file_read(AT_FDCWD, wanted_path, &wanted, &err) < 0)
        fail_msg("%s", err.text);
    assert_string_equal(line, wanted.data);
}

/* What `config` shows: the same deployment in dray's own format. */
static void through_v1(const char *name)
{
    dr_auto_free char *directory = dr_printf("%s/compose/%s", SOURCE_DIR, name);
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    struct deploy_model *model = read_fixture(directory), *again = NULL;
    dr_auto_free char *yaml = deploy_write_yaml(model);
    const struct deploy_sources sources = {
        .text = yaml, .directory = directory, .environment = environment};
    deploy_auto_problems struct deploy_problems problems = DEPLOY_PROBLEMS_INIT;
    if (deploy_read(&sources, &problems, &again, &err) < 0)
        fail_msg("%s: %s\n%s", name, err.text, yaml);
    dr_strv_free(model->warnings);
    model->warnings = NULL;
    dr_auto_json json_t *before = model_json(model), *after = model_json(again);
    dr_auto_free char *text_before = json_dumps(before, JSON_INDENT(1)),
                      *text_after = json_dumps(after, JSON_INDENT(1));
    assert_int_equal(again->compose_names, true);
    deploy_model_free(model);
    deploy_model_free(again);
    assert_string_equal(text_after, text_before);
}

static const char *const names[] = {"wordpress",  "nginx-flask-mongo",
                                    "monitoring", "nextcloud",
                                    "gitea",      "proxy",
                                    "django",     "elk",
                                    "everything", "merged"};

static void published_shapes_become_deployments(void **state)
{
    for (size_t i = 0; i < DR_COUNT(names); i++)
        fixture(names[i]);
}

static void they_are_the_same_in_the_own_format(void **state)
{
    for (size_t i = 0; i < DR_COUNT(names); i++)
        through_v1(names[i]);
}

/* docs/man/dray-compose-file.5.scd has a word for each. */
static void the_manual_has_every_field(void **state)
{
    dr_auto_buf struct dr_buf page = DR_BUF_INIT(1 << 20);
    struct dr_error err = DR_ERROR_INIT;
    if (dr_file_read(AT_FDCWD, SOURCE_DIR "/../../../docs/man/dray-compose-file.5.scd",
                     &page, &err) < 0)
        fail_msg("%s", err.text);
    const char *services = strstr(page.data, "# SERVICES"),
               *warnings = strstr(page.data, "## Warnings"),
               *refused = strstr(page.data, "## Refused");
    assert_true(services && warnings && refused);
    for (const struct compose_field *f = compose_service_fields; f->name; f++) {
        const char *part = f->kind == COMPOSE_NOTED     ? warnings
                           : f->kind == COMPOSE_REFUSED ? refused
                                                        : services;
        const char *end = part == services ? warnings : part == warnings ? refused : NULL;
        const char *at = part;
        size_t len = strlen(f->name);
        /* a word of its own */
        while ((at = strstr(at, f->name)) &&
               (!strchr(" \n", at[-1]) || !strchr(",\n", at[len])))
            at++;
        if (!at || (end && at > end))
            fail_msg("%s is not where it belongs in the manual", f->name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_shapes_become_deployments),
        cmocka_unit_test(they_are_the_same_in_the_own_format),
        cmocka_unit_test(the_manual_has_every_field),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
