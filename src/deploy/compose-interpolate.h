/* SPDX-License-Identifier: Apache-2.0 */
/* $VARIABLES in Compose files. Rule: compose-spec, 12-interpolation. */
#ifndef DRAY_DEPLOY_COMPOSE_INTERPOLATE_H
#define DRAY_DEPLOY_COMPOSE_INTERPOLATE_H

#include "deploy/compose-env.h"
#include "deploy/problems.h"

/* What a tree may become by it, all together: a variable may be long, and be asked for
 * often. */
#define COMPOSE_INTERPOLATED_MAX (16u << 20)

struct compose_interpolation {
    /* The value of name, borrowed until the next call; NULL: it is not set. */
    const char *(*get)(void *state, const char *name);
    /* An unset variable was put in as nothing; may be NULL. */
    void (*unset)(void *state, const char *name);
    void *state;
};

/* One text. DR_ERR_CONFIG: no such form, a required variable is missing, or the result is
 * longer than max. */
int compose_interpolate(const struct compose_interpolation *how, const char *text,
                        size_t max, char **ret, struct dr_error *err);
/* Every scalar of a tree but keys; problems with their places. warnings: unset variables,
 * each once a file, with the place of the first. */
void compose_interpolate_tree(struct deploy_value *tree, const struct compose_env *env,
                              struct deploy_problems *problems, char ***warnings);

#endif
