/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One container as it was asked for. The command line and the library fill it on the
 * host; it crosses the wire as JSON (container.create); the guest adds what the image
 * says and keeps it as containers/<id>/spec.json.
 *
 * Every pointer is owned by the struct; NULL or an empty vector means "not given: the
 * image's or the default". String vectors are NULL-terminated (base/json.h).
 */
#ifndef DRAY_SPEC_CONTAINER_H
#define DRAY_SPEC_CONTAINER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/json.h"

/* -v and --tmpfs and image volumes */
enum spec_mount_type { SPEC_MOUNT_BIND, SPEC_MOUNT_VOLUME, SPEC_MOUNT_TMPFS };

struct spec_mount {
    enum spec_mount_type type;
    char *source; /* bind: absolute path in the guest, or of Windows (base/winpath.h);
                     volume: name, NULL: anonymous */
    char *target; /* absolute path in the container */
    char *
        options; /* tmpfs: "size=64m,mode=1777"; bind: "ro,rbind,rprivate"; may be NULL */
    bool read_only;
    bool no_copy; /* volume: do not fill it from the image */
};

struct spec_device {
    char *host_path, *container_path; /* absolute */
    char *permissions;                /* subset of "rwm" */
};

struct spec_ulimit {
    char *name;         /* "nofile" … without RLIMIT_ */
    int64_t soft, hard; /* -1: unlimited */
};

/* One network that the container is on. */
struct spec_network {
    char *name; /* a network's name or id; "none", "host" and "container:<id|name>" are
                   modes, and then the only member; NULL: the default network */
    char **aliases; /* more names of the container on this network */
    char *ip, *ip6; /* its addresses there; NULL: from the pool */
    char *mac;      /* NULL: made from the address */
};

/* A port of the container that the guest's root namespace listens on. Ranges are one of
 * these per port. */
struct spec_port {
    char *host_ip;          /* NULL: 127.0.0.1 */
    int64_t host_port;      /* 0: one that is free */
    int64_t host_port_last; /* any one from host_port to this; 0: host_port itself */
    int64_t container_port;
    char *protocol; /* "tcp" or "udp" */
};

/*
 * The health check, in the image-spec's (Docker's) form. test: {"NONE"}, {"CMD", word…},
 * {"CMD-SHELL", text}, and for the library {"TCP", "port"} or {"HTTP",
 * "[host]:port/path"} probed inside the container's network. NULL: the image's. The
 * monitor runs it.
 */
struct spec_health {
    char **test;
    int64_t interval_ns, timeout_ns, start_period_ns, start_interval_ns; /* 0: the
                                                       image's, else 30 s, 30 s, 0, 5 s */
    int64_t retries; /* 0: the image's, else 3 */
};

struct spec_container {
    char *name; /* validated by spec_name_check; NULL: the guest makes one up */
    char *service, *deployment; /* C05, C24: whose replica this is; NULL: nobody's. With a
                                   service and no name the name is its slug */
    int64_t replica;
    char *image;       /* canonical reference, or an image id or its prefix */
    char *image_id;    /* which one it is made of, whatever has the name; or NULL */
    char **args;       /* the words behind the image; empty: the image's cmd */
    char **entrypoint; /* NULL: the image's; has_entrypoint with an empty vector: none */
    bool has_entrypoint;
    char **env; /* "K=V", in order; "K" alone removes the image's */
    char *workdir;
    char *user; /* "name|uid[:group|gid]" */
    char *hostname;
    char **labels; /* "k=v" */
    char *
        *annotations; /* reserved for dray's own use; never from an image (HAZARDS H2) */

    struct spec_mount *mounts;
    size_t mount_count;
    struct spec_device *devices;
    size_t device_count;
    struct spec_ulimit *ulimits;
    size_t ulimit_count;
    char **sysctls; /* "net.core.x=1" */

    char **cap_add, **cap_drop; /* any case, with or without CAP_; "ALL" */
    char **security_opts; /* "seccomp=unconfined", "seccomp=<JSON>" (the CLI reads the
                             file), "no-new-privileges[=true|false]" … as Docker */
    bool privileged, read_only, init;
    bool stdin_open; /* -i */
    /* Docker's StdinOnce turned round: stdin stays open when a client that wrote to it
     * ends or leaves. `run` says so when it is not attached. */
    bool stdin_keep;
    bool tty;         /* -t: its stdin, stdout and stderr are one terminal */
    bool auto_remove; /* --rm */

