/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the command line used before include/dray.h was there; it goes when that is done.
 *
 * The runtime API on the host: one session with one target, and one function per thing
 * that can be asked of it. Every function is one request (docs/internals/PROTOCOL.md),
 * may be called from any thread, and blocks. Nothing here prints, exits or touches
 * signals.
 *
 * Results are JSON as the protocol page shows them; references are the caller's.
 */
#ifndef DRAY_HOST_HOST_H
#define DRAY_HOST_HOST_H

#include <stdatomic.h>

#include "oci/digest.h"
#include "spec/container.h"
#include "transport/transport.h"
#include "wire/mux.h"

struct host;

struct host_options {
    const char *target; /* NULL or "local:" */
    /* on the target; NULL: its defaults (C01) */
    const char *root, *run_root, *bundle_root, *log_root, *runtime;
    const char *cache_dir;      /* host's blob cache; NULL: the user's cache directory */
    int64_t connect_timeout_ms; /* until the helper's HELLO; 0: 30 s */
    /* A transport that is open already, instead of one to `target`: taken over. Tests put
     * one here that records what is sent and plays answers (C34). */
    const struct transport *transport;
};

/* Starts the helper over there and sends our HELLO; does not wait for its one.
 * DR_ERR_UNAVAILABLE: the target cannot be reached; DR_ERR_CONFIG: it can, but is not fit
 * (not root, no helper can be put there), and the text says what to do. */
int host_open(const struct host_options *options, struct host **ret_host,
              struct dr_error *err);
void host_close(struct host *host);
/* The helper's HELLO; borrowed. */
int host_hello(struct host *host, json_t **ret_hello, struct dr_error *err);
/* How many processes the transport started for this session (one, for each command). */
int host_spawn_count(const struct host *host);

/* One request, one reply. request is taken over. */
int host_call(struct host *host, json_t *request, json_t **ret_reply,
              struct dr_error *err);
/* One request whose items come as events: *ret_items is an array. request is taken over.
 */
int host_list(struct host *host, json_t *request, json_t **ret_items,
              struct dr_error *err);
/* A request {"op": op}, to add members to. */
json_t *host_request(const char *op);

/* --- images: pull.c, images.c --- */

enum host_pull_policy {
    HOST_PULL_MISSING,
    HOST_PULL_ALWAYS,
    HOST_PULL_NEWER,
    HOST_PULL_NEVER
};

/* One step of a pull, told on any thread (never two at once). */
struct host_progress {
    enum {
        HOST_PROGRESS_RESOLVED, /* total = number of layers */
        HOST_PROGRESS_LAYER,    /* done of total bytes */
        HOST_PROGRESS_LAYER_DONE,
        HOST_PROGRESS_LAYER_EXISTS
    } what;
    const char *layer; /* digest text; borrowed */
    enum { HOST_LAYER_WAITING, HOST_LAYER_DOWNLOADING, HOST_LAYER_UNPACKING } stage;
    int64_t done_bytes, total_bytes;
};

struct host_pull_options {
    const char *reference; /* as typed: "alpine" */
    enum host_pull_policy policy;
    const char *platform;        /* "linux/arm64"; NULL: the guest's */
    bool plain_http;             /* --tls-verify=false: allow plain HTTP to any host */
    const char *user, *password; /* NULL: the user's config files, else anonymous */
    void (*progress)(void *arg, const struct host_progress *step); /* may be NULL */
    void *progress_arg;
    const atomic_bool *cancelled; /* looked at now and then; may be NULL */
};

/* Makes sure that the image is in the guest. *ret_image: {"id","digest","ref","familiar",
 * "pulled":bool,"newer":bool}. `hello` needs no registry: it is built in. */
int host_pull(struct host *host, const struct host_pull_options *options,
              json_t **ret_image, struct dr_error *err);
/* Canonical reference for what a person typed, or the text itself when it can be an image
 * id (hex) too; owned. DR_ERR_INVALID. */
char *host_image_name(const char *text, struct dr_error *err);

/* --- a container's streams: run.c --- */

/* Where the bytes of an attached container or exec go. Callbacks come on the calling
 * thread; a non-zero return of on_output stops with DR_ERR_CANCELLED. */
struct host_streams {
    /* Reads stdin until its end and sends it; -1: no stdin. Runs on a thread of its own.
     */
    int stdin_fd;
    int (*on_output)(void *arg, int stream, const void *data, size_t len); /* 1 or 2 */
    void (*on_event)(void *arg, const json_t *event); /* created, started; may be NULL */
    void *arg;
    /* A pipe's read end: each byte written to it is a signal number to pass on to the
     * container (async-signal-safe for the writer); -1: none. */
    int signal_fd;
};

/* Sends the request (taken over), moves the streams, returns the reply. */
int host_stream(struct host *host, json_t *request, const struct host_streams *streams,
                json_t **ret_reply, struct dr_error *err);

#endif
