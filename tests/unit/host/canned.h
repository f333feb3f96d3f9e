/* SPDX-License-Identifier: Apache-2.0 */
/*
 * C34: a transport that records what the library sends and plays canned answers. The
 * other end is a thread here, one for each time that the library connects.
 */
#ifndef CANNED_H
#define CANNED_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <stdatomic.h>

#include "base/buf.h"
#include "host/target.h"

struct canned {
    /* What answers a frame (on the other end's thread); NULL: `replies` do. Returning
     * false ends the helper as a crash would. */
    bool (*on_frame)(struct canned *canned, const struct wire_header *header,
                     const char *payload);
    /* The payloads of REPLY frames, one for each request in order; the last one again and
     * again. A payload that begins with "!" is an ERROR's. */
    const char *const *replies;
    size_t reply_count;
    /* Instead of all that: raw bytes, sent after the first request, then the end. */
    const char *raw;
    size_t raw_len;
    bool mute; /* says nothing at all, not even hello */

    void *arg;
    atomic_int connects, requests;
    int refuse_after; /* connects that are let through; 0: all */
    pthread_mutex_t lock;
    struct dr_buf record; /* lines "type/channel[/stream] payload" of all connections */
    struct dray_target *target;
    struct ending *endings; /* threads to join */
    int out;                /* of the connection that is answered just now */
};

/* Opens a target on it (lazily). options may be NULL. */
void canned_open(struct canned *canned, struct dray_open_options *options);
/* Closes the target and gives what was recorded; owned. */
char *canned_finish(struct canned *canned);

/* For on_frame. */
void canned_send(struct canned *canned, enum wire_type type, uint32_t channel, int stream,
                 const char *payload, size_t len);
void canned_text(struct canned *canned, enum wire_type type, uint32_t channel, int stream,
                 const char *text);

/* Builds raw bytes. */
void raw_start(struct dr_buf *raw); /* magic and HELLO */
void raw_frame(struct dr_buf *raw, enum wire_type type, uint32_t channel, int stream,
               const char *text);

#define HELLO_TEXT "{\"arch\":\"amd64\",\"cpus\":2,\"protocol\":1}"

#endif
