/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/syscall.h>

#include "base/text.h"
#include "guest/files/view.h"
#include "spec/container.h"

#define RACES_MAX 64

int view_openat(int root, const char *path, int flags)
{
    struct open_how how = {.flags = (uint64_t)(flags | O_CLOEXEC),
                           .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
    for (int races = 0;; races++) {
        int fd = (int)syscall(SYS_openat2, root, *path ? path : ".", &how, sizeof how);
        if (fd >= 0 || errno != EAGAIN || races == RACES_MAX)
            return fd;
    }
}

void view_place_release(struct view_place *place)
{
    if (place->at >= 0)
        close(place->at);
    free(place->name);
    free(place->as);
    *place = VIEW_PLACE_INIT;
}

static int cannot_find(const char *path, struct dr_error *err)
{
    int number = errno;
    dr_auto_free char *shown = dr_escape(path, 200);
    errno = number;
    if (number == ENOENT || number == ENOTDIR)
        return dr_fail_at(err, DR_AT_UNSET, DR_ERR_NOT_FOUND, ENOENT,
                          "no such file or directory: %s", shown);
    if (number == ELOOP)
        return dr_fail(err, DR_ERR_INVALID, "%s: too many symbolic links", shown);
    if (number == ENAMETOOLONG)
        return dr_fail(err, DR_ERR_INVALID, "%s: the name is too long", shown);
    return dr_fail_errno(err, DR_ERR_INTERNAL, "%s", shown);
}

static bool ends_with(const char *text, const char *end)
{
    size_t a = strlen(text), b = strlen(end);
    return a >= b && strcmp(text + a - b, end) == 0;
}

int view_find(const struct view *view, const char *path, bool follow,
              struct view_place *ret, struct dr_error *err)
{
    view_auto_place struct view_place place = VIEW_PLACE_INIT;
    dr_auto_free char *absolute =
        dr_printf("%s%s", path && *path == '/' ? "" : "/", path ? path : "");
    dr_auto_free char *clean = spec_path_clean(absolute);
    bool dot = ends_with(absolute, "/."), slash = ends_with(absolute, "/");
    char *last = strrchr(clean, '/');
    bool root = strcmp(clean, "/") == 0;
    place.as = dr_strdup(dot || root ? "." : last + 1);
    if (dot || slash || root) {
        place.at = view_openat(view->root, clean, O_PATH | O_DIRECTORY);
    } else {
        dr_auto_free char *parent = dr_strndup(clean, (size_t)(last - clean));
        place.name = dr_strdup(last + 1);
        place.at = view_openat(view->root, parent, O_PATH | O_DIRECTORY);
    }
    if (place.at < 0 ||
        fstatat(place.at, place.name ? place.name : "", &place.st,
                AT_SYMLINK_NOFOLLOW | (place.name ? 0 : AT_EMPTY_PATH)) < 0)
        return cannot_find(absolute, err);
    if (follow && S_ISLNK(place.st.st_mode)) {
        dr_auto_fd int target = view_openat(view->root, clean, O_PATH);
        if (target < 0 || fstat(target, &place.st) < 0)
            return cannot_find(absolute, err);
        close(place.at);
        place.at = DR_TAKE_FD(target);
        free(DR_TAKE(place.name));
    }
    *ret = place;
    place = VIEW_PLACE_INIT;
    return 0;
}
