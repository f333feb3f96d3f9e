/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/ps.h"

#include <string.h>

#include "base/text.h"
#include "cli/cli.h"
#include "cli/ps-ports.h"

#define COMMAND_WIDTH 20
#define MOUNT_WIDTH 15
#define SECOND_NS INT64_C(1000000000)

const char *ps_state(enum dray_phase phase)
{
    static const char *const words[] = {
        [DRAY_PENDING] = "creating",   [DRAY_INITIALIZING] = "created",
        [DRAY_RUNNING] = "running",    [DRAY_PAUSED] = "paused",
        [DRAY_STOPPING] = "stopping",  [DRAY_EXITED] = "exited",
        [DRAY_FAILED] = "dead",        [DRAY_RESTARTING] = "restarting",
        [DRAY_SCHEDULED] = "scheduled"};
    return (size_t)phase < DR_COUNT(words) ? words[phase] : "unknown";
}

const char *ps_health(enum dray_health health)
{
    static const char *const words[] = {[DRAY_HEALTH_NONE] = "none",
                                        [DRAY_HEALTH_STARTING] = "starting",
                                        [DRAY_HEALTHY] = "healthy",
                                        [DRAY_UNHEALTHY] = "unhealthy"};
    return (size_t)health < DR_COUNT(words) ? words[health] : "unknown";
}

/* word: "Exited", "Restarting" … */
static char *status_ended(const char *word, const struct dray_state *state,
                          int64_t now_ns)
{
    dr_auto_free char *ago = cli_ago(state->finished_ns, now_ns);
    const char *blank = *ago ? " " : "";
    if (!state->exit_known) /* C21: the monitor was lost */
        return dr_printf("%s (unknown)%s%s", word, blank, ago);
    return dr_printf("%s (%d)%s%s", word, state->exit_code, blank, ago);
}

/* "Scheduled, next in 5 minutes, 2 of 7 failed, last (1) 3 hours ago" */
static char *status_scheduled(const struct dray_state *state, int64_t now_ns)
{
    int64_t left_s = (state->next_run_ns - now_ns + SECOND_NS - 1) / SECOND_NS;
    dr_auto_free char *next = cli_duration(left_s > 0 ? left_s : 0);
    if (state->run_count == 0)
        return dr_printf("Scheduled, next in %s", next);
    dr_auto_free char *last = status_ended("last", state, now_ns);
    if (state->failed_count == 0)
        return dr_printf("Scheduled, next in %s, %s", next, last);
    return dr_printf("Scheduled, next in %s, %lld of %lld failed, %s", next,
                     (long long)state->failed_count, (long long)state->run_count, last);
}

static char *status_up(const struct dray_state *state, int64_t now_ns)
{
    dr_auto_free char *time = cli_duration((now_ns - state->started_ns) / SECOND_NS);
    if (state->phase == DRAY_PAUSED)
        return dr_printf("Up %s (Paused)", time);
    if (state->phase == DRAY_STOPPING)
        return dr_printf("Up %s (Stopping)", time);
    if (state->health == DRAY_HEALTH_STARTING)
        return dr_printf("Up %s (health: starting)", time);
    if (state->health != DRAY_HEALTH_NONE)
        return dr_printf("Up %s (%s)", time, ps_health(state->health));
    return dr_printf("Up %s", time);
}

char *ps_status(const struct dray_state *state, int64_t now_ns)
{
    switch (state->phase) {
    case DRAY_PENDING:
        return dr_strdup("Creating");
    case DRAY_INITIALIZING:
        return dr_strdup("Created");
    case DRAY_FAILED:
        return dr_strdup("Dead");
    case DRAY_EXITED:
        return status_ended("Exited", state, now_ns);
    case DRAY_RESTARTING:
        return status_ended("Restarting", state, now_ns);
    case DRAY_SCHEDULED:
        return status_scheduled(state, now_ns);
    case DRAY_RUNNING:
    case DRAY_PAUSED:
    case DRAY_STOPPING:
        break;
    }
    return status_up(state, now_ns);
}

