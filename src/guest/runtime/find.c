/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/runtime/runtime.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/text.h"

/* In the order of preference (C03). */
static const struct runtime_traits traits[] = {
    [RUNTIME_YOUKI] = {.name = "youki"},
    [RUNTIME_CRUN] = {.name = "crun",
                      .no_hybrid_cgroup = true,
                      .seccomp_bpf = true,
                      .log_text = true,
                      .clones_itself = true},
    [RUNTIME_RUNC] = {.name = "runc"},
    [RUNTIME_OTHER] = {.name = "runtime"},
};

const struct runtime_traits *runtime_traits_of(enum runtime_kind kind)
{
    return &traits[kind];
}

enum runtime_kind runtime_kind_of(const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    for (int kind = 0; kind < RUNTIME_OTHER; kind++)
        if (strncmp(name, traits[kind].name, strlen(traits[kind].name)) == 0)
            return (enum runtime_kind)kind;
    return RUNTIME_OTHER;
}

void runtime_release(struct runtime *runtime)
{
    free(runtime->path);
    *runtime = (struct runtime){0};
}

static bool fill(struct runtime *ret, const char *path)
{
    struct stat st;
    if (stat(path, &st) < 0)
        return false;
    if (!S_ISREG(st.st_mode) || access(path, X_OK) < 0) {
        errno = EACCES;
        return false;
    }
    enum runtime_kind kind = runtime_kind_of(path);
    *ret = (struct runtime){.kind = kind,
                            .path = dr_strdup(path),
                            .traits = &traits[kind],
                            .size_bytes = st.st_size,
                            .mtime_ns =
                                st.st_mtim.tv_sec * 1000000000LL + st.st_mtim.tv_nsec};
    return true;
}

static bool find_on_path(const char *name, struct runtime *ret)
{
    dr_auto_free char *path = dr_strdup(RUNTIME_PATH);
    char *rest = NULL;
    for (char *dir = strtok_r(path, ":", &rest); dir; dir = strtok_r(NULL, ":", &rest)) {
        dr_auto_free char *candidate = dr_printf("%s/%s", dir, name);
        if (fill(ret, candidate))
            return true;
    }
    return false;
}

int runtime_find(const char *wanted, struct runtime *ret, struct dr_error *err)
{
    if (wanted && strchr(wanted, '/')) {
        if (fill(ret, wanted))
            return 0;
        return dr_fail(err, DR_ERR_CONFIG,
                       "runtime %s: %s; give the path of youki, crun or runc", wanted,
                       errno == EACCES ? "not an executable file" : strerror(errno));
    }
    if (wanted) {
        if (find_on_path(wanted, ret))
            return 0;
        return dr_fail(err, DR_ERR_CONFIG,
                       "runtime %s is not on %s; install it: apt-get install %s", wanted,
                       RUNTIME_PATH, wanted);
    }
    for (int kind = 0; kind < RUNTIME_OTHER; kind++)
        if (find_on_path(traits[kind].name, ret))
            return 0;
    return dr_fail(
        err, DR_ERR_CONFIG,
        "no OCI runtime (youki, crun, runc) is installed; install one: apt-get "
        "install crun");
}
