/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What each verb's options are put into (options.h says how). verbs.c and run-flags.c
 * have the tables.
 */
#ifndef DRAY_CLI_ARGS_H
#define DRAY_CLI_ARGS_H

#include "cli/options.h"

/* Of every verb that talks to registries; rows in registry-flags.h, used by registry.c */
struct registry_args {
    bool tls_verify, password_stdin;
    const char *authfile, *cert_dir, *creds, *signature_policy, *tls_ca;
};

/* Of the verbs that pull; rows in registry-flags.h */
struct lock_args {
    bool lock, update;
    const char *file;
};

/* run and create: spec.c makes a container's spec of it */
struct run_args {
    bool detach, auto_remove, interactive, tty, read_only, privileged, init, quiet,
        sig_proxy, no_healthcheck, publish_all;
    const char *name, *workdir, *user, *entrypoint, *hostname, *domainname, *cpus, *ip,
        *ip6, *mac_address, *pull, *platform, *stop_signal, *cidfile, *restart, *schedule,
        *log_driver, *detach_keys, *health_cmd, *health_interval, *health_timeout,
        *health_start_period, *health_start_interval;
    char **env, **env_files, **volumes, **mounts, **tmpfs, **labels, **label_files,
        **cap_add, **cap_drop, **security_opts, **devices, **ulimits, **sysctls,
        **log_opts, **annotations, **attach, **networks, **network_aliases, **dns,
        **dns_search, **dns_options, **hosts, **publish, **expose;
    int64_t memory_bytes, shm_size_bytes, cpu_shares, pids_limit, stop_timeout_s,
        health_retries;
    struct registry_args registry;
    struct lock_args lock;
};

struct exec_args {
    bool detach, interactive, tty, privileged;
    const char *user, *workdir, *detach_keys;
    char **env, **env_files;
};

struct start_args {
    bool attach, interactive;
    const char *detach_keys;
};

struct attach_args {
    bool no_stdin, sig_proxy;
    const char *detach_keys;
};

struct stop_args {
    const char *signal; /* NULL: the container's own */
    int64_t timeout_s;  /* -1: the container's own */
};

struct kill_args {
    const char *signal;
};

struct rm_args {
    bool force, volumes;
};

struct ps_args {
    bool all, quiet, latest, no_trunc, size;
    int64_t last; /* -1: not given */
    char **filters;
    const char *format;
};

struct logs_args {
    bool follow, timestamps;
    const char *tail, *since, *until;
};

struct inspect_args {
    const char *format, *type, *platform;
    bool remote, size;
    struct registry_args registry; /* with remote */
};

struct pull_args {
    bool quiet;
    const char *platform;
    struct registry_args registry;
    struct lock_args lock;
};

struct push_args {
    bool quiet, all_tags;
    struct registry_args registry;
};

struct login_args {
    const char *username;
    struct registry_args registry;
};

struct logout_args {
    bool all;
    struct registry_args registry;
};

struct images_args {
    bool quiet, all, digests, no_trunc;
    const char *format;
    char **filters;
};

struct save_args {
    const char *output, *format;
};

struct load_args {
    bool quiet;
    const char *input, *platform, *signature_policy;
};

struct import_args {
    const char *message, *platform;
    char **changes;
    struct registry_args registry;
};

struct copy_args {
    bool quiet, all;
    const char *platform;
    struct registry_args registry, from, to; /* both, and what is said of one of them */
};

struct search_args {
    bool no_trunc;
    int64_t limit;
    const char *format;
    char **filters;
    struct registry_args registry;
};

struct cache_args {
    bool force, no_trunc, quiet;
    const char *format;
    int64_t keep_bytes;
};

struct rmi_args {
    bool force;
};

struct update_args {
    const char *cpus, *restart;
    int64_t memory_bytes, cpu_shares, pids_limit; /* 0: not given */
};

struct stats_args {
    bool all, no_stream, no_trunc;
    const char *format;
};

struct events_args {
    const char *since, *until, *format;
    char **filters;
    char *const *services; /* of compose: only theirs; NULL: all */
};

