/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Structs that cross the wire are described once, by a table of their members. The table
 * drives encoding, decoding, freeing and the check for text that JSON cannot carry, so
 * that a new member is one new line.
 */
#ifndef DRAY_SPEC_FIELDS_H
#define DRAY_SPEC_FIELDS_H

#include <stddef.h>

#include "base/json.h"

enum spec_field_type {
    SPEC_FIELD_STR,   /* char *; NULL is the default */
    SPEC_FIELD_STRV,  /* char **, NULL-terminated; NULL and empty are the default */
    SPEC_FIELD_WORDS, /* the same of any bytes (base/words.h) */
    SPEC_FIELD_BOOL,  /* bool; false is the default */
    SPEC_FIELD_INT,   /* int64_t in [min, max] */
    SPEC_FIELD_ENUM,  /* an enum whose values index words[]; always written */
    SPEC_FIELD_LIST,  /* pointer to count structs of item_size bytes each */
};

struct spec_field {
    const char *name; /* the JSON member; NULL ends a table */
    enum spec_field_type type;
    size_t offset;
    int64_t otherwise, min, max;   /* INT */
    const char *const *words;      /* ENUM, NULL-terminated */
    const struct spec_field *item; /* LIST: the table of an item */
    size_t item_size, count_offset;
};

/* Sets every member to its default, in zeroed or released memory. */
void spec_fields_init(const struct spec_field *fields, void *object);
/* Frees what the members own. */
void spec_fields_release(const struct spec_field *fields, void *object);
/* A new object; members that have their default are left out. */
json_t *spec_fields_encode(const struct spec_field *fields, const void *object);
/*
 * Into an initialised object. Fails with DR_ERR_INVALID, naming the member by its path
 * ("mounts[2].target"), for anything that is not an object, an unknown member, a wrong
 * type or a number out of range; the object is then partly filled and can be released.
 */
int spec_fields_decode(const struct spec_field *fields, const json_t *json, void *object,
                       struct dr_error *err);
/* Fails with DR_ERR_INVALID, naming the member, when a string that is no word of a
 * command or environment is not UTF-8: JSON cannot carry it unchanged (C25: byte for
 * byte, or refused). */
int spec_fields_check_text(const struct spec_field *fields, const void *object,
                           struct dr_error *err);

#endif
