/* SPDX-License-Identifier: Apache-2.0 */
#include "tar/pack.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "base/fs.h"
#include "base/text.h"
#include "base/walk.h"
#include "tar/names.h"
#include "tar/private.h"

#define CHUNK ((size_t)128 << 10)
#define LINKS_MAX 65536u
#define LINK_NAMES_MAX ((size_t)8 << 20)
#define XATTR_MAX 65536 /* the kernel's, of a value and of a list of names */

/* A file with several names that was written. */
struct link {
    struct link *next;
    dev_t dev;
    ino_t ino;
    char name[];
};
#define BUCKETS 4096u

struct tar_packer {
    struct tar_writer *writer;
    struct link *links[BUCKETS];
    unsigned n_links;
    size_t link_bytes;
    struct dr_buf xattr_bytes; /* names and values of the entry at hand */
    struct tar_xattr *xattrs;
    size_t n_xattrs;
    char chunk[CHUNK];
};

struct tar_packer *tar_packer_new(struct tar_writer *w)
{
    struct tar_packer *p = dr_alloc(sizeof *p);
    p->writer = w;
    p->xattr_bytes = DR_BUF_INIT(TAR_EXTENDED_MAX);
    return p;
}

void tar_packer_free(struct tar_packer *p)
{
    if (!p)
        return;
    for (unsigned i = 0; i < BUCKETS; i++)
        while (p->links[i]) {
            struct link *link = p->links[i];
            p->links[i] = link->next;
            free(link);
        }
    dr_buf_release(&p->xattr_bytes);
    free(p->xattrs);
    free(p);
}

static int failed(const char *what, const char *as, struct dr_error *err)
{
    int number = errno;
    dr_auto_free char *shown = dr_escape(as, 200);
    errno = number;
    return dr_fail_errno(err, DR_ERR_NONE, "%s %s", what, shown);
}

static int in_entry(const char *as, struct dr_error *err)
{
    dr_auto_free char *shown = dr_escape(as, 200);
    return dr_wrap(err, "%s", shown);
}

/* --- hard links --- */

static struct link **bucket(struct tar_packer *p, const struct stat *st)
{
    return &p->links[(st->st_ino ^ st->st_dev * 31) % BUCKETS];
}

static const char *first_name(struct tar_packer *p, const struct stat *st)
{
    for (struct link *link = *bucket(p, st); link; link = link->next)
        if (link->ino == st->st_ino && link->dev == st->st_dev)
            return link->name;
    return NULL;
}

static void remember(struct tar_packer *p, const struct stat *st, const char *as)
{
    size_t len = strlen(as) + 1;
    if (p->n_links == LINKS_MAX || p->link_bytes + len > LINK_NAMES_MAX)
        return;
    struct link *link = dr_alloc(sizeof *link + len), **at = bucket(p, st);
    link->dev = st->st_dev;
    link->ino = st->st_ino;
    memcpy(link->name, as, len);
    link->next = *at;
    *at = link;
    p->n_links++;
    p->link_bytes += len;
}

/* --- xattrs --- */

/* Into p->xattrs. A file system that has none, or a list that changes meanwhile, is no
 * failure. */
static int read_xattrs(struct tar_packer *p, int fd, struct dr_error *err)
{
    dr_auto_free char *names = malloc(XATTR_MAX), *value = malloc(XATTR_MAX);
    ssize_t len = names && value ? flistxattr(fd, names, XATTR_MAX) : -1;
    p->n_xattrs = 0;
    dr_buf_reset(&p->xattr_bytes);
    if (len <= 0)
        return 0;
    size_t cap = 0;
    /* offsets first, since the buffer moves as it grows */
    for (const char *name = names; name < names + len; name += strlen(name) + 1) {
        if (!tar_xattr_portable(name))
            continue;
        ssize_t size = fgetxattr(fd, name, value, XATTR_MAX);
        if (size < 0)
            continue;
        if (p->n_xattrs == cap)
            p->xattrs =
                dr_realloc(p->xattrs, (cap = cap ? cap * 2 : 8) * sizeof *p->xattrs);
        p->xattrs[p->n_xattrs].len = (size_t)size;
        p->n_xattrs++;
        if (p->n_xattrs > TAR_XATTRS_MAX ||
            dr_buf_add(&p->xattr_bytes, name, strlen(name) + 1, err) < 0 ||
            dr_buf_add(&p->xattr_bytes, value, (size_t)size, err) < 0) {
            dr_error_release(err);
            return dr_fail(err, DR_ERR_UNSUPPORTED, "too many extended attributes");
        }
    }
    const char *at = p->xattr_bytes.data;
    for (size_t i = 0; i < p->n_xattrs; i++) {
        p->xattrs[i].name = at;
        at += strlen(at) + 1;
        p->xattrs[i].value = at;
        at += p->xattrs[i].len;
    }
    return 0;
}

/* --- content --- */

/* An O_PATH descriptor of the object. Opening it by name for reading could open the
 * device that somebody put in its place just now. Returns -1 with errno. */
static int look_at(int at, const char *name, struct stat *ret)
{
    dr_auto_fd int fd = name ? openat(at, name, O_PATH | O_NOFOLLOW | O_CLOEXEC)
                             : fcntl(at, F_DUPFD_CLOEXEC, 0);
    return fd < 0 || fstat(fd, ret) < 0 ? -1 : DR_TAKE_FD(fd);
}

