/* SPDX-License-Identifier: Apache-2.0 */
/* The form of the default seccomp profile (seccomp-default.c); private to this folder. */
#ifndef DRAY_GUEST_BUNDLE_SECCOMP_H
#define DRAY_GUEST_BUNDLE_SECCOMP_H

#include <stdbool.h>
#include <stdint.h>

struct bundle_seccomp_arg {
    bool used;
    unsigned index;
    uint64_t value;
    const char *op;
};

struct bundle_seccomp_rule {
    const char *names;    /* system calls, blank between them; NULL ends a table */
    const char *arches;   /* only there (Go's words, blank between); NULL: everywhere */
    const char *with_cap; /* only when the container has it */
    const char *without_cap; /* only when it has not */
    int kernel[2];           /* only from this version on */
    int fail_with;           /* an errno instead of "allowed" */
    struct bundle_seccomp_arg args[1];
};

const struct bundle_seccomp_rule *bundle_seccomp_default(void);

#endif
