/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The POSIX calls that the host side makes, on Windows: descriptors, poll, eventfd,
 * pipes, the *at calls, and what msvcrt's libc lacks. Only what is used is here, and only
 * as far as it is used; each difference that a caller could see is said below.
 *
 * The compiler includes this before anything else (-include), so that the names below
 * are the same in every file. Descriptors are numbers of a table of our own (fd.h), not
 * of the C library: 0, 1 and 2 are the standard handles, and stdio keeps its own way to
 * them. Nothing is inherited by children. Paths are UTF-8; both kinds of slash part
 * them; they may be longer than MAX_PATH.
 *
 * Where the thing itself differs (processes, terminals, signals, secrets, signatures),
 * there is a -win.c beside the -posix.c instead.
 */
#if !defined(DRAY_WIN_POSIX_H) && !defined(__ASSEMBLER__)
#define DRAY_WIN_POSIX_H

/* The C library's own declarations come first: below their names become ours. */
#include <direct.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <io.h>
#include <limits.h>
#include <process.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>
#include <wchar.h>

/* --- numbers --- */

#define O_CLOEXEC 0 /* always */
#define O_NOCTTY 0
#define O_NOFOLLOW 0x01000000
#define O_DIRECTORY 0x02000000
#define O_NONBLOCK 0x04000000
#define O_PATH 0x08000000

#define AT_FDCWD (-100)
#define AT_SYMLINK_NOFOLLOW 0x100
#define AT_REMOVEDIR 0x200
#define AT_SYMLINK_FOLLOW 0x400
#define AT_EMPTY_PATH 0x1000

#define S_IFLNK 0xA000
#define S_IFSOCK 0xC000
#define S_ISLNK(mode) (((mode)&S_IFMT) == S_IFLNK)
#define S_ISSOCK(mode) (((mode)&S_IFMT) == S_IFSOCK)

#ifndef PATH_MAX
#define PATH_MAX 4096
#endif
#undef PATH_MAX
#define PATH_MAX 4096

#ifndef EDQUOT
#define EDQUOT 122
#endif
#undef EWOULDBLOCK
#define EWOULDBLOCK EAGAIN

/* Linux' numbers: they are sent to containers. */
#define SIGHUP 1
#define SIGQUIT 3
#define SIGKILL 9
#define SIGUSR1 10
#define SIGUSR2 12
#define SIGPIPE 13
#define SIGWINCH 28

/* msvcrt's are too small */
#define dev_t uint64_t
#define ino_t uint64_t
#define mode_t uint32_t
#define uid_t uint32_t
#define gid_t uint32_t

/* --- descriptors --- */

#undef lseek
#undef ftruncate
#define open win_open
#define openat win_openat
#define close win_close
#define read win_read
#define readv win_readv
#define write win_write
#define pread win_pread
#define pwrite win_pwrite
#define lseek win_lseek
#define ftruncate win_ftruncate
#define fsync win_fsync
#define fcntl win_fcntl
#define tell win_tell /* <io.h> has one, and so have we */
#define isatty win_isatty
#define flock win_flock
#define pipe2 win_pipe2
#define eventfd win_eventfd
#define splice win_splice

int open(const char *path, int flags, ...);
int openat(int dirfd, const char *path, int flags, ...);
int close(int fd);
ssize_t read(int fd, void *data, size_t len);
ssize_t write(int fd, const void *data, size_t len);
ssize_t pread(int fd, void *data, size_t len, off_t offset);
ssize_t pwrite(int fd, const void *data, size_t len, off_t offset);
off_t lseek(int fd, off_t offset, int whence);
int ftruncate(int fd, off_t size);
int fsync(int fd); /* of a directory: nothing, NTFS journals names */
int isatty(int fd);

struct iovec {
    void *iov_base;
    size_t iov_len;
};
ssize_t readv(int fd, const struct iovec *parts, int count); /* into the first one */

#define F_GETFD 1
#define F_GETFL 3
#define F_SETFL 4
#define F_DUPFD_CLOEXEC 1030
int fcntl(int fd, int command, ...);

/* On one byte far behind the end, so that only those who ask for the lock see it; for a
 * directory on a file in it that is there meanwhile. */
#define LOCK_SH 1
#define LOCK_EX 2
#define LOCK_NB 4
#define LOCK_UN 8
int flock(int fd, int how);

