/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/stats.h"

#include "base/text.h"
#include "cli/cli.h"

/* Rule: docker/cli cli/command/container/stats_helpers.go, calculateCPUPercentUnix. */
double stats_cpu_percent(const struct dray_stats *now, const struct dray_stats *before)
{
    double used = (double)(now->cpu_us - before->cpu_us);
    double had = (double)(now->system_cpu_us - before->system_cpu_us);
    double cpus = now->cpus > 0 ? (double)now->cpus : 1;
    return used > 0 && had > 0 ? used / had * cpus * 100 : 0;
}

/* "1.2kB / 3MB" */
static char *both(int64_t in_bytes, int64_t out_bytes)
{
    dr_auto_free char *in = dr_size_text(in_bytes);
    dr_auto_free char *out = dr_size_text(out_bytes);
    return dr_printf("%s / %s", in, out);
}

json_t *stats_row(const struct dray_stats *now, const struct dray_stats *before,
                  int64_t target_memory_bytes)
{
    int64_t limit = now->memory_limit_bytes;
    if (limit == INT64_MAX || (target_memory_bytes && limit > target_memory_bytes))
        limit = target_memory_bytes;
    double share = limit > 0 ? (double)now->memory_bytes / (double)limit * 100 : 0;
    dr_auto_free char *memory = cli_size_binary(now->memory_bytes);
    dr_auto_free char *most = cli_size_binary(limit);
    json_t *row = json_object();
    cli_row_set(row, "CPUPerc",
                before ? dr_printf("%.2f%%", stats_cpu_percent(now, before))
                       : dr_strdup("--"));
    cli_row_set(row, "MemUsage", dr_printf("%s / %s", memory, most));
    cli_row_set(row, "MemPerc", dr_printf("%.2f%%", share));
    cli_row_set(row, "NetIO", both(now->net_rx_bytes, now->net_tx_bytes));
    cli_row_set(row, "BlockIO", both(now->block_read_bytes, now->block_write_bytes));
    cli_row_set(row, "PIDs", dr_printf("%lld", (long long)now->pids));
    return row;
}
