/* SPDX-License-Identifier: Apache-2.0 */
/*
 * layer_get: the records of a layer's split (split.h) and the files of its tree become
 * the tar again. The records alone do not say which file comes next: a tar reader runs
 * over what is made and says it, as it did when the layer was unpacked.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/sha256.h"
#include "base/text.h"
#include "flate/inflate.h"
#include "guest/layers/split.h"
#include "guest/layers/store-private.h"
#include "tar/names.h"

#define CHUNK ((size_t)64 << 10)
#define LINKS_MAX 40 /* as the kernel's own limit */

struct moved {
    uint64_t before; /* contents that came before it was moved */
    char *path;
    size_t len;
};

struct rebuild {
    int dir;   /* "<root>/layers/<hex>" */
    int split; /* its file */
    struct inflate *records;
    uint8_t record_bytes[16 * 1024];
    size_t record_at, record_len;

    enum split_kind kind;
    uint64_t left; /* of the record at hand */
    uint8_t last[TAR_BLOCK];

    struct moved *moved;
    size_t n_moved;
    uint64_t contents; /* begun so far */

    const struct tar_entry *entry; /* the reader's; NULL: none */
    int file;                      /* its content; -1: not opened */
    size_t extent;
    int64_t offset; /* in the extent, or in the file */

    layer_write_fn write;
    void *arg;
    struct dr_sha256 hash;
    uint8_t chunk[CHUNK];
};

static int torn(struct dr_error *err)
{
    return dr_fail(err, DR_ERR_INTERNAL, "its split is damaged");
}

/* ---- records ---- */

static ssize_t read_split(void *arg, void *buf, size_t len, struct dr_error *err)
{
    struct rebuild *r = arg;
    ssize_t n;
    do
        n = read(r->split, buf, len);
    while (n < 0 && errno == EINTR);
    return n < 0 ? dr_fail_errno(err, DR_ERR_INTERNAL, "read its split") : n;
}

/* Returns 1, 0 at the end (only between records), -1. */
static int get(struct rebuild *r, void *to, size_t len, struct dr_error *err)
{
    uint8_t *p = to;
    for (size_t done = 0; done < len;) {
        if (r->record_at == r->record_len) {
            ssize_t n =
                inflate_read(r->records, r->record_bytes, sizeof r->record_bytes, err);
            if (n < 0)
                return -1;
            if (n == 0)
                return done == 0 ? 0 : torn(err);
            r->record_at = 0;
            r->record_len = (size_t)n;
        }
        size_t there = r->record_len - r->record_at;
        size_t n = len - done < there ? len - done : there;
        memcpy(p + done, r->record_bytes + r->record_at, n);
        r->record_at += n;
        done += n;
    }
    return 1;
}

static int get_number(struct rebuild *r, uint64_t *ret, struct dr_error *err)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        uint8_t byte;
        int result = get(r, &byte, 1, err);
        if (result <= 0)
            return result < 0 ? -1 : shift == 0 ? 0 : torn(err);
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80)) {
            *ret = value;
            return 1;
        }
    }
    return torn(err);
}

static int get_all(struct rebuild *r, void *to, size_t len, struct dr_error *err)
{
    int result = len > 0 ? get(r, to, len, err) : 1;
    return result == 0 ? torn(err) : result;
}

static int get_moved(struct rebuild *r, struct moved *ret, struct dr_error *err)
{
    uint64_t number, len;
    int a = get_number(r, &number, err), b = a > 0 ? get_number(r, &len, err) : a;
    if (b <= 0)
        return b < 0 ? -1 : torn(err);
    if (len >= PATH_MAX)
        return torn(err);
    char *path = dr_alloc(len + 1);
    if (get_all(r, path, len, err) < 0) {
        free(path);
        return -1;
    }
    *ret = (struct moved){r->contents, path, len};
    return 0;
}

static int get_block(struct rebuild *r, struct dr_error *err)
{
    uint64_t bits;
    if (get_all(r, &bits, sizeof bits, err) < 0)
        return -1;
    bits = le64toh(bits);
    for (size_t i = 0; i < TAR_BLOCK / 8; i++)
        if (bits >> i & 1 && get_all(r, r->last + i * 8, 8, err) < 0)
            return -1;
    return 0;
}

/* The next record that makes bytes. Returns 1, 0 at the end, -1. keep: moved records are
 * remembered (the first time through). */
static int next_record(struct rebuild *r, bool keep, struct dr_error *err)
{
    for (;;) {
        uint64_t n;
        int result = get_number(r, &n, err);
        if (result <= 0)
            return result;
        r->kind = n & 3;
        r->left = n >> 2;
        if (r->kind == SPLIT_CONTENT)
            r->contents++;
        if (r->kind == SPLIT_BLOCK) {
            r->left = TAR_BLOCK;
            return get_block(r, err) < 0 ? -1 : 1;
        }
        if (r->left > 0)
            return 1;
        struct moved moved;
        if (r->kind != SPLIT_ZEROS)
            return torn(err);
        if (get_moved(r, &moved, err) < 0)
            return -1;
        if (!keep) {
            free(moved.path);
            continue;
        }
        if (r->n_moved == SPLIT_MOVED_MAX) {
            free(moved.path);
            return torn(err);
        }
        if (!r->moved)
            r->moved = dr_alloc(SPLIT_MOVED_MAX * sizeof *r->moved);
        r->moved[r->n_moved++] = moved;
    }
}

