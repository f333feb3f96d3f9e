/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the tar reader share: the raw header, the stream, and the state that
 * is collected for one entry. */
#ifndef DRAY_TAR_PRIVATE_H
#define DRAY_TAR_PRIVATE_H

#include "base/buf.h"
#include "tar/tar.h"

/* POSIX ustar; GNU and star use the bytes from prefix on in their own ways. */
struct tar_header {
    char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], checksum[8], type;
    char link[100], magic[6], version[2], uname[32], gname[32], major[8], minor[8];
    char prefix[155], pad[12];
};
_Static_assert(sizeof(struct tar_header) == TAR_BLOCK, "a header is one block");

/* What a pax extended header says of the next entry. Strings point into the header. */
struct tar_pax {
    const char *path, *link;
    bool has_size, has_uid, has_gid, has_mtime, has_atime;
    int64_t size, uid, gid;
    struct timespec mtime, atime;
    /* GNU.sparse.* */
    const char *sparse_name;
    bool has_sparse_size, has_sparse_version, has_sparse_map;
    int64_t sparse_size, sparse_major, sparse_minor;
};

struct tar {
    tar_fill_fn fill;
    void *arg;
    struct tar_tap tap;   /* its functions may be NULL */
    tar_skip_fn skip;     /* may be NULL */
    int64_t offset;       /* of chunk in the archive */
    const uint8_t *chunk; /* unused rest of the chunk at hand */
    size_t chunk_len;
    bool stream_ended;
    int64_t payload, padding; /* of the current entry, not read yet */
    bool ended;
    struct tar_header header; /* the one at hand */
    struct dr_buf pax_text, long_name, long_link;
    bool has_long_name, has_long_link;
    struct tar_pax pax;
    char name[sizeof(((struct tar_header *)0)->name) +
              sizeof(((struct tar_header *)0)->prefix) + 2];
    char link[sizeof(((struct tar_header *)0)->link) + 1];
    struct tar_extent *extents;
    size_t n_extents, cap_extents;
    int64_t half_extent; /* pax 0.0: an offset whose numbytes has not come; -1 none */
    struct tar_xattr *xattrs;
    size_t n_xattrs, cap_xattrs;
};

/* number.c */

/* Octal text or base-256 (GNU). An empty field is 0. */
bool tar_number(const char *field, size_t len, int64_t *ret);
/* Whole-string decimal, not negative, at most INT64_MAX. */
bool tar_decimal(const char *text, size_t len, int64_t *ret);
/* pax time: "[-]seconds[.fraction]"; what no time_t holds is clamped. */
bool tar_time(const char *text, struct timespec *ret);
bool tar_checksum_ok(const struct tar_header *header);

/* pax.c: parses tar->pax_text into tar->pax, extents and xattrs. */
int tar_pax_parse(struct tar *tar, bool global, struct dr_error *err);

/* sparse.c */
int tar_add_extent(struct tar *tar, int64_t offset, int64_t length, struct dr_error *err);
/* GNU.sparse.map: "offset,length,offset,length…" */
int tar_sparse_map_text(struct tar *tar, const char *text, struct dr_error *err);
/* The old GNU form: the map in the header and in the blocks behind it. */
int tar_sparse_old(struct tar *tar, struct tar_entry *entry, struct dr_error *err);
/* The pax forms; for 1.0 the map is at the front of the payload. */
int tar_sparse_pax(struct tar *tar, struct tar_entry *entry, struct dr_error *err);

/* reader.c: exactly TAR_BLOCK bytes. Returns 1, 0 at a clean end (only when may_end), -1.
 */
int tar_block(struct tar *tar, uint8_t block[TAR_BLOCK], bool may_end,
              struct dr_error *err);

#endif
