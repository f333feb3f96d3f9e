/* SPDX-License-Identifier: Apache-2.0 */
/* configs and secrets: files that a service finds in its container. */
#include <string.h>

#include "base/fs.h"
#include "base/text.h"
#include "deploy/compose-internal.h"

#define CONTENT_MAX (1u << 20) /* of one; of all: below */
#define ALL_CONTENT_MAX (32u << 20)

static const struct compose_field content_fields[] = {
    {"content", COMPOSE_ELSEWHERE},
    {"driver", COMPOSE_REFUSED, .why = "there are no drivers for them here"},
    {"driver_opts", COMPOSE_REFUSED, .why = "there are no drivers for them here"},
    {"environment", COMPOSE_ELSEWHERE},
    {"external", COMPOSE_ELSEWHERE},
    {"file", COMPOSE_ELSEWHERE},
    {"labels", COMPOSE_NOTED, .why = "are of a cluster; here is one machine"},
    {"name", COMPOSE_NOTED, .why = "nothing of that name is kept over there"},
    {"template_driver", COMPOSE_REFUSED, .why = "templates are not read here"},
    {NULL},
};

struct kind {
    const char *section, *one; /* "configs", "config" */
    const char *directory;     /* what a relative target begins at */
    bool secret;
};
static const struct kind config_kind = {"configs", "config", "", false};
static const struct kind secret_kind = {"secrets", "secret", "/run/secrets", true};

static const struct deploy_value *source_of(const struct deploy_value *map,
                                            const char *key)
{
    const struct deploy_value *value = deploy_value_get(map, key);
    return value && value->type == DEPLOY_SCALAR ? value : NULL;
}

/* What it holds, owned; NULL: a problem. */
static char *content(struct compose *c, const struct kind *kind,
                     const struct deploy_value *map, size_t *ret_len)
{
    const struct deploy_value *file = source_of(map, "file"),
                              *text = source_of(map, "content"),
                              *variable = source_of(map, "environment");
    const char *said;
    if (compose_external(c, map, &said)) {
        deploy_problem(c->problems, &map->where,
                       "external: there is no store for %s here; name a 'file', an "
                       "'environment' variable%s",
                       kind->section, kind->secret ? "" : " or the 'content'");
        return NULL;
    }
    if ((file != NULL) + (text != NULL) + (variable != NULL) != 1) {
        deploy_problem(c->problems, &map->where,
                       "a %s comes from one of 'file', 'environment' and 'content'",
                       kind->one);
        return NULL;
    }
    if (text) {
        *ret_len = strlen(text->text);
        return dr_strdup(text->text);
    }
    if (variable) {
        const char *value = compose_env_get(&c->env, variable->text);
        dr_auto_free char *safe = dr_escape(variable->text, 60);
        if (!value)
            deploy_problem(c->problems, &variable->where, "the variable %s is not set",
                           safe);
        *ret_len = value ? strlen(value) : 0;
        return dr_strdup(value);
    }
    dr_auto_buf struct dr_buf buf = DR_BUF_INIT(CONTENT_MAX);
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    if (dr_file_read(AT_FDCWD, file->text, &buf, &err) < 0) {
        deploy_problem_error(c->problems, &file->where, &err);
        return NULL;
    }
    *ret_len = buf.len;
    return dr_buf_take(&buf);
}

static const struct compose_field mount_fields[] = {
    {"gid", COMPOSE_ELSEWHERE},    {"mode", COMPOSE_ELSEWHERE},
    {"source", COMPOSE_ELSEWHERE}, {"target", COMPOSE_ELSEWHERE},
    {"uid", COMPOSE_ELSEWHERE},    {NULL},
};

static int64_t id_of(struct compose *c, const struct deploy_value *item, const char *key)
{
    const struct deploy_value *value = deploy_value_get(item, key);
    int64_t id = 0;
    if (value && value->type != DEPLOY_NULL)
        compose_int(c, value, 0, UINT32_MAX - 1, &id);
    return id;
}

static void one(struct compose_service *s, const struct kind *kind,
                const struct deploy_value *item)
{
    struct compose *c = s->c;
    if (item->type == DEPLOY_MAP)
        compose_fields(s, item, mount_fields, "a config or secret of a service");
    const struct deploy_value *source =
        item->type == DEPLOY_MAP ? source_of(item, "source") : item;
    if (!source || source->type != DEPLOY_SCALAR || !*source->text) {
        deploy_problem(c->problems, &item->where, "expected the name of a %s", kind->one);
        return;
    }
    const struct deploy_value *map =
        deploy_value_get(compose_section(c, kind->section), source->text);
    dr_auto_free char *safe = dr_escape(source->text, 60);
    if (!map || map->type != DEPLOY_MAP) {
        deploy_problem(c->problems, &source->where,
                       "there is no %s '%s': define it under '%s'", kind->one, safe,
                       kind->section);
        return;
    }
    const struct deploy_value *said = source_of(item, "target"),
                              *mode = deploy_value_get(item, "mode");
    const char *target = said ? said->text : source->text;
    dr_auto_free char *whole = *target == '/'
                                   ? dr_strdup(target)
                                   : dr_printf("%s/%s", kind->directory, target),
                      *path = spec_path_clean(whole);
    size_t len;
    char *data = content(c, kind, map, &len);
    if (!data)
        return;
    c->content += len;
    if (c->content > ALL_CONTENT_MAX) {
        deploy_problem(c->problems, &item->where,
                       "configs and secrets of all services are more than 32 MiB");
        free(data);
        return;
    }
    struct deploy_file *file = deploy_service_add_file(s->service, path);
    file->data = data;
    file->len = len;
    /* so that it can be shown without what is in it */
    file->source =
        dr_strdup(source_of(map, "file") ? source_of(map, "file")->text : NULL);
    file->variable = dr_strdup(
        source_of(map, "environment") ? source_of(map, "environment")->text : NULL);
    file->secret = kind->secret;
    file->where = item->where;
    file->uid = id_of(c, item, "uid");
    file->gid = id_of(c, item, "gid");
    /* as docker compose: who runs in the container may not be root */
    file->mode = mode && mode->type != DEPLOY_NULL ? compose_octal(c, mode) : 0444;
}

static void all(struct compose_service *s, const struct kind *kind,
                const struct deploy_value *list)
{
    if (!compose_is(s->c, list, DEPLOY_LIST, "a list") || !compose_few(s->c, list))
        return;
    for (size_t i = 0; i < list->count; i++)
        one(s, kind, list->items[i]);
}

void compose_read_configs(struct compose_service *s, const struct deploy_value *v)
{
    all(s, &config_kind, v);
}

void compose_read_secrets(struct compose_service *s, const struct deploy_value *v)
{
    all(s, &secret_kind, v);
}

void compose_check_content(struct compose *c)
{
    static const struct kind *const kinds[] = {&config_kind, &secret_kind};
    struct compose_service s = {.c = c};
    for (size_t j = 0; j < DR_COUNT(kinds); j++) {
        const struct deploy_value *section = compose_section(c, kinds[j]->section);
        for (size_t i = 0; i < section->count; i++)
            compose_fields(&s, section->items[i], content_fields, kinds[j]->one);
    }
}
