/* SPDX-License-Identifier: Apache-2.0 */
/* From the files of a deployment, and those that they name, to one tree. */
#include <string.h>

#include "base/fs.h"
#include "base/nearest.h"
#include "base/text.h"
#include "deploy/compose-internal.h"
#include "deploy/compose-interpolate.h"
#include "deploy/compose-merge.h"

#define EXTENDS_MAX 64 /* services, each of which extends the next one */
#define INCLUDE_MAX 16 /* files, each of which includes the next one */

struct file {
    const char *shown; /* the model keeps it: places borrow it */
    char *path;        /* absolute */
    char *directory;   /* absolute: where its relative paths begin at */
    struct deploy_value *tree;
};

/* A set of files that are merged: those of the command line, or of one "include". */
struct project {
    struct compose *c;
    const struct compose_env *env;
    const char *directory;
    struct deploy_value *root;
    const struct project *includer;
    const char *main_path; /* absolute */
    unsigned depth;
    struct file **others; /* that services were extended from */
    size_t other_count;
    struct dr_error *err;
};

static void free_file(struct file *f)
{
    if (!f)
        return;
    deploy_value_free(f->tree);
    free(f->path);
    free(f->directory);
    free(f);
}

static void free_project(struct project *p)
{
    for (size_t i = 0; i < p->other_count; i++)
        free_file(p->others[i]);
    free(p->others);
    deploy_value_free(p->root);
}

static int weigh(struct project *p, const struct deploy_value *tree)
{
    p->c->weight += compose_count(tree);
    return p->c->weight <= DEPLOY_VALUES_MAX
               ? 0
               : dr_fail(p->err, DR_ERR_CONFIG,
                         "there are more values than a deployment can have (what is "
                         "extended counts each time)");
}

/* --- one file --- */

static struct deploy_value *empty(const char *shown)
{
    struct deploy_where start = {shown, 1, 1};
    return deploy_value_new(DEPLOY_MAP, NULL, &start);
}

/* Not more than YAML. shown: what it is called in errors. */
static int parse(struct project *p, const char *shown, const char *path,
                 struct deploy_value **ret)
{
    struct compose *c = p->c;
    if (++c->files > COMPOSE_FILES_MAX)
        return dr_fail(p->err, DR_ERR_CONFIG, "more than %d files", COMPOSE_FILES_MAX);
    dr_strv_add(&c->model->file_names, shown);
    shown = c->model->file_names[dr_strv_len(c->model->file_names) - 1];
    dr_auto_buf struct dr_buf buf = DR_BUF_INIT(DEPLOY_FILE_MAX);
    struct deploy_value *tree = NULL;
    if (dr_file_read(AT_FDCWD, path, &buf, p->err) < 0 ||
        deploy_value_load(shown, buf.data ? buf.data : "", buf.len, &tree, p->err) < 0)
        return -1;
    *ret = tree ? tree : empty(shown);
    return 0;
}

/* Names without a value in "environment" take it from here. */
static void take_environment(struct project *p, struct deploy_value *root)
{
    const struct deploy_value *services = deploy_value_get(root, "services");
    for (size_t i = 0; services && services->type == DEPLOY_MAP && i < services->count;
         i++) {
        struct deploy_value *env = deploy_value_get(services->items[i], "environment");
        for (size_t j = 0; env && env->type == DEPLOY_MAP && j < env->count; j++) {
            struct deploy_value *item = env->items[j];
            const char *value = compose_env_get(p->env, env->keys[j]);
            if (item->type != DEPLOY_NULL || item->tag || !value)
                continue;
            item->type = DEPLOY_SCALAR;
            item->quoted = true;
            item->text = dr_strdup(value);
        }
    }
}

static int prepare(struct project *p, struct deploy_value *tree, const char *directory)
{
    struct compose *c = p->c;
    if (!compose_is(c, tree, DEPLOY_MAP, "a mapping with 'services' and the like"))
        return deploy_problems_end(c->problems, p->err);
    compose_interpolate_tree(tree, p->env, c->problems, &c->model->warnings);
    compose_normalise(tree, c->problems);
    const struct deploy_value *services = deploy_value_get(tree, "services");
    if (services && services->count > COMPOSE_SERVICES_MAX) {
        dr_auto_free char *file = dr_escape(services->where.file, 300);
        return dr_fail(p->err, DR_ERR_CONFIG, "%s:%u:%u: more than %d services", file,
                       services->where.line, services->where.column,
                       COMPOSE_SERVICES_MAX);
    }
    take_environment(p, tree);
    compose_paths(c, tree, directory);
    return weigh(p, tree);
}

