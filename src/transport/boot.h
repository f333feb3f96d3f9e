/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How the helper gets to the far side, and is started there, by one process.
 *
 * What a transport starts over there is always the same word, `sh`, so no login shell can
 * misread it and no data is on a command line. The shell reads a script from its stdin:
 * one compound command, which it has read whole before it executes the first word of it,
 * so that nothing of it is left in the pipe. Until the shell asks for more, nothing else
 * is sent: shells read ahead.
 *
 * It answers in lines that begin with BOOT_MARK; whatever stands before is a banner, or
 * the transport's own words.
 *
 * - user NAME: it is not root, and becomes `sudo -n sh` (or doas), which is sent the
 *   script again
 * - have: the helper is executed now; its magic is next
 * - need MACHINE: it is in none of the places; "<sha256> <bytes>\n" is sent
 * - send PLACE: this place can be written and executed from; the bytes are sent
 * - tty, noroot, noplace, full PLACE, spoilt PLACE, wsl1 NAME: no, and why
 */
#ifndef DRAY_TRANSPORT_BOOT_H
#define DRAY_TRANSPORT_BOOT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

#define BOOT_MARK "DRAY-BOOT "
#define BOOT_WORDS_MAX (64u << 10)

struct boot {
    int read_fd, write_fd;
    const char *name;          /* of the target, for errors */
    const char *const *places; /* directories over there, absolute; NULL-terminated */
    int64_t deadline_ms;
    int cancel_fd; /* -1: none */
    int64_t begun_ms;
    /* filled in */
    struct dr_buf words;         /* what came that is no line of ours */
    char *user;                  /* who we are over there, when that is not root; owned */
    bool answered;               /* the shell spoke at all */
    const struct helper *wanted; /* what it asked for */
};

/* The script for these places; owned. */
char *boot_script(const char *const *places);
/* Until "have". CONFIG when the far side said no; UNAVAILABLE when it ended or said
 * nothing, and the caller adds why. */
int boot_run(struct boot *boot, struct dr_error *err);
void boot_release(struct boot *boot);

#endif
