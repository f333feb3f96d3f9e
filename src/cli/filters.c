/* SPDX-License-Identifier: Apache-2.0 */
/* What --filter of the lists and prunes have in common (ps has its own, ps-filter.c). */
#include <string.h>

#include "base/text.h"
#include "cli/cli.h"

static bool has_key(const char *filter, const char *const *keys)
{
    size_t len = strcspn(filter, "=");
    for (; filter[len] && *keys; keys++)
        if (strlen(*keys) == len && memcmp(*keys, filter, len) == 0)
            return true;
    return false;
}

int cli_filters_check(char *const *filters, const char *const *keys, struct dr_error *err)
{
    char list[200] = "";
    for (const char *const *key = keys; *key; key++) {
        size_t used = strlen(list);
        snprintf(list + used, sizeof(list) - used, "%s%s",
                 key == keys ? ""
                 : key[1]    ? ", "
                             : " and ",
                 *key);
    }
    for (; filters && *filters; filters++) {
        if (has_key(*filters, keys))
            continue;
        dr_auto_free char *safe = dr_escape(*filters, 100);
        return dr_fail(err, DR_ERR_INVALID,
                       "--filter %s: it must be KEY=VALUE with one of the keys %s", safe,
                       list);
    }
    return 0;
}

const char *cli_filter_next(char *const **filters, const char *key)
{
    for (; *filters && **filters; (*filters)++) {
        const char *filter = **filters;
        size_t len = strlen(key);
        if (strncmp(filter, key, len) == 0 && filter[len] == '=') {
            (*filters)++;
            return filter + len + 1;
        }
    }
    return NULL;
}
