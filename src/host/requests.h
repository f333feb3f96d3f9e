/* SPDX-License-Identifier: Apache-2.0 */
/* Requests that several functions of dray.h are made of. */
#ifndef DRAY_HOST_REQUESTS_H
#define DRAY_HOST_REQUESTS_H

#include "host/target.h"
#include "spec/container.h"

/* The public handle. */
struct dray_spec {
    struct spec_container *container;
};

/* Whether it makes sense, without asking over there. */
int spec_check(const struct dray_spec *spec, struct dr_error *err);
/* {"op", "spec"} after the spec was checked. */
int spec_request(const struct dray_spec *spec, const char *op, json_t **ret_request,
                 struct dr_error *err);
/* "id" and "warnings" of a container that was created; either may be NULL. */
void created_reply(const json_t *reply, char ret_id[DRAY_ID_SIZE], char **ret_warnings);

#endif
