/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the files of src/store only. */
#ifndef DRAY_STORE_INTERNAL_H
#define DRAY_STORE_INTERNAL_H

#include "store/store.h"

struct store {
    char *dir;     /* owned, as are the others */
    char *blobs;   /* <dir>/blobs/sha256 */
    char *partial; /* <dir>/partial */
    char *notes;   /* <dir>/notes: made when the first one is written */
};

/* Old ones, or all. */
void store_notes_prune(const struct store *store, bool all);

/* Owned paths of a blob in both places. */
char *store_blob_path(const struct store *store, const struct oci_digest *digest);
char *store_partial_path(const struct store *store, const struct oci_digest *digest);

/* errno of a failed write, sync or open, as an error that says what to do. */
int store_fail_errno(const struct store *store, struct dr_error *err, const char *what);

#endif
