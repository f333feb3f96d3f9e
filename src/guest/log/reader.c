/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/log/log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "base/text.h"
#include "guest/log/tail.h"

#define READ_BYTES (256u << 10) /* longer than any entry the writer makes (128 KiB) */
#define OUT_BYTES (64u << 10)

/* What is collected for the sink: bytes of one stream. */
struct output {
    const struct log_query *query;
    char since[DR_TIME_TEXT], until[DR_TIME_TEXT];
    bool inside[LOG_STDERR + 1]; /* the stream's last piece did not end its line */
    enum log_stream stream;
    size_t used;
    char bytes[OUT_BYTES];
};

static int flush(struct output *out, struct dr_error *err)
{
    if (out->used == 0)
        return 0;
    size_t used = out->used;
    out->used = 0;
    return out->query->sink(out->query->arg, out->stream, out->bytes, used, err);
}

static int put(struct output *out, enum log_stream stream, const char *data, size_t len,
               struct dr_error *err)
{
    if ((stream != out->stream || len > OUT_BYTES - out->used) && flush(out, err) < 0)
        return -1;
    out->stream = stream;
    if (len > OUT_BYTES)
        return out->query->sink(out->query->arg, stream, data, len, err);
    memcpy(out->bytes + out->used, data, len);
    out->used += len;
    return 0;
}

static int put_line(struct output *out, const char *line, size_t len,
                    struct dr_error *err)
{
    struct log_entry entry;
    if (!log_entry_parse(line, len, &entry))
        return put(out, LOG_STDOUT, line, len + 1, err);
    const size_t time_len = DR_TIME_TEXT - 1;
    if ((*out->since && memcmp(entry.time, out->since, time_len) < 0) ||
        (*out->until && memcmp(entry.time, out->until, time_len) > 0))
        return 0;
    enum log_stream stream = (enum log_stream)entry.stream;
    if (out->query->timestamps && !out->inside[stream] &&
        put(out, stream, entry.time, time_len + 1, err) < 0)
        return -1;
    out->inside[stream] = entry.tag == 'P';
    /* the newline in the file is the container's own only behind F */
    return put(out, stream, entry.message, entry.len + (entry.tag == 'F' ? 1 : 0), err);
}

#define TO_ITS_END INT64_MAX

/* Passes on the whole entries from *offset to end, or to where the file ends now. */
static int copy_entries(struct output *out, int fd, int64_t *offset, int64_t end,
                        char *buffer, struct dr_error *err)
{
    while (*offset < end) {
        int64_t left = end - *offset;
        ssize_t n =
            pread(fd, buffer, left < READ_BYTES ? (size_t)left : READ_BYTES, *offset);
        if (n < 0)
            return dr_fail_errno(err, DR_ERR_INTERNAL, "read log");
        if (n == 0)
            return 0;
        size_t at = 0;
        const char *newline;
        while ((newline = memchr(buffer + at, '\n', (size_t)n - at))) {
            if (put_line(out, buffer + at, (size_t)(newline - buffer) - at, err) < 0)
                return -1;
            at = (size_t)(newline - buffer) + 1;
        }
        *offset += (int64_t)at;
        if (at == 0 && n < (ssize_t)READ_BYTES)
            return 0; /* an entry that is being written, or was torn */
        if (at == 0)  /* no entry of ours is so long: pass it on as it is */
            *offset += n;
    }
    return 0;
}

/* finished_fd: -1 once it was readable: it stays so, also when more will come (the
 * container's monitor was lost, say). */
static int wait_for_more(int notify_fd, int *finished_fd)
{
    struct pollfd fds[2] = {{.fd = notify_fd, .events = POLLIN},
                            {.fd = *finished_fd, .events = POLLIN}};
    if (poll(fds, 2, LOG_POLL_MS) > 0 && fds[1].revents)
        *finished_fd = -1;
    char drop[4096];
    while (notify_fd >= 0 && read(notify_fd, drop, sizeof drop) > 0)
        ;
    return 0;
}

