/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/manifest.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/text.h"
#include "oci/load.h"

#define MEDIA_TYPE_MAX 255

void oci_descriptor_release(struct oci_descriptor *descriptor)
{
    free(descriptor->media_type);
    *descriptor = (struct oci_descriptor){0};
}

void oci_descriptor_copy(const struct oci_descriptor *descriptor,
                         struct oci_descriptor *ret_descriptor)
{
    *ret_descriptor = *descriptor;
    ret_descriptor->media_type = dr_strdup(descriptor->media_type);
}

void oci_manifest_release(struct oci_manifest *manifest)
{
    for (size_t i = 0; i < manifest->n_layers; i++)
        oci_descriptor_release(&manifest->layers[i]);
    free(manifest->layers);
    oci_descriptor_release(&manifest->config);
    free(manifest->media_type);
    *manifest = (struct oci_manifest){0};
}

void oci_index_release(struct oci_index *index)
{
    for (size_t i = 0; i < index->n_manifests; i++)
        oci_descriptor_release(&index->manifests[i]);
    free(index->manifests);
    free(index->media_type);
    *index = (struct oci_index){0};
}

/* Words of a peer in our error: safe to print, and short. */
static char *shown(const char *text)
{
    return dr_escape(text, 120);
}

static bool valid_media_type(const char *type)
{
    size_t len = strlen(type);
    if (len > MEDIA_TYPE_MAX)
        return false;
    for (size_t i = 0; i < len; i++)
        if (type[i] <= ' ' || type[i] >= 0x7f)
            return false;
    return true;
}

static const char *what_is(enum oci_media media)
{
    return media == OCI_MEDIA_INDEX ? "an index" : "an image manifest";
}

/* "application/json" and text/plain say nothing about the shape: some registries send
 * them for everything. */
static bool says_nothing(const char *declared)
{
    static const char *const vague[] = {"", "application/json", "text/plain",
                                        "application/octet-stream"};
    size_t len = declared ? strcspn(declared, "; \t") : 0;
    for (size_t i = 0; i < DR_COUNT(vague); i++)
        if (strlen(vague[i]) == len &&
            (len == 0 || strncasecmp(vague[i], declared, len) == 0))
            return true;
    return false;
}

/* Does `said` (a header or a member) allow the shape that was found? Docker's and OCI's
 * word for one shape are told apart as well: the document is one or the other. */
static int check_type(const char *said, const char *by, enum oci_media shape,
                      struct dr_error *err)
{
    enum oci_media media = oci_media_parse(said, strlen(said), NULL);
    if (media == shape)
        return 0;
    dr_auto_free char *safe = shown(said);
    if (media == OCI_MEDIA_INDEX || media == OCI_MEDIA_MANIFEST)
        return dr_fail(err, DR_ERR_FORMAT, "%s says '%s', but it is %s", by, safe,
                       what_is(shape));
    return dr_fail(err, DR_ERR_UNSUPPORTED,
                   "%s is of type '%s': it is not a container image", by, safe);
}

static int refuse_schema1(struct dr_error *err)
{
    return dr_fail(err, DR_ERR_UNSUPPORTED,
                   "it is a Docker schema 1 manifest, which does not pin its layers "
                   "securely: push the image again with a current tool");
}

