/* SPDX-License-Identifier: Apache-2.0 */
/* What answers a registry's 401: nothing, a password or a token (HAZARDS H4). */
#ifndef DRAY_REGISTRY_AUTH_H
#define DRAY_REGISTRY_AUTH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "registry/credentials.h"

struct registry;

struct auth {
    char *header;       /* value for Authorization; owned; NULL: none yet */
    bool is_token;      /* header holds a token, not a password */
    int64_t refresh_ms; /* monotonic: a token is fetched anew from then on */
    unsigned
        generation; /* grows with each new header: who sent an older one tries again */
    bool looked;    /* credentials were searched for */
    bool login;     /* only whether the user may come in is asked, see login.c */
    char *identity_token; /* what the token server gave for a login; owned, or NULL */
    struct credentials credentials;
    char *realm, *service,
        *scope; /* of the last Bearer challenge, owned; for refreshing */
};

void auth_release(struct auth *auth);

/*
 * A 401 came with these WWW-Authenticate headers (NULL: none). Fetches a token, or
 * finds the password. 1: auth.header is new, try again; 0: there is nothing better to
 * send, the 401 stands. -1: the token server failed, credentials are broken, or may not
 * be sent where the registry wants them.
 */
int auth_answer(struct registry *reg, const char *www_authenticate, struct dr_error *err);
/* Fetches a token anew when 80 % of its life are over. Best effort: the old one stays. */
int auth_refresh(struct registry *reg, struct dr_error *err);
/* Was a password or token of the user's in what was sent? For messages. */
bool auth_has_user(const struct auth *auth);

#endif
