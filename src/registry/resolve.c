/* SPDX-License-Identifier: Apache-2.0 */
/* From a reference to the image for one platform: index, manifest, config. */
#include <string.h>

#include "base/text.h"
#include "oci/descent.h"
#include "registry/internal.h"
#include "registry/nearest.h"
#include "registry/policy.h"

static const char accept_all[] =
    "application/vnd.oci.image.manifest.v1+json, "
    "application/vnd.oci.image.index.v1+json, "
    "application/vnd.docker.distribution.manifest.v2+json, "
    "application/vnd.docker.distribution.manifest.list.v2+json, "
    /* only to be told that it is one, instead of a 404 */
    "application/vnd.docker.distribution.manifest.v1+prettyjws;q=0.1";

/* A document with its digest, which was verified or computed. */
struct document {
    struct dr_buf bytes;
    char *type; /* owned: what was declared, or NULL */
    struct oci_digest digest;
};

static void document_release(struct document *doc)
{
    dr_buf_release(&doc->bytes);
    free(doc->type);
}

static int wrong_digest(const char *what, const struct oci_digest *is,
                        const struct oci_digest *should, struct dr_error *err)
{
    return dr_fail_at(err, DR_AT_REGISTRY, DR_ERR_FORMAT, 0,
                      "the registry sent wrong bytes: %s should be %s, but is %s", what,
                      should->text, is->text);
}

/* By digest: from the cache, else from the registry into the cache. size_bytes: of the
 * descriptor, or -1. kind: "manifests" or "blobs". */
static int get_pinned(struct registry *reg, const char *kind, const char *what,
                      const struct oci_digest *digest, int64_t size_bytes,
                      struct document *doc, struct dr_error *err)
{
    struct store *store = reg->options.store;
    size_t limit = size_bytes >= 0 && size_bytes < OCI_MANIFEST_MAX ? (size_t)size_bytes
                                                                    : OCI_MANIFEST_MAX;
    if (size_bytes > OCI_MANIFEST_MAX)
        return dr_fail_at(err, DR_AT_REGISTRY, DR_ERR_FORMAT, 0,
                          "%s has %lld bytes, at most %u are accepted", what,
                          (long long)size_bytes, OCI_MANIFEST_MAX);
    doc->bytes = DR_BUF_INIT(limit);
    doc->digest = *digest;
    int cached = store ? store_blob_get(store, digest, &doc->bytes, err) : 0;
    if (cached < 0 && err->kind != DR_ERR_FORMAT)
        return -1;
    if (cached < 0) /* longer than the descriptor says: let the registry show */
        dr_error_release(err);
    if (cached <= 0) {
        dr_auto_free char *path =
            dr_printf("/v2/%s/%s/%s", reg->ref.path, kind, digest->text);
        DR_CLEANUP(exchange_release)
        struct exchange x = {.reg = reg,
                             .path = path,
                             .accept = strcmp(kind, "manifests") == 0 ? accept_all : NULL,
                             .body_max = limit,
                             .pinned = true,
                             .part = size_bytes >= 0};
        if (exchange_run(&x, err) < 0)
            return -1;
        dr_buf_release(&doc->bytes);
        doc->bytes = x.call.body;
        x.call.body = (struct dr_buf){0};
        if (strcmp(kind, "manifests") == 0)
            doc->type = DR_TAKE(x.call.content_type);
        struct oci_digest is;
        oci_digest_of(doc->bytes.data ? doc->bytes.data : "", doc->bytes.len, &is);
        if (!oci_digest_equal(&is, digest))
            return wrong_digest(what, &is, digest, err);
    }
    if (size_bytes >= 0 && (int64_t)doc->bytes.len != size_bytes)
        return dr_fail_at(err, DR_AT_REGISTRY, DR_ERR_FORMAT, 0,
                          "%s has %zu bytes, but its descriptor says %lld", what,
                          doc->bytes.len, (long long)size_bytes);
    if (cached <= 0)
        registry_keep_document(reg, digest, doc->bytes.data ? doc->bytes.data : "",
                               doc->bytes.len);
    return 0;
}