/* A pipe between threads of this process; 64 KiB. */
int pipe2(int ret_fds[2], int flags);

#define EFD_CLOEXEC 0
#define EFD_NONBLOCK O_NONBLOCK
int eventfd(unsigned initial, int flags);
static inline int eventfd_write(int fd, uint64_t value)
{
    return write(fd, &value, sizeof value) < 0 ? -1 : 0;
}

/* <poll.h> gives them their names: <winsock2.h> has the same ones. */
enum { WIN_POLLIN = 1, WIN_POLLOUT = 4, WIN_POLLNVAL = 32 };
struct win_pollfd {
    int fd;
    short events, revents;
};
typedef size_t nfds_t;
/* At most 60 of them. */
int win_poll(struct win_pollfd *fds, nfds_t count, int timeout_ms);

/* There is none; callers copy. */
#define SPLICE_F_MOVE 1
#define SPLICE_F_NONBLOCK 2
ssize_t splice(int in, off_t *in_offset, int out, off_t *out_offset, size_t len,
               unsigned flags);

/* --- files --- */

struct win_stat {
    uint64_t st_dev, st_ino;
    mode_t st_mode; /* files and directories have 0755, or 0555 when read-only */
    uint32_t st_nlink, st_uid, st_gid, st_rdev;
    int64_t st_size, st_blocks;
    struct timespec st_atim, st_mtim, st_ctim;
};
#undef stat
#undef fstat
#undef lstat
#undef st_mtime
#define stat win_stat
#define fstat win_fstat
#define lstat win_lstat
#define fstatat win_fstatat
#define st_mtime st_mtim.tv_sec
#define unlink win_unlink
#define unlinkat win_unlinkat
#define rename win_rename
#define renameat win_renameat
#define mkdir win_mkdir
#define mkdirat win_mkdirat
#define rmdir win_rmdir
#define access win_access
#define chmod win_chmod
#define fchmod win_fchmod
#define fchown win_fchown
#define symlinkat win_symlinkat
#define readlinkat win_readlinkat
#define linkat win_linkat
#define futimens win_futimens
#define utimensat win_utimensat
#define realpath win_realpath
#define getcwd win_getcwd

int stat(const char *path, struct stat *ret);
int lstat(const char *path, struct stat *ret);
int fstat(int fd, struct stat *ret);
int fstatat(int dirfd, const char *path, struct stat *ret, int flags);
/* What is open stays readable; its name goes at once where the file system can do that
 * (Windows 10), and with the last handle elsewhere. */
int unlink(const char *path);
int unlinkat(int dirfd, const char *path, int flags);
int rename(const char *from, const char *to); /* replaces, open or not */
int renameat(int from_dirfd, const char *from, int to_dirfd, const char *to);
int mkdir(const char *path, mode_t mode); /* 0700: only for the user, by an ACL */
int mkdirat(int dirfd, const char *path, mode_t mode);
int rmdir(const char *path);
int access(const char *path, int mode);
int faccessat(int dirfd, const char *path, int mode, int flags);
int mkostemp(char *path, int flags);
static inline int win_chown(const char *path, unsigned uid, unsigned gid)
{
    (void)path;
    (void)uid;
    (void)gid;
    return 0;
}
#define chown win_chown
#define umask win_umask
static inline mode_t umask(mode_t mask)
{
    (void)mask;
    return 022;
}
int chmod(const char *path, mode_t mode); /* nothing but read-only */
int fchmod(int fd, mode_t mode);
int fchown(int fd, unsigned uid, unsigned gid); /* nothing */
int symlinkat(const char *target, int dirfd, const char *path);
ssize_t readlinkat(int dirfd, const char *path, char *ret, size_t room);
int linkat(int from_dirfd, const char *from, int to_dirfd, const char *to, int flags);
int futimens(int fd, const struct timespec times[2]); /* NULL: now */
int utimensat(int dirfd, const char *path, const struct timespec times[2], int flags);
char *realpath(const char *path, char *unused);
char *getcwd(char *ret, size_t room);

static inline ssize_t flistxattr(int fd, char *names, size_t room)
{
    (void)fd;
    (void)names;
    (void)room;
    errno = ENOTSUP;
    return -1;
}
static inline ssize_t fgetxattr(int fd, const char *name, void *value, size_t room)
{
    (void)name;
    return flistxattr(fd, value, room);
}
#define major(device) 0u
#define minor(device) 0u

