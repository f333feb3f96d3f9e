/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every request handler of the helper knows: where this target keeps its things,
 * and the stores. One per helper process, made when the host's HELLO came, never changed
 * after; handlers run on threads of their own.
 */
#ifndef DRAY_GUEST_GUEST_H
#define DRAY_GUEST_GUEST_H

#include "guest/layers/layers.h"
#include "wire/mux.h"

struct guest {
    /* absolute paths, owned; the host's HELLO may set them (C01) */
    char *root;        /* /var/lib/dray */
    char *run_root;    /* /run/dray */
    char *bundle_root; /* <root>/bundles */
    char *log_root;    /* <root>/logs */
    char *runtime; /* explicit runtime (path or name); NULL: youki, crun, runc on PATH */
    bool network_strict; /* an address that cannot be had is an error (C30) */
    char boot_id[40];
    struct layer_store *layers;
};

/* A request handler. request is borrowed. Returns 0 with *ret_reply (a new reference, or
 * NULL for {}), or -1 with err. Runs on its own thread; may block on chan. */
typedef int (*guest_handler)(struct guest *guest, struct wire_chan *chan,
                             const json_t *request, json_t **ret_reply,
                             struct dr_error *err);

struct guest_op {
    const char *name; /* "container.create" */
    guest_handler handler;
    bool patient; /* it only looks on: a host that sleeps keeps nobody from anything */
};

/* The tables that dispatch.c puts together; each ends with a NULL name. */
extern const struct guest_op guest_image_ops[];      /* images/ops.c */
extern const struct guest_op guest_container_ops[];  /* container/ops.c */
extern const struct guest_op guest_deployment_ops[]; /* deployment.c */
extern const struct guest_op guest_event_ops[];      /* events/ops.c */
extern const struct guest_op guest_files_ops[];      /* files/ops.c */
extern const struct guest_op guest_network_ops[];    /* net/ops.c */
extern const struct guest_op guest_system_ops[];     /* system.c */
extern const struct guest_op guest_volume_ops[];     /* volumes/ops.c */

#endif
