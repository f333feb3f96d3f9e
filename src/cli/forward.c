/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/forward.h"

#include <errno.h>
#include <string.h>

#include "base/ip.h"
#include "base/text.h"

static int bad(const char *text, const char *what, struct dr_error *err)
{
    dr_auto_free char *safe = dr_escape(text, 100);
    return dr_fail(err, DR_ERR_INVALID,
                   "invalid port '%s': %s; it is written [ADDRESS:]LOCAL:PORT[/udp], as "
                   "in 8080:80 or [::1]:8080:80",
                   safe, what);
}

/* The last part of words, which is cut off; the whole of it when it is one. */
static char *cut_last(char *words)
{
    char *colon = strrchr(words, ':');
    if (!colon)
        return words;
    *colon = '\0';
    return colon + 1;
}

/* "[::1]" without its brackets, or an IPv4 address; NULL: neither. Borrowed. */
static char *bare_address(char *text)
{
    size_t len = strlen(text);
    if (*text != '[')
        return strchr(text, ':') ? NULL : text;
    if (len < 3 || text[len - 1] != ']')
        return NULL;
    text[len - 1] = '\0';
    return text + 1;
}

int forward_parse(const char *text, struct forward *ret, struct dr_error *err)
{
    dr_auto_free char *words = dr_strdup(text);
    char *slash = strchr(words, '/'), *address = (char *)"127.0.0.1";
    int64_t port, local;
    bool udp = slash && strcmp(slash, "/udp") == 0;
    if (slash && !udp && strcmp(slash, "/tcp") != 0)
        return bad(text, "only tcp and udp can be forwarded", err);
    if (slash)
        *slash = '\0';
    bool alone = !strchr(words, ':');
    if (!dr_int_parse(cut_last(words), 1, 65535, &port))
        return bad(text, "the container's port is a number from 1 to 65535", err);
    local = port;
    if (!alone) {
        bool has_address = strchr(words, ':');
        const char *word = cut_last(words);
        bool any = !*word && (has_address || word == words);
        if (any)
            local = 0;
        else if (!dr_int_parse(word, 0, 65535, &local))
            return bad(text, "the local port is a number from 1 to 65535, or nothing",
                       err);
        if (has_address && !(address = bare_address(words)))
            return bad(text, "an IPv6 address stands in brackets", err);
        if (has_address && strcmp(address, "localhost") == 0)
            address = (char *)"127.0.0.1";
    }
    *ret = (struct forward){.address = dr_strdup(address),
                            .local = (int)local,
                            .port = (int)port,
                            .udp = udp,
                            .fd = -1};
    return 0;
}

char *forward_shown(const struct forward *forward)
{
    bool v6 = strchr(forward->address, ':');
    return dr_printf("%s%s%s:%d", v6 ? "[" : "", forward->address, v6 ? "]" : "",
                     forward->local);
}

int forward_listen(struct forward *forward, struct dr_error *err)
{
    struct dr_ip ip;
    if (!dr_ip_parse(forward->address, &ip))
        return dr_fail(err, DR_ERR_INVALID, "'%s' is no IP address", forward->address);
    int fd = forward_open(&ip, forward->udp, &forward->local);
    if (fd < 0) {
        int why = errno;
        dr_auto_free char *shown = forward_shown(forward);
        dr_auto_free char *hint = why == EACCES ? dr_printf(" (%s)", forward_forbidden)
                                  : why == EADDRNOTAVAIL
                                      ? dr_strdup(" (it is no address of this machine)")
                                      : dr_strdup("");
        return dr_fail_at(err, DR_AT_HOST, DR_ERR_NETWORK, why, "listen on %s: %s%s",
                          shown, strerrordesc_np(why), hint);
    }
    forward->fd = fd;
    return 0;
}

void forward_release(struct forward *forward)
{
    free(forward->address);
    if (forward->fd >= 0)
        close(forward->fd);
    *forward = (struct forward){.fd = -1};
}
