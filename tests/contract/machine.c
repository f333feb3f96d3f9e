/* SPDX-License-Identifier: Apache-2.0 */
/* Looking at the machine from outside of dray: files, processes, what is left behind. */
#include "contract.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

void sleep_ms(int ms)
{
    struct timespec time = {ms / 1000, ms % 1000 * 1000000L};
    while (nanosleep(&time, &time) < 0 && errno == EINTR)
        ;
}

bool exists(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0;
}

static char *read_stream(FILE *file)
{
    size_t size = 0, room = 65536;
    char *content = malloc(room);
    for (size_t n; (n = fread(content + size, 1, room - size - 1, file)) > 0;) {
        size += n;
        if (room - size < 4096)
            content = realloc(content, room *= 2);
    }
    content[size] = '\0';
    for (size_t i = 0; i < size; i++) /* lists of /proc end their words with NUL */
        if (!content[i])
            content[i] = ' ';
    defer(free, content);
    return content;
}

char *slurp(const char *path)
{
    FILE *file = fopen(path, "re");
    if (!file)
        return text("%s", "");
    char *content = read_stream(file);
    fclose(file);
    return content;
}

void spill(const char *path, const char *content, int mode)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
    if (fd < 0 || write(fd, content, strlen(content)) != (ssize_t)strlen(content))
        fail_msg("write %s: %s", path, strerror(errno));
    close(fd);
}

char *shell(int *ret_status, const char *format, ...)
{
    va_list values;
    char *command;
    va_start(values, format);
    if (vasprintf(&command, format, values) < 0)
        abort();
    va_end(values);
    FILE *file = popen(command, "re");
    if (!file)
        fail_msg("%s: %s", command, strerror(errno));
    char *output = read_stream(file);
    int status = pclose(file);
    if (ret_status)
        *ret_status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    else if (status != 0)
        fail_msg("%s: status %d: %s", command, status, output);
    free(command);
    size_t len = strlen(output);
    while (len && output[len - 1] == '\n')
        output[--len] = '\0';
    return output;
}

bool process_alive(int64_t pid)
{
    const char *stat = slurp(text("/proc/%lld/stat", (long long)pid));
    const char *close_paren = strrchr(stat, ')');
    return close_paren && close_paren[2] != 'Z' && close_paren[2] != 'X';
}

int64_t process_number(int64_t pid, const char *field)
{
    const char *status = slurp(text("/proc/%lld/status", (long long)pid));
    const char *line = strstr(status, text("\n%s:", field));
    return line ? strtoll(line + strlen(field) + 2, NULL, 10) : -1;
}

int descriptors(int64_t pid)
{
    DIR *open_dir = opendir(text("/proc/%lld/fd", (long long)pid));
    int count = 0;
    for (struct dirent *entry; open_dir && (entry = readdir(open_dir));)
        count += entry->d_name[0] != '.';
    if (open_dir)
        closedir(open_dir);
    return count;
}

/* --- the baseline --- */

struct lines {
    char *text[8192];
    size_t count;
};

