/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/events/events.h"

#include <errno.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "base/text.h"

#define CHUNK (64u << 10)
#define LINE_MAX_BYTES (1u << 20)

/*
 * At most two files are kept, so there are never more than two to read before the current
 * one: what was events.log when we looked last (fd), and, when it was moved on twice in
 * the meantime, the one between (it is events.log.1 then).
 */
struct event_reader {
    char *path, *old_path;
    int fd;        /* the file that is being read; -1: none yet */
    int next_fd;   /* the one to read after it; -1: to be looked for */
    int notify_fd; /* inotify on the directory; -1: none */
    struct dr_buf buf;
    size_t done; /* bytes of buf that were given out */
    bool skip;   /* the rest of a line that is too long */
};

static int open_read(const char *path)
{
    return open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
}

static ino_t inode(int fd)
{
    struct stat st;
    return fd >= 0 && fstat(fd, &st) == 0 ? st.st_ino : 0;
}

static ino_t inode_of(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 ? st.st_ino : 0;
}

/* Both files as they are at one moment: *ret_old is what came before *ret_new. */
static void open_both(const struct event_reader *r, int *ret_old, int *ret_new)
{
    *ret_old = *ret_new = -1;
    for (int attempt = 0; attempt < 10; attempt++) {
        dr_auto_fd int now = open_read(r->path);
        dr_auto_fd int before = open_read(r->old_path);
        if (now >= 0 && inode(now) != inode_of(r->path))
            continue; /* it was moved on between the two */
        *ret_old = DR_TAKE_FD(before);
        *ret_new = DR_TAKE_FD(now);
        return;
    }
}

struct event_reader *event_reader_open(const char *root, bool from_now)
{
    struct event_reader *r = dr_alloc(sizeof *r);
    *r = (struct event_reader){.path = dr_path_join(root, "events.log"),
                               .old_path = dr_path_join(root, "events.log.1"),
                               .fd = -1,
                               .next_fd = -1,
                               .notify_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK),
                               .buf = DR_BUF_INIT(LINE_MAX_BYTES + CHUNK)};
    /* the directory: the file may not be there yet, and is another one later */
    if (r->notify_fd >= 0 &&
        inotify_add_watch(r->notify_fd, root, IN_MODIFY | IN_CREATE | IN_MOVED_TO) < 0)
        close(DR_TAKE_FD(r->notify_fd));
    open_both(r, &r->fd, &r->next_fd);
    if (r->fd < 0)
        r->fd = DR_TAKE_FD(r->next_fd);
    if (from_now) {
        if (r->next_fd >= 0) {
            close(r->fd);
            r->fd = DR_TAKE_FD(r->next_fd);
        }
        if (r->fd >= 0)
            lseek(r->fd, 0, SEEK_END);
    }
    return r;
}

void event_reader_free(struct event_reader *r)
{
    if (!r)
        return;
    int fds[] = {r->fd, r->next_fd, r->notify_fd};
    for (size_t i = 0; i < DR_COUNT(fds); i++)
        if (fds[i] >= 0)
            close(fds[i]);
    dr_buf_release(&r->buf);
    free(r->path);
    free(r->old_path);
    free(r);
}

int event_reader_fd(struct event_reader *r)
{
    return r->notify_fd;
}

void event_reader_woken(struct event_reader *r)
{
    char drop[4096];
    while (r->notify_fd >= 0 && read(r->notify_fd, drop, sizeof drop) > 0)
        continue;
}

/* True when there is more to read of the current file, maybe in another one that took its
 * place. Nobody writes into a file that was moved on (write.c), so its end is final. */
static bool advance(struct event_reader *r, bool *ret_last_look)
{
    if (r->next_fd < 0) {
        if (r->fd >= 0 && inode(r->fd) == inode_of(r->path))
            return false;
        if (r->fd >= 0 && !*ret_last_look) {
            *ret_last_look = true; /* it was moved on: once more to its end */
            return true;
        }
        int before, now;
        open_both(r, &before, &now);
        if (before >= 0 && r->fd >= 0 && inode(before) == inode(r->fd))
            close(DR_TAKE_FD(before)); /* read already */
        if (before >= 0) {
            r->next_fd = now;
            now = before;
        }
        if (now < 0)
            return false;
        if (r->fd >= 0)
            close(r->fd);
        r->fd = now;
    } else {
        close(r->fd);
        r->fd = DR_TAKE_FD(r->next_fd);
    }
    *ret_last_look = false;
    return true;
}

/* More bytes into buf; false: there are none for now. */
static bool fill(struct event_reader *r)
{
    dr_auto_error struct dr_error full = DR_ERROR_INIT;
    bool last_look = false;
    dr_buf_consume(&r->buf, r->done);
    r->done = 0;
    if (r->buf.len > LINE_MAX_BYTES) { /* no line of ours is that long */
        dr_buf_reset(&r->buf);
        r->skip = true;
    }
    if (dr_buf_reserve(&r->buf, CHUNK, &full) < 0)
        return false;
    do {
        ssize_t n = r->fd < 0 ? 0 : read(r->fd, r->buf.data + r->buf.len, CHUNK);
        if (n > 0) {
            r->buf.len += (size_t)n;
            r->buf.data[r->buf.len] = '\0';
            return true;
        }
        if (n < 0 && errno == EINTR)
            continue;
    } while (advance(r, &last_look));
    return false;
}

json_t *event_reader_next(struct event_reader *r)
{
    for (;;) {
        const char *at = r->buf.data + r->done;
        const char *newline = r->buf.data ? memchr(at, '\n', r->buf.len - r->done) : NULL;
        if (!newline) {
            if (!fill(r))
                return NULL;
            continue;
        }
        size_t len = (size_t)(newline - at);
        r->done += len + 1;
        if (r->skip) {
            r->skip = false;
            continue;
        }
        dr_auto_error struct dr_error torn = DR_ERROR_INIT;
        dr_auto_json json_t *event = dr_json_parse(at, len, LINE_MAX_BYTES, &torn);
        if (dr_json_str(event, "action") && dr_json_str(event, "type"))
            return DR_TAKE(event);
    }
}
