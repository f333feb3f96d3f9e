/* SPDX-License-Identifier: Apache-2.0 */
/* Deployments (C35): what is there is asked for, plans are carried out. */
#ifndef DRAY_HOST_DEPLOY_RUN_H
#define DRAY_HOST_DEPLOY_RUN_H

#include "deploy/plan.h"
#include "host/target.h"

/* The lock of a deployment over there: as long as its request is open. */
struct deploy_hold {
    struct session *session;
    struct wire_chan *chan;
};

struct dray_plan {
    struct deploy_plan *plan;
    struct deploy_hold hold; /* none: it is only to be looked at */
    bool applied;
};

/* All that a plan is made of, in one request. images (taken over; may be NULL):
 * references. hold (may be NULL) is taken first; `waiting` (may be NULL) is told when
 * somebody else has it. */
int deploy_observe(struct dray_target *target, const char *name, json_t *images,
                   struct deploy_hold *hold, void (*waiting)(void *arg), void *arg,
                   const struct limits *limits, struct deploy_seen *ret,
                   struct dr_error *err);
void deploy_hold_release(struct deploy_hold *hold);
/* DR_ERR_UNAVAILABLE when the helper that holds it was lost. */
int deploy_hold_check(const struct deploy_hold *hold, struct dr_error *err);

/* Waits until it is so, by the target's events. DR_ERR_CONFLICT: it cannot be so any
 * more; the text says why. */
int deploy_wait(struct dray_target *target, const char *container,
                enum deploy_until until, const struct limits *limits,
                struct dr_error *err);

/* What became of a step. */
struct deploy_outcome {
    enum {
        DEPLOY_PENDING,
        DEPLOY_RUNNING,
        DEPLOY_DONE,
        DEPLOY_SAME,
        DEPLOY_FAILED
    } state;
    bool same;             /* it turned out that there was nothing to do */
    char id[DRAY_ID_SIZE]; /* of the container that it made */
    char *image_id;        /* of a pull */
    json_t *warnings;      /* array, or NULL */
    struct dr_error error;
};

struct deploy_run {
    struct dray_target *target;
    const struct dray_plan *plan;
    const struct dray_apply_options *options;
    struct limits limits;
    struct deploy_outcome *outcomes; /* as plan->steps */
    pthread_mutex_t lock;            /* the outcomes' states, and the callback */
    pthread_cond_t changed;
    bool stopped; /* nothing more is begun */
};

/* One step; on a thread of its own. */
int deploy_step_run(struct deploy_run *run, size_t step, struct dr_error *err);
/* The files are put into a container that was created. */
int deploy_put_files(struct dray_target *target, const char *container,
                     const struct deploy_service *service, const struct limits *limits,
                     struct dr_error *err);

#endif
