/* SPDX-License-Identifier: Apache-2.0 */
#include "base/toml.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>

#include "base/buf.h"

/* How a table or an array came to be says what may be added to it later. */
enum made {
    MADE_IMPLICIT, /* named by the header of one below it: its own may still come */
    MADE_HEADER,   /* [a] */
    MADE_DOTTED,   /* a.b = 1: only further dotted keys of the same table */
    MADE_CLOSED,   /* { … } and [ … ]: whole */
    MADE_ARRAY,    /* [[a]] */
};

struct parser {
    const char *start, *p, *end;
    size_t max_bytes;
    int depth;
    struct made_of {
        const json_t *value;
        enum made made;
    } * made;
    size_t n_made;
    struct dr_error *err;
};

static int bad(struct parser *s, const char *why)
{
    size_t line = 1, column = 1;
    for (const char *p = s->start; p < s->p; p++) {
        column++;
        if (*p == '\n') {
            line++;
            column = 1;
        }
    }
    return dr_fail(s->err, DR_ERR_FORMAT, "line %zu, column %zu: %s", line, column, why);
}

/* NUL behind the end: callers of peek() need not look at both. */
static char peek(const struct parser *s)
{
    return s->p < s->end ? *s->p : '\0';
}

static bool at(const struct parser *s, const char *word)
{
    size_t n = strlen(word);
    return (size_t)(s->end - s->p) >= n && memcmp(s->p, word, n) == 0;
}

static void skip_blanks(struct parser *s)
{
    while (peek(s) == ' ' || peek(s) == '\t')
        s->p++;
}

/* A comment, if there is one, up to its line's end. */
static int skip_comment(struct parser *s)
{
    if (peek(s) != '#')
        return 0;
    while (s->p < s->end && *s->p != '\n') {
        unsigned char c = (unsigned char)*s->p;
        bool line_end = c == '\r' && s->p + 1 < s->end && s->p[1] == '\n';
        if ((c < 0x20 && c != '\t' && !line_end) || c == 0x7f)
            return bad(s, "a control character in a comment");
        s->p++;
    }
    return 0;
}

static bool take_line_end(struct parser *s)
{
    if (at(s, "\r\n"))
        s->p += 2;
    else if (peek(s) == '\n')
        s->p++;
    else
        return false;
    return true;
}

/* Blanks, comments and line ends: what may stand between things in an array. */
static int skip_all(struct parser *s)
{
    do {
        skip_blanks(s);
        if (skip_comment(s) < 0)
            return -1;
    } while (take_line_end(s));
    return 0;
}

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
        return bad(s, "too many tables");
    if (s->n_made % 64 == 0)
        s->made = dr_realloc(s->made, (s->n_made + 64) * sizeof *s->made);
    s->made[s->n_made++] = (struct made_of){value, made};
    return 0;
}

/* --- strings --- */

static int add_rune(struct parser *s, struct dr_buf *buf, unsigned long c)
{
    char utf8[4];
    size_t n = 1;
    if (c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff) || c == 0)
        return bad(s, "an escape that is no character");
    if (c < 0x80) {
        utf8[0] = (char)c;
    } else {
        n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
        for (size_t i = n; i-- > 1; c >>= 6)
            utf8[i] = (char)(0x80 | (c & 0x3f));
        utf8[0] = (char)((0xf00 >> n) | c);
    }
    return dr_buf_add(buf, utf8, n, s->err);
}

static int add_escape(struct parser *s, struct dr_buf *buf)
{
    static const char letters[] = "btnfr\"\\", values[] = "\b\t\n\f\r\"\\";
    const char *letter = peek(s) ? strchr(letters, peek(s)) : NULL;
    if (letter) {
        s->p++;
        return dr_buf_add(buf, &values[letter - letters], 1, s->err);
    }
    int digits = peek(s) == 'u' ? 4 : peek(s) == 'U' ? 8 : 0;
    unsigned long c = 0;
    if (digits == 0)
        return bad(s, "an escape that does not exist");
    s->p++;
    for (int i = 0; i < digits; i++, s->p++) {
        if (!isxdigit((unsigned char)peek(s)))
            return bad(s, "an escape without its hex digits");
        char digit[2] = {peek(s), '\0'};
        c = c * 16 + strtoul(digit, NULL, 16);
    }
    return add_rune(s, buf, c);
}

