/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libcurl, opened on first use: most commands never talk to a registry, and loading curl
 * with OpenSSL and its friends costs several milliseconds. Only what this table names is
 * used; with -DDRAY_CURL_LINKED (a static build, Windows) it is linked as usual.
 */
#ifndef DRAY_REGISTRY_CURL_LOAD_H
#define DRAY_REGISTRY_CURL_LOAD_H

#include <curl/curl.h>
/* Windows' headers come with it: words of old compilers, and names of ours */
#undef near
#undef far

#include "base/error.h"

#define CURL_SYMBOLS(X)                                                                  \
    X(version_info)                                                                      \
    X(global_init)                                                                       \
    X(easy_init)                                                                         \
    X(easy_setopt)                                                                       \
    X(easy_getinfo)                                                                      \
    X(easy_reset)                                                                        \
    X(easy_cleanup)                                                                      \
    X(easy_strerror)                                                                     \
    X(multi_init)                                                                        \
    X(multi_cleanup)                                                                     \
    X(multi_setopt)                                                                      \
    X(multi_add_handle)                                                                  \
    X(multi_remove_handle)                                                               \
    X(multi_perform)                                                                     \
    X(multi_poll)                                                                        \
    X(multi_info_read)                                                                   \
    X(slist_append)                                                                      \
    X(slist_free_all)

/* curl.h wraps the variadic ones in type-checking macros; through the table there is no
 * such check: longs must be longs. */
#undef curl_easy_setopt
#undef curl_easy_getinfo
#undef curl_multi_setopt

struct curl_api {
#define CURL_MEMBER(name) __typeof__(&curl_##name) name;
    CURL_SYMBOLS(CURL_MEMBER)
#undef CURL_MEMBER
};

/* The table, the same one for ever; thread-safe. NULL with DR_ERR_CONFIG that says what
 * to install. */
const struct curl_api *curl_load(struct dr_error *err);

#endif
