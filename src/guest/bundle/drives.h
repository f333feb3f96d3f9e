/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a Windows path is called in this guest: drives are mounted by WSL itself, where
 * /etc/wsl.conf says, or by a person. It is asked here, when a container is made, so that
 * it costs no crossing.
 */
#ifndef DRAY_GUEST_BUNDLE_DRIVES_H
#define DRAY_GUEST_BUNDLE_DRIVES_H

#include <stdbool.h>

#include "base/error.h"
#include "spec/container.h"

struct drives {
    char *distro; /* this one's name; NULL: not told */
    bool is_wsl;
    bool automount; /* [automount] enabled */
    char *root;     /* [automount] root, with a slash at its end */
    char *mounts;   /* /proc/self/mountinfo */
};
#define drives_auto DR_CLEANUP(drives_release)
/* As it is now. What cannot be read is what it would be without it. */
void drives_read(struct drives *ret);
/* From texts: /etc/wsl.conf, /proc/self/mountinfo, the kernel's release, and the name
 * that WSL gives its processes (may be NULL). */
void drives_parse(const char *conf, const char *mounts, const char *release,
                  const char *distro, struct drives *ret);
void drives_release(struct drives *drives);

/* The Linux path of a Windows path; owned. NULL with DR_ERR_INVALID that says why there
 * is none. */
char *drives_path(const struct drives *drives, const char *path, struct dr_error *err);

/* Turns the sources of bind mounts that are Windows paths into Linux ones. */
int drives_translate(struct spec_container *spec, struct dr_error *err);

#endif
