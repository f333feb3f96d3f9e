/* SPDX-License-Identifier: Apache-2.0 */
/* Fields of dray's own format that say what runs in a container, and how it ends. */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "deploy/refs.h"
#include "deploy/v1.h"
#include "oci/platform.h"

void v1_take_image(struct v1 *r, const struct deploy_value *value)
{
    if (value->type == DEPLOY_SCALAR)
        v1_set(r, "image", false, value->text, &value->where);
}

void v1_take_pull_policy(struct v1 *r, const struct deploy_value *value)
{
    static const struct {
        const char *word;
        enum deploy_pull pull;
    } words[] = {{"if_not_present", DEPLOY_PULL_MISSING},
                 {"always", DEPLOY_PULL_ALWAYS},
                 {"newer", DEPLOY_PULL_NEWER},
                 {"never", DEPLOY_PULL_NEVER}};
    for (size_t i = 0; i < DR_COUNT(words); i++)
        if (strcmp(words[i].word, value->text) == 0)
            r->service->pull = words[i].pull;
}

void v1_take_platform(struct v1 *r, const struct deploy_value *value)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    struct oci_platform platform;
    if (oci_platform_parse(value->text, &platform, &err) < 0) {
        v1_problem_error(r, &value->where, &err);
        return;
    }
    free(r->service->platform);
    r->service->platform = dr_strdup(value->text);
}

void v1_take_entrypoint(struct v1 *r, const struct deploy_value *value)
{
    r->service->spec->has_entrypoint = value->type == DEPLOY_LIST;
    for (size_t i = 0; i < value->count; i++)
        v1_set(r, "entrypoint", true, value->items[i]->text, &value->items[i]->where);
}

/* --- environment --- */

/* A variable's name, owned; NULL: a problem. A list may have one twice: the last counts.
 */
static char *variable_name(struct v1 *r, const struct deploy_value *env, size_t i,
                           const char **ret_text)
{
    const struct deploy_value *item = env->items[i];
    const char *key = env->type == DEPLOY_MAP ? env->keys[i] : NULL;
    const char *equals = key ? NULL : strchr(item->text, '=');
    dr_auto_free char *name =
        key ? dr_strdup(key)
            : dr_strndup(item->text, equals ? (size_t)(equals - item->text) : 0);
    if (!*name || strchr(name, '=')) {
        dr_auto_free char *safe = dr_escape(key ? key : item->text, 60);
        v1_problem(r, &item->where,
                   "'%s': expected NAME=VALUE ($E:NAME is a value from the environment)",
                   equals ? "=…" : safe);
        return NULL;
    }
    *ret_text = key ? item->text : equals + 1;
    return DR_TAKE(name);
}

static const char *name_at(const void *names, size_t at)
{
    return ((char *const *)names)[at];
}

/* Vectors of the whole length at once: there may be thousands. */
void v1_take_env(struct v1 *r, const struct deploy_value *env)
{
    struct deploy_service *s = r->service;
    struct deploy_index index = {0};
    dr_auto_strv char **names = dr_alloc((env->count + 1) * sizeof *names);
    size_t count = 0;
    s->spec->env = dr_alloc((env->count + 1) * sizeof *s->spec->env);
    s->env_written = dr_alloc((env->count + 1) * sizeof *s->env_written);
    for (size_t i = 0; i < env->count; i++) {
        dr_auto_error struct dr_error err = DR_ERROR_INIT;
        dr_auto_free char *value = NULL, *written = NULL;
        const char *text = NULL;
        dr_auto_free char *name = variable_name(r, env, i, &text);
        if (!name)
            continue;
        if (text && deploy_refs_expand(r->in->sources, r->secrets, text, &value, &written,
                                       &err) < 0) {
            v1_problem_error(r, &env->items[i]->where, &err);
            continue;
        }
        size_t at = deploy_index_find(&index, name, count, name_at, names);
        free(s->spec->env[at]);
        free(s->env_written[at]);
        s->spec->env[at] = value ? dr_printf("%s=%s", name, value) : dr_strdup(name);
        s->env_written[at] = value ? dr_printf("%s=%s", name, written) : dr_strdup(name);
        if (at == count)
            names[count++] = DR_TAKE(name);
    }
    deploy_index_release(&index);
}

/* --- limits --- */

int v1_cpu_parse(const char *text, char **ret_cpus, struct dr_error *err)
{
    size_t len = strlen(text);
    int64_t n, milli;
    if (len > 1 && text[len - 1] == 'm') {
        dr_auto_free char *digits = dr_strndup(text, len - 1);
        if (!dr_int_parse(digits, 1, 999999999, &milli))
            return dr_fail(err, DR_ERR_INVALID, "no thousandths of CPUs");
        *ret_cpus = dr_printf("%lld.%03lld", (long long)(milli / 1000),
                              (long long)(milli % 1000));
        return 0;
    }
    if (spec_cpus_parse(text, &n, err) < 0)
        return -1;
    *ret_cpus = dr_strdup(text);
    return 0;
}

