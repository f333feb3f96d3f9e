/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What `docker save` writes: manifest.json lists images by their config and the tars of
 * their layers. It has no manifests, so one is made: the config, and with it the image's
 * id, stays. Rule: moby's image/spec/v1.2, "Combined Image JSON + Filesystem Changeset
 * Format".
 */
#include <string.h>

#include "archive/private.h"
#include "base/json.h"
#include "base/text.h"
#include "tar/names.h"

/* A name out of the archive, as it is looked up. NULL with err. */
static char *clean(const char *name, struct dr_error *err)
{
    char path[PATH_MAX];
    size_t len;
    return tar_name_clean(name, "name", path, &len, err) < 0 ? NULL : dr_strdup(path);
}

static int bad_entry(size_t i, const char *what, struct dr_error *err)
{
    return dr_fail(err, DR_ERR_FORMAT, "manifest.json: image %zu has no %s", i, what);
}

static int add_entry(struct archive *archive, size_t i, const json_t *entry,
                     struct dr_error *err)
{
    const char *config = dr_json_str(entry, "Config");
    json_t *layers = json_object_get(entry, "Layers"), *item;
    size_t at;
    if (!config)
        return bad_entry(i, "Config", err);
    if (layers && !json_is_array(layers) && !json_is_null(layers))
        return bad_entry(i, "list of Layers", err);
    if (json_array_size(layers) > OCI_LAYERS_MAX)
        return dr_fail(err, DR_ERR_FORMAT, "manifest.json: an image of %zu layers",
                       json_array_size(layers));
    struct archive_image *image = archive_add_image(archive);
    if (!(image->config = clean(config, err)))
        return dr_wrap(err, "manifest.json");
    json_array_foreach (layers, at, item) {
        const char *text = json_string_value(item);
        if (!text)
            return bad_entry(i, "list of Layers", err);
        dr_auto_free char *name = clean(text, err);
        if (!name)
            return dr_wrap(err, "manifest.json");
        dr_strv_add(&image->layers, name);
    }
    json_array_foreach (dr_json_array(entry, "RepoTags"), at, item)
        archive_add_name(image, json_string_value(item));
    return 0;
}

int archive_open_docker(struct archive *archive, struct dr_error *err)
{
    dr_auto_buf struct dr_buf text = DR_BUF_INIT(OCI_MANIFEST_MAX);
    int found = files_read(archive->files, "manifest.json", &text, err);
    if (found == 0)
        return dr_fail(err, DR_ERR_FORMAT,
                       "no archive of docker: it has no "
                       "manifest.json");
    if (found < 0)
        return -1;
    dr_auto_json json_t *list =
        dr_json_parse(text.data ? text.data : "", text.len, OCI_MANIFEST_MAX, err);
    if (!list)
        return dr_wrap(err, "manifest.json");
    if (!json_is_array(list) || json_array_size(list) > OCI_INDEX_ENTRIES_MAX)
        return dr_fail(err, DR_ERR_FORMAT, "manifest.json is no list of images");
    size_t i;
    json_t *entry;
    json_array_foreach (list, i, entry)
        if (add_entry(archive, i, entry, err) < 0)
            return -1;
    return 0;
}

/* ---- an image of it ---- */

static int digest_of_range(const struct file_range *range, struct oci_digest *ret,
                           struct dr_error *err)
{
    struct dr_sha256 hash;
    char hex[DR_SHA256_HEX + 1];
    const size_t chunk = (size_t)128 << 10;
    dr_auto_free char *buf = dr_alloc(chunk);
    ssize_t n;
    dr_sha256_init(&hash);
    for (int64_t at = 0; (n = file_range_read(range, at, buf, chunk, err)) > 0; at += n)
        dr_sha256_add(&hash, buf, (size_t)n);
    if (n < 0)
        return -1;
    dr_sha256_hex(&hash, hex);
    oci_digest_from_hex(hex, ret);
    return 0;
}

/* The descriptor of a layer: a plain tar is known by its diff id, which whoever reads it
 * verifies; some tools compress them. */
static json_t *describe(struct archive *archive, const char *name,
                        const struct oci_digest *diff_id, struct dr_error *err)
{
    dr_auto_range struct file_range range = FILE_RANGE_INIT;
    struct oci_digest digest = *diff_id;
    unsigned char magic[4] = {0};
    const char *type = OCI_TYPE_LAYER;
    dr_auto_free char *shown = dr_escape(name, 200);
    int found = files_find(archive->files, name, &range, err);
    if (found == 0)
        dr_fail(err, DR_ERR_FORMAT, "the layer %s is not in it", shown);
    if (found <= 0 ||
        (range.size > 0 && file_range_read(&range, 0, magic, sizeof magic, err) < 0))
        return NULL;
    if (magic[0] == 0x1f && magic[1] == 0x8b)
        type = OCI_TYPE_LAYER "+gzip";
    else if (memcmp(magic, "\x28\xb5\x2f\xfd", 4) == 0)
        type = OCI_TYPE_LAYER "+zstd";
    if (strcmp(type, OCI_TYPE_LAYER) != 0 && digest_of_range(&range, &digest, err) < 0)
        return NULL;
    archive->layers =
        dr_realloc(archive->layers, (archive->n_layers + 1) * sizeof *archive->layers);
    archive->layers[archive->n_layers++] =
        (struct archive_layer){digest, dr_strdup(name)};
    return json_pack("{sssssI}", "mediaType", type, "digest", digest.text, "size",
                     (json_int_t)range.size);
}

static json_t *make_manifest(struct archive *archive, const struct archive_image *image,
                             const struct dr_buf *text, const struct oci_config *config,
                             struct dr_error *err)
{
    struct oci_digest id;
    dr_auto_json json_t *layers = json_array();
    for (size_t i = 0; i < config->n_diff_ids; i++) {
        json_t *layer = describe(archive, image->layers[i], &config->diff_ids[i], err);
        if (!layer)
            return NULL;
        json_array_append_new(layers, layer);
    }
    oci_digest_of(text->data, text->len, &id);
    return json_pack("{sisss{sssssI}sO}", "schemaVersion", 2, "mediaType",
                     OCI_TYPE_MANIFEST, "config", "mediaType", OCI_TYPE_CONFIG, "digest",
                     id.text, "size", (json_int_t)text->len, "layers", layers);
}

int archive_resolve_docker(struct archive *archive, const struct archive_image *image,
                           struct oci_image *ret, struct dr_error *err)
{
    dr_auto_buf struct dr_buf text = DR_BUF_INIT(OCI_MANIFEST_MAX);
    dr_auto_config struct oci_config config = {0};
    dr_auto_free char *shown = dr_escape(image->config, 200);
    int found = files_read(archive->files, image->config, &text, err);
    if (found == 0)
        dr_fail(err, DR_ERR_FORMAT, "the config %s is not in it", shown);
    if (found <= 0)
        return -1;
    if (oci_config_parse(text.data ? text.data : "", text.len, &config, err) < 0)
        return dr_wrap(err, "%s", shown);
    if (config.n_diff_ids != dr_strv_len(image->layers))
        return dr_fail(err, DR_ERR_FORMAT, "%zu layers, but the config has %zu diff ids",
                       dr_strv_len(image->layers), config.n_diff_ids);
    dr_auto_json json_t *json = make_manifest(archive, image, &text, &config, err);
    if (!json)
        return -1;
    dr_auto_free char *manifest = dr_json_text(json);
    return oci_image_parse(manifest, strlen(manifest), NULL, text.data, text.len, ret,
                           err);
}