/* What a file that another one names is called in errors: from here, or absolute. */
static char *shown_path(const char *path)
{
    dr_auto_free char *here = dr_path_real(".");
    size_t len = here ? strlen(here) : 0;
    bool below =
        len > 1 && strncmp(path, here, len) == 0 && path[len] && strchr("/\\", path[len]);
    return dr_strdup(below ? path + len + 1 : path);
}

/* Another file that cannot be read is a problem of the place that names it. */
static int note(struct project *p, const struct deploy_where *where)
{
    /* what is too much stays too much */
    if (p->c->weight > DEPLOY_VALUES_MAX || p->c->files > COMPOSE_FILES_MAX)
        return -1;
    deploy_problem_error(p->c->problems, where, p->err);
    dr_error_release(p->err);
    return 0;
}

/* --- extends --- */

struct chain {
    const struct file *file;
    const char *service;
    const struct chain *above;
    unsigned depth;
};

static const char *next_key(void *state)
{
    const struct deploy_value **left = state;
    struct deploy_value *map = (struct deploy_value *)left[0];
    size_t *i = (size_t *)left[1];
    return *i < map->count ? map->keys[(*i)++] : NULL;
}

/* " (did you mean 'x'?)", or nothing; owned. */
static char *nearest_key(const struct deploy_value *map, const char *key)
{
    size_t i = 0;
    const void *state[2] = {map, &i};
    const char *near = map && map->type == DEPLOY_MAP && map->count
                           ? dr_nearest(key, next_key, state)
                           : NULL;
    return near ? dr_printf("; did you mean '%s'?", near) : dr_strdup("");
}

/* The file that a service is extended from; NULL: err says why not. */
static struct file *other_file(struct project *p, const struct file *from,
                               const struct deploy_value *name)
{
    dr_auto_free char *path =
        compose_path(p->c, &name->where, from->directory, name->text);
    for (size_t i = 0; i < p->other_count; i++)
        if (strcmp(p->others[i]->path, path) == 0)
            return p->others[i];
    struct file *f = dr_alloc(sizeof *f);
    dr_auto_free char *shown = shown_path(path);
    f->path = dr_strdup(path);
    f->directory = compose_dirname(path);
    if (parse(p, shown, path, &f->tree) < 0 || prepare(p, f->tree, f->directory) < 0) {
        free_file(f);
        return NULL;
    }
    f->shown = f->tree->where.file;
    p->others = dr_realloc(p->others, (p->other_count + 1) * sizeof(struct file *));
    p->others[p->other_count++] = f;
    return f;
}

static size_t index_of(const struct deploy_value *map, const char *key)
{
    size_t i = 0;
    while (i < map->count && strcmp(map->keys[i], key) != 0)
        i++;
    return i;
}

/* Which service, and whose file it is in ("file", NULL: the same one); NULL: a problem.
 */
static const struct deploy_value *extended(struct project *p,
                                           const struct deploy_value *extends,
                                           const struct deploy_value **ret_file)
{
    struct deploy_problems *problems = p->c->problems;
    *ret_file = NULL;
    if (extends->type == DEPLOY_SCALAR)
        return extends;
    const struct deploy_value *service = deploy_value_get(extends, "service");
    if (!service || service->type != DEPLOY_SCALAR) {
        deploy_problem(problems, &extends->where,
                       "extends needs the name of a service, as 'service: NAME'");
        return NULL;
    }
    for (size_t i = 0; i < extends->count; i++)
        if (strcmp(extends->keys[i], "service") != 0 &&
            strcmp(extends->keys[i], "file") != 0)
            deploy_problem(problems, &extends->key_where[i],
                           "extends has only the fields 'service' and 'file'");
    const struct deploy_value *file = deploy_value_get(extends, "file");
    if (file && file->type == DEPLOY_SCALAR && *file->text)
        *ret_file = file;
    return service;
}

static bool is_cycle(struct project *p, const struct chain *above, const struct file *f,
                     const char *name, const struct deploy_where *where)
{
    const struct chain *same = above;
    while (same && !(same->file == f && strcmp(same->service, name) == 0))
        same = same->above;
    if (!same && (!above || above->depth < EXTENDS_MAX))
        return false;
    dr_auto_free char *safe = dr_escape(name, 60);
    if (same)
        deploy_problem(p->c->problems, where, "service '%s' extends itself", safe);
    else
        deploy_problem(p->c->problems, where, "services extend each other too deep");
    return true;
}

