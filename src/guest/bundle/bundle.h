/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a container spec and an image's config to the OCI runtime's config.json
 * (runtime-spec 1.0.2; C13, C16), with Docker's defaults. Nothing here changes the
 * system, but bundle_write_files and bundle_prepare_bind_source.
 *
 * Image configs are hostile: their labels, annotations and unknown members never reach
 * config.json (HAZARDS H2: run.oci.* would run commands on the guest).
 */
#ifndef DRAY_GUEST_BUNDLE_BUNDLE_H
#define DRAY_GUEST_BUNDLE_BUNDLE_H

#include <stdbool.h>
#include <stdint.h>

#include <sys/types.h>

#include "base/buf.h"
#include "base/json.h"
#include "spec/container.h"

/* What config.json depends on besides spec and image. Filled once per process by
 * bundle_facts_read; the tests make their own. */
#define BUNDLE_RLIMITS 16
struct bundle_facts {
    char arch[16];           /* Go's word: "amd64", "arm64" */
    char kernel_release[65]; /* uname -r */
    int kernel_major, kernel_minor;
    unsigned cpus; /* online */
    uint64_t caps; /* bit n: capability n can be given to a container */
    uint64_t rlimit_hard[BUNDLE_RLIMITS]; /* by RLIMIT_ number; UINT64_MAX: unlimited */
    bool can_raise_rlimits;               /* CAP_SYS_RESOURCE */
    uint64_t nr_open;  /* fs.nr_open, the end for nofile even then; 0: unknown */
    int oom_score_adj; /* our own, which the container would inherit */
    bool cgroup_v2;    /* pure v2; false on v1 and hybrid hosts */
    bool cgroup_ns;    /* the kernel has cgroup namespaces */
    bool swap_limit;   /* memory and swap together can be limited */
    bool port_sysctl,
        ping_sysctl;       /* net.ipv4.ip_unprivileged_port_start, ping_group_range */
    bool thermal_throttle; /* /sys/devices/system/cpu/cpu0/thermal_throttle exists */
};
void bundle_facts_read(struct bundle_facts *ret);

/* Who the process runs as, resolved. */
struct bundle_user {
    uint32_t uid, gid;
    uint32_t *groups; /* owned; the primary gid is the first (CVE-2022-36109) */
    size_t group_count;
    char *home; /* owned, absolute; "/" when passwd knows none */
};
void bundle_user_release(struct bundle_user *user);
#define bundle_auto_user DR_CLEANUP(bundle_user_release)

/*
 * Docker's "[user[:group]]", names from the image's own /etc/passwd and /etc/group. NULL
 * and
 * "" are root, which is never the answer to anything else (C16). layers: open directories
 * of the overlay layers, topmost first (a running container: one, /proc/<pid>/root).
 * Digits are never a name; ids above 2^31-1 are refused (CVE-2024-40635). A missing
 * passwd is an error only for names. DR_ERR_CREATE names the user, and the file that
 * lacks it.
 */
int bundle_resolve_user(const int *layers, size_t layer_count, const char *user,
                        struct bundle_user *ret, struct dr_error *err);

/* The user string that holds: the spec's, or the image's; may be NULL. Borrowed. */
const char *bundle_user_text(const struct spec_container *spec,
                             const json_t *image_config);
/* The signal that stops it: the spec's, or the image's, or SIGTERM. An image with an
 * unknown signal gets SIGTERM. */
int bundle_stop_signal(const struct spec_container *spec, const json_t *image_config);
/* Cleaned targets of the image's VOLUMEs that no mount of the spec covers, sorted; each
 * wants an anonymous volume. A NULL-terminated vector, owned, or NULL with DR_ERR_CREATE
 * for one at / or in /proc or /sys. */
char **bundle_image_volumes(const struct spec_container *spec, const json_t *image_config,
                            struct dr_error *err);

struct bundle_volume {
    const char *target; /* in the container */
    const char *source; /* directory in the guest */
};

