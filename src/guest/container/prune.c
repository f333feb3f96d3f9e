/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/container/prune.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "guest/container/container.h"
#include "guest/container/journal.h"
#include "guest/events/events.h"
#include "guest/files/usage.h"
#include "guest/prune.h"

#define BUSY_MS 10000 /* for the monitor of one that has ended, say, to clean up */
#define LOOK_MS 20    /* between two looks at what it is by now */

struct pruning {
    struct guest *guest;
    const struct prune_filter *filter;
    char **ids; /* owned */
    json_t *deleted;
    int64_t bytes;
};

static int collect(void *arg, const char *id)
{
    struct pruning *p = arg;
    dr_strv_add(&p->ids, id);
    return 0;
}

/* Lock held: it is what it is now. */
static bool may_go(const struct pruning *p, const struct container *c)
{
    const char *status = container_status(c);
    bool stands = strcmp(status, "created") == 0 || strcmp(status, "exited") == 0 ||
                  strcmp(status, "dead") == 0;
    return stands &&
           prune_filter_matches(p->filter, dr_json_int(c->state, "created_ns", 0),
                                dr_json_object(c->state, "labels"));
}

static int64_t space_of(const struct container *c)
{
    const char *log = dr_json_str(c->record, "log");
    return usage_of_path(c->dir) + (log ? usage_of_path(log) : 0);
}

/* The lock of one that may go, as soon as nobody is at work on it. 1: it stays. */
static int take_lock(const struct pruning *p, const char *id, int *ret_lock,
                     struct dr_error *err)
{
    int64_t deadline = dr_clock_ms() + BUSY_MS;
    for (;;) {
        container_auto struct container now = {0};
        int taken = journal_enter(p->guest, id, LOOK_MS, ret_lock, err);
        if (taken != 1 || dr_clock_ms() >= deadline)
            return taken;
        if (container_load(p->guest, id, &now, err) < 0)
            return -1;
        if (!may_go(p, &now))
            return 1; /* who had it has started it */
    }
}

/* 1: it stays. */
static int prune_one(struct pruning *p, const char *id, struct dr_error *err)
{
    container_auto struct container c = {0};
    dr_auto_fd int lock = -1;
    /* a look without the lock spares most of those that run */
    if (container_load(p->guest, id, &c, err) < 0)
        return -1;
    if (!may_go(p, &c))
        return 1;
    container_release(&c);
    int taken = take_lock(p, id, &lock, err);
    if (taken != 0)
        return taken;
    int result = container_load(p->guest, id, &c, err);
    if (result == 0 && !may_go(p, &c))
        result = 1;
    if (result != 0) {
        dr_auto_error struct dr_error ignored = DR_ERROR_INIT;
        journal_leave(p->guest, id, DR_TAKE_FD(lock), &ignored);
        return result;
    }
    int64_t bytes = space_of(&c);
    if (container_destroy_by_name(p->guest, id, false, err) < 0)
        return -1;
    json_array_append_new(p->deleted, json_string(id));
    p->bytes += bytes;
    return 0;
}

static void tell(const struct pruning *p)
{
    char bytes[24];
    snprintf(bytes, sizeof bytes, "%lld", (long long)p->bytes);
    event_write(p->guest->root, "container", "prune", "", NULL,
                json_pack("{ss}", "reclaimed", bytes));
}

int container_prune(struct guest *guest, const json_t *filters, struct wire_chan *chan,
                    json_t **ret, struct dr_error *err)
{
    prune_auto_filter struct prune_filter *filter = NULL;
    dr_auto_json json_t *deleted = json_array();
    dr_auto_error struct dr_error first = DR_ERROR_INIT;
    struct pruning p = {.guest = guest, .deleted = deleted};
    if (prune_filter_parse(filters, false, &filter, err) < 0)
        return -1;
    p.filter = filter;
    int result = container_each(guest, collect, &p, err);
    for (size_t i = 0; result == 0 && p.ids && p.ids[i] && !wire_cancelled(chan); i++) {
        dr_auto_error struct dr_error why = DR_ERROR_INIT;
        if (prune_one(&p, p.ids[i], &why) < 0 && why.kind != DR_ERR_NOT_FOUND &&
            first.kind == DR_ERR_NONE)
            dr_error_move(&first, &why);
    }
    dr_strv_free(p.ids);
    if (result < 0)
        return -1;
    if (first.kind != DR_ERR_NONE && json_array_size(deleted) == 0)
        return dr_error_move(err, &first);
    tell(&p);
    *ret = json_object();
    dr_json_set(*ret, "deleted", DR_TAKE(deleted));
    dr_json_set_int(*ret, "space_reclaimed", p.bytes);
    return 0;
}
