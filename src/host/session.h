/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of src/host share: the session behind struct host. */
#ifndef DRAY_HOST_SESSION_H
#define DRAY_HOST_SESSION_H

#include "host/host.h"

struct host {
    struct transport transport;
    struct wire_mux *mux;
    char *cache_dir; /* NULL: the user's */
    int64_t hello_deadline_ms;
};

#endif
