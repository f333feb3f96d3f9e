/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/container/health.h"

#include <fcntl.h>
#include <string.h>

#include "base/fs.h"
#include "base/text.h"
#include "base/words.h"
#include "guest/container/event.h"

#define SECOND 1000000000LL
#define FILE_NAME "health.json"
#define FILE_MAX (256u << 10)

static const char *const names[] = {[HEALTH_STARTING] = "starting",
                                    [HEALTH_HEALTHY] = "healthy",
                                    [HEALTH_UNHEALTHY] = "unhealthy"};

const char *health_status_name(enum health_status status)
{
    return names[status];
}

static enum health_status status_of(const char *name)
{
    for (size_t i = 0; name && i < DR_COUNT(names); i++)
        if (strcmp(name, names[i]) == 0)
            return (enum health_status)i;
    return HEALTH_STARTING;
}

/* --- what is to be checked --- */

static int64_t first_of(int64_t spec, int64_t image, int64_t otherwise)
{
    return spec > 0 ? spec : image > 0 ? image : otherwise;
}

json_t *health_plan(const struct spec_health *spec, const json_t *image_config)
{
    const json_t *image = dr_json_object(image_config, "Healthcheck");
    bool own = spec->test && spec->test[0];
    json_t *test = own ? dr_words_to_json(spec->test)
                       : json_incref((json_t *)dr_json_array(image, "Test"));
    const char *kind = json_string_value(json_array_get(test, 0));
    if (!kind || strcmp(kind, "NONE") == 0 || json_array_size(test) < 2) {
        json_decref(test);
        return NULL;
    }
    json_t *plan = json_object();
    dr_json_set(plan, "test", test);
    dr_json_set_int(
        plan, "interval_ns",
        first_of(spec->interval_ns, dr_json_int(image, "Interval", 0), 30 * SECOND));
    dr_json_set_int(
        plan, "timeout_ns",
        first_of(spec->timeout_ns, dr_json_int(image, "Timeout", 0), 30 * SECOND));
    dr_json_set_int(
        plan, "start_period_ns",
        first_of(spec->start_period_ns, dr_json_int(image, "StartPeriod", 0), 0));
    dr_json_set_int(plan, "start_interval_ns",
                    first_of(spec->start_interval_ns,
                             dr_json_int(image, "StartInterval", 0), 5 * SECOND));
    dr_json_set_int(plan, "retries",
                    first_of(spec->retries, dr_json_int(image, "Retries", 0), 3));
    return plan;
}

struct health_check health_check_of(const json_t *plan)
{
    return (struct health_check){
        .interval_ns = dr_json_int(plan, "interval_ns", 30 * SECOND),
        .timeout_ns = dr_json_int(plan, "timeout_ns", 30 * SECOND),
        .start_period_ns = dr_json_int(plan, "start_period_ns", 0),
        .start_interval_ns = dr_json_int(plan, "start_interval_ns", 5 * SECOND),
        .retries = dr_json_int(plan, "retries", 3),
    };
}

/* --- what a result means --- */

void health_take(struct health *health, const struct health_check *check, int exit_code,
                 int64_t since_start_ns)
{
    if (exit_code == 0) {
        *health = (struct health){.status = HEALTH_HEALTHY};
        return;
    }
    if (health->status == HEALTH_STARTING && since_start_ns < check->start_period_ns)
        return;
    if (++health->failing_streak >= check->retries)
        health->status = HEALTH_UNHEALTHY;
}

int64_t health_delay_ns(const struct health_check *check, enum health_status status,
                        int64_t since_start_ns)
{
    int64_t left = check->start_period_ns - since_start_ns;
    if (left <= 0)
        return check->interval_ns;
    int64_t delay =
        status == HEALTH_STARTING ? check->start_interval_ns : check->interval_ns;
    /* the end of the start period is a moment to look at it */
    return delay < left ? delay : left < check->interval_ns ? left : check->interval_ns;
}

/* --- what is kept --- */

static json_t *load(const struct container *c)
{
    dr_auto_free char *path = dr_path_join(c->dir, FILE_NAME);
    dr_auto_buf struct dr_buf text = DR_BUF_INIT(FILE_MAX);
    dr_auto_error struct dr_error missing = DR_ERROR_INIT;
    json_t *kept = NULL;
    if (dr_file_read(AT_FDCWD, path, &text, &missing) == 0)
        kept = dr_json_parse(text.data ? text.data : "", text.len, FILE_MAX, &missing);
    if (json_is_object(kept))
        return kept;
    json_decref(kept);
    return json_object();
}

static json_t *log_entry(const struct health_result *result)
{
    json_t *entry = json_object();
    /* other bytes have no place in JSON */
    dr_auto_free char *output = dr_utf8_text(result->output, result->output_len);
    dr_json_set_int(entry, "start_ns", result->start_ns);
    dr_json_set_int(entry, "end_ns", result->end_ns);
    dr_json_set_int(entry, "exit_code", result->exit_code);
    dr_json_set_str(entry, "output", output);
    return entry;
}

