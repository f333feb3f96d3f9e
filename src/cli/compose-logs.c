/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/compose-logs.h"

#include <pthread.h>
#include <string.h>

#include "base/text.h"

/* One container's lines. */
struct source {
    struct logs *all;
    const struct dray_container *container;
    char *name; /* "web-1" */
    const char *color;
    struct dray_stream *stream;
    pthread_t thread;
    bool has_thread;
    /* of the merge: the line that is next; the stream's until it is asked again */
    struct dray_event head;
    bool has_head;
    int64_t last_ns; /* of the last line that was printed */
    struct dr_error failed;
};

struct logs {
    struct dray_target *target;
    const struct cli_logs *how;
    const struct dray_call *call;
    struct source *sources;
    size_t count;
    int width;            /* of the longest name */
    pthread_mutex_t lock; /* of stdout and stderr */
};

static const char *const colors[] = {"36",   "33",   "32",   "35",   "34",
                                     "36;1", "33;1", "32;1", "35;1", "34;1"};

/* --- printing --- */

static void print_line(struct logs *l, const struct source *s, const struct dray_event *e)
{
    FILE *out = e->stream == 2 ? stderr : stdout;
    char time[DR_TIME_TEXT];
    pthread_mutex_lock(&l->lock);
    if (!l->how->no_prefix && s->color)
        fprintf(out, "\x1b[%sm%-*s | \x1b[0m", s->color, l->width, s->name);
    else if (!l->how->no_prefix)
        fprintf(out, "%-*s | ", l->width, s->name);
    if (l->how->timestamps) {
        dr_time_format(e->time_ns, time);
        fprintf(out, "%s ", time);
    }
    fwrite(e->data, 1, e->len, out);
    fputc('\n', out);
    if (l->how->follow)
        fflush(out);
    pthread_mutex_unlock(&l->lock);
}

/* --- sources --- */

static int open_source(struct source *s, const struct dray_logs_options *options,
                       struct dr_error *err)
{
    struct dray_error *failed = NULL;
    return cli_rc(dray_container_logs(s->all->target, s->container->id, options,
                                      s->all->call, &s->stream, &failed),
                  &failed, err);
}

/* 1: a line, 0: there is no more; -1 with s->failed. */
static int next_line(struct source *s, struct dray_event *ret)
{
    struct dray_error *failed = NULL;
    int rc;
    while ((rc = dray_stream_next(s->stream, s->all->call, ret, &failed)) > 0)
        if (ret->type == DRAY_EVENT_LOG)
            return 1;
    return cli_rc(rc, &failed, &s->failed);
}

/* One that was removed meanwhile has no log any more, and that is no failure. */
static void forgive(struct source *s)
{
    if (s->failed.kind == DR_ERR_NOT_FOUND)
        dr_error_release(&s->failed);
}

/* What it says of this run comes after the end of the last one: the time of its start is
 * written down later than its first words may be. 0: this is its first run. */
static int64_t last_end(const struct dray_container *c)
{
    return c->state.finished_ns < c->state.started_ns ? c->state.finished_ns : 0;
}

static bool is_old(const struct source *s)
{
    return json_object_get(s->all->how->old, s->container->id) != NULL;
}

static void *read_history(void *arg)
{
    struct source *s = arg;
    const struct cli_logs *how = s->all->how;
    struct dray_logs_options options = DRAY_LOGS_INIT;
    options.tail = how->tail;
    options.since_ns = how->since_ns;
    options.until_ns = how->until_ns;
    s->last_ns = how->since_ns;
    if (how->old)
        options.since_ns = last_end(s->container);
    if (is_old(s))
        return NULL;
    if (open_source(s, &options, &s->failed) == 0)
        s->has_head = next_line(s, &s->head) > 0;
    forgive(s);
    return NULL;
}

