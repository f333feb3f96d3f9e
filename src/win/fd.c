/* SPDX-License-Identifier: Apache-2.0 */
/* The table of descriptors, and the calls that every kind of them answers. */
#include "win/fd.h"

#define FDS_MAX 4096

static struct win_fd *table[FDS_MAX];
static SRWLOCK table_lock = SRWLOCK_INIT;
static INIT_ONCE once = INIT_ONCE_STATIC_INIT;

struct win_fd *win_fd_new(enum win_kind kind, HANDLE handle)
{
    struct win_fd *fd = calloc(1, sizeof *fd);
    if (!fd)
        abort();
    fd->kind = kind;
    fd->handle = handle;
    fd->refs = 1;
    fd->socket = INVALID_SOCKET;
    InitializeCriticalSection(&fd->lock);
    return fd;
}

void win_fd_ref(struct win_fd *fd)
{
    InterlockedIncrement(&fd->refs);
}

void win_fd_put(struct win_fd *fd)
{
    int before = errno;
    if (InterlockedDecrement(&fd->refs) > 0)
        return;
    if (fd->kind == WIN_READER || fd->kind == WIN_WRITER)
        win_pipe_free(fd);
    if (fd->kind == WIN_QUEUE_IN || fd->kind == WIN_QUEUE_OUT)
        win_queue_close(fd);
    if (fd->socket != INVALID_SOCKET)
        closesocket(fd->socket);
    if (fd->handle && fd->handle != INVALID_HANDLE_VALUE && !fd->lent)
        CloseHandle(fd->handle);
    if (fd->locked)
        CloseHandle(fd->locked);
    if (fd->ready)
        CloseHandle(fd->ready);
    if (fd->want)
        CloseHandle(fd->want);
    DeleteCriticalSection(&fd->lock);
    free(fd->path);
    free(fd->buf);
    free(fd);
    errno = before;
}

/* --- 0, 1 and 2 --- */

static struct win_fd *standard(DWORD which, bool input)
{
    HANDLE handle = GetStdHandle(which);
    DWORD type = handle && handle != INVALID_HANDLE_VALUE ? GetFileType(handle)
                                                          : FILE_TYPE_UNKNOWN;
    if (type == FILE_TYPE_UNKNOWN) { /* closed: as /dev/null */
        handle =
            CreateFileW(L"NUL", GENERIC_READ | GENERIC_WRITE,
                        FILE_SHARE_READ | FILE_SHARE_WRITE, NULL, OPEN_EXISTING, 0, NULL);
        return win_fd_new(WIN_FILE, handle);
    }
    struct win_fd *fd = win_fd_new(type == FILE_TYPE_DISK ? WIN_FILE
                                   : input                ? WIN_INPUT
                                                          : WIN_OUTPUT,
                                   handle);
    fd->lent = true;
    if (fd->kind == WIN_INPUT) {
        fd->ready = CreateEventW(NULL, TRUE, FALSE, NULL);
        fd->want = CreateEventW(NULL, FALSE, FALSE, NULL);
    }
    return fd;
}

static BOOL CALLBACK begin(INIT_ONCE *control, void *arg, void **ret)
{
    (void)control;
    (void)arg;
    (void)ret;
    table[0] = standard(STD_INPUT_HANDLE, true);
    table[1] = standard(STD_OUTPUT_HANDLE, false);
    table[2] = standard(STD_ERROR_HANDLE, false);
    return TRUE;
}

/* --- */

int win_fd_add(struct win_fd *fd)
{
    InitOnceExecuteOnce(&once, begin, NULL, NULL);
    AcquireSRWLockExclusive(&table_lock);
    int number = 0;
    while (number < FDS_MAX && table[number])
        number++;
    if (number < FDS_MAX)
        table[number] = fd;
    ReleaseSRWLockExclusive(&table_lock);
    if (number < FDS_MAX)
        return number;
    win_fd_put(fd);
    errno = EMFILE;
    return -1;
}

struct win_fd *win_fd_get(int number)
{
    InitOnceExecuteOnce(&once, begin, NULL, NULL);
    struct win_fd *fd = NULL;
    AcquireSRWLockShared(&table_lock);
    if (number >= 0 && number < FDS_MAX)
        fd = table[number];
    if (fd)
        win_fd_ref(fd);
    ReleaseSRWLockShared(&table_lock);
    if (!fd)
        errno = EBADF;
    return fd;
}

int close(int number)
{
    struct win_fd *fd = win_fd_get(number);
    if (!fd)
        return -1;
    AcquireSRWLockExclusive(&table_lock);
    bool ours = table[number] == fd;
    if (ours)
        table[number] = NULL;
    ReleaseSRWLockExclusive(&table_lock);
    if (ours)
        win_fd_put(fd);
    win_fd_put(fd);
    return 0;
}

