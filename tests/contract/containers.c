/* SPDX-License-Identifier: Apache-2.0 */
/* Short ways to make containers and to look at them. */
#include "contract.h"

#include <unistd.h>

/* --- specs --- */

void set(struct dray_spec *spec, const char *field, const char *value)
{
    OK(dray_spec_set(spec, field, value, ERR));
}

void add(struct dray_spec *spec, const char *field, const char *value)
{
    OK(dray_spec_add(spec, field, value, ERR));
}

struct dray_spec *spec_for(const char *name, ...)
{
    struct dray_spec *spec = keep_spec(dray_spec_new(busybox));
    if (name)
        set(spec, "name", name);
    va_list words;
    va_start(words, name);
    for (const char *word = va_arg(words, const char *); word;
         word = va_arg(words, const char *))
        add(spec, "args", word);
    va_end(words);
    return spec;
}

struct dray_spec *spec_sh(const char *name, const char *script)
{
    return spec_for(name, "sh", "-c", script, NULL);
}

char *created(const struct dray_spec *spec)
{
    char id[DRAY_ID_SIZE];
    OK(dray_container_create(target, spec, NULL, id, NULL, ERR));
    return text("%s", id);
}

char *started(const struct dray_spec *spec)
{
    char id[DRAY_ID_SIZE];
    OK(dray_container_run_detached(target, spec, NULL, id, NULL, ERR));
    return text("%s", id);
}

char *sleeper(const char *name)
{
    return started(spec_for(name, "sleep", "1000", NULL));
}

char *listener(const char *name, int code)
{
    char *id = started(spec_for(name, "on-signal", text("%d", code), "TERM", NULL));
    wait_logged(id, "ready");
    return id;
}

/* --- streams --- */

struct bytes {
    char *data;
    size_t len, room;
};

static void append(struct bytes *bytes, const char *data, size_t len)
{
    if (bytes->len + len + 1 > bytes->room) {
        bytes->room = (bytes->len + len + 1) * 2;
        bytes->data = realloc(bytes->data, bytes->room);
    }
    if (len)
        memcpy(bytes->data + bytes->len, data, len);
    bytes->len += len;
    bytes->data[bytes->len] = '\0';
}

struct result drained(struct dray_stream *stream)
{
    struct result result = {.code = -1};
    struct bytes out[2] = {0};
    struct dray_event event;
    append(&out[0], "", 0);
    append(&out[1], "", 0);
    int more;
    bool ended = false;
    while ((more = dray_stream_next(stream, NULL, &event, ERR)) > 0) {
        if (ended)
            fail_msg("an event of type %d after EXIT", event.type);
        switch (event.type) {
        case DRAY_EVENT_CREATED:
            result.created++;
            result.id = text("%s", event.id);
            break;
        case DRAY_EVENT_STARTED:
            result.started++;
            break;
        case DRAY_EVENT_OUTPUT:
            append(&out[event.stream == 2], event.data, event.len);
            break;
        case DRAY_EVENT_EXIT:
            result.exits++;
            result.known = event.exit_known;
            result.code = event.exit_code;
            ended = true;
            break;
        default:
            break;
        }
    }
    dray_stream_free(stream);
    defer(free, out[0].data);
    defer(free, out[1].data);
    OK(more);
    result.out = out[0].data;
    result.out_len = out[0].len;
    result.err = out[1].data;
    result.err_len = out[1].len;
    return result;
}

struct result ran(const struct dray_spec *spec)
{
    struct dray_stream *stream;
    OK(dray_container_run(target, spec, NULL, NULL, &stream, ERR));
    return drained(stream);
}

struct result ran_sh(const char *script)
{
    struct dray_spec *spec = spec_sh(NULL, script);
    set(spec, "rm", "true");
    return ran(spec);
}

static void free_result(void *result)
{
    dray_exec_result_free(result);
    free(result);
}

