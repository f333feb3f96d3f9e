/* SPDX-License-Identifier: Apache-2.0 */
#include "tar/tar.h"

#include <string.h>

#include "base/text.h"
#include "tar/private.h"

struct tar *tar_new(tar_fill_fn fill, void *arg)
{
    struct tar *tar = dr_alloc(sizeof *tar);
    tar->fill = fill;
    tar->arg = arg;
    tar->pax_text = DR_BUF_INIT(TAR_EXTENDED_MAX);
    tar->long_name = tar->long_link = DR_BUF_INIT(TAR_LONG_NAME_MAX);
    return tar;
}

void tar_set_tap(struct tar *tar, const struct tar_tap *tap)
{
    tar->tap = *tap;
}

void tar_set_skip(struct tar *tar, tar_skip_fn skip)
{
    tar->skip = skip;
}

int64_t tar_offset(const struct tar *tar)
{
    return tar->offset;
}

void tar_free(struct tar *tar)
{
    if (!tar)
        return;
    dr_buf_release(&tar->pax_text);
    dr_buf_release(&tar->long_name);
    dr_buf_release(&tar->long_link);
    free(tar->extents);
    free(tar->xattrs);
    free(tar);
}

static int truncated(struct dr_error *err)
{
    return dr_fail(err, DR_ERR_FORMAT, "tar: the archive ends in the middle of an entry");
}

/* Makes chunk_len > 0. Returns 1, 0 at the end of the stream, -1. */
static int want(struct tar *tar, struct dr_error *err)
{
    if (tar->chunk_len > 0)
        return 1;
    if (tar->stream_ended)
        return 0;
    ssize_t n = tar->fill(tar->arg, &tar->chunk, err);
    if (n < 0)
        return -1;
    if (n == 0) {
        tar->stream_ended = true;
        return 0;
    }
    tar->chunk_len = (size_t)n;
    return 1;
}

/* A run of at most max bytes, borrowed. Returns its length, 0 at the end, -1. */
static ssize_t take(struct tar *tar, int64_t max, const uint8_t **ret,
                    struct dr_error *err)
{
    int result = want(tar, err);
    if (result <= 0)
        return result;
    size_t n = (int64_t)tar->chunk_len < max ? tar->chunk_len : (size_t)max;
    *ret = tar->chunk;
    tar->chunk += n;
    tar->chunk_len -= n;
    tar->offset += (int64_t)n;
    return (ssize_t)n;
}

/* The same, of what is no file's content. */
static ssize_t run(struct tar *tar, int64_t max, const uint8_t **ret,
                   struct dr_error *err)
{
    ssize_t n = take(tar, max, ret, err);
    if (n > 0 && tar->tap.other && tar->tap.other(tar->tap.arg, *ret, (size_t)n, err) < 0)
        return -1;
    return n;
}

int tar_block(struct tar *tar, uint8_t block[TAR_BLOCK], bool may_end,
              struct dr_error *err)
{
    size_t have = 0;
    while (have < TAR_BLOCK) {
        const uint8_t *p;
        ssize_t n = run(tar, (int64_t)(TAR_BLOCK - have), &p, err);
        if (n < 0)
            return -1;
        if (n == 0)
            return have == 0 && may_end ? 0 : truncated(err);
        memcpy(block + have, p, (size_t)n);
        have += (size_t)n;
    }
    return 1;
}

static int skip(struct tar *tar, int64_t count, struct dr_error *err)
{
    while (count > 0) {
        const uint8_t *p;
        if (tar->skip && tar->chunk_len == 0) {
            tar->offset += count;
            return tar->skip(tar->arg, count, err);
        }
        ssize_t n = run(tar, count, &p, err);
        if (n < 0)
            return -1;
        if (n == 0)
            return truncated(err);
        count -= n;
    }
    return 0;
}

/* The padding of the last entry may be missing: some writers (umoci insert, say) end
 * there. Returns 1, 0 when the stream ended in it, -1. */
