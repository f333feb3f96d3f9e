/* SPDX-License-Identifier: Apache-2.0 */
/* What containers use: a table that is drawn again each second, or once. */
#include <string.h>
#include <time.h>

#include "base/text.h"
#include "cli/args.h"
#include "cli/cli.h"
#include "cli/stats.h"

#define INTERVAL_MS 1000

static const struct cli_column columns[] = {
    {"ID", "CONTAINER ID", true},      {"Name", "NAME", true},
    {"CPUPerc", "CPU %", true},        {"MemUsage", "MEM USAGE / LIMIT", true},
    {"MemPerc", "MEM %", true},        {"NetIO", "NET I/O", true},
    {"BlockIO", "BLOCK I/O", true},    {"PIDs", "PIDS", true},
    {"Container", "CONTAINER", false}, {0}};

/* One container's last two samples. */
struct row {
    char *id, *name; /* owned */
    struct dray_stats now, before;
    bool two;  /* `before` is there */
    bool seen; /* in this round */
};

struct table {
    struct row *rows;
    size_t count;
    int64_t target_memory_bytes; /* what a container without a limit has */
};

static void take(struct table *t, const struct dray_event *event)
{
    size_t i = 0;
    while (i < t->count && strcmp(t->rows[i].id, event->id) != 0)
        i++;
    if (i == t->count) {
        t->rows = dr_realloc(t->rows, (t->count + 1) * sizeof(*t->rows));
        t->rows[t->count++] = (struct row){.id = dr_strdup(event->id)};
    } else {
        t->rows[i].before = t->rows[i].now;
        t->rows[i].two = true;
    }
    struct row *row = &t->rows[i];
    free(row->name);
    row->name = dr_strdup(event->name ? event->name : "");
    row->now = event->stats;
    row->seen = true;
}

static void drop(struct table *t, size_t i)
{
    free(t->rows[i].id);
    free(t->rows[i].name);
    memmove(&t->rows[i], &t->rows[i + 1], (t->count - i - 1) * sizeof(*t->rows));
    t->count--;
}

static void release(struct table *t)
{
    while (t->count)
        drop(t, t->count - 1);
    free(t->rows);
}

static int draw(struct table *t, const struct stats_args *args, struct dr_error *err)
{
    dr_auto_json json_t *rows = json_array();
    for (size_t i = t->count; i-- > 0;)
        if (!t->rows[i].seen) /* it does not run any more */
            drop(t, i);
    for (size_t i = 0; i < t->count; i++) {
        struct row *row = &t->rows[i];
        row->seen = false;
        json_t *json =
            stats_row(&row->now, row->two ? &row->before : NULL, t->target_memory_bytes);
        const char *id = args->no_trunc ? row->id : cli_short_id(row->id);
        dr_json_set_str(json, "ID", id);
        dr_json_set_str(json, "Container", id);
        dr_json_set_str(json, "Name", row->name);
        json_array_append_new(rows, json);
    }
    return cli_list_print(args->format, columns, rows, err);
}

/* A container without a limit has all of the target's memory, as Docker shows it. */
static int ask_memory(struct cli *cli, struct table *t, struct dr_error *err)
{
    struct dray_error *failed = NULL;
    char *text = NULL;
    int rc = dray_info(cli->target, NULL, &text, &failed);
    dr_auto_json json_t *info = cli_rc_json(rc, &text, &failed, err);
    if (!info)
        return -1;
    t->target_memory_bytes = dr_json_int(info, "memory_bytes", 0);
    return 0;
}

/* One sample of each. */
static int sample(struct cli *cli, char *const *ids, struct table *t,
                  struct dr_error *err)
{
    struct dray_stream *stream = NULL;
    struct dray_error *failed = NULL;
    struct dray_event event;
    if (cli_rc(dray_stats_stream(cli->target, (const char *const *)ids, 0, true, NULL,
                                 &stream, &failed),
               &failed, err) < 0)
        return -1;
    int rc;
    while ((rc = dray_stream_next(stream, NULL, &event, &failed)) == 1)
        if (event.type == DRAY_EVENT_STATS)
            take(t, &event);
    dray_stream_free(stream);
    return cli_rc(rc, &failed, err);
}

/* Two samples a second apart: without a distance there is no share of the CPU. */
static int once(struct cli *cli, const struct stats_args *args, char *const *ids,
                struct table *t, struct dr_error *err)
{
    struct timespec wait = {.tv_sec = INTERVAL_MS / 1000};
    if (sample(cli, ids, t, err) < 0)
        return -1;
    if (t->count) {
        nanosleep(&wait, NULL);
        if (sample(cli, ids, t, err) < 0)
            return -1;
    }
    return draw(t, args, err);
}

static int redraw(struct table *t, const struct stats_args *args, struct dr_error *err)
{
    /* the whole picture in one write, so that it does not flicker */
    if (isatty(STDOUT_FILENO))
        fputs("\x1b[H\x1b[J", stdout);
    if (draw(t, args, err) < 0)
        return -1;
    fflush(stdout);
    return ferror(stdout) ? 1 : 0;
}

static int watch(struct cli *cli, const struct stats_args *args, char *const *ids,
                 struct table *t, struct dr_error *err)
{
    struct dray_stream *stream = NULL;
    struct dray_error *failed = NULL;
    struct dray_event event;
    setvbuf(stdout, NULL, _IOFBF, 1 << 16);
    if (cli_rc(dray_stats_stream(cli->target, (const char *const *)ids, INTERVAL_MS,
                                 false, NULL, &stream, &failed),
               &failed, err) < 0)
        return -1;
    int rc = 1, drawn = 0;
    while (drawn == 0 && (rc = dray_stream_next(stream, NULL, &event, &failed)) == 1) {
        if (event.type == DRAY_EVENT_STATS)
            take(t, &event);
        if (event.type == DRAY_EVENT_ROUND)
            drawn = redraw(t, args, err);
    }
    dray_stream_free(stream);
    if (drawn != 0)
        return drawn < 0 ? -1 : 0; /* our reader is gone: cli_finish tells */
    return cli_rc(rc, &failed, err);
}

/* --all: the ids of all containers. */
static int all_ids(struct cli *cli, char ***ids, struct dr_error *err)
{
    struct dray_container_list list;
    struct dray_error *failed = NULL;
    if (cli_rc(dray_container_list(cli->target, true, NULL, &list, &failed), &failed,
               err) < 0)
        return -1;
    *ids = dr_alloc(sizeof(**ids));
    for (size_t i = 0; i < list.count; i++)
        dr_strv_add(ids, list.items[i].id);
    dray_container_list_free(&list);
    return 0;
}

int cmd_stats(struct cli *cli, void *arg)
{
    const struct stats_args *args = arg;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_strv char **all = NULL;
    struct table table = {0};
    char *const *ids = cli->word_count ? cli->words : NULL;
    if (cli_format_check(args->format, &err) < 0)
        return cli_usage_error(cli, &err);
    if (!cli_target(cli, &err) || ask_memory(cli, &table, &err) < 0)
        return cli_error(cli, &err);
    if (args->all && !ids) {
        if (all_ids(cli, &all, &err) < 0)
            return cli_error(cli, &err);
        ids = all;
    }
    int rc = args->no_stream ? once(cli, args, ids, &table, &err)
                             : watch(cli, args, ids, &table, &err);
    release(&table);
    return rc < 0 ? cli_error(cli, &err) : CLI_OK;
}