static int write_content(struct tar_packer *p, int fd, int64_t size, const char *as,
                         struct dr_error *err)
{
    int64_t left = size;
    while (left > 0) {
        size_t want = left < (int64_t)CHUNK ? (size_t)left : CHUNK;
        ssize_t n = read(fd, p->chunk, want);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return failed("read", as, err);
        if (n == 0) {
            memset(p->chunk, 0, want);
            n = (ssize_t)want;
        }
        if (tar_write_data(p->writer, p->chunk, (size_t)n, err) < 0)
            return -1;
        left -= n;
    }
    return 0;
}

static void fill(struct tar_entry *e, const struct stat *st, const char *as)
{
    *e = (struct tar_entry){.name = as,
                            .mode = st->st_mode & 07777,
                            .uid = st->st_uid,
                            .gid = st->st_gid,
                            .mtime = st->st_mtim};
}

static int pack_file(struct tar_packer *p, int look, const struct stat *st,
                     const char *as, struct dr_error *err)
{
    struct tar_entry e;
    dr_auto_fd int fd = dr_open_again(look, 0);
    if (fd < 0)
        return failed("open", as, err);
    fill(&e, st, as);
    const char *first = st->st_nlink > 1 ? first_name(p, st) : NULL;
    if (first) {
        e.type = TAR_HARDLINK;
        e.link = first;
        return tar_write_entry(p->writer, &e, err);
    }
    if (read_xattrs(p, fd, err) < 0)
        return in_entry(as, err);
    e.type = TAR_FILE;
    e.size = st->st_size;
    e.xattrs = p->xattrs;
    e.n_xattrs = p->n_xattrs;
    if (tar_write_entry(p->writer, &e, err) < 0 ||
        write_content(p, fd, st->st_size, as, err) < 0)
        return -1;
    if (st->st_nlink > 1)
        remember(p, st, as);
    return 0;
}

static int pack_directory(struct tar_packer *p, int look, const struct stat *st,
                          const char *as, struct dr_error *err)
{
    struct tar_entry e;
    dr_auto_fd int fd = dr_open_again(look, O_DIRECTORY);
    if (fd < 0)
        return failed("open", as, err);
    if (read_xattrs(p, fd, err) < 0)
        return in_entry(as, err);
    fill(&e, st, as);
    e.type = TAR_DIR;
    e.xattrs = p->xattrs;
    e.n_xattrs = p->n_xattrs;
    return tar_write_entry(p->writer, &e, err);
}

static int pack_symlink(struct tar_packer *p, int look, const struct stat *st,
                        const char *as, struct dr_error *err)
{
    char target[PATH_MAX];
    struct tar_entry e;
    ssize_t n = readlinkat(look, "", target, sizeof target - 1);
    if (n < 0)
        return failed("read link", as, err);
    target[n] = '\0';
    fill(&e, st, as);
    e.type = TAR_SYMLINK;
    e.link = target;
    return tar_write_entry(p->writer, &e, err);
}

static int pack_special(struct tar_packer *p, const struct stat *st, const char *as,
                        struct dr_error *err)
{
    struct tar_entry e;
    fill(&e, st, as);
    e.type = S_ISFIFO(st->st_mode)  ? TAR_FIFO
             : S_ISCHR(st->st_mode) ? TAR_CHAR
                                    : TAR_BLOCKDEV;
    if (e.type != TAR_FIFO) {
        e.dev_major = major(st->st_rdev);
        e.dev_minor = minor(st->st_rdev);
    }
    return tar_write_entry(p->writer, &e, err);
}

int tar_pack_object(struct tar_packer *p, int at, const char *name, const char *as,
                    struct dr_error *err)
{
    struct stat st;
    dr_auto_fd int look = look_at(at, name, &st);
    if (look < 0)
        return errno == ENOENT ? 0 : failed("open", as, err);
    switch (st.st_mode & S_IFMT) {
    case S_IFREG:
        return pack_file(p, look, &st, as, err);
    case S_IFDIR:
        return pack_directory(p, look, &st, as, err);
    case S_IFLNK:
        return pack_symlink(p, look, &st, as, err);
    case S_IFIFO:
    case S_IFCHR:
    case S_IFBLK:
        return pack_special(p, &st, as, err);
    default: /* a socket is nothing without who listens */
        return 0;
    }
}

int tar_pack_tree(struct tar_packer *p, int dirfd, const char *as, unsigned walk_flags,
                  struct dr_error *err)
{
    struct dr_walk *walk;
    struct dr_walk_entry entry;
    int result;
    if (*as && tar_pack_object(p, dirfd, NULL, as, err) < 0)
        return -1;
    if (dr_walk_new(dirfd, walk_flags, &walk, err) < 0)
        return -1;
    while ((result = dr_walk_next(walk, &entry, err)) > 0) {
        dr_auto_free char *path = *as ? dr_printf("%s/%s", as, entry.path) : NULL;
        result = tar_pack_object(p, entry.at, entry.name, path ? path : entry.path, err);
        if (result < 0)
            break;
    }
    dr_walk_free(walk);
    return result;
}