HANDLE win_handle(int number)
{
    struct win_fd *fd = win_fd_get(number);
    if (!fd)
        return NULL;
    HANDLE handle = fd->handle;
    win_fd_put(fd);
    return handle;
}

/* --- reading and writing --- */

static ssize_t read_at(struct win_fd *fd, void *data, size_t len, OVERLAPPED *at)
{
    DWORD n = 0;
    if (ReadFile(fd->handle, data, len > INT_MAX ? INT_MAX : (DWORD)len, &n, at))
        return (ssize_t)n;
    DWORD error = GetLastError();
    if (error == ERROR_HANDLE_EOF || error == ERROR_BROKEN_PIPE)
        return 0;
    errno = win_errno(error);
    return -1;
}

static ssize_t write_at(struct win_fd *fd, const void *data, size_t len, OVERLAPPED *at)
{
    DWORD n = 0;
    if (WriteFile(fd->handle, data, len > INT_MAX ? INT_MAX : (DWORD)len, &n, at))
        return (ssize_t)n;
    return win_fail();
}

static ssize_t read_kind(struct win_fd *fd, void *data, size_t len)
{
    switch (fd->kind) {
    case WIN_FILE:
        return read_at(fd, data, len, NULL);
    case WIN_INPUT:
        return win_input_read(fd, data, len);
    case WIN_READER:
        return win_pipe_read(fd, data, len);
    case WIN_EVENT:
        return win_event_read(fd, data, len);
    case WIN_QUEUE_IN:
        return win_queue_read(fd, data, len);
    case WIN_SOCKET:
        return win_socket_read(fd, data, len);
    case WIN_DIR:
        errno = EISDIR;
        return -1;
    default:
        errno = EBADF;
        return -1;
    }
}

ssize_t read(int number, void *data, size_t len)
{
    struct win_fd *fd = win_fd_get(number);
    if (!fd)
        return -1;
    ssize_t n = read_kind(fd, data, len);
    win_fd_put(fd);
    return n;
}

ssize_t readv(int number, const struct iovec *parts, int count)
{
    (void)count;
    return read(number, parts[0].iov_base, parts[0].iov_len);
}

static ssize_t write_kind(struct win_fd *fd, const void *data, size_t len)
{
    OVERLAPPED end = {.Offset = 0xffffffff, .OffsetHigh = 0xffffffff};
    switch (fd->kind) {
    case WIN_FILE:
        return write_at(fd, data, len, fd->append ? &end : NULL);
    case WIN_OUTPUT:
        return write_at(fd, data, len, NULL);
    case WIN_WRITER:
        return win_pipe_write(fd, data, len);
    case WIN_EVENT:
        return win_event_write(fd, data, len);
    case WIN_QUEUE_OUT:
        return win_queue_write(fd, data, len);
    case WIN_SOCKET:
        return win_socket_write(fd, data, len);
    default:
        errno = EBADF;
        return -1;
    }
}

ssize_t write(int number, const void *data, size_t len)
{
    struct win_fd *fd = win_fd_get(number);
    if (!fd)
        return -1;
    ssize_t n = write_kind(fd, data, len);
    win_fd_put(fd);
    return n;
}

ssize_t pread(int number, void *data, size_t len, off_t offset)
{
    struct win_fd *fd = win_fd_get(number);
    OVERLAPPED at = {.Offset = (DWORD)offset,
                     .OffsetHigh = (DWORD)((uint64_t)offset >> 32)};
    if (!fd)
        return -1;
    ssize_t n = read_at(fd, data, len, &at);
    win_fd_put(fd);
    return n;
}

ssize_t pwrite(int number, const void *data, size_t len, off_t offset)
{
    struct win_fd *fd = win_fd_get(number);
    OVERLAPPED at = {.Offset = (DWORD)offset,
                     .OffsetHigh = (DWORD)((uint64_t)offset >> 32)};
    if (!fd)
        return -1;
    ssize_t n = write_at(fd, data, len, &at);
    win_fd_put(fd);
    return n;
}

off_t lseek(int number, off_t offset, int whence)
{
    struct win_fd *fd = win_fd_get(number);
    LARGE_INTEGER to = {.QuadPart = offset}, now;
    if (!fd)
        return -1;
    bool fine =
        fd->kind == WIN_FILE && SetFilePointerEx(fd->handle, to, &now, (DWORD)whence);
    if (!fine)
        errno = fd->kind == WIN_FILE ? EINVAL : ESPIPE;
    win_fd_put(fd);
    return fine ? now.QuadPart : -1;
}

int ftruncate(int number, off_t size)
{
    struct win_fd *fd = win_fd_get(number);
    if (!fd)
        return -1;
    FILE_END_OF_FILE_INFO end = {.EndOfFile.QuadPart = size};
    int rc = SetFileInformationByHandle(fd->handle, FileEndOfFileInfo, &end, sizeof end)
                 ? 0
                 : win_fail();
    win_fd_put(fd);
    return rc;
}

