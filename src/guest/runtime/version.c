/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/runtime/runtime.h"

#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "base/fs.h"
#include "base/sha256.h"
#include "base/text.h"

#define VERSION_MS 10000
#define CACHE_MAX 4096

/* Versions before `fixed` have the flaw; distributions may have patched theirs. */
static const struct {
    enum runtime_kind kind;
    int fixed[3];
    const char *cve, *what;
} flaws[] = {
    {RUNTIME_RUNC,
     {1, 1, 12},
     "CVE-2024-21626",
     "a leaked descriptor lets containers out"},
    {RUNTIME_RUNC,
     {1, 2, 8},
     "CVE-2025-31133",
     "masked paths can be turned against the host"},
    {RUNTIME_CRUN, {1, 4, 4}, "CVE-2022-27650", "exec gives inheritable capabilities"},
    {RUNTIME_YOUKI,
     {0, 5, 7},
     "CVE-2025-62161",
     "masked paths can be turned against the host"},
};

static bool parse_version(const char *text, int ret[3])
{
    ret[0] = ret[1] = ret[2] = 0;
    return text && sscanf(text, "%d.%d.%d", &ret[0], &ret[1], &ret[2]) >= 2;
}

char *runtime_version_warning(enum runtime_kind kind, const char *version)
{
    int have[3];
    if (!parse_version(version, have))
        return NULL;
    for (size_t i = 0; i < DR_COUNT(flaws); i++) {
        const int *fixed = flaws[i].fixed;
        if (flaws[i].kind != kind || have[0] > fixed[0] ||
            (have[0] == fixed[0] &&
             (have[1] > fixed[1] || (have[1] == fixed[1] && have[2] >= fixed[2]))))
            continue;
        return dr_printf("%s %s is older than %d.%d.%d, which fixed %s (%s); update it "
                         "unless your distribution has patched it",
                         runtime_traits_of(kind)->name, version, fixed[0], fixed[1],
                         fixed[2], flaws[i].cve, flaws[i].what);
    }
    return NULL;
}

/* The word behind "version" in the first line, however the program spells the line. */
static char *find_version(const char *text)
{
    const char *word = strstr(text, "version");
    if (!word)
        return NULL;
    word += strlen("version");
    word += strspn(word, ": v");
    size_t len = strcspn(word, " \t\r\n");
    return len > 0 && isdigit((unsigned char)*word) ? dr_strndup(word, len) : NULL;
}

static char *ask(const struct runtime *runtime)
{
    int pipe_fds[2];
    if (pipe2(pipe_fds, O_CLOEXEC) < 0)
        return NULL;
    dr_auto_fd int in = pipe_fds[0];
    struct runtime_call call = {
        .runtime = runtime, .stdio = {-1, pipe_fds[1], -1}, .mount_ns = -1};
    char *argv[] = {runtime->path, (char *)"--version", NULL};
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    pid_t pid;
    int status, started = runtime_spawn(&call, argv, &pid, &err);
    close(pipe_fds[1]);
    if (started < 0)
        return NULL;
    char text[CACHE_MAX];
    size_t used = 0;
    int64_t deadline = dr_clock_ms() + VERSION_MS;
    while (used < sizeof text - 1) {
        struct pollfd fd = {.fd = in, .events = POLLIN};
        int64_t left = deadline - dr_clock_ms();
        if (left <= 0 || poll(&fd, 1, (int)left) <= 0)
            break;
        ssize_t n = read(in, text + used, sizeof text - 1 - used);
        if (n <= 0)
            break;
        used += (size_t)n;
    }
    text[used] = '\0';
    if (runtime_wait(pid, deadline, &status, &err) < 0)
        return NULL;
    return find_version(text);
}

char *runtime_version(const char *root, const struct runtime *runtime)
{
    dr_auto_free char *identity =
        dr_printf("%s\n%lld\n%lld", runtime->path, (long long)runtime->size_bytes,
                  (long long)runtime->mtime_ns);
    char hash[DR_SHA256_HEX + 1];
    dr_sha256_of(identity, strlen(identity), hash);
    dr_auto_free char *dir = dr_printf("%s/cache", root);
    dr_auto_free char *path = dr_printf("%s/runtime-%.16s.json", dir, hash);

    dr_auto_error struct dr_error ignored = DR_ERROR_INIT; /* a cache may fail */
    dr_auto_buf struct dr_buf text = DR_BUF_INIT(CACHE_MAX);
    if (dr_file_read(AT_FDCWD, path, &text, &ignored) == 0 && text.data) {
        dr_auto_json json_t *kept =
            dr_json_parse(text.data, text.len, CACHE_MAX, &ignored);
        if (dr_json_str(kept, "version"))
            return dr_strdup(dr_json_str(kept, "version"));
    }
    char *version = ask(runtime);
    if (!version)
        return NULL;
    dr_auto_json json_t *keep = json_object();
    dr_json_set_str(keep, "path", runtime->path);
    dr_json_set_str(keep, "version", version);
    dr_auto_free char *json = dr_json_text(keep);
    dr_error_release(&ignored);
    if (dr_mkdir_all(dir, 0700, &ignored) == 0)
        dr_file_write(AT_FDCWD, path, json, strlen(json), 0600, 0, &ignored);
    return version;
}

static void add(json_t *list, const char *root, const struct runtime *runtime)
{
    json_t *item = json_object(), *warnings = json_array();
    dr_auto_free char *version = runtime_version(root, runtime);
    dr_auto_free char *warning = runtime_version_warning(runtime->kind, version);
    dr_json_set_str(item, "name",
                    runtime->kind == RUNTIME_OTHER ? runtime->path
                                                   : runtime->traits->name);
    dr_json_set_str(item, "path", runtime->path);
    dr_json_set_str(item, "version", version);
    if (warning)
        json_array_append_new(warnings, json_string(warning));
    if (runtime->kind ==
        RUNTIME_YOUKI) /* seen with 0.7.0; no version is known to be better */
        json_array_append_new(
            warnings, json_string("youki runs `exec` without the container's seccomp "
                                  "profile; use crun or runc where that matters"));
    dr_json_set(item, "warnings", warnings);
    json_array_append_new(list, item);
}

json_t *runtime_list(const char *root, const char *wanted)
{
    json_t *list = json_array();
    dr_auto_error struct dr_error ignored = DR_ERROR_INIT;
    struct runtime used = {0}, other;
    if (runtime_find(wanted, &used, &ignored) == 0)
        add(list, root, &used);
    for (int kind = 0; kind < RUNTIME_OTHER; kind++) {
        dr_error_release(&ignored);
        if (runtime_find(runtime_traits_of((enum runtime_kind)kind)->name, &other,
                         &ignored) < 0)
            continue;
        if (!used.path || strcmp(used.path, other.path) != 0)
            add(list, root, &other);
        runtime_release(&other);
    }
    runtime_release(&used);
    return list;
}
