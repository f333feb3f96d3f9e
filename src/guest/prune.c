/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/prune.h"

#include <string.h>

#include "base/text.h"

struct label {
    char *key, *value; /* value NULL: any */
    bool without;
};

struct prune_filter {
    int64_t until_ns; /* 0: no bound */
    bool wants_all;
    struct label *labels;
    size_t count;
};

void prune_filter_free(struct prune_filter *f)
{
    if (!f)
        return;
    for (size_t i = 0; i < f->count; i++) {
        free(f->labels[i].key);
        free(f->labels[i].value);
    }
    free(f->labels);
    free(f);
}

void prune_filter_cleanup(struct prune_filter **filter)
{
    prune_filter_free(*filter);
}

static int parse_until(const char *text, int64_t *ret, struct dr_error *err)
{
    dr_auto_error struct dr_error none = DR_ERROR_INIT;
    int64_t number;
    if (dr_int_parse(text, 0, INT64_MAX / 1000000000, &number)) {
        *ret = number * 1000000000;
        return 0;
    }
    if (dr_time_parse(text, ret, &none) == 0)
        return 0;
    dr_error_release(&none);
    /* without a zone: UTC; without a time: midnight */
    dr_auto_free char *with_zone = dr_printf("%sZ", text);
    dr_auto_free char *midnight = dr_printf("%sT00:00:00Z", text);
    if (dr_time_parse(with_zone, ret, &none) == 0)
        return 0;
    dr_error_release(&none);
    if (dr_time_parse(midnight, ret, &none) == 0)
        return 0;
    dr_error_release(&none);
    if (dr_duration_parse(text, &number, &none) == 0) {
        *ret = dr_now_ns() - number;
        return 0;
    }
    return dr_fail(err, DR_ERR_INVALID,
                   "filter until=%s: a time (2006-01-02T15:04:05Z, 2006-01-02, seconds "
                   "since 1970) or a duration (24h) is needed",
                   text);
}

static int parse_label(struct prune_filter *f, const char *text, bool without,
                       struct dr_error *err)
{
    const char *equals = strchr(text, '=');
    size_t len = equals ? (size_t)(equals - text) : strlen(text);
    if (len == 0)
        return dr_fail(err, DR_ERR_INVALID, "filter label%s=%s: the key is empty",
                       without ? "!" : "", text);
    f->labels = dr_realloc(f->labels, (f->count + 1) * sizeof *f->labels);
    f->labels[f->count++] = (struct label){.key = dr_strndup(text, len),
                                           .value = dr_strdup(equals ? equals + 1 : NULL),
                                           .without = without};
    return 0;
}

static int parse_one(struct prune_filter *f, const char *text, bool images,
                     struct dr_error *err)
{
    if (strncmp(text, "until=", 6) == 0)
        return parse_until(text + 6, &f->until_ns, err);
    if (strncmp(text, "label=", 6) == 0)
        return parse_label(f, text + 6, false, err);
    if (strncmp(text, "label!=", 7) == 0)
        return parse_label(f, text + 7, true, err);
    static const char *const yes[] = {"dangling=true", "dangling=1"};
    static const char *const no[] = {"dangling=false", "dangling=0"};
    for (size_t i = 0; images && i < DR_COUNT(yes); i++) {
        if (strcmp(text, yes[i]) == 0)
            return 0;
        if (strcmp(text, no[i]) == 0) {
            f->wants_all = true;
            return 0;
        }
    }
    dr_auto_free char *shown = dr_escape(text, 100);
    return dr_fail(err, DR_ERR_INVALID,
                   "filter '%s': until=, label= and label!=%s are known", shown,
                   images ? ", and dangling=," : "");
}

int prune_filter_parse(const json_t *filters, bool images, struct prune_filter **ret,
                       struct dr_error *err)
{
    prune_auto_filter struct prune_filter *f = dr_alloc(sizeof *f);
    size_t i;
    json_t *item;
    json_array_foreach (filters, i, item)
        if (parse_one(f, json_string_value(item) ?: "", images, err) < 0)
            return -1;
    *ret = DR_TAKE(f);
    return 0;
}

static bool label_matches(const struct label *label, const json_t *labels)
{
    const char *value = dr_json_str(labels, label->key);
    return value && (!label->value || strcmp(value, label->value) == 0);
}

bool prune_filter_matches(const struct prune_filter *f, int64_t created_ns,
                          const json_t *labels)
{
    if (f->until_ns != 0 && created_ns >= f->until_ns)
        return false;
    for (size_t i = 0; i < f->count; i++)
        if (label_matches(&f->labels[i], labels) == f->labels[i].without)
            return false;
    return true;
}

bool prune_filter_wants_all(const struct prune_filter *f)
{
    return f->wants_all;
}