void v1_take_cpu(struct v1 *r, const struct deploy_value *value)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_free char *cpus = NULL;
    if (v1_cpu_parse(value->text, &cpus, &err) == 0)
        v1_set(r, "cpus", false, cpus, &value->where);
}

void v1_take_ulimits(struct v1 *r, const struct deploy_value *value)
{
    for (size_t i = 0; i < value->count; i++) {
        const struct deploy_value *item = value->items[i];
        bool both = item->type == DEPLOY_MAP;
        const char *soft = both ? v1_text(item, "soft") : item->text;
        const char *hard = both ? v1_text(item, "hard") : soft;
        dr_auto_free char *text =
            dr_printf("%s=%s:%s", value->keys[i], soft ? soft : "", hard ? hard : soft);
        v1_set(r, "ulimit", true, text, &item->where);
    }
}

void v1_take_log(struct v1 *r, const struct deploy_value *value)
{
    static const char *const options[][2] = {{"max_size", "max-size"},
                                             {"max_files", "max-file"}};
    for (size_t i = 0; i < DR_COUNT(options); i++) {
        const char *text = v1_text(value, options[i][0]);
        dr_auto_free char *option = text ? dr_printf("%s=%s", options[i][1], text) : NULL;
        if (option)
            v1_set(r, "log_opt", true, option, &value->where);
    }
}

/* --- its end, and its health --- */

void v1_take_stop_grace(struct v1 *r, const struct deploy_value *value)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    const int64_t second = 1000000000;
    int64_t ns;
    if (dr_duration_parse(value->text, &ns, &err) < 0)
        return;
    /* whole seconds are what is waited; a little more does no harm */
    dr_auto_free char *text = dr_printf("%lld", (long long)((ns + second - 1) / second));
    v1_set(r, "stop_timeout", false, text, &value->where);
}

void v1_take_restart(struct v1 *r, const struct deploy_value *value)
{
    if (value->type == DEPLOY_SCALAR) {
        v1_set(r, "restart", false, value->text, &value->where);
        return;
    }
    const char *policy = v1_text(value, "policy"), *most = v1_text(value, "max_retries");
    if (!policy)
        return;
    dr_auto_free char *text =
        dr_printf("%s%s%s", policy, most ? ":" : "", most ? most : "");
    v1_set(r, "restart", false, text, &value->where);
}

static void test_word(struct v1 *r, const char *word, const struct deploy_value *at)
{
    v1_set(r, "health_test", true, word, &at->where);
}

static void take_http(struct v1 *r, const struct deploy_value *http)
{
    test_word(r, "HTTP", http);
    if (http->type == DEPLOY_SCALAR) {
        test_word(r, http->text, http);
        return;
    }
    const char *host = v1_text(http, "host"), *path = v1_text(http, "path");
    dr_auto_free char *text =
        dr_printf("%s:%s%s", host ? host : "", v1_text(http, "port"), path ? path : "/");
    test_word(r, text, http);
}

static void take_test(struct v1 *r, const char *kind, const struct deploy_value *test)
{
    if (strcmp(kind, "disable") == 0) {
        test_word(r, "NONE", test);
    } else if (strcmp(kind, "tcp") == 0) {
        test_word(r, "TCP", test);
        test_word(r, test->text, test);
    } else if (strcmp(kind, "http") == 0) {
        take_http(r, test);
    } else if (test->type == DEPLOY_SCALAR) {
        test_word(r, "CMD-SHELL", test);
        test_word(r, test->text, test);
    } else {
        test_word(r, "CMD", test);
        for (size_t i = 0; i < test->count; i++)
            test_word(r, test->items[i]->text, test->items[i]);
    }
}

void v1_take_health(struct v1 *r, const struct deploy_value *value)
{
    static const char *const kinds[] = {"tcp", "http", "command", "disable"};
    const char *found = NULL;
    for (size_t i = 0; i < DR_COUNT(kinds); i++) {
        const struct deploy_value *test = deploy_value_get(value, kinds[i]);
        if (!test || test->type == DEPLOY_NULL || (i == 3 && !v1_true(value, "disable")))
            continue;
        if (found) {
            v1_problem(r, &test->where, "'%s' and '%s' exclude each other", found,
                       kinds[i]);
            return;
        }
        found = kinds[i];
        take_test(r, found, test);
    }
}
