/* SPDX-License-Identifier: Apache-2.0 */
/* Files by name: open, stat, rename, remove. Everything is opened so that others may
 * read, write, rename and remove it meanwhile, as they may elsewhere. */
#include "win/fd.h"

#include <aclapi.h>

#define SHARE_ALL (FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE)
#define EPOCH_100NS 116444736000000000LL /* 1601 to 1970 */

/* --- only for the user --- */

/* A list of one entry, this user, that what is made below inherits. NULL: it cannot be
 * had, and the directory's own list holds. Kept for ever. */
static SECURITY_ATTRIBUTES *only_for_us(void)
{
    static SECURITY_ATTRIBUTES attributes;
    static SECURITY_DESCRIPTOR descriptor;
    static INIT_ONCE once = INIT_ONCE_STATIC_INIT;
    BOOL first = FALSE;
    InitOnceBeginInitialize(&once, 0, &first, NULL);
    if (!first)
        return attributes.lpSecurityDescriptor ? &attributes : NULL;
    HANDLE token;
    DWORD n = 0;
    ACL *acl = NULL;
    if (OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &token)) {
        GetTokenInformation(token, TokenUser, NULL, 0, &n);
        TOKEN_USER *user = malloc(n);
        if (user && GetTokenInformation(token, TokenUser, user, n, &n)) {
            EXPLICIT_ACCESSW entry = {.grfAccessPermissions = GENERIC_ALL,
                                      .grfAccessMode = SET_ACCESS,
                                      .grfInheritance =
                                          SUB_CONTAINERS_AND_OBJECTS_INHERIT,
                                      .Trustee = {.TrusteeForm = TRUSTEE_IS_SID,
                                                  .TrusteeType = TRUSTEE_IS_USER,
                                                  .ptstrName = user->User.Sid}};
            if (SetEntriesInAclW(1, &entry, NULL, &acl) == ERROR_SUCCESS &&
                InitializeSecurityDescriptor(&descriptor, SECURITY_DESCRIPTOR_REVISION) &&
                SetSecurityDescriptorDacl(&descriptor, TRUE, acl, FALSE) &&
                SetSecurityDescriptorControl(&descriptor, SE_DACL_PROTECTED,
                                             SE_DACL_PROTECTED))
                attributes = (SECURITY_ATTRIBUTES){.nLength = sizeof attributes,
                                                   .lpSecurityDescriptor = &descriptor};
        }
        free(user);
        CloseHandle(token);
    }
    InitOnceComplete(&once, 0, NULL);
    return attributes.lpSecurityDescriptor ? &attributes : NULL;
}

/* --- open --- */

static HANDLE open_handle(const wchar_t *path, int flags, mode_t mode)
{
    DWORD access = FILE_READ_ATTRIBUTES | SYNCHRONIZE, how = OPEN_EXISTING;
    DWORD extra = FILE_FLAG_BACKUP_SEMANTICS | FILE_ATTRIBUTE_NORMAL;
    int way = flags & (O_RDONLY | O_WRONLY | O_RDWR);
    if (!(flags & O_PATH))
        access |= way == O_WRONLY ? GENERIC_WRITE
                  : way == O_RDWR ? GENERIC_READ | GENERIC_WRITE
                                  : GENERIC_READ;
    if ((flags & O_CREAT) && (flags & O_EXCL))
        how = CREATE_NEW;
    else if (flags & O_CREAT)
        how = OPEN_ALWAYS;
    if (flags & O_NOFOLLOW)
        extra |= FILE_FLAG_OPEN_REPARSE_POINT;
    HANDLE handle = CreateFileW(path, access, SHARE_ALL,
                                (flags & O_CREAT) && !(mode & 077) ? only_for_us() : NULL,
                                how, extra, NULL);
    if (handle == INVALID_HANDLE_VALUE) {
        DWORD error = GetLastError(), is = GetFileAttributesW(path);
        errno = win_errno(error);
        if (error == ERROR_ACCESS_DENIED && is != INVALID_FILE_ATTRIBUTES &&
            (is & FILE_ATTRIBUTE_DIRECTORY))
            errno = EISDIR;
    }
    return handle;
}

