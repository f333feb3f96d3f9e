/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/images/images.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>

#include "base/fs.h"
#include "base/text.h"
#include "oci/image.h"

#define DOCUMENT_MAX (4u << 20)

int image_lock(struct guest *guest, bool exclusive, int *ret_fd, struct dr_error *err)
{
    dr_auto_free char *dir = dr_path_join(guest->root, "images");
    if (dr_mkdir_all(dir, 0700, err) < 0)
        return -1;
    dr_auto_free char *path = dr_path_join(dir, ".lock");
    return dr_lock(AT_FDCWD, path, exclusive, true, ret_fd, err);
}

void image_release(struct image *image)
{
    free(image->id);
    free(image->digest);
    free(image->ref);
    dr_strv_free(image->refs);
    dr_strv_free(image->names);
    json_decref(image->config);
    json_decref(image->manifest);
    free(image->diff_ids);
    *image = (struct image){0};
}

static bool is_hex(const char *text)
{
    return *text && strspn(text, "0123456789abcdef") == strlen(text);
}

static char *image_dir(struct guest *guest, const char *hex)
{
    return dr_printf("%s/images/%s", guest->root, hex);
}

static json_t *read_json(const char *dir, const char *name, struct dr_error *err)
{
    dr_auto_free char *path = dr_path_join(dir, name);
    dr_auto_buf struct dr_buf text = DR_BUF_INIT(DOCUMENT_MAX);
    if (dr_file_read(AT_FDCWD, path, &text, err) < 0)
        return NULL;
    json_t *json = dr_json_parse(text.data ? text.data : "", text.len, DOCUMENT_MAX, err);
    if (!json)
        dr_wrap(err, "%s", path);
    return json;
}

/* The layers' diff ids as the config lists them. */
static int read_diff_ids(struct image *image, struct dr_error *err)
{
    json_t *list = dr_json_array(dr_json_object(image->config, "rootfs"), "diff_ids");
    size_t n = json_array_size(list), i;
    image->diff_ids = dr_alloc((n + 1) * sizeof *image->diff_ids);
    json_t *item;
    json_array_foreach (list, i, item) {
        const char *text = json_string_value(item);
        if (oci_digest_parse(text ? text : "", text ? strlen(text) : 0,
                             &image->diff_ids[image->diff_id_count], err) < 0)
            return dr_wrap(err, "image %s: diff id %zu", image->id, i);
        image->diff_id_count++;
    }
    return 0;
}

static int image_load(struct guest *guest, const char *hex, struct image *ret,
                      struct dr_error *err)
{
    dr_auto_free char *dir = image_dir(guest, hex);
    struct image image = {.id = dr_printf("sha256:%s", hex)};
    dr_auto_json json_t *refs = NULL;
    if (!(image.config = read_json(dir, "config", err)) ||
        !(image.manifest = read_json(dir, "manifest", err)) ||
        !(refs = read_json(dir, "refs.json", err)) || read_diff_ids(&image, err) < 0) {
        image_release(&image);
        return -1;
    }
    image.digest = dr_strdup(dr_json_str(refs, "digest"));
    image.refs = dr_json_strv(dr_json_array(refs, "refs"));
    image.names = dr_json_strv(dr_json_array(refs, "names"));
    image.ref = dr_strdup(image.refs[0]);
    for (size_t i = 0; i < image.diff_id_count; i++) {
        struct layer_stats stats;
        struct dr_error gone = DR_ERROR_INIT;
        if (layer_meta(guest->layers, &image.diff_ids[i], &stats, &gone) == 0)
            image.size_bytes += stats.disk_bytes;
        dr_error_release(&gone);
    }
    *ret = image;
    return 0;
}