struct cp_args {
    bool archive, follow_link, quiet;
};

struct export_args {
    const char *output;
};

struct commit_args {
    const char *author, *message;
    char **changes;
    bool pause;
};

struct history_args {
    bool human, no_trunc, quiet;
    const char *format;
};

struct prune_args {
    bool all, force, volumes;
    char **filters;
};

struct df_args {
    bool verbose;
    const char *format;
};

struct network_create_args {
    bool internal, ipv6;
    const char *driver;
    char **subnets, **gateways, **ranges, **labels, **opts;
};

struct network_ls_args {
    bool quiet, no_trunc;
    const char *format;
    char **filters;
};

struct network_rm_args {
    bool force;
};

struct network_connect_args {
    const char *ip, *ip6, *mac_address;
    char **aliases;
};

struct volume_create_args {
    const char *driver;
    char **labels;
};

struct volume_ls_args {
    bool quiet;
    const char *format;
    char **filters;
};

struct volume_rm_args {
    bool force;
};

struct target_ls_args {
    bool quiet;
    const char *format;
};

struct target_add_args {
    const char *root, *run_root, *bundle_root, *log_root, *runtime, *user;
    const char *connect_timeout, *line_timeout, *network_fallback;
    bool use;
};

struct target_create_args {
    const char *from, *runtime_file, *dir, *platform;
    bool use, quiet;
    struct registry_args registry;
};

struct target_rm_args {
    bool unregister;
};

struct format_args {
    const char *format;
};

/* Of every verb of deployments: which one is meant. */
struct compose_args {
    char **files, **profiles, **env_files;
    const char *name, *directory, *secrets_file;
};

struct up_args {
    struct compose_args of;
    bool detach, dry_run, wait, force_recreate, no_recreate, remove_orphans, no_deps,
        quiet, no_color, no_prefix, timestamps;
    bool abort_on_exit, abort_on_failure;
    const char *exit_code_from; /* a service; as abort_on_exit */
    const char *pull, *format, *timeout;
    int64_t stop_timeout_s; /* -1: the containers' own */
    char **scale;
    bool images_only;              /* of compose pull */
    struct registry_args registry; /* of up and pull; scale has no flags for them */
    struct lock_args lock;
};

struct down_args {
    struct compose_args of;
    bool dry_run, volumes, remove_orphans, quiet;
    const char *format;
    int64_t timeout_s; /* -1: the containers' own */
};

struct compose_config_args {
    struct compose_args of;
    bool quiet, services, volumes, images, schema;
    const char *format;
};

struct compose_logs_args {
    struct compose_args of;
    bool follow, timestamps, no_color, no_prefix;
    const char *tail, *since, *until;
};

struct compose_stop_args {
    struct compose_args of;
    bool dry_run, no_deps, quiet;
    int64_t timeout_s; /* -1: the containers' own */
};

struct compose_each_args {
    struct compose_args of;
    int64_t index; /* of port: the replica's number; 0: the first */
};

struct compose_kill_args {
    struct compose_args of;
    struct kill_args kill;
};

struct compose_attach_args {
    struct compose_args of;
    int64_t index;
    struct attach_args attach;
};

struct compose_cp_args {
    struct compose_args of;
    int64_t index; /* 0: into all replicas, out of the first */
    struct cp_args cp;
};

struct compose_stats_args {
    struct compose_args of;
    struct stats_args stats;
};

struct compose_events_args {
    struct compose_args of;
    bool json;
    struct events_args events;
};

struct compose_images_args {
    struct compose_args of;
    bool quiet, no_trunc;
    const char *format;
};

struct compose_exec_args {
    struct compose_args of;
    bool no_tty;
    int64_t index;
    struct exec_args exec;
};

struct compose_rm_args {
    struct compose_args of;
    bool force, stop, volumes, dry_run, quiet;
    int64_t timeout_s;
};

struct compose_ls_args {
    bool all, quiet;
    const char *format;
};

