/* SPDX-License-Identifier: Apache-2.0 */
#include "transport/wsl-command.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/text.h"
#include "transport/far.h"
#include "transport/process.h"

#define TEXT_MAX ((size_t)64 << 10)
#define STEP_MS 100      /* how soon a cancelled call notices */
#define SPOIL_MS 5000    /* to see that what it got is no archive */
#define SPOIL_BYTES 4096 /* more than any header */

struct wsl_stdin {
    int fd;
    int64_t deadline_ms;
    int cancel_fd;
};

int wsl_stdin_write(struct wsl_stdin *to, const void *data, size_t len,
                    struct dr_error *err)
{
    return pipe_write(to->fd, data, len, to->deadline_ms, to->cancel_fd, err);
}

/* ---- what it says, read by a thread: it may say much while it is fed ---- */

struct reader {
    int fd;
    struct dr_buf text;
};

static void *reader_main(void *arg)
{
    struct reader *r = arg;
    dr_auto_error struct dr_error ignored = DR_ERROR_INIT;
    char c;
    while (pipe_read_byte(r->fd, &c, INT64_MAX, -1, &ignored) > 0) {
        if (r->text.len == r->text.max)
            dr_buf_consume(&r->text, TEXT_MAX); /* the end is what counts */
        dr_buf_add(&r->text, &c, 1, &ignored);
    }
    return NULL;
}

/* As UTF-8, without carriage returns; owned. */
static char *plain(const char *bytes, size_t len)
{
    char *text = transport_wsl.text(bytes, len), *to = text;
    for (const char *c = text; *c; c++)
        if (*c != '\r')
            *to++ = *c;
    *to = '\0';
    return text;
}

/* ---- what its end means ---- */

static const struct {
    const char *code;
    enum dr_kind kind;
    const char *hint;
} known[] = {
    {"ERROR_ALREADY_EXISTS", DR_ERR_EXISTS, "`wsl --list` shows the distros"},
    {"ERROR_FILE_EXISTS", DR_ERR_EXISTS, "another distro is in that directory"},
    {"WSL_E_NOT_A_LINUX_DISTRO", DR_ERR_INVALID,
     "a root file system has /etc and /bin/sh"},
};

static int failed(int status, const char *text, const char *said, struct dr_error *err)
{
    const char *hint = NULL;
    enum dr_kind kind = DR_ERR_INTERNAL;
    const char *both = *text ? text : said;
    const struct transport_end end = {
        .booted = true, .ended = true, .status = status, .words = both};
    enum dr_kind judged = transport_wsl.judge(&end, &hint);
    if (hint)
        kind = judged;
    for (size_t i = 0; i < DR_COUNT(known); i++)
        if (strstr(both, known[i].code)) {
            kind = known[i].kind;
            hint = known[i].hint;
        }
    dr_auto_free char *a = transport_last_lines(text, 400);
    dr_auto_free char *b = transport_last_lines(said, 400);
    if (!*a && !*b)
        return dr_fail_at(err, DR_AT_TRANSPORT, kind, 0, "wsl.exe ended with status %d",
                          status);
    return dr_fail_at(err, DR_AT_TRANSPORT, kind, 0, "wsl.exe: %s%s%s%s%s", a,
                      *a && *b ? "; " : "", b, hint ? "; " : "", hint ? hint : "");
}

/* ---- running it ---- */

/* 0: it ended. */
static int await_end(const struct wsl_command *command, pid_t pid, int64_t deadline_ms,
                     bool give_up, int *ret_status, struct dr_error *err)
{
    while (!process_ended(pid, STEP_MS, ret_status)) {
        if (give_up && command->cancel && atomic_load(command->cancel))
            return dr_fail_at(err, DR_AT_HOST, DR_ERR_CANCELLED, 0,
                              "cancelled by the caller");
        if (deadline_ms && dr_clock_ms() >= deadline_ms)
            return dr_fail_at(err, DR_AT_TRANSPORT, DR_ERR_UNAVAILABLE, 0,
                              "wsl.exe did not end in time");
    }
    return 0;
}