/* Makes a service of a file whole. -1: it cannot go on. */
static int extend(struct project *p, struct file *f, const char *name,
                  const struct chain *above)
{
    const struct chain link = {f, name, above, above ? above->depth + 1 : 1};
    struct deploy_value *services = deploy_value_get(f->tree, "services");
    struct deploy_value *service = deploy_value_get(services, name);
    const struct deploy_value *extends = deploy_value_get(service, "extends"), *file;
    if (!extends || extends->type == DEPLOY_NULL)
        return 0;
    const struct deploy_where where = extends->where;
    const struct deploy_value *wanted = extended(p, extends, &file);
    dr_auto_free char *base_name = wanted ? dr_strdup(wanted->text) : NULL;
    struct file *other = f;
    if (base_name && file && !(other = other_file(p, f, file)))
        return note(p, &file->where);
    deploy_value_remove(service, "extends");
    if (!base_name || is_cycle(p, &link, other, base_name, &where))
        return 0;
    const struct deploy_value *others = deploy_value_get(other->tree, "services");
    const struct deploy_value *base = deploy_value_get(others, base_name);
    if (base && extend(p, other, base_name, &link) < 0)
        return -1;
    base = deploy_value_get(others, base_name);
    if (!base && other == f && p->root) /* of a file before this one */
        base = deploy_value_get(deploy_value_get(p->root, "services"), base_name);
    if (!base || base->type != DEPLOY_MAP) {
        dr_auto_free char *safe = dr_escape(base_name, 60),
                          *near = nearest_key(others, base_name),
                          *shown = dr_escape(other->shown, 300);
        deploy_problem(p->c->problems, &where, "there is no service '%s' in %s%s", safe,
                       shown, near);
        return 0;
    }
    struct deploy_value *whole = deploy_value_copy(base);
    size_t at = index_of(services, name);
    compose_merge_service(whole, service);
    whole->where = services->key_where[at];
    services->items[at] = whole;
    return weigh(p, whole);
}

static int extend_all(struct project *p, struct file *f)
{
    const struct deploy_value *services = deploy_value_get(f->tree, "services");
    for (size_t i = 0; services && services->type == DEPLOY_MAP && i < services->count;
         i++)
        if (services->items[i]->type == DEPLOY_MAP &&
            extend(p, f, services->keys[i], NULL) < 0)
            return -1;
    return 0;
}

/* --- several files --- */

/* tree is taken over. */
static int add_file(struct project *p, struct deploy_value *tree)
{
    dr_auto_free char *directory = dr_strdup(p->directory);
    struct file f = {.shown = tree->where.file, .directory = directory, .tree = tree};
    int rc = prepare(p, tree, directory);
    if (rc == 0)
        rc = extend_all(p, &f);
    if (rc < 0)
        deploy_value_free(tree);
    else if (p->root)
        compose_merge(p->root, tree);
    else
        p->root = tree;
    return rc;
}

/* --- include --- */

static bool equal(const struct deploy_value *a, const struct deploy_value *b)
{
    if (a->type != b->type || a->count != b->count ||
        strcmp(a->text ? a->text : "", b->text ? b->text : "") != 0)
        return false;
    for (size_t i = 0; i < a->count; i++) {
        const struct deploy_value *other =
            a->type == DEPLOY_MAP ? deploy_value_get(b, a->keys[i]) : b->items[i];
        if (!other || !equal(a->items[i], other))
            return false;
    }
    return true;
}

/* What an included file describes is as if it were here, but nothing is merged. */
static void import(struct project *p, struct deploy_value *from)
{
    static const char *const sections[] = {"services", "networks", "volumes", "configs",
                                           "secrets"};
    for (size_t j = 0; j < DR_COUNT(sections); j++) {
        struct deploy_value *source = deploy_value_get(from, sections[j]),
                            *target = deploy_value_get(p->root, sections[j]);
        if (!source || source->type != DEPLOY_MAP)
            continue;
        if (!target || target->type != DEPLOY_MAP) {
            target = deploy_value_new(DEPLOY_MAP, NULL, &source->where);
            deploy_value_set(p->root, sections[j], NULL, target);
        }
        for (size_t i = 0; i < source->count; i++) {
            const char *key = source->keys[i];
            const struct deploy_value *same = deploy_value_get(target, key);
            if (!same) {
                deploy_value_set(target, key, &source->key_where[i],
                                 DR_TAKE(source->items[i]));
            } else if (!equal(same, source->items[i])) {
                const struct deploy_where *other =
                    &target->key_where[index_of(target, key)];
                dr_auto_free char *safe = dr_escape(key, 60),
                                  *file = dr_escape(other->file, 300);
                deploy_problem(p->c->problems, &source->key_where[i],
                               "%s: '%s' is in %s:%u too, and differs", sections[j], safe,
                               file, other->line);
            }
        }
    }
}

