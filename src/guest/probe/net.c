/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/probe/probe.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/error.h"
#include "base/fs.h"
#include "base/text.h"
#include "guest/net/dial.h"

#define HEALTH_ANSWER_MAX 3900 /* with its status line within HEALTH_OUTPUT_MAX */

struct target {
    char *host; /* owned; NULL: this machine, by IPv4 and then by IPv6 */
    int64_t port;
    const char *path; /* borrowed; "" when there is none */
};

__attribute__((format(printf, 2, 3))) static int fail(struct dr_buf *output,
                                                      const char *fmt, ...)
{
    char text[512];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    dr_auto_error struct dr_error full = DR_ERROR_INIT;
    dr_buf_addf(output, &full, "%s", text);
    return 1;
}

static bool parse(const char *where, struct target *ret)
{
    if (strncmp(where, "http://", 7) == 0)
        where += 7;
    size_t len = strcspn(where, "/");
    dr_auto_free char *authority = dr_strndup(where, len);
    char *colon = strrchr(authority, ':'), *host = authority;
    const char *port = colon ? colon + 1 : authority;
    if (colon)
        *colon = '\0';
    size_t host_len = colon ? strlen(host) : 0;
    if (host_len > 1 && host[0] == '[' && host[host_len - 1] == ']') {
        host[host_len - 1] = '\0';
        host++;
        host_len -= 2;
    }
    bool local = host_len == 0 || strcmp(host, "localhost") == 0;
    *ret = (struct target){.host = local ? NULL : dr_strdup(host), .path = where + len};
    return dr_int_parse(port, 1, 65535, &ret->port);
}

/* A connection; -1 with output. */
static int open_target(pid_t pid, const struct target *target, int64_t end_ms,
                       struct dr_buf *output)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    if (net_enter(pid, &err) < 0) {
        fail(output, "%s", err.text);
        return -1;
    }
    int fd = net_connect(target->host, target->port, SOCK_STREAM, end_ms);
    if (fd < 0)
        fail(output, "connect to %s port %lld: %s",
             target->host ? target->host : "localhost", (long long)target->port,
             strerror(errno));
    return fd;
}

int probe_tcp(pid_t pid, const char *where, int64_t timeout_ms, struct dr_buf *output)
{
    struct target target;
    int result = 1;
    if (!parse(where, &target) || *target.path) {
        fail(output, "'%s' is no [host:]port", where);
    } else {
        dr_auto_fd int fd = open_target(pid, &target, dr_clock_ms() + timeout_ms, output);
        result = fd < 0;
    }
    free(target.host);
    return result;
}

static int ask(int fd, const struct target *target, int64_t end_ms, struct dr_buf *output)
{
    bool v6 = target->host && strchr(target->host, ':');
    dr_auto_free char *request =
        dr_printf("GET %s HTTP/1.1\r\nHost: %s%s%s:%lld\r\nUser-Agent: dray-health\r\n"
                  "Accept: */*\r\nConnection: close\r\n\r\n",
                  *target->path ? target->path : "/", v6 ? "[" : "",
                  target->host ? target->host : "localhost", v6 ? "]" : "",
                  (long long)target->port);
    size_t len = strlen(request), done = 0;
    while (done < len) {
        ssize_t n = send(fd, request + done, len - done, MSG_NOSIGNAL);
        if (n > 0)
            done += (size_t)n;
        else if (n < 0 && errno == EAGAIN && net_wait(fd, POLLOUT, end_ms))
            continue;
        else if (errno != EINTR)
            return fail(output, "send the request: %s", strerror(errno));
    }
    return 0;
}

/* Its beginning is enough: what it says first is its status. */
static int judge(int fd, int64_t end_ms, struct dr_buf *output)
{
    char answer[HEALTH_ANSWER_MAX + 1];
    size_t len = 0;
    while (len < HEALTH_ANSWER_MAX && net_wait(fd, POLLIN, end_ms)) {
        ssize_t n = recv(fd, answer + len, HEALTH_ANSWER_MAX - len, 0);
        if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
            break;
        len += n > 0 ? (size_t)n : 0;
    }
    answer[len] = '\0';
    int64_t code;
    char digits[4] = "";
    if (len >= 12 && strncmp(answer, "HTTP/1.", 7) == 0)
        memcpy(digits, answer + 9, 3);
    if (!dr_int_parse(digits, 100, 999, &code))
        return fail(output, len ? "the answer is no HTTP" : "no answer came in time");
    size_t line = strcspn(answer, "\r\n");
    const char *body = strstr(answer, "\r\n\r\n");
    dr_auto_error struct dr_error full = DR_ERROR_INIT;
    dr_buf_add(output, answer, line, &full);
    if (body && body[4])
        dr_buf_addf(output, &full, "\n%s", body + 4);
    return code >= 200 && code < 400 ? 0 : 1;
}

int probe_http(pid_t pid, const char *where, int64_t timeout_ms, struct dr_buf *output)
{
    struct target target;
    int64_t end_ms = dr_clock_ms() + timeout_ms;
    int result = 1;
    if (!parse(where, &target)) {
        fail(output, "'%s' is no [host]:port[/path]", where);
    } else {
        dr_auto_fd int fd = open_target(pid, &target, end_ms, output);
        if (fd >= 0 && ask(fd, &target, end_ms, output) == 0)
            result = judge(fd, end_ms, output);
    }
    free(target.host);
    return result;
}
