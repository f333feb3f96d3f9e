/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A deployment as one document of dray's own format, with every field in its longest
 * form: read again, it is the same deployment. What came from the secrets file is shown
 * as its reference.
 */
#ifndef DRAY_DEPLOY_WRITE_H
#define DRAY_DEPLOY_WRITE_H

#include "deploy/model.h"

/* A new reference; members are in the order of the manual. */
json_t *deploy_write_json(const struct deploy_model *model);
/* The same as YAML, owned. */
char *deploy_write_yaml(const struct deploy_model *model);
/* Any document as YAML, owned: texts that could be taken for something else are in
 * quotes. */
char *deploy_yaml_of_json(const json_t *json);

#endif
