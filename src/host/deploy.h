/* SPDX-License-Identifier: Apache-2.0 */
/* The handle of dray_deployment_*, for the files of src/host that plan and apply. */
#ifndef DRAY_HOST_DEPLOY_H
#define DRAY_HOST_DEPLOY_H

#include "deploy/model.h"
#include "dray.h"

struct dray_deployment {
    struct deploy_model *model;
};

#endif