struct dray_exec_result executed(const char *container, const char *script)
{
    const char *const argv[] = {"sh", "-c", script, NULL};
    struct dray_exec_options options = {.size = sizeof options, .argv = argv};
    struct dray_exec_result *result = calloc(1, sizeof *result);
    defer(free_result, result);
    OK(dray_exec_run(target, container, &options, 0, NULL, result, ERR));
    return *result;
}

/* --- looking --- */

struct dray_state state_of(const char *container)
{
    struct dray_state state;
    OK(dray_container_state(target, container, NULL, &state, ERR));
    return state;
}

bool is_phase(const char *container, enum dray_phase phase)
{
    return state_of(container).phase == phase;
}

int64_t pid_of(const char *container)
{
    int64_t pid;
    OK(dray_container_pid(target, container, NULL, &pid, ERR));
    return pid;
}

int64_t monitor_of(const char *container)
{
    return process_number(pid_of(container), "PPid");
}

int waited(const char *container)
{
    bool known;
    int code;
    OK(dray_container_wait(target, container, NULL, &known, &code, ERR));
    if (!known)
        assert_int_equal(code, -1);
    return code;
}

json_t *inspected(const char *container)
{
    char *json;
    OK(dray_container_inspect(target, container, NULL, &json, ERR));
    return parsed(json);
}

json_t *image_inspected(const char *reference)
{
    char *json;
    OK(dray_image_inspect(target, reference, NULL, &json, ERR));
    return parsed(json);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

char *names(void)
{
    struct dray_container_list list;
    OK(dray_container_list(target, true, NULL, &list, ERR));
    const char **all = calloc(list.count + 1, sizeof *all);
    for (size_t i = 0; i < list.count; i++)
        all[i] = list.items[i].name;
    qsort(all, list.count, sizeof *all, by_text);
    struct bytes joined = {0};
    append(&joined, "", 0);
    for (size_t i = 0; i < list.count; i++) {
        append(&joined, " ", i > 0);
        append(&joined, all[i], strlen(all[i]));
    }
    free(all);
    dray_container_list_free(&list);
    defer(free, joined.data);
    return joined.data;
}

/* --- logs --- */

char *logged(const char *container)
{
    struct dray_logs_options options = DRAY_LOGS_INIT;
    struct dray_stream *stream;
    OK(dray_container_logs_raw(target, container, &options, false, NULL, &stream, ERR));
    struct result result = drained(stream);
    return text("%s%s", result.out, result.err);
}

void wait_logged(const char *container, const char *words)
{
    struct dray_logs_options options = DRAY_LOGS_INIT;
    struct dray_call limit = {.timeout_ms = 60000};
    struct dray_stream *stream;
    struct dray_event event;
    options.follow = true;
    OK(dray_container_logs(target, container, &options, NULL, &stream, ERR));
    int more;
    bool found = false;
    while (!found && (more = dray_stream_next(stream, &limit, &event, ERR)) > 0)
        found = event.type == DRAY_EVENT_LOG &&
                memmem(event.data, event.len, words, strlen(words));
    dray_stream_free(stream);
    if (!found)
        fail_msg("%s never logged '%s' (%s)", container, words,
                 last_error ? last_error->text : "it ended");
}

/* --- images --- */

char *image(const char *name)
{
    return text("%s/%s", getenv("CONTRACT_REGISTRY"), name);
}

void pull(const char *reference)
{
    OK(dray_image_pull(target, reference, NULL, NULL, NULL, ERR));
}

void push(const char *tag, const char *name, ...)
{
    struct bytes command = {0};
    const char *start = text("/usr/bin/python3 '%s/oci-tool.py' push '%s' '%s' '%s' '%s'",
                             getenv("CONTRACT_LIB"), getenv("CONTRACT_LAYOUT"), tag,
                             getenv("CONTRACT_REGISTRY"), name);
    append(&command, start, strlen(start));
    va_list changes;
    va_start(changes, name);
    for (const char *change = va_arg(changes, const char *); change;
         change = va_arg(changes, const char *)) {
        append(&command, " '", 2);
        append(&command, change, strlen(change));
        append(&command, "'", 1);
    }
    va_end(changes);
    shell(NULL, "%s", command.data);
    free(command.data);
}
