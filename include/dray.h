/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libdray: Linux containers on the far side of a boundary.
 *
 * A target is a place where containers run: this machine, a host behind ssh, or whatever
 * a command leads to. Opening one starts a small helper over there; every call below is
 * one request to it. No daemon is needed on either side, and containers outlive the
 * handle.
 *
 *     struct dray_target *target;
 *     struct dray_error *err = NULL;
 *     if (dray_open(NULL, &target, &err) < 0) {
 *         if (err->kind == DRAY_ERR_UNAVAILABLE) …   // go on without containers
 *         fprintf(stderr, "%s\n", err->text);
 *         dray_error_free(err);
 *     }
 *
 * Rules that hold for all of it:
 * - Threads. A target may be used by any number of threads at once. A stream, a spec and
 *   an error belong to one thread at a time (streams: see dray_stream).
 * - The library has no global state, prints nothing, never exits, and neither installs
 *   nor raises signals (writes to closed sockets and pipes of its own do not either).
 * - Memory. A small allocation that fails aborts the process; what a peer sends has
 * limits.
 * - Results. int functions return 0, or -1 with *ret_err (ret_err may be NULL). ret_
 *   parameters are written on success only. Text that comes back as `char *` is the
 *   caller's: dray_free(). `const char *` in a result is borrowed, until when is said.
 * - Containers are named by id, by a prefix of it that only one has, or by name. Every
 *   function that takes `container` fails with DRAY_ERR_NOT_FOUND when there is none
 *   such, unless it says otherwise.
 * - Structs that begin with `size` may grow: set it to sizeof, DRAY_INIT(type) does.
 *   The others stay as large as they are within one version of the shared library (its
 *   soname): what they learn takes the place of `reserved` members, which are 0.
 *   Members that are 0 or NULL mean the default.
 * - Text is UTF-8; words of commands and variables of environments may be any bytes, and
 *   arrive unchanged (C25). Times are nanoseconds since 1970 (UTC), 0 for "not yet".
 * Sizes are bytes. JSON documents are one UTF-8 text in the shape of Docker's command
 * line and API where that has one.
 *
 * C01 … C35 in the comments are the rows of the runtime contract, which tests/contract
 * tests one by one.
 */
#ifndef DRAY_H
#define DRAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#ifdef __cplusplus
#define DRAY_INIT(type)                                                                  \
    {                                                                                    \
        sizeof(type)                                                                     \
    }
#else
#define DRAY_INIT(type)                                                                  \
    {                                                                                    \
        .size = sizeof(type)                                                             \
    }
#endif

/* "0.1.0" of the library that is loaded. */
const char *dray_version(void);
/* Frees text and memory that the library gave away; NULL is fine. */
void dray_free(void *memory);

/* --- errors (C32) --- */

/* What code branches on. New kinds may come; treat unknown ones as INTERNAL. */
enum dray_kind {
    DRAY_OK = 0,
    DRAY_ERR_NOT_FOUND = 1, /* the named container, image, volume does not exist */
    DRAY_ERR_EXISTS = 2,    /* the name is in use */
    DRAY_ERR_PULL = 3,      /* the registry said no, or sent something wrong */
    DRAY_ERR_CREATE = 4,    /* the container could not be made; nothing is left of it */
    DRAY_ERR_START = 5,     /* it, or an exec, could not be started */
    DRAY_ERR_INVALID = 6,   /* what was asked for makes no sense */
    DRAY_ERR_NETWORK = 7,   /* networks of containers */
    DRAY_ERR_CONFIG = 8,    /* the target is set up wrongly: the text says what to do */
    DRAY_ERR_TIMEOUT = 9,   /* the deadline passed */
    DRAY_ERR_UNSUPPORTED = 10, /* understood, but cannot be done here */
    DRAY_ERR_UNAVAILABLE = 11, /* the target cannot be reached: a normal state (C02) */
    DRAY_ERR_INTERNAL = 12,    /* the system failed us (I/O error, full disk), or a bug */
    DRAY_ERR_CONFLICT = 13,    /* its state forbids it: exec in a stopped container */
    DRAY_ERR_FORMAT = 14,      /* bytes that do not parse */
    DRAY_ERR_CANCELLED = 15    /* by dray_cancel, or by dropping a stream */
};

/* Where it went wrong. */
enum dray_origin {
    DRAY_AT_UNSET = 0,
    DRAY_AT_HOST = 1,
    DRAY_AT_REGISTRY = 2,
    DRAY_AT_TRANSPORT = 3,
    DRAY_AT_GUEST = 4,
    DRAY_AT_RUNTIME = 5
};

/* Owned by the caller, freed whole by dray_error_free. */
struct dray_error {
    enum dray_kind kind;
    enum dray_origin origin;
    int code;            /* errno, HTTP status, 126 or 127; 0: none */
    const char *text;    /* one line for a person, outermost context first; may hold any
                            bytes of names: escape before printing to a terminal */
    const char *program; /* the program that failed over there ("youki"), or NULL */
    int status;          /* its exit status; 128+n for signal n; 0 without a program */
    const char *output;  /* what it wrote to stderr, whole, or NULL */
};

void dray_error_free(struct dray_error *err); /* NULL is fine */
/* "not found", "pull failed" … ; static. */
const char *dray_kind_name(enum dray_kind kind);

/* --- deadlines and cancellation (C33) --- */

/* One call's limits. Everywhere NULL means DRAY's defaults. */
struct dray_call {
    /* Milliseconds from now; 0: the default (5 minutes; `stop` adds its own timeout;
     * wait, streams and pulls have none), -1: none. DRAY_ERR_TIMEOUT. */
    int64_t timeout_ms;
    struct dray_cancel *cancel; /* borrowed for the call; NULL: it cannot be cancelled */
};

/* A token that many calls may share. Once triggered, every call with it fails with
 * DRAY_ERR_CANCELLED, at once, and what it did over there is given up or undone. */
struct dray_cancel *dray_cancel_new(void); /* NULL: no descriptor is left, see errno */
/* From any thread, and from a signal handler. */
void dray_cancel_trigger(struct dray_cancel *cancel);
void dray_cancel_free(struct dray_cancel *cancel);

/* --- registries: who one is there, and how they are reached (C08) --- */

struct dray_progress;

/* A member that is 0 or NULL means what the target was opened with; where that is 0 or
 * NULL too, the user's own files, as Docker and Podman write them. */
struct dray_registry_options {
    size_t size;
    /* For the registry that a reference names, never for another host. NULL: from the
     * credential files and helpers, else anonymous. Both or none. */
    const char *user, *password;
    const char *auth_file; /* a file like auth.json, instead of the usual places */
    const char *ca_file;   /* PEM: CAs to trust besides the system's */
    const char *cert_dir;  /* *.crt: CAs, NAME.cert and NAME.key: a client's; instead of
                              certs.d/HOST of the usual places */
    const char *signature_policy; /* a policy.json, instead of the usual places (which
                                     make no difference when there is none); "": none */
    /* The registry's certificate is not verified, and HTTP without TLS will do. (On
     * loopback that always does.) */
    bool insecure;
    /* Of calls that have no progress of their own, a login or a search: gets steps of
     * DRAY_PROGRESS_RETRY. Per call, not of a target. May be NULL. */
    void (*progress)(void *arg, const struct dray_progress *step);
    void *progress_arg;
    /* Hosts that may get the password although they are not the registry's own: of its
     * token server, over TLS. "gitlab.example.com,auth.example.com"; NULL: what
     * DRAY_TOKEN_SERVERS says. */
    const char *token_servers;
};

/*
 * Asks the registry whether the options' user and password are good, and then keeps them
 * for later calls: in the file that knows the registry already, else in Docker's
 * config.json, and by the credential helper that the file names. Without a user: asks the
 * same of those that are kept (DRAY_ERR_NOT_FOUND when there are none).
 * registry: "r.io", "localhost:5000", "docker.io", or "r.io/team" for what lies below it.
 * *ret_json (may be NULL): {"registry","user","file","helper"}; file: where they are
 * kept now; helper: the program that has the secret, not there when the file has it.
 * DRAY_ERR_PULL with code 401 or 403: they are not good, nothing was changed.
 */
int dray_registry_login(const char *registry, const struct dray_registry_options *options,
                        const struct dray_call *call, char **ret_json,
                        struct dray_error **ret_err);
/* Forgets what is kept for a registry (NULL: for all of them), wherever it is; nothing is
 * success too. *ret_json (may be NULL): {"removed":["r.io in /home/a/.docker/config.json"
 * …]}. */
int dray_registry_logout(const char *registry,
                         const struct dray_registry_options *options, char **ret_json,
                         struct dray_error **ret_err);

/* --- targets (C01 to C03) --- */

struct dray_target;

