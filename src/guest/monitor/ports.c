/* SPDX-License-Identifier: Apache-2.0 */
/* Published ports in the monitor's life: they are open before anything else is made, are
 * kept from one run to the next, and are free again before anybody hears of the end. */
#include "guest/monitor/state.h"

#include <fcntl.h>
#include <malloc.h>

#include "base/fs.h"
#include "base/text.h"
#include "guest/net/namespace.h"
#include "guest/net/net.h"
#include "guest/net/proxy.h"
#include "guest/runtime/nofile.h"

/* For what the container has sent last, and its reader has not taken. */
#define DRAIN_MS 2000

int monitor_ports_open(struct monitor *m, const json_t *list, struct dr_error *err)
{
    if (json_array_size(list) == 0 || m->ports.count > 0)
        return 0;
    nofile_raise();
    if (ports_parse(list, &m->ports, err) < 0)
        return -1;
    if (ports_open(&m->ports, err) < 0) {
        ports_release(&m->ports);
        return -1;
    }
    return 0;
}

/* By the addresses that it has on its first network; without one from inside its own
 * network, as `netns` names it. */
static int target_of(const struct monitor *m, struct proxy_target *ret,
                     struct dr_error *err)
{
    dr_auto_json json_t *state = net_state(m->run_dir);
    const json_t *first = json_array_get(dr_json_array(state, "networks"), 0);
    *ret = (struct proxy_target){.net_fd = -1};
    dr_ip_parse(dr_json_str(first, "ip") ?: "", &ret->ip);
    dr_ip_parse(dr_json_str(first, "ip6") ?: "", &ret->ip6);
    if (ret->ip.family || ret->ip6.family)
        return 0;
    dr_auto_free char *path = dr_path_join(m->run_dir, NETNS_FILE);
    ret->net_fd = open(path, O_RDONLY | O_CLOEXEC);
    if (ret->net_fd < 0)
        return dr_fail_errno(err, DR_ERR_NETWORK, "open the container's network");
    dr_ip_parse("127.0.0.1", &ret->ip);
    dr_ip_parse("::1", &ret->ip6);
    return 0;
}

int monitor_ports_serve(struct monitor *m, struct dr_error *err)
{
    struct proxy_target target;
    if (m->ports.count == 0)
        return 0;
    mallopt(M_ARENA_MAX, 1); /* a second thread is no reason for a second heap */
    if (!m->proxy)
        m->proxy = proxy_start(&m->ports, &m->proxy_log_fd, err);
    if (!m->proxy || target_of(m, &target, err) < 0)
        return -1;
    int result = proxy_point(m->proxy, &target, err);
    if (target.net_fd >= 0)
        close(target.net_fd);
    return result;
}

void monitor_ports_pause(struct monitor *m)
{
    dr_auto_error struct dr_error ignored = DR_ERROR_INIT;
    if (!m->proxy && m->ports.count > 0) { /* before the first run of a schedule */
        mallopt(M_ARENA_MAX, 1);
        m->proxy = proxy_start(&m->ports, &m->proxy_log_fd, &ignored);
    }
    if (m->proxy)
        proxy_point(m->proxy, NULL, &ignored);
}

void monitor_ports_close(struct monitor *m)
{
    if (m->proxy)
        proxy_refuse(m->proxy);
    ports_close(&m->ports);
}

void monitor_ports_end(struct monitor *m, bool drain)
{
    monitor_ports_close(m);
    proxy_stop(m->proxy, drain ? DRAIN_MS : 0);
    m->proxy = NULL;
    m->proxy_log_fd = -1;
    ports_release(&m->ports);
}

/* What goes wrong with them is in the container's log, between its own lines: there is no
 * other place where people look. */
void monitor_ports_log(struct monitor *m)
{
    char text[1024];
    ssize_t n = read(m->proxy_log_fd, text, sizeof text);
    if (n > 0 && m->log.path)
        log_write(&m->log, LOG_STDERR, text, (size_t)n, monitor_log_time(m));
}
