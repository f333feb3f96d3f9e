/* SPDX-License-Identifier: Apache-2.0 */
#include "win/process.h"

struct text {
    wchar_t *data;
    size_t len, cap;
};

static void add(struct text *text, wchar_t c, size_t times)
{
    while (times-- > 0) {
        if (text->len + 1 >= text->cap) {
            text->cap = text->cap ? text->cap * 2 : 256;
            text->data = realloc(text->data, text->cap * sizeof *text->data);
            if (!text->data)
                abort();
        }
        text->data[text->len++] = c;
        text->data[text->len] = 0;
    }
}

/* The rules of "Parsing C command-line arguments": backslashes count only before a quote.
 * Always quoted, so that an empty word is one. */
static void add_word(struct text *text, const wchar_t *word)
{
    size_t slashes = 0;
    add(text, '"', 1);
    for (; *word; word++) {
        if (*word == '\\') {
            slashes++;
            continue;
        }
        add(text, '\\', *word == '"' ? 2 * slashes + 1 : slashes);
        add(text, *word, 1);
        slashes = 0;
    }
    add(text, '\\', 2 * slashes);
    add(text, '"', 1);
}

static bool plain(const wchar_t *word)
{
    return *word && !wcspbrk(word, L" \t\n\v\"");
}

wchar_t *win_command_line(const char *const *argv)
{
    struct text text = {0};
    for (; *argv; argv++) {
        wchar_t *word = win_wide(*argv);
        if (!word) {
            free(text.data);
            return NULL;
        }
        if (text.len)
            add(&text, ' ', 1);
        if (plain(word))
            for (const wchar_t *c = word; *c; c++)
                add(&text, *c, 1);
        else
            add_word(&text, word);
        free(word);
    }
    return text.data;
}

/* --- where the program is --- */

static bool is_file(const wchar_t *path)
{
    DWORD is = GetFileAttributesW(path);
    return is != INVALID_FILE_ATTRIBUTES && !(is & FILE_ATTRIBUTE_DIRECTORY);
}

/* On PATH, and in System32 (where wsl.exe is); never in the current directory, where
 * anybody may have put one of that name. Owned. */
static wchar_t *find_program(const char *name)
{
    wchar_t *wide = win_wide(name);
    if (!wide)
        return NULL;
    if (wcspbrk(wide, L"/\\:"))
        return wide;
    DWORD n = GetEnvironmentVariableW(L"PATH", NULL, 0);
    wchar_t *path = calloc(n + MAX_PATH + 2, sizeof *path), *found = NULL;
    if (!path)
        abort();
    if (n)
        GetEnvironmentVariableW(L"PATH", path, n);
    size_t len = wcslen(path);
    path[len++] = ';';
    GetSystemDirectoryW(path + len, MAX_PATH);
    const wchar_t *dot = wcsrchr(wide, '.');
    for (wchar_t *at = path, *next; at && !found; at = next) {
        next = wcschr(at, ';');
        if (next)
            *next++ = 0;
        static const wchar_t *const ends[] = {L"", L".exe", L".com"};
        for (size_t i = dot ? 0 : 1; *at && !found && i < (dot ? 1u : 3u); i++) {
            size_t room = wcslen(at) + wcslen(wide) + 8;
            wchar_t *full = malloc(room * sizeof *full);
            if (!full)
                abort();
            swprintf(full, room, L"%ls\\%ls%ls", at, wide, ends[i]);
            if (is_file(full))
                found = full;
            else
                free(full);
        }
    }
    free(path);
    free(wide);
    if (!found)
        errno = ENOENT;
    return found;
}

/* --- the environment, with one more --- */

static wchar_t *environment(const char *more)
{
    wchar_t *ours = GetEnvironmentStringsW(), *wide = win_wide(more);
    if (!ours || !wide)
        abort();
    size_t name = (size_t)(wcschr(wide, '=') - wide) + 1;
    struct text text = {0};
    for (const wchar_t *c = wide; *c; c++)
        add(&text, *c, 1);
    add(&text, 0, 1);
    for (const wchar_t *one = ours; *one; one += wcslen(one) + 1) {
        if (_wcsnicmp(one, wide, name) == 0)
            continue;
        for (const wchar_t *c = one; *c; c++)
            add(&text, *c, 1);
        add(&text, 0, 1);
    }
    add(&text, 0, 1);
    FreeEnvironmentStringsW(ours);
    free(wide);
    return text.data;
}

/* --- */

