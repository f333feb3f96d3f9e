/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Standard input, where reading can let us wait: a console, or a pipe that somebody else
 * made. Neither can be polled, so a thread reads, and only when somebody asked: what is
 * not asked for stays for whoever reads the console after us.
 *
 * A console is read as UTF-16 (its UTF-8 mode loses what is not ASCII). Where it gives
 * lines, they end in \n, and Ctrl-Z at the beginning of one is the end, as everywhere on
 * Windows.
 */
#include "win/fd.h"

#define CHARS 4096

/* Bytes, 0 at the end, -1 with *ret_why. */
static int read_console(struct win_fd *fd, DWORD mode, int *ret_why)
{
    static wchar_t wide[CHARS + 1];
    static wchar_t half; /* the first of a pair, when the second one comes next */
    DWORD n = 0, kept = half ? 1 : 0;
    wide[0] = half;
    half = 0;
    if (!ReadConsoleW(fd->handle, wide + kept, CHARS, &n, NULL)) {
        *ret_why = win_errno(GetLastError());
        return -1;
    }
    n += kept;
    if ((mode & ENABLE_LINE_INPUT) && n > 0 && wide[0] == 26)
        return 0;
    if (n > 0 && wide[n - 1] >= 0xd800 && wide[n - 1] < 0xdc00)
        half = wide[--n];
    int bytes =
        n ? WideCharToMultiByte(CP_UTF8, 0, wide, (int)n, fd->buf, WIN_BUF, NULL, NULL)
          : 0;
    int used = 0;
    for (int i = 0; i < bytes; i++)
        if (!((mode & ENABLE_LINE_INPUT) && fd->buf[i] == '\r' && i + 1 < bytes &&
              fd->buf[i + 1] == '\n'))
            fd->buf[used++] = fd->buf[i];
    return used > 0 ? used : -2; /* nothing yet: a half, or Ctrl-C */
}

static int read_some(struct win_fd *fd, int *ret_why)
{
    DWORD mode, n = 0;
    if (GetConsoleMode(fd->handle, &mode))
        return read_console(fd, mode, ret_why);
    if (ReadFile(fd->handle, fd->buf, WIN_BUF, &n, NULL))
        return (int)n; /* 0: nothing was written, which all take for the end */
    if (GetLastError() == ERROR_BROKEN_PIPE || GetLastError() == ERROR_HANDLE_EOF)
        return 0;
    *ret_why = win_errno(GetLastError());
    return -1;
}

static DWORD WINAPI reader(void *arg)
{
    struct win_fd *fd = arg;
    for (;;) {
        int why = 0, n;
        WaitForSingleObject(fd->want, INFINITE);
        while ((n = read_some(fd, &why)) == -2)
            ;
        EnterCriticalSection(&fd->lock);
        fd->wanted = false;
        fd->start = 0;
        fd->end = n > 0 ? (size_t)n : 0;
        fd->ended = n <= 0;
        fd->why = why;
        SetEvent(fd->ready);
        LeaveCriticalSection(&fd->lock);
        if (n <= 0)
            return 0;
    }
}

void win_input_want(struct win_fd *fd)
{
    EnterCriticalSection(&fd->lock);
    if (!fd->started) {
        fd->started = true;
        fd->buf = malloc(WIN_BUF);
        HANDLE thread = CreateThread(NULL, 0, reader, fd, 0, NULL);
        if (!fd->buf || !thread)
            abort();
        win_fd_ref(fd); /* the thread's: it ends with the process */
        CloseHandle(thread);
    }
    if (!fd->wanted && !fd->ended && fd->start == fd->end) {
        fd->wanted = true;
        SetEvent(fd->want);
    }
    LeaveCriticalSection(&fd->lock);
}

ssize_t win_input_read(struct win_fd *fd, void *data, size_t len)
{
    for (;;) {
        win_input_want(fd);
        EnterCriticalSection(&fd->lock);
        size_t have = fd->end - fd->start, n = have < len ? have : len;
        bool ended = fd->ended;
        memcpy(data, fd->buf + fd->start, n);
        fd->start += n;
        if (fd->start == fd->end && !ended)
            ResetEvent(fd->ready);
        LeaveCriticalSection(&fd->lock);
        if (n > 0)
            return (ssize_t)n;
        if (ended) {
            errno = fd->why;
            return fd->why ? -1 : 0;
        }
        if (fd->nonblock) {
            errno = EAGAIN;
            return -1;
        }
        WaitForSingleObject(fd->ready, INFINITE);
    }
}