/* A backslash at a line's end: the blanks and lines behind it are not there. */
static bool folds(struct parser *s)
{
    const char *p = s->p;
    while (p < s->end && (*p == ' ' || *p == '\t' || *p == '\r'))
        p++;
    if (p == s->end || *p != '\n')
        return false;
    while (p < s->end && strchr(" \t\r\n", *p) && *p)
        p++;
    s->p = p;
    return true;
}

/* One character of the string, or of what stands for it. */
static int add_one(struct parser *s, struct dr_buf *buf, bool literal, bool lines)
{
    unsigned char c = (unsigned char)*s->p;
    if (c == '\\' && !literal) {
        s->p++;
        return lines && folds(s) ? 0 : add_escape(s, buf);
    }
    bool line_end = c == '\n' || at(s, "\r\n");
    if ((line_end && !lines) || (!line_end && c < 0x20 && c != '\t') || c == 0x7f)
        return bad(s, line_end ? "a string that does not end on its line"
                               : "a control character in a string");
    return dr_buf_add(buf, s->p++, 1, s->err);
}

static int read_string(struct parser *s, bool key, char **ret)
{
    char quote = *s->p;
    char three[4] = {quote, quote, quote, '\0'};
    bool lines = !key && at(s, three);
    dr_auto_buf struct dr_buf buf = DR_BUF_INIT(s->max_bytes);
    s->p += lines ? 3 : 1;
    if (lines)
        take_line_end(s);
    for (;;) {
        if (s->p == s->end)
            return bad(s, "a string that does not end");
        if (lines ? at(s, three) : *s->p == quote)
            break;
        if (add_one(s, &buf, quote == '\'', lines) < 0)
            return -1;
    }
    s->p += lines ? 3 : 1;
    /* up to two quotes may stand right before the three that end it */
    for (int i = 0; lines && i < 2 && peek(s) == quote; i++, s->p++)
        if (dr_buf_add(&buf, &quote, 1, s->err) < 0)
            return -1;
    if (!dr_json_is_text(buf.data ? buf.data : ""))
        return bad(s, "a string that is no UTF-8");
    *ret = dr_buf_take(&buf);
    return 0;
}

/* --- keys --- */

static bool is_bare(char c)
{
    return isalnum((unsigned char)c) || (c && strchr("-_", c));
}

static int read_key(struct parser *s, char **ret)
{
    if (peek(s) == '"' || peek(s) == '\'')
        return read_string(s, true, ret);
    const char *from = s->p;
    while (is_bare(peek(s)))
        s->p++;
    if (s->p == from)
        return bad(s, "a key is missing");
    *ret = dr_strndup(from, (size_t)(s->p - from));
    return 0;
}

