/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/container/update.h"

#include <poll.h>
#include <string.h>

#include "base/fs.h"
#include "base/text.h"
#include "guest/bundle/bundle.h"
#include "guest/cgroup/cgroup.h"
#include "guest/cgroup/limits.h"
#include "guest/container/create.h"
#include "guest/container/event.h"
#include "guest/container/journal.h"

#define BUSY_MS 20000 /* a start of it, say, which reads what we are about to change */

static const char *const members[] = {"memory_bytes", "nano_cpus", "cpu_shares",
                                      "pids_limit",   "restart",   "restart_max"};

static int check_members(const json_t *request, struct dr_error *err)
{
    const char *key;
    json_t *value;
    json_object_foreach ((json_t *)request, key, value) {
        bool known = strcmp(key, "op") == 0 || strcmp(key, "id") == 0;
        for (size_t i = 0; i < DR_COUNT(members); i++)
            known = known || strcmp(key, members[i]) == 0;
        if (!known)
            return dr_fail(err, DR_ERR_INVALID,
                           "%s cannot be updated; memory_bytes, nano_cpus, cpu_shares, "
                           "pids_limit, restart and restart_max can",
                           key);
    }
    return 0;
}

/* What the container was and what it is to be. */
struct change {
    struct guest *guest;
    struct container *c;
    const json_t *request;
    json_t *record;                          /* the new one */
    char *config_path, *config, *old_config; /* owned */
    struct cgroup_limits limits;
    bool set_limits, set_restart;
};

static void change_release(struct change *change)
{
    json_decref(change->record);
    free(change->config_path);
    free(change->config);
    free(change->old_config);
}

/* The spec with the request on top of it, checked as at create. */
static struct spec_container *new_spec(const struct change *change, struct dr_error *err)
{
    dr_auto_json json_t *spec = json_deep_copy(dr_json_object(change->c->record, "spec"));
    if (json_object_get(change->request, "restart"))
        json_object_del(spec, "restart_max"); /* it goes with the policy before */
    for (size_t i = 0; i < DR_COUNT(members); i++) {
        json_t *value = json_object_get(change->request, members[i]);
        if (value)
            dr_json_set(spec, members[i], json_incref(value));
    }
    return spec_container_from_json(spec, err);
}

static int plan_config(struct change *change, const struct spec_container *spec,
                       struct dr_error *err)
{
    const char *bundle = dr_json_str(change->c->record, "bundle");
    dr_auto_buf struct dr_buf text = DR_BUF_INIT(RECORD_MAX);
    change->config_path = dr_path_join(bundle ? bundle : "", "config.json");
    if (dr_file_read(AT_FDCWD, change->config_path, &text, err) < 0)
        return -1;
    dr_auto_json json_t *config = bundle_parse(text.data ? text.data : "", text.len, err);
    if (!config || bundle_update_resources(config, spec, container_facts(), err) < 0)
        return -1;
    change->config = bundle_text(config);
    change->old_config = dr_buf_take(&text);
    return 0;
}

static int plan(struct change *change, struct dr_error *err)
{
    const json_t *request = change->request;
    spec_auto_container struct spec_container *spec = new_spec(change, err);
    if (!spec)
        return -1;
    change->limits = (struct cgroup_limits){
        .set_memory = json_object_get(request, "memory_bytes"),
        .set_cpus = json_object_get(request, "nano_cpus"),
        .set_shares = json_object_get(request, "cpu_shares"),
        .set_pids = json_object_get(request, "pids_limit"),
        .memory_bytes = spec->memory_bytes,
        .nano_cpus = spec->nano_cpus,
        .cpu_shares = spec->cpu_shares,
        .pids_limit = spec->pids_limit,
    };
    change->set_limits = change->limits.set_memory || change->limits.set_cpus ||
                         change->limits.set_shares || change->limits.set_pids;
    change->set_restart =
        json_object_get(request, "restart") || json_object_get(request, "restart_max");
    change->record = json_copy(change->c->record);
    dr_json_set(change->record, "spec", spec_container_to_json(spec));
    if (change->set_restart) {
        dr_json_set_str(change->c->state, "restart",
                        spec->restart ? spec->restart : "no");
        dr_json_set_int(change->c->state, "restart_max", spec->restart_max);
    }
    return change->set_limits ? plan_config(change, spec, err) : 0;
}

