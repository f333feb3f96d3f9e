/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/container/top.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/fs.h"
#include "base/text.h"
#include "guest/cgroup/cgroup.h"
#include "guest/container/top-columns.h"

#define NANO 1000000000LL
#define CMDLINE_MAX 32768
#define NAMES_MAX (1u << 20) /* bytes of passwd and group */

bool top_process_parse(const char *stat, const char *status, const char *cmdline,
                       size_t len, struct top_process *ret)
{
    struct top_process p = {0};
    long long ppid, pgid, sid, tty, tpgid, priority, nice, threads, rss;
    unsigned long long utime, stime, start, vsz;
    /* the name may hold blanks and parentheses */
    const char *open = strchr(stat, '('), *close = strrchr(stat, ')');
    if (!open || !close || close < open ||
        sscanf(close + 1,
               " %c %lld %lld %lld %lld %lld %*u %*u %*u %*u %*u %llu %llu %*d %*d %lld "
               "%lld %lld %*d %llu %llu %lld",
               &p.state, &ppid, &pgid, &sid, &tty, &tpgid, &utime, &stime, &priority,
               &nice, &threads, &start, &vsz, &rss) != 14)
        return false;
    p.pid = strtoll(stat, NULL, 10);
    p.ppid = ppid, p.pgid = pgid, p.sid = sid, p.tty = tty, p.tpgid = tpgid;
    p.priority = priority, p.nice = nice, p.threads = threads, p.rss_pages = rss;
    p.cpu_ticks = (int64_t)(utime + stime), p.start_ticks = (int64_t)start;
    p.vsz_bytes = (int64_t)vsz;
    long long uid = 0, gid = 0; /* the effective ones */
    const char *line = strstr(status, "\nUid:");
    if (line)
        sscanf(line, " Uid: %*u %lld", &uid);
    if ((line = strstr(status, "\nGid:")))
        sscanf(line, " Gid: %*u %lld", &gid);
    p.uid = uid, p.gid = gid;
    p.comm = dr_strndup(open + 1, (size_t)(close - open - 1));
    while (len > 0 && cmdline[len - 1] == '\0')
        len--;
    if (len > 0) {
        p.args = dr_alloc(len + 1);
        for (size_t i = 0; i < len; i++)
            p.args[i] = cmdline[i] ? cmdline[i] : ' ';
    }
    *ret = p;
    return true;
}

void top_process_release(struct top_process *process)
{
    free(process->comm);
    free(process->args);
}

static char *read_text(const char *path, size_t max, size_t *ret_len)
{
    dr_auto_buf struct dr_buf text = DR_BUF_INIT(max);
    dr_auto_error struct dr_error full_up = DR_ERROR_INIT;
    dr_auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n;
    while (fd >= 0 && text.len + 2048 <= max &&
           dr_buf_reserve(&text, 2048, &full_up) == 0 &&
           ((n = read(fd, text.data + text.len, 2048)) > 0 || (n < 0 && errno == EINTR)))
        text.len += n > 0 ? (size_t)n : 0;
    if (text.data)
        text.data[text.len] = '\0';
    if (ret_len)
        *ret_len = text.len;
    return fd < 0 ? NULL : dr_buf_take(&text);
}

static bool read_process(int64_t pid, struct top_process *ret)
{
    static const char *const files[] = {"stat", "status", "cmdline"};
    char *texts[3];
    size_t lens[3];
    for (int i = 0; i < 3; i++) {
        dr_auto_free char *path = dr_printf("/proc/%lld/%s", (long long)pid, files[i]);
        texts[i] = read_text(path, i == 2 ? CMDLINE_MAX : 8192, &lens[i]);
    }
    bool alive = texts[0] && texts[1] && texts[2] &&
                 top_process_parse(texts[0], texts[1], texts[2], lens[2], ret);
    for (int i = 0; i < 3; i++)
        free(texts[i]);
    return alive;
}

static json_t *row_of(const struct top_column *const *chosen, size_t count,
                      const struct top_process *process,
                      const struct top_context *context)
{
    json_t *row = json_array();
    for (size_t i = 0; i < count; i++) {
        dr_auto_free char *cell = chosen[i]->show(process, context);
        json_array_append_new(row, json_string(cell));
    }
    return row;
}

static int64_t boot_time_ns(int64_t now_ns)
{
    struct timespec up = {0};
    clock_gettime(CLOCK_BOOTTIME, &up);
    return now_ns - up.tv_sec * NANO - up.tv_nsec;
}

int container_top(const struct container *container, const char *text, json_t **ret,
                  struct dr_error *err)
{
    const struct top_column *chosen[TOP_COLUMNS_MAX];
    size_t count, pid_count;
    if (top_columns(text, chosen, &count, err) < 0)
        return -1;
    dr_auto_fd int pidfd = container_pidfd(container, NULL);
    if (pidfd < 0)
        return dr_fail(err, DR_ERR_CONFLICT, "container %s is not running",
                       container_name(container));
    dr_auto_free char *cgroup = cgroup_path(container->id);
    dr_auto_free char *passwd = read_text("/etc/passwd", NAMES_MAX, NULL);
    dr_auto_free char *group = read_text("/etc/group", NAMES_MAX, NULL);
    dr_auto_free int64_t *pids = cgroup_pids(cgroup, &pid_count);
    struct top_context context = {.now_ns = dr_now_ns(),
                                  .ticks = sysconf(_SC_CLK_TCK),
                                  .page_bytes = sysconf(_SC_PAGESIZE),
                                  .passwd = passwd,
                                  .group = group};
    context.boot_ns = boot_time_ns(context.now_ns);
    context.memory_bytes = sysconf(_SC_PHYS_PAGES) * context.page_bytes;
    json_t *titles = json_array(), *processes = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(titles, json_string(chosen[i]->title));
    for (size_t i = 0; i < pid_count; i++) {
        struct top_process process;
        if (!read_process(pids[i], &process))
            continue; /* it ended while we looked */
        json_array_append_new(processes, row_of(chosen, count, &process, &context));
        top_process_release(&process);
    }
    *ret = json_object();
    dr_json_set(*ret, "titles", titles);
    dr_json_set(*ret, "processes", processes);
    return 0;
}
