/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What becomes of trees of Compose files before they are read: one form for what may be
 * written in several, and several files made into one. Rule: compose-spec, 11-extension
 * and 13-merge.
 */
#ifndef DRAY_DEPLOY_COMPOSE_MERGE_H
#define DRAY_DEPLOY_COMPOSE_MERGE_H

#include "deploy/problems.h"

/* In place: "x-" members go; lists of "K=V" and of names become maps, single words lists;
 * tags that nobody knows are problems. */
void compose_normalise(struct deploy_value *root, struct deploy_problems *problems);

/* over is merged into base, both normalised, and is freed. What over says by !reset is
 * taken out, what it says by !override replaces. */
void compose_merge(struct deploy_value *base, struct deploy_value *over);
/* The same for one service. */
void compose_merge_service(struct deploy_value *base, struct deploy_value *over);
/* Takes out what !reset says, once nothing is merged any more. */
void compose_sweep(struct deploy_value *value);

/* Of ports, volumes and the like of each service, what is the same thing is there once.
 */
void compose_unique(struct deploy_value *root);

/* How many values there are in it; long texts count for more. */
size_t compose_count(const struct deploy_value *value);

#endif
