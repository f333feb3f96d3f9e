/* SPDX-License-Identifier: Apache-2.0 */
#include "host/detach.h"

#include <string.h>

#include "base/text.h"
#include "host/target.h"

/* One key of len bytes; -1: no key. */
static int key_of(const char *text, size_t len)
{
    if (len == 1)
        return (unsigned char)text[0];
    if (len != 6 || strncmp(text, "ctrl-", 5) != 0)
        return -1;
    char c = text[5];
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 1;
    if (c == '@' || (c >= '[' && c <= '_'))
        return c - '@';
    return -1;
}

int detach_parse(const char *text, struct detach *ret, struct dr_error *err)
{
    struct detach detach = {.count = 0};
    for (const char *p = text ? text : ""; *p;) {
        size_t len = *p == ',' && (!p[1] || p[1] == ',') ? 1 : strcspn(p, ",");
        int key = key_of(p, len);
        if (key < 0 || detach.count == DETACH_KEYS_MAX ||
            (p[len] == ',' && !p[len + 1])) {
            dr_auto_free char *safe = dr_escape(text, 100);
            return dr_fail(err, DR_ERR_INVALID,
                           "detach keys '%s': expected at most %d of a character or "
                           "ctrl-X, with commas between",
                           safe, DETACH_KEYS_MAX);
        }
        detach.keys[detach.count++] = (unsigned char)key;
        p += len + (p[len] == ',');
    }
    *ret = detach;
    return 0;
}

int dray_detach_keys_check(const char *keys, struct dray_error **ret_err)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    struct detach unused;
    return api_end(detach_parse(keys, &unused, &err), &err, ret_err);
}

/* The byte does not go on where the keys have got to: what was held back is no beginning
 * of them, or only its end is. Gives out what is not. */
static void fall_back(struct detach *d, unsigned char byte, unsigned char *out,
                      size_t *used)
{
    while (d->matched > 0 && d->keys[d->matched] != byte) {
        size_t shorter = d->matched - 1;
        while (shorter > 0 &&
               memcmp(d->keys, d->keys + (d->matched - shorter), shorter) != 0)
            shorter--;
        memcpy(out + *used, d->keys, d->matched - shorter);
        *used += d->matched - shorter;
        d->matched = shorter;
    }
}

bool detach_filter(struct detach *d, const unsigned char *data, size_t len,
                   unsigned char *out, size_t *ret_len)
{
    size_t used = 0;
    for (size_t i = 0; i < len; i++) {
        if (d->count > 0)
            fall_back(d, data[i], out, &used);
        if (d->count == 0 || d->keys[d->matched] != data[i]) {
            out[used++] = data[i];
            continue;
        }
        if (++d->matched == d->count) {
            *ret_len = used;
            return true;
        }
    }
    *ret_len = used;
    return false;
}
