/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TOML 1.0 into JSON: tables become objects (members in the order of the file), dates and
 * times become strings. Rule: toml.io/en/v1.0.0; no C library for it is in Debian.
 */
#ifndef DRAY_BASE_TOML_H
#define DRAY_BASE_TOML_H

#include <stddef.h>

#include "base/json.h"

#define DR_TOML_DEPTH_MAX 32
#define DR_TOML_TABLES_MAX 4096

/* text: len bytes, no NUL needed. A new reference to an object, or NULL with
 * DR_ERR_FORMAT: line and column, and what is wrong there (never the text itself). Keys
 * and tables that come twice, bytes that are no UTF-8 and more than max_bytes are
 * refused. */
json_t *dr_toml_parse(const char *text, size_t len, size_t max_bytes,
                      struct dr_error *err);

#endif