int openat(int dirfd, const char *path, int flags, ...)
{
    mode_t mode = 0666;
    if (flags & O_CREAT) {
        va_list ap;
        va_start(ap, flags);
        mode = (mode_t)va_arg(ap, int);
        va_end(ap);
    }
    wchar_t *wide = win_path(dirfd, path);
    if (!wide)
        return -1;
    HANDLE handle = open_handle(wide, flags, mode);
    if (handle == INVALID_HANDLE_VALUE) {
        free(wide);
        return -1;
    }
    FILE_ATTRIBUTE_TAG_INFO info = {0};
    bool known =
        GetFileInformationByHandleEx(handle, FileAttributeTagInfo, &info, sizeof info);
    bool link = known && (info.FileAttributes & FILE_ATTRIBUTE_REPARSE_POINT) &&
                (info.ReparseTag == IO_REPARSE_TAG_SYMLINK ||
                 info.ReparseTag == IO_REPARSE_TAG_MOUNT_POINT);
    bool dir = known && (info.FileAttributes & FILE_ATTRIBUTE_DIRECTORY) && !link;
    int refused = (flags & O_NOFOLLOW) && link && !(flags & O_PATH) ? ELOOP
                  : (flags & O_DIRECTORY) && !dir                   ? ENOTDIR
                  : dir && (flags & (O_WRONLY | O_RDWR))            ? EISDIR
                                                                    : 0;
    if (!refused && (flags & O_TRUNC)) {
        FILE_END_OF_FILE_INFO end = {0};
        if (!SetFileInformationByHandle(handle, FileEndOfFileInfo, &end, sizeof end))
            refused = win_errno(GetLastError());
    }
    if (refused) {
        CloseHandle(handle);
        free(wide);
        errno = refused;
        return -1;
    }
    struct win_fd *fd = win_fd_new(dir ? WIN_DIR : WIN_FILE, handle);
    fd->append = (flags & O_APPEND) != 0;
    if (dir)
        fd->path = wide;
    else
        free(wide);
    return win_fd_add(fd);
}

int open(const char *path, int flags, ...)
{
    mode_t mode = 0;
    if (flags & O_CREAT) {
        va_list ap;
        va_start(ap, flags);
        mode = (mode_t)va_arg(ap, int);
        va_end(ap);
    }
    return openat(AT_FDCWD, path, flags, mode);
}

/* --- stat --- */

static struct timespec time_of(const FILETIME *time)
{
    int64_t since =
        (int64_t)((uint64_t)time->dwHighDateTime << 32 | time->dwLowDateTime) -
        EPOCH_100NS;
    int64_t seconds = since / 10000000, rest = since % 10000000;
    if (rest < 0) {
        rest += 10000000;
        seconds--;
    }
    return (struct timespec){.tv_sec = seconds, .tv_nsec = (long)rest * 100};
}

static int stat_handle(HANDLE handle, struct stat *ret)
{
    BY_HANDLE_FILE_INFORMATION info;
    FILE_ATTRIBUTE_TAG_INFO tag = {0};
    *ret = (struct stat){.st_mode = S_IFCHR | 0666, .st_nlink = 1};
    if (GetFileType(handle) != FILE_TYPE_DISK) {
        if (GetFileType(handle) == FILE_TYPE_PIPE)
            ret->st_mode = S_IFIFO | 0600;
        return 0;
    }
    if (!GetFileInformationByHandle(handle, &info))
        return win_fail();
    GetFileInformationByHandleEx(handle, FileAttributeTagInfo, &tag, sizeof tag);
    bool link = (info.dwFileAttributes & FILE_ATTRIBUTE_REPARSE_POINT) &&
                (tag.ReparseTag == IO_REPARSE_TAG_SYMLINK ||
                 tag.ReparseTag == IO_REPARSE_TAG_MOUNT_POINT);
    bool dir = (info.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY) != 0;
    ret->st_mode = link ? S_IFLNK | 0777 : dir ? S_IFDIR | 0755 : S_IFREG | 0755;
    if (!link && !dir && (info.dwFileAttributes & FILE_ATTRIBUTE_READONLY))
        ret->st_mode &= (mode_t)~0222;
    ret->st_dev = info.dwVolumeSerialNumber;
    ret->st_ino = (uint64_t)info.nFileIndexHigh << 32 | info.nFileIndexLow;
    ret->st_nlink = info.nNumberOfLinks;
    ret->st_size =
        dir ? 0 : (int64_t)((uint64_t)info.nFileSizeHigh << 32 | info.nFileSizeLow);
    ret->st_blocks = (ret->st_size + 511) / 512;
    ret->st_mtim = time_of(&info.ftLastWriteTime);
    ret->st_atim = time_of(&info.ftLastAccessTime);
    ret->st_ctim = ret->st_mtim;
    return 0;
}

