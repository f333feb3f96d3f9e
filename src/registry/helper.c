/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/helper.h"

#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include "base/fs.h"
#include "base/text.h"
#include "registry/helper-process.h"

#define NO_END_FD_POLL_MS 20

static bool valid_name(const char *name)
{
    for (const char *p = name; *p; p++)
        if (!isalnum((unsigned char)*p) && !strchr("._-", *p))
            return false;
    return *name != '\0' && *name != '-' && strlen(name) < 64;
}

/* A helper that does not read gives SIGPIPE to nobody. 0, or an errno value. */
static int feed(struct helper *h, const char **input)
{
    sigset_t pipe_only, before;
    sigemptyset(&pipe_only);
    sigaddset(&pipe_only, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe_only, &before);
    ssize_t n = write(h->in, *input, strlen(*input));
    int number = n < 0 ? errno : 0;
    if (number == EPIPE)
        sigtimedwait(&pipe_only, NULL, &(struct timespec){0});
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (n > 0)
        *input += n;
    if (!**input || number == EPIPE)
        close(DR_TAKE_FD(h->in));
    return number == EAGAIN || number == EINTR || number == EPIPE ? 0 : number;
}

/* What is there now. 0, or an errno value; at its end h->out is -1. */
static int drain(struct helper *h, struct dr_buf *buf)
{
    dr_auto_error struct dr_error ignored = DR_ERROR_INIT;
    for (;;) {
        char chunk[4096];
        ssize_t n = read(h->out, chunk, sizeof chunk);
        if (n < 0)
            return errno == EAGAIN || errno == EINTR ? 0 : errno;
        if (n == 0) {
            close(DR_TAKE_FD(h->out));
            return 0;
        }
        int rc = dr_buf_add(buf, chunk, (size_t)n, &ignored);
        explicit_bzero(chunk, sizeof chunk);
        if (rc < 0)
            return EMSGSIZE;
    }
}

/* Until it has ended: a process that it left behind may hold its stdout for ever. 0, or
 * an errno value. */
static int talk(struct helper *h, const char *input, int deadline_ms, struct dr_buf *buf)
{
    int64_t deadline = dr_clock_ms() + deadline_ms;
    int number = 0;
    while (number == 0 && !h->ended) {
        int64_t left = deadline - dr_clock_ms();
        struct pollfd p[] = {{.fd = h->in, .events = POLLOUT},
                             {.fd = h->out, .events = POLLIN},
                             {.fd = h->end_fd, .events = POLLIN}};
        if (left <= 0)
            return ETIMEDOUT;
        if (h->end_fd < 0 && left > NO_END_FD_POLL_MS)
            left = NO_END_FD_POLL_MS;
        if (poll(p, DR_COUNT(p), (int)left) < 0 && errno != EINTR)
            return errno;
        if (p[0].revents)
            number = feed(h, &input);
        if (number == 0)
            helper_ended(h); /* first: what it has written before its end is there */
        if (number == 0 && h->out >= 0)
            number = drain(h, buf);
    }
    return number;
}

static int explain(const struct helper *h, const char *verb, int deadline_ms, int number,
                   struct dr_error *err)
{
    switch (number) {
    case 0:
        return dr_fail(
            err, DR_ERR_CONFIG,
            "the credential helper %s failed at '%s' (%s %d), its words are not "
            "shown; try '%s list' yourself",
            h->program, verb, h->signal ? "signal" : "status",
            h->signal ? h->signal : h->status, h->program);
    case ETIMEDOUT:
        return dr_fail(err, DR_ERR_CONFIG,
                       "the credential helper %s gave no answer in %d s", h->program,
                       deadline_ms / 1000);
    case EMSGSIZE:
        return dr_fail(err, DR_ERR_CONFIG,
                       "the credential helper %s printed more than 64 KiB", h->program);
    default:
        errno = number;
        return dr_fail_errno(err, DR_ERR_CONFIG,
                             "the credential helper %s cannot be talked to", h->program);
    }
}

static bool has_none(const struct dr_buf *output)
{
    /* the one failure that means "there are none" (docker-credential-helpers) */
    return output->data && strstr(output->data, "credentials not found");
}

int helper_call_within(const char *name, const char *verb, const char *input,
                       int deadline_ms, struct dr_buf *ret_output, struct dr_error *err)
{
    if (!valid_name(name)) {
        dr_auto_free char *safe = dr_escape(name, 60);
        return dr_fail(err, DR_ERR_CONFIG, "'%s' is not the name of a credential helper",
                       safe);
    }
    dr_auto_free char *program = dr_printf("docker-credential-%s", name);
    struct helper h = {.program = program, .in = -1, .out = -1, .end_fd = -1};
    int number = helper_start(&h, verb);
    if (number != 0) {
        errno = number;
        dr_fail_errno(err, DR_ERR_CONFIG, "the credential helper %s cannot be started",
                      program);
        return dr_wrap(err, "install it or take it out of the file");
    }
    number = talk(&h, input, deadline_ms, ret_output);
    if (!h.ended)
        helper_kill(&h);
    dr_cleanup_fd(&h.in);
    dr_cleanup_fd(&h.out);
    dr_cleanup_fd(&h.end_fd);
    if (number == 0 && h.signal == 0 && h.status == 0)
        return 1;
    return number == 0 && has_none(ret_output)
               ? 0
               : explain(&h, verb, deadline_ms, number, err);
}

int helper_call(const char *name, const char *verb, const char *input,
                struct dr_buf *ret_output, struct dr_error *err)
{
    return helper_call_within(name, verb, input, HELPER_DEADLINE_MS, ret_output, err);
}
