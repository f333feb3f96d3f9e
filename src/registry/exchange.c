/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/exchange.h"

#include <string.h>

#include "base/text.h"
#include "registry/internal.h"
#include "registry/status.h"

#define AUTH_TRIES_MAX 2           /* 401s of one exchange that are answered */
#define PROGRESS_BYTES (64 * 1024) /* gained: the tries start over */
#define RETRY_FIRST_MS 250
#define RETRY_MAX_MS 16000
#define RETRY_GAINED_MS 20 /* the line broke, but it had brought something */
#define POLL_MS 100

void exchange_release(struct exchange *x)
{
    http_call_release(&x->call);
    free(x->url);
    free(x->etag);
    x->url = x->etag = NULL;
}

static int launch(struct exchange *x, struct dr_error *err)
{
    struct registry *reg = x->reg;
    struct origin to;
    if (!x->url)
        x->url = x->path[0] == '/' ? registry_url(reg, x->path) : dr_strdup(x->path);
    if (origin_parse(x->url, &to, err) < 0)
        return -1;
    bool own = origin_equal(&to, &reg->origin);
    if (own && auth_refresh(reg, err) < 0)
        return -1;
    x->auth_generation = reg->auth.generation;
    x->have_before = x->have ? x->have(x->context) : 0;
    x->all_before = http_received(reg->http);
    x->not_before_ms = 0;
    x->passing = false;
    /* a tag of another server's says nothing of what we have; a digest will */
    bool same = x->etag && origin_equal(&x->etag_of, &to);
    bool part = !x->no_range && (x->pinned || same);
    /* another host, port or scheme never sees what the registry may see */
    struct http_request request = {.url = x->url,
                                   .head = x->head,
                                   .method = x->method,
                                   .content_type = x->content_type,
                                   .content_range = x->content_range,
                                   .body = x->body,
                                   .body_len = x->body_len,
                                   .source = x->source,
                                   .source_from = x->source_from,
                                   .source_len = x->source_len,
                                   .accept = x->accept,
                                   .authorization = own ? reg->auth.header : NULL,
                                   .tls = &reg->tls,
                                   .own = own,
                                   .range_from = part ? x->have_before : 0,
                                   .if_range = same ? x->etag : NULL,
                                   /* no connection only to be told to go elsewhere */
                                   .bulk = x->bulk && !(own && reg->redirects),
                                   .body_max = x->body_max,
                                   .sink = x->sink,
                                   .context = x->context};
    http_start(reg->http, &x->call, &request);
    return 0;
}

/* From the registry's own address again: a redirect's URL may have expired. */
static int relaunch(struct exchange *x, struct dr_error *err)
{
    free(x->url);
    x->url = NULL;
    x->redirects = 0;
    return launch(x, err);
}

int exchange_start(struct exchange *x, struct dr_error *err)
{
    x->progress_ms = dr_clock_ms();
    return relaunch(x, err);
}

/* Doubling, with up to half as much again, so that many clients do not come back at once.
 */
int64_t exchange_backoff_ms(int tries)
{
    char random[3];
    dr_random_hex(2, random);
    int64_t wait = RETRY_FIRST_MS << (tries < 8 ? tries : 8);
    if (wait > RETRY_MAX_MS)
        wait = RETRY_MAX_MS;
    return wait + wait * strtol(random, NULL, 16) / 512;
}

/* err says what failed. Arranges another try, or lets it stand. asked_ms: how long the
 * registry wants to be left alone; 0: it did not say. */
