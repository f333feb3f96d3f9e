/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/status.h"

#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "registry/internal.h"
#include "registry/proxy.h"
#include "registry/tls-system.h"

#define WAIT_MAX_S (100ll * 365 * 86400) /* more is no time */

char *status_words(const struct http_call *call)
{
    dr_auto_error struct dr_error ignored = DR_ERROR_INIT;
    if (call->body.len == 0)
        return dr_strdup("");
    dr_auto_json json_t *doc =
        dr_json_parse(call->body.data, call->body.len, HTTP_ERROR_BODY_MAX, &ignored);
    if (!doc) {
        /* a proxy's page of HTML says nothing that fits into a line */
        const char *p = call->body.data + strspn(call->body.data, " \t\r\n");
        return *p == '<' || !*p ? dr_strdup("") : dr_escape(p, 120);
    }
    json_t *first = json_array_get(dr_json_array(doc, "errors"), 0);
    const char *code = dr_json_str(first, "code"),
               *message = dr_json_str(first, "message");
    if (!first) { /* token servers: {"details": …}, or OAuth2's {"error": …} */
        code = dr_json_str(doc, "error");
        message = dr_json_str(doc, "error_description");
        if (!message)
            message = dr_json_str(doc, "details");
        if (!message)
            message = dr_json_str(doc, "message");
    }
    dr_auto_free char *a = dr_escape(code, 60), *b = dr_escape(message, 200);
    return dr_printf("%s%s%s", a, *a && *b ? ": " : "", b);
}

static const char *os_reason(const struct http_call *call)
{
    return call->os_error ? strerror(call->os_error) : NULL;
}

/* The alert may come with the handshake (TLS 1.2) or with the first answer (1.3). */
static bool wants_certificate(const struct registry *reg, const struct http_call *call)
{
    /* the last one says that there is no common ground: with no certificate of ours to
     * look at, that is what OpenSSL's servers say in 1.2 */
    static const char *const words[] = {"certificate required", "alert bad certificate",
                                        "alert handshake failure"};
    for (size_t i = 0; call->result != CURLE_OK && !reg->tls.cert && i < DR_COUNT(words);
         i++)
        if (strstr(call->detail, words[i]))
            return true;
    return false;
}

static bool proxy_refused(const struct http_call *call)
{
    return call->result != CURLE_OK && call->proxy_status >= 400;
}

static int fail_proxy(const struct http_call *call, const char *host,
                      struct dr_error *err)
{
    return dr_fail_at(
        err, DR_AT_REGISTRY, DR_ERR_PULL, call->proxy_status,
        "the proxy does not let us through to %s (%d): %s", host, call->proxy_status,
        call->proxy_status == 407
            ? "it wants a user and a password, http://USER:PASSWORD@HOST:PORT in "
              "HTTPS_PROXY"
            : "put the registry into NO_PROXY if it can be reached without, or check "
              "HTTPS_PROXY");
}

int status_fail_transfer(const struct registry *reg, const struct http_call *call,
                         const char *host, struct dr_error *err)
{
    enum dr_kind kind = DR_ERR_PULL;
    dr_auto_free char *detail = dr_escape(call->detail, 200);
    dr_auto_free char *text = NULL;
    const char *os = os_reason(call);
    if (proxy_refused(call))
        return fail_proxy(call, host, err);
    dr_auto_free char *place = tls_host_place(reg->ref.host);
    if (wants_certificate(reg, call))
        return dr_fail_at(
            err, DR_AT_REGISTRY, kind, 0,
            "%s probably wants a certificate of the client's (%s): put client.cert "
            "and client.key into %s, or name their directory with --cert-dir",
            host, detail, place);
    switch (call->result) {
    case CURLE_COULDNT_RESOLVE_HOST:
        text =
            dr_printf("the host %s is not known: check its name and the network", host);
        break;
    case CURLE_COULDNT_RESOLVE_PROXY:
        text = dr_printf("the proxy's host is not known: check " PROXY_SETTINGS);
        break;
    case CURLE_COULDNT_CONNECT:
        text = dr_printf("cannot connect to %s: %s: is the %s running there?", host,
                         os ? os : detail, reg->plain ? "server" : "registry");
        break;
    case CURLE_OPERATION_TIMEDOUT:
        kind = DR_ERR_TIMEOUT;
        text = dr_printf("%s does not answer (%s): check the network and try again", host,
                         detail);
        break;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_ISSUER_ERROR:
        text =
            dr_printf("the TLS certificate of %s is not trusted (%s): give the CA that "
                      "signed it with --tls-ca, or put it at %s/ca.crt",
                      host, detail, place);
        break;
    case CURLE_ABORTED_BY_CALLBACK: /* of tls-win.c: OpenSSL compares addresses itself */
        text =
            strstr(call->detail, "pre-request")
                ? dr_printf("the TLS certificate of %s is not for that address: it must "
                            "be among its subjectAltNames, as IP:ADDRESS",
                            host)
                : dr_printf("%s: %s", host, detail);
        break;
    case CURLE_SSL_CERTPROBLEM:
        kind = DR_ERR_CONFIG;
        text = dr_printf("the client's certificate %s, or its key, cannot be used (%s)",
                         reg->tls.cert ? reg->tls.cert : "", detail);
        break;
    case CURLE_SSL_CACERT_BADFILE:
        kind = DR_ERR_CONFIG;
        text = dr_printf("the CA file cannot be used (%s)", detail);
        break;
    case CURLE_SSL_CONNECT_ERROR:
        text = dr_printf("no TLS connection to %s (%s): if it speaks plain HTTP, say so "
                         "with --tls-verify=false",
                         host, detail);
        break;
    case CURLE_PARTIAL_FILE:
    case CURLE_GOT_NOTHING:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
        /* TLS 1.3: the alert that would say so may come too late to be read */
        text = dr_printf("%s broke the connection (%s): try again%s", host, detail,
                         reg->origin.https && !reg->contacted && !reg->tls.cert
                             ? ", or give it a client's certificate if it wants one"
                             : "");
        break;
    default:
        text = dr_printf("%s: %s", host, detail);
    }
    return dr_fail_at(err, DR_AT_REGISTRY, kind, call->status, "%s", text);
}

