/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/auth.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/json.h"
#include "base/text.h"
#include "registry/challenge.h"
#include "registry/internal.h"
#include "registry/status.h"

#define TOKEN_ANSWER_MAX (256 * 1024)
#define TOKEN_LIFE_DEFAULT_S 60 /* distribution-spec: when expires_in is missing */

/* Token servers that are known to belong to a registry on another host. */
static const struct {
    const char *registry, *realm;
} known_realms[] = {
    {"registry-1.docker.io", "auth.docker.io"},
    {"registry.gitlab.com", "gitlab.com"},
};

static void forget(char **secret)
{
    if (*secret)
        explicit_bzero(*secret, strlen(*secret));
    free(*secret);
    *secret = NULL;
}

void auth_release(struct auth *auth)
{
    forget(&auth->header);
    forget(&auth->identity_token);
    credentials_release(&auth->credentials);
    free(auth->realm);
    free(auth->service);
    free(auth->scope);
    *auth = (struct auth){0};
}

bool auth_has_user(const struct auth *auth)
{
    return auth->credentials.user || auth->credentials.identity_token;
}

static int look_for_credentials(struct registry *reg, struct dr_error *err)
{
    struct auth *auth = &reg->auth;
    if (auth->looked)
        return 0;
    if (reg->options.user && reg->options.password) {
        auth->credentials.user = dr_strdup(reg->options.user);
        auth->credentials.password = dr_strdup(reg->options.password);
    } else if (credentials_find(&reg->ref, reg->options.auth_file, &auth->credentials,
                                err) < 0) {
        return -1;
    }
    auth->looked = true;
    return 0;
}

static void set_header(struct auth *auth, char *header, bool is_token)
{
    forget(&auth->header);
    auth->header = header;
    auth->is_token = is_token;
    auth->generation++;
}

static char *basic_header(const struct credentials *c)
{
    dr_auto_free char *pair = dr_printf("%s:%s", c->user, c->password);
    dr_auto_free char *base64 = dr_base64(pair, strlen(pair));
    char *header = dr_printf("Basic %s", base64);
    explicit_bzero(pair, strlen(pair));
    explicit_bzero(base64, strlen(base64));
    return header;
}

/* list: names, with commas or blanks between them. */
static bool is_listed(const char *list, const char *host)
{
    static const char between[] = ", \t";
    size_t len = strlen(host), n;
    for (const char *p = list ? list : ""; *p; p += n) {
        p += strspn(p, between);
        n = strcspn(p, between);
        if (n == len && strncasecmp(p, host, n) == 0)
            return true;
    }
    return false;
}

/* May the user's secret go to this token server? (CVE-2020-15157: a registry, or whoever
 * speaks for it, names a realm and collects passwords there.) */
static bool may_have_secret(const struct registry *reg, const struct origin *realm)
{
    bool own = strcmp(realm->host, reg->origin.host) == 0;
    /* over http only where the user asked for http to this very host */
    if (!realm->https)
        return own && !reg->origin.https;
    if (own)
        return true;
    for (size_t i = 0; i < DR_COUNT(known_realms); i++)
        if (strcmp(known_realms[i].registry, reg->origin.host) == 0 &&
            strcmp(known_realms[i].realm, realm->host) == 0)
            return true;
    return is_listed(reg->options.token_servers, realm->host);
}

static int check_realm(struct registry *reg, struct origin *ret_realm,
                       struct dr_error *err)
{
    struct origin realm;
    if (origin_parse(reg->auth.realm, &realm, err) < 0)
        return dr_wrap(err, "the registry's token server");
    enum origin_place place = origin_place(realm.host);
    bool same_host = strcmp(realm.host, reg->origin.host) == 0;
    if (place != ORIGIN_ELSEWHERE && !same_host &&
        origin_place(reg->origin.host) != place)
        return dr_fail_at(err, DR_AT_REGISTRY, DR_ERR_PULL, 401,
                          "the registry names %s as its token server, an address of this "
                          "machine or of its link: refused",
                          realm.host);
    if (!realm.https && reg->origin.https)
        return dr_fail_at(
            err, DR_AT_REGISTRY, DR_ERR_PULL, 401,
            "the registry names a token server without TLS (http://%s): refused",
            realm.host);
    if (auth_has_user(&reg->auth) && !may_have_secret(reg, &realm))
        return dr_fail_at(
            err, DR_AT_REGISTRY, DR_ERR_PULL, 401,
            "the registry wants the password to be sent to another host, %s: "
            "refused; if you trust that one, allow it: DRAY_TOKEN_SERVERS=%s",
            realm.host, realm.host);
    *ret_realm = realm;
    return 0;
}

