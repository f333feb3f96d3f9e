/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers as tar writes them. */
#include <string.h>

#include "tar/private.h"

/* Two's complement, big-endian, the top bit of the first byte being the mark (GNU). */
static bool base256(const uint8_t *field, size_t len, int64_t *ret)
{
    bool negative = field[0] & 0x40;
    uint64_t value = negative ? UINT64_MAX : 0;
    for (size_t i = 0; i < len; i++) {
        uint8_t byte = field[i];
        if (i == 0)
            byte = negative ? byte | 0x80 : byte & 0x7f;
        /* what is pushed out at the top must be nothing but sign */
        if (value >> 56 != (negative ? 0xff : 0))
            return false;
        value = value << 8 | byte;
    }
    if ((value >> 63 != 0) != negative)
        return false;
    *ret = (int64_t)value;
    return true;
}

bool tar_number(const char *field, size_t len, int64_t *ret)
{
    if ((uint8_t)field[0] & 0x80)
        return base256((const uint8_t *)field, len, ret);
    size_t i = 0;
    while (i < len && (field[i] == ' ' || field[i] == '\0'))
        i++;
    uint64_t value = 0; /* at most 12 octal digits: no overflow */
    for (; i < len && field[i] >= '0' && field[i] <= '7'; i++)
        value = value * 8 + (uint64_t)(field[i] - '0');
    if (i < len && field[i] != ' ' && field[i] != '\0')
        return false;
    *ret = (int64_t)value;
    return true;
}

bool tar_decimal(const char *text, size_t len, int64_t *ret)
{
    int64_t value = 0;
    if (len == 0)
        return false;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, text[i] - '0', &value))
            return false;
    }
    *ret = value;
    return true;
}

bool tar_time(const char *text, struct timespec *ret)
{
    bool negative = *text == '-';
    if (negative)
        text++;
    size_t digits = strspn(text, "0123456789");
    const char *fraction = text + digits;
    if (*fraction == '.')
        fraction++;
    size_t fraction_digits = strspn(fraction, "0123456789");
    if (digits == 0 || fraction[fraction_digits] != '\0')
        return false;
    /* far above any file system's range (the kernel clamps to that), far below overflow
     */
    const int64_t bound = (int64_t)1 << 60;
    int64_t seconds;
    long nanoseconds = 0, scale = 100000000;
    if (!tar_decimal(text, digits, &seconds) || seconds > bound)
        seconds = bound;
    for (size_t i = 0; i < fraction_digits && scale > 0; i++, scale /= 10)
        nanoseconds += (fraction[i] - '0') * scale;
    if (negative) {
        seconds = -seconds;
        if (nanoseconds > 0) { /* -1.25 is -2 s + 0.75 s */
            seconds--;
            nanoseconds = 1000000000 - nanoseconds;
        }
    }
    *ret = (struct timespec){.tv_sec = seconds, .tv_nsec = nanoseconds};
    return true;
}

bool tar_checksum_ok(const struct tar_header *header)
{
    const uint8_t *bytes = (const uint8_t *)header;
    size_t from = offsetof(struct tar_header, checksum);
    int64_t plain = 0, with_signs = 0, said; /* old writers summed signed chars */
    for (size_t i = 0; i < TAR_BLOCK; i++) {
        bool blank = i >= from && i < from + sizeof header->checksum;
        uint8_t byte = blank ? ' ' : bytes[i];
        plain += byte;
        with_signs += (int8_t)byte;
    }
    return tar_number(header->checksum, sizeof header->checksum, &said) &&
           (said == plain || said == with_signs);
}
