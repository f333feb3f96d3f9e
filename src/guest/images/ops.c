/* SPDX-License-Identifier: Apache-2.0 */
/* The image and layer requests (docs/internals/PROTOCOL.md, "Images"). */
#include "guest/images/images.h"

#include <string.h>

#include "base/buf.h"
#include "base/text.h"
#include "flate/gzip.h"
#include "guest/container/container.h"
#include "guest/events/events.h"
#include "guest/images/import.h"
#include "guest/prune.h"
#include "oci/manifest.h"
#include "oci/ref.h"

#define STALL_MS 10000 /* as long as the host takes to find out that its line is dead */

static int want_digest(const json_t *value, const char *what, struct oci_digest *ret,
                       struct dr_error *err)
{
    const char *text = json_string_value(value);
    if (!text)
        return dr_fail(err, DR_ERR_INVALID, "%s is missing", what);
    if (oci_digest_parse(text, strlen(text), ret, err) < 0)
        return dr_wrap(err, "%s", what);
    return 0;
}

static int op_layers_missing(struct guest *guest, struct wire_chan *chan,
                             const json_t *request, json_t **ret_reply,
                             struct dr_error *err)
{
    dr_auto_json json_t *missing = json_array();
    size_t i;
    json_t *item;
    json_array_foreach (dr_json_array(request, "diff_ids"), i, item) {
        struct oci_digest diff_id;
        if (want_digest(item, "diff id", &diff_id, err) < 0)
            return -1;
        if (!layer_store_has(guest->layers, &diff_id))
            json_array_append(missing, item);
    }
    *ret_reply = json_pack("{sO}", "missing", missing);
    return 0;
}

static ssize_t read_blob(void *arg, void *buf, size_t len, struct dr_error *err)
{
    if (len == 0)
        return wire_cancelled(arg) ? dr_fail(err, DR_ERR_CANCELLED, "given up") : 0;
    wire_limit(arg, WIRE_IN, (struct wire_limit){dr_clock_ms() + STALL_MS, -1});
    ssize_t n = wire_read(arg, WIRE_STDIN, buf, len, err);
    if (n >= 0 || err->kind != DR_ERR_TIMEOUT)
        return n;
    dr_error_release(err);
    return LAYER_STALLED;
}

static int op_layer_put(struct guest *guest, struct wire_chan *chan,
                        const json_t *request, json_t **ret_reply, struct dr_error *err)
{
    struct oci_digest diff_id;
    const char *media_type = dr_json_str(request, "media_type");
    struct layer_stats stats = {0};
    if (want_digest(json_object_get(request, "diff_id"), "diff_id", &diff_id, err) < 0)
        return -1;
    if (layer_put(guest->layers, &diff_id, media_type ? media_type : "", read_blob, chan,
                  &stats, err) < 0)
        return -1;
    *ret_reply =
        json_pack("{sssIsI}", "diff_id", diff_id.text, "tar_bytes",
                  (json_int_t)stats.tar_bytes, "entries", (json_int_t)stats.entries);
    return 0;
}

static int send_tar(void *arg, const void *data, size_t len, struct dr_error *err)
{
    return wire_write(arg, WIRE_STDOUT, data, len, err);
}

static int compress(void *arg, const void *data, size_t len, struct dr_error *err)
{
    return gzip_add(arg, data, len, err);
}

static int get_gzip(struct guest *guest, const struct oci_digest *diff_id,
                    struct wire_chan *chan, struct dr_error *err)
{
    struct gzip *gzip = gzip_new(GZIP_FAST, send_tar, chan);
    int rc = layer_get(guest->layers, diff_id, compress, gzip, err);
    if (rc == 0)
        rc = gzip_end(gzip, err);
    gzip_free(gzip);
    return rc;
}

static int op_layer_get(struct guest *guest, struct wire_chan *chan,
                        const json_t *request, json_t **ret_reply, struct dr_error *err)
{
    struct oci_digest diff_id;
    if (want_digest(json_object_get(request, "diff_id"), "diff_id", &diff_id, err) < 0 ||
        (dr_json_bool(request, "gzip")
             ? get_gzip(guest, &diff_id, chan, err)
             : layer_get(guest->layers, &diff_id, send_tar, chan, err)) < 0)
        return -1;
    return wire_eof(chan, WIRE_STDOUT, err);
}

/* Of each layer, base first: of its tar, or on disk; 0 for one that is gone. */
static json_t *layer_sizes(const struct guest *guest, const struct image *image, bool tar)
{
    json_t *sizes = json_array();
    for (size_t i = 0; i < image->diff_id_count; i++) {
        struct layer_stats stats = {0};
        dr_auto_error struct dr_error gone = DR_ERROR_INIT;
        layer_meta(guest->layers, &image->diff_ids[i], &stats, &gone);
        json_array_append_new(sizes,
                              json_integer(tar ? stats.tar_bytes : stats.disk_bytes));
    }
    return sizes;
}

