/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Our ends of a child's stdin and stdout: named pipes with overlapped I/O, since nobody
 * can wait for an anonymous one. One read is always under way into a buffer of ours,
 * which is what poll waits for; one write may be, and the next one waits for it. The
 * child's ends are ordinary handles.
 */
#include "win/fd.h"

#define CLOSE_WAIT_MS 2000 /* for what was written last, when the child reads slowly */

static int make(bool to_child, HANDLE *ret_ours, HANDLE *ret_theirs)
{
    static volatile LONG count;
    wchar_t name[96];
    unsigned char random[8];
    if (getrandom(random, sizeof random, 0) < 0)
        return -1;
    swprintf(name, 96, L"\\\\.\\pipe\\dray-%lu-%ld-%02x%02x%02x%02x%02x%02x%02x%02x",
             GetCurrentProcessId(), InterlockedIncrement(&count), random[0], random[1],
             random[2], random[3], random[4], random[5], random[6], random[7]);
    HANDLE ours = CreateNamedPipeW(
        name,
        (to_child ? PIPE_ACCESS_OUTBOUND : PIPE_ACCESS_INBOUND) | FILE_FLAG_OVERLAPPED |
            FILE_FLAG_FIRST_PIPE_INSTANCE,
        PIPE_TYPE_BYTE | PIPE_READMODE_BYTE | PIPE_WAIT | PIPE_REJECT_REMOTE_CLIENTS, 1,
        4 * WIN_BUF, 4 * WIN_BUF, 0, NULL);
    if (ours == INVALID_HANDLE_VALUE)
        return win_fail();
    SECURITY_ATTRIBUTES inherit = {.nLength = sizeof inherit, .bInheritHandle = TRUE};
    HANDLE theirs = CreateFileW(name, to_child ? GENERIC_READ : GENERIC_WRITE, 0,
                                &inherit, OPEN_EXISTING, 0, NULL);
    if (theirs == INVALID_HANDLE_VALUE) {
        win_fail();
        CloseHandle(ours);
        return -1;
    }
    *ret_ours = ours;
    *ret_theirs = theirs;
    return 0;
}

/* lock held: what the read or write that was under way has come to. False: it is still.
 */
static bool settle(struct win_fd *fd)
{
    DWORD n = 0;
    if (!fd->pending)
        return true;
    if (!GetOverlappedResult(fd->handle, &fd->overlapped, &n, FALSE)) {
        DWORD error = GetLastError();
        if (error == ERROR_IO_INCOMPLETE)
            return false;
        fd->ended = true;
        fd->why = error == ERROR_BROKEN_PIPE || error == ERROR_PIPE_NOT_CONNECTED ||
                          error == ERROR_NO_DATA
                      ? EPIPE
                      : win_errno(error);
    }
    fd->pending = false;
    if (fd->kind == WIN_READER) {
        fd->start = 0;
        fd->end = n;
    }
    return true;
}

/* lock held: nothing is under way, and the buffer is empty. */
static void read_ahead(struct win_fd *fd)
{
    DWORD n = 0;
    ResetEvent(fd->ready);
    fd->overlapped = (OVERLAPPED){.hEvent = fd->ready};
    fd->start = fd->end = 0;
    fd->pending = true; /* settle() knows of both ways to end */
    if (ReadFile(fd->handle, fd->buf, WIN_BUF, &n, &fd->overlapped) ||
        GetLastError() == ERROR_IO_PENDING)
        return;
    fd->pending = false;
    fd->ended = true;
    fd->why = GetLastError() == ERROR_BROKEN_PIPE ? EPIPE : win_errno(GetLastError());
    SetEvent(fd->ready);
}

int win_pipe(bool to_child, HANDLE *ret_theirs)
{
    HANDLE ours = NULL;
    if (make(to_child, &ours, ret_theirs) < 0)
        return -1;
    struct win_fd *fd = win_fd_new(to_child ? WIN_WRITER : WIN_READER, ours);
    fd->buf = malloc(WIN_BUF);
    fd->ready = CreateEventW(NULL, TRUE, to_child, NULL);
    if (!fd->buf || !fd->ready)
        abort();
    if (!to_child)
        read_ahead(fd);
    return win_fd_add(fd);
}

/* Waits until what is under way is over; the lock is given up meanwhile. -1 with EAGAIN
 * when that is not wanted. */
static int await(struct win_fd *fd)
{
    while (!settle(fd)) {
        if (fd->nonblock) {
            errno = EAGAIN;
            return -1;
        }
        LeaveCriticalSection(&fd->lock);
        WaitForSingleObject(fd->ready, INFINITE);
        EnterCriticalSection(&fd->lock);
    }
    return 0;
}

ssize_t win_pipe_read(struct win_fd *fd, void *data, size_t len)
{
    ssize_t n = -1;
    EnterCriticalSection(&fd->lock);
    if (await(fd) == 0) {
        size_t have = fd->end - fd->start;
        if (have > 0) {
            n = (ssize_t)(have < len ? have : len);
            memcpy(data, fd->buf + fd->start, (size_t)n);
            fd->start += (size_t)n;
            if (fd->start == fd->end && !fd->ended)
                read_ahead(fd);
        } else if (fd->why == EPIPE) {
            n = 0;
        } else {
            errno = fd->why;
        }
    }
    LeaveCriticalSection(&fd->lock);
    return n;
}

ssize_t win_pipe_write(struct win_fd *fd, const void *data, size_t len)
{
    ssize_t n = -1;
    EnterCriticalSection(&fd->lock);
    if (await(fd) == 0 && !fd->ended) {
        DWORD done = 0, want = (DWORD)(len < WIN_BUF ? len : WIN_BUF);
        memcpy(fd->buf, data, want);
        ResetEvent(fd->ready);
        fd->overlapped = (OVERLAPPED){.hEvent = fd->ready};
        fd->pending = true;
        n = (ssize_t)want;
        if (!WriteFile(fd->handle, fd->buf, want, &done, &fd->overlapped) &&
            GetLastError() != ERROR_IO_PENDING) {
            fd->pending = false;
            fd->ended = true;
            SetEvent(fd->ready);
            n = -1;
        }
    }
    if (n < 0 && fd->ended)
        errno = EPIPE;
    LeaveCriticalSection(&fd->lock);
    return n;
}

void win_pipe_free(struct win_fd *fd)
{
    DWORD n;
    if (!fd->pending)
        return;
    if (fd->kind == WIN_WRITER)
        WaitForSingleObject(fd->ready, CLOSE_WAIT_MS);
    if (!settle(fd)) {
        CancelIoEx(fd->handle, &fd->overlapped);
        GetOverlappedResult(fd->handle, &fd->overlapped, &n, TRUE);
    }
}
