/* SPDX-License-Identifier: Apache-2.0 */
#include "archive/flatten.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "archive/flatten-view.h"
#include "base/text.h"
#include "tar/whiteout.h"

#define CHUNK ((size_t)256 << 10)

/* A hard link, and the entry that has the file's content. */
struct link {
    uint32_t number, content;
    uint32_t node;
    uint32_t written; /* of the first one of a content: node that has it; see group_of */
};

struct flatten {
    const struct flatten_layers *layers;
    struct view *view;
    uint32_t *nodes; /* by number: where the entry was put; VIEW_NONE: nowhere */
    uint32_t count, cap;
    struct link *links;  /* by number */
    struct link *groups; /* by content, then by number */
    size_t link_count, link_cap;
    bool skipped; /* a device, to which there may be hard links */
};

#define VIEW_NONE UINT32_MAX

void flatten_free(struct flatten *f)
{
    if (!f)
        return;
    view_free(f->view);
    free(f->nodes);
    free(f->links);
    free(f->groups);
    free(f);
}

/* ---- one layer, as a stream of entries ---- */

struct layer {
    const struct flatten_layers *layers;
    size_t index;
    void *stream;
    struct dr_sha256 hash;
    uint8_t *chunk;
    struct tar *tar;
};

static ssize_t fill(void *arg, const uint8_t **ret, struct dr_error *err)
{
    struct layer *l = arg;
    ssize_t n = l->layers->read(l->stream, l->chunk, CHUNK, err);
    if (n > 0)
        dr_sha256_add(&l->hash, l->chunk, (size_t)n);
    *ret = l->chunk;
    return n;
}

static int layer_open(const struct flatten_layers *layers, size_t index,
                      struct layer *ret, struct dr_error *err)
{
    *ret = (struct layer){.layers = layers, .index = index};
    if (layers->open(layers->arg, index, &ret->stream, err) < 0)
        return -1;
    dr_sha256_init(&ret->hash);
    ret->chunk = dr_alloc(CHUNK);
    ret->tar = tar_new(fill, ret);
    return 0;
}

static void layer_close(struct layer *l)
{
    tar_free(l->tar);
    free(l->chunk);
    if (l->stream)
        l->layers->close(l->stream);
    *l = (struct layer){0};
}

/* H2: what was read is what the image's config promises. */
static int layer_end(struct layer *l, struct dr_error *err)
{
    char hex[DR_SHA256_HEX + 1];
    struct oci_digest digest;
    if (tar_drain(l->tar, err) < 0)
        return -1;
    const struct oci_digest *want = l->layers->diff_ids;
    if (!want || !want[l->index].text[0])
        return 0;
    dr_sha256_hex(&l->hash, hex);
    oci_digest_from_hex(hex, &digest);
    if (oci_digest_equal(&digest, &want[l->index]))
        return 0;
    return dr_fail(err, DR_ERR_FORMAT, "layer %zu is %s, and not %s as its config says",
                   l->index + 1, digest.text, want[l->index].text);
}

/* 1; 0 at the layer's end. *ret_whiteout tells what the clean name is. */
static int layer_next(struct layer *l, struct tar_entry *ret, char path[PATH_MAX],
                      enum whiteout *ret_whiteout, struct dr_error *err)
{
    size_t len;
    int rc = tar_next(l->tar, ret, err);
    if (rc == 0 && layer_end(l, err) < 0)
        return -1;
    if (rc <= 0)
        return rc;
    if (tar_name_clean(ret->name, "name", path, &len, err) < 0 ||
        tar_name_whiteout(path, ret_whiteout, err) < 0)
        return -1;
    return 1;
}

/* Reads a layer; each may fail. */
typedef int (*entry_fn)(struct flatten *f, struct layer *l, const struct tar_entry *entry,
                        const char *path, enum whiteout whiteout, void *arg,
                        struct dr_error *err);