static int skip_padding(struct tar *tar, struct dr_error *err)
{
    while (tar->padding > 0) {
        const uint8_t *p;
        ssize_t n = run(tar, tar->padding, &p, err);
        if (n <= 0)
            return (int)n;
        tar->padding -= n;
    }
    return 1;
}

static int64_t padding_of(int64_t size)
{
    return (TAR_BLOCK - size % TAR_BLOCK) % TAR_BLOCK;
}

/* Reads the payload of an extended header (its own ustar size counts) into buf. */
static int read_extended(struct tar *tar, struct dr_buf *buf, struct dr_error *err)
{
    int64_t size;
    if (!tar_number(tar->header.size, sizeof tar->header.size, &size) || size < 0)
        return dr_fail(err, DR_ERR_FORMAT,
                       "tar: the size of an extended header is out of range");
    if (size > (int64_t)buf->max)
        return dr_fail(err, DR_ERR_FORMAT,
                       "tar: an extended header of more than %zu bytes", buf->max);
    dr_buf_reset(buf);
    for (int64_t left = size; left > 0;) {
        const uint8_t *p;
        ssize_t n = run(tar, left, &p, err);
        if (n < 0)
            return -1;
        if (n == 0)
            return truncated(err);
        if (dr_buf_add(buf, p, (size_t)n, err) < 0)
            return -1;
        left -= n;
    }
    if (size == 0 && dr_buf_add(buf, "", 0, err) < 0)
        return -1;
    return skip(tar, padding_of(size), err);
}

static bool is_zero(const struct tar_header *header)
{
    const char *p = (const char *)header;
    return p[0] == '\0' && memcmp(p, p + 1, TAR_BLOCK - 1) == 0;
}

/* A header with a right checksum. Returns 1, 0 at the end of the archive, -1. */
static int read_header(struct tar *tar, bool may_end, struct dr_error *err)
{
    int result = tar_block(tar, (uint8_t *)&tar->header, may_end, err);
    if (result <= 0)
        return result;
    if (is_zero(&tar->header)) {
        if (!may_end)
            return dr_fail(err, DR_ERR_FORMAT,
                           "tar: an extended header without its entry");
        /* the end is two zero blocks; of a missing second one nobody makes a fuss */
        result = tar_block(tar, (uint8_t *)&tar->header, true, err);
        if (result < 0)
            return -1;
        if (result > 0 && !is_zero(&tar->header))
            return dr_fail(err, DR_ERR_FORMAT, "tar: a lone zero block in the archive");
        return 0;
    }
    if (!tar_checksum_ok(&tar->header))
        return dr_fail(err, DR_ERR_FORMAT, "tar: a header with a wrong checksum");
    return 1;
}

/* The ustar name: "prefix/name"; GNU has other things in the prefix, star a shorter one.
 */
static void header_names(struct tar *tar)
{
    const struct tar_header *h = &tar->header;
    size_t prefix_len = 0;
    if (memcmp(h->magic, "ustar\0", 6) == 0) {
        bool star = memcmp(h->pad + 8, "tar\0", 4) == 0;
        prefix_len = strnlen(h->prefix, star ? 131 : sizeof h->prefix);
    }
    size_t at = 0;
    if (prefix_len > 0) {
        memcpy(tar->name, h->prefix, prefix_len);
        at = prefix_len;
        tar->name[at++] = '/';
    }
    size_t n = strnlen(h->name, sizeof h->name);
    memcpy(tar->name + at, h->name, n);
    tar->name[at + n] = '\0';
    n = strnlen(h->link, sizeof h->link);
    memcpy(tar->link, h->link, n);
    tar->link[n] = '\0';
}

static int bad_field(struct tar *tar, const char *field, struct dr_error *err)
{
    dr_auto_free char *shown = dr_escape(tar->name, 200);
    return dr_fail(err, DR_ERR_FORMAT, "tar: the %s of %s is out of range", field, shown);
}

