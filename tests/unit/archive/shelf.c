/* SPDX-License-Identifier: Apache-2.0 */
#include "shelf.h"

#include <fcntl.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/fs.h"

int shelf_setup(void **state)
{
    struct shelf *shelf = dr_alloc(sizeof *shelf);
    strcpy(shelf->dir, "/tmp/dray-archive-XXXXXX");
    if (!mkdtemp(shelf->dir))
        return -1;
    shelf->layer = TARBALL_INIT;
    ADD(&shelf->layer, .name = "hello", .data = "world");
    tarball_end(&shelf->layer);
    oci_digest_of(shelf->layer.bytes.data, shelf->layer.bytes.len, &shelf->diff_id);
    shelf->config = dr_printf("{\"architecture\":\"amd64\",\"os\":\"linux\",\"rootfs\":{"
                              "\"type\":\"layers\",\"diff_ids\":[\"%s\"]}}",
                              shelf->diff_id.text);
    oci_digest_of(shelf->config, strlen(shelf->config), &shelf->config_digest);
    shelf->manifest = dr_printf(
        "{\"schemaVersion\":2,\"mediaType\":\"" OCI_TYPE_MANIFEST
        "\",\"config\":{\"mediaType\":\"" OCI_TYPE_CONFIG
        "\",\"digest\":\"%s\",\"size\":%zu},\"layers\":[{\"mediaType\":\"" OCI_TYPE_LAYER
        "\",\"digest\":\"%s\",\"size\":%zu}]}",
        shelf->config_digest.text, strlen(shelf->config), shelf->diff_id.text,
        shelf->layer.bytes.len);
    oci_digest_of(shelf->manifest, strlen(shelf->manifest), &shelf->manifest_digest);
    *state = shelf;
    return 0;
}

int shelf_teardown(void **state)
{
    struct shelf *shelf = *state;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_remove_all(AT_FDCWD, shelf->dir, &err);
    tarball_release(&shelf->layer);
    free(shelf->config);
    free(shelf->manifest);
    free(shelf);
    return 0;
}

const char *shelf_path(const struct shelf *shelf, const char *name)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", shelf->dir, name);
    return path;
}

void shelf_write(const struct shelf *shelf, const char *name, struct tarball *t)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    tarball_end(t);
    if (dr_file_write(AT_FDCWD, shelf_path(shelf, name), t->bytes.data, t->bytes.len,
                      0600, 0, &err) < 0)
        fail_msg("%s", err.text);
}

void shelf_add(struct tarball *t, const char *name, const char *data, size_t len)
{
    ADD(t, .name = name, .data = data, .len = len);
}

void shelf_add_text(struct tarball *t, const char *name, const char *text)
{
    ADD(t, .name = name, .data = text);
}

char *shelf_add_blob(struct tarball *t, const char *media_type, const char *data,
                     size_t len)
{
    struct oci_digest digest;
    oci_digest_of(data, len, &digest);
    dr_auto_free char *name = dr_printf("blobs/sha256/%s", oci_digest_hex(&digest));
    shelf_add(t, name, data, len);
    return dr_printf("{\"mediaType\":\"%s\",\"digest\":\"%s\",\"size\":%zu}", media_type,
                     digest.text, len);
}

char *shelf_add_image(const struct shelf *shelf, struct tarball *t)
{
    shelf_add_text(t, "oci-layout", "{\"imageLayoutVersion\":\"1.0.0\"}");
    free(shelf_add_blob(t, "x", shelf->layer.bytes.data, shelf->layer.bytes.len));
    free(shelf_add_blob(t, "x", shelf->config, strlen(shelf->config)));
    return shelf_add_blob(t, OCI_TYPE_MANIFEST, shelf->manifest, strlen(shelf->manifest));
}

void shelf_add_index(struct tarball *t, const char *descriptors)
{
    dr_auto_free char *text =
        dr_printf("{\"schemaVersion\":2,\"manifests\":[%s]}", descriptors);
    shelf_add_text(t, "index.json", text);
}

static int open_path(const struct shelf *shelf, const char *name, struct archive **ret,
                     struct dr_error *err)
{
    dr_auto_free char *path = dr_strdup(shelf_path(shelf, name));
    return archive_open_path(path, shelf->dir, ret, err);
}

static const struct oci_platform amd64 = {"linux", "amd64", ""};

void shelf_refuses(const struct shelf *shelf, const char *name, enum dr_kind kind,
                   const char *text)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_image struct oci_image image = OCI_IMAGE_INIT;
    struct archive *archive = NULL;
    int rc = open_path(shelf, name, &archive, &err);
    if (rc == 0)
        rc = archive_resolve(archive, 0, &amd64, &image, &err);
    for (size_t i = 0; rc == 0 && i < image.manifest.n_layers; i++) {
        dr_auto_range struct file_range range = FILE_RANGE_INIT;
        rc = archive_blob(archive, &image.manifest.layers[i], &range, &err);
    }
    archive_close(archive);
    if (rc == 0)
        fail_msg("%s was taken", name);
    if (!strstr(err.text, text))
        fail_msg("'%s' does not say '%s'", err.text, text);
    assert_string_equal(dr_kind_name(err.kind), dr_kind_name(kind));
}

struct archive *shelf_open(const struct shelf *shelf, const char *name)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    struct archive *archive = NULL;
    if (open_path(shelf, name, &archive, &err) < 0)
        fail_msg("%s", err.text);
    return archive;
}

void shelf_resolve(struct archive *archive, size_t i, struct oci_image *ret)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    if (archive_resolve(archive, i, &amd64, ret, &err) < 0)
        fail_msg("%s", err.text);
}
