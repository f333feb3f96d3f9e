/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The layer's tar is written to a file without a name first, since a layer is put under
 * its digest, and so that the container stands still only as long as its files are read.
 */
#include "guest/files/commit.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/syscall.h>

#include "base/fs.h"
#include "base/sha256.h"
#include "base/text.h"
#include "guest/container/pause.h"
#include "guest/files/changes.h"
#include "guest/files/view.h"
#include "guest/images/changes.h"
#include "guest/images/images.h"
#include "oci/media.h"
#include "spec/container.h"
#include "tar/pack.h"

#define PUT_TRIES 3 /* a sweep may take a layer that no image has yet */

/* The new layer, and where it is on its way. */
struct spool {
    int fd; /* of the tar */
    int64_t size, entries;
    struct dr_sha256 hash;
    struct oci_digest diff_id;
    int upper;
    struct tar_writer *writer;
    struct tar_packer *packer;
    struct wire_chan *chan;
};

/* --- the layer --- */

static int spool_write(void *arg, const void *data, size_t len, struct dr_error *err)
{
    struct spool *spool = arg;
    if (wire_cancelled(spool->chan))
        return dr_fail(err, DR_ERR_CANCELLED, "given up");
    if (dr_write_full(spool->fd, data, len) < 0)
        return dr_fail_errno(err, DR_ERR_INTERNAL, "write the layer");
    dr_sha256_add(&spool->hash, data, len);
    spool->size += (int64_t)len;
    return 0;
}

/* An empty file that stands for something: a whiteout, an opaque directory. */
static int add_mark(struct spool *spool, const char *dir, size_t dir_len,
                    const char *prefix, const char *name, struct dr_error *err)
{
    dr_auto_free char *path =
        dr_printf("%.*s%s%s%s", (int)dir_len, dir, dir_len ? "/" : "", prefix, name);
    struct tar_entry e = {.type = TAR_FILE, .name = path, .link = ""};
    return tar_write_entry(spool->writer, &e, err);
}

