/* SPDX-License-Identifier: Apache-2.0 */
/* The requests about containers (PROTOCOL.md, "Containers"). */
#include "guest/container/container.h"

#include <signal.h>
#include <string.h>

#include "base/text.h"
#include "guest/container/again.h"
#include "guest/container/attach.h"
#include "guest/container/create.h"
#include "guest/container/dial.h"
#include "guest/container/event.h"
#include "guest/container/exec.h"
#include "guest/container/journal.h"
#include "guest/container/list.h"
#include "guest/container/names.h"
#include "guest/container/pause.h"
#include "guest/container/prune.h"
#include "guest/container/rename.h"
#include "guest/container/start.h"
#include "guest/container/stats.h"
#include "guest/container/stop.h"
#include "guest/container/top.h"
#include "guest/container/update.h"
#include "guest/bundle/drives.h"
#include "guest/log/log.h"
#include "guest/monitor/monitor.h"
#include "guest/net/net.h"

static int find(struct guest *guest, const json_t *request, struct container *ret,
                struct dr_error *err)
{
    return container_find(guest, dr_json_str(request, "id"), ret, err);
}

static struct spec_container *spec_of(const json_t *request, struct dr_error *err)
{
    const json_t *spec = dr_json_object(request, "spec");
    if (!spec) {
        dr_fail(err, DR_ERR_INVALID, "the request has no spec");
        return NULL;
    }
    struct spec_container *of = spec_container_from_json(spec, err);
    if (of && drives_translate(of, err) < 0) {
        spec_container_free(of);
        return NULL;
    }
    return of;
}

/* Docker's words for what was asked for and has no effect. */
static json_t *warnings_of(const struct container *c)
{
    json_t *warnings = json_array();
    const json_t *spec = dr_json_object(c->record, "spec");
    const char *network = dr_json_str(c->state, "network");
    bool published = json_array_size(dr_json_array(spec, "ports")) > 0 ||
                     dr_json_bool(spec, "publish_all");
    if (published && network && strcmp(network, "host") == 0)
        json_array_append_new(warnings,
                              json_string("Published ports are discarded when using host "
                                          "network mode"));
    return warnings;
}

static json_t *created_json(const struct container *c)
{
    json_t *json = json_object();
    dr_json_set_str(json, "id", c->id);
    dr_json_set_str(json, "name", container_name(c));
    dr_json_set(json, "warnings", warnings_of(c));
    return json;
}

static int op_create(struct guest *guest, struct wire_chan *chan, const json_t *request,
                     json_t **ret_reply, struct dr_error *err)
{
    spec_auto_container struct spec_container *spec = spec_of(request, err);
    container_auto struct container c = {0};
    if (!spec || container_create(guest, spec, false, &c, NULL, err) < 0)
        return -1;
    *ret_reply = created_json(&c);
    return 0;
}

/* Starts it with the lock held, then stays with it when it is attached. */
/* Its host gave the start up while it succeeded: it is as after a start that failed. */
static void undo_start(struct guest *guest, const char *id, bool destroy)
{
    container_auto struct container now = {0};
    dr_auto_error struct dr_error ignored = DR_ERROR_INIT;
    if (container_load(guest, id, &now, &ignored) < 0)
        return;
    if (destroy)
        container_remove(guest, &now, true, true, &ignored);
    else
        container_stop(guest, &now, 0, SIGKILL, NULL, &ignored);
}

