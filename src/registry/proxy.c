/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/proxy.h"

#include <string.h>
#include <strings.h>

#include "registry/origin.h"

static const char *set(const char *name)
{
    const char *value = getenv(name);
    return value && *value ? value : NULL;
}

void proxy_apply(const char *url, const struct curl_api *curl, CURL *easy)
{
    struct origin at;
    dr_auto_error struct dr_error ignored = DR_ERROR_INIT;
    if (origin_parse(url, &at, &ignored) == 0 &&
        origin_place(at.host) == ORIGIN_LOOPBACK) {
        curl->easy_setopt(easy, CURLOPT_NOPROXY, "*");
        return;
    }
    /* libcurl wants http_proxy in small letters only: in a CGI program HTTP_PROXY is what
     * a client sent as its "Proxy:" header. The others people write in either way. */
    bool plain = strncasecmp(url, "http://", 7) == 0;
    const char *proxy = set("HTTP_PROXY");
    if (plain && proxy && !set("http_proxy") && !set("REQUEST_METHOD"))
        curl->easy_setopt(easy, CURLOPT_PROXY, proxy);
}