/* What stands behind the tag now. */
static int get_tagged(struct registry *reg, struct document *doc, struct dr_error *err)
{
    dr_auto_free char *path =
        dr_printf("/v2/%s/manifests/%s", reg->ref.path, reg->ref.tag);
    DR_CLEANUP(exchange_release)
    struct exchange x = {
        .reg = reg, .path = path, .accept = accept_all, .body_max = OCI_MANIFEST_MAX};
    if (exchange_run(&x, err) < 0) {
        if (err->code == 404 && err->kind == DR_ERR_NOT_FOUND && !reg->http_borrowed)
            nearest_tag(reg, err);
        return -1;
    }
    doc->bytes = x.call.body;
    x.call.body = (struct dr_buf){0};
    doc->type = DR_TAKE(x.call.content_type);
    oci_digest_of(doc->bytes.data ? doc->bytes.data : "", doc->bytes.len, &doc->digest);
    const char *said = x.call.docker_digest;
    struct oci_digest header;
    dr_auto_error struct dr_error ignored = DR_ERROR_INIT;
    if (said && oci_digest_parse(said, strlen(said), &header, &ignored) == 0 &&
        !oci_digest_equal(&header, &doc->digest))
        return wrong_digest("the manifest", &doc->digest, &header, err);
    /* so that the next pull can ask by HEAD whether this is still what the tag means */
    registry_keep_document(reg, &doc->digest, doc->bytes.data ? doc->bytes.data : "",
                           doc->bytes.len);
    return 0;
}

static bool is_known(const struct oci_digest *digest, const struct oci_digest *known)
{
    return known && oci_digest_equal(digest, known);
}

/* From the outermost document to the manifest: 0. 1: its digest is `known` (may be NULL),
 * and it was not asked for. */
static int walk(struct registry *reg, struct document *doc,
                const struct oci_platform *platform, const struct oci_digest *known,
                struct oci_image *image, struct dr_error *err)
{
    dr_auto_descent struct oci_descent descent = {.platform = platform};
    for (;;) {
        int rc = oci_descend(&descent, doc->bytes.data ? doc->bytes.data : "",
                             doc->bytes.len, doc->type, &doc->digest, image, err);
        if (rc != 0)
            return rc < 0 ? -1 : 0;
        if (is_known(&descent.next.digest, known))
            return 1;
        document_release(doc);
        *doc = (struct document){0};
        if (get_pinned(reg, "manifests", "the manifest", &descent.next.digest,
                       descent.next.size_bytes, doc, err) < 0)
            return -1;
    }
}

/* What the reference names: by its digest, else what its tag means now. */
static int get_named(struct registry *reg, struct document *doc, struct dr_error *err)
{
    return reg->ref.digest.text[0] ? get_pinned(reg, "manifests", "the manifest",
                                                &reg->ref.digest, -1, doc, err)
                                   : get_tagged(reg, doc, err);
}

/* Statuses by which servers and proxies say that they do not do HEAD. */
static bool head_refused(int status)
{
    return status == 400 || status == 403 || status == 405 || status == 501;
}

/* The digest behind the reference by HEAD; where that is not to be had, the document
 * itself: doc is empty or has it. */
static int head_or_get(struct registry *reg, struct oci_digest *ret_digest,
                       struct document *doc, struct dr_error *err)
{
    dr_auto_free char *path =
        dr_printf("/v2/%s/manifests/%s", reg->ref.path, oci_ref_target(&reg->ref));
    dr_auto_error struct dr_error problem = DR_ERROR_INIT;
    DR_CLEANUP(exchange_release)
    struct exchange x = {.reg = reg, .path = path, .head = true, .accept = accept_all};
    if (exchange_run(&x, &problem) < 0) {
        if (!head_refused(problem.code))
            return dr_error_move(err, &problem);
    } else if (x.call.docker_digest &&
               oci_digest_parse(x.call.docker_digest, strlen(x.call.docker_digest),
                                ret_digest, &problem) == 0) {
        if (reg->ref.digest.text[0] && !oci_digest_equal(ret_digest, &reg->ref.digest))
            return wrong_digest("the manifest", ret_digest, &reg->ref.digest, err);
        return 0;
    }
    if (get_named(reg, doc, err) < 0)
        return -1;
    *ret_digest = doc->digest;
    return 0;
}

/* 1: it is `known` still. */
static int resolve(struct registry *reg, const struct oci_platform *platform,
                   const struct oci_digest *known, struct oci_image *image,
                   struct dr_error *err)
{
    DR_CLEANUP(document_release) struct document doc = {0};
    DR_CLEANUP(document_release) struct document config = {0};
    struct oci_digest now = reg->ref.digest;
    int rc = 0;
    if (known && !now.text[0])
        rc = head_or_get(reg, &now, &doc, err);
    if (rc == 0 && is_known(&now, known))
        return 1;
    if (rc == 0 && !doc.bytes.data)
        rc = now.text[0]
                 ? get_pinned(reg, "manifests", "the manifest", &now, -1, &doc, err)
                 : get_tagged(reg, &doc, err);
    if (rc < 0 || (rc = walk(reg, &doc, platform, known, image, err)) != 0)
        return rc;
    const struct oci_descriptor *d = &image->manifest.config;
    if (get_pinned(reg, "blobs", "the image config", &d->digest, d->size_bytes, &config,
                   err) < 0)
        return -1;
    if (oci_image_set_config(image, config.bytes.data ? config.bytes.data : "",
                             config.bytes.len, err) < 0)
        return -1;
    return oci_image_check_platform(image, platform, err);
}