static int start_and_stay(struct guest *guest, const struct container *c, int lock,
                          const struct start_options *options, struct wire_chan *chan,
                          json_t **ret_reply, struct dr_error *err)
{
    dr_auto_fd int fd = -1;
    pid_t pid;
    if (options->attach) /* before its start, as Docker's */
        container_event(guest, c, "attach", NULL, NULL);
    if (container_start(guest, c, lock, options, &fd, &pid, err) < 0)
        return -1;
    dr_auto_json json_t *event = json_object();
    dr_json_set_str(event, "event", "started");
    dr_json_set_int(event, "pid", pid);
    dr_json_set_bool(event, "tty",
                     dr_json_bool(dr_json_object(c->record, "spec"), "tty"));
    dr_auto_json json_t *network = net_state(c->run_dir);
    dr_json_set(event, "warnings",
                json_incref(json_object_get(network, "warnings"))); /* if any */
    if (wire_event(chan, event, err) < 0) {
        undo_start(guest, c->id, options->destroy_on_failure);
        return -1;
    }
    if (!options->attach)
        return 0;
    container_auto struct container now = {0};
    dr_auto_error struct dr_error ignored = DR_ERROR_INIT; /* it may have ended already */
    dr_auto_fd int pidfd = -1;
    bool undo = false;
    if (container_load_state(guest, c->id, &now, &ignored) == 0)
        pidfd = container_pidfd(&now, NULL);
    if (container_relay(chan, c, fd, pidfd, ret_reply, &undo, err) == 0)
        return 0;
    if (undo)
        undo_start(guest, c->id, options->destroy_on_failure);
    else
        container_event(guest, c, "detach", NULL, NULL); /* it runs on */
    return -1;
}

/* Nobody would be there for a long time, and then for one run only. */
static int no_attach(struct dr_error *err)
{
    return dr_fail(err, DR_ERR_INVALID,
                   "a container with a schedule is started detached (-d): its runs come "
                   "later; `dray logs -f` shows what they write");
}

static int op_run(struct guest *guest, struct wire_chan *chan, const json_t *request,
                  json_t **ret_reply, struct dr_error *err)
{
    spec_auto_container struct spec_container *spec = spec_of(request, err);
    container_auto struct container c = {0};
    int lock = -1;
    bool attach = dr_json_bool(request, "attach");
    if (spec && attach && spec->schedule)
        return no_attach(err);
    if (spec && !attach) /* as Docker's `run -d -i`: a later client may come and go */
        spec->stdin_keep = spec->stdin_open;
    if (!spec || container_create(guest, spec, true, &c, &lock, err) < 0)
        return -1;
    dr_auto_json json_t *event = created_json(&c);
    dr_json_set_str(event, "event", "created");
    if (wire_event(chan, event, err) < 0) { /* the host is gone: nobody wants it */
        dr_auto_error struct dr_error ignored = DR_ERROR_INIT;
        container_destroy_by_name(guest, c.id, true, &ignored);
        close(lock);
        return -1;
    }
    struct start_options options = {.attach = attach,
                                    .stdin_open = attach && spec->stdin_open,
                                    .rows = dr_json_int(request, "rows", 0),
                                    .columns = dr_json_int(request, "columns", 0),
                                    .chan = chan,
                                    .destroy_on_failure = true};
    return start_and_stay(guest, &c, lock, &options, chan, ret_reply, err);
}

#define BUSY_MS 20000 /* another command at work on it, or its monitor cleaning up */
#define LOOK_MS 20    /* between two looks at what it has made of it */

/* The lock of a container that is not up; 1: it has come up meanwhile, or somebody else
 * is at work on it. */
static int take_to_start(struct guest *guest, const struct container *c, int *ret_lock,
                         struct dr_error *err)
{
    int taken = 1;
    bool up = false;
    for (int64_t end = dr_clock_ms() + BUSY_MS;
         taken == 1 && !up && dr_clock_ms() < end;) {
        container_auto struct container now = {0};
        dr_auto_error struct dr_error gone = DR_ERROR_INIT;
        taken = journal_enter(guest, c->id, LOOK_MS, ret_lock, err);
        up = taken == 1 && container_load_state(guest, c->id, &now, &gone) == 0 &&
             container_is_up(&now);
    }
    return taken;
}

