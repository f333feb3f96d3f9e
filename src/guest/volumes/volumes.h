/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Volumes: <root>/volumes/<name>/{_data,meta.json}. A new one is made beside and renamed
 * into place, so there is never half a volume; one without (or with a torn) meta.json is
 * a volume all the same. Who has which is derived from the containers' records, never
 * stored.
 *
 * meta.json: {"version":1,"created_ns":N,"labels":{},"anonymous":bool}
 */
#ifndef DRAY_GUEST_VOLUMES_H
#define DRAY_GUEST_VOLUMES_H

#include <stdbool.h>

#include "guest/guest.h"

/* Docker's mark on a volume that nobody named. */
#define VOLUME_ANONYMOUS_LABEL "com.docker.volume.anonymous"

struct volume {
    char *name, *source; /* owned; source: its _data */
    int64_t created_ns;
    json_t *labels; /* object of strings, a reference */
    bool anonymous;
};
void volume_release(struct volume *volume);
#define volume_auto DR_CLEANUP(volume_release)

/* "<root>/volumes/<name>/_data", owned. */
char *volume_source(const struct guest *guest, const char *name);
/* DR_ERR_INVALID says which names are allowed. */
int volume_name_check(const char *name, struct dr_error *err);

/* Held shared around "a container's record names it" and "it is made", exclusive by who
 * removes. The lock's descriptor. */
int volumes_lock(const struct guest *guest, bool exclusive, int *ret_fd,
                 struct dr_error *err);

/* One that exists is success, and stays what it is. labels: object of strings, may be
 * NULL. durable: it survives a power cut. */
int volume_make(const struct guest *guest, const char *name, const json_t *labels,
                bool anonymous, bool durable, struct dr_error *err);
/* DR_ERR_NOT_FOUND "no such volume: x". */
int volume_load(const struct guest *guest, const char *name, struct volume *ret,
                struct dr_error *err);
/* Every volume, in no order; stops when each returns something else than 0, and returns
 * that. */
int volume_each(const struct guest *guest,
                int (*each)(void *arg, const struct volume *volume), void *arg,
                struct dr_error *err);
/* Out of sight at once, then deleted. Missing is success. Lock held exclusively, and
 * nobody has it. Works on a full disk (I7). */
int volume_remove(const struct guest *guest, const char *name, struct dr_error *err);
/* At a session's start: what a crash left half-made or half-removed goes, unless somebody
 * is at work on volumes now. Costs one look at a directory when there is nothing. */
void volume_sweep(const struct guest *guest);

#endif
