/* SPDX-License-Identifier: Apache-2.0 */
/* Starting a container: its monitor, and passing its streams on. */
#ifndef DRAY_GUEST_CONTAINER_START_H
#define DRAY_GUEST_CONTAINER_START_H

#include "guest/container/record.h"

struct start_options {
    bool attach;
    bool stdin_open;         /* attached: the host writes to its stdin */
    int64_t rows, columns;   /* of its terminal; 0: not known */
    struct wire_chan *chan;  /* whose giving up ends a start that hangs; NULL: nobody's */
    bool destroy_on_failure; /* `run`: when it does not start, nothing is left of it */
};

/* Whether a container that does not run can be started, its lock being held (-1: there
 * was no space for one). When it cannot, the lock is let go. DR_ERR_CONFLICT: it is
 * damaged. */
int container_check_start(struct guest *guest, const struct container *container,
                          int lock_fd, struct dr_error *err);

/*
 * Starts a container whose lock is held; the lock goes to the monitor and lock_fd is
 * closed in any case. On success *ret_fd is the monitor's first client (monitor.h),
 * *ret_pid the container's first process. DR_ERR_START, from the runtime or from us, when
 * it did not start: everything that was made for it is undone then.
 */
int container_start(struct guest *guest, const struct container *container, int lock_fd,
                    const struct start_options *options, int *ret_fd, pid_t *ret_pid,
                    struct dr_error *err);

/*
 * Starts a container again whose monitor was lost, or that ran before the guest booted.
 * Its state says "restarting", its lock is held and stays the caller's (the monitor holds
 * it as well). Does not wait: the monitor tries until it runs or is stopped.
 */
int container_resume(struct guest *guest, const struct container *container, int lock_fd,
                     struct dr_error *err);

/* The layers of its root file system, topmost first, as overlayfs takes them. A new
 * reference. */
json_t *container_lowers(struct guest *guest, const struct container *container,
                         struct dr_error *err);

/* What a monitor needs to know for each run, from the record and the state. A new
 * reference. */
json_t *container_run_request(const struct container *container);

/*
 * Passes on between a channel and a monitor's client: output to the host as fast as it
 * gives credit, stdin and events the other way. Ends when the container did; *ret_reply
 * is {"exit_code","oom_killed"} then. When the host gave up or is gone the container runs
 * on and DR_ERR_CANCELLED is the answer. *ret_undo: it gave up before it had heard of the
 * start (event "undo").
 */
int container_relay(struct wire_chan *chan, const struct container *container,
                    int monitor_fd, int pidfd, json_t **ret_reply, bool *ret_undo,
                    struct dr_error *err);

/* Waits for the monitor's word of the end, or for the host's giving up.
 * Returns 1 with *ret_exit, 0 when the monitor went away without it, -1 with err
 * (DR_ERR_CANCELLED, DR_ERR_TIMEOUT). chan may be NULL. */
int container_wait_exit(struct wire_chan *chan, int monitor_fd, int64_t deadline_ms,
                        int64_t *ret_exit, struct dr_error *err);

#endif
