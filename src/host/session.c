/* SPDX-License-Identifier: Apache-2.0 */
#include "host/session.h"

#include <signal.h>
#include <string.h>

#include "base/text.h"

#define DEFAULT_ROOT "/var/lib/dray"

static json_t *our_hello(const struct host_options *options)
{
    json_t *hello = json_object();
    dr_json_set_int(hello, "protocol", WIRE_PROTOCOL);
    dr_json_set_str(hello, "build", DRAY_VERSION);
    dr_json_set_str(hello, "root", options->root);
    dr_json_set_str(hello, "run_root", options->run_root);
    dr_json_set_str(hello, "bundle_root", options->bundle_root);
    dr_json_set_str(hello, "log_root", options->log_root);
    dr_json_set_str(hello, "runtime", options->runtime);
    return hello;
}

int host_open(const struct host_options *options, struct host **ret_host,
              struct dr_error *err)
{
    struct host *host = dr_alloc(sizeof *host);
    int64_t timeout = options->connect_timeout_ms ? options->connect_timeout_ms : 30000;
    host->cache_dir = dr_strdup(options->cache_dir);
    host->hello_deadline_ms = dr_clock_ms() + timeout;
    const char *root = options->root ? options->root : DEFAULT_ROOT;
    if (options->transport) {
        host->transport = *options->transport;
    } else if (transport_open(options->target, root, &host->transport, err) < 0) {
        if (err->origin == DR_AT_UNSET)
            err->origin = DR_AT_TRANSPORT;
        host_close(host);
        return -1;
    }
    struct wire_mux_options mux = {.side = WIRE_HOST,
                                   .read_fd = host->transport.read_fd,
                                   .write_fd = host->transport.write_fd};
    dr_auto_json json_t *hello = our_hello(options);
    if (wire_mux_start(&mux, hello, &host->mux, err) < 0) {
        host_close(host);
        return -1;
    }
    *ret_host = host;
    return 0;
}

void host_close(struct host *host)
{
    if (!host)
        return;
    wire_mux_free(host->mux);
    transport_close(&host->transport, 10000);
    free(host->cache_dir);
    free(host);
}

int host_hello(struct host *host, json_t **ret_hello, struct dr_error *err)
{
    return wire_mux_hello(host->mux, host->hello_deadline_ms, ret_hello, err);
}

int host_spawn_count(const struct host *host)
{
    return host->transport.spawn_count;
}

json_t *host_request(const char *op)
{
    json_t *request = json_object();
    dr_json_set_str(request, "op", op);
    return request;
}

/* A target that never says HELLO must not hang a request (C33). */
static int greeted(struct host *host, struct dr_error *err)
{
    json_t *hello;
    if (host_hello(host, &hello, err) < 0)
        return err->kind == DR_ERR_TIMEOUT
                   ? dr_fail_at(err, DR_AT_TRANSPORT, DR_ERR_UNAVAILABLE, 0,
                                "the helper did not say hello in time")
                   : -1;
    return 0;
}

int host_call(struct host *host, json_t *request, json_t **ret_reply,
              struct dr_error *err)
{
    dr_auto_json json_t *taken = request;
    struct wire_chan *chan;
    if (wire_open(host->mux, taken, &chan, err) < 0)
        return -1;
    int rc = greeted(host, err);
    if (rc == 0)
        rc = wire_result(chan, ret_reply, err);
    wire_close(chan);
    return rc;
}

int host_list(struct host *host, json_t *request, json_t **ret_items,
              struct dr_error *err)
{
    dr_auto_json json_t *taken = request, *items = json_array();
    struct wire_chan *chan;
    if (wire_open(host->mux, taken, &chan, err) < 0)
        return -1;
    int rc = greeted(host, err);
    struct wire_item item = {.type = WIRE_ITEM_EVENT};
    while (rc == 0 && item.type != WIRE_ITEM_RESULT) {
        rc = wire_next(chan, &item, err);
        if (rc == 0 && item.type == WIRE_ITEM_EVENT)
            json_array_append(items, json_object_get(item.json, "item"));
        if (rc == 0) {
            free(item.data);
            json_decref(item.json);
        }
    }
    if (rc == 0)
        rc = wire_result(chan, NULL, err);
    wire_close(chan);
    if (rc == 0)
        *ret_items = DR_TAKE(items);
    return rc;
}