static int retry(struct exchange *x, int64_t asked_ms, struct dr_error *err)
{
    int64_t now = dr_clock_ms();
    x->passing = true;
    x->asked_wait_ms = asked_ms;
    if (x->once)
        return -1;
    int64_t gained = x->have ? x->have(x->context) - x->have_before : 0;
    if (gained > 0) {
        x->progress_ms = now;
        x->auth_tries = 0; /* a token may end in the middle, more than once */
    }
    int64_t wait_ms = asked_ms ? asked_ms : exchange_backoff_ms(x->tries);
    if (gained >= PROGRESS_BYTES) {
        x->tries = 0;
        if (!asked_ms)
            wait_ms = RETRY_GAINED_MS + exchange_backoff_ms(0) % RETRY_GAINED_MS;
    }
    /* with HTTP/2 a connection breaks for all that share it, whoever's bytes it brought
     */
    if (x->call.result != CURLE_OK &&
        http_received(x->reg->http) - x->all_before >= PROGRESS_BYTES)
        x->tries = 0;
    if (++x->tries >= x->reg->options.tries)
        return -1;
    if (now + wait_ms - x->progress_ms > x->reg->options.retry_deadline_ms)
        return -1;
    if (gained < PROGRESS_BYTES || asked_ms)
        registry_tell_wait(x->reg, err, wait_ms);
    dr_error_release(err);
    x->not_before_ms = now + wait_ms;
    return 0;
}

int exchange_again(struct exchange *x, struct dr_error *err)
{
    return retry(x, 0, err);
}

/* What an answer that breaks off may be continued with: a strong validator, and only
 * where it came from (RFC 9110 section 13.1.5). */
static void keep_etag(struct exchange *x, const struct origin *from)
{
    const char *etag = x->call.etag;
    if (!x->have || !etag || etag[0] != '"' ||
        (x->call.status != 200 && x->call.status != 206))
        return;
    free(x->etag);
    x->etag = dr_strdup(etag);
    x->etag_of = *from;
}

static int follow_redirect(struct exchange *x, struct dr_error *err)
{
    struct origin to, from;
    if (!x->call.redirect)
        return status_fail_http(x->reg, &x->call, x->reg->ref.host, err);
    /* what is sent goes on as it is, or not at all: 301 to 303 would make it a GET */
    if (x->method && x->call.status != 307 && x->call.status != 308)
        return status_fail_http(x->reg, &x->call, x->reg->ref.host, err);
    if (++x->redirects > EXCHANGE_REDIRECTS_MAX)
        return dr_fail_at(err, DR_AT_REGISTRY, DR_ERR_PULL, x->call.status,
                          "%s redirects more than %d times", x->reg->ref.host,
                          EXCHANGE_REDIRECTS_MAX);
    if (origin_parse(x->url, &from, err) < 0 ||
        origin_parse(x->call.redirect, &to, err) < 0) {
        err->kind = DR_ERR_PULL;
        err->origin = DR_AT_REGISTRY;
        return dr_wrap(err, "%s redirects to where it should not", x->reg->ref.host);
    }
    if (from.https && !to.https && !x->pinned)
        return dr_fail_at(
            err, DR_AT_REGISTRY, DR_ERR_PULL, x->call.status,
            "%s redirects from https to http://%s, where anybody could answer: "
            "refused",
            x->reg->ref.host, to.host);
    if (x->pinned && !origin_equal(&from, &to))
        x->reg->redirects = true;
    free(x->url);
    x->url = dr_strdup(x->call.redirect);
    return launch(x, err);
}

static int answer_401(struct exchange *x, struct dr_error *err)
{
    struct registry *reg = x->reg;
    struct origin at;
    if (origin_parse(x->url, &at, err) < 0)
        return -1;
    bool own = origin_equal(&at, &reg->origin);
    if (own && !reg->plain && x->auth_tries++ < AUTH_TRIES_MAX) {
        /* another exchange got a new token meanwhile: use that */
        int rc = x->auth_generation != reg->auth.generation
                     ? 1
                     : auth_answer(reg, x->call.www_authenticate, err);
        if (rc != 0)
            return rc < 0 ? -1 : relaunch(x, err);
    }
    return status_fail_http(reg, &x->call, own ? reg->ref.host : at.host, err);
}

