/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/runtime/nofile.h"

#include <stdbool.h>
#include <sys/resource.h>

#define ENOUGH 65536

static struct rlimit before;
static bool raised;

void nofile_raise(void)
{
    struct rlimit now;
    if (raised || getrlimit(RLIMIT_NOFILE, &now) < 0 || now.rlim_cur >= ENOUGH)
        return;
    before = now;
    now.rlim_cur = now.rlim_max < ENOUGH ? now.rlim_max : ENOUGH;
    raised = setrlimit(RLIMIT_NOFILE, &now) == 0;
}

void nofile_restore(void)
{
    if (raised)
        setrlimit(RLIMIT_NOFILE, &before);
}
