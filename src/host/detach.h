/* SPDX-License-Identifier: Apache-2.0 */
/* Detach keys in what a person types: "ctrl-p,ctrl-q", found across reads. */
#ifndef DRAY_HOST_DETACH_H
#define DRAY_HOST_DETACH_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

#define DETACH_KEYS_MAX 16

struct detach {
    unsigned char keys[DETACH_KEYS_MAX];
    size_t count;   /* 0: there are none */
    size_t matched; /* keys that were typed already, and are held back */
};

/* Docker's form: a comma-separated list of single characters and ctrl-a … ctrl-z,
 * ctrl-@ ctrl-[ ctrl-\ ctrl-] ctrl-^ ctrl-_. NULL and "": none. DR_ERR_INVALID. */
int detach_parse(const char *text, struct detach *ret, struct dr_error *err);

/* What of data goes on, into out (len + DETACH_KEYS_MAX bytes of room); *ret_len bytes.
 * true: the keys were typed; the rest of data is dropped. */
bool detach_filter(struct detach *detach, const unsigned char *data, size_t len,
                   unsigned char *out, size_t *ret_len);

#endif
