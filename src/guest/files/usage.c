/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/files/usage.h"

#include <fcntl.h>
#include <string.h>

#include "base/fs.h"
#include "base/walk.h"
#include "guest/container/container.h"
#include "guest/container/list.h"
#include "guest/container/record.h"
#include "guest/images/images.h"
#include "guest/volumes/volumes.h"

struct report {
    struct guest *guest;
    json_t *users;  /* of layers: diff id → number of images; of images, volumes */
    json_t *counts; /* containers by image */
    json_t *list;
    struct dr_error *err;
};

static int64_t layer_bytes(struct guest *guest, const struct oci_digest *diff_id)
{
    struct layer_stats stats = {0};
    dr_auto_error struct dr_error gone = DR_ERROR_INIT;
    layer_meta(guest->layers, diff_id, &stats, &gone);
    return stats.disk_bytes;
}

static int count_layers(void *arg, const struct image *image)
{
    struct report *r = arg;
    for (size_t i = 0; i < image->diff_id_count; i++) {
        const char *id = image->diff_ids[i].text;
        dr_json_set_int(r->users, id, dr_json_int(r->users, id, 0) + 1);
    }
    return 0;
}

static int add_image(void *arg, const struct image *image)
{
    struct report *r = arg;
    int64_t shared = 0;
    for (size_t i = 0; i < image->diff_id_count; i++)
        if (dr_json_int(r->users, image->diff_ids[i].text, 0) > 1)
            shared += layer_bytes(r->guest, &image->diff_ids[i]);
    json_t *item = json_object();
    dr_json_set_str(item, "id", image->id);
    dr_json_set(item, "names", dr_json_from_strv(image->names));
    dr_json_set_str(item, "created", dr_json_str(image->config, "created"));
    dr_json_set_int(item, "size", image->size_bytes);
    dr_json_set_int(item, "shared_size", shared);
    dr_json_set_int(item, "containers", dr_json_int(r->counts, image->id, 0));
    json_array_append_new(r->list, item);
    return 0;
}

static int add_container(void *arg, const char *id)
{
    struct report *r = arg;
    container_auto struct container c = {0};
    dr_auto_error struct dr_error gone = DR_ERROR_INIT;
    if (container_load_state(r->guest, id, &c, &gone) < 0)
        return 0;
    dr_auto_json json_t *summary = container_summary(&c);
    dr_auto_free char *upper = dr_path_join(c.dir, "upper");
    static const char *const kept[] = {"id", "name", "image", "image_id", "status"};
    json_t *item = json_object();
    for (size_t i = 0; i < DR_COUNT(kept); i++)
        dr_json_set(item, kept[i], json_incref(json_object_get(summary, kept[i])));
    dr_json_set_int(item, "size", usage_of_path(upper));
    json_array_append_new(r->list, item);
    return 0;
}

static int add_volume(void *arg, const struct volume *volume)
{
    struct report *r = arg;
    json_t *item = json_object();
    dr_json_set_str(item, "name", volume->name);
    dr_json_set_bool(item, "anonymous", volume->anonymous);
    dr_json_set_int(item, "size", usage_of_path(volume->source));
    dr_json_set_int(item, "containers",
                    (int64_t)json_array_size(json_object_get(r->users, volume->name)));
    json_array_append_new(r->list, item);
    return 0;
}

struct layers {
    struct guest *guest;
    int64_t bytes;
};

static int add_layer(void *arg, const struct oci_digest *diff_id, struct dr_error *err)
{
    struct layers *layers = arg;
    layers->bytes += layer_bytes(layers->guest, diff_id);
    return 0;
}

int usage_report(struct guest *guest, json_t **ret, struct dr_error *err)
{
    dr_auto_json json_t *layer_users = json_object(), *counts = json_object();
    dr_auto_json json_t *volume_users = json_object(), *report = json_object();
    json_t *images = json_array(), *containers = json_array(), *volumes = json_array();
    struct report r = {guest, layer_users, counts, images, err};
    struct layers layers = {.guest = guest};
    dr_json_set(report, "images", images);
    dr_json_set(report, "containers", containers);
    dr_json_set(report, "volumes", volumes);
    if (container_count_images(guest, counts, err) < 0 ||
        image_each(guest, count_layers, &r, err) < 0 ||
        image_each(guest, add_image, &r, err) < 0)
        return -1;
    r.list = containers;
    if (container_each(guest, add_container, &r, err) < 0 ||
        container_volume_users(guest, volume_users, err) < 0)
        return -1;
    r.list = volumes;
    r.users = volume_users;
    if (volume_each(guest, add_volume, &r, err) < 0 ||
        layer_store_list(guest->layers, add_layer, &layers, err) < 0)
        return -1;
    dr_json_set_int(report, "layers_size", layers.bytes);
    *ret = DR_TAKE(report);
    return 0;
}