    struct spec_network *networks; /* none: the default network */
    size_t network_count;
    struct spec_port *ports;
    size_t port_count;
    bool publish_all;                        /* -P: every exposed port, on a free one */
    char **exposed;                          /* "80/tcp", on top of the image's */
    char **dns, **dns_search, **dns_options; /* instead of the guest's resolv.conf's */
    char **extra_hosts; /* "name:ip", for its hosts file; "name:host-gateway" */
    char *domainname;   /* behind its host name, and the kernel's NIS domain */

    int64_t memory_bytes;   /* 0: no limit */
    int64_t nano_cpus;      /* --cpus 1.5 is 1500000000; 0: no limit */
    int64_t cpu_shares;     /* 0: default */
    int64_t pids_limit;     /* 0: default (none); -1: unlimited */
    int64_t shm_size_bytes; /* 0: 64 MiB */

    char *stop_signal;      /* canonical "SIGTERM"; NULL: the image's, else SIGTERM */
    int64_t stop_timeout_s; /* -1: default (10) */

    char *log_driver;           /* NULL: "k8s-file"; "none": no log is kept */
    int64_t log_max_size_bytes; /* of one file; 0: 20 MiB */
    int64_t log_max_files;      /* the current one included; 0: 5 */

    char *restart;       /* "no" (default), "on-failure", "always", "unless-stopped" */
    int64_t restart_max; /* on-failure: give up after so many; 0: never */
    char *schedule; /* when it is started (spec/schedule.h); NULL: when somebody says so.
                       Then there is no restart policy, and it is not auto_remove */
    struct spec_health health;
};

/* A spec with every default. */
struct spec_container *spec_container_new(void);
void spec_container_free(struct spec_container *spec);
void spec_cleanup_container(struct spec_container **spec);
#define spec_auto_container DR_CLEANUP(spec_cleanup_container)

/* To JSON (a new reference; defaults are left out) and back. Parsing refuses unknown
 * members, wrong types and values out of range with DR_ERR_INVALID naming the member. */
json_t *spec_container_to_json(const struct spec_container *spec);
struct spec_container *spec_container_from_json(const json_t *json, struct dr_error *err);

/*
 * What can be said without image and guest: paths absolute, names well formed, no mount
 * point twice, numbers in Docker's ranges, only features that exist. DR_ERR_INVALID or
 * DR_ERR_UNSUPPORTED, naming the member. from_json does this too; the host does it before
 * it sends. The first form also refuses strings that are not UTF-8, which JSON would
 * lose.
 */
int spec_container_check(const struct spec_container *spec, struct dr_error *err);
int spec_container_check_text(const struct spec_container *spec, struct dr_error *err);

bool spec_name_valid(const char *name); /* the pattern below, any length */
/* "[a-zA-Z0-9][a-zA-Z0-9_.-]*", at most 128 (C05): DR_ERR_INVALID names the input. */
int spec_name_check(const char *name, struct dr_error *err);
/*
 * The file name of a container's bundle and log (C05): [A-Za-z0-9_-], every other byte
 * becomes '-'; when anything was replaced or cut, '-' and eight hex digits of the SHA-256
 * of the raw id follow. At most 63 bytes, never a leading '-'. Owned. An id that already
 * ends like that gets digits too, so that it cannot be the slug of another one.
 */
char *spec_slug(const char *id);
/* The same for {service, replica}: the digits go before "-rep-N". */
char *spec_service_slug(const char *service, unsigned replica);

/* Parsers of command line values, shared with the deployment spec. Each names the whole
 * input in its error, and what would be right. ret is written only on success; its
 * strings are owned (spec_*_release, or hand it to spec_container_add_*). */
/*
 * -v [source:]target[:options]. A source that begins with '/', '.' or '~' is a bind mount
 * and comes back as written: the command line makes it absolute afterwards
 * (spec_container_ check refuses a relative one). Otherwise it names a volume. Options:
 * ro rw nocopy private rprivate slave rslave; z Z and the consistency words are accepted
 * and mean nothing here; shared and rshared are DR_ERR_UNSUPPORTED.
 */
