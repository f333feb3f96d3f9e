/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/cgroup/limits.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/fs.h"
#include "base/text.h"
#include "guest/cgroup/file.h"
#include "guest/cgroup/stats.h"

#define CPU_PERIOD_US 100000
#define SHARES_DEFAULT 1024
#define WRITES_MAX 8

/* One file to write, in both worlds. */
struct write_step {
    const char *what; /* for errors */
    const char *controller, *v1, *v2;
    char v1_text[32], v2_text[48];
    bool optional; /* not on every kernel */
};

struct plan {
    struct write_step steps[WRITES_MAX];
    size_t count;
};

struct cgroup_undo {
    struct plan plan; /* the texts are what was there */
};

static void add(struct plan *plan, const char *what, const char *controller,
                const char *v1, const char *v1_text, const char *v2, const char *v2_text,
                bool optional)
{
    struct write_step *step = &plan->steps[plan->count++];
    *step = (struct write_step){
        .what = what, .controller = controller, .v1 = v1, .v2 = v2, .optional = optional};
    snprintf(step->v1_text, sizeof step->v1_text, "%s", v1_text ? v1_text : "");
    snprintf(step->v2_text, sizeof step->v2_text, "%s", v2_text ? v2_text : "");
}

static void number(char ret[32], int64_t value, const char *none)
{
    if (value > 0)
        snprintf(ret, 32, "%lld", (long long)value);
    else
        snprintf(ret, 32, "%s", none);
}

/* v1 holds memory <= memory with swap at every moment, so the order depends on the way.
 */
static void plan_memory(struct plan *plan, int64_t bytes, int64_t now)
{
    char v1[32], v1_swap[32], v2[32];
    int64_t both = bytes <= INT64_MAX / 2 ? bytes * 2 : 0;
    bool raise = bytes == 0 || bytes > now;
    number(v1, bytes, "-1");
    number(v1_swap, both, "-1");
    number(v2, bytes, "max");
    for (int i = 0; i < 2; i++)
        if ((i == 0) == raise)
            add(plan, "memory and swap", "memory", "memory.memsw.limit_in_bytes", v1_swap,
                "memory.swap.max", v2, true);
        else
            add(plan, "memory", "memory", "memory.limit_in_bytes", v1, "memory.max", v2,
                false);
}

static void plan_cpus(struct plan *plan, int64_t nano)
{
    char quota[32], both[48];
    number(quota, nano / (1000000000 / CPU_PERIOD_US), "-1");
    if (nano)
        snprintf(both, sizeof both, "%s %d", quota, CPU_PERIOD_US);
    else
        snprintf(both, sizeof both, "max %d", CPU_PERIOD_US);
    add(plan, "cpus", "cpu", "cpu.cfs_period_us", "100000", NULL, NULL, true);
    add(plan, "cpus", "cpu", "cpu.cfs_quota_us", quota, "cpu.max", both, false);
}

static void plan_shares(struct plan *plan, int64_t shares)
{
    char v1[32], v2[32];
    if (shares == 0)
        shares = SHARES_DEFAULT;
    number(v1, shares, "1024");
    /* [2, 262144] to [1, 10000], as the runtimes do */
    number(v2, 1 + (shares - 2) * 9999 / 262142, "100");
    add(plan, "cpu_shares", "cpu", "cpu.shares", v1, "cpu.weight", v2, false);
}

static int refused(const char *root, const char *path, const struct write_step *step,
                   const struct cgroup_limits *limits, struct dr_error *err)
{
    struct cgroup_stats now = {0};
    int code = errno;
    if (code == ENOENT) {
        dr_auto_fd int any = cgroup_file_open(root, path, "freezer", "cgroup.procs",
                                              "cgroup.procs", O_RDONLY, NULL);
        if (any < 0)
            return dr_fail(err, DR_ERR_NOT_FOUND, "it has no cgroup any more");
        return dr_fail(err, DR_ERR_UNSUPPORTED,
                       "%s: this target has no cgroup controller `%s` for it", step->what,
                       step->controller);
    }
    if (code == EBUSY && strcmp(step->controller, "memory") == 0) {
        cgroup_stats_read(root, path, &now);
        dr_auto_free char *used = dr_size_text(now.memory_bytes),
                          *limit = dr_size_text(limits->memory_bytes);
        dr_fail(err, DR_ERR_CONFLICT,
                "memory: it uses %s now, more than the new limit of %s", used, limit);
        err->code = code;
        return -1;
    }
    errno = code;
    return dr_fail_errno(err, code == EINVAL ? DR_ERR_INVALID : DR_ERR_INTERNAL,
                         "%s: the kernel refuses the value", step->what);
}

/* Reads what is there into *ret_before and writes the new text. 1: skipped. */
static int do_step(const char *root, const char *path, const struct write_step *step,
                   struct write_step *ret_before)
{
    bool v2 = false;
    char text[48];
    *ret_before = *step;
    if (cgroup_file_read(root, path, step->controller, step->v1, step->v2, text,
                         sizeof text, &v2) < 0)
        return step->optional && errno == ENOENT ? 1 : -1;
    text[strcspn(text, "\n")] = '\0';
    snprintf(ret_before->v1_text, sizeof ret_before->v1_text, "%.31s", text);
    snprintf(ret_before->v2_text, sizeof ret_before->v2_text, "%s", text);
    return cgroup_file_write(root, path, step->controller, step->v1, step->v2,
                             v2 ? step->v2_text : step->v1_text);
}

/* cgroup v2 would have its OOM killer make room: that is not what a refusal looks like.
 */
static bool in_use(const char *root, const char *path, int64_t memory_bytes)
{
    struct cgroup_stats now;
    return memory_bytes > 0 && cgroup_stats_read(root, path, &now) == 0 &&
           now.memory_bytes > memory_bytes;
}

int cgroup_limits_set(const char *root, const char *path,
                      const struct cgroup_limits *limits, struct cgroup_undo **ret_undo,
                      struct dr_error *err)
{
    struct plan plan = {0};
    struct cgroup_stats now = {.memory_limit_bytes = INT64_MAX};
    cgroup_stats_read(root, path, &now);
    if (limits->set_memory)
        plan_memory(&plan, limits->memory_bytes, now.memory_limit_bytes);
    if (limits->set_cpus)
        plan_cpus(&plan, limits->nano_cpus);
    if (limits->set_shares)
        plan_shares(&plan, limits->cpu_shares);
    if (limits->set_pids) {
        char text[32];
        number(text, limits->pids_limit, "max");
        add(&plan, "pids_limit", "pids", "pids.max", text, "pids.max", text, false);
    }
    struct cgroup_undo *undo = dr_alloc(sizeof *undo);
    bool busy = limits->set_memory && in_use(root, path, limits->memory_bytes);
    for (size_t i = 0; i < plan.count; i++) {
        struct write_step *before = &undo->plan.steps[undo->plan.count];
        if (busy)
            errno = EBUSY;
        int done = busy ? -1 : do_step(root, path, &plan.steps[i], before);
        if (done == 0)
            undo->plan.count++;
        if (done < 0) {
            refused(root, path, &plan.steps[i], limits, err);
            cgroup_undo_end(root, path, undo, true);
            return -1;
        }
    }
    *ret_undo = undo;
    return 0;
}

void cgroup_undo_end(const char *root, const char *path, struct cgroup_undo *undo,
                     bool put_back)
{
    for (size_t i = undo && put_back ? undo->plan.count : 0; i > 0; i--) {
        struct write_step *step = &undo->plan.steps[i - 1], ignored;
        do_step(root, path, step, &ignored);
    }
    free(undo);
}
