/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tar reader: the input is a layer. The first byte chooses how the stream is cut into
 * chunks. What comes out has to keep what tar.h promises.
 */
#include <stdlib.h>
#include <string.h>

#include "tar/whiteout.h"
#include "tar/tar.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct feed {
    const uint8_t *data;
    size_t len, chunk;
};

static ssize_t fill(void *arg, const uint8_t **ret_data, struct dr_error *err)
{
    struct feed *f = arg;
    size_t n = f->len < f->chunk ? f->len : f->chunk;
    *ret_data = f->data;
    f->data += n;
    f->len -= n;
    return (ssize_t)n;
}

static void must(int condition)
{
    if (!condition)
        abort();
}

static void check_entry(const struct tar_entry *e)
{
    must(e->name && e->link && e->size >= 0 && e->stored >= 0);
    must(e->uid <= TAR_ID_MAX && e->gid <= TAR_ID_MAX && (e->mode & ~07777u) == 0);
    must(e->n_xattrs <= TAR_XATTRS_MAX && e->n_extents <= TAR_EXTENTS_MAX);
    int64_t end = 0, sum = 0;
    for (size_t i = 0; i < e->n_extents; i++) {
        must(e->extents[i].offset >= end && e->extents[i].length >= 0);
        end = e->extents[i].offset + e->extents[i].length;
        sum += e->extents[i].length;
    }
    must(end <= e->size && (!e->sparse || sum == e->stored));
    for (size_t i = 0; i < e->n_xattrs; i++)
        must(strlen(e->xattrs[i].name) < TAR_EXTENDED_MAX && e->xattrs[i].value);
}

static void check_name(const char *name)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    char clean[PATH_MAX];
    size_t len;
    enum whiteout kind;
    if (tar_name_clean(name, "name", clean, &len, &err) < 0)
        return;
    must(strlen(clean) == len && clean[0] != '/' && !strstr(clean, "//"));
    must(strcmp(clean, "..") != 0 && strncmp(clean, "../", 3) != 0 &&
         !strstr(clean, "/../"));
    tar_name_whiteout(clean, &kind, &err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const size_t chunks[] = {1, 100, 511, 512, 513, 4096, 65536, 1 << 20};
    if (size < 1)
        return 0;
    struct feed feed = {data + 1, size - 1, chunks[data[0] % 8]};
    struct tar *tar = tar_new(fill, &feed);
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    struct tar_entry e;
    int result, entries = 0;
    while ((result = tar_next(tar, &e, &err)) > 0) {
        check_entry(&e);
        check_name(e.name);
        const uint8_t *p;
        size_t len;
        int64_t given = 0;
        while (entries % 2 == 0 && (result = tar_data(tar, &p, &len, &err)) > 0)
            given += (int64_t)len;
        must(entries % 2 || result < 0 || given == e.stored);
        if (result < 0)
            break;
        entries++;
    }
    must(result == 0 ? err.kind == DR_ERR_NONE : err.kind != DR_ERR_NONE && err.text[0]);
    tar_free(tar);
    return 0;
}
