/* SPDX-License-Identifier: Apache-2.0 */
/* The fields of a service. */
#include <string.h>

#include "base/fs.h"
#include "base/text.h"
#include "deploy/compose-internal.h"
#include "oci/platform.h"

/* --- command, entrypoint --- */

/* One shell word: quotes and backslashes go, nothing is expanded. NULL: a quote is not
 * closed. */
static char *shell_word(const char **p)
{
    char *word = dr_alloc(strlen(*p) + 1), *to = word;
    char quote = 0;
    for (; **p && (quote || !strchr(" \t\r\n", **p)); (*p)++) {
        char c = **p;
        if (c == quote && quote) {
            quote = 0;
        } else if (!quote && (c == '\'' || c == '"')) {
            quote = c;
        } else if (c == '\\' && quote != '\'' && (*p)[1] &&
                   (!quote || strchr("\"\\$`\n", (*p)[1]))) {
            (*p)++;
            if (**p != '\n') /* a line that goes on */
                *to++ = **p;
        } else {
            *to++ = c;
        }
    }
    if (!quote)
        return word;
    free(word);
    return NULL;
}

/* The words of a text or a list; false: a problem. */
static bool command_words(struct compose_service *s, const struct deploy_value *value,
                          char ***ret)
{
    for (size_t i = 0; value->type == DEPLOY_LIST && i < value->count; i++) {
        const char *text = compose_text(s->c, value->items[i]);
        if (!text)
            return false;
        dr_strv_add(ret, text);
    }
    if (value->type == DEPLOY_LIST)
        return true;
    if (!compose_is(s->c, value, DEPLOY_SCALAR, "a command line, or a list of words"))
        return false;
    for (const char *p = value->text;;) {
        p += strspn(p, " \t\r\n");
        if (!*p)
            return true;
        char *word = shell_word(&p);
        if (!word) {
            deploy_problem(s->c->problems, &value->where, "a quote is not closed");
            return false;
        }
        dr_strv_add(ret, word);
        free(word);
    }
}

static void command(struct compose_service *s, const struct deploy_value *value)
{
    dr_auto_strv char **words = NULL;
    if (!command_words(s, value, &words))
        return;
    if (!words)
        compose_warn(s->c, &value->where,
                     "an empty command is the image's, unless there is an entrypoint");
    for (size_t i = 0; words && words[i]; i++)
        compose_set(s, &value->where, "args", true, words[i]);
}

static void entrypoint(struct compose_service *s, const struct deploy_value *value)
{
    dr_auto_strv char **words = NULL;
    if (!command_words(s, value, &words))
        return;
    compose_set(s, &value->where, "entrypoint", false, "");
    for (size_t i = 0; words && words[i]; i++)
        compose_set(s, &value->where, "entrypoint", true, words[i]);
}

/* --- environment, env_file, labels --- */

/* env: what its lines may ask for. */
static void file_pairs(struct compose_service *s, const struct deploy_value *item,
                       const struct compose_env *env, char ***pairs)
{
    struct compose *c = s->c;
    const struct deploy_value *path = item, *required = NULL, *format = NULL;
    if (item->type == DEPLOY_MAP) {
        path = deploy_value_get(item, "path");
        required = deploy_value_get(item, "required");
        format = deploy_value_get(item, "format");
        for (size_t i = 0; i < item->count; i++)
            if (strcmp(item->keys[i], "path") != 0 &&
                strcmp(item->keys[i], "required") != 0 &&
                strcmp(item->keys[i], "format") != 0)
                deploy_problem(c->problems, &item->key_where[i],
                               "env_file has only the fields 'path', 'required' and "
                               "'format'");
    }
    bool must = true;
    if (!path || path->type != DEPLOY_SCALAR || !*path->text) {
        deploy_problem(c->problems, &item->where, "expected a path");
        return;
    }
    if (required && !compose_bool(c, required, &must))
        return;
    bool raw = format && format->text && strcmp(format->text, "raw") == 0;
    if (format && !raw)
        deploy_problem(c->problems, &format->where, "the only format to name is 'raw'");
    if (!must && access(path->text, F_OK) != 0)
        return;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    const struct compose_dotenv how = {path->text, env, raw};
    if (compose_dotenv_read(&how, path->text, pairs, &err) < 0)
        deploy_problem_error(c->problems, &path->where, &err);
}