/* a.b."c": at least one; *ret is the caller's in any case. */
static int read_keys(struct parser *s, char ***ret)
{
    for (;;) {
        dr_auto_free char *key = NULL;
        skip_blanks(s);
        if (read_key(s, &key) < 0)
            return -1;
        dr_strv_add(ret, key);
        if (dr_strv_len(*ret) > DR_TOML_DEPTH_MAX)
            return bad(s, "a key of too many parts");
        skip_blanks(s);
        if (peek(s) != '.')
            return 0;
        s->p++;
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
    s->p++;
    for (;;) {
        if (skip_all(s) < 0)
            return NULL;
        if (peek(s) == ']')
            break;
        json_t *value = read_value(s);
        if (!value || json_array_append_new(array, value) < 0 || skip_all(s) < 0)
            return NULL;
        if (peek(s) == ',')
            s->p++;
        else if (peek(s) != ']')
            return bad(s, "an array goes on with ',' or ends with ']'"), NULL;
    }
    s->p++;
    return DR_TAKE(array);
}

static json_t *read_inline(struct parser *s)
{
    dr_auto_json json_t *table = json_object();
    if (remember(s, table, MADE_HEADER) < 0)
        return NULL;
    s->p++;
    skip_blanks(s);
    while (peek(s) != '}') {
        if (read_pair(s, table) < 0)
            return NULL;
        skip_blanks(s);
        if (peek(s) == '}')
            break;
        if (peek(s) != ',')
            return bad(s, "a table in braces goes on with ',' or ends with '}'"), NULL;
        s->p++;
        skip_blanks(s);
        if (peek(s) == '}')
            return bad(s, "a key is missing"), NULL;
    }
    s->p++;
    *made_of(s, table) = MADE_CLOSED;
    return DR_TAKE(table);
}

/* Digits with single underscores between them go to text; the base's digits only. */
static bool plain_digits(const char *from, size_t len, char *text)
{
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        if (from[i] != '_') {
            text[n++] = from[i];
            continue;
        }
        if (i == 0 || i + 1 == len || !isxdigit((unsigned char)from[i - 1]) ||
            !isxdigit((unsigned char)from[i + 1]))
            return false;
    }
    text[n] = '\0';
    return n > 0;
}

static json_t *integer(const char *text)
{
    static const struct {
        const char *prefix, *digits;
        int base;
    } bases[] = {{"0x", "0123456789abcdefABCDEF", 16},
                 {"0o", "01234567", 8},
                 {"0b", "01", 2},
                 {"", "0123456789", 10}};
    size_t i = 0;
    while (strncmp(text, bases[i].prefix, strlen(bases[i].prefix)) != 0)
        i++;
    const char *digits = text + strlen(bases[i].prefix);
    if (bases[i].base == 10 && (*digits == '+' || *digits == '-'))
        digits++;
    size_t n = strspn(digits, bases[i].digits);
    if (n == 0 || digits[n] || (bases[i].base == 10 && n > 1 && *digits == '0'))
        return NULL;
    errno = 0;
    long long value = strtoll(bases[i].base == 10 ? text : digits, NULL, bases[i].base);
    return errno ? NULL : json_integer(value);
}

/* digits [. digits] [e [sign] digits], not only the first */
static json_t *decimal(const char *text)
{
    const char *p = text + (*text == '+' || *text == '-');
    size_t whole = strspn(p, "0123456789");
    bool leading = whole > 1 && *p == '0';
    p += whole;
    const char *point = p;
    size_t fraction = *p == '.' ? strspn(p + 1, "0123456789") : 0;
    if (whole == 0 || leading || (*p == '.' && fraction == 0))
        return NULL;
    p += fraction ? fraction + 1 : 0;
    if (*p == 'e' || *p == 'E') {
        p++;
        p += *p == '+' || *p == '-';
        size_t n = strspn(p, "0123456789");
        if (n == 0)
            return NULL;
        p += n;
    }
    if (*p || p == point)
        return NULL;
    double value = strtod(text, NULL);
    return isfinite(value) ? json_real(value) : NULL;
}

/* 1979-05-27T07:32:00Z and its parts: kept as text, nobody needs more. */
static json_t *date(const char *text)
{
    static const char *const forms[] = {"dddd-dd-dd", "dd:dd:dd"};
    for (size_t i = 0; i < DR_COUNT(forms); i++) {
        size_t j = 0;
        while (forms[i][j] && text[j] &&
               (forms[i][j] == 'd' ? isdigit((unsigned char)text[j]) != 0
                                   : text[j] == forms[i][j]))
            j++;
        if (!forms[i][j] && text[j + strspn(text + j, "0123456789-+:.TtZz")] == '\0')
            return json_string(text);
    }
    return NULL;
}

