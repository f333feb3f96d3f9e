/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/http.h"

#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "registry/proxy.h"

#define CANCEL_POLL_MS 100
#define PUMP_BYTES (1024 * 1024) /* received before other things get their turn */

struct http {
    const struct curl_api *curl;
    CURLM *multi;
    int64_t received;
    bool look_up;             /* CAs, see tls_can_look_up */
    struct http_call *pieces; /* calls with bytes that their sink has not seen */
    struct http_options options;
};

int http_new(const struct http_options *options, struct http **ret_http,
             struct dr_error *err)
{
    const struct curl_api *curl = curl_load(err);
    if (!curl)
        return -1;
    CURLM *multi = curl->multi_init();
    if (!multi)
        return dr_fail(err, DR_ERR_INTERNAL, "libcurl gave no handle");
    struct http *http = dr_alloc(sizeof *http);
    http->curl = curl;
    http->multi = multi;
    http->options = *options;
    CURL *probe = curl->easy_init();
    http->look_up = probe && tls_can_look_up(curl, probe);
    curl->easy_cleanup(probe);
    *ret_http = http;
    return 0;
}

int http_check_tls(struct http *http, const struct tls *tls, struct dr_error *err)
{
    CURL *probe = http->curl->easy_init();
    int rc = probe ? tls_apply(tls, NULL, true, TLS_CAS_ALL, http->curl, probe) : 0;
    http->curl->easy_cleanup(probe);
    return rc == 0 ? 0
                   : dr_fail(err, DR_ERR_CONFIG,
                             "the installed libcurl is too old for CAs besides the "
                             "system's: version 7.77 is needed");
}

void http_free(struct http *http)
{
    if (!http)
        return;
    http->curl->multi_cleanup(http->multi);
    free(http);
}

int64_t http_received(const struct http *http)
{
    return http->received;
}

/* --- pieces of a body --- */

/*
 * libcurl hands out at most 16 KiB at a time, and over TLS no more than that is read at
 * once. A sink writes, wakes who waits for its bytes, and is looked after by its caller:
 * done once for many records, that is a fifth of the work.
 */
static void drop_piece(struct http_call *call)
{
    if (call->piece_len == 0)
        return;
    struct http_call **at = &call->http->pieces;
    while (*at != call)
        at = &(*at)->next_piece;
    *at = call->next_piece;
    call->piece_len = 0;
}

static bool give_piece(struct http_call *call)
{
    size_t len = call->piece_len;
    drop_piece(call);
    return len == 0 || call->request.sink(call->request.context, call->piece, len);
}

static bool take_bytes(struct http_call *call, const char *data, size_t len)
{
    if (!call->piece)
        call->piece = dr_alloc(HTTP_PIECE_BYTES);
    while (len > 0) {
        if (call->piece_len == HTTP_PIECE_BYTES && !give_piece(call))
            return false;
        if (call->piece_len == 0) {
            call->next_piece = call->http->pieces;
            call->http->pieces = call;
        }
        size_t room = HTTP_PIECE_BYTES - call->piece_len, n = len < room ? len : room;
        memcpy(call->piece + call->piece_len, data, n);
        call->piece_len += n;
        data += n;
        len -= n;
    }
    return true;
}

/* --- callbacks of libcurl --- */

static void keep_header(char **to, const char *value, size_t len)
{
    if (len > HTTP_HEADER_MAX)
        return;
    free(*to);
    *to = dr_strndup(value, len);
}

static void forget_answer(struct http_call *call)
{
    char **texts[] = {&call->content_type,  &call->www_authenticate,
                      &call->docker_digest, &call->content_range,
                      &call->etag,          &call->location,
                      &call->range,         &call->chunk_min,
                      &call->redirect};
    for (size_t i = 0; i < DR_COUNT(texts); i++) {
        free(*texts[i]);
        *texts[i] = NULL;
    }
    dr_buf_release(&call->body);
    drop_piece(call);
    call->status = 0;
    call->os_error = 0;
    call->too_long = false;
    call->content_length = -1;
    call->retry_after_s = call->limit_reset = 0;
    call->detail[0] = '\0';
}

