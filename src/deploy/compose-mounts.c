/* SPDX-License-Identifier: Apache-2.0 */
/* volumes and devices of a service, and the volumes that files define. */
#include <string.h>

#include "base/text.h"
#include "base/winpath.h"
#include "deploy/compose-internal.h"

/* --- top level --- */

static void volume_driver(struct compose_service *s, const struct deploy_value *value)
{
    const char *text = compose_text(s->c, value);
    if (text && *text && strcmp(text, "local") != 0)
        deploy_problem(s->c->problems, &value->where,
                       "volumes are directories of the target here: driver 'local' only");
}

static void volume_options(struct compose_service *s, const struct deploy_value *value)
{
    if (value->count)
        deploy_problem(s->c->problems, &value->where,
                       "a volume has no options here; a directory of the target can be a "
                       "bind mount instead");
}

static const struct compose_field volume_fields[] = {
    {"driver", COMPOSE_READ, NULL, volume_driver},
    {"driver_opts", COMPOSE_READ, NULL, volume_options},
    {"external", COMPOSE_ELSEWHERE},
    {"labels", COMPOSE_ELSEWHERE},
    {"name", COMPOSE_ELSEWHERE},
    {NULL},
};

bool compose_external(struct compose *c, const struct deploy_value *map,
                      const char **ret_name)
{
    const struct deploy_value *external = deploy_value_get(map, "external"),
                              *name = deploy_value_get(map, "name");
    bool is = false;
    *ret_name = name && name->type == DEPLOY_SCALAR && *name->text ? name->text : NULL;
    if (!external || external->type == DEPLOY_NULL)
        return false;
    if (external->type == DEPLOY_MAP) { /* the old form */
        const struct deploy_value *old = deploy_value_get(external, "name");
        if (old && old->type == DEPLOY_SCALAR)
            *ret_name = old->text;
        return true;
    }
    compose_bool(c, external, &is);
    return is;
}

char **compose_labels(struct compose *c, const struct deploy_value *map)
{
    const struct deploy_value *labels = deploy_value_get(map, "labels");
    char **list = NULL;
    if (!labels || labels->type == DEPLOY_NULL ||
        !compose_is(c, labels, DEPLOY_MAP, "NAME: VALUE, or a list of NAME=VALUE") ||
        !compose_few(c, labels))
        return NULL;
    for (size_t i = 0; i < labels->count; i++) {
        const struct deploy_value *item = labels->items[i];
        if (item->type != DEPLOY_NULL && !compose_text(c, item))
            continue;
        dr_auto_free char *pair =
            dr_printf("%s=%s", labels->keys[i], item->text ? item->text : "");
        dr_strv_add(&list, pair);
    }
    return list;
}

const struct deploy_volume *compose_volume(struct compose *c, const char *key,
                                           const struct deploy_where *where)
{
    const struct deploy_value *all = compose_section(c, "volumes"),
                              *map = deploy_value_get(all, key);
    const char *said;
    if (!map) {
        dr_auto_free char *safe = dr_escape(key, 60);
        deploy_problem(c->problems, where,
                       "there is no volume '%s': define it under 'volumes', or begin a "
                       "path with './'",
                       safe);
        return NULL;
    }
    bool external = compose_external(c, map, &said);
    dr_auto_free char *name = said       ? dr_strdup(said)
                              : external ? dr_strdup(key)
                                         : dr_printf("%s_%s", c->model->name, key);
    struct deploy_volume *volume = deploy_model_volume(c->model, name);
    if (volume)
        return volume;
    volume = deploy_model_add_volume(c->model, name);
    volume->external = external;
    volume->labels = compose_labels(c, map);
    volume->where = map->where;
    return volume;
}

static void check_volumes(struct compose *c)
{
    const struct deploy_value *all = compose_section(c, "volumes");
    struct compose_service s = {.c = c};
    for (size_t i = 0; i < all->count; i++)
        if (all->items[i]->type != DEPLOY_NULL)
            compose_fields(&s, all->items[i], volume_fields, "a volume");
}

/* --- of a service --- */

/* The name in the file becomes that over there. */
static void add_mount(struct compose_service *s, struct spec_mount *mount,
                      const struct deploy_where *where)
{
    if (mount->type == SPEC_MOUNT_VOLUME && mount->source) {
        const struct deploy_volume *volume = compose_volume(s->c, mount->source, where);
        free(mount->source);
        mount->source = volume ? dr_strdup(volume->name) : NULL;
    }
    spec_container_add_mount(s->spec, mount);
}

