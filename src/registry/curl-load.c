/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/curl-load.h"

#include <pthread.h>
#include <string.h>

static struct curl_api api;
static struct dr_error why; /* set once, under the once-control */
static pthread_once_t once = PTHREAD_ONCE_INIT;

#if defined(DRAY_CURL_LINKED)

static void load(void)
{
#define CURL_FILL(name) api.name = &curl_##name;
    CURL_SYMBOLS(CURL_FILL)
#undef CURL_FILL
    api.global_init(CURL_GLOBAL_DEFAULT);
}

#else

#include <dlfcn.h>

static void load(void)
{
    static const char *const names[] = {"libcurl.so.4", "libcurl-gnutls.so.4"};
    void *library = NULL;
    for (size_t i = 0; i < DR_COUNT(names) && !library; i++)
        library = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        dr_fail(
            &why, DR_ERR_CONFIG,
            "libcurl is not installed, it is needed to talk to registries: install it "
            "(Debian: apt install libcurl4)");
        return;
    }
    const char *missing = NULL;
/* ISO C has no cast from void * to a function; POSIX promises that the bytes are the same
 */
#define CURL_FILL(name)                                                                  \
    {                                                                                    \
        void *symbol = dlsym(library, "curl_" #name);                                    \
        if (!symbol)                                                                     \
            missing = "curl_" #name;                                                     \
        memcpy(&api.name, &symbol, sizeof symbol);                                       \
    }
    CURL_SYMBOLS(CURL_FILL)
#undef CURL_FILL
    if (missing)
        dr_fail(&why, DR_ERR_CONFIG,
                "the installed libcurl is too old (it has no %s): version 7.68 is needed",
                missing);
    else if (api.global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        dr_fail(&why, DR_ERR_INTERNAL, "libcurl does not start");
}

#endif

const struct curl_api *curl_load(struct dr_error *err)
{
    pthread_once(&once, load);
    if (why.kind == DR_ERR_NONE)
        return &api;
    *err = why;
    return NULL;
}
