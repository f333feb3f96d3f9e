/* SPDX-License-Identifier: Apache-2.0 */
/* What an image's config says beside the process: user, stop signal, volumes. */
#include <string.h>

#include "guest/bundle/parts.h"

#define VOLUMES_MAX 1024

const json_t *bundle_image_section(const json_t *image_config)
{
    return dr_json_object(image_config, "config");
}

const char *bundle_user_text(const struct spec_container *spec,
                             const json_t *image_config)
{
    const char *user = spec->user && *spec->user
                           ? spec->user
                           : dr_json_str(bundle_image_section(image_config), "User");
    return user && *user ? user : NULL;
}

int bundle_stop_signal(const struct spec_container *spec, const json_t *image_config)
{
    const char *text = spec->stop_signal;
    if (!text)
        text = dr_json_str(bundle_image_section(image_config), "StopSignal");
    int signal = 15;
    dr_auto_error struct dr_error ignored = DR_ERROR_INIT;
    if (text && *text)
        spec_signal_parse(text, &signal, &ignored);
    return signal;
}

static bool covered(const struct spec_container *spec, const char *target)
{
    for (size_t i = 0; i < spec->mount_count; i++) {
        dr_auto_free char *clean = spec_path_clean(spec->mounts[i].target);
        if (strcmp(clean, target) == 0)
            return true;
    }
    return false;
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int add_volume(const struct spec_container *spec, const char *raw, char ***volumes,
                      struct dr_error *err)
{
    dr_auto_free char *target = spec_path_clean(raw);
    if (strcmp(target, "/") == 0 || bundle_path_below(target, "/proc") ||
        (bundle_path_below(target, "/sys") &&
         !bundle_path_below(target, "/sys/fs/cgroup")))
        return dr_fail(err, DR_ERR_CREATE,
                       "the image wants a volume at '%s', where none can be", raw);
    if (covered(spec, target))
        return 0;
    for (char **p = *volumes; p && *p; p++)
        if (strcmp(*p, target) == 0)
            return 0; /* "/data" and "/data/" */
    if (dr_strv_len(*volumes) >= VOLUMES_MAX)
        return dr_fail(err, DR_ERR_CREATE, "the image wants more than %d volumes",
                       VOLUMES_MAX);
    dr_strv_add(volumes, target);
    return 0;
}

char **bundle_image_volumes(const struct spec_container *spec, const json_t *image_config,
                            struct dr_error *err)
{
    dr_auto_strv char **volumes = dr_alloc(sizeof *volumes);
    json_t *wanted = dr_json_object(bundle_image_section(image_config), "Volumes"),
           *value;
    const char *key;
    json_object_foreach (wanted, key, value)
        if (add_volume(spec, key, &volumes, err) < 0)
            return NULL;
    size_t n = dr_strv_len(volumes);
    if (n)
        qsort(volumes, n, sizeof *volumes, compare);
    return DR_TAKE(volumes);
}