static void short_volume(struct compose_service *s, const struct deploy_value *item)
{
    struct spec_mount mount;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    if (spec_mount_parse(item->text, &mount, &err) < 0)
        deploy_problem_error(s->c->problems, &item->where, &err);
    else
        add_mount(s, &mount, &item->where);
}

/* A long volume while it is read: the service's mount is not there yet. */
struct long_volume {
    struct compose_service s; /* first: readers get its address */
    struct spec_mount mount;
    const struct deploy_value *size, *mode;
};

static struct long_volume *of(struct compose_service *s)
{
    return (struct long_volume *)s;
}

static void read_only(struct compose_service *s, const struct deploy_value *value)
{
    compose_bool(s->c, value, &of(s)->mount.read_only);
}

static void propagation(struct compose_service *s, const struct deploy_value *value)
{
    static const char *const fine[] = {"private", "rprivate", "slave", "rslave"};
    const char *text = compose_text(s->c, value);
    for (size_t i = 0; text && i < DR_COUNT(fine); i++)
        if (strcmp(text, fine[i]) == 0) {
            free(of(s)->mount.options);
            of(s)->mount.options = dr_strdup(text);
            return;
        }
    if (text)
        deploy_problem(s->c->problems, &value->where,
                       "expected private, rprivate, slave or rslave: a container's "
                       "mounts never reach the target");
}

static const struct compose_field bind_fields[] = {
    {"create_host_path", COMPOSE_ELSEWHERE},
    {"propagation", COMPOSE_READ, NULL, propagation},
    {"recursive", COMPOSE_NOTED, .why = "what is mounted below is there as well"},
    {"selinux", COMPOSE_NOTED, .why = "files are not labelled here"},
    {NULL},
};

static void nocopy(struct compose_service *s, const struct deploy_value *value)
{
    compose_bool(s->c, value, &of(s)->mount.no_copy);
}

static const struct compose_field named_fields[] = {
    {"labels", COMPOSE_NOTED, .why = "are the volume's, under 'volumes'"},
    {"nocopy", COMPOSE_READ, NULL, nocopy},
    {"subpath", COMPOSE_REFUSED, .why = "a volume is mounted as a whole here"},
    {NULL},
};

static void tmpfs_size(struct compose_service *s, const struct deploy_value *value)
{
    of(s)->size = value;
}

static void tmpfs_mode(struct compose_service *s, const struct deploy_value *value)
{
    of(s)->mode = value;
}

static const struct compose_field tmpfs_fields[] = {
    {"mode", COMPOSE_READ, NULL, tmpfs_mode},
    {"size", COMPOSE_READ, NULL, tmpfs_size},
    {NULL},
};

static void bind(struct compose_service *s, const struct deploy_value *value)
{
    compose_fields(s, value, bind_fields, "bind");
}

static void named(struct compose_service *s, const struct deploy_value *value)
{
    compose_fields(s, value, named_fields, "volume");
}

static void tmpfs(struct compose_service *s, const struct deploy_value *value)
{
    compose_fields(s, value, tmpfs_fields, "tmpfs");
}

static const struct compose_field long_fields[] = {
    {"bind", COMPOSE_READ, NULL, bind},
    {"consistency", COMPOSE_ELSEWHERE},
    {"image", COMPOSE_REFUSED, .why = "images are not mounted here"},
    {"read_only", COMPOSE_READ, NULL, read_only},
    {"source", COMPOSE_ELSEWHERE},
    {"target", COMPOSE_ELSEWHERE},
    {"tmpfs", COMPOSE_READ, NULL, tmpfs},
    {"type", COMPOSE_ELSEWHERE},
    {"volume", COMPOSE_READ, NULL, named},
    {NULL},
};

int64_t compose_octal(struct compose *c, const struct deploy_value *value)
{
    const char *text = compose_text(c, value);
    if (!text)
        return 0;
    const char *digits = strncmp(text, "0o", 2) == 0 ? text + 2 : text;
    size_t len = strlen(digits);
    int64_t mode;
    /* YAML: 0444 and 0o444 are octal, as a text 444 is too; a plain 288 is decimal */
    bool octal = value->quoted || *digits == '0';
    if (len && octal && len <= 6 && strspn(digits, "01234567") == len &&
        (mode = strtol(digits, NULL, 8)) <= 07777)
        return mode;
    if (!octal && dr_int_parse(text, 0, 07777, &mode))
        return mode;
    deploy_problem(c->problems, &value->where, "expected a mode, such as 0440");
    return 0;
}