/* TLS was spoken to a server that does not, or where nobody listens? */
static bool not_tls(const struct http_call *call)
{
    return call->result == CURLE_SSL_CONNECT_ERROR ||
           call->result == CURLE_COULDNT_CONNECT;
}

static bool not_http(const struct http_call *call)
{
    return call->result == CURLE_GOT_NOTHING || call->result == CURLE_RECV_ERROR ||
           call->result == CURLE_UNSUPPORTED_PROTOCOL ||
           call->result == CURLE_WEIRD_SERVER_REPLY ||
           (call->result == CURLE_OK && call->status == 400);
}

/* A registry on loopback, and one for which plain HTTP is allowed, may speak either. On
 * loopback HTTP is asked first, because that costs a plain one nothing, and no secret is
 * in the first request; elsewhere TLS. What answers neither keeps the first. 1: the
 * scheme was changed. */
static int other_scheme(struct exchange *x, struct dr_error *err)
{
    struct registry *reg = x->reg;
    const struct http_call *call = &x->call;
    bool https = reg->origin.https;
    if (!reg->guessing || (https ? !not_tls(call) : !not_http(call)))
        return 0;
    if (x->switched)
        reg->guessing = false;
    x->switched = true;
    return registry_set_scheme(reg, !https, err) < 0 ? -1 : 1;
}

static int step_done(struct exchange *x, struct dr_error *err)
{
    struct registry *reg = x->reg;
    struct http_call *call = &x->call;
    struct origin at;
    int other = other_scheme(x, err);
    if (other != 0)
        return other < 0 ? -1 : relaunch(x, err);
    if (call->status > 0) {
        reg->guessing = false;
        reg->contacted = true;
    }
    if (origin_parse(x->url, &at, err) < 0)
        return -1;
    const char *host = origin_equal(&at, &reg->origin) ? reg->ref.host : at.host;
    keep_etag(x, &at);
    bool fine = call->status >= 200 && call->status < 300;
    if (call->too_long && fine)
        return dr_fail_at(err, DR_AT_REGISTRY, DR_ERR_FORMAT, call->status,
                          "%s sends more than the %zu bytes that there should be", host,
                          x->body_max);
    /* a refusal's text that was cut is still a refusal */
    if (call->result != CURLE_OK && !(call->too_long && !fine)) {
        status_fail_transfer(reg, call, host, err);
        return status_is_passing(reg, call) ? retry(x, 0, err) : -1;
    }
    if (fine)
        return 1;
    if (call->status == 401)
        return answer_401(x, err);
    if (call->status == 301 || call->status == 302 || call->status == 303 ||
        call->status == 307 || call->status == 308)
        return follow_redirect(x, err);
    status_fail_http(reg, call, host, err);
    if (x->part && call->status == 404) {
        dr_auto_free char *words = status_words(call);
        return dr_fail_at(err, DR_AT_REGISTRY, DR_ERR_PULL, 404,
                          "%s does not have it (404): the image is incomplete there, "
                          "push it again%s%s%s",
                          host, *words ? " [" : "", words, *words ? "]" : "");
    }
    if (!status_is_passing(reg, call))
        return -1;
    return retry(x, status_wait_s(call) * 1000, err);
}

int exchange_step(struct exchange *x, struct dr_error *err)
{
    if (x->not_before_ms > 0)
        return dr_clock_ms() < x->not_before_ms ? 0 : relaunch(x, err);
    return x->call.done ? step_done(x, err) : 0;
}

int exchange_run(struct exchange *x, struct dr_error *err)
{
    if (exchange_start(x, err) < 0)
        return -1;
    for (;;) {
        int rc = exchange_step(x, err);
        if (rc != 0)
            return rc < 0 ? -1 : 0;
        if (x->call.done && x->not_before_ms == 0)
            continue;
        if (http_pump(x->reg->http, x->not_before_ms > 0 ? 20 : POLL_MS, err) < 0)
            return -1;
    }
}
