/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/descent.h"

void oci_descent_release(struct oci_descent *descent)
{
    oci_descriptor_release(&descent->next);
}

static int go_down(struct oci_descent *d, const char *text, size_t len, const char *type,
                   struct dr_error *err)
{
    dr_auto_index struct oci_index index = {0};
    if (oci_index_parse(text, len, type, &index, err) < 0)
        return -1;
    const struct oci_descriptor *chosen = oci_index_choose(&index, d->platform, err);
    if (!chosen)
        return -1;
    for (size_t i = 0; i <= d->depth; i++)
        if (oci_digest_equal(&d->seen[i], &chosen->digest))
            return dr_fail(err, DR_ERR_FORMAT, "an index that contains itself");
    if (d->depth == OCI_INDEX_DEPTH_MAX)
        return dr_fail(err, DR_ERR_FORMAT, "indexes inside of indexes, more than %d deep",
                       OCI_INDEX_DEPTH_MAX);
    oci_descriptor_release(&d->next);
    oci_descriptor_copy(chosen, &d->next);
    d->depth++;
    return 0;
}

int oci_descend(struct oci_descent *d, const char *text, size_t len, const char *declared,
                const struct oci_digest *digest, struct oci_image *image,
                struct dr_error *err)
{
    enum oci_media media;
    const char *indexed =
        d->depth > 0 && d->next.media_type[0] ? d->next.media_type : NULL;
    const char *type = declared ? declared : indexed;
    if (oci_document_parse(text, len, type, &media, err) < 0 ||
        (indexed && oci_document_parse(text, len, indexed, &media, err) < 0))
        return -1;
    d->seen[d->depth] = *digest;
    if (media == OCI_MEDIA_MANIFEST)
        return oci_image_set_manifest(image, text, len, type, err) < 0 ? -1 : 1;
    if (d->depth == 0)
        image->index_digest = *digest;
    return go_down(d, text, len, type, err);
}

int oci_image_check_platform(const struct oci_image *image,
                             const struct oci_platform *want, struct dr_error *err)
{
    const struct oci_platform *have = &image->config.platform;
    if ((!have->os[0] && !have->arch[0]) || image->index_digest.text[0] ||
        oci_platform_match(want, have) > 0)
        return 0;
    char a[OCI_PLATFORM_TEXT], b[OCI_PLATFORM_TEXT];
    oci_platform_text(want, a);
    oci_platform_text(have, b);
    return dr_fail(err, DR_ERR_NOT_FOUND, "no image for %s, there is only: %s", a, b);
}