/* --- directories --- */

#define DIR struct win_dir
#define dirent win_dirent
#define opendir win_opendir
#define fdopendir win_fdopendir
#define readdir win_readdir
#define closedir win_closedir
#define rewinddir win_rewinddir
#define telldir win_telldir
#define seekdir win_seekdir
#define dirfd win_dirfd

struct dirent {
    unsigned char d_type;
    char d_name[1024];
};
#define DT_UNKNOWN 0
#define DT_DIR 4
#define DT_REG 8
#define DT_LNK 10
DIR;
DIR *opendir(const char *path);
DIR *fdopendir(int fd);
struct dirent *readdir(DIR *dir);
int closedir(DIR *dir);
void rewinddir(DIR *dir);
long telldir(DIR *dir);
void seekdir(DIR *dir, long at);
int dirfd(DIR *dir);

/* --- sockets: <sys/socket.h> gives them their names --- */

ssize_t win_send(int fd, const void *data, size_t len, int flags); /* ENOTSOCK */
int win_shutdown(int fd, int how);

/* --- terminals --- */

struct winsize {
    unsigned short ws_row, ws_col;
};
#define TIOCGWINSZ 0x5413
#define ioctl win_ioctl
int ioctl(int fd, unsigned long request, ...);

/* --- signals that Windows does not have: nothing is ever pending --- */

#define sigset_t unsigned
static inline int sigemptyset(sigset_t *set)
{
    *set = 0;
    return 0;
}
static inline int sigaddset(sigset_t *set, int number)
{
    *set |= 1u << number;
    return 0;
}
static inline int sigismember(const sigset_t *set, int number)
{
    return (int)(*set >> number & 1);
}
static inline int sigpending(sigset_t *set)
{
    return sigemptyset(set);
}
#define SIG_BLOCK 0
#define SIG_SETMASK 2
#undef pthread_sigmask
#define pthread_sigmask win_sigmask
static inline int win_sigmask(int how, const sigset_t *set, sigset_t *before)
{
    (void)how;
    (void)set;
    return before ? sigemptyset(before) : 0;
}
static inline int sigtimedwait(const sigset_t *set, void *info,
                               const struct timespec *timeout)
{
    (void)set;
    (void)info;
    (void)timeout;
    errno = EAGAIN;
    return -1;
}

/* --- the user, the environment, time, text --- */

#define getenv win_getenv
#define setenv win_setenv
#define unsetenv(name) win_setenv((name), NULL, 1)
#define fopen win_fopen
#define geteuid() 0u
#define getegid() 0u
#define getuid() 0u
/* UTF-8, the same text for ever. The places of XDG are, unless they are set: HOME
 * %USERPROFILE%, XDG_CONFIG_HOME %APPDATA%, XDG_CACHE_HOME %LOCALAPPDATA%. */
char *getenv(const char *name);
int setenv(const char *name, const char *value, int overwrite);
FILE *fopen(const char *path, const char *mode);

int pthread_cond_clockwait(pthread_cond_t *cond, pthread_mutex_t *lock, clockid_t clock,
                           const struct timespec *until);

#define GRND_NONBLOCK 1
ssize_t getrandom(void *data, size_t len, unsigned flags);

void *memmem(const void *in, size_t in_len, const void *what, size_t len);
void *memrchr(const void *in, int byte, size_t len);
char *strndup(const char *text, size_t max);
char *stpcpy(char *to, const char *from);
char *strchrnul(const char *text, int c);
char *strcasestr(const char *text, const char *what);
char *strsep(char **at, const char *set);
const char *strerrordesc_np(int number);
void explicit_bzero(void *data, size_t len);
time_t timegm(struct tm *tm);
#define gmtime_r win_gmtime_r
#define localtime_r win_localtime_r
struct tm *gmtime_r(const time_t *time, struct tm *ret);
struct tm *localtime_r(const time_t *time, struct tm *ret);
char *strptime(const char *text, const char *form,
               struct tm *ret); /* %Y %m %d %H %M %S */
#define strerror win_strerror
char *strerror(int number);

#define FNM_PATHNAME 1
#define FNM_CASEFOLD 16
int fnmatch(const char *pattern, const char *text, int flags); /* *, ?, [..], \ */

/* --- where the program begins (start.c) --- */

#define main dray_main
int dray_main(int argc, char **argv);

#endif
