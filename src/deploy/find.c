/* SPDX-License-Identifier: Apache-2.0 */
#include "deploy/find.h"

#include <string.h>

#include "base/fs.h"
#include "base/json.h"
#include "deploy/compose-env.h"

static const struct {
    const char *name;
    const char *stem; /* of the override file; NULL: it has none */
} files[] = {
    {"dray.yaml", NULL},
    {"dray.yml", NULL},
    {"compose.yaml", "compose"},
    {"compose.yml", "compose"},
    {"docker-compose.yaml", "docker-compose"},
    {"docker-compose.yml", "docker-compose"},
};

static bool is_there(const char *path)
{
    return access(path, F_OK) == 0;
}

/* "./x" is x */
static char *join(const char *directory, const char *name)
{
    if (strcmp(directory, ".") == 0 || dr_path_is_absolute(name))
        return dr_strdup(name);
    return dr_path_join(directory, name);
}

static char **listed(const struct compose_env *env, const char *directory)
{
#ifdef _WIN32
    const char *separator = ";";
#else
    const char *separator = ":";
#endif
    const char *list = compose_env_get(env, "COMPOSE_FILE");
    const char *other = compose_env_get(env, "COMPOSE_PATH_SEPARATOR");
    if (other && *other)
        separator = other;
    char **found = NULL;
    for (const char *p = list; p && *p;) {
        const char *end = strstr(p, separator);
        size_t len = end ? (size_t)(end - p) : strlen(p);
        if (len) {
            dr_auto_free char *name = dr_strndup(p, len), *path = join(directory, name);
            dr_strv_add(&found, path);
        }
        p += len + (end ? strlen(separator) : 0);
    }
    return found;
}

static char **find_in(const char *directory)
{
    static const char *const ends[] = {"yaml", "yml"};
    char **found = NULL;
    for (size_t i = 0; i < DR_COUNT(files) && !found; i++) {
        dr_auto_free char *path = join(directory, files[i].name);
        if (!is_there(path))
            continue;
        dr_strv_add(&found, path);
        for (size_t j = 0; files[i].stem && j < DR_COUNT(ends); j++) {
            dr_auto_free char *name = dr_printf("%s.override.%s", files[i].stem, ends[j]),
                              *over = join(directory, name);
            if (!is_there(over))
                continue;
            dr_strv_add(&found, over);
            break;
        }
    }
    return found;
}

static bool go_up(char *directory)
{
    size_t len = strlen(directory);
    while (len > 0 && directory[len - 1] != '/' && directory[len - 1] != '\\')
        len--;
    if (len == 0 || directory[len] == '\0')
        return false; /* it was the root */
    directory[len > 1 ? len - 1 : len] = '\0';
    return true;
}

char **deploy_find(const char *directory, const char *const *environment)
{
    compose_auto_env struct compose_env env;
    compose_env_init(&env, environment);
    dr_auto_free char *dotenv = join(directory, ".env");
    dr_auto_strv char **pairs = NULL;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    const struct compose_dotenv how = {dotenv, &env, false};
    /* one that cannot be read is an error as soon as the deployment is read */
    if (is_there(dotenv) && compose_dotenv_read(&how, dotenv, &pairs, &err) == 0)
        for (size_t i = 0; pairs && pairs[i]; i++) {
            dr_auto_free char *name = dr_strndup(pairs[i], strcspn(pairs[i], "="));
            compose_env_set(&env, name, pairs[i] + strlen(name) + 1, false);
        }
    char **found = listed(&env, directory);
    if (!found)
        found = find_in(directory);
    dr_auto_free char *above = found ? NULL : dr_path_real(directory);
    while (!found && above && go_up(above))
        found = find_in(above);
    return found;
}