struct dray_open_options {
    size_t size;
    /* The name of a target in the user's config.yaml (see dray_targets), or an address:
     * "local:", "ssh://[USER@]HOST[:PORT]" (by the user's own ssh: its config, agent,
     * known hosts), "wsl://[DISTRO]" (by wsl.exe), "exec://WORD WORD…" (a command that
     * `sh` is added to); NULL: local:, on Windows wsl://
     */
    const char *target;
    /* Places over there (C01), absolute; NULL: /var/lib/dray, /run/dray and, below the
     * root, bundles and logs. */
    const char *root, *run_root, *bundle_root, *log_root;
    /* The OCI runtime: a path, which must be executable, or a name; NULL: youki, crun or
     * runc, whichever is there first (C03). */
    const char *runtime;
    const char *cache_dir;      /* downloaded blobs on this machine; NULL: the user's */
    int64_t connect_timeout_ms; /* until the helper has answered; 0: 30 s */
    /* For every call that talks to a registry; copied; NULL: the user's own files. */
    const struct dray_registry_options *registry;
    /* How large the cache may be when a call ends: "20g", or "none"; NULL: what the
     * variable DRAY_CACHE_LIMIT says, else config.yaml's cache_limit, else 10 GiB. */
    const char *cache_limit;
    /* C30: what a start does when the address that was recorded for the container cannot
     * be had: "host" (it runs on the target's own network, with a warning) or "fail";
     * NULL: what config.yaml says of the target, else "host". */
    const char *network_fallback;
    /* How long nothing may come from the helper before the connection is taken for lost
     * (it says something every few seconds, whatever it is busy with); 0: 20 s. */
    int64_t line_timeout_ms;
};

/*
 * Starts the helper and waits for its word. C02:
 * DRAY_ERR_UNAVAILABLE: the target cannot be reached, which is a normal state;
 * DRAY_ERR_CONFIG: it is set up wrongly (no or a bad runtime, not root), and the text
 * says what to do. When the connection is lost later, calls that are under way fail with
 * UNAVAILABLE at once, and the next call starts the helper again.
 */
int dray_open(const struct dray_open_options *options, struct dray_target **ret_target,
              struct dray_error **ret_err);
/* The same without waiting: what is wrong over there is told by the first call. Saves a
 * round trip when that follows at once. */
int dray_open_lazy(const struct dray_open_options *options,
                   struct dray_target **ret_target, struct dray_error **ret_err);
/* Gives up what runs in other threads (DRAY_ERR_CANCELLED), ends the helper, frees.
 * Streams that are still open end the same way, and are freed by their owners. Containers
 * go on. NULL is fine. */
void dray_close(struct dray_target *target);
/* How many processes this handle has started to reach its target: 1, unless the
 * connection was lost in between. */
int dray_spawn_count(const struct dray_target *target);
/* How fit the target is, for a person: [{"what":"runtime","state":"ok|warning|missing",
 * "text","advice"}…]: kernel, cgroups, runtimes with known faults, overlayfs, packet
 * filter, disk space. "missing": containers cannot run, or not with that. */
int dray_target_examine(struct dray_target *target, const struct dray_call *call,
                        char **ret_json, struct dray_error **ret_err);
/* About the target: {"build","kernel","os","arch","cgroup","boot_id","cpus",
 * "memory_bytes","root",…,"runtime":{"name","path","version"},"runtimes":[…],
 * "containers","running","images","layers","warnings":[…]}. */
int dray_info(struct dray_target *target, const struct dray_call *call, char **ret_json,
              struct dray_error **ret_err);
/* What the helper said of itself when it was started: {"build","os","arch","variant",
 * "boot_id","kernel","cgroup","euid","pid","cpus"}. Asks nothing again. */
int dray_hello(struct dray_target *target, char **ret_json, struct dray_error **ret_err);

/* --- named targets (C01): config.yaml below $XDG_CONFIG_HOME/dray or ~/.config/dray ---
 */

/* What a name stands for; members as those of dray_open_options, which come first where
 * they are set. */
struct dray_target_settings {
    size_t size;
    const char *name; /* letters, digits, _ . and -; not "local" */
    const char *url;
    const char *root, *run_root, *bundle_root, *log_root, *runtime;
    const char *user; /* ssh's, when the URL has none */
    int64_t connect_timeout_ms;
    const char *network_fallback; /* "host" or "fail" */
    int64_t line_timeout_ms;
};
/* {"file":…,"current":"lab" or null,"targets":[{"name","url","root",…,"current":bool}]}:
 * what is not set is not there. A file that is not right: DRAY_ERR_CONFIG, and its text
 * begins with FILE:LINE:COLUMN. */
int dray_targets(char **ret_json, struct dray_error **ret_err);
/* The one in use (owned), NULL when that is this machine. */
int dray_target_current(char **ret_name, struct dray_error **ret_err);
/* These change the file where they have to; comments stay. DRAY_ERR_EXISTS. */
int dray_target_add(const struct dray_target_settings *settings,
                    struct dray_error **ret_err);
/* "local", a name or an address. */
int dray_target_use(const char *name, struct dray_error **ret_err);
/* Takes it out of the file, and touches nothing over there. DRAY_ERR_NOT_FOUND. */
int dray_target_forget(const char *name, struct dray_error **ret_err);

/* --- WSL distros of dray's own (C04) --- */

struct dray_distro_options {
    size_t size;
    /* What it is made of: an image (a reference, or "oci:DIR", "docker-archive:FILE" …),
     * which this machine downloads, or the path of a root file system's tar (plain, gzip
     * or zstd), which begins with '.', '/' or a drive, or ends as a tar does. */
    const char *from;
    /* An OCI runtime for Linux that is put in, a program that needs nothing of the
     * distro; NULL: the one that it has; else crun, by the distro's own package manager.
     */
    const char *runtime_file;
    const char *dir; /* for its disk, absolute; NULL: one below the user's local data */
    const char *platform;                         /* NULL: linux on this machine's CPU */
    const char *cache_dir;                        /* NULL: the user's */
    const struct dray_registry_options *registry; /* NULL: the user's own files */
    bool use;                                     /* as dray_target_use */
    /* What is done next, a line for a person; may be NULL. */
    void (*step)(void *arg, const char *text);
    void *step_arg;
};
/*
 * Makes a WSL2 distro, puts a runtime in, looks whether containers can run there
 * (dray_target_examine), and adds the target NAME, "wsl://NAME". name NULL: "dray". When
 * anything fails nothing of it is left. *ret_json (may be NULL): {"name","url","dir",
 * "runtime":{"name","path","version"}}. DRAY_ERR_EXISTS: a distro, a target or a
 * directory is there; DRAY_ERR_UNAVAILABLE: no WSL.
 */
int dray_distro_create(const char *name, const struct dray_distro_options *options,
                       const struct dray_call *call, char **ret_json,
                       struct dray_error **ret_err);
/* Removes the distro that dray_distro_create made, with all that is in it, and the
 * target. Any other distro: DRAY_ERR_CONFLICT. */
int dray_distro_unregister(const char *target, const struct dray_call *call,
                           struct dray_error **ret_err);

/* --- identity (C05) --- */

/*
 * The name of a replica's container, "service-rep-N", owned. [A-Za-z0-9_-] stay, every
 * other byte becomes '-'; when anything was replaced or cut, '-' and eight hex digits of
 * the SHA-256 of the raw id go in before "-rep-N", so that two ids never share a name. At
 * most 63 bytes, never a leading '-'.
 */
char *dray_service_name(const char *service, uint32_t replica);
/* A name that a person typed: [a-zA-Z0-9][a-zA-Z0-9_.-]*, at most 128. */
int dray_name_check(const char *name, struct dray_error **ret_err);

/* --- images (C07 to C12) --- */

enum dray_pull_policy {
    DRAY_PULL_MISSING = 0, /* if_not_present */
    DRAY_PULL_ALWAYS = 1,  /* asks the registry for the tag again */
    DRAY_PULL_NEWER = 2,   /* as always, but an unreachable registry is no error when the
                              image is there */
    DRAY_PULL_NEVER = 3    /* DRAY_ERR_NOT_FOUND when it is missing */
};

