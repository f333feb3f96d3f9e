/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How to start the helper on a target. A transport gives a pair of pipes to `dray-guest
 * serve` over there, whatever that takes, and says how many processes it started.
 *
 * transport_open only starts the process that leads there: it does not wait. What is said
 * over the pipes until the helper is there (boot.h) is transport_boot's, which a thread
 * of its own may call.
 */
#ifndef DRAY_TRANSPORT_TRANSPORT_H
#define DRAY_TRANSPORT_TRANSPORT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

struct transport_far; /* a target that is not this machine */

struct transport {
    int read_fd, write_fd;     /* the helper's stdout and stdin; taken by the session */
    pid_t pid;                 /* the local process to wait for */
    int spawn_count;           /* processes started in all, the installation included */
    struct transport_far *far; /* owned; NULL: the helper is our child */
};

struct transport_options {
    const char *target; /* a URL (address.h); NULL: local: */
    const char *user;   /* for ssh, when the URL names none; may be NULL */
    /* where the target keeps its things: the helper is put below one of them, as
     * bin/<sha256>/dray-guest, when it is in none. Absolute. */
    const char *root, *run_root;
    int64_t timeout_ms; /* how long reaching it may take */
};

/* UNAVAILABLE or CONFIG (C02), INVALID for an address that is none, UNSUPPORTED for a
 * scheme that nobody knows. */
int transport_open(const struct transport_options *options, struct transport *ret,
                   struct dr_error *err);
/* Whether the pipes lead to somebody who has to be asked for the helper first. */
bool transport_needs_boot(const struct transport *transport);
/* Brings the helper to the other end of the pipes and starts it, within deadline_ms
 * (dr_clock_ms() time) or until cancel_fd is readable. */
int transport_boot(struct transport *transport, int64_t deadline_ms, int cancel_fd,
                   struct dr_error *err);
/* Milliseconds that a person may need on top, for a passphrase say. */
int64_t transport_patience_ms(const struct transport *transport);
/* The target as it was given, safe to print; borrowed. */
const char *transport_name(const struct transport *transport);
/* What the process over here has said so far on its stderr: the last lines, as one that
 * is safe to print, "" when nothing; owned. Any thread. */
char *transport_said(const struct transport *transport);
/* The session ended early, err says how (NONE: the other side just closed it): adds what
 * the process over here said about it, when it said something. */
void transport_explain(struct transport *transport, struct dr_error *err);
/* Waits for the process after its pipes were closed; kills it after wait_ms. Its exit
 * status as waitpid gives it, or -1. */
int transport_close(struct transport *transport, int wait_ms);

#endif
