/* SPDX-License-Identifier: Apache-2.0 */
/* WWW-Authenticate. Rule: RFC 9110 section 11.6.1; Docker's token authentication for the
 * parameters of Bearer. */
#ifndef DRAY_REGISTRY_CHALLENGE_H
#define DRAY_REGISTRY_CHALLENGE_H

#include <stdbool.h>

#include "base/error.h"

#define CHALLENGE_HEADER_MAX 16384 /* bytes, of all such headers together */

/* Of everything that the registry offers only these two are of use. Owned strings. */
struct challenge {
    bool basic;
    bool bearer;
    char *realm;   /* of Bearer; never NULL when bearer */
    char *service; /* or NULL */
    char *scope;   /* or NULL */
};

#define dr_auto_challenge DR_CLEANUP(challenge_release)

/*
 * header: the values of all WWW-Authenticate headers, joined by ", ". Unknown schemes and
 * parameters are skipped, the first Bearer with a realm counts. DR_ERR_FORMAT gives the
 * offset: a grammar error, a parameter twice in one challenge, control characters.
 */
int challenge_parse(const char *header, struct challenge *ret_challenge,
                    struct dr_error *err);
void challenge_release(struct challenge *challenge);

#endif
