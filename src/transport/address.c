/* SPDX-License-Identifier: Apache-2.0 */
#include "transport/address.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#include "base/json.h"
#include "base/text.h"

#define DEFAULT_DISTRO "dray"

void transport_address_release(struct transport_address *address)
{
    free(address->user);
    free(address->host);
    dr_strv_free(address->words);
    *address = (struct transport_address){TRANSPORT_LOCAL};
}

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)tolower((unsigned char)c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* len bytes with their %XX undone; owned. NULL: an escape that is none, or one of NUL. */
static char *decode(const char *text, size_t len)
{
    char *out = dr_alloc(len + 1), *to = out;
    for (size_t i = 0; i < len; i++) {
        if (text[i] != '%') {
            *to++ = text[i];
            continue;
        }
        int high = i + 2 < len ? hex(text[i + 1]) : -1,
            low = high >= 0 ? hex(text[i + 2]) : -1;
        if (low < 0 || (high == 0 && low == 0)) {
            free(out);
            return NULL;
        }
        *to++ = (char)(high * 16 + low);
        i += 2;
    }
    return out;
}

static int bad(const char *text, const char *why, struct dr_error *err)
{
    dr_auto_free char *safe = dr_escape(text, 200);
    return dr_fail(err, DR_ERR_CONFIG, "target '%s': %s", safe, why);
}

static bool has_control(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < ' ' || *text == 0x7f)
            return true;
    return false;
}

/* What a host or a user of ssh's may be: neither an option nor words for a shell, which
 * ssh refuses too, but not always did (CVE-2023-51385). */
static bool plain(const char *text)
{
    if (!*text || *text == '-')
        return false;
    for (; *text; text++)
        if (!isalnum((unsigned char)*text) && !strchr("._-:%+@\\", *text) &&
            !((unsigned char)*text & 0x80))
            return false;
    return true;
}

/* "HOST", "HOST:PORT", "[V6]", "[V6]:PORT" */
static int parse_host(const char *text, const char *at, size_t len,
                      struct transport_address *a, struct dr_error *err)
{
    const char *end = at + len, *host = at, *host_end = end, *port = NULL;
    if (*at == '[') {
        host = at + 1;
        host_end = memchr(at, ']', len);
        if (!host_end)
            return bad(text, "the ']' of the address is missing", err);
        if (host_end + 1 < end && host_end[1] != ':')
            return bad(text, "only :PORT may stand behind ']'", err);
        port = host_end + 1 < end ? host_end + 2 : NULL;
    } else if ((port = memchr(at, ':', len))) {
        host_end = port++;
        if (memchr(port, ':', (size_t)(end - port)))
            return bad(text, "an IPv6 address is written in brackets: ssh://[::1]:22",
                       err);
    }
    if (port) {
        dr_auto_free char *digits = dr_strndup(port, (size_t)(end - port));
        int64_t number;
        if (!dr_int_parse(digits, 1, 65535, &number))
            return bad(text, "the port is no number from 1 to 65535", err);
        a->port = (int)number;
    }
    a->host = decode(host, (size_t)(host_end - host));
    if (!a->host)
        return bad(text, "a % that no two hex digits follow", err);
    if (!*a->host)
        return bad(text, "no host is named", err);
    if (*a->host == '-')
        return bad(text, "a host cannot begin with '-'", err);
    return plain(a->host) ? 0 : bad(text, "that is no name of a host", err);
}

static int parse_ssh(const char *text, const char *rest, struct transport_address *a,
                     struct dr_error *err)
{
    size_t len = strcspn(rest, "/?#");
    if (strcmp(rest + len, "") != 0 && strcmp(rest + len, "/") != 0)
        return bad(text, "nothing may stand behind the host: ssh://[USER@]HOST[:PORT]",
                   err);
    const char *at = memrchr(rest, '@', len);
    if (at) {
        a->user = decode(rest, (size_t)(at - rest));
        if (!a->user)
            return bad(text, "a % that no two hex digits follow", err);
        if (strchr(a->user, ':'))
            return bad(text,
                       "a password has no place here: ssh asks for it, or takes a key",
                       err);
        if (!plain(a->user))
            return bad(text, "that is no name of a user", err);
        len -= (size_t)(at + 1 - rest);
        rest = at + 1;
    }
    return parse_host(text, rest, len, a, err);
}