static int each_entry(struct flatten *f, size_t index, entry_fn fn, void *arg,
                      struct dr_error *err)
{
    struct layer l;
    struct tar_entry entry;
    enum whiteout whiteout;
    char path[PATH_MAX];
    int rc = layer_open(f->layers, index, &l, err);
    while (rc == 0) {
        int more = layer_next(&l, &entry, path, &whiteout, err);
        if (more <= 0) {
            rc = more;
            break;
        }
        rc = fn(f, &l, &entry, path, whiteout, arg, err);
    }
    layer_close(&l);
    if (rc < 0)
        dr_wrap(err, "layer %zu", index + 1);
    return rc;
}

/* ---- looking: whiteouts ---- */

static int look_whiteout(struct flatten *f, struct layer *l,
                         const struct tar_entry *entry, const char *path,
                         enum whiteout whiteout, void *arg, struct dr_error *err)
{
    const uint32_t *below = arg; /* the last number of the layers below */
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    uint32_t node;
    dr_auto_free char *what = NULL;
    if (whiteout == WHITEOUT_OPAQUE)
        what = dr_printf("%.*s.", (int)(name - path), path); /* "dir/." follows it */
    else if (whiteout == WHITEOUT_REMOVE)
        what =
            dr_printf("%.*s%s", (int)(name - path), path, name + strlen(WHITEOUT_PREFIX));
    if (!what)
        return 0;
    int found = view_find(f->view, what, &node, err);
    if (found < 0)
        return -1;
    if (found && whiteout == WHITEOUT_OPAQUE)
        view_empty(f->view, node, *below);
    else if (found)
        view_remove(f->view, node, *below);
    return 0;
}

/* ---- looking: everything else ---- */

static const struct link *find_link(const struct flatten *f, uint32_t number)
{
    size_t from = 0, to = f->link_count;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        if (f->links[middle].number == number)
            return &f->links[middle];
        if (f->links[middle].number < number)
            from = middle + 1;
        else
            to = middle;
    }
    return NULL;
}

static int add_link(struct flatten *f, uint32_t number, uint32_t node,
                    const struct tar_entry *entry, struct dr_error *err)
{
    char target[PATH_MAX];
    size_t len;
    uint32_t at;
    if (tar_name_clean(entry->link, "hard link target", target, &len, err) < 0)
        return -1;
    int found = view_find(f->view, target, &at, err);
    if (found < 0)
        return -1;
    if (found == 0 && f->skipped)
        return 0; /* that device, it seems */
    if (found == 0 || view_type(f->view, at) == TAR_DIR) {
        dr_auto_free char *safe = dr_escape(entry->name, 200);
        dr_auto_free char *safe_target = dr_escape(entry->link, 200);
        return dr_fail(err, DR_ERR_FORMAT, "hard link '%s' to '%s', which %s", safe,
                       safe_target, found ? "is a directory" : "is not there");
    }
    if (at == node)
        return 0; /* to itself */
    uint32_t content = view_number(f->view, at);
    const struct link *first = find_link(f, content);
    if (f->link_count == f->link_cap) {
        f->link_cap = f->link_cap ? 2 * f->link_cap : 64;
        f->links = dr_realloc(f->links, f->link_cap * sizeof *f->links);
        first = find_link(f, content);
    }
    struct link link = {number, first ? first->content : content, node, VIEW_NONE};
    f->links[f->link_count++] = link;
    f->nodes[number] = node;
    dr_auto_free char *symlink = NULL;
    if (view_type(f->view, at) == TAR_SYMLINK)
        symlink = dr_strdup(view_target(f->view, at));
    return view_put(f->view, node, number, view_type(f->view, at), symlink, err);
}

static int look_entry(struct flatten *f, struct layer *l, const struct tar_entry *entry,
                      const char *path, enum whiteout whiteout, void *arg,
                      struct dr_error *err)
{
    uint32_t node;
    if (f->count == f->cap) {
        if (f->count >= 4 * FLATTEN_PATHS_MAX)
            return dr_fail(err, DR_ERR_UNSUPPORTED, "it has more than %u entries",
                           4 * FLATTEN_PATHS_MAX);
        f->cap *= 2;
        f->nodes = dr_realloc(f->nodes, f->cap * sizeof *f->nodes);
    }
    uint32_t number = f->count++;
    f->nodes[number] = VIEW_NONE;
    if (whiteout != WHITEOUT_NONE)
        return 0;
    if (entry->type == TAR_CHAR || entry->type == TAR_BLOCKDEV) {
        f->skipped = true;
        return 0;
    }
    if (!*path && entry->type != TAR_DIR)
        return dr_fail(err, DR_ERR_FORMAT, "its root is no directory");
    if (view_make(f->view, path, number, &node, err) < 0)
        return -1;
    if (entry->type == TAR_HARDLINK)
        return add_link(f, number, node, entry, err);
    f->nodes[number] = node;
    return view_put(f->view, node, number, entry->type, entry->link, err);
}

