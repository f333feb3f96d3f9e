/* SPDX-License-Identifier: Apache-2.0 */
/* What is wrong with a file: all of it at once, each with its place. */
#ifndef DRAY_DEPLOY_PROBLEMS_H
#define DRAY_DEPLOY_PROBLEMS_H

#include "base/json.h"
#include "deploy/value.h"

#define DEPLOY_PROBLEMS_MAX 100 /* the rest is counted only */

struct deploy_problem {
    char *file; /* may be NULL */
    uint32_t line, column;
    char *text; /* one line, escaped */
};

struct deploy_problems {
    struct deploy_problem *items;
    size_t count; /* of items */
    size_t more;  /* that were not kept */
};

#define DEPLOY_PROBLEMS_INIT ((struct deploy_problems){0})
#define deploy_auto_problems DR_CLEANUP(deploy_problems_release)
void deploy_problems_release(struct deploy_problems *problems);

/* where may be NULL. Names in the text: escape them first (dr_escape). */
void deploy_problem(struct deploy_problems *problems, const struct deploy_where *where,
                    const char *fmt, ...) DR_PRINTF(3, 4);
/* The text of an error that somebody else found. */
void deploy_problem_error(struct deploy_problems *problems,
                          const struct deploy_where *where, const struct dr_error *found);
/* Whether more problems are only counted: no use to look for what to say of them. */
bool deploy_problems_full(const struct deploy_problems *problems);
/* 0 when there are none; else DR_ERR_CONFIG with the first as "FILE:LINE:COLUMN: TEXT"
 * and how many more there are. */
int deploy_problems_end(const struct deploy_problems *problems, struct dr_error *err);
/* [{"file","line","column","text"}…], sorted by place; a new reference. */
json_t *deploy_problems_json(const struct deploy_problems *problems);

#endif
