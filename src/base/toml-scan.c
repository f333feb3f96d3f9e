/* SPDX-License-Identifier: Apache-2.0 */
#include "base/toml-scan.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <string.h>

#include "base/buf.h"

int toml_bad(struct toml_scan *s, const char *why)
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

/* NUL behind the end: callers of toml_peek() need not look at both. */
char toml_peek(const struct toml_scan *s)
{
    return s->p < s->end ? *s->p : '\0';
}

bool toml_at(const struct toml_scan *s, const char *word)
{
    size_t n = strlen(word);
    return (size_t)(s->end - s->p) >= n && memcmp(s->p, word, n) == 0;
}

void toml_skip_blanks(struct toml_scan *s)
{
    while (toml_peek(s) == ' ' || toml_peek(s) == '\t')
        s->p++;
}

int toml_skip_comment(struct toml_scan *s)
{
    if (toml_peek(s) != '#')
        return 0;
    while (s->p < s->end && *s->p != '\n') {
        unsigned char c = (unsigned char)*s->p;
        bool line_end = c == '\r' && s->p + 1 < s->end && s->p[1] == '\n';
        if ((c < 0x20 && c != '\t' && !line_end) || c == 0x7f)
            return toml_bad(s, "a control character in a comment");
        s->p++;
    }
    return 0;
}

bool toml_take_line_end(struct toml_scan *s)
{
    if (toml_at(s, "\r\n"))
        s->p += 2;
    else if (toml_peek(s) == '\n')
        s->p++;
    else
        return false;
    return true;
}

int toml_skip_all(struct toml_scan *s)
{
    do {
        toml_skip_blanks(s);
        if (toml_skip_comment(s) < 0)
            return -1;
    } while (toml_take_line_end(s));
    return 0;
}

/* --- strings --- */

static int add_rune(struct toml_scan *s, struct dr_buf *buf, unsigned long c)
{
    char utf8[4];
    size_t n = 1;
    if (c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff) || c == 0)
        return toml_bad(s, "an escape that is no character");
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

static int add_escape(struct toml_scan *s, struct dr_buf *buf)
{
    static const char letters[] = "btnfr\"\\", values[] = "\b\t\n\f\r\"\\";
    const char *letter = toml_peek(s) ? strchr(letters, toml_peek(s)) : NULL;
    if (letter) {
        s->p++;
        return dr_buf_add(buf, &values[letter - letters], 1, s->err);
    }
    int digits = toml_peek(s) == 'u' ? 4 : toml_peek(s) == 'U' ? 8 : 0;
    unsigned long c = 0;
    if (digits == 0)
        return toml_bad(s, "an escape that does not exist");
    s->p++;
    for (int i = 0; i < digits; i++, s->p++) {
        if (!isxdigit((unsigned char)toml_peek(s)))
            return toml_bad(s, "an escape without its hex digits");
        char digit[2] = {toml_peek(s), '\0'};
        c = c * 16 + strtoul(digit, NULL, 16);
    }
    return add_rune(s, buf, c);
}

/* A backslash at a line's end: the blanks and lines behind it are not there. */
static bool folds(struct toml_scan *s)
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
static int add_one(struct toml_scan *s, struct dr_buf *buf, bool literal, bool lines)
{
    unsigned char c = (unsigned char)*s->p;
    if (c == '\\' && !literal) {
        s->p++;
        return lines && folds(s) ? 0 : add_escape(s, buf);
    }
    bool line_end = c == '\n' || toml_at(s, "\r\n");
    if ((line_end && !lines) || (!line_end && c < 0x20 && c != '\t') || c == 0x7f)
        return toml_bad(s, line_end ? "a string that does not end on its line"
                                    : "a control character in a string");
    return dr_buf_add(buf, s->p++, 1, s->err);
}

int toml_read_string(struct toml_scan *s, bool key, char **ret)
{
    char quote = *s->p;
    char three[4] = {quote, quote, quote, '\0'};
    bool lines = !key && toml_at(s, three);
    dr_auto_buf struct dr_buf buf = DR_BUF_INIT(s->max_bytes);
    s->p += lines ? 3 : 1;
    if (lines)
        toml_take_line_end(s);
    for (;;) {
        if (s->p == s->end)
            return toml_bad(s, "a string that does not end");
        if (lines ? toml_at(s, three) : *s->p == quote)
            break;
        if (add_one(s, &buf, quote == '\'', lines) < 0)
            return -1;
    }
    s->p += lines ? 3 : 1;
    /* up to two quotes may stand right before the three that end it */
    for (int i = 0; lines && i < 2 && toml_peek(s) == quote; i++, s->p++)
        if (dr_buf_add(&buf, &quote, 1, s->err) < 0)
            return -1;
    if (!dr_json_is_text(buf.data ? buf.data : ""))
        return toml_bad(s, "a string that is no UTF-8");
    *ret = dr_buf_take(&buf);
    return 0;
}

/* --- keys --- */

static bool is_bare(char c)
{
    return isalnum((unsigned char)c) || (c && strchr("-_", c));
}

int toml_read_key(struct toml_scan *s, char **ret)
{
    if (toml_peek(s) == '"' || toml_peek(s) == '\'')
        return toml_read_string(s, true, ret);
    const char *from = s->p;
    while (is_bare(toml_peek(s)))
        s->p++;
    if (s->p == from)
        return toml_bad(s, "a key is missing");
    *ret = dr_strndup(from, (size_t)(s->p - from));
    return 0;
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

json_t *toml_read_word(struct toml_scan *s)
{
    char text[80], plain[80];
    const char *from = s->p;
    while (is_bare(toml_peek(s)) || toml_peek(s) == '+' || toml_peek(s) == '.' ||
           toml_peek(s) == ':')
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
        toml_bad(s, "this is no value");
    }
    return value;
}
