/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From what is there to what shall be: steps, what each waits for, and why. Pure; what is
 * there comes as the helper's items (PROTOCOL.md, deployment.observe).
 */
#ifndef DRAY_DEPLOY_PLAN_H
#define DRAY_DEPLOY_PLAN_H

#include "deploy/model.h"

/* Labels that say what is whose; of containers the first two, of networks and volumes the
 * first and the last. */
#define DEPLOY_LABEL_HASH "dray.config-hash"
#define DEPLOY_LABEL_ONEOFF "dray.oneoff"
#define DEPLOY_LABEL_DEPENDS "dray.depends" /* "db:healthy:restart,cache" */
#define DEPLOY_LABEL_DEPLOYMENT "dray.deployment"

/* What is there. */
struct deploy_seen {
    json_t *containers; /* array of summaries; strangers have "stranger": true */
    json_t *networks;   /* name → {"name","labels"} */
    json_t *volumes;    /* the same */
    json_t *images;     /* canonical reference → id or null */
};
struct deploy_seen deploy_seen_new(void);
/* One item (borrowed). */
void deploy_seen_add(struct deploy_seen *seen, const json_t *item);
void deploy_seen_release(struct deploy_seen *seen);

enum deploy_action {
    DEPLOY_PULL,
    DEPLOY_NETWORK_CREATE,
    DEPLOY_NETWORK_REMOVE,
    DEPLOY_VOLUME_CREATE,
    DEPLOY_VOLUME_REMOVE,
    DEPLOY_CREATE,   /* made and started */
    DEPLOY_RECREATE, /* the old one is stopped and removed first */
    DEPLOY_START,    /* it is there, and does not run */
    DEPLOY_RESTART,
    DEPLOY_STOP,
    DEPLOY_REMOVE, /* stopped first */
    DEPLOY_WAIT    /* until `until` is so */
};

enum deploy_until {
    DEPLOY_UNTIL_READY,    /* healthy, or running when it has no health check */
    DEPLOY_UNTIL_HEALTHY,  /* healthy; that it has no check is an error */
    DEPLOY_UNTIL_COMPLETED /* ended with 0 */
};

#define DEPLOY_NO_STEP SIZE_MAX

struct deploy_step {
    enum deploy_action action;
    char *name;    /* of the container, network, volume; of an image the reference */
    char *service; /* NULL: of none */
    char *why;
    char *container;                      /* id of the one that is there; NULL */
    json_t *spec;                         /* CREATE, RECREATE: struct spec_container's */
    const struct deploy_service *of;      /* borrowed of the model; may be NULL */
    const struct deploy_network *network; /* NETWORK_CREATE */
    const struct deploy_volume *volume;   /* VOLUME_CREATE */
    enum deploy_pull policy;              /* PULL; of is the first service that has it */
    enum deploy_until until;              /* WAIT */
    bool volumes;                         /* REMOVE: its anonymous volumes too */
    bool paused;                          /* START: it is only frozen */
    /* RECREATE: only when the pull of that step brings another image than image_id */
    size_t pull;
    char *image_id;
    size_t image;   /* CREATE, RECREATE: the pull that brings its image; none */
    bool start;     /* … and when it stays it is started, since it does not run */
    size_t made_by; /* WAIT: the step that makes the container; else `container` */
    size_t *after;  /* steps that must have succeeded … */
    bool *soft;     /* … or, these, only ended */
    size_t after_count;
};

struct deploy_plan {
    char *name;                /* of the deployment */
    struct deploy_step *steps; /* each waits only for steps before it */
    size_t count;
    char **warnings;
    json_t *kept; /* array of summaries that stay as they are */
};

struct deploy_plan_options {
    char *const *services; /* only these, and what they depend on; NULL or empty: all */
    bool no_deps;
    bool force_recreate, no_recreate, remove_orphans;
    bool images_only;  /* nothing but the pulls */
    bool surroundings; /* not the named ones themselves, but all that they need */
    bool wait;         /* at the end every replica is ready, every job has ended */
    bool pinned;       /* images that are there may not be those that a lock file pins */
    int pull;          /* enum deploy_pull instead of the services' own; -1: theirs */
};
#define DEPLOY_PLAN_OPTIONS_INIT ((struct deploy_plan_options){.pull = -1})

/* The canonical references that the model has, for deployment.observe: array of texts.
 * NULL with err. */
json_t *deploy_plan_images(const struct deploy_model *model, struct dr_error *err);
/* The plan borrows the model. DR_ERR_EXISTS: a name is somebody else's; DR_ERR_NOT_FOUND:
 * an external thing, or a service that was named, is missing. */
int deploy_plan_up(const struct deploy_model *model, const struct deploy_seen *seen,
                   const struct deploy_plan_options *options,
                   struct deploy_plan **ret_plan, struct dr_error *err);

struct deploy_down_options {
    bool volumes, remove_orphans;
};
/* model may be NULL: then all that is called so goes. */
int deploy_plan_down(const char *name, const struct deploy_model *model,
                     const struct deploy_seen *seen,
                     const struct deploy_down_options *options,
                     struct deploy_plan **ret_plan, struct dr_error *err);

enum deploy_change {
    DEPLOY_CHANGE_START,   /* what they depend on first, with its conditions */
    DEPLOY_CHANGE_STOP,    /* dependents first */
    DEPLOY_CHANGE_RESTART, /* as START; dependents that say so restart with them */
    DEPLOY_CHANGE_REMOVE   /* dependents first */
};
struct deploy_change_options {
    char *const *services; /* only these; NULL or empty: all */
    bool no_deps;          /* START, RESTART: nothing but these */
    bool running;          /* REMOVE: those too that run */
    bool volumes;          /* REMOVE: anonymous volumes too */
};
/* With the containers that are there, whatever the files say of them; one-offs are left
 * alone but by REMOVE. model may be NULL. DR_ERR_NOT_FOUND: a service that was named is
 * neither in the files nor there; or nothing is there that could be started. */
int deploy_plan_change(const char *name, const struct deploy_model *model,
                       const struct deploy_seen *seen, enum deploy_change change,
                       const struct deploy_change_options *options,
                       struct deploy_plan **ret_plan, struct dr_error *err);
void deploy_plan_free(struct deploy_plan *plan); /* NULL is fine */
/* {"deployment","steps":[{"action","kind","name","service","why","after":[…]}…],
 * "warnings":[…]} */
json_t *deploy_plan_json(const struct deploy_plan *plan);
const char *deploy_action_name(enum deploy_action action);
const char *deploy_action_kind(enum deploy_action action); /* "container" … */

/* What one replica is, with name and labels: a spec's JSON. NULL with err. */
json_t *deploy_replica_spec(const struct deploy_model *model,
                            const struct deploy_service *service, int64_t replica,
                            struct dr_error *err);
/* "<hex>" of all that makes a replica what it is, but its number; owned. */
char *deploy_service_hash(const struct deploy_service *service);
char *deploy_network_hash(const struct deploy_network *network);
/* Appends "key=value" to an array of labels. */
void deploy_add_label(json_t *labels, const char *key, const char *value);

#endif
