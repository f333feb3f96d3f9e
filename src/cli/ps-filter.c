/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/ps-filter.h"

#include <regex.h>
#include <string.h>

#include "base/text.h"
#include "cli/cli.h"
#include "cli/ps-ports.h"
#include "cli/ps.h"

enum filter_key {
    ANCESTOR,
    BEFORE,
    EXITED,
    EXPOSE,
    HEALTH,
    ID,
    LABEL,
    NAME,
    NETWORK,
    PUBLISH,
    SINCE,
    STATUS,
    VOLUME,
    KEYS
};

static const char *const key_names[KEYS] = {
    "ancestor", "before",  "exited",  "expose", "health", "id",    "label",
    "name",     "network", "publish", "since",  "status", "volume"};
static const char *const docker_only[][2] = {
    {"is-task", "there are no tasks of a swarm"},
    {"isolation", "it is for Windows containers"}};
/* What ps_state may say, and more of Docker's words. */
static const char *const statuses[] = {"created",    "dead",     "exited",   "paused",
                                       "running",    "creating", "stopping", "removing",
                                       "restarting", "scheduled"};

struct filter {
    enum filter_key key;
    const char *value;          /* borrowed */
    char *image;                /* ANCESTOR: its familiar name */
    int64_t code;               /* EXITED */
    int64_t created_ns;         /* BEFORE, SINCE: of the container that is named */
    struct ps_port_filter port; /* EXPOSE, PUBLISH */
    regex_t regex;              /* NAME */
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
        if (strlen(docker_only[i][0]) == len && memcmp(docker_only[i][0], text, len) == 0)
            return dr_fail(err, DR_ERR_UNSUPPORTED, "--filter %s is not supported: %s",
                           safe, docker_only[i][1]);
    return dr_fail(
        err, DR_ERR_INVALID,
        "--filter %s: it must be KEY=VALUE with one of the keys ancestor, before, "
        "exited, "
        "expose, health, id, label, name, network, publish, since, status and volume",
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
        "--filter status=%s: it must be one of created, running, paused, restarting, "
        "scheduled, exited and dead",
        f->value);
}

static int parse_health(struct filter *f, struct dr_error *err)
{
    for (int i = DRAY_HEALTH_NONE; i <= DRAY_UNHEALTHY; i++)
        if (strcmp(ps_health((enum dray_health)i), f->value) == 0)
            return 0;
    return dr_fail(err, DR_ERR_INVALID,
                   "--filter health=%s: it must be starting, healthy, unhealthy or none",
                   f->value);
}