int fstat(int number, struct stat *ret)
{
    struct win_fd *fd = win_fd_get(number);
    if (!fd)
        return -1;
    int rc = 0;
    if (fd->kind == WIN_SOCKET)
        *ret = (struct stat){.st_mode = S_IFSOCK | 0600};
    else if (fd->kind == WIN_EVENT || fd->kind >= WIN_QUEUE_IN)
        *ret = (struct stat){.st_mode = S_IFIFO | 0600};
    else
        rc = stat_handle(fd->handle, ret);
    /* a file stays on its volume; Wine forgets which one when it gets another name */
    if (rc == 0 && ret->st_dev)
        fd->volume = (DWORD)ret->st_dev;
    else if (rc == 0)
        ret->st_dev = fd->volume;
    win_fd_put(fd);
    return rc;
}

int fstatat(int dirfd, const char *path, struct stat *ret, int flags)
{
    if (!*path && (flags & AT_EMPTY_PATH))
        return fstat(dirfd, ret);
    wchar_t *wide = win_path(dirfd, path);
    if (!wide)
        return -1;
    HANDLE handle =
        open_handle(wide, O_PATH | (flags & AT_SYMLINK_NOFOLLOW ? O_NOFOLLOW : 0), 0);
    free(wide);
    if (handle == INVALID_HANDLE_VALUE)
        return -1;
    int rc = stat_handle(handle, ret);
    CloseHandle(handle);
    return rc;
}

int stat(const char *path, struct stat *ret)
{
    return fstatat(AT_FDCWD, path, ret, 0);
}

int lstat(const char *path, struct stat *ret)
{
    return fstatat(AT_FDCWD, path, ret, AT_SYMLINK_NOFOLLOW);
}

int faccessat(int dirfd, const char *path, int mode, int flags)
{
    struct stat st;
    if (fstatat(dirfd, path, &st, flags & AT_SYMLINK_NOFOLLOW) < 0)
        return -1;
    if ((mode & 2) && !(st.st_mode & 0200) && !S_ISDIR(st.st_mode)) {
        errno = EACCES;
        return -1;
    }
    return 0;
}

int access(const char *path, int mode)
{
    return faccessat(AT_FDCWD, path, mode, 0);
}

/* The last six characters are put in. */
int mkostemp(char *path, int flags)
{
    static const char set[] = "abcdefghijklmnopqrstuvwxyz0123456789";
    size_t len = strlen(path);
    for (int tries = 0; tries < 100; tries++) {
        unsigned char random[6];
        getrandom(random, sizeof random, 0);
        for (size_t i = 0; i < sizeof random; i++)
            path[len - 6 + i] = set[random[i] % (sizeof set - 1)];
        int fd = open(path, O_RDWR | O_CREAT | O_EXCL | flags, 0600);
        if (fd >= 0 || errno != EEXIST)
            return fd;
    }
    return -1;
}

/* --- remove --- */

/* DeleteFile would leave the name there until the last handle of anybody is closed. */
static int remove_handle(HANDLE handle)
{
    struct {
        DWORD flags;
    } posix = {1 | 2 | 0x10}; /* delete, POSIX semantics, read-only or not */
    if (SetFileInformationByHandle(handle, (FILE_INFO_BY_HANDLE_CLASS)21, &posix,
                                   sizeof posix))
        return 0;
    DWORD error = GetLastError();
    if (error == ERROR_DIR_NOT_EMPTY || error == ERROR_SHARING_VIOLATION)
        return win_fail();
    FILE_DISPOSITION_INFO info = {.DeleteFile = TRUE};
    if (SetFileInformationByHandle(handle, FileDispositionInfo, &info, sizeof info))
        return 0;
    return win_fail();
}

int unlinkat(int dirfd, const char *path, int flags)
{
    wchar_t *wide = win_path(dirfd, path);
    if (!wide)
        return -1;
    DWORD is = GetFileAttributesW(wide);
    if (is == INVALID_FILE_ATTRIBUTES) {
        win_fail();
        free(wide);
        return -1;
    }
    bool dir = (is & FILE_ATTRIBUTE_DIRECTORY) && !(is & FILE_ATTRIBUTE_REPARSE_POINT);
    if (dir != ((flags & AT_REMOVEDIR) != 0) &&
        !((is & FILE_ATTRIBUTE_DIRECTORY) && (flags & AT_REMOVEDIR))) {
        free(wide);
        errno = dir ? EISDIR : ENOTDIR;
        return -1;
    }
    HANDLE handle =
        CreateFileW(wide, DELETE, SHARE_ALL, NULL, OPEN_EXISTING,
                    FILE_FLAG_BACKUP_SEMANTICS | FILE_FLAG_OPEN_REPARSE_POINT, NULL);
    free(wide);
    if (handle == INVALID_HANDLE_VALUE)
        return win_fail();
    int rc = remove_handle(handle), number = errno;
    CloseHandle(handle);
    errno = number;
    return rc;
}

