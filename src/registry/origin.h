/* SPDX-License-Identifier: Apache-2.0 */
/* Where a URL goes to: what decides who may get a password or a token (HAZARDS H4). */
#ifndef DRAY_REGISTRY_ORIGIN_H
#define DRAY_REGISTRY_ORIGIN_H

#include <stdbool.h>

#include "base/error.h"

#define ORIGIN_HOST_MAX 256
#define ORIGIN_URL_MAX 8192

struct origin {
    bool https;
    char host[ORIGIN_HOST_MAX]; /* lower case, without brackets and without a last dot */
    int port;                   /* the scheme's own when none was written */
};

/* Of an absolute http or https URL. Another scheme, a user name in it, blanks, control
 * characters or a bad port: DR_ERR_FORMAT, which does not repeat the query. */
int origin_parse(const char *url, struct origin *ret_origin, struct dr_error *err);
bool origin_equal(const struct origin *a, const struct origin *b);

enum origin_place {
    ORIGIN_ELSEWHERE,
    ORIGIN_LOOPBACK,   /* localhost, *.localhost, 127.0.0.0/8, ::1, and 0.0.0.0, :: which
                          reach it */
    ORIGIN_LINK_LOCAL, /* 169.254.0.0/16 (cloud metadata), fe80::/10 */
};
/* host: a name or an address in any notation that connect() understands, "[::1]" too.
 * Names are not looked up. */
enum origin_place origin_place(const char *host);

#endif