/* One step of a pull or a push. Called on threads of the library, never two at once. */
struct dray_progress {
    size_t size;
    enum {
        DRAY_PROGRESS_RESOLVED = 0, /* total = number of layers */
        DRAY_PROGRESS_LAYER = 1,    /* done of total bytes */
        DRAY_PROGRESS_LAYER_DONE = 2,
        DRAY_PROGRESS_LAYER_EXISTS = 3,  /* was there already */
        DRAY_PROGRESS_LAYER_MOUNTED = 4, /* push: the registry has it from `from` */
        DRAY_PROGRESS_RETRY = 5 /* something failed, see `why`, and is tried again after
                                   `wait_ms`; not about one layer */
    } what;
    enum {
        DRAY_LAYER_WAITING = 0,
        DRAY_LAYER_DOWNLOADING = 1,
        DRAY_LAYER_UNPACKING = 2,
        DRAY_LAYER_PREPARING = 3, /* push: it is made again out of the unpacked layer */
        DRAY_LAYER_PUSHING = 4
    } stage;
    const char *layer;   /* digest, or the name of the file that an import downloads;
                            borrowed for the callback */
    int64_t done, total; /* of that file 0 in all when nobody knows */
    const char *from;    /* a repository; the URL of a file; borrowed; or NULL */
    const char *why;     /* one line for a person, borrowed; or NULL */
    int64_t wait_ms;
};

struct dray_pull_options {
    size_t size;
    enum dray_pull_policy policy;
    const char *platform; /* "linux/arm64"; NULL: the target's (C09) */
    const struct dray_registry_options *registry; /* NULL: the target's */
    void (*progress)(void *arg, const struct dray_progress *step); /* may be NULL */
    void *progress_arg;
    /* A file that says which digest a tag means, as "dray.lock"; NULL: none. A tag that
     * it does not know is asked for, pulled and put into it; of one that it knows exactly
     * that digest is pulled, and what is on the target will only do when it is that. */
    const char *lock_file;
    bool lock_update; /* what it knows of this tag does not count, and is replaced */
};

/* Makes sure that the image is over there, as the policy says (C07). reference as typed
 * for Docker: "alpine", "ghcr.io/a/b:tag", "name@sha256:…"; "hello" is built in.
 * *ret_json (may be NULL): {"id","digest","ref","familiar","pulled":bool,"newer":bool};
 * with a lock file "pinned" and, when the registry was asked and has moved the tag,
 * "tag_digest". DRAY_ERR_CONFIG: the lock file cannot be read or written. DRAY_ERR_PULL
 * with what the registry said; nothing half-made stays. */
int dray_image_pull(struct dray_target *target, const char *reference,
                    const struct dray_pull_options *options, const struct dray_call *call,
                    char **ret_json, struct dray_error **ret_err);
struct dray_push_options {
    size_t size;
    const struct dray_registry_options *registry; /* NULL: the target's */
    void (*progress)(void *arg, const struct dray_progress *step); /* may be NULL */
    void *progress_arg;
};

/*
 * Sends the image of that name to the registry that the name says (dray_image_tag gives
 * it another one). Blobs that are there are not sent, nor those that the registry can
 * take from another of its repositories; the manifest goes last. Layers come from the
 * blob cache, else they are made again out of the target's: the manifest that is pushed
 * names those as they are now. *ret_json (may be NULL): {"digest","size" of that
 * manifest,"ref","familiar"}. DRAY_ERR_PULL with what the registry said.
 */
int dray_image_push(struct dray_target *target, const char *reference,
                    const struct dray_push_options *options, const struct dray_call *call,
                    char **ret_json, struct dray_error **ret_err);
/* [{"id","digest","refs":[canonical…],"names":[familiar…],"created_ns","size",
 * "labels":{},"containers":N,"tags":[{"repository","tag","digest"}…]}…] */
int dray_image_list(struct dray_target *target, const struct dray_call *call,
                    char **ret_json, struct dray_error **ret_err);
/* In the shape of `docker image inspect`: one object. */
int dray_image_inspect(struct dray_target *target, const char *image,
                       const struct dray_call *call, char **ret_json,
                       struct dray_error **ret_err);
/* [{"id","created_ns","created_by","size","comment","empty":bool}…], newest first. */
int dray_image_history(struct dray_target *target, const char *image,
                       const struct dray_call *call, char **ret_json,
                       struct dray_error **ret_err);
/* Another name for an image; takes it away from the image that had it. */
int dray_image_tag(struct dray_target *target, const char *image, const char *name,
                   const struct dray_call *call, struct dray_error **ret_err);
/* *ret_json (may be NULL): {"untagged":[…],"deleted":[…]}. DRAY_ERR_CONFLICT when a
 * container uses it or, without force, when an id has several names. */
int dray_image_remove(struct dray_target *target, const char *image, bool force,
                      const struct dray_call *call, char **ret_json,
                      struct dray_error **ret_err);
/* Removes images without a name that no container uses; all: those with names too.
 * filters: "until=…", "label=…", "label!=…", NULL-terminated, may be NULL.
 * *ret_json: {"untagged":[…],"deleted":[…],"space_reclaimed":N}. */
int dray_image_prune(struct dray_target *target, bool all, char *const *filters,
                     const struct dray_call *call, char **ret_json,
                     struct dray_error **ret_err);
/* The canonical form of a typed reference ("docker.io/library/alpine:latest"); text that
 * can be an image id too comes back as it is. Asks nobody. */
int dray_reference_normalize(const char *text, char **ret_text,
                             struct dray_error **ret_err);

/* --- images in files, and from one registry to another (C12) --- */

/*
 * Places, as podman and skopeo write them: "alpine" or "docker://alpine" is a registry's,
 * "oci:DIR[:NAME]", "oci-archive:FILE[:NAME]", "docker-archive:FILE[:REFERENCE]" and
 * "dir:DIR" are on this machine; NAME may be "@N", the N-th image from 0.
 * dray_image_pull takes them too, and puts what they hold on the target.
 * *ret_local: it is on this machine. DRAY_ERR_INVALID: a place without a path.
 */
int dray_place_check(const char *text, bool *ret_local, struct dray_error **ret_err);

enum dray_archive_format {
    DRAY_DOCKER_ARCHIVE = 0, /* a tar, as `docker save` makes it */
    DRAY_OCI_ARCHIVE = 1,    /* an OCI layout in a tar */
    DRAY_OCI_DIR = 2,        /* an OCI layout; what is in it already stays */
    DRAY_DOCKER_DIR = 3      /* a directory as skopeo's dir:, one image, Docker's types */
};
struct dray_save_options {
    size_t size;
    enum dray_archive_format format;
    const char *path; /* of the file or directory; NULL: a tar goes to fd */
    int fd;
};
/*
 * Writes images (NULL-terminated, as typed) to this machine. Their ids stay. Blobs are
 * the registry's own where the cache still has them, else compressed anew; what cannot be
 * had exactly is an error that says what to do, never another image. A file is there
 * whole or not at all.
 */
int dray_image_save(struct dray_target *target, const char *const *images,
                    const struct dray_save_options *options, const struct dray_call *call,
                    struct dray_error **ret_err);

struct dray_load_options {
    size_t size;
    const char *path;     /* a tar of either kind, an OCI layout, a dir:; NULL: fd */
    int fd;               /* of a tar, which may be a pipe, plain or gzip or zstd */
    const char *platform; /* NULL: the target's */
    void (*progress)(void *arg, const struct dray_progress *step); /* may be NULL */
    void *progress_arg;
    const char *signature_policy; /* as dray_registry_options'; NULL: the target's */
};
/* Every image of an archive, under the names that it has there.
 * *ret_json: [{"id","names":[…]}…] */
int dray_image_load(struct dray_target *target, const struct dray_load_options *options,
                    const struct dray_call *call, char **ret_json,
                    struct dray_error **ret_err);

struct dray_import_options {
    size_t size;
    const char *path; /* a tar of a root file system, plain or gzip or zstd; NULL: fd */
    int fd;
    const char *name; /* what it shall be called; NULL: nothing */
    const char *message, *platform;
    const char *const *changes; /* as dray_commit_options' */
    const char
        *url; /* http or https, instead of path and fd: downloaded first, anonymously */
    const struct dray_registry_options
        *registry; /* CAs, insecure, policy; NULL: target's */
    void (*progress)(void *arg, const struct dray_progress *step); /* may be NULL */
    void *progress_arg;
};
/* An image of one layer. *ret_id: owned. */
int dray_image_import(struct dray_target *target,
                      const struct dray_import_options *options,
                      const struct dray_call *call, char **ret_id,
                      struct dray_error **ret_err);

struct dray_transfer_options {
    size_t size;
    const struct dray_registry_options *from, *to; /* NULL: the user's own files */
    const char *cache_dir;                         /* NULL: the user's */
    const char *platform;                          /* NULL: linux on this machine's CPU */
    const char *cache_limit;                       /* as dray_open_options' */
    bool all; /* a copy: of an index everything that it leads to, whatever platform */
    void (*progress)(void *arg, const struct dray_progress *step); /* may be NULL */
    void *progress_arg;
};
/* From one place to another, without a target. The bytes stay as they are.
 * *ret_json (may be NULL): {"id","digest"}; with all: {"digest"}, the index's. */
