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
    return !d->model || d->options->remove_orphans ||
           (service && deploy_model_service(d->model, service));
}

static void add_step(struct down *d, struct plan_member *m)
{
    const char *service = dr_json_str(m->container, "service");
    m->step = plan_add(d->plan, DEPLOY_REMOVE, dr_json_str(m->container, "name"), service,
                       "the deployment goes");
    d->plan->steps[m->step].container = dr_strdup(dr_json_str(m->container, "id"));
    d->plan->steps[m->step].volumes = d->options->volumes;
}

static void add_containers(struct down *d)
{
    size_t count;
    /* the labels only: an order that holds whatever files are at hand */
    struct plan_member *members = plan_members(NULL, d->seen, &count);
    plan_members_sort(members, count, true);
    for (size_t i = 0; i < count; i++) {
        const json_t *c = members[i].container;
        if (is_ours(d, c)) {
            add_step(d, &members[i]);
            for (size_t j = 0; j < i; j++)
                if (plan_depends_on(&members[j].depends, dr_json_str(c, "service")))
                    plan_after(d->plan, members[i].step, members[j].step);
            continue;
        }
        d->left = true;
        plan_warn(d->plan,
                  "container %s stays: the file has no service %s (--remove-orphans "
                  "removes it)",
                  dr_json_str(c, "name"), dr_json_str(c, "service") ?: "");
    }
    plan_members_free(members, count);
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
    if (!d.left)
        add_rest(&d, seen->networks, DEPLOY_NETWORK_REMOVE);
    if (options->volumes && !d.left)
        add_rest(&d, seen->volumes, DEPLOY_VOLUME_REMOVE);
    *ret_plan = d.plan;
    return 0;
}
