/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One HTTP request on libcurl's multi interface: no redirects, no authentication, no
 * retries, those are exchange.c's. All calls of one struct http share connections and run
 * in the thread that pumps.
 */
#ifndef DRAY_REGISTRY_HTTP_H
#define DRAY_REGISTRY_HTTP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "registry/tls.h"

#define HTTP_ERROR_BODY_MAX (16 * 1024) /* bytes of a refusal that are read at all */
#define HTTP_HEADER_MAX 8192            /* bytes of one header that are kept */
#define HTTP_PIECE_BYTES (256 * 1024)   /* read, written, or given to a sink at a time */

struct http_options {
    int connect_timeout_ms, stall_timeout_ms;
    int64_t deadline_ms; /* dr_clock_ms() time; 0: none */
    atomic_bool *cancel; /* borrowed; or NULL */
};

struct http_request {
    const char *url; /* borrowed until http_start returns, as are the others */
    bool head;
    const char *post;   /* form body of a POST; NULL: GET or HEAD */
    const char *method; /* POST, PUT, PATCH, DELETE, with a body or without; NULL: none of
                           these */
    /* Its body: bytes that stay until the call is done, or a source: source_len bytes of
     * it from source_from on. It gives 1…len bytes at an offset, -1 ends the request. */
    const void *body;
    size_t body_len;
    ssize_t (*source)(void *context, int64_t offset, void *data, size_t len);
    int64_t source_from, source_len;
    const char *content_type;  /* of the body, or NULL */
    const char *content_range; /* of the body, or NULL */
    const char *accept;        /* or NULL */
    const char *authorization; /* the header's value, or NULL */
    const struct tls *tls;     /* borrowed */
    bool own;                  /* to the registry itself, see tls.h */
    int64_t range_from;        /* > 0: "Range: bytes=N-" */
    const char *if_range;      /* goes with it: a strong ETag, or NULL */
    bool bulk;                 /* a long body: over a connection of its own, HTTP/1.1 */
    size_t body_max;           /* of a 2xx without a sink */
    /* Gets the body of a 2xx, in large pieces; false ends the request. Status and headers
     * stand in the call. */
    bool (*sink)(void *context, const void *data, size_t len);
    void *context;
};

struct http_call {
    struct http *http;
    CURL *easy;
    struct curl_slist *headers;
    struct http_request request; /* what is a callback or a number is used on */
    bool running, done;
    bool looked_up; /* CAs, see tls_can_look_up */

    /* Of the body, on its way to the sink: owned, HTTP_PIECE_BYTES */
    char *piece;
    size_t piece_len;
    struct http_call *next_piece; /* of those that have one */

    CURLcode result;
    int os_error;     /* errno of a connect that failed */
    int proxy_status; /* what a proxy said to CONNECT; 0: nothing */
    int status;       /* 0: no answer came */
    struct dr_buf body;
    bool too_long;          /* the body passed body_max */
    int64_t sent;           /* bytes of the source that were taken */
    int64_t content_length; /* -1: not told */
    int64_t retry_after_s;  /* 0: not told */
    int64_t limit_reset;    /* when a limit of requests ends, as a registry without
                               Retry-After tells it: seconds, or seconds since 1970; 0 */
    char *content_type;     /* owned, as are the others; NULL when not there */
    char *www_authenticate; /* all of them, joined */
    char *docker_digest;
    char *content_range;
    char *etag;
    char *location; /* as it came */
    char *range;    /* of an upload: "0-99" */
    char *chunk_min;
    char *redirect; /* absolute URL of a 3xx */
    char detail[CURL_ERROR_SIZE];
};

struct http;

int http_new(const struct http_options *options, struct http **ret_http,
             struct dr_error *err);
void http_free(struct http *http);
/* Can this libcurl do what requests with it will need? DR_ERR_CONFIG. */
int http_check_tls(struct http *http, const struct tls *tls, struct dr_error *err);

/* Starts a call; call is zero or was used before (its answer is forgotten then). */
void http_start(struct http *http, struct http_call *call,
                const struct http_request *request);
/* Ends it in any state, keeps nothing. */
void http_call_release(struct http_call *call);
/* Moves bytes for all calls; blocks at most wait_ms, less when something happened. Calls
 * that ended have done set. -1 with DR_ERR_CANCELLED when the flag is up, with
 * DR_ERR_TIMEOUT when the deadline is over. */
int http_pump(struct http *http, int wait_ms, struct dr_error *err);
/* Bytes of bodies that all its calls have received so far. */
int64_t http_received(const struct http *http);
/* Pumps until this one is done. */
int http_finish(struct http_call *call, struct dr_error *err);

#endif
