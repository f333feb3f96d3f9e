/* SPDX-License-Identifier: Apache-2.0 */
/* config.json as text: rlimits are the one place where it needs all of uint64. */
#include <string.h>

#include "guest/bundle/bundle.h"

#define CONFIG_MAX (16U << 20)

static const char inside[] = "9223372036854775807";   /* INT64_MAX, in documents */
static const char outside[] = "18446744073709551615"; /* RLIM_INFINITY, in files */

/* A copy of compact JSON in which every "soft":<from> and "hard":<from> that is not
 * inside of a string has `to` instead. */
static char *replace(const char *text, size_t len, const char *from, const char *to)
{
    size_t from_len = strlen(from), to_len = strlen(to), n = 0;
    char *out = dr_alloc(len + len / (from_len + 7) + 2);
    for (size_t i = 0; i < len;) {
        if (text[i] != '"') {
            out[n++] = text[i++];
            continue;
        }
        size_t end = i + 1; /* the string that begins here, a key or a value */
        while (end < len && text[end] != '"')
            end += text[end] == '\\' ? 2 : 1;
        end = end < len ? end + 1 : len;
        bool limit = end - i == 6 && (memcmp(text + i, "\"soft\"", 6) == 0 ||
                                      memcmp(text + i, "\"hard\"", 6) == 0);
        memcpy(out + n, text + i, end - i);
        n += end - i;
        i = end;
        if (limit && len - i > from_len + 1 && text[i] == ':' &&
            memcmp(text + i + 1, from, from_len) == 0 &&
            strchr(",}", text[i + 1 + from_len])) {
            out[n++] = ':';
            memcpy(out + n, to, to_len);
            n += to_len;
            i += 1 + from_len;
        }
    }
    out[n] = '\0';
    return out;
}

char *bundle_text(const json_t *config)
{
    dr_auto_free char *text = dr_json_text(config);
    return replace(text, strlen(text), inside, outside);
}

json_t *bundle_parse(const char *text, size_t len, struct dr_error *err)
{
    dr_auto_free char *plain = replace(text, len, outside, inside);
    json_t *config = dr_json_parse(plain, strlen(plain), CONFIG_MAX, err);
    if (!config)
        dr_wrap(err, "config.json");
    return config;
}