static void line(struct lines *lines, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void line(struct lines *lines, const char *format, ...)
{
    va_list values;
    va_start(values, format);
    if (lines->count < sizeof lines->text / sizeof lines->text[0] &&
        vasprintf(&lines->text[lines->count], format, values) >= 0)
        lines->count++;
    va_end(values);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void mounts(struct lines *lines)
{
    FILE *file = fopen("/proc/self/mountinfo", "re");
    char buffer[8192], device[64], from[2048], to[2048];
    while (file && fgets(buffer, sizeof buffer, file))
        if (sscanf(buffer, "%*s %*s %63s %2047s %2047s", device, from, to) == 3)
            line(lines, "mount %s %s %s", device, from, to);
    if (file)
        fclose(file);
}

static void entries(struct lines *lines, const char *what, const char *path)
{
    DIR *open_dir = opendir(path);
    if (!open_dir)
        return;
    for (struct dirent *entry; (entry = readdir(open_dir));)
        if (entry->d_name[0] != '.')
            line(lines, "%s %s", what, entry->d_name);
    closedir(open_dir);
}

static void directories(struct lines *lines, const char *what, const char *path)
{
    DIR *open_dir = opendir(path);
    if (!open_dir)
        return;
    for (struct dirent *entry; (entry = readdir(open_dir));)
        /* "networks" is of all containers; who is on one is a directory in it */
        if (entry->d_name[0] != '.' && entry->d_type == DT_DIR &&
            strcmp(entry->d_name, "networks") != 0)
            line(lines, "%s %s", what, entry->d_name);
    closedir(open_dir);
}

static struct lines *walk_lines;
static int cgroup_seen(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    if (kind == FTW_D && strstr(path, "/dray/"))
        line(walk_lines, "cgroup %s", path);
    return 0;
}

static bool of_us(const char *exe, const char *words)
{
    const char *name = strrchr(exe, '/');
    if (strncmp(exe, dir, strlen(dir)) == 0)
        return true; /* helpers and monitors */
    if (!name)
        return false;
    name++;
    return (strcmp(name, "crun") == 0 || strcmp(name, "runc") == 0 ||
            strcmp(name, "youki") == 0) &&
           strstr(words, dir);
}

static void processes(struct lines *lines)
{
    DIR *proc = opendir("/proc");
    for (struct dirent *entry; proc && (entry = readdir(proc));) {
        char path[64], exe[4096], words[4096];
        if (entry->d_name[0] < '0' || entry->d_name[0] > '9')
            continue;
        snprintf(path, sizeof path, "/proc/%.20s/exe", entry->d_name);
        ssize_t len = readlink(path, exe, sizeof exe - 1);
        if (len <= 0)
            continue; /* a zombie, or gone */
        exe[len] = '\0';
        snprintf(path, sizeof path, "/proc/%.20s/cmdline", entry->d_name);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        len = fd < 0 ? 0 : read(fd, words, sizeof words - 1);
        if (fd >= 0)
            close(fd);
        words[len > 0 ? len : 0] = '\0';
        for (ssize_t i = 0; i < len - 1; i++)
            if (!words[i])
                words[i] = ' ';
        if (of_us(exe, words))
            line(lines, "process %s", words);
    }
    if (proc)
        closedir(proc);
}

/* Of our own namespace: /sys may be another's. */
static void links(struct lines *lines)
{
    char *rest, *line_text = strtok_r(slurp("/proc/self/net/dev"), "\n", &rest);
    for (; line_text; line_text = strtok_r(NULL, "\n", &rest)) {
        char *colon = strchr(line_text, ':');
        if (colon)
            line(lines, "link %.*s", (int)(colon - line_text), line_text);
    }
}

char *baseline(void)
{
    static struct lines lines;
    lines.count = 0;
    mounts(&lines);
    links(&lines);
    entries(&lines, "network namespace", "/run/netns");
    walk_lines = &lines;
    nftw("/sys/fs/cgroup", cgroup_seen, 64, FTW_PHYS);
    processes(&lines);
    directories(&lines, "run directory", run_root);
    char members[4096];
    snprintf(members, sizeof members, "%s/networks", run_root);
    directories(&lines, "members of networks", members);
    static const char *const kept[] = {"containers", "bundles", "logs",
                                       "volumes",    "tmp",     "layers/tmp"};
    for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++) {
        char path[4096];
        snprintf(path, sizeof path, "%s/%s", root, kept[i]);
        entries(&lines, kept[i], path);
    }
    entries(&lines, "temporary file", getenv("TMPDIR"));
    qsort(lines.text, lines.count, sizeof lines.text[0], by_text);
    size_t size = 1;
    for (size_t i = 0; i < lines.count; i++)
        size += strlen(lines.text[i]) + 1;
    char *all = malloc(size), *end = all;
    for (size_t i = 0; i < lines.count; i++) {
        end = stpcpy(stpcpy(end, lines.text[i]), "\n");
        free(lines.text[i]);
    }
    *end = '\0';
    defer(free, all);
    return all;
}

/* The lines of a that b does not have. */
static void difference(const char *a, const char *b, const char *sign)
{
    for (const char *from = a; *from;) {
        size_t len = strcspn(from, "\n") + 1;
        char *one = strndup(from, len);
        const char *found = strstr(b, one);
        if (!found || (found != b && found[-1] != '\n'))
            print_error("  %s %s", sign, one);
        free(one);
        from += len;
    }
}

void expect_baseline(const char *before)
{
    /* monitors and cgroups end in their own time */
    char *after = baseline();
    for (int i = 0; i < 800 && strcmp(before, after) != 0; i++) {
        sleep_ms(i < 20 ? 5 : 25);
        after = baseline();
    }
    if (strcmp(before, after) == 0)
        return;
    print_error("lost (<) or left behind (>):\n");
    difference(before, after, "<");
    difference(after, before, ">");
    fail();
}
