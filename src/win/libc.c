/* SPDX-License-Identifier: Apache-2.0 */
/* What msvcrt's libc does not have. */
#include "win/fd.h"

#include <bcrypt.h>
#include <ctype.h>

void *memmem(const void *in, size_t in_len, const void *what, size_t len)
{
    const char *at = in;
    if (len == 0)
        return (void *)in;
    while (in_len >= len) {
        const char *first = memchr(at, *(const unsigned char *)what, in_len - len + 1);
        if (!first)
            return NULL;
        if (memcmp(first, what, len) == 0)
            return (void *)first;
        in_len -= (size_t)(first + 1 - at);
        at = first + 1;
    }
    return NULL;
}

void *memrchr(const void *in, int byte, size_t len)
{
    const unsigned char *bytes = in;
    while (len > 0)
        if (bytes[--len] == (unsigned char)byte)
            return (void *)(bytes + len);
    return NULL;
}

char *strndup(const char *text, size_t max)
{
    size_t n = strnlen(text, max);
    char *copy = malloc(n + 1);
    if (copy) {
        memcpy(copy, text, n);
        copy[n] = '\0';
    }
    return copy;
}

char *stpcpy(char *to, const char *from)
{
    size_t n = strlen(from);
    memcpy(to, from, n + 1);
    return to + n;
}

char *strchrnul(const char *text, int c)
{
    const char *at = strchr(text, c);
    return (char *)(at ? at : text + strlen(text));
}

char *strcasestr(const char *text, const char *what)
{
    size_t n = strlen(what);
    for (; *text; text++)
        if (_strnicmp(text, what, n) == 0)
            return (char *)text;
    return n == 0 ? (char *)text : NULL;
}

char *strsep(char **at, const char *set)
{
    char *begin = *at;
    if (!begin)
        return NULL;
    char *end = begin + strcspn(begin, set);
    *at = *end ? end + 1 : NULL;
    *end = '\0';
    return begin;
}

void explicit_bzero(void *data, size_t len)
{
    SecureZeroMemory(data, len);
}

time_t timegm(struct tm *tm)
{
    return _mkgmtime(tm);
}

struct tm *gmtime_r(const time_t *time, struct tm *ret)
{
    return gmtime_s(ret, time) == 0 ? ret : NULL;
}

struct tm *localtime_r(const time_t *time, struct tm *ret)
{
    return localtime_s(ret, time) == 0 ? ret : NULL;
}

char *strptime(const char *text, const char *form, struct tm *ret)
{
    for (; *form; form++) {
        if (*form != '%') {
            if (*text++ != *form)
                return NULL;
            continue;
        }
        int value = 0, digits = 0, most = *++form == 'Y' ? 4 : 2;
        while (digits < most && isdigit((unsigned char)*text)) {
            value = value * 10 + (*text++ - '0');
            digits++;
        }
        if (digits == 0)
            return NULL;
        switch (*form) {
        case 'Y':
            ret->tm_year = value - 1900;
            break;
        case 'm':
            ret->tm_mon = value - 1;
            break;
        case 'd':
            ret->tm_mday = value;
            break;
        case 'H':
            ret->tm_hour = value;
            break;
        case 'M':
            ret->tm_min = value;
            break;
        case 'S':
            ret->tm_sec = value;
            break;
        default:
            return NULL;
        }
        if ((*form == 'm' && (value < 1 || value > 12)) ||
            (*form == 'd' && (value < 1 || value > 31)) || (*form == 'H' && value > 23) ||
            (*form == 'M' && value > 59) || (*form == 'S' && value > 60))
            return NULL;
    }
    return (char *)text;
}

ssize_t getrandom(void *data, size_t len, unsigned flags)
{
    (void)flags;
    if (BCryptGenRandom(NULL, data, (ULONG)len, BCRYPT_USE_SYSTEM_PREFERRED_RNG) == 0)
        return (ssize_t)len;
    errno = EIO;
    return -1;
}

int pthread_cond_clockwait(pthread_cond_t *cond, pthread_mutex_t *lock, clockid_t clock,
                           const struct timespec *until)
{
    struct timespec now, real;
    clock_gettime(clock, &now);
    clock_gettime(CLOCK_REALTIME, &real);
    int64_t left =
        (until->tv_sec - now.tv_sec) * 1000000000 + (until->tv_nsec - now.tv_nsec);
    int64_t ns = real.tv_nsec + (left > 0 ? left : 0);
    real.tv_sec += ns / 1000000000;
    real.tv_nsec = (long)(ns % 1000000000);
    return pthread_cond_timedwait(cond, lock, &real);
}

/* --- the environment --- */

struct variable {
    struct variable *next;
    char *name, *value;
};

static struct variable *variables;
static SRWLOCK variables_lock = SRWLOCK_INIT;

