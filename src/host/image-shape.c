/* SPDX-License-Identifier: Apache-2.0 */
#include "host/image-shape.h"

#include <string.h>

#include "base/text.h"
#include "oci/ref.h"

/* --- docker image inspect --- */

/* Splits an image's references as Docker shows them. */
static void add_refs(json_t *out, const json_t *image)
{
    json_t *tags = json_array(), *digests = json_array();
    json_t *refs = dr_json_array(image, "refs");
    const char *digest = dr_json_str(image, "digest");
    for (size_t i = 0; i < json_array_size(refs); i++) {
        dr_auto_error struct dr_error unused = DR_ERROR_INIT;
        dr_auto_ref struct oci_ref ref = OCI_REF_INIT;
        const char *text = json_string_value(json_array_get(refs, i));
        if (!text || oci_ref_parse(text, &ref, &unused) < 0)
            continue;
        dr_auto_free char *name = oci_ref_familiar_name(&ref);
        dr_auto_free char *tag = dr_printf("%s:%s", name, ref.tag ? ref.tag : "");
        const char *pin = *ref.digest.text ? ref.digest.text : digest;
        dr_auto_free char *pinned = dr_printf("%s@%s", name, pin ? pin : "");
        if (ref.tag && !*ref.digest.text)
            json_array_append_new(tags, json_string(tag));
        if (pin)
            json_array_append_new(digests, json_string(pinned));
    }
    dr_json_set(out, "RepoTags", tags);
    dr_json_set(out, "RepoDigests", digests);
}

static json_t *or_empty(json_t *value, json_t *empty)
{
    if (!value)
        return empty;
    json_decref(empty);
    return json_incref(value);
}

json_t *image_inspect_shape(const json_t *image)
{
    json_t *out = json_object();
    const json_t *config = dr_json_object(image, "config");
    const json_t *rootfs = dr_json_object(config, "rootfs");
    const char *id = dr_json_str(image, "id");
    dr_auto_free char *full =
        dr_printf("%s%s", id && !strchr(id, ':') ? "sha256:" : "", id ? id : "");
    dr_json_set_str(out, "Id", full);
    add_refs(out, image);
    dr_json_set_str(out, "Digest", dr_json_str(image, "digest"));
    dr_json_set_str(out, "Created", dr_json_str(config, "created"));
    dr_json_set_str(out, "Author", dr_json_str(config, "author"));
    dr_json_set_str(out, "Architecture", dr_json_str(config, "architecture"));
    dr_json_set_str(out, "Variant", dr_json_str(config, "variant"));
    dr_json_set_str(out, "Os", dr_json_str(config, "os"));
    dr_json_set_int(out, "Size", dr_json_int(image, "size", 0));
    dr_json_set(out, "Config", or_empty(dr_json_object(config, "config"), json_object()));
    json_t *layers = json_object();
    dr_json_set_str(layers, "Type", "layers");
    dr_json_set(layers, "Layers",
                or_empty(dr_json_array(rootfs, "diff_ids"), json_array()));
    dr_json_set(out, "RootFS", layers);
    return out;
}

/* --- history --- */

static int64_t time_of(const json_t *object, const char *key)
{
    dr_auto_error struct dr_error unused = DR_ERROR_INIT;
    const char *text = dr_json_str(object, key);
    int64_t ns = dr_json_int(object, key, 0);
    if (text && dr_time_parse(text, &ns, &unused) < 0)
        ns = 0;
    return ns;
}

/* The config's history, with the sizes of the layers that its steps made: unpacked when
 * the helper says them, else as they are in the registry. */
json_t *image_history_shape(const json_t *image)
{
    json_t *out = json_array(), *step;
    const json_t *config = dr_json_object(image, "config");
    json_t *history = dr_json_array(config, "history");
    json_t *sizes = dr_json_array(image, "layer_sizes");
    json_t *layers = dr_json_array(dr_json_object(image, "manifest"), "layers");
    size_t i, layer = 0;
    json_array_foreach (history, i, step) {
        bool empty = dr_json_bool(step, "empty_layer");
        json_t *row = json_object(), *size = json_array_get(sizes, layer);
        int64_t bytes = json_is_integer(size)
                            ? json_integer_value(size)
                            : dr_json_int(json_array_get(layers, layer), "size", 0);
        bool newest = i + 1 == json_array_size(history);
        const char *by = dr_json_str(step, "created_by");
        const char *comment = dr_json_str(step, "comment");
        dr_json_set_str(row, "id", newest ? dr_json_str(image, "id") : "<missing>");
        dr_json_set_int(row, "created_ns", time_of(step, "created"));
        dr_json_set_str(row, "created_by", by ? by : "");
        dr_json_set_str(row, "comment", comment ? comment : "");
        dr_json_set_int(row, "size", empty ? 0 : bytes);
        dr_json_set_bool(row, "empty", empty);
        json_array_insert_new(out, 0, row);
        layer += !empty;
    }
    return out;
}

/* --- list --- */

void image_list_shape(json_t *item)
{
    json_t *tags = json_array(), *refs = dr_json_array(item, "refs"), *text;
    size_t i;
    dr_json_set_int(item, "created_ns", time_of(item, "created"));
    json_array_foreach (refs, i, text) {
        dr_auto_error struct dr_error unused = DR_ERROR_INIT;
        dr_auto_ref struct oci_ref ref = OCI_REF_INIT;
        const char *typed = json_string_value(text);
        if (!typed || oci_ref_parse(typed, &ref, &unused) < 0)
            continue;
        dr_auto_free char *name = oci_ref_familiar_name(&ref);
        json_t *row = json_object();
        dr_json_set_str(row, "repository", name);
        /* with a digest, a tag says what it once meant, maybe: Docker keeps none */
        dr_json_set_str(row, "tag", *ref.digest.text ? NULL : ref.tag);
        dr_json_set_str(row, "digest",
                        *ref.digest.text ? ref.digest.text : dr_json_str(item, "digest"));
        json_array_append_new(tags, row);
    }
    dr_json_set(item, "tags", tags);
    json_object_del(item, "created");
}
