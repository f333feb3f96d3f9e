/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/images-filter.h"

#include <fnmatch.h>
#include <string.h>

#include "base/text.h"
#include "cli/cli.h"

static const char *const keys[] = {"dangling", "label", "reference", "before",
                                   "since",    "until", NULL};

struct images_filter {
    char *const *filters;
    bool has_dangling, dangling;
    int64_t before_ns, since_ns; /* 0: not given */
};

static int parse_dangling(struct images_filter *f, struct dr_error *err)
{
    char *const *at = f->filters;
    const char *value;
    while ((value = cli_filter_next(&at, "dangling"))) {
        bool yes = strcmp(value, "true") == 0 || strcmp(value, "1") == 0;
        if (!yes && strcmp(value, "false") != 0 && strcmp(value, "0") != 0) {
            dr_auto_free char *safe = dr_escape(value, 60);
            return dr_fail(err, DR_ERR_INVALID,
                           "--filter dangling=%s: it must be true or false", safe);
        }
        f->has_dangling = true;
        f->dangling = yes;
    }
    return 0;
}

int images_filter_parse(char *const *filters, int64_t now_ns, struct images_filter **ret,
                        struct dr_error *err)
{
    if (cli_filters_check(filters, keys, err) < 0)
        return -1;
    struct images_filter *f = dr_alloc(sizeof *f);
    f->filters = filters;
    char *const *at = filters;
    const char *value;
    int rc = parse_dangling(f, err);
    while (rc == 0 && (value = cli_filter_next(&at, "until"))) {
        rc = cli_time_parse(value, now_ns, &f->before_ns, err);
        if (rc < 0)
            dr_wrap(err, "--filter until=%s", value);
    }
    if (rc < 0) {
        free(f);
        return -1;
    }
    *ret = f;
    return 0;
}

void images_filter_free(struct images_filter *filter)
{
    free(filter);
}

/* By name, with or without ":latest", or by the beginning of the id. */
static bool is_meant(const json_t *item, const char *text)
{
    const char *id = dr_json_str(item, "id");
    const char *hex = id && strncmp(id, "sha256:", 7) == 0 ? id + 7 : id;
    const char *word = strncmp(text, "sha256:", 7) == 0 ? text + 7 : text;
    if (hex && *word && strncmp(hex, word, strlen(word)) == 0)
        return true;
    const json_t *names = dr_json_array(item, "names");
    for (size_t i = 0; i < json_array_size(names); i++) {
        const char *name = json_string_value(json_array_get(names, i));
        size_t len = strlen(text);
        if (strncmp(name, text, len) == 0 &&
            (!name[len] || strcmp(name + len, ":latest") == 0))
            return true;
    }
    return false;
}

static int find_created(const json_t *items, const char *text, int64_t *ret_ns,
                        struct dr_error *err)
{
    for (size_t i = 0; i < json_array_size(items); i++)
        if (is_meant(json_array_get(items, i), text)) {
            *ret_ns = dr_json_int(json_array_get(items, i), "created_ns", 0);
            return 0;
        }
    dr_auto_free char *safe = dr_escape(text, 100);
    return dr_fail(err, DR_ERR_NOT_FOUND, "--filter: image %s is not on this target",
                   safe);
}

int images_filter_bind(struct images_filter *f, const json_t *items, struct dr_error *err)
{
    char *const *at = f->filters;
    const char *value;
    int64_t ns;
    while ((value = cli_filter_next(&at, "before"))) {
        if (find_created(items, value, &ns, err) < 0)
            return -1;
        if (!f->before_ns || ns < f->before_ns)
            f->before_ns = ns;
    }
    at = f->filters;
    while ((value = cli_filter_next(&at, "since"))) {
        if (find_created(items, value, &ns, err) < 0)
            return -1;
        if (ns > f->since_ns)
            f->since_ns = ns;
    }
    return 0;
}

static bool labels_match(const struct images_filter *f, const json_t *item)
{
    char *const *at = f->filters;
    const json_t *labels = dr_json_object(item, "labels");
    const char *value;
    while ((value = cli_filter_next(&at, "label"))) { /* all of them */
        const char *equals = strchr(value, '=');
        dr_auto_free char *key =
            dr_strndup(value, equals ? (size_t)(equals - value) : strlen(value));
        const char *is = dr_json_str(labels, key);
        if (!is || (equals && strcmp(is, equals + 1) != 0))
            return false;
    }
    return true;
}

static bool reference_matches(const struct images_filter *f, const json_t *tag)
{
    char *const *at = f->filters;
    const char *value, *repository = dr_json_str(tag, "repository"),
                       *word = dr_json_str(tag, "tag");
    bool any = false;
    dr_auto_free char *whole =
        dr_printf("%s:%s", repository ? repository : "", word ? word : "");
    while ((value = cli_filter_next(&at, "reference"))) {
        any = true;
        if (repository && (fnmatch(value, repository, FNM_PATHNAME) == 0 ||
                           fnmatch(value, whole, FNM_PATHNAME) == 0))
            return true;
    }
    return !any;
}

bool images_filter_match(const struct images_filter *f, const json_t *item,
                         const json_t *tag)
{
    int64_t created = dr_json_int(item, "created_ns", 0);
    const char *word = dr_json_str(tag, "tag");
    bool dangling = !word || !*word;
    if (f->has_dangling && f->dangling != dangling)
        return false;
    if ((f->before_ns && created >= f->before_ns) ||
        (f->since_ns && created <= f->since_ns))
        return false;
    return labels_match(f, item) && reference_matches(f, tag);
}