static int add_change(void *arg, const struct change *change, struct dr_error *err)
{
    struct spool *spool = arg;
    const char *slash = strrchr(change->path, '/');
    const char *name = slash ? slash + 1 : change->path;
    if (change->kind == CHANGE_DELETED)
        return add_mark(spool, change->path, slash ? (size_t)(slash - change->path) : 0,
                        ".wh.", name, err);
    if (strncmp(name, ".wh.", 4) == 0) {
        dr_auto_free char *shown = dr_escape(change->path, 200);
        return dr_fail(err, DR_ERR_UNSUPPORTED,
                       "%s: a layer cannot hold a name that begins with .wh.", shown);
    }
    struct open_how how = {.flags = O_PATH | O_NOFOLLOW | O_CLOEXEC,
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
    dr_auto_fd int fd =
        (int)syscall(SYS_openat2, spool->upper, change->path, &how, sizeof how);
    if (fd < 0) /* it runs on and took the file away */
        return errno == ENOENT ? 0
                               : dr_fail_errno(err, DR_ERR_INTERNAL, "read the files");
    if (tar_pack_object(spool->packer, fd, NULL, change->path, err) < 0)
        return -1;
    return change->opaque ? add_mark(spool, change->path, strlen(change->path),
                                     ".wh..wh..opq", "", err)
                          : 0;
}

static int write_layer(struct spool *spool, int image_root, struct dr_error *err)
{
    char hex[DR_SHA256_HEX + 1];
    spool->writer = tar_writer_new(spool_write, spool);
    spool->packer = tar_packer_new(spool->writer);
    int result = changes_each(spool->upper, image_root, true, add_change, spool, err);
    if (result == 0)
        result = tar_write_end(spool->writer, err);
    spool->entries = tar_writer_count(spool->writer);
    tar_packer_free(spool->packer);
    tar_writer_free(spool->writer);
    if (result < 0)
        return -1;
    dr_sha256_hex(&spool->hash, hex);
    dr_auto_free char *text = dr_printf("sha256:%s", hex);
    return oci_digest_parse(text, strlen(text), &spool->diff_id, err);
}

static int read_files(struct guest *guest, const struct container *c, bool pause,
                      struct spool *spool, struct dr_error *err)
{
    view_auto struct view image = VIEW_INIT;
    dr_auto_free char *tmp = dr_path_join(guest->root, "layers/tmp");
    dr_auto_free char *path = dr_path_join(c->dir, "upper");
    spool->fd = open(tmp, O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
    spool->upper = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (spool->fd < 0 || spool->upper < 0)
        return dr_fail_errno(err, DR_ERR_INTERNAL, "begin the layer");
    if (view_open(guest, c, VIEW_IMAGE_ONLY, &image, err) < 0)
        return -1;
    int hold = -1;
    if (pause && container_hold(guest, c, &hold, err) < 0)
        return -1;
    int result = write_layer(spool, image.root, err);
    container_let_go(guest, c, hold);
    return result;
}

static ssize_t spool_read(void *arg, void *buf, size_t len, struct dr_error *err)
{
    struct spool *spool = arg;
    ssize_t n = wire_cancelled(spool->chan) ? -2 : read(spool->fd, buf, len);
    if (n == -2)
        return dr_fail(err, DR_ERR_CANCELLED, "given up");
    return n < 0 ? dr_fail_errno(err, DR_ERR_INTERNAL, "read the layer") : n;
}

/* --- the config --- */

static void set_env(json_t *config, const char *entry)
{
    json_t *env = dr_json_array(config, "Env"), *old;
    size_t name = strcspn(entry, "="), i;
    if (!env)
        json_object_set_new(config, "Env", env = json_array());
    json_array_foreach (env, i, old)
        if (strncmp(json_string_value(old) ?: "", entry, name) == 0 &&
            json_string_value(old)[name] == '=') {
            if (entry[name])
                json_array_set_new(env, i, json_string(entry));
            else
                json_array_remove(env, i);
            return;
        }
    if (entry[name])
        json_array_append_new(env, json_string(entry));
}

static void set_words(json_t *config, const char *key, char *const *words)
{
    if (words && *words)
        json_object_set_new(config, key, dr_json_from_strv(words));
    else
        json_object_del(config, key);
}

/* As Docker: what it was run with is what the image runs. */
static void merge_spec(json_t *config, const struct spec_container *spec)
{
    if (spec->has_entrypoint)
        set_words(config, "Entrypoint", spec->entrypoint);
    if (spec->has_entrypoint || (spec->args && *spec->args))
        set_words(config, "Cmd", spec->args);
    for (size_t i = 0; spec->env && spec->env[i]; i++)
        set_env(config, spec->env[i]);
    for (size_t i = 0; spec->labels && spec->labels[i]; i++) {
        const char *label = spec->labels[i], *equals = strchr(label, '=');
        json_t *labels = dr_json_object(config, "Labels");
        dr_auto_free char *key =
            dr_strndup(label, equals ? (size_t)(equals - label) : strlen(label));
        if (!labels)
            json_object_set_new(config, "Labels", labels = json_object());
        dr_json_set_str(labels, key, equals ? equals + 1 : "");
    }
    if (spec->workdir && *spec->workdir)
        dr_json_set_str(config, "WorkingDir", spec->workdir);
    if (spec->user && *spec->user)
        dr_json_set_str(config, "User", spec->user);
    if (spec->stop_signal)
        dr_json_set_str(config, "StopSignal", spec->stop_signal);
}

/* An image's config is JSON that others read, too. */
static int check_words(const struct spec_container *spec, struct dr_error *err)
{
    const struct {
        const char *name;
        char *const *words;
    } all[] = {
        {"entrypoint", spec->entrypoint}, {"args", spec->args}, {"env", spec->env}};
    for (size_t i = 0; i < DR_COUNT(all); i++)
        for (size_t w = 0; all[i].words && all[i].words[w]; w++)
            if (!dr_json_is_text(all[i].words[w])) {
                dr_auto_free char *safe = dr_escape(all[i].words[w], 40);
                return dr_fail(err, DR_ERR_INVALID,
                               "%s[%zu] \"%s\" of the container is not UTF-8, "
                               "which an image's config cannot hold; export the "
                               "container, and import that",
                               all[i].name, w, safe);
            }
    return 0;
}

static json_t *history_entry(const struct container *c, const char *created,
                             const struct commit_options *options, bool empty)
{
    json_t *entry = json_object();
    dr_json_set_str(entry, "created", created);
    dr_json_set_str(entry, "created_by", dr_json_str(c->state, "command"));
    dr_json_set_str(entry, "author", options->author);
    dr_json_set_str(entry, "comment", options->message);
    if (empty)
        dr_json_set_bool(entry, "empty_layer", true);
    return entry;
}

static json_t *append_to(json_t *object, const char *key, json_t *value)
{
    json_t *list = dr_json_array(object, key);
    if (!list)
        json_object_set_new(object, key, list = json_array());
    if (value)
        json_array_append_new(list, value);
    return list;
}

static json_t *make_config(const struct container *c, const struct image *image,
                           const struct commit_options *options,
                           const struct spool *spool, struct dr_error *err)
{
    char created[DR_TIME_TEXT];
    dr_auto_json json_t *document = json_deep_copy(image->config);
    spec_auto_container struct spec_container *spec =
        spec_container_from_json(dr_json_object(c->record, "spec"), err);
    if (!spec)
        return NULL;
    if (check_words(spec, err) < 0)
        return NULL;
    json_t *config = dr_json_object(document, "config");
    if (!config)
        json_object_set_new(document, "config", config = json_object());
    merge_spec(config, spec);
    if (image_config_change(config, options->changes, err) < 0)
        return NULL;
    dr_time_format(dr_now_ns(), created);
    dr_json_set_str(document, "created", created);
    if (options->author)
        dr_json_set_str(document, "author", options->author);
    /* of Docker's builder, about another container */
    json_object_del(document, "container");
    json_object_del(document, "container_config");
    json_t *rootfs = dr_json_object(document, "rootfs");
    if (!rootfs) {
        json_object_set_new(document, "rootfs", rootfs = json_object());
        dr_json_set_str(rootfs, "type", "layers");
    }
    if (spool->entries > 0)
        append_to(rootfs, "diff_ids", json_string(spool->diff_id.text));
    append_to(document, "history",
              history_entry(c, created, options, spool->entries == 0));
    return DR_TAKE(document);
}

/* Docker's words for what OCI has others for; one manifest speaks one language. */
static const char *oci_layer_type(const char *type)
{
    enum oci_compression compression;
    if (!type || oci_media_parse(type, strlen(type), &compression) != OCI_MEDIA_LAYER)
        return type;
    return compression == OCI_GZIP   ? OCI_TYPE_LAYER "+gzip"
           : compression == OCI_ZSTD ? OCI_TYPE_LAYER "+zstd"
                                     : OCI_TYPE_LAYER;
}

static json_t *descriptor(const char *type, const char *digest, int64_t size)
{
    json_t *json = json_object();
    dr_json_set_str(json, "mediaType", type);
    dr_json_set_str(json, "digest", digest);
    dr_json_set_int(json, "size", size);
    return json;
}

static json_t *make_manifest(const struct image *image, const char *config,
                             const struct spool *spool)
{
    struct oci_digest id;
    json_t *manifest = json_object(), *layers = json_array(), *layer;
    size_t i;
    oci_digest_of(config, strlen(config), &id);
    dr_json_set_int(manifest, "schemaVersion", 2);
    dr_json_set_str(manifest, "mediaType", OCI_TYPE_MANIFEST);
    dr_json_set(manifest, "config",
                descriptor(OCI_TYPE_CONFIG, id.text, (int64_t)strlen(config)));
    json_array_foreach (dr_json_array(image->manifest, "layers"), i, layer)
        json_array_append_new(layers,
                              descriptor(oci_layer_type(dr_json_str(layer, "mediaType")),
                                         dr_json_str(layer, "digest"),
                                         dr_json_int(layer, "size", 0)));
    if (spool->entries > 0)
        json_array_append_new(
            layers, descriptor(OCI_TYPE_LAYER, spool->diff_id.text, spool->size));
    dr_json_set(manifest, "layers", layers);
    return manifest;
}

/* --- together --- */

static int put_image(struct guest *guest, const struct image *image, struct spool *spool,
                     const json_t *document, const struct commit_options *options,
                     char **ret_id, struct dr_error *err)
{
    dr_auto_free char *config = dr_json_text(document);
    dr_auto_json json_t *manifest_json = make_manifest(image, config, spool);
    dr_auto_free char *manifest = dr_json_text(manifest_json);
    for (int tries = 1;; tries++) {
        if (spool->entries > 0 &&
            (lseek(spool->fd, 0, SEEK_SET) < 0 ||
             layer_put(guest->layers, &spool->diff_id, OCI_TYPE_LAYER, spool_read, spool,
                       NULL, err) < 0))
            return -1;
        if (image_put(guest, options->ref, options->familiar, manifest, strlen(manifest),
                      config, strlen(config), ret_id, err) == 0)
            return 0;
        if (err->kind != DR_ERR_NOT_FOUND || tries == PUT_TRIES)
            return -1;
        dr_error_release(err);
    }
}

int container_commit(struct guest *guest, const struct container *c,
                     const struct commit_options *options, struct wire_chan *chan,
                     char **ret_id, struct dr_error *err)
{
    struct image image;
    const char *image_id = dr_json_str(c->record, "image_id");
    struct spool spool = {.fd = -1, .upper = -1, .chan = chan};
    if (!image_id)
        return dr_fail(err, DR_ERR_CONFLICT, "container %s is damaged",
                       container_name(c));
    if (image_lookup(guest, image_id, &image, err) < 0)
        return dr_wrap(err, "commit %s", container_name(c));
    dr_sha256_init(&spool.hash);
    /* what is asked for is looked at before anything is made */
    dr_auto_json json_t *checked = make_config(c, &image, options, &spool, err);
    int result = checked ? read_files(guest, c, options->pause, &spool, err) : -1;
    dr_auto_json json_t *document =
        result == 0 ? make_config(c, &image, options, &spool, err) : NULL;
    result =
        document ? put_image(guest, &image, &spool, document, options, ret_id, err) : -1;
    if (spool.fd >= 0)
        close(spool.fd);
    if (spool.upper >= 0)
        close(spool.upper);
    image_release(&image);
    return result < 0 ? dr_wrap(err, "commit %s", container_name(c)) : 0;
}