/* all: by name, "K=V". A file may ask for what those before it say. */
static void one_file(struct compose_service *s, const struct deploy_value *item,
                     struct compose_env *env, json_t *all)
{
    dr_auto_strv char **pairs = NULL;
    file_pairs(s, item, env, &pairs);
    for (size_t i = 0; pairs && pairs[i]; i++) {
        dr_auto_free char *name = dr_strndup(pairs[i], strcspn(pairs[i], "="));
        json_object_set_new_nocheck(all, name, json_string_nocheck(pairs[i]));
        compose_env_set(env, name, pairs[i] + strlen(name) + 1, true);
    }
}

static void map_pairs(struct compose_service *s, const struct deploy_value *map,
                      bool labels, const char *spec_field)
{
    for (size_t i = 0; i < map->count; i++) {
        const struct deploy_value *item = map->items[i];
        if (item->type != DEPLOY_SCALAR && item->type != DEPLOY_NULL) {
            deploy_problem(s->c->problems, &item->where, "expected a text");
            continue;
        }
        /* a variable without a value, here neither: the image's is taken away */
        dr_auto_free char *pair =
            item->text || labels
                ? dr_printf("%s=%s", map->keys[i], item->text ? item->text : "")
                : dr_strdup(map->keys[i]);
        compose_set(s, &map->key_where[i], spec_field, true, pair);
    }
}

/* "K=V" of files, the last of which wins, and of a map, which wins over files. */
static void layered(struct compose_service *s, const char *files_field,
                    const char *map_field, const char *spec_field)
{
    struct compose *c = s->c;
    const struct deploy_value *files = deploy_value_get(s->map, files_field),
                              *map = deploy_value_get(s->map, map_field);
    bool labels = strcmp(map_field, "labels") == 0;
    dr_auto_json json_t *of_files = json_object();
    compose_auto_env struct compose_env env;
    compose_env_copy(&env, &c->env);
    if (map && (map->type == DEPLOY_NULL ||
                !compose_is(c, map, DEPLOY_MAP, "NAME: VALUE, or a list of NAME=VALUE") ||
                !compose_few(c, map)))
        map = NULL;
    if (files && files->type != DEPLOY_NULL &&
        compose_is(c, files, DEPLOY_LIST, "a path, or a list of paths"))
        for (size_t i = 0; i < files->count; i++)
            one_file(s, files->items[i], &env, of_files);
    for (size_t i = 0; map && i < map->count; i++)
        json_object_del(of_files, map->keys[i]);
    const char *name;
    json_t *pair;
    json_object_foreach (of_files, name, pair)
        compose_set(s, &files->where, spec_field, true, json_string_value(pair));
    if (map)
        map_pairs(s, map, labels, spec_field);
}

void compose_service_env(struct compose_service *s)
{
    layered(s, "env_file", "environment", "env");
    layered(s, "label_file", "labels", "label");
}

/* --- depends_on --- */

static void condition(struct compose_service *s, const struct deploy_value *value,
                      enum deploy_condition *ret)
{
    static const char *const names[] = {"service_started", "service_healthy",
                                        "service_completed_successfully"};
    for (size_t i = 0; i < DR_COUNT(names); i++)
        if (value->text && strcmp(value->text, names[i]) == 0) {
            *ret = (enum deploy_condition)i;
            return;
        }
    deploy_problem(s->c->problems, &value->where,
                   "expected service_started, service_healthy or "
                   "service_completed_successfully");
}

static void depend(struct compose_service *s, const char *on,
                   const struct deploy_where *where, const struct deploy_value *how)
{
    struct deploy_depend *d = deploy_service_add_depend(s->service, on);
    d->where = *where;
    if (how->type == DEPLOY_NULL || !compose_is(s->c, how, DEPLOY_MAP, "a mapping"))
        return;
    for (size_t i = 0; i < how->count; i++) {
        bool required;
        if (strcmp(how->keys[i], "condition") == 0)
            condition(s, how->items[i], &d->condition);
        else if (strcmp(how->keys[i], "restart") == 0)
            compose_bool(s->c, how->items[i], &d->restart);
        else if (strcmp(how->keys[i], "required") != 0)
            deploy_problem(s->c->problems, &how->key_where[i],
                           "depends_on has only the fields 'condition', 'restart' and "
                           "'required'");
        else if (compose_bool(s->c, how->items[i], &required))
            d->optional = !required;
    }
}

