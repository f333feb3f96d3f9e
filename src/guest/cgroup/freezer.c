/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/cgroup/freezer.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>

#include "base/text.h"
#include "guest/cgroup/file.h"

/* A v1 freezer can stay on its way for ever when a process forked or came in just then;
 * letting all run on for a moment and asking again helps. */
#define ASK_AGAIN 16

static int ask(const char *root, const char *path, bool frozen)
{
    bool v2 = false; /* without a freezer it stays that */
    dr_auto_fd int fd = cgroup_file_open(root, path, "freezer", "freezer.state",
                                         "cgroup.freeze", O_WRONLY | O_TRUNC, &v2);
    const char *text = v2 ? (frozen ? "1" : "0") : (frozen ? "FROZEN" : "THAWED");
    return fd >= 0 && write(fd, text, strlen(text)) >= 0 ? 0 : -1;
}

/* Does every process stand still? */
static bool all_frozen(const char *root, const char *path)
{
    char text[256];
    bool v2;
    if (cgroup_file_read(root, path, "freezer", "freezer.state", "cgroup.events", text,
                         sizeof text, &v2) < 0)
        return false;
    return v2 ? strstr(text, "frozen 1") != NULL : strncmp(text, "FROZEN", 6) == 0;
}

static int fail(const char *what, struct dr_error *err)
{
    if (errno == ENOENT)
        return dr_fail(err, DR_ERR_UNSUPPORTED,
                       "this target has no freezer for it (the cgroup v1 controller "
                       "`freezer`, or cgroup v2): it cannot be paused");
    return dr_fail_errno(err, DR_ERR_INTERNAL, "%s its cgroup", what);
}

int cgroup_freeze(const char *root, const char *path, int64_t deadline_ms,
                  struct dr_error *err)
{
    if (ask(root, path, true) < 0)
        return fail("freeze", err);
    for (int i = 1; !all_frozen(root, path); i++) {
        if (dr_clock_ms() > deadline_ms) {
            ask(root, path, false);
            return dr_fail(
                err, DR_ERR_TIMEOUT,
                "a process of it does not stand still: it waits in the kernel");
        }
        poll(NULL, 0, i < 10 ? 1 : 10);
        if (i % ASK_AGAIN)
            continue;
        ask(root, path, false);
        poll(NULL, 0, 1);
        if (ask(root, path, true) < 0)
            return fail("freeze", err);
    }
    return 0;
}

int cgroup_thaw(const char *root, const char *path, struct dr_error *err)
{
    return ask(root, path, false) == 0 ? 0 : fail("thaw", err);
}

bool cgroup_is_frozen(const char *root, const char *path)
{
    char text[32];
    /* v1: what was asked of this very cgroup, as v2's file says it */
    if (cgroup_file_read(root, path, "freezer", "freezer.self_freezing", "cgroup.freeze",
                         text, sizeof text, NULL) >= 0)
        return text[0] == '1';
    return cgroup_file_read(root, path, "freezer", "freezer.state", NULL, text,
                            sizeof text, NULL) > 0 &&
           strncmp(text, "THAWED", 6) != 0;
}