static int document_check(const json_t *doc, const char *declared,
                          enum oci_media *ret_media, struct dr_error *err)
{
    if (!json_is_object(doc))
        return dr_fail(err, DR_ERR_FORMAT, "the manifest is not a JSON object");
    json_t *type = json_object_get(doc, "mediaType");
    if (type && !json_is_string(type))
        return dr_fail(err, DR_ERR_FORMAT, "the manifest's mediaType is not a string");
    bool declared_schema1 = declared && oci_media_parse(declared, strlen(declared),
                                                        NULL) == OCI_MEDIA_SCHEMA1;
    if (declared_schema1 || dr_json_int(doc, "schemaVersion", 2) == 1)
        return refuse_schema1(err);
    if (dr_json_int(doc, "schemaVersion", -1) != 2)
        return dr_fail(err, DR_ERR_FORMAT, "the manifest's schemaVersion is not 2");
    bool layers = json_object_get(doc, "layers") || json_object_get(doc, "config");
    bool manifests = json_object_get(doc, "manifests") != NULL;
    /* CVE-2021-41190: one document that reads as an image for one client and as an index
     * for another */
    if ((layers || json_object_get(doc, "fsLayers")) && manifests)
        return dr_fail(err, DR_ERR_FORMAT,
                       "the manifest has both 'layers' and 'manifests': it is ambiguous");
    if (layers == manifests) {
        const char *said = json_string_value(type);
        if (said && oci_media_parse(said, strlen(said), NULL) == OCI_MEDIA_NOT_IMAGE)
            return check_type(said, "the manifest", OCI_MEDIA_MANIFEST, err);
        return dr_fail(err, DR_ERR_FORMAT,
                       "the manifest has neither 'layers' nor 'manifests'");
    }
    enum oci_media shape = layers ? OCI_MEDIA_MANIFEST : OCI_MEDIA_INDEX;
    if (type && json_string_length(type) > 0 &&
        check_type(json_string_value(type), "its own mediaType", shape, err) < 0)
        return -1;
    if (!says_nothing(declared)) {
        if (check_type(declared, "the registry's Content-Type", shape, err) < 0)
            return -1;
        size_t len = strcspn(declared, "; \t");
        if (type && json_string_length(type) > 0 &&
            (json_string_length(type) != len ||
             strncasecmp(json_string_value(type), declared, len) != 0)) {
            dr_auto_free char *a = shown(declared), *b = shown(json_string_value(type));
            return dr_fail(err, DR_ERR_FORMAT,
                           "declared as '%s', but its own mediaType says '%s'", a, b);
        }
    }
    *ret_media = shape;
    return 0;
}

static json_t *document_load(const char *text, size_t len, const char *declared,
                             enum oci_media *ret_media, struct dr_error *err)
{
    dr_auto_json json_t *doc = oci_json_load("the manifest", text, len, err);
    if (!doc || document_check(doc, declared, ret_media, err) < 0)
        return NULL;
    return DR_TAKE(doc);
}

int oci_document_parse(const char *text, size_t len, const char *declared,
                       enum oci_media *ret_media, struct dr_error *err)
{
    dr_auto_json json_t *doc = document_load(text, len, declared, ret_media, err);
    return doc ? 0 : -1;
}

/* The parts that every descriptor has. what: "layer 3" for messages. */
static int parse_descriptor(const json_t *json, const char *what,
                            struct oci_descriptor *ret_descriptor, struct dr_error *err)
{
    if (!json_is_object(json))
        return dr_fail(err, DR_ERR_FORMAT, "%s is not a descriptor", what);
    json_t *type = json_object_get(json, "mediaType"),
           *size = json_object_get(json, "size");
    json_t *digest = json_object_get(json, "digest");
    if (type && (!json_is_string(type) || !valid_media_type(json_string_value(type))))
        return dr_fail(err, DR_ERR_FORMAT, "%s: the mediaType is not one", what);
    if (!json_is_string(digest))
        return dr_fail(err, DR_ERR_FORMAT, "%s has no digest", what);
    if (!json_is_integer(size))
        return dr_fail(err, DR_ERR_FORMAT, "%s has no size", what);
    if (json_integer_value(size) < 0)
        return dr_fail(err, DR_ERR_FORMAT, "%s has the negative size %lld", what,
                       (long long)json_integer_value(size));
    struct oci_descriptor d = {.size_bytes = json_integer_value(size)};
    if (oci_digest_parse(json_string_value(digest), json_string_length(digest), &d.digest,
                         err) < 0)
        return dr_wrap(err, "%s", what);
    const char *word = type ? json_string_value(type) : "";
    d.media = oci_media_parse(word, strlen(word), &d.compression);
    d.media_type = dr_strdup(word);
    *ret_descriptor = d;
    return 0;
}

/* A "urls" member is never looked at: all bytes come from the registry. */
static int check_layer(const struct oci_descriptor *layer, size_t number,
                       struct dr_error *err)
{
    if (layer->media == OCI_MEDIA_FOREIGN)
        return dr_fail(
            err, DR_ERR_UNSUPPORTED,
            "layer %zu is a foreign layer (fetched from another place than the "
            "registry), which is refused",
            number);
    if (layer->media == OCI_MEDIA_LAYER)
        return 0;
    dr_auto_free char *safe = shown(layer->media_type);
    if (strstr(layer->media_type, "+encrypted"))
        return dr_fail(err, DR_ERR_UNSUPPORTED,
                       "layer %zu is encrypted ('%s'), which is not supported", number,
                       safe);
    return dr_fail(err, DR_ERR_UNSUPPORTED, "layer %zu has the unknown type '%s'", number,
                   safe);
}