int dray_image_copy(const char *from, const char *to,
                    const struct dray_transfer_options *options,
                    const struct dray_call *call, char **ret_json,
                    struct dray_error **ret_err);
/* As dray_image_inspect for what a place holds, without its layers; "Size" is that of the
 * compressed ones, and "Layers" has their descriptors. */
int dray_image_inspect_remote(const char *place,
                              const struct dray_transfer_options *options,
                              const struct dray_call *call, char **ret_json,
                              struct dray_error **ret_err);

/*
 * Looks for images by a word: "redis", or "localhost:5000/red" in another registry than
 * docker.io. Docker Hub's search, else the registry's own, else its list of repositories;
 * DRAY_ERR_UNSUPPORTED when it has neither. limit: 1 to 100, 0: 25.
 * *ret_json: [{"name","description","stars","official":bool,"automated":bool}…]
 */
int dray_registry_search(const char *term, int limit,
                         const struct dray_registry_options *options,
                         const struct dray_call *call, char **ret_json,
                         struct dray_error **ret_err);

/* --- the cache of blobs on this machine (C10) --- */

/* dir NULL: the user's. *ret_json: {"dir","blobs":N,"bytes":N,"partials":N,
 * "partial_bytes":N,"limit":N or null}. */
int dray_cache_usage(const char *dir, char **ret_json, struct dray_error **ret_err);
/* [{"digest","size","used_ns","partial":bool}…], used longest ago first. */
int dray_cache_list(const char *dir, char **ret_json, struct dray_error **ret_err);
/* What was used longest ago goes until max_bytes are left (0: all), and parts of blobs
 * that nobody is fetching. *ret_json: {"blobs":N,"space_reclaimed":N}. */
int dray_cache_prune(const char *dir, int64_t max_bytes, char **ret_json,
                     struct dray_error **ret_err);

/* --- what a container shall be --- */

/*
 * A spec is a set of named fields, each set or added to from text in the form that
 * Docker's flags have. Names are docker's flags with '_' for '-'; the whole table is in
 * docs/spec-fields.md, made from the one that parses.
 *
 *   set: name service replica deployment image image_id workdir user hostname domainname
 *        network ip ip6 mac_address memory cpus cpu_shares pids_limit shm_size
 *        stop_signal stop_timeout log_driver restart schedule health_cmd health_interval
 *        health_timeout health_start_period health_start_interval health_retries; and,
 *        with "true" or "false": tty interactive rm read_only privileged init
 *        no_healthcheck publish_all; entrypoint (one word or "" to clear the image's)
 *   add: args env label volume tmpfs network network_alias dns dns_search dns_option
 *        add_host publish expose device ulimit sysctl cap_add cap_drop security_opt
 *        log_opt health_test annotation entrypoint
 *
 * restart: "no", "always", "unless-stopped", "on-failure[:N]". schedule: the five fields
 * of crontab(5), @daily and the like, or "@every 10m": start arms it, and its command
 * runs at each of these times until it is stopped, never twice at once; the target's
 * local time counts, and there is no restart policy beside it. health_test: the word list
 * of the image-spec, "CMD-SHELL" and a text, or TCP or HTTP and where, word by word.
 * network: "none", "host", "container:NAME" (that one's), or a network's name, with
 * "name=NAME,ip=IP,alias=NAME" for what it is there; several may be added; "bridge" when
 * none is given. ip, ip6, mac_address and network_alias are about the first. dns*: each
 * list takes the place of the guest's. add_host "name:host-gateway" is the guest as the
 * container sees it.
 * A service gives the container its name (dray_service_name) unless one is set.
 */
struct dray_spec;

struct dray_spec *dray_spec_new(const char *image);
void dray_spec_free(struct dray_spec *spec);
/* DRAY_ERR_INVALID names field and value, and what would be right. */
int dray_spec_set(struct dray_spec *spec, const char *field, const char *value,
                  struct dray_error **ret_err);
int dray_spec_set_int(struct dray_spec *spec, const char *field, int64_t value,
                      struct dray_error **ret_err);
int dray_spec_add(struct dray_spec *spec, const char *field, const char *value,
                  struct dray_error **ret_err);
/* Every value of a NULL-terminated vector (may be NULL). */
int dray_spec_add_all(struct dray_spec *spec, const char *field, char *const *values,
                      struct dray_error **ret_err);
/* Whether it makes sense as a whole, as creating it would find; asks nobody.
 * DRAY_ERR_INVALID names the field. */
int dray_spec_check(const struct dray_spec *spec, struct dray_error **ret_err);
/* The spec as JSON and back, for agents that keep theirs; unknown members are refused.
 * args, entrypoint, env and health_test are arrays of strings, in which a word that is
 * not UTF-8 is {"base64":"…"}. */
char *dray_spec_to_json(const struct dray_spec *spec);
int dray_spec_from_json(const char *json, struct dray_spec **ret_spec,
                        struct dray_error **ret_err);

/* --- a container's life (C13 to C23) --- */

#define DRAY_ID_SIZE 65 /* 64 hex digits and a NUL */

/* Makes the container; the image must be there (dray_image_pull). DRAY_ERR_EXISTS leaves
 * the one that has the name untouched; whatever fails, nothing is left (C15).
 * *ret_warnings (may be NULL): a JSON array of sentences. */
int dray_container_create(struct dray_target *target, const struct dray_spec *spec,
                          const struct dray_call *call, char ret_id[DRAY_ID_SIZE],
                          char **ret_warnings, struct dray_error **ret_err);
/* DRAY_ERR_START with the runtime's own words; code 127: the command is not in the image,
 * 126: it cannot be executed. Where the reason is plain (the working directory is a file)
 * the text is ours and the kind INVALID, CONFLICT or UNSUPPORTED; program, status and
 * output are there all the same. One that runs already is success. */
int dray_container_start(struct dray_target *target, const char *container,
                         const struct dray_call *call, struct dray_error **ret_err);
/* *ret_warnings: a JSON array of sentences, about what its network lacks; owned. */
int dray_container_start_warned(struct dray_target *target, const char *container,
                                const struct dray_call *call, char **ret_warnings,
                                struct dray_error **ret_err);
/* C18: its stop signal, timeout_s seconds, SIGKILL; returns when it is dead. timeout_s
 * -1: its own (10 by default). One that does not run is success. A restart policy does
 * not bring it back. */
int dray_container_stop(struct dray_target *target, const char *container,
                        int64_t timeout_s, const struct dray_call *call,
                        struct dray_error **ret_err);
/* stop and start in one crossing. */
int dray_container_restart(struct dray_target *target, const char *container,
                           int64_t timeout_s, const struct dray_call *call,
                           struct dray_error **ret_err);
/* The same two with another signal first, named as for dray_container_kill; NULL: its
 * own. */
int dray_container_stop_by(struct dray_target *target, const char *container,
                           const char *signal, int64_t timeout_s,
                           const struct dray_call *call, struct dray_error **ret_err);
int dray_container_restart_by(struct dray_target *target, const char *container,
                              const char *signal, int64_t timeout_s,
                              const struct dray_call *call, struct dray_error **ret_err);
/* C22: a name in any case, with or without SIG, or a number. DRAY_ERR_CONFLICT when it
 * does not run. */
int dray_container_kill(struct dray_target *target, const char *container,
                        const char *signal, const struct dray_call *call,
                        struct dray_error **ret_err);
/* Freezes every process of it; paused already, or not running: DRAY_ERR_CONFLICT. */
int dray_container_pause(struct dray_target *target, const char *container,
                         const struct dray_call *call, struct dray_error **ret_err);
int dray_container_unpause(struct dray_target *target, const char *container,
                           const struct dray_call *call, struct dray_error **ret_err);
/* C19: an unknown one is success. A running one: DRAY_ERR_CONFLICT, untouched, unless
 * force. volumes: its anonymous volumes go too. */
int dray_container_remove(struct dray_target *target, const char *container, bool force,
                          bool volumes, const struct dray_call *call,
                          struct dray_error **ret_err);
int dray_container_rename(struct dray_target *target, const char *container,
                          const char *name, const struct dray_call *call,
                          struct dray_error **ret_err);
/* Changes limits of a container, running or not. fields: pairs "memory", "64m", … of
 * memory, cpus, cpu_shares, pids_limit, restart, as in a spec; ends with NULL. */
int dray_container_update(struct dray_target *target, const char *container,
                          const char *const *fields, const struct dray_call *call,
                          struct dray_error **ret_err);