static int load_project(struct project *p, char **shown, char **paths);

/* Texts of a scalar or a list of them; false: a problem. */
static bool texts(struct project *p, const struct deploy_value *value, char ***ret)
{
    if (!value || value->type == DEPLOY_NULL)
        return true;
    size_t count = value->type == DEPLOY_LIST ? value->count : 1;
    for (size_t i = 0; i < count; i++) {
        const struct deploy_value *one =
            value->type == DEPLOY_LIST ? value->items[i] : value;
        if (one->type != DEPLOY_SCALAR || !*one->text) {
            deploy_problem(p->c->problems, &one->where,
                           "expected a path, or a list of paths");
            return false;
        }
        dr_strv_add(ret, one->text);
    }
    return true;
}

static int add_env_file(struct compose *c, struct compose_env *env, const char *shown,
                        const char *path, struct dr_error *err)
{
    dr_auto_strv char **pairs = NULL;
    const struct compose_dotenv how = {shown, &c->env, false};
    if (compose_dotenv_read(&how, path, &pairs, err) < 0)
        return -1;
    for (size_t i = 0; pairs && pairs[i]; i++) {
        dr_auto_free char *name = dr_strndup(pairs[i], strcspn(pairs[i], "="));
        /* what the process has stays; of the files, the last one wins */
        if (!compose_env_get(&c->env, name))
            compose_env_set(env, name, pairs[i] + strlen(name) + 1, true);
    }
    return 0;
}

static int include_env(struct project *p, const struct deploy_value *files,
                       const char *directory, struct compose_env *env)
{
    dr_auto_strv char **names = NULL;
    if (!texts(p, files, &names))
        return 0;
    for (size_t i = 0; names && names[i]; i++) {
        dr_auto_free char *path =
                              compose_path(p->c, &files->where, p->directory, names[i]),
                          *shown = shown_path(path);
        if (add_env_file(p->c, env, shown, path, p->err) < 0)
            return -1;
    }
    dr_auto_free char *usual = dr_path_join(directory, ".env");
    return names || access(usual, F_OK) != 0
               ? 0
               : add_env_file(p->c, env, usual, usual, p->err);
}

static bool includes_itself(const struct project *p, const char *path)
{
    for (; p; p = p->includer)
        if (p->main_path && strcmp(p->main_path, path) == 0)
            return true;
    return false;
}

static int include(struct project *p, const struct deploy_value *item)
{
    const struct deploy_value *path =
        item->type == DEPLOY_MAP ? deploy_value_get(item, "path") : item;
    const struct deploy_value *directory = deploy_value_get(item, "project_directory");
    dr_auto_strv char **names = NULL, **shown = NULL, **paths = NULL;
    for (size_t i = 0; item->type == DEPLOY_MAP && i < item->count; i++)
        if (strcmp(item->keys[i], "path") != 0 &&
            strcmp(item->keys[i], "project_directory") != 0 &&
            strcmp(item->keys[i], "env_file") != 0)
            deploy_problem(p->c->problems, &item->key_where[i],
                           "include has only the fields 'path', 'project_directory' and "
                           "'env_file'");
    if (!path || path->type == DEPLOY_NULL) {
        deploy_problem(p->c->problems, &item->where, "include needs a path");
        return 0;
    }
    if (!texts(p, path, &names))
        return 0;
    for (size_t i = 0; names && names[i]; i++) {
        dr_auto_free char *absolute =
                              compose_path(p->c, &path->where, p->directory, names[i]),
                          *name = shown_path(absolute);
        if (includes_itself(p, absolute)) {
            deploy_problem(p->c->problems, &path->where, "the file includes itself");
            return 0;
        }
        dr_strv_add(&paths, absolute);
        dr_strv_add(&shown, name);
    }
    if (!paths || p->depth == INCLUDE_MAX) {
        deploy_problem(p->c->problems, &path->where,
                       paths ? "files include each other too deep"
                             : "include needs a path");
        return 0;
    }
    dr_auto_free char *begin =
        directory && directory->type == DEPLOY_SCALAR
            ? compose_path(p->c, &directory->where, p->directory, directory->text)
            : compose_dirname(paths[0]);
    compose_auto_env struct compose_env env;
    compose_env_copy(&env, p->env);
    struct project inner = {.c = p->c,
                            .env = &env,
                            .directory = begin,
                            .includer = p,
                            .main_path = paths[0],
                            .depth = p->depth + 1,
                            .err = p->err};
    int rc = include_env(p, deploy_value_get(item, "env_file"), begin, &env);
    if (rc == 0)
        rc = load_project(&inner, shown, paths);
    if (rc == 0)
        import(p, inner.root);
    else
        rc = note(p, &path->where);
    free_project(&inner);
    return rc;
}

