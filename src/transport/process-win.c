/* SPDX-License-Identifier: Apache-2.0 */
/* A process here is its handle: pid_t is wide enough for one. */
#include "transport/process.h"

#include "base/text.h"
#include "win/process.h"

#include <poll.h>

int process_start(const struct process_options *o, struct transport *ret,
                  struct dr_error *err)
{
    HANDLE their_in = NULL, their_out = NULL, process;
    dr_auto_fd int in = win_pipe(true, &their_in);
    dr_auto_fd int out = in < 0 ? -1 : win_pipe(false, &their_out);
    if (out < 0) {
        dr_fail_errno(err, DR_ERR_NONE, "make a pipe");
        if (their_in)
            CloseHandle(their_in);
        return -1;
    }
    HANDLE words =
        o->words_fd >= 0 ? win_handle(o->words_fd) : GetStdHandle(STD_ERROR_HANDLE);
    HANDLE their_err = NULL;
    DuplicateHandle(GetCurrentProcess(), words, GetCurrentProcess(), &their_err, 0, TRUE,
                    DUPLICATE_SAME_ACCESS);
    const char *const *argv = o->argv;
    struct win_spawn spawn = {.argv = argv,
                              .env = o->env,
                              .in = their_in,
                              .out = their_out,
                              .err = their_err,
                              .apart = o->apart};
    int rc = win_spawn(&spawn, &process), number = errno;
    CloseHandle(their_in);
    CloseHandle(their_out);
    if (their_err)
        CloseHandle(their_err);
    if (rc < 0) {
        errno = number;
        ret->pid = -1;
        return dr_fail_errno(err, DR_ERR_NONE, "start %s", o->argv[0]);
    }
    ret->pid = (pid_t)(intptr_t)process;
    ret->read_fd = DR_TAKE_FD(out);
    ret->write_fd = DR_TAKE_FD(in);
    ret->spawn_count++;
    return 0;
}

int process_end(pid_t pid, int wait_ms)
{
    HANDLE process = (HANDLE)(intptr_t)pid;
    DWORD code = 0;
    if (WaitForSingleObject(process, (DWORD)wait_ms) != WAIT_OBJECT_0) {
        TerminateProcess(process, 1);
        WaitForSingleObject(process, INFINITE);
    }
    GetExitCodeProcess(process, &code);
    CloseHandle(process);
    return (int)(code & 0xff) << 8; /* as waitpid */
}

bool process_ended(pid_t pid, int wait_ms, int *ret_status)
{
    HANDLE process = (HANDLE)(intptr_t)pid;
    DWORD code = 0;
    if (WaitForSingleObject(process, (DWORD)wait_ms) != WAIT_OBJECT_0 ||
        !GetExitCodeProcess(process, &code))
        return false;
    *ret_status = (int)(code & 0xff);
    return true;
}

/* A file that is gone with its last handle. It may grow: a program that runs wild is
 * ended by its transport's deadline. */
int words_new(void)
{
    wchar_t dir[MAX_PATH + 1], name[MAX_PATH + 64];
    char random[17];
    DWORD n = GetTempPathW(MAX_PATH + 1, dir);
    if (n == 0 || n > MAX_PATH)
        return -1;
    dr_random_hex(16, random);
    swprintf(name, MAX_PATH + 64, L"%lsdray-words-%hs", dir, random);
    HANDLE handle = CreateFileW(
        name, GENERIC_READ | GENERIC_WRITE | DELETE,
        FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL, CREATE_NEW,
        FILE_ATTRIBUTE_TEMPORARY | FILE_FLAG_DELETE_ON_CLOSE, NULL);
    if (handle == INVALID_HANDLE_VALUE)
        return win_fail();
    return win_fd_add(win_fd_new(WIN_FILE, handle));
}

char *words_read(int fd, size_t max)
{
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0 || st.st_size <= 0)
        return dr_strdup("");
    size_t len = (size_t)st.st_size < max ? (size_t)st.st_size : max;
    char *text = dr_alloc(len + 1);
    ssize_t n = pread(fd, text, len, st.st_size - (off_t)len);
    text[n > 0 ? n : 0] = '\0';
    return text;
}

/* Until the descriptor is ready. */
static int await(int fd, short events, int64_t deadline_ms, int cancel_fd,
                 struct dr_error *err)
{
    struct pollfd fds[] = {{.fd = fd, .events = events},
                           {.fd = cancel_fd, .events = POLLIN}};
    int64_t left = deadline_ms - dr_clock_ms();
    int n = left > 0 ? poll(fds, 2, left > INT32_MAX ? INT32_MAX : (int)left) : 0;
    if (n < 0)
        return dr_fail_errno(err, DR_ERR_INTERNAL, "wait for a pipe");
    if (n == 0)
        return dr_fail(err, DR_ERR_TIMEOUT, "no answer within the deadline");
    if (fds[1].revents)
        return dr_fail(err, DR_ERR_CANCELLED, "given up");
    return 0;
}

int pipe_read_byte(int fd, char *ret, int64_t deadline_ms, int cancel_fd,
                   struct dr_error *err)
{
    if (await(fd, POLLIN, deadline_ms, cancel_fd, err) < 0)
        return -1;
    ssize_t n = read(fd, ret, 1);
    return n < 0 ? dr_fail_errno(err, DR_ERR_UNAVAILABLE, "read from the other side")
                 : (int)n;
}

int pipe_write(int fd, const void *data, size_t len, int64_t deadline_ms, int cancel_fd,
               struct dr_error *err)
{
    const char *at = data;
    while (len > 0) {
        if (await(fd, POLLOUT, deadline_ms, cancel_fd, err) < 0)
            return -1;
        ssize_t n = write(fd, at, len);
        if (n < 0)
            return dr_fail_errno(err, DR_ERR_UNAVAILABLE, "write to the other side");
        at += n;
        len -= (size_t)n;
    }
    return 0;
}

bool process_has_terminal(void)
{
    return GetConsoleWindow() != NULL;
}
