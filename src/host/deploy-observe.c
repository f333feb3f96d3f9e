/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "host/deploy-run.h"

void deploy_hold_release(struct deploy_hold *hold)
{
    if (!hold->chan)
        return;
    wire_close(hold->chan);
    session_unref(hold->session);
    *hold = (struct deploy_hold){0};
}

int deploy_hold_check(const struct deploy_hold *hold, struct dr_error *err)
{
    if (hold->chan && !wire_mux_ended(hold->session->mux))
        return 0;
    return dr_fail_at(err, DR_AT_TRANSPORT, DR_ERR_UNAVAILABLE, 0,
                      "the connection was lost, and with it the deployment's lock");
}

/* Takes what came; 1: there is no more. */
static int take(struct deploy_seen *seen, const json_t *event, bool *ret_waits)
{
    const char *what = dr_json_str(event, "event") ?: "";
    if (strcmp(what, "item") == 0)
        deploy_seen_add(seen, dr_json_object(event, "item"));
    *ret_waits = strcmp(what, "waiting") == 0;
    return strcmp(what, "observed") == 0;
}

int deploy_observe(struct dray_target *target, const char *name, json_t *images,
                   struct deploy_hold *hold, void (*waiting)(void *arg), void *arg,
                   const struct limits *limits, struct deploy_seen *ret,
                   struct dr_error *err)
{
    struct deploy_hold open = {0};
    dr_auto_json json_t *request = request_new("deployment.observe");
    struct deploy_seen seen = deploy_seen_new();
    bool waited = false, over = false;
    dr_json_set_str(request, "name", name);
    dr_json_set_bool(request, "hold", hold != NULL);
    dr_json_set(request, "images", images);
    int rc = request_open(target, request, limits, &open.session, &open.chan, err);
    while (rc == 0 && !over) {
        struct wire_item item = {.type = WIRE_ITEM_EVENT};
        bool waits = false;
        rc = request_next(open.session, open.chan, limits, &item, err);
        if (rc == 0 && item.type == WIRE_ITEM_EVENT)
            over = take(&seen, item.json, &waits);
        if (rc == 0 && item.type == WIRE_ITEM_RESULT) {
            over = true;
            rc = wire_result(open.chan, NULL, err);
        }
        if (rc == 0 && waits && waiting)
            waiting(arg);
        waited = waits || (waited && rc < 0);
        item_release(&item);
    }
    if (rc < 0 && waited && err->kind == DR_ERR_TIMEOUT)
        dr_wrap(err, "another command is at work on deployment %s", name);
    if (rc == 0 && hold)
        *hold = open;
    else
        deploy_hold_release(&open);
    if (rc == 0)
        *ret = seen;
    else
        deploy_seen_release(&seen);
    return rc;
}
