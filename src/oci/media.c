/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/media.h"

#include <string.h>
#include <strings.h>

#include "base/mem.h"

static const struct {
    const char *type;
    enum oci_media media;
    enum oci_compression compression;
} types[] = {
    {OCI_TYPE_INDEX, OCI_MEDIA_INDEX, OCI_PLAIN},
    {OCI_TYPE_DOCKER_LIST, OCI_MEDIA_INDEX, OCI_PLAIN},
    {OCI_TYPE_MANIFEST, OCI_MEDIA_MANIFEST, OCI_PLAIN},
    {OCI_TYPE_DOCKER_MANIFEST, OCI_MEDIA_MANIFEST, OCI_PLAIN},
    {OCI_TYPE_CONFIG, OCI_MEDIA_CONFIG, OCI_PLAIN},
    {"application/vnd.docker.container.image.v1+json", OCI_MEDIA_CONFIG, OCI_PLAIN},
    {OCI_TYPE_LAYER, OCI_MEDIA_LAYER, OCI_PLAIN},
    {OCI_TYPE_LAYER "+gzip", OCI_MEDIA_LAYER, OCI_GZIP},
    {OCI_TYPE_LAYER "+zstd", OCI_MEDIA_LAYER, OCI_ZSTD},
    {"application/vnd.docker.image.rootfs.diff.tar", OCI_MEDIA_LAYER, OCI_PLAIN},
    {"application/vnd.docker.image.rootfs.diff.tar.gzip", OCI_MEDIA_LAYER, OCI_GZIP},
    {"application/vnd.docker.image.rootfs.diff.tar.zstd", OCI_MEDIA_LAYER, OCI_ZSTD},
    {"application/vnd.oci.image.layer.nondistributable.v1.tar", OCI_MEDIA_FOREIGN,
     OCI_PLAIN},
    {"application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", OCI_MEDIA_FOREIGN,
     OCI_GZIP},
    {"application/vnd.oci.image.layer.nondistributable.v1.tar+zstd", OCI_MEDIA_FOREIGN,
     OCI_ZSTD},
    {"application/vnd.docker.image.rootfs.foreign.diff.tar", OCI_MEDIA_FOREIGN,
     OCI_PLAIN},
    {"application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", OCI_MEDIA_FOREIGN,
     OCI_GZIP},
    {"application/vnd.docker.distribution.manifest.v1+json", OCI_MEDIA_SCHEMA1,
     OCI_PLAIN},
    {"application/vnd.docker.distribution.manifest.v1+prettyjws", OCI_MEDIA_SCHEMA1,
     OCI_PLAIN},
    {"application/vnd.oci.artifact.manifest.v1+json", OCI_MEDIA_NOT_IMAGE, OCI_PLAIN},
    {"application/vnd.oci.empty.v1+json", OCI_MEDIA_NOT_IMAGE, OCI_PLAIN},
    {"application/vnd.cncf.helm.config.v1+json", OCI_MEDIA_NOT_IMAGE, OCI_PLAIN},
    {"application/vnd.in-toto+json", OCI_MEDIA_NOT_IMAGE, OCI_PLAIN},
};

enum oci_media oci_media_parse(const char *type, size_t len,
                               enum oci_compression *ret_compression)
{
    const char *semicolon = memchr(type, ';', len);
    if (semicolon)
        len = (size_t)(semicolon - type);
    while (len > 0 && (type[len - 1] == ' ' || type[len - 1] == '\t'))
        len--;
    if (ret_compression)
        *ret_compression = OCI_PLAIN;
    for (size_t i = 0; i < DR_COUNT(types); i++)
        if (strlen(types[i].type) == len && strncasecmp(types[i].type, type, len) == 0) {
            if (ret_compression)
                *ret_compression = types[i].compression;
            return types[i].media;
        }
    return OCI_MEDIA_UNKNOWN;
}

static const char *const compression_names[] = {
    [OCI_PLAIN] = "none", [OCI_GZIP] = "gzip", [OCI_ZSTD] = "zstd"};

const char *oci_compression_name(enum oci_compression compression)
{
    return compression_names[compression];
}

bool oci_compression_parse(const char *name, enum oci_compression *ret_compression)
{
    for (unsigned i = 0; i < DR_COUNT(compression_names); i++)
        if (strcmp(name, compression_names[i]) == 0) {
            *ret_compression = (enum oci_compression)i;
            return true;
        }
    return false;
}
