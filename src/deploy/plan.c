/* SPDX-License-Identifier: Apache-2.0 */
/* A plan as a thing: its steps, its text. How it comes to be is in plan-up.c and
 * plan-down.c. */
#include <string.h>

#include "deploy/plan-private.h"

static const struct {
    const char *action, *kind;
} words[] = {
    [DEPLOY_PULL] = {"pull", "image"},
    [DEPLOY_NETWORK_CREATE] = {"create", "network"},
    [DEPLOY_NETWORK_REMOVE] = {"remove", "network"},
    [DEPLOY_VOLUME_CREATE] = {"create", "volume"},
    [DEPLOY_VOLUME_REMOVE] = {"remove", "volume"},
    [DEPLOY_CREATE] = {"create", "container"},
    [DEPLOY_RECREATE] = {"recreate", "container"},
    [DEPLOY_START] = {"start", "container"},
    [DEPLOY_RESTART] = {"restart", "container"},
    [DEPLOY_STOP] = {"stop", "container"},
    [DEPLOY_REMOVE] = {"remove", "container"},
    [DEPLOY_WAIT] = {"wait", "container"},
};

const char *deploy_action_name(enum deploy_action action)
{
    return words[action].action;
}

const char *deploy_action_kind(enum deploy_action action)
{
    return words[action].kind;
}

size_t plan_add(struct deploy_plan *plan, enum deploy_action action, const char *name,
                const char *service, const char *why)
{
    plan->steps = dr_realloc(plan->steps, (plan->count + 1) * sizeof *plan->steps);
    plan->steps[plan->count] = (struct deploy_step){.action = action,
                                                    .name = dr_strdup(name),
                                                    .service = dr_strdup(service),
                                                    .why = dr_strdup(why),
                                                    .pull = DEPLOY_NO_STEP,
                                                    .image = DEPLOY_NO_STEP,
                                                    .made_by = DEPLOY_NO_STEP};
    return plan->count++;
}

static void add_after(struct deploy_plan *plan, size_t step, size_t other, bool soft)
{
    struct deploy_step *s = &plan->steps[step];
    if (other == DEPLOY_NO_STEP)
        return;
    for (size_t i = 0; i < s->after_count; i++)
        if (s->after[i] == other) {
            s->soft[i] = s->soft[i] && soft;
            return;
        }
    s->after = dr_realloc(s->after, (s->after_count + 1) * sizeof *s->after);
    s->soft = dr_realloc(s->soft, (s->after_count + 1) * sizeof *s->soft);
    s->soft[s->after_count] = soft;
    s->after[s->after_count++] = other;
}

void plan_after(struct deploy_plan *plan, size_t step, size_t other)
{
    add_after(plan, step, other, false);
}

void plan_after_end(struct deploy_plan *plan, size_t step, size_t other)
{
    add_after(plan, step, other, true);
}

void plan_warn(struct deploy_plan *plan, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    dr_auto_free char *text = dr_vprintf(fmt, ap);
    va_end(ap);
    dr_strv_add(&plan->warnings, text);
}

struct deploy_plan *plan_new(const char *name)
{
    struct deploy_plan *plan = dr_alloc(sizeof *plan);
    plan->name = dr_strdup(name);
    plan->kept = json_array();
    return plan;
}

void deploy_plan_free(struct deploy_plan *plan)
{
    if (!plan)
        return;
    for (size_t i = 0; i < plan->count; i++) {
        struct deploy_step *s = &plan->steps[i];
        free(s->name);
        free(s->service);
        free(s->why);
        free(s->container);
        free(s->image_id);
        free(s->after);
        free(s->soft);
        json_decref(s->spec);
    }
    free(plan->steps);
    free(plan->name);
    dr_strv_free(plan->warnings);
    json_decref(plan->kept);
    free(plan);
}

static json_t *step_json(const struct deploy_step *s)
{
    json_t *json = json_object(), *after = json_array();
    dr_json_set_str(json, "action", words[s->action].action);
    dr_json_set_str(json, "kind", words[s->action].kind);
    dr_json_set_str(json, "name", s->name);
    dr_json_set_str(json, "service", s->service);
    dr_json_set_str(json, "why", s->why);
    for (size_t i = 0; i < s->after_count; i++)
        json_array_append_new(after, json_integer((json_int_t)s->after[i]));
    dr_json_set(json, "after", after);
    return json;
}

json_t *deploy_plan_json(const struct deploy_plan *plan)
{
    json_t *json = json_object(), *steps = json_array(), *kept = json_array();
    size_t i;
    json_t *one;
    for (i = 0; i < plan->count; i++)
        json_array_append_new(steps, step_json(&plan->steps[i]));
    json_array_foreach (plan->kept, i, one) {
        json_t *item = json_object();
        dr_json_set_str(item, "name", dr_json_str(one, "name"));
        dr_json_set_str(item, "service", dr_json_str(one, "service"));
        dr_json_set_str(item, "id", dr_json_str(one, "id"));
        json_array_append_new(kept, item);
    }
    dr_json_set_str(json, "deployment", plan->name);
    dr_json_set(json, "steps", steps);
    dr_json_set(json, "unchanged", kept);
    dr_json_set(json, "warnings", dr_json_from_strv(plan->warnings));
    return json;
}

/* --- what both ways look at --- */

const char *plan_label(const json_t *item, const char *key)
{
    return dr_json_str(dr_json_object(item, "labels"), key);
}

bool plan_is_oneoff(const json_t *container)
{
    return plan_label(container, DEPLOY_LABEL_ONEOFF) != NULL;
}

bool plan_is_up(const json_t *container)
{
    static const char *const up[] = {"running", "restarting", "scheduled", "paused",
                                     "stopping"};
    for (size_t i = 0; i < DR_COUNT(up); i++)
        if (strcmp(dr_json_str(container, "status") ?: "", up[i]) == 0)
            return true;
    return false;
}
