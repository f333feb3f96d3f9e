/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the store needs of the file system, so that a file-win.c can stand beside
 * All return -1 with errno, unless said otherwise.
 */
#ifndef DRAY_STORE_FILE_H
#define DRAY_STORE_FILE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Regular files only (ELOOP or EINVAL otherwise): the cache may be a shared directory. */
int file_open_read(const char *path);
int file_open_append(const char *path); /* read and write, made when missing, 0600 */
int64_t file_size(int fd);
/* Is the open file still the one at path? */
bool file_is_at(int fd, const char *path);

/* An exclusive lock that dies with the open file: 1 taken (or had), 0 somebody else has
 * it. */
int file_try_lock(int fd);
void file_unlock(int fd);

ssize_t file_read_at(int fd, int64_t offset, void *data, size_t len);
int file_write_at(int fd, int64_t offset, const void *data, size_t len);
int file_sync(int fd);
/* rename + fsync of the directory to_dir that `to` is in. */
int file_publish(const char *from, const char *to, const char *to_dir);
/* "used now", for the cache's order of removal; failures do not matter. */
void file_touch(int fd);

#endif
