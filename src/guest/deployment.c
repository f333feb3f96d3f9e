/* SPDX-License-Identifier: Apache-2.0 */
/*
 * deployment.observe (PROTOCOL.md): all that a plan is made of, in one answer; and the
 * lock of a deployment, which is held as long as its request is open. A helper that dies
 * lets it go.
 */
#include <poll.h>
#include <string.h>

#include "base/fs.h"
#include "base/text.h"
#include "guest/container/container.h"
#include "guest/container/list.h"
#include "guest/guest.h"
#include "guest/images/images.h"
#include "guest/net/network.h"
#include "guest/volumes/volumes.h"
#include "spec/container.h"

#define ASK_AGAIN_MS 30 /* while another one has the lock */

struct observer {
    struct guest *guest;
    struct wire_chan *chan;
    const char *name; /* NULL: of all deployments */
    struct dr_error *err;
};

static int say(struct wire_chan *chan, const char *what, struct dr_error *err)
{
    dr_auto_json json_t *event = json_object();
    dr_json_set_str(event, "event", what);
    return wire_event(chan, event, err);
}

/* {"kind": kind, …members of item}; item is taken over. */
static int send_item(struct observer *o, const char *kind, json_t *item)
{
    dr_auto_json json_t *event = json_object();
    dr_json_set_str(item, "kind", kind);
    dr_json_set_str(event, "event", "item");
    dr_json_set(event, "item", item);
    return wire_event(o->chan, event, o->err);
}

static bool is_of(const char *deployment, const char *name)
{
    return deployment && (!name || strcmp(deployment, name) == 0);
}

/* Whose name it is: of the others no more counts. */
static json_t *stranger(const json_t *summary)
{
    static const char *const members[] = {"id", "name", "service", "deployment"};
    json_t *item = json_object();
    for (size_t i = 0; i < DR_COUNT(members); i++)
        dr_json_set(item, members[i], json_incref(json_object_get(summary, members[i])));
    dr_json_set_bool(item, "stranger", true);
    return item;
}

static int send_container(void *arg, json_t *summary)
{
    struct observer *o = arg;
    bool ours = is_of(dr_json_str(summary, "deployment"), o->name);
    if (!ours && !o->name)
        return 0;
    return send_item(o, "container", ours ? json_copy(summary) : stranger(summary));
}

static int send_network(void *arg, const struct network *network)
{
    struct observer *o = arg;
    json_t *item = json_object();
    dr_json_set_str(item, "name", network->name);
    dr_json_set_str(item, "id", network->id);
    dr_json_set(item, "labels", json_incref(network->labels));
    return send_item(o, "network", item);
}

static int send_volume(void *arg, const struct volume *volume)
{
    struct observer *o = arg;
    json_t *item = json_object();
    dr_json_set_str(item, "name", volume->name);
    dr_json_set(item, "labels", json_incref(volume->labels));
    return send_item(o, "volume", item);
}

static int send_images(struct observer *o, const json_t *refs)
{
    size_t i;
    json_t *ref;
    json_array_foreach (refs, i, ref) {
        dr_auto_error struct dr_error missing = DR_ERROR_INIT;
        struct image image = {0};
        const char *text = json_string_value(ref);
        if (!text)
            continue;
        json_t *item = json_object();
        dr_json_set_str(item, "ref", text);
        if (image_lookup(o->guest, text, &image, &missing) == 0) {
            dr_json_set_str(item, "id", image.id);
            image_release(&image);
        }
        if (send_item(o, "image", item) < 0)
            return -1;
    }
    return 0;
}

static int wait_a_little(struct wire_chan *chan, int timeout_ms, struct dr_error *err)
{
    struct pollfd fd = {.fd = wire_poll_fd(chan), .events = POLLIN};
    if (!wire_cancelled(chan))
        poll(&fd, 1, timeout_ms);
    wire_poll_clear(chan);
    return wire_cancelled(chan)
               ? dr_fail(err, DR_ERR_CANCELLED, "nobody wants the deployment any more")
               : 0;
}

static int take_lock(struct guest *guest, const char *name, struct wire_chan *chan,
                     int *ret_fd, struct dr_error *err)
{
    dr_auto_free char *dir = dr_path_join(guest->root, "deployments");
    dr_auto_free char *file = dr_printf("%s/%s.lock", dir, name);
    if (dr_mkdir_all(dir, 0700, err) < 0)
        return -1;
    int rc = dr_lock(AT_FDCWD, file, true, false, ret_fd, err);
    if (rc == -2 && say(chan, "waiting", err) < 0)
        return -1;
    while (rc == -2) {
        if (wait_a_little(chan, ASK_AGAIN_MS, err) < 0)
            return -1;
        rc = dr_lock(AT_FDCWD, file, true, false, ret_fd, err);
    }
    return rc;
}

static int op_observe(struct guest *guest, struct wire_chan *chan, const json_t *request,
                      json_t **ret_reply, struct dr_error *err)
{
    const char *name = dr_json_str(request, "name");
    struct observer o = {guest, chan, name, err};
    bool hold = dr_json_bool(request, "hold");
    dr_auto_fd int lock = -1;
    if (hold && !name)
        return dr_fail(err, DR_ERR_INVALID, "the request names no deployment");
    if (name && spec_name_check(name, err) < 0)
        return dr_wrap(err, "deployment");
    if (hold && take_lock(guest, name, chan, &lock, err) < 0)
        return -1;
    if (container_list(guest, true, send_container, &o, err) < 0 ||
        network_each(guest, send_network, &o, err) < 0 ||
        volume_each(guest, send_volume, &o, err) < 0 ||
        send_images(&o, dr_json_array(request, "images")) < 0)
        return -1;
    if (!hold)
        return 0;
    if (say(chan, "observed", err) < 0)
        return -1;
    while (wait_a_little(chan, -1, err) == 0)
        ;
    /* A host that was killed has left work behind, which is still being finished or
     * undone here: the lock goes when all of that is over, with this process. */
    if (wire_peer_gone(chan))
        lock = -1;
    return -1; /* it was given up, which is how it ends */
}

const struct guest_op guest_deployment_ops[] = {{"deployment.observe", op_observe},
                                                {NULL, NULL}};
