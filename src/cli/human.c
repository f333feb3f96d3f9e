/* SPDX-License-Identifier: Apache-2.0 */
/* Times and durations for people, in Docker's words (docker/go-units, duration.go). */
#include <math.h>
#include <string.h>
#include <time.h>

#include "base/text.h"
#include "cli/cli.h"

#define SECOND_NS INT64_C(1000000000)
#define HOUR 3600
#define DAY_HOURS 24

char *cli_duration(int64_t seconds)
{
    int64_t minutes = seconds / 60;
    int64_t hours = (seconds + HOUR / 2) / HOUR;
    if (seconds < 1)
        return dr_strdup("Less than a second");
    if (seconds == 1)
        return dr_strdup("1 second");
    if (seconds < 60)
        return dr_printf("%lld seconds", (long long)seconds);
    if (minutes == 1)
        return dr_strdup("About a minute");
    if (minutes < 60)
        return dr_printf("%lld minutes", (long long)minutes);
    if (hours == 1)
        return dr_strdup("About an hour");
    if (hours < 48)
        return dr_printf("%lld hours", (long long)hours);
    if (hours < DAY_HOURS * 7 * 2)
        return dr_printf("%lld days", (long long)(hours / DAY_HOURS));
    if (hours < DAY_HOURS * 30 * 2)
        return dr_printf("%lld weeks", (long long)(hours / DAY_HOURS / 7));
    if (hours < DAY_HOURS * 365 * 2)
        return dr_printf("%lld months", (long long)(hours / DAY_HOURS / 30));
    return dr_printf("%lld years", (long long)(hours / DAY_HOURS / 365));
}

char *cli_ago(int64_t then_ns, int64_t now_ns)
{
    if (then_ns == 0)
        return dr_strdup("");
    dr_auto_free char *text = cli_duration((now_ns - then_ns) / SECOND_NS);
    return dr_printf("%s ago", text);
}

char *cli_timestamp(int64_t ns)
{
    time_t seconds = (time_t)(ns / SECOND_NS);
    struct tm tm;
    char text[64];
    if (!gmtime_r(&seconds, &tm) ||
        strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S +0000 UTC", &tm) == 0)
        return dr_strdup("");
    return dr_strdup(text);
}

/* "1700000000" and "1700000000.5" */
static bool unix_time(const char *text, int64_t *ret_ns)
{
    size_t whole = strspn(text, "0123456789");
    dr_auto_free char *seconds = dr_strndup(text, whole);
    int64_t value, fraction = 0;
    if (!dr_int_parse(seconds, 0, INT64_MAX / SECOND_NS - 1, &value))
        return false;
    if (text[whole] == '.') {
        int64_t unit = SECOND_NS / 10;
        for (const char *p = text + whole + 1; *p; p++, unit /= 10) {
            if (*p < '0' || *p > '9')
                return false;
            fraction += (*p - '0') * unit;
        }
    } else if (text[whole]) {
        return false;
    }
    *ret_ns = value * SECOND_NS + fraction;
    return true;
}

/* Without an offset it is the time of this machine's clock on the wall, as Docker has it.
 */
static bool local_time(const char *text, int64_t *ret_ns)
{
    static const char *const forms[] = {"%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M",
                                        "%Y-%m-%d"};
    for (size_t i = 0; i < DR_COUNT(forms); i++) {
        struct tm tm = {.tm_isdst = -1};
        const char *end = strptime(text, forms[i], &tm);
        if (!end || *end)
            continue;
        tm.tm_isdst = -1;
        *ret_ns = (int64_t)mktime(&tm) * SECOND_NS;
        return true;
    }
    return false;
}

int cli_time_parse(const char *text, int64_t now_ns, int64_t *ret_ns,
                   struct dr_error *err)
{
    dr_auto_error struct dr_error unused = DR_ERROR_INIT;
    int64_t duration;
    if (unix_time(text, ret_ns) || local_time(text, ret_ns) ||
        dr_time_parse(text, ret_ns, &unused) == 0)
        return 0;
    dr_error_release(&unused);
    if (dr_duration_parse(text, &duration, &unused) == 0) {
        *ret_ns = now_ns - duration;
        return 0;
    }
    dr_auto_free char *safe = dr_escape(text, 100);
    return dr_fail(err, DR_ERR_INVALID,
                   "\"%s\" is no time: 2006-01-02T15:04:05Z, 2006-01-02, seconds since "
                   "1970, or 10m for ten minutes ago",
                   safe);
}

char *cli_size_binary(int64_t bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
    double value = (double)bytes;
    size_t unit = 0;
    while (value >= 1024 && unit + 1 < DR_COUNT(units)) {
        value /= 1024;
        unit++;
    }
    return dr_printf("%.4g%s", value, units[unit]);
}
