/* SPDX-License-Identifier: Apache-2.0 */
#include "archive/place.h"

#include <string.h>

#include "base/text.h"

static const char *const schemes[] = {
    [PLACE_REFERENCE] = "docker",
    [PLACE_OCI] = "oci",
    [PLACE_OCI_ARCHIVE] = "oci-archive",
    [PLACE_DOCKER_ARCHIVE] = "docker-archive",
    [PLACE_DIR] = "dir",
};

const char *place_scheme(enum place_kind kind)
{
    return schemes[kind];
}

void place_release(struct place *place)
{
    free(place->path);
    free(place->name);
    *place = (struct place){0};
}

/* The scheme that text begins with; PLACE_REFERENCE when it is none of the others. */
static enum place_kind kind_of(const char *text, size_t *ret_len)
{
    size_t len = strcspn(text, ":");
    *ret_len = 0;
    if (text[len] != ':')
        return PLACE_REFERENCE;
    for (size_t i = PLACE_OCI; i < DR_COUNT(schemes); i++)
        if (strlen(schemes[i]) == len && strncmp(schemes[i], text, len) == 0) {
            *ret_len = len + 1;
            return (enum place_kind)i;
        }
    return PLACE_REFERENCE;
}

int place_parse(const char *text, bool always, struct place *ret, struct dr_error *err)
{
    size_t prefix;
    enum place_kind kind = kind_of(text, &prefix);
    if (kind == PLACE_REFERENCE && strncmp(text, "docker://", 9) == 0)
        prefix = 9;
    const char *rest = text + prefix;
    /* a directory of Windows has a colon of its own: C:\images */
    bool drive = ((rest[0] | 32) >= 'a' && (rest[0] | 32) <= 'z') && rest[1] == ':' &&
                 (rest[2] == '\\' || rest[2] == '/');
    size_t len = kind == PLACE_REFERENCE || kind == PLACE_DIR
                     ? strlen(rest)
                     : (drive ? 2 : 0) + strcspn(rest + (drive ? 2 : 0), ":");
    dr_auto_free char *path = dr_strndup(rest, len);
    if ((kind == PLACE_OCI || kind == PLACE_DIR) && !always && !rest[len] &&
        !strpbrk(path, "/\\") && access(path, F_OK) < 0) {
        kind = PLACE_REFERENCE;
        free(path);
        path = dr_strdup(text);
        rest = path;
        len = strlen(path);
    }
    if (len == 0) {
        dr_auto_free char *shown = dr_escape(text, 100);
        return dr_fail(
            err, DR_ERR_INVALID, "'%s' names no %s: write, for example, %s:%s", shown,
            kind == PLACE_OCI || kind == PLACE_DIR ? "directory" : "file", schemes[kind],
            kind == PLACE_OCI || kind == PLACE_DIR ? "./image" : "image.tar");
    }
    /* tar's word for a pipe: a file of that name would surprise */
    if (strcmp(path, "-") == 0 &&
        (kind == PLACE_OCI_ARCHIVE || kind == PLACE_DOCKER_ARCHIVE))
        return dr_fail(
            err, DR_ERR_INVALID,
            "%s:- is no pipe: write %s:/dev/stdin or %s:/dev/stdout (a file of "
            "that name: ./-)",
            schemes[kind], schemes[kind], schemes[kind]);
    const char *name = rest[len] == ':' && rest[len + 1] ? rest + len + 1 : NULL;
    *ret = (struct place){kind, DR_TAKE(path), dr_strdup(name)};
    return 0;
}
