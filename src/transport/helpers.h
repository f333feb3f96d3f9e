/* SPDX-License-Identifier: Apache-2.0 */
/* The helpers that this dray carries, one per architecture of a guest. */
#ifndef DRAY_TRANSPORT_HELPERS_H
#define DRAY_TRANSPORT_HELPERS_H

#include <stddef.h>

struct helper {
    const char *machine; /* as `uname -m` says it */
    const char *sha256;  /* of the file; its name over there */
    const unsigned char *data;
    size_t size; /* bytes */
};

extern const struct helper helpers[];
extern const size_t helper_count;

/* NULL: this dray has none for it. */
const struct helper *helper_find(const char *machine);
/* "x86_64, aarch64": what there is; owned. */
char *helper_machines(void);

#endif
