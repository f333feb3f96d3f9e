/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A container's log: what it wrote to stdout and stderr, with the time of each piece.
 *
 * One entry per line of text, in the form that Kubernetes' CRI and podman's k8s-file use:
 *     2006-01-02T15:04:05.123456789Z stdout F message\n
 * F ends a line of the container's, P is a piece of one that goes on in the next entry of
 * the same stream. So the writer holds nothing back and a line without end costs no
 * memory (HAZARDS H3). Files: <path> and <path>.1 (newer) .. <path>.<files-1> (older).
 */
#ifndef DRAY_GUEST_LOG_H
#define DRAY_GUEST_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

#define LOG_FILE_BYTES (20 << 20) /* default size at which a file is rotated */
#define LOG_FILES 5               /* default count, the current one included */
#define LOG_FILES_MAX 1000        /* count that may be asked for */

/* Stream numbers are the wire's: 1 stdout, 2 stderr. */
enum log_stream { LOG_STDOUT = 1, LOG_STDERR = 2 };

/* --- writing: one process, one thread --- */

struct log_writer {
    char *path; /* owned */
    int fd;     /* -1: could not be opened or rotated; tried again at the next write */
    int64_t size, file_bytes;
    unsigned files;
    char *buffer; /* owned */
    size_t used;
    int64_t lost_bytes; /* of container output that could not be written (ENOSPC) */
};

/* Opens or makes path and appends to it; a torn last entry (crash, full disk) is cut off.
 * file_bytes, files: 0 for the defaults. Fails only when path cannot be made at all. */
int log_open(struct log_writer *writer, const char *path, int64_t file_bytes,
             unsigned files, struct dr_error *err);
/*
 * len bytes as they came from one read(2), all with the time now_ns. Never fails and
 * never blocks on anything but the disk: what cannot be written is counted in lost_bytes,
 * and the file ends at an entry's end all the same.
 */
void log_write(struct log_writer *writer, enum log_stream stream, const char *data,
               size_t len, int64_t now_ns);
void log_close(struct log_writer *writer);
/* Unlinks path and its rotated files, however many; missing ones are success. */
void log_remove(const char *path);

/* --- reading --- */

struct log_query {
    const char *path;
    int64_t tail;               /* the last so many lines; -1: all */
    int64_t since_ns, until_ns; /* of the entries' times; 0: no bound */
    bool timestamps;            /* "<time> " before each line */
    bool follow; /* go on until finished() says so and all is read, or until_ns is over */
    /* sink: raw bytes of one stream in the order written; -1 with err stops the reading
     */
    int (*sink)(void *arg, enum log_stream stream, const char *data, size_t len,
                struct dr_error *err);
    /* follow: asked at each wake-up, at least every LOG_POLL_MS; true: no more will be
     * written. May be NULL. */
    bool (*finished)(void *arg);
    int finished_fd; /* follow: becomes readable when finished() is worth asking; or -1 */
    void *arg;
};

#define LOG_POLL_MS 200

/* Ends where the log ended when it was called, unless it is to follow. A missing log is
 * empty (C24). Lines that are no entries are passed on as stdout. */
int log_read(const struct log_query *query, struct dr_error *err);

#endif
