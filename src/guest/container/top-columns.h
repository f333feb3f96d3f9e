/* SPDX-License-Identifier: Apache-2.0 */
/* What can be shown of a process: the columns of ps. */
#ifndef DRAY_GUEST_CONTAINER_TOP_COLUMNS_H
#define DRAY_GUEST_CONTAINER_TOP_COLUMNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define TOP_COLUMNS_MAX 64

/* What /proc says of one process. */
struct top_process {
    int64_t pid, ppid, pgid, sid, tty, tpgid, threads, priority, nice, uid, gid;
    int64_t cpu_ticks, start_ticks, vsz_bytes, rss_pages;
    char state;
    char *comm, *args; /* owned; args NULL: it has none (a kernel thread, a zombie) */
};
/* The texts of stat, status and cmdline (len bytes). False: that is no process. */
bool top_process_parse(const char *stat, const char *status, const char *cmdline,
                       size_t len, struct top_process *ret);
void top_process_release(struct top_process *process);

/* What values are relative to. */
struct top_context {
    int64_t now_ns, boot_ns; /* boot_ns: when the machine came up */
    int64_t ticks, page_bytes, memory_bytes;
    const char *passwd, *group; /* texts of the files; NULL: numbers are shown */
};
struct top_column {
    const char *name, *title;
    char *(*show)(const struct top_process *process, const struct top_context *context);
};

/* Those that text names, in its order; NULL: as `ps -ef`. DR_ERR_INVALID names an unknown
 * one and those that there are. */
int top_columns(const char *text, const struct top_column *ret[TOP_COLUMNS_MAX],
                size_t *ret_count, struct dr_error *err);
/* One cell, owned. NULL: there is no such column. */
char *top_value(const char *column, const struct top_process *process,
                const struct top_context *context);

#endif