/* The same text for as long as the variable has it. */
static char *kept(const char *name, char *value)
{
    AcquireSRWLockExclusive(&variables_lock);
    struct variable *v = variables;
    while (v && strcmp(v->name, name) != 0)
        v = v->next;
    if (!v) {
        v = calloc(1, sizeof *v);
        if (!v || !(v->name = strdup(name)))
            abort();
        v->next = variables;
        variables = v;
    }
    if (v->value && strcmp(v->value, value) == 0)
        free(value);
    else
        v->value = value; /* the old one may be in use */
    value = v->value;
    ReleaseSRWLockExclusive(&variables_lock);
    return value;
}

static char *value_of(const char *name)
{
    wchar_t *wide = win_wide(name);
    if (!wide)
        return NULL;
    DWORD n = GetEnvironmentVariableW(wide, NULL, 0);
    wchar_t *text = n ? malloc(n * sizeof *text) : NULL;
    bool got = text && GetEnvironmentVariableW(wide, text, n) < n;
    char *value = got ? win_utf8(text) : NULL;
    free(text);
    free(wide);
    return value;
}

/* What has another name here. */
static const struct {
    const char *name, *here;
} places[] = {{"HOME", "USERPROFILE"},
              {"XDG_CONFIG_HOME", "APPDATA"},
              {"XDG_CACHE_HOME", "LOCALAPPDATA"}};

char *getenv(const char *name)
{
    char *value = value_of(name);
    for (size_t i = 0; !value && i < sizeof places / sizeof *places; i++)
        if (strcmp(name, places[i].name) == 0) {
            value = value_of(places[i].here);
            for (char *c = value; c && *c; c++) /* names are put behind it with a slash */
                if (*c == '\\')
                    *c = '/';
        }
    return value ? kept(name, value) : NULL;
}

int setenv(const char *name, const char *value, int overwrite)
{
    (void)overwrite;
    wchar_t *wide = win_wide(name), *to = value ? win_wide(value) : NULL;
    int rc = wide && SetEnvironmentVariableW(wide, to) ? 0 : -1;
    free(wide);
    free(to);
    return rc;
}

#undef fopen
FILE *win_fopen(const char *path, const char *mode)
{
    wchar_t *wide = win_path(AT_FDCWD, path), *how = win_wide(mode);
    FILE *file = wide && how ? _wfopen(wide, how) : NULL;
    free(wide);
    free(how);
    return file;
}

/* --- terminals --- */

int ioctl(int number, unsigned long request, ...)
{
    CONSOLE_SCREEN_BUFFER_INFO info;
    HANDLE handle = win_handle(number);
    DWORD mode;
    if (request != TIOCGWINSZ || !handle || !GetConsoleMode(handle, &mode)) {
        errno = ENOTTY;
        return -1;
    }
    if (!GetConsoleScreenBufferInfo(handle, &info)) { /* an input: the output's window */
        HANDLE out = CreateFileW(L"CONOUT$", GENERIC_READ | GENERIC_WRITE,
                                 FILE_SHARE_WRITE, NULL, OPEN_EXISTING, 0, NULL);
        BOOL got = GetConsoleScreenBufferInfo(out, &info);
        CloseHandle(out);
        if (!got)
            return win_fail();
    }
    va_list ap;
    va_start(ap, request);
    struct winsize *size = va_arg(ap, struct winsize *);
    va_end(ap);
    size->ws_col = (unsigned short)(info.srWindow.Right - info.srWindow.Left + 1);
    size->ws_row = (unsigned short)(info.srWindow.Bottom - info.srWindow.Top + 1);
    return 0;
}

/* --- patterns --- */

static int fold(char c, int flags)
{
    return flags & FNM_CASEFOLD ? tolower((unsigned char)c) : (unsigned char)c;
}

/* Behind "[": whether c is in it; *ret_end is behind "]", NULL when there is none. */
static bool in_set(const char *p, char c, int flags, const char **ret_end)
{
    bool not = *p == '!' || *p == '^', found = false;
    const char *first = p += not ;
    for (; *p && (*p != ']' || p == first); p++) {
        int low = fold(*p, flags), high = low;
        if (p[1] == '-' && p[2] && p[2] != ']') {
            high = fold(p[2], flags);
            p += 2;
        }
        found = found || (fold(c, flags) >= low && fold(c, flags) <= high);
    }
    *ret_end = *p ? p + 1 : NULL;
    return found != not ;
}

int fnmatch(const char *pattern, const char *text, int flags)
{
    for (; *pattern; pattern++) {
        const char *end;
        if (*pattern == '*') {
            for (;; text++) {
                if (fnmatch(pattern + 1, text, flags) == 0)
                    return 0;
                if (!*text || ((flags & FNM_PATHNAME) && *text == '/'))
                    return 1;
            }
        }
        if (!*text)
            return 1;
        if ((flags & FNM_PATHNAME) && *text == '/' && *pattern != '/')
            return 1;
        if (*pattern == '[') {
            bool in = in_set(pattern + 1, *text, flags, &end);
            if (end) {
                if (!in)
                    return 1;
                pattern = end - 1;
                text++;
                continue;
            }
        }
        if (*pattern == '\\' && pattern[1])
            pattern++;
        else if (*pattern == '?') {
            text++;
            continue;
        }
        if (fold(*pattern, flags) != fold(*text, flags))
            return 1;
        text++;
    }
    return *text != '\0';
}