/* Appends "name=value" with value percent-encoded. */
static int add_param(struct dr_buf *buf, const char *name, const char *value,
                     struct dr_error *err)
{
    if (!value)
        return 0;
    if (buf->len && !strchr("?&", buf->data[buf->len - 1]) &&
        dr_buf_add(buf, "&", 1, err) < 0)
        return -1;
    if (dr_buf_addf(buf, err, "%s=", name) < 0)
        return -1;
    for (const unsigned char *p = (const unsigned char *)value; *p; p++) {
        int rc = isalnum(*p) || strchr("-._~:/,", *p)
                     ? dr_buf_add(buf, p, 1, err)
                     : dr_buf_addf(buf, err, "%%%02X", *p);
        if (rc < 0)
            return -1;
    }
    return 0;
}

/* In a URL each one is a parameter of its own. */
static int add_scopes(struct dr_buf *url, const char *scopes, struct dr_error *err)
{
    size_t len;
    for (const char *p = scopes; p && *p; p += len + (p[len] == ' ')) {
        len = strcspn(p, " ");
        dr_auto_free char *one = dr_strndup(p, len);
        if (add_param(url, "scope", one, err) < 0)
            return -1;
    }
    return 0;
}

/* What goes to the token server: with a refresh token a POST (OAuth2), else a GET. */
static int build_request(const struct auth *auth, struct dr_buf *url, struct dr_buf *form,
                         struct dr_error *err)
{
    const char *token = auth->credentials.identity_token;
    if (dr_buf_addf(url, err, "%s", auth->realm) < 0)
        return -1;
    if (!token) {
        if (dr_buf_add(url, strchr(auth->realm, '?') ? "&" : "?", 1, err) < 0)
            return -1;
        if (auth->credentials.user &&
            add_param(url, "account", auth->credentials.user, err) < 0)
            return -1;
        /* Docker's way to ask for a refresh token, to be kept instead of the password */
        if (auth->login && (add_param(url, "client_id", "dray", err) < 0 ||
                            add_param(url, "offline_token", "true", err) < 0))
            return -1;
        return add_param(url, "service", auth->service, err) < 0 ||
                       add_scopes(url, auth->scope, err) < 0
                   ? -1
                   : 0;
    }
    return add_param(form, "grant_type", "refresh_token", err) < 0 ||
                   add_param(form, "client_id", "dray", err) < 0 ||
                   add_param(form, "service", auth->service, err) < 0 ||
                   add_param(form, "scope", auth->scope, err) < 0 ||
                   add_param(form, "refresh_token", token, err) < 0
               ? -1
               : 0;
}

static int take_token(struct auth *auth, const struct http_call *call, const char *host,
                      struct dr_error *err)
{
    dr_auto_error struct dr_error ignored = DR_ERROR_INIT;
    dr_auto_json json_t *doc = dr_json_parse(call->body.data ? call->body.data : "",
                                             call->body.len, TOKEN_ANSWER_MAX, &ignored);
    const char *token = dr_json_str(doc, "token");
    if (!token || !*token)
        token = dr_json_str(doc, "access_token");
    bool good = token && *token;
    for (const char *p = token; good && *p; p++)
        good = *p > ' ' && *p < 0x7f; /* it becomes a header */
    if (!good)
        return dr_fail_at(err, DR_AT_REGISTRY, DR_ERR_PULL, call->status,
                          "the token server %s sent no token", host);
    int64_t life_s = dr_json_int(doc, "expires_in", TOKEN_LIFE_DEFAULT_S);
    if (life_s < TOKEN_LIFE_DEFAULT_S)
        life_s = life_s > 0 ? life_s : TOKEN_LIFE_DEFAULT_S;
    if (life_s > 24 * 3600)
        life_s = 24 * 3600;
    const char *refresh = dr_json_str(doc, "refresh_token");
    if (auth->login && refresh && *refresh) {
        forget(&auth->identity_token);
        auth->identity_token = dr_strdup(refresh);
    }
    auth->refresh_ms = dr_clock_ms() + life_s * 800;
    set_header(auth, dr_printf("Bearer %s", token), true);
    return 0;
}

/* What else is under way goes on meanwhile. */
static int wait_for(struct registry *reg, int64_t ms, struct dr_error *err)
{
    int64_t until_ms = dr_clock_ms() + ms, left;
    while ((left = until_ms - dr_clock_ms()) > 0)
        if (http_pump(reg->http, left < 1000 ? (int)left : 1000, err) < 0)
            return -1;
    return 0;
}

