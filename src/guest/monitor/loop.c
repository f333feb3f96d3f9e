/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/monitor/state.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/text.h"

enum {
    SLOT_SIGNAL,
    SLOT_LISTEN,
    SLOT_STDOUT,
    SLOT_STDERR,
    SLOT_STDIN,
    SLOT_PROXY,
    SLOT_TIMER,
    SLOTS
};

void monitor_accept(struct monitor *m)
{
    int fd;
    while ((fd = accept4(m->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0)
        monitor_client_add(m, fd);
}

/* Reaps whatever became our child. True once it was the container's first process. */
static bool reap(struct monitor *m, int *ret_status)
{
    int status;
    bool found = false;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
        if (pid == m->init) {
            *ret_status = status;
            found = true;
        } else {
            monitor_health_reaped(m, pid, status);
        }
    return found;
}

static bool on_signals(struct monitor *m, int *ret_status)
{
    struct signalfd_siginfo info;
    while (read(m->signal_fd, &info, sizeof info) == sizeof info)
        if (info.ssi_signo == SIGTERM) { /* the guest shuts down, say */
            m->shutting_down = true;
            if (m->init > 0) /* the container's turn */
                kill(m->init, SIGTERM);
        }
    return reap(m, ret_status);
}

static size_t fill(struct monitor *m)
{
    bool wait = m->gather_ns > 0 || monitor_clients_behind(m);
    size_t n = SLOTS;
    for (struct monitor_client *client = m->clients; client; client = client->next)
        n++;
    if (n > m->poll_cap)
        m->poll_fds =
            dr_realloc(m->poll_fds, (m->poll_cap = n + 4) * sizeof *m->poll_fds);
    struct pollfd *at = m->poll_fds;
    at[SLOT_SIGNAL] = (struct pollfd){.fd = m->signal_fd, .events = POLLIN};
    at[SLOT_LISTEN] = (struct pollfd){.fd = m->listen_fd, .events = POLLIN};
    /* Who is attached and does not keep up holds the container back: no byte is lost. */
    for (int i = 0; i < 2; i++)
        at[SLOT_STDOUT + i] =
            (struct pollfd){.fd = wait ? -1 : m->output_fds[1 + i], .events = POLLIN};
    at[SLOT_STDIN] =
        (struct pollfd){.fd = m->stdin_data ? m->stdin_fd : -1, .events = POLLOUT};
    at[SLOT_PROXY] = (struct pollfd){.fd = m->proxy_log_fd, .events = POLLIN};
    at[SLOT_TIMER] = (struct pollfd){.fd = m->timer_fd, .events = POLLIN};
    size_t slot = SLOTS;
    for (struct monitor_client *client = m->clients; client; client = client->next) {
        bool readable = monitor_client_readable(m, client);
        at[slot++] = (struct pollfd){
            .fd = client->hung_up && !readable ? -1 : client->fd,
            .events = (short)((readable ? POLLIN : 0) | (client->pending ? POLLOUT : 0))};
    }
    return n;
}

static void serve_clients(struct monitor *m, const struct pollfd *at)
{
    size_t slot = SLOTS;
    for (struct monitor_client *client = m->clients; client; client = client->next) {
        short got = at[slot++].revents;
        if (got & POLLOUT)
            monitor_client_flush(client);
        if (got & POLLIN)
            monitor_client_read(m, client);
        else if (got & (POLLHUP | POLLERR))
            monitor_client_hang_up(client);
    }
    monitor_clients_sweep(m);
}

/* No longer than what comes shall gather. */
static int wait_for(struct monitor *m, size_t count, int timeout_ms)
{
    struct timespec until = {.tv_nsec = m->gather_ns};
    if (m->gather_ns == 0 || timeout_ms == 0)
        return poll(m->poll_fds, count, timeout_ms);
    return ppoll(m->poll_fds, count, &until, NULL);
}

bool monitor_turn(struct monitor *m, int timeout_ms, int *ret_status)
{
    bool dead = false;
    size_t n = fill(m);
    int ready = wait_for(m, n, timeout_ms);
    m->gather_ns = 0;
    if (ready <= 0)
        return false;
    if (m->poll_fds[SLOT_SIGNAL].revents)
        dead = on_signals(m, ret_status);
    for (int i = 0; i < 2; i++)
        if (m->poll_fds[SLOT_STDOUT + i].revents)
            monitor_read_output(m, 1 + i);
    if (m->poll_fds[SLOT_STDIN].revents)
        monitor_stdin_flush(m);
    if (m->poll_fds[SLOT_PROXY].revents)
        monitor_ports_log(m);
    serve_clients(m, m->poll_fds);
    if (m->poll_fds[SLOT_LISTEN].revents)
        monitor_accept(m);
    return dead;
}

bool monitor_flush_clients(struct monitor *m)
{
    bool any = false;
    size_t n = fill(m), slot = SLOTS;
    for (size_t i = 0; i < SLOTS; i++)
        m->poll_fds[i].fd = -1;
    for (struct monitor_client *client = m->clients; client; client = client->next) {
        if (!client->pending)
            m->poll_fds[slot].fd = -1;
        any = any || client->pending;
        m->poll_fds[slot++].events = POLLOUT;
    }
    if (any && poll(m->poll_fds, n, -1) > 0)
        serve_clients(m, m->poll_fds);
    return any;
}

int monitor_loop(struct monitor *m)
{
    int status = 0;
    bool dead = reap(m, &status); /* its signal may have come before we looked */
    while (!dead) {
        dead = monitor_turn(m, monitor_health_wait_ms(m), &status);
        if (!dead)
            monitor_health_look(m);
    }
    m->init = 0;
    monitor_health_end(m);
    monitor_drain(m);
    monitor_stdin_close(m);
    /* who asked before the end is heard before it is decided what comes next */
    monitor_hear_all(m);
    return status;
}

void monitor_hear_all(struct monitor *m)
{
    monitor_accept(m);
    for (struct monitor_client *client = m->clients; client; client = client->next)
        monitor_client_read(m, client);
}
