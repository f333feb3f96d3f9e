/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Words of commands and variables of environments are bytes; JSON strings are UTF-8. So a
 * word in JSON is a string or, when it is no UTF-8, {"base64":"…"}: in specs, requests
 * and records alike. What a runtime reads has strings alone: see guest/init/carry.h.
 */
#ifndef DRAY_BASE_WORDS_H
#define DRAY_BASE_WORDS_H

#include "base/json.h"

/* A new array, a member for each word; NULL is an empty vector. */
json_t *dr_words_to_json(char *const *words);
/* Owned (dr_strv_free). Members that are no words are left out; a non-array is an empty
 * vector. */
char **dr_words_from_json(const json_t *array);
/* Is it a string, or a {"base64"} of bytes without a NUL? */
bool dr_word_is_valid(const json_t *word);
/* Is every member a string, so that whatever reads JSON can take the array? */
bool dr_words_are_text(const json_t *array);

/* For people: each byte that is no UTF-8 becomes U+FFFD, as with Docker. Owned. */
char *dr_word_shown(const json_t *word);
/* A new array of strings; NULL for a non-array. */
json_t *dr_words_shown(const json_t *array);

#endif
