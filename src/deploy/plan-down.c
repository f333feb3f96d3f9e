/* SPDX-License-Identifier: Apache-2.0 */
/* Taking a deployment away: dependents before what they depend on, then networks. */
#include <string.h>

#include "deploy/plan-private.h"

struct down {
    const struct deploy_model *model; /* may be NULL */
    const struct deploy_seen *seen;
    const struct deploy_down_options *options;
    struct deploy_plan *plan;
    bool left; /* containers stay, which may be on the networks */
};

static bool is_ours(const struct down *d, const json_t *c)
{
    const char *service = dr_json_str(c, "service");
    if (dr_json_bool(c, "stranger"))
        return false;
    return !d->model || d->options->remove_orphans ||
           (service && deploy_model_service(d->model, service));
}

static void add_containers(struct down *d)
{
    size_t i;
    json_t *c;
    json_array_foreach (d->seen->containers, i, c) {
        if (is_ours(d, c)) {
            size_t step = plan_add(d->plan, DEPLOY_REMOVE, dr_json_str(c, "name"),
                                   dr_json_str(c, "service"), "the deployment goes");
            d->plan->steps[step].container = dr_strdup(dr_json_str(c, "id"));
            d->plan->steps[step].volumes = d->options->volumes;
        } else if (!dr_json_bool(c, "stranger")) {
            d->left = true;
            plan_warn(d->plan,
                      "container %s stays: the file has no service %s (--remove-orphans "
                      "removes it)",
                      dr_json_str(c, "name"), dr_json_str(c, "service") ?: "");
        }
    }
}

static const json_t *seen_container(const struct down *d, const char *id)
{
    size_t i;
    json_t *c;
    json_array_foreach (d->seen->containers, i, c)
        if (strcmp(dr_json_str(c, "id") ?: "", id) == 0)
            return c;
    return NULL;
}

static bool list_has(const char *list, const char *name)
{
    size_t len = strlen(name);
    for (const char *p = list ? list : ""; *p;) {
        size_t part = strcspn(p, ",");
        if (part == len && strncmp(p, name, len) == 0)
            return true;
        p += part + (p[part] == ',');
    }
    return false;
}

/* By its label, so that it works without a file. */
static bool depends_on(const json_t *container, const char *service)
{
    return list_has(plan_label(container, DEPLOY_LABEL_DEPENDS), service);
}

/* Steps wait only for steps before them: so dependents are moved to the front. */
static void order(struct down *d)
{
    size_t n = d->plan->count, done = 0;
    dr_auto_free struct deploy_step *sorted = dr_alloc((n + 1) * sizeof *sorted);
    dr_auto_free bool *taken = dr_alloc((n + 1) * sizeof *taken);
    while (done < n) {
        size_t pick = DEPLOY_NO_STEP;
        for (size_t i = 0; i < n && pick == DEPLOY_NO_STEP; i++) {
            bool free_to_go = !taken[i];
            for (size_t j = 0; free_to_go && j < n; j++)
                free_to_go = taken[j] || j == i || !d->plan->steps[i].service ||
                             !depends_on(seen_container(d, d->plan->steps[j].container),
                                         d->plan->steps[i].service);
            if (free_to_go)
                pick = i;
        }
        for (size_t i = 0; i < n && pick == DEPLOY_NO_STEP; i++)
            if (!taken[i]) /* a circle, which only two files' labels can have */
                pick = i;
        taken[pick] = true;
        sorted[done++] = d->plan->steps[pick];
    }
    if (n > 0)
        memcpy(d->plan->steps, sorted, n * sizeof *sorted);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < i; j++)
            if (d->plan->steps[i].service &&
                depends_on(seen_container(d, d->plan->steps[j].container),
                           d->plan->steps[i].service))
                plan_after(d->plan, i, j);
}

static bool is_labelled(const struct down *d, const json_t *item)
{
    const char *of = plan_label(item, DEPLOY_LABEL_DEPLOYMENT);
    return of && strcmp(of, d->plan->name) == 0;
}

static void add_rest(struct down *d, json_t *items, enum deploy_action action)
{
    const char *name;
    json_t *item;
    size_t containers = 0;
    while (containers < d->plan->count &&
           d->plan->steps[containers].action == DEPLOY_REMOVE)
        containers++;
    json_object_foreach (items, name, item) {
        if (!is_labelled(d, item))
            continue;
        size_t step = plan_add(d->plan, action, name, NULL, "the deployment goes");
        for (size_t i = 0; i < containers; i++)
            plan_after(d->plan, step, i);
    }
}

int deploy_plan_down(const char *name, const struct deploy_model *model,
                     const struct deploy_seen *seen,
                     const struct deploy_down_options *options,
                     struct deploy_plan **ret_plan, struct dr_error *err)
{
    struct down d = {model, seen, options, plan_new(name), false};
    add_containers(&d);
    order(&d);
    if (!d.left)
        add_rest(&d, seen->networks, DEPLOY_NETWORK_REMOVE);
    if (options->volumes && !d.left)
        add_rest(&d, seen->volumes, DEPLOY_VOLUME_REMOVE);
    *ret_plan = d.plan;
    return 0;
}
