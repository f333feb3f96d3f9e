/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A pull reader for tar: v7, ustar, star, pax and GNU (long names, base-256 numbers,
 * sparse files of the old form and of pax 0.0, 0.1 and 1.0). It knows bytes, not files:
 * names are given as they are written; who unpacks decides what they mean.
 *
 * Where readers of tar disagree, this one reads as Go's archive/tar does, because every
 * other tool that handles layers is built on that: a layer must not mean one thing to a
 * scanner and another to us. So:
 *   - links, directories, devices and fifos have no payload, whatever their size says;
 *   - pax global headers are checked and otherwise have no effect;
 *   - a pax size beats the ustar size and applies to the entry itself, never to the
 * extended headers in between (CVE-2025-62518, CVE-2026-33055);
 *   - GNU long names beat pax paths; of several pax headers the last counts.
 *
 * Bounds (HAZARDS H1): an extended header is at most 1 MiB, a sparse map has at most
 * 65536 extents, an entry 1024 xattrs; negative and overflowing sizes and ids are refused
 * (a uid above 2^31-2 never becomes 0).
 */
#ifndef DRAY_TAR_TAR_H
#define DRAY_TAR_TAR_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "base/error.h"

#define TAR_BLOCK 512
#define TAR_EXTENDED_MAX (((size_t)1 << 20) - 1) /* of pax; with the NUL 1 MiB */
#define TAR_LONG_NAME_MAX ((size_t)65535)        /* of GNU; no path can be that long */
#define TAR_EXTENTS_MAX 65536
#define TAR_XATTRS_MAX 1024
#define TAR_ID_MAX 0x7ffffffeLL /* 2^31 - 2 */

/* Gives the next bytes of the stream, borrowed until the next call. Returns their number,
 * 0 at the end, -1 with err filled. */
typedef ssize_t (*tar_fill_fn)(void *arg, const uint8_t **ret_data, struct dr_error *err);

enum tar_type {
    TAR_FILE,
    TAR_DIR,
    TAR_SYMLINK,
    TAR_HARDLINK,
    TAR_CHAR,
    TAR_BLOCKDEV,
    TAR_FIFO,
};

struct tar_xattr {
    const char *name; /* "user.x" */
    const void *value;
    size_t len;
};

struct tar_extent {
    int64_t offset, length;
};

/* Everything is borrowed from the reader until the next tar_next. */
struct tar_entry {
    enum tar_type type;
    const char *name; /* bytes as written; may be empty, absolute, have ".." */
    const char *link; /* target, "" when there is none */
    mode_t mode;      /* 07777 */
    uid_t uid;
    gid_t gid;
    struct timespec mtime, atime;  /* atime is mtime where the archive has none */
    uint32_t dev_major, dev_minor; /* TAR_CHAR, TAR_BLOCKDEV */
    int64_t size;                  /* bytes of the file as it has to become */
    int64_t stored;                /* bytes that tar_data gives */
    bool sparse; /* the stored bytes go to the extents, one after the other */
    const struct tar_extent *extents;
    size_t n_extents;
    const struct tar_xattr *xattrs;
    size_t n_xattrs;
};

struct tar;

struct tar *tar_new(tar_fill_fn fill, void *arg);
/*
 * Who wants to make the same archive again later needs every byte that tar_data does not
 * give: `other` gets them (headers, padding, what follows the end), `data` hears how many
 * tar_data gave, both in the order of the archive. They may fail. Call it before the
 * first tar_next.
 */
struct tar_tap {
    int (*other)(void *arg, const uint8_t *bytes, size_t len, struct dr_error *err);
    int (*data)(void *arg, size_t len, struct dr_error *err);
    void *arg;
};
void tar_set_tap(struct tar *tar, const struct tar_tap *tap);
void tar_free(struct tar *tar); /* NULL is fine */

/* For archives that can be sought in: passes over n bytes behind what was filled, when
 * nobody wants them. May skip behind the end. Without a tap. */
typedef int (*tar_skip_fn)(void *arg, int64_t n, struct dr_error *err);
void tar_set_skip(struct tar *tar, tar_skip_fn skip);
/* Bytes of the archive before what tar_data gives next. */
int64_t tar_offset(const struct tar *tar);

/* Skips what is left of the entry before and reads the next. Returns 1; 0 at the end of
 * the archive (two zero blocks, or the end of the stream at a header); -1 with
 * DR_ERR_FORMAT, DR_ERR_UNSUPPORTED or what fill failed with. What follows the end is not
 * read. */
int tar_next(struct tar *tar, struct tar_entry *ret, struct dr_error *err);

/* The next run of the entry's stored bytes, borrowed. Returns 1, 0 when all were given.
 */
int tar_data(struct tar *tar, const uint8_t **ret_data, size_t *ret_len,
             struct dr_error *err);

/* Behind the archive's end: reads the stream to its own end. */
int tar_drain(struct tar *tar, struct dr_error *err);

#endif