/* C20 */
enum dray_phase {
    DRAY_PENDING = 0,      /* being made */
    DRAY_INITIALIZING = 1, /* made, not started */
    DRAY_RUNNING = 2,
    DRAY_PAUSED = 3,
    DRAY_STOPPING = 4,
    DRAY_EXITED = 5,
    DRAY_FAILED = 6,     /* torn: reason says why; it can only be removed */
    DRAY_RESTARTING = 7, /* ended; its restart policy will start it again */
    DRAY_SCHEDULED = 8   /* waits for the next time of its schedule */
};
enum dray_health {
    DRAY_HEALTH_NONE = 0,
    DRAY_HEALTH_STARTING = 1,
    DRAY_HEALTHY = 2,
    DRAY_UNHEALTHY = 3
};

struct dray_state {
    enum dray_phase phase;
    enum dray_health health;
    bool exit_known; /* false: nobody saw its end (C21) */
    int exit_code;   /* of the last end; 128+n for signal n */
    bool oom_killed;
    int64_t pid; /* while alive, else 0 */
    int64_t restart_count;
    int64_t created_ns, started_ns; /* 0: never */
    int64_t finished_ns;            /* its last end, also when it runs again; 0: none */
    int64_t next_run_ns;            /* SCHEDULED: when; else 0 */
    int64_t run_count;              /* of a schedule, since it was created … */
    int64_t failed_count; /* … and those that ended with another code than 0, or unseen */
    char reason[256];     /* FAILED: why; else the error of the last start, or "" */
    int64_t reserved[6];
};

int dray_container_state(struct dray_target *target, const char *container,
                         const struct dray_call *call, struct dray_state *ret_state,
                         struct dray_error **ret_err);
const char *dray_phase_name(enum dray_phase phase); /* "running" */

/* C21: blocks until it has ended (for one that is restarted by its policy: for good), any
 * duration. *ret_known false: nobody saw its exit code, and *ret_code is -1. Of one that
 * was never started: DRAY_ERR_CONFLICT. */
int dray_container_wait(struct dray_target *target, const char *container,
                        const struct dray_call *call, bool *ret_known, int *ret_code,
                        struct dray_error **ret_err);
/* C23: its first process as seen over there, 0 when it is not alive. */
int dray_container_pid(struct dray_target *target, const char *container,
                       const struct dray_call *call, int64_t *ret_pid,
                       struct dray_error **ret_err);
/* C23: its address, NULL when it has none of its own that is live. Owned. */
int dray_container_ip(struct dray_target *target, const char *container,
                      const struct dray_call *call, char **ret_ip,
                      struct dray_error **ret_err);
/* C28: in the shape of `docker inspect`: one object. */
int dray_container_inspect(struct dray_target *target, const char *container,
                           const struct dray_call *call, char **ret_json,
                           struct dray_error **ret_err);
/* The same with SizeRw, the bytes that it has written, and SizeRootFs, those and its
 * image's: all files that it has written are looked at for that. */
int dray_container_inspect_sized(struct dray_target *target, const char *container,
                                 const struct dray_call *call, char **ret_json,
                                 struct dray_error **ret_err);

/* What a list shows; borrowed until the list is freed. */
struct dray_container {
    const char *id, *name, *image, *image_id, *command;
    const char *service, *deployment; /* NULL: of no service */
    uint32_t replica;
    const char *network; /* several with commas between them */
    const char *labels;  /* JSON object */
    struct dray_state state;
    const char *json; /* all of it: the helper's summary, PROTOCOL.md */
    const void *reserved[4];
};
struct dray_container_list {
    size_t count;
    struct dray_container *items; /* in no order */
    void *internal;
};
/* all: those that do not run too. */
int dray_container_list(struct dray_target *target, bool all,
                        const struct dray_call *call,
                        struct dray_container_list *ret_list,
                        struct dray_error **ret_err);
void dray_container_list_free(struct dray_container_list *list);
/* Removes those that do not run. filters as dray_image_prune's.
 * *ret_json: {"deleted":[ids],"space_reclaimed":N}. */
int dray_container_prune(struct dray_target *target, char *const *filters,
                         const struct dray_call *call, char **ret_json,
                         struct dray_error **ret_err);
/* Its processes: {"titles":["UID","PID",…],"processes":[["root","12",…],…]}. columns:
 * NULL, or a list as ps -o takes it, "pid,comm,args". */
int dray_container_top(struct dray_target *target, const char *container,
                       const char *columns, const struct dray_call *call, char **ret_json,
                       struct dray_error **ret_err);

/* --- streams (C24 to C27) --- */

/*
 * Whatever comes piece by piece: the output of an attached container or an exec, logs,
 * stats, events, archives. The caller pulls; nobody buffers more than a window (512 KiB
 * per stream), so a slow reader holds the writer back and memory does not grow.
 *
 * Functions that start or join a process return when it has started, or with the error
 * that says why not. The others need not wait: what is refused over there is told by them
 * or by the first dray_stream_next. A call's limits are those of the function, not of the
 * stream.
 *
 * One thread may call dray_stream_next while another one writes, resizes or signals.
 * Freeing a stream gives it up: an exec's process is killed; a container that was only
 * watched goes on.
 */
struct dray_stream;

enum dray_event_type {
    DRAY_EVENT_CREATED = 1, /* dray_container_run: id, json = warnings */
    DRAY_EVENT_STARTED = 2, /* pid, tty, json = warnings, NULL: none */
    DRAY_EVENT_OUTPUT = 3,  /* stream, data; any bytes */
    DRAY_EVENT_EXIT = 4,    /* exit_known, exit_code: exactly one, and the last */
    DRAY_EVENT_LOG = 5,     /* stream, data = one line without its end, time_ns */
    DRAY_EVENT_STATS = 6,   /* id, stats */
    DRAY_EVENT_ITEM = 7,    /* json: an event of dray_events, a member of a listing */
    DRAY_EVENT_ROUND = 8,   /* dray_stats_stream: each container had its STATS event */
    DRAY_EVENT_EOF = 9      /* dray_container_dial: the container sends no more */
};

/* C27. A container that does not run has zeros. */
struct dray_stats {
    int64_t time_ns;
    int64_t cpu_us;        /* used since its start */
    int64_t system_cpu_us; /* of the whole target since its boot */
    int64_t cpus;          /* online over there */
    int64_t memory_bytes,
        memory_limit_bytes;   /* limit INT64_MAX: none; memory without the
                               cache that can be dropped, as docker stats */
    int64_t pids, pids_limit; /* limit 0: none */
    int64_t block_read_bytes, block_write_bytes;
    int64_t net_rx_bytes, net_tx_bytes; /* all interfaces but lo */
    int64_t reserved[6];
};

struct dray_event {
    enum dray_event_type type;
    int stream;       /* 1 stdout, 2 stderr */
    const char *data; /* borrowed until the next call on the stream */
    size_t len;
    bool partial; /* lines: this is a piece, and the line goes on in the next event */
    int64_t time_ns;
    int64_t pid;
    bool tty; /* STARTED: it has a terminal; all its output is stream 1 */
    bool exit_known;
    int exit_code;
    bool oom_killed;
    const char *id, *name;            /* of a container; borrowed as data is */
    const char *service, *deployment; /* LOG: whose line this is, or NULL */
    const char *json;
    struct dray_stats stats;
    const void *reserved[6];
};

/* 1: an event; 0: the end (after EXIT, or when there is no more); -1: err. A TIMEOUT or
 * CANCELLED of this call leaves the stream as it is: call again. What failed over there
 * (an exec that never ran: DRAY_ERR_START) is an error here, never an exit code (C25). */
int dray_stream_next(struct dray_stream *stream, const struct dray_call *call,
                     struct dray_event *ret_event, struct dray_error **ret_err);
/* All of it to the process's stdin (or into the archive); blocks while it does not read.
 */
int dray_stream_write(struct dray_stream *stream, const void *data, size_t len,
                      const struct dray_call *call, struct dray_error **ret_err);
/* The end of stdin; output goes on. */
int dray_stream_close_stdin(struct dray_stream *stream, struct dray_error **ret_err);
/* The terminal's new size; nothing happens without one. */
int dray_stream_resize(struct dray_stream *stream, unsigned rows, unsigned columns,
                       struct dray_error **ret_err);
/* To the process, past stdin that nobody has read yet. */
int dray_stream_signal(struct dray_stream *stream, int signal,
                       struct dray_error **ret_err);
void dray_stream_free(struct dray_stream *stream); /* NULL is fine */

/* Moves bytes between a stream and descriptors (or a callback) until it ends. SIGPIPE is
 * blocked in the calling thread meanwhile. Control bytes are passed on even while an
 * output descriptor blocks; call's limits are looked at between two writes to it. */
