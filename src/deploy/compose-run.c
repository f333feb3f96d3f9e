/* SPDX-License-Identifier: Apache-2.0 */
/* healthcheck, logging and deploy: how a service is looked after. */
#include <string.h>

#include "base/text.h"
#include "deploy/compose-internal.h"

/* --- healthcheck --- */

static void test(struct compose_service *s, const struct deploy_value *value)
{
    if (s->spec->health.test)
        return; /* 'disable' came before it */
    if (value->type == DEPLOY_SCALAR) {
        compose_set(s, &value->where, "health_cmd", false, value->text);
        return;
    }
    if (!compose_is(s->c, value, DEPLOY_LIST, "a shell command, or a list"))
        return;
    const char *first = value->count ? value->items[0]->text : NULL;
    if (!first || (strcmp(first, "NONE") != 0 && strcmp(first, "CMD") != 0 &&
                   strcmp(first, "CMD-SHELL") != 0)) {
        deploy_problem(s->c->problems, &value->where,
                       "the list begins with NONE, CMD or CMD-SHELL");
        return;
    }
    for (size_t i = 0; i < value->count; i++)
        if (compose_text(s->c, value->items[i]))
            compose_set(s, &value->items[i]->where, "health_test", true,
                        value->items[i]->text);
}

static void disable(struct compose_service *s, const struct deploy_value *value)
{
    bool off;
    if (compose_bool(s->c, value, &off) && off)
        compose_set(s, &value->where, "no_healthcheck", false, "true");
}

static const struct compose_field health_fields[] = {
    {"test", COMPOSE_READ, NULL, test},
    {"interval", COMPOSE_SET, "health_interval"},
    {"timeout", COMPOSE_SET, "health_timeout"},
    {"retries", COMPOSE_SET, "health_retries"},
    {"start_period", COMPOSE_SET, "health_start_period"},
    {"start_interval", COMPOSE_SET, "health_start_interval"},
    {"disable", COMPOSE_READ, NULL, disable},
    {NULL},
};

void compose_read_healthcheck(struct compose_service *s, const struct deploy_value *v)
{
    compose_fields(s, v, health_fields, "healthcheck");
}

/* --- logging --- */

static void driver(struct compose_service *s, const struct deploy_value *value)
{
    static const char *const files[] = {"", "json-file", "local", "k8s-file"};
    const char *text = compose_text(s->c, value);
    if (!text)
        return;
    for (size_t i = 0; i < DR_COUNT(files); i++)
        if (strcmp(text, files[i]) == 0)
            return;
    dr_auto_free char *safe = dr_escape(text, 60);
    if (strcmp(text, "none") == 0)
        compose_set(s, &value->where, "log_driver", false, text);
    else
        deploy_problem(
            s->c->problems, &value->where,
            "'%s': output is kept in a file here (json-file, local), or not at "
            "all (none)",
            safe);
}

static void options(struct compose_service *s, const struct deploy_value *value)
{
    if (!compose_is(s->c, value, DEPLOY_MAP, "a mapping"))
        return;
    for (size_t i = 0; i < value->count; i++) {
        const char *key = value->keys[i];
        const struct deploy_value *item = value->items[i];
        if (strcmp(key, "max-size") != 0 && strcmp(key, "max-file") != 0) {
            dr_auto_free char *safe = dr_escape(key, 60);
            compose_warn(s->c, &value->key_where[i],
                         "the log option '%s' means nothing here", safe);
            continue;
        }
        if (!compose_text(s->c, item))
            continue;
        dr_auto_free char *text = dr_printf("%s=%s", key, item->text);
        compose_set(s, &item->where, "log_opt", true, text);
    }
}

static const struct compose_field logging_fields[] = {
    {"driver", COMPOSE_READ, NULL, driver},
    {"options", COMPOSE_READ, NULL, options},
    {NULL},
};

void compose_read_logging(struct compose_service *s, const struct deploy_value *v)
{
    compose_fields(s, v, logging_fields, "logging");
}

/* --- deploy --- */

static void mode(struct compose_service *s, const struct deploy_value *value)
{
    const char *text = compose_text(s->c, value);
    if (!text || strcmp(text, "replicated") == 0)
        return;
    dr_auto_free char *safe = dr_escape(text, 60);
    if (strcmp(text, "global") == 0)
        compose_warn(s->c, &value->where,
                     "mode global: there is one machine, and so one replica");
    else
        deploy_problem(s->c->problems, &value->where,
                       "'%s': expected replicated or global", safe);
}

static void replicas(struct compose_service *s, const struct deploy_value *value)
{
    const struct deploy_value *scale = deploy_value_get(s->map, "scale");
    int64_t n;
    if (!compose_int(s->c, value, 0, 1000, &n))
        return;
    if (scale && scale->text && value->text && strcmp(scale->text, value->text) != 0)
        deploy_problem(s->c->problems, &value->where,
                       "'scale' and 'deploy.replicas' are two numbers for one thing");
    else
        s->service->scale = n;
}

/* Of what is said twice, deploy's counts, and is to be the same. */
static void limit(struct compose_service *s, const struct deploy_value *value,
                  const char *other, const char *field)
{
    const struct deploy_value *same = deploy_value_get(s->map, other);
    if (!compose_text(s->c, value))
        return;
    if (same && same->text && strcmp(same->text, value->text) != 0)
        deploy_problem(s->c->problems, &value->where,
                       "'%s' of the service says something else", other);
    else
        compose_set(s, &value->where, field, false, value->text);
}