struct compose_run_args {
    struct compose_args of;
    bool detach, remove, no_deps, no_tty, interactive, quiet;
    const char *name, *user, *workdir, *entrypoint, *pull;
    char **env;
};

struct compose_ps_args {
    struct compose_args of;
    bool all, quiet, no_trunc;
    const char *format;
};

struct no_args {
    char unused;
};

extern const struct cli_option cli_run_options[];
extern const struct cli_option cli_create_options[];
extern const struct cli_option cli_exec_options[];
extern const struct cli_option cli_start_options[];
extern const struct cli_option cli_attach_options[];
extern const struct cli_option cli_stop_options[];
extern const struct cli_option cli_kill_options[];
extern const struct cli_option cli_rm_options[];
extern const struct cli_option cli_ps_options[];
extern const struct cli_option cli_logs_options[];
extern const struct cli_option cli_inspect_options[];
extern const struct cli_option cli_update_options[];
extern const struct cli_option cli_stats_options[];
extern const struct cli_option cli_cp_options[];
extern const struct cli_option cli_export_options[];
extern const struct cli_option cli_commit_options[];
extern const struct cli_option cli_save_options[];
extern const struct cli_option cli_load_options[];
extern const struct cli_option cli_import_options[];
extern const struct cli_option cli_copy_options[];
extern const struct cli_option cli_search_options[];
extern const struct cli_option cli_cache_df_options[];
extern const struct cli_option cli_cache_ls_options[];
extern const struct cli_option cli_cache_prune_options[];
extern const struct cli_option cli_pull_options[];
extern const struct cli_option cli_push_options[];
extern const struct cli_option cli_login_options[];
extern const struct cli_option cli_logout_options[];
extern const struct cli_option cli_images_options[];
extern const struct cli_option cli_rmi_options[];
extern const struct cli_option cli_format_options[];
extern const struct cli_option cli_no_options[];
extern const struct cli_option cli_history_options[];
extern const struct cli_option cli_container_prune_options[];
extern const struct cli_option cli_image_prune_options[];
extern const struct cli_option cli_network_create_options[];
extern const struct cli_option cli_network_ls_options[];
extern const struct cli_option cli_network_rm_options[];
extern const struct cli_option cli_network_prune_options[];
extern const struct cli_option cli_network_connect_options[];
extern const struct cli_option cli_network_disconnect_options[];
extern const struct cli_option cli_volume_prune_options[];
extern const struct cli_option cli_system_prune_options[];
extern const struct cli_option cli_system_df_options[];
extern const struct cli_option cli_events_options[];
extern const struct cli_option cli_volume_create_options[];
extern const struct cli_option cli_volume_ls_options[];
extern const struct cli_option cli_target_ls_options[];
extern const struct cli_option cli_target_add_options[];
extern const struct cli_option cli_target_create_options[];
extern const struct cli_option cli_target_rm_options[];
extern const struct cli_option cli_volume_rm_options[];
extern const struct cli_option cli_up_options[];
extern const struct cli_option cli_down_options[];
extern const struct cli_option cli_compose_config_options[];
extern const struct cli_option cli_compose_logs_options[];
extern const struct cli_option cli_compose_ps_options[];
extern const struct cli_option cli_compose_ls_options[];
extern const struct cli_option cli_compose_run_options[];
extern const struct cli_option cli_compose_restart_options[];
extern const struct cli_option cli_compose_attach_options[];
extern const struct cli_option cli_compose_cp_options[];
extern const struct cli_option cli_compose_each_options[];
extern const struct cli_option cli_compose_events_options[];
extern const struct cli_option cli_compose_images_options[];
extern const struct cli_option cli_compose_stats_options[];
extern const struct cli_option cli_compose_exec_options[];
extern const struct cli_option cli_compose_kill_options[];
extern const struct cli_option cli_compose_port_options[];
extern const struct cli_option cli_compose_pull_options[];
extern const struct cli_option cli_compose_rm_options[];
extern const struct cli_option cli_compose_start_options[];
extern const struct cli_option cli_compose_stop_options[];
extern const struct cli_option cli_scale_options[];

#endif
