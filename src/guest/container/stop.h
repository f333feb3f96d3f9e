/* SPDX-License-Identifier: Apache-2.0 */
/* Ending containers, and waiting for their end. */
#ifndef DRAY_GUEST_CONTAINER_STOP_H
#define DRAY_GUEST_CONTAINER_STOP_H

#include "guest/container/record.h"

/* C18: the stop signal, timeout_s, SIGKILL; returns when the container is dead and
 * cleaned up. One that does not run is success. timeout_s < 0, signal 0: its own. chan:
 * for giving up. */
int container_stop(struct guest *guest, const struct container *container,
                   int64_t timeout_s, int signal, struct wire_chan *chan,
                   struct dr_error *err);
/* The member "signal" of a request; 0: none is there. DR_ERR_INVALID. */
int container_stop_signal(const json_t *request, int *ret_signal, struct dr_error *err);

/* C22: DR_ERR_CONFLICT when it does not run. */
int container_kill(struct guest *guest, const struct container *container, int signal,
                   struct dr_error *err);

/* C21: blocks until it has ended. *ret_known false: nobody saw its exit code.
 * DR_ERR_CONFLICT for one that was never started. */
int container_wait(struct guest *guest, const struct container *container,
                   struct wire_chan *chan, bool *ret_known, int64_t *ret_exit,
                   struct dr_error *err);

/* C19: DR_ERR_CONFLICT when it runs, unless force. volumes: anonymous ones too. */
int container_remove(struct guest *guest, const struct container *container, bool force,
                     bool volumes, struct dr_error *err);

#endif
