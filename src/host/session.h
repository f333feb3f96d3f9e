/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of src/host share: the session behind struct host. */
#ifndef DRAY_HOST_SESSION_H
#define DRAY_HOST_SESSION_H

#include "host/host.h"
#include "transport/transport.h"

struct host {
    struct transport transport;
    struct wire_mux *mux;
    char *cache_dir; /* NULL: the user's */
    int64_t hello_deadline_ms;
};

/* The stores of layers and images are asked for a ref: the deadline of short requests. */
#define HOST_CALL_TIMEOUT_MS (120 * 1000)

#endif
