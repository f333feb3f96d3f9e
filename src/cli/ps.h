/* SPDX-License-Identifier: Apache-2.0 */
/* What `dray ps` shows of a container, apart from asking for it (cmd_ps.c). */
#ifndef DRAY_CLI_PS_H
#define DRAY_CLI_PS_H

#include "base/json.h"

/* "Up 3 minutes", "Exited (0) 2 hours ago", "Exited (unknown) …": owned. */
char *ps_status(const json_t *item, int64_t now_ns);
/* The row of a summary, with Docker's member names: a new reference. */
json_t *ps_row(const json_t *item, int64_t now_ns, bool no_trunc);
/* "alpine:latest" for "docker.io/library/alpine:latest"; owned. */
char *cli_familiar(const char *canonical);

#endif
