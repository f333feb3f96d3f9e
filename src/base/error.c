/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char *const kind_names[DR_ERR_KINDS_] = {
    [DR_ERR_NONE] = "none",
    [DR_ERR_NOT_FOUND] = "not found",
    [DR_ERR_EXISTS] = "exists",
    [DR_ERR_PULL] = "pull failed",
    [DR_ERR_CREATE] = "create failed",
    [DR_ERR_START] = "start failed",
    [DR_ERR_INVALID] = "invalid spec",
    [DR_ERR_NETWORK] = "network",
    [DR_ERR_CONFIG] = "configuration",
    [DR_ERR_TIMEOUT] = "timeout",
    [DR_ERR_UNSUPPORTED] = "unsupported",
    [DR_ERR_UNAVAILABLE] = "unavailable",
    [DR_ERR_INTERNAL] = "internal",
    [DR_ERR_CONFLICT] = "conflict",
    [DR_ERR_FORMAT] = "format",
    [DR_ERR_CANCELLED] = "cancelled",
};

static const char *const origin_names[DR_AT_ORIGINS_] = {
    [DR_AT_UNSET] = "",
    [DR_AT_HOST] = "host",
    [DR_AT_REGISTRY] = "registry",
    [DR_AT_TRANSPORT] = "transport",
    [DR_AT_GUEST] = "guest",
    [DR_AT_RUNTIME] = "runtime",
};

const char *dr_kind_name(enum dr_kind kind)
{
    return (unsigned)kind < DR_ERR_KINDS_ ? kind_names[kind] : "internal";
}

const char *dr_origin_name(enum dr_origin origin)
{
    return (unsigned)origin < DR_AT_ORIGINS_ ? origin_names[origin] : "";
}

enum dr_kind dr_kind_parse(const char *name)
{
    for (unsigned i = 0; name && i < DR_ERR_KINDS_; i++)
        if (strcmp(kind_names[i], name) == 0)
            return (enum dr_kind)i;
    return DR_ERR_INTERNAL;
}

enum dr_origin dr_origin_parse(const char *name)
{
    for (unsigned i = 0; name && i < DR_AT_ORIGINS_; i++)
        if (strcmp(origin_names[i], name) == 0)
            return (enum dr_origin)i;
    return DR_AT_UNSET;
}

void dr_error_release(struct dr_error *err)
{
    free(err->output);
    free(err->program);
    *err = DR_ERROR_INIT;
}

static void fill(struct dr_error *err, enum dr_origin origin, enum dr_kind kind, int code)
{
    free(err->output);
    free(err->program);
    err->output = err->program = NULL;
    err->status = 0;
    err->origin = origin;
    err->kind = kind;
    err->code = code;
}

int dr_fail(struct dr_error *err, enum dr_kind kind, const char *fmt, ...)
{
    char text[DR_ERROR_TEXT_MAX];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    fill(err, DR_AT_UNSET, kind, 0);
    memcpy(err->text, text, sizeof text);
    return -1;
}

int dr_fail_at(struct dr_error *err, enum dr_origin origin, enum dr_kind kind, int code,
               const char *fmt, ...)
{
    char text[DR_ERROR_TEXT_MAX];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    fill(err, origin, kind, code);
    memcpy(err->text, text, sizeof text);
    return -1;
}

static enum dr_kind kind_of_errno(int number)
{
    switch (number) {
    case ENOENT:
    case ESRCH:
        return DR_ERR_NOT_FOUND;
    case EEXIST:
        return DR_ERR_EXISTS;
    case ETIMEDOUT:
        return DR_ERR_TIMEOUT;
    case ECANCELED:
        return DR_ERR_CANCELLED;
    case EOPNOTSUPP:
    case ENOSYS:
        return DR_ERR_UNSUPPORTED;
    default:
        return DR_ERR_INTERNAL;
    }
}

int dr_fail_errno(struct dr_error *err, enum dr_kind kind, const char *fmt, ...)
{
    int number = errno;
    char text[DR_ERROR_TEXT_MAX];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    fill(err, DR_AT_UNSET, kind == DR_ERR_NONE ? kind_of_errno(number) : kind, number);
    char reason[128];
#if defined(_WIN32)
    (void)reason;
    const char *why = strerrordesc_np(number); /* msvcrt's has few words (win/error.c) */
#else
    const char *why = strerror_r(number, reason, sizeof reason);
#endif
    snprintf(err->text, sizeof err->text, "%.*s: %s", DR_ERROR_TEXT_MAX - 140, text, why);
    return -1;
}

int dr_wrap(struct dr_error *err, const char *fmt, ...)
{
    char context[DR_ERROR_TEXT_MAX], inner[DR_ERROR_TEXT_MAX];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(context, sizeof context, fmt, ap);
    va_end(ap);
    memcpy(inner, err->text, sizeof inner);
    /* the reason is worth more than the context: keep it whole, cut the context */
    size_t reason = strlen(inner), room = sizeof err->text - 1;
    size_t front = strlen(context);
    if (reason + 2 >= room)
        return -1; /* no room for any context */
    if (front > room - reason - 2)
        front = room - reason - 2;
    memcpy(err->text, context, front);
    memcpy(err->text + front, ": ", 2);
    memcpy(err->text + front + 2, inner, reason + 1);
    return -1;
}

int dr_error_move(struct dr_error *dst, struct dr_error *src)
{
    if (dst != src) {
        free(dst->output);
        free(dst->program);
        *dst = *src;
        *src = DR_ERROR_INIT;
    }
    return -1;
}

int dr_error_copy(struct dr_error *dst, const struct dr_error *src)
{
    if (dst == src)
        return -1;
    dr_error_release(dst);
    *dst = *src;
    dst->output = dr_strdup(src->output);
    dst->program = dr_strdup(src->program);
    return -1;
}