/* The run may have ended since it was probed: then it has no health any more. */
static int write_status(const struct guest *guest, const struct container *container,
                        enum health_status status, struct dr_error *err)
{
    container_auto struct container now = {0};
    dr_auto_fd int lock = container_state_lock(guest, container->id);
    if (container_load_state(guest, container->id, &now, err) < 0)
        return -1;
    if (strcmp(container_status(&now), "running") != 0 ||
        dr_json_int(now.state, "started_ns", 0) !=
            dr_json_int(container->state, "started_ns", 0))
        return 0;
    dr_json_set_str(now.state, "health", names[status]);
    if (container_write_state(&now, err) < 0)
        return -1;
    dr_auto_free char *action = dr_printf("health_status: %s", names[status]);
    container_event(guest, &now, action, NULL, NULL);
    return 0;
}

int health_record(const struct guest *guest, const struct container *container,
                  const struct health_result *result, enum health_status *ret,
                  struct dr_error *err)
{
    struct health_check check =
        health_check_of(dr_json_object(container->record, "health"));
    int64_t started_ns = dr_json_int(container->state, "started_ns", 0);
    dr_auto_json json_t *kept = load(container);
    struct health health = {.status = status_of(dr_json_str(container->state, "health"))};
    enum health_status before = health.status;
    if (dr_json_int(kept, "started_ns", 0) == started_ns) /* not of the run before */
        health.failing_streak = dr_json_int(kept, "failing_streak", 0);
    health_take(&health, &check, result->exit_code, result->start_ns - started_ns);

    json_t *log = (json_t *)dr_json_array(kept, "log");
    if (!log)
        dr_json_set(kept, "log", log = json_array());
    json_array_append_new(log, log_entry(result));
    while (json_array_size(log) > HEALTH_LOG_MAX)
        json_array_remove(log, 0);
    dr_json_set_int(kept, "started_ns", started_ns);
    dr_json_set_int(kept, "failing_streak", health.failing_streak);
    dr_auto_free char *path = dr_path_join(container->dir, FILE_NAME);
    dr_auto_free char *text = dr_json_text(kept);
    if (dr_file_write(AT_FDCWD, path, text, strlen(text), 0600, 0, err) < 0)
        return -1;
    if (health.status != before && write_status(guest, container, health.status, err) < 0)
        return -1;
    *ret = health.status;
    return 0;
}

/* --- in Docker's shape --- */

static void set_time(json_t *object, const char *key, int64_t ns)
{
    char text[DR_TIME_TEXT];
    dr_time_format(ns, text);
    dr_json_set_str(object, key, text);
}

json_t *health_inspect(const struct container *c)
{
    const char *status = dr_json_str(c->state, "health");
    if (!dr_json_object(c->record, "health"))
        return NULL;
    json_t *shown = json_object(), *log = json_array(), *entry;
    dr_auto_json json_t *kept = load(c);
    bool same =
        dr_json_int(kept, "started_ns", 0) == dr_json_int(c->state, "started_ns", 0);
    size_t i;
    dr_json_set_str(shown, "Status", status ? status : names[HEALTH_STARTING]);
    dr_json_set_int(shown, "FailingStreak",
                    same ? dr_json_int(kept, "failing_streak", 0) : 0);
    json_array_foreach (dr_json_array(kept, "log"), i, entry) {
        json_t *one = json_object();
        set_time(one, "Start", dr_json_int(entry, "start_ns", 0));
        set_time(one, "End", dr_json_int(entry, "end_ns", 0));
        dr_json_set_int(one, "ExitCode", dr_json_int(entry, "exit_code", -1));
        dr_json_set_str(one, "Output", dr_json_str(entry, "output") ?: "");
        json_array_append_new(log, one);
    }
    dr_json_set(shown, "Log", log);
    return shown;
}

json_t *health_inspect_config(const struct container *c)
{
    static const char *const keys[][2] = {{"Test", "test"},
                                          {"Interval", "interval_ns"},
                                          {"Timeout", "timeout_ns"},
                                          {"StartPeriod", "start_period_ns"},
                                          {"StartInterval", "start_interval_ns"},
                                          {"Retries", "retries"}};
    const json_t *plan = dr_json_object(c->record, "health");
    json_t *shown = plan ? json_object() : NULL;
    for (size_t i = 0; plan && i < DR_COUNT(keys); i++)
        dr_json_set(shown, keys[i][0], json_incref(json_object_get(plan, keys[i][1])));
    dr_json_set(shown, "Test", dr_words_shown(dr_json_array(plan, "test")));
    return shown;
}
