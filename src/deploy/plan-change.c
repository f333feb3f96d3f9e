/* SPDX-License-Identifier: Apache-2.0 */
/* Starting, stopping, restarting, removing the containers that are there, in the order of
 * what they depend on, as `down` takes them away. */
#include <string.h>

#include "deploy/plan-private.h"

struct change {
    const struct deploy_model *model; /* may be NULL */
    const struct deploy_change_options *options;
    enum deploy_change change;
    struct deploy_plan *plan;
    struct plan_member *members;
    size_t count;
};

static const char *text_of(const struct plan_member *m, const char *key)
{
    return dr_json_str(m->container, key) ?: "";
}

static bool status_is(const struct plan_member *m, const char *status)
{
    return strcmp(text_of(m, "status"), status) == 0;
}

static bool exits(const struct change *c)
{
    return c->change == DEPLOY_CHANGE_STOP || c->change == DEPLOY_CHANGE_REMOVE;
}

/* --- which --- */

static bool named(const struct change *c)
{
    return c->options->services && c->options->services[0];
}

static int choose_named(struct change *c, const char *service, struct dr_error *err)
{
    bool any = c->model && deploy_model_service(c->model, service);
    for (size_t i = 0; i < c->count; i++)
        if (strcmp(text_of(&c->members[i], "service"), service) == 0)
            any = c->members[i].chosen = true;
    return any ? 0 : dr_fail(err, DR_ERR_NOT_FOUND, "no such service: %s", service);
}

/* Is there a chosen one of the service? */
static bool is_chosen(const struct change *c, const char *service)
{
    for (size_t i = 0; i < c->count; i++)
        if (c->members[i].chosen &&
            strcmp(text_of(&c->members[i], "service"), service) == 0)
            return true;
    return false;
}

/* Who begins brings up what it depends on; who begins again takes along those that say
 * that they restart with it. */
static bool comes_along(const struct change *c, const struct plan_member *m)
{
    for (size_t i = 0; c->change == DEPLOY_CHANGE_RESTART && i < m->depends.count; i++)
        if (m->depends.items[i].restart && is_chosen(c, m->depends.items[i].service))
            return true;
    for (size_t i = 0; c->change == DEPLOY_CHANGE_START && i < c->count; i++)
        if (c->members[i].chosen &&
            plan_depends_on(&c->members[i].depends, text_of(m, "service")))
            return true;
    return false;
}

static int choose(struct change *c, struct dr_error *err)
{
    char *const *services = c->options->services;
    for (; named(c) && *services; services++)
        if (choose_named(c, *services, err) < 0)
            return -1;
    for (size_t i = 0; i < c->count; i++) {
        struct plan_member *m = &c->members[i];
        m->chosen = m->chosen || !named(c);
        if (plan_is_oneoff(m->container) && c->change != DEPLOY_CHANGE_REMOVE)
            m->chosen = false;
    }
    bool more = !c->options->no_deps && !exits(c);
    while (more) {
        more = false;
        for (size_t i = 0; i < c->count; i++) {
            struct plan_member *m = &c->members[i];
            if (!m->chosen && !plan_is_oneoff(m->container) && comes_along(c, m))
                more = m->chosen = true;
        }
    }
    return 0;
}

/* --- what --- */

/* A job that somebody has waited for is done once, as `up` does it. */
static bool is_done(const struct change *c, const struct plan_member *m)
{
    if (!status_is(m, "exited") || dr_json_int(m->container, "exit_code", -1) != 0)
        return false;
    for (char *const *s = c->options->services; s && *s; s++)
        if (strcmp(*s, text_of(m, "service")) == 0)
            return false;
    for (size_t i = 0; i < c->count; i++) {
        const struct plan_depend *d =
            plan_depends_on(&c->members[i].depends, text_of(m, "service"));
        if (d && d->condition == DEPLOY_COMPLETED)
            return true;
    }
    return false;
}

static bool has_work(const struct change *c, const struct plan_member *m)
{
    bool up = plan_is_up(m->container);
    switch (c->change) {
    case DEPLOY_CHANGE_START:
        return (!up && !is_done(c, m)) || status_is(m, "paused");
    case DEPLOY_CHANGE_STOP:
        return up;
    case DEPLOY_CHANGE_RESTART:
        return !is_done(c, m);
    case DEPLOY_CHANGE_REMOVE:
        return !up || c->options->running;
    }
    return false;
}

