/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A deployment as it shall be: what both formats, dray's own (v1.h) and Compose's
 * (compose.h), are read into, and the only thing that plans are made of. Names that cross
 * to the target are whole here: "shop_data", not "data".
 *
 * All pointers are owned; vectors of strings are NULL-terminated.
 */
#ifndef DRAY_DEPLOY_MODEL_H
#define DRAY_DEPLOY_MODEL_H

#include "deploy/value.h"
#include "spec/container.h"

#define DEPLOY_SERVICES_MAX 1000
#define DEPLOY_REPLICAS_MAX 1000 /* of one service */

enum deploy_rtype {
    DEPLOY_SERVICE, /* runs until it is taken down */
    DEPLOY_JOB,     /* runs to its end once; again when it failed or changed */
    DEPLOY_CRON     /* runs to its end, again and again by its schedule */
};

enum deploy_condition {
    DEPLOY_STARTED,  /* every replica runs */
    DEPLOY_HEALTHY,  /* every replica's health check says so */
    DEPLOY_COMPLETED /* ended with 0 */
};

enum deploy_pull {
    DEPLOY_PULL_MISSING,
    DEPLOY_PULL_ALWAYS,
    DEPLOY_PULL_NEWER,
    DEPLOY_PULL_NEVER
};

struct deploy_depend {
    char *service;
    enum deploy_condition condition;
    bool optional; /* when that service is not part of the deployment, no matter */
    bool restart;  /* replaced or restarted with it */
    struct deploy_where where;
};

/* A config or a secret: a file that is put into the container before it starts. */
struct deploy_file {
    char *target; /* absolute */
    /* Where it is from, to be shown instead of a secret: a path of this machine's, or a
     * variable of the environment. Both NULL: the deployment's file holds it. */
    char *source, *variable;
    char *data;
    size_t len;
    int64_t mode, uid, gid; /* mode 0: 0444; of secrets 0400 */
    bool secret;            /* its content is never shown */
    struct deploy_where where;
};

/* A port that others reach by the service's name. Of each there is one in spec->exposed.
 */
struct deploy_endpoint {
    char *name; /* may be NULL */
    int64_t port;
    char *protocol; /* "tcp" or "udp" */
};

struct deploy_service {
    char *name;
    struct deploy_where where;
    enum deploy_rtype rtype;
    char *schedule; /* CRON: five fields, or "@daily" … ; the target's local time */
    /* What each replica is. service and deployment are set; name, replica and the label
     * of the plan are set from replica to replica. */
    struct spec_container *spec;
    /* For each of spec->env the same with secrets as the file has them ("$S:NAME"), so
     * that the deployment can be shown; NULL: spec->env has none, and is no such text. */
    char **env_written;
    struct deploy_endpoint *endpoints;
    size_t endpoint_count;
    char *container_name; /* of the only replica, where it is not to be the usual */
    int64_t scale;        /* replicas; of jobs and crons 1 */
    enum deploy_pull pull;
    char *platform; /* NULL: the target's */
    struct deploy_depend *depends;
    size_t depend_count;
    struct deploy_file *files;
    size_t file_count;
    bool start_first; /* rolling: the new replica runs before the old one goes */
};

struct deploy_network {
    char *name;    /* over there */
    bool external; /* somebody else's: must be there, and stays */
    bool internal, ipv6;
    int64_t mtu;
    struct deploy_subnet {
        char *subnet, *gateway, *range;
    } * subnets; /* at most one of each family */
    size_t subnet_count;
    char **labels;
    struct deploy_where where;
};

struct deploy_volume {
    char *name;
    bool external;
    char **labels;
    struct deploy_where where;
};

struct deploy_model {
    char *name; /* of the deployment: [a-z0-9][a-z0-9_-]* */
    /* How replicas are called: "web-rep-1" (C05), or, of Compose files, "shop-web-1". */
    bool compose_names;
    struct deploy_service *services; /* in the order of the file */
    size_t service_count;
    struct deploy_network *networks; /* those that a service is on */
    size_t network_count;
    struct deploy_volume *volumes; /* the named ones that a service has */
    size_t volume_count;
    /* of the names above; the functions below have them */
    struct deploy_index service_index, network_index, volume_index;
    char **warnings;   /* what was read and means nothing here, with its place */
    char **file_names; /* what the places borrow from */
};

struct deploy_model *deploy_model_new(void);
void deploy_model_free(struct deploy_model *model); /* NULL is fine */

/* Each appends one with every default, and returns it; borrowed until the next append.
 * name is copied. */
struct deploy_service *deploy_model_add_service(struct deploy_model *model,
                                                const char *name);
struct deploy_network *deploy_model_add_network(struct deploy_model *model,
                                                const char *name);
struct deploy_volume *deploy_model_add_volume(struct deploy_model *model,
                                              const char *name);
struct deploy_depend *deploy_service_add_depend(struct deploy_service *service,
                                                const char *on);
struct deploy_endpoint *deploy_service_add_endpoint(struct deploy_service *service,
                                                    int64_t port, const char *protocol);
struct deploy_file *deploy_service_add_file(struct deploy_service *service,
                                            const char *target);
/* Borrowed; NULL: there is none. */
struct deploy_service *deploy_model_service(const struct deploy_model *model,
                                            const char *name);
struct deploy_network *deploy_model_network(const struct deploy_model *model,
                                            const char *name);
struct deploy_volume *deploy_model_volume(const struct deploy_model *model,
                                          const char *name);

/* Name of a replica's container, owned. Replicas are counted from 1. */
char *deploy_replica_name(const struct deploy_model *model,
                          const struct deploy_service *service, int64_t replica);

#endif
