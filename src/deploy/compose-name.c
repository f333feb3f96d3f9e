/* SPDX-License-Identifier: Apache-2.0 */
/* What a Compose deployment is called, and which of its profiles are on. */
#include <string.h>

#include "base/text.h"
#include "deploy/compose-internal.h"

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
