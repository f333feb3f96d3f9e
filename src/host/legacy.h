/* SPDX-License-Identifier: Apache-2.0 */
/* Behind host.h; goes with it. */
#ifndef DRAY_HOST_LEGACY_H
#define DRAY_HOST_LEGACY_H

#include "host/host.h"
#include "host/target.h"

struct host {
    struct dray_target *target;
    json_t *hello;
};

#endif
