/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/origin.h"

#include <ctype.h>
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "base/text.h"

int origin_parse(const char *url, struct origin *ret_origin, struct dr_error *err)
{
    struct origin origin = {0};
    size_t whole = strlen(url), skip;
    /* the query may hold a signature that is as good as a password */
    dr_auto_free char *start = dr_strndup(url, strcspn(url, "?#"));
    dr_auto_free char *safe = dr_escape(start, 200);
    if (strncasecmp(url, "https://", 8) == 0) {
        origin.https = true;
        skip = 8;
    } else if (strncasecmp(url, "http://", 7) == 0) {
        skip = 7;
    } else {
        return dr_fail(err, DR_ERR_FORMAT, "'%s' is not an http or https URL", safe);
    }
    if (whole > ORIGIN_URL_MAX)
        return dr_fail(err, DR_ERR_FORMAT, "the URL '%s' is too long", safe);
    for (size_t i = 0; i < whole; i++)
        if ((unsigned char)url[i] <= ' ' || url[i] == 0x7f || url[i] == '\\')
            return dr_fail(err, DR_ERR_FORMAT,
                           "the URL '%s' has a blank or a control character", safe);
    const char *host = url + skip, *end = host + strcspn(host, "/?#");
    if (memchr(host, '@', (size_t)(end - host)))
        return dr_fail(err, DR_ERR_FORMAT,
                       "a URL has a user name in it, which is refused");
    const char *host_end = end, *port = NULL;
    if (*host == '[') {
        host_end = memchr(host, ']', (size_t)(end - host));
        if (!host_end || (host_end + 1 < end && host_end[1] != ':'))
            return dr_fail(err, DR_ERR_FORMAT, "the URL '%s' has a bad host", safe);
        if (host_end + 1 < end)
            port = host_end + 2;
        host++;
    } else {
        const char *colon = memchr(host, ':', (size_t)(end - host));
        if (colon) {
            host_end = colon;
            port = colon + 1;
        }
    }
    size_t len = (size_t)(host_end - host);
    if (len > 0 && host[len - 1] == '.')
        len--;
    if (len == 0 || len >= sizeof origin.host)
        return dr_fail(err, DR_ERR_FORMAT, "the URL '%s' has a bad host", safe);
    for (size_t i = 0; i < len; i++)
        origin.host[i] = (char)tolower((unsigned char)host[i]);
    origin.port = origin.https ? 443 : 80;
    if (port && port < end) {
        int64_t number;
        dr_auto_free char *digits = dr_strndup(port, (size_t)(end - port));
        if (!dr_int_parse(digits, 1, 65535, &number))
            return dr_fail(err, DR_ERR_FORMAT, "the URL '%s' has a bad port", safe);
        origin.port = (int)number;
    }
    *ret_origin = origin;
    return 0;
}

bool origin_equal(const struct origin *a, const struct origin *b)
{
    return a->https == b->https && a->port == b->port && strcmp(a->host, b->host) == 0;
}

static enum origin_place place_of_v4(uint32_t address)
{
    if (address >> 24 == 127 || address >> 24 == 0)
        return ORIGIN_LOOPBACK;
    return address >> 16 == 0xa9fe ? ORIGIN_LINK_LOCAL : ORIGIN_ELSEWHERE;
}

static enum origin_place place_of_v6(const struct in6_addr *address)
{
    if (IN6_IS_ADDR_LOOPBACK(address) || IN6_IS_ADDR_UNSPECIFIED(address))
        return ORIGIN_LOOPBACK;
    if (IN6_IS_ADDR_LINKLOCAL(address))
        return ORIGIN_LINK_LOCAL;
    if (IN6_IS_ADDR_V4MAPPED(address)) {
        const unsigned char *b = address->s6_addr + 12;
        return place_of_v4((uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 |
                           (uint32_t)b[2] << 8 | b[3]);
    }
    return ORIGIN_ELSEWHERE;
}

enum origin_place origin_place(const char *host)
{
    char name[ORIGIN_HOST_MAX];
    size_t len = strlen(host);
    if (len >= 2 && host[0] == '[' && host[len - 1] == ']') {
        host++;
        len -= 2;
    }
    if (len > 0 && host[len - 1] == '.')
        len--;
    if (len == 0 || len >= sizeof name)
        return ORIGIN_ELSEWHERE;
    memcpy(name, host, len);
    name[len] = '\0';
    static const char local[] = "localhost";
    size_t tail = sizeof local - 1;
    /* RFC 6761: localhost and everything below it */
    if (len >= tail && strcasecmp(name + len - tail, local) == 0 &&
        (len == tail || name[len - tail - 1] == '.'))
        return ORIGIN_LOOPBACK;
    /* takes 0x7f.1 and 2130706433 too, as connect() would */
    struct addrinfo hints = {.ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM},
                    *list;
    if (getaddrinfo(name, NULL, &hints, &list) != 0)
        return ORIGIN_ELSEWHERE;
    enum origin_place place = ORIGIN_ELSEWHERE;
    if (list->ai_family == AF_INET)
        place = place_of_v4(
            ntohl(((struct sockaddr_in *)(void *)list->ai_addr)->sin_addr.s_addr));
    else if (list->ai_family == AF_INET6)
        place = place_of_v6(&((struct sockaddr_in6 *)(void *)list->ai_addr)->sin6_addr);
    freeaddrinfo(list);
    return place;
}
