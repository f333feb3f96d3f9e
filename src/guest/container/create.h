/* SPDX-License-Identifier: Apache-2.0 */
/* Making a container: everything but processes and mounts. */
#ifndef DRAY_GUEST_CONTAINER_CREATE_H
#define DRAY_GUEST_CONTAINER_CREATE_H

#include "guest/container/record.h"
#include "spec/container.h"

/*
 * Makes a container of the spec. When it fails, at whatever step, nothing is left (C15).
 * DR_ERR_EXISTS: the name is in use, and who has it is untouched; DR_ERR_NOT_FOUND: the
 * image is not here. What of the spec can change its meaning is made definite in it
 * (net_check()). ret_lock: the held lock, -1 when it is not wanted (NULL). The caller
 * releases *ret.
 * for_run: it is started at once; when a crash comes in between, nothing is left of it.
 */
int container_create(struct guest *guest, struct spec_container *spec, bool for_run,
                     struct container *ret, int *ret_lock, struct dr_error *err);

/* What config.json depends on in this guest; read once. */
struct bundle_facts;
const struct bundle_facts *container_facts(void);

#endif