static void depends_on(struct compose_service *s, const struct deploy_value *value)
{
    if (!compose_is(s->c, value, DEPLOY_MAP, "a list of services, or a mapping of them"))
        return;
    for (size_t i = 0; i < value->count; i++)
        depend(s, value->keys[i], &value->key_where[i], value->items[i]);
}

/* --- small ones --- */

static void container_name(struct compose_service *s, const struct deploy_value *value)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    if (!compose_text(s->c, value))
        return;
    if (spec_name_check(value->text, &err) < 0) {
        deploy_problem_error(s->c->problems, &value->where, &err);
        return;
    }
    s->service->container_name = dr_strdup(value->text);
}

static void pull_policy(struct compose_service *s, const struct deploy_value *value)
{
    static const struct {
        const char *name;
        enum deploy_pull pull;
    } policies[] = {
        {"always", DEPLOY_PULL_ALWAYS},   {"newer", DEPLOY_PULL_NEWER},
        {"missing", DEPLOY_PULL_MISSING}, {"if_not_present", DEPLOY_PULL_MISSING},
        {"never", DEPLOY_PULL_NEVER},
    };
    const char *text = compose_text(s->c, value);
    for (size_t i = 0; text && i < DR_COUNT(policies); i++)
        if (strcmp(text, policies[i].name) == 0) {
            s->service->pull = policies[i].pull;
            return;
        }
    if (!text)
        return;
    if (strcmp(text, "build") == 0) {
        deploy_problem(s->c->problems, &value->where,
                       "images cannot be built here yet: build it elsewhere, and name it "
                       "in 'image'");
    } else if (strcmp(text, "daily") == 0 || strcmp(text, "weekly") == 0 ||
               strncmp(text, "every_", 6) == 0) {
        s->service->pull = DEPLOY_PULL_NEWER;
        compose_warn(s->c, &value->where,
                     "pull_policy by time is read as 'newer': looked for each time");
    } else {
        deploy_problem(s->c->problems, &value->where,
                       "expected always, missing, if_not_present, newer or never");
    }
}

static void platform(struct compose_service *s, const struct deploy_value *value)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    struct oci_platform parsed;
    if (!compose_text(s->c, value))
        return;
    if (oci_platform_parse(value->text, &parsed, &err) < 0)
        deploy_problem_error(s->c->problems, &value->where, &err);
    else
        s->service->platform = dr_strdup(value->text);
}

static void scale(struct compose_service *s, const struct deploy_value *value)
{
    int64_t n;
    if (compose_int(s->c, value, 0, 1000, &n))
        s->service->scale = n;
}

static void stop_grace_period(struct compose_service *s, const struct deploy_value *value)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    int64_t ns;
    if (!compose_text(s->c, value))
        return;
    if (dr_duration_parse(value->text, &ns, &err) < 0) {
        deploy_problem_error(s->c->problems, &value->where, &err);
        return;
    }
    int64_t seconds = ns / 1000000000 + (ns % 1000000000 ? 1 : 0);
    s->spec->stop_timeout_s = seconds > INT32_MAX ? INT32_MAX : seconds;
}

static void ulimits(struct compose_service *s, const struct deploy_value *value)
{
    if (!compose_is(s->c, value, DEPLOY_MAP, "a mapping of limits"))
        return;
    for (size_t i = 0; i < value->count; i++) {
        const struct deploy_value *item = value->items[i];
        const struct deploy_value *soft = deploy_value_get(item, "soft"),
                                  *hard = deploy_value_get(item, "hard");
        bool both = item->type == DEPLOY_MAP && soft && hard && soft->text && hard->text;
        if (item->type != DEPLOY_SCALAR && !both) {
            deploy_problem(s->c->problems, &item->where,
                           "expected a number, or 'soft' and 'hard'");
            continue;
        }
        dr_auto_free char *text =
            both ? dr_printf("%s=%s:%s", value->keys[i], soft->text, hard->text)
                 : dr_printf("%s=%s", value->keys[i], item->text);
        compose_set(s, &value->key_where[i], "ulimit", true, text);
    }
}

