/* SPDX-License-Identifier: Apache-2.0 */
/* What plan.c, plan-up.c and plan-down.c share. */
#ifndef DRAY_DEPLOY_PLAN_PRIVATE_H
#define DRAY_DEPLOY_PLAN_PRIVATE_H

#include "deploy/plan.h"

struct deploy_plan *plan_new(const char *name);
/* Appends a step; its number. The texts are copied, and may be NULL. */
size_t plan_add(struct deploy_plan *plan, enum deploy_action action, const char *name,
                const char *service, const char *why);
/* step waits for other; DEPLOY_NO_STEP is none, and twice is once. */
void plan_after(struct deploy_plan *plan, size_t step, size_t other);
/* … for its end only, however that is. */
void plan_after_end(struct deploy_plan *plan, size_t step, size_t other);
void plan_warn(struct deploy_plan *plan, const char *fmt, ...) DR_PRINTF(2, 3);
/* A label's value, borrowed, or NULL. */
const char *plan_label(const json_t *item, const char *key);
bool plan_is_oneoff(const json_t *container);
/* It runs, or will by itself. */
bool plan_is_up(const json_t *container);

/* --- depends.c --- */
struct plan_depend {
    char *service;
    enum deploy_condition condition;
    bool restart;
};
struct plan_depends {
    struct plan_depend *items;
    size_t count;
};
/* Of a container's service: by the model (may be NULL) when it has that, else by the
 * container's label. */
struct plan_depends plan_depends_of(const struct deploy_model *model,
                                    const json_t *container);
void plan_depends_release(struct plan_depends *all);
/* NULL: it does not; service may be NULL. */
const struct plan_depend *plan_depends_on(const struct plan_depends *all,
                                          const char *service);
/* What DEPLOY_LABEL_DEPENDS holds; NULL: nothing. */
char *plan_depends_text(const struct deploy_service *service);

/* One of the deployment's containers that are there. */
struct plan_member {
    const json_t *container; /* borrowed */
    struct plan_depends depends;
    bool chosen;
    size_t step;     /* what is done with it; DEPLOY_NO_STEP */
    size_t waits[3]; /* by enum deploy_until; DEPLOY_NO_STEP */
};
/* All of them, one-offs too. */
struct plan_member *plan_members(const struct deploy_model *model,
                                 const struct deploy_seen *seen, size_t *ret_count);
void plan_members_free(struct plan_member *members, size_t count);
/* Each behind what it depends on, or (dependents_first) before it. */
void plan_members_sort(struct plan_member *members, size_t count, bool dependents_first);

#endif