int image_each(struct guest *guest, int (*each)(void *arg, const struct image *image),
               void *arg, struct dr_error *err)
{
    dr_auto_free char *path = dr_path_join(guest->root, "images");
    DIR *dir = opendir(path);
    if (!dir)
        return errno == ENOENT ? 0 : dr_fail_errno(err, DR_ERR_NONE, "read %s", path);
    int rc = 0;
    struct dirent *entry;
    while (rc == 0 && (entry = readdir(dir))) {
        struct image image;
        struct dr_error torn = DR_ERROR_INIT;
        if (strlen(entry->d_name) != DR_SHA256_HEX || !is_hex(entry->d_name))
            continue;
        if (image_load(guest, entry->d_name, &image, &torn) < 0) {
            dr_error_release(&torn); /* being removed, or half-made: not an image */
            continue;
        }
        rc = each(arg, &image);
        image_release(&image);
    }
    closedir(dir);
    return 0;
}

int image_documents(struct guest *guest, const struct image *image,
                    struct dr_buf *ret_manifest, struct dr_buf *ret_config,
                    struct dr_error *err)
{
    dr_auto_free char *dir = image_dir(guest, image->id + strlen("sha256:"));
    dr_auto_free char *manifest = dr_path_join(dir, "manifest");
    dr_auto_free char *config = dr_path_join(dir, "config");
    if (dr_file_read(AT_FDCWD, manifest, ret_manifest, err) < 0)
        return -1;
    return dr_file_read(AT_FDCWD, config, ret_config, err);
}

struct search {
    struct guest *guest;
    const char *ref; /* canonical reference, or NULL */
    const char *hex; /* prefix of an id, or NULL */
    char *found_by_ref, *found_by_id;
    size_t ids;
};

/* Finding needs only refs.json and the directory's name. True: no need to go on. */
static bool search_dir(struct search *s, const char *hex)
{
    if (s->hex && strncmp(hex, s->hex, strlen(s->hex)) == 0 && s->ids++ == 0)
        s->found_by_id = dr_strdup(hex);
    if (!s->ref)
        return false;
    struct dr_error torn = DR_ERROR_INIT;
    dr_auto_free char *dir = image_dir(s->guest, hex);
    dr_auto_json json_t *refs = read_json(dir, "refs.json", &torn);
    dr_error_release(&torn);
    size_t i;
    json_t *ref;
    json_array_foreach (dr_json_array(refs, "refs"), i, ref)
        if (strcmp(json_string_value(ref), s->ref) == 0) {
            s->found_by_ref = dr_strdup(hex);
            return true;
        }
    return false;
}

/* "docker.io/library/cafe:latest" is also what people get who typed the image id "cafe":
 * the name wins, as with Docker, then the id is tried. */
static char *id_in_ref(const char *ref)
{
    static const char prefix[] = "docker.io/library/", suffix[] = ":latest";
    const size_t before = sizeof prefix - 1, after = sizeof suffix - 1;
    if (strncmp(ref, "sha256:", 7) == 0)
        ref += 7;
    size_t len = strlen(ref);
    char *hex;
    if (len > before + after && strncmp(ref, prefix, before) == 0 &&
        strcmp(ref + len - after, suffix) == 0)
        hex = dr_strndup(ref + before, len - before - after);
    else
        hex = dr_strdup(ref);
    if (is_hex(hex) && strlen(hex) <= DR_SHA256_HEX)
        return hex;
    free(hex);
    return NULL;
}

int image_lookup(struct guest *guest, const char *ref, struct image *ret,
                 struct dr_error *err)
{
    dr_auto_free char *hex = id_in_ref(ref);
    struct search s = {.guest = guest, .ref = strchr(ref, '/') ? ref : NULL, .hex = hex};
    dr_auto_free char *path = dr_path_join(guest->root, "images");
    DIR *dir = s.ref || s.hex ? opendir(path) : NULL;
    struct dirent *entry;
    while (dir && (entry = readdir(dir)))
        if (strlen(entry->d_name) == DR_SHA256_HEX && is_hex(entry->d_name) &&
            search_dir(&s, entry->d_name))
            break;
    if (dir)
        closedir(dir);
    dr_auto_free char *by_ref = s.found_by_ref, *by_id = s.found_by_id;
    if (!by_ref && s.ids > 1)
        return dr_fail(err, DR_ERR_INVALID,
                       "image id '%s' is ambiguous: give more digits", hex);
    if (!by_ref && !by_id)
        return dr_fail(err, DR_ERR_NOT_FOUND, "image %s is not on this target", ref);
    if (image_load(guest, by_ref ? by_ref : by_id, ret, err) < 0)
        return -1;
    if (by_ref) {
        free(ret->ref);
        ret->ref = dr_strdup(ref);
    }
    return 0;
}