static int op_image_documents(struct guest *guest, struct wire_chan *chan,
                              const json_t *request, json_t **ret_reply,
                              struct dr_error *err)
{
    dr_auto_buf struct dr_buf manifest = DR_BUF_INIT(OCI_MANIFEST_MAX);
    dr_auto_buf struct dr_buf config = DR_BUF_INIT(OCI_MANIFEST_MAX);
    struct image image;
    const char *ref = dr_json_str(request, "ref");
    if (!ref)
        return dr_fail(err, DR_ERR_INVALID, "ref is missing");
    if (image_lookup(guest, ref, &image, err) < 0)
        return -1;
    json_t *sizes = layer_sizes(guest, &image, true);
    int result = image_documents(guest, &image, &manifest, &config, err);
    if (result == 0)
        *ret_reply = json_pack("{sssssososO}", "id", image.id, "digest", image.digest,
                               "refs", dr_json_from_strv(image.refs), "names",
                               dr_json_from_strv(image.names), "tar_sizes", sizes);
    json_decref(sizes);
    image_release(&image);
    if (result < 0 ||
        wire_write(chan, WIRE_STDOUT, manifest.data, manifest.len, err) < 0 ||
        wire_eof(chan, WIRE_STDOUT, err) < 0 ||
        wire_write(chan, WIRE_STDERR, config.data, config.len, err) < 0 ||
        wire_eof(chan, WIRE_STDERR, err) < 0)
        return -1;
    return 0;
}

static int read_document(struct wire_chan *chan, int stream, struct dr_buf *buf,
                         struct dr_error *err)
{
    char chunk[16384];
    for (;;) {
        ssize_t n = wire_read(chan, stream, chunk, sizeof chunk, err);
        if (n <= 0)
            return (int)n;
        if (dr_buf_add(buf, chunk, (size_t)n, err) < 0)
            return -1;
    }
}

static int op_image_put(struct guest *guest, struct wire_chan *chan,
                        const json_t *request, json_t **ret_reply, struct dr_error *err)
{
    dr_auto_buf struct dr_buf manifest = DR_BUF_INIT(OCI_MANIFEST_MAX);
    dr_auto_buf struct dr_buf config = DR_BUF_INIT(OCI_MANIFEST_MAX);
    const char *ref = dr_json_str(request, "ref"),
               *name = dr_json_str(request, "familiar");
    struct oci_digest want, got;
    if (want_digest(json_object_get(request, "digest"), "digest", &want, err) < 0)
        return -1;
    if (read_document(chan, WIRE_STDIN, &manifest, err) < 0)
        return dr_wrap(err, "manifest");
    if (read_document(chan, WIRE_STDOUT, &config, err) < 0)
        return dr_wrap(err, "config");
    oci_digest_of(manifest.data, manifest.len, &got);
    if (!oci_digest_equal(&want, &got))
        return dr_fail(err, DR_ERR_INVALID, "the manifest that came is %s, not %s",
                       got.text, want.text);
    dr_auto_free char *id = NULL;
    if (image_put(guest, ref, name, manifest.data, manifest.len, config.data, config.len,
                  &id, err) < 0)
        return -1;
    event_write(guest->root, "image", "pull", id, name ? name : ref, NULL);
    *ret_reply = json_pack("{ssssss?}", "id", id, "digest", got.text, "ref", ref);
    return 0;
}

static int op_image_import(struct guest *guest, struct wire_chan *chan,
                           const json_t *request, json_t **ret_reply,
                           struct dr_error *err)
{
    struct oci_digest diff_id;
    dr_auto_strv char **changes = dr_json_strv(dr_json_array(request, "changes"));
    dr_auto_free char *id = NULL;
    const struct import_options options = {.ref = dr_json_str(request, "ref"),
                                           .familiar = dr_json_str(request, "familiar"),
                                           .message = dr_json_str(request, "message"),
                                           .platform = dr_json_str(request, "platform"),
                                           .changes = (const char *const *)changes};
    if (want_digest(json_object_get(request, "diff_id"), "diff_id", &diff_id, err) < 0 ||
        image_import(guest, &diff_id, &options, &id, err) < 0)
        return -1;
    event_write(guest->root, "image", "import", id,
                options.familiar ? options.familiar : id, NULL);
    *ret_reply = json_pack("{ss}", "id", id);
    return 0;
}

/* counts: containers by image id */
static json_t *describe(const struct image *image, const json_t *counts)
{
    json_t *json = json_object();
    dr_json_set_str(json, "id", image->id);
    dr_json_set_str(json, "digest", image->digest);
    dr_json_set(json, "refs", dr_json_from_strv(image->refs));
    dr_json_set(json, "names", dr_json_from_strv(image->names));
    dr_json_set_str(json, "created", dr_json_str(image->config, "created"));
    dr_json_set_int(json, "size", image->size_bytes);
    json_t *labels = dr_json_object(dr_json_object(image->config, "config"), "Labels");
    if (labels)
        json_object_set(json, "labels", labels);
    dr_json_set_int(json, "containers", dr_json_int(counts, image->id, 0));
    return json;
}

