/* SPDX-License-Identifier: Apache-2.0 */
/* Names of containers and the file names made from them (C05). */
#include <stdio.h>
#include <string.h>

#include "base/sha256.h"
#include "spec/container.h"

#define NAME_MAX_BYTES 128
#define SLUG_MAX 63
#define DIGITS 8

static bool alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool spec_name_valid(const char *name)
{
    if (!alnum(name[0]))
        return false;
    for (const char *p = name; *p; p++)
        if (!alnum(*p) && *p != '_' && *p != '.' && *p != '-')
            return false;
    return true;
}

int spec_name_check(const char *name, struct dr_error *err)
{
    if (!spec_name_valid(name))
        return dr_fail(err, DR_ERR_INVALID,
                       "invalid container name '%s': only [a-zA-Z0-9][a-zA-Z0-9_.-]* is "
                       "allowed",
                       name);
    if (strlen(name) > NAME_MAX_BYTES)
        return dr_fail(err, DR_ERR_INVALID,
                       "invalid container name '%s': longer than %d bytes", name,
                       NAME_MAX_BYTES);
    return 0;
}

static size_t strip_digits(const char *text, size_t len)
{
    while (len && text[len - 1] >= '0' && text[len - 1] <= '9')
        len--;
    return len;
}

static bool ends_in_hex(const char *text, size_t len)
{
    if (len < DIGITS)
        return false;
    for (size_t i = len - DIGITS; i < len; i++)
        if (!((text[i] >= '0' && text[i] <= '9') || (text[i] >= 'a' && text[i] <= 'f')))
            return false;
    return len > DIGITS && text[len - DIGITS - 1] == '-';
}

/*
 * Would this id, taken as it is, look like the slug of another one: "x-0123abcd" or
 * "x-0123abcd-rep-2"? Then it gets digits of its own, so that no two ids share a slug
 * unless 32 bits of their hashes agree.
 */
static bool looks_hashed(const char *id)
{
    size_t len = strlen(id);
    if (ends_in_hex(id, len))
        return true;
    size_t cut = strip_digits(id, len);
    return cut < len && cut >= 5 && memcmp(id + cut - 5, "-rep-", 5) == 0 &&
           ends_in_hex(id, cut - 5);
}

/* base is the part that is cut, suffix ("-rep-N" or "") stays; id is what is hashed. */
static char *slug(const char *id, const char *base, const char *suffix)
{
    size_t room = SLUG_MAX - strlen(suffix), len = strlen(base);
    bool changed = len > room || len == 0 || base[0] == '-' || looks_hashed(id);
    char clean[SLUG_MAX + 1];
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        char c = base[i];
        if (!alnum(c) && c != '_' && c != '-') {
            c = '-';
            changed = true;
        }
        if (n < room && (n || c != '-')) /* never a leading '-' */
            clean[n++] = c;
    }
    if (!changed)
        return dr_printf("%.*s%s", (int)n, clean, suffix);
    if (n > room - DIGITS - 1)
        n = room - DIGITS - 1;
    if (n == 0)
        clean[n++] = 'c';
    char hex[DR_SHA256_HEX + 1];
    dr_sha256_of(id, strlen(id), hex);
    return dr_printf("%.*s-%.*s%s", (int)n, clean, DIGITS, hex, suffix);
}

char *spec_slug(const char *id)
{
    return slug(id, id, "");
}

char *spec_service_slug(const char *service, unsigned replica)
{
    char suffix[24];
    snprintf(suffix, sizeof suffix, "-rep-%u", replica);
    dr_auto_free char *id = dr_printf("%s%s", service, suffix);
    return slug(id, service, suffix);
}