/* --- putting --- */

int image_write_refs(const char *dir, const char *digest, char *const *refs,
                     char *const *names, struct dr_error *err)
{
    dr_auto_json json_t *json = json_object();
    dr_json_set_int(json, "version", 1);
    dr_json_set_str(json, "digest", digest);
    dr_json_set(json, "refs", dr_json_from_strv(refs));
    dr_json_set(json, "names", dr_json_from_strv(names));
    dr_auto_free char *path = dr_path_join(dir, "refs.json");
    dr_auto_free char *text = dr_json_text(json);
    return dr_file_write(AT_FDCWD, path, text, strlen(text), 0600, DR_WRITE_SYNC, err);
}

static void strv_remove(char **strv, size_t at)
{
    free(strv[at]);
    for (; strv[at]; at++)
        strv[at] = strv[at + 1];
}

struct untag {
    struct guest *guest;
    const char *ref, *keep_id;
    struct dr_error *err;
    int rc;
};

/* Takes ref away from every image but keep_id: a reference names one image. */
static int untag_one(void *arg, const struct image *image)
{
    struct untag *u = arg;
    if (u->keep_id && strcmp(image->id, u->keep_id) == 0)
        return 0;
    for (size_t i = 0; image->refs[i]; i++)
        if (strcmp(image->refs[i], u->ref) == 0) {
            strv_remove(image->refs, i);
            if (i < dr_strv_len(image->names))
                strv_remove(image->names, i);
            dr_auto_free char *dir = image_dir(u->guest, image->id + 7);
            u->rc =
                image_write_refs(dir, image->digest, image->refs, image->names, u->err);
            return 1;
        }
    return 0;
}

static int store_new(struct guest *guest, const char *hex, const char *digest,
                     const char *manifest, size_t manifest_len, const char *config,
                     size_t config_len, struct dr_error *err)
{
    char random[9];
    dr_random_hex(8, random);
    dr_auto_free char *tmp = dr_printf("%s/images/tmp-%s", guest->root, random);
    dr_auto_free char *final = image_dir(guest, hex);
    dr_auto_free char *manifest_path = dr_path_join(tmp, "manifest");
    dr_auto_free char *config_path = dr_path_join(tmp, "config");
    dr_auto_free char *images = dr_path_join(guest->root, "images");
    char *none[] = {NULL};
    int rc = dr_mkdir_all(tmp, 0700, err);
    if (rc == 0)
        rc = dr_file_write(AT_FDCWD, manifest_path, manifest, manifest_len, 0600,
                           DR_WRITE_SYNC, err);
    if (rc == 0)
        rc = dr_file_write(AT_FDCWD, config_path, config, config_len, 0600, DR_WRITE_SYNC,
                           err);
    if (rc == 0)
        rc = image_write_refs(tmp, digest, none, none, err);
    if (rc == 0 && rename(tmp, final) < 0)
        rc = dr_fail_errno(err, DR_ERR_NONE, "rename %s", tmp);
    if (rc == 0)
        rc = dr_sync_dir(AT_FDCWD, images, err);
    if (rc < 0) {
        struct dr_error ignored = DR_ERROR_INIT;
        dr_remove_all(AT_FDCWD, tmp, &ignored);
        dr_error_release(&ignored);
    }
    return rc;
}

/* Config and manifest belong together, every layer is here, and they fit on each other.
 */
