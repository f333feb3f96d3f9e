/* SPDX-License-Identifier: Apache-2.0 */
/* C25, C26: commands inside a running container. */
#include <string.h>

#include "base/json.h"
#include "base/words.h"
#include "host/stream.h"

#define EXEC_OUTPUT_MAX (16u << 20)

static int exec_request(const char *container, const struct dray_exec_options *o,
                        bool detach, json_t **ret_request, struct dr_error *err)
{
    if (!o->argv || !o->argv[0])
        return dr_fail(err, DR_ERR_INVALID, "exec: no command is given");
    if (o->workdir && *o->workdir != '/')
        return dr_fail(err, DR_ERR_INVALID, "exec: workdir '%s' is not an absolute path",
                       o->workdir);
    for (const char *const *env = o->env; env && *env; env++)
        if (!strchr(*env, '=') || **env == '=')
            return dr_fail(err, DR_ERR_INVALID, "exec: env '%s': expected NAME=VALUE",
                           *env);
    json_t *request = request_for("container.exec", container);
    dr_json_set(request, "args", dr_words_to_json((char *const *)o->argv));
    dr_json_set(request, "env", dr_words_to_json((char *const *)o->env));
    dr_json_set_str(request, "user", o->user);
    dr_json_set_str(request, "workdir", o->workdir);
    dr_json_set_bool(request, "privileged", o->privileged);
    dr_json_set_bool(request, "stdin", o->stdin_open && !detach);
    dr_json_set_bool(request, "detach", detach);
    dr_json_set_bool(request, "tty", o->tty);
    if (o->rows && o->columns) {
        dr_json_set_int(request, "rows", o->rows);
        dr_json_set_int(request, "columns", o->columns);
    }
    *ret_request = request;
    return 0;
}

static int exec_open(struct dray_target *target, const char *container,
                     const struct dray_exec_options *options,
                     const struct dray_call *call, struct dray_stream **ret_stream,
                     struct dr_error *err)
{
    struct dray_exec_options o = {0};
    json_t *request;
    if (API_COPY(&o, options, err) < 0 ||
        exec_request(container, &o, false, &request, err) < 0)
        return -1;
    struct stream_open how = {.kind = STREAM_EXEC,
                              .lines = o.lines,
                              .stdin_open = o.stdin_open,
                              .wait_started = true};
    return stream_open(target, request, &how, call, ret_stream, err);
}

int dray_exec(struct dray_target *target, const char *container,
              const struct dray_exec_options *options, const struct dray_call *call,
              struct dray_stream **ret_stream, struct dray_error **ret_err)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    return api_end(exec_open(target, container, options, call, ret_stream, &err), &err,
                   ret_err);
}

int dray_exec_detached(struct dray_target *target, const char *container,
                       const struct dray_exec_options *options,
                       const struct dray_call *call, struct dray_error **ret_err)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    struct dray_exec_options o = {0};
    json_t *request;
    if (API_COPY(&o, options, &err) < 0 ||
        exec_request(container, &o, true, &request, &err) < 0)
        return api_end(-1, &err, ret_err);
    return api_call(target, request, call, DEFAULT_TIMEOUT_MS, ret_err);
}

/* --- all of its output at once --- */

struct capture {
    struct dr_buf out, err;
    int exit_code;
};

static int capture(struct dray_stream *stream, const struct limits *limits,
                   struct capture *to, struct dr_error *err)
{
    struct dray_event event;
    bool exited = false;
    int rc;
    while ((rc = stream_next(stream, limits, &event, err)) > 0) {
        if (event.type == DRAY_EVENT_EXIT) {
            exited = event.exit_known;
            to->exit_code = event.exit_code;
        }
        if (event.type != DRAY_EVENT_OUTPUT)
            continue;
        struct dr_buf *buf = event.stream == WIRE_STDERR ? &to->err : &to->out;
        if (buf->len + event.len > buf->max)
            return dr_fail(err, DR_ERR_INVALID,
                           "exec: more than %zu bytes of output: take it as a stream",
                           buf->max);
        if (dr_buf_add(buf, event.data, event.len, err) < 0)
            return -1;
    }
    if (rc == 0 && !exited) /* C25: never made up */
        return dr_fail(err, DR_ERR_INTERNAL, "exec: nobody saw how the command ended");
    return rc;
}

int dray_exec_run(struct dray_target *target, const char *container,
                  const struct dray_exec_options *options, size_t max_bytes,
                  const struct dray_call *call, struct dray_exec_result *ret_result,
                  struct dray_error **ret_err)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    struct dray_call whole = call ? *call : (struct dray_call){0};
    size_t max = max_bytes ? max_bytes : EXEC_OUTPUT_MAX;
    struct capture to = {.out = DR_BUF_INIT(max), .err = DR_BUF_INIT(max)};
    struct dray_stream *stream = NULL;
    if (!whole.timeout_ms)
        whole.timeout_ms = DEFAULT_TIMEOUT_MS;
    struct limits limits = limits_of(&whole, NO_TIMEOUT);
    int rc = exec_open(target, container, options, &whole, &stream, &err);
    if (rc == 0)
        rc = stream_close_stdin(stream, &err);
    if (rc == 0)
        rc = capture(stream, &limits, &to, &err);
    dray_stream_free(stream); /* what still runs is killed */
    if (rc == 0) {
        *ret_result = (struct dray_exec_result){.exit_code = to.exit_code};
        ret_result->out_len = to.out.len;
        ret_result->err_len = to.err.len;
        ret_result->out = dr_buf_take(&to.out);
        ret_result->err = dr_buf_take(&to.err);
    }
    dr_buf_release(&to.out);
    dr_buf_release(&to.err);
    return api_end(rc, &err, ret_err);
}

void dray_exec_result_free(struct dray_exec_result *result)
{
    if (!result)
        return;
    free(result->out);
    free(result->err);
    *result = (struct dray_exec_result){0};
}
