/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Removing an image: its reference first, then, when it was the last and no container
 * uses it, the image, then the layers that no image and no container names any more. What
 * is in use is found out by looking (mark and sweep under the exclusive lock), never
 * counted.
 */
#include "guest/images/images.h"

#include <stdio.h>
#include <string.h>

#include "base/fs.h"
#include "base/text.h"
#include "guest/container/container.h"
#include "guest/prune.h"

struct marks {
    json_t *diff_ids; /* object used as a set */
};

static void mark(struct marks *marks, const char *diff_id)
{
    json_object_set_new_nocheck(marks->diff_ids, diff_id, json_true());
}

static int mark_image(void *arg, const struct image *image)
{
    for (size_t i = 0; i < image->diff_id_count; i++)
        mark(arg, image->diff_ids[i].text);
    return 0;
}

static int mark_container(void *arg, const char *diff_id)
{
    mark(arg, diff_id);
    return 0;
}

struct sweep {
    struct guest *guest;
    struct marks marks;
    json_t *removed;
    int64_t bytes;
};

static int sweep_layer(void *arg, const struct oci_digest *diff_id, struct dr_error *err)
{
    struct sweep *s = arg;
    if (json_object_get(s->marks.diff_ids, diff_id->text))
        return 0;
    struct layer_stats stats = {0};
    dr_auto_error struct dr_error unknown = DR_ERROR_INIT;
    layer_meta(s->guest->layers, diff_id, &stats, &unknown);
    if (layer_store_remove(s->guest->layers, diff_id, err) < 0)
        return -1;
    s->bytes += stats.disk_bytes;
    json_array_append_new(s->removed, json_string(diff_id->text));
    return 0;
}

/* Lock held exclusively. */
static int sweep_layers(struct guest *guest, json_t *removed, int64_t *ret_bytes,
                        struct dr_error *err)
{
    dr_auto_json json_t *set = json_object();
    struct sweep s = {.guest = guest, .marks = {set}, .removed = removed};
    if (image_each(guest, mark_image, &s.marks, err) < 0 ||
        container_each_layer(guest, mark_container, &s.marks, err) < 0)
        return -1;
    int result = layer_store_list(guest->layers, sweep_layer, &s, err);
    *ret_bytes = s.bytes;
    return result;
}

static int remove_image_dir(struct guest *guest, const struct image *image,
                            struct dr_error *err)
{
    char random[9];
    dr_random_hex(8, random);
    dr_auto_free char *dir = dr_printf("%s/images/%s", guest->root, image->id + 7);
    dr_auto_free char *away = dr_printf("%s/images/tmp-%s", guest->root, random);
    if (rename(dir, away) < 0)
        return dr_fail_errno(err, DR_ERR_NONE, "remove %s", dir);
    return dr_remove_all(AT_FDCWD, away, err);
}