/* In quotes, as Docker shows it, cut to 20 characters. */
static char *command(const char *words, bool no_trunc)
{
    dr_auto_free char *safe = dr_escape(words, 0);
    dr_auto_free char *shown = dr_escape(safe, no_trunc ? 0 : COMMAND_WIDTH - 1);
    return dr_printf("\"%s\"", shown);
}

/* "a=1,b=2" of {"a":"1","b":"2"} */
static char *labels(const char *text)
{
    struct dr_buf buf = DR_BUF_INIT(1u << 20);
    dr_auto_error struct dr_error unused = DR_ERROR_INIT;
    dr_auto_json json_t *object =
        text ? dr_json_parse(text, strlen(text), SIZE_MAX, &unused) : NULL;
    const char *key;
    json_t *value;
    json_object_foreach (object, key, value) {
        const char *label = json_string_value(value);
        dr_buf_addf(&buf, &unused, "%s%s=%s", buf.len ? "," : "", key,
                    label ? label : "");
    }
    return dr_buf_take(&buf);
}

json_t *ps_mounts(const struct dray_container *container)
{
    dr_auto_error struct dr_error unused = DR_ERROR_INIT;
    const char *text = container->json ? container->json : "{}";
    if (!strstr(text, "\"mounts\"")) /* mostly; and then nothing is parsed */
        return json_array();
    dr_auto_json json_t *summary = dr_json_parse(text, strlen(text), SIZE_MAX, &unused);
    json_t *mounts = dr_json_array(summary, "mounts");
    return mounts ? json_incref(mounts) : json_array();
}

/* "data,/srv/files": volumes by name, cut as Docker does; how many volumes there are. */
static char *mounts(const struct dray_container *container, bool no_trunc,
                    int *ret_volumes)
{
    dr_auto_json json_t *list = ps_mounts(container);
    struct dr_buf buf = DR_BUF_INIT(1u << 20);
    dr_auto_error struct dr_error unused = DR_ERROR_INIT;
    size_t i;
    json_t *one;
    *ret_volumes = 0;
    json_array_foreach (list, i, one) {
        const char *name = dr_json_str(one, "name"), *source = dr_json_str(one, "source");
        dr_auto_free char *shown = dr_escape(name     ? name
                                             : source ? source
                                                      : "",
                                             no_trunc ? 0 : MOUNT_WIDTH);
        *ret_volumes += name != NULL;
        dr_buf_addf(&buf, &unused, "%s%s", buf.len ? "," : "", shown);
    }
    return dr_buf_take(&buf);
}

json_t *ps_row(const struct dray_container *container, int64_t now_ns, bool no_trunc)
{
    json_t *row = json_object();
    const struct dray_state *state = &container->state;
    const char *image = container->image;
    bool by_id = image && strncmp(image, "sha256:", 7) == 0;
    cli_row_set(row, "Command", command(container->command, no_trunc));
    cli_row_set(row, "CreatedAt", cli_timestamp(state->created_ns));
    cli_row_set(row, "Health", dr_strdup(ps_health(state->health)));
    cli_row_set(row, "ID",
                dr_strdup(no_trunc ? container->id : cli_short_id(container->id)));
    cli_row_set(row, "Image",
                by_id ? dr_strdup(no_trunc ? image : cli_short_id(image))
                      : cli_familiar(image ? image : container->image_id));
    cli_row_set(row, "Labels", labels(container->labels));
    int volumes;
    cli_row_set(row, "Mounts", mounts(container, no_trunc, &volumes));
    cli_row_set(row, "LocalVolumes", dr_printf("%d", volumes));
    cli_row_set(row, "Names", dr_strdup(container->name));
    cli_row_set(row, "Networks", dr_strdup(container->network));
    cli_row_set(row, "Ports", ps_ports(container));
    cli_row_set(row, "RunningFor", cli_ago(state->created_ns, now_ns));
    cli_row_set(row, "State", dr_strdup(ps_state(state->phase)));
    cli_row_set(row, "Status", ps_status(state, now_ns));
    return row;
}
