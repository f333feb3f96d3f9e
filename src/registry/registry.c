/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/registry.h"

#include <string.h>

#include "base/text.h"
#include "registry/internal.h"
#include "registry/route.h"

#define TOLD_AGAIN_MS 500
#define MIRROR_RETRY_MS 5000 /* then the next one may be quicker */

char *registry_url(const struct registry *reg, const char *path)
{
    const char *scheme = reg->origin.https ? "https" : "http";
    bool api = strncmp(path, "/v2/", 4) == 0;
    const char *root = reg->api_root && api ? reg->api_root : "";
    const char *rest = reg->api_root && api ? path + strlen("/v2") : path;
    return dr_printf("%s://%s%s%s%s%s", scheme, reg->api_host, root, rest,
                     !reg->ns            ? ""
                     : strchr(rest, '?') ? "&ns="
                                         : "?ns=",
                     reg->ns ? reg->ns : "");
}

int registry_set_scheme(struct registry *reg, bool https, struct dr_error *err)
{
    reg->origin.https = https;
    dr_auto_free char *url = registry_url(reg, "/");
    return origin_parse(url, &reg->origin, err);
}

static int positive(int value, int otherwise)
{
    return value > 0 ? value : otherwise;
}

static void copy_options(const struct registry_options *from, struct registry_options *to)
{
    static const struct registry_options defaults;
    *to = from ? *from : defaults;
    to->pin = NULL;
    to->user = dr_strdup(to->user);
    to->password = dr_strdup(to->password);
    to->auth_file = dr_strdup(to->auth_file);
    to->ca_file = dr_strdup(to->ca_file);
    to->cert_dir = dr_strdup(to->cert_dir);
    to->registries_conf = dr_strdup(to->registries_conf);
    to->policy_file = dr_strdup(to->policy_file);
    to->token_servers = dr_strdup(to->token_servers);
    to->max_parallel = positive(to->max_parallel, 4);
    to->connect_timeout_ms = positive(to->connect_timeout_ms, 10000);
    to->stall_timeout_ms = positive(to->stall_timeout_ms, 30000);
    to->tries = positive(to->tries, 5);
    to->retry_deadline_ms = positive(to->retry_deadline_ms, 120000);
}

static void release_options(struct registry_options *options)
{
    if (options->password)
        explicit_bzero((char *)options->password, strlen(options->password));
    free((char *)options->user);
    free((char *)options->password);
    free((char *)options->auth_file);
    free((char *)options->ca_file);
    free((char *)options->cert_dir);
    free((char *)options->registries_conf);
    free((char *)options->policy_file);
    free((char *)options->token_servers);
}

/* The credentials that a call names are for the host that its reference names. */
static void drop_credentials(struct registry *reg)
{
    if (reg->options.password)
        explicit_bzero((char *)reg->options.password, strlen(reg->options.password));
    free((char *)reg->options.user);
    free((char *)reg->options.password);
    reg->options.user = reg->options.password = NULL;
}

static int set_up(struct registry *reg, const struct endpoint *e, struct dr_error *err)
{
    const struct registry_options *o = &reg->options;
    if (registry_set_scheme(reg, true, err) < 0)
        return -1;
    bool loopback = origin_place(reg->origin.host) == ORIGIN_LOOPBACK;
    struct tls_options tls = {.ca_file = o->ca_file,
                              .cert_dir = e->mirror ? NULL : o->cert_dir,
                              .ca_files = (const char *const *)e->ca_files,
                              .cert = e->cert,
                              .key = e->key,
                              .insecure = e->insecure || (!e->mirror && o->insecure)};
    if (tls_load(reg->ref.host, &tls, &reg->tls, err) < 0 ||
        http_check_tls(reg->http, &reg->tls, err) < 0)
        return -1;
    reg->guessing =
        !e->plain_http && (tls.insecure || (loopback && reg->tls.ca.len == 0));
    bool http = e->plain_http || (loopback && reg->guessing);
    return registry_set_scheme(reg, !http, err);
}

/* of: whose mirror it is, or NULL. */
static int endpoint_open(const struct oci_ref *named, const struct endpoint *e,
                         const struct registry_options *options, struct registry *of,
                         struct registry **ret, struct dr_error *err)
{
    struct registry *reg = dr_alloc(sizeof *reg);
    pthread_mutex_init(&reg->lock, NULL);
    copy_options(options, &reg->options);
    oci_ref_copy(&e->ref, &reg->ref);
    oci_ref_copy(named, &reg->named);
    reg->familiar = oci_ref_familiar(named);
    reg->api_host = dr_strdup(e->api_host);
    reg->api_root = dr_strdup(e->api_root);
    reg->ns = dr_strdup(e->ns);
    if (strcmp(named->host, e->ref.host) != 0)
        drop_credentials(reg);
    int rc = 0;
    if (of) {
        reg->http = of->http;
        reg->http_borrowed = true;
        if (reg->options.retry_deadline_ms > MIRROR_RETRY_MS)
            reg->options.retry_deadline_ms = MIRROR_RETRY_MS;
    } else {
        struct http_options http = {.connect_timeout_ms = reg->options.connect_timeout_ms,
                                    .stall_timeout_ms = reg->options.stall_timeout_ms,
                                    .deadline_ms = reg->options.deadline_ms,
                                    .cancel = reg->options.cancel};
        rc = http_new(&http, &reg->http, err);
    }
    if (rc == 0)
        rc = set_up(reg, e, err);
    if (rc < 0) {
        registry_close(reg);
        return -1;
    }
    *ret = reg;
    return 0;
}

