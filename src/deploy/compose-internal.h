/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the parts of the Compose reader share (deploy_compose_read of read.h). Rule: the
 * Compose Specification, as docker compose 2 reads it. What is not supported is a
 * problem, what means nothing here a warning.
 */
#ifndef DRAY_DEPLOY_COMPOSE_INTERNAL_H
#define DRAY_DEPLOY_COMPOSE_INTERNAL_H

#include "deploy/compose-env.h"
#include "deploy/read.h"

#define COMPOSE_SERVICES_MAX 1000
#define COMPOSE_FILES_MAX 100

struct compose {
    const struct deploy_input *input;
    const struct deploy_sources *sources; /* input's */
    struct deploy_model *model;
    struct deploy_problems *problems; /* input's */
    struct compose_env env; /* the process's, then that of the files of variables */
    size_t weight;          /* of all that was read and copied: compose_count */
    size_t files;
    size_t content; /* bytes of configs and secrets */
    /* all files as one tree, without "extends", "include" and relative paths */
    struct deploy_value *root;
    struct deploy_value *nothing; /* an empty map, for sections that are not there */
};

/* One service while it is read. */
struct compose_service {
    struct compose *c;
    const struct deploy_value *map;
    struct deploy_service *service; /* no service is appended while this is used */
    struct spec_container *spec;
};

/* --- compose-files.c, compose-paths.c --- */

/* Fills c->root and the model's name. Problems that a reader can go on after go to
 * c->problems; -1: it cannot. */
int compose_files(struct compose *c, struct dr_error *err);
/* deploy_path, with a problem instead of an error; where may be NULL. Owned. */
char *compose_path(struct compose *c, const struct deploy_where *where,
                   const char *directory, const char *path);
/* The directory that a file is in, owned. */
char *compose_dirname(const char *path);
/* Every relative path in a tree is made absolute. */
void compose_paths(struct compose *c, struct deploy_value *root, const char *directory);

/* --- compose-name.c --- */

/* Of the deployment; name: what the files say, may be NULL. */
int compose_name(struct compose *c, const struct deploy_value *name,
                 struct dr_error *err);
bool compose_has_profile(const struct compose *c, const struct deploy_value *profiles);

/* --- compose-fields.c: the forms of values --- */

void compose_warn(struct compose *c, const struct deploy_where *where, const char *fmt,
                  ...) DR_PRINTF(3, 4);
/* false: a problem was added. what: "a mapping", for the problem's text. */
bool compose_is(struct compose *c, const struct deploy_value *value,
                enum deploy_type type, const char *what);
/* The same for lists and maps that are too long. */
bool compose_few(struct compose *c, const struct deploy_value *value);
/* The text of a scalar; NULL and a problem when it is none. */
const char *compose_text(struct compose *c, const struct deploy_value *value);
bool compose_bool(struct compose *c, const struct deploy_value *value, bool *ret);
bool compose_int(struct compose *c, const struct deploy_value *value, int64_t min,
                 int64_t max, int64_t *ret);
/* spec_field with the place. */
void compose_set(struct compose_service *s, const struct deploy_where *where,
                 const char *field, bool add, const char *value);

/*
 * A table of the members of a map. A member that is NULL is as if it were not there,
 * unless read takes it. of: what the map is called, "a service".
 */
enum compose_kind {
    COMPOSE_SET,       /* a scalar, to the spec's field */
    COMPOSE_FLAG,      /* true or false, to the spec's field */
    COMPOSE_ADD,       /* scalars, to the spec's field */
    COMPOSE_PAIRS,     /* a map of scalars, to the spec's field */
    COMPOSE_READ,      /* by the function */
    COMPOSE_NULL,      /* by the function, NULL too */
    COMPOSE_ELSEWHERE, /* read together with another one, or before */
    COMPOSE_NOTED,     /* changes nothing here: a warning */
    COMPOSE_REFUSED    /* a problem */
};

struct compose_field {
    const char *name; /* NULL ends the table */
    enum compose_kind kind;
    const char *field; /* SET, FLAG, ADD, PAIRS: the spec's */
    void (*read)(struct compose_service *s, const struct deploy_value *value);
    const char *why; /* NOTED, REFUSED: what is said */
};

void compose_fields(struct compose_service *s, const struct deploy_value *map,
                    const struct compose_field *table, const char *of);

extern const struct compose_field compose_service_fields[];

/* --- the rest, one file each --- */

void compose_services(struct compose *c);
/* Readers of fields of a service. */
void compose_read_healthcheck(struct compose_service *s, const struct deploy_value *v);
void compose_read_logging(struct compose_service *s, const struct deploy_value *v);
void compose_read_deploy(struct compose_service *s, const struct deploy_value *v);
void compose_read_ports(struct compose_service *s, const struct deploy_value *v);
void compose_read_volumes(struct compose_service *s, const struct deploy_value *v);
void compose_read_devices(struct compose_service *s, const struct deploy_value *v);
void compose_read_configs(struct compose_service *s, const struct deploy_value *v);
void compose_read_secrets(struct compose_service *s, const struct deploy_value *v);
/* What needs several fields of it at once. */
void compose_service_env(struct compose_service *s);
void compose_service_networks(struct compose_service *s);
/* What needs other services: network_mode service:NAME, links. */
void compose_links(struct compose *c);

/* The section of the root, or an empty map. */
const struct deploy_value *compose_section(const struct compose *c, const char *name);
/* A volume by what the file calls it: put into the model when it is new. NULL: there is
 * none, and that is a problem. Borrowed until the next one. */
const struct deploy_volume *compose_volume(struct compose *c, const char *key,
                                           const struct deploy_where *where);
/* Is it somebody else's? ret_name: what it is called over there, NULL: not said. */
bool compose_external(struct compose *c, const struct deploy_value *map,
                      const char **ret_name);
/* Its labels as "K=V", owned. */
char **compose_labels(struct compose *c, const struct deploy_value *map);
/* A file's mode; 0 and a problem when it is none. */
int64_t compose_octal(struct compose *c, const struct deploy_value *value);
/* What sections say is checked whether a service refers to it or not. */
void compose_check_sections(struct compose *c);
void compose_check_networks(struct compose *c);
void compose_check_content(struct compose *c);

#endif
