/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory and cleanup attributes. Small allocations abort when they fail: nothing
 * sensible can be done in that state. Peer-sized data goes into dr_buf (buf.h), which
 * is born with a limit, never through here.
 */
#ifndef DRAY_BASE_MEM_H
#define DRAY_BASE_MEM_H

#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#ifdef _WIN32 /* printf there is mingw's own, not msvcrt's */
#define DR_PRINTF(fmt, first) __attribute__((format(gnu_printf, fmt, first)))
#else
#define DR_PRINTF(fmt, first) __attribute__((format(printf, fmt, first)))
#endif
#define DR_CLEANUP(fn) __attribute__((cleanup(fn)))

/* Frees with free() when the variable goes out of scope. */
#define dr_auto_free DR_CLEANUP(dr_cleanup_free)
/* Closes the descriptor when it is >= 0; errno is kept. */
#define dr_auto_fd DR_CLEANUP(dr_cleanup_fd)

/* Moves a pointer out of a variable, leaving NULL: `*ret_x = DR_TAKE(x);` */
#define DR_TAKE(p)                                                                       \
    ({                                                                                   \
        __auto_type dr_taken_ = (p);                                                     \
        (p) = NULL;                                                                      \
        dr_taken_;                                                                       \
    })
/* The same for a descriptor, leaving -1. */
#define DR_TAKE_FD(fd)                                                                   \
    ({                                                                                   \
        int dr_taken_ = (fd);                                                            \
        (fd) = -1;                                                                       \
        dr_taken_;                                                                       \
    })

#define DR_COUNT(a) (sizeof(a) / sizeof((a)[0]))

void dr_cleanup_free(void *pointer_to_pointer);
void dr_cleanup_fd(const int *fd);

/* All of these return owned memory (free()), never NULL. */
void *dr_alloc(size_t size); /* zeroed */
void *dr_realloc(void *p, size_t size);
char *dr_strdup(const char *s); /* NULL gives NULL */
char *dr_strndup(const char *s, size_t n);
char *dr_printf(const char *fmt, ...) DR_PRINTF(1, 2);
char *dr_vprintf(const char *fmt, va_list ap) DR_PRINTF(1, 0);

#endif
