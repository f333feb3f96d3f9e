/* SPDX-License-Identifier: Apache-2.0 */
/* Credential helpers: a program that somebody else wrote gets a host on its stdin and
 * prints a secret. Its stderr and whatever it prints besides are never shown. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/text.h"
#include "registry/credentials.h"

#define HELPER_OUTPUT_MAX (64 * 1024)
#define HELPER_DEADLINE_MS 30000

extern char **environ;

static bool valid_name(const char *name)
{
    for (const char *p = name; *p; p++)
        if (!isalnum((unsigned char)*p) && !strchr("._-", *p))
            return false;
    return *name != '\0' && *name != '-' && strlen(name) < 64;
}

/* Starts it with stdin and stdout on pipes. */
static int start(const char *program, pid_t *ret_pid, int *ret_in, int *ret_out)
{
    int in[2], out[2];
    if (pipe2(in, O_CLOEXEC) < 0)
        return errno;
    if (pipe2(out, O_CLOEXEC) < 0) {
        int number = errno;
        close(in[0]);
        close(in[1]);
        return number;
    }
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in[0], 0);
    posix_spawn_file_actions_adddup2(&actions, out[1], 1);
    posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
    char *argv[] = {(char *)program, (char *)"get", NULL};
    int number = posix_spawnp(ret_pid, program, &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(in[0]);
    close(out[1]);
    if (number != 0) {
        close(in[1]);
        close(out[0]);
        return number;
    }
    *ret_in = in[1];
    *ret_out = out[0];
    return 0;
}

/* Reads to the end or to the deadline. 0, or an errno value. */
static int read_output(int fd, struct dr_buf *buf)
{
    int64_t deadline = dr_clock_ms() + HELPER_DEADLINE_MS;
    dr_auto_error struct dr_error ignored = DR_ERROR_INIT;
    for (;;) {
        int64_t left = deadline - dr_clock_ms();
        struct pollfd p = {.fd = fd, .events = POLLIN};
        int ready = left > 0 ? poll(&p, 1, (int)left) : 0;
        if (ready < 0 && errno == EINTR)
            continue;
        if (ready <= 0)
            return ready < 0 ? errno : ETIMEDOUT;
        char chunk[4096];
        ssize_t n = read(fd, chunk, sizeof chunk);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno;
        if (n == 0)
            return 0;
        int rc = dr_buf_add(buf, chunk, (size_t)n, &ignored);
        explicit_bzero(chunk, sizeof chunk);
        if (rc < 0)
            return EMSGSIZE;
    }
}

static int parse_output(const char *program, struct dr_buf *buf, struct credentials *ret,
                        struct dr_error *err)
{
    dr_auto_error struct dr_error ignored = DR_ERROR_INIT;
    dr_auto_json json_t *doc =
        dr_json_parse(buf->data ? buf->data : "", buf->len, HELPER_OUTPUT_MAX, &ignored);
    const char *user = dr_json_str(doc, "Username"), *secret = dr_json_str(doc, "Secret");
    if (!user || !secret)
        return dr_fail(err, DR_ERR_CONFIG,
                       "the credential helper %s gave no Username and Secret", program);
    if (!*secret)
        return 0;
    if (strcmp(user, "<token>") == 0) {
        ret->identity_token = dr_strdup(secret);
    } else {
        ret->user = dr_strdup(user);
        ret->password = dr_strdup(secret);
    }
    return 1;
}

int credentials_from_helper(const char *name, const char *server,
                            struct credentials *ret_credentials, struct dr_error *err)
{
    if (!valid_name(name)) {
        dr_auto_free char *safe = dr_escape(name, 60);
        return dr_fail(err, DR_ERR_CONFIG, "'%s' is not the name of a credential helper",
                       safe);
    }
    dr_auto_free char *program = dr_printf("docker-credential-%s", name);
    pid_t pid;
    dr_auto_fd int in = -1;
    dr_auto_fd int out = -1;
    int number = start(program, &pid, &in, &out);
    if (number != 0) {
        errno = number;
        dr_fail_errno(err, DR_ERR_CONFIG, "the credential helper %s cannot be started",
                      program);
        return dr_wrap(err, "install it or take it out of the file");
    }
    /* one line fits into the pipe; a helper that does not read it gives SIGPIPE to
     * nobody, because we hold the mask only for this write */
    sigset_t pipe_only, before;
    sigemptyset(&pipe_only);
    sigaddset(&pipe_only, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe_only, &before);
    bool wrote =
        dr_write_full(in, server, strlen(server)) == 0 && dr_write_full(in, "\n", 1) == 0;
    if (!wrote && errno == EPIPE)
        sigtimedwait(&pipe_only, NULL, &(struct timespec){0});
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    close(DR_TAKE_FD(in));

    dr_auto_buf struct dr_buf buf = DR_BUF_INIT(HELPER_OUTPUT_MAX);
    number = read_output(out, &buf);
    if (number != 0)
        kill(pid, SIGKILL);
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    int rc;
    if (number == ETIMEDOUT)
        rc =
            dr_fail(err, DR_ERR_CONFIG, "the credential helper %s gave no answer in %d s",
                    program, HELPER_DEADLINE_MS / 1000);
    else if (number == EMSGSIZE)
        rc = dr_fail(err, DR_ERR_CONFIG,
                     "the credential helper %s printed more than 64 KiB", program);
    else if (number != 0)
        rc = dr_fail(err, DR_ERR_CONFIG, "the credential helper %s cannot be read",
                     program);
    else if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        rc = parse_output(program, &buf, ret_credentials, err);
    else if (buf.data && strstr(buf.data, "credentials not found"))
        rc = 0; /* the one failure that means "there are none" (docker-credential-helpers)
                 */
    else
        rc = dr_fail(err, DR_ERR_CONFIG,
                     "the credential helper %s failed: try 'echo %s | %s get' yourself",
                     program, server, program);
    if (buf.data)
        explicit_bzero(buf.data, buf.len);
    return rc;
}