static int parse_ancestor(struct filter *f, struct dr_error *err)
{
    struct dray_error *failed = NULL;
    char *canonical = NULL;
    if (cli_rc(dray_reference_normalize(f->value, &canonical, &failed), &failed, err) < 0)
        return dr_wrap(err, "--filter");
    f->image = cli_familiar(canonical);
    dray_free(canonical);
    return 0;
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
        return parse_ancestor(f, err);
    case HEALTH:
        return parse_health(f, err);
    case EXITED:
        return dr_int_parse(f->value, 0, 255, &f->code)
                   ? 0
                   : dr_fail(err, DR_ERR_INVALID,
                             "--filter exited=%s: it must be a number from 0 to 255",
                             f->value);
    case EXPOSE:
    case PUBLISH:
        return ps_port_filter_parse(f->value, &f->port)
                   ? 0
                   : dr_fail(err, DR_ERR_INVALID,
                             "--filter %s: it must be a port, or a range, with /tcp or "
                             "/udp behind it or not",
                             text);
    case BEFORE:
    case ID:
    case LABEL:
    case NETWORK:
    case SINCE:
    case VOLUME:
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

int ps_filter_ask(struct ps_filter *filter, struct dray_target *target,
                  struct dr_error *err)
{
    for (size_t i = 0; i < filter->count; i++) {
        struct filter *f = &filter->filters[i];
        struct dray_state state;
        struct dray_error *failed = NULL;
        if (f->key != BEFORE && f->key != SINCE)
            continue;
        int rc = dray_container_state(target, f->value, NULL, &state, &failed);
        if (cli_rc(rc, &failed, err) < 0)
            return dr_wrap(err, "--filter %s", key_names[f->key]);
        f->created_ns = state.created_ns;
    }
    return 0;
}

static const char *text_of(const char *text)
{
    return text ? text : "";
}

/* One of several with commas between them. */
static bool match_network(const struct filter *f, const struct dray_container *c)
{
    size_t len = strlen(f->value);
    for (const char *p = text_of(c->network); *p;) {
        size_t one = strcspn(p, ",");
        if (one == len && memcmp(p, f->value, len) == 0)
            return true;
        p += one + (p[one] == ',');
    }
    return false;
}

/* A volume's name, what is bound, or where one of them is. */
static bool match_volume(const struct filter *f, const struct dray_container *c)
{
    dr_auto_json json_t *mounts = ps_mounts(c);
    size_t i, j;
    json_t *mount;
    static const char *const keys[] = {"name", "source", "target"};
    json_array_foreach (mounts, i, mount)
        for (j = 0; j < DR_COUNT(keys); j++)
            if (strcmp(text_of(dr_json_str(mount, keys[j])), f->value) == 0)
                return true;
    return false;
}

/* Docker's names have a slash in front, and its users write ^/name$. */
static bool match_name(const struct filter *f, const struct dray_container *c)
{
    dr_auto_free char *slash = dr_printf("/%s", text_of(c->name));
    return regexec(&f->regex, slash, 0, NULL, 0) == 0 ||
           regexec(&f->regex, slash + 1, 0, NULL, 0) == 0;
}

static bool match_label(const struct filter *f, const struct dray_container *c)
{
    dr_auto_error struct dr_error unused = DR_ERROR_INIT;
    dr_auto_json json_t *labels =
        c->labels ? dr_json_parse(c->labels, strlen(c->labels), SIZE_MAX, &unused) : NULL;
    size_t len = strcspn(f->value, "=");
    dr_auto_free char *key = dr_strndup(f->value, len);
    const char *value = dr_json_str(labels, key);
    return value && (!f->value[len] || strcmp(value, f->value + len + 1) == 0);
}

static bool match_image(const struct filter *f, const struct dray_container *c)
{
    const char *id = text_of(c->image_id);
    const char *hex = strncmp(id, "sha256:", 7) == 0 ? id + 7 : id;
    const char *wanted = strncmp(f->value, "sha256:", 7) == 0 ? f->value + 7 : f->value;
    dr_auto_free char *name = cli_familiar(c->image);
    return strcmp(name, f->image) == 0 ||
           (*wanted && strncmp(hex, wanted, strlen(wanted)) == 0);
}

static bool match_one(const struct filter *f, const struct dray_container *c)
{
    switch (f->key) {
    case ANCESTOR:
        return match_image(f, c);
    case BEFORE:
        return c->state.created_ns < f->created_ns;
    case SINCE:
        return c->state.created_ns > f->created_ns;
    case VOLUME:
        return match_volume(f, c);
    case EXITED:
        return c->state.phase == DRAY_EXITED && c->state.exit_known &&
               c->state.exit_code == f->code;
    case EXPOSE:
    case PUBLISH:
        return ps_port_filter_match(&f->port, f->key == PUBLISH, c);
    case HEALTH:
        return strcmp(ps_health(c->state.health), f->value) == 0;
    case ID:
        return strncmp(text_of(c->id), f->value, strlen(f->value)) == 0;
    case LABEL:
        return match_label(f, c);
    case NAME:
        return match_name(f, c);
    case NETWORK:
        return match_network(f, c);
    case STATUS:
        return strcmp(ps_state(c->state.phase), f->value) == 0;
    case KEYS:
        break;
    }
    return false;
}

bool ps_filter_match(const struct ps_filter *filter,
                     const struct dray_container *container)
{
    bool asked[KEYS] = {false}, matched[KEYS] = {false};
    for (size_t i = 0; i < filter->count; i++) {
        const struct filter *f = &filter->filters[i];
        bool match = match_one(f, container);
        enum filter_key key = f->key == EXPOSE ? PUBLISH : f->key; /* either will do */
        if (f->key == LABEL && !match)
            return false;
        asked[key] = true;
        matched[key] = matched[key] || match;
    }
    for (size_t k = 0; k < KEYS; k++)
        if (asked[k] && !matched[k])
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