static int open_route(const struct oci_ref *ref, const struct route *route,
                      const struct registry_options *options, struct registry **ret,
                      struct dr_error *err)
{
    struct registry *reg;
    size_t last = route->n - 1;
    if (endpoint_open(ref, &route->endpoints[last], options, NULL, &reg, err) < 0)
        return -1;
    reg->mirrors = dr_alloc(route->n * sizeof *reg->mirrors);
    for (size_t i = 0; i < last; i++, reg->n_mirrors++)
        if (endpoint_open(ref, &route->endpoints[i], options, reg, &reg->mirrors[i],
                          err) < 0) {
            dr_wrap(err, "mirror %s", route->endpoints[i].api_host);
            registry_close(reg);
            return -1;
        }
    *ret = reg;
    return 0;
}

int registry_open(const struct oci_ref *ref, const struct registry_options *options,
                  struct registry **ret_registry, struct dr_error *err)
{
    dr_auto_route struct route route = {0};
    dr_auto_ref struct oci_ref asked = OCI_REF_INIT;
    bool direct = options && options->direct;
    const char *conf = options ? options->registries_conf : NULL;
    oci_ref_copy(ref, &asked);
    if (options && options->pin) /* it is asked for by digest, of mirrors too */
        asked.digest = *options->pin;
    if (route_find(&asked, conf, direct, &route, err) == 0 &&
        open_route(ref, &route, options, ret_registry, err) == 0)
        return 0;
    dr_auto_free char *familiar = oci_ref_familiar(ref);
    return dr_wrap(err, "%s", familiar);
}

int registry_open_server(const char *url, const struct registry_options *options,
                         struct registry **ret, struct dr_error *err)
{
    struct origin at;
    struct registry *reg;
    if (origin_parse(url, &at, err) < 0) {
        err->kind = DR_ERR_INVALID;
        return -1;
    }
    const char *host = strchr(url, ':') + strlen("://");
    dr_auto_free char *text = dr_strndup(host, strcspn(host, "/?#"));
    dr_auto_ref struct oci_ref ref = {.host = dr_strdup(text), .path = dr_strdup("")};
    struct endpoint e = {.ref = ref, .api_host = text, .plain_http = !at.https};
    if (endpoint_open(&ref, &e, options, NULL, &reg, err) < 0)
        return -1;
    reg->plain = true;
    reg->guessing = false;
    if (registry_set_scheme(reg, at.https, err) < 0) {
        registry_close(reg);
        return -1;
    }
    *ret = reg;
    return 0;
}

void registry_tell_wait(struct registry *reg, const struct dr_error *why, int64_t wait_ms)
{
    int64_t now = dr_clock_ms(), until_ms = now + wait_ms;
    bool others_wait =
        now < reg->told_until_ms && until_ms < reg->told_until_ms + TOLD_AGAIN_MS;
    if (!reg->options.waiting || others_wait)
        return;
    reg->told_until_ms = until_ms;
    reg->options.waiting(reg->options.context, why->text, wait_ms);
}

void registry_keep_document(struct registry *reg, const struct oci_digest *digest,
                            const void *data, size_t len)
{
    struct store *store = reg->options.store;
    struct store_fetch *fetch;
    dr_auto_error struct dr_error ignored = DR_ERROR_INIT;
    if (!store || reg->n_documents == REGISTRY_DOCUMENTS_MAX ||
        store_blob_open(store, digest, (int64_t)len, &fetch, &ignored) < 0)
        return;
    int64_t have = store_fetch_have(fetch);
    if (store_fetch_state(fetch) != STORE_OWNED ||
        store_fetch_append(fetch, (const char *)data + have, len - (size_t)have,
                           &ignored) < 0 ||
        store_fetch_verify(fetch, &ignored) != 0) {
        store_fetch_close(fetch);
        return;
    }
    if (!reg->committer)
        reg->committer = committer_new(REGISTRY_DOCUMENTS_MAX);
    reg->documents[reg->n_documents++] = fetch;
    committer_add(reg->committer, fetch);
}

static void finish_documents(struct registry *reg)
{
    dr_auto_error struct dr_error ignored = DR_ERROR_INIT;
    if (reg->committer)
        committer_end(reg->committer, &ignored);
    for (size_t i = 0; i < reg->n_documents; i++)
        store_fetch_close(reg->documents[i]);
}

void registry_close(struct registry *reg)
{
    if (!reg)
        return;
    for (size_t i = 0; i < reg->n_mirrors; i++)
        registry_close(reg->mirrors[i]);
    free(reg->mirrors);
    finish_documents(reg);
    auth_release(&reg->auth);
    if (!reg->http_borrowed)
        http_free(reg->http);
    tls_release(&reg->tls);
    release_options(&reg->options);
    oci_ref_release(&reg->ref);
    oci_ref_release(&reg->named);
    free(reg->familiar);
    free(reg->scope);
    free(reg->api_host);
    free(reg->api_root);
    free(reg->ns);
    pthread_mutex_destroy(&reg->lock);
    free(reg);
}
