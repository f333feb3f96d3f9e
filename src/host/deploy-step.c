/* SPDX-License-Identifier: Apache-2.0 */
/* One step of a plan, carried out: what it was making is undone when it fails. */
#include <stdio.h>
#include <string.h>

#include "host/deploy-run.h"
#include "host/pull.h"
#include "host/stream.h"

#define UNDO_TIMEOUT_MS 30000LL

static const struct deploy_step *step_of(const struct deploy_run *run, size_t step)
{
    return &run->plan->plan->steps[step];
}

static int call(struct deploy_run *run, json_t *request, json_t **ret_reply,
                struct dr_error *err)
{
    return request_call(run->target, request, &run->limits, ret_reply, err);
}

/* --- what a container is made of --- */

static void add_warnings(struct deploy_outcome *out, const json_t *from)
{
    json_t *more = dr_json_array(from, "warnings");
    if (!json_array_size(more))
        return;
    if (!out->warnings)
        out->warnings = json_array();
    json_array_extend(out->warnings, more);
}

/* Made and started by one request. */
static int run_it(struct deploy_run *run, json_t *spec, struct deploy_outcome *out,
                  struct dr_error *err)
{
    struct session *session;
    struct wire_chan *chan;
    dr_auto_json json_t *request = request_new("container.run");
    dr_json_set(request, "spec", json_incref(spec));
    if (request_open(run->target, request, &run->limits, &session, &chan, err) < 0)
        return -1;
    int rc = 0;
    bool over = false;
    while (rc == 0 && !over) {
        struct wire_item item = {.type = WIRE_ITEM_EVENT};
        rc = request_next(session, chan, &run->limits, &item, err);
        over = rc == 0 && item.type == WIRE_ITEM_RESULT;
        if (rc == 0 && item.type == WIRE_ITEM_EVENT) {
            const char *id = dr_json_str(item.json, "id");
            if (id)
                snprintf(out->id, sizeof out->id, "%s", id);
            add_warnings(out, item.json);
        }
        if (over)
            rc = wire_result(chan, NULL, err);
        item_release(&item);
    }
    wire_close(chan);
    session_unref(session);
    return rc;
}

static int start(struct deploy_run *run, const char *id, struct deploy_outcome *out,
                 struct dr_error *err)
{
    struct dray_stream *stream;
    struct dray_call limits = {-1, run->limits.cancel};
    struct dray_event event;
    struct stream_open how = {.kind = STREAM_BYTES};
    if (stream_open(run->target, request_for("container.start", id), &how, &limits,
                    &stream, err) < 0)
        return -1;
    int rc;
    while ((rc = stream_next(stream, &run->limits, &event, err)) > 0)
        if (event.type == DRAY_EVENT_STARTED)
            add_warnings(out, stream->item.json);
    dray_stream_free(stream);
    return rc;
}

static void undo(struct deploy_run *run, const char *id)
{
    dr_auto_error struct dr_error ignored = DR_ERROR_INIT;
    struct limits limits = limits_of(NULL, UNDO_TIMEOUT_MS);
    json_t *request = request_for("container.remove", id);
    dr_json_set_bool(request, "force", true);
    dr_json_set_bool(request, "volumes", true);
    request_call(run->target, request, &limits, NULL, &ignored);
}

/* With files in it: they are put in between, and nothing stays when one of them cannot.
 */
static int make_with_files(struct deploy_run *run, const struct deploy_step *s,
                           json_t *spec, struct deploy_outcome *out, struct dr_error *err)
{
    dr_auto_json json_t *reply = NULL;
    json_t *request = request_new("container.create");
    dr_json_set(request, "spec", json_incref(spec));
    if (call(run, request, &reply, err) < 0)
        return -1;
    snprintf(out->id, sizeof out->id, "%s", dr_json_str(reply, "id") ?: "");
    add_warnings(out, reply);
    if (deploy_put_files(run->target, out->id, s->of, &run->limits, err) == 0 &&
        start(run, out->id, out, err) == 0)
        return 0;
    undo(run, out->id);
    return -1;
}

static int make(struct deploy_run *run, const struct deploy_step *s, json_t *spec,
                struct deploy_outcome *out, struct dr_error *err)
{
    /* what was looked at is what is used: the name may mean another one by then */
    if (run->options->lock_file && s->image != DEPLOY_NO_STEP)
        dr_json_set_str(spec, "image_id", run->outcomes[s->image].image_id);
    return s->of && s->of->file_count > 0 ? make_with_files(run, s, spec, out, err)
                                          : run_it(run, spec, out, err);
}

/* --- removing, replacing --- */

static int stop(struct deploy_run *run, const char *id, struct dr_error *err)
{
    json_t *request = request_for("container.stop", id);
    if (run->options->stop_timeout_s >= 0)
        dr_json_set_int(request, "timeout_s", run->options->stop_timeout_s);
    return call(run, request, NULL, err);
}

static int gone(int rc, struct dr_error *err)
{
    if (rc == 0 || err->kind != DR_ERR_NOT_FOUND)
        return rc;
    dr_error_release(err);
    return 0;
}

