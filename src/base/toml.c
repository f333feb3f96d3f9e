/* SPDX-License-Identifier: Apache-2.0 */
#include "base/toml.h"

#include <stdbool.h>
#include <string.h>

#include "base/toml-scan.h"

/* How a table or an array came to be says what may be added to it later. */
enum made {
    MADE_IMPLICIT, /* named by the header of one below it: its own may still come */
    MADE_HEADER,   /* [a] */
    MADE_DOTTED,   /* a.b = 1: only further dotted keys of the same table */
    MADE_CLOSED,   /* { … } and [ … ]: whole */
    MADE_ARRAY,    /* [[a]] */
};

struct parser {
    struct toml_scan in;
    int depth;
    struct made_of {
        const json_t *value;
        enum made made;
    } * made;
    size_t n_made;
};

static enum made *made_of(struct parser *s, const json_t *value)
{
    for (size_t i = s->n_made; i-- > 0;)
        if (s->made[i].value == value)
            return &s->made[i].made;
    return NULL;
}

static int remember(struct parser *s, const json_t *value, enum made made)
{
    if (s->n_made == DR_TOML_TABLES_MAX)
        return toml_bad(&s->in, "too many tables");
    if (s->n_made % 64 == 0)
        s->made = dr_realloc(s->made, (s->n_made + 64) * sizeof *s->made);
    s->made[s->n_made++] = (struct made_of){value, made};
    return 0;
}

/* --- keys --- */

/* a.b."c": at least one; *ret is the caller's in any case. */
static int read_keys(struct parser *s, char ***ret)
{
    for (;;) {
        dr_auto_free char *key = NULL;
        toml_skip_blanks(&s->in);
        if (toml_read_key(&s->in, &key) < 0)
            return -1;
        dr_strv_add(ret, key);
        if (dr_strv_len(*ret) > DR_TOML_DEPTH_MAX)
            return toml_bad(&s->in, "a key of too many parts");
        toml_skip_blanks(&s->in);
        if (toml_peek(&s->in) != '.')
            return 0;
        s->in.p++;
    }
}

static json_t *add_table(struct parser *s, json_t *in, const char *key, enum made made)
{
    json_t *table = json_object();
    dr_json_set(in, key, table);
    return remember(s, table, made) < 0 ? NULL : table;
}

/* --- values --- */

static json_t *read_value(struct parser *s);
static int read_pair(struct parser *s, json_t *table);

static json_t *read_array(struct parser *s)
{
    dr_auto_json json_t *array = json_array();
    if (remember(s, array, MADE_CLOSED) < 0)
        return NULL;
    s->in.p++;
    for (;;) {
        if (toml_skip_all(&s->in) < 0)
            return NULL;
        if (toml_peek(&s->in) == ']')
            break;
        json_t *value = read_value(s);
        if (!value || json_array_append_new(array, value) < 0 ||
            toml_skip_all(&s->in) < 0)
            return NULL;
        if (toml_peek(&s->in) == ',')
            s->in.p++;
        else if (toml_peek(&s->in) != ']')
            return toml_bad(&s->in, "an array goes on with ',' or ends with ']'"), NULL;
    }
    s->in.p++;
    return DR_TAKE(array);
}

static json_t *read_inline(struct parser *s)
{
    dr_auto_json json_t *table = json_object();
    if (remember(s, table, MADE_HEADER) < 0)
        return NULL;
    s->in.p++;
    toml_skip_blanks(&s->in);
    while (toml_peek(&s->in) != '}') {
        if (read_pair(s, table) < 0)
            return NULL;
        toml_skip_blanks(&s->in);
        if (toml_peek(&s->in) == '}')
            break;
        if (toml_peek(&s->in) != ',')
            return toml_bad(&s->in,
                            "a table in braces goes on with ',' or ends with '}'"),
                   NULL;
        s->in.p++;
        toml_skip_blanks(&s->in);
        if (toml_peek(&s->in) == '}')
            return toml_bad(&s->in, "a key is missing"), NULL;
    }
    s->in.p++;
    *made_of(s, table) = MADE_CLOSED;
    return DR_TAKE(table);
}

static json_t *read_value(struct parser *s)
{
    dr_auto_free char *text = NULL;
    json_t *value = NULL;
    if (s->depth == DR_TOML_DEPTH_MAX)
        return toml_bad(&s->in, "nested too deep"), NULL;
    s->depth++;
    switch (toml_peek(&s->in)) {
    case '"':
    case '\'':
        if (toml_read_string(&s->in, false, &text) == 0)
            value = json_string(text);
        break;
    case '[':
        value = read_array(s);
        break;
    case '{':
        value = read_inline(s);
        break;
    default:
        value = toml_read_word(&s->in);
    }
    s->depth--;
    return value;
}

/* --- lines --- */

