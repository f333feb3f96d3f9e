/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One health check, as a process of its own: the monitor, which starts it, stays small
 * and never waits. It does the check, writes the result down (container/health.h) and
 * tells the monitor by its exit status how the container is.
 */
#ifndef DRAY_GUEST_PROBE_H
#define DRAY_GUEST_PROBE_H

#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"

/* Exit status: an enum health_status, or this: nothing is known. */
#define PROBE_UNKNOWN 100

/* argv: "probe", root, run root, container id */
int probe_main(int argc, char **argv);

/* Inside the network namespace of process pid, without any program of the container's.
 * where: "[host:]port" and "[http://][host]:port[/path]", host an address or localhost.
 * Returns the check's exit code, 0 or 1; output says why. HTTP: 200 to 399 is success. */
int probe_tcp(pid_t pid, const char *where, int64_t timeout_ms, struct dr_buf *output);
int probe_http(pid_t pid, const char *where, int64_t timeout_ms, struct dr_buf *output);

#endif