static int parse_wsl(const char *text, const char *rest, struct transport_address *a,
                     struct dr_error *err)
{
    size_t len = strlen(rest);
    if (len > 0 && rest[len - 1] == '/')
        len--;
    a->host = len > 0 ? decode(rest, len) : dr_strdup(DEFAULT_DISTRO);
    if (!a->host)
        return bad(text, "a % that no two hex digits follow", err);
    if (*a->host == '-')
        return bad(text, "a distro cannot begin with '-'", err);
    if (has_control(a->host) || strpbrk(a->host, "/\\\""))
        return bad(text, "that is no name of a distro", err);
    return 0;
}

static int parse_exec(const char *text, const char *rest, struct transport_address *a,
                      struct dr_error *err)
{
    while (*rest) {
        size_t len = strcspn(rest, " ");
        dr_auto_free char *word = decode(rest, len);
        if (!word)
            return bad(text, "a % that no two hex digits follow", err);
        if (len > 0)
            dr_strv_add(&a->words, word);
        rest += len + (rest[len] == ' ');
    }
    if (!a->words)
        return bad(text, "no command is named: exec://WORD WORD…", err);
    return 0;
}

static int parse_local(const char *text, const char *rest, struct transport_address *a,
                       struct dr_error *err)
{
    if (*rest && strcmp(rest, "//") != 0)
        return bad(text, "nothing may stand behind local:", err);
    return 0;
}

static const struct {
    const char *prefix;
    enum transport_scheme scheme;
    int (*parse)(const char *text, const char *rest, struct transport_address *a,
                 struct dr_error *err);
} schemes[] = {
    {"local:", TRANSPORT_LOCAL, parse_local},
    {"ssh://", TRANSPORT_SSH, parse_ssh},
    {"wsl://", TRANSPORT_WSL, parse_wsl},
    {"exec://", TRANSPORT_EXEC, parse_exec},
};

bool transport_address_is(const char *text)
{
    return strstr(text, "://") || strncmp(text, "local:", strlen("local:")) == 0;
}

int transport_address_parse(const char *text, struct transport_address *ret,
                            struct dr_error *err)
{
    *ret = (struct transport_address){TRANSPORT_LOCAL};
    if (!text || strcmp(text, "local") == 0)
        text = transport_default;
    for (size_t i = 0; i < DR_COUNT(schemes); i++) {
        size_t len = strlen(schemes[i].prefix);
        if (strncmp(text, schemes[i].prefix, len) != 0)
            continue;
        ret->scheme = schemes[i].scheme;
        if (schemes[i].parse(text, text + len, ret, err) == 0)
            return 0;
        transport_address_release(ret);
        return -1;
    }
    dr_auto_free char *safe = dr_escape(text, 200);
    return dr_fail(err, DR_ERR_UNSUPPORTED,
                   "target '%s' is of no kind that dray knows; it is local:, "
                   "ssh://[USER@]HOST[:PORT], wsl://[DISTRO] or exec://COMMAND",
                   safe);
}

int transport_address_user(struct transport_address *address, const char *user,
                           struct dr_error *err)
{
    if (!user || address->scheme != TRANSPORT_SSH)
        return 0;
    if (!plain(user)) {
        dr_auto_free char *safe = dr_escape(user, 100);
        return dr_fail(err, DR_ERR_CONFIG, "'%s' is no name of a user", safe);
    }
    address->user = dr_strdup(user);
    return 0;
}

char *transport_address_of_words(char *const *words)
{
    size_t size = sizeof "exec://";
    for (char *const *w = words; *w; w++)
        size += 3 * strlen(*w) + 1;
    char *out = dr_alloc(size), *to = out + strlen(strcpy(out, "exec://"));
    for (char *const *w = words; *w; w++) {
        if (w != words)
            *to++ = ' ';
        for (const char *c = *w; *c; c++)
            if (*c == ' ' || *c == '%' || (unsigned char)*c < ' ')
                to += sprintf(to, "%%%02X", (unsigned char)*c);
            else
                *to++ = *c;
    }
    return out;
}
