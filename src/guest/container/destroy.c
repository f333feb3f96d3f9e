/* SPDX-License-Identifier: Apache-2.0 */
/* The one place that undoes a container, from whatever state. */
#include "guest/container/container.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/fs.h"
#include "base/text.h"
#include "guest/cgroup/cgroup.h"
#include "guest/container/bundles.h"
#include "guest/container/event.h"
#include "guest/container/journal.h"
#include "guest/container/names.h"
#include "guest/container/volumes.h"
#include "guest/net/net.h"
#include "spec/container.h"

#define KILL_MS 10000

/* Keeps the first failure and goes on. */
static void keep(struct dr_error *first, struct dr_error *later)
{
    if (first->kind == DR_ERR_NONE && later->kind != DR_ERR_NONE)
        dr_error_move(first, later);
    dr_error_release(later);
}

/* From here on it is no container any more: a crash in the middle is finished by the next
 * command. Needs no space, and happens before the first byte of it goes. */
static void mark_removing(const struct container *c, bool volumes)
{
    dr_auto_free char *first = dr_path_join(c->run_dir, CONTAINER_FIRST_STATE);
    dr_auto_free char *state = dr_path_join(c->dir, "state.json");
    dr_auto_free char *marked =
        dr_path_join(c->dir, volumes ? "rmvol.json" : "rmove.json");
    unlink(first);
    if (rename(state, marked) < 0 && errno != ENOENT)
        unlink(state);
}

static void reload_record(const struct guest *guest, struct container *c)
{
    container_auto struct container now = {0};
    dr_auto_error struct dr_error gone = DR_ERROR_INIT;
    if (container_load(guest, c->id, &now, &gone) < 0 || !now.record)
        return;
    json_decref(c->record);
    c->record = DR_TAKE(now.record);
}

struct guess {
    struct guest *guest;
    const char *id;
    struct dr_error *first;
};

/* Where create would have put the bundle of a container with this name. */
static int remove_guessed(void *arg, const char *name)
{
    struct guess *guess = arg;
    dr_auto_free char *slug = spec_slug(name);
    const char *const slugs[] = {slug, name}; /* a service's name is its own slug */
    for (int i = 0; i < 4; i++) {
        struct dr_error err = DR_ERROR_INIT;
        dr_auto_free char *bundle =
            bundle_path(guess->guest, guess->id, slugs[i / 2], i % 2);
        dr_auto_free char *log = bundle_log_path(guess->guest, bundle);
        bundle_remove(guess->guest, guess->id, bundle, log, &err);
        keep(guess->first, &err);
    }
    return 0;
}

/* Bundle and log, then the name. */
static void remove_named(struct guest *guest, struct container *c, struct dr_error *first)
{
    struct dr_error err = DR_ERROR_INIT;
    const char *name = dr_json_str(c->record, "name");
    const char *renaming = dr_json_str(c->record, "renaming");
    if (!name) { /* what is kept of it is torn: its names are looked for */
        struct guess guess = {guest, c->id, first};
        name_each(guest, c->id, remove_guessed, &guess);
    }
    bundle_remove(guest, c->id, dr_json_str(c->record, "bundle"),
                  dr_json_str(c->record, "log"), &err);
    keep(first, &err);
    if (!name)
        name_free_by_id(guest, c->id);
    else
        name_free(guest, name, c->id);
    if (renaming)
        name_free(guest, renaming, c->id);
}

int container_destroy_files(struct guest *guest, const char *id, bool volumes,
                            struct dr_error *err)
{
    struct dr_error first = DR_ERROR_INIT, later = DR_ERROR_INIT;
    container_auto struct container c = {0};
    dr_auto_free char *cgroup = cgroup_path(id);
    dr_auto_free char *dir = container_dir(guest, id);
    /* what another version wrote, or cannot be read now, is not taken apart half-known */
    if (container_load(guest, id, &c, &later) < 0 && later.kind != DR_ERR_NOT_FOUND)
        return dr_error_move(err, &later);
    dr_error_release(&later);

    /* The usual case first: everybody is dead. */
    if (cgroup_remove(cgroup, &later) < 0) {
        dr_error_release(&later);
        if (cgroup_kill(cgroup, dr_clock_ms() + KILL_MS, &later) < 0)
            return dr_error_move(err,
                                 &later); /* what lives still writes: remove nothing */
        cgroup_remove(cgroup, &later);
        keep(&first, &later);
    }
    if (c.dir) {
        dr_auto_fd int state = container_state_lock(guest, id);
        reload_record(guest, &c); /* it may have been renamed meanwhile */
        mark_removing(&c, volumes);
        if (state >= 0)
            close(DR_TAKE_FD(state));
        if (volumes)
            volumes_remove_anonymous(guest, container_name(&c),
                                     dr_json_array(c.record, "volumes"), &later);
        keep(&first, &later);
        remove_named(guest, &c, &first);
        /* spec.json is the last to go: it says where the rest is */
        static const char *const parts[] = {"upper", "work"};
        for (size_t i = 0; i < DR_COUNT(parts); i++) {
            dr_auto_free char *path = dr_path_join(dir, parts[i]);
            dr_remove_all(AT_FDCWD, path, &later);
            keep(&first, &later);
        }
        if (first.kind == DR_ERR_NONE)
            dr_remove_all(AT_FDCWD, dir, &later);
        keep(&first, &later);
    } else {
        name_free_by_id(guest, id);
    }
    if (first.kind == DR_ERR_NONE && c.state) /* none: it was never made, or torn */
        container_event(guest, &c, "destroy", NULL, NULL);
    if (first.kind != DR_ERR_NONE) {
        dr_error_move(err, &first);
        return dr_wrap(err, "remove container %.12s", id);
    }
    return 0;
}

int container_destroy_rest(struct guest *guest, const char *id, struct dr_error *err)
{
    net_down(guest, id);                       /* C31: never a reason to fail */
    if (journal_leave(guest, id, -1, err) < 0) /* the caller lets go of the lock */
        return dr_wrap(err, "remove container %.12s", id);
    return 0;
}

int container_destroy_by_name(struct guest *guest, const char *id, bool volumes,
                              struct dr_error *err)
{
    if (container_destroy_files(guest, id, volumes, err) < 0)
        return -1;
    return container_destroy_rest(guest, id, err);
}
