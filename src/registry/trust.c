/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Does the image meet the policy? cosign keeps the signatures of sha256:HEX as an
 * artifact in the same repository, under the tag sha256-HEX.sig: a layer each, with the
 * payload, and the signature in an annotation.
 */
#include <string.h>

#include "base/text.h"
#include "registry/internal.h"
#include "registry/policy.h"
#include "registry/signature.h"

#define LAYER_TYPE "application/vnd.dev.cosign.simplesigning.v1+json"
#define ANNOTATION "dev.cosignproject.cosign/signature"
#define SIGNATURES_MAX 64 /* that are looked at */

static const char accept_manifest[] = "application/vnd.oci.image.manifest.v1+json, "
                                      "application/vnd.docker.distribution.manifest.v2+"
                                      "json";

/* The artifact; 0: there is none. */
static int get_artifact(struct registry *reg, const struct oci_digest *digest,
                        json_t **ret_doc, struct dr_error *err)
{
    const char *hex = strchr(digest->text, ':') + 1;
    dr_auto_free char *path =
        dr_printf("/v2/%s/manifests/sha256-%s.sig", reg->ref.path, hex);
    DR_CLEANUP(exchange_release)
    struct exchange x = {.reg = reg,
                         .path = path,
                         .accept = accept_manifest,
                         .body_max = OCI_MANIFEST_MAX};
    if (exchange_run(&x, err) < 0) {
        if (err->kind != DR_ERR_NOT_FOUND)
            return dr_wrap(err, "its signatures");
        dr_error_release(err);
        return 0;
    }
    const struct dr_buf *body = &x.call.body;
    *ret_doc =
        dr_json_parse(body->data ? body->data : "", body->len, OCI_MANIFEST_MAX, err);
    return *ret_doc ? 1 : dr_wrap(err, "its signatures");
}

static int get_payload(struct registry *reg, const char *digest, struct dr_buf *ret,
                       struct dr_error *err)
{
    struct oci_digest should, is;
    if (oci_digest_parse(digest, strlen(digest), &should, err) < 0)
        return -1;
    dr_auto_free char *path = dr_printf("/v2/%s/blobs/%s", reg->ref.path, should.text);
    DR_CLEANUP(exchange_release)
    struct exchange x = {
        .reg = reg, .path = path, .body_max = SIGNATURE_PAYLOAD_MAX, .pinned = true};
    if (exchange_run(&x, err) < 0)
        return -1;
    oci_digest_of(x.call.body.data ? x.call.body.data : "", x.call.body.len, &is);
    if (!oci_digest_equal(&is, &should))
        return dr_fail_at(err, DR_AT_REGISTRY, DR_ERR_FORMAT, 0,
                          "the registry sent wrong bytes for the payload %s",
                          should.text);
    *ret = x.call.body;
    x.call.body = (struct dr_buf){0};
    return 0;
}

/* 1: this one is good; 0: *why says why not. */
static int try_layer(struct registry *reg, const json_t *requirement, const json_t *layer,
                     const struct oci_digest *digests, size_t n, struct dr_error *why,
                     struct dr_error *err)
{
    const char *type = dr_json_str(layer, "mediaType");
    const char *digest = dr_json_str(layer, "digest");
    const char *base64 = dr_json_str(dr_json_object(layer, "annotations"), ANNOTATION);
    dr_auto_buf struct dr_buf payload = {0};
    if (!type || strcmp(type, LAYER_TYPE) != 0 || !digest || !base64)
        return 0;
    dr_error_release(why);
    if (get_payload(reg, digest, &payload, why) < 0)
        return registry_next_may_help(reg, why) ? 0 : dr_error_move(err, why);
    if (signature_check(requirement, &reg->named, digests, n,
                        payload.data ? payload.data : "", payload.len, base64, why) == 0)
        return 1;
    return why->kind == DR_ERR_PULL ? 0 : dr_error_move(err, why);
}

/* One requirement: any signature that is good will do. */
static int check_signed(struct registry *reg, const json_t *requirement,
                        const struct oci_digest *digests, size_t n, struct dr_error *err)
{
    dr_auto_error struct dr_error why = DR_ERROR_INIT;
    int seen = 0;
    for (size_t i = 0; i < n; i++) {
        dr_auto_json json_t *doc = NULL;
        size_t j;
        json_t *layer;
        if (get_artifact(reg, &digests[i], &doc, err) < 0)
            return -1;
        json_array_foreach (dr_json_array(doc, "layers"), j, layer) {
            if (seen++ == SIGNATURES_MAX)
                break;
            int rc = try_layer(reg, requirement, layer, digests, n, &why, err);
            if (rc != 0)
                return rc < 0 ? -1 : 0;
        }
    }
    if (why.kind == DR_ERR_NONE)
        return dr_fail(err, DR_ERR_PULL,
                       "the image is not signed (there is no signature of cosign's, "
                       "sha256-%.12s….sig)",
                       strchr(digests[n - 1].text, ':') + 1);
    return dr_fail(err, DR_ERR_PULL, "%s%s",
                   seen > 1 ? "no signature is good; the last: " : "", why.text);
}

int registry_check_trust(struct registry *reg, const struct policy *policy,
                         const struct oci_digest *index,
                         const struct oci_digest *manifest, struct dr_error *err)
{
    struct oci_digest digests[2];
    size_t n = 0, i;
    json_t *requirement;
    if (index->text[0])
        digests[n++] = *index;
    digests[n++] = *manifest;
    json_array_foreach (policy->requirements, i, requirement)
        if (strcmp(dr_json_str(requirement, "type"), "sigstoreSigned") == 0 &&
            check_signed(reg, requirement, digests, n, err) < 0) {
            err->origin = err->origin == DR_AT_UNSET ? DR_AT_HOST : err->origin;
            return dr_wrap(err, "the signature policy %s", policy->file);
        }
    return 0;
}
