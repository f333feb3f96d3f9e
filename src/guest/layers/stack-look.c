/* SPDX-License-Identifier: Apache-2.0 */
/* Looking through the layers of a stack as overlayfs does. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "base/fs.h"
#include "guest/layers/notes.h"
#include "guest/layers/parents.h"
#include "guest/layers/stack-private.h"

static int compare(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

bool stack_is_implied(const struct member *m, const char *path)
{
    return m->n_implied > 0 &&
           bsearch(&path, m->implied, m->n_implied, sizeof *m->implied, compare) != NULL;
}

static void index_notes(struct member *m)
{
    size_t cap = 0;
    const char *end = m->notes.data + m->notes.len;
    for (const char *p = m->notes.data; p < end; p += strlen(p) + 1) {
        if (*p == NOTE_ROOT) {
            m->brings_root = true;
        } else if (*p == NOTE_ROOT_OPAQUE) {
            m->root_opaque = true;
        } else if (*p == NOTE_IMPLIED) {
            if (m->n_implied == cap)
                m->implied = dr_realloc(m->implied,
                                        (cap = cap ? cap * 2 : 16) * sizeof *m->implied);
            m->implied[m->n_implied++] = p + 1;
        }
    }
    if (m->n_implied > 0)
        qsort(m->implied, m->n_implied, sizeof *m->implied, compare);
}

static int read_notes(struct stack *s, struct member *m, struct dr_error *err)
{
    dr_auto_free char *path = dr_printf("%s/notes", m->name);
    dr_auto_error struct dr_error why = DR_ERROR_INIT;
    m->notes = DR_BUF_INIT(NOTES_MAX);
    if (dr_file_read(s->store->layers, path, &m->notes, &why) < 0)
        return why.kind == DR_ERR_NOT_FOUND ? 0 : dr_error_move(err, &why);
    if (m->notes.len > 0)
        index_notes(m);
    return 0;
}

static void release_member(struct member *m)
{
    dr_buf_release(&m->notes);
    free(m->implied);
    free(m->name);
    if (m->fs >= 0)
        close(m->fs);
}

int stack_insert(struct stack *s, size_t at, const char *name,
                 const struct oci_digest *diff_id, struct dr_error *err)
{
    struct member m = {.name = dr_strdup(name), .diff_id = diff_id, .fs = -1};
    if (read_notes(s, &m, err) < 0) {
        release_member(&m);
        return dr_wrap(err, "layer %s", diff_id->text);
    }
    s->members = dr_realloc(s->members, (s->n + 1) * sizeof *s->members);
    memmove(s->members + at + 1, s->members + at, (s->n - at) * sizeof *s->members);
    s->members[at] = m;
    s->n++;
    return 0;
}

void stack_release(struct stack *s)
{
    for (size_t i = 0; i < s->n; i++)
        release_member(&s->members[i]);
    free(s->members);
}

int stack_member_fs(struct stack *s, size_t i, struct dr_error *err)
{
    struct member *m = &s->members[i];
    if (m->fs >= 0)
        return m->fs;
    dr_auto_free char *path = dr_printf("%s/fs", m->name);
    m->fs =
        openat(s->store->layers, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return m->fs >= 0 ? m->fs
                      : dr_fail_errno(err, DR_ERR_INTERNAL, "open layers/%s", path);
}

/* What one layer has at a path. */
enum probe {
    PROBE_ABSENT, /* look further down */
    PROBE_HIDDEN, /* nothing below can be seen either */
    PROBE_DIR,
    PROBE_OTHER,
};

static bool is_opaque(int fd)
{
    char value;
    return fgetxattr(fd, OPAQUE_XATTR, &value, 1) == 1 && value == 'y';
}

/* ret_fd (PROBE_DIR): the directory, the caller's. ret_opaque: a directory on the way
 * hides what is below. */
static int probe(int fs, const char *path, int *ret_fd, bool *ret_opaque,
                 struct dr_error *err)
{
    dr_auto_fd int at = openat(fs, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    *ret_opaque = false;
    while (at >= 0) {
        char name[NAME_MAX + 1];
        size_t n = strcspn(path, "/");
        if (n > NAME_MAX)
            return PROBE_HIDDEN; /* no layer can have it */
        memcpy(name, path, n);
        name[n] = '\0';
        const bool last = path[n] == '\0';
        int next = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (next < 0) {
            struct stat st;
            if (errno == ENOENT)
                return *ret_opaque ? PROBE_HIDDEN : PROBE_ABSENT;
            if ((errno != ENOTDIR && errno != ELOOP) ||
                fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                break;
            bool whiteout = S_ISCHR(st.st_mode) && st.st_rdev == makedev(0, 0);
            return last && !whiteout ? PROBE_OTHER : PROBE_HIDDEN;
        }
        close(at);
        at = next;
        if (last) {
            *ret_fd = DR_TAKE_FD(at);
            return PROBE_DIR;
        }
        *ret_opaque = *ret_opaque || is_opaque(at);
        path += n + 1;
    }
    return dr_fail_errno(err, DR_ERR_INTERNAL, "look for %s in a layer", path);
}

int stack_look(struct stack *s, size_t below, const char *path, bool brought,
               struct stack_found *ret, struct dr_error *err)
{
    struct stack_found made_up = {.fd = -1};
    for (size_t i = below; i-- > s->bottom;) {
        int fs = stack_member_fs(s, i, err), fd = -1;
        bool opaque = false;
        int what = fs < 0 ? -1 : probe(fs, path, &fd, &opaque, err);
        if (what < 0) {
            dr_cleanup_fd(&made_up.fd);
            return -1;
        }
        if (what == PROBE_ABSENT)
            continue;
        if (what == PROBE_DIR && brought && stack_is_implied(&s->members[i], path)) {
            if (made_up.fd < 0)
                made_up = (struct stack_found){STACK_DIR, i, fd};
            else
                close(fd);
            if (opaque)
                break;
            continue;
        }
        if (what == PROBE_HIDDEN || (what == PROBE_OTHER && made_up.fd >= 0))
            break;
        dr_cleanup_fd(&made_up.fd);
        *ret = (struct stack_found){what == PROBE_DIR ? STACK_DIR : STACK_OTHER, i, fd};
        return 0;
    }
    *ret = made_up;
    return 0;
}
