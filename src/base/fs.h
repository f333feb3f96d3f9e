/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files: whole reads and writes, directories, locks. Paths are bytes. dirfd is AT_FDCWD
 * or an open directory, as for openat(2).
 */
#ifndef DRAY_BASE_FS_H
#define DRAY_BASE_FS_H

#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"

/* Reads a regular file into buf (appended), which bounds it. */
int dr_file_read(int dirfd, const char *path, struct dr_buf *buf, struct dr_error *err);

enum dr_write_flags {
    DR_WRITE_SYNC = 1, /* fsync the file and its directory: it survives a power cut */
};
/* Replaces path atomically: "<path>.new" is written, then renamed over it. Whoever reads
 * sees the old or the new bytes, never a mixture (HAZARDS I2). */
int dr_file_write(int dirfd, const char *path, const void *data, size_t len, mode_t mode,
                  int flags, struct dr_error *err);

/* Writes or reads all, going on after EINTR and short counts. dr_read_full returns the
 * count, less than len only at the end of the file; -1 with errno. */
int dr_write_full(int fd, const void *data, size_t len); /* 0, or -1 with errno */
ssize_t dr_read_full(int fd, void *data, size_t len);

/* mkdir -p. The last component gets mode, missing parents 0755. */
int dr_mkdir_all(const char *path, mode_t mode, struct dr_error *err);

/* Removes path and everything below it, iteratively, never following a symlink nor
 * leaving the file system at a mount point below it. A missing path is success.
 * The first failure is reported after as much as possible was removed. */
int dr_remove_all(int dirfd, const char *path, struct dr_error *err);

/* A file grew from before to now bytes, by writing: each 8 MiB start on their way to the
 * disk, so that the fsync at its end has little left to wait for. Best effort. */
void dr_write_behind(int fd, int64_t before, int64_t now);
/* fsync of a directory, by path. */
int dr_sync_dir(int dirfd, const char *path, struct dr_error *err);

/*
 * flock(2) on a file that is made when missing. The lock lives as long as the open file
 * description: a child that inherits the fd holds it on. wait false: returns -2 with err
 * untouched when somebody else holds it.
 */
int dr_lock(int dirfd, const char *path, bool exclusive, bool wait, int *ret_fd,
            struct dr_error *err);

/* Absolute and without symbolic links, owned; NULL with errno. */
char *dr_path_real(const char *path);
/* The same object once more, for reading, by what is open and not by a name that could be
 * another object's by now. -1 with errno. */
int dr_open_again(int fd, int flags);
/* A file in dir that has no name, or none that stays. -1 with errno. */
int dr_temporary(const char *dir);

/* On Windows: with a drive, or from the root of one. */
bool dr_path_is_absolute(const char *path);
/* "a/b" from a and b, owned. */
char *dr_path_join(const char *a, const char *b);
/* "b" of "a/b"; "" of "a/". On Windows backslashes too, here and below. */
const char *dr_path_last(const char *path);
/* The directory that it is in, owned: "a" of "a/b", "/" of "/a", "." of "a". */
char *dr_path_parent(const char *path);

#endif
