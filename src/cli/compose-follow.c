/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Staying with containers: a thread for each one that runs, and one that hears of every
 * start over there, so that those are joined that begin later: one that was stopped and
 * is started again, a replica that another terminal asks for, a successor.
 */
#include <string.h>

#include "base/text.h"
#include "cli/compose-logs-private.h"

/* --- one of them --- */

static int state_of(struct source *s, struct dray_state *ret)
{
    struct dray_error *failed = NULL;
    return cli_rc(
        dray_container_state(s->all->cli->target, s->id, s->all->call, ret, &failed),
        &failed, &s->failed);
}

/* How it ended. One without a log is waited for here. */
static void tell_end(struct source *s)
{
    struct dray_error *failed = NULL;
    struct dray_state state;
    bool known;
    int code;
    if (s->failed.kind != DR_ERR_NONE || state_of(s, &state) < 0)
        return;
    if (logs_is_up(state.phase) &&
        (cli_rc(dray_container_wait(s->all->cli->target, s->id, s->all->call, &known,
                                    &code, &failed),
                &failed, &s->failed) < 0 ||
         state_of(s, &state) < 0))
        return;
    if (state.phase != DRAY_EXITED)
        return;
    const struct cli_logs *how = s->all->how;
    const struct cli_logs_end end = {s->service, s->name, state.exit_known,
                                     state.exit_known ? state.exit_code : 0};
    pthread_mutex_lock(&s->all->lock);
    if (state.exit_known)
        printf("%s exited with code %d\n", s->name, state.exit_code);
    else
        printf("%s exited\n", s->name);
    fflush(stdout);
    if (how->ended)
        how->ended(how->arg, &end);
    pthread_mutex_unlock(&s->all->lock);
}

static void *follow_one(void *arg)
{
    struct source *s = arg;
    struct logs *l = s->all;
    struct dray_logs_options options = DRAY_LOGS_INIT;
    struct dray_event event;
    options.follow = true;
    options.since_ns = s->last_ns ? s->last_ns + 1 : 0;
    options.until_ns = l->how->until_ns;
    if (options.since_ns == 0 && l->how->old)
        options.tail = s->old ? 0 : -1;
    if (source_open(s, &options) == 0)
        while (source_next(s, &event) > 0) {
            logs_print_line(l, s, &event);
            s->last_ns = event.time_ns;
        }
    dray_stream_free(s->stream);
    s->stream = NULL;
    source_forgive(s);
    if (l->how->old && (s->up || !s->old)) /* else it had ended before */
        tell_end(s);
    source_forgive(s);
    pthread_mutex_lock(&l->lock);
    s->active = false;
    l->active--;
    pthread_cond_broadcast(&l->changed);
    pthread_mutex_unlock(&l->lock);
    return NULL;
}

/* lock held */
static void begin(struct source *s)
{
    struct logs *l = s->all;
    if (s->has_thread)
        pthread_join(s->thread, NULL); /* it is not active: that is at its end */
    s->active = true;
    l->active++;
    s->has_thread = pthread_create(&s->thread, NULL, follow_one, s) == 0;
    if (s->has_thread)
        return;
    dr_fail(&s->failed, DR_ERR_INTERNAL, "there is no thread to follow it with");
    s->active = false;
    l->active--;
}

/* --- those that come --- */

static struct source *find(struct logs *l, const char *id)
{
    for (size_t i = 0; i < l->count; i++)
        if (strcmp(l->sources[i]->id, id) == 0)
            return l->sources[i];
    return NULL;
}

/* lock held. Joins the container when it has begun since it was last looked at. */
static bool join(struct logs *l, const struct dray_container *c)
{
    struct source *s = find(l, c->id);
    if (!s && c->state.started_ns == 0 && !logs_is_up(c->state.phase))
        return false; /* made, not started */
    if (s && (s->active || s->started_ns == c->state.started_ns))
        return false;
    if (!s) {
        s = logs_add(l, c);
    } else { /* what it says now comes after what it said in its last run */
        source_update(s, c);
        s->old = false;
        if (source_last_end(s) > s->last_ns)
            s->last_ns = source_last_end(s);
    }
    begin(s);
    return true;
}