static bool is_anonymous(const char *name)
{
    return name && strlen(name) == 64 && strspn(name, "0123456789abcdef") == 64;
}

/* Names of its anonymous volumes, those too that it has from its predecessor; NULL when
 * that cannot be told. */
static char **anonymous_of(struct deploy_run *run, const char *container)
{
    dr_auto_error struct dr_error ignored = DR_ERROR_INIT;
    dr_auto_json json_t *inspect = NULL;
    json_t *one;
    char **names = NULL;
    size_t i;
    if (call(run, request_for("container.inspect", container), &inspect, &ignored) < 0)
        return NULL;
    json_array_foreach (dr_json_array(inspect, "Mounts"), i, one)
        if (is_anonymous(dr_json_str(one, "Name")))
            dr_strv_add(&names, dr_json_str(one, "Name"));
    return names;
}

static int take_away(struct deploy_run *run, const struct deploy_step *s,
                     struct dr_error *err)
{
    dr_auto_strv char **volumes = s->volumes ? anonymous_of(run, s->container) : NULL;
    if (gone(stop(run, s->container, err), err) < 0)
        return -1;
    json_t *request = request_for("container.remove", s->container);
    dr_json_set_bool(request, "force", true); /* a restart policy's last word */
    dr_json_set_bool(request, "volumes", s->volumes);
    if (gone(call(run, request, NULL, err), err) < 0)
        return -1;
    for (size_t i = 0; volumes && volumes[i]; i++) {
        dr_auto_error struct dr_error used = DR_ERROR_INIT; /* by somebody else */
        request = request_named("volume.remove", "name", volumes[i]);
        dr_json_set_bool(request, "force", true);
        call(run, request, NULL, &used);
    }
    return 0;
}

/* Borrowed, or NULL. */
static json_t *mount_at(const json_t *mounts, const char *target)
{
    size_t i;
    json_t *mount;
    json_array_foreach (mounts, i, mount)
        if (strcmp(dr_json_str(mount, "target") ?: "", target) == 0)
            return mount;
    return NULL;
}

/* What a container has in volumes that nobody named goes over to its successor. */
static int keep_volumes(struct deploy_run *run, const struct deploy_step *s, json_t *spec,
                        struct dr_error *err)
{
    dr_auto_json json_t *inspect = NULL;
    if (call(run, request_for("container.inspect", s->container), &inspect, err) < 0)
        return gone(-1, err);
    json_t *mounts = dr_json_array(spec, "mounts"), *one;
    size_t i;
    if (!mounts) {
        mounts = json_array();
        json_object_set_new(spec, "mounts", mounts);
    }
    json_array_foreach (dr_json_array(inspect, "Mounts"), i, one) {
        const char *name = dr_json_str(one, "Name"),
                   *at = dr_json_str(one, "Destination");
        if (!is_anonymous(name) || !at)
            continue;
        json_t *mount = mount_at(mounts, at);
        if (mount && (dr_json_str(mount, "source") ||
                      strcmp(dr_json_str(mount, "type") ?: "", "volume") != 0))
            continue; /* something else is there now */
        if (!mount) {
            mount = json_object();
            dr_json_set_str(mount, "type", "volume");
            dr_json_set_str(mount, "target", at);
            json_array_append_new(mounts, mount);
        }
        dr_json_set_str(mount, "source", name);
    }
    return 0;
}

static int replace(struct deploy_run *run, const struct deploy_step *s,
                   struct deploy_outcome *out, struct dr_error *err)
{
    if (s->pull != DEPLOY_NO_STEP) {
        const char *id = run->outcomes[s->pull].image_id;
        if (id && s->image_id && strcmp(id, s->image_id) == 0) {
            snprintf(out->id, sizeof out->id, "%s", s->container);
            out->same = true;
            return s->start ? start(run, s->container, out, err) : 0;
        }
    }
    dr_auto_json json_t *spec = json_deep_copy(s->spec);
    if (keep_volumes(run, s, spec, err) < 0 || take_away(run, s, err) < 0)
        return -1;
    return make(run, s, spec, out, err);
}

/* --- the others --- */

struct pulling {
    struct deploy_run *run;
    const char *image;
};

static void tell_pull(void *arg, const struct dray_progress *step)
{
    const struct pulling *p = arg;
    struct deploy_run *run = p->run;
    pthread_mutex_lock(&run->lock);
    run->options->pull_progress(run->options->pull_progress_arg, p->image, step);
    pthread_mutex_unlock(&run->lock);
}

static int pull(struct deploy_run *run, const struct deploy_step *s,
                struct deploy_outcome *out, struct dr_error *err)
{
    static const enum dray_pull_policy policies[] = {
        [DEPLOY_PULL_MISSING] = DRAY_PULL_MISSING,
        [DEPLOY_PULL_ALWAYS] = DRAY_PULL_ALWAYS,
        [DEPLOY_PULL_NEWER] = DRAY_PULL_NEWER,
        [DEPLOY_PULL_NEVER] = DRAY_PULL_NEVER};
    struct dray_pull_options options = DRAY_INIT(options);
    dr_auto_json json_t *image = NULL;
    options.policy = policies[s->policy];
    options.platform = s->of->platform;
    options.registry = run->options->registry;
    struct pulling pulling = {run, s->name};
    if (run->options->pull_progress) {
        options.progress = tell_pull;
        options.progress_arg = &pulling;
    }
    options.lock_file = run->options->lock_file;
    options.lock_update = run->options->lock_update;
    if (host_pull_image(run->target, s->name, &options, &run->limits, &image, err) < 0)
        return -1;
    out->image_id = dr_strdup(dr_json_str(image, "id"));
    out->same = !dr_json_bool(image, "pulled");
    return 0;
}