static void limit_cpus(struct compose_service *s, const struct deploy_value *value)
{
    limit(s, value, "cpus", "cpus");
}

static void limit_memory(struct compose_service *s, const struct deploy_value *value)
{
    limit(s, value, "mem_limit", "memory");
}

static void limit_pids(struct compose_service *s, const struct deploy_value *value)
{
    limit(s, value, "pids_limit", "pids_limit");
}

static const struct compose_field limit_fields[] = {
    {"cpus", COMPOSE_READ, NULL, limit_cpus},
    {"memory", COMPOSE_READ, NULL, limit_memory},
    {"pids", COMPOSE_READ, NULL, limit_pids},
    {NULL},
};

static void limits(struct compose_service *s, const struct deploy_value *value)
{
    compose_fields(s, value, limit_fields, "limits");
}

#define NO_RESERVATION "nothing is reserved on one machine"

static const struct compose_field reservation_fields[] = {
    {"cpus", COMPOSE_NOTED, .why = NO_RESERVATION},
    {"memory", COMPOSE_NOTED, .why = NO_RESERVATION},
    {"devices", COMPOSE_REFUSED, .why = "GPUs cannot be given to a container here"},
    {"generic_resources", COMPOSE_NOTED, .why = NO_RESERVATION},
    {NULL},
};

static void reservations(struct compose_service *s, const struct deploy_value *value)
{
    compose_fields(s, value, reservation_fields, "reservations");
}

static const struct compose_field resource_fields[] = {
    {"limits", COMPOSE_READ, NULL, limits},
    {"reservations", COMPOSE_READ, NULL, reservations},
    {NULL},
};

static void resources(struct compose_service *s, const struct deploy_value *value)
{
    compose_fields(s, value, resource_fields, "resources");
}

static void restart_condition(struct compose_service *s, const struct deploy_value *value)
{
    const struct deploy_value *policy =
        deploy_value_get(deploy_value_get(s->map, "deploy"), "restart_policy");
    const struct deploy_value *most = deploy_value_get(policy, "max_attempts");
    const struct deploy_value *restart = deploy_value_get(s->map, "restart");
    const char *text = compose_text(s->c, value);
    if (!text || (restart && restart->type != DEPLOY_NULL))
        return; /* restart wins, as with docker compose */
    if (strcmp(text, "none") == 0) {
        compose_set(s, &value->where, "restart", false, "no");
    } else if (strcmp(text, "any") == 0) {
        compose_set(s, &value->where, "restart", false, "always");
    } else if (strcmp(text, "on-failure") == 0) {
        dr_auto_free char *whole = most && most->text
                                       ? dr_printf("on-failure:%s", most->text)
                                       : dr_strdup("on-failure");
        compose_set(s, most && most->text ? &most->where : &value->where, "restart",
                    false, whole);
    } else {
        deploy_problem(s->c->problems, &value->where, "expected none, on-failure or any");
    }
}

static const struct compose_field restart_fields[] = {
    {"condition", COMPOSE_READ, NULL, restart_condition},
    {"delay", COMPOSE_NOTED, .why = "how long a restart waits is not set here"},
    {"max_attempts", COMPOSE_ELSEWHERE},
    {"window", COMPOSE_NOTED, .why = "how long a restart waits is not set here"},
    {NULL},
};

static void restart_policy(struct compose_service *s, const struct deploy_value *value)
{
    compose_fields(s, value, restart_fields, "restart_policy");
}

static void order(struct compose_service *s, const struct deploy_value *value)
{
    const char *text = compose_text(s->c, value);
    if (text && strcmp(text, "start-first") == 0)
        s->service->start_first = true;
    else if (text && strcmp(text, "stop-first") != 0)
        deploy_problem(s->c->problems, &value->where,
                       "expected start-first or stop-first");
}

#define ONE_BY_ONE "replicas are replaced one after the other"

static const struct compose_field update_fields[] = {
    {"delay", COMPOSE_NOTED, .why = ONE_BY_ONE},
    {"failure_action", COMPOSE_NOTED, .why = "an update that fails stops"},
    {"max_failure_ratio", COMPOSE_NOTED, .why = "an update that fails stops"},
    {"monitor", COMPOSE_NOTED, .why = ONE_BY_ONE},
    {"order", COMPOSE_READ, NULL, order},
    {"parallelism", COMPOSE_NOTED, .why = ONE_BY_ONE},
    {NULL},
};

static void update_config(struct compose_service *s, const struct deploy_value *value)
{
    compose_fields(s, value, update_fields, "update_config");
}

static const struct compose_field deploy_fields[] = {
    {"endpoint_mode", COMPOSE_NOTED, .why = "is of a cluster; here is one machine"},
    {"labels", COMPOSE_NOTED, .why = "are of a cluster's service; here is none"},
    {"mode", COMPOSE_READ, NULL, mode},
    {"placement", COMPOSE_NOTED, .why = "is of a cluster; here is one machine"},
    {"replicas", COMPOSE_READ, NULL, replicas},
    {"resources", COMPOSE_READ, NULL, resources},
    {"restart_policy", COMPOSE_READ, NULL, restart_policy},
    {"rollback_config", COMPOSE_NOTED, .why = "nothing is rolled back here"},
    {"update_config", COMPOSE_READ, NULL, update_config},
    {NULL},
};

void compose_read_deploy(struct compose_service *s, const struct deploy_value *v)
{
    compose_fields(s, v, deploy_fields, "deploy");
}
