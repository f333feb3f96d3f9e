/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wsl.exe's own commands, which list, make and remove distros, and programs that are run
 * in one of them. What wsl.exe says is in the user's language: only exit codes, error
 * codes and lists without prose (--quiet) are looked at.
 */
#ifndef DRAY_TRANSPORT_WSL_COMMAND_H
#define DRAY_TRANSPORT_WSL_COMMAND_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

struct wsl_stdin;

struct wsl_command {
    const char *const *words; /* behind "wsl.exe"; NULL-terminated */
    /* Writes its stdin by wsl_stdin_write; NULL: it has none. */
    int (*feed)(void *arg, struct wsl_stdin *to, struct dr_error *err);
    void *arg;
    /* A stdin that was not fed to its end is spoilt, so that no import takes the half for
     * the whole. */
    bool spoil;
    int64_t deadline_ms;       /* dr_clock_ms() time; 0: none */
    const atomic_bool *cancel; /* may be NULL */
    int cancel_fd;             /* readable once cancel is set; -1: none */
};

int wsl_stdin_write(struct wsl_stdin *to, const void *data, size_t len,
                    struct dr_error *err);

/*
 * Runs it to its end. *ret_text (may be NULL): what it wrote to stdout, at most its last
 * 64 KiB, as UTF-8 without carriage returns; owned. When its exit status is not 0:
 * UNAVAILABLE or CONFIG as for a target (C02), EXISTS, INVALID, else INTERNAL, with its
 * words as the text. What feed failed with counts more.
 */
int wsl_run(const struct wsl_command *command, char **ret_text, struct dr_error *err);

#endif
