/* SPDX-License-Identifier: Apache-2.0 */
/* In the container, between the runtime's exec and the command's: nothing is opened here
 * and nothing printed, since the command's limits and its seccomp filter are there. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "guest/init/carry.h"

#define PROGRAM_FD 3
#define WORDS_FD 4
#define STATUS_FD 5

extern char **environ;

/* What carry.c wrote; NULL: it is not there. */
static char *read_all(size_t *ret_len)
{
    struct stat st;
    if (fstat(WORDS_FD, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size < 2)
        return NULL;
    char *text =
        mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_PRIVATE, WORDS_FD, 0);
    *ret_len = (size_t)st.st_size;
    return text == MAP_FAILED || text[*ret_len - 1] != '\0' ? NULL : text;
}

static size_t count_words(const char *text, size_t len)
{
    size_t n = 0;
    for (size_t i = 0; i < len; i++)
        n += text[i] == '\0';
    return n;
}

/* Instead of the one of its name, else behind the others. */
static void set_env(char **env, size_t *count, char *entry)
{
    size_t name = strcspn(entry, "="), i = 0;
    while (i < *count &&
           (strncmp(env[i], entry, name) != 0 || env[i][name] != entry[name]))
        i++;
    env[i] = entry;
    *count += i == *count;
}

/* What the runtime set stays: HOME of an image that has none, say. */
static char **environment(char *entry, size_t more)
{
    size_t count = 0;
    while (environ[count])
        count++;
    char **env = dr_alloc((count + more + 1) * sizeof *env);
    memcpy(env, environ, count * sizeof *env);
    for (; more > 0; more--, entry += strlen(entry) + 1)
        set_env(env, &count, entry);
    return env;
}

static const char *get_env(char **env, const char *name)
{
    size_t len = strlen(name);
    for (; *env; env++)
        if (strncmp(*env, name, len) == 0 && (*env)[len] == '=')
            return *env + len + 1;
    return NULL;
}

/* The first executable file of that name on PATH, as the runtimes look for it (execvp
 * would hand what is no program to a shell). errno when it returns. */
static void search(char **args, char **env)
{
    const char *path = get_env(env, "PATH");
    int best = ENOENT;
    for (const char *dir = path; dir; dir = *dir ? dir + 1 : NULL) {
        size_t len = strcspn(dir, ":");
        dr_auto_free char *file =
            len ? dr_printf("%.*s/%s", (int)len, dir, args[0]) : dr_strdup(args[0]);
        struct stat st;
        if (stat(file, &st) == 0 && S_ISREG(st.st_mode)) {
            if (access(file, X_OK) == 0) {
                execve(file, args, env);
                return;
            }
            best = EACCES;
        }
        dir += len;
    }
    errno = best;
}

int words_main(int argc, char **argv)
{
    size_t len;
    prctl(PR_SET_DUMPABLE, 0); /* these are no others' to open */
    for (int fd = PROGRAM_FD; fd <= STATUS_FD; fd++)
        fcntl(fd, F_SETFD, FD_CLOEXEC);
    char *text = read_all(&len);
    if (argc != 1 || !text) {
        fprintf(stderr, "%s is started by a container's runtime\n", argv[0]);
        return 2;
    }
    size_t words = count_words(text, len) - 1, args_count = strtoul(text, NULL, 10);
    if (args_count == 0 || args_count > words)
        return 2;
    char **args = dr_alloc((args_count + 1) * sizeof *args), *at = text;
    for (size_t i = 0; i < args_count; i++)
        args[i] = at += strlen(at) + 1;
    at += strlen(at) + 1;
    char **env = environment(at, words - args_count);
    if (strchr(args[0], '/'))
        execve(args[0], args, env);
    else
        search(args, env);
    int why = errno;
    if (write(STATUS_FD, &why, sizeof why) < 0)
        return 125;
    return why == ENOENT || why == ENOTDIR ? 127 : 126;
}
