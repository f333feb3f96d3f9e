/* SPDX-License-Identifier: Apache-2.0 */
#include "archive/flatten-view.h"

#include <string.h>

#include "archive/flatten.h"
#include "base/buf.h"
#include "base/text.h"

#define LINKS_MAX 40 /* as the kernel follows */

struct node {
    uint32_t parent, next; /* next: in its bucket; 0 ends it */
    uint32_t name, target; /* in `text`; target: of a symbolic link */
    uint32_t number, emptied;
    uint16_t name_len;
    uint8_t type;
    bool implied; /* a directory that no entry brought */
};

struct view {
    struct node *nodes;
    uint32_t count, cap;
    uint32_t *buckets;
    uint32_t bucket_count; /* a power of two */
    uint64_t seed;
    struct dr_buf text;
};

struct view *view_new(void)
{
    struct view *v = dr_alloc(sizeof *v);
    char hex[17];
    v->cap = 1024;
    v->nodes = dr_alloc(v->cap * sizeof *v->nodes);
    v->count = 1; /* the root, which is never in a bucket */
    v->nodes[0] = (struct node){.type = TAR_DIR, .implied = true, .number = UINT32_MAX};
    v->bucket_count = 2048;
    v->buckets = dr_alloc(v->bucket_count * sizeof *v->buckets);
    dr_random_hex(16, hex); /* names that were chosen to collide do not */
    v->seed = strtoull(hex, NULL, 16);
    v->text = DR_BUF_INIT(FLATTEN_TEXT_MAX);
    return v;
}

void view_free(struct view *v)
{
    if (!v)
        return;
    dr_buf_release(&v->text);
    free(v->buckets);
    free(v->nodes);
    free(v);
}

/* --- one name in a directory --- */

static uint64_t mix(uint64_t h)
{
    h ^= h >> 32;
    h *= 0xd6e8feb86659fd93u;
    return h ^ h >> 32;
}

static uint32_t bucket_of(const struct view *v, uint32_t parent, const char *name,
                          size_t len)
{
    uint64_t h = mix(v->seed ^ parent);
    for (size_t i = 0; i < len; i++)
        h = mix(h + (unsigned char)name[i]);
    return (uint32_t)(h & (v->bucket_count - 1));
}

static uint32_t find_child(const struct view *v, uint32_t parent, const char *name,
                           size_t len)
{
    uint32_t at = v->buckets[bucket_of(v, parent, name, len)];
    for (; at; at = v->nodes[at].next) {
        const struct node *n = &v->nodes[at];
        if (n->parent == parent && n->name_len == len &&
            memcmp(v->text.data + n->name, name, len) == 0)
            return at;
    }
    return 0;
}

static void link_in(struct view *v, uint32_t at)
{
    struct node *n = &v->nodes[at];
    uint32_t b = bucket_of(v, n->parent, v->text.data + n->name, n->name_len);
    n->next = v->buckets[b];
    v->buckets[b] = at;
}

static void grow(struct view *v)
{
    v->cap *= 2;
    v->nodes = dr_realloc(v->nodes, v->cap * sizeof *v->nodes);
    free(v->buckets);
    v->bucket_count *= 2;
    v->buckets = dr_alloc(v->bucket_count * sizeof *v->buckets);
    for (uint32_t i = 1; i < v->count; i++)
        link_in(v, i);
}

static int too_much(struct dr_error *err)
{
    dr_error_release(err);
    return dr_fail(err, DR_ERR_UNSUPPORTED,
                   "it has more paths than dray makes one root file system of (%u, and "
                   "%zu MiB of names)",
                   FLATTEN_PATHS_MAX, FLATTEN_TEXT_MAX >> 20);
}

static int add_text(struct view *v, const char *text, size_t len, uint32_t *ret,
                    struct dr_error *err)
{
    uint32_t at = (uint32_t)v->text.len;
    if (dr_buf_add(&v->text, text, len, err) < 0)
        return too_much(err);
    *ret = at;
    return 0;
}

static int make_child(struct view *v, uint32_t parent, const char *name, size_t len,
                      uint32_t *ret, struct dr_error *err)
{
    uint32_t at = find_child(v, parent, name, len);
    if (!at) {
        struct node n = {.parent = parent, .name_len = (uint16_t)len};
        if (v->count >= FLATTEN_PATHS_MAX)
            return too_much(err);
        if (add_text(v, name, len, &n.name, err) < 0)
            return -1;
        if (v->count == v->cap)
            grow(v);
        at = v->count++;
        v->nodes[at] = n;
        link_in(v, at);
    }
    *ret = at;
    return 0;
}

bool view_is_there(const struct view *v, uint32_t node)
{
    const struct node *n = &v->nodes[node];
    if (n->number == 0)
        return false;
    for (uint32_t at = node; at != VIEW_ROOT;) {
        at = v->nodes[at].parent;
        if (v->nodes[at].emptied >= n->number)
            return false;
    }
    return true;
}

/* --- paths --- */

