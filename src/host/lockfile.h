/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dray.lock: what tags meant when they were first pulled with a lock. A line for each
 * reference, in the order of their names:
 *     version 1
 *     docker.io/library/alpine:3.20 sha256:…
 * The digest is the one behind the tag, so of the index where there is one: the file is
 * the same for every platform. Lines that begin with '#', and empty ones, stay with the
 * line that follows them.
 */
#ifndef DRAY_HOST_LOCKFILE_H
#define DRAY_HOST_LOCKFILE_H

#include "base/buf.h"
#include "oci/digest.h"

#define LOCKFILE_NAME "dray.lock"
#define LOCKFILE_MAX ((size_t)1 << 20) /* bytes */

struct lock_entry {
    char *ref; /* canonical, with its tag; owned, as before */
    struct oci_digest digest;
    char *before; /* the lines of comments, or NULL */
};

struct lockfile {
    struct lock_entry *entries;
    size_t n;
    char *head;  /* comments above the version; NULL: ours */
    char *after; /* … behind the last entry, or NULL */
};

#define dr_auto_lockfile DR_CLEANUP(lockfile_release)
void lockfile_release(struct lockfile *lock);

/* DR_ERR_CONFIG says FILE:LINE and what is wrong; DR_ERR_UNSUPPORTED: a later version. */
int lockfile_parse(const char *path, const char *text, size_t len, struct lockfile *ret,
                   struct dr_error *err);
int lockfile_text(const struct lockfile *lock, struct dr_buf *text, struct dr_error *err);
/* NULL: it is not in there. */
const struct oci_digest *lockfile_find(const struct lockfile *lock, const char *ref);
/* 1: it has it now, or another digest of it; 0: it had it already. */
int lockfile_put(struct lockfile *lock, const char *ref, const struct oci_digest *digest);

/* A missing file is empty. */
int lockfile_read(const char *path, struct lockfile *ret, struct dr_error *err);
/*
 * Puts one more into the file; others may write it at the same time. replace: what it had
 * for that reference is to go; else another digest than this is DR_ERR_CONFLICT.
 */
int lockfile_record(const char *path, const char *ref, const struct oci_digest *digest,
                    bool replace, struct dr_error *err);

/* lockfile-posix.c: nobody else changes the file until the descriptor is closed.
 * *ret_path: owned, the file itself where path is a link. What cannot be written to is
 * told here, so that it can be known before much else is done. */
int lockfile_hold(const char *path, int *ret_fd, char **ret_path, struct dr_error *err);
/* Within it: whole or not at all. */
int lockfile_write(const char *path, const char *text, struct dr_error *err);

#endif
