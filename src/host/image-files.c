/* SPDX-License-Identifier: Apache-2.0 */
/* save and load: images of a target to files and back (C12). */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "host/image-source.h"
#include "host/pull.h"
#include "host/trust.h"
#include "oci/ref.h"
#include "spec/table.h"

static const enum place_kind kinds[] = {
    [DRAY_DOCKER_ARCHIVE] = PLACE_DOCKER_ARCHIVE,
    [DRAY_OCI_ARCHIVE] = PLACE_OCI_ARCHIVE,
    [DRAY_OCI_DIR] = PLACE_OCI,
    [DRAY_DOCKER_DIR] = PLACE_DIR,
};

int dray_place_check(const char *text, bool *ret_local, struct dray_error **ret_err)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_place struct place place = {0};
    int rc = place_parse(text ? text : "", false, &place, &err);
    if (rc == 0)
        *ret_local = place.kind != PLACE_REFERENCE;
    return api_end(rc, &err, ret_err);
}

/* ---- save ---- */

struct saving {
    struct dray_target *target;
    const struct limits *limits;
    json_t *images; /* [{"id","names":[canonical…]}], each id once */
};

static json_t *row_of(json_t *images, const char *id)
{
    size_t i;
    json_t *row;
    json_array_foreach (images, i, row)
        if (strcmp(dr_json_str(row, "id"), id) == 0)
            return row;
    row = json_pack("{sss[]}", "id", id, "names");
    json_array_append_new(images, row);
    return row;
}

static bool has_text(const json_t *array, const char *text)
{
    for (size_t i = 0; i < json_array_size(array); i++)
        if (strcmp(json_string_value(json_array_get(array, i)), text) == 0)
            return true;
    return false;
}

/* Who asked for it by name gets it back under that name. */
static int find_image(struct saving *saving, const char *image, struct dr_error *err)
{
    dr_auto_json json_t *found = NULL;
    if (host_image_call(saving->target, request_new("image.get"), image, saving->limits,
                        &found, err) < 0)
        return -1;
    json_t *names =
        dr_json_array(row_of(saving->images, dr_json_str(found, "id")), "names");
    dr_auto_free char *name = spec_image_name(image, err);
    if (!name)
        return -1;
    if (has_text(dr_json_array(found, "refs"), name) && !strchr(name, '@') &&
        !has_text(names, name))
        json_array_append_new(names, json_string(name));
    return 0;
}

static int save_one(const struct saving *saving, struct store *store, const json_t *row,
                    struct archive_writer *writer, bool docker, struct dr_error *err)
{
    dr_auto_source struct image_source source = {
        .store = store, .target = saving->target, .limits = saving->limits};
    dr_auto_strv char **names = dr_json_strv(dr_json_array(row, "names"));
    if (image_source_of_target(&source, dr_json_str(row, "id"), err) < 0)
        return -1;
    return image_source_write(&source, writer, docker, names, NULL, err);
}

static int save(struct saving *saving, const struct dray_save_options *options,
                struct dr_error *err)
{
    struct store *store;
    struct archive_writer *writer;
    bool docker = options->format == DRAY_DOCKER_DIR;
    if (docker && json_array_size(saving->images) > 1)
        return dr_fail(err, DR_ERR_INVALID,
                       "a docker-dir holds one image, %zu were given: use docker-archive "
                       "or an OCI format",
                       json_array_size(saving->images));
    if (store_open(saving->target->cache_dir, &store, err) < 0)
        return -1;
    int rc = archive_writer_open(kinds[options->format], options->path, options->fd,
                                 &writer, err);
    if (rc == 0) {
        size_t i;
        json_t *row;
        json_array_foreach (saving->images, i, row)
            if (rc == 0)
                rc = save_one(saving, store, row, writer, docker, err);
        if (archive_writer_close(writer, rc == 0, err) < 0)
            rc = -1;
    }
    store_close(store);
    return rc;
}

