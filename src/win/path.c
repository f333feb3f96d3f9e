/* SPDX-License-Identifier: Apache-2.0 */
/* Paths: UTF-8 outside, UTF-16 with \\?\ inside, so that length is no matter. */
#include "win/fd.h"

wchar_t *win_wide(const char *text)
{
    int n = MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, text, -1, NULL, 0);
    wchar_t *wide = n > 0 ? malloc((size_t)n * sizeof *wide) : NULL;
    if (!wide ||
        MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, text, -1, wide, n) <= 0) {
        free(wide);
        errno = EILSEQ;
        return NULL;
    }
    return wide;
}

char *win_utf8(const wchar_t *text)
{
    int n = WideCharToMultiByte(CP_UTF8, 0, text, -1, NULL, 0, NULL, NULL);
    char *utf8 = n > 0 ? malloc((size_t)n) : NULL;
    if (!utf8 || WideCharToMultiByte(CP_UTF8, 0, text, -1, utf8, n, NULL, NULL) <= 0) {
        free(utf8);
        errno = EILSEQ;
        return NULL;
    }
    return utf8;
}

static wchar_t *join(const wchar_t *a, const wchar_t *between, const wchar_t *b)
{
    size_t n = wcslen(a) + wcslen(between) + wcslen(b) + 1;
    wchar_t *all = malloc(n * sizeof *all);
    if (!all)
        abort();
    swprintf(all, n, L"%ls%ls%ls", a, between, b);
    return all;
}

/* Against the current directory, with . and .. resolved. */
static wchar_t *absolute(const wchar_t *path)
{
    DWORD n = GetFullPathNameW(path, 0, NULL, NULL);
    wchar_t *full = n ? malloc(n * sizeof *full) : NULL;
    if (!full || !GetFullPathNameW(path, n, full, NULL)) {
        free(full);
        win_fail();
        return NULL;
    }
    return full;
}

static wchar_t *prefixed(wchar_t *full)
{
    wchar_t *out;
    if (wcsncmp(full, L"\\\\?\\", 4) == 0 || wcsncmp(full, L"\\\\.\\", 4) == 0)
        return full;
    if (wcsncmp(full, L"\\\\", 2) == 0)
        out = join(L"\\\\?\\UNC\\", L"", full + 2);
    else
        out = join(L"\\\\?\\", L"", full);
    free(full);
    return out;
}

static bool is_absolute(const wchar_t *path)
{
    return path[0] == '\\' || (path[0] && path[1] == ':');
}

wchar_t *win_path(int dirfd, const char *path)
{
    if (strcmp(path, "/dev/null") == 0)
        path = "NUL";
    wchar_t *wide = win_wide(path);
    if (!wide)
        return NULL;
    for (wchar_t *c = wide; *c; c++)
        if (*c == '/')
            *c = '\\';
    if (!*wide) {
        free(wide);
        errno = ENOENT;
        return NULL;
    }
    if (dirfd != AT_FDCWD && !is_absolute(wide)) {
        struct win_fd *fd = win_fd_get(dirfd);
        wchar_t *below = fd && fd->kind == WIN_DIR ? join(fd->path, L"\\", wide) : NULL;
        if (fd && !below)
            errno = ENOTDIR;
        if (fd)
            win_fd_put(fd);
        free(wide);
        wide = below;
    }
    if (!wide || wcsncmp(wide, L"\\\\.\\", 4) == 0)
        return wide;
    /* what is there already with its prefix is not resolved by the system any more */
    bool has_prefix = wcsncmp(wide, L"\\\\?\\", 4) == 0;
    bool unc = has_prefix && _wcsnicmp(wide + 4, L"UNC\\", 4) == 0;
    if (unc)
        wide[6] = '\\'; /* \\?\UNC\server: \\server begins there */
    wchar_t *full = absolute(unc ? wide + 6 : has_prefix ? wide + 4 : wide);
    free(wide);
    return full ? prefixed(full) : NULL;
}

char *realpath(const char *path, char *unused)
{
    (void)unused;
    wchar_t *wide = win_path(AT_FDCWD, path);
    if (!wide)
        return NULL;
    HANDLE handle =
        CreateFileW(wide, 0, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL,
                    OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS, NULL);
    free(wide);
    if (handle == INVALID_HANDLE_VALUE) {
        win_fail();
        return NULL;
    }
    wchar_t final[32768];
    DWORD n = GetFinalPathNameByHandleW(handle, final, 32768, FILE_NAME_NORMALIZED);
    CloseHandle(handle);
    if (n == 0 || n >= 32768) {
        win_fail();
        return NULL;
    }
    const wchar_t *shown = final;
    if (wcsncmp(shown, L"\\\\?\\UNC\\", 8) == 0) {
        final[6] = '\\';
        shown = final + 6;
    } else if (wcsncmp(shown, L"\\\\?\\", 4) == 0) {
        shown += 4;
    }
    return win_utf8(shown);
}

char *getcwd(char *ret, size_t room)
{
    wchar_t wide[32768];
    DWORD n = GetCurrentDirectoryW(32768, wide);
    char *utf8 = n && n < 32768 ? win_utf8(wide) : NULL;
    if (utf8 && !ret)
        return utf8;
    if (!utf8 || strlen(utf8) >= room) {
        free(utf8);
        errno = ERANGE;
        return NULL;
    }
    strcpy(ret, utf8);
    free(utf8);
    return ret;
}