static json_t *read_word(struct parser *s)
{
    char text[80], plain[80];
    const char *from = s->p;
    while (is_bare(peek(s)) || peek(s) == '+' || peek(s) == '.' || peek(s) == ':')
        s->p++;
    size_t len = (size_t)(s->p - from);
    json_t *value = NULL;
    if (len > 0 && len < sizeof text) {
        memcpy(text, from, len);
        text[len] = '\0';
        if (strcmp(text, "true") == 0 || strcmp(text, "false") == 0)
            value = json_boolean(*text == 't');
        else if (!(value = date(text)) && plain_digits(text, len, plain) &&
                 !(value = integer(plain)))
            value = decimal(plain);
    }
    if (!value) {
        s->p = from;
        bad(s, "this is no value");
    }
    return value;
}

static json_t *read_value(struct parser *s)
{
    dr_auto_free char *text = NULL;
    json_t *value = NULL;
    if (s->depth == DR_TOML_DEPTH_MAX)
        return bad(s, "nested too deep"), NULL;
    s->depth++;
    switch (peek(s)) {
    case '"':
    case '\'':
        if (read_string(s, false, &text) == 0)
            value = json_string(text);
        break;
    case '[':
        value = read_array(s);
        break;
    case '{':
        value = read_inline(s);
        break;
    default:
        value = read_word(s);
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
    if (peek(s) != '=')
        return bad(s, "a key is followed by '='");
    s->p++;
    skip_blanks(s);
    size_t last = dr_strv_len(keys) - 1;
    for (size_t i = 0; i < last; i++) {
        json_t *next = json_object_get(table, keys[i]);
        enum made *made = made_of(s, next);
        if (!next && !(next = add_table(s, table, keys[i], MADE_DOTTED)))
            return -1;
        if (made && *made != MADE_DOTTED)
            return bad(s, "that table is written elsewhere, and whole");
        if (!json_is_object(next))
            return bad(s, "a key is used as a table, and has a value");
        table = next;
    }
    if (json_object_get(table, keys[last]))
        return bad(s, "the key is there already");
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
            return bad(s, "a key is used as a table, and has a value"), NULL;
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
        return bad(s, "the table is there already"), NULL;
    *made = MADE_HEADER;
    return there;
}

static json_t *open_element(struct parser *s, json_t *in, const char *key)
{
    json_t *array = json_object_get(in, key);
    enum made *made = made_of(s, array);
    if (array && (!made || *made != MADE_ARRAY))
        return bad(s, "the key is there already, and is no array of tables"), NULL;
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
    bool element = at(s, "[[");
    s->p += element ? 2 : 1;
    if (read_keys(s, &keys) < 0)
        return NULL;
    if (!at(s, element ? "]]" : "]"))
        return bad(s, "a table's name ends with ']'"), NULL;
    size_t last = dr_strv_len(keys) - 1;
    json_t *in = descend(s, root, keys, last);
    if (!in)
        return NULL;
    json_t *table =
        element ? open_element(s, in, keys[last]) : open_table(s, in, keys[last]);
    s->p += element ? 2 : 1;
    return table;
}

static int read_document(struct parser *s, json_t *root)
{
    json_t *table = root;
    for (;;) {
        if (skip_all(s) < 0)
            return -1;
        if (s->p == s->end)
            return 0;
        if (peek(s) == '[' ? !(table = read_header(s, root)) : read_pair(s, table) < 0)
            return -1;
        skip_blanks(s);
        if (skip_comment(s) < 0)
            return -1;
        if (s->p < s->end && !take_line_end(s))
            return bad(s, "there is more on the line than belongs there");
    }
}

json_t *dr_toml_parse(const char *text, size_t len, size_t max_bytes,
                      struct dr_error *err)
{
    if (len > max_bytes) {
        dr_fail(err, DR_ERR_FORMAT, "it has more than %zu bytes", max_bytes);
        return NULL;
    }
    struct parser s = {
        .start = text, .p = text, .end = text + len, .max_bytes = max_bytes, .err = err};
    dr_auto_json json_t *root = json_object();
    if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
        s.p += 3;
    int rc = remember(&s, root, MADE_HEADER);
    if (rc == 0)
        rc = read_document(&s, root);
    free(s.made);
    return rc < 0 ? NULL : DR_TAKE(root);
}
