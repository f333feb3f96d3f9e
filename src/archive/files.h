/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files of an archive, by name: below a directory, or in a tar. Nothing is unpacked:
 * a file of a tar is a range of the tar. Everything in a tar is hostile: it is read once,
 * in bounded memory, and its links lead to other names of the same tar only.
 */
#ifndef DRAY_ARCHIVE_FILES_H
#define DRAY_ARCHIVE_FILES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"

#define FILES_ENTRIES_MAX 65536
#define FILES_NAMES_MAX ((size_t)16 << 20) /* bytes of all names */

struct files;

int files_open_dir(const char *path, struct files **ret, struct dr_error *err);
/*
 * fd: of a tar, plain or compressed by gzip or zstd; taken over, also on failure. What
 * cannot be sought in, or is compressed, goes to a nameless file in spool_dir first.
 */
int files_open_tar(int fd, const char *spool_dir, struct files **ret,
                   struct dr_error *err);
void files_close(struct files *files); /* NULL is fine */

/* A nameless file in dir, for what has no end of its own. */
int files_spool(const char *dir, int *ret_fd, struct dr_error *err);

/* Size bytes of fd from offset on. */
struct file_range {
    int fd; /* owned: file_range_release */
    int64_t offset, size;
};
#define FILE_RANGE_INIT ((struct file_range){.fd = -1})
#define dr_auto_range DR_CLEANUP(file_range_release)
void file_range_release(struct file_range *range);
/* Up to len bytes from at on; 0 at the end. */
ssize_t file_range_read(const struct file_range *range, int64_t at, void *buf, size_t len,
                        struct dr_error *err);

/* Returns 1; 0 when there is no such file; -1. name: relative and clean. */
int files_find(struct files *files, const char *name, struct file_range *ret,
               struct dr_error *err);
/* The whole of a small one, appended to buf, which bounds it. Returns as files_find. */
int files_read(struct files *files, const char *name, struct dr_buf *buf,
               struct dr_error *err);

#endif
