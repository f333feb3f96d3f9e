/* SPDX-License-Identifier: Apache-2.0 */
/* One service's part of a plan: its replicas, those that are there and those to come. */
#ifndef DRAY_DEPLOY_REPLICAS_H
#define DRAY_DEPLOY_REPLICAS_H

#include "deploy/plan.h"

struct replica {
    int64_t number;
    const json_t *there; /* its container, borrowed; NULL: it is to be made */
    char *stale;         /* why it is replaced; NULL: it stays */
    bool ask_image;      /* replaced only when the pull brings another image */
    size_t made;         /* the step that makes, replaces or starts it; DEPLOY_NO_STEP */
    size_t last;         /* what a dependent waits for: that, or the wait behind it */
    size_t waits[3];     /* by enum deploy_until */
};

struct part {
    bool chosen, named, done;
    bool replaced;            /* one of its replicas is made anew, or started again */
    bool seen_any;            /* a replica of it is there */
    bool anew;                /* … that goes since its network changes */
    size_t work;              /* replicas that something is done with */
    struct replica *replicas; /* those that shall be there in the end */
    size_t replica_count;
    struct replica *gone; /* those that shall not */
    size_t gone_count;
    enum deploy_pull policy;
    const char *image_id; /* what the reference means there now; NULL: missing */
    size_t pull;
    size_t *after; /* what its first steps wait for */
    bool *soft;    /* … for its end only, however that is */
    size_t after_count;
};

struct up {
    const struct deploy_model *model;
    const struct deploy_seen *seen;
    const struct deploy_plan_options *options;
    struct deploy_plan *plan;
    struct part *parts; /* as model->services */
    /* Containers that go before anything else, since their network changes: id → the step
     * that removes it. To the services they are not there any more. */
    json_t *going;
};

void part_after(struct part *part, size_t step, bool soft);
void part_release(struct part *part);
/* What becomes of each replica. DR_ERR_EXISTS: a name is taken. */
int part_decide(struct up *u, const struct deploy_service *s, struct part *part,
                struct dr_error *err);
/* The steps. with: a service that it is restarted with; may be NULL. */
int part_steps(struct up *u, const struct deploy_service *s, struct part *part,
               const char *with, struct dr_error *err);
/* The step behind which it is so; DEPLOY_NO_STEP: it is so already. */
size_t replica_wait(struct up *u, const struct deploy_service *s, struct replica *r,
                    enum deploy_until until);

#endif
