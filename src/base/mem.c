/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

void dr_cleanup_free(void *pointer_to_pointer)
{
    void *p;
    memcpy(&p, pointer_to_pointer, sizeof p);
    free(p);
}

void dr_cleanup_fd(const int *fd)
{
    if (*fd >= 0) {
        int saved = errno;
        close(*fd);
        errno = saved;
    }
}

static void *or_abort(void *p)
{
    if (!p) {
        static const char text[] = "dray: out of memory\n";
        if (write(2, text, sizeof text - 1) < 0)
            abort();
        abort();
    }
    return p;
}

void *dr_alloc(size_t size)
{
    return or_abort(calloc(1, size ? size : 1));
}

void *dr_realloc(void *p, size_t size)
{
    return or_abort(realloc(p, size ? size : 1));
}

char *dr_strdup(const char *s)
{
    return s ? or_abort(strdup(s)) : NULL;
}

char *dr_strndup(const char *s, size_t n)
{
    return or_abort(strndup(s, n));
}

char *dr_vprintf(const char *fmt, va_list ap)
{
    char *text = NULL;
    if (vasprintf(&text, fmt, ap) < 0)
        or_abort(NULL);
    return text;
}

char *dr_printf(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    char *text = dr_vprintf(fmt, ap);
    va_end(ap);
    return text;
}