static void security_opt(struct compose_service *s, const struct deploy_value *value)
{
    if (!compose_is(s->c, value, DEPLOY_LIST, "a list"))
        return;
    for (size_t i = 0; i < value->count; i++) {
        const struct deploy_value *item = value->items[i];
        if (!compose_text(s->c, item))
            continue;
        dr_auto_free char *text = dr_strdup(item->text);
        size_t key = strcspn(text, ":=");
        if (text[key])
            text[key] = '=';
        if (strncmp(text, "seccomp=", 8) == 0 && strcmp(text + 8, "unconfined") != 0) {
            dr_auto_buf struct dr_buf profile = DR_BUF_INIT(1 << 20);
            dr_auto_error struct dr_error err = DR_ERROR_INIT;
            if (dr_file_read(AT_FDCWD, text + 8, &profile, &err) < 0) {
                deploy_problem_error(s->c->problems, &item->where, &err);
                continue;
            }
            free(text);
            text = dr_printf("seccomp=%s", profile.data ? profile.data : "");
        }
        compose_set(s, &item->where, "security_opt", true, text);
    }
}

/* cpu_quota of cpu_period is a limit of CPUs, written otherwise. */
static void cpu_quota(struct compose_service *s, const struct deploy_value *value)
{
    const struct deploy_value *period_value = deploy_value_get(s->map, "cpu_period");
    int64_t quota, period = 100000;
    if (!compose_int(s->c, value, -1, 1000000000, &quota) ||
        (period_value && period_value->type != DEPLOY_NULL &&
         !compose_int(s->c, period_value, 1000, 1000000, &period)))
        return;
    if (quota > 0 && !s->spec->nano_cpus)
        s->spec->nano_cpus = quota * 1000000 / period * 1000;
}

/* A mode of which only what is the case anyway can be had. */
static void only(struct compose_service *s, const struct deploy_value *value,
                 const char *const *fine, const char *why)
{
    const char *text = compose_text(s->c, value);
    for (; text && *fine; fine++)
        if (strcmp(*fine, text) == 0)
            return;
    dr_auto_free char *safe = dr_escape(text ? text : "", 60);
    if (text)
        deploy_problem(s->c->problems, &value->where, "'%s': %s", safe, why);
}

static void ipc(struct compose_service *s, const struct deploy_value *value)
{
    static const char *const fine[] = {"", "private", "shareable", NULL};
    only(s, value, fine, "a container has an IPC namespace of its own here");
}

static void cgroup(struct compose_service *s, const struct deploy_value *value)
{
    static const char *const fine[] = {"", "private", NULL};
    only(s, value, fine, "a container has a cgroup namespace of its own here");
}

static void runtime(struct compose_service *s, const struct deploy_value *value)
{
    static const char *const fine[] = {"", "runc", "crun", "youki", NULL};
    only(s, value, fine, "the runtime is the target's, for all containers");
}

static void isolation(struct compose_service *s, const struct deploy_value *value)
{
    static const char *const fine[] = {"", "default", NULL};
    only(s, value, fine, "there are only Linux containers here");
}

static bool has_image(const struct deploy_value *map)
{
    const struct deploy_value *image = deploy_value_get(map, "image");
    /* quoted: a variable in it is a problem already */
    return image && (image->type != DEPLOY_NULL || image->quoted);
}

static void build(struct compose_service *s, const struct deploy_value *value)
{
    if (has_image(s->map))
        compose_warn(s->c, &value->where,
                     "build: nothing is built here; the image that is named is used");
    else
        deploy_problem(s->c->problems, &value->where,
                       "build: images cannot be built here yet: build it elsewhere, and "
                       "name it in 'image'");
}

#define NOT_YET "is not supported here"
#define NO_LIMIT "this limit is not set here"