/* No archive has this in it where a header is expected, nor where a file ends. */
static void spoil(const struct transport *process)
{
    char bytes[SPOIL_BYTES];
    dr_auto_error struct dr_error ignored = DR_ERROR_INIT;
    memset(bytes, 0xff, sizeof bytes);
    pipe_write(process->write_fd, bytes, sizeof bytes, dr_clock_ms() + SPOIL_MS, -1,
               &ignored);
}

static int feed_and_wait(const struct wsl_command *command, struct transport *process,
                         int *ret_status, struct dr_error *err)
{
    int64_t deadline_ms = command->deadline_ms;
    struct wsl_stdin to = {process->write_fd, deadline_ms ? deadline_ms : INT64_MAX,
                           command->cancel_fd};
    dr_auto_error struct dr_error fed = DR_ERROR_INIT;
    int rc = command->feed ? command->feed(command->arg, &to, &fed) : 0;
    bool gone = rc < 0 && fed.kind == DR_ERR_UNAVAILABLE; /* it says why itself */
    if (rc < 0 && !gone && command->spoil)
        spoil(process);
    dr_cleanup_fd(&process->write_fd);
    process->write_fd = -1;
    if (rc < 0 && !gone) {
        dr_auto_error struct dr_error ignored = DR_ERROR_INIT;
        if (command->spoil)
            await_end(command, process->pid, dr_clock_ms() + SPOIL_MS, false, ret_status,
                      &ignored);
        return dr_error_move(err, &fed);
    }
    if (await_end(command, process->pid, deadline_ms, true, ret_status, err) < 0)
        return -1;
    return gone && *ret_status == 0 ? dr_error_move(err, &fed) : 0;
}

int wsl_run(const struct wsl_command *command, char **ret_text, struct dr_error *err)
{
    dr_auto_strv char **argv = NULL;
    struct transport process = {.read_fd = -1, .write_fd = -1, .pid = -1};
    dr_strv_add(&argv, transport_wsl.program);
    for (const char *const *word = command->words; *word; word++)
        dr_strv_add(&argv, *word);
    dr_auto_fd int words_fd = words_new();
    const struct process_options options = {.argv = (const char *const *)argv,
                                            .env = transport_wsl.env,
                                            .apart = true,
                                            .words_fd = words_fd};
    if (process_start(&options, &process, err) < 0) {
        if (err->code != ENOENT && err->code != EACCES)
            return -1;
        return dr_fail_at(err, DR_AT_TRANSPORT, transport_wsl.missing_kind, 0, "%s",
                          transport_wsl.missing);
    }
    struct reader reader = {.fd = process.read_fd, .text = DR_BUF_INIT(2 * TEXT_MAX)};
    pthread_t thread;
    bool reading = pthread_create(&thread, NULL, reader_main, &reader) == 0;
    int status = -1;
    int rc = reading ? feed_and_wait(command, &process, &status, err)
                     : dr_fail(err, DR_ERR_INTERNAL, "cannot start a thread");
    dr_cleanup_fd(&process.write_fd);
    process_end(process.pid, 0); /* it has ended, or nobody waits for it any more */
    if (reading)
        pthread_join(thread, NULL);
    dr_cleanup_fd(&process.read_fd);
    dr_auto_free char *said_bytes = words_read(words_fd, 2000);
    dr_auto_free char *said = plain(said_bytes, strlen(said_bytes));
    dr_auto_free char *text =
        plain(reader.text.data ? reader.text.data : "", reader.text.len);
    dr_buf_release(&reader.text);
    if (rc == 0 && status != 0)
        rc = failed(status, text, said, err);
    if (rc == 0 && ret_text)
        *ret_text = DR_TAKE(text);
    return rc;
}
