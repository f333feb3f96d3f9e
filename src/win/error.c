/* SPDX-License-Identifier: Apache-2.0 */
/* Windows' errors as errno, and the words for errno. */
#include "win/fd.h"

static const struct {
    DWORD error;
    int number;
} known[] = {
    {ERROR_FILE_NOT_FOUND, ENOENT},
    {ERROR_PATH_NOT_FOUND, ENOENT},
    {ERROR_INVALID_DRIVE, ENOENT},
    {ERROR_BAD_NETPATH, ENOENT},
    {ERROR_BAD_NET_NAME, ENOENT},
    {ERROR_INVALID_NAME, ENOENT},
    {ERROR_BAD_PATHNAME, ENOENT},
    {ERROR_MOD_NOT_FOUND, ENOENT},
    {ERROR_DELETE_PENDING, ENOENT},
    {ERROR_TOO_MANY_OPEN_FILES, EMFILE},
    {ERROR_ACCESS_DENIED, EACCES},
    {ERROR_SHARING_VIOLATION, EBUSY},
    {ERROR_LOCK_VIOLATION, EBUSY},
    {ERROR_INVALID_HANDLE, EBADF},
    {ERROR_NOT_ENOUGH_MEMORY, ENOMEM},
    {ERROR_OUTOFMEMORY, ENOMEM},
    {ERROR_NOT_SAME_DEVICE, EXDEV},
    {ERROR_WRITE_PROTECT, EROFS},
    {ERROR_NOT_READY, EIO},
    {ERROR_HANDLE_DISK_FULL, ENOSPC},
    {ERROR_DISK_FULL, ENOSPC},
    {1295 /* ERROR_DISK_QUOTA_EXCEEDED */, EDQUOT},
    {ERROR_FILE_EXISTS, EEXIST},
    {ERROR_ALREADY_EXISTS, EEXIST},
    {ERROR_INVALID_PARAMETER, EINVAL},
    {ERROR_BROKEN_PIPE, EPIPE},
    {ERROR_NO_DATA, EPIPE},
    {ERROR_PIPE_NOT_CONNECTED, EPIPE},
    {ERROR_FILENAME_EXCED_RANGE, ENAMETOOLONG},
    {ERROR_DIR_NOT_EMPTY, ENOTEMPTY},
    {ERROR_DIRECTORY, ENOTDIR},
    {ERROR_PRIVILEGE_NOT_HELD, EPERM},
    {ERROR_CANT_RESOLVE_FILENAME, ELOOP},
    {ERROR_NOT_SUPPORTED, ENOTSUP},
    {ERROR_BAD_EXE_FORMAT, ENOEXEC},
    {ERROR_EXE_MACHINE_TYPE_MISMATCH, ENOEXEC},
    {ERROR_FILE_TOO_LARGE, EFBIG},
    {ERROR_OPERATION_ABORTED, ECANCELED},
};

/* What was EIO last on this thread: the number says more than that. */
static __thread DWORD unknown;

int win_errno(DWORD error)
{
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (known[i].error == error)
            return known[i].number;
    unknown = error;
    return EIO;
}

int win_fail(void)
{
    errno = win_errno(GetLastError());
    return -1;
}

/* What msvcrt calls "Unknown error", in the words that are usual elsewhere. */
static const struct {
    int number;
    const char *text;
} words[] = {
    {EDQUOT, "Disk quota exceeded"},
    {ENOTSUP, "Operation not supported"},
    {ECANCELED, "Operation canceled"},
    {ETIMEDOUT, "Connection timed out"},
    {ECONNREFUSED, "Connection refused"},
    {ECONNRESET, "Connection reset by peer"},
    {ECONNABORTED, "Connection aborted"},
    {EADDRINUSE, "Address already in use"},
    {EADDRNOTAVAIL, "Cannot assign requested address"},
    {EHOSTUNREACH, "No route to host"},
    {ENETUNREACH, "Network is unreachable"},
    {ENOTCONN, "Transport endpoint is not connected"},
    {ENOTSOCK, "Socket operation on non-socket"},
    {ELOOP, "Too many levels of symbolic links"},
    {EBUSY, "Another program is using it"},
    {EACCES, "Access is denied"},
};

/* In Windows' own words, which only it has for what is rare: "wsl.exe is blocked by your
 * organization's policy", say. */
static const char *unknown_text(void)
{
    static __thread char text[512];
    wchar_t wide[200];
    DWORD len = FormatMessageW(FORMAT_MESSAGE_FROM_SYSTEM | FORMAT_MESSAGE_IGNORE_INSERTS,
                               NULL, unknown, 0, wide, sizeof wide / sizeof *wide, NULL);
    while (len > 0 && wcschr(L"\r\n .", wide[len - 1]))
        len--;
    char words[450] = "Input/output error";
    int bytes = WideCharToMultiByte(CP_UTF8, 0, wide, (int)len, words,
                                    (int)sizeof words - 1, NULL, NULL);
    if (len > 0 && bytes > 0)
        words[bytes] = 0;
    snprintf(text, sizeof text, "%s (Windows error %lu)", words, unknown);
    return text;
}

const char *strerrordesc_np(int number)
{
    if (number == EIO && unknown)
        return unknown_text();
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (words[i].number == number)
            return words[i].text;
#undef strerror
    return strerror(number);
}

char *win_strerror(int number)
{
    return (char *)strerrordesc_np(number);
}
