/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/layers/split.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "flate/gzip.h"

#define WORDS (TAR_BLOCK / 8)

struct split {
    int work; /* borrowed */
    int fd;   /* of "split" */
    struct gzip *gzip;
    int64_t written;
    bool given_up;
    unsigned moved;
    uint64_t zeros, content; /* not recorded yet; one of them is 0 */
    uint64_t last[WORDS];    /* the block before */
    size_t fill;
    uint8_t buffer[16 * 1024];
};

static int write_out(void *arg, const void *data, size_t len, struct dr_error *err)
{
    struct split *split = arg;
    split->written += (int64_t)len;
    if (split->written > SPLIT_BYTES_MAX) {
        split->given_up = true;
        return 0;
    }
    if (dr_write_full(split->fd, data, len) < 0)
        return dr_fail_errno(err, DR_ERR_INTERNAL, "write the layer's split");
    return 0;
}

int split_new(int work, struct split **ret, struct dr_error *err)
{
    int fd = openat(work, "split", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return dr_fail_errno(err, DR_ERR_INTERNAL, "make the layer's split");
    struct split *split = dr_alloc(sizeof *split);
    split->work = work;
    split->fd = fd;
    split->gzip = gzip_new(GZIP_FAST, write_out, split);
    *ret = split;
    return 0;
}

void split_free(struct split *split)
{
    if (!split)
        return;
    gzip_free(split->gzip);
    close(split->fd);
    free(split);
}

static int put(struct split *split, const void *data, size_t len, struct dr_error *err)
{
    const uint8_t *p = data;
    while (len > 0) {
        if (split->fill == sizeof split->buffer) {
            if (gzip_add(split->gzip, split->buffer, split->fill, err) < 0)
                return -1;
            split->fill = 0;
        }
        size_t room = sizeof split->buffer - split->fill, n = len < room ? len : room;
        memcpy(split->buffer + split->fill, p, n);
        split->fill += n;
        p += n;
        len -= n;
    }
    return 0;
}

static int put_number(struct split *split, uint64_t n, struct dr_error *err)
{
    uint8_t bytes[10];
    size_t len = 0;
    for (; n >= 0x80; n >>= 7)
        bytes[len++] = (uint8_t)(n | 0x80);
    bytes[len++] = (uint8_t)n;
    return put(split, bytes, len, err);
}

static int put_record(struct split *split, enum split_kind kind, uint64_t n,
                      struct dr_error *err)
{
    return put_number(split, n << 2 | kind, err);
}

/* What only was counted so far. */
static int settle(struct split *split, struct dr_error *err)
{
    int result = 0;
    if (split->zeros > 0)
        result = put_record(split, SPLIT_ZEROS, split->zeros, err);
    else if (split->content > 0)
        result = put_record(split, SPLIT_CONTENT, split->content, err);
    split->zeros = split->content = 0;
    return result;
}

static int put_block(struct split *split, const uint8_t *bytes, struct dr_error *err)
{
    uint64_t words[WORDS];
    struct {
        uint64_t bits;
        uint64_t words[WORDS];
    } record = {0};
    size_t n = 0;
    memcpy(words, bytes, sizeof words);
    for (size_t i = 0; i < WORDS; i++)
        if (words[i] != split->last[i]) {
            record.bits |= (uint64_t)1 << i;
            record.words[n++] = words[i];
        }
    memcpy(split->last, words, sizeof words);
    record.bits = htole64(record.bits);
    if (put_record(split, SPLIT_BLOCK, 0, err) < 0)
        return -1;
    return put(split, &record, 8 + n * 8, err);
}

static int add_other(void *arg, const uint8_t *bytes, size_t len, struct dr_error *err)
{
    struct split *split = arg;
    if (split->given_up)
        return 0;
    if (bytes[0] == '\0' && memcmp(bytes, bytes + 1, len - 1) == 0) {
        if (split->content > 0 && settle(split, err) < 0)
            return -1;
        split->zeros += len;
        return 0;
    }
    if (settle(split, err) < 0)
        return -1;
    if (len == TAR_BLOCK)
        return put_block(split, bytes, err);
    if (put_record(split, SPLIT_RAW, len, err) < 0)
        return -1;
    return put(split, bytes, len, err);
}

static int add_content(void *arg, size_t len, struct dr_error *err)
{
    struct split *split = arg;
    if (split->zeros > 0 && settle(split, err) < 0)
        return -1;
    split->content += len;
    return 0;
}

struct tar_tap split_tap(struct split *split)
{
    return (struct tar_tap){.other = add_other, .data = add_content, .arg = split};
}

int split_set_aside(struct split *split, int at, const char *name, const char *path,
                    struct dr_error *err)
{
    if (split->given_up)
        return 0;
    if (split->moved == SPLIT_MOVED_MAX) {
        split->given_up = true;
        return 0;
    }
    char to[32];
    snprintf(to, sizeof to, "lost/%u", split->moved);
    if (split->moved == 0 && mkdirat(split->work, "lost", 0700) < 0)
        return dr_fail_errno(err, DR_ERR_INTERNAL, "mkdir lost");
    if (renameat(at, name, split->work, to) < 0)
        return dr_fail_errno(err, DR_ERR_INTERNAL, "move away what is replaced");
    size_t len = strlen(path);
    if (settle(split, err) < 0 || put_record(split, SPLIT_ZEROS, 0, err) < 0 ||
        put_number(split, split->moved, err) < 0 || put_number(split, len, err) < 0 ||
        put(split, path, len, err) < 0)
        return -1;
    split->moved++;
    return 1;
}

int split_end(struct split *split, struct dr_error *err)
{
    if (!split->given_up && (settle(split, err) < 0 ||
                             gzip_add(split->gzip, split->buffer, split->fill, err) < 0 ||
                             gzip_end(split->gzip, err) < 0))
        return -1;
    if (!split->given_up)
        return 0;
    if (unlinkat(split->work, "split", 0) < 0)
        return dr_fail_errno(err, DR_ERR_INTERNAL, "remove the layer's split");
    return dr_remove_all(split->work, "lost", err);
}