static int too_many_links(const char *path, struct dr_error *err)
{
    dr_auto_free char *safe = dr_escape(path, 200);
    return dr_fail(err, DR_ERR_FORMAT, "'%s' leads through too many symbolic links",
                   safe);
}

/* The link's target comes before what is left of the path; owned. */
static char *spliced(const struct view *v, uint32_t node, const char *rest)
{
    return dr_printf("%s/%s", v->text.data + v->nodes[node].target, rest);
}

/* number 0: nothing is made. Returns 1; 0: it is not there. */
static int walk(struct view *v, const char *path, uint32_t number, uint32_t *ret,
                struct dr_error *err)
{
    dr_auto_free char *spare = NULL;
    const char *rest = path;
    uint32_t at = VIEW_ROOT;
    int links = 0;
    for (;;) {
        rest += strspn(rest, "/");
        size_t len = strcspn(rest, "/");
        const char *name = rest, *after = rest + len + strspn(rest + len, "/");
        bool last = !*after;
        uint32_t child = 0;
        if (len == 0) {
            *ret = at;
            return 1;
        }
        rest = after;
        if (len == 1 && name[0] == '.')
            continue;
        if (len == 2 && memcmp(name, "..", 2) == 0) {
            at = v->nodes[at].parent;
            continue;
        }
        if (number == 0) {
            child = find_child(v, at, name, len);
            if (!child || (!last && !view_is_there(v, child)))
                return 0;
        } else if (make_child(v, at, name, len, &child, err) < 0) {
            return -1;
        }
        if (last) {
            *ret = child;
            return 1;
        }
        bool there = view_is_there(v, child);
        if (there && v->nodes[child].type == TAR_SYMLINK) {
            const char *target = v->text.data + v->nodes[child].target;
            if (++links > LINKS_MAX || strlen(target) + strlen(rest) >= PATH_MAX)
                return too_many_links(path, err);
            char *longer = spliced(v, child, rest);
            free(spare);
            spare = longer;
            rest = spare;
            if (*spare == '/')
                at = VIEW_ROOT;
            continue;
        }
        if (!there || v->nodes[child].type != TAR_DIR) {
            if (number == 0)
                return 0;
            v->nodes[child].type = TAR_DIR;
            v->nodes[child].number = number;
            v->nodes[child].implied = true;
        }
        at = child;
    }
}

int view_make(struct view *v, const char *path, uint32_t number, uint32_t *ret,
              struct dr_error *err)
{
    return walk(v, path, number, ret, err) < 0 ? -1 : 0;
}

int view_find(struct view *v, const char *path, uint32_t *ret, struct dr_error *err)
{
    uint32_t node;
    int rc = walk(v, path, 0, &node, err);
    if (rc == 1 && !view_is_there(v, node))
        return 0;
    if (rc == 1)
        *ret = node;
    return rc;
}

/* --- what becomes of a node --- */

int view_put(struct view *v, uint32_t node, uint32_t number, enum tar_type type,
             const char *link, struct dr_error *err)
{
    uint32_t target = 0;
    if (type == TAR_SYMLINK && add_text(v, link, strlen(link) + 1, &target, err) < 0)
        return -1;
    struct node *n = &v->nodes[node];
    if (type != TAR_DIR)
        n->emptied = number;
    n->number = number;
    n->type = (uint8_t)type;
    n->target = target;
    n->implied = false;
    return 0;
}

void view_remove(struct view *v, uint32_t node, uint32_t number)
{
    view_empty(v, node, number);
    if (node != VIEW_ROOT && v->nodes[node].number <= number)
        v->nodes[node].number = 0;
}

void view_empty(struct view *v, uint32_t node, uint32_t number)
{
    if (v->nodes[node].emptied < number)
        v->nodes[node].emptied = number;
}

uint32_t view_number(const struct view *v, uint32_t node)
{
    return v->nodes[node].implied ? 0 : v->nodes[node].number;
}

enum tar_type view_type(const struct view *v, uint32_t node)
{
    return (enum tar_type)v->nodes[node].type;
}

const char *view_target(const struct view *v, uint32_t node)
{
    return v->text.data + v->nodes[node].target;
}

int view_path(const struct view *v, uint32_t node, char ret[PATH_MAX],
              struct dr_error *err)
{
    size_t at = PATH_MAX - 1;
    ret[at] = '\0';
    if (node == VIEW_ROOT)
        memcpy(ret, ".", 2);
    else
        for (; node != VIEW_ROOT; node = v->nodes[node].parent) {
            const struct node *n = &v->nodes[node];
            if (at < (size_t)n->name_len + 1)
                return dr_fail(err, DR_ERR_UNSUPPORTED, "a path is longer than %d bytes",
                               PATH_MAX - 1);
            if (ret[at])
                ret[--at] = '/';
            at -= n->name_len;
            memcpy(ret + at, v->text.data + n->name, n->name_len);
        }
    if (at < PATH_MAX - 1)
        memmove(ret, ret + at, PATH_MAX - at);
    return 0;
}