static int check_save(const char *const *images, const struct dray_save_options *options,
                      struct dr_error *err)
{
    if (!images || !*images)
        return dr_fail(err, DR_ERR_INVALID, "no image is given");
    if ((size_t)options->format >= DR_COUNT(kinds))
        return dr_fail(err, DR_ERR_INVALID, "%d is no archive format",
                       (int)options->format);
    return 0;
}

int dray_image_save(struct dray_target *target, const char *const *images,
                    const struct dray_save_options *options, const struct dray_call *call,
                    struct dray_error **ret_err)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    struct dray_save_options o = {0};
    struct limits limits = limits_of(call, NO_TIMEOUT);
    dr_auto_json json_t *rows = json_array();
    struct saving saving = {target, &limits, rows};
    int rc = API_COPY(&o, options, &err);
    if (rc == 0)
        rc = check_save(images, &o, &err);
    if (rc == 0 && (rc = target_enter(target, &err)) == 0) {
        for (; *images && rc == 0; images++)
            rc = find_image(&saving, *images, &err);
        if (rc == 0)
            rc = save(&saving, &o, &err);
        target_leave(target);
    }
    return api_end(rc, &err, ret_err);
}

/* ---- load ---- */

static int open_archive(const struct dray_load_options *options, const char *spool_dir,
                        struct archive **ret, struct dr_error *err)
{
    if (options->path)
        return archive_open_path(options->path, spool_dir, ret, err);
    int fd = fcntl(options->fd, F_DUPFD_CLOEXEC, 0);
    if (fd < 0)
        return dr_fail_errno(err, DR_ERR_INVALID, "the archive");
    return archive_open_fd(fd, spool_dir, ret, err);
}

/* All of them, before anything is loaded. */
static int check_trust(struct dray_target *target,
                       const struct dray_load_options *options, struct archive *archive,
                       struct dr_error *err)
{
    const char *policy = options->signature_policy ? options->signature_policy
                                                   : target->registry.signature_policy;
    for (size_t i = 0; i < archive_count(archive); i++)
        if (trust_archive(archive, i, options->path, policy, err) < 0)
            return -1;
    return 0;
}

static int load(struct dray_target *target, const struct dray_load_options *options,
                const struct limits *limits, json_t *loaded, struct dr_error *err)
{
    struct store *store;
    struct archive *archive = NULL;
    const struct dray_pull_options pull = {.size = sizeof pull,
                                           .platform = options->platform,
                                           .progress = options->progress,
                                           .progress_arg = options->progress_arg};
    if (store_open(target->cache_dir, &store, err) < 0)
        return -1;
    int rc = open_archive(options, store_dir(store), &archive, err);
    if (rc == 0)
        rc = check_trust(target, options, archive, err);
    for (size_t i = 0; rc == 0 && i < archive_count(archive); i++) {
        dr_auto_json json_t *image = NULL;
        rc = host_pull_archive(target, archive, i, &pull, limits, &image, err);
        if (rc == 0)
            json_array_append_new(
                loaded, json_pack("{ssso}", "id", dr_json_str(image, "id"), "names",
                                  dr_json_from_strv(archive_names(archive, i))));
    }
    archive_close(archive);
    store_close(store);
    return rc;
}

int dray_image_load(struct dray_target *target, const struct dray_load_options *options,
                    const struct dray_call *call, char **ret_json,
                    struct dray_error **ret_err)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_json json_t *loaded = json_array();
    struct dray_load_options o = {0};
    struct limits limits = limits_of(call, NO_TIMEOUT);
    int rc = API_COPY(&o, options, &err);
    if (rc == 0 && (rc = target_enter(target, &err)) == 0) {
        rc = load(target, &o, &limits, loaded, &err);
        target_leave(target);
    }
    if (rc == 0 && ret_json)
        *ret_json = dr_json_text(loaded);
    return api_end(rc, &err, ret_err);
}