static int check_config(const struct oci_descriptor *config, struct dr_error *err)
{
    if (config->media != OCI_MEDIA_CONFIG && config->media_type[0] &&
        strcmp(config->media_type, "application/octet-stream") != 0) {
        dr_auto_free char *safe = shown(config->media_type);
        return dr_fail(err, DR_ERR_UNSUPPORTED,
                       "it is not a container image: its config has the type '%s'", safe);
    }
    if (config->size_bytes > OCI_MANIFEST_MAX)
        return dr_fail(err, DR_ERR_FORMAT,
                       "the config has %lld bytes, at most %u are accepted",
                       (long long)config->size_bytes, OCI_MANIFEST_MAX);
    return 0;
}

int oci_manifest_parse(const char *text, size_t len, const char *declared,
                       struct oci_manifest *ret_manifest, struct dr_error *err)
{
    enum oci_media media;
    dr_auto_json json_t *doc = document_load(text, len, declared, &media, err);
    if (!doc)
        return -1;
    if (media != OCI_MEDIA_MANIFEST)
        return dr_fail(err, DR_ERR_FORMAT,
                       "an index stands where an image manifest should");
    json_t *layers = json_object_get(doc, "layers");
    if (!json_is_array(layers))
        return dr_fail(err, DR_ERR_FORMAT, "the manifest's 'layers' is not an array");
    if (json_array_size(layers) > OCI_LAYERS_MAX)
        return dr_fail(err, DR_ERR_UNSUPPORTED,
                       "the image has %zu layers, at most %d can be used",
                       json_array_size(layers), OCI_LAYERS_MAX);
    dr_auto_manifest struct oci_manifest manifest = {.media = OCI_MEDIA_MANIFEST};
    const char *type = dr_json_str(doc, "mediaType");
    manifest.media_type = dr_strdup(type && *type            ? type
                                    : says_nothing(declared) ? OCI_TYPE_MANIFEST
                                                             : declared);
    manifest.media_type[strcspn(manifest.media_type, "; \t")] = '\0';
    if (parse_descriptor(json_object_get(doc, "config"), "the config", &manifest.config,
                         err) < 0 ||
        check_config(&manifest.config, err) < 0)
        return -1;
    manifest.layers = dr_alloc((json_array_size(layers) + 1) * sizeof *manifest.layers);
    int64_t total = 0;
    size_t i;
    json_t *layer;
    json_array_foreach (layers, i, layer) {
        char what[48];
        snprintf(what, sizeof what, "layer %zu", i + 1);
        if (parse_descriptor(layer, what, &manifest.layers[i], err) < 0)
            return -1;
        manifest.n_layers++;
        if (check_layer(&manifest.layers[i], i + 1, err) < 0)
            return -1;
        if (__builtin_add_overflow(total, manifest.layers[i].size_bytes, &total))
            return dr_fail(err, DR_ERR_FORMAT, "the sizes of the layers overflow");
    }
    *ret_manifest = manifest;
    manifest = (struct oci_manifest){0};
    return 0;
}

/* BuildKit puts provenance and SBOMs into the index as manifests for "unknown/unknown".
 */
static bool is_attestation(const json_t *json, const struct oci_descriptor *d)
{
    const char *kind =
        dr_json_str(dr_json_object(json, "annotations"), "vnd.docker.reference.type");
    return (kind && strcmp(kind, "attestation-manifest") == 0) ||
           (d->has_platform && strcmp(d->platform.os, "unknown") == 0 &&
            strcmp(d->platform.arch, "unknown") == 0);
}

