/* SPDX-License-Identifier: Apache-2.0 */
#include "tar/writer.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "tar/private.h"

#define CHUNK ((size_t)64 << 10)
#define USTAR_ID_MAX 07777777LL       /* seven octal digits */
#define USTAR_SIZE_MAX 077777777777LL /* eleven */

struct tar_writer {
    tar_sink_fn sink;
    void *arg;
    int64_t left, padding; /* of the entry at hand */
    int64_t count;
    struct dr_buf records; /* of its pax header */
    size_t used;
    unsigned char chunk[CHUNK];
};

struct tar_writer *tar_writer_new(tar_sink_fn sink, void *arg)
{
    struct tar_writer *w = dr_alloc(sizeof *w);
    w->sink = sink;
    w->arg = arg;
    w->records = DR_BUF_INIT(TAR_EXTENDED_MAX);
    return w;
}

void tar_writer_free(struct tar_writer *w)
{
    if (!w)
        return;
    dr_buf_release(&w->records);
    free(w);
}

int64_t tar_writer_count(const struct tar_writer *w)
{
    return w->count;
}

static int flush(struct tar_writer *w, struct dr_error *err)
{
    size_t n = w->used;
    w->used = 0;
    return n > 0 ? w->sink(w->arg, w->chunk, n, err) : 0;
}

static int put(struct tar_writer *w, const void *data, size_t len, struct dr_error *err)
{
    const unsigned char *p = data;
    while (len > 0) {
        if (w->used == CHUNK && flush(w, err) < 0)
            return -1;
        if (w->used == 0 && len >= CHUNK) /* no need to copy it */
            return w->sink(w->arg, p, len, err);
        size_t n = CHUNK - w->used < len ? CHUNK - w->used : len;
        memcpy(w->chunk + w->used, p, n);
        w->used += n;
        p += n;
        len -= n;
    }
    return 0;
}

static int put_zeros(struct tar_writer *w, size_t len, struct dr_error *err)
{
    static const unsigned char zeros[2 * TAR_BLOCK];
    return put(w, zeros, len, err);
}

static size_t padding_of(int64_t size)
{
    return (size_t)((TAR_BLOCK - size % TAR_BLOCK) % TAR_BLOCK);
}

/* --- pax records --- */

static int record(struct tar_writer *w, const char *key, const void *value, size_t len,
                  struct dr_error *err)
{
    char number[24];
    size_t rest = strlen(key) + len + 3, total = rest + 1;
    /* the length counts its own digits */
    while (rest + (size_t)snprintf(number, sizeof number, "%zu", total) != total)
        total = rest + strlen(number);
    if (dr_buf_addf(&w->records, err, "%zu %s=", total, key) < 0 ||
        dr_buf_add(&w->records, value, len, err) < 0)
        return -1;
    return dr_buf_add(&w->records, "\n", 1, err);
}

static int number_record(struct tar_writer *w, const char *key, int64_t value,
                         struct dr_error *err)
{
    char text[24];
    int n = snprintf(text, sizeof text, "%lld", (long long)value);
    return record(w, key, text, (size_t)n, err);
}

static bool plain_time(const struct timespec *time)
{
    return time->tv_nsec == 0 && time->tv_sec >= 0 && time->tv_sec <= USTAR_SIZE_MAX;
}

static int time_record(struct tar_writer *w, struct timespec time, struct dr_error *err)
{
    char text[48];
    bool negative = time.tv_sec < 0;
    uint64_t seconds = negative ? -(uint64_t)time.tv_sec : (uint64_t)time.tv_sec;
    long nanoseconds = time.tv_nsec;
    if (negative && nanoseconds > 0) { /* -2 s + 0.75 s is -1.25 */
        seconds--;
        nanoseconds = 1000000000 - nanoseconds;
    }
    int n = snprintf(text, sizeof text, "%s%llu", negative ? "-" : "",
                     (unsigned long long)seconds);
    if (nanoseconds > 0) {
        n += snprintf(text + n, sizeof text - (size_t)n, ".%09ld", nanoseconds);
        while (text[n - 1] == '0')
            n--;
    }
    return record(w, "mtime", text, (size_t)n, err);
}

static int xattr_records(struct tar_writer *w, const struct tar_entry *e,
                         struct dr_error *err)
{
    for (size_t i = 0; i < e->n_xattrs; i++) {
        const struct tar_xattr *xattr = &e->xattrs[i];
        if (strchr(xattr->name, '='))
            continue;
        dr_auto_free char *key = dr_printf("SCHILY.xattr.%s", xattr->name);
        if (record(w, key, xattr->value, xattr->len, err) < 0)
            return -1;
    }
    return 0;
}

/* --- headers --- */

static void octal(char *field, size_t len, int64_t value)
{
    for (size_t i = len - 1; i-- > 0; value >>= 3)
        field[i] = (char)('0' + (value & 7));
}

static void seal(struct tar_header *h)
{
    unsigned sum = 0;
    memcpy(h->magic, "ustar", 6);
    memcpy(h->version, "00", 2);
    memset(h->checksum, ' ', sizeof h->checksum);
    for (size_t i = 0; i < sizeof *h; i++)
        sum += ((const unsigned char *)h)[i];
    octal(h->checksum, 7, sum);
    h->checksum[6] = '\0';
}

/* name into name and prefix; false when it does not fit. */
static bool fill_name(struct tar_header *h, const char *name, size_t len)
{
    if (len <= sizeof h->name) {
        memcpy(h->name, name, len);
        return true;
    }
    for (size_t at = len - sizeof h->name - 1; at <= sizeof h->prefix && at + 1 < len;
         at++)
        if (name[at] == '/' && at > 0) {
            memcpy(h->prefix, name, at);
            memcpy(h->name, name + at + 1, len - at - 1);
            return true;
        }
    return false;
}