/* Whoever is in it ends with its last handle, which is ours: also when we are killed. */
static HANDLE job(void)
{
    static HANDLE job;
    static SRWLOCK lock = SRWLOCK_INIT;
    AcquireSRWLockExclusive(&lock);
    if (!job) {
        job = CreateJobObjectW(NULL, NULL);
        JOBOBJECT_EXTENDED_LIMIT_INFORMATION limits = {
            .BasicLimitInformation.LimitFlags = JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE};
        SetInformationJobObject(job, JobObjectExtendedLimitInformation, &limits,
                                sizeof limits);
    }
    ReleaseSRWLockExclusive(&lock);
    return job;
}

static HANDLE open_nul(DWORD access)
{
    SECURITY_ATTRIBUTES inherit = {.nLength = sizeof inherit, .bInheritHandle = TRUE};
    return CreateFileW(L"NUL", access, FILE_SHARE_READ | FILE_SHARE_WRITE, &inherit,
                       OPEN_EXISTING, 0, NULL);
}

/* Of several that are the same the list must have one. */
static size_t handle_list(const HANDLE all[3], HANDLE ret[3])
{
    size_t n = 0;
    for (int i = 0; i < 3; i++) {
        bool again = false;
        for (size_t j = 0; j < n; j++)
            again = again || ret[j] == all[i];
        if (!again)
            ret[n++] = all[i];
    }
    return n;
}

static int create(const struct win_spawn *s, const wchar_t *program, wchar_t *line,
                  wchar_t *env, const HANDLE std[3], PROCESS_INFORMATION *ret)
{
    HANDLE list[3];
    size_t count = handle_list(std, list), size = 0;
    InitializeProcThreadAttributeList(NULL, 1, 0, &size);
    LPPROC_THREAD_ATTRIBUTE_LIST attributes = malloc(size);
    if (!attributes || !InitializeProcThreadAttributeList(attributes, 1, 0, &size))
        abort();
    UpdateProcThreadAttribute(attributes, 0, PROC_THREAD_ATTRIBUTE_HANDLE_LIST, list,
                              count * sizeof *list, NULL, NULL);
    STARTUPINFOEXW start = {.StartupInfo = {.cb = sizeof start,
                                            .dwFlags = STARTF_USESTDHANDLES,
                                            .hStdInput = std[0],
                                            .hStdOutput = std[1],
                                            .hStdError = std[2]},
                            .lpAttributeList = attributes};
    DWORD flags = CREATE_SUSPENDED | CREATE_UNICODE_ENVIRONMENT |
                  EXTENDED_STARTUPINFO_PRESENT | CREATE_NEW_PROCESS_GROUP |
                  (s->apart ? CREATE_NO_WINDOW : 0);
    int rc = CreateProcessW(program, line, NULL, NULL, TRUE, flags, env, NULL,
                            &start.StartupInfo, ret)
                 ? 0
                 : win_fail();
    DeleteProcThreadAttributeList(attributes);
    free(attributes);
    return rc;
}

int win_spawn(const struct win_spawn *s, HANDLE *ret)
{
    wchar_t *program = find_program(s->argv[0]);
    wchar_t *line = program ? win_command_line(s->argv) : NULL;
    wchar_t *env = line && s->env ? environment(s->env) : NULL;
    HANDLE nul_in = s->in ? NULL : open_nul(GENERIC_READ);
    HANDLE nul_out = s->out && s->err ? NULL : open_nul(GENERIC_WRITE);
    HANDLE std[3] = {s->in ? s->in : nul_in, s->out ? s->out : nul_out,
                     s->err ? s->err : nul_out};
    PROCESS_INFORMATION process;
    int rc = line ? create(s, program, line, env, std, &process) : -1;
    int number = errno;
    if (rc == 0) {
        AssignProcessToJobObject(job(), process.hProcess);
        ResumeThread(process.hThread);
        CloseHandle(process.hThread);
        *ret = process.hProcess;
    }
    if (nul_in)
        CloseHandle(nul_in);
    if (nul_out)
        CloseHandle(nul_out);
    free(program);
    free(line);
    free(env);
    errno = number;
    return rc;
}

int win_process_fd(HANDLE process)
{
    HANDLE copy;
    if (!DuplicateHandle(GetCurrentProcess(), process, GetCurrentProcess(), &copy, 0,
                         FALSE, DUPLICATE_SAME_ACCESS))
        return win_fail();
    struct win_fd *fd = win_fd_new(WIN_EVENT, NULL);
    fd->ready = copy;
    return win_fd_add(fd);
}
