/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/container/top.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/fs.h"
#include "base/text.h"
#include "guest/cgroup/cgroup.h"

#define NANO 1000000000LL
#define DAY_S 86400
#define CMDLINE_MAX 32768
#define NAMES_MAX (1u << 20) /* bytes of passwd and group */
#define COLUMNS_MAX 64

/* --- one process --- */

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

/* --- its cells --- */

static char *number(int64_t value)
{
    return dr_printf("%lld", (long long)value);
}

/* The name in a passwd or group file. */
static char *name_of(const char *file, int64_t id)
{
    for (const char *line = file; line && *line;) {
        const char *end = strchr(line, '\n');
        const char *colon = strchr(line, ':');
        const char *second = colon ? strchr(colon + 1, ':') : NULL;
        if (second && (!end || second < end)) {
            char *after;
            long long found = strtoll(second + 1, &after, 10);
            if (after != second + 1 && *after == ':' && found == id && colon > line)
                return dr_strndup(line, (size_t)(colon - line));
        }
        line = end ? end + 1 : NULL;
    }
    return number(id);
}

/* "[DD-]HH:MM:SS" */
static char *clock_text(int64_t seconds, bool hours)
{
    long long days = seconds / DAY_S, h = seconds / 3600 % 24, m = seconds / 60 % 60,
              s = seconds % 60;
    if (days)
        return dr_printf("%02lld-%02lld:%02lld:%02lld", days, h, m, s);
    if (h || hours)
        return dr_printf("%02lld:%02lld:%02lld", h, m, s);
    return dr_printf("%02lld:%02lld", m, s);
}

static int64_t age_ns(const struct top_process *p, const struct top_context *c)
{
    int64_t age = c->now_ns - c->boot_ns - p->start_ticks * (NANO / c->ticks);
    return age > 0 ? age : 0;
}

static int64_t per_mille_cpu(const struct top_process *p, const struct top_context *c)
{
    int64_t age_ms = age_ns(p, c) / 1000000;
    return age_ms > 0 ? p->cpu_ticks * 1000 / c->ticks * 1000 / age_ms : 0;
}

static char *per_cent(int64_t per_mille)
{
    return dr_printf("%lld.%lld", (long long)(per_mille / 10),
                     (long long)(per_mille % 10));
}

static char *show_pid(const struct top_process *p, const struct top_context *c)
{
    return number(p->pid);
}

static char *show_ppid(const struct top_process *p, const struct top_context *c)
{
    return number(p->ppid);
}

static char *show_pgid(const struct top_process *p, const struct top_context *c)
{
    return number(p->pgid);
}

static char *show_sid(const struct top_process *p, const struct top_context *c)
{
    return number(p->sid);
}

static char *show_uid(const struct top_process *p, const struct top_context *c)
{
    return number(p->uid);
}

static char *show_gid(const struct top_process *p, const struct top_context *c)
{
    return number(p->gid);
}

static char *show_user(const struct top_process *p, const struct top_context *c)
{
    return name_of(c->passwd, p->uid);
}

static char *show_group(const struct top_process *p, const struct top_context *c)
{
    return name_of(c->group, p->gid);
}

static char *show_comm(const struct top_process *p, const struct top_context *c)
{
    return dr_escape(p->comm, 0);
}

static char *show_args(const struct top_process *p, const struct top_context *c)
{
    dr_auto_free char *bare = p->args ? NULL : dr_printf("[%s]", p->comm);
    return dr_escape(p->args ? p->args : bare, 0);
}

static char *show_time(const struct top_process *p, const struct top_context *c)
{
    return clock_text(p->cpu_ticks / c->ticks, true);
}

static char *show_etime(const struct top_process *p, const struct top_context *c)
{
    return clock_text(age_ns(p, c) / NANO, false);
}

static char *show_etimes(const struct top_process *p, const struct top_context *c)
{
    return number(age_ns(p, c) / NANO);
}

static char *show_start(const struct top_process *p, const struct top_context *c)
{
    time_t start = (c->now_ns - age_ns(p, c)) / NANO, now = c->now_ns / NANO;
    struct tm then, today;
    char text[32];
    localtime_r(&start, &then);
    localtime_r(&now, &today);
    if (then.tm_year != today.tm_year)
        strftime(text, sizeof text, "%Y", &then);
    else if (then.tm_yday != today.tm_yday)
        strftime(text, sizeof text, "%b%d", &then);
    else
        strftime(text, sizeof text, "%H:%M", &then);
    return dr_strdup(text);
}

static char *show_tty(const struct top_process *p, const struct top_context *c)
{
    int64_t major = p->tty >> 8 & 0xfff,
            minor = (p->tty & 0xff) | (p->tty >> 12 & 0xfff00);
    if (p->tty == 0)
        return dr_strdup("?");
    if (major >= 136 && major < 144)
        return dr_printf("pts/%lld", (long long)(minor + (major - 136) * 256));
    if (major == 4)
        return dr_printf(minor < 64 ? "tty%lld" : "ttyS%lld",
                         (long long)(minor < 64 ? minor : minor - 64));
    return dr_printf("%lld:%lld", (long long)major, (long long)minor);
}

static char *show_stat(const struct top_process *p, const struct top_context *c)
{
    return dr_printf("%c%s%s%s%s", p->state,
                     p->nice < 0   ? "<"
                     : p->nice > 0 ? "N"
                                   : "",
                     p->sid == p->pid ? "s" : "", p->threads > 1 ? "l" : "",
                     p->tty && p->tpgid == p->pgid ? "+" : "");
}

static char *show_s(const struct top_process *p, const struct top_context *c)
{
    return dr_printf("%c", p->state);
}

static char *show_c(const struct top_process *p, const struct top_context *c)
{
    return number(per_mille_cpu(p, c) / 10);
}

