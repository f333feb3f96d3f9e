/* SPDX-License-Identifier: Apache-2.0 */
/* What `dray ps` shows of a container, apart from asking for it (cmd_ps.c). */
#ifndef DRAY_CLI_PS_H
#define DRAY_CLI_PS_H

#include <dray.h>

#include "base/json.h"

/* Docker's word for what a container does: "created", "running" …; static. */
const char *ps_state(enum dray_phase phase);
/* "starting", "healthy", "unhealthy" or "none"; static. */
const char *ps_health(enum dray_health health);
/* "Up 3 minutes", "Exited (0) 2 hours ago", "Exited (unknown) …": owned. */
char *ps_status(const struct dray_state *state, int64_t now_ns);
/* [{"name" or "source","target"}…]: a new reference. */
json_t *ps_mounts(const struct dray_container *container);
/* A container's row, with Docker's member names: a new reference. */
json_t *ps_row(const struct dray_container *container, int64_t now_ns, bool no_trunc);

#endif
