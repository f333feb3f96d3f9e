/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dray's own format, `version: v1` (C35; docs/man/dray-deployment.5.scd is its manual).
 * A table says what a file may hold: it is what the reader follows (v1.c) and what the
 * JSON Schema is made of (schema.c), so that the two cannot differ.
 */
#ifndef DRAY_DEPLOY_V1_H
#define DRAY_DEPLOY_V1_H

#include "deploy/read.h"

#define V1_ITEMS_MAX 10000 /* of one list or mapping */

enum v1_scalar {
    V1_NO_SCALAR,
    V1_TEXT, /* a number is one too; true and false only in quotes */
    V1_WORD, /* any scalar as it is written */
    V1_BOOL, /* true or false, not in quotes */
    V1_NUMBER,
    V1_SIZE,
    V1_DURATION,
    V1_CPU,
    V1_CHOICE
};

struct v1;

/* A value may have several forms: a scalar, a list, a mapping. At least one is set. */
struct v1_field {
    const char *name; /* NULL ends a table; of items and values it does not matter */
    enum v1_scalar scalar;
    bool required;
    bool nothing;                   /* the scalar may be left out: "NAME:" */
    int64_t min, max;               /* NUMBER */
    const char *const *choices;     /* CHOICE; NULL-terminated */
    const char *pattern;            /* TEXT: for the schema only */
    const struct v1_field *items;   /* a list, each item of this form */
    const struct v1_field *members; /* a mapping with these keys */
    const struct v1_field *values;  /* a mapping with any keys, each value like this */
    size_t most;                    /* items or values; 0: V1_ITEMS_MAX */
    /* Where it goes: to a field of the container's spec, item by item, KEY=VALUE of a
     * mapping; or to a function, which gets a value of the right form. */
    const char *spec;
    bool add; /* that field is added to even by a scalar */
    void (*begin)(struct v1 *r, const struct deploy_value *value); /* before its parts */
    void (*take)(struct v1 *r, const struct deploy_value *value);
    const char *refused; /* understood, but not to be had: why */
    const char *meaning; /* for the schema */
};

/* Where the reader is, for messages: services.web.storage[2]. */
struct v1_step {
    const struct v1_step *up;
    const char *name; /* NULL: an item */
    size_t index;
};

struct v1 {
    const struct deploy_input *in;
    struct deploy_problems *problems;
    struct deploy_model *model;
    char **secrets;
    const struct deploy_value *networks, *volumes; /* what the file defines; or NULL */
    struct deploy_service *service;                /* the one that is being read */
    const struct v1_step *step;
    size_t files_bytes; /* of all files so far */
};

extern const struct v1_field v1_file; /* a mapping: the whole document */

/* "PATH: TEXT" at a place. */
void v1_problem(struct v1 *r, const struct deploy_where *where, const char *fmt, ...)
    DR_PRINTF(3, 4);
/* The same of an error, which is emptied. */
void v1_problem_error(struct v1 *r, const struct deploy_where *where,
                      struct dr_error *found);
/* spec_field of the service, its error as a problem. */
void v1_set(struct v1 *r, const char *field, bool add, const char *value,
            const struct deploy_where *where);
/* Reads one value of one field. */
void v1_read(struct v1 *r, const struct v1_field *field,
             const struct deploy_value *value);
/* An empty list or mapping may be written as nothing at all, unless it needs members. */
bool v1_may_be_nothing(const struct v1_field *field);
/* The text of a member; NULL: it is not there, or nothing, or no scalar. Borrowed. */
const char *v1_text(const struct deploy_value *map, const char *key);
bool v1_true(const struct deploy_value *map, const char *key);
/* A size or CPU share of the form that the table asks for. */
int v1_cpu_parse(const char *text, char **ret_cpus, struct dr_error *err);

/* --- where fields of the table go (v1-process.c, v1-storage.c, v1-network.c) --- */

void v1_take_deployment(struct v1 *r, const struct deploy_value *value);
void v1_begin_service(struct v1 *r, const struct deploy_value *value);
void v1_take_service(struct v1 *r, const struct deploy_value *value);
void v1_take_image(struct v1 *r, const struct deploy_value *value);
void v1_take_pull_policy(struct v1 *r, const struct deploy_value *value);
void v1_take_platform(struct v1 *r, const struct deploy_value *value);
void v1_take_container_name(struct v1 *r, const struct deploy_value *value);
void v1_take_rtype(struct v1 *r, const struct deploy_value *value);
void v1_take_schedule(struct v1 *r, const struct deploy_value *value);
void v1_take_entrypoint(struct v1 *r, const struct deploy_value *value);
void v1_take_env(struct v1 *r, const struct deploy_value *value);
void v1_take_stop_grace(struct v1 *r, const struct deploy_value *value);
void v1_take_restart(struct v1 *r, const struct deploy_value *value);
void v1_take_health(struct v1 *r, const struct deploy_value *value);
void v1_take_ulimits(struct v1 *r, const struct deploy_value *value);
void v1_take_cpu(struct v1 *r, const struct deploy_value *value);
void v1_take_scale(struct v1 *r, const struct deploy_value *value);
void v1_take_update_order(struct v1 *r, const struct deploy_value *value);
void v1_take_depend(struct v1 *r, const struct deploy_value *value);
void v1_take_mount(struct v1 *r, const struct deploy_value *value);
void v1_take_device(struct v1 *r, const struct deploy_value *value);
void v1_take_endpoint(struct v1 *r, const struct deploy_value *value);
void v1_take_port(struct v1 *r, const struct deploy_value *value);
void v1_take_network_mode(struct v1 *r, const struct deploy_value *value);
void v1_take_networks(struct v1 *r, const struct deploy_value *value);
void v1_take_network(struct v1 *r, const struct deploy_value *value);
void v1_take_volume(struct v1 *r, const struct deploy_value *value);
void v1_take_naming(struct v1 *r, const struct deploy_value *value);
void v1_take_file(struct v1 *r, const struct deploy_value *value);
void v1_take_log(struct v1 *r, const struct deploy_value *value);

/* What the service is on when it says nothing, and what only the whole of it shows. */
void v1_end_networks(struct v1 *r, const struct deploy_value *service);
/* "shop_data" of "data", unless the definitions (a section of the file, NULL: it is not
 * there) call it otherwise. NULL: they do not have it, which is a problem. Owned. */
char *v1_whole_name(struct v1 *r, const struct deploy_value *definitions,
                    const char *section, const char *key,
                    const struct deploy_where *where);
/* The labels of a definition, as "K=V". */
void v1_labels(const struct deploy_value *definition, char ***ret);

#endif
