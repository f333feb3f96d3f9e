/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/text.h"
#include "cli/args.h"
#include "cli/cli.h"

#define LINE_MAX_BYTES (4u << 20)

/* An event in the shape of Docker's, for --format. */
static json_t *docker_event(const json_t *event)
{
    int64_t ns = dr_json_int(event, "time_ns", 0);
    const char *id = dr_json_str(event, "id"), *name = dr_json_str(event, "name");
    const char *type = dr_json_str(event, "type"), *action = dr_json_str(event, "action");
    json_t *given = dr_json_object(event, "attributes");
    json_t *attributes = given ? json_copy(given) : json_object();
    if (name && !json_object_get(attributes, "name"))
        dr_json_set_str(attributes, "name", name);
    json_t *actor = json_object(), *out = json_object();
    dr_json_set_str(actor, "ID", id ? id : "");
    dr_json_set(actor, "Attributes", attributes);
    dr_json_set_str(out, "Type", type ? type : "");
    dr_json_set_str(out, "Action", action ? action : "");
    dr_json_set(out, "Actor", actor);
    dr_json_set_str(out, "scope", "local");
    dr_json_set_int(out, "time", ns / INT64_C(1000000000));
    dr_json_set_int(out, "timeNano", ns);
    if (type && strcmp(type, "container") == 0) { /* the older names of the same */
        dr_json_set_str(out, "status", action ? action : "");
        dr_json_set_str(out, "id", id ? id : "");
        dr_auto_free char *image = cli_familiar(dr_json_str(attributes, "image"));
        dr_json_set_str(out, "from", image);
        if (*image)
            dr_json_set_str(attributes, "image", image);
    }
    return out;
}

/* "2006-… container start 0123… (image=alpine, name=web)" */
static int add_line(struct dr_buf *buf, const json_t *event, struct dr_error *err)
{
    const json_t *actor = dr_json_object(event, "Actor");
    char time[DR_TIME_TEXT];
    dr_time_format(dr_json_int(event, "timeNano", 0), time);
    if (dr_buf_addf(buf, err, "%s %s %s %s", time, dr_json_str(event, "Type"),
                    dr_json_str(event, "Action"), dr_json_str(actor, "ID")) < 0)
        return -1;
    dr_auto_free char *text = dr_json_text(dr_json_object(actor, "Attributes"));
    dr_auto_json json_t *sorted = dr_json_parse(text, strlen(text), SIZE_MAX, err);
    const char *key, *between = " (";
    json_t *value;
    json_object_foreach (sorted, key, value) {
        const char *words = json_string_value(value);
        if (dr_buf_addf(buf, err, "%s%s=%s", between, key, words ? words : "") < 0)
            return -1;
        between = ", ";
    }
    return json_object_size(sorted) ? dr_buf_addf(buf, err, ")") : 0;
}

/* The labels of a container are among its attributes. */
static bool is_of(char *const *services, const json_t *event)
{
    const char *service =
        dr_json_str(dr_json_object(event, "attributes"), "dray.service");
    for (size_t i = 0; service && services[i]; i++)
        if (strcmp(services[i], service) == 0)
            return true;
    return false;
}

static int print_event(const struct events_args *args, const char *text,
                       struct dr_error *err)
{
    dr_auto_buf struct dr_buf buf = DR_BUF_INIT(LINE_MAX_BYTES);
    dr_auto_json json_t *raw = dr_json_parse(text, strlen(text), SIZE_MAX, err);
    if (!raw)
        return -1;
    if (args->services && args->services[0] && !is_of(args->services, raw))
        return 0;
    dr_auto_json json_t *event = docker_event(raw);
    const char *format = args->format;
    if (format && strcmp(format, "json") == 0)
        format = "{{json .}}";
    if ((format ? cli_format(format, event, &buf, err) : add_line(&buf, event, err)) < 0)
        return -1;
    if (format)
        puts(buf.data ? buf.data : ""); /* its values are escaped */
    else
        cli_line(buf.data);
    fflush(stdout);
    return ferror(stdout) ? 1 : 0;
}

static int events(struct cli *cli, const struct events_args *args, int64_t since_ns,
                  int64_t until_ns, struct dr_error *err)
{
    struct dray_target *target = cli_target(cli, err);
    struct dray_stream *stream = NULL;
    struct dray_error *failed = NULL;
    struct dray_event event;
    if (!target)
        return -1;
    if (cli_rc(dray_events(target, since_ns, until_ns, args->filters, NULL, &stream,
                           &failed),
               &failed, err) < 0)
        return -1;
    int rc = 1, printed = 0;
    while (printed == 0 && (rc = dray_stream_next(stream, NULL, &event, &failed)) == 1)
        if (event.type == DRAY_EVENT_ITEM && event.json)
            printed = print_event(args, event.json, err);
    dray_stream_free(stream);
    if (printed != 0)
        return printed < 0 ? -1 : 0; /* our reader is gone: cli_finish tells */
    return cli_rc(rc, &failed, err);
}

static int time_option(const char *flag, const char *text, int64_t *ret_ns,
                       struct dr_error *err)
{
    if (!text || cli_time_parse(text, dr_now_ns(), ret_ns, err) == 0)
        return 0;
    return dr_wrap(err, "%s", flag);
}

int cmd_events(struct cli *cli, void *arg)
{
    static const char *const keys[] = {"container", "event", "image",  "label",
                                       "network",   "type",  "volume", NULL};
    const struct events_args *args = arg;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    /* without --since only what comes from now on */
    int64_t since_ns = dr_now_ns(), until_ns = 0;
    if (cli_format_check(args->format, &err) < 0 ||
        time_option("--since", args->since, &since_ns, &err) < 0 ||
        time_option("--until", args->until, &until_ns, &err) < 0 ||
        cli_filters_check(args->filters, keys, &err) < 0)
        return cli_usage_error(cli, &err);
    return events(cli, args, since_ns, until_ns, &err) < 0 ? cli_error(cli, &err)
                                                           : CLI_OK;
}