struct dray_pump {
    size_t size;
    int stdin_fd;             /* -1: nothing is read. Not touched before STARTED. A
                                 socket that was reset: DRAY_ERR_CANCELLED, ECONNRESET */
    int stdout_fd, stderr_fd; /* -1: on_output instead, or dropped */
    /* Non-zero stops with DRAY_ERR_CANCELLED. On the calling thread, as on_event. */
    int (*on_output)(void *arg, int stream, const void *data, size_t len);
    void (*on_event)(void *arg, const struct dray_event *event); /* all but OUTPUT */
    void *arg;
    /* A pipe's read end; each byte is a signal number to pass on, written by a signal
     * handler say. SIGWINCH instead sends the size of tty_fd. -1: none. */
    int control_fd;
    int tty_fd;              /* the terminal whose size counts; -1: none */
    const char *detach_keys; /* "ctrl-p,ctrl-q"; NULL or "": none */
};
#define DRAY_PUMP_INIT                                                                   \
    {                                                                                    \
        sizeof(struct dray_pump), -1, -1, -1, NULL, NULL, NULL, -1, -1, NULL             \
    }
/* 0: it ended, *ret_end is its EXIT event; 1: the detach keys came, or the view ended
 * while the container goes on; -1: err, with code EPIPE when an output descriptor could
 * not be written to. */
int dray_stream_pump(struct dray_stream *stream, const struct dray_pump *pump,
                     const struct dray_call *call, struct dray_event *ret_end,
                     struct dray_error **ret_err);
/* The form of detach_keys: a comma-separated list of characters and ctrl-X. */
int dray_detach_keys_check(const char *keys, struct dray_error **ret_err);

struct dray_attach_options {
    size_t size;
    bool stdin_open;        /* the stream takes stdin */
    bool no_output;         /* output is not wanted */
    bool logs;              /* attach: first what was written before */
    bool lines;             /* OUTPUT events are lines, without their end; `partial` marks
                               pieces of lines over 64 KiB */
    unsigned rows, columns; /* of the terminal, when the container has one */
};

/* create and start in one crossing, attached: events CREATED, STARTED, OUTPUT…, EXIT.
 * When it does not start nothing is left of it. */
int dray_container_run(struct dray_target *target, const struct dray_spec *spec,
                       const struct dray_attach_options *options,
                       const struct dray_call *call, struct dray_stream **ret_stream,
                       struct dray_error **ret_err);
/* The same, detached: returns once it runs. */
int dray_container_run_detached(struct dray_target *target, const struct dray_spec *spec,
                                const struct dray_call *call, char ret_id[DRAY_ID_SIZE],
                                char **ret_warnings, struct dray_error **ret_err);
/* start, and stay with it from its first byte. */
int dray_container_start_attached(struct dray_target *target, const char *container,
                                  const struct dray_attach_options *options,
                                  const struct dray_call *call,
                                  struct dray_stream **ret_stream,
                                  struct dray_error **ret_err);
/* Joins one that runs (else DRAY_ERR_CONFLICT): STARTED, OUTPUT… from now on, EXIT. */
int dray_container_attach(struct dray_target *target, const char *container,
                          const struct dray_attach_options *options,
                          const struct dray_call *call, struct dray_stream **ret_stream,
                          struct dray_error **ret_err);

/*
 * A connection to a port of a running container (else DRAY_ERR_CONFLICT), from inside its
 * network, whatever that is: to 127.0.0.1, or ::1. protocol: "tcp" (or NULL) or "udp".
 * Events STARTED, OUTPUT…, EOF; dray_stream_close_stdin ends the other direction. After
 * both the stream ends. DRAY_ERR_NETWORK with code ECONNREFUSED: nobody listens there;
 * with ECONNRESET, later: the container has reset it. Freeing the stream before its end
 * resets it. Of udp each OUTPUT and each dray_stream_write (at most 65,507 bytes) is a
 * datagram; what comes faster than it is taken is lost.
 */
int dray_container_dial(struct dray_target *target, const char *container, int port,
                        const char *protocol, const struct dray_call *call,
                        struct dray_stream **ret_stream, struct dray_error **ret_err);

struct dray_exec_options {
    size_t size;
    const char *const *argv; /* NULL-terminated, at least one word (C25); byte for byte */
    const char *const
        *env; /* "K=V", NULL-terminated; on top of the container's; as argv */
    const char *user, *workdir; /* NULL: the container's */
    bool tty, privileged;
    bool stdin_open; /* the stream takes stdin; otherwise it is empty */
    bool lines;      /* as dray_attach_options' */
    unsigned rows, columns;
};

/* C26: STARTED, OUTPUT…, EXIT. DRAY_ERR_CONFLICT when the container does not run. */
int dray_exec(struct dray_target *target, const char *container,
              const struct dray_exec_options *options, const struct dray_call *call,
              struct dray_stream **ret_stream, struct dray_error **ret_err);
/* Returns once it runs, and lets it run. */
int dray_exec_detached(struct dray_target *target, const char *container,
                       const struct dray_exec_options *options,
                       const struct dray_call *call, struct dray_error **ret_err);

/* C25: all of its output. NUL-terminated for convenience; free with
 * dray_exec_result_free. */
struct dray_exec_result {
    int exit_code;
    char *out, *err;
    size_t out_len, err_len;
    int64_t reserved[2];
};
/* max_bytes of each stream; 0: 16 MiB. More: DRAY_ERR_INVALID, and the process is killed.
 */
int dray_exec_run(struct dray_target *target, const char *container,
                  const struct dray_exec_options *options, size_t max_bytes,
                  const struct dray_call *call, struct dray_exec_result *ret_result,
                  struct dray_error **ret_err);
void dray_exec_result_free(struct dray_exec_result *result);

struct dray_logs_options {
    size_t size;
    int64_t tail;               /* the last N lines; -1: all. DRAY_LOGS_INIT sets -1 */
    int64_t since_ns, until_ns; /* 0: no bound */
    bool follow;                /* until the container ends */
};
#define DRAY_LOGS_INIT                                                                   \
    {                                                                                    \
        sizeof(struct dray_logs_options), -1, 0, 0, false                                \
    }
/* C24: LOG events, in the order written, each with its time and stream; a line over 64
 * KiB comes in pieces. Without a log there are none. */
int dray_container_logs(struct dray_target *target, const char *container,
                        const struct dray_logs_options *options,
                        const struct dray_call *call, struct dray_stream **ret_stream,
                        struct dray_error **ret_err);
/* The same bytes raw, as OUTPUT events: the fast way. timestamps: "<RFC 3339> " goes
 * before each line. */
int dray_container_logs_raw(struct dray_target *target, const char *container,
                            const struct dray_logs_options *options, bool timestamps,
                            const struct dray_call *call, struct dray_stream **ret_stream,
                            struct dray_error **ret_err);

/* C27: one sample; zeros, not an error, when it does not run. */
int dray_container_stats(struct dray_target *target, const char *container,
                         const struct dray_call *call, struct dray_stats *ret_stats,
                         struct dray_error **ret_err);
/* STATS events: for each container (NULL-terminated; NULL: all that run, as they come and
 * go), every interval_ms (0: 1000). once: one round, then the end. */
int dray_stats_stream(struct dray_target *target, const char *const *containers,
                      int64_t interval_ms, bool once, const struct dray_call *call,
                      struct dray_stream **ret_stream, struct dray_error **ret_err);

/* What happened to containers, images and volumes: ITEM events, {"time_ns","type",
 * "action","id","name","attributes":{…}}, oldest first. The helper keeps the last few MB.
 * until_ns 0: goes on with what happens. filters: "container=", "event=", "image=",
 * "label=", "network=", "type=", NULL-terminated; may be NULL. */
int dray_events(struct dray_target *target, int64_t since_ns, int64_t until_ns,
                char *const *filters, const struct dray_call *call,
                struct dray_stream **ret_stream, struct dray_error **ret_err);

/* --- files of a container --- */

/* What a path is inside a container. */
struct dray_path_stat {
    char *name;        /* its last component */
    char *link_target; /* of a symbolic link, else NULL */
    uint32_t mode;     /* st_mode */
    int64_t size, mtime_ns;
    int64_t reserved[4];
};
/* Paths are resolved inside the container's root file system, running or not: symbolic
 * links cannot lead out of it. follow: the last component too. */
int dray_container_stat_path(struct dray_target *target, const char *container,
                             const char *path, bool follow, const struct dray_call *call,
                             struct dray_path_stat *ret_stat,
                             struct dray_error **ret_err);
void dray_path_stat_release(struct dray_path_stat *stat);
/* A tar of path: OUTPUT events, then the end. Its entries begin with path's last
 * component. */
int dray_container_copy_out(struct dray_target *target, const char *container,
                            const char *path, bool follow, const struct dray_call *call,
                            struct dray_stream **ret_stream, struct dray_error **ret_err);
/* Unpacks a tar into the directory path: dray_stream_write it, dray_stream_close_stdin,
 * then dray_stream_next until 0 (all is there) or -1. owners: keep the archive's uids and
 * gids (else root's). */
