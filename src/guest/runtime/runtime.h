/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The OCI runtimes: which one, how each is called, what its failure means.
 *
 * dray calls them by the command line that runc made and the others took over. The places
 * where they differ are one table (traits). Only two verbs are used, `run --detach` and
 * `exec --detach`: dray kills by pidfd and cleans up by name itself, because that works
 * when the runtime's own state is torn (HAZARDS I7).
 */
#ifndef DRAY_GUEST_RUNTIME_H
#define DRAY_GUEST_RUNTIME_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/json.h"
#include "guest/runtime/console.h"

enum runtime_kind { RUNTIME_YOUKI, RUNTIME_CRUN, RUNTIME_RUNC, RUNTIME_OTHER };

struct runtime_traits {
    const char *name; /* of the program */
    /* It refuses hosts where v1 controllers and a v2 hierarchy are mounted side by side:
     * it is shown the v1 ones alone, in a private mount namespace. */
    bool no_hybrid_cgroup;
    /* Takes a compiled seccomp filter from the annotation run.oci.seccomp_bpf_data, and
     * leaves the one that it compiled at <--root>/<id>/seccomp.bpf. */
    bool seccomp_bpf;
    /* Its log is asked for as text: what it says of an exec that fails comes out of the
     * container's own stderr, in the format of the log, and is for a person to read. */
    bool log_text;
    /* It copies itself before it runs, so that a container cannot overwrite it
     * (CVE-2019-5736), unless it was started from a read-only mount and told so: that
     * saves it an exec. */
    bool clones_itself;
};

struct runtime {
    enum runtime_kind kind;
    char *path; /* absolute, owned */
    const struct runtime_traits *traits;
    /* identity of the program's file, so that caches notice another one */
    int64_t size_bytes, mtime_ns;
};

/* The PATH on which runtimes are looked for, and that they get. */
#define RUNTIME_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/*
 * C03. wanted: a path (with a slash: verified executable, used verbatim) or a program's
 * name; NULL: youki, crun, runc, the first that is there. DR_ERR_CONFIG says what to do
 * when there is none. The caller releases.
 */
int runtime_find(const char *wanted, struct runtime *ret, struct dr_error *err);
void runtime_release(struct runtime *runtime);
const struct runtime_traits *runtime_traits_of(enum runtime_kind kind);
/* From the last component of a path; a name that is none of the three is OTHER. */
enum runtime_kind runtime_kind_of(const char *path);

/* All runtimes that are there, for `info`: a new array of {"name","path","version",
 * "warnings":[…]}, the one that would be used first; warnings are sentences about
 * known-bad versions. Versions are asked once and kept in <root>/cache/. */
json_t *runtime_list(const char *root, const char *wanted);
/* "1.8.1", owned; NULL when the program does not say. */
char *runtime_version(const char *root, const struct runtime *runtime);
/* A sentence naming the CVE when this version is known to be bad; NULL: none known.
 * Owned. */
char *runtime_version_warning(enum runtime_kind kind, const char *version);

/* --- calling it --- */

struct runtime_call {
    const struct runtime *runtime;
    const char *state_root; /* --root */
    const char *log_path;   /* --log: JSON lines; errors are read from it */
    const char *id;
    int stdio[3];            /* what the container gets; -1: /dev/null */
    int mount_ns;            /* mount namespace to enter first; -1: ours */
    struct console *console; /* the terminal that it makes; NULL: none */
    const int *kept;         /* what its process gets as 3, 4 …, beside the three */
    size_t kept_count;       /* at most RUNTIME_KEPT_MAX */
};
#define RUNTIME_KEPT_MAX 3

/* NULL-terminated, owned (dr_strv_free). */
char **runtime_argv_run(const struct runtime_call *call, const char *bundle,
                        const char *pid_file);
char **runtime_argv_exec(const struct runtime_call *call, const char *process_file,
                         const char *pid_file);

/* Starts argv with the descriptors of the call and none beside them (CVE-2024-21626),
 * an environment of PATH alone, no signal blocked or ignored. The caller waits for it. */
int runtime_spawn(const struct runtime_call *call, char *const *argv, pid_t *ret_pid,
                  struct dr_error *err);
/* Waits for a child, at most until deadline_ms; killed and reaped when it passes
 * (DR_ERR_TIMEOUT). */
int runtime_wait(pid_t pid, int64_t deadline_ms, int *ret_status, struct dr_error *err);

/*
 * The same, reading stderr_fd (-1: none; non-blocking) meanwhile: what comes is the
 * runtime's complaint or, when it succeeds, the container's first words. When ret_text is
 * full the rest stays in the pipe. console: what is taken when it comes; may be NULL.
 */
int runtime_wait_reading(pid_t pid, int stderr_fd, struct console *console,
                         int64_t deadline_ms, int *ret_status, struct dr_buf *ret_text,
                         struct dr_error *err);

/* The pid that the runtime wrote; -1 with err. */
pid_t runtime_pid_read(const char *pid_file, struct dr_error *err);

/*
 * Makes the error of a call that failed: "crun run failed (status 1): <its last words>",
 * DR_ERR_START from DR_AT_RUNTIME; code 127 or 126 when its words say that the command is
 * not there or cannot be executed. output: its log and stderr, whole; program and status
 * (C32). Returns -1.
 */
int runtime_failed(const struct runtime_call *call, const char *verb, int wait_status,
                   const char *stderr_text, struct dr_error *err);

/* What may be to blame for a failure. */
struct runtime_blame {
    int root;                 /* of the container's file system; -1: not known */
    const char *cwd;          /* of the process that was to be */
    int64_t pids, pids_limit; /* that it has, and may have (0: no limit) */
    const json_t *mounts;     /* of config.json; may be NULL */
};
/*
 * After runtime_failed: when the reason can be seen, the error's text says that in one
 * line of ours, and its kind is no longer START but INVALID, CONFLICT or UNSUPPORTED;
 * program, status and output stay.
 */
void runtime_explain(const struct runtime *runtime, const struct runtime_blame *blame,
                     struct dr_error *err);

#endif