/* All pointers are borrowed for the time of the call. */
struct bundle_input {
    const struct spec_container *spec;
    const json_t *image_config; /* the image's whole config document; NULL: none */
    const struct bundle_facts *facts;
    const struct bundle_user *user;
    const char *id, *slug;
    const char *hostname;     /* NULL: the spec's, else the slug (C13) */
    const char *rootfs_path;  /* root.path */
    const char *cgroups_path; /* "/dray/<id>" */
    const char *netns_path;   /* the network namespace to join; NULL: a new one */
    /* Files in the guest to bind at /etc/…; NULL: the image's own is seen. */
    const char *hosts_file, *hostname_file, *resolv_file;
    const char *init_path; /* static init, bound at /sbin/docker-init with spec->init */
    /* Guest directory of each spec->mounts[i] (SPEC_MOUNT_VOLUME); other entries unused.
     * May be NULL when there is no such mount. */
    const char *const *volume_sources;
    const struct bundle_volume *image_volumes; /* for bundle_image_volumes, any order */
    size_t image_volume_count;
    /* The compiled profile for crun (annotation run.oci.seccomp_bpf_data); NULL: none */
    const char *seccomp_bpf_base64;
};

/*
 * A new config.json document, in which the words of "process" may be any bytes
 * (base/words.h; carry_process() makes them fit for a runtime), or NULL: DR_ERR_INVALID
 * (the spec asks for nonsense, such as an unknown capability or a limit above the
 * guest's), DR_ERR_UNSUPPORTED, DR_ERR_NOT_FOUND (a device), DR_ERR_CREATE (the image's
 * fault).
 */
json_t *bundle_config(const struct bundle_input *input, struct dr_error *err);

/* Puts the limits of the spec into a config.json that is there; what devices may be used
 * stays. Errors as bundle_config's. */
int bundle_update_resources(json_t *config, const struct spec_container *spec,
                            const struct bundle_facts *facts, struct dr_error *err);

/*
 * The text of config.json or process.json, owned, and back. Not dr_json_text: an
 * unlimited rlimit is 18446744073709551615 in the file, which jansson can neither write
 * nor read, and INT64_MAX in the document. parse fails with DR_ERR_FORMAT.
 */
char *bundle_text(const json_t *config);
json_t *bundle_parse(const char *text, size_t len, struct dr_error *err);

/* process.json for `runtime exec --process`, by the container's config.json. */
struct bundle_exec {
    char *const *args;              /* at least one word */
    char *const *env;               /* as spec->env; may be NULL */
    const char *workdir;            /* NULL: the container's */
    const struct bundle_user *user; /* NULL: the container's */
    bool tty, privileged;
    int64_t rows, columns; /* of the terminal; 0: not known */
};
/* Sets the size that the terminal has when the process starts (process.consoleSize);
 * 0 for either: left as it is. */
void bundle_set_console_size(json_t *process, int64_t rows, int64_t columns);
/* Its words may be any bytes, as bundle_config()'s; config's, too. */
json_t *bundle_process_for_exec(const json_t *config, const struct bundle_exec *exec,
                                const struct bundle_facts *facts, struct dr_error *err);

/*
 * Writes hosts, hostname and resolv.conf into dir. With network "host" hosts is a copy of
 * the guest's, else localhost alone; resolv.conf is empty before the first start.
 */
int bundle_write_files(const char *dir, const char *hostname, const char *network,
                       struct dr_error *err);
/* As Docker's -v: a source that does not exist becomes a directory (0755, root). */
int bundle_prepare_bind_source(const struct spec_mount *mount, struct dr_error *err);

/*
 * Reads one regular file as the overlay of the layers would show it: whiteouts (character
 * device 0:0), opaque directories and symlinks are honoured, nothing outside of the
 * layers is ever touched. At most buf->max bytes, appended. DR_ERR_NOT_FOUND,
 * DR_ERR_FORMAT (too large), DR_ERR_CREATE (not a regular file, a symlink loop).
 */
int bundle_stack_read(const int *layers, size_t layer_count, const char *path,
                      struct dr_buf *buf, struct dr_error *err);
/*
 * What a path is in there; follows symlinks. ret_mode as in stat(2).
 */
int bundle_stack_stat(const int *layers, size_t layer_count, const char *path,
                      mode_t *ret_mode, struct dr_error *err);

#endif
