/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"

#include <string.h>

#include "base/text.h"

void dr_cleanup_json(json_t **value)
{
    json_decref(*value);
}

/* jansson allows 2,048 levels; this looks at brackets outside of strings first, so that
 * no deep document is ever built. */
static bool too_deep(const char *text, size_t len)
{
    int depth = 0;
    bool in_string = false;
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        if (in_string) {
            if (c == '\\')
                i++;
            else if (c == '"')
                in_string = false;
        } else if (c == '"') {
            in_string = true;
        } else if (c == '{' || c == '[') {
            if (++depth > DR_JSON_DEPTH_MAX)
                return true;
        } else if (c == '}' || c == ']') {
            depth--;
        }
    }
    return false;
}

json_t *dr_json_parse(const char *text, size_t len, size_t max_bytes,
                      struct dr_error *err)
{
    if (len > max_bytes) {
        dr_fail(err, DR_ERR_FORMAT, "JSON of %zu bytes, at most %zu are accepted", len,
                max_bytes);
        return NULL;
    }
    if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
        text += 3; /* what editors and shells of Windows put there (RFC 8259, 8.1) */
        len -= 3;
    }
    if (too_deep(text, len)) {
        dr_fail(err, DR_ERR_FORMAT, "JSON nested deeper than %d levels",
                DR_JSON_DEPTH_MAX);
        return NULL;
    }
    json_error_t at;
    json_t *value = json_loadb(text, len, JSON_REJECT_DUPLICATES, &at);
    if (!value) {
        dr_auto_free char *why = dr_escape(at.text, 200); /* it quotes the document */
        dr_fail(err, DR_ERR_FORMAT, "JSON line %d column %d: %s", at.line, at.column,
                why);
    }
    return value;
}

char *dr_json_text(const json_t *value)
{
    char *text = json_dumps(value, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY);
    return text ? text : dr_strdup("null");
}

bool dr_json_is_text(const char *text)
{
    json_t *probe = json_string(text); /* NULL when it is not */
    json_decref(probe);
    return probe != NULL;
}

const char *dr_json_str(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

int64_t dr_json_int(const json_t *object, const char *key, int64_t otherwise)
{
    json_t *value = json_object_get(object, key);
    return json_is_integer(value) ? json_integer_value(value) : otherwise;
}

bool dr_json_bool(const json_t *object, const char *key)
{
    return json_is_true(json_object_get(object, key));
}

json_t *dr_json_array(const json_t *object, const char *key)
{
    json_t *value = json_object_get(object, key);
    return json_is_array(value) ? value : NULL;
}

json_t *dr_json_object(const json_t *object, const char *key)
{
    json_t *value = json_object_get(object, key);
    return json_is_object(value) ? value : NULL;
}

void dr_json_set_str(json_t *object, const char *key, const char *value)
{
    if (value)
        dr_json_set(object, key, json_stringn_nocheck(value, strlen(value)));
}

void dr_json_set_int(json_t *object, const char *key, int64_t value)
{
    json_object_set_new_nocheck(object, key, json_integer(value));
}

void dr_json_set_bool(json_t *object, const char *key, bool value)
{
    json_object_set_new_nocheck(object, key, json_boolean(value));
}

void dr_json_set(json_t *object, const char *key, json_t *value)
{
    if (value)
        json_object_set_new_nocheck(object, key, value);
}

char **dr_json_strv(const json_t *array)
{
    char **strv = dr_alloc((json_array_size(array) + 1) * sizeof *strv);
    size_t n = 0, i;
    json_t *item;
    json_array_foreach (array, i, item)
        if (json_is_string(item))
            strv[n++] = dr_strdup(json_string_value(item));
    return strv;
}

json_t *dr_json_from_strv(char *const *strv)
{
    json_t *array = json_array();
    for (; strv && *strv; strv++)
        json_array_append_new(array, json_stringn_nocheck(*strv, strlen(*strv)));
    return array;
}

size_t dr_strv_len(char *const *strv)
{
    size_t n = 0;
    while (strv && strv[n])
        n++;
    return n;
}

void dr_strv_add(char ***strv, const char *value)
{
    size_t n = dr_strv_len(*strv);
    *strv = dr_realloc(*strv, (n + 2) * sizeof **strv);
    (*strv)[n] = dr_strdup(value);
    (*strv)[n + 1] = NULL;
}

void dr_strv_free(char **strv)
{
    for (char **p = strv; p && *p; p++)
        free(*p);
    free(strv);
}

void dr_cleanup_strv(char ***strv)
{
    dr_strv_free(*strv);
}
