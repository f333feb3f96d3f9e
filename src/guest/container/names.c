/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/container/names.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>

#include "base/fs.h"
#include "base/text.h"

static char *link_path(const struct guest *guest, const char *name)
{
    return dr_printf("%s/containers/.names/%s", guest->root, name);
}

int names_lock(const struct guest *guest)
{
    dr_auto_free char *path = link_path(guest, "");
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    while (fd >= 0 && flock(fd, LOCK_EX) < 0 && errno == EINTR)
        continue;
    return fd;
}

/* The id that a name stands for; false when there is none. */
static bool resolve(const struct guest *guest, const char *name,
                    char ret_id[CONTAINER_ID_HEX + 1])
{
    if (!*name || strchr(name, '/') || name[0] == '.')
        return false;
    dr_auto_free char *path = link_path(guest, name);
    ssize_t n = readlink(path, ret_id, CONTAINER_ID_HEX + 1);
    if (n != CONTAINER_ID_HEX)
        return false;
    ret_id[n] = '\0';
    return container_is_id(ret_id);
}

static bool is_there(const struct guest *guest, const char *id)
{
    dr_auto_free char *dir = container_dir(guest, id);
    return access(dir, F_OK) == 0;
}

/* A rename that was cut off leaves the name that it was to be, or that it was: the state
 * has the last word. A container that is being made has none yet, and its name is its. */
static bool is_stale(const struct guest *guest, const char *name, const char *id)
{
    container_auto struct container c = {0};
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    if (!is_there(guest, id))
        return true;
    if (container_load_state(guest, id, &c, &err) < 0)
        return err.kind == DR_ERR_NOT_FOUND;
    const char *is = dr_json_str(c.state, "name");
    return is && strcmp(is, name) != 0;
}

void name_free_locked(const struct guest *guest, const char *name, const char *id)
{
    dr_auto_free char *path = link_path(guest, name);
    char owner[CONTAINER_ID_HEX + 1];
    if (resolve(guest, name, owner) && strcmp(owner, id) == 0)
        unlink(path);
}

void name_free(const struct guest *guest, const char *name, const char *id)
{
    dr_auto_fd int lock = names_lock(guest);
    name_free_locked(guest, name, id);
}

int name_reserve_locked(const struct guest *guest, const char *name, const char *id,
                        struct dr_error *err)
{
    dr_auto_free char *path = link_path(guest, name);
    char owner[CONTAINER_ID_HEX + 1];
    for (int attempt = 0; symlink(id, path) < 0; attempt++) {
        if (errno != EEXIST || attempt == 10)
            return dr_fail_errno(err, DR_ERR_CREATE, "reserve the name %s", name);
        bool known = resolve(guest, name, owner);
        if (known && strcmp(owner, id) == 0)
            return 0; /* left by a rename of this very container that was cut off */
        if (known && !is_stale(guest, name, owner))
            return dr_fail(err, DR_ERR_EXISTS,
                           "the name %s is in use by container %.12s; remove that "
                           "one with `dray rm`, or take another --name",
                           name, owner);
        unlink(path);
    }
    return 0;
}

int name_reserve(const struct guest *guest, const char *name, const char *id,
                 struct dr_error *err)
{
    dr_auto_fd int lock = names_lock(guest);
    if (lock < 0) { /* the first name of all */
        dr_auto_free char *dir = link_path(guest, "");
        if (dr_mkdir_all(dir, 0700, err) < 0)
            return -1;
        lock = names_lock(guest);
    }
    return name_reserve_locked(guest, name, id, err);
}

int name_each(const struct guest *guest, const char *id,
              int (*each)(void *arg, const char *name), void *arg)
{
    dr_auto_free char *path = link_path(guest, "");
    DIR *dir = opendir(path);
    struct dirent *entry;
    char owner[CONTAINER_ID_HEX + 1];
    int result = 0;
    while (dir && result == 0 && (entry = readdir(dir)))
        if (entry->d_name[0] != '.' && resolve(guest, entry->d_name, owner) &&
            (!id || strcmp(owner, id) == 0))
            result = each(arg, entry->d_name);
    if (dir)
        closedir(dir);
    return result;
}

struct freeing {
    const struct guest *guest;
    const char *id;
};

static int free_one(void *arg, const char *name)
{
    const struct freeing *f = arg;
    name_free(f->guest, name, f->id);
    return 0;
}

