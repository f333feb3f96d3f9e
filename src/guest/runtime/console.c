/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/runtime/console.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <termios.h>

#include "base/fs.h"

#define SIZE_MAX_CELLS 65535 /* a struct winsize holds no more */

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* By way of the open directory any path fits. The runtime has other descriptors than we,
 * so it is by our process that it gets there. */
static int choose_path(struct console *c, const char *dir, const char *name)
{
    struct sockaddr_un at;
    c->path = dr_path_join(dir, name);
    if (strlen(c->path) < sizeof at.sun_path)
        return 0;
    c->dir_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    free(c->path);
    c->path = dr_printf("/proc/%d/fd/%d/%s", (int)getpid(), c->dir_fd, name);
    return c->dir_fd < 0 ? -1 : 0;
}

int console_listen(struct console *c, const char *dir, const char *name,
                   struct dr_error *err)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    if (choose_path(c, dir, name) == 0) {
        snprintf(at.sun_path, sizeof at.sun_path, "%s", c->path);
        unlink(c->path);
        c->socket = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    }
    if (c->socket < 0 || bind(c->socket, (struct sockaddr *)&at, sizeof at) < 0 ||
        listen(c->socket, 1) < 0)
        return dr_fail_errno(err, DR_ERR_START, "make a socket for the terminal in %s",
                             dir);
    return 0;
}

static void close_socket(struct console *c)
{
    if (c->path)
        unlink(c->path);
    close_fd(&c->socket);
    close_fd(&c->dir_fd);
    free(DR_TAKE(c->path));
}

void console_close(struct console *c)
{
    close_socket(c);
    close_fd(&c->held);
    close_fd(&c->master);
}

/* The first descriptor of a message; others are closed. */
static int receive_fd(int from)
{
    errno = 0;
    char text[4096]; /* runc sends the terminal's name along */
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(4 * sizeof(int))];
    } control;
    struct iovec part = {text, sizeof text};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof control.bytes};
    int found = -1;
    if (recvmsg(from, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT) < 0)
        return -1;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
            if (found < 0)
                found = fd;
            else
                close(fd);
        }
    }
    return found;
}

/* What runc and crun did already, and youki did not. The group stays tty (5). */
static void put_right(struct console *c)
{
    fcntl(c->master, F_SETFL, O_NONBLOCK);
    c->held = console_hold(c->master);
    if (c->held >= 0 && fchown(c->held, (uid_t)c->uid, (gid_t)-1) < 0)
        return; /* a terminal of root's is better than none */
    console_resize(c->master, c->rows, c->columns);
}

void console_advance(struct console *c)
{
    if (c->socket >= 0 && !c->connected) {
        int from = accept4(c->socket, NULL, NULL, SOCK_CLOEXEC);
        if (from < 0)
            return;
        close(c->socket);
        c->socket = from;
        c->connected = true;
    }
    if (c->socket < 0 || c->master >= 0)
        return;
    c->master = receive_fd(c->socket);
    if (c->master >= 0 && !isatty(c->master))
        close_fd(&c->master);
    if (c->master < 0 && errno == EAGAIN)
        return;
    close_fd(&c->socket);
    if (c->master >= 0)
        put_right(c);
}

int console_take(struct console *c, struct dr_error *err)
{
    console_advance(c);
    close_socket(c);
    if (c->master < 0)
        return dr_fail_at(err, DR_AT_RUNTIME, DR_ERR_START, 0,
                          "the runtime sent no terminal");
    return 0;
}

void console_resize(int master, int64_t rows, int64_t columns)
{
    struct winsize size = {0};
    if (rows <= 0 || columns <= 0 || rows > SIZE_MAX_CELLS || columns > SIZE_MAX_CELLS)
        return;
    size.ws_row = (unsigned short)rows;
    size.ws_col = (unsigned short)columns;
    ioctl(master, TIOCSWINSZ, &size);
}

int console_hold(int master)
{
    return ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
}