static void tmpfs_options(struct long_volume *v)
{
    dr_auto_free char *size = NULL, *mode = NULL;
    struct compose *c = v->s.c;
    if (v->size && compose_text(c, v->size)) {
        dr_auto_error struct dr_error err = DR_ERROR_INIT;
        int64_t bytes;
        if (dr_size_parse(v->size->text, &bytes, &err) < 0)
            deploy_problem_error(c->problems, &v->size->where, &err);
        else if (bytes)
            size = dr_printf("size=%lld", (long long)bytes);
    }
    if (v->mode)
        mode = dr_printf("mode=%llo", (long long)compose_octal(c, v->mode));
    if (size || mode)
        v->mount.options = dr_printf("%s%s%s", size ? size : "", size && mode ? "," : "",
                                     mode ? mode : "");
}

static const char *member(const struct deploy_value *map, const char *key)
{
    const struct deploy_value *value = deploy_value_get(map, key);
    return value && value->type == DEPLOY_SCALAR && *value->text ? value->text : NULL;
}

static bool long_type(struct long_volume *v, const struct deploy_value *item)
{
    static const struct {
        const char *name;
        enum spec_mount_type type;
    } types[] = {
        {"bind", SPEC_MOUNT_BIND},
        {"volume", SPEC_MOUNT_VOLUME},
        {"tmpfs", SPEC_MOUNT_TMPFS},
    };
    const struct deploy_value *type = deploy_value_get(item, "type");
    for (size_t i = 0; type && type->text && i < DR_COUNT(types); i++)
        if (strcmp(types[i].name, type->text) == 0) {
            v->mount.type = types[i].type;
            return true;
        }
    deploy_problem(v->s.c->problems, type ? &type->where : &item->where,
                   "a volume needs a type: bind, volume or tmpfs");
    return false;
}

static void long_volume(struct compose_service *s, const struct deploy_value *item)
{
    struct long_volume v = {.s = *s};
    struct deploy_problems *problems = s->c->problems;
    const char *source = member(item, "source"), *target = member(item, "target");
    compose_fields(&v.s, item, long_fields, "a volume");
    if (!long_type(&v, item)) {
        spec_mount_release(&v.mount);
        return;
    }
    if (!target || *target != '/') {
        deploy_problem(problems, &item->where,
                       "a volume needs a target, an absolute path");
        spec_mount_release(&v.mount);
        return;
    }
    if (v.mount.type == SPEC_MOUNT_BIND && !source)
        deploy_problem(problems, &item->where, "a bind mount needs a source");
    if (v.mount.type == SPEC_MOUNT_TMPFS)
        tmpfs_options(&v);
    v.mount.target = spec_path_clean(target);
    if (v.mount.type != SPEC_MOUNT_TMPFS)
        v.mount.source = dr_strdup(source);
    add_mount(s, &v.mount, &item->where);
}

void compose_read_volumes(struct compose_service *s, const struct deploy_value *v)
{
    if (!compose_is(s->c, v, DEPLOY_LIST, "a list") || !compose_few(s->c, v))
        return;
    for (size_t i = 0; i < v->count; i++)
        if (v->items[i]->type == DEPLOY_MAP)
            long_volume(s, v->items[i]);
        else if (compose_text(s->c, v->items[i]))
            short_volume(s, v->items[i]);
}

void compose_read_devices(struct compose_service *s, const struct deploy_value *v)
{
    if (!compose_is(s->c, v, DEPLOY_LIST, "a list") || !compose_few(s->c, v))
        return;
    for (size_t i = 0; i < v->count; i++) {
        const struct deploy_value *item = v->items[i];
        const char *source = member(item, "source"), *target = member(item, "target"),
                   *permissions = member(item, "permissions");
        if (item->type == DEPLOY_MAP && !source) {
            deploy_problem(s->c->problems, &item->where, "a device needs a source");
            continue;
        }
        dr_auto_free char *text =
            source ? dr_printf("%s:%s:%s", source, target ? target : source,
                               permissions ? permissions : "rwm")
                   : NULL;
        if (text || compose_text(s->c, item))
            compose_set(s, &item->where, "device", true, text ? text : item->text);
    }
}

/* --- configs and secrets that nothing refers to, and the rest --- */

void compose_check_sections(struct compose *c)
{
    check_volumes(c);
    compose_check_networks(c);
    compose_check_content(c);
}
