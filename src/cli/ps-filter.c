/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/ps-filter.h"

#include <regex.h>
#include <string.h>

#include "base/text.h"
#include "host/host.h"

enum filter_key { ANCESTOR, EXITED, ID, LABEL, NAME, STATUS, KEYS };

static const char *const key_names[KEYS] = {"ancestor", "exited", "id",
                                            "label",    "name",   "status"};
static const char *const docker_only[] = {"before",  "expose",    "health",
                                          "is-task", "isolation", "network",
                                          "publish", "since",     "volume"};
/* What container.list may say, and Docker's words for it. */
static const char *const statuses[] = {"created",  "dead",     "exited",
                                       "paused",   "running",  "creating",
                                       "stopping", "removing", "restarting"};

struct filter {
    enum filter_key key;
    const char *value; /* borrowed */
    char *image;       /* ANCESTOR: its canonical name */
    int64_t code;      /* EXITED */
    regex_t regex;     /* NAME */
    bool has_regex;
};

struct ps_filter {
    size_t count;
    struct filter *filters;
};

static int fail_key(const char *text, size_t len, struct dr_error *err)
{
    dr_auto_free char *safe = dr_escape(text, 100);
    for (size_t i = 0; i < DR_COUNT(docker_only); i++)
        if (strlen(docker_only[i]) == len && memcmp(docker_only[i], text, len) == 0)
            return dr_fail(err, DR_ERR_UNSUPPORTED, "--filter %s is not supported yet",
                           safe);
    return dr_fail(
        err, DR_ERR_INVALID,
        "--filter %s: it must be KEY=VALUE with one of the keys ancestor, exited, "
        "id, label, name and status",
        safe);
}

static int parse_name(struct filter *f, struct dr_error *err)
{
    char why[100];
    int rc = regcomp(&f->regex, f->value, REG_EXTENDED | REG_NOSUB);
    if (rc == 0) {
        f->has_regex = true;
        return 0;
    }
    regerror(rc, &f->regex, why, sizeof(why));
    return dr_fail(err, DR_ERR_INVALID, "--filter name=%s: %s", f->value, why);
}

static int parse_status(struct filter *f, struct dr_error *err)
{
    for (size_t i = 0; i < DR_COUNT(statuses); i++)
        if (strcmp(statuses[i], f->value) == 0)
            return 0;
    return dr_fail(
        err, DR_ERR_INVALID,
        "--filter status=%s: it must be one of created, running, paused, exited "
        "and dead",
        f->value);
}

static int parse_one(const char *text, struct filter *f, struct dr_error *err)
{
    size_t len = strcspn(text, "=");
    size_t key = 0;
    while (key < KEYS &&
           !(strlen(key_names[key]) == len && memcmp(key_names[key], text, len) == 0))
        key++;
    if (key == KEYS || !text[len])
        return fail_key(text, len, err);
    f->key = (enum filter_key)key;
    f->value = text + len + 1;
    switch (f->key) {
    case NAME:
        return parse_name(f, err);
    case STATUS:
        return parse_status(f, err);
    case ANCESTOR:
        f->image = host_image_name(f->value, err);
        return f->image ? 0 : dr_wrap(err, "--filter");
    case EXITED:
        return dr_int_parse(f->value, 0, 255, &f->code)
                   ? 0
                   : dr_fail(err, DR_ERR_INVALID,
                             "--filter exited=%s: it must be a number from 0 to 255",
                             f->value);
    case ID:
    case LABEL:
    case KEYS:
        break;
    }
    return 0;
}

struct ps_filter *ps_filter_new(char *const *filters, struct dr_error *err)
{
    struct ps_filter *filter = dr_alloc(sizeof(*filter));
    size_t count = dr_strv_len(filters);
    filter->filters = dr_alloc((count + 1) * sizeof(*filter->filters));
    for (; filter->count < count; filter->count++) {
        if (parse_one(filters[filter->count], &filter->filters[filter->count], err) < 0) {
            filter->count++;
            ps_filter_free(filter);
            return NULL;
        }
    }
    return filter;
}

void ps_filter_free(struct ps_filter *filter)
{
    for (size_t i = 0; filter && i < filter->count; i++) {
        free(filter->filters[i].image);
        if (filter->filters[i].has_regex)
            regfree(&filter->filters[i].regex);
    }
    if (filter)
        free(filter->filters);
    free(filter);
}

static const char *text_of(const json_t *item, const char *key)
{
    const char *text = dr_json_str(item, key);
    return text ? text : "";
}

/* Docker's names have a slash in front, and its users write ^/name$. */
static bool match_name(const struct filter *f, const json_t *item)
{
    dr_auto_free char *slash = dr_printf("/%s", text_of(item, "name"));
    return regexec(&f->regex, slash, 0, NULL, 0) == 0 ||
           regexec(&f->regex, slash + 1, 0, NULL, 0) == 0;
}

static bool match_label(const struct filter *f, const json_t *item)
{
    size_t len = strcspn(f->value, "=");
    dr_auto_free char *key = dr_strndup(f->value, len);
    const char *value = dr_json_str(dr_json_object(item, "labels"), key);
    return value && (!f->value[len] || strcmp(value, f->value + len + 1) == 0);
}

static bool match_image(const struct filter *f, const json_t *item)
{
    const char *id = text_of(item, "image_id");
    const char *hex = strncmp(id, "sha256:", 7) == 0 ? id + 7 : id;
    const char *wanted = strncmp(f->value, "sha256:", 7) == 0 ? f->value + 7 : f->value;
    return strcmp(text_of(item, "image"), f->image) == 0 ||
           (*wanted && strncmp(hex, wanted, strlen(wanted)) == 0);
}

static bool match_one(const struct filter *f, const json_t *item)
{
    switch (f->key) {
    case ANCESTOR:
        return match_image(f, item);
    case EXITED:
        return strcmp(text_of(item, "status"), "exited") == 0 &&
               dr_json_int(item, "exit_code", -1) == f->code;
    case ID:
        return strncmp(text_of(item, "id"), f->value, strlen(f->value)) == 0;
    case LABEL:
        return match_label(f, item);
    case NAME:
        return match_name(f, item);
    case STATUS:
        return strcmp(text_of(item, "status"), f->value) == 0;
    case KEYS:
        break;
    }
    return false;
}

bool ps_filter_match(const struct ps_filter *filter, const json_t *item)
{
    bool asked[KEYS] = {false}, matched[KEYS] = {false};
    for (size_t i = 0; i < filter->count; i++) {
        const struct filter *f = &filter->filters[i];
        bool match = match_one(f, item);
        if (f->key == LABEL && !match)
            return false;
        asked[f->key] = true;
        matched[f->key] = matched[f->key] || match;
    }
    for (size_t key = 0; key < KEYS; key++)
        if (asked[key] && !matched[key])
            return false;
    return true;
}

bool ps_filter_wants_all(const struct ps_filter *filter)
{
    for (size_t i = 0; i < filter->count; i++)
        if (filter->filters[i].key == STATUS || filter->filters[i].key == EXITED)
            return true;
    return false;
}
