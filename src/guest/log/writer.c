/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/log/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include "base/fs.h"
#include "base/text.h"

#define BUFFER_BYTES (128u << 10)
#define PIECE_BYTES (64u << 10) /* of a line without end in one entry */
#define DIRECT_BYTES 2048       /* from here on text is not gathered */
#define PARTS 64
#define PREFIX_BYTES (DR_TIME_TEXT - 1 + sizeof " stdout F " - 1)

/* Where the last whole entry ends: a crash may have torn what is behind it. */
static int64_t whole_entries(int fd, int64_t size)
{
    char block[4096];
    int64_t end = size;
    while (end > 0) {
        size_t len = end < (int64_t)sizeof block ? (size_t)end : sizeof block;
        if (pread(fd, block, len, end - (int64_t)len) != (ssize_t)len)
            return size;
        const char *newline = memrchr(block, '\n', len);
        if (newline)
            return end - (int64_t)len + (newline - block) + 1;
        end -= (int64_t)len;
    }
    return 0;
}

static int open_current(struct log_writer *writer)
{
    writer->fd = open(writer->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
    if (writer->fd < 0)
        return -1;
    struct stat st;
    if (fstat(writer->fd, &st) < 0)
        st.st_size = 0;
    writer->size = whole_entries(writer->fd, st.st_size);
    if (writer->size != st.st_size && ftruncate(writer->fd, writer->size) < 0)
        writer->size = st.st_size;
    return 0;
}

int log_open(struct log_writer *writer, const char *path, int64_t file_bytes,
             unsigned files, struct dr_error *err)
{
    *writer = (struct log_writer){.path = dr_strdup(path),
                                  .fd = -1,
                                  .file_bytes = file_bytes ? file_bytes : LOG_FILE_BYTES,
                                  .files = !files                  ? LOG_FILES
                                           : files < LOG_FILES_MAX ? files
                                                                   : LOG_FILES_MAX};
    if (open_current(writer) < 0 && errno != ENOSPC && errno != EDQUOT) {
        dr_fail_errno(err, DR_ERR_NONE, "open log %s", path);
        log_close(writer);
        return -1;
    }
    return 0;
}

void log_close(struct log_writer *writer)
{
    if (writer->fd >= 0)
        close(writer->fd);
    free(writer->buffer);
    free(writer->path);
    *writer = (struct log_writer){.fd = -1};
}

void log_remove(const char *path)
{
    unlink(path);
    /* a rotation that was cut off leaves one number out, never two */
    for (unsigned i = 1, missing = 0; i < LOG_FILES_MAX && missing < 2; i++) {
        dr_auto_free char *old = dr_printf("%s.%u", path, i);
        missing = unlink(old) < 0 && errno == ENOENT ? missing + 1 : 0;
    }
}

static void rotate(struct log_writer *writer)
{
    close(writer->fd);
    writer->fd = -1;
    for (unsigned i = writer->files - 1; i >= 1; i--) {
        dr_auto_free char *to = dr_printf("%s.%u", writer->path, i);
        dr_auto_free char *from =
            i == 1 ? dr_strdup(writer->path) : dr_printf("%s.%u", writer->path, i - 1);
        rename(from, to);
    }
    if (writer->files == 1)
        unlink(writer->path);
    open_current(writer);
}

/* What is written next: short lines are gathered in the buffer, long pieces are written
 * from where they are. */
struct batch {
    struct iovec parts[PARTS];
    int count;
    size_t bytes, texts; /* of the file, of the container's own */
    size_t open;         /* where the buffer's part that is being filled begins */
};

/* What is in the buffer and in no part yet becomes one. */
static void close_part(struct log_writer *writer, struct batch *batch)
{
    size_t len = writer->used - batch->open;
    if (len > 0)
        batch->parts[batch->count++] = (struct iovec){writer->buffer + batch->open, len};
    batch->open = writer->used;
}

/* All of the batch or nothing of it, so that the file always ends with an entry. */
static void flush(struct log_writer *writer, struct batch *batch)
{
    close_part(writer, batch);
    struct iovec *part = batch->parts;
    size_t done = 0;
    while (writer->fd >= 0 && done < batch->bytes) {
        ssize_t n = pwritev(writer->fd, part, (int)(batch->parts + batch->count - part),
                            writer->size + (int64_t)done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        done += (size_t)n;
        for (; n > 0 && (size_t)n >= part->iov_len; part++)
            n -= (ssize_t)part->iov_len;
        if (n > 0) {
            part->iov_base = (char *)part->iov_base + n;
            part->iov_len -= (size_t)n;
        }
    }
    bool whole = writer->fd >= 0 && done == batch->bytes;
    if (whole)
        writer->size += (int64_t)done;
    else if (writer->fd >= 0 && done > 0 && ftruncate(writer->fd, writer->size) < 0)
        writer->size += (int64_t)done; /* the reader skips the torn entry */
    if (!whole)
        writer->lost_bytes += (int64_t)batch->texts;
    writer->used = 0;
    *batch = (struct batch){0};
}

static void put(struct log_writer *writer, const char *data, size_t len)
{
    memcpy(writer->buffer + writer->used, data, len);
    writer->used += len;
}

static void add_entry(struct log_writer *writer, struct batch *batch, char *prefix,
                      const char *text, size_t len, bool is_line)
{
    size_t small = PREFIX_BYTES + 1 + (len < DIRECT_BYTES ? len : 0);
    if (BUFFER_BYTES - writer->used < small || batch->count + 3 > PARTS)
        flush(writer, batch);
    prefix[PREFIX_BYTES - 2] = is_line ? 'F' : 'P';
    put(writer, prefix, PREFIX_BYTES);
    if (len < DIRECT_BYTES) {
        put(writer, text, len);
    } else {
        close_part(writer, batch);
        batch->parts[batch->count++] = (struct iovec){(char *)text, len};
    }
    if (!is_line)
        put(writer, "\n", 1);
    batch->bytes += PREFIX_BYTES + len + !is_line;
    batch->texts += len;
}

void log_write(struct log_writer *writer, enum log_stream stream, const char *data,
               size_t len, int64_t now_ns)
{
    if (len == 0)
        return;
    if (!writer->buffer)
        writer->buffer = malloc(BUFFER_BYTES);
    if (writer->fd >= 0 && writer->size >= writer->file_bytes)
        rotate(writer);
    else if (writer->fd < 0)
        open_current(writer);
    if (writer->fd < 0 || !writer->buffer) {
        writer->lost_bytes += (int64_t)len;
        return;
    }

    char prefix[PREFIX_BYTES + 1], when[DR_TIME_TEXT];
    dr_time_format(now_ns, when);
    snprintf(prefix, sizeof prefix, "%s %s F ", when,
             stream == LOG_STDERR ? "stderr" : "stdout");
    struct batch batch = {0};
    while (len > 0) {
        if (writer->size + (int64_t)batch.bytes >= writer->file_bytes) {
            flush(writer, &batch);
            if (writer->fd >= 0 && writer->size >= writer->file_bytes)
                rotate(writer);
        }
        size_t look = len < PIECE_BYTES ? len : PIECE_BYTES;
        const char *newline = memchr(data, '\n', look);
        size_t take = newline ? (size_t)(newline - data) + 1 : look;
        add_entry(writer, &batch, prefix, data, take, newline);
        data += take;
        len -= take;
    }
    flush(writer, &batch);
}