static int op_start(struct guest *guest, struct wire_chan *chan, const json_t *request,
                    json_t **ret_reply, struct dr_error *err)
{
    container_auto struct container found = {0}, c = {0};
    int lock = -1;
    if (find(guest, request, &found, err) < 0)
        return -1;
    int taken = container_is_up(&found) ? 1 : take_to_start(guest, &found, &lock, err);
    if (taken < 0)
        return -1;
    /* what it is now that nobody else can change it */
    if (container_load(guest, found.id, &c, err) < 0) {
        dr_auto_error struct dr_error ignored = DR_ERROR_INIT;
        if (taken ==
            0) /* it was removed in between: the entry is ours, and for nothing */
            journal_leave(guest, found.id, lock, &ignored);
        return -1;
    }
    const char *status = container_status(&c);
    bool attach = dr_json_bool(request, "attach");
    if (taken == 1 && container_is_paused(&c))
        return dr_fail(err, DR_ERR_CONFLICT, "container %s is paused: unpause it instead",
                       container_name(&c));
    if (taken == 1 && container_is_up(&c) && !attach)
        return 0; /* as Docker: it runs or is about to, that is what was asked for */
    if (taken == 1 && container_is_up(&c))
        return dr_fail(err, DR_ERR_CONFLICT, "container %s is %s already",
                       container_name(&c), status);
    if (taken == 1)
        return dr_fail(err, DR_ERR_CONFLICT, "another command is at work on container %s",
                       container_name(&c));
    if (container_check_start(guest, &c, lock, err) < 0)
        return -1;
    if (attach && dr_json_str(c.state, "schedule")) {
        dr_auto_error struct dr_error ignored = DR_ERROR_INIT;
        journal_leave(guest, c.id, lock, &ignored);
        return no_attach(err);
    }
    struct start_options options = {.attach = attach,
                                    .stdin_open =
                                        attach && dr_json_bool(request, "stdin"),
                                    .rows = dr_json_int(request, "rows", 0),
                                    .columns = dr_json_int(request, "columns", 0),
                                    .chan = chan};
    return start_and_stay(guest, &c, lock, &options, chan, ret_reply, err);
}

static int op_attach(struct guest *guest, struct wire_chan *chan, const json_t *request,
                     json_t **ret_reply, struct dr_error *err)
{
    container_auto struct container c = {0};
    if (find(guest, request, &c, err) < 0)
        return -1;
    return container_attach(guest, &c, request, chan, ret_reply, err);
}

static int op_stop(struct guest *guest, struct wire_chan *chan, const json_t *request,
                   json_t **ret_reply, struct dr_error *err)
{
    container_auto struct container c = {0};
    int signal;
    if (container_stop_signal(request, &signal, err) < 0 ||
        find(guest, request, &c, err) < 0)
        return -1;
    return container_stop(guest, &c, dr_json_int(request, "timeout_s", -1), signal, chan,
                          err);
}

static int op_kill(struct guest *guest, struct wire_chan *chan, const json_t *request,
                   json_t **ret_reply, struct dr_error *err)
{
    container_auto struct container c = {0};
    int64_t number = dr_json_int(request, "signal", 0);
    if (number < 1 || number > 64)
        return dr_fail(err, DR_ERR_INVALID, "%lld is no signal", (long long)number);
    if (find(guest, request, &c, err) < 0)
        return -1;
    return container_kill(guest, &c, (int)number, err);
}

static int op_pause(struct guest *guest, struct wire_chan *chan, const json_t *request,
                    json_t **ret_reply, struct dr_error *err)
{
    container_auto struct container c = {0};
    return find(guest, request, &c, err) < 0 ? -1 : container_pause(guest, &c, err);
}

static int op_unpause(struct guest *guest, struct wire_chan *chan, const json_t *request,
                      json_t **ret_reply, struct dr_error *err)
{
    container_auto struct container c = {0};
    return find(guest, request, &c, err) < 0 ? -1 : container_unpause(guest, &c, err);
}

static int op_rename(struct guest *guest, struct wire_chan *chan, const json_t *request,
                     json_t **ret_reply, struct dr_error *err)
{
    container_auto struct container c = {0};
    if (find(guest, request, &c, err) < 0)
        return -1;
    return container_rename(guest, &c, dr_json_str(request, "name"), err);
}

static int op_update(struct guest *guest, struct wire_chan *chan, const json_t *request,
                     json_t **ret_reply, struct dr_error *err)
{
    container_auto struct container c = {0};
    if (find(guest, request, &c, err) < 0 ||
        container_update(guest, &c, request, err) < 0)
        return -1;
    *ret_reply = json_object();
    dr_json_set(*ret_reply, "warnings", json_array());
    return 0;
}

