/* SPDX-License-Identifier: Apache-2.0 */
#include "base/text.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

size_t dr_utf8_len(const char *text)
{
    const unsigned char *s = (const unsigned char *)text;
    if (s[0] < 0x80)
        return 1;
    size_t n = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : s[0] >= 0xc2 ? 2 : 0;
    if (n == 0 || s[0] > 0xf4)
        return 0;
    for (size_t i = 1; i < n; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
        (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
        return 0;
    return n;
}

char *dr_utf8_text(const char *text, size_t len)
{
    char *out = dr_alloc(3 * len + 1), *p = out;
    for (const char *end = text + len; text < end;) {
        size_t n = *text ? dr_utf8_len(text) : 0;
        memcpy(p, n ? text : "\xef\xbf\xbd", n ? n : 3);
        p += n ? n : 3;
        text += n ? n : 1;
    }
    *p = '\0';
    return out;
}

char *dr_escape(const char *text, size_t max)
{
    const unsigned char *s = (const unsigned char *)(text ? text : "");
    char *out = dr_alloc(strlen((const char *)s) * 4 + 8), *p = out;
    for (size_t count = 0; *s; count++) {
        if (max && count >= max) {
            p = stpcpy(p, "…");
            break;
        }
        size_t n = dr_utf8_len((const char *)s);
        bool c1 = n == 2 && s[0] == 0xc2 && s[1] < 0xa0;
        if (*s == '\n' || *s == '\t') {
            *p++ = ' ';
            s++;
        } else if (n == 0 || c1 || *s < 0x20 || *s == 0x7f) {
            size_t bad = n ? n : 1;
            while (bad--)
                p += sprintf(p, "\\x%02x", *s++);
        } else {
            memcpy(p, s, n);
            p += n;
            s += n;
        }
    }
    *p = '\0';
    return out;
}

int64_t dr_now_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

int64_t dr_clock_ms(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

void dr_time_format(int64_t ns, char ret_text[DR_TIME_TEXT])
{
    time_t seconds = (time_t)(ns / 1000000000);
    long rest = (long)(ns % 1000000000);
    if (rest < 0) {
        rest += 1000000000;
        seconds--;
    }
    struct tm tm;
    gmtime_r(&seconds, &tm);
    size_t n = strftime(ret_text, DR_TIME_TEXT, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(ret_text + n, DR_TIME_TEXT - n, ".%09ldZ", rest);
}

int dr_time_parse(const char *text, int64_t *ret_ns, struct dr_error *err)
{
    struct tm tm = {0};
    int used = 0;
    if (sscanf(text, "%4d-%2d-%2d%*1[Tt ]%2d:%2d:%2d%n", &tm.tm_year, &tm.tm_mon,
               &tm.tm_mday, &tm.tm_hour, &tm.tm_min, &tm.tm_sec, &used) != 6 ||
        used != 19 || tm.tm_mon < 1 || tm.tm_mon > 12 || tm.tm_mday < 1 ||
        tm.tm_mday > 31 || tm.tm_hour > 23 || tm.tm_min > 59 || tm.tm_sec > 60)
        return dr_fail(err, DR_ERR_FORMAT, "'%s' is not an RFC 3339 time", text);
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    const char *p = text + used;
    int64_t fraction = 0;
    if (*p == '.') {
        int64_t scale = 100000000;
        for (p++; isdigit((unsigned char)*p); p++, scale /= 10)
            fraction += (*p - '0') * scale;
    }
    int64_t offset = 0;
    if (*p == '+' || *p == '-') {
        int hours, minutes, width = 0;
        if (sscanf(p + 1, "%2d:%2d%n", &hours, &minutes, &width) != 2 || width != 5)
            return dr_fail(err, DR_ERR_FORMAT, "'%s' is not an RFC 3339 time", text);
        offset = (hours * 60 + minutes) * 60 * (*p == '-' ? -1 : 1);
        p += 6;
    } else if (*p == 'Z' || *p == 'z') {
        p++;
    } else {
        return dr_fail(err, DR_ERR_FORMAT, "'%s' is not an RFC 3339 time: no zone", text);
    }
    if (*p)
        return dr_fail(err, DR_ERR_FORMAT, "'%s' is not an RFC 3339 time", text);
    *ret_ns = ((int64_t)timegm(&tm) - offset) * 1000000000 + fraction;
    return 0;
}

int dr_size_parse(const char *text, int64_t *ret_bytes, struct dr_error *err)
{
    char *end;
    errno = 0;
    double value = isdigit((unsigned char)*text) ? strtod(text, &end) : -1;
    if (value < 0 || errno || strpbrk(text, "xXpP") == text + 1)
        return dr_fail(err, DR_ERR_INVALID,
                       "'%s' is not a size: use a number with b, k, m or g", text);
    static const char units[] = "bkmgtp";
    double scale = 1;
    if (*end) {
        const char *unit = strchr(units, tolower((unsigned char)*end));
        if (!unit)
            goto bad;
        for (const char *u = units; u < unit; u++)
            scale *= 1024;
        end++;
        if (scale > 1 && tolower((unsigned char)*end) == 'i')
            end++;
        if (scale > 1 && tolower((unsigned char)*end) == 'b')
            end++;
        if (*end)
            goto bad;
    }
    if (value * scale >= 9.2e18)
        return dr_fail(err, DR_ERR_INVALID, "'%s' is too large a size", text);
    *ret_bytes = (int64_t)(value * scale);
    return 0;
bad:
    return dr_fail(err, DR_ERR_INVALID,
                   "'%s' is not a size: use a number with b, k, m or g", text);
}

char *dr_size_text(int64_t bytes)
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB"};
    double value = (double)bytes;
    size_t unit = 0;
    while (value >= 1000 && unit + 1 < DR_COUNT(units)) {
        value /= 1000;
        unit++;
    }
    return dr_printf(unit == 0 ? "%.0f%s" : "%.3g%s", value, units[unit]);
}

int dr_duration_parse(const char *text, int64_t *ret_ns, struct dr_error *err)
{
    static const struct {
        const char *name;
        double ns;
    } units[] = {{"ns", 1},  {"us", 1e3}, {"ms", 1e6},
                 {"s", 1e9}, {"m", 60e9}, {"h", 3600e9}};
    double total = 0;
    const char *p = text;
    if (!*p)
        goto bad;
    while (*p) {
        char *end;
        if (!isdigit((unsigned char)*p) && *p != '.')
            goto bad;
        double value = strtod(p, &end);
        if (end == p)
            goto bad;
        size_t i, n = strspn(end, "numsh");
        if (n == 0 && !*end && p == text) {
            total = value * 1e9;
            break;
        }
        for (i = 0; i < DR_COUNT(units); i++)
            if (strlen(units[i].name) == n && strncmp(units[i].name, end, n) == 0)
                break;
        if (i == DR_COUNT(units))
            goto bad;
        total += value * units[i].ns;
        p = end + n;
    }
    if (!(total >= 0) || total > 9e18)
        goto bad;
    *ret_ns = (int64_t)total;
    return 0;
bad:
    return dr_fail(err, DR_ERR_INVALID,
                   "'%s' is not a duration: use for example 10s or 1m30s", text);
}

void dr_random_hex(size_t digits, char *ret)
{
    static const char hex[] = "0123456789abcdef";
    for (size_t done = 0; done < digits;) {
        unsigned char raw[64];
        ssize_t n = getrandom(raw, sizeof raw, 0);
        if (n < 0 && errno != EINTR)
            abort(); /* the kernel has had getrandom since 3.17 */
        for (ssize_t i = 0; i < n && done < digits; i++) {
            ret[done++] = hex[raw[i] >> 4];
            if (done < digits)
                ret[done++] = hex[raw[i] & 15];
        }
    }
    ret[digits] = '\0';
}

bool dr_int_parse(const char *text, int64_t min, int64_t max, int64_t *ret)
{
    if (!text || !(isdigit((unsigned char)*text) ||
                   (*text == '-' && isdigit((unsigned char)text[1]))))
        return false;
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (errno || *end || value < min || value > max)
        return false;
    *ret = value;
    return true;
}

char *dr_base64(const void *data, size_t len)
{
    static const char set[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *s = data;
    char *out = dr_alloc((len + 2) / 3 * 4 + 1), *p = out;
    for (size_t i = 0; i < len; i += 3) {
        unsigned v = (unsigned)s[i] << 16 | (i + 1 < len ? (unsigned)s[i + 1] << 8 : 0) |
                     (i + 2 < len ? s[i + 2] : 0);
        *p++ = set[v >> 18];
        *p++ = set[v >> 12 & 63];
        *p++ = i + 1 < len ? set[v >> 6 & 63] : '=';
        *p++ = i + 2 < len ? set[v & 63] : '=';
    }
    return out;
}

static int base64_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

char *dr_base64_decode(const char *text)
{
    size_t len = strlen(text), out = 0;
    char *raw = dr_alloc(len + 1);
    unsigned bits = 0, have = 0;
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '=' && strspn(text + i, "=") == len - i && len - i <= 2)
            break;
        int value = base64_value(text[i]);
        if (value < 0) {
            explicit_bzero(raw, len); /* it may be a password */
            free(raw);
            return NULL;
        }
        bits = bits << 6 | (unsigned)value;
        have += 6;
        if (have >= 8) {
            have -= 8;
            raw[out++] = (char)(bits >> have & 0xff);
        }
    }
    return raw;
}