static const char type_flags[] = {
    [TAR_FILE] = '0', [TAR_DIR] = '5',      [TAR_SYMLINK] = '2', [TAR_HARDLINK] = '1',
    [TAR_CHAR] = '3', [TAR_BLOCKDEV] = '4', [TAR_FIFO] = '6',
};

static void fill_numbers(struct tar_header *h, const struct tar_entry *e, int64_t size)
{
    octal(h->mode, sizeof h->mode, e->mode & 07777);
    octal(h->uid, sizeof h->uid, e->uid <= USTAR_ID_MAX ? e->uid : 0);
    octal(h->gid, sizeof h->gid, e->gid <= USTAR_ID_MAX ? e->gid : 0);
    octal(h->size, sizeof h->size, size <= USTAR_SIZE_MAX ? size : 0);
    bool fits = e->mtime.tv_sec >= 0 && e->mtime.tv_sec <= USTAR_SIZE_MAX;
    octal(h->mtime, sizeof h->mtime, fits ? e->mtime.tv_sec : 0);
    octal(h->major, sizeof h->major, e->dev_major);
    octal(h->minor, sizeof h->minor, e->dev_minor);
    h->type = type_flags[e->type];
}

/* The header, and in w->records what it has no room for. */
static int make_header(struct tar_writer *w, const struct tar_entry *e, int64_t size,
                       struct tar_header *h, struct dr_error *err)
{
    size_t name_len = strlen(e->name), link_len = e->link ? strlen(e->link) : 0;
    bool slash = e->type == TAR_DIR && (name_len == 0 || e->name[name_len - 1] != '/');
    dr_auto_free char *name = dr_printf("%s%s", e->name, slash ? "/" : "");
    name_len += slash;
    *h = (struct tar_header){0};
    dr_buf_reset(&w->records);
    fill_numbers(h, e, size);
    if (!fill_name(h, name, name_len)) {
        memcpy(h->name, name, sizeof h->name);
        if (record(w, "path", name, name_len, err) < 0)
            return -1;
    }
    if (e->link)
        memcpy(h->link, e->link, link_len < sizeof h->link ? link_len : sizeof h->link);
    if (link_len > sizeof h->link && record(w, "linkpath", e->link, link_len, err) < 0)
        return -1;
    if (size > USTAR_SIZE_MAX && number_record(w, "size", size, err) < 0)
        return -1;
    if (e->uid > USTAR_ID_MAX && number_record(w, "uid", e->uid, err) < 0)
        return -1;
    if (e->gid > USTAR_ID_MAX && number_record(w, "gid", e->gid, err) < 0)
        return -1;
    if (!plain_time(&e->mtime) && time_record(w, e->mtime, err) < 0)
        return -1;
    if (xattr_records(w, e, err) < 0)
        return -1;
    seal(h);
    return 0;
}

static int put_records(struct tar_writer *w, struct dr_error *err)
{
    struct tar_header h = {.name = "PaxHeader", .type = 'x'};
    octal(h.mode, sizeof h.mode, 0644);
    octal(h.uid, sizeof h.uid, 0);
    octal(h.gid, sizeof h.gid, 0);
    octal(h.size, sizeof h.size, (int64_t)w->records.len);
    octal(h.mtime, sizeof h.mtime, 0);
    seal(&h);
    if (put(w, &h, sizeof h, err) < 0 || put(w, w->records.data, w->records.len, err) < 0)
        return -1;
    return put_zeros(w, padding_of((int64_t)w->records.len), err);
}

static int finish_entry(struct tar_writer *w, struct dr_error *err)
{
    if (w->left > 0)
        return dr_fail(err, DR_ERR_INTERNAL,
                       "tar: %lld bytes are missing from the last entry",
                       (long long)w->left);
    size_t padding = (size_t)w->padding;
    w->padding = 0;
    return put_zeros(w, padding, err);
}

int tar_write_entry(struct tar_writer *w, const struct tar_entry *e, struct dr_error *err)
{
    struct tar_header header;
    int64_t size = e->type == TAR_FILE ? e->size : 0;
    if (finish_entry(w, err) < 0)
        return -1;
    if (make_header(w, e, size, &header, err) < 0) {
        dr_auto_free char *shown = dr_escape(e->name, 200);
        dr_error_release(err);
        return dr_fail(err, DR_ERR_UNSUPPORTED,
                       "tar: names and xattrs of %s need more than %zu bytes", shown,
                       TAR_EXTENDED_MAX);
    }
    if (w->records.len > 0 && put_records(w, err) < 0)
        return -1;
    if (put(w, &header, sizeof header, err) < 0)
        return -1;
    w->left = size;
    w->padding = (int64_t)padding_of(size);
    w->count++;
    return 0;
}

int tar_write_data(struct tar_writer *w, const void *data, size_t len,
                   struct dr_error *err)
{
    if ((int64_t)len > w->left)
        return dr_fail(err, DR_ERR_INTERNAL,
                       "tar: an entry got more bytes than its size");
    w->left -= (int64_t)len;
    return put(w, data, len, err);
}

int tar_write_end(struct tar_writer *w, struct dr_error *err)
{
    if (finish_entry(w, err) < 0 || put_zeros(w, 2 * TAR_BLOCK, err) < 0)
        return -1;
    return flush(w, err);
}
