/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/location.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "registry/origin.h"

/* "https://host:port" of an absolute URL. */
static size_t front(const char *url)
{
    const char *host = strstr(url, "://") + 3;
    return (size_t)(host - url) + strcspn(host, "/?#");
}

static char *absolute(const char *base, const char *location)
{
    if (strncasecmp(location, "http://", 7) == 0 ||
        strncasecmp(location, "https://", 8) == 0 || strstr(location, "://"))
        return dr_strdup(location);
    if (strncmp(location, "//", 2) == 0)
        return dr_printf("%.*s%s", (int)(strstr(base, "://") + 1 - base), base, location);
    size_t keep = front(base);
    if (location[0] == '/')
        return dr_printf("%.*s%s", (int)keep, base, location);
    size_t path = keep + strcspn(base + keep, "?#");
    if (location[0] != '?') /* beside the last component */
        while (path > keep && base[path - 1] != '/')
            path--;
    const char *slash = path == keep && location[0] != '?' ? "/" : "";
    return dr_printf("%.*s%s%s", (int)path, base, slash, location);
}

char *location_resolve(const char *base, const char *location, struct dr_error *err)
{
    struct origin from, to;
    dr_auto_free char *url = absolute(base, location);
    if (origin_parse(base, &from, err) < 0)
        return NULL;
    if (origin_parse(url, &to, err) < 0) {
        err->kind = DR_ERR_PULL;
        err->origin = DR_AT_REGISTRY;
        dr_wrap(err, "%s says that the upload goes on where it should not", from.host);
        return NULL;
    }
    if (!from.https || to.https)
        return DR_TAKE(url);
    /* with a port of its own it is the very same, without one the scheme gave another */
    if (strcmp(from.host, to.host) == 0 &&
        (from.port == to.port || (from.port == 443 && to.port == 80)))
        return dr_printf("https%.*s%s", (int)(front(base) - 5), base + 5,
                         url + front(url));
    dr_fail_at(err, DR_AT_REGISTRY, DR_ERR_PULL, 0,
               "%s says that the upload goes on at http://%s, without TLS: refused",
               from.host, to.host);
    return NULL;
}

char *location_with(const char *url, const char *name, const char *value)
{
    dr_auto_free char *encoded = dr_alloc(3 * strlen(value) + 1);
    char *to = encoded;
    for (const unsigned char *p = (const unsigned char *)value; *p; p++)
        to += isalnum(*p) || strchr("-._~", *p) ? sprintf(to, "%c", *p)
                                                : sprintf(to, "%%%02X", *p);
    size_t len = strcspn(url, "#");
    const char *query = memchr(url, '?', len);
    const char *sign = !query ? "?" : query + 1 == url + len ? "" : "&";
    return dr_printf("%.*s%s%s=%s", (int)len, url, sign, name, encoded);
}