int dray_container_copy_in(struct dray_target *target, const char *container,
                           const char *path, bool owners, const struct dray_call *call,
                           struct dray_stream **ret_stream, struct dray_error **ret_err);
struct dray_copy_options {
    size_t size;
    bool follow; /* the source itself may be a symbolic link: copy what it points to */
    bool owners; /* keep uids and gids (and set-id bits); else files belong to root in the
                    container, and here to whoever copies */
};
/*
 * `docker cp`, with its rules. With SRC a file: DEST missing: it becomes DEST, whose
 * parent must be there ("DEST/" is an error then); a file: it is replaced; a directory:
 * the file goes into it. With SRC a directory: DEST missing: it becomes DEST; a file: an
 * error; a directory: "SRC/." puts the content into it, any other spelling the directory
 * itself. Directories are merged; a directory never replaces something else, nor the
 * other way round (DRAY_ERR_CONFLICT).
 *
 * What comes out of a container is hostile: nothing is written outside local_path nor
 * through a symbolic link below it, devices are not made, set-id bits and xattrs are left
 * away. *ret_skipped (may be NULL): how many devices. What was written before a failure
 * stays, each file whole.
 */
int dray_copy_from(struct dray_target *target, const char *container, const char *path,
                   const char *local_path, const struct dray_copy_options *options,
                   const struct dray_call *call, int64_t *ret_skipped,
                   struct dray_error **ret_err);
/* The other way. A read-only container or mount: DRAY_ERR_CONFLICT. */
int dray_copy_to(struct dray_target *target, const char *local_path,
                 const char *container, const char *path,
                 const struct dray_copy_options *options, const struct dray_call *call,
                 struct dray_error **ret_err);
/* The whole root file system as a tar: OUTPUT events. */
int dray_container_export(struct dray_target *target, const char *container,
                          const struct dray_call *call, struct dray_stream **ret_stream,
                          struct dray_error **ret_err);
/* What changed against the image: OUTPUT events; the bytes are records "A/path", "C/path"
 * or "D/path", each ended by a NUL. */
int dray_container_diff(struct dray_target *target, const char *container,
                        const struct dray_call *call, struct dray_stream **ret_stream,
                        struct dray_error **ret_err);

struct dray_commit_options {
    size_t size;
    const char *name; /* reference for the new image; NULL: none */
    const char *author, *message;
    const char *const *changes; /* Dockerfile instructions: "CMD …", "ENV k=v" … */
    bool no_pause;              /* do not freeze it meanwhile */
};
/* Makes an image of it. *ret_id: the new image's id, owned. */
int dray_container_commit(struct dray_target *target, const char *container,
                          const struct dray_commit_options *options,
                          const struct dray_call *call, char **ret_id,
                          struct dray_error **ret_err);

/* --- networks --- */

/* One subnet of a network; NULL members are chosen. */
struct dray_subnet {
    const char *subnet;  /* "10.1.0.0/24", "fd00:1::/64" */
    const char *gateway; /* the guest's address there; NULL: the first */
    const char *range;   /* containers get addresses out of this part; NULL: all of it */
};
struct dray_network_options {
    size_t size;
    const struct dray_subnet *subnets; /* at most one of each family */
    size_t subnet_count;
    bool internal;       /* no way out */
    bool ipv6;           /* an IPv6 subnet even when none is given */
    int64_t mtu;         /* 0: the guest's way out's, at most 1500 */
    char *const *labels; /* "k=v", NULL-terminated; may be NULL */
};
/* DRAY_ERR_EXISTS; DRAY_ERR_CONFLICT when a subnet overlaps with another network or a
 * route of the guest. *ret_id (may be NULL) owned. */
int dray_network_create(struct dray_target *target, const char *name,
                        const struct dray_network_options *options,
                        const struct dray_call *call, char **ret_id,
                        struct dray_error **ret_err);
/* In the shape of `docker network inspect`: an array, and one object. "bridge", "host"
 * and "none" are always there. */
int dray_network_list(struct dray_target *target, const struct dray_call *call,
                      char **ret_json, struct dray_error **ret_err);
int dray_network_inspect(struct dray_target *target, const char *network,
                         const struct dray_call *call, char **ret_json,
                         struct dray_error **ret_err);
/* DRAY_ERR_CONFLICT while containers that run are on it. force: an unknown one is
 * success. */
int dray_network_remove(struct dray_target *target, const char *network, bool force,
                        const struct dray_call *call, struct dray_error **ret_err);
/* Removes those that no container, running or not, is to be on. *ret_json:
 * {"deleted":[names]}. */
int dray_network_prune(struct dray_target *target, char *const *filters,
                       const struct dray_call *call, char **ret_json,
                       struct dray_error **ret_err);

struct dray_connect_options {
    size_t size;
    const char *ip, *ip6, *mac_address; /* NULL: chosen */
    char *const *aliases;               /* NULL-terminated; may be NULL */
};
/* At once when the container runs, and for its next runs. DRAY_ERR_EXISTS when it is on
 * it already. options may be NULL. */
int dray_network_connect(struct dray_target *target, const char *network,
                         const char *container,
                         const struct dray_connect_options *options,
                         const struct dray_call *call, struct dray_error **ret_err);
/* DRAY_ERR_NOT_FOUND when it is not on it. */
int dray_network_disconnect(struct dray_target *target, const char *network,
                            const char *container, const struct dray_call *call,
                            struct dray_error **ret_err);

/*
 * C29, C30: the address that a container of this name has on an overlay network that
 * somebody else runs, and the gateway there; said before the container is created, NULL
 * forgets it. A container that names no network starts with it: /24 (IPv6: /64), the
 * gateway on the guest's end, and without one its neighbours only. When that cannot be
 * done it starts on the guest's own network, with a warning, and dray_container_ip() has
 * none. DRAY_ERR_INVALID.
 */
int dray_record_ip(struct dray_target *target, const char *container, const char *ip,
                   const struct dray_call *call, struct dray_error **ret_err);
int dray_record_gateway(struct dray_target *target, const char *container,
                        const char *gateway, const struct dray_call *call,
                        struct dray_error **ret_err);

/* --- volumes --- */

/* One that exists already is success (as Docker). labels "k=v", NULL-terminated or NULL.
 * name NULL: one is made up; *ret_name (may be NULL) owned. */
int dray_volume_create(struct dray_target *target, const char *name, char *const *labels,
                       const struct dray_call *call, char **ret_name,
                       struct dray_error **ret_err);
/* [{"Name","Driver","Mountpoint","Scope","CreatedAt","Labels":{}}…] */
int dray_volume_list(struct dray_target *target, const struct dray_call *call,
                     char **ret_json, struct dray_error **ret_err);
int dray_volume_inspect(struct dray_target *target, const char *name,
                        const struct dray_call *call, char **ret_json,
                        struct dray_error **ret_err);
/* DRAY_ERR_CONFLICT while a container has it. force: an unknown one is success. */
int dray_volume_remove(struct dray_target *target, const char *name, bool force,
                       const struct dray_call *call, struct dray_error **ret_err);
/* Removes anonymous volumes that no container has; all: named ones too.
 * *ret_json: {"deleted":[names],"space_reclaimed":N}. */
int dray_volume_prune(struct dray_target *target, bool all, char *const *filters,
                      const struct dray_call *call, char **ret_json,
                      struct dray_error **ret_err);

/* Disk use over there: {"images":[{"id","names","size","shared_size","containers"}],
 * "containers":[{"id","name","image","status","size"}],"volumes":[{"name","size",
 * "containers"}],"layers_size":N}. */
int dray_disk_usage(struct dray_target *target, const struct dray_call *call,
                    char **ret_json, struct dray_error **ret_err);

/* --- deployments (C35) --- */

/*
 * What files say shall run: services, networks, volumes. Files are in dray's own format
 * (`version: v1`, dray-deployment(5)) or Compose's. Reading them asks no target.
 */
struct dray_deployment;

struct dray_deployment_options {
    size_t size;
    const char *const *files; /* NULL-terminated; several are merged (Compose only). "-",
                                 or none: text below */
    const char *text;
    const char *name;               /* of the deployment, instead of what the file says */
    const char *directory;          /* what relative paths begin at; NULL: the first
                                       file's */
    const char *const *profiles;    /* Compose's; may be NULL */
    const char *const *env_files;   /* Compose: for interpolation; NULL: .env beside the
                                       first file, when it is there */
    const char *const *environment; /* "K=V"; NULL: the process's own */
    const char *secrets_file;       /* KEY=VALUE lines for $S:KEY; NULL: none */
};