const struct compose_field compose_service_fields[] = {
    {"annotations", COMPOSE_PAIRS, "annotation"},
    {"attach", COMPOSE_NOTED,
     .why = "who follows the output says so on the command line"},
    {"blkio_config", COMPOSE_NOTED, .why = NO_LIMIT},
    {"build", COMPOSE_READ, NULL, build},
    {"cap_add", COMPOSE_ADD, "cap_add"},
    {"cap_drop", COMPOSE_ADD, "cap_drop"},
    {"cgroup", COMPOSE_READ, NULL, cgroup},
    {"cgroup_parent", COMPOSE_REFUSED, .why = "a container's cgroup is dray's"},
    {"command", COMPOSE_READ, NULL, command},
    {"configs", COMPOSE_READ, NULL, compose_read_configs},
    {"container_name", COMPOSE_READ, NULL, container_name},
    {"cpu_count", COMPOSE_NOTED, .why = NO_LIMIT},
    {"cpu_percent", COMPOSE_NOTED, .why = NO_LIMIT},
    {"cpu_period", COMPOSE_ELSEWHERE},
    {"cpu_quota", COMPOSE_READ, NULL, cpu_quota},
    {"cpu_rt_period", COMPOSE_NOTED, .why = NO_LIMIT},
    {"cpu_rt_runtime", COMPOSE_NOTED, .why = NO_LIMIT},
    {"cpu_shares", COMPOSE_SET, "cpu_shares"},
    {"cpus", COMPOSE_SET, "cpus"},
    {"cpuset", COMPOSE_NOTED, .why = NO_LIMIT},
    {"credential_spec", COMPOSE_REFUSED, .why = "is of Windows containers"},
    {"depends_on", COMPOSE_READ, NULL, depends_on},
    {"deploy", COMPOSE_READ, NULL, compose_read_deploy},
    {"develop", COMPOSE_NOTED, .why = "files are not watched here"},
    {"device_cgroup_rules", COMPOSE_REFUSED,
     .why = NOT_YET ": name the devices in 'devices'"},
    {"devices", COMPOSE_READ, NULL, compose_read_devices},
    {"dns", COMPOSE_ADD, "dns"},
    {"dns_opt", COMPOSE_ADD, "dns_option"},
    {"dns_search", COMPOSE_ADD, "dns_search"},
    {"domainname", COMPOSE_SET, "domainname"},
    {"entrypoint", COMPOSE_READ, NULL, entrypoint},
    {"env_file", COMPOSE_ELSEWHERE},
    {"environment", COMPOSE_ELSEWHERE},
    {"expose", COMPOSE_ADD, "expose"},
    {"extends", COMPOSE_ELSEWHERE},
    {"external_links", COMPOSE_REFUSED,
     .why = NOT_YET ": put both on one external network"},
    {"extra_hosts", COMPOSE_ADD, "add_host"},
    {"gpus", COMPOSE_REFUSED, .why = "GPUs cannot be given to a container here"},
    {"group_add", COMPOSE_REFUSED, .why = NOT_YET ": give 'user' as USER:GROUP"},
    {"healthcheck", COMPOSE_READ, NULL, compose_read_healthcheck},
    {"hostname", COMPOSE_SET, "hostname"},
    {"image", COMPOSE_SET, "image"},
    {"init", COMPOSE_FLAG, "init"},
    {"ipc", COMPOSE_READ, NULL, ipc},
    {"isolation", COMPOSE_READ, NULL, isolation},
    {"label_file", COMPOSE_ELSEWHERE},
    {"labels", COMPOSE_ELSEWHERE},
    {"links", COMPOSE_ELSEWHERE},
    {"logging", COMPOSE_READ, NULL, compose_read_logging},
    {"mac_address", COMPOSE_ELSEWHERE},
    {"mem_limit", COMPOSE_SET, "memory"},
    {"mem_reservation", COMPOSE_NOTED, .why = NO_LIMIT},
    {"mem_swappiness", COMPOSE_NOTED, .why = NO_LIMIT},
    {"memswap_limit", COMPOSE_NOTED, .why = NO_LIMIT},
    {"models", COMPOSE_REFUSED, .why = "language models are not run here"},
    {"network_mode", COMPOSE_ELSEWHERE},
    {"networks", COMPOSE_ELSEWHERE},
    {"oom_kill_disable", COMPOSE_NOTED, .why = NO_LIMIT},
    {"oom_score_adj", COMPOSE_NOTED, .why = NO_LIMIT},
    {"pid", COMPOSE_REFUSED, .why = "a container has a PID namespace of its own here"},
    {"pids_limit", COMPOSE_SET, "pids_limit"},
    {"platform", COMPOSE_READ, NULL, platform},
    {"ports", COMPOSE_READ, NULL, compose_read_ports},
    {"post_start", COMPOSE_REFUSED, .why = "hooks are not run here"},
    {"pre_stop", COMPOSE_REFUSED, .why = "hooks are not run here"},
    {"privileged", COMPOSE_FLAG, "privileged"},
    {"profiles", COMPOSE_ELSEWHERE},
    {"provider", COMPOSE_REFUSED, .why = "a service is a container here"},
    {"pull_policy", COMPOSE_READ, NULL, pull_policy},
    {"pull_refresh_after", COMPOSE_NOTED, .why = "images are looked for each time"},
    {"read_only", COMPOSE_FLAG, "read_only"},
    {"restart", COMPOSE_SET, "restart"},
    {"runtime", COMPOSE_READ, NULL, runtime},
    {"scale", COMPOSE_READ, NULL, scale},
    {"secrets", COMPOSE_READ, NULL, compose_read_secrets},
    {"security_opt", COMPOSE_READ, NULL, security_opt},
    {"shm_size", COMPOSE_SET, "shm_size"},
    {"stdin_open", COMPOSE_FLAG, "interactive"},
    {"stop_grace_period", COMPOSE_READ, NULL, stop_grace_period},
    {"stop_signal", COMPOSE_SET, "stop_signal"},
    {"storage_opt", COMPOSE_NOTED, .why = NO_LIMIT},
    {"sysctls", COMPOSE_PAIRS, "sysctl"},
    {"tmpfs", COMPOSE_ADD, "tmpfs"},
    {"tty", COMPOSE_FLAG, "tty"},
    {"ulimits", COMPOSE_READ, NULL, ulimits},
    {"use_api_socket", COMPOSE_REFUSED, .why = "there is no daemon whose socket that is"},
    {"user", COMPOSE_SET, "user"},
    {"userns_mode", COMPOSE_REFUSED, .why = "user namespaces are the target's"},
    {"uts", COMPOSE_REFUSED, .why = "a container has a host name of its own here"},
    {"volumes", COMPOSE_READ, NULL, compose_read_volumes},
    {"volumes_from", COMPOSE_REFUSED,
     .why = NOT_YET ": name the same volumes in both services"},
    {"working_dir", COMPOSE_SET, "workdir"},
    {NULL},
};

