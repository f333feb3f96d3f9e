/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A plan is carried out: a few threads over the one session take steps whose turn it is.
 * A step that fails stops those that wait for it; the others go on.
 */
#include <string.h>

#include "base/text.h"
#include "host/deploy-run.h"

#define THREADS_MAX 8

/* lock held */
static void tell(struct deploy_run *run, size_t index, enum dray_step_state state)
{
    const struct deploy_step *s = &run->plan->plan->steps[index];
    struct deploy_outcome *out = &run->outcomes[index];
    dr_auto_free char *warnings = out->warnings ? dr_json_text(out->warnings) : NULL;
    if (!run->options->progress)
        return;
    struct dray_step step = {.size = sizeof step,
                             .state = state,
                             .action = deploy_action_name(s->action),
                             .kind = deploy_action_kind(s->action),
                             .name = s->name,
                             .service = s->service,
                             .why = s->why,
                             .container = *out->id ? out->id : s->container,
                             .warnings = warnings,
                             .error = state == DRAY_STEP_FAILED ? out->error.text : NULL};
    run->options->progress(run->options->progress_arg, &step);
}

/* lock held. 1: its turn, 0: not yet, -1: never, since one before it failed */
static int turn(const struct deploy_run *run, size_t index)
{
    const struct deploy_step *s = &run->plan->plan->steps[index];
    int is = 1;
    for (size_t i = 0; i < s->after_count; i++) {
        const struct deploy_outcome *before = &run->outcomes[s->after[i]];
        if (before->state == DEPLOY_FAILED && s->soft[i])
            continue;
        if (before->state == DEPLOY_FAILED)
            return -1;
        if (before->state != DEPLOY_DONE && before->state != DEPLOY_SAME)
            is = 0;
    }
    return is;
}

/* lock held. The next step; DEPLOY_NO_STEP with *ret_left: there may be one later. */
static size_t next_step(struct deploy_run *run, bool *ret_left)
{
    *ret_left = false;
    for (size_t i = 0; i < run->plan->plan->count && !run->stopped; i++) {
        struct deploy_outcome *out = &run->outcomes[i];
        if (out->state == DEPLOY_RUNNING)
            *ret_left = true;
        if (out->state != DEPLOY_PENDING)
            continue;
        switch (turn(run, i)) {
        case 1:
            return i;
        case -1:
            out->state = DEPLOY_FAILED; /* without an error of its own */
            tell(run, i, DRAY_STEP_SKIPPED);
            break;
        default:
            *ret_left = true;
        }
    }
    return DEPLOY_NO_STEP;
}

/* What no other step can do better either. */
static bool ends_all(enum dr_kind kind)
{
    return kind == DR_ERR_CANCELLED || kind == DR_ERR_TIMEOUT ||
           kind == DR_ERR_UNAVAILABLE;
}

static void *work(void *arg)
{
    struct deploy_run *run = arg;
    bool left = true;
    pthread_mutex_lock(&run->lock);
    while (left && !run->stopped) {
        size_t step = next_step(run, &left);
        if (step == DEPLOY_NO_STEP) {
            if (left)
                pthread_cond_wait(&run->changed, &run->lock);
            continue;
        }
        struct deploy_outcome *out = &run->outcomes[step];
        left = true;
        out->state = DEPLOY_RUNNING;
        tell(run, step, DRAY_STEP_BEGUN);
        pthread_mutex_unlock(&run->lock);
        struct dr_error failed = DR_ERROR_INIT;
        int rc = deploy_step_run(run, step, &failed);
        pthread_mutex_lock(&run->lock);
        if (rc == 0) {
            bool same = out->same;
            out->state = same ? DEPLOY_SAME : DEPLOY_DONE;
            tell(run, step, same ? DRAY_STEP_UNCHANGED : DRAY_STEP_DONE);
        } else {
            out->state = DEPLOY_FAILED;
            dr_error_move(&out->error, &failed);
            run->stopped = run->stopped || ends_all(out->error.kind);
            tell(run, step, DRAY_STEP_FAILED);
        }
        pthread_cond_broadcast(&run->changed);
    }
    pthread_cond_broadcast(&run->changed);
    pthread_mutex_unlock(&run->lock);
    return NULL;
}

static void run_all(struct deploy_run *run)
{
    pthread_t threads[THREADS_MAX];
    size_t count = 0, wanted = run->plan->plan->count;
    while (count + 1 < wanted && count + 1 < THREADS_MAX &&
           pthread_create(&threads[count], NULL, work, run) == 0)
        count++;
    work(run); /* this thread is one of them */
    while (count > 0)
        pthread_join(threads[--count], NULL);
}

/* The first one, and how many others there are. */
static int failure(struct deploy_run *run, struct dr_error *err)
{
    struct dr_error *first = NULL;
    size_t more = 0;
    for (size_t i = 0; i < run->plan->plan->count; i++) {
        struct dr_error *e = &run->outcomes[i].error;
        if (e->kind == DR_ERR_NONE)
            continue;
        /* what was given up since another one had failed is not the reason */
        if (first && !(ends_all(first->kind) && !ends_all(e->kind))) {
            more++;
            continue;
        }
        more += first != NULL;
        first = e;
    }
    if (!first)
        return 0;
    dr_error_move(err, first);
    if (more && !ends_all(err->kind))
        dr_wrap(err, "%zu steps failed, the first", more + 1);
    return -1;
}

int dray_plan_apply(struct dray_target *target, struct dray_plan *plan,
                    const struct dray_apply_options *options,
                    const struct dray_call *call, struct dray_error **ret_err)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    struct dray_apply_options o = DRAY_APPLY_INIT;
    if (options && API_COPY(&o, options, &err) < 0)
        return api_end(-1, &err, ret_err);
    if (!plan->hold.chan || plan->applied) {
        dr_fail(&err, DR_ERR_INVALID,
                plan->applied ? "the plan was applied already"
                              : "the plan was only made to be looked at");
        return api_end(-1, &err, ret_err);
    }
    plan->applied = true;
    size_t count = plan->plan->count;
    struct deploy_run run = {.target = target,
                             .plan = plan,
                             .options = &o,
                             .limits = limits_of(call, NO_TIMEOUT),
                             .outcomes = dr_alloc((count + 1) * sizeof *run.outcomes)};
    pthread_mutex_init(&run.lock, NULL);
    pthread_cond_init(&run.changed, NULL);
    if (count > 0)
        run_all(&run);
    int rc = failure(&run, &err);
    pthread_cond_destroy(&run.changed);
    pthread_mutex_destroy(&run.lock);
    for (size_t i = 0; i < count; i++) {
        free(run.outcomes[i].image_id);
        json_decref(run.outcomes[i].warnings);
        dr_error_release(&run.outcomes[i].error);
    }
    free(run.outcomes);
    return api_end(rc, &err, ret_err);
}