static int by_content(const void *a, const void *b)
{
    const struct link *x = a, *y = b;
    if (x->content != y->content)
        return x->content < y->content ? -1 : 1;
    return x->number < y->number ? -1 : x->number > y->number;
}

static int look(struct flatten *f, struct dr_error *err)
{
    for (size_t i = 0; i < f->layers->count; i++) {
        uint32_t below = f->count - 1;
        if (i > 0 && each_entry(f, i, look_whiteout, &below, err) < 0)
            return -1;
        if (each_entry(f, i, look_entry, NULL, err) < 0)
            return -1;
    }
    f->groups = dr_alloc((f->link_count + 1) * sizeof *f->groups);
    if (f->link_count > 0) {
        memcpy(f->groups, f->links, f->link_count * sizeof *f->groups);
        qsort(f->groups, f->link_count, sizeof *f->groups, by_content);
    }
    return 0;
}

int flatten_look(const struct flatten_layers *layers, struct flatten **ret,
                 struct dr_error *err)
{
    struct flatten *f = dr_alloc(sizeof *f);
    f->layers = layers;
    f->view = view_new();
    f->cap = 4096;
    f->nodes = dr_alloc(f->cap * sizeof *f->nodes);
    f->count = 1; /* numbers begin with 1 */
    if (look(f, err) < 0) {
        flatten_free(f);
        return -1;
    }
    *ret = f;
    return 0;
}

bool flatten_has(struct flatten *f, const char *path)
{
    dr_auto_error struct dr_error ignored = DR_ERROR_INIT;
    uint32_t node;
    return view_find(f->view, path, &node, &ignored) > 0;
}

/* ---- writing ---- */

struct writing {
    struct tar_writer *w;
    uint32_t number;
    int64_t bytes;
};

static bool visible(const struct flatten *f, uint32_t number, uint32_t node)
{
    return node != VIEW_NONE && view_number(f->view, node) == number &&
           view_is_there(f->view, node);
}

/* The links to a content; NULL: there are none. */
static struct link *group_of(const struct flatten *f, uint32_t content)
{
    size_t from = 0, to = f->link_count;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        if (f->groups[middle].content < content)
            from = middle + 1;
        else
            to = middle;
    }
    return from < f->link_count && f->groups[from].content == content ? &f->groups[from]
                                                                      : NULL;
}

/* Under which name a content is written: its own, or that of the first link that is left;
 * VIEW_NONE: under none. */
static uint32_t name_for(struct flatten *f, uint32_t number)
{
    struct link *group = group_of(f, number);
    uint32_t name = visible(f, number, f->nodes[number]) ? f->nodes[number] : VIEW_NONE;
    const struct link *end = f->groups + f->link_count;
    for (struct link *l = group; l && name == VIEW_NONE && l < end; l++) {
        if (l->content != number)
            break;
        if (visible(f, l->number, l->node))
            name = l->node;
    }
    if (group)
        group->written = name;
    return name;
}

static int write_zeros(struct writing *to, int64_t size, struct dr_error *err)
{
    static const char zeros[65536];
    while (size > 0) {
        size_t n = size < (int64_t)sizeof zeros ? (size_t)size : sizeof zeros;
        if (tar_write_data(to->w, zeros, n, err) < 0)
            return -1;
        size -= (int64_t)n;
    }
    return 0;
}

