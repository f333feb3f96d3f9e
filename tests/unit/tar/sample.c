/* SPDX-License-Identifier: Apache-2.0 */
#include "sample.h"

#include <string.h>

#define S10 "abcdefghi/"
#define S50 S10 S10 S10 S10 S10
#define N50 "0123456789012345678901234567890123456789-123456789"
#define N100 N50 N50

static const struct tar_xattr xattrs[] = {
    {"user.dray", "value\nwith = and \0 NUL", 22},
    {"user.empty", "", 0},
    {"security.capability", "\1\0\0\2\0\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20},
};

static const struct tar_entry entries[SAMPLE_COUNT] = {
    {.type = TAR_DIR, .name = "top/", .mode = 01777, .mtime = {1, 0}},
    {.type = TAR_FILE, .name = "top/empty", .mode = 04755, .mtime = {1000000000, 0}},
    {.type = TAR_FILE, .name = "top/one", .mode = 0600, .size = 1, .uid = 1000},
    {.type = TAR_FILE, .name = "top/block", .mode = 0644, .size = 512},
    {.type = TAR_FILE, .name = "top/more", .mode = 0644, .size = 200000},
    {.type = TAR_FILE, .name = N100, .mode = 0644, .size = 3},
    {.type = TAR_FILE, .name = N100 "x", .mode = 0644, .size = 3},
    {.type = TAR_FILE, .name = S50 S50 S50 "abcd/" N100, .mode = 0644, .size = 3},
    {.type = TAR_FILE, .name = S50 S50 S50 "abcdefg/" N100, .mode = 0644, .size = 3},
    {.type = TAR_SYMLINK, .name = "link", .link = N100, .mode = 0777},
    {.type = TAR_SYMLINK, .name = "long link", .link = N100 "/" N50, .mode = 0777},
    {.type = TAR_HARDLINK, .name = "hard", .link = "top/one", .mode = 0600},
    {.type = TAR_CHAR, .name = "null", .mode = 0666, .dev_major = 1, .dev_minor = 3},
    {.type = TAR_FIFO, .name = "fifo", .mode = 0600, .mtime = {-2, 750000000}},
    {.type = TAR_FILE,
     .name = "ids",
     .mode = 0644,
     .uid = 2097151,
     .gid = 2097152,
     .mtime = {1700000000, 123456789}},
    {.type = TAR_FILE, .name = "max", .mode = 0644, .uid = TAR_ID_MAX, .gid = TAR_ID_MAX},
    {.type = TAR_FILE,
     .name = "bytes \xff\n\x1b[31m",
     .mode = 0644,
     .size = 2,
     .xattrs = xattrs,
     .n_xattrs = DR_COUNT(xattrs)},
    {.type = TAR_FILE, .name = "big", .mode = 0644, .size = (int64_t)8 << 30},
};

const struct tar_entry *sample_entry(size_t i)
{
    return &entries[i];
}

int sample_write(struct tar_writer *w, bool big, struct dr_error *err)
{
    static char data[1 << 20];
    for (size_t i = 0; i < SAMPLE_COUNT; i++) {
        const struct tar_entry *e = &entries[i];
        if (e->size >= (int64_t)sizeof data && !big)
            continue;
        memset(data, 'a' + (int)i, sizeof data);
        if (tar_write_entry(w, e, err) < 0)
            return -1;
        for (int64_t left = e->size; left > 0;) {
            size_t n = left < (int64_t)sizeof data ? (size_t)left : sizeof data;
            if (tar_write_data(w, data, n, err) < 0)
                return -1;
            left -= (int64_t)n;
        }
    }
    return tar_write_end(w, err);
}