static int op_restart(struct guest *guest, struct wire_chan *chan, const json_t *request,
                      json_t **ret_reply, struct dr_error *err)
{
    container_auto struct container c = {0};
    int signal;
    if (container_stop_signal(request, &signal, err) < 0 ||
        find(guest, request, &c, err) < 0)
        return -1;
    return container_restart(guest, &c, dr_json_int(request, "timeout_s", -1), signal,
                             chan, err);
}

static int op_top(struct guest *guest, struct wire_chan *chan, const json_t *request,
                  json_t **ret_reply, struct dr_error *err)
{
    container_auto struct container c = {0};
    if (find(guest, request, &c, err) < 0)
        return -1;
    return container_top(&c, dr_json_str(request, "columns"), ret_reply, err);
}

static int op_stats(struct guest *guest, struct wire_chan *chan, const json_t *request,
                    json_t **ret_reply, struct dr_error *err)
{
    return container_stats(guest, request, chan, err);
}

static int op_prune(struct guest *guest, struct wire_chan *chan, const json_t *request,
                    json_t **ret_reply, struct dr_error *err)
{
    return container_prune(guest, json_object_get(request, "filters"), chan, ret_reply,
                           err);
}

static int op_state(struct guest *guest, struct wire_chan *chan, const json_t *request,
                    json_t **ret_reply, struct dr_error *err)
{
    container_auto struct container c = {0};
    if (find(guest, request, &c, err) < 0)
        return -1;
    *ret_reply = container_summary(&c);
    return 0;
}

static int op_remove(struct guest *guest, struct wire_chan *chan, const json_t *request,
                     json_t **ret_reply, struct dr_error *err)
{
    container_auto struct container c = {0};
    if (find(guest, request, &c, err) < 0 ||
        container_remove(guest, &c, dr_json_bool(request, "force"),
                         dr_json_bool(request, "volumes"), err) < 0)
        return -1;
    *ret_reply = json_object();
    dr_json_set_str(*ret_reply, "id", c.id);
    return 0;
}

static int op_wait(struct guest *guest, struct wire_chan *chan, const json_t *request,
                   json_t **ret_reply, struct dr_error *err)
{
    container_auto struct container c = {0};
    bool known;
    int64_t exit_code;
    if (find(guest, request, &c, err) < 0 ||
        container_wait(guest, &c, chan, &known, &exit_code, err) < 0)
        return -1;
    *ret_reply = json_object();
    dr_json_set(*ret_reply, "exit_code", known ? json_integer(exit_code) : json_null());
    return 0;
}

struct item_sink {
    struct wire_chan *chan;
    struct dr_error *err;
};

static int send_item(void *arg, json_t *summary)
{
    struct item_sink *sink = arg;
    dr_auto_json json_t *event = json_object();
    dr_json_set_str(event, "event", "item");
    dr_json_set(event, "item", json_incref(summary));
    return wire_event(sink->chan, event, sink->err);
}

static int op_list(struct guest *guest, struct wire_chan *chan, const json_t *request,
                   json_t **ret_reply, struct dr_error *err)
{
    struct item_sink sink = {chan, err};
    return container_list(guest, dr_json_bool(request, "all"), send_item, &sink, err);
}

static int op_inspect(struct guest *guest, struct wire_chan *chan, const json_t *request,
                      json_t **ret_reply, struct dr_error *err)
{
    container_auto struct container c = {0};
    if (find(guest, request, &c, err) < 0)
        return -1;
    *ret_reply = container_inspect(&c);
    if (dr_json_bool(request, "size"))
        container_add_sizes(guest, &c, *ret_reply);
    return 0;
}

/* --- logs --- */

struct log_stream_to {
    struct guest *guest;
    struct wire_chan *chan;
    const char *id;
    int monitor_fd;
};

static int send_log(void *arg, enum log_stream stream, const char *data, size_t len,
                    struct dr_error *err)
{
    struct log_stream_to *to = arg;
    return wire_write(to->chan, (int)stream, data, len, err);
}

/* The monitor closes its socket when all is written; a reader that gave up ends it too.
 */
