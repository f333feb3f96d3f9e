/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of src/win share: the table of descriptors. */
#ifndef DRAY_WIN_FD_H
#define DRAY_WIN_FD_H

#define WIN32_LEAN_AND_MEAN
#include <winsock2.h>
#include <windows.h>

enum win_kind {
    WIN_FILE,   /* a handle that reads and writes at once: files, NUL */
    WIN_DIR,    /* a directory; `path` is where it is */
    WIN_OUTPUT, /* a handle to write to: a console, a pipe of somebody's */
    WIN_INPUT,  /* a handle to read from that can let us wait: a thread reads it */
    WIN_READER, /* our end of a child's stdout: overlapped */
    WIN_WRITER, /* our end of a child's stdin: overlapped */
    WIN_EVENT,  /* eventfd */
    WIN_QUEUE_IN,
    WIN_QUEUE_OUT, /* pipe2 */
    WIN_SOCKET,
};

struct win_fd {
    enum win_kind kind;
    volatile LONG refs; /* the table's, and of each call that is inside */
    HANDLE handle;      /* owned unless `lent` */
    bool lent, append;
    volatile bool nonblock;
    wchar_t *path;         /* WIN_DIR, owned: absolute, with \\?\ */
    volatile DWORD volume; /* its serial number, once fstat has seen it */
    HANDLE locked;         /* WIN_DIR, owned: the file that is its lock */
    HANDLE ready;          /* a manual-reset event: reading (or writing) would not wait */
    CRITICAL_SECTION lock;
    /* of READER, WRITER, INPUT, QUEUE */
    OVERLAPPED overlapped;
    bool pending, ended, wanted, started;
    int why; /* errno of what failed */
    char *buf;
    size_t start, end;
    HANDLE want;          /* INPUT: an auto-reset event for the thread */
    struct win_fd *other; /* QUEUE: holds a reference */
    uint64_t counter;     /* EVENT */
    SOCKET socket;
};

#define WIN_BUF (64u << 10)

/* A new descriptor, which takes `fd` over; -1 with errno, and it is freed. */
int win_fd_add(struct win_fd *fd);
struct win_fd *win_fd_new(enum win_kind kind, HANDLE handle);
/* With a reference; NULL with EBADF. */
struct win_fd *win_fd_get(int fd);
void win_fd_put(struct win_fd *fd);
void win_fd_ref(struct win_fd *fd);

/* Each kind's reading and writing. -1 with errno. */
ssize_t win_pipe_read(struct win_fd *fd, void *data, size_t len);
ssize_t win_pipe_write(struct win_fd *fd, const void *data, size_t len);
void win_pipe_free(struct win_fd *fd);
ssize_t win_input_read(struct win_fd *fd, void *data, size_t len);
void win_input_want(struct win_fd *fd);
ssize_t win_event_read(struct win_fd *fd, void *data, size_t len);
ssize_t win_event_write(struct win_fd *fd, const void *data, size_t len);
ssize_t win_queue_read(struct win_fd *fd, void *data, size_t len);
ssize_t win_queue_write(struct win_fd *fd, const void *data, size_t len);
void win_queue_close(struct win_fd *fd);
ssize_t win_socket_read(struct win_fd *fd, void *data, size_t len);
ssize_t win_socket_write(struct win_fd *fd, const void *data, size_t len);
short win_socket_poll(struct win_fd *fd, short events);

/* Windows' errors as errno. win_fail sets it and returns -1. */
int win_errno(DWORD error);
int win_fail(void);

/* UTF-8 and UTF-16; owned (free()); NULL with EILSEQ. */
wchar_t *win_wide(const char *text);
char *win_utf8(const wchar_t *text);
/* The absolute path of a name below a directory's descriptor, with \\?\; owned; NULL with
 * errno. */
wchar_t *win_path(int dirfd, const char *path);

/*
 * A pipe for a child: our end is a descriptor, *ret_theirs is what it inherits. to_child:
 * we write. -1 with errno.
 */
int win_pipe(bool to_child, HANDLE *ret_theirs);
/* A descriptor's handle, lent; NULL: there is none. */
HANDLE win_handle(int fd);
/* start.c: the console's settings and code page as they were before us; for whoever ends
 * the process without exit(). */
void win_console_restore(void);

#endif
