/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/container/list.h"

#include <string.h>

#include "guest/container/container.h"
#include "guest/container/pause.h"

/* "stopping" and "paused" are beside what the state file says: a mark in the run
 * directory, and what the kernel says of the cgroup. */
const char *container_shown_status(const struct container *c)
{
    const char *status = container_status(c);
    if (strcmp(status, "running") == 0)
        return container_is_stopping(c) ? "stopping"
               : container_is_paused(c) ? "paused"
                                        : status;
    return strcmp(status, "removing") == 0 ? "dead" : status;
}

static bool is_alive(const char *shown)
{
    return strcmp(shown, "running") == 0 || strcmp(shown, "stopping") == 0 ||
           strcmp(shown, "paused") == 0;
}

json_t *container_summary(const struct container *c)
{
    json_t *item = json_object();
    const char *status = container_shown_status(c);
    dr_json_set_str(item, "id", c->id);
    dr_json_set_str(item, "status", status);
    static const char *const same[] = {
        "name",       "image",       "image_id",  "command",      "created_ns",
        "started_ns", "labels",      "network",   "finished_ns",  "auto_remove",
        "service",    "replica",     "error",     "deployment",   "ports",
        "schedule",   "next_run_ns", "run_count", "failed_count", "mounts"};
    for (size_t i = 0; i < DR_COUNT(same); i++)
        dr_json_set(item, same[i], json_incref(json_object_get(c->state, same[i])));
    if (!dr_json_str(item, "name"))
        dr_json_set_str(item, "name", "");
    dr_json_set_int(item, "restart_count", dr_json_int(c->state, "restart_count", 0));
    if (is_alive(status)) {
        dr_json_set(item, "health", json_incref(json_object_get(c->state, "health")));
        dr_json_set_int(item, "pid", dr_json_int(c->state, "pid", 0));
    } else if (strcmp(status, "created") != 0 || json_object_get(c->state, "exit_code")) {
        /* of the last end; null: nobody saw it (C21) */
        json_t *code = json_object_get(c->state, "exit_code");
        dr_json_set(item, "exit_code", code ? json_incref(code) : json_null());
        dr_json_set_bool(item, "oom_killed", dr_json_bool(c->state, "oom_killed"));
    }
    return item;
}

struct listing {
    struct guest *guest;
    bool all;
    int (*each)(void *arg, json_t *summary);
    void *arg;
};

static int list_one(void *arg, const char *id)
{
    struct listing *listing = arg;
    container_auto struct container c = {0};
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    /* one that went while we looked, or that another version wrote, is left out */
    if (container_load_state(listing->guest, id, &c, &err) < 0)
        return 0;
    if (!container_is_up(&c) && !listing->all)
        return 0;
    dr_auto_json json_t *summary = container_summary(&c);
    return listing->each(listing->arg, summary);
}

int container_list(struct guest *guest, bool all, int (*each)(void *arg, json_t *summary),
                   void *arg, struct dr_error *err)
{
    struct listing listing = {guest, all, each, arg};
    return container_each(guest, list_one, &listing, err);
}

struct counts {
    struct guest *guest;
    int containers, running;
};

static int count_one(void *arg, const char *id)
{
    struct counts *counts = arg;
    container_auto struct container c = {0};
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    counts->containers++;
    if (container_load_state(counts->guest, id, &c, &err) == 0 &&
        strcmp(container_status(&c), "running") == 0)
        counts->running++;
    return 0;
}

int container_count(struct guest *guest, int *ret_containers, int *ret_running,
                    struct dr_error *err)
{
    struct counts counts = {.guest = guest};
    if (container_each(guest, count_one, &counts, err) < 0)
        return -1;
    *ret_containers = counts.containers;
    *ret_running = counts.running;
    return 0;
}

struct layers {
    struct guest *guest;
    int (*each)(void *arg, const char *diff_id);
    void *arg;
    struct dr_error *err;
};

static int layers_of(void *arg, const char *id)
{
    struct layers *layers = arg;
    container_auto struct container c = {0};
    dr_auto_error struct dr_error gone = DR_ERROR_INIT;
    if (container_load(layers->guest, id, &c, &gone) < 0) {
        if (gone.kind == DR_ERR_NOT_FOUND)
            return 0;
        /* not knowing what a container needs is no reason to take it away */
        return dr_error_move(layers->err, &gone);
    }
    size_t i;
    json_t *diff_id;
    int result = 0;
    json_array_foreach (dr_json_array(c.record, "diff_ids"), i, diff_id)
        if (result == 0)
            result = layers->each(layers->arg, json_string_value(diff_id));
    return result;
}

int container_each_layer(struct guest *guest, int (*each)(void *arg, const char *diff_id),
                         void *arg, struct dr_error *err)
{
    struct layers layers = {guest, each, arg, err};
    return container_each(guest, layers_of, &layers, err);
}

struct user {
    struct guest *guest;
    const char *image_id;
    char *name;
};

static int uses_image(void *arg, const char *id)
{
    struct user *user = arg;
    container_auto struct container c = {0};
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    if (container_load_state(user->guest, id, &c, &err) < 0)
        return 0;
    const char *image_id = dr_json_str(c.state, "image_id");
    if (!image_id || strcmp(image_id, user->image_id) != 0)
        return 0;
    user->name = dr_strdup(container_name(&c));
    return 1;
}

bool container_image_in_use(struct guest *guest, const char *image_id, char **ret_name)
{
    struct user user = {guest, image_id, NULL};
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    if (container_each(guest, uses_image, &user, &err) != 1)
        return false;
    *ret_name = user.name;
    return true;
}

struct image_counts {
    struct guest *guest;
    json_t *counts;
};

static int count_image_of(void *arg, const char *id)
{
    struct image_counts *of = arg;
    container_auto struct container c = {0};
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    if (container_load_state(of->guest, id, &c, &err) < 0)
        return 0;
    const char *image_id = dr_json_str(c.state, "image_id");
    if (image_id)
        dr_json_set_int(of->counts, image_id, dr_json_int(of->counts, image_id, 0) + 1);
    return 0;
}

int container_count_images(struct guest *guest, json_t *counts, struct dr_error *err)
{
    struct image_counts of = {guest, counts};
    return container_each(guest, count_image_of, &of, err);
}

struct volume_users {
    struct guest *guest;
    json_t *users;
    struct dr_error *err;
};

static int volumes_of(void *arg, const char *id)
{
    struct volume_users *of = arg;
    container_auto struct container c = {0};
    dr_auto_error struct dr_error gone = DR_ERROR_INIT;
    if (container_load(of->guest, id, &c, &gone) < 0) {
        /* not knowing what a container has is no reason to take it away */
        return gone.kind == DR_ERR_NOT_FOUND ? 0 : dr_error_move(of->err, &gone);
    }
    size_t i;
    json_t *volume;
    json_array_foreach (dr_json_array(c.record, "volumes"), i, volume) {
        const char *name = dr_json_str(volume, "name");
        json_t *list = name ? json_object_get(of->users, name) : NULL;
        if (name && !list)
            json_object_set_new(of->users, name, list = json_array());
        if (list)
            json_array_append_new(list, json_string(container_name(&c)));
    }
    return 0;
}

int container_volume_users(struct guest *guest, json_t *users, struct dr_error *err)
{
    struct volume_users of = {guest, users, err};
    return container_each(guest, volumes_of, &of, err);
}
