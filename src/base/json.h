/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Thin layer over jansson: bounded, strict parsing and getters that do not fail.
 * Duplicate keys, bad UTF-8, NaN, depth > 64 and trailing bytes are refused
 * (HAZARDS H2: one document, one shape).
 */
#ifndef DRAY_BASE_JSON_H
#define DRAY_BASE_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

#define DR_JSON_DEPTH_MAX 64

#define dr_auto_json DR_CLEANUP(dr_cleanup_json)
void dr_cleanup_json(json_t **value);

/* Parses exactly one object or array of at most max_bytes. Returns a new reference, or
 * NULL with DR_ERR_FORMAT and line and column in the text. */
json_t *dr_json_parse(const char *text, size_t len, size_t max_bytes,
                      struct dr_error *err);

/* Compact text, owned by the caller, sorted keys so that it is stable. */
char *dr_json_text(const json_t *value);

/* Getters: the member of `object`, or the default when object is NULL, the member is
 * missing or of another type. Strings and containers are borrowed. */
const char *dr_json_str(const json_t *object, const char *key); /* default NULL */
int64_t dr_json_int(const json_t *object, const char *key, int64_t otherwise);
bool dr_json_bool(const json_t *object, const char *key);      /* default false */
json_t *dr_json_array(const json_t *object, const char *key);  /* default NULL */
json_t *dr_json_object(const json_t *object, const char *key); /* default NULL */

/* Setters that take no NULL trouble: a NULL string sets nothing. */
void dr_json_set_str(json_t *object, const char *key, const char *value);
void dr_json_set_int(json_t *object, const char *key, int64_t value);
void dr_json_set_bool(json_t *object, const char *key, bool value);
/* Takes the reference of value; NULL sets nothing. */
void dr_json_set(json_t *object, const char *key, json_t *value);

/* Can text be a JSON string, that is, is it UTF-8? */
bool dr_json_is_text(const char *text);

/* NULL-terminated string vectors (owned: dr_strv_free) from and to arrays. A NULL or
 * non-array gives an empty vector; members that are not strings are left out. */
char **dr_json_strv(const json_t *array);
json_t *dr_json_from_strv(char *const *strv);
void dr_strv_free(char **strv);
size_t dr_strv_len(char *const *strv);
/* Appends a copy of value to *strv (NULL is an empty vector). */
void dr_strv_add(char ***strv, const char *value);
void dr_cleanup_strv(char ***strv);
#define dr_auto_strv DR_CLEANUP(dr_cleanup_strv)

#endif
