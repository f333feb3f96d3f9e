/* SPDX-License-Identifier: Apache-2.0 */
/* A further process in a running container (C25, C26). */
#ifndef DRAY_GUEST_CONTAINER_EXEC_H
#define DRAY_GUEST_CONTAINER_EXEC_H

#include "base/buf.h"
#include "guest/container/record.h"

/*
 * request: {"args","env","user","workdir","privileged","stdin","detach","tty","rows",
 * "columns"}. Sends the event
 * "started" on chan, then its output; takes stdin and signals from it.
 * On success *ret_exit is the command's own exit code (128 + n for signal n; 0 for
 * detach). DR_ERR_START means that it never ran: code 127 not found, 126 cannot be
 * executed. When the host gives up or is gone the process is killed, unless it is
 * detached.
 */
int container_exec(struct guest *guest, const struct container *container,
                   const json_t *request, struct wire_chan *chan, int64_t *ret_exit,
                   struct dr_error *err);

/*
 * The same for this process itself: what the command writes goes into output, as far as
 * there is room. After timeout_ms it is killed, and *ret_exit is -1. The calling process
 * is a subreaper (prctl(2)), as serve is.
 */
int container_exec_capture(struct guest *guest, const struct container *container,
                           const json_t *request, int64_t timeout_ms,
                           struct dr_buf *output, int64_t *ret_exit,
                           struct dr_error *err);

#endif