/* Stored bytes, with the holes of a sparse file between them. */
static int write_content(struct writing *to, struct layer *l,
                         const struct tar_entry *entry, struct dr_error *err)
{
    const uint8_t *data;
    size_t len, extent = 0;
    int64_t at = 0, in_extent = 0;
    int rc;
    while ((rc = tar_data(l->tar, &data, &len, err)) > 0) {
        while (len > 0) {
            size_t n = len;
            if (entry->sparse) {
                while (extent < entry->n_extents &&
                       in_extent == entry->extents[extent].length) {
                    extent++;
                    in_extent = 0;
                }
                if (extent == entry->n_extents)
                    return dr_fail(err, DR_ERR_FORMAT,
                                   "a sparse file has too many bytes");
                const struct tar_extent *e = &entry->extents[extent];
                int64_t left = e->length - in_extent;
                if (in_extent == 0) {
                    if (write_zeros(to, e->offset - at, err) < 0)
                        return -1;
                    at = e->offset;
                }
                n = (int64_t)n > left ? (size_t)left : n;
            }
            if (tar_write_data(to->w, data, n, err) < 0)
                return -1;
            at += (int64_t)n;
            in_extent += (int64_t)n;
            data += n;
            len -= n;
        }
    }
    return rc < 0 ? -1 : write_zeros(to, entry->size - at, err);
}

static int write_one(struct flatten *f, struct writing *to, struct layer *l,
                     const struct tar_entry *entry, uint32_t node, struct dr_error *err)
{
    char path[PATH_MAX];
    struct tar_entry out = *entry;
    if (view_path(f->view, node, path, err) < 0)
        return -1;
    out.name = path;
    out.sparse = false;
    dr_auto_free struct tar_xattr *xattrs =
        dr_alloc((entry->n_xattrs + 1) * sizeof *xattrs);
    out.xattrs = xattrs;
    out.n_xattrs = 0;
    for (size_t i = 0; i < entry->n_xattrs; i++)
        if (tar_xattr_portable(entry->xattrs[i].name))
            xattrs[out.n_xattrs++] = entry->xattrs[i];
    if (entry->type == TAR_FILE) {
        if (entry->size > FLATTEN_BYTES_MAX - to->bytes)
            return dr_fail(err, DR_ERR_UNSUPPORTED, "it has more than %lld GiB",
                           (long long)(FLATTEN_BYTES_MAX >> 30));
        to->bytes += entry->size;
    }
    if (tar_write_entry(to->w, &out, err) < 0)
        return -1;
    return entry->type == TAR_FILE ? write_content(to, l, entry, err) : 0;
}

static int write_link(struct flatten *f, struct writing *to, const struct link *link,
                      const struct tar_entry *entry, struct dr_error *err)
{
    char path[PATH_MAX], target[PATH_MAX];
    struct tar_entry out = {.type = TAR_HARDLINK,
                            .name = path,
                            .link = target,
                            .mode = entry->mode,
                            .uid = entry->uid,
                            .gid = entry->gid,
                            .mtime = entry->mtime,
                            .atime = entry->atime};
    uint32_t first = group_of(f, link->content)->written;
    if (!visible(f, link->number, link->node) || first == link->node)
        return 0;
    if (view_path(f->view, link->node, path, err) < 0 ||
        view_path(f->view, first, target, err) < 0)
        return -1;
    return tar_write_entry(to->w, &out, err);
}

static int write_entry(struct flatten *f, struct layer *l, const struct tar_entry *entry,
                       const char *path, enum whiteout whiteout, void *arg,
                       struct dr_error *err)
{
    struct writing *to = arg;
    uint32_t number = to->number++;
    if (number >= f->count) /* of a layer without a digest that has changed */
        return dr_fail(err, DR_ERR_FORMAT, "it has changed since it was looked at");
    if (f->nodes[number] == VIEW_NONE)
        return 0;
    if (entry->type == TAR_HARDLINK) {
        const struct link *link = find_link(f, number);
        return link ? write_link(f, to, link, entry, err) : 0;
    }
    uint32_t node = name_for(f, number);
    return node == VIEW_NONE ? 0 : write_one(f, to, l, entry, node, err);
}

int flatten_write(struct flatten *f, struct tar_writer *w, struct dr_error *err)
{
    struct writing to = {.w = w, .number = 1};
    for (size_t i = 0; i < f->layers->count; i++)
        if (each_entry(f, i, write_entry, &to, err) < 0)
            return -1;
    return 0;
}
