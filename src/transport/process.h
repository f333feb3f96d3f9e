/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The process over here that leads to the target: ssh, wsl.exe, or the helper itself.
 * process-posix.c; a -win.c twin may come.
 */
#ifndef DRAY_TRANSPORT_PROCESS_H
#define DRAY_TRANSPORT_PROCESS_H

#include "transport/transport.h"

struct process_options {
    const char *path;        /* NULL: argv[0], looked up on PATH */
    const char *const *argv; /* NULL-terminated */
    const char *env;         /* "K=V", besides ours; NULL: none */
    /* It is kept from the terminal: a session of its own. Otherwise it may ask a person
     * something there; Ctrl-C never ends it, that is for us to pass on. */
    bool apart;
    /* What it writes to stderr: -1: to ours; else this descriptor (words_new). */
    int words_fd;
};

/* Fills fds, pid and spawn_count. err->code: errno of the exec. */
int process_start(const struct process_options *options, struct transport *ret,
                  struct dr_error *err);
/* Waits for it after its pipes were closed; kills it after wait_ms. waitpid's status. */
int process_end(pid_t pid, int wait_ms);
/* Whether it has ended, or does within wait_ms; *ret_status: its exit status, 128+n for
 * signal n. It can still be waited for. */
bool process_ended(pid_t pid, int wait_ms, int *ret_status);

/* Room for the words of a program that nobody reads meanwhile: never more than
 * WORDS_BYTES, and writing to it never blocks. -1: there is none. */
#define WORDS_BYTES (64u << 10)
int words_new(void);
/* The last bytes of it, at most max; owned, NUL-terminated. */
char *words_read(int fd, size_t max);

/* One byte: 1; 0: the end; -1 with DR_ERR_TIMEOUT at deadline_ms, DR_ERR_CANCELLED when
 * cancel_fd (may be -1) became readable, or another error. */
int pipe_read_byte(int fd, char *ret, int64_t deadline_ms, int cancel_fd,
                   struct dr_error *err);
/* All of it, the same way. A peer that is gone: DR_ERR_UNAVAILABLE with code EPIPE. */
int pipe_write(int fd, const void *data, size_t len, int64_t deadline_ms, int cancel_fd,
               struct dr_error *err);
/* Whether a person could be asked something. */
bool process_has_terminal(void);

#endif
