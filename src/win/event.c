/* SPDX-License-Identifier: Apache-2.0 */
/* eventfd, and pipes between threads of this process. */
#include "win/fd.h"

int eventfd(unsigned initial, int flags)
{
    struct win_fd *fd = win_fd_new(WIN_EVENT, NULL);
    fd->counter = initial;
    fd->nonblock = (flags & EFD_NONBLOCK) != 0;
    fd->ready = CreateEventW(NULL, TRUE, initial > 0, NULL);
    if (!fd->ready)
        abort();
    return win_fd_add(fd);
}

ssize_t win_event_read(struct win_fd *fd, void *data, size_t len)
{
    if (len < sizeof fd->counter) {
        errno = EINVAL;
        return -1;
    }
    for (;;) {
        EnterCriticalSection(&fd->lock);
        uint64_t value = fd->counter;
        fd->counter = 0;
        ResetEvent(fd->ready);
        LeaveCriticalSection(&fd->lock);
        if (value > 0) {
            memcpy(data, &value, sizeof value);
            return sizeof value;
        }
        if (fd->nonblock) {
            errno = EAGAIN;
            return -1;
        }
        WaitForSingleObject(fd->ready, INFINITE);
    }
}

ssize_t win_event_write(struct win_fd *fd, const void *data, size_t len)
{
    uint64_t value;
    if (len < sizeof value) {
        errno = EINVAL;
        return -1;
    }
    memcpy(&value, data, sizeof value);
    EnterCriticalSection(&fd->lock);
    fd->counter += value;
    if (fd->counter > 0)
        SetEvent(fd->ready);
    LeaveCriticalSection(&fd->lock);
    return sizeof value;
}

/* --- pipe2 --- */

/* The reading end has the bytes; the writing end has a reference to it. */
int pipe2(int ret_fds[2], int flags)
{
    struct win_fd *in = win_fd_new(WIN_QUEUE_IN, NULL);
    struct win_fd *out = win_fd_new(WIN_QUEUE_OUT, NULL);
    in->buf = malloc(WIN_BUF);
    in->ready = CreateEventW(NULL, TRUE, FALSE, NULL);
    if (!in->buf || !in->ready)
        abort();
    in->nonblock = out->nonblock = (flags & O_NONBLOCK) != 0;
    out->other = in;
    win_fd_ref(in);
    ret_fds[0] = win_fd_add(in);
    ret_fds[1] = ret_fds[0] < 0 ? -1 : win_fd_add(out);
    if (ret_fds[1] >= 0)
        return 0;
    if (ret_fds[0] < 0)
        win_fd_put(out);
    else
        close(ret_fds[0]);
    errno = EMFILE;
    return -1;
}

ssize_t win_queue_read(struct win_fd *fd, void *data, size_t len)
{
    for (;;) {
        EnterCriticalSection(&fd->lock);
        size_t have = fd->end - fd->start, n = have < len ? have : len;
        bool ended = fd->ended;
        memcpy(data, fd->buf + fd->start, n);
        fd->start += n;
        if (fd->start == fd->end) {
            fd->start = fd->end = 0;
            if (!ended)
                ResetEvent(fd->ready);
        }
        LeaveCriticalSection(&fd->lock);
        if (n > 0 || ended)
            return (ssize_t)n;
        if (fd->nonblock) {
            errno = EAGAIN;
            return -1;
        }
        WaitForSingleObject(fd->ready, INFINITE);
    }
}

ssize_t win_queue_write(struct win_fd *fd, const void *data, size_t len)
{
    struct win_fd *in = fd->other;
    EnterCriticalSection(&in->lock);
    size_t room = WIN_BUF - in->end, n = room < len ? room : len;
    memcpy(in->buf + in->end, data, n);
    in->end += n;
    if (n > 0)
        SetEvent(in->ready);
    LeaveCriticalSection(&in->lock);
    if (n > 0 || len == 0)
        return (ssize_t)n;
    errno = EAGAIN; /* also where it should wait: nobody here writes that much */
    return -1;
}

void win_queue_close(struct win_fd *fd)
{
    struct win_fd *in = fd->other;
    if (!in)
        return;
    EnterCriticalSection(&in->lock);
    in->ended = true;
    SetEvent(in->ready);
    LeaveCriticalSection(&in->lock);
    fd->other = NULL;
    win_fd_put(in);
}
