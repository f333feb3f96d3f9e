/* SPDX-License-Identifier: Apache-2.0 */
/* A tag that is not there: what the person may have meant. */
#ifndef DRAY_REGISTRY_NEAREST_H
#define DRAY_REGISTRY_NEAREST_H

#include "base/error.h"

struct registry;

/* err says that reg->ref's tag is not there; adds "did you mean …" or which tags there
 * are, when the registry lists them. One question, best effort. */
void nearest_tag(struct registry *reg, struct dr_error *err);

#endif