static int fetch_token(struct registry *reg, struct dr_error *err)
{
    struct auth *auth = &reg->auth;
    struct origin realm;
    if (check_realm(reg, &realm, err) < 0)
        return -1;
    dr_auto_buf struct dr_buf url = DR_BUF_INIT(2 * ORIGIN_URL_MAX);
    dr_auto_buf struct dr_buf form = DR_BUF_INIT(4 * ORIGIN_URL_MAX);
    if (build_request(auth, &url, &form, err) < 0)
        return dr_wrap(err, "the registry's token server");
    char *basic = auth->credentials.user && !auth->credentials.identity_token
                      ? basic_header(&auth->credentials)
                      : NULL;
    struct http_request request = {.url = url.data,
                                   .tls = &reg->tls,
                                   .own = strcmp(realm.host, reg->origin.host) == 0,
                                   .authorization = basic,
                                   .post = form.len ? form.data : NULL,
                                   .accept = "application/json",
                                   .body_max = TOKEN_ANSWER_MAX};
    DR_CLEANUP(http_call_release) struct http_call call = {0};
    int rc = -1;
    int64_t wait_ms = 0, until_ms = dr_clock_ms() + reg->options.retry_deadline_ms;
    for (int tries = 1;; tries++) {
        if ((rc = wait_for(reg, wait_ms, err)) < 0)
            break;
        http_start(reg->http, &call, &request);
        if ((rc = http_finish(&call, err)) < 0)
            break;
        wait_ms = status_wait_s(&call) * 1000;
        if (wait_ms == 0)
            wait_ms = exchange_backoff_ms(tries - 1);
        /* no redirect is followed from here: the realm was what was checked */
        if (call.result == CURLE_OK && call.status >= 200 && call.status < 300) {
            rc = take_token(auth, &call, realm.host, err);
            break;
        }
        rc = call.result != CURLE_OK && !call.too_long
                 ? status_fail_transfer(reg, &call, realm.host, err)
                 : status_fail_http(reg, &call, realm.host, err);
        if (tries >= reg->options.tries || !status_is_passing(reg, &call) ||
            dr_clock_ms() + wait_ms > until_ms)
            break;
        registry_tell_wait(reg, err, wait_ms);
        dr_error_release(err);
    }
    forget(&basic);
    if (form.data)
        explicit_bzero(form.data, form.len);
    if (call.body.data)
        explicit_bzero(call.body.data, call.body.len);
    return rc;
}

static void keep(char **to, char **from)
{
    free(*to);
    *to = DR_TAKE(*from);
}

int auth_answer(struct registry *reg, const char *www_authenticate, struct dr_error *err)
{
    struct auth *auth = &reg->auth;
    dr_auto_challenge struct challenge challenge = {0};
    if (!www_authenticate)
        return 0;
    if (challenge_parse(www_authenticate, &challenge, err) < 0) {
        err->kind = DR_ERR_PULL;
        err->origin = DR_AT_REGISTRY;
        return -1;
    }
    if (!challenge.bearer && !challenge.basic)
        return 0;
    if (look_for_credentials(reg, err) < 0)
        return -1;
    if (challenge.bearer) {
        keep(&auth->realm, &challenge.realm);
        keep(&auth->service, &challenge.service);
        keep(&auth->scope, &challenge.scope);
        if (auth->login) { /* to come in is enough, as for Docker */
            free(auth->scope);
            auth->scope = NULL;
        } else if (!auth->scope || reg->scope) {
            /* one token for all that a push does, whatever this question needs */
            free(auth->scope);
            auth->scope = reg->scope ? dr_strdup(reg->scope)
                                     : dr_printf("repository:%s:pull", reg->ref.path);
        }
        return fetch_token(reg, err) < 0 ? -1 : 1;
    }
    /* the same password again would be refused again */
    if (!auth->credentials.user || (auth->header && !auth->is_token))
        return 0;
    set_header(auth, basic_header(&auth->credentials), false);
    return 1;
}

int auth_refresh(struct registry *reg, struct dr_error *err)
{
    struct auth *auth = &reg->auth;
    if (!auth->is_token || !auth->header || dr_clock_ms() < auth->refresh_ms)
        return 0;
    auth->refresh_ms = INT64_MAX; /* once; a 401 does the rest */
    dr_auto_error struct dr_error problem = DR_ERROR_INIT;
    if (fetch_token(reg, &problem) < 0 && problem.kind == DR_ERR_CANCELLED)
        return dr_error_move(err, &problem);
    return 0;
}
