/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The lines of dray in a container's /etc/hosts, changed while it runs.
 *
 * The file is a bind mount: its inode has to stay, so it is written in place, and whoever
 * reads it meanwhile must never see half a line. Therefore nothing in it ever moves, and
 * a line of ours comes and goes by one byte: it is written as a comment, in a place that
 * is one already or at the end of the file, and then its first byte is put in the place
 * of the '#'. To take it away is the same the other way round. A writer that is killed at
 * any point leaves a file that is right, but for a line.
 *
 * A line of ours ends with "# dray" behind blanks that let another one use its place
 * later. Everything else is the user's and is not touched.
 */
#ifndef DRAY_GUEST_NET_HOSTS_H
#define DRAY_GUEST_NET_HOSTS_H

#include "base/error.h"

/* Longer lines are read by no libc (musl takes 512 bytes). */
#define HOSTS_LINE_MAX 400

/*
 * Makes our lines in the file these: "<address>\t<name> <name>…", at most HOSTS_LINE_MAX
 * bytes, in any order. New ones come before old ones go. Nobody else of us writes the
 * file meanwhile. The container owns the file's content: one of more than 1 MiB is
 * refused with DR_ERR_FORMAT, and left alone.
 */
int hosts_update(const char *path, char *const *lines, struct dr_error *err);

#endif
