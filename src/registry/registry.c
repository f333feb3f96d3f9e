/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/registry.h"

#include <string.h>

#include "registry/internal.h"

#define DOCKER_HUB_API "registry-1.docker.io"

char *registry_url(const struct registry *reg, const char *path)
{
    return dr_printf("%s://%s%s", reg->origin.https ? "https" : "http", reg->api_host,
                     path);
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
    to->user = dr_strdup(to->user);
    to->password = dr_strdup(to->password);
    to->auth_file = dr_strdup(to->auth_file);
    to->ca_file = dr_strdup(to->ca_file);
    to->cert_dir = dr_strdup(to->cert_dir);
    size_t n = 0;
    while (to->allow_realms && to->allow_realms[n])
        n++;
    char **realms = dr_alloc((n + 1) * sizeof *realms);
    for (size_t i = 0; i < n; i++)
        realms[i] = dr_strdup(to->allow_realms[i]);
    to->allow_realms = (const char *const *)realms;
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
    for (const char *const *p = options->allow_realms; p && *p; p++)
        free((char *)*p);
    free((void *)options->allow_realms);
}

int registry_open(const struct oci_ref *ref, const struct registry_options *options,
                  struct registry **ret_registry, struct dr_error *err)
{
    struct registry *reg = dr_alloc(sizeof *reg);
    pthread_mutex_init(&reg->lock, NULL);
    copy_options(options, &reg->options);
    oci_ref_copy(ref, &reg->ref);
    reg->familiar = oci_ref_familiar(ref);
    bool hub = strcmp(ref->host, OCI_DEFAULT_HOST) == 0;
    reg->api_host = dr_strdup(hub ? DOCKER_HUB_API : ref->host);

    int rc = registry_set_scheme(reg, true, err);
    if (rc == 0) {
        bool loopback = origin_place(reg->origin.host) == ORIGIN_LOOPBACK;
        const struct registry_options *o = &reg->options;
        struct tls_options tls = {
            .ca_file = o->ca_file, .cert_dir = o->cert_dir, .insecure = o->insecure};
        rc = tls_load(reg->ref.host, &tls, &reg->tls, err);
        reg->guessing = o->insecure || (loopback && reg->tls.ca.len == 0);
        if (rc == 0)
            rc = registry_set_scheme(reg, !(loopback && reg->guessing), err);
        struct http_options http = {.connect_timeout_ms = reg->options.connect_timeout_ms,
                                    .stall_timeout_ms = reg->options.stall_timeout_ms,
                                    .tls = &reg->tls,
                                    .no_proxy = loopback,
                                    .deadline_ms = reg->options.deadline_ms,
                                    .cancel = reg->options.cancel};
        if (rc == 0)
            rc = http_new(&http, &reg->http, err);
    }
    if (rc < 0) {
        dr_wrap(err, "%s", reg->familiar);
        registry_close(reg);
        return -1;
    }
    *ret_registry = reg;
    return 0;
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
    finish_documents(reg);
    auth_release(&reg->auth);
    http_free(reg->http);
    tls_release(&reg->tls);
    release_options(&reg->options);
    oci_ref_release(&reg->ref);
    free(reg->familiar);
    free(reg->api_host);
    pthread_mutex_destroy(&reg->lock);
    free(reg);
}
