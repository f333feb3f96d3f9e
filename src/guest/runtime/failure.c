/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/runtime/runtime.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "base/fs.h"
#include "base/text.h"

#define LOG_MAX (256u << 10)

/* What the three say when execve's target is the trouble. The words of errno are about it
 * only where the message is about an exec: "open /proc/sys/…: No such file" is not. */
static const struct {
    const char *words;
    int code;
    bool of_exec;
} phrases[] = {
    {"executable file not found", 127, false}, /* runc */
    {"not found in $PATH", 127, false},        /* crun, youki */
    {"no such file or directory", 127, true},
    {"does not have correct permissions", 126, false}, /* youki */
    {"does not have the correct permission", 126, false},
    {"open executable", 126, false}, /* crun: after it was found */
    {"exec format error", 126, false},
    {"permission denied", 126, true},
    {"is a directory", 126, true},
};

static int classify(const char *text)
{
    bool exec =
        strstr(text, "exec ") || strstr(text, "exec:") || strstr(text, "executable");
    for (size_t i = 0; i < DR_COUNT(phrases); i++)
        if ((exec || !phrases[i].of_exec) && strcasestr(text, phrases[i].words))
            return phrases[i].code;
    return 0;
}

/* The message of one line of the log: runc calls it msg, youki message; crun's is plain.
 */
static char *message_of(const char *line, size_t len)
{
    if (len > 0 && *line != '{')
        return dr_strndup(line, len);
    dr_auto_error struct dr_error ignored = DR_ERROR_INIT;
    dr_auto_json json_t *json = dr_json_parse(line, len, LOG_MAX, &ignored);
    const char *text = dr_json_str(json, "msg");
    if (!text)
        text = dr_json_str(json, "message");
    if (!text)
        text = dr_json_str(dr_json_object(json, "fields"), "message");
    return dr_strdup(text);
}

/* Messages of all lines, one per line; *ret_last: the last one. */
static char *read_log(const char *path, char **ret_last)
{
    dr_auto_error struct dr_error ignored = DR_ERROR_INIT;
    dr_auto_buf struct dr_buf text = DR_BUF_INIT(LOG_MAX);
    dr_auto_buf struct dr_buf all = DR_BUF_INIT(LOG_MAX * 2);
    dr_file_read(AT_FDCWD, path, &text, &ignored);
    for (size_t at = 0; at < text.len;) {
        const char *newline = memchr(text.data + at, '\n', text.len - at);
        size_t len = newline ? (size_t)(newline - text.data) - at : text.len - at;
        dr_auto_free char *message = message_of(text.data + at, len);
        if (message) {
            dr_buf_addf(&all, &ignored, "%s\n", message);
            free(*ret_last);
            *ret_last = DR_TAKE(message);
        }
        at += len + 1;
    }
    return dr_buf_take(&all);
}

/* The last line that is not empty. */
static char *last_line(const char *text)
{
    const char *end = text + strlen(text);
    while (end > text && (end[-1] == '\n' || end[-1] == '\r'))
        end--;
    const char *start = end;
    while (start > text && start[-1] != '\n')
        start--;
    return dr_strndup(start, (size_t)(end - start));
}

int runtime_failed(const struct runtime_call *call, const char *verb, int wait_status,
                   const char *stderr_text, struct dr_error *err)
{
    const struct runtime *runtime = call->runtime;
    const char *name =
        runtime->kind == RUNTIME_OTHER ? runtime->path : runtime->traits->name;
    dr_auto_free char *last = NULL;
    dr_auto_free char *log = read_log(call->log_path, &last);
    if (!stderr_text)
        stderr_text = "";
    if (!last)
        last = last_line(stderr_text);
    dr_auto_free char *words = dr_escape(*last ? last : "it said nothing", 700);
    int code = classify(*last ? last : stderr_text);
    if (WIFSIGNALED(wait_status))
        dr_fail_at(err, DR_AT_RUNTIME, DR_ERR_START, code, "%s %s failed (signal %d): %s",
                   name, verb, WTERMSIG(wait_status), words);
    else
        dr_fail_at(err, DR_AT_RUNTIME, DR_ERR_START, code, "%s %s failed (status %d): %s",
                   name, verb, WEXITSTATUS(wait_status), words);
    err->program = dr_strdup(name);
    err->status =
        WIFSIGNALED(wait_status) ? 128 + WTERMSIG(wait_status) : WEXITSTATUS(wait_status);
    /* what went to stderr is mostly the log again */
    bool repeated = *stderr_text && strstr(log, last) && strstr(stderr_text, last) &&
                    strlen(stderr_text) <= strlen(log) + strlen(name) + 64;
    err->output = *log ? dr_printf("%s%s", log, repeated ? "" : stderr_text)
                       : dr_strdup(stderr_text);
    return -1;
}
