/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The address of a target:
 *
 *     local:                     this machine, which must be Linux
 *     ssh://[USER@]HOST[:PORT]   a Linux machine, or a name of ssh's own config
 *     wsl://[DISTRO]             a WSL2 distro; "dray" when none is named
 *     exec://WORD WORD…          whatever `WORD WORD… sh` leads to
 *
 * Bytes that would mean something else are written as %XX, in every part. Words of
 * exec:// are parted by blanks: no shell looks at them.
 */
#ifndef DRAY_TRANSPORT_ADDRESS_H
#define DRAY_TRANSPORT_ADDRESS_H

#include <stdbool.h>

#include "base/error.h"

enum transport_scheme {
    TRANSPORT_LOCAL,
    TRANSPORT_SSH,
    TRANSPORT_WSL,
    TRANSPORT_EXEC,
};

struct transport_address {
    enum transport_scheme scheme;
    char *user, *host; /* ssh; user NULL: as ssh's config says. wsl: host is the distro */
    int port;          /* ssh; 0: as ssh's config says */
    char **words;      /* exec: at least one */
};

/* The address of the target that has no name, or the name "local": local:, on Windows
 * wsl://. (local-posix.c, local-win.c) */
extern const char transport_default[];

/* Does text look like an address, rather than like the name of a target? */
bool transport_address_is(const char *text);
/* DR_ERR_UNSUPPORTED names a scheme that is not known, DR_ERR_CONFIG what is wrong. text
 * NULL, or "local": transport_default. */
int transport_address_parse(const char *text, struct transport_address *ret,
                            struct dr_error *err);
void transport_address_release(struct transport_address *address);
#define dr_auto_address DR_CLEANUP(transport_address_release)

/* The user of an ssh address that names none; NULL leaves it so. Others have none. */
int transport_address_user(struct transport_address *address, const char *user,
                           struct dr_error *err);
/* exec://… of a list of words; owned. */
char *transport_address_of_words(char *const *words);

#endif