int spec_mount_parse(const char *text, struct spec_mount *ret, struct dr_error *err);
/* --tmpfs target[:options] */
int spec_tmpfs_parse(const char *text, struct spec_mount *ret, struct dr_error *err);
int spec_device_parse(const char *text, struct spec_device *ret, struct dr_error *err);
int spec_ulimit_parse(const char *text, struct spec_ulimit *ret, struct dr_error *err);
int spec_cpus_parse(const char *text, int64_t *ret_nano, struct dr_error *err);
/* Name (any case, SIG or not) or number → 1..64 (C22); DR_ERR_INVALID when unknown. */
int spec_signal_parse(const char *text, int *ret_signal, struct dr_error *err);
/* "SIGTERM", "SIGRTMIN+3"; borrowed, static. */
const char *spec_signal_name(int signal);

/* --add-host name:address, also "=" and an address in brackets; address may be
 * SPEC_HOST_GATEWAY, the guest as the container sees it. Owned. */
#define SPEC_HOST_GATEWAY "host-gateway"
int spec_host_parse(const char *text, char **ret_name, char **ret_address,
                    struct dr_error *err);
/* One value of --dns, --dns-search ("." is none), --dns-option. DR_ERR_INVALID. */
int spec_dns_check(const char *server, struct dr_error *err);
int spec_dns_search_check(const char *domain, struct dr_error *err);
int spec_dns_option_check(const char *option, struct dr_error *err);
/* Its resolvers, hosts and domain; a part of spec_container_check. */
int spec_names_check(const struct spec_container *spec, struct dr_error *err);

/* An absolute path without "//", "." and ".." (which never leave "/"), owned. */
char *spec_path_clean(const char *path);

/* What kind of network a container is on. */
enum spec_network_mode {
    SPEC_NETWORK_NONE,
    SPEC_NETWORK_HOST,
    SPEC_NETWORK_CONTAINER, /* another container's: spec_network_container() */
    SPEC_NETWORK_BRIDGE     /* one or more of ours, the default one included */
};
#define SPEC_NETWORK_DEFAULT "bridge" /* what no network given means */
enum spec_network_mode spec_network_mode(const struct spec_container *spec);
/* The name of the first network, the default's when none is given. Borrowed. */
const char *spec_network_first(const struct spec_container *spec);
/* All of their names, with commas between them, owned. */
char *spec_network_names(const struct spec_container *spec);
/* Whose network it is on: what is behind "container:". NULL: its own. Borrowed. */
const char *spec_network_container(const struct spec_container *spec);
/*
 * --network: a name, or "name=NAME,alias=A,ip=I,ip6=I,mac-address=M" as Docker has it
 * (alias may be repeated).
 */
int spec_network_parse(const char *text, struct spec_network *ret, struct dr_error *err);

#define SPEC_PORTS_MAX 4096 /* of one container */
/* -p and --expose, ranges of which become one port each (but a host's range for one port
 * of the container: any one of it). Adds to the spec; nothing on failure. */
int spec_publish_parse(const char *text, struct spec_container *spec,
                       struct dr_error *err);
int spec_expose_parse(const char *text, struct spec_container *spec,
                      struct dr_error *err);
/* "80/tcp", "53/udp", "80", as images have them; *ret_protocol is static. */
bool spec_exposed_parse(const char *text, int64_t *ret_port, const char **ret_protocol);

void spec_mount_release(struct spec_mount *item);
void spec_network_release(struct spec_network *item);
void spec_port_release(struct spec_port *item);
void spec_device_release(struct spec_device *item);
void spec_ulimit_release(struct spec_ulimit *item);

/* Is this a word for a tmpfs (mount option, or size=, mode=, uid=, gid=, nr_inodes=,
 * nr_blocks=, mpol=)? len bytes. */
bool spec_tmpfs_option_known(const char *option, size_t len);
/* "nofile" and the other fifteen of getrlimit(2). */
bool spec_ulimit_known(const char *name);

/* Appends; the strings are taken over and *item is emptied. */
void spec_container_add_mount(struct spec_container *spec, struct spec_mount *item);
void spec_container_add_device(struct spec_container *spec, struct spec_device *item);
void spec_container_add_ulimit(struct spec_container *spec, struct spec_ulimit *item);
/* A network that is only --ip and the like so far gets its name here. */
void spec_container_add_network(struct spec_container *spec, struct spec_network *item);
void spec_container_add_port(struct spec_container *spec, struct spec_port *item);
/* The first network, for what --ip, --mac-address and the like say of it. */
struct spec_network *spec_container_first_network(struct spec_container *spec);
/* Networks, ports and what belongs to them: the part of spec_container_check(). */
int spec_network_check(const struct spec_container *spec, struct dr_error *err);
int spec_port_check(const struct spec_container *spec, struct dr_error *err);

#endif