/*
 * The files that are meant when none is named, as a JSON array: those of COMPOSE_FILE,
 * from environment (NULL: the process's own) or .env; else, in directory (NULL: the
 * current one) or the nearest one above it, dray.yaml, dray.yml, or compose.yaml,
 * compose.yml, docker-compose.yaml, docker-compose.yml with their override file. Empty:
 * there is none.
 */
char *dray_deployment_find(const char *directory, const char *const *environment);
/*
 * Syntax, fields and types, all that is wrong at once: *ret_problems (may be NULL) is a
 * JSON array [{"file","line","column","text"}…] in the order of the file, on failure too
 * (empty when a file cannot be read at all). DRAY_ERR_CONFIG says the first of them.
 */
int dray_deployment_parse(const struct dray_deployment_options *options,
                          struct dray_deployment **ret_deployment, char **ret_problems,
                          struct dray_error **ret_err);
/* What the parts say together: what services wait for, ports, names, limits. The same
 * problems and error. */
int dray_deployment_validate(const struct dray_deployment *deployment,
                             char **ret_problems, struct dray_error **ret_err);
void dray_deployment_free(struct dray_deployment *deployment); /* NULL is fine */
/* Borrowed. */
const char *dray_deployment_name(const struct dray_deployment *deployment);
/* What was read and means nothing here: a JSON array of sentences. */
char *dray_deployment_warnings(const struct dray_deployment *deployment);
/* All of it as one document of dray's own format; read again it is the same deployment.
 * Values of the secrets file appear as $S:NAME. format: "yaml" (NULL too) or "json". */
int dray_deployment_config(const struct dray_deployment *deployment, const char *format,
                           char **ret_text, struct dray_error **ret_err);
/* JSON Schema of dray's own format, for editors and validators. */
char *dray_deployment_schema(void);

/* --- deployments: from what is there to what shall be (C35) --- */

/*
 * A deployment is brought to what its files say in two steps. A plan asks what is there,
 * by one request however many services there are, and says what is to be done and why; it
 * can be shown. Applying it does that: pulls, networks, volumes, containers; what does
 * not depend on each other at the same time.
 *
 * While a plan that can be applied exists, nobody else plans that deployment on that
 * target: he waits. The lock is over there and goes with the helper.
 */
struct dray_plan;

/* So many replicas of a service from now on, whatever its files say. DRAY_ERR_NOT_FOUND:
 * no such service; DRAY_ERR_INVALID: there can be one of it only. */
int dray_deployment_scale(struct dray_deployment *deployment, const char *service,
                          int64_t replicas, struct dray_error **ret_err);

struct dray_plan_options {
    size_t size;
    /* Only these, and what they depend on; NULL-terminated; NULL: all. */
    const char *const *services;
    bool no_deps;        /* … and not what they depend on */
    bool force_recreate; /* containers that have not changed too */
    bool no_recreate;    /* none that has changed */
    bool remove_orphans; /* containers of services that the files do not have any more */
    bool wait;           /* ends when all are healthy, or run where they have no health
                            check, and jobs have ended with 0 */
    const char *pull;    /* "missing", "always", "newer", "never"; NULL: the services' */
    bool show_only;      /* it will not be applied: no lock is taken */
    bool images_only;    /* nothing but the pulls of the images */
    bool surroundings;   /* not the services themselves, but all that they need: their
                            image, networks, volumes, and what they depend on */
    void (*waiting)(void *arg); /* somebody else has the lock; may be NULL */
    void *waiting_arg;
    /* As dray_apply_options' one: images that are there are looked at too. */
    const char *lock_file;
};
/*
 * The deployment is borrowed until the plan is freed. DRAY_ERR_EXISTS: the name of a
 * container or a network is somebody else's; DRAY_ERR_NOT_FOUND: a service of options,
 * or an external network or volume, is missing. Nothing was changed then.
 */
int dray_deployment_plan(struct dray_target *target,
                         const struct dray_deployment *deployment,
                         const struct dray_plan_options *options,
                         const struct dray_call *call, struct dray_plan **ret_plan,
                         struct dray_error **ret_err);
struct dray_down_options {
    size_t size;
    bool volumes; /* its volumes too, but not external ones */
    bool remove_orphans;
    bool show_only;
    void (*waiting)(void *arg);
    void *waiting_arg;
};
/* To take it away. deployment NULL: all that is there under that name; else only what its
 * files know, and orphans when asked for. */
int dray_deployment_plan_down(struct dray_target *target, const char *name,
                              const struct dray_deployment *deployment,
                              const struct dray_down_options *options,
                              const struct dray_call *call, struct dray_plan **ret_plan,
                              struct dray_error **ret_err);
enum dray_change {
    DRAY_CHANGE_START = 0,   /* what they depend on first, and as healthy as they want */
    DRAY_CHANGE_STOP = 1,    /* those that depend on others before these */
    DRAY_CHANGE_RESTART = 2, /* as START; those that say so restart with what they depend
                                on */
    DRAY_CHANGE_REMOVE = 3   /* as STOP */
};
struct dray_change_options {
    size_t size;
    const char *const *services; /* only these; NULL-terminated; NULL: all */
    bool no_deps;                /* START, RESTART: nothing but these */
    bool running;                /* REMOVE: those too that run */
    bool volumes;                /* REMOVE: their anonymous volumes too */
    bool show_only;
    void (*waiting)(void *arg);
    void *waiting_arg;
};
/* With the containers that are there, whatever the files say of them by now. deployment
 * NULL: the order is that of when they were made. DRAY_ERR_NOT_FOUND: there is no such
 * service, or (START, RESTART) no container. */
int dray_deployment_plan_change(struct dray_target *target, const char *name,
                                const struct dray_deployment *deployment,
                                enum dray_change change,
                                const struct dray_change_options *options,
                                const struct dray_call *call, struct dray_plan **ret_plan,
                                struct dray_error **ret_err);
/* {"deployment","steps":[{"action":"pull|create|recreate|start|restart|stop|remove|wait",
 * "kind":"image|network|volume|container","name","service","why","after":[indices of
 * steps]}…],"unchanged":[{"name","service","id"}…],"warnings":[sentences]} */
char *dray_plan_json(const struct dray_plan *plan);

enum dray_step_state {
    DRAY_STEP_BEGUN = 0,
    DRAY_STEP_DONE = 1,
    DRAY_STEP_UNCHANGED = 2, /* a pull brought what is there already */
    DRAY_STEP_FAILED = 3,
    DRAY_STEP_SKIPPED = 4 /* one that it waits for has failed */
};
/* Borrowed for the callback; NULL where there is none. */
struct dray_step {
    size_t size;
    enum dray_step_state state;
    const char *action, *kind, *name, *service, *why;
    const char *container; /* its id, once that is known */
    const char *warnings;  /* JSON array of sentences */
    const char *error;
};
struct dray_apply_options {
    size_t size;
    int64_t stop_timeout_s;                       /* of what is stopped; -1: its own */
    const struct dray_registry_options *registry; /* NULL: the target's */
    /* On threads of the library, never two at once. */
    void (*progress)(void *arg, const struct dray_step *step);
    void *progress_arg;
    const char *lock_file; /* as dray_pull_options', for all images; NULL: none */
    bool lock_update;
    /* What the pulls do, several at a time, and never while the other one is called; the
     * image is borrowed. May be NULL. */
    void (*pull_progress)(void *arg, const char *image, const struct dray_progress *step);
    void *pull_progress_arg;
};
#define DRAY_APPLY_INIT                                                                  \
    {                                                                                    \
        sizeof(struct dray_apply_options), -1, NULL, NULL, NULL, NULL, false, NULL, NULL \
    }
/*
 * Carries it out, once. A step that fails is undone; those that wait for it are not
 * begun, the others go on; the error is the first one's and names service and container.
 * Planning again goes on from there. A deadline or a cancellation begins nothing more.
 */
int dray_plan_apply(struct dray_target *target, struct dray_plan *plan,
                    const struct dray_apply_options *options,
                    const struct dray_call *call, struct dray_error **ret_err);
void dray_plan_free(struct dray_plan *plan); /* NULL is fine */

/*
 * One more container of a service, for one command, as `compose run` makes it: not a
 * replica, without published ports, never restarted. words (NULL-terminated; NULL: the
 * service's own) are behind its entrypoint. The spec may be changed before the container
 * is created, with the service's files in it; it is started as any other.
 */
int dray_deployment_oneoff(const struct dray_deployment *deployment, const char *service,
                           const char *const *words, struct dray_spec **ret_spec,
                           struct dray_error **ret_err);
int dray_deployment_create_oneoff(struct dray_target *target,
                                  const struct dray_deployment *deployment,
                                  const char *service, const struct dray_spec *spec,
                                  const struct dray_call *call, char ret_id[DRAY_ID_SIZE],
                                  struct dray_error **ret_err);

#ifdef __cplusplus
}
#endif

#endif
