/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DRAY_TESTS_UNIT_BUNDLE_FACTS_H
#define DRAY_TESTS_UNIT_BUNDLE_FACTS_H

#include <string.h>

#include "guest/bundle/bundle.h"

/* A guest that is the same everywhere. */
static inline void fixed_facts(struct bundle_facts *f)
{
    *f = (struct bundle_facts){
        .arch = "amd64",
        .kernel_release = "6.1.0",
        .kernel_major = 6,
        .kernel_minor = 1,
        .cpus = 4,
        .caps = (UINT64_C(1) << 41) - 1,
        .can_raise_rlimits = true,
        .nr_open = 1048576,
        .cgroup_v2 = true,
        .cgroup_ns = true,
        .swap_limit = true,
        .port_sysctl = true,
        .ping_sysctl = true,
    };
    memset(f->rlimit_hard, 0xff, sizeof f->rlimit_hard);
}

#endif
