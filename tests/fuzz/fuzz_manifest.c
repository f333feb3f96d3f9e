/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Manifests and indexes. The first line is the declared media type, the rest the
 * document. One document never reads as both, and what is accepted has only layers that
 * can be used.
 */
#include <stdint.h>
#include <string.h>

#include "oci/manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *end = size ? memchr(data, '\n', size) : NULL;
    if (!end)
        return 0;
    dr_auto_free char *declared = dr_strndup((const char *)data, (size_t)(end - data));
    const char *text = (const char *)end + 1;
    size_t len = size - (size_t)(end + 1 - data);
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_manifest struct oci_manifest manifest = {0};
    dr_auto_index struct oci_index index = {0};
    int is_manifest = oci_manifest_parse(text, len, declared, &manifest, &err) == 0;
    int is_index = oci_index_parse(text, len, declared, &index, &err) == 0;
    if (is_manifest && is_index)
        abort();
    for (size_t i = 0; i < manifest.n_layers; i++)
        if (manifest.layers[i].media != OCI_MEDIA_LAYER ||
            manifest.layers[i].size_bytes < 0 ||
            strlen(manifest.layers[i].digest.text) != OCI_DIGEST_TEXT - 1)
            abort();
    struct oci_platform platform;
    oci_platform_set(&platform, "linux", "amd64", NULL);
    const struct oci_descriptor *chosen =
        is_index ? oci_index_choose(&index, &platform, &err) : NULL;
    if (chosen && chosen->attestation)
        abort();
    for (const char *p = err.text; *p; p++)
        if ((unsigned char)*p < ' ')
            abort();
    return 0;
}