/* How many were joined; -1 with err. */
static int look(struct logs *l, struct dr_error *err)
{
    struct cli_members members;
    int joined = 0;
    if (logs_members(l, &members, err) < 0)
        return -1;
    pthread_mutex_lock(&l->lock);
    for (size_t i = 0; i < members.count; i++)
        joined += join(l, members.items[i]);
    pthread_mutex_unlock(&l->lock);
    cli_members_release(&members);
    return joined;
}

/* --- the watcher --- */

/* Events from the last start on that is known, so that none is missed. */
static int64_t last_start(const struct logs *l)
{
    int64_t last = 0;
    for (size_t i = 0; i < l->count; i++)
        if (l->sources[i]->started_ns > last)
            last = l->sources[i]->started_ns;
    return last;
}

static void *watch(void *arg)
{
    char *const filters[] = {(char[]){"type=container"}, (char[]){"event=start"}, NULL};
    struct logs *l = arg;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    const struct dray_call call = {-1, l->how->interrupt};
    struct dray_error *failed = NULL;
    struct dray_stream *events = NULL;
    struct dray_event event;
    pthread_mutex_lock(&l->lock);
    int64_t since_ns = last_start(l);
    pthread_mutex_unlock(&l->lock);
    int rc =
        cli_rc(dray_events(l->cli->target, since_ns, 0, filters, &call, &events, &failed),
               &failed, &err);
    while (rc == 0 && (rc = cli_rc(dray_stream_next(events, &call, &event, &failed),
                                   &failed, &err)) > 0) {
        dr_auto_error struct dr_error unseen = DR_ERROR_INIT;
        if (event.type == DRAY_EVENT_ITEM)
            look(l, &unseen); /* the next event looks again, and so does the end */
        rc = 0;
    }
    dray_stream_free(events);
    pthread_mutex_lock(&l->lock);
    bool tell = rc < 0 && err.kind == DR_ERR_CANCELLED && !l->over && l->how->interrupted;
    l->interrupted = tell;
    pthread_mutex_unlock(&l->lock);
    if (tell)
        l->how->interrupted(l->how->arg);
    return NULL;
}

/* Nobody is followed any more. Who is at work on the deployment may be about to start one
 * again: it is waited for. 1: it goes on, 0: this is the end. */
static int settle(struct logs *l, struct dr_error *err)
{
    struct dray_change_options options = DRAY_INIT(options);
    const struct dray_call call = {-1, l->how->interrupt};
    struct dray_error *failed = NULL;
    struct dray_plan *plan = NULL;
    if (dray_deployment_plan_change(l->cli->target, l->deployment, NULL, DRAY_CHANGE_STOP,
                                    &options, &call, &plan, &failed) < 0)
        return cli_rc(-1, &failed, err);
    dray_plan_free(plan);
    return look(l, err) > 0;
}

static bool all_have_ended(struct logs *l)
{
    pthread_mutex_lock(&l->lock);
    while (l->active > 0)
        pthread_cond_wait(&l->changed, &l->lock);
    bool go_on = !l->interrupted;
    pthread_mutex_unlock(&l->lock);
    return go_on;
}

int logs_follow(struct logs *l, struct dr_error *err)
{
    pthread_t watcher;
    int rc = 1;
    pthread_mutex_lock(&l->lock);
    for (size_t i = 0; i < l->count; i++)
        begin(l->sources[i]);
    pthread_mutex_unlock(&l->lock);
    bool watched = l->how->interrupt && pthread_create(&watcher, NULL, watch, l) == 0;
    while (rc > 0 && all_have_ended(l) && logs_failure(l, err) == 0)
        rc = watched && !l->how->until_ns ? settle(l, err) : 0;
    pthread_mutex_lock(&l->lock);
    bool cancelled = rc < 0 && err->kind == DR_ERR_CANCELLED && l->how->interrupted;
    l->over = !cancelled && !l->interrupted;
    if (watched && l->over)
        dray_cancel_trigger(l->how->interrupt);
    pthread_mutex_unlock(&l->lock);
    if (watched)
        pthread_join(watcher, NULL);
    for (size_t i = 0; i < l->count; i++)
        if (l->sources[i]->has_thread)
            pthread_join(l->sources[i]->thread, NULL);
    if (l->interrupted) {
        dr_error_release(err);
        return 0;
    }
    return err->kind == DR_ERR_NONE ? 0 : -1;
}