static int write_config(const struct change *change, const char *text,
                        struct dr_error *err)
{
    return dr_file_write(AT_FDCWD, change->config_path, text, strlen(text), 0600, 0, err);
}

/* Files in the order in which they can be put back. */
static int write_files(struct change *change, struct dr_error *err)
{
    json_t *old = change->c->record;
    if (change->set_limits && write_config(change, change->config, err) < 0)
        return -1;
    change->c->record = change->record;
    int result = container_write_record(change->c, err);
    change->c->record = old;
    if (result == 0 && change->set_restart &&
        (result = container_write_state(change->c, err)) < 0) {
        dr_auto_error struct dr_error ignored = DR_ERROR_INIT;
        container_write_record(change->c, &ignored);
    }
    if (result < 0 && change->set_limits) {
        dr_auto_error struct dr_error ignored = DR_ERROR_INIT;
        write_config(change, change->old_config, &ignored);
    }
    return result;
}

/* State lock held. */
static int update_locked(struct change *change, bool up, struct dr_error *err)
{
    dr_auto_free char *cgroup = cgroup_path(change->c->id);
    struct cgroup_undo *undo = NULL;
    if (plan(change, err) < 0)
        return -1;
    if (up && change->set_limits &&
        cgroup_limits_set(CGROUP_ROOT, cgroup, &change->limits, &undo, err) < 0) {
        if (err->kind != DR_ERR_NOT_FOUND) /* between two runs, or it has just ended */
            return -1;
        dr_error_release(err);
    }
    int result = write_files(change, err);
    cgroup_undo_end(CGROUP_ROOT, cgroup, undo, result < 0);
    return result;
}

/* One try. 1: somebody is starting or removing it just now. */
static int try_update(struct guest *guest, const char *id, const json_t *request,
                      struct dr_error *err)
{
    container_auto struct container c = {0};
    dr_auto_fd int entry = -1;
    dr_auto_fd int lock = container_state_lock(guest, id);
    if (container_load(guest, id, &c, err) < 0)
        return -1;
    if (!c.state || !c.record)
        return dr_fail(err, DR_ERR_CONFLICT,
                       "it is being made or removed, or is damaged");
    bool up = container_is_up(&c);
    /* no start may come in between: it would read the old limits */
    int taken = up ? 0 : journal_enter(guest, id, 0, &entry, err);
    if (taken != 0)
        return taken;
    struct change change = {.guest = guest, .c = &c, .request = request};
    int result = update_locked(&change, up, err);
    change_release(&change);
    if (!up) {
        dr_auto_error struct dr_error ignored = DR_ERROR_INIT;
        journal_leave(guest, id, DR_TAKE_FD(entry), &ignored);
    }
    if (result == 0)
        container_event(guest, &c, "update", NULL, NULL);
    return result;
}

int container_update(struct guest *guest, const struct container *container,
                     const json_t *request, struct dr_error *err)
{
    int64_t deadline = dr_clock_ms() + BUSY_MS;
    int result = check_members(request, err);
    while (result == 0) {
        result = try_update(guest, container->id, request, err);
        if (result == 0)
            return 0;
        if (result == 1 && dr_clock_ms() > deadline)
            result = dr_fail(err, DR_ERR_CONFLICT, "another command is at work on it");
        if (result == 1) {
            poll(NULL, 0, 5);
            result = 0;
        }
    }
    return dr_wrap(err, "update container %s", container_name(container));
}