static void add_step(struct change *c, struct plan_member *m)
{
    static const enum deploy_action actions[] = {
        [DEPLOY_CHANGE_START] = DEPLOY_START,
        [DEPLOY_CHANGE_STOP] = DEPLOY_STOP,
        [DEPLOY_CHANGE_RESTART] = DEPLOY_RESTART,
        [DEPLOY_CHANGE_REMOVE] = DEPLOY_REMOVE,
    };
    m->step = plan_add(c->plan, actions[c->change], text_of(m, "name"),
                       text_of(m, "service"), "asked for");
    struct deploy_step *s = &c->plan->steps[m->step];
    s->container = dr_strdup(text_of(m, "id"));
    s->volumes = c->options->volumes;
    s->paused = c->change == DEPLOY_CHANGE_START && status_is(m, "paused");
}

/* --- the order --- */

static bool is_already(const struct plan_member *m, enum deploy_until until)
{
    if (m->step != DEPLOY_NO_STEP)
        return false;
    if (until == DEPLOY_UNTIL_COMPLETED)
        return status_is(m, "exited") && dr_json_int(m->container, "exit_code", -1) == 0;
    return status_is(m, "running") && strcmp(text_of(m, "health"), "healthy") == 0;
}

/* The step behind which it is as the condition says; made when the first one asks. */
static size_t ready(struct change *c, struct plan_member *m,
                    enum deploy_condition condition)
{
    enum deploy_until until =
        condition == DEPLOY_HEALTHY ? DEPLOY_UNTIL_HEALTHY : DEPLOY_UNTIL_COMPLETED;
    if (condition == DEPLOY_STARTED || is_already(m, until))
        return m->step;
    if (m->waits[until] != DEPLOY_NO_STEP)
        return m->waits[until];
    size_t wait =
        plan_add(c->plan, DEPLOY_WAIT, text_of(m, "name"), text_of(m, "service"),
                 until == DEPLOY_UNTIL_HEALTHY ? "until it is healthy"
                                               : "until it has ended with 0");
    c->plan->steps[wait].container = dr_strdup(text_of(m, "id"));
    c->plan->steps[wait].until = until;
    plan_after(c->plan, wait, m->step);
    return m->waits[until] = wait;
}

/* What members[i] waits for of members[j], which comes before it. */
static size_t before(struct change *c, size_t i, size_t j)
{
    struct plan_member *m = &c->members[i], *other = &c->members[j];
    const struct plan_depend *d =
        exits(c) ? plan_depends_on(&other->depends, text_of(m, "service"))
                 : plan_depends_on(&m->depends, text_of(other, "service"));
    if (!d || !other->chosen)
        return DEPLOY_NO_STEP;
    return exits(c) ? other->step : ready(c, other, d->condition);
}

static void place(struct change *c, size_t i)
{
    struct plan_member *m = &c->members[i];
    if (!m->chosen || !has_work(c, m))
        return;
    for (size_t j = 0; j < i; j++)
        before(c, i, j); /* a step waits only for those that were made before it */
    add_step(c, m);
    for (size_t j = 0; j < i; j++)
        (exits(c) ? plan_after_end : plan_after)(c->plan, m->step, before(c, i, j));
}

int deploy_plan_change(const char *name, const struct deploy_model *model,
                       const struct deploy_seen *seen, enum deploy_change change,
                       const struct deploy_change_options *options,
                       struct deploy_plan **ret_plan, struct dr_error *err)
{
    struct change c = {
        .model = model, .options = options, .change = change, .plan = plan_new(name)};
    c.members = plan_members(model, seen, &c.count);
    int rc = choose(&c, err);
    plan_members_sort(c.members, c.count, exits(&c));
    bool any = false;
    for (size_t i = 0; rc == 0 && i < c.count; i++) {
        any = any || c.members[i].chosen;
        place(&c, i);
    }
    if (rc == 0 && !any && !exits(&c))
        rc = dr_fail(err, DR_ERR_NOT_FOUND,
                     "deployment %s has no %scontainers here: `dray up` makes them", name,
                     named(&c) ? "such " : "");
    else if (rc == 0 && !any)
        plan_warn(c.plan, "deployment %s has no %scontainers here", name,
                  named(&c) ? "such " : "");
    plan_members_free(c.members, c.count);
    if (rc == 0)
        *ret_plan = c.plan;
    else
        deploy_plan_free(c.plan);
    return rc;
}
