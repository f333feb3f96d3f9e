/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/container/start.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>

#include "base/fs.h"
#include "base/text.h"
#include "guest/bundle/bundle.h"
#include "guest/container/container.h"
#include "guest/container/filter.h"
#include "guest/container/journal.h"
#include "guest/container/ports.h"
#include "guest/monitor/monitor.h"
#include "guest/runtime/runtime.h"

#define START_MS 180000 /* longer than the monitor gives the runtime */
#define SETTLE_MS 5000
#define CANCEL_MS 200 /* how often a start looks whether it is still wanted */

/* The kept or future filter for crun, from the bundle. Only when it is not kept yet does
 * the monitor need to know where it goes. */
static void add_filter(struct guest *guest, const struct runtime *runtime,
                       const struct container *c, json_t *request)
{
    const char *bundle = dr_json_str(c->record, "bundle");
    if (!runtime->traits->seccomp_bpf || !bundle)
        return;
    dr_auto_free char *path = dr_path_join(bundle, "config.json");
    dr_auto_buf struct dr_buf text = DR_BUF_INIT(RECORD_MAX);
    dr_auto_error struct dr_error ignored = DR_ERROR_INIT;
    if (dr_file_read(AT_FDCWD, path, &text, &ignored) < 0 ||
        strstr(text.data, "\"run.oci.seccomp_bpf_data\""))
        return;
    dr_auto_json json_t *config = bundle_parse(text.data, text.len, &ignored);
    dr_auto_free char *filter = filter_path(guest, runtime, config);
    dr_json_set_str(request, "filter", filter);
}

/* So that the first thing that the process reads of its terminal is right: we could set
 * the size only when it runs already. That it fails is no reason not to start. */
static void set_console_size(const struct container *c,
                             const struct start_options *options)
{
    const char *bundle = dr_json_str(c->record, "bundle");
    if (!bundle || options->rows <= 0 || options->columns <= 0 ||
        !dr_json_bool(dr_json_object(c->record, "spec"), "tty"))
        return;
    dr_auto_free char *path = dr_path_join(bundle, "config.json");
    dr_auto_buf struct dr_buf text = DR_BUF_INIT(RECORD_MAX);
    dr_auto_error struct dr_error ignored = DR_ERROR_INIT;
    dr_auto_json json_t *config = NULL;
    if (dr_file_read(AT_FDCWD, path, &text, &ignored) == 0)
        config = bundle_parse(text.data ? text.data : "", text.len, &ignored);
    if (!config)
        return;
    bundle_set_console_size(dr_json_object(config, "process"), options->rows,
                            options->columns);
    dr_auto_free char *changed = bundle_text(config);
    dr_file_write(AT_FDCWD, path, changed, strlen(changed), 0600, 0, &ignored);
}

int container_check_start(struct guest *guest, const struct container *c, int lock_fd,
                          struct dr_error *err)
{
    const char *status = container_status(c);
    if (lock_fd < 0)
        return dr_fail(err, DR_ERR_INTERNAL, "no space left in %s", guest->run_root);
    if (strcmp(status, "created") == 0 || strcmp(status, "exited") == 0)
        return 0;
    dr_auto_error struct dr_error ignored = DR_ERROR_INIT;
    journal_leave(guest, c->id, lock_fd, &ignored);
    return dr_fail(err, DR_ERR_CONFLICT,
                   "container %s is damaged (%s): it can only be removed",
                   container_name(c), status);
}

json_t *container_lowers(struct guest *guest, const struct container *c,
                         struct dr_error *err)
{
    const json_t *list = dr_json_array(c->record, "diff_ids");
    size_t count = json_array_size(list), i;
    dr_auto_free struct oci_digest *diff_ids = dr_alloc((count + 1) * sizeof *diff_ids);
    json_t *item;
    json_array_foreach (list, i, item) {
        const char *text = json_string_value(item);
        if (oci_digest_parse(text ? text : "", text ? strlen(text) : 0, &diff_ids[i],
                             err) < 0)
            return NULL;
    }
    struct layer_stack stack = {0};
    if (layer_store_stack(guest->layers, diff_ids, count, &stack, err) < 0)
        return NULL;
    json_t *paths = dr_json_from_strv(stack.lowers);
    layer_stack_release(&stack);
    return paths;
}

/* A replica answers to its service's name, too, beside the others of it. */
static json_t *networks_of(const json_t *spec)
{
    json_t *networks = json_deep_copy(json_object_get(spec, "networks")), *network;
    const char *service = dr_json_str(spec, "service");
    size_t i;
    json_array_foreach (networks, i, network) {
        if (!service)
            break;
        if (!dr_json_array(network, "aliases"))
            dr_json_set(network, "aliases", json_array());
        json_array_append_new(dr_json_array(network, "aliases"), json_string(service));
    }
    return networks;
}

