/* SPDX-License-Identifier: Apache-2.0 */
/* Names of containers: <root>/containers/.names/<name> is a symlink to the id. */
#ifndef DRAY_GUEST_CONTAINER_NAMES_H
#define DRAY_GUEST_CONTAINER_NAMES_H

#include "guest/container/record.h"

/* Atomically. DR_ERR_EXISTS names the container that has it. A link to a container that
 * is gone is taken over. */
int name_reserve(const struct guest *guest, const char *name, const char *id,
                 struct dr_error *err);
/* Is name the name of this container? */
bool name_belongs_to(const struct guest *guest, const char *name, const char *id);
void name_free(const struct guest *guest, const char *name, const char *id);
/* The same when the name is not known any more. */
void name_free_by_id(const struct guest *guest, const char *id);
/* Frees every name whose container is gone. */
void name_sweep(const struct guest *guest);
/* "brisk_anchor", owned; attempt > 0 adds a number. */
char *name_generate(int attempt);

/* A container by its id, its name, or a prefix of its id that only it has. Loads it.
 * DR_ERR_NOT_FOUND "no such container: x"; DR_ERR_INVALID when several match. */
int container_find(const struct guest *guest, const char *text, struct container *ret,
                   struct dr_error *err);

#endif