int image_remove(struct guest *guest, const char *ref, bool force, json_t **ret_untagged,
                 json_t **ret_deleted, struct dr_error *err)
{
    dr_auto_fd int lock = -1;
    struct image image;
    if (image_lock(guest, true, &lock, err) < 0 ||
        image_lookup(guest, ref, &image, err) < 0)
        return -1;
    image_sweep_tmp(guest);
    bool by_name = strchr(ref, '/') != NULL;
    size_t refs = dr_strv_len(image.refs);
    dr_auto_json json_t *untagged = json_array(), *deleted = json_array();
    dr_auto_strv char **keep_refs = NULL, **keep_names = NULL;
    dr_auto_free char *user = NULL;
    int64_t bytes;
    int rc = 0;

    if (!by_name && refs > 1 && !force)
        rc = dr_fail(err, DR_ERR_CONFLICT,
                     "image %s has %zu names: remove them by name, or use -f", ref, refs);
    for (size_t i = 0; rc == 0 && i < refs; i++) {
        const char *name = i < dr_strv_len(image.names) ? image.names[i] : image.refs[i];
        bool goes = !by_name || strcmp(image.refs[i], ref) == 0;
        if (goes) {
            json_array_append_new(untagged, json_string(name));
        } else {
            dr_strv_add(&keep_refs, image.refs[i]);
            dr_strv_add(&keep_names, name);
        }
    }
    bool last = keep_refs == NULL;
    if (rc == 0 && last && container_image_in_use(guest, image.id, &user) && !force)
        rc = dr_fail(err, DR_ERR_CONFLICT,
                     "image %s is used by container %s: remove that first, or use -f",
                     ref, user);
    if (rc == 0 && last && !user) {
        rc = remove_image_dir(guest, &image, err);
        if (rc == 0) {
            json_array_append_new(deleted, json_string(image.id));
            rc = sweep_layers(guest, deleted, &bytes, err);
        }
    } else if (rc == 0) {
        /* forced with a container on it: the names go, the image stays for the container
         */
        dr_auto_free char *dir = dr_printf("%s/images/%s", guest->root, image.id + 7);
        rc = image_write_refs(dir, image.digest, keep_refs, keep_names, err);
    }
    image_release(&image);
    if (rc == 0) {
        *ret_untagged = DR_TAKE(untagged);
        *ret_deleted = DR_TAKE(deleted);
    }
    return rc;
}

/* --- prune --- */

struct candidates {
    bool all;
    const struct prune_filter *filter;
    const json_t *used; /* ids of containers' images */
    json_t *ids;
};

static int find_candidate(void *arg, const struct image *image)
{
    struct candidates *c = arg;
    dr_auto_error struct dr_error unknown = DR_ERROR_INIT;
    const char *created = dr_json_str(image->config, "created");
    int64_t created_ns = 0;
    if (created)
        dr_time_parse(created, &created_ns, &unknown);
    const json_t *labels =
        dr_json_object(dr_json_object(image->config, "config"), "Labels");
    if ((c->all || !image->refs[0]) && !json_object_get(c->used, image->id) &&
        prune_filter_matches(c->filter, created_ns, labels))
        json_array_append_new(c->ids, json_string(image->id));
    return 0;
}

static int prune_one(struct guest *guest, const char *id, json_t *untagged,
                     json_t *deleted, struct dr_error *err)
{
    struct image image;
    if (image_lookup(guest, id, &image, err) < 0)
        return -1;
    int rc = remove_image_dir(guest, &image, err);
    for (size_t i = 0; rc == 0 && image.names[i]; i++)
        json_array_append_new(untagged, json_string(image.names[i]));
    if (rc == 0)
        json_array_append_new(deleted, json_string(image.id));
    image_release(&image);
    return rc;
}

int image_prune(struct guest *guest, bool all, const struct prune_filter *filter,
                json_t **ret_untagged, json_t **ret_deleted, int64_t *ret_bytes,
                struct dr_error *err)
{
    dr_auto_fd int lock = -1;
    dr_auto_json json_t *used = json_object(), *ids = json_array();
    dr_auto_json json_t *untagged = json_array(), *deleted = json_array();
    struct candidates candidates = {all || prune_filter_wants_all(filter), filter, used,
                                    ids};
    if (image_lock(guest, true, &lock, err) < 0)
        return -1;
    image_sweep_tmp(guest);
    if (container_count_images(guest, used, err) < 0 ||
        image_each(guest, find_candidate, &candidates, err) < 0)
        return -1;
    size_t i;
    json_t *id;
    json_array_foreach (ids, i, id)
        if (prune_one(guest, json_string_value(id), untagged, deleted, err) < 0)
            return -1;
    /* also what cut-off pulls and commits left */
    if (sweep_layers(guest, deleted, ret_bytes, err) < 0)
        return -1;
    *ret_untagged = DR_TAKE(untagged);
    *ret_deleted = DR_TAKE(deleted);
    return 0;
}
