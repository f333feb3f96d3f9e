/* SPDX-License-Identifier: Apache-2.0 */
/* system.events (PROTOCOL.md). */
#include "guest/events/events.h"

#include <poll.h>

#include "base/text.h"

#define LOOK_MS 200 /* where inotify cannot be had */

static int send(struct wire_chan *chan, json_t *event, struct dr_error *err)
{
    dr_auto_json json_t *item = json_object();
    dr_json_set_str(item, "event", "item");
    dr_json_set(item, "item", json_incref(event));
    return wire_event(chan, item, err);
}

/* Until there may be more, or the time that was asked for has come, or the host gave up.
 */
static void wait_for_more(struct event_reader *reader, struct wire_chan *chan,
                          int64_t until_ns)
{
    struct pollfd fds[2] = {{.fd = event_reader_fd(reader), .events = POLLIN},
                            {.fd = wire_poll_fd(chan), .events = POLLIN}};
    int timeout = fds[0].fd < 0 ? LOOK_MS : 60000;
    int64_t left_ms = until_ns ? (until_ns - dr_now_ns()) / 1000000 + 1 : timeout;
    if (left_ms < timeout)
        timeout = left_ms < 0 ? 0 : (int)left_ms;
    poll(fds, 2, timeout);
    if (fds[1].revents)
        wire_poll_clear(chan);
    event_reader_woken(reader);
}

static int follow(struct event_reader *reader, struct wire_chan *chan,
                  const struct event_filter *filter, int64_t since_ns, int64_t until_ns,
                  struct dr_error *err)
{
    for (;;) {
        bool is_last = until_ns && dr_now_ns() > until_ns;
        json_t *next;
        while ((next = event_reader_next(reader))) {
            dr_auto_json json_t *event = next;
            int64_t time_ns = dr_json_int(event, "time_ns", 0);
            if (until_ns && time_ns > until_ns)
                return 0;
            if (time_ns >= since_ns && event_filter_matches(filter, event) &&
                send(chan, event, err) < 0)
                return -1;
        }
        if (is_last)
            return 0;
        wait_for_more(reader, chan, until_ns);
        if (wire_cancelled(chan))
            return dr_fail(err, DR_ERR_CANCELLED, "nobody wants events any more");
    }
}

static int op_events(struct guest *guest, struct wire_chan *chan, const json_t *request,
                     json_t **ret_reply, struct dr_error *err)
{
    struct event_filter *filter;
    int64_t since_ns = dr_json_int(request, "since_ns", 0);
    int64_t until_ns = dr_json_int(request, "until_ns", 0);
    if (event_filter_parse(json_object_get(request, "filters"), &filter, err) < 0)
        return -1;
    /* as Docker: without bounds only what happens from now on */
    struct event_reader *reader =
        event_reader_open(guest->root, since_ns == 0 && until_ns == 0);
    int result = follow(reader, chan, filter, since_ns, until_ns, err);
    event_reader_free(reader);
    event_filter_free(filter);
    return result;
}

const struct guest_op guest_event_ops[] = {{"system.events", op_events, true},
                                           {NULL, NULL}};
