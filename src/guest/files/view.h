/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A look at the root file system of a container, running or not, as docker cp's: the
 * layers and what the container changed, and its bind mounts and volumes over them; not
 * /proc, /dev, /sys and tmpfs, which exist only inside.
 *
 * It is mounted in a mount namespace of the calling thread, so nothing of it is seen
 * elsewhere and nothing stays when we are killed. A running container's root is taken
 * over from its monitor's namespace. Nothing of the container is executed or loaded
 * (CVE-2019-14271), and paths are resolved by the kernel inside the root, however they
 * change meanwhile (CVE-2018-15664).
 */
#ifndef DRAY_GUEST_FILES_VIEW_H
#define DRAY_GUEST_FILES_VIEW_H

#include <sys/stat.h>

#include "guest/container/record.h"

enum view_flags {
    VIEW_MOUNTS = 1, /* bind mounts and volumes too */
    VIEW_WRITE = 2,  /* what is written stays; keeps others from starting it meanwhile */
    VIEW_IMAGE_ONLY = 4, /* the layers alone, without what the container changed */
};

struct view {
    int root; /* O_PATH */
    /* private */
    struct guest *guest;
    char *id, *rootfs;
    int lock, upper;
    unsigned mounts;
};
#define VIEW_INIT ((struct view){.root = -1, .lock = -1, .upper = -1})
#define view_auto DR_CLEANUP(view_close)

/*
 * The calling thread has a mount namespace of its own from here on, and must not be used
 * for anything else later. DR_ERR_CONFLICT when the container is being made or damaged,
 * or, with VIEW_WRITE, another command is at work on it.
 */
int view_open(struct guest *guest, const struct container *c, unsigned flags,
              struct view *ret, struct dr_error *err);
void view_close(struct view *view);

/* --- paths inside --- */

/* What a path names, found by whoever asks Docker's question: a path with '/' or "/." at
 * its end is a directory, and its symlinks are followed. */
struct view_place {
    int at;         /* the directory that it is in, or (name NULL) itself; O_PATH */
    char *name;     /* last component in that directory; NULL: at is it */
    char *as;       /* what it is called in an archive: its last component, "." for a path
                       that ends in "/." and for the root */
    struct stat st; /* of it: lstat, or stat when followed */
};
#define VIEW_PLACE_INIT ((struct view_place){.at = -1})
#define view_auto_place DR_CLEANUP(view_place_release)
void view_place_release(struct view_place *place);

/* DR_ERR_NOT_FOUND names the path. follow: symlinks in the last component too. */
int view_find(const struct view *view, const char *path, bool follow,
              struct view_place *ret, struct dr_error *err);

/* openat2 inside root, with flags | O_CLOEXEC, no magic links; tries again when a rename
 * got in between. -1 with errno. */
int view_openat(int root, const char *path, int flags);

#endif
