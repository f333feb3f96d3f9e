/* SPDX-License-Identifier: Apache-2.0 */
/* The files of one log as one sequence, and where its last lines begin. */
#ifndef DRAY_GUEST_LOG_TAIL_H
#define DRAY_GUEST_LOG_TAIL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "guest/log/log.h"

/* Open files, oldest first; the last is the current one when has_current. */
struct log_files {
    int fds[LOG_FILES_MAX];
    int64_t sizes[LOG_FILES_MAX];
    unsigned count;
};

/* Opens what is there. A rotation while it looks is noticed and it looks again. */
int log_files_open(struct log_files *files, const char *path, struct dr_error *err);
void log_files_close(struct log_files *files);

/* The position before the last `lines` lines: file and offset in it. Reads from the end
 * only as far as it must. */
int log_tail(const struct log_files *files, int64_t lines, unsigned *ret_file,
             int64_t *ret_offset, struct dr_error *err);

/* Offset in fd of the first entry whose time is not before since_ns: a search by halves,
 * since an entry's time is never before that of the one in front of it. */
int64_t log_seek_time(int fd, int64_t size, int64_t since_ns);

/* One entry: borrowed parts of a line. */
struct log_entry {
    const char *time; /* 30 characters */
    int stream;
    char tag; /* F or P */
    const char *message;
    size_t len;
};
/* False: the line (len bytes, without its newline) is no entry of ours. */
bool log_entry_parse(const char *line, size_t len, struct log_entry *ret);

#endif