/* --- all of them --- */

static bool name_fits(const char *name)
{
    static const char set[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    return *name && name[strspn(name, set)] == '\0';
}

static void service(struct compose *c, const char *name, const struct deploy_where *where,
                    const struct deploy_value *map)
{
    if (!name_fits(name)) {
        deploy_problem(c->problems, where,
                       "a service's name is made of letters, digits, '.', '_' and '-'");
        return;
    }
    if (!compose_is(c, map, DEPLOY_MAP, "a mapping"))
        return;
    struct compose_service s = {.c = c, .map = map};
    s.service = deploy_model_add_service(c->model, name);
    s.spec = s.service->spec;
    s.service->where = *where;
    compose_fields(&s, map, compose_service_fields, "a service");
    compose_service_env(&s);
    compose_service_networks(&s);
    const struct deploy_value *to_build = deploy_value_get(map, "build");
    if (!has_image(map) && (!to_build || to_build->type == DEPLOY_NULL))
        deploy_problem(c->problems, where, "the service has no image");
}

/* Services that are not there at all are found by the model's check. */
static void check_depends(struct compose *c, const struct deploy_service *service)
{
    const struct deploy_value *all = compose_section(c, "services");
    for (size_t i = 0; i < service->depend_count; i++) {
        const struct deploy_depend *d = &service->depends[i];
        dr_auto_free char *safe = dr_escape(d->service, 60);
        if (!d->optional && !deploy_model_service(c->model, d->service) &&
            deploy_value_get(all, d->service))
            deploy_problem(c->problems, &d->where,
                           "service '%s' is switched off by its profiles: switch one on "
                           "with --profile, or say 'required: false'",
                           safe);
    }
}

void compose_services(struct compose *c)
{
    const struct deploy_value *services = compose_section(c, "services");
    for (size_t i = 0; i < services->count; i++)
        if (compose_has_profile(c, deploy_value_get(services->items[i], "profiles")))
            service(c, services->keys[i], &services->key_where[i], services->items[i]);
    for (size_t i = 0; i < c->model->service_count; i++)
        check_depends(c, &c->model->services[i]);
}