static int entry_numbers(struct tar *tar, struct tar_entry *e, struct dr_error *err)
{
    const struct tar_header *h = &tar->header;
    const struct tar_pax *pax = &tar->pax;
    int64_t mode, uid, gid, mtime;
    if (!tar_number(h->mode, sizeof h->mode, &mode) || mode < 0)
        return bad_field(tar, "mode", err);
    if (pax->has_uid)
        uid = pax->uid;
    else if (!tar_number(h->uid, sizeof h->uid, &uid) || uid < 0 || uid > TAR_ID_MAX)
        return bad_field(tar, "uid", err);
    if (pax->has_gid)
        gid = pax->gid;
    else if (!tar_number(h->gid, sizeof h->gid, &gid) || gid < 0 || gid > TAR_ID_MAX)
        return bad_field(tar, "gid", err);
    if (pax->has_mtime)
        e->mtime = pax->mtime;
    else if (!tar_number(h->mtime, sizeof h->mtime, &mtime))
        return bad_field(tar, "mtime", err);
    else
        e->mtime = (struct timespec){.tv_sec = mtime};
    e->atime = pax->has_atime ? pax->atime : e->mtime;
    e->mode = (mode_t)(mode & 07777);
    e->uid = (uid_t)uid;
    e->gid = (gid_t)gid;
    return 0;
}

static int entry_device(struct tar *tar, struct tar_entry *e, struct dr_error *err)
{
    const struct tar_header *h = &tar->header;
    int64_t major, minor;
    /* Linux has 12 bits of major and 20 of minor */
    if (!tar_number(h->major, sizeof h->major, &major) || major < 0 || major > 0xfff ||
        !tar_number(h->minor, sizeof h->minor, &minor) || minor < 0 || minor > 0xfffff)
        return bad_field(tar, "device number", err);
    e->dev_major = (uint32_t)major;
    e->dev_minor = (uint32_t)minor;
    return 0;
}

/* Type flag to type. Returns -1 for one that cannot be kept. */
static int entry_type(struct tar *tar, struct tar_entry *e, struct dr_error *err)
{
    size_t n = strlen(e->name);
    switch (tar->header.type) {
    case '\0': /* before ustar a directory was told by its slash */
        e->type = n > 0 && e->name[n - 1] == '/' ? TAR_DIR : TAR_FILE;
        return 0;
    case '0':
    case '7':
    case 'S':
        e->type = TAR_FILE;
        return 0;
    case '1':
        e->type = TAR_HARDLINK;
        return 0;
    case '2':
        e->type = TAR_SYMLINK;
        return 0;
    case '3':
        e->type = TAR_CHAR;
        return entry_device(tar, e, err);
    case '4':
        e->type = TAR_BLOCKDEV;
        return entry_device(tar, e, err);
    case '5':
        e->type = TAR_DIR;
        return 0;
    case '6':
        e->type = TAR_FIFO;
        return 0;
    default:;
        dr_auto_free char *shown = dr_escape(e->name, 200);
        return dr_fail(err, DR_ERR_UNSUPPORTED, "tar: %s has the unknown type 0x%02x",
                       shown, (unsigned char)tar->header.type);
    }
}

static int entry_size(struct tar *tar, struct tar_entry *e, struct dr_error *err)
{
    int64_t size = 0;
    if (tar->pax.has_size)
        size = tar->pax.size;
    else if (!tar_number(tar->header.size, sizeof tar->header.size, &size) || size < 0)
        return bad_field(tar, "size", err);
    if (e->type != TAR_FILE)
        size = 0; /* see tar.h */
    e->size = e->stored = size;
    tar->payload = size;
    tar->padding = padding_of(size);
    if (tar->header.type == 'S')
        return tar_sparse_old(tar, e, err);
    if (e->type == TAR_FILE)
        return tar_sparse_pax(tar, e, err);
    return 0;
}

