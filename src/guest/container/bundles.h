/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who has which bundle directory. <bundle_root>/<slug> is a container's when its symlink
 * `id` says so. A container keeps its bundle and its log when it is renamed, so another
 * one that gets its old name finds the slug taken and is <slug>-<8 hex of its id>. The
 * directory is made and removed under the name .<id>, by which a crash finds it again
 * (HAZARDS I3), and gets its own in one step.
 */
#ifndef DRAY_GUEST_CONTAINER_BUNDLES_H
#define DRAY_GUEST_CONTAINER_BUNDLES_H

#include "guest/container/record.h"

/* "<bundle_root>/<slug>", or with alternative the longer name. Owned. */
char *bundle_path(const struct guest *guest, const char *id, const char *slug,
                  bool alternative);
/* "<log_root>/<the bundle's last component>.log", owned. */
char *bundle_log_path(const struct guest *guest, const char *bundle);
/* Makes .<id> with rootfs and `id` in it. */
int bundle_stage(const struct guest *guest, const char *id, struct dr_error *err);
/* Gives it its name. 1: somebody has that. */
int bundle_claim(const struct guest *guest, const char *id, const char *bundle,
                 struct dr_error *err);
bool bundle_is_of(const char *bundle, const char *id);
/* Removes the bundle when it is this container's (may be NULL), its log (may be NULL)
 * with it, and .<id>. */
int bundle_remove(const struct guest *guest, const char *id, const char *bundle,
                  const char *log, struct dr_error *err);

#endif
