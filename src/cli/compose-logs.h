/* SPDX-License-Identifier: Apache-2.0 */
/* The logs of many containers as one, in the order of time, over the one session. */
#ifndef DRAY_CLI_COMPOSE_LOGS_H
#define DRAY_CLI_COMPOSE_LOGS_H

#include "cli/compose.h"

struct cli_logs_end {
    const char *service; /* "": of none */
    const char *name;    /* "web-1" */
    bool known;
    int code; /* 0 when it is not known */
};

struct cli_logs {
    bool follow, timestamps;
    bool no_color, no_prefix;
    int64_t tail; /* of each container; -1: all */
    int64_t since_ns, until_ns;
    /* As up shows them: {id: …} of those of which only what they say from now on is
     * shown; of the others what they say since their last start; no one-offs, and how
     * each one ended. NULL: as the other members say. */
    const json_t *old;
    /* follow: a signal that triggers this is told, once and on another thread, and what
     * they say until they have ended is still shown. Both may be NULL. */
    struct dray_cancel *interrupt;
    void (*interrupted)(void *arg);
    /* old: each container that has ended for good, one at a time, on any thread; may be
     * NULL. Not those that had ended before they were looked at first. */
    void (*ended)(void *arg, const struct cli_logs_end *end);
    void *arg;
};

/* Prints them, of the services that cli's words name (none: all): what was written,
 * merged by time, then (follow) what comes, as it comes, also of containers that begin
 * later. call's limits end it: DR_ERR_CANCELLED. *ret_interrupted: `interrupted` was
 * called. */
int cli_logs_print(struct cli *cli, const char *deployment, const struct cli_logs *how,
                   const struct dray_call *call, bool *ret_interrupted,
                   struct dr_error *err);

#endif
