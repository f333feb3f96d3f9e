/* SPDX-License-Identifier: Apache-2.0 */
/* What a container uses, from its cgroup (C27). Functions that take text are the parsers,
 * for the tests. */
#ifndef DRAY_GUEST_CGROUP_STATS_H
#define DRAY_GUEST_CGROUP_STATS_H

#include <stdint.h>
#include <sys/types.h>

#define CGROUP_NO_LIMIT INT64_MAX

struct cgroup_stats {
    int64_t cpu_us;
    int64_t memory_bytes;       /* without the page cache that was not used for long */
    int64_t memory_limit_bytes; /* CGROUP_NO_LIMIT */
    int64_t pids, pids_limit;   /* limit 0: none */
    int64_t block_read_bytes, block_write_bytes;
};

/* What a missing controller would tell is 0 (no limit). -1: there is no cgroup. */
int cgroup_stats_read(const char *root, const char *path, struct cgroup_stats *ret);

/* The number behind `key` at the beginning of a line ("inactive_file 4096"); 0 when there
 * is none. */
int64_t cgroup_key(const char *text, const char *key);
/* v1: "8:0 Read 4096" lines; v2: "8:0 rbytes=4096 wbytes=…". Sums over devices. */
void cgroup_block_v1(const char *text, int64_t *ret_read, int64_t *ret_written);
void cgroup_block_v2(const char *text, int64_t *ret_read, int64_t *ret_written);
/* /proc/<pid>/net/dev: all interfaces but lo. */
void net_dev_sum(const char *text, int64_t *ret_rx, int64_t *ret_tx);
/* /proc/stat: microseconds that all processors were busy or idle since the boot. */
int64_t proc_stat_cpu_us(const char *text, long ticks_per_second);

#endif