static int include_all(struct project *p)
{
    deploy_auto_value struct deploy_value *list = NULL;
    const struct deploy_value *found = deploy_value_get(p->root, "include");
    if (!found)
        return 0;
    list = deploy_value_copy(found);
    deploy_value_remove(p->root, "include");
    if (list->type == DEPLOY_NULL || !compose_is(p->c, list, DEPLOY_LIST, "a list"))
        return 0;
    for (size_t i = 0; i < list->count; i++)
        if (list->items[i]->type != DEPLOY_MAP && list->items[i]->type != DEPLOY_SCALAR)
            deploy_problem(p->c->problems, &list->items[i]->where,
                           "expected a path, or a mapping with 'path'");
        else if (include(p, list->items[i]) < 0)
            return -1;
    return 0;
}

static int load_project(struct project *p, char **shown, char **paths)
{
    for (size_t i = 0; paths[i]; i++) {
        struct deploy_value *tree = NULL;
        if (parse(p, shown[i], paths[i], &tree) < 0 || add_file(p, tree) < 0)
            return -1;
    }
    compose_sweep(p->root);
    compose_unique(p->root);
    return include_all(p);
}

/* --- the files of the command line --- */

static int env_files(struct compose *c, struct dr_error *err)
{
    const char *const *files = c->sources->env_files;
    compose_auto_env struct compose_env more;
    compose_env_copy(&more, &c->env);
    dr_auto_free char *usual = dr_path_join(c->input->directory, ".env");
    if (!files && access(usual, F_OK) == 0 &&
        add_env_file(c, &more, usual, usual, err) < 0)
        return -1;
    for (size_t i = 0; files && files[i]; i++)
        if (add_env_file(c, &more, files[i], files[i], err) < 0)
            return -1;
    json_t *before = c->env.values;
    c->env.values = more.values;
    more.values = before;
    return 0;
}

/* What 'name:' of the last file that has one says, with its variables. */
static struct deploy_value *said_name(struct compose *c)
{
    for (size_t i = c->input->count; i > 0; i--) {
        const struct deploy_value *name =
            deploy_value_get(c->input->roots[i - 1], "name");
        if (!name)
            continue;
        deploy_auto_value struct deploy_value *copy = deploy_value_copy(name);
        deploy_auto_problems struct deploy_problems twice = DEPLOY_PROBLEMS_INIT;
        dr_auto_strv char **warnings = NULL;
        /* its problems are found again with all others */
        compose_interpolate_tree(copy, &c->env, &twice, &warnings);
        return twice.count ? NULL : DR_TAKE(copy);
    }
    return NULL;
}

static int load_input(struct project *p)
{
    const struct deploy_input *in = p->c->input;
    for (size_t i = 0; i < in->count; i++)
        if (add_file(p, in->roots[i] ? deploy_value_copy(in->roots[i])
                                     : empty(p->c->model->file_names[i])) < 0)
            return -1;
    compose_sweep(p->root);
    compose_unique(p->root);
    return include_all(p);
}

int compose_files(struct compose *c, struct dr_error *err)
{
    struct project p = {
        .c = c, .env = &c->env, .directory = c->input->directory, .err = err};
    const char *first = c->model->file_names[0];
    dr_auto_free char *name_of_first =
        strcmp(first, "-") == 0 ? NULL : dr_path_real(first);
    p.main_path = name_of_first;
    if (env_files(c, err) < 0)
        return -1;
    deploy_auto_value struct deploy_value *name = said_name(c);
    int rc = compose_name(c, name, err);
    if (rc == 0)
        rc = load_input(&p);
    if (rc == 0)
        c->root = DR_TAKE(p.root);
    free_project(&p);
    return rc;
}
