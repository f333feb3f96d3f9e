/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/container/volumes.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "base/text.h"
#include "guest/container/container.h"
#include "guest/volumes/volumes.h"

static json_t *plan_one(const struct guest *guest, const char *name, const char *target,
                        bool copy)
{
    char random[CONTAINER_ID_HEX + 1];
    dr_random_hex(CONTAINER_ID_HEX, random);
    json_t *volume = json_object();
    dr_json_set_str(volume, "name", name ? name : random);
    dr_json_set_bool(volume, "anonymous", !name);
    dr_json_set_str(volume, "target", target);
    dr_json_set_bool(volume, "copy", copy);
    dr_auto_free char *source = volume_source(guest, name ? name : random);
    dr_json_set_str(volume, "source", source);
    return volume;
}

json_t *volumes_plan(const struct guest *guest, const struct spec_container *spec,
                     char *const *image_targets, struct dr_error *err)
{
    dr_auto_json json_t *volumes = json_array();
    for (size_t i = 0; i < spec->mount_count; i++) {
        const struct spec_mount *mount = &spec->mounts[i];
        if (mount->type != SPEC_MOUNT_VOLUME)
            continue;
        if (mount->source && volume_name_check(mount->source, err) < 0)
            return NULL;
        json_array_append_new(
            volumes, plan_one(guest, mount->source, mount->target, !mount->no_copy));
    }
    for (size_t i = 0; image_targets && image_targets[i]; i++)
        json_array_append_new(volumes, plan_one(guest, NULL, image_targets[i], true));
    return DR_TAKE(volumes);
}

int volumes_make(const struct guest *guest, const json_t *volumes, struct dr_error *err)
{
    size_t i;
    json_t *volume;
    json_array_foreach (volumes, i, volume) {
        bool anonymous = dr_json_bool(volume, "anonymous");
        dr_auto_json json_t *labels = NULL;
        if (anonymous) {
            labels = json_object();
            dr_json_set_str(labels, VOLUME_ANONYMOUS_LABEL, "");
        }
        if (volume_make(guest, dr_json_str(volume, "name"), labels, anonymous, false,
                        err) < 0)
            return -1;
    }
    return 0;
}

static bool others_have(const json_t *users, const char *volume, const char *owner)
{
    size_t i;
    json_t *user;
    json_array_foreach (json_object_get(users, volume), i, user)
        if (strcmp(json_string_value(user), owner) != 0)
            return true;
    return false;
}

int volumes_remove_anonymous(struct guest *guest, const char *owner,
                             const json_t *volumes, struct dr_error *err)
{
    dr_auto_json json_t *users = NULL; /* looked up for the first that is to go */
    int result = 0;
    size_t i;
    json_t *volume;
    json_array_foreach (volumes, i, volume) {
        const char *name = dr_json_str(volume, "name");
        /* what the record says becomes a path: only what volumes_plan makes up */
        if (!dr_json_bool(volume, "anonymous") || !name || !container_is_id(name))
            continue;
        if (!users && container_volume_users(guest, users = json_object(), err) < 0)
            return -1;
        dr_auto_error struct dr_error later = DR_ERROR_INIT;
        if (!others_have(users, name, owner) &&
            volume_remove(guest, name, result < 0 ? &later : err) < 0)
            result = -1;
    }
    return result;
}