static int check_documents(struct guest *guest, const char *manifest, size_t manifest_len,
                           const char *config, size_t config_len,
                           const struct oci_digest *id, struct dr_error *err)
{
    dr_auto_image struct oci_image image = OCI_IMAGE_INIT;
    if (oci_image_parse(manifest, manifest_len, NULL, config, config_len, &image, err) <
        0)
        return -1;
    if (!oci_digest_equal(&image.manifest.config.digest, id))
        return dr_fail(err, DR_ERR_INVALID, "the config is %s, the manifest says %s",
                       id->text, image.manifest.config.digest.text);
    struct layer_stack stack;
    if (layer_store_stack(guest->layers, image.config.diff_ids, image.config.n_diff_ids,
                          &stack, err) < 0)
        return -1;
    layer_stack_release(&stack);
    return 0;
}

void image_sweep_tmp(struct guest *guest)
{
    dr_auto_free char *path = dr_path_join(guest->root, "images");
    DIR *dir = opendir(path);
    struct dirent *entry;
    while (dir && (entry = readdir(dir)))
        if (strncmp(entry->d_name, "tmp-", 4) == 0) {
            struct dr_error ignored = DR_ERROR_INIT; /* the next one tries again */
            dr_remove_all(dirfd(dir), entry->d_name, &ignored);
            dr_error_release(&ignored);
        }
    if (dir)
        closedir(dir);
}

/* Lock held exclusively. */
static int add_ref(struct guest *guest, struct image *image, const char *ref,
                   const char *name, struct dr_error *err)
{
    for (size_t i = 0; image->refs[i]; i++)
        if (strcmp(image->refs[i], ref) == 0)
            return 0;
    struct untag u = {guest, ref, image->id, err, 0};
    if (image_each(guest, untag_one, &u, err) < 0 || u.rc < 0)
        return -1;
    dr_strv_add(&image->refs, ref);
    dr_strv_add(&image->names, name ? name : ref);
    dr_auto_free char *dir = image_dir(guest, image->id + 7);
    return image_write_refs(dir, image->digest, image->refs, image->names, err);
}

int image_tag(struct guest *guest, const char *text, const char *ref, const char *name,
              struct dr_error *err)
{
    dr_auto_fd int lock = -1;
    struct image image;
    if (image_lock(guest, true, &lock, err) < 0 ||
        image_lookup(guest, text, &image, err) < 0)
        return -1;
    int rc = add_ref(guest, &image, ref, name, err);
    image_release(&image);
    return rc;
}

int image_put(struct guest *guest, const char *ref, const char *name,
              const char *manifest, size_t manifest_len, const char *config,
              size_t config_len, char **ret_id, struct dr_error *err)
{
    struct oci_digest id, digest;
    oci_digest_of(config, config_len, &id);
    oci_digest_of(manifest, manifest_len, &digest);
    dr_auto_fd int lock = -1;
    if (image_lock(guest, true, &lock, err) < 0 ||
        check_documents(guest, manifest, manifest_len, config, config_len, &id, err) < 0)
        return dr_wrap(err, "store image %s", name ? name : id.text);

    image_sweep_tmp(guest);
    struct image image;
    struct dr_error none = DR_ERROR_INIT;
    if (image_load(guest, oci_digest_hex(&id), &image, &none) < 0) {
        dr_error_release(&none);
        dr_auto_free char *torn = image_dir(guest, oci_digest_hex(&id));
        if (dr_remove_all(AT_FDCWD, torn, err) < 0 ||
            store_new(guest, oci_digest_hex(&id), digest.text, manifest, manifest_len,
                      config, config_len, err) < 0 ||
            image_load(guest, oci_digest_hex(&id), &image, err) < 0)
            return dr_wrap(err, "store image %s", name ? name : id.text);
    }
    int rc = ref ? add_ref(guest, &image, ref, name, err) : 0;
    image_release(&image);
    if (rc == 0)
        *ret_id = dr_strdup(id.text);
    return rc;
}
