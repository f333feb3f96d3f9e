/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/cgroup/stats.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guest/cgroup/file.h"

/* v1 says "no limit" by the largest number of whole pages, v2 by "max". */
#define V1_NO_LIMIT (INT64_MAX / 2)

int64_t cgroup_key(const char *text, const char *key)
{
    size_t len = strlen(key);
    for (const char *line = text; line && *line;) {
        if (strncmp(line, key, len) == 0 && line[len] == ' ')
            return strtoll(line + len + 1, NULL, 10);
        line = strchr(line, '\n');
        line = line ? line + 1 : NULL;
    }
    return 0;
}

void cgroup_block_v1(const char *text, int64_t *ret_read, int64_t *ret_written)
{
    *ret_read = *ret_written = 0;
    for (const char *line = text; line && *line;) {
        long long bytes;
        if (sscanf(line, "%*u:%*u Read %lld", &bytes) == 1)
            *ret_read += bytes;
        else if (sscanf(line, "%*u:%*u Write %lld", &bytes) == 1)
            *ret_written += bytes;
        line = strchr(line, '\n');
        line = line ? line + 1 : NULL;
    }
}

void cgroup_block_v2(const char *text, int64_t *ret_read, int64_t *ret_written)
{
    *ret_read = *ret_written = 0;
    for (const char *at = text; (at = strstr(at, "bytes=")); at += 6) {
        if (at == text)
            continue;
        int64_t bytes = strtoll(at + 6, NULL, 10);
        if (at[-1] == 'r')
            *ret_read += bytes;
        else if (at[-1] == 'w')
            *ret_written += bytes;
    }
}

void net_dev_sum(const char *text, int64_t *ret_rx, int64_t *ret_tx)
{
    *ret_rx = *ret_tx = 0;
    for (const char *line = text; line && *line;) {
        char name[32];
        unsigned long long rx, tx;
        /* the name ends with a colon, which a number may follow without a blank */
        if (sscanf(line,
                   " %31[^: \n]:%llu %*u %*u %*u %*u %*u %*u %*u "
                   "%llu",
                   name, &rx, &tx) == 3 &&
            strcmp(name, "lo") != 0) {
            *ret_rx += (int64_t)rx;
            *ret_tx += (int64_t)tx;
        }
        line = strchr(line, '\n');
        line = line ? line + 1 : NULL;
    }
}

int64_t proc_stat_cpu_us(const char *text, long ticks_per_second)
{
    unsigned long long t[8] = {0}, sum = 0;
    /* user nice system idle iowait irq softirq steal; what guests got is in user */
    if (sscanf(text, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &t[0], &t[1], &t[2],
               &t[3], &t[4], &t[5], &t[6], &t[7]) < 4)
        return 0;
    for (int i = 0; i < 8; i++)
        sum += t[i];
    return (int64_t)(sum * (1000000 / (unsigned long long)ticks_per_second));
}

/* A file's number; "max" and what is not there: otherwise. */
static int64_t number(const char *root, const char *path, const char *controller,
                      const char *v1, const char *v2, int64_t otherwise)
{
    char text[64];
    if (cgroup_file_read(root, path, controller, v1, v2, text, sizeof text, NULL) <= 0 ||
        !isdigit((unsigned char)text[0]))
        return otherwise;
    return strtoll(text, NULL, 10);
}

static void read_memory(const char *root, const char *path, struct cgroup_stats *ret)
{
    char text[CGROUP_FILE_MAX] = "";
    bool v2 = false;
    int64_t used =
        number(root, path, "memory", "memory.usage_in_bytes", "memory.current", 0);
    cgroup_file_read(root, path, "memory", "memory.stat", "memory.stat", text,
                     sizeof text, &v2);
    int64_t idle = cgroup_key(text, v2 ? "inactive_file" : "total_inactive_file");
    int64_t limit = number(root, path, "memory", "memory.limit_in_bytes", "memory.max",
                           CGROUP_NO_LIMIT);
    ret->memory_bytes = used > idle ? used - idle : used;
    ret->memory_limit_bytes = limit > V1_NO_LIMIT ? CGROUP_NO_LIMIT : limit;
}

static void read_block(const char *root, const char *path, struct cgroup_stats *ret)
{
    static const char *const v1_files[] = {"blkio.throttle.io_service_bytes_recursive",
                                           "blkio.throttle.io_service_bytes"};
    char text[CGROUP_FILE_MAX];
    for (size_t i = 0; i < 2; i++)
        if (cgroup_file_read(root, path, "blkio", v1_files[i], NULL, text, sizeof text,
                             NULL) >= 0) {
            cgroup_block_v1(text, &ret->block_read_bytes, &ret->block_write_bytes);
            return;
        }
    if (cgroup_file_read(root, path, NULL, NULL, "io.stat", text, sizeof text, NULL) >= 0)
        cgroup_block_v2(text, &ret->block_read_bytes, &ret->block_write_bytes);
}

int cgroup_stats_read(const char *root, const char *path, struct cgroup_stats *ret)
{
    struct cgroup_stats s = {.memory_limit_bytes = CGROUP_NO_LIMIT};
    char text[CGROUP_FILE_MAX];
    bool v2 = false;
    bool there = cgroup_file_read(root, path, "cpuacct", "cpuacct.usage", "cpu.stat",
                                  text, sizeof text, &v2) > 0;
    if (there)
        s.cpu_us = v2 ? cgroup_key(text, "usage_usec") : strtoll(text, NULL, 10) / 1000;
    s.pids = number(root, path, "pids", "pids.current", "pids.current", -1);
    if (!there && s.pids < 0)
        return -1;
    if (s.pids < 0)
        s.pids = 0;
    s.pids_limit = number(root, path, "pids", "pids.max", "pids.max", 0);
    read_memory(root, path, &s);
    read_block(root, path, &s);
    *ret = s;
    return 0;
}
