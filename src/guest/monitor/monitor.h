/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The monitor: one small process per running container, started by the helper and alive
 * as long as the container is. It mounts the root file system in a mount namespace of its
 * own, runs the runtime, reaps the container's first process (so that exit codes are
 * true, C21), writes its log, and cleans up after it.
 *
 * It has one thread and no state that is not also in files: after kill -9 of it the next
 * command finds the container by name and cleans up (HAZARDS H5).
 */
#ifndef DRAY_GUEST_MONITOR_H
#define DRAY_GUEST_MONITOR_H

#include <stdint.h>

#include "wire/frame.h"

/* Descriptors that the helper hands over. */
#define MONITOR_CLIENT_FD                                                                \
    3                     /* a socket: the first client, whose request says what to do */
#define MONITOR_LOCK_FD 4 /* the container's lock, held as long as this process lives */

/* Starts a monitor in a session of its own, with the two descriptors (borrowed) at their
 * places and no others. name: for people who look at ps. */
int monitor_spawn(int client_fd, int lock_fd, const char *name, pid_t *ret_pid,
                  struct dr_error *err);

/* argv: "monitor" and the container's name, for people who look at ps. */
int monitor_main(int argc, char **argv);

/*
 * Clients. The first comes with the start, others connect to <run_root>/<id>/sock. Frames
 * are the wire's, all on channel 1:
 *   client → monitor, first:  REQUEST {"op":"start", …} (the first client only),
 *                             REQUEST {"op":"wait"}
 *   then, when it attached with "stdin":  DATA 0, EOF 0
 *   monitor → client:         EVENT {"event":"started","pid":N}      (start)
 *                             ERROR …: it did not start; nothing is left behind
 *                             DATA 1, DATA 2 (to those that are attached)
 *                             EVENT {"event":"exited","exit_code":N}: the last, when all
 * output was sent and the end is written; of a container that goes with its end, when it
 * is gone. Others' cleaning up goes on for a moment, with the lock held.
 */
struct monitor_frame {
    struct wire_header header;
    json_t *json; /* of a control frame, a reference of the caller's; NULL for data */
};

/* The header of a frame on a monitor's socket: there is one channel, 1. */
void monitor_frame_head(enum wire_type type, int stream, size_t len,
                        unsigned char ret_head[WIRE_HEADER_BYTES]);
/* All of it, blocking. -1 with errno. */
int monitor_send(int fd, enum wire_type type, int stream, const void *data, size_t len);
int monitor_send_json(int fd, enum wire_type type, const json_t *json);
/* Reads a header, and for control frames the payload. The payload of DATA stays to be
 * read by the caller. deadline_ms: dr_clock_ms() time, 0: none. Returns 1, 0 when the
 * peer closed, -1 with err. */
int monitor_receive(int fd, int64_t deadline_ms, struct monitor_frame *ret,
                    struct dr_error *err);
/* Connects to a running container's monitor; -1 with errno when there is none. run_dir
 * may be longer than a socket's address. */
int monitor_connect(const char *run_dir);
/* The same without waiting: EAGAIN when it has not heard those before us yet, and too
 * many of them. The connection does not wait either. */
int monitor_try_connect(const char *run_dir);
/* Listening end, for the monitor. */
int monitor_listen(const char *run_dir);

#endif
