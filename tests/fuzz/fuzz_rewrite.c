/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tar writer: whatever the reader makes of the input is written, and the reader makes
 * the same of that. The input is a tar.
 */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "tar/writer.h"

#define ENTRY_MAX (1 << 20) /* bytes of a file that are kept */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct feed {
    const uint8_t *data;
    size_t len;
};

static void must(int condition)
{
    if (!condition)
        abort();
}

static ssize_t fill(void *arg, const uint8_t **ret_data, struct dr_error *err)
{
    struct feed *f = arg;
    size_t n = f->len;
    *ret_data = f->data;
    f->len = 0;
    return (ssize_t)n;
}

static int take(void *arg, const void *data, size_t len, struct dr_error *err)
{
    return dr_buf_add(arg, data, len, err);
}

/* Everything of an entry and its data, as one text. */
static void describe(struct dr_buf *out, const struct tar_entry *e,
                     const struct dr_buf *content)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    size_t n = strlen(e->name);
    bool slash = e->type == TAR_DIR && (n == 0 || e->name[n - 1] != '/');
    dr_buf_addf(out, &err, "%d %s%s -> %s %o %u %u %lld.%09ld %u %u %lld\n", e->type,
                e->name, slash ? "/" : "", e->link, e->mode, e->uid, e->gid,
                (long long)e->mtime.tv_sec, e->mtime.tv_nsec, e->dev_major, e->dev_minor,
                (long long)content->len);
    for (size_t i = 0; i < e->n_xattrs; i++) {
        if (strchr(e->xattrs[i].name, '='))
            continue;
        dr_buf_addf(out, &err, "%s=", e->xattrs[i].name);
        dr_buf_add(out, e->xattrs[i].value, e->xattrs[i].len, &err);
    }
    dr_buf_add(out, content->data, content->len, &err);
}

/* False when the entry cannot be kept here (sparse, or larger than ENTRY_MAX). */
static bool read_content(struct tar *tar, const struct tar_entry *e, struct dr_buf *buf)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    const uint8_t *data;
    size_t len;
    int result;
    dr_buf_reset(buf);
    if (e->sparse || e->size > ENTRY_MAX)
        return false;
    while ((result = tar_data(tar, &data, &len, &err)) > 0)
        must(dr_buf_add(buf, data, len, &err) == 0);
    return result == 0;
}

static void normalize(struct tar_entry *e)
{
    /* what ustar has no field for in these types */
    if (e->type != TAR_CHAR && e->type != TAR_BLOCKDEV)
        e->dev_major = e->dev_minor = 0;
    e->size = e->type == TAR_FILE ? e->size : 0;
}

static void rewrite(struct feed feed, struct dr_buf *ret_bytes, struct dr_buf *ret_text)
{
    struct tar *tar = tar_new(fill, &feed);
    struct tar_writer *w = ret_bytes ? tar_writer_new(take, ret_bytes) : NULL;
    struct dr_buf content = DR_BUF_INIT(ENTRY_MAX);
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    struct tar_entry e;
    while (tar_next(tar, &e, &err) > 0) {
        struct tar_entry copy = e;
        if (!read_content(tar, &e, &content))
            continue;
        normalize(&copy);
        dr_auto_error struct dr_error refused = DR_ERROR_INIT;
        if (w && tar_write_entry(w, &copy, &refused) < 0)
            continue; /* more than a pax header holds */
        describe(ret_text, &copy, &content);
        if (w)
            must(tar_write_data(w, content.data, content.len, &refused) == 0);
    }
    if (w)
        must(tar_write_end(w, &err) == 0 || err.kind != DR_ERR_NONE);
    dr_buf_release(&content);
    tar_writer_free(w);
    tar_free(tar);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct dr_buf bytes = DR_BUF_INIT(64 << 20), first = bytes, second = bytes;
    rewrite((struct feed){data, size}, &bytes, &first);
    rewrite((struct feed){(const uint8_t *)bytes.data, bytes.len}, NULL, &second);
    must(first.len == second.len &&
         (first.len == 0 || memcmp(first.data, second.data, first.len) == 0));
    dr_buf_release(&bytes);
    dr_buf_release(&first);
    dr_buf_release(&second);
    return 0;
}
