/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/events/events.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "base/text.h"

/* Who holds the lock writes one line: many writers on a busy machine are through in less.
 * One that is stopped in there holds up nobody for longer: then the line is written
 * without. */
#define LOCK_MS 2000

static void lock(int fd)
{
    int64_t until = dr_clock_ms() + LOCK_MS;
    while (flock(fd, LOCK_EX | LOCK_NB) < 0 && dr_clock_ms() < until) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            return;
        poll(NULL, 0, 1);
    }
}

/* The current file, locked; another one may have been made of it before it was. */
static int open_current(const char *path, struct stat *ret)
{
    for (int attempt = 0; attempt < 10; attempt++) {
        dr_auto_fd int fd =
            open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0)
            return -1;
        lock(fd);
        struct stat is;
        if (fstat(fd, ret) == 0 && stat(path, &is) == 0 && is.st_ino == ret->st_ino)
            return DR_TAKE_FD(fd);
    }
    return -1;
}

static char *line_of(const char *type, const char *action, const char *id,
                     const char *name, json_t *attributes)
{
    dr_auto_json json_t *event = json_object();
    dr_json_set_int(event, "time_ns", dr_now_ns());
    dr_json_set_str(event, "type", type);
    dr_json_set_str(event, "action", action);
    dr_json_set_str(event, "id", id);
    dr_json_set_str(event, "name", name);
    dr_json_set(event, "attributes",
                attributes ? json_incref(attributes) : json_object());
    dr_auto_free char *text = dr_json_text(event);
    return dr_printf("%s\n", text);
}

void event_write_bounded(const char *root, size_t file_max, const char *type,
                         const char *action, const char *id, const char *name,
                         json_t *attributes)
{
    dr_auto_json json_t *owned = attributes;
    dr_auto_free char *path = dr_path_join(root, "events.log");
    dr_auto_free char *old = dr_path_join(root, "events.log.1");
    struct stat st;
    dr_auto_fd int fd = open_current(path, &st);
    if (fd >= 0 && st.st_size > 0 && (size_t)st.st_size >= file_max &&
        rename(path, old) == 0) {
        close(DR_TAKE_FD(fd));
        fd = open_current(path, &st);
    }
    if (fd < 0)
        return;
    /* the time is taken under the lock, so that the file is in order */
    dr_auto_free char *line = line_of(type, action, id, name, owned);
    if (strlen(line) > EVENT_LINE_MAX) {
        free(line);
        line = line_of(type, action, id, name, NULL);
    }
    size_t len = strlen(line);
    ssize_t n = write(fd, line, len);
    /* a disk that took half a line: what was there before stays whole */
    if (n > 0 && (size_t)n < len && ftruncate(fd, st.st_size) < 0)
        return; /* readers pass over a torn line */
}

void event_write(const char *root, const char *type, const char *action, const char *id,
                 const char *name, json_t *attributes)
{
    event_write_bounded(root, EVENTS_FILE_MAX, type, action, id, name, attributes);
}
