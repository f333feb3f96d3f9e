/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A YAML file as a tree of values that know where they stand, so that files can be
 * merged, extended and interpolated and an error still names the line that a person
 * wrote. Aliases are copied, merge keys ("<<") are put in. What can grow without bound in
 * a hostile file has limits (HAZARDS: hostile input in bounded memory).
 */
#ifndef DRAY_DEPLOY_VALUE_H
#define DRAY_DEPLOY_VALUE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "deploy/index.h"

#define DEPLOY_FILE_MAX (4u << 20)     /* bytes of a file */
#define DEPLOY_SCALAR_MAX (256u << 10) /* bytes of one scalar */
#define DEPLOY_DEPTH_MAX 64
#define DEPLOY_VALUES_MAX 200000 /* with the copies that aliases make */

/* A place in a file; file is borrowed from whoever loaded it. Lines and columns from 1,
 * 0: unknown. */
struct deploy_where {
    const char *file;
    uint32_t line, column;
};

enum deploy_type {
    DEPLOY_NULL,   /* nothing, ~ or null, not quoted */
    DEPLOY_SCALAR, /* a text; numbers and booleans are texts too */
    DEPLOY_LIST,
    DEPLOY_MAP
};

struct deploy_value {
    enum deploy_type type;
    bool quoted; /* SCALAR: "true" and not true */
    struct deploy_where where;
    char *tag;  /* "!reset" as written; NULL: none */
    char *text; /* SCALAR: UTF-8 without NULs */
    /* LIST and MAP: count children, in order; of a MAP keys[i] is at key_where[i], and no
     * key is there twice. */
    struct deploy_value **items;
    char **keys;
    struct deploy_where *key_where;
    size_t count;
    /* Of keys, for deploy_value_get. Who takes a key out by hand releases it. */
    struct deploy_index index;
};

/* One document of len bytes. name: for places; must outlive the tree. An empty file is
 * NULL. DR_ERR_CONFIG "NAME:LINE:COLUMN: …": no YAML, or over a limit. */
int deploy_value_load(const char *name, const char *text, size_t len,
                      struct deploy_value **ret, struct dr_error *err);
struct deploy_value *deploy_value_copy(const struct deploy_value *value);
void deploy_value_free(struct deploy_value *value); /* NULL is fine */
void deploy_cleanup_value(struct deploy_value **value);
#define deploy_auto_value DR_CLEANUP(deploy_cleanup_value)

/* The member of a MAP; NULL when there is none, or value is no MAP. Borrowed. */
struct deploy_value *deploy_value_get(const struct deploy_value *value, const char *key);
/* Puts child (taken over) under key; what was there is freed. */
void deploy_value_set(struct deploy_value *map, const char *key,
                      const struct deploy_where *key_where, struct deploy_value *child);
/* Takes it out and frees it; nothing happens when it is not there. */
void deploy_value_remove(struct deploy_value *map, const char *key);
/* Appends to a LIST; child is taken over. */
void deploy_value_append(struct deploy_value *list, struct deploy_value *child);
/* A new one without children, at a place. text: SCALAR's, copied. */
struct deploy_value *deploy_value_new(enum deploy_type type, const char *text,
                                      const struct deploy_where *where);

#endif