json_t *container_run_request(const struct container *c)
{
    json_t *request = json_object();
    const json_t *spec = dr_json_object(c->record, "spec");
    static const char *const same[] = {"bundle", "log", "process", "health"};
    for (size_t i = 0; i < DR_COUNT(same); i++)
        dr_json_set(request, same[i], json_incref(json_object_get(c->record, same[i])));
    dr_json_set_str(request, "runtime", dr_json_str(c->state, "runtime"));
    dr_json_set_str(request, "name", container_name(c));
    dr_json_set_str(request, "hostname", dr_json_str(c->record, "hostname"));
    dr_json_set(request, "networks", networks_of(spec));
    static const char *const of_spec[] = {"dns", "dns_search", "dns_options",
                                          "extra_hosts", "domainname"};
    for (size_t i = 0; i < DR_COUNT(of_spec); i++)
        dr_json_set(request, of_spec[i], json_incref(json_object_get(spec, of_spec[i])));
    dr_json_set(request, "ports", container_ports(c));
    const char *network = dr_json_str(c->state, "network");
    if (!network || strcmp(network, "host") != 0)
        dr_json_set(request, "exposed", container_exposed(c));
    static const char *const flags[][2] = {
        {"stdin", "stdin_open"}, {"stdin_keep", "stdin_keep"}, {"tty", "tty"}};
    for (size_t i = 0; i < DR_COUNT(flags); i++)
        dr_json_set_bool(request, flags[i][0], dr_json_bool(spec, flags[i][1]));
    static const char *const numbers[] = {"log_max_size_bytes", "log_max_files"};
    for (size_t i = 0; i < DR_COUNT(numbers); i++)
        dr_json_set_int(request, numbers[i], dr_json_int(spec, numbers[i], 0));
    return request;
}

/* runtime: a path or a name, NULL for the first that is there. */
static json_t *start_request(struct guest *guest, const struct container *c,
                             const char *wanted, struct dr_error *err)
{
    struct runtime runtime;
    if (runtime_find(wanted, &runtime, err) < 0)
        return NULL;
    json_t *request = container_run_request(c), *paths = container_lowers(guest, c, err);
    dr_json_set_str(request, "op", "start");
    dr_json_set_str(request, "id", c->id);
    dr_json_set_str(request, "root", guest->root);
    dr_json_set_str(request, "run_root", guest->run_root);
    dr_json_set_str(request, "bundle_root", guest->bundle_root);
    dr_json_set_str(request, "log_root", guest->log_root);
    dr_json_set_bool(request, "network_strict", guest->network_strict);
    dr_json_set_str(request, "boot_id", guest->boot_id);
    dr_json_set_str(request, "runtime", runtime.path);
    dr_json_set(request, "lowers", paths);
    dr_json_set(request, "volumes", json_incref(json_object_get(c->record, "volumes")));
    dr_json_set_bool(request, "auto_remove", container_auto_remove(c));
    const char *schedule = dr_json_str(dr_json_object(c->record, "spec"), "schedule");
    static const char *const before[] = {"run_count", "failed_count", "exit_code"};
    dr_json_set_str(request, "schedule", schedule);
    for (size_t i = 0; schedule && i < DR_COUNT(before); i++)
        dr_json_set(request, before[i],
                    json_incref(json_object_get(c->state, before[i])));
    add_filter(guest, &runtime, c, request);
    runtime_release(&runtime);
    if (!paths)
        json_decref(DR_TAKE(request));
    return request;
}

/* A monitor that has the lock and the request; *ret_fd is its first client. */
static int hand_over(struct guest *guest, const struct container *c, int lock_fd,
                     const json_t *request, int *ret_fd, pid_t *ret_pid,
                     struct dr_error *err)
{
    dr_auto_fd int ours = -1;
    dr_auto_fd int theirs = -1;
    int fds[2];
    if (!dr_json_str(request, "bundle"))
        return dr_fail(err, DR_ERR_START, "what is kept of the container is damaged");
    if (dr_mkdir_all(guest->log_root, 0700, err) < 0)
        return -1;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
        return dr_fail_errno(err, DR_ERR_START, "make a socket");
    ours = fds[0];
    theirs = fds[1];
    if (monitor_spawn(theirs, lock_fd, container_name(c), ret_pid, err) < 0)
        return -1;
    close(DR_TAKE_FD(theirs));
    *ret_fd = DR_TAKE_FD(ours);
    return 0;
}

/* Until the monitor says something; a host that gives up or leaves ends it: nobody waits
 * for a runtime that hangs. */
