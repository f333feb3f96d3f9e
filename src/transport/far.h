/* SPDX-License-Identifier: Apache-2.0 */
/* What the kinds of far targets share with transport.c: one table row each. */
#ifndef DRAY_TRANSPORT_FAR_H
#define DRAY_TRANSPORT_FAR_H

#include "transport/address.h"
#include "transport/transport.h"

/* How a connection ended, for the kind to judge. */
struct transport_end {
    bool booted, answered; /* the helper was there; a shell over there spoke */
    bool ended;            /* the process did, with this status (128+n for signal n) */
    int status;
    const char *words; /* escaped, one line */
};

struct transport_kind {
    const char *program; /* for errors: "ssh" */
    bool asks;           /* it may ask a person something, at the terminal */
    const char *env;     /* "K=V" that it gets besides; NULL: none */
    const char *failed;  /* "ssh cannot connect"; NULL: the general word */
    /* when the program is not here */
    enum dr_kind missing_kind;
    const char *missing;
    /* What to start; it ends in a shell over there that reads its stdin. No data of the
     * session is in it. *ret_argv: dr_strv_free. */
    int (*argv)(const struct transport_address *address, int64_t timeout_ms,
                char ***ret_argv, struct dr_error *err);
    /* Bytes that the program itself wrote, as UTF-8; owned. */
    char *(*text)(const char *bytes, size_t len);
    /* UNAVAILABLE or CONFIG (C02), and what a person can do, or NULL. */
    enum dr_kind (*judge)(const struct transport_end *end, const char **ret_hint);
};

struct transport_far {
    const struct transport_kind *kind;
    struct transport_address address;
    char *name; /* the target as it was given, safe to print */
    char **places;
    int words_fd; /* the process' stderr; -1: none */
    char *words;  /* what came before our first line */
    size_t words_len;
    char *user; /* over there, when not root */
    bool booted, answered;
};

extern const struct transport_kind transport_ssh, transport_exec, transport_wsl;

/* Bytes as they are, without NULs; owned. */
char *transport_text_plain(const char *bytes, size_t len);

/* The last lines that are not empty, as one that is safe to print; owned. */
char *transport_last_lines(const char *text, size_t max);

/* local-posix.c: the helper is a child of ours. */
int transport_local(const char *root, struct transport *ret, struct dr_error *err);

/* ssh-posix.c: a configuration file for ssh that adds to the user's own what lets several
 * commands share a connection; owned. NULL: there is no place for it, go without. */
char *ssh_config_file(void);

#endif
