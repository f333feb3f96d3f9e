/* SPDX-License-Identifier: Apache-2.0 */
/* What `dray stats` shows of two samples, apart from asking for them (cmd_stats.c). */
#ifndef DRAY_CLI_STATS_H
#define DRAY_CLI_STATS_H

#include <dray.h>

#include "base/json.h"

/* The CPU's share as Docker's: what the container used of what the target had between two
 * samples, times the number of CPUs, so that 100 is one CPU. */
double stats_cpu_percent(const struct dray_stats *now, const struct dray_stats *before);
/* A row with Docker's member names (CPUPerc, MemUsage …): a new reference. before NULL:
 * there is one sample only, and no share of the CPU yet ("--"). */
json_t *stats_row(const struct dray_stats *now, const struct dray_stats *before,
                  int64_t target_memory_bytes);

#endif
