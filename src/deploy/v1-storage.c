/* SPDX-License-Identifier: Apache-2.0 */
/* storage, devices and volumes of dray's own format. */
#include <string.h>

#include "base/text.h"
#include "base/winpath.h"
#include "deploy/v1.h"

static bool is_path(const char *source)
{
    return strchr("/.~\\", *source) || dr_winpath_kind(source) != DR_WINPATH_NONE;
}

/* Labels of a definition, as "K=V". */
void v1_labels(const struct deploy_value *definition, char ***ret)
{
    const struct deploy_value *labels = deploy_value_get(definition, "labels");
    for (size_t i = 0; labels && i < labels->count; i++) {
        const char *text = labels->items[i]->text;
        if (!text) /* a problem that was noted where the definition was read */
            continue;
        dr_auto_free char *pair =
            labels->type == DEPLOY_MAP
                ? dr_printf("%s=%s", labels->keys[i], text)
                : dr_printf("%s%s", text, strchr(text, '=') ? "" : "=");
        dr_strv_add(ret, pair);
    }
}

/* Whose name a volume's is over there, when this file knows it. */
static char *volume_name(struct v1 *r, const char *key, const struct deploy_where *where)
{
    dr_auto_free char *whole = v1_whole_name(r, r->volumes, "volumes", key, where);
    if (!whole)
        return NULL;
    if (!deploy_model_volume(r->model, whole)) {
        const struct deploy_value *definition = deploy_value_get(r->volumes, key);
        struct deploy_volume *volume = deploy_model_add_volume(r->model, whole);
        volume->where = definition ? definition->where : *where;
        volume->external = v1_true(definition, "external");
        v1_labels(definition, &volume->labels);
    }
    return DR_TAKE(whole);
}

void v1_take_volume(struct v1 *r, const struct deploy_value *value)
{
    if (v1_true(value, "external") && deploy_value_get(value, "labels"))
        v1_problem(r, &value->where, "an external volume is somebody else's: no labels");
}

/* The source as the target knows it. */
static int place_source(struct v1 *r, struct spec_mount *m,
                        const struct deploy_where *where)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    if (!m->source)
        return 0;
    char *source = m->type == SPEC_MOUNT_BIND ? deploy_path(r->in, m->source, &err)
                                              : volume_name(r, m->source, where);
    if (!source) {
        if (err.kind)
            v1_problem_error(r, where, &err);
        return -1;
    }
    free(m->source);
    m->source = source;
    return 0;
}

static bool refused(struct v1 *r, const struct deploy_value *v, const char *key,
                    const char *why)
{
    const struct deploy_value *member = deploy_value_get(v, key);
    if (!member || member->type == DEPLOY_NULL)
        return false;
    v1_problem(r, &member->where, "'%s' %s", key, why);
    return true;
}

/* Which options a kind of mount has not; NULL: it is none of ours. */
static bool options_fit(struct v1 *r, const struct deploy_value *v, const char *type)
{
    bool tmpfs = strcmp(type, "tmpfs") == 0, bind = strcmp(type, "bind") == 0;
    bool anonymous = strcmp(type, "anonymous") == 0;
    const char *source = v1_text(v, "source");
    bool bad = false;
    if ((tmpfs || anonymous) && source)
        bad = refused(r, v, "source", "means nothing here: nothing is behind it");
    if ((bind || strcmp(type, "named") == 0) && !source) {
        v1_problem(r, &v->where, "'source' is missing");
        bad = true;
    }
    if (!tmpfs)
        bad = refused(r, v, "size", "is for a tmpfs") || bad;
    if (!tmpfs)
        bad = refused(r, v, "mode", "is for a tmpfs") || bad;
    if (!tmpfs)
        bad = refused(r, v, "options", "is for a tmpfs") || bad;
    if (!bind)
        bad = refused(r, v, "propagation", "is for a bind mount") || bad;
    if (bind || tmpfs)
        bad = refused(r, v, "no_copy", "is for a volume") || bad;
    return !bad;
}

static char *tmpfs_options(const struct deploy_value *v)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    const char *size = v1_text(v, "size"), *mode = v1_text(v, "mode");
    const char *more = v1_text(v, "options");
    int64_t bytes = 0;
    if (size && dr_size_parse(size, &bytes, &err) < 0)
        return NULL;
    dr_auto_free char *first = size ? dr_printf(",size=%lld", (long long)bytes) : NULL;
    dr_auto_free char *all =
        dr_printf("%s%s%s%s%s", first ? first : "", mode ? ",mode=" : "",
                  mode ? mode : "", more ? "," : "", more ? more : "");
    return *all ? dr_strdup(all + 1) : NULL;
}

static int mount_of_map(struct v1 *r, const struct deploy_value *v, struct spec_mount *m)
{
    const char *type = v1_text(v, "type"), *source = v1_text(v, "source");
    if (!type)
        type = !source ? "anonymous" : is_path(source) ? "bind" : "named";
    if (strcmp(type, "s3") == 0) {
        v1_problem(r, &v->where,
                   "s3 storage is understood, but nothing here mounts a bucket: mount it "
                   "over there, and bind that");
        return -1;
    }
    if (!options_fit(r, v, type))
        return -1;
    bool tmpfs = strcmp(type, "tmpfs") == 0;
    const char *propagation = v1_text(v, "propagation");
    m->type = tmpfs                       ? SPEC_MOUNT_TMPFS
              : strcmp(type, "bind") == 0 ? SPEC_MOUNT_BIND
                                          : SPEC_MOUNT_VOLUME;
    m->source = dr_strdup(source);
    m->target = dr_strdup(v1_text(v, "target"));
    m->read_only = v1_true(v, "read_only");
    m->no_copy = v1_true(v, "no_copy");
    m->options = tmpfs ? tmpfs_options(v) : dr_strdup(propagation);
    return 0;
}

void v1_take_mount(struct v1 *r, const struct deploy_value *v)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    struct spec_mount m = {0};
    if (v->type == DEPLOY_SCALAR && spec_mount_parse(v->text, &m, &err) < 0) {
        v1_problem_error(r, &v->where, &err);
        return;
    }
    if ((v->type == DEPLOY_MAP && mount_of_map(r, v, &m) < 0) ||
        place_source(r, &m, &v->where) < 0)
        spec_mount_release(&m);
    else
        spec_container_add_mount(r->service->spec, &m);
}

void v1_take_device(struct v1 *r, const struct deploy_value *v)
{
    const char *source = v1_text(v, "source"), *target = v1_text(v, "target");
    const char *permissions = v1_text(v, "permissions");
    dr_auto_free char *text = NULL;
    if (v->type == DEPLOY_MAP)
        text = dr_printf("%s:%s:%s", source, target ? target : source,
                         permissions ? permissions : "rwm");
    v1_set(r, "device", true, text ? text : v->text, &v->where);
}
