/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Words past the runtime (C25). It reads a command and an environment from JSON, which is
 * UTF-8: runc would make U+FFFD of other bytes, crun and youki refuse them. So a process
 * with such words starts as this program, from a sealed copy in memory, which takes its
 * real words from another one and becomes what they say. Both are descriptors that the
 * runtime passes on (--preserve-fds), so that nothing has to be mounted or written in the
 * container, and an exec works in any that runs. They are gone with the second exec. What
 * is needed in the container is its /proc.
 */
#ifndef DRAY_GUEST_INIT_CARRY_H
#define DRAY_GUEST_INIT_CARRY_H

#include <stddef.h>
#include <stdint.h>

#include "base/json.h"

struct carried {
    int fds[3];    /* what the process gets as 3, 4 and 5: program, words, status */
    size_t count;  /* of them; 0: there is nothing that the runtime could not carry */
    int status;    /* where the process tells errno when it cannot become the command */
    char *command; /* its first word, for a person; owned */
};
#define CARRIED_INIT                                                                     \
    {                                                                                    \
        {-1, -1, -1}, 0, -1, NULL                                                        \
    }
#define carried_auto DR_CLEANUP(carry_close)

/* process: as bundle_config() and bundle_process_for_exec() make it, and as a container's
 * record has it ("args", "env"; base/words.h). Nothing to carry: success. */
int carry_open(const json_t *process, struct carried *ret, struct dr_error *err);
/* Makes such a process one for the runtime; one of text alone stays as it is. */
void carry_process(json_t *process);
/*
 * The runtime has started the process: waits until it is what it shall be. DR_ERR_START
 * with code 127 (there is no such program) or 126 (it cannot be executed), in the
 * runtime's place, when it could not; it ends then.
 */
int carry_wait(struct carried *carried, int64_t deadline_ms, struct dr_error *err);
void carry_close(struct carried *carried);

/* The process: its words are in descriptor 4, and what it cannot do goes to 5. */
int words_main(int argc, char **argv);

#endif