/* 401 and 403 are what registries say for images that are not there, too. */
static char *denied(const struct registry *reg, const char *host, int status)
{
    bool hub = strcmp(reg->ref.host, OCI_DEFAULT_HOST) == 0;
    if (reg->plain)
        return dr_printf("%s denies access (%d): dray sends nobody's name and password "
                         "there; another tool may, into a pipe",
                         host, status);
    if (reg->auth.login)
        return dr_printf("%s refuses the user name and password (%d)", host, status);
    if (reg->pushing && auth_has_user(&reg->auth))
        return dr_printf("%s denies the push (%d): the user name or password is wrong, "
                         "or this user may not write to %s",
                         host, status, reg->ref.path);
    if (reg->pushing)
        return dr_printf("%s denies the push (%d): a login is needed: dray login%s%s",
                         host, status, hub ? "" : " ", hub ? "" : reg->ref.host);
    if (auth_has_user(&reg->auth))
        return dr_printf(
            "%s denies access (%d): the user name or password is wrong, the image "
            "does not exist, or this user may not read it",
            host, status);
    return dr_printf("%s denies access (%d): the image does not exist, or a login is "
                     "needed: dray login%s%s",
                     host, status, hub ? "" : " ", hub ? "" : reg->ref.host);
}

int64_t status_wait_s(const struct http_call *call)
{
    int64_t wait_s = call->retry_after_s, now_s = dr_now_ns() / 1000000000;
    if (wait_s <= 0 && call->limit_reset > 0 && call->status == 429)
        /* seconds from now on, or a time of the clock */
        wait_s =
            call->limit_reset < now_s / 2 ? call->limit_reset : call->limit_reset - now_s;
    return wait_s < 0 ? 0 : wait_s > WAIT_MAX_S ? WAIT_MAX_S : wait_s;
}

static char *in_trouble(const struct http_call *call, const char *host)
{
    int64_t wait_s = status_wait_s(call);
    if (wait_s == 0)
        return dr_printf("%s is in trouble (%d): try again later", host, call->status);
    char when[DR_TIME_TEXT];
    dr_time_format(dr_now_ns() + wait_s * 1000000000, when);
    return dr_printf("%s is in trouble (%d): try again in %lld s (at %.19sZ)", host,
                     call->status, (long long)wait_s, when);
}

static char *too_many(const struct http_call *call, const char *host)
{
    int64_t wait_s = status_wait_s(call);
    if (wait_s == 0)
        return dr_printf(
            "%s has had too many requests (429): try again later, or log in for a "
            "higher limit",
            host);
    char when[DR_TIME_TEXT];
    dr_time_format(dr_now_ns() + wait_s * 1000000000, when);
    return dr_printf(
        "%s has had too many requests (429): try again in %lld s (at %.19sZ), or "
        "log in for a higher limit",
        host, (long long)wait_s, when);
}

int status_fail_http(const struct registry *reg, const struct http_call *call,
                     const char *host, struct dr_error *err)
{
    enum dr_kind kind = DR_ERR_PULL;
    dr_auto_free char *text = NULL, *words = status_words(call);
    int status = call->status;
    if (status == 401 || status == 403) {
        text = denied(reg, host, status);
    } else if (status == 404) {
        kind = DR_ERR_NOT_FOUND;
        text = reg->plain ? dr_printf("%s has no such file (404): check the URL", host)
               : reg->pushing
                   ? dr_printf("%s has no repository %s (404): it may have to be made "
                               "there first",
                               host, reg->ref.path)
                   : dr_printf("%s has no such image or tag (404): check the name", host);
    } else if (status == 413) {
        text = dr_printf("%s refuses what it is sent as too large (413)", host);
    } else if (status == 429) {
        text = too_many(call, host);
    } else if (status >= 500) {
        text = in_trouble(call, host);
    } else {
        text = dr_printf("%s answers with the status %d", host, status);
    }
    return dr_fail_at(err, DR_AT_REGISTRY, kind, status, "%s%s%s%s", text,
                      *words ? " [" : "", words, *words ? "]" : "");
}

bool status_is_passing(const struct registry *reg, const struct http_call *call)
{
    if (wants_certificate(reg, call) || (proxy_refused(call) && call->proxy_status < 500))
        return false;
    if (call->result != CURLE_OK) {
        switch (call->result) {
        case CURLE_COULDNT_RESOLVE_HOST:
        case CURLE_COULDNT_CONNECT:
            /* a mistyped host should fail at once; one that answered before is only tired
             */
            return reg->contacted;
        case CURLE_OPERATION_TIMEDOUT:
        case CURLE_PARTIAL_FILE:
        case CURLE_GOT_NOTHING:
        case CURLE_RECV_ERROR:
        case CURLE_SEND_ERROR:
        case CURLE_HTTP2:
        case CURLE_HTTP2_STREAM:
            return true;
        default:
            return false;
        }
    }
    switch (call->status) {
    case 408:
    case 429:
    case 500:
    case 502:
    case 503:
    case 504:
        return true;
    default:
        return false;
    }
}
