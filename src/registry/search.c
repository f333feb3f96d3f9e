/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/search.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "registry/internal.h"

#define ANSWER_MAX ((size_t)4 << 20)
#define CATALOG_MAX 1000 /* repositories that are looked at; more are refused by some */

/* RFC 3986: everything but unreserved characters. */
static char *percent(const char *text)
{
    char *out = dr_alloc(strlen(text) * 3 + 1), *to = out;
    for (; *text; text++) {
        if (isalnum((unsigned char)*text) || strchr("-._~", *text))
            *to++ = *text;
        else
            to += sprintf(to, "%%%02X", (unsigned char)*text);
    }
    return out;
}

static json_t *ask(struct registry *reg, const char *path, struct dr_error *err)
{
    DR_CLEANUP(exchange_release)
    struct exchange x = {.reg = reg, .path = path, .body_max = ANSWER_MAX};
    if (exchange_run(&x, err) < 0)
        return NULL;
    const char *body = x.call.body.data ? x.call.body.data : "";
    json_t *json = dr_json_parse(body, x.call.body.len, ANSWER_MAX, err);
    if (!json)
        dr_wrap(err, "the registry's answer");
    return json;
}

static void add(json_t *rows, const char *name, const json_t *from)
{
    const char *description = dr_json_str(from, "description");
    json_t *row = json_object();
    dr_json_set_str(row, "name", name);
    dr_json_set_str(row, "description", description ? description : "");
    dr_json_set_int(row, "stars", dr_json_int(from, "star_count", 0));
    dr_json_set_bool(row, "official", dr_json_bool(from, "is_official"));
    dr_json_set_bool(row, "automated", dr_json_bool(from, "is_automated"));
    json_array_append_new(rows, row);
}

static int search_index(struct registry *reg, bool hub, const char *term, int limit,
                        json_t *rows, struct dr_error *err)
{
    dr_auto_free char *word = percent(term);
    dr_auto_free char *path =
        dr_printf("%s/v1/search?q=%s&n=%d", hub ? "https://index." OCI_DEFAULT_HOST : "",
                  word, limit);
    dr_auto_json json_t *answer = ask(reg, path, err);
    if (!answer)
        return -1;
    const json_t *results = dr_json_array(answer, "results");
    for (size_t i = 0; i < json_array_size(results) && (int)i < limit; i++) {
        const json_t *result = json_array_get(results, i);
        const char *name = dr_json_str(result, "name");
        if (name)
            add(rows, name, result);
    }
    return 0;
}

static int search_catalog(struct registry *reg, const char *term, int limit, json_t *rows,
                          struct dr_error *err)
{
    dr_auto_free char *path = dr_printf("/v2/_catalog?n=%d", CATALOG_MAX);
    dr_auto_json json_t *answer = ask(reg, path, err);
    if (!answer)
        return -1;
    const json_t *names = dr_json_array(answer, "repositories");
    for (size_t i = 0; i < json_array_size(names); i++) {
        const char *name = json_string_value(json_array_get(names, i));
        if (name && strstr(name, term) && (int)json_array_size(rows) < limit)
            add(rows, name, NULL);
    }
    return 0;
}

static int search(struct registry *reg, bool hub, const char *term, int limit,
                  json_t *rows, struct dr_error *err)
{
    int rc = search_index(reg, hub, term, limit, rows, err);
    if (rc == 0 || hub || err->code != 404)
        return rc;
    dr_error_release(err);
    rc = search_catalog(reg, term, limit, rows, err);
    if (rc == 0 || (err->code != 404 && err->code != 405))
        return rc;
    return dr_fail_at(err, DR_AT_REGISTRY, DR_ERR_UNSUPPORTED, err->code,
                      "the registry has no search, and does not list what it has: look "
                      "on its own pages");
}

int registry_search(const char *host, const char *term, int limit,
                    const struct registry_options *options, json_t **ret,
                    struct dr_error *err)
{
    dr_auto_ref struct oci_ref ref = OCI_REF_INIT;
    struct registry *reg;
    dr_auto_free char *text = dr_printf("%s/search/search", host);
    bool hub = strcmp(host, OCI_DEFAULT_HOST) == 0;
    if (!*term)
        return dr_fail(err, DR_ERR_INVALID, "a search needs a word");
    if (oci_ref_parse(text, &ref, err) < 0)
        return -1;
    struct registry_options direct = *options;
    direct.direct = true;
    if (registry_open(&ref, &direct, &reg, err) < 0)
        return -1;
    json_t *rows = json_array();
    int rc = search(reg, hub, term, limit, rows, err);
    registry_close(reg);
    if (rc < 0) {
        json_decref(rows);
        return dr_wrap(err, "search %s", host);
    }
    *ret = rows;
    return 0;
}
