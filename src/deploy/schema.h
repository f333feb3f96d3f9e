/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DRAY_DEPLOY_SCHEMA_H
#define DRAY_DEPLOY_SCHEMA_H

#include "base/json.h"

/* JSON Schema (draft 7, which editors know best) of dray's own format, made of the table
 * that its reader follows. A new reference. */
json_t *deploy_schema(void);

#endif