struct question {
    const struct oci_platform *platform;
    const struct oci_digest *known;
    struct oci_image *image;
    struct oci_digest *digest;
    struct policy policy;
};

static int ask_image(struct registry *endpoint, void *arg, struct dr_error *err)
{
    const struct question *q = arg;
    oci_image_release(q->image); /* what one that failed had begun */
    int rc = resolve(endpoint, q->platform, q->known, q->image, err);
    if (rc < 0 && err->origin == DR_AT_UNSET && err->kind != DR_ERR_INTERNAL)
        err->origin = DR_AT_REGISTRY;
    const struct oci_digest *manifest = rc == 1 ? q->known : &q->image->manifest_digest;
    if (rc >= 0 && registry_check_trust(endpoint, &q->policy, &q->image->index_digest,
                                        manifest, err) < 0)
        return -1;
    return rc;
}

int registry_resolve(struct registry *reg, const struct oci_platform *platform,
                     const struct oci_digest *known, struct oci_image *ret_image,
                     struct dr_error *err)
{
    dr_auto_image struct oci_image image = OCI_IMAGE_INIT;
    struct question q = {.platform = platform, .known = known, .image = &image};
    if (policy_find(&reg->named, reg->options.policy_file, &q.policy, err) < 0)
        return dr_wrap(err, "%s", reg->familiar);
    pthread_mutex_lock(&reg->lock);
    int rc = registry_try(reg, ask_image, &q, err);
    pthread_mutex_unlock(&reg->lock);
    policy_release(&q.policy);
    if (rc < 0)
        return dr_wrap(err, "%s", reg->familiar);
    reg->resolved = image.index_digest.text[0] ? image.index_digest
                    : rc == 1                  ? *known
                                               : image.manifest_digest;
    if (rc == 0) {
        *ret_image = image;
        image = OCI_IMAGE_INIT;
    }
    return rc;
}

struct document_question {
    const struct oci_descriptor *d;
    struct document doc;
    struct policy policy;
};

static int ask_document(struct registry *endpoint, void *arg, struct dr_error *err)
{
    struct document_question *q = arg;
    const struct oci_digest none = {0};
    document_release(&q->doc);
    q->doc = (struct document){0};
    if (q->d)
        return get_pinned(endpoint, "manifests", "the manifest", &q->d->digest,
                          q->d->size_bytes, &q->doc, err);
    if (get_named(endpoint, &q->doc, err) < 0)
        return -1;
    return registry_check_trust(endpoint, &q->policy, &none, &q->doc.digest, err);
}

int registry_document(struct registry *reg, const struct oci_descriptor *d,
                      struct dr_buf *ret_bytes, char **ret_type,
                      struct oci_digest *ret_digest, struct dr_error *err)
{
    struct document_question q = {.d = d};
    if (!d && policy_find(&reg->named, reg->options.policy_file, &q.policy, err) < 0)
        return dr_wrap(err, "%s", reg->familiar);
    pthread_mutex_lock(&reg->lock);
    int rc = registry_try(reg, ask_document, &q, err);
    pthread_mutex_unlock(&reg->lock);
    policy_release(&q.policy);
    if (rc < 0) {
        document_release(&q.doc);
        return dr_wrap(err, "%s", reg->familiar);
    }
    *ret_bytes = q.doc.bytes;
    *ret_type = q.doc.type;
    *ret_digest = q.doc.digest;
    return 0;
}

const struct oci_digest *registry_resolved(const struct registry *reg)
{
    return &reg->resolved;
}

static int ask_digest(struct registry *endpoint, void *arg, struct dr_error *err)
{
    const struct question *q = arg;
    DR_CLEANUP(document_release) struct document doc = {0};
    return head_or_get(endpoint, q->digest, &doc, err);
}

int registry_head_digest(struct registry *reg, struct oci_digest *ret_digest,
                         struct dr_error *err)
{
    struct oci_digest digest;
    struct question q = {.digest = &digest};
    pthread_mutex_lock(&reg->lock);
    int rc = registry_try(reg, ask_digest, &q, err);
    pthread_mutex_unlock(&reg->lock);
    if (rc < 0)
        return dr_wrap(err, "%s", reg->familiar);
    *ret_digest = digest;
    return 0;
}