static void *read_on(void *arg)
{
    struct source *s = arg;
    struct dray_logs_options options = DRAY_LOGS_INIT;
    struct dray_event event;
    options.follow = true;
    options.since_ns = s->last_ns ? s->last_ns + 1 : 0;
    options.until_ns = s->all->how->until_ns;
    if (options.since_ns == 0 && s->all->how->old)
        options.tail = is_old(s) ? 0 : -1;
    if (open_source(s, &options, &s->failed) == 0)
        while (next_line(s, &event) > 0)
            print_line(s->all, s, &event);
    forgive(s);
    dray_stream_free(s->stream);
    s->stream = NULL;
    return NULL;
}

/* A thread for each; where none is to be had this one does it. */
static void for_each(struct logs *l, void *(*work)(void *))
{
    for (size_t i = 0; i < l->count; i++)
        l->sources[i].has_thread =
            pthread_create(&l->sources[i].thread, NULL, work, &l->sources[i]) == 0;
    for (size_t i = 0; i < l->count; i++) {
        if (l->sources[i].has_thread)
            pthread_join(l->sources[i].thread, NULL);
        else
            work(&l->sources[i]);
    }
}

/* What was written, by its time. */
static void merge(struct logs *l)
{
    for (;;) {
        struct source *first = NULL;
        for (size_t i = 0; i < l->count; i++) {
            struct source *s = &l->sources[i];
            if (s->has_head && (!first || s->head.time_ns < first->head.time_ns))
                first = s;
        }
        if (!first)
            return;
        print_line(l, first, &first->head);
        first->last_ns = first->head.time_ns;
        first->has_head = next_line(first, &first->head) > 0;
        forgive(first);
    }
}

static int first_failure(struct logs *l, struct dr_error *err)
{
    int rc = 0;
    for (size_t i = 0; i < l->count; i++) {
        struct source *s = &l->sources[i];
        if (s->failed.kind != DR_ERR_NONE && rc == 0) {
            rc = dr_error_move(err, &s->failed);
            dr_wrap(err, "%s", s->container->name);
        }
    }
    return rc;
}

static void name_source(struct source *s, size_t index, bool colored)
{
    const struct dray_container *c = s->container;
    dr_auto_free char *name = c->service && c->replica
                                  ? dr_printf("%s-%u", c->service, c->replica)
                                  : dr_strdup(c->name);
    s->name = dr_escape(name, 0);
    s->color = colored ? colors[index % DR_COUNT(colors)] : NULL;
    if ((int)strlen(s->name) > s->all->width)
        s->all->width = (int)strlen(s->name);
}

int cli_logs_print(struct cli *cli, const struct cli_members *members,
                   const struct cli_logs *how, const struct dray_call *call,
                   struct dr_error *err)
{
    struct logs l = {.target = cli->target,
                     .how = how,
                     .call = call,
                     .count = members->count,
                     .sources = dr_alloc((members->count + 1) * sizeof *l.sources)};
    const char *no_color = getenv("NO_COLOR");
    bool colored = !how->no_color && isatty(STDOUT_FILENO) && !(no_color && *no_color);
    pthread_mutex_init(&l.lock, NULL);
    for (size_t i = 0; i < l.count; i++) {
        l.sources[i].all = &l;
        l.sources[i].container = members->items[i];
        name_source(&l.sources[i], i, colored);
    }
    for_each(&l, read_history);
    merge(&l);
    int rc = first_failure(&l, err);
    for (size_t i = 0; i < l.count; i++) {
        dray_stream_free(l.sources[i].stream);
        l.sources[i].stream = NULL;
    }
    fflush(stdout);
    if (rc == 0 && how->follow) {
        for_each(&l, read_on);
        rc = first_failure(&l, err);
    }
    for (size_t i = 0; i < l.count; i++) {
        free(l.sources[i].name);
        dr_error_release(&l.sources[i].failed);
    }
    pthread_mutex_destroy(&l.lock);
    free(l.sources);
    return rc;
}