static size_t on_header(char *line, size_t size, size_t count, void *context)
{
    struct http_call *call = context;
    size_t len = size * count;
    /* another answer begins (100 Continue, a proxy's CONNECT): what came before is void
     */
    if (len >= 5 && memcmp(line, "HTTP/", 5) == 0) {
        forget_answer(call);
        return len;
    }
    const char *colon = memchr(line, ':', len);
    if (!colon)
        return len;
    size_t name = (size_t)(colon - line), value = len - name - 1;
    const char *p = colon + 1;
    while (value > 0 && (*p == ' ' || *p == '\t')) {
        p++;
        value--;
    }
    while (value > 0 && strchr("\r\n \t", p[value - 1]))
        value--;
    struct {
        const char *name;
        char **to;
    } kept[] = {{"content-type", &call->content_type},
                {"docker-content-digest", &call->docker_digest},
                {"content-range", &call->content_range},
                {"etag", &call->etag},
                {"location", &call->location},
                {"range", &call->range},
                {"oci-chunk-min-length", &call->chunk_min}};
    for (size_t i = 0; i < DR_COUNT(kept); i++)
        if (strlen(kept[i].name) == name && strncasecmp(kept[i].name, line, name) == 0)
            keep_header(kept[i].to, p, value);
    static const char *const resets[] = {"ratelimit-reset", "x-ratelimit-reset"};
    for (size_t i = 0; i < DR_COUNT(resets); i++)
        if (strlen(resets[i]) == name && strncasecmp(resets[i], line, name) == 0)
            call->limit_reset = strtoll(p, NULL, 10);
    if (name == 16 && strncasecmp("www-authenticate", line, name) == 0 &&
        value <= HTTP_HEADER_MAX) {
        char *before = call->www_authenticate;
        size_t so_far = before ? strlen(before) : 0;
        if (so_far <= HTTP_HEADER_MAX)
            call->www_authenticate = dr_printf("%s%s%.*s", before ? before : "",
                                               before ? ", " : "", (int)value, p);
        if (call->www_authenticate != before)
            free(before);
    }
    return len;
}

static int status_of(struct http_call *call)
{
    long status = 0;
    call->http->curl->easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
    return (int)status;
}

static size_t on_body(char *data, size_t size, size_t count, void *context)
{
    struct http_call *call = context;
    size_t len = size * count;
    if (call->status == 0) {
        curl_off_t length = -1;
        call->status = status_of(call);
        call->http->curl->easy_getinfo(call->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T,
                                       &length);
        call->content_length = (int64_t)length;
        bool fine = call->status >= 200 && call->status < 300;
        call->body = DR_BUF_INIT(fine ? call->request.body_max : HTTP_ERROR_BODY_MAX);
    }
    call->http->received += (int64_t)len;
    if (call->status >= 200 && call->status < 300 && call->request.sink)
        return take_bytes(call, data, len) ? len : 0;
    dr_auto_error struct dr_error full = DR_ERROR_INIT;
    size_t room = call->body.max - call->body.len;
    if (dr_buf_add(&call->body, data, len < room ? len : room, &full) < 0 || len > room) {
        call->too_long = true;
        return 0;
    }
    return len;
}

static size_t on_source(char *data, size_t size, size_t count, void *context)
{
    struct http_call *call = context;
    const struct http_request *request = &call->request;
    int64_t left = request->source_len - call->sent;
    size_t len = size * count;
    if (left < (int64_t)len)
        len = (size_t)left;
    if (len == 0)
        return 0;
    ssize_t n =
        request->source(request->context, request->source_from + call->sent, data, len);
    if (n <= 0)
        return CURL_READFUNC_ABORT;
    call->sent += n;
    return (size_t)n;
}

/* libcurl sends again what a dead connection that it had kept did not take. */
static int on_seek(void *context, curl_off_t offset, int origin)
{
    struct http_call *call = context;
    if (origin != SEEK_SET || offset < 0 || offset > call->request.source_len)
        return CURL_SEEKFUNC_FAIL;
    call->sent = (int64_t)offset;
    return CURL_SEEKFUNC_OK;
}

/* --- calls -------------------------------------------------------------------------- */