static json_t *labels_of(const struct deploy_run *run, char *const *own)
{
    json_t *labels = dr_json_from_strv(own);
    deploy_add_label(labels, DEPLOY_LABEL_DEPLOYMENT, run->plan->plan->name);
    return labels;
}

static int make_network(struct deploy_run *run, const struct deploy_network *n,
                        struct dr_error *err)
{
    json_t *request = request_named("network.create", "name", n->name),
           *subnets = json_array(), *labels = labels_of(run, n->labels);
    dr_auto_free char *hash = deploy_network_hash(n);
    for (size_t i = 0; i < n->subnet_count; i++) {
        json_t *one = json_object();
        dr_json_set_str(one, "subnet", n->subnets[i].subnet);
        dr_json_set_str(one, "gateway", n->subnets[i].gateway);
        dr_json_set_str(one, "range", n->subnets[i].range);
        json_array_append_new(subnets, one);
    }
    deploy_add_label(labels, DEPLOY_LABEL_HASH, hash);
    dr_json_set(request, "subnets", subnets);
    dr_json_set_bool(request, "internal", n->internal);
    dr_json_set_bool(request, "ipv6", n->ipv6);
    dr_json_set_int(request, "mtu", n->mtu);
    dr_json_set(request, "labels", labels);
    return call(run, request, NULL, err);
}

static int make_volume(struct deploy_run *run, const struct deploy_volume *v,
                       struct dr_error *err)
{
    json_t *request = request_named("volume.create", "name", v->name);
    dr_json_set(request, "labels", labels_of(run, v->labels));
    return call(run, request, NULL, err);
}

static int wait_for(struct deploy_run *run, const struct deploy_step *s,
                    struct dr_error *err)
{
    const char *id = s->made_by != DEPLOY_NO_STEP ? run->outcomes[s->made_by].id : NULL;
    return deploy_wait(run->target, id && *id ? id : s->container, s->until, &run->limits,
                       err);
}

static int begin_again(struct deploy_run *run, const struct deploy_step *s,
                       struct dr_error *err)
{
    json_t *request = request_for("container.restart", s->container);
    if (run->options->stop_timeout_s >= 0)
        dr_json_set_int(request, "timeout_s", run->options->stop_timeout_s);
    return call(run, request, NULL, err);
}

static int do_step(struct deploy_run *run, size_t index, struct deploy_outcome *out,
                   struct dr_error *err)
{
    const struct deploy_step *s = step_of(run, index);
    switch (s->action) {
    case DEPLOY_PULL:
        return pull(run, s, out, err);
    case DEPLOY_NETWORK_CREATE:
        return make_network(run, s->network, err);
    case DEPLOY_NETWORK_REMOVE:
        return gone(
            call(run, request_named("network.remove", "name", s->name), NULL, err), err);
    case DEPLOY_VOLUME_CREATE:
        return make_volume(run, s->volume, err);
    case DEPLOY_VOLUME_REMOVE:
        return gone(call(run, request_named("volume.remove", "name", s->name), NULL, err),
                    err);
    case DEPLOY_CREATE:
        return make(run, s, s->spec, out, err);
    case DEPLOY_RECREATE:
        return replace(run, s, out, err);
    case DEPLOY_START:
        snprintf(out->id, sizeof out->id, "%s", s->container);
        return s->paused
                   ? call(run, request_for("container.unpause", s->container), NULL, err)
                   : start(run, s->container, out, err);
    case DEPLOY_RESTART:
        snprintf(out->id, sizeof out->id, "%s", s->container);
        return begin_again(run, s, err);
    case DEPLOY_STOP:
        return gone(stop(run, s->container, err), err);
    case DEPLOY_REMOVE:
        return take_away(run, s, err);
    case DEPLOY_WAIT:
        return wait_for(run, s, err);
    }
    return dr_fail(err, DR_ERR_INTERNAL, "step %d is unknown", (int)s->action);
}

int deploy_step_run(struct deploy_run *run, size_t step, struct dr_error *err)
{
    const struct deploy_step *s = step_of(run, step);
    if (deploy_hold_check(&run->plan->hold, err) < 0)
        return -1;
    if (do_step(run, step, &run->outcomes[step], err) == 0)
        return 0;
    if (s->action == DEPLOY_PULL) /* the pull's own words begin with its name */
        return dr_wrap(err, "service %s", s->service);
    return s->service ? dr_wrap(err, "service %s: %s", s->service, s->name)
                      : dr_wrap(err, "%s", s->name);
}
