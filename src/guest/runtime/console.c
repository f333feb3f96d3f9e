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

/* By way of the open directory any path fits. The runtime has other descriptors than we,
 * so it is by our process that it gets there. */
static int choose_path(const char *dir, struct console_socket *s)
{
    struct sockaddr_un at;
    s->reach = dr_path_join(dir, s->name);
    if (strlen(s->reach) < sizeof at.sun_path)
        return 0;
    s->dir_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    free(s->reach);
    s->reach = dr_printf("/proc/%d/fd/%d/%s", (int)getpid(), s->dir_fd, s->name);
    return s->dir_fd < 0 ? -1 : 0;
}

int console_listen(const char *dir, const char *name, struct console_socket *ret,
                   struct dr_error *err)
{
    struct console_socket s = {-1, -1, dr_strdup(name), NULL};
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    if (choose_path(dir, &s) == 0) {
        snprintf(at.sun_path, sizeof at.sun_path, "%s", s.reach);
        unlink(s.reach);
        s.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    }
    if (s.fd < 0 || bind(s.fd, (struct sockaddr *)&at, sizeof at) < 0 ||
        listen(s.fd, 1) < 0) {
        dr_fail_errno(err, DR_ERR_START, "make a socket for the terminal in %s", dir);
        console_close(&s);
        return -1;
    }
    *ret = s;
    return 0;
}

void console_close(struct console_socket *s)
{
    if (s->fd >= 0) {
        close(s->fd);
        unlink(s->reach);
    }
    if (s->dir_fd >= 0)
        close(s->dir_fd);
    free(s->name);
    free(s->reach);
    *s = (struct console_socket)CONSOLE_SOCKET_INIT;
}

/* The first descriptor of a message; others are closed. */
static int receive_fd(int from)
{
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

int console_take(const struct console_socket *s, int *ret_master, struct dr_error *err)
{
    dr_auto_fd int from = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC);
    dr_auto_fd int master = from < 0 ? -1 : receive_fd(from);
    if (master < 0 || !isatty(master))
        return dr_fail_at(err, DR_AT_RUNTIME, DR_ERR_START, 0,
                          "the runtime sent no terminal");
    fcntl(master, F_SETFL, O_NONBLOCK);
    *ret_master = DR_TAKE_FD(master);
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