static int await_word(int fd, struct wire_chan *chan, struct dr_error *err)
{
    struct pollfd word = {.fd = fd, .events = POLLIN};
    for (int64_t end = dr_clock_ms() + START_MS; dr_clock_ms() < end;) {
        if (poll(&word, 1, CANCEL_MS) > 0)
            return 0;
        if (chan && wire_cancelled(chan))
            return dr_fail(err, DR_ERR_CANCELLED, "the start was given up");
    }
    return dr_fail(err, DR_ERR_TIMEOUT, "the container's monitor said nothing in time");
}

/* The monitor's first word. */
static int await_started(int fd, struct wire_chan *chan, pid_t *ret_pid,
                         struct dr_error *err)
{
    struct monitor_frame frame = {0};
    if (await_word(fd, chan, err) < 0)
        return -1;
    int n = monitor_receive(fd, dr_clock_ms() + START_MS, &frame, err);
    if (n < 0)
        return -1;
    if (n == 0)
        return dr_fail(err, DR_ERR_START,
                       "the container's monitor died while it started it");
    dr_auto_json json_t *json = frame.json;
    if (frame.header.type == WIRE_ERROR)
        return wire_error_from_json(json, err);
    *ret_pid = (pid_t)dr_json_int(json, "pid", 0);
    return 0;
}

/* Nothing is left of a start that failed before there was a monitor. */
static void give_up(struct guest *guest, const struct container *c, bool destroy)
{
    dr_auto_error struct dr_error ignored = DR_ERROR_INIT;
    if (destroy)
        container_destroy_by_name(guest, c->id, true, &ignored);
    else
        journal_leave(guest, c->id, -1, &ignored);
}

int container_start(struct guest *guest, const struct container *container, int lock_fd,
                    const struct start_options *options, int *ret_fd, pid_t *ret_pid,
                    struct dr_error *err)
{
    dr_auto_fd int lock = lock_fd;
    dr_auto_fd int fd = -1;
    dr_auto_json json_t *request = start_request(guest, container, guest->runtime, err);
    pid_t monitor = -1;
    if (request) {
        dr_json_set_int(request, "rows", options->rows);
        dr_json_set_int(request, "columns", options->columns);
        dr_json_set_bool(request, "attach", options->attach);
        dr_json_set_bool(request, "write_stdin", options->stdin_open);
        dr_json_set_bool(request, "destroy_on_failure", options->destroy_on_failure);
        set_console_size(container, options);
    }
    if (!request || hand_over(guest, container, lock, request, &fd, &monitor, err) < 0) {
        give_up(guest, container, options->destroy_on_failure);
        return -1;
    }
    close(DR_TAKE_FD(lock));
    int result = 0;
    if (monitor_send_json(fd, WIRE_REQUEST, request) < 0)
        result =
            dr_fail_errno(err, DR_ERR_START, "tell the container's monitor what to do");
    else
        result = await_started(fd, options->chan, ret_pid, err);
    /* its runtime goes with it, its mounts too; what is left is found by name */
    if (result < 0 && (err->kind == DR_ERR_CANCELLED || err->kind == DR_ERR_TIMEOUT) &&
        err->origin == DR_AT_UNSET)
        kill(monitor, SIGKILL);
    /* A monitor that died without a word left things: the next command would find them,
     * but the answer to this one promises that nothing is left. */
    if (result < 0 && err->origin == DR_AT_UNSET) {
        dr_auto_error struct dr_error ignored = DR_ERROR_INIT;
        container_settle(guest, container->id, SETTLE_MS, true, &ignored);
    }
    if (result < 0)
        return -1;
    *ret_fd = DR_TAKE_FD(fd);
    return 0;
}

int container_resume(struct guest *guest, const struct container *container, int lock_fd,
                     struct dr_error *err)
{
    const char *runtime = dr_json_str(container->state, "runtime");
    dr_auto_json json_t *request =
        start_request(guest, container, runtime ? runtime : guest->runtime, err);
    dr_auto_fd int fd = -1;
    pid_t monitor;
    if (!request)
        return -1;
    static const char *const same[] = {"restart_count", "exit_code"};
    for (size_t i = 0; i < DR_COUNT(same); i++)
        dr_json_set(request, same[i],
                    json_incref(json_object_get(container->state, same[i])));
    dr_json_set_bool(request, "resume", true);
    if (hand_over(guest, container, lock_fd, request, &fd, &monitor, err) < 0)
        return -1;
    if (monitor_send_json(fd, WIRE_REQUEST, request) < 0)
        return dr_fail_errno(err, DR_ERR_START,
                             "tell the container's monitor what to do");
    return 0;
}
