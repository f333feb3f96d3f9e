/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Containers of a target, for the rest of the guest. The requests themselves are the
 * table guest_container_ops (guest.h).
 *
 * A container is <root>/containers/<id>/{spec.json,state.json,upper,work,…}, its name a
 * symlink <root>/containers/.names/<name> → <id>, its bundle and log are named from its
 * name. While it is being made, runs or goes there is <run_root>/<id>/, made first and
 * removed last, with a `lock` that is held by whoever is at it (HAZARDS H5, I3, I4).
 */
#ifndef DRAY_GUEST_CONTAINER_H
#define DRAY_GUEST_CONTAINER_H

#include <stdbool.h>

#include "guest/guest.h"

/* Brings back to order what a crash left: entries of <run_root> whose lock nobody holds.
 * After a reboot every container is looked at. Those that their policy wants running get
 * a new monitor, which is not waited for. Costs some microseconds when all is well. */
int container_reconcile(struct guest *guest, struct dr_error *err);

/* The same for one container whose monitor was lost just now: waits for its lock, which a
 * dying process lets go some moments after its sockets. for_good: it is not started
 * again. DR_ERR_CONFLICT: still held. */
int container_settle(struct guest *guest, const char *id, int64_t wait_ms, bool for_good,
                     struct dr_error *err);

int container_count(struct guest *guest, int *ret_containers, int *ret_running,
                    struct dr_error *err);
/* Calls each with every diff id that some container's root file system is made of.
 * Something else than 0 stops it and is returned. */
int container_each_layer(struct guest *guest, int (*each)(void *arg, const char *diff_id),
                         void *arg, struct dr_error *err);
/* Counts containers by image: counts["sha256:…"] += 1 for each. */
int container_count_images(struct guest *guest, json_t *counts, struct dr_error *err);
/* Who has which volume: users["volume"] is an array of containers' names. */
int container_volume_users(struct guest *guest, json_t *users, struct dr_error *err);
/* The name of some container made from the image "sha256:…", owned. */
bool container_image_in_use(struct guest *guest, const char *image_id, char **ret_name);

/*
 * Undoes everything that belongs to the container, from any state, torn ones included:
 * processes, cgroup, name, bundle, log, anonymous volumes when volumes is set, files, and
 * last its <run_root> entry. What is gone already is success; goes on after a failure and
 * reports the first. The caller holds the lock (journal.h).
 */
int container_destroy_by_name(struct guest *guest, const char *id, bool volumes,
                              struct dr_error *err);
/* The same in two steps: what a person or another container could meet, then, when that
 * succeeded, links and the entry. */
int container_destroy_files(struct guest *guest, const char *id, bool volumes,
                            struct dr_error *err);
int container_destroy_rest(struct guest *guest, const char *id, struct dr_error *err);

#endif
