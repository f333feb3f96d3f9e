/* SPDX-License-Identifier: Apache-2.0 */
/* What a Compose deployment is called, which files it is made of, and which of its
 * profiles are on. */
#include <string.h>

#include "base/fs.h"
#include "base/text.h"
#include "deploy/compose-internal.h"
#include "deploy/compose-interpolate.h"

int compose_name(struct compose *c, const struct deploy_value *name, struct dr_error *err)
{
    const char *from_env = compose_env_get(&c->env, "COMPOSE_PROJECT_NAME");
    dr_auto_free char *made = NULL;
    const char *text = c->sources->name, *who = "the name of the deployment";
    if (!text && from_env && *from_env) {
        text = from_env;
        who = "COMPOSE_PROJECT_NAME";
    } else if (!text && name && name->type == DEPLOY_SCALAR && *name->text) {
        text = name->text;
        if (!deploy_name_valid(text)) {
            deploy_problem(c->problems, &name->where,
                           "a name is made of a-z, 0-9, '-' and '_', at most 63, and "
                           "begins with a letter or digit");
            text = "invalid";
        }
    } else if (!text) {
        text = made = deploy_directory_name(c->input->directory);
        if (!text)
            return dr_fail(err, DR_ERR_CONFIG,
                           "the directory's name cannot be the deployment's: give one "
                           "with -p, or as 'name:' in the file");
    }
    if (!deploy_name_valid(text)) {
        dr_auto_free char *safe = dr_escape(text, 100);
        return dr_fail(err, DR_ERR_CONFIG,
                       "'%s': %s is made of a-z, 0-9, '-' and '_', at most 63, and "
                       "begins with a letter or digit",
                       safe, who);
    }
    free(c->model->name);
    c->model->name = dr_strdup(text);
    compose_env_set(&c->env, "COMPOSE_PROJECT_NAME", text, true);
    return 0;
}

/* --- profiles --- */

static bool is_on(const struct compose *c, const char *profile)
{
    for (size_t i = 0; c->sources->profiles && c->sources->profiles[i]; i++)
        if (strcmp(c->sources->profiles[i], profile) == 0 ||
            strcmp(c->sources->profiles[i], "*") == 0)
            return true;
    const char *list = compose_env_get(&c->env, "COMPOSE_PROFILES");
    for (const char *p = list; p && *p;) {
        p += strspn(p, ", \t");
        size_t len = strcspn(p, ",");
        size_t end = len;
        while (end && (p[end - 1] == ' ' || p[end - 1] == '\t'))
            end--;
        if ((end == 1 && *p == '*') ||
            (end == strlen(profile) && memcmp(p, profile, end) == 0))
            return end > 0;
        p += len;
    }
    return false;
}

bool compose_has_profile(const struct compose *c, const struct deploy_value *profiles)
{
    if (!profiles || profiles->type != DEPLOY_LIST || !profiles->count)
        return true;
    for (size_t i = 0; i < profiles->count; i++)
        if (profiles->items[i]->type == DEPLOY_SCALAR &&
            is_on(c, profiles->items[i]->text))
            return true;
    return false;
}

/* --- files --- */

static bool is_there(const char *path)
{
    return access(path, F_OK) == 0;
}

/* COMPOSE_FILE's, which are told apart by COMPOSE_PATH_SEPARATOR. */
static char **listed(const struct compose_env *env, const char *directory,
                     const char *list)
{
#ifdef _WIN32
    const char *separator = ";";
#else
    const char *separator = ":";
#endif
    const char *other = compose_env_get(env, "COMPOSE_PATH_SEPARATOR");
    if (other && *other)
        separator = other;
    char **files = NULL;
    for (const char *p = list; *p;) {
        const char *end = strstr(p, separator);
        size_t len = end ? (size_t)(end - p) : strlen(p);
        if (len) {
            dr_auto_free char *name = dr_strndup(p, len),
                              *path =
                                  dr_path_is_absolute(name) || strcmp(directory, ".") == 0
                                      ? dr_strdup(name)
                                      : dr_path_join(directory, name);
            dr_strv_add(&files, path);
        }
        p += len + (end ? strlen(separator) : 0);
    }
    return files;
}

char **deploy_compose_files(const char *directory, const char *const *environment)
{
    compose_auto_env struct compose_env env;
    compose_env_init(&env, environment);
    dr_auto_free char *dotenv = dr_path_join(directory, ".env");
    dr_auto_strv char **pairs = NULL;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    const struct compose_dotenv how = {dotenv, &env, false};
    /* one that cannot be read is an error as soon as the file is */
    if (is_there(dotenv) && compose_dotenv_read(&how, dotenv, &pairs, &err) == 0)
        for (size_t i = 0; pairs && pairs[i]; i++) {
            dr_auto_free char *name = dr_strndup(pairs[i], strcspn(pairs[i], "="));
            compose_env_set(&env, name, pairs[i] + strlen(name) + 1, false);
        }
    const char *list = compose_env_get(&env, "COMPOSE_FILE");
    if (list && *list)
        return listed(&env, directory, list);
    static const char *const stems[] = {"compose", "docker-compose"}, *const ends[] = {
                                                                          "yaml", "yml"};
    char **files = NULL;
    for (size_t i = 0; i < 2 * DR_COUNT(stems); i++) {
        dr_auto_free char *name = dr_printf("%s.%s", stems[i / 2], ends[i % 2]),
                          *path = strcmp(directory, ".") == 0
                                      ? dr_strdup(name)
                                      : dr_path_join(directory, name);
        if (!is_there(path))
            continue;
        dr_strv_add(&files, path);
        for (size_t j = 0; j < DR_COUNT(ends); j++) {
            dr_auto_free char *over = dr_printf("%s.override.%s", stems[i / 2], ends[j]),
                              *over_path = strcmp(directory, ".") == 0
                                               ? dr_strdup(over)
                                               : dr_path_join(directory, over);
            if (!is_there(over_path))
                continue;
            dr_strv_add(&files, over_path);
            break;
        }
        break;
    }
    return files;
}
