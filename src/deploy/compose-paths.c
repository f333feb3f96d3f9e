/* SPDX-License-Identifier: Apache-2.0 */
/* Relative paths: each begins at the directory of the file that says it. */
#include <string.h>

#include "base/winpath.h"
#include "deploy/compose-internal.h"

char *compose_dirname(const char *path)
{
    const char *slash = strrchr(path, '/');
#ifdef _WIN32
    const char *back = strrchr(path, '\\');
    if (back && (!slash || back > slash))
        slash = back;
#endif
    if (!slash)
        return dr_strdup(".");
    return dr_strndup(path, slash == path ? 1 : (size_t)(slash - path));
}

char *compose_path(struct compose *c, const struct deploy_where *where,
                   const char *directory, const char *path)
{
    const struct deploy_input from = {.sources = c->sources, .directory = directory};
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    char *absolute = deploy_path(&from, path, &err);
    if (absolute)
        return absolute;
    deploy_problem_error(c->problems, where, &err);
    return dr_strdup(path);
}

static void absolute(struct compose *c, struct deploy_value *value, const char *directory)
{
    if (!value || value->type != DEPLOY_SCALAR || !*value->text)
        return;
    char *path = compose_path(c, &value->where, directory, value->text);
    free(value->text);
    value->text = path;
}

/* SOURCE:TARGET[:OPTIONS] whose source is a path. */
static void short_volume(struct compose *c, struct deploy_value *value,
                         const char *directory)
{
    size_t len = strcspn(value->text, ":");
    bool root = dr_winpath_kind(directory) != DR_WINPATH_NONE && value->text[0] == '\\';
    if (!value->text[len] || dr_winpath_source_len(value->text) ||
        !(value->text[0] == '.' || value->text[0] == '~' || root))
        return;
    dr_auto_free char *source = dr_strndup(value->text, len),
                      *path = compose_path(c, &value->where, directory, source);
    char *text = dr_printf("%s%s", path, value->text + len);
    free(value->text);
    value->text = text;
}

static void volumes(struct compose *c, struct deploy_value *list, const char *directory)
{
    for (size_t i = 0; list && list->type == DEPLOY_LIST && i < list->count; i++) {
        struct deploy_value *item = list->items[i];
        const struct deploy_value *type = deploy_value_get(item, "type");
        if (item->type == DEPLOY_SCALAR)
            short_volume(c, item, directory);
        else if (type && type->text && strcmp(type->text, "bind") == 0)
            absolute(c, deploy_value_get(item, "source"), directory);
    }
}

/* A list of paths, or of {path: …}. */
static void files(struct compose *c, struct deploy_value *list, const char *directory)
{
    for (size_t i = 0; list && list->type == DEPLOY_LIST && i < list->count; i++) {
        struct deploy_value *item = list->items[i];
        absolute(c, item->type == DEPLOY_MAP ? deploy_value_get(item, "path") : item,
                 directory);
    }
}

/* seccomp:FILE, seccomp=FILE */
static void profiles(struct compose *c, struct deploy_value *list, const char *directory)
{
    for (size_t i = 0; list && list->type == DEPLOY_LIST && i < list->count; i++) {
        struct deploy_value *item = list->items[i];
        if (item->type != DEPLOY_SCALAR || strncmp(item->text, "seccomp", 7) != 0 ||
            !item->text[7] || !strchr(":=", item->text[7]) ||
            strcmp(item->text + 8, "unconfined") == 0 || item->text[8] == '{')
            continue;
        dr_auto_free char *path =
            compose_path(c, &item->where, directory, item->text + 8);
        char *text = dr_printf("seccomp=%s", path);
        free(item->text);
        item->text = text;
    }
}

void compose_paths(struct compose *c, struct deploy_value *root, const char *directory)
{
    const struct deploy_value *services = deploy_value_get(root, "services");
    for (size_t i = 0; services && services->type == DEPLOY_MAP && i < services->count;
         i++) {
        const struct deploy_value *service = services->items[i];
        volumes(c, deploy_value_get(service, "volumes"), directory);
        files(c, deploy_value_get(service, "env_file"), directory);
        files(c, deploy_value_get(service, "label_file"), directory);
        profiles(c, deploy_value_get(service, "security_opt"), directory);
    }
    static const char *const sections[] = {"configs", "secrets"};
    for (size_t j = 0; j < DR_COUNT(sections); j++) {
        const struct deploy_value *section = deploy_value_get(root, sections[j]);
        for (size_t i = 0; section && section->type == DEPLOY_MAP && i < section->count;
             i++)
            absolute(c, deploy_value_get(section->items[i], "file"), directory);
    }
}
