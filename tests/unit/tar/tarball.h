/* SPDX-License-Identifier: Apache-2.0 */
/* Tars for tests, byte by byte, the broken ones too. */
#ifndef DRAY_TESTS_TAR_TARBALL_H
#define DRAY_TESTS_TAR_TARBALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

struct tarball {
    struct dr_buf bytes;
    struct dr_buf records; /* of the next pax header */
};
#define TARBALL_INIT                                                                     \
    ((struct tarball){.bytes = DR_BUF_INIT(256 << 20), .records = DR_BUF_INIT(8 << 20)})
#define auto_tarball DR_CLEANUP(tarball_release)
void tarball_release(struct tarball *t);

#define TYPE_NUL ((char)1) /* for the type '\0' of v7 */
struct item {
    char type;        /* '0' when 0 */
    const char *name; /* longer than 100: pax path */
    const char *link;
    int mode; /* 0644, of directories 0755, when 0; -1 for 0 */
    int64_t uid, gid, mtime;
    const char *data;
    size_t len; /* strlen(data) when 0 */
    int64_t dev_major, dev_minor;
    /* raw fields win over the numbers */
    const char *raw_size, *raw_uid, *raw_mtime, *raw_prefix;
    const char *magic;  /* 8 bytes; POSIX' when NULL */
    const char *at_386; /* 126 bytes: GNU's sparse header */
    bool wrong_checksum, no_payload;
};
void tarball_add(struct tarball *t, struct item item);
#define ADD(t, ...) tarball_add(t, (struct item){__VA_ARGS__})

/* A record for the next tarball_pax. len 0: strlen. */
void tarball_record(struct tarball *t, const char *key, const char *value, size_t len);
/* Writes the header that holds them; type 'x' or 'g'. */
void tarball_pax(struct tarball *t, char type);
void tarball_raw(struct tarball *t, const void *data, size_t len);
void tarball_zeros(struct tarball *t, size_t len);
void tarball_end(struct tarball *t); /* two zero blocks */

#endif
