/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What each verb's options are put into (options.h says how). verbs.c and run-flags.c
 * have the tables.
 */
#ifndef DRAY_CLI_ARGS_H
#define DRAY_CLI_ARGS_H

#include "cli/options.h"

/* run and create: spec.c makes a container's spec of it */
struct run_args {
    bool detach, auto_remove, interactive, read_only, privileged, init, quiet, sig_proxy;
    const char *name, *workdir, *user, *entrypoint, *hostname, *cpus, *network, *pull,
        *platform, *stop_signal, *cidfile;
    char **env, **env_files, **volumes, **tmpfs, **labels, **cap_add, **cap_drop,
        **security_opts, **devices, **ulimits, **sysctls;
    int64_t memory_bytes, shm_size_bytes, cpu_shares, pids_limit, stop_timeout_s;
    bool tls_verify;
};

struct exec_args {
    bool detach, interactive, privileged;
    const char *user, *workdir;
    char **env, **env_files;
};

struct start_args {
    bool attach;
};

struct stop_args {
    int64_t timeout_s; /* -1: the container's own */
};

struct kill_args {
    const char *signal;
};

struct rm_args {
    bool force, volumes;
};

struct ps_args {
    bool all, quiet, latest, no_trunc;
    int64_t last; /* -1: not given */
    char **filters;
    const char *format;
};

struct logs_args {
    bool follow, timestamps;
    const char *tail, *since, *until;
};

struct inspect_args {
    const char *format, *type;
};

struct pull_args {
    bool quiet, tls_verify;
    const char *platform;
};

struct images_args {
    bool quiet, all, digests, no_trunc;
    const char *format;
};

struct rmi_args {
    bool force;
};

struct format_args {
    const char *format;
};

struct no_args {
    char unused;
};

extern const struct cli_option cli_run_options[];
extern const struct cli_option cli_create_options[];
extern const struct cli_option cli_exec_options[];

#endif
