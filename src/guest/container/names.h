/* SPDX-License-Identifier: Apache-2.0 */
/* Names of containers: <root>/containers/.names/<name> is a symlink to the id. */
#ifndef DRAY_GUEST_CONTAINER_NAMES_H
#define DRAY_GUEST_CONTAINER_NAMES_H

#include "guest/container/record.h"

/* Atomically. DR_ERR_EXISTS names the container that has it. A link to a container that
 * is gone, or that a rename left when it was cut off, is taken over. */
int name_reserve(const struct guest *guest, const char *name, const char *id,
                 struct dr_error *err);
void name_free(const struct guest *guest, const char *name, const char *id);
/* Held while names change: one is taken away only from whom it was seen to belong to, and
 * none while a rename is between the new name and the old. -1: there are no names yet. */
int names_lock(const struct guest *guest);
int name_reserve_locked(const struct guest *guest, const char *name, const char *id,
                        struct dr_error *err);
void name_free_locked(const struct guest *guest, const char *name, const char *id);
/* The same when the name is not known any more. */
void name_free_by_id(const struct guest *guest, const char *id);
/* Calls each for every name of the container, or for all names with NULL. */
int name_each(const struct guest *guest, const char *id,
              int (*each)(void *arg, const char *name), void *arg);
/* Frees every name whose container is gone or has another one. */
void name_sweep(const struct guest *guest);
/* "brisk_anchor", owned; attempt > 0 adds a number. */
char *name_generate(int attempt);

/* A container by its id, its name, or a prefix of its id that only it has. Loads it.
 * DR_ERR_NOT_FOUND "no such container: x"; DR_ERR_INVALID when several match. */
int container_find(const struct guest *guest, const char *text, struct container *ret,
                   struct dr_error *err);

#endif
