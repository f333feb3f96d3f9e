/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/probe/probe.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>

#include "base/text.h"
#include "guest/container/exec.h"
#include "guest/container/health.h"
#include "guest/container/pause.h"

/* Docker: {"CMD", word…}; {"CMD-SHELL", text}, by the image's SHELL or /bin/sh -c. */
static json_t *command_request(const struct container *c, const json_t *test)
{
    json_t *request = json_object(), *args = json_array(), *word;
    size_t i;
    if (strcmp(json_string_value(json_array_get(test, 0)), "CMD-SHELL") == 0) {
        const json_t *shell =
            dr_json_array(dr_json_object(c->record, "image_config"), "Shell");
        if (json_array_size(shell) > 0) {
            json_array_extend(args, (json_t *)shell);
        } else {
            json_array_append_new(args, json_string("/bin/sh"));
            json_array_append_new(args, json_string("-c"));
        }
    }
    json_array_foreach (test, i, word)
        if (i > 0)
            json_array_append(args, word);
    dr_json_set(request, "args", args);
    return request;
}

static int run_command(struct guest *guest, const struct container *c, const json_t *test,
                       int64_t timeout_ms, struct dr_buf *output)
{
    dr_auto_json json_t *request = command_request(c, test);
    dr_auto_error struct dr_error err = DR_ERROR_INIT, ignored = DR_ERROR_INIT;
    int64_t exit_code;
    if (container_exec_capture(guest, c, request, timeout_ms, output, &exit_code, &err) <
        0) {
        dr_buf_addf(output, &ignored, "%s", err.text);
        return -1;
    }
    return (int)exit_code;
}

static int check(struct guest *guest, const struct container *c, pid_t pid,
                 const json_t *plan, struct dr_buf *output)
{
    const json_t *test = dr_json_array(plan, "test");
    const char *kind = json_string_value(json_array_get(test, 0));
    const char *word = json_string_value(json_array_get(test, 1));
    int64_t timeout_ms = dr_json_int(plan, "timeout_ns", 0) / 1000000;
    if (strcmp(kind, "TCP") == 0)
        return probe_tcp(pid, word, timeout_ms, output);
    if (strcmp(kind, "HTTP") == 0)
        return probe_http(pid, word, timeout_ms, output);
    return run_command(guest, c, test, timeout_ms, output);
}

/* As Docker words it. */
static void say_timeout(struct dr_buf *output, int64_t timeout_ns)
{
    dr_auto_error struct dr_error full = DR_ERROR_INIT;
    dr_auto_free char *said = dr_strdup(output->data ? output->data : "");
    dr_buf_reset(output);
    dr_buf_addf(output, &full, "Health check exceeded timeout (%gs)%s",
                (double)timeout_ns / 1e9, *said ? ": " : "");
    size_t room = output->max - output->len, len = strlen(said);
    dr_buf_add(output, said, len < room ? len : room, &full);
}

static int probe(struct guest *guest, const char *id, enum health_status *ret,
                 struct dr_error *err)
{
    container_auto struct container c = {0};
    pid_t pid;
    if (container_load(guest, id, &c, err) < 0)
        return -1;
    const json_t *plan = dr_json_object(c.record, "health");
    dr_auto_fd int pidfd = container_pidfd(&c, &pid);
    if (!plan || pidfd < 0 || container_is_paused(&c))
        return dr_fail(err, DR_ERR_CONFLICT, "there is nothing to check");
    dr_auto_buf struct dr_buf output = DR_BUF_INIT(HEALTH_OUTPUT_MAX);
    struct health_result result = {.start_ns = dr_now_ns()};
    result.exit_code = check(guest, &c, pid, plan, &output);
    result.end_ns = dr_now_ns();
    if (result.exit_code != 0 && container_is_paused(&c))
        return dr_fail(err, DR_ERR_CONFLICT, "it was paused meanwhile");
    int64_t timeout_ns = dr_json_int(plan, "timeout_ns", 0);
    if (result.exit_code < 0 && result.end_ns - result.start_ns >= timeout_ns)
        say_timeout(&output, timeout_ns);
    result.output = output.data ? output.data : "";
    result.output_len = output.len;
    return health_record(guest, &c, &result, ret, err);
}

int probe_main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "dray-guest probe is started by a container's monitor\n");
        return PROBE_UNKNOWN;
    }
    struct guest guest = {.root = argv[1], .run_root = argv[2]};
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    enum health_status status;
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    signal(SIGPIPE, SIG_IGN);
    return probe(&guest, argv[3], &status, &err) < 0 ? PROBE_UNKNOWN : (int)status;
}
