/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/nearest.h"

#include <ctype.h>
#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "registry/internal.h"

#define LIST_MAX (1 << 20) /* bytes */
#define SHOWN_MAX 5        /* tags */

static bool is_tag(const char *text)
{
    size_t len = text ? strlen(text) : 0;
    if (len == 0 || len > OCI_REF_TAG_MAX)
        return false;
    for (const char *p = text; *p; p++)
        if (!isalnum((unsigned char)*p) && !strchr("_.-", *p))
            return false;
    return true;
}

/* How many letters have to be put in, taken out or changed; case costs nothing. */
static size_t distance(const char *a, const char *b)
{
    size_t row[OCI_REF_TAG_MAX + 1], n = strlen(b);
    for (size_t j = 0; j <= n; j++)
        row[j] = j;
    for (size_t i = 1; a[i - 1]; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= n; j++) {
            bool same =
                tolower((unsigned char)a[i - 1]) == tolower((unsigned char)b[j - 1]);
            size_t best = diagonal + !same;
            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            diagonal = row[j];
            row[j] = best;
        }
    }
    return row[n];
}

static char *suggestion(const json_t *tags, const char *wanted)
{
    const char *near = NULL;
    size_t best = strlen(wanted) / 3 + 1, i, shown = 0, all = 0;
    json_t *item;
    dr_auto_free char *list = dr_strdup("");
    json_array_foreach (tags, i, item) {
        const char *tag = json_string_value(item);
        if (!is_tag(tag))
            continue;
        size_t d = distance(wanted, tag);
        if (d < best || (d == best && !near)) {
            best = d;
            near = tag;
        }
        all++;
        if (shown < SHOWN_MAX) {
            char *more = dr_printf("%s%s%s", list, shown ? ", " : "", tag);
            free(list);
            list = more;
            shown++;
        }
    }
    if (near)
        return dr_printf("did you mean the tag %s?", near);
    return all ? dr_printf("tags are there: %s%s", list, all > shown ? ", …" : "") : NULL;
}

void nearest_tag(struct registry *reg, struct dr_error *err)
{
    dr_auto_free char *path = dr_printf("/v2/%s/tags/list", reg->ref.path);
    dr_auto_error struct dr_error ignored = DR_ERROR_INIT;
    DR_CLEANUP(exchange_release)
    struct exchange x = {.reg = reg, .path = path, .body_max = LIST_MAX, .once = true};
    if (!is_tag(reg->ref.tag) || exchange_run(&x, &ignored) < 0)
        return;
    dr_auto_json json_t *doc = dr_json_parse(x.call.body.data ? x.call.body.data : "",
                                             x.call.body.len, LIST_MAX, &ignored);
    dr_auto_free char *words = suggestion(dr_json_array(doc, "tags"), reg->ref.tag);
    if (!words)
        return;
    dr_auto_free char *text = dr_strdup(err->text);
    dr_fail_at(err, err->origin, err->kind, err->code, "%s; %s", text, words);
}
