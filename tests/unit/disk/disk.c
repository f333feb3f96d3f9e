/* SPDX-License-Identifier: Apache-2.0 */
#include "disk.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char steps[4096], shown[sizeof steps];
static int failure;

static int note(const char *what, const char *path)
{
    const char *slash = path ? strrchr(path, '/') : NULL;
    const char *name = slash ? slash + 1 : path;
    pthread_mutex_lock(&lock);
    size_t len = strlen(steps);
    snprintf(steps + len, sizeof steps - len, "%s%s%s;", what, name ? " " : "",
             name ? name : "");
    int number = failure;
    pthread_mutex_unlock(&lock);
    return number;
}

void disk_watch(void)
{
    pthread_mutex_lock(&lock);
    steps[0] = '\0';
    pthread_mutex_unlock(&lock);
}

const char *disk_steps(void)
{
    pthread_mutex_lock(&lock);
    memcpy(shown, steps, sizeof steps);
    pthread_mutex_unlock(&lock);
    return shown;
}

void disk_fail(int number)
{
    pthread_mutex_lock(&lock);
    failure = number;
    pthread_mutex_unlock(&lock);
}

int syncfs(int fd)
{
    int number = note("syncfs", NULL);
    errno = number;
    return number ? -1 : (int)syscall(SYS_syncfs, fd);
}

int fsync(int fd)
{
    char link[64], path[4096] = "?";
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    path[n > 0 ? n : 1] = '\0';
    int number = note("fsync", path);
    errno = number;
    return number ? -1 : (int)syscall(SYS_fsync, fd);
}

int rename(const char *from, const char *to)
{
    note("rename", to);
    return (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
}

int renameat(int from_dir, const char *from, int to_dir, const char *to)
{
    note("rename", to);
    return (int)syscall(SYS_renameat2, from_dir, from, to_dir, to, 0);
}