static int make_entry(struct tar *tar, struct tar_entry *ret, struct dr_error *err)
{
    struct tar_entry e = {0};
    header_names(tar);
    e.name = tar->pax.path ? tar->pax.path : tar->name;
    e.link = tar->pax.link ? tar->pax.link : tar->link;
    if (tar->has_long_name)
        e.name = tar->long_name.data;
    if (tar->has_long_link)
        e.link = tar->long_link.data;
    if (entry_numbers(tar, &e, err) < 0 || entry_type(tar, &e, err) < 0 ||
        entry_size(tar, &e, err) < 0)
        return -1;
    e.xattrs = tar->xattrs;
    e.n_xattrs = tar->n_xattrs;
    *ret = e;
    return 1;
}

/* Extended headers before an entry. Returns 1 when the header at hand was one. */
static int extended(struct tar *tar, struct dr_error *err)
{
    switch (tar->header.type) {
    case 'x':
    case 'X': /* Solaris */
        if (read_extended(tar, &tar->pax_text, err) < 0 ||
            tar_pax_parse(tar, false, err) < 0)
            return -1;
        return 1;
    case 'L':
        tar->has_long_name = true;
        return read_extended(tar, &tar->long_name, err) < 0 ? -1 : 1;
    case 'K':
        tar->has_long_link = true;
        return read_extended(tar, &tar->long_link, err) < 0 ? -1 : 1;
    default:
        return 0;
    }
}

/* A header that belongs to no entry. Returns 1 if it was one; what extended headers
 * before a global one said is forgotten. */
static int stray(struct tar *tar, struct dr_error *err)
{
    int64_t size;
    switch (tar->header.type) {
    case 'g':
        if (read_extended(tar, &tar->pax_text, err) < 0 ||
            tar_pax_parse(tar, true, err) < 0)
            return -1;
        tar->has_long_name = tar->has_long_link = false;
        return 1;
    case 'V': /* a volume's label; has no payload, but may say so */
        if (!tar_number(tar->header.size, sizeof tar->header.size, &size) || size < 0 ||
            size > INT64_MAX - TAR_BLOCK)
            return dr_fail(err, DR_ERR_FORMAT,
                           "tar: the size of a label is out of range");
        return skip(tar, size + padding_of(size), err) < 0 ? -1 : 1;
    default:
        return 0;
    }
}

int tar_next(struct tar *tar, struct tar_entry *ret, struct dr_error *err)
{
    if (tar->ended)
        return 0;
    if (skip(tar, tar->payload, err) < 0)
        return -1;
    int more = skip_padding(tar, err);
    if (more <= 0) {
        tar->ended = more == 0;
        return more;
    }
    tar->payload = 0;
    tar->pax = (struct tar_pax){0};
    tar->n_xattrs = tar->n_extents = 0;
    tar->has_long_name = tar->has_long_link = false;
    bool open = false; /* an extended header waits for its entry */
    for (;;) {
        int result = read_header(tar, !open, err);
        if (result < 0)
            return -1;
        if (result == 0) {
            tar->ended = true;
            return 0;
        }
        if ((result = extended(tar, err)) < 0)
            return -1;
        if (result > 0) {
            open = true;
            continue;
        }
        if ((result = stray(tar, err)) < 0)
            return -1;
        if (result == 0)
            return make_entry(tar, ret, err);
    }
}

int tar_data(struct tar *tar, const uint8_t **ret_data, size_t *ret_len,
             struct dr_error *err)
{
    if (tar->payload == 0)
        return 0;
    ssize_t n = take(tar, tar->payload, ret_data, err);
    if (n < 0)
        return -1;
    if (n == 0)
        return truncated(err);
    if (tar->tap.data && tar->tap.data(tar->tap.arg, (size_t)n, err) < 0)
        return -1;
    tar->payload -= n;
    *ret_len = (size_t)n;
    return 1;
}

int tar_drain(struct tar *tar, struct dr_error *err)
{
    const uint8_t *ignored;
    ssize_t n;
    while ((n = run(tar, INT64_MAX, &ignored, err)) > 0)
        ;
    return (int)n;
}