int fsync(int number)
{
    struct win_fd *fd = win_fd_get(number);
    if (!fd)
        return -1;
    int rc = fd->kind == WIN_DIR || FlushFileBuffers(fd->handle) ? 0 : win_fail();
    win_fd_put(fd);
    return rc;
}

static int duplicate(struct win_fd *fd)
{
    HANDLE copy;
    if (fd->kind != WIN_FILE && fd->kind != WIN_DIR) {
        errno = EINVAL;
        return -1;
    }
    if (!DuplicateHandle(GetCurrentProcess(), fd->handle, GetCurrentProcess(), &copy, 0,
                         FALSE, DUPLICATE_SAME_ACCESS))
        return win_fail();
    struct win_fd *new = win_fd_new(fd->kind, copy);
    if (fd->path && !(new->path = wcsdup(fd->path)))
        abort();
    return win_fd_add(new);
}

int fcntl(int number, int command, ...)
{
    struct win_fd *fd = win_fd_get(number);
    va_list ap;
    if (!fd)
        return -1;
    va_start(ap, command);
    int rc = 0;
    if (command == F_DUPFD_CLOEXEC)
        rc = duplicate(fd);
    else if (command == F_GETFL)
        rc = fd->nonblock ? O_NONBLOCK : 0;
    else if (command == F_SETFL)
        fd->nonblock = (va_arg(ap, int) & O_NONBLOCK) != 0;
    va_end(ap);
    win_fd_put(fd);
    return rc;
}

int isatty(int number)
{
    DWORD mode;
    HANDLE handle = win_handle(number);
    bool console = handle && GetConsoleMode(handle, &mode);
    errno = console ? errno : ENOTTY;
    return console;
}

/* A byte that no file has. */
#define LOCK_AT_HIGH 0x40000000

/* One that its last holder has just closed is still being deleted for a moment. */
static HANDLE open_lock(const wchar_t *dir)
{
    wchar_t path[32768];
    swprintf(path, 32768, L"%ls\\.dray-lock", dir);
    for (;;) {
        HANDLE handle = CreateFileW(
            path, GENERIC_READ | GENERIC_WRITE | DELETE,
            FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL, OPEN_ALWAYS,
            FILE_ATTRIBUTE_HIDDEN | FILE_FLAG_DELETE_ON_CLOSE, NULL);
        if (handle != INVALID_HANDLE_VALUE || GetLastError() != ERROR_ACCESS_DENIED ||
            GetFileAttributesW(path) != INVALID_FILE_ATTRIBUTES)
            return handle;
        HANDLE probe = CreateFileW(dir, FILE_ADD_FILE,
                                   FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
                                   NULL, OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS, NULL);
        if (probe == INVALID_HANDLE_VALUE)
            return handle; /* it may not be made at all */
        CloseHandle(probe);
        Sleep(10);
    }
}

static int lock_handle(HANDLE handle, int how)
{
    OVERLAPPED at = {.OffsetHigh = LOCK_AT_HIGH};
    DWORD flags = (how & LOCK_EX ? LOCKFILE_EXCLUSIVE_LOCK : 0) |
                  (how & LOCK_NB ? LOCKFILE_FAIL_IMMEDIATELY : 0);
    if (LockFileEx(handle, flags, 0, 1, 0, &at))
        return 0;
    bool busy =
        GetLastError() == ERROR_LOCK_VIOLATION || GetLastError() == ERROR_IO_PENDING;
    win_fail();
    errno = busy ? EWOULDBLOCK : errno;
    return -1;
}

int flock(int number, int how)
{
    struct win_fd *fd = win_fd_get(number);
    if (!fd)
        return -1;
    OVERLAPPED at = {.OffsetHigh = LOCK_AT_HIGH};
    int rc = 0;
    if (fd->kind == WIN_DIR && !fd->locked) {
        HANDLE handle = open_lock(fd->path);
        rc = handle == INVALID_HANDLE_VALUE ? win_fail() : 0;
        fd->locked = rc == 0 ? handle : NULL;
    }
    HANDLE handle = fd->kind == WIN_DIR ? fd->locked : fd->handle;
    if (rc == 0 && (how & LOCK_UN))
        UnlockFileEx(handle, 0, 1, 0, &at);
    else if (rc == 0)
        rc = lock_handle(handle, how);
    win_fd_put(fd);
    return rc;
}

ssize_t splice(int in, off_t *in_offset, int out, off_t *out_offset, size_t len,
               unsigned flags)
{
    (void)in, (void)in_offset, (void)out, (void)out_offset, (void)len, (void)flags;
    errno = EINVAL;
    return -1;
}
