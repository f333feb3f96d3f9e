/* SPDX-License-Identifier: Apache-2.0 */
/* The logs of many containers as one, in the order of time, over the one session. */
#ifndef DRAY_CLI_COMPOSE_LOGS_H
#define DRAY_CLI_COMPOSE_LOGS_H

#include "cli/compose.h"

struct cli_logs {
    bool follow, timestamps;
    bool no_color, no_prefix;
    int64_t tail; /* of each container; -1: all */
    int64_t since_ns, until_ns;
    /* follow: {id: …} of those of which only what they say from now on is shown; of the
     * others what they say since their last start. NULL: as the other members say. */
    const json_t *old;
};

/* Prints them: what was written, merged by time, then (follow) what comes, as it comes.
 * call's limits end it: DR_ERR_CANCELLED. */
int cli_logs_print(struct cli *cli, const struct cli_members *members,
                   const struct cli_logs *how, const struct dray_call *call,
                   struct dr_error *err);

#endif
