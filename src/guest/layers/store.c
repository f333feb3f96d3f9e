/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "base/json.h"
#include "guest/layers/store-private.h"

static const struct layer_limits default_limits = {
    .tar_bytes = (int64_t)256 << 30,
    .entries = 4000000,
};

int layer_store_open(const char *root, struct layer_store **ret, struct dr_error *err)
{
    dr_auto_free char *tmp = dr_path_join(root, "layers/tmp");
    dr_auto_free char *layers = dr_path_join(root, "layers");
    /* 0700: what is in there keeps its set-id bits and owners, it is nobody else's */
    if (dr_mkdir_all(layers, 0700, err) < 0 || dr_mkdir_all(tmp, 0700, err) < 0)
        return -1;
    dr_auto_fd int layers_fd = open(layers, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    dr_auto_fd int tmp_fd =
        layers_fd < 0
            ? -1
            : openat(layers_fd, "tmp", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (tmp_fd < 0)
        return dr_fail_errno(err, DR_ERR_INTERNAL, "open %s", tmp);
    struct layer_store *store = dr_alloc(sizeof *store);
    store->root = dr_strdup(root);
    store->layers = DR_TAKE_FD(layers_fd);
    store->tmp = DR_TAKE_FD(tmp_fd);
    store->limits = default_limits;
    pthread_mutex_init(&store->sync_lock, NULL);
    pthread_cond_init(&store->sync_changed, NULL);
    *ret = store;
    return 0;
}

void layer_store_close(struct layer_store *store)
{
    if (!store)
        return;
    close(store->tmp);
    close(store->layers);
    pthread_cond_destroy(&store->sync_changed);
    pthread_mutex_destroy(&store->sync_lock);
    free(store->root);
    free(store);
}

void layer_store_limit(struct layer_store *store, const struct layer_limits *limits)
{
    if (limits->tar_bytes > 0)
        store->limits.tar_bytes = limits->tar_bytes;
    if (limits->entries > 0)
        store->limits.entries = limits->entries;
}

bool layer_committed(struct layer_store *store, const char *name)
{
    dr_auto_free char *meta = dr_printf("%s/meta", name);
    return faccessat(store->layers, meta, F_OK, 0) == 0;
}

bool layer_store_has(struct layer_store *store, const struct oci_digest *diff_id)
{
    return layer_committed(store, oci_digest_hex(diff_id));
}

char *layer_store_path(struct layer_store *store, const struct oci_digest *diff_id)
{
    return dr_printf("%s/layers/%s/fs", store->root, oci_digest_hex(diff_id));
}

int layer_meta(struct layer_store *store, const struct oci_digest *diff_id,
               struct layer_stats *ret, struct dr_error *err)
{
    dr_auto_free char *path = dr_printf("%s/meta", oci_digest_hex(diff_id));
    dr_auto_buf struct dr_buf text = DR_BUF_INIT(65536);
    if (dr_file_read(store->layers, path, &text, err) < 0)
        return err->kind == DR_ERR_NOT_FOUND
                   ? dr_fail(err, DR_ERR_NOT_FOUND, "layer %s is not here", diff_id->text)
                   : -1;
    dr_auto_json json_t *meta = dr_json_parse(text.data, text.len, text.max, err);
    if (!meta)
        return dr_wrap(err, "layer %s", diff_id->text);
    int64_t version = dr_json_int(meta, "version", 0);
    if (version != LAYER_META_VERSION)
        return dr_fail(err, DR_ERR_UNSUPPORTED,
                       "layer %s was made by another version of dray (%lld)",
                       diff_id->text, (long long)version);
    *ret = (struct layer_stats){
        .compressed_bytes = dr_json_int(meta, "compressed_bytes", 0),
        .tar_bytes = dr_json_int(meta, "tar_bytes", 0),
        .entries = dr_json_int(meta, "entries", 0),
        .disk_bytes = dr_json_int(meta, "disk_bytes", 0),
        .skipped_devices = dr_json_int(meta, "skipped_devices", 0),
    };
    return 0;
}

/* A second open of a directory, since readdir moves the position of the first. */
static DIR *list_dir(int fd)
{
    int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = copy < 0 ? NULL : fdopendir(copy);
    if (!dir && copy >= 0)
        close(copy);
    return dir;
}

int layer_store_list(struct layer_store *store, layer_list_fn each, void *arg,
                     struct dr_error *err)
{
    DIR *dir = list_dir(store->layers);
    if (!dir)
        return dr_fail_errno(err, DR_ERR_INTERNAL, "read %s/layers", store->root);
    struct dirent *entry;
    int result = 0;
    while (result == 0 && (entry = readdir(dir))) {
        struct oci_digest diff_id;
        dr_auto_error struct dr_error ignored = DR_ERROR_INIT;
        dr_auto_free char *text = dr_printf("sha256:%s", entry->d_name);
        if (oci_digest_parse(text, strlen(text), &diff_id, &ignored) == 0 &&
            layer_store_has(store, &diff_id))
            result = each(arg, &diff_id, err);
    }
    closedir(dir);
    return result;
}

/* The extra directories of stacks of which this layer is the top: "<hex>-…". */
static int discard_extras(struct layer_store *store, const char *hex,
                          struct dr_error *err)
{
    DIR *dir = list_dir(store->layers);
    if (!dir)
        return dr_fail_errno(err, DR_ERR_INTERNAL, "read %s/layers", store->root);
    size_t n = strlen(hex);
    struct dirent *entry;
    int result = 0;
    while (result == 0 && (entry = readdir(dir)))
        if (strncmp(entry->d_name, hex, n) == 0 && entry->d_name[n] == '-')
            result = layer_discard(store, entry->d_name, err);
    closedir(dir);
    return result;
}

int layer_store_remove(struct layer_store *store, const struct oci_digest *diff_id,
                       struct dr_error *err)
{
    const char *hex = oci_digest_hex(diff_id);
    if (layer_discard(store, hex, err) < 0 || discard_extras(store, hex, err) < 0)
        return dr_wrap(err, "remove layer %s", diff_id->text);
    return 0;
}
