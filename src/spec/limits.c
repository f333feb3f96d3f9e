/* SPDX-License-Identifier: Apache-2.0 */
/* --ulimit name=soft[:hard] and --cpus 1.5 */
#include <string.h>

#include "base/text.h"
#include "spec/container.h"

static const char *const ulimit_names[] = {
    "as",   "core",   "cpu",   "data", "fsize",  "locks",  "memlock",    "msgqueue",
    "nice", "nofile", "nproc", "rss",  "rtprio", "rttime", "sigpending", "stack",
};

bool spec_ulimit_known(const char *name)
{
    for (size_t i = 0; i < DR_COUNT(ulimit_names); i++)
        if (strcmp(ulimit_names[i], name) == 0)
            return true;
    return false;
}

static bool limit(const char *text, size_t len, int64_t *ret)
{
    char number[24];
    if (!len || len >= sizeof number)
        return false;
    memcpy(number, text, len);
    number[len] = '\0';
    return dr_int_parse(number, -1, INT64_MAX, ret);
}

int spec_ulimit_parse(const char *text, struct spec_ulimit *ret, struct dr_error *err)
{
    const char *equals = strchr(text, '=');
    if (!equals || equals == text)
        return dr_fail(err, DR_ERR_INVALID,
                       "invalid ulimit '%s': expected name=soft[:hard]", text);
    dr_auto_free char *name = dr_strndup(text, (size_t)(equals - text));
    if (!spec_ulimit_known(name))
        return dr_fail(
            err, DR_ERR_INVALID,
            "invalid ulimit '%s': there is no limit '%s' (nofile, nproc, core, "
            "memlock, stack, …)",
            text, name);
    const char *value = equals + 1;
    size_t soft_len = strcspn(value, ":");
    int64_t soft, hard;
    if (!limit(value, soft_len, &soft))
        return dr_fail(err, DR_ERR_INVALID,
                       "invalid ulimit '%s': '%.*s' is not a number (-1: unlimited)",
                       text, (int)soft_len, value);
    hard = soft;
    if (value[soft_len] &&
        !limit(value + soft_len + 1, strlen(value + soft_len + 1), &hard))
        return dr_fail(err, DR_ERR_INVALID,
                       "invalid ulimit '%s': '%s' is not a number (-1: unlimited)", text,
                       value + soft_len + 1);
    if (hard != -1 && (soft == -1 || soft > hard))
        return dr_fail(err, DR_ERR_INVALID,
                       "invalid ulimit '%s': the soft limit is above the hard limit",
                       text);
    *ret = (struct spec_ulimit){.name = DR_TAKE(name), .soft = soft, .hard = hard};
    return 0;
}

int spec_cpus_parse(const char *text, int64_t *ret_nano, struct dr_error *err)
{
    const int64_t nano = 1000000000;
    int64_t whole = 0, fraction = 0, scale = nano;
    const char *p = text;
    bool digits = false;
    for (; *p >= '0' && *p <= '9' && whole < nano; p++, digits = true)
        whole = whole * 10 + (*p - '0');
    if (*p == '.')
        for (p++; *p >= '0' && *p <= '9'; p++, digits = true) {
            if (scale == 1 && *p != '0')
                return dr_fail(err, DR_ERR_INVALID,
                               "invalid cpus '%s': more than nine decimals", text);
            if (scale == 1)
                continue;
            scale /= 10;
            fraction += scale * (*p - '0');
        }
    if (!digits || *p || whole >= nano)
        return dr_fail(err, DR_ERR_INVALID,
                       "invalid cpus '%s': a decimal number of CPUs, such as 1.5", text);
    *ret_nano = whole * nano + fraction;
    return 0;
}
