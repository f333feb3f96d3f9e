/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/compose-logs-private.h"

#include <string.h>

#include "base/text.h"

static const char *const colors[] = {"36",   "33",   "32",   "35",   "34",
                                     "36;1", "33;1", "32;1", "35;1", "34;1"};

/* --- printing --- */

void logs_print_line(struct logs *l, const struct source *s, const struct dray_event *e)
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

int source_open(struct source *s, const struct dray_logs_options *options)
{
    struct dray_error *failed = NULL;
    return cli_rc(dray_container_logs(s->all->cli->target, s->id, options, s->all->call,
                                      &s->stream, &failed),
                  &failed, &s->failed);
}

int source_next(struct source *s, struct dray_event *ret)
{
    struct dray_error *failed = NULL;
    int rc;
    while ((rc = dray_stream_next(s->stream, s->all->call, ret, &failed)) > 0)
        if (ret->type == DRAY_EVENT_LOG)
            return 1;
    return cli_rc(rc, &failed, &s->failed);
}

void source_forgive(struct source *s)
{
    if (s->failed.kind == DR_ERR_NOT_FOUND || s->failed.kind == DR_ERR_UNSUPPORTED)
        dr_error_release(&s->failed);
}

int64_t source_last_end(const struct source *s)
{
    return s->finished_ns < s->started_ns ? s->finished_ns : 0;
}

bool logs_is_up(enum dray_phase phase)
{
    return phase == DRAY_RUNNING || phase == DRAY_PAUSED || phase == DRAY_STOPPING ||
           phase == DRAY_RESTARTING || phase == DRAY_SCHEDULED;
}

void source_update(struct source *s, const struct dray_container *c)
{
    s->up = logs_is_up(c->state.phase);
    s->started_ns = c->state.started_ns;
    s->finished_ns = c->state.finished_ns;
}

/* As its predecessor of that name, or another one than those that are there. */
static const char *color_of(const struct logs *l, const char *name)
{
    size_t names = 0;
    for (size_t i = 0; i < l->count; i++) {
        size_t j = 0;
        while (strcmp(l->sources[j]->name, l->sources[i]->name) != 0)
            j++;
        if (strcmp(l->sources[i]->name, name) == 0)
            return l->sources[j]->color;
        names += i == j;
    }
    return l->colored ? colors[names % DR_COUNT(colors)] : NULL;
}

struct source *logs_add(struct logs *l, const struct dray_container *c)
{
    dr_auto_free char *name = c->service && c->replica
                                  ? dr_printf("%s-%u", c->service, c->replica)
                                  : dr_strdup(c->name);
    struct source *s = dr_alloc(sizeof *s);
    s->all = l;
    s->id = dr_strdup(c->id);
    s->container = dr_strdup(c->name);
    s->name = dr_escape(name, 0);
    s->service = dr_strdup(c->service ?: "");
    s->color = color_of(l, s->name);
    s->old = json_object_get(l->how->old, c->id) != NULL;
    source_update(s, c);
    if ((int)strlen(s->name) > l->width)
        l->width = (int)strlen(s->name);
    l->sources = dr_realloc(l->sources, (l->count + 1) * sizeof(*l->sources));
    return l->sources[l->count++] = s;
}

static void source_free(struct source *s)
{
    dray_stream_free(s->stream);
    dr_error_release(&s->failed);
    free(s->id);
    free(s->container);
    free(s->name);
    free(s->service);
    free(s);
}

int logs_members(struct logs *l, struct cli_members *ret, struct dr_error *err)
{
    if (cli_members(l->cli, l->deployment, l->cli->words, true, ret, err) < 0)
        return -1;
    if (l->how->old)
        cli_members_drop_oneoffs(ret);
    return 0;
}

/* --- what was written --- */

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
        options.since_ns = source_last_end(s);
    if (s->old)
        return NULL;
    if (source_open(s, &options) == 0)
        s->has_head = source_next(s, &s->head) > 0;
    source_forgive(s);
    return NULL;
}

/* A thread for each; where none is to be had this one does it. */
static void read_all(struct logs *l)
{
    for (size_t i = 0; i < l->count; i++) {
        struct source *s = l->sources[i];
        s->has_thread = pthread_create(&s->thread, NULL, read_history, s) == 0;
    }
    for (size_t i = 0; i < l->count; i++) {
        struct source *s = l->sources[i];
        if (s->has_thread)
            pthread_join(s->thread, NULL);
        else
            read_history(s);
        s->has_thread = false;
    }
}

/* What was written, by its time. */
static void merge(struct logs *l)
{
    for (;;) {
        struct source *first = NULL;
        for (size_t i = 0; i < l->count; i++) {
            struct source *s = l->sources[i];
            if (s->has_head && (!first || s->head.time_ns < first->head.time_ns))
                first = s;
        }
        if (!first)
            return;
        logs_print_line(l, first, &first->head);
        first->last_ns = first->head.time_ns;
        first->has_head = source_next(first, &first->head) > 0;
        source_forgive(first);
    }
}

int logs_failure(struct logs *l, struct dr_error *err)
{
    int rc = 0;
    for (size_t i = 0; i < l->count; i++) {
        struct source *s = l->sources[i];
        if (s->failed.kind != DR_ERR_NONE && rc == 0) {
            rc = dr_error_move(err, &s->failed);
            dr_wrap(err, "%s", s->container);
        }
    }
    return rc;
}

int cli_logs_print(struct cli *cli, const char *deployment, const struct cli_logs *how,
                   const struct dray_call *call, bool *ret_interrupted,
                   struct dr_error *err)
{
    const char *no_color = getenv("NO_COLOR");
    struct logs l = {.cli = cli,
                     .deployment = deployment,
                     .how = how,
                     .call = call,
                     .colored = !how->no_color && isatty(STDOUT_FILENO) &&
                                !(no_color && *no_color)};
    struct cli_members members;
    *ret_interrupted = false;
    if (logs_members(&l, &members, err) < 0)
        return -1;
    pthread_mutex_init(&l.lock, NULL);
    pthread_cond_init(&l.changed, NULL);
    for (size_t i = 0; i < members.count; i++)
        logs_add(&l, members.items[i]);
    cli_members_release(&members);
    read_all(&l);
    merge(&l);
    int rc = logs_failure(&l, err);
    for (size_t i = 0; i < l.count; i++) {
        dray_stream_free(l.sources[i]->stream);
        l.sources[i]->stream = NULL;
    }
    fflush(stdout);
    if (rc == 0 && how->follow)
        rc = logs_follow(&l, err);
    *ret_interrupted = l.interrupted;
    for (size_t i = 0; i < l.count; i++)
        source_free(l.sources[i]);
    free(l.sources);
    pthread_cond_destroy(&l.changed);
    pthread_mutex_destroy(&l.lock);
    return rc;
}