int unlink(const char *path)
{
    return unlinkat(AT_FDCWD, path, 0);
}

int rmdir(const char *path)
{
    return unlinkat(AT_FDCWD, path, AT_REMOVEDIR);
}

/* --- rename --- */

/* Over a file that others have open too: POSIX semantics, since Windows 10. */
static bool rename_posix(const wchar_t *from, const wchar_t *to)
{
    HANDLE handle =
        CreateFileW(from, DELETE | SYNCHRONIZE, SHARE_ALL, NULL, OPEN_EXISTING,
                    FILE_FLAG_BACKUP_SEMANTICS | FILE_FLAG_OPEN_REPARSE_POINT, NULL);
    if (handle == INVALID_HANDLE_VALUE)
        return false;
    size_t len = wcslen(to) * sizeof *to;
    FILE_RENAME_INFO *info = calloc(1, sizeof *info + len + sizeof *to);
    if (!info)
        abort();
    info->FileNameLength = (DWORD)len;
    memcpy(info->FileName, to, len);
    bool done = false;
    /* replace, POSIX semantics, what is there read-only or not (since 1809) */
    static const DWORD flags[] = {1 | 2 | 0x40, 1 | 2};
    for (int i = 0; i < 2 && !done; i++) {
        *(DWORD *)(void *)info = flags[i];
        done = SetFileInformationByHandle(handle, (FILE_INFO_BY_HANDLE_CLASS)22, info,
                                          (DWORD)(sizeof *info + len + sizeof *to));
    }
    free(info);
    CloseHandle(handle);
    return done;
}

int renameat(int from_dirfd, const char *from, int to_dirfd, const char *to)
{
    wchar_t *a = win_path(from_dirfd, from), *b = a ? win_path(to_dirfd, to) : NULL;
    int rc = -1;
    if (b && (rename_posix(a, b) || MoveFileExW(a, b, MOVEFILE_REPLACE_EXISTING))) {
        rc = 0;
    } else if (b) {
        win_fail();
        DWORD is = GetFileAttributesW(b);
        if (errno == EACCES && is != INVALID_FILE_ATTRIBUTES &&
            (is & FILE_ATTRIBUTE_DIRECTORY))
            errno = EISDIR;
    }
    free(a);
    free(b);
    return rc;
}

int rename(const char *from, const char *to)
{
    return renameat(AT_FDCWD, from, AT_FDCWD, to);
}

/* --- directories, links --- */

int mkdirat(int dirfd, const char *path, mode_t mode)
{
    wchar_t *wide = win_path(dirfd, path);
    if (!wide)
        return -1;
    int rc = CreateDirectoryW(wide, mode & 077 ? NULL : only_for_us()) ? 0 : win_fail();
    free(wide);
    return rc;
}

int mkdir(const char *path, mode_t mode)
{
    return mkdirat(AT_FDCWD, path, mode);
}

/* Developer mode, or the right to: otherwise EPERM. */
int symlinkat(const char *target, int dirfd, const char *path)
{
    wchar_t *wide = win_path(dirfd, path), *to = wide ? win_wide(target) : NULL;
    int rc = -1;
    if (to) {
        for (wchar_t *c = to; *c; c++)
            if (*c == '/')
                *c = '\\';
        rc = CreateSymbolicLinkW(wide, to, 2 /* unprivileged */) ? 0 : win_fail();
    }
    free(wide);
    free(to);
    return rc;
}