void name_free_by_id(const struct guest *guest, const char *id)
{
    struct freeing f = {guest, id};
    name_each(guest, id, free_one, &f);
}

static int sweep_one(void *arg, const char *name)
{
    const struct guest *guest = arg;
    dr_auto_fd int lock = names_lock(guest);
    dr_auto_free char *path = link_path(guest, name);
    char owner[CONTAINER_ID_HEX + 1];
    if (resolve(guest, name, owner) && is_stale(guest, name, owner))
        unlink(path);
    return 0;
}

void name_sweep(const struct guest *guest)
{
    name_each(guest, NULL, sweep_one, (void *)guest);
}

char *name_generate(int attempt)
{
    static const char *const manners[] = {
        "agile", "amber",  "bold",  "brisk",   "calm",   "candid", "clever", "crisp",
        "deft",  "eager",  "fair",  "fleet",   "frank",  "gentle", "glad",   "hardy",
        "jolly", "keen",   "kind",  "lively",  "lucid",  "mellow", "merry",  "mild",
        "neat",  "nimble", "noble", "patient", "placid", "plucky", "proud",  "quick",
        "quiet", "rapid",  "ready", "sharp",   "silent", "sleek",  "smart",  "snug",
        "solid", "spry",   "stout", "sturdy",  "sunny",  "swift",  "tidy",   "trim",
        "vivid", "warm",   "wary",  "wise",    "witty",  "young",  "zesty",  "zippy"};
    static const char *const things[] = {
        "anchor",  "axle",    "ballast", "barge",    "beacon",  "berth",   "bollard",
        "bridle",  "buoy",    "cable",   "canal",    "capstan", "cargo",   "carter",
        "cask",    "cleat",   "clipper", "cooper",   "crane",   "crate",   "davit",
        "derrick", "dock",    "dolly",   "drayman",  "ferry",   "freight", "gantry",
        "girder",  "halyard", "harbor",  "hawser",   "hitch",   "hoist",   "jetty",
        "keel",    "ketch",   "lantern", "lever",    "lighter", "lorry",   "mast",
        "mooring", "packet",  "pallet",  "pier",     "pilot",   "porter",  "pulley",
        "quay",    "rigger",  "rudder",  "schooner", "sloop",   "spindle", "tackle",
        "tender",  "tiller",  "trestle", "tugboat",  "wagon",   "wharf",   "winch",
        "yard"};
    unsigned r[3] = {0};
    if (getrandom(r, sizeof r, 0) != sizeof r)
        r[0] = (unsigned)dr_now_ns();
    const char *a = manners[r[0] % DR_COUNT(manners)],
               *b = things[r[1] % DR_COUNT(things)];
    return attempt == 0 ? dr_printf("%s_%s", a, b)
                        : dr_printf("%s_%s%u", a, b, r[2] % 100000);
}

struct prefix {
    const char *text;
    char found[CONTAINER_ID_HEX + 1];
    int count;
};

static int match_prefix(void *arg, const char *id)
{
    struct prefix *prefix = arg;
    if (strncmp(id, prefix->text, strlen(prefix->text)) == 0) {
        memcpy(prefix->found, id, sizeof prefix->found);
        prefix->count++;
    }
    return 0;
}

int container_find(const struct guest *guest, const char *text, struct container *ret,
                   struct dr_error *err)
{
    char id[CONTAINER_ID_HEX + 1];
    dr_auto_free char *shown = dr_escape(text ? text : "", 200);
    if (!text || !*text)
        return dr_fail(err, DR_ERR_INVALID, "no container is named");
    if (container_is_id(text))
        return container_load(guest, text, ret, err);
    if (resolve(guest, text, id) && !is_stale(guest, text, id))
        return container_load(guest, id, ret, err);
    size_t len = strlen(text);
    struct prefix prefix = {.text = text};
    if (len < CONTAINER_ID_HEX && strspn(text, "0123456789abcdef") == len &&
        container_each(guest, match_prefix, &prefix, err) < 0)
        return -1;
    if (prefix.count == 1)
        return container_load(guest, prefix.found, ret, err);
    if (prefix.count > 1)
        return dr_fail(err, DR_ERR_INVALID,
                       "%d containers have ids that begin with %s: give "
                       "more of it",
                       prefix.count, shown);
    return dr_fail(err, DR_ERR_NOT_FOUND, "no such container: %s", shown);
}
