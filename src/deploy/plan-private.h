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

#endif
