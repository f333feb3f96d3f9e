/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/ps.h"

#include <string.h>

#include "base/text.h"
#include "cli/cli.h"
#include "oci/ref.h"

#define COMMAND_WIDTH 20

char *cli_familiar(const char *canonical)
{
    dr_auto_error struct dr_error unused = DR_ERROR_INIT;
    dr_auto_ref struct oci_ref ref = OCI_REF_INIT;
    if (!canonical || oci_ref_parse(canonical, &ref, &unused) < 0)
        return dr_strdup(canonical ? canonical : "");
    return oci_ref_familiar(&ref);
}

static int64_t ns(const json_t *item, const char *key)
{
    return dr_json_int(item, key, 0);
}

static char *status_exited(const json_t *item, int64_t now_ns)
{
    dr_auto_free char *ago = cli_ago(ns(item, "finished_ns"), now_ns);
    const char *blank = *ago ? " " : "";
    int64_t code = dr_json_int(item, "exit_code", -1);
    if (code < 0) /* C21: the monitor was lost */
        return dr_printf("Exited (unknown)%s%s", blank, ago);
    return dr_printf("Exited (%lld)%s%s", (long long)code, blank, ago);
}

static char *status_up(const json_t *item, const char *status, int64_t now_ns)
{
    const char *health = dr_json_str(item, "health");
    dr_auto_free char *time =
        cli_duration((now_ns - ns(item, "started_ns")) / INT64_C(1000000000));
    if (strcmp(status, "paused") == 0)
        return dr_printf("Up %s (Paused)", time);
    if (strcmp(status, "stopping") == 0)
        return dr_printf("Up %s (Stopping)", time);
    if (health && *health && strcmp(health, "none") != 0)
        return dr_printf("Up %s (%s)", time, health);
    return dr_printf("Up %s", time);
}

char *ps_status(const json_t *item, int64_t now_ns)
{
    static const struct {
        const char *status, *text;
    } words[] = {{"created", "Created"},
                 {"creating", "Creating"},
                 {"removing", "Removal In Progress"},
                 {"dead", "Dead"}};
    const char *status = dr_json_str(item, "status");
    if (!status)
        return dr_strdup("Unknown");
    for (size_t i = 0; i < DR_COUNT(words); i++)
        if (strcmp(words[i].status, status) == 0)
            return dr_strdup(words[i].text);
    if (strcmp(status, "exited") == 0)
        return status_exited(item, now_ns);
    return status_up(item, status, now_ns);
}

/* In quotes, as Docker shows it, cut to 20 characters. */
static char *command(const json_t *item, bool no_trunc)
{
    struct dr_buf buf = DR_BUF_INIT(1u << 20);
    dr_auto_error struct dr_error unused = DR_ERROR_INIT;
    json_t *words = json_object_get(item, "command");
    if (json_is_string(words))
        dr_buf_addf(&buf, &unused, "%s", json_string_value(words));
    for (size_t i = 0; i < json_array_size(words); i++) {
        const char *word = json_string_value(json_array_get(words, i));
        dr_buf_addf(&buf, &unused, "%s%s", i ? " " : "", word ? word : "");
    }
    dr_auto_free char *whole = dr_buf_take(&buf);
    dr_auto_free char *safe = dr_escape(whole, 0);
    dr_auto_free char *shown = dr_escape(safe, no_trunc ? 0 : COMMAND_WIDTH - 1);
    return dr_printf("\"%s\"", shown);
}

/* "a=1,b=2" */
static char *labels(const json_t *item)
{
    struct dr_buf buf = DR_BUF_INIT(1u << 20);
    dr_auto_error struct dr_error unused = DR_ERROR_INIT;
    json_t *object = dr_json_object(item, "labels");
    const char *key;
    json_t *value;
    json_object_foreach (object, key, value) {
        const char *text = json_string_value(value);
        dr_buf_addf(&buf, &unused, "%s%s=%s", buf.len ? "," : "", key, text ? text : "");
    }
    return dr_buf_take(&buf);
}

static void set(json_t *row, const char *key, char *value)
{
    dr_json_set_str(row, key, value ? value : "");
    free(value);
}

json_t *ps_row(const json_t *item, int64_t now_ns, bool no_trunc)
{
    json_t *row = json_object();
    const char *id = dr_json_str(item, "id");
    const char *image = dr_json_str(item, "image");
    const char *image_id = dr_json_str(item, "image_id");
    bool by_id = image && strncmp(image, "sha256:", 7) == 0;
    set(row, "Command", command(item, no_trunc));
    set(row, "CreatedAt", cli_timestamp(ns(item, "created_ns")));
    set(row, "ID", dr_strdup(no_trunc ? id : cli_short_id(id)));
    set(row, "Image",
        by_id ? dr_strdup(no_trunc ? image : cli_short_id(image))
              : cli_familiar(image ? image : image_id));
    set(row, "Labels", labels(item));
    set(row, "Names", dr_strdup(dr_json_str(item, "name")));
    set(row, "Networks", dr_strdup(dr_json_str(item, "network")));
    set(row, "Ports", NULL);
    set(row, "RunningFor", cli_ago(ns(item, "created_ns"), now_ns));
    set(row, "State", dr_strdup(dr_json_str(item, "status")));
    set(row, "Status", ps_status(item, now_ns));
    return row;
}
