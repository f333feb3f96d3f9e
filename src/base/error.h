/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Errors. Every fallible function takes `struct dr_error *err` last and returns 0 or -1
 * (or NULL). The callee fills it once, at the place of failure; callers add context
 * outside-in with dr_wrap(). Only src/cli prints.
 *
 *     struct dr_error err = DR_ERROR_INIT;      // or: dr_auto_error struct dr_error err
 * = ... if (oci_ref_parse(text, &ref, err) < 0) return dr_wrap(err, "pull");
 *
 * err is never NULL. A function that succeeded leaves it untouched.
 */
#ifndef DRAY_BASE_ERROR_H
#define DRAY_BASE_ERROR_H

#include "base/mem.h"

/* What code branches on. The first twelve are the runtime contract's (C32). */
enum dr_kind {
    DR_ERR_NONE = 0,
    DR_ERR_NOT_FOUND,   /* the named container, image, volume … does not exist */
    DR_ERR_EXISTS,      /* the name is in use */
    DR_ERR_PULL,        /* registry said no, or sent something wrong */
    DR_ERR_CREATE,      /* container could not be made */
    DR_ERR_START,       /* it could not be started; code 126/127 as a shell's */
    DR_ERR_INVALID,     /* what was asked for makes no sense: bad flag, bad spec */
    DR_ERR_NETWORK,     /* networks of containers */
    DR_ERR_CONFIG,      /* the target is misconfigured: says what to do */
    DR_ERR_TIMEOUT,     /* the deadline passed */
    DR_ERR_UNSUPPORTED, /* understood, but dray or the guest cannot do it */
    DR_ERR_UNAVAILABLE, /* the target cannot be reached */
    DR_ERR_INTERNAL,    /* a bug of ours, or the system failed us (I/O error, ENOSPC) */
    DR_ERR_CONFLICT,  /* the thing is in a state that forbids it (rm of a running one) */
    DR_ERR_FORMAT,    /* bytes that do not parse */
    DR_ERR_CANCELLED, /* the caller or the peer gave up */
    DR_ERR_KINDS_     /* count, not a kind */
};

/* Where it went wrong. */
enum dr_origin {
    DR_AT_UNSET =
        0, /* filled in with the process's own side when it is sent or printed */
    DR_AT_HOST,
    DR_AT_REGISTRY,
    DR_AT_TRANSPORT,
    DR_AT_GUEST,
    DR_AT_RUNTIME,
    DR_AT_ORIGINS_
};

#define DR_ERROR_TEXT_MAX 1024

struct dr_error {
    enum dr_kind kind;
    enum dr_origin origin;
    int code;                     /* errno, HTTP status or exit status; 0: none */
    char text[DR_ERROR_TEXT_MAX]; /* one line, outermost context first; cut when longer */
    char *output;  /* what the failed program wrote to stderr, whole; may be NULL */
    char *program; /* the program that failed over there ("youki"), owned; may be NULL */
    int status;    /* its exit status; 128+n for signal n; 0 without a program */
};

#define DR_ERROR_INIT ((struct dr_error){.kind = DR_ERR_NONE})
#define dr_auto_error DR_CLEANUP(dr_error_release)

/* Frees what the error owns and makes it DR_ERROR_INIT again. */
void dr_error_release(struct dr_error *err);

/* Fill err. All return -1, so that `return dr_fail(...)` reads well. */
int dr_fail(struct dr_error *err, enum dr_kind kind, const char *fmt, ...)
    DR_PRINTF(3, 4);
/* Takes the text of errno, appends it (": No such file …") and keeps errno as code.
 * kind DR_ERR_NONE: chosen from errno (ENOENT not found, EEXIST exists, else internal).
 */
int dr_fail_errno(struct dr_error *err, enum dr_kind kind, const char *fmt, ...)
    DR_PRINTF(3, 4);
/* With origin and native code given. */
int dr_fail_at(struct dr_error *err, enum dr_origin origin, enum dr_kind kind, int code,
               const char *fmt, ...) DR_PRINTF(5, 6);
/* Puts "<context>: " before the text. */
int dr_wrap(struct dr_error *err, const char *fmt, ...) DR_PRINTF(2, 3);

/* Moves src to dst (dst is released first), leaving src empty. Returns -1. */
int dr_error_move(struct dr_error *dst, struct dr_error *src);

/* A copy of all of it (dst is released first). Returns -1. */
int dr_error_copy(struct dr_error *dst, const struct dr_error *src);

/* Stable lower-case words for the wire and for --format json: "not found", "guest" … */
const char *dr_kind_name(enum dr_kind kind);
const char *dr_origin_name(enum dr_origin origin);
/* The inverse; an unknown word gives DR_ERR_INTERNAL / DR_AT_UNSET. */
enum dr_kind dr_kind_parse(const char *name);
enum dr_origin dr_origin_parse(const char *name);

#endif
