/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes a tar: ustar, with a pax header before an entry where ustar has no room (names,
 * sizes from 8 GiB on, ids from 2^21 on, times with fractions or before 1970, xattrs as
 * SCHILY.xattr). The same entries give the same bytes: pax headers have no time, owner or
 * process number of their own. Names are bytes and written as they are; a directory's
 * gets a '/' at its end.
 *
 * Every reader that handles layers takes this form: GNU tar, bsdtar, Python's and Go's.
 * Not kept: holes, access times, and xattrs whose name has a '=' (pax has no way to write
 * it).
 */
#ifndef DRAY_TAR_WRITER_H
#define DRAY_TAR_WRITER_H

#include "tar/tar.h"

/* Takes all len bytes, or fails with -1 and err. Called with large pieces. */
typedef int (*tar_sink_fn)(void *arg, const void *data, size_t len, struct dr_error *err);

struct tar_writer;

struct tar_writer *tar_writer_new(tar_sink_fn sink, void *arg);
/* Drops what was not given to sink yet; NULL is fine. */
void tar_writer_free(struct tar_writer *w);

/*
 * Begins an entry. Of entry: type, name, link, mode, uid, gid, mtime, dev_*, size (of
 * TAR_FILE) and xattrs count; it is not kept. Exactly size bytes have to follow by
 * tar_write_data before the next call of another function: DR_ERR_INTERNAL otherwise.
 * DR_ERR_UNSUPPORTED when name, link and xattrs need more than TAR_EXTENDED_MAX bytes;
 * nothing was written then.
 */
int tar_write_entry(struct tar_writer *w, const struct tar_entry *entry,
                    struct dr_error *err);
int tar_write_data(struct tar_writer *w, const void *data, size_t len,
                   struct dr_error *err);
/* The two zero blocks, and everything goes to sink. */
int tar_write_end(struct tar_writer *w, struct dr_error *err);
/* Entries begun so far. */
int64_t tar_writer_count(const struct tar_writer *w);

#endif
