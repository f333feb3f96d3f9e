/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/cgroup/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>

#include "base/fs.h"
#include "base/text.h"

#ifndef CGROUP2_SUPER_MAGIC
#define CGROUP2_SUPER_MAGIC 0x63677270
#endif
#ifndef CGROUP_SUPER_MAGIC
#define CGROUP_SUPER_MAGIC 0x27e0eb
#endif

#define DIR_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
#define DEPTH_MAX 64 /* a container with a cgroup manager of its own nests a few */

enum cgroup_mode cgroup_mode(void)
{
    struct statfs fs;
    if (statfs(CGROUP_ROOT, &fs) < 0)
        return CGROUP_NONE;
    if (fs.f_type == CGROUP2_SUPER_MAGIC)
        return CGROUP_V2;
    if (statfs(CGROUP_UNIFIED, &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC)
        return CGROUP_HYBRID;
    if (statfs(CGROUP_ROOT "/memory", &fs) == 0 && fs.f_type == CGROUP_SUPER_MAGIC)
        return CGROUP_V1;
    if (statfs(CGROUP_ROOT "/pids", &fs) == 0 && fs.f_type == CGROUP_SUPER_MAGIC)
        return CGROUP_V1;
    return CGROUP_NONE;
}

const char *cgroup_mode_name(enum cgroup_mode mode)
{
    static const char *const names[] = {"none", "v1", "v2", "hybrid"};
    return names[mode];
}

char *cgroup_path(const char *container_id)
{
    return dr_printf("/dray/%s", container_id);
}

/* Something to do with the directory `name` of `parent`, once per hierarchy. */
typedef int (*visit_fn)(void *arg, int parent, const char *name, struct dr_error *err);

/* Calls visit for path in each hierarchy. Goes on after a failure and reports the first.
 */
static int each_hierarchy(const char *path, visit_fn visit, void *arg,
                          struct dr_error *err)
{
    const char *relative = path + strspn(path, "/");
    dr_auto_fd int root = open(CGROUP_ROOT, DIR_FLAGS);
    if (root < 0)
        return 0; /* no cgroups, none of ours */
    if (cgroup_mode() == CGROUP_V2)
        return visit(arg, root, relative, err);
    int copy = openat(root, ".", DIR_FLAGS), result = 0;
    DIR *dir = copy >= 0 ? fdopendir(copy) : NULL;
    struct dirent *entry;
    struct statfs fs;
    while (dir && (entry = readdir(dir))) {
        /* "cpu -> cpu,cpuacct" and the like are symlinks to a hierarchy met anyway */
        if (entry->d_name[0] == '.' || entry->d_type == DT_LNK)
            continue;
        dr_auto_fd int top = openat(root, entry->d_name, DIR_FLAGS);
        /* a plain directory in that place (a hidden hierarchy, see monitor/) is no cgroup
         */
        if (top < 0 || fstatfs(top, &fs) < 0 ||
            (fs.f_type != CGROUP_SUPER_MAGIC && fs.f_type != CGROUP2_SUPER_MAGIC))
            continue;
        dr_auto_error struct dr_error later = DR_ERROR_INIT;
        if (visit(arg, top, relative, result < 0 ? &later : err) < 0)
            result = -1;
    }
    if (dir)
        closedir(dir);
    return result;
}

/* Calls visit for each directory of the tree, children before their parent. */
static int each_below(visit_fn visit, void *arg, int parent, const char *name, int depth,
                      struct dr_error *err)
{
    int fd = openat(parent, name, DIR_FLAGS);
    if (fd < 0)
        return errno == ENOENT ? 0
                               : dr_fail_errno(err, DR_ERR_INTERNAL, "cgroup %s", name);
    struct stat st;
    /* two links: no child; cgroup file systems keep the count */
    if (fstat(fd, &st) == 0 && st.st_nlink > 2 && depth < DEPTH_MAX) {
        int copy = openat(fd, ".", DIR_FLAGS);
        DIR *dir = copy >= 0 ? fdopendir(copy) : NULL;
        struct dirent *entry;
        while (dir && (entry = readdir(dir))) {
            dr_auto_error struct dr_error ignored =
                DR_ERROR_INIT; /* the parent will fail */
            if (entry->d_type == DT_DIR && entry->d_name[0] != '.')
                each_below(visit, arg, fd, entry->d_name, depth + 1, &ignored);
        }
        if (dir)
            closedir(dir);
    }
    close(fd);
    return visit(arg, parent, name, err);
}

/* --- processes --- */

struct census {
    bool kill;
    long count; /* processes met */
    long one;   /* one of them */
};

static void write_file(int dir, const char *cgroup, const char *file, const char *text)
{
    dr_auto_free char *path = dr_printf("%s/%s", cgroup, file);
    dr_auto_fd int fd = openat(dir, path, O_WRONLY | O_CLOEXEC);
    if (fd >= 0 && write(fd, text, strlen(text)) < 0)
        return; /* best effort: the census tells whether it worked */
}

/* The list of a cgroup's processes; NULL when it is not there (any more). */
static FILE *open_processes(int parent, const char *name)
{
    dr_auto_free char *path = dr_printf("%s/cgroup.procs", name);
    dr_auto_fd int fd = openat(parent, path, O_RDONLY | O_CLOEXEC);
    FILE *file = fd >= 0 ? fdopen(fd, "re") : NULL;
    if (file)
        fd = -1; /* the stream's now */
    return file;
}

static int count_processes(void *arg, int parent, const char *name, struct dr_error *err)
{
    struct census *census = arg;
    FILE *file = open_processes(parent, name);
    if (!file)
        return 0;
    long pid;
    while (fscanf(file, "%ld", &pid) == 1) {
        /* 0: a process of another pid namespace than ours, which cannot be ours to kill
         */
        if (pid <= 0)
            continue;
        census->count++;
        census->one = pid;
        if (census->kill)
            kill((pid_t)pid, SIGKILL);
    }
    fclose(file);
    return 0;
}

static int census_tree(void *arg, int parent, const char *name, struct dr_error *err)
{
    struct census *census = arg;
    if (census->kill) {
        /* v2 since 5.14 kills the whole tree at once; elsewhere there is no such file */
        write_file(parent, name, "cgroup.kill", "1");
        write_file(parent, name, "cgroup.freeze", "0");
        write_file(parent, name, "freezer.state", "THAWED");
    }
    return each_below(count_processes, census, parent, name, 0, err);
}

bool cgroup_is_empty(const char *path)
{
    struct census census = {0};
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    each_hierarchy(path, census_tree, &census, &err);
    return census.count == 0;
}

int cgroup_kill(const char *path, int64_t deadline_ms, struct dr_error *err)
{
    for (int pause_ms = 1;; pause_ms = pause_ms < 20 ? pause_ms * 2 : 20) {
        struct census census = {0};
        each_hierarchy(path, census_tree, &census, err);
        if (census.count == 0)
            return 0;
        census = (struct census){.kill = true};
        each_hierarchy(path, census_tree, &census, err);
        if (dr_clock_ms() > deadline_ms)
            return dr_fail(
                err, DR_ERR_TIMEOUT,
                "process %ld of cgroup %s does not die: it waits in the kernel",
                census.one, path);
        poll(NULL, 0, pause_ms);
    }
}

struct pids {
    int64_t *list;
    size_t count, cap;
};

static int add_pids(void *arg, int parent, const char *name, struct dr_error *err)
{
    struct pids *pids = arg;
    FILE *file = open_processes(parent, name);
    if (!file)
        return 0;
    long pid;
    while (fscanf(file, "%ld", &pid) == 1) {
        if (pid <= 0)
            continue;
        if (pids->count == pids->cap) {
            pids->cap = pids->cap ? pids->cap * 2 : 64;
            pids->list = dr_realloc(pids->list, pids->cap * sizeof *pids->list);
        }
        pids->list[pids->count++] = pid;
    }
    fclose(file);
    return 0;
}

static int add_tree(void *arg, int parent, const char *name, struct dr_error *err)
{
    return each_below(add_pids, arg, parent, name, 0, err);
}

static int by_number(const void *a, const void *b)
{
    int64_t one = *(const int64_t *)a, two = *(const int64_t *)b;
    return one < two ? -1 : one > two;
}

int64_t *cgroup_pids(const char *path, size_t *ret_count)
{
    struct pids pids = {0};
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    each_hierarchy(path, add_tree, &pids, &err);
    if (pids.count > 0)
        qsort(pids.list, pids.count, sizeof *pids.list, by_number);
    size_t kept = 0; /* each hierarchy has told all of them */
    for (size_t i = 0; i < pids.count; i++)
        if (i == 0 || pids.list[i] != pids.list[i - 1])
            pids.list[kept++] = pids.list[i];
    *ret_count = kept;
    return pids.list;
}

/* --- removal --- */

/* A process that was reaped a moment ago may still be on its way out of the cgroup: for
 * that one it waits, for one that lives it does not. */
static int remove_one(void *arg, int parent, const char *name, struct dr_error *err)
{
    for (int attempt = 0; unlinkat(parent, name, AT_REMOVEDIR) < 0; attempt++) {
        int why = errno;
        struct census census = {0};
        dr_auto_error struct dr_error ignored = DR_ERROR_INIT;
        if (why == ENOENT)
            return 0;
        if (why == EBUSY)
            each_below(count_processes, &census, parent, name, 0, &ignored);
        errno = why;
        if (why != EBUSY || census.count > 0 || attempt == 100)
            return dr_fail_errno(err, DR_ERR_INTERNAL, "remove cgroup %s", name);
        poll(NULL, 0, attempt < 10 ? 1 : 10);
    }
    return 0;
}

static int remove_tree(void *arg, int parent, const char *name, struct dr_error *err)
{
    if (unlinkat(parent, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
        return 0; /* the usual case costs one call */
    return each_below(remove_one, arg, parent, name, 0, err);
}

int cgroup_remove(const char *path, struct dr_error *err)
{
    return each_hierarchy(path, remove_tree, NULL, err);
}

/* --- out of memory --- */

static int read_oom(void *arg, int parent, const char *name, struct dr_error *err)
{
    static const char *const files[] = {"memory.events", "memory.oom_control"};
    long *kills = arg;
    for (size_t i = 0; i < DR_COUNT(files); i++) {
        dr_auto_free char *path = dr_printf("%s/%s", name, files[i]);
        dr_auto_fd int fd = openat(parent, path, O_RDONLY | O_CLOEXEC);
        char text[1024];
        ssize_t n = fd >= 0 ? read(fd, text, sizeof text - 1) : -1;
        if (n <= 0)
            continue;
        text[n] = '\0';
        const char *found = strstr(text, "oom_kill ");
        long value;
        if (found && sscanf(found, "oom_kill %ld", &value) == 1 && value > *kills)
            *kills = value;
    }
    return 0;
}

long cgroup_oom_kills(const char *path)
{
    long kills = 0;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    each_hierarchy(path, read_oom, &kills, &err);
    return kills;
}