ssize_t readlinkat(int dirfd, const char *path, char *ret, size_t room)
{
    struct {
        DWORD tag;
        WORD len, reserved;
        WORD substitute_at, substitute_len, print_at, print_len;
        union {
            struct {
                DWORD flags;
                wchar_t text[8192];
            } link;
            wchar_t mount[8192];
        } is;
    } data;
    DWORD n;
    wchar_t *wide = win_path(dirfd, path);
    if (!wide)
        return -1;
    HANDLE handle = open_handle(wide, O_PATH | O_NOFOLLOW, 0);
    free(wide);
    if (handle == INVALID_HANDLE_VALUE)
        return -1;
    BOOL got = DeviceIoControl(handle, 0x900a8 /* FSCTL_GET_REPARSE_POINT */, NULL, 0,
                               &data, sizeof data, &n, NULL);
    CloseHandle(handle);
    if (!got ||
        (data.tag != IO_REPARSE_TAG_SYMLINK && data.tag != IO_REPARSE_TAG_MOUNT_POINT)) {
        errno = EINVAL;
        return -1;
    }
    wchar_t *text =
        (data.tag == IO_REPARSE_TAG_SYMLINK ? data.is.link.text : data.is.mount) +
        data.print_at / sizeof(wchar_t);
    text[data.print_len / sizeof(wchar_t)] = 0;
    for (wchar_t *c = text; *c; c++)
        if (*c == '\\')
            *c = '/';
    char *utf8 = win_utf8(text);
    size_t len = utf8 ? strlen(utf8) : 0;
    len = len < room ? len : room;
    if (utf8)
        memcpy(ret, utf8, len);
    free(utf8);
    return utf8 ? (ssize_t)len : -1;
}

int linkat(int from_dirfd, const char *from, int to_dirfd, const char *to, int flags)
{
    (void)flags;
    wchar_t *a = win_path(from_dirfd, from), *b = a ? win_path(to_dirfd, to) : NULL;
    int rc = b && CreateHardLinkW(b, a, NULL) ? 0 : b ? win_fail() : -1;
    free(a);
    free(b);
    return rc;
}

/* --- modes, times --- */

int chmod(const char *path, mode_t mode)
{
    wchar_t *wide = win_path(AT_FDCWD, path);
    DWORD is = wide ? GetFileAttributesW(wide) : INVALID_FILE_ATTRIBUTES;
    int rc = -1;
    if (is != INVALID_FILE_ATTRIBUTES) {
        DWORD to = mode & 0200 ? is & ~(DWORD)FILE_ATTRIBUTE_READONLY
                               : is | FILE_ATTRIBUTE_READONLY;
        rc = to == is || SetFileAttributesW(wide, to) ? 0 : win_fail();
    } else if (wide) {
        win_fail();
    }
    free(wide);
    return rc;
}

int fchmod(int number, mode_t mode)
{
    (void)mode;
    struct win_fd *fd = win_fd_get(number);
    if (!fd)
        return -1;
    win_fd_put(fd);
    return 0;
}

int fchown(int number, unsigned uid, unsigned gid)
{
    (void)uid;
    (void)gid;
    return fchmod(number, 0);
}

static FILETIME filetime(const struct timespec *time)
{
    FILETIME out;
    GetSystemTimeAsFileTime(&out);
    if (time) {
        uint64_t since =
            (uint64_t)(time->tv_sec * 10000000 + time->tv_nsec / 100 + EPOCH_100NS);
        out.dwLowDateTime = (DWORD)since;
        out.dwHighDateTime = (DWORD)(since >> 32);
    }
    return out;
}

static int set_times(HANDLE handle, const struct timespec times[2])
{
    FILETIME atime = filetime(times ? &times[0] : NULL);
    FILETIME mtime = filetime(times ? &times[1] : NULL);
    return SetFileTime(handle, NULL, &atime, &mtime) ? 0 : win_fail();
}

/* A descriptor that was opened for reading may not: it is opened once more. */
int futimens(int number, const struct timespec times[2])
{
    struct win_fd *fd = win_fd_get(number);
    if (!fd)
        return -1;
    HANDLE again = ReOpenFile(fd->handle, FILE_WRITE_ATTRIBUTES, SHARE_ALL,
                              FILE_FLAG_BACKUP_SEMANTICS);
    int rc = set_times(again == INVALID_HANDLE_VALUE ? fd->handle : again, times);
    int number_of = errno;
    if (again != INVALID_HANDLE_VALUE)
        CloseHandle(again);
    win_fd_put(fd);
    errno = number_of;
    return rc;
}

int utimensat(int dirfd, const char *path, const struct timespec times[2], int flags)
{
    wchar_t *wide = win_path(dirfd, path);
    if (!wide)
        return -1;
    HANDLE handle =
        CreateFileW(wide, FILE_WRITE_ATTRIBUTES, SHARE_ALL, NULL, OPEN_EXISTING,
                    FILE_FLAG_BACKUP_SEMANTICS |
                        (flags & AT_SYMLINK_NOFOLLOW ? FILE_FLAG_OPEN_REPARSE_POINT : 0),
                    NULL);
    free(wide);
    if (handle == INVALID_HANDLE_VALUE)
        return win_fail();
    int rc = set_times(handle, times), number = errno;
    CloseHandle(handle);
    errno = number;
    return rc;
}