/* a.b = value, within table. */
static int read_pair(struct parser *s, json_t *table)
{
    dr_auto_strv char **keys = NULL;
    if (read_keys(s, &keys) < 0)
        return -1;
    if (toml_peek(&s->in) != '=')
        return toml_bad(&s->in, "a key is followed by '='");
    s->in.p++;
    toml_skip_blanks(&s->in);
    size_t last = dr_strv_len(keys) - 1;
    for (size_t i = 0; i < last; i++) {
        json_t *next = json_object_get(table, keys[i]);
        enum made *made = made_of(s, next);
        if (!next && !(next = add_table(s, table, keys[i], MADE_DOTTED)))
            return -1;
        if (made && *made != MADE_DOTTED)
            return toml_bad(&s->in, "that table is written elsewhere, and whole");
        if (!json_is_object(next))
            return toml_bad(&s->in, "a key is used as a table, and has a value");
        table = next;
    }
    if (json_object_get(table, keys[last]))
        return toml_bad(&s->in, "the key is there already");
    json_t *value = read_value(s);
    if (!value)
        return -1;
    dr_json_set(table, keys[last], value);
    return 0;
}

/* The table that all but the last key name; the newest one of an array. */
static json_t *descend(struct parser *s, json_t *root, char *const *keys, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        json_t *next = json_object_get(root, keys[i]);
        enum made *made = made_of(s, next);
        if (!next && !(next = add_table(s, root, keys[i], MADE_IMPLICIT)))
            return NULL;
        if (made && *made == MADE_ARRAY)
            next = json_array_get(next, json_array_size(next) - 1);
        else if (made && *made == MADE_CLOSED)
            next = NULL;
        if (!json_is_object(next))
            return toml_bad(&s->in, "a key is used as a table, and has a value"), NULL;
        root = next;
    }
    return root;
}

static json_t *open_table(struct parser *s, json_t *in, const char *key)
{
    json_t *there = json_object_get(in, key);
    enum made *made = made_of(s, there);
    if (!there)
        return add_table(s, in, key, MADE_HEADER);
    if (!made || *made != MADE_IMPLICIT)
        return toml_bad(&s->in, "the table is there already"), NULL;
    *made = MADE_HEADER;
    return there;
}

static json_t *open_element(struct parser *s, json_t *in, const char *key)
{
    json_t *array = json_object_get(in, key);
    enum made *made = made_of(s, array);
    if (array && (!made || *made != MADE_ARRAY))
        return toml_bad(&s->in, "the key is there already, and is no array of tables"),
               NULL;
    if (!array) {
        array = json_array();
        dr_json_set(in, key, array);
        if (remember(s, array, MADE_ARRAY) < 0)
            return NULL;
    }
    json_t *table = json_object();
    json_array_append_new(array, table);
    return remember(s, table, MADE_HEADER) < 0 ? NULL : table;
}

/* [a.b] or [[a.b]]: where the lines below it go; NULL with err. */
static json_t *read_header(struct parser *s, json_t *root)
{
    dr_auto_strv char **keys = NULL;
    bool element = toml_at(&s->in, "[[");
    s->in.p += element ? 2 : 1;
    if (read_keys(s, &keys) < 0)
        return NULL;
    if (!toml_at(&s->in, element ? "]]" : "]"))
        return toml_bad(&s->in, "a table's name ends with ']'"), NULL;
    size_t last = dr_strv_len(keys) - 1;
    json_t *in = descend(s, root, keys, last);
    if (!in)
        return NULL;
    json_t *table =
        element ? open_element(s, in, keys[last]) : open_table(s, in, keys[last]);
    s->in.p += element ? 2 : 1;
    return table;
}

static int read_document(struct parser *s, json_t *root)
{
    json_t *table = root;
    for (;;) {
        if (toml_skip_all(&s->in) < 0)
            return -1;
        if (s->in.p == s->in.end)
            return 0;
        if (toml_peek(&s->in) == '[' ? !(table = read_header(s, root))
                                     : read_pair(s, table) < 0)
            return -1;
        toml_skip_blanks(&s->in);
        if (toml_skip_comment(&s->in) < 0)
            return -1;
        if (s->in.p < s->in.end && !toml_take_line_end(&s->in))
            return toml_bad(&s->in, "there is more on the line than belongs there");
    }
}

json_t *dr_toml_parse(const char *text, size_t len, size_t max_bytes,
                      struct dr_error *err)
{
    if (len > max_bytes) {
        dr_fail(err, DR_ERR_FORMAT, "it has more than %zu bytes", max_bytes);
        return NULL;
    }
    struct parser s = {.in = {text, text, text + len, max_bytes, err}};
    dr_auto_json json_t *root = json_object();
    if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
        s.in.p += 3;
    int rc = remember(&s, root, MADE_HEADER);
    if (rc == 0)
        rc = read_document(&s, root);
    free(s.made);
    return rc < 0 ? NULL : DR_TAKE(root);
}
