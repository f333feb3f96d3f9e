/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/container/stats.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "base/fs.h"
#include "base/text.h"
#include "guest/cgroup/cgroup.h"
#include "guest/cgroup/stats.h"
#include "guest/container/names.h"

#define INTERVAL_MS 1000
#define INTERVAL_MIN_MS 10
#define NET_DEV_MAX (256u << 10)

/* Of the whole machine, for shares of it. */
struct machine {
    int64_t cpu_us, cpus;
};

struct round {
    struct guest *guest;
    struct wire_chan *chan;
    struct machine machine;
    struct dr_error *err;
};

static struct machine look_at_machine(void)
{
    char text[512] = "";
    dr_auto_fd int fd = open("/proc/stat", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
    text[n > 0 ? n : 0] = '\0';
    return (struct machine){.cpu_us = proc_stat_cpu_us(text, sysconf(_SC_CLK_TCK)),
                            .cpus = sysconf(_SC_NPROCESSORS_ONLN)};
}

/* The network namespace is that of the first process; the pidfd, held meanwhile, says
 * that the number is still its. */
static void read_net(const struct container *c, int64_t *ret_rx, int64_t *ret_tx)
{
    pid_t pid;
    dr_auto_fd int pidfd = container_pidfd(c, &pid);
    dr_auto_buf struct dr_buf text = DR_BUF_INIT(NET_DEV_MAX);
    dr_auto_error struct dr_error ignored = DR_ERROR_INIT;
    if (pidfd < 0)
        return;
    dr_auto_free char *path = dr_printf("/proc/%d/net/dev", (int)pid);
    dr_auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = 0;
    while (fd >= 0 && dr_buf_reserve(&text, 4096, &ignored) == 0 &&
           (n = read(fd, text.data + text.len, 4096)) > 0)
        text.len += (size_t)n;
    if (!text.data)
        return;
    text.data[text.len] = '\0';
    net_dev_sum(text.data, ret_rx, ret_tx);
}

static int send_sample(struct round *round, const struct container *c)
{
    struct cgroup_stats s = {.memory_limit_bytes = CGROUP_NO_LIMIT};
    int64_t rx = 0, tx = 0;
    dr_auto_free char *cgroup = cgroup_path(c->id);
    if (strcmp(container_status(c), "running") == 0 &&
        cgroup_stats_read(CGROUP_ROOT, cgroup, &s) == 0)
        read_net(c, &rx, &tx);
    const struct {
        const char *key;
        int64_t value;
    } numbers[] = {
        {"time_ns", dr_now_ns()},
        {"cpu_us", s.cpu_us},
        {"system_cpu_us", round->machine.cpu_us},
        {"cpus", round->machine.cpus},
        {"memory_bytes", s.memory_bytes},
        {"memory_limit_bytes", s.memory_limit_bytes},
        {"pids", s.pids},
        {"pids_limit", s.pids_limit},
        {"block_read_bytes", s.block_read_bytes},
        {"block_write_bytes", s.block_write_bytes},
        {"net_rx_bytes", rx},
        {"net_tx_bytes", tx},
    };
    dr_auto_json json_t *event = json_object();
    dr_json_set_str(event, "event", "stats");
    dr_json_set_str(event, "id", c->id);
    dr_json_set_str(event, "name", container_name(c));
    for (size_t i = 0; i < DR_COUNT(numbers); i++)
        dr_json_set_int(event, numbers[i].key, numbers[i].value);
    return wire_event(round->chan, event, round->err);
}

static int sample_running(void *arg, const char *id)
{
    struct round *round = arg;
    container_auto struct container c = {0};
    dr_auto_error struct dr_error gone = DR_ERROR_INIT;
    if (container_load_state(round->guest, id, &c, &gone) < 0 ||
        strcmp(container_status(&c), "running") != 0)
        return 0;
    return send_sample(round, &c);
}

/* The ids that are meant; NULL in *ret: all. */
static int find_all(struct guest *guest, const json_t *request, char ***ret,
                    struct dr_error *err)
{
    const json_t *names = dr_json_array(request, "ids");
    size_t i;
    json_t *name;
    *ret = NULL;
    json_array_foreach (names, i, name) {
        container_auto struct container c = {0};
        if (container_find(guest, json_string_value(name), &c, err) < 0) {
            dr_strv_free(*ret);
            return -1;
        }
        dr_strv_add(ret, c.id);
    }
    if (names && !*ret) {
        *ret = dr_alloc(sizeof **ret); /* none, which is not all */
    }
    return 0;
}

static int sample_round(struct round *round, char *const *ids)
{
    round->machine = look_at_machine();
    if (!ids && container_each(round->guest, sample_running, round, round->err) < 0)
        return -1;
    for (size_t i = 0; ids && ids[i]; i++) {
        container_auto struct container c = {0};
        dr_auto_error struct dr_error gone = DR_ERROR_INIT;
        if (container_load_state(round->guest, ids[i], &c, &gone) == 0 &&
            send_sample(round, &c) < 0)
            return -1;
    }
    dr_auto_json json_t *event = json_object();
    dr_json_set_str(event, "event", "round");
    return wire_event(round->chan, event, round->err);
}

/* Until the next round is due, or the host gave up. */
static bool is_wanted_until(struct wire_chan *chan, int64_t due_ms)
{
    int64_t left;
    while (!wire_cancelled(chan) && (left = due_ms - dr_clock_ms()) > 0) {
        struct pollfd fd = {.fd = wire_poll_fd(chan), .events = POLLIN};
        if (poll(&fd, 1, left < 60000 ? (int)left : 60000) > 0)
            wire_poll_clear(chan);
    }
    return !wire_cancelled(chan);
}

int container_stats(struct guest *guest, const json_t *request, struct wire_chan *chan,
                    struct dr_error *err)
{
    dr_auto_strv char **ids = NULL;
    int64_t interval_ms = dr_json_int(request, "interval_ms", 0);
    bool once = dr_json_bool(request, "once");
    if (interval_ms < 0)
        return dr_fail(err, DR_ERR_INVALID, "interval_ms is negative");
    if (interval_ms == 0)
        interval_ms = INTERVAL_MS;
    if (interval_ms < INTERVAL_MIN_MS)
        interval_ms = INTERVAL_MIN_MS;
    if (find_all(guest, request, &ids, err) < 0)
        return -1;
    struct round round = {.guest = guest, .chan = chan, .err = err};
    for (int64_t due = dr_clock_ms();;) {
        if (sample_round(&round, ids) < 0)
            return -1;
        if (once)
            return 0;
        due += interval_ms;
        if (due < dr_clock_ms()) /* slower than that it is */
            due = dr_clock_ms() + interval_ms;
        if (!is_wanted_until(chan, due))
            return dr_fail(err, DR_ERR_CANCELLED, "nobody wants statistics any more");
    }
}
