/* SPDX-License-Identifier: Apache-2.0 */
/* host.h on top of the library, until the command line has left it. */
#include "host/legacy.h"
#include "host/pull.h"

int host_open(const struct host_options *options, struct host **ret_host,
              struct dr_error *err)
{
    struct dray_open_options o = {.size = sizeof o,
                                  .target = options->target,
                                  .root = options->root,
                                  .run_root = options->run_root,
                                  .bundle_root = options->bundle_root,
                                  .log_root = options->log_root,
                                  .runtime = options->runtime,
                                  .cache_dir = options->cache_dir,
                                  .connect_timeout_ms = options->connect_timeout_ms};
    struct dray_target *target;
    if (target_open(&o, NULL, &target, err) < 0)
        return -1;
    *ret_host = dr_alloc(sizeof **ret_host);
    (*ret_host)->target = target;
    return 0;
}

void host_close(struct host *host)
{
    if (!host)
        return;
    dray_close(host->target);
    json_decref(host->hello);
    free(host);
}

int host_hello(struct host *host, json_t **ret_hello, struct dr_error *err)
{
    if (!host->hello && target_hello(host->target, &host->hello, err) < 0)
        return -1;
    *ret_hello = host->hello;
    return 0;
}

int host_spawn_count(const struct host *host)
{
    return dray_spawn_count(host->target);
}

json_t *host_request(const char *op)
{
    return request_new(op);
}

int host_call(struct host *host, json_t *request, json_t **ret_reply,
              struct dr_error *err)
{
    return request_call(host->target, request, &(struct limits){0}, ret_reply, err);
}

int host_list(struct host *host, json_t *request, json_t **ret_items,
              struct dr_error *err)
{
    return request_list(host->target, request, &(struct limits){0}, ret_items, err);
}

struct shim {
    const struct host_pull_options *options;
    struct dray_cancel *cancel;
};

static void on_step(void *arg, const struct dray_progress *step)
{
    struct shim *shim = arg;
    struct host_progress old = {.what = (int)step->what,
                                .layer = step->layer,
                                .stage = (int)step->stage,
                                .done_bytes = step->done,
                                .total_bytes = step->total};
    if (shim->options->cancelled && atomic_load(shim->options->cancelled))
        dray_cancel_trigger(shim->cancel);
    if (shim->options->progress)
        shim->options->progress(shim->options->progress_arg, &old);
}

int host_pull(struct host *host, const struct host_pull_options *options,
              json_t **ret_image, struct dr_error *err)
{
    struct shim shim = {options, dray_cancel_new()};
    struct dray_pull_options o = {.size = sizeof o,
                                  .policy = (enum dray_pull_policy)options->policy,
                                  .platform = options->platform,
                                  .plain_http = options->plain_http,
                                  .user = options->user,
                                  .password = options->password,
                                  .progress = on_step,
                                  .progress_arg = &shim};
    struct limits limits = {.cancel = shim.cancel};
    int rc =
        host_pull_image(host->target, options->reference, &o, &limits, ret_image, err);
    dray_cancel_free(shim.cancel);
    return rc;
}
