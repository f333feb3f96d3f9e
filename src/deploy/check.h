/* SPDX-License-Identifier: Apache-2.0 */
/* What no single field of a deployment shows. */
#ifndef DRAY_DEPLOY_CHECK_H
#define DRAY_DEPLOY_CHECK_H

#include "deploy/model.h"
#include "deploy/problems.h"

/* Notes what is wrong, all of it. Returns -1 with the first as DR_ERR_CONFIG. */
int deploy_check(const struct deploy_model *model, struct deploy_problems *problems,
                 struct dr_error *err);

#endif