static void set_headers(struct http_call *call, const struct http_request *request)
{
    const struct curl_api *curl = call->http->curl;
    struct {
        const char *name, *value;
    } headers[] = {{"Accept", request->accept},
                   {"Authorization", request->authorization},
                   {"Content-Type", request->content_type},
                   {"Content-Range", request->content_range},
                   {"If-Range", request->range_from > 0 ? request->if_range : NULL}};
    for (size_t i = 0; i < DR_COUNT(headers); i++) {
        if (!headers[i].value)
            continue;
        dr_auto_free char *line = dr_printf("%s: %s", headers[i].name, headers[i].value);
        call->headers = curl->slist_append(call->headers, line);
        explicit_bzero(line, strlen(line));
    }
    if (request->range_from > 0) {
        dr_auto_free char *line =
            dr_printf("Range: bytes=%lld-", (long long)request->range_from);
        call->headers = curl->slist_append(call->headers, line);
    }
    /* no 100 (Continue) is waited for: not every proxy passes it on */
    if (request->method)
        call->headers = curl->slist_append(call->headers, "Expect:");
    if (request->method && !request->content_type) /* else it would be a form */
        call->headers = curl->slist_append(call->headers, "Content-Type:");
    curl->easy_setopt(call->easy, CURLOPT_HTTPHEADER, call->headers);
}

static void set_body(struct http_call *call, const struct http_request *request)
{
    const struct curl_api *curl = call->http->curl;
    CURL *easy = call->easy;
    if (request->head)
        curl->easy_setopt(easy, CURLOPT_NOBODY, 1L);
    if (request->post)
        curl->easy_setopt(easy, CURLOPT_COPYPOSTFIELDS, request->post);
    if (!request->method)
        return;
    if (request->source) {
        curl->easy_setopt(easy, CURLOPT_UPLOAD, 1L);
        curl->easy_setopt(easy, CURLOPT_INFILESIZE_LARGE,
                          (curl_off_t)request->source_len);
        curl->easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, (long)HTTP_PIECE_BYTES);
        curl->easy_setopt(easy, CURLOPT_READFUNCTION, on_source);
        curl->easy_setopt(easy, CURLOPT_READDATA, call);
        curl->easy_setopt(easy, CURLOPT_SEEKFUNCTION, on_seek);
        curl->easy_setopt(easy, CURLOPT_SEEKDATA, call);
    } else {
        curl->easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
                          (curl_off_t)request->body_len);
        curl->easy_setopt(easy, CURLOPT_POSTFIELDS, request->body ? request->body : "");
    }
    curl->easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method);
}

static void set_options(struct http_call *call, const struct http_request *request)
{
    const struct curl_api *curl = call->http->curl;
    const struct http_options *o = &call->http->options;
    CURL *easy = call->easy;
    curl->easy_setopt(easy, CURLOPT_URL, request->url);
    curl->easy_setopt(easy, CURLOPT_NOSIGNAL, 1L); /* threads */
    curl->easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl->easy_setopt(easy, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
    curl->easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)o->connect_timeout_ms);
    curl->easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 1024L);
    curl->easy_setopt(easy, CURLOPT_LOW_SPEED_TIME,
                      (long)(o->stall_timeout_ms + 999) / 1000);
    curl->easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl->easy_setopt(easy, CURLOPT_BUFFERSIZE, (long)HTTP_PIECE_BYTES);
    curl->easy_setopt(easy, CURLOPT_USERAGENT, "dray/" DRAY_VERSION);
    /* Calls that start together share one connection where the server does HTTP/2. Long
     * bodies do not: its frames and windows cost both ends twice the work of HTTP/1.1,
     * and on a long line one connection is slower than several. */
    curl->easy_setopt(easy, CURLOPT_HTTP_VERSION,
                      request->bulk ? (long)CURL_HTTP_VERSION_1_1
                                    : (long)CURL_HTTP_VERSION_2TLS);
    curl->easy_setopt(easy, CURLOPT_PIPEWAIT, request->bulk ? 0L : 1L);
    call->looked_up = call->http->look_up;
    tls_apply(request->tls, request->url, request->own,
              call->looked_up ? TLS_CAS_LOOKED_UP : TLS_CAS_ALL, curl, easy);
    proxy_apply(request->url, curl, easy);
    curl->easy_setopt(easy, CURLOPT_ERRORBUFFER, call->detail);
    curl->easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl->easy_setopt(easy, CURLOPT_HEADERDATA, call);
    curl->easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl->easy_setopt(easy, CURLOPT_WRITEDATA, call);
    curl->easy_setopt(easy, CURLOPT_PRIVATE, call);
}

static void stop(struct http_call *call)
{
    if (call->running)
        call->http->curl->multi_remove_handle(call->http->multi, call->easy);
    call->running = false;
    if (call->headers)
        call->http->curl->slist_free_all(call->headers);
    call->headers = NULL;
}