static char *show_pcpu(const struct top_process *p, const struct top_context *c)
{
    return per_cent(per_mille_cpu(p, c));
}

static char *show_pmem(const struct top_process *p, const struct top_context *c)
{
    return per_cent(
        c->memory_bytes > 0 ? p->rss_pages * c->page_bytes * 1000 / c->memory_bytes : 0);
}

static char *show_rss(const struct top_process *p, const struct top_context *c)
{
    return number(p->rss_pages * c->page_bytes / 1024);
}

static char *show_vsz(const struct top_process *p, const struct top_context *c)
{
    return number(p->vsz_bytes / 1024);
}

static char *show_nlwp(const struct top_process *p, const struct top_context *c)
{
    return number(p->threads);
}

static char *show_ni(const struct top_process *p, const struct top_context *c)
{
    return number(p->nice);
}

static char *show_pri(const struct top_process *p, const struct top_context *c)
{
    return number(39 - p->priority); /* as ps has it: more is better */
}

/* Names and titles are those of procps. */
static const struct column {
    const char *name, *title;
    char *(*show)(const struct top_process *p, const struct top_context *c);
} columns[] = {
    {"pid", "PID", show_pid},
    {"ppid", "PPID", show_ppid},
    {"pgid", "PGID", show_pgid},
    {"pgrp", "PGRP", show_pgid},
    {"sid", "SID", show_sid},
    {"sess", "SESS", show_sid},
    {"uid", "UID", show_uid},
    {"euid", "EUID", show_uid},
    {"user", "USER", show_user},
    {"euser", "EUSER", show_user},
    {"uname", "USER", show_user},
    {"gid", "GID", show_gid},
    {"egid", "EGID", show_gid},
    {"group", "GROUP", show_group},
    {"egroup", "EGROUP", show_group},
    {"comm", "COMMAND", show_comm},
    {"ucmd", "CMD", show_comm},
    {"args", "COMMAND", show_args},
    {"command", "COMMAND", show_args},
    {"cmd", "CMD", show_args},
    {"time", "TIME", show_time},
    {"cputime", "TIME", show_time},
    {"etime", "ELAPSED", show_etime},
    {"etimes", "ELAPSED", show_etimes},
    {"stime", "STIME", show_start},
    {"start", "STARTED", show_start},
    {"tty", "TT", show_tty},
    {"tt", "TT", show_tty},
    {"tname", "TTY", show_tty},
    {"stat", "STAT", show_stat},
    {"state", "S", show_s},
    {"s", "S", show_s},
    {"c", "C", show_c},
    {"pcpu", "%CPU", show_pcpu},
    {"%cpu", "%CPU", show_pcpu},
    {"pmem", "%MEM", show_pmem},
    {"%mem", "%MEM", show_pmem},
    {"rss", "RSS", show_rss},
    {"rssize", "RSS", show_rss},
    {"vsz", "VSZ", show_vsz},
    {"vsize", "VSZ", show_vsz},
    {"nlwp", "NLWP", show_nlwp},
    {"thcount", "THCNT", show_nlwp},
    {"ni", "NI", show_ni},
    {"nice", "NI", show_ni},
    {"pri", "PRI", show_pri},
};

/* `ps -ef` */
static const struct column full[] = {
    {"", "UID", show_user},  {"", "PID", show_pid},     {"", "PPID", show_ppid},
    {"", "C", show_c},       {"", "STIME", show_start}, {"", "TTY", show_tty},
    {"", "TIME", show_time}, {"", "CMD", show_args},
};

static const struct column *find_column(const char *name, size_t len)
{
    for (size_t i = 0; i < DR_COUNT(columns); i++)
        if (strlen(columns[i].name) == len &&
            strncasecmp(columns[i].name, name, len) == 0)
            return &columns[i];
    return NULL;
}

char *top_value(const char *column, const struct top_process *process,
                const struct top_context *context)
{
    const struct column *found = find_column(column, strlen(column));
    return found ? found->show(process, context) : NULL;
}

/* --- all of them --- */

static int unknown_column(const char *name, size_t len, struct dr_error *err)
{
    dr_auto_buf struct dr_buf known = DR_BUF_INIT(2048);
    dr_auto_error struct dr_error full_up = DR_ERROR_INIT;
    dr_auto_free char *text = dr_strndup(name, len);
    dr_auto_free char *shown = dr_escape(text, 60);
    for (size_t i = 0; i < DR_COUNT(columns); i++)
        dr_buf_addf(&known, &full_up, "%s%s", i ? ", " : "", columns[i].name);
    return dr_fail(err, DR_ERR_INVALID, "there is no column '%s'; there are %s", shown,
                   known.data);
}

static int choose(const char *text, const struct column *ret[COLUMNS_MAX],
                  size_t *ret_count, struct dr_error *err)
{
    *ret_count = 0;
    for (size_t i = 0; !text && i < DR_COUNT(full); i++)
        ret[(*ret_count)++] = &full[i];
    for (const char *at = text; at && *(at += strspn(at, ", \t"));) {
        size_t len = strcspn(at, ", \t");
        const struct column *column = find_column(at, len);
        if (!column)
            return unknown_column(at, len, err);
        if (*ret_count == COLUMNS_MAX)
            return dr_fail(err, DR_ERR_INVALID, "more than %d columns", COLUMNS_MAX);
        ret[(*ret_count)++] = column;
        at += len;
    }
    if (*ret_count == 0)
        return dr_fail(err, DR_ERR_INVALID, "no columns are named");
    return 0;
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

static json_t *row_of(const struct column *const *chosen, size_t count,
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
    const struct column *chosen[COLUMNS_MAX];
    size_t count, pid_count;
    if (choose(text, chosen, &count, err) < 0)
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