static bool log_finished(void *arg)
{
    struct log_stream_to *to = arg;
    container_auto struct container c = {0};
    dr_auto_error struct dr_error gone = DR_ERROR_INIT;
    if (wire_cancelled(to->chan) ||
        container_load_state(to->guest, to->id, &c, &gone) < 0)
        return true;
    if (!container_is_up(&c))
        return true;
    dr_auto_fd int pidfd = container_pidfd(&c, NULL);
    if (pidfd >= 0)
        return false;
    /* dead: its monitor is about to say so, or starts it again, or was lost */
    dr_auto_fd int monitor = monitor_connect(c.run_dir);
    return monitor < 0;
}

static int op_logs(struct guest *guest, struct wire_chan *chan, const json_t *request,
                   json_t **ret_reply, struct dr_error *err)
{
    container_auto struct container c = {0};
    if (find(guest, request, &c, err) < 0)
        return -1;
    const json_t *spec = dr_json_object(c.record, "spec");
    const char *path = dr_json_str(c.record, "log");
    *ret_reply = json_object();
    dr_json_set_str(*ret_reply, "service", dr_json_str(spec, "service"));
    dr_json_set_str(*ret_reply, "deployment", dr_json_str(spec, "deployment"));
    if (!path && strcmp(dr_json_str(spec, "log_driver") ?: "", "none") == 0)
        return dr_fail(err, DR_ERR_UNSUPPORTED,
                       "container %s keeps no log (its log driver is none)",
                       container_name(&c));
    if (!path) /* a damaged record: a log that is missing is empty (C24) */
        return 0;
    struct log_stream_to to = {.guest = guest, .chan = chan, .id = c.id};
    dr_auto_fd int monitor = -1;
    bool follow = dr_json_bool(request, "follow");
    if (follow && container_is_up(&c)) {
        monitor = monitor_connect(c.run_dir);
        dr_auto_json json_t *wait = json_object();
        dr_json_set_str(wait, "op", "wait");
        if (monitor >= 0)
            monitor_send_json(monitor, WIRE_REQUEST, wait);
    }
    struct log_query query = {.path = path,
                              .tail = dr_json_int(request, "tail", -1),
                              .since_ns = dr_json_int(request, "since_ns", 0),
                              .until_ns = dr_json_int(request, "until_ns", 0),
                              .timestamps = dr_json_bool(request, "timestamps"),
                              .follow = follow,
                              .sink = send_log,
                              .finished = log_finished,
                              .finished_fd = monitor,
                              .arg = &to};
    if (log_read(&query, err) < 0 || wire_eof(chan, WIRE_STDOUT, err) < 0)
        return -1;
    return wire_eof(chan, WIRE_STDERR, err);
}

static int op_exec(struct guest *guest, struct wire_chan *chan, const json_t *request,
                   json_t **ret_reply, struct dr_error *err)
{
    container_auto struct container c = {0};
    int64_t exit_code;
    if (find(guest, request, &c, err) < 0 ||
        container_exec(guest, &c, request, chan, &exit_code, err) < 0)
        return -1;
    if (dr_json_bool(request, "detach"))
        return 0;
    *ret_reply = json_object();
    dr_json_set_int(*ret_reply, "exit_code", exit_code);
    return 0;
}

static int op_dial(struct guest *guest, struct wire_chan *chan, const json_t *request,
                   json_t **ret_reply, struct dr_error *err)
{
    container_auto struct container c = {0};
    if (find(guest, request, &c, err) < 0)
        return -1;
    return container_dial(&c, request, chan, err);
}

const struct guest_op guest_container_ops[] = {
    {"container.pause", op_pause},
    {"container.unpause", op_unpause},
    {"container.rename", op_rename},
    {"container.state", op_state},
    {"container.prune", op_prune},
    {"container.update", op_update},
    {"container.restart", op_restart},
    {"container.top", op_top},
    {"container.stats", op_stats, true},
    {"container.create", op_create},
    {"container.start", op_start, true},
    {"container.run", op_run, true},
    {"container.stop", op_stop},
    {"container.kill", op_kill},
    {"container.remove", op_remove},
    {"container.wait", op_wait, true},
    {"container.list", op_list},
    {"container.inspect", op_inspect},
    {"container.logs", op_logs, true},
    {"container.exec", op_exec, true},
    {"container.attach", op_attach, true},
    {"container.dial", op_dial, true},
    {NULL, NULL},
};
