/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/container/attach.h"

#include <string.h>

#include "base/text.h"
#include "guest/container/event.h"
#include "guest/container/start.h"
#include "guest/log/log.h"
#include "guest/monitor/monitor.h"

#define ANSWER_MS 10000

static int not_running(const struct container *c, struct dr_error *err)
{
    const char *status = container_status(c);
    if (strcmp(status, "running") == 0)
        return dr_fail(err, DR_ERR_CONFLICT,
                       "container %s is not running: it has just ended",
                       container_name(c));
    return dr_fail(err, DR_ERR_CONFLICT, "container %s is not running (it is %s)",
                   container_name(c), status);
}

/* The monitor's word that we are with it, passed on. */
static int join(const struct container *c, int fd, const json_t *request,
                struct wire_chan *chan, int64_t *ret_logged_ns, struct dr_error *err)
{
    dr_auto_json json_t *attach = json_object();
    dr_json_set_str(attach, "op", "attach");
    static const char *const same[] = {"stdin", "output", "rows", "columns"};
    for (size_t i = 0; i < DR_COUNT(same); i++)
        if (json_object_get(request, same[i]))
            dr_json_set(attach, same[i], json_incref(json_object_get(request, same[i])));
    struct monitor_frame frame = {0};
    int got = monitor_send_json(fd, WIRE_REQUEST, attach) < 0
                  ? 0
                  : monitor_receive(fd, dr_clock_ms() + ANSWER_MS, &frame, err);
    if (got < 0)
        return -1;
    dr_auto_json json_t *event = frame.json;
    if (got == 0 || strcmp(dr_json_str(event, "event") ?: "", "started") != 0)
        return not_running(c, err);
    *ret_logged_ns = dr_json_int(event, "logged_ns", 0);
    json_object_del(event, "logged_ns");
    return wire_event(chan, event, err);
}

static int send_log(void *arg, enum log_stream stream, const char *data, size_t len,
                    struct dr_error *err)
{
    return wire_write(arg, (int)stream, data, len, err);
}

/* Every piece in the log has its time, and those after our joining have later ones: what
 * comes here and what the monitor sends neither overlap nor leave a gap. Meanwhile nobody
 * reads what it sends, so the container is held back, not cut short. */
static int send_logged(const struct container *c, int64_t until_ns,
                       struct wire_chan *chan, struct dr_error *err)
{
    struct log_query query = {.path = dr_json_str(c->record, "log"),
                              .tail = -1,
                              .until_ns = until_ns,
                              .finished_fd = -1,
                              .sink = send_log,
                              .arg = chan};
    return query.path ? log_read(&query, err) : 0;
}

int container_attach(struct guest *guest, const struct container *container,
                     const json_t *request, struct wire_chan *chan, json_t **ret_reply,
                     struct dr_error *err)
{
    int64_t logged_ns = 0;
    dr_auto_fd int pidfd = container_pidfd(container, NULL);
    dr_auto_fd int fd = pidfd < 0 ? -1 : monitor_connect(container->run_dir);
    if (fd < 0)
        return not_running(container, err);
    if (join(container, fd, request, chan, &logged_ns, err) < 0)
        return -1;
    container_event(guest, container, "attach", NULL, NULL);
    json_t *output = json_object_get(request, "output");
    if (dr_json_bool(request, "logs") && !json_is_false(output) &&
        send_logged(container, logged_ns, chan, err) < 0)
        return -1;
    bool ignored; /* it was not started for this host */
    if (container_relay(chan, container, fd, pidfd, ret_reply, &ignored, err) < 0) {
        container_event(guest, container, "detach", NULL, NULL);
        return -1;
    }
    if (dr_json_bool(*ret_reply,
                     "restarting")) /* the view ends, the container does not */
        dr_json_set(*ret_reply, "exit_code", json_null());
    return 0;
}
