/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/container/top-columns.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/text.h"

#define NANO 1000000000LL
#define DAY_S 86400

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
static const struct top_column columns[] = {
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
static const struct top_column full[] = {
    {"", "UID", show_user},  {"", "PID", show_pid},     {"", "PPID", show_ppid},
    {"", "C", show_c},       {"", "STIME", show_start}, {"", "TTY", show_tty},
    {"", "TIME", show_time}, {"", "CMD", show_args},
};

static const struct top_column *find_column(const char *name, size_t len)
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
    const struct top_column *found = find_column(column, strlen(column));
    return found ? found->show(process, context) : NULL;
}

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

int top_columns(const char *text, const struct top_column *ret[TOP_COLUMNS_MAX],
                size_t *ret_count, struct dr_error *err)
{
    *ret_count = 0;
    for (size_t i = 0; !text && i < DR_COUNT(full); i++)
        ret[(*ret_count)++] = &full[i];
    for (const char *at = text; at && *(at += strspn(at, ", \t"));) {
        size_t len = strcspn(at, ", \t");
        const struct top_column *column = find_column(at, len);
        if (!column)
            return unknown_column(at, len, err);
        if (*ret_count == TOP_COLUMNS_MAX)
            return dr_fail(err, DR_ERR_INVALID, "more than %d columns", TOP_COLUMNS_MAX);
        ret[(*ret_count)++] = column;
        at += len;
    }
    if (*ret_count == 0)
        return dr_fail(err, DR_ERR_INVALID, "no columns are named");
    return 0;
}
