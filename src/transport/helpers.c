/* SPDX-License-Identifier: Apache-2.0 */
#include "transport/helpers.h"

#include <string.h>

#include "base/mem.h"
#include "guest_blob.h"
#ifdef HAVE_GUEST_AARCH64
#include "guest_aarch64_blob.h"
#endif

#if defined(__aarch64__)
#define OWN_MACHINE "aarch64"
#else
#define OWN_MACHINE "x86_64"
#endif

const struct helper helpers[] = {
    {OWN_MACHINE, GUEST_BLOB_SHA256, guest_blob_start, GUEST_BLOB_SIZE},
#ifdef HAVE_GUEST_AARCH64
    {"aarch64", GUEST_AARCH64_BLOB_SHA256, guest_aarch64_blob_start,
     GUEST_AARCH64_BLOB_SIZE},
#endif
};
const size_t helper_count = DR_COUNT(helpers);

const struct helper *helper_find(const char *machine)
{
    for (size_t i = 0; i < helper_count; i++)
        if (strcmp(helpers[i].machine, machine) == 0)
            return &helpers[i];
    return NULL;
}

char *helper_machines(void)
{
    char *all = dr_strdup(helpers[0].machine);
    for (size_t i = 1; i < helper_count; i++) {
        char *more = dr_printf("%s, %s", all, helpers[i].machine);
        free(all);
        all = more;
    }
    return all;
}