static int rewind_records(struct rebuild *r, struct dr_error *err)
{
    inflate_close(r->records);
    r->records = NULL;
    r->record_at = r->record_len = 0;
    r->contents = r->left = 0;
    memset(r->last, 0, sizeof r->last);
    if (lseek(r->split, 0, SEEK_SET) < 0)
        return dr_fail_errno(err, DR_ERR_INTERNAL, "read its split");
    return inflate_open("application/vnd.oci.image.layer.v1.tar+gzip", read_split, r,
                        &r->records, err);
}

/* Only where something was moved the records have to be gone through for it first. */
static int find_moved(struct rebuild *r, struct dr_error *err)
{
    struct stat st;
    if (fstatat(r->dir, "lost", &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : dr_fail_errno(err, DR_ERR_INTERNAL, "look for lost");
    int result;
    while ((result = next_record(r, true, err)) > 0)
        if (r->kind == SPLIT_RAW)
            for (uint8_t byte; r->left > 0; r->left--)
                if (get_all(r, &byte, 1, err) < 0)
                    return -1;
    return result < 0 ? -1 : rewind_records(r, err);
}

/* ---- contents ---- */

/* What was at path, or at a directory or symlink on its way, when the content at hand was
 * unpacked, and was moved away later; NULL: nothing was. */
static const struct moved *find_replaced(const struct rebuild *r, const char *path)
{
    for (size_t i = 0; i < r->n_moved; i++) {
        const struct moved *m = &r->moved[i];
        if (m->before >= r->contents && strncmp(path, m->path, m->len) == 0 &&
            (path[m->len] == '\0' || path[m->len] == '/'))
            return m;
    }
    return NULL;
}

/* path leads through a symlink that was moved away: to where it pointed. */
static int follow_replaced(const struct moved *m, const char *target, char path[PATH_MAX],
                           struct dr_error *err)
{
    size_t len;
    const char *slash = *target == '/' ? NULL : strrchr(m->path, '/');
    dr_auto_free char *led = dr_printf("%.*s/%s%s", slash ? (int)(slash - m->path) : 0,
                                       m->path, target, path + m->len);
    return tar_name_clean(led, "name", path, &len, err);
}

/* Where the content that begins now is: below fs/, or where it was put when something
 * took its place. path is clean, and changed. Returns NULL with err. */
static char *place_of(const struct rebuild *r, char path[PATH_MAX], struct dr_error *err)
{
    for (int links = 0; links < LINKS_MAX; links++) {
        char target[PATH_MAX], name[32];
        const struct moved *m = find_replaced(r, path);
        if (!m)
            return dr_printf("fs/%s", path);
        snprintf(name, sizeof name, "lost/%zu", (size_t)(m - r->moved));
        ssize_t n =
            path[m->len] ? readlinkat(r->dir, name, target, sizeof target - 1) : -1;
        if (n < 0)
            return dr_printf("%s%s", name, path + m->len);
        target[n] = '\0';
        if (follow_replaced(m, target, path, err) < 0)
            return NULL;
    }
    torn(err);
    return NULL;
}

static int changed(const char *path, const char *why, struct dr_error *err)
{
    dr_auto_free char *shown = dr_escape(path, 200);
    return dr_fail(err, DR_ERR_INTERNAL, "its file %s %s", shown, why);
}

static int open_content(struct rebuild *r, struct dr_error *err)
{
    char path[PATH_MAX];
    size_t len;
    struct stat st;
    if (!r->entry || r->entry->type != TAR_FILE)
        return torn(err);
    if (tar_name_clean(r->entry->name, "name", path, &len, err) < 0)
        return -1;
    char shown[PATH_MAX];
    memcpy(shown, path, len + 1);
    dr_auto_free char *place = place_of(r, path, err);
    if (!place)
        return -1;
    char *below =
        strchr(place, '/') + 1; /* a symlink resolves from the root of the tree */
    below[-1] = '\0';
    dr_auto_fd int root =
        openat(r->dir, place, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct open_how how = {.flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC,
                           .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
    r->file = root < 0 ? -1 : (int)syscall(SYS_openat2, root, below, &how, sizeof how);
    if (r->file < 0 && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP))
        return changed(shown, "is not there any more", err);
    if (r->file < 0 || fstat(r->file, &st) < 0)
        return dr_fail_errno(err, DR_ERR_INTERNAL, "open %s", path);
    if (!S_ISREG(st.st_mode) || st.st_size != r->entry->size)
        return changed(shown, "was changed", err);
    r->extent = 0;
    r->offset = 0;
    return 0;
}

static ssize_t read_content(struct rebuild *r, struct dr_error *err)
{
    const struct tar_entry *e = r->entry;
    if (r->file < 0 && open_content(r, err) < 0)
        return -1;
    size_t want = r->left < CHUNK ? (size_t)r->left : CHUNK;
    int64_t at = r->offset;
    if (e->sparse) {
        while (r->extent < e->n_extents && r->offset == e->extents[r->extent].length) {
            r->extent++;
            r->offset = 0;
        }
        if (r->extent == e->n_extents)
            return torn(err);
        int64_t there = e->extents[r->extent].length - r->offset;
        want = (int64_t)want < there ? want : (size_t)there;
        at = e->extents[r->extent].offset + r->offset;
    }
    ssize_t n;
    do
        n = pread(r->file, r->chunk, want, at);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return dr_fail_errno(err, DR_ERR_INTERNAL, "read %s", e->name);
    if (n == 0)
        return changed(e->name, "was cut off", err);
    r->offset += n;
    return n;
}

/* ---- the tar ---- */

static ssize_t more(struct rebuild *r, const uint8_t **ret_data, struct dr_error *err)
{
    size_t want = r->left < CHUNK ? (size_t)r->left : CHUNK;
    ssize_t n = (ssize_t)want;
    *ret_data = r->chunk;
    switch (r->kind) {
    case SPLIT_ZEROS:
        memset(r->chunk, 0, want);
        break;
    case SPLIT_RAW:
        if (get_all(r, r->chunk, want, err) < 0)
            return -1;
        break;
    case SPLIT_CONTENT:
        n = read_content(r, err);
        break;
    case SPLIT_BLOCK:
        *ret_data = r->last;
        break;
    }
    if (n > 0)
        r->left -= (uint64_t)n;
    return n;
}

/* What the reader reads is what the caller gets. */
static ssize_t fill(void *arg, const uint8_t **ret_data, struct dr_error *err)
{
    struct rebuild *r = arg;
    if (r->left == 0) {
        if (r->file >= 0)
            close(DR_TAKE_FD(r->file));
        int result = next_record(r, false, err);
        if (result <= 0)
            return result;
    }
    ssize_t n = more(r, ret_data, err);
    if (n < 0)
        return -1;
    dr_sha256_add(&r->hash, *ret_data, (size_t)n);
    return r->write(r->arg, *ret_data, (size_t)n, err) < 0 ? -1 : n;
}

static int run(struct rebuild *r, struct tar *tar, struct dr_error *err)
{
    struct tar_entry entry;
    int result;
    while ((result = tar_next(tar, &entry, err)) > 0) {
        const uint8_t *data;
        size_t len;
        r->entry = &entry;
        while ((result = tar_data(tar, &data, &len, err)) > 0)
            ;
        r->entry = NULL;
        if (result < 0)
            return -1;
    }
    return result < 0 ? -1 : tar_drain(tar, err);
}

static int rebuild(struct rebuild *r, const struct oci_digest *diff_id,
                   struct dr_error *err)
{
    char hex[DR_SHA256_HEX + 1];
    if (rewind_records(r, err) < 0 || find_moved(r, err) < 0)
        return -1;
    struct tar *tar = tar_new(fill, r);
    int result = run(r, tar, err);
    tar_free(tar);
    if (result < 0)
        return -1;
    dr_sha256_hex(&r->hash, hex);
    if (strcmp(hex, oci_digest_hex(diff_id)) != 0)
        return dr_fail(err, DR_ERR_INTERNAL,
                       "its files were changed: they give sha256:%s", hex);
    return 0;
}

static int again(struct dr_error *err)
{
    dr_auto_free char *text = dr_strdup(err->text);
    return dr_fail_at(err, DR_AT_UNSET, err->kind, err->code,
                      "%s (to have it whole again, remove the image and pull it)", text);
}

int layer_get(struct layer_store *store, const struct oci_digest *diff_id,
              layer_write_fn write, void *arg, struct dr_error *err)
{
    const char *hex = oci_digest_hex(diff_id);
    dr_auto_fd int dir =
        layer_store_has(store, diff_id)
            ? openat(store->layers, hex, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
            : -1;
    if (dir < 0)
        return dr_fail(err, DR_ERR_NOT_FOUND, "layer %s is not on this target",
                       diff_id->text);
    dr_auto_fd int split = openat(dir, "split", O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (split < 0 && errno == ENOENT) {
        dr_fail(err, DR_ERR_UNSUPPORTED,
                "layer %s was unpacked without a record of its archive", diff_id->text);
        return again(err);
    }
    if (split < 0)
        return dr_fail_errno(err, DR_ERR_INTERNAL, "layer %s: open its split",
                             diff_id->text);
    struct rebuild *r = dr_alloc(sizeof *r);
    r->dir = dir;
    r->split = split;
    r->file = -1;
    r->write = write;
    r->arg = arg;
    dr_sha256_init(&r->hash);
    int result = rebuild(r, diff_id, err);
    inflate_close(r->records);
    if (r->file >= 0)
        close(r->file);
    for (size_t i = 0; i < r->n_moved; i++)
        free(r->moved[i].path);
    free(r->moved);
    free(r);
    if (result == 0)
        return 0;
    dr_wrap(err, "layer %s", diff_id->text);
    return err->kind == DR_ERR_INTERNAL && err->code == 0 ? again(err) : -1;
}