/* The files that came behind `fd` by rotation, oldest first; fd's own is left out. */
static int newer_files(const char *path, int fd, struct log_files *ret,
                       struct dr_error *err)
{
    struct stat mine, other;
    if (log_files_open(ret, path, err) < 0)
        return -1;
    if (fd < 0 || fstat(fd, &mine) < 0)
        return 0;
    unsigned first = 0;
    for (unsigned i = 0; i < ret->count; i++) {
        if (fstat(ret->fds[i], &other) == 0 && other.st_ino == mine.st_ino &&
            other.st_dev == mine.st_dev)
            first = i + 1;
    }
    for (unsigned i = 0; i < first; i++)
        close(ret->fds[i]);
    ret->count -= first;
    memmove(ret->fds, ret->fds + first, ret->count * sizeof ret->fds[0]);
    return 0;
}

/* Goes on from the current file `fd` (taken over, -1: none yet) at offset. */
static int follow(struct output *out, int fd, int64_t offset, char *buffer,
                  struct dr_error *err)
{
    const struct log_query *query = out->query;
    dr_auto_fd int notify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    dr_auto_free char *dir = dr_strdup(query->path);
    char *slash = strrchr(dir, '/');
    if (slash)
        *slash = '\0';
    if (notify >= 0) /* without it, LOG_POLL_MS is the pace */
        inotify_add_watch(notify, slash ? dir : ".", IN_CREATE | IN_MOVED_TO);
    dr_auto_fd int current = fd;
    int watch = -1, finished_fd = query->finished_fd;
    for (;;) {
        bool last = !query->finished || query->finished(query->arg) ||
                    (query->until_ns > 0 && dr_now_ns() > query->until_ns);
        if (notify >= 0 && watch < 0 && current >= 0)
            watch = inotify_add_watch(notify, query->path, IN_MODIFY);
        if (current >= 0 &&
            copy_entries(out, current, &offset, TO_ITS_END, buffer, err) < 0)
            return -1;
        struct log_files newer = {0};
        struct stat a, b;
        bool same = current >= 0 && stat(query->path, &a) == 0 &&
                    fstat(current, &b) == 0 && a.st_ino == b.st_ino;
        if (!same && newer_files(query->path, current, &newer, err) < 0)
            return -1;
        if (newer.count > 0) {
            /* the old file may have got its last entries before it was renamed */
            int result = current >= 0 ? copy_entries(out, current, &offset, TO_ITS_END,
                                                     buffer, err)
                                      : 0;
            for (unsigned i = 0; i < newer.count && result == 0; i++) {
                offset = 0;
                result =
                    copy_entries(out, newer.fds[i], &offset, TO_ITS_END, buffer, err);
            }
            if (current >= 0)
                close(current);
            current = newer.fds[--newer.count];
            log_files_close(&newer);
            watch = -1;
            if (result < 0)
                return -1;
            continue;
        }
        if (flush(out, err) < 0)
            return -1;
        if (last)
            return 0;
        wait_for_more(notify, &finished_fd);
    }
}

int log_read(const struct log_query *query, struct dr_error *err)
{
    struct log_files files;
    if (log_files_open(&files, query->path, err) < 0)
        return -1;
    dr_auto_free struct output *out = dr_alloc(sizeof *out);
    dr_auto_free char *buffer = dr_alloc(READ_BYTES);
    out->query = query;
    if (query->since_ns > 0)
        dr_time_format(query->since_ns, out->since);
    if (query->until_ns > 0)
        dr_time_format(query->until_ns, out->until);

    unsigned file = 0;
    int64_t offset = 0;
    int result = 0;
    if (query->tail >= 0)
        result = log_tail(&files, query->tail, &file, &offset, err);
    for (; file < files.count && result == 0; file++) {
        if (offset == 0 && query->since_ns > 0)
            offset = log_seek_time(files.fds[file], files.sizes[file], query->since_ns);
        /* what is written while this reads is for those who follow: without that bound
         * "the last line" would be several, and a fast writer's log might never end */
        int64_t end = query->follow ? TO_ITS_END : files.sizes[file];
        result = copy_entries(out, files.fds[file], &offset, end, buffer, err);
        if (result == 0 && query->follow && file + 1 == files.count) {
            int fd = files.fds[--files.count];
            log_files_close(&files);
            return follow(out, fd, offset, buffer, err);
        }
        offset = 0;
    }
    bool none = files.count == 0;
    log_files_close(&files);
    if (result == 0 && none && query->follow)
        return follow(out, -1, 0, buffer, err);
    if (result == 0)
        result = flush(out, err);
    return result;
}
