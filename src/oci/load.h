/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the files of src/oci only. */
#ifndef DRAY_OCI_LOAD_H
#define DRAY_OCI_LOAD_H

#include "base/json.h"

/* A document of at most OCI_MANIFEST_MAX bytes that a peer sent. NULL with DR_ERR_FORMAT;
 * the JSON parser's words quote the document, so they are escaped. what: for the text. */
json_t *oci_json_load(const char *what, const char *text, size_t len,
                      struct dr_error *err);

#endif