void http_start(struct http *http, struct http_call *call,
                const struct http_request *request)
{
    if (call->easy) {
        stop(call);
        http->curl->easy_reset(call->easy);
    } else {
        call->http = http;
        call->easy = http->curl->easy_init();
        if (!call->easy)
            abort(); /* memory: as everywhere else */
    }
    forget_answer(call);
    call->request = *request;
    call->done = false;
    call->sent = 0;
    call->result = CURLE_OK;
    set_options(call, request);
    set_body(call, request);
    set_headers(call, request);
    http->curl->multi_add_handle(http->multi, call->easy);
    call->running = true;
}

void http_call_release(struct http_call *call)
{
    if (call->easy) {
        stop(call);
        call->http->curl->easy_cleanup(call->easy);
    }
    forget_answer(call);
    free(call->piece);
    *call = (struct http_call){0};
}

static void finished(struct http_call *call, CURLcode result)
{
    const struct curl_api *curl = call->http->curl;
    char *url = NULL;
    long os_error = 0, proxy_status = 0;
    curl_off_t retry_after = 0, length = -1;
    /* what came before the line broke is not fetched again */
    call->result = give_piece(call) ? result : CURLE_WRITE_ERROR;
    call->status = status_of(call);
    curl->easy_getinfo(call->easy, CURLINFO_OS_ERRNO, &os_error);
    curl->easy_getinfo(call->easy, CURLINFO_HTTP_CONNECTCODE, &proxy_status);
    curl->easy_getinfo(call->easy, CURLINFO_RETRY_AFTER, &retry_after);
    curl->easy_getinfo(call->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
    curl->easy_getinfo(call->easy, CURLINFO_REDIRECT_URL, &url);
    call->os_error = (int)os_error;
    call->proxy_status = (int)proxy_status;
    call->retry_after_s = (int64_t)retry_after;
    call->content_length = (int64_t)length;
    call->redirect = dr_strdup(url);
    if (result != CURLE_OK && !call->detail[0])
        snprintf(call->detail, sizeof call->detail, "%s", curl->easy_strerror(result));
    stop(call);
    call->done = true;
}

/* Nobody is refused for a CA that stands in the bundle alone. */
static bool trust_all(struct http_call *call, CURLcode result)
{
    struct http *http = call->http;
    if (result != CURLE_PEER_FAILED_VERIFICATION || !call->looked_up)
        return false;
    call->looked_up = http->look_up = false;
    http->curl->multi_remove_handle(http->multi, call->easy);
    tls_apply(call->request.tls, call->request.url, call->request.own, TLS_CAS_ALL,
              http->curl, call->easy);
    call->detail[0] = '\0';
    http->curl->multi_add_handle(http->multi, call->easy);
    return true;
}

static bool cancelled(const struct http *http)
{
    return http->options.cancel && atomic_load(http->options.cancel);
}

int http_pump(struct http *http, int wait_ms, struct dr_error *err)
{
    const struct curl_api *curl = http->curl;
    int running, left;
    bool any = false;
    if (cancelled(http))
        return dr_fail(err, DR_ERR_CANCELLED, "cancelled");
    if (http->options.deadline_ms && dr_clock_ms() >= http->options.deadline_ms)
        return dr_fail(err, DR_ERR_TIMEOUT, "it did not end within its deadline");
    int64_t start = http->received, before;
    do {
        before = http->received;
        curl->multi_perform(http->multi, &running);
    } while (http->received > before && http->received - start < PUMP_BYTES);
    CURLMsg *message;
    while ((message = curl->multi_info_read(http->multi, &left))) {
        char *private = NULL;
        CURLcode result = message->data.result; /* gone once the handle is removed */
        curl->easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &private);
        struct http_call *call = (struct http_call *)(void *)private;
        if (!trust_all(call, result))
            finished(call, result);
        any = true;
    }
    while (http->pieces) {
        struct http_call *call = http->pieces;
        if (!give_piece(call)) {
            finished(call, CURLE_WRITE_ERROR);
            any = true;
        }
    }
    if (!any && wait_ms > 0)
        curl->multi_poll(http->multi, NULL, 0,
                         wait_ms < CANCEL_POLL_MS ? wait_ms : CANCEL_POLL_MS, NULL);
    return 0;
}

int http_finish(struct http_call *call, struct dr_error *err)
{
    while (!call->done)
        if (http_pump(call->http, CANCEL_POLL_MS, err) < 0)
            return -1;
    return 0;
}