int oci_index_parse(const char *text, size_t len, const char *declared,
                    struct oci_index *ret_index, struct dr_error *err)
{
    enum oci_media media;
    dr_auto_json json_t *doc = document_load(text, len, declared, &media, err);
    if (!doc)
        return -1;
    if (media != OCI_MEDIA_INDEX)
        return dr_fail(err, DR_ERR_FORMAT,
                       "an image manifest stands where an index should");
    json_t *entries = json_object_get(doc, "manifests");
    if (!json_is_array(entries))
        return dr_fail(err, DR_ERR_FORMAT, "the index's 'manifests' is not an array");
    if (json_array_size(entries) > OCI_INDEX_ENTRIES_MAX)
        return dr_fail(err, DR_ERR_FORMAT,
                       "the index has %zu entries, at most %d are accepted",
                       json_array_size(entries), OCI_INDEX_ENTRIES_MAX);
    dr_auto_index struct oci_index index = {0};
    const char *type = dr_json_str(doc, "mediaType");
    index.media_type = dr_strdup(type && *type            ? type
                                 : says_nothing(declared) ? OCI_TYPE_INDEX
                                                          : declared);
    index.media_type[strcspn(index.media_type, "; \t")] = '\0';
    index.manifests = dr_alloc((json_array_size(entries) + 1) * sizeof *index.manifests);
    size_t i;
    json_t *entry;
    json_array_foreach (entries, i, entry) {
        char what[48];
        snprintf(what, sizeof what, "index entry %zu", i + 1);
        struct oci_descriptor *d = &index.manifests[i];
        if (parse_descriptor(entry, what, d, err) < 0)
            return -1;
        index.n_manifests++;
        json_t *platform = json_object_get(entry, "platform");
        if (platform && !json_is_object(platform) && !json_is_null(platform))
            return dr_fail(err, DR_ERR_FORMAT, "%s: the platform is not an object", what);
        if (json_is_object(platform)) {
            oci_platform_set(&d->platform, dr_json_str(platform, "os"),
                             dr_json_str(platform, "architecture"),
                             dr_json_str(platform, "variant"));
            d->has_platform = d->platform.os[0] || d->platform.arch[0];
        }
        d->attestation = is_attestation(entry, d);
    }
    *ret_index = index;
    index = (struct oci_index){0};
    return 0;
}

static void list_platforms(const struct oci_index *index, struct dr_buf *list)
{
    dr_auto_error struct dr_error ignored = DR_ERROR_INIT; /* a full list ends in "…" */
    for (size_t i = 0; i < index->n_manifests; i++) {
        const struct oci_descriptor *d = &index->manifests[i];
        if (d->attestation || !d->has_platform)
            continue;
        char text[OCI_PLATFORM_TEXT];
        oci_platform_text(&d->platform, text);
        /* a Windows image comes once per build of Windows */
        char *known = list->len ? strstr(list->data, text) : NULL;
        if (known && (known[strlen(text)] == ',' || !known[strlen(text)]))
            continue;
        if (dr_buf_addf(list, &ignored, "%s%s", list->len ? ", " : "", text) < 0) {
            list->max += 8;
            dr_buf_addf(list, &ignored, ", …");
            return;
        }
    }
}

const struct oci_descriptor *oci_index_choose(const struct oci_index *index,
                                              const struct oci_platform *want,
                                              struct dr_error *err)
{
    const struct oci_descriptor *best = NULL, *unnamed = NULL;
    int best_score = 0;
    for (size_t i = 0; i < index->n_manifests; i++) {
        const struct oci_descriptor *d = &index->manifests[i];
        bool usable = d->media == OCI_MEDIA_MANIFEST || d->media == OCI_MEDIA_INDEX ||
                      !d->media_type[0];
        if (d->attestation || !usable)
            continue;
        if (!d->has_platform) {
            unnamed = unnamed ? unnamed : d;
            continue;
        }
        int score = oci_platform_match(want, &d->platform);
        if (score > best_score) {
            best = d;
            best_score = score;
        }
    }
    if (best || unnamed)
        return best ? best : unnamed;
    char text[OCI_PLATFORM_TEXT];
    oci_platform_text(want, text);
    dr_auto_buf struct dr_buf list = DR_BUF_INIT(400);
    list_platforms(index, &list);
    if (list.len == 0)
        dr_fail(err, DR_ERR_NOT_FOUND, "no image for %s: the index offers none at all",
                text);
    else
        dr_fail(err, DR_ERR_NOT_FOUND, "no image for %s, there are: %s", text, list.data);
    return NULL;
}