static int op_image_get(struct guest *guest, struct wire_chan *chan,
                        const json_t *request, json_t **ret_reply, struct dr_error *err)
{
    struct image image;
    const char *ref = dr_json_str(request, "ref");
    if (!ref)
        return dr_fail(err, DR_ERR_INVALID, "ref is missing");
    dr_auto_json json_t *counts = json_object();
    if (container_count_images(guest, counts, err) < 0 ||
        image_lookup(guest, ref, &image, err) < 0)
        return -1;
    json_t *sizes = layer_sizes(guest, &image, false);
    *ret_reply = describe(&image, counts);
    dr_json_set(*ret_reply, "layer_sizes", sizes);
    dr_json_set(*ret_reply, "config", json_incref(image.config));
    dr_json_set(*ret_reply, "manifest", json_incref(image.manifest));
    image_release(&image);
    return 0;
}

struct listing {
    struct wire_chan *chan;
    struct dr_error *err;
    const json_t *counts;
    int rc;
};

static int list_one(void *arg, const struct image *image)
{
    struct listing *list = arg;
    dr_auto_json json_t *event =
        json_pack("{ssso}", "event", "item", "item", describe(image, list->counts));
    list->rc = wire_event(list->chan, event, list->err);
    return list->rc;
}

static int op_image_list(struct guest *guest, struct wire_chan *chan,
                         const json_t *request, json_t **ret_reply, struct dr_error *err)
{
    dr_auto_json json_t *counts = json_object();
    struct listing list = {chan, err, counts, 0};
    if (container_count_images(guest, counts, err) < 0 ||
        image_each(guest, list_one, &list, err) < 0)
        return -1;
    return list.rc;
}

static void tell_removed(struct guest *guest, const char *action, const json_t *names)
{
    size_t i;
    json_t *name;
    json_array_foreach (names, i, name)
        event_write(guest->root, "image", action, json_string_value(name),
                    json_string_value(name), NULL);
}

static int op_image_remove(struct guest *guest, struct wire_chan *chan,
                           const json_t *request, json_t **ret_reply,
                           struct dr_error *err)
{
    const char *ref = dr_json_str(request, "ref");
    json_t *untagged, *deleted;
    if (!ref)
        return dr_fail(err, DR_ERR_INVALID, "ref is missing");
    if (image_remove(guest, ref, dr_json_bool(request, "force"), &untagged, &deleted,
                     err) < 0)
        return -1;
    tell_removed(guest, "untag", untagged);
    tell_removed(guest, "delete", deleted);
    *ret_reply = json_pack("{soso}", "untagged", untagged, "deleted", deleted);
    return 0;
}

static int op_image_tag(struct guest *guest, struct wire_chan *chan,
                        const json_t *request, json_t **ret_reply, struct dr_error *err)
{
    const char *ref = dr_json_str(request, "ref"),
               *new_ref = dr_json_str(request, "new_ref"),
               *familiar = dr_json_str(request, "familiar");
    dr_auto_ref struct oci_ref checked = OCI_REF_INIT;
    if (!ref || !new_ref)
        return dr_fail(err, DR_ERR_INVALID, "ref and new_ref are needed");
    if (oci_ref_parse(new_ref, &checked, err) < 0)
        return -1;
    dr_auto_free char *canonical = oci_ref_text(&checked);
    if (strcmp(canonical, new_ref) != 0)
        return dr_fail(err, DR_ERR_INVALID, "%s is no canonical reference", new_ref);
    if (image_tag(guest, ref, new_ref, familiar, err) < 0)
        return -1;
    event_write(guest->root, "image", "tag", ref, familiar ? familiar : new_ref, NULL);
    return 0;
}

static int op_image_prune(struct guest *guest, struct wire_chan *chan,
                          const json_t *request, json_t **ret_reply, struct dr_error *err)
{
    prune_auto_filter struct prune_filter *filter = NULL;
    json_t *untagged, *deleted;
    int64_t bytes = 0;
    if (prune_filter_parse(dr_json_array(request, "filters"), true, &filter, err) < 0 ||
        image_prune(guest, dr_json_bool(request, "all"), filter, &untagged, &deleted,
                    &bytes, err) < 0)
        return -1;
    tell_removed(guest, "untag", untagged);
    tell_removed(guest, "delete", deleted);
    *ret_reply = json_pack("{sososI}", "untagged", untagged, "deleted", deleted,
                           "space_reclaimed", (json_int_t)bytes);
    return 0;
}

const struct guest_op guest_image_ops[] = {
    {"layers.missing", op_layers_missing},
    {"layer.put", op_layer_put},
    {"layer.get", op_layer_get},
    {"image.put", op_image_put},
    {"image.import", op_image_import},
    {"image.get", op_image_get},
    {"image.documents", op_image_documents},
    {"image.list", op_image_list},
    {"image.remove", op_image_remove},
    {"image.tag", op_image_tag},
    {"image.prune", op_image_prune},
    {NULL, NULL},
};
