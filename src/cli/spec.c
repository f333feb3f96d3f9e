/* SPDX-License-Identifier: Apache-2.0 */
/* From the flags of run and create to a container's spec. */
#include <string.h>

#include "base/fs.h"
#include "base/text.h"
#include "cli/args.h"
#include "cli/cli.h"

/* It crosses in one message with all the rest (WIRE_CONTROL_MAX is 1 MiB). */
#define SECCOMP_MAX_BYTES (512u << 10)

/* Docker's habit: a source that begins with '.' or '~' is a path of this machine, as the
 * shell in front of us would mean it. */
static int absolute_source(struct spec_mount *mount, struct dr_error *err)
{
    if (mount->type != SPEC_MOUNT_BIND || mount->source[0] == '/')
        return 0;
    dr_auto_free char *base = NULL;
    const char *rest = mount->source;
    if (rest[0] == '~') {
        const char *home = getenv("HOME");
        if ((rest[1] && rest[1] != '/') || !home || *home != '/')
            return dr_fail(err, DR_ERR_INVALID,
                           "%s: only ~ and ~/… can stand for a home directory; write the "
                           "absolute path",
                           mount->source);
        base = dr_strdup(home);
        rest++;
    } else {
        base = getcwd(NULL, 0);
        if (!base)
            return dr_fail_errno(err, DR_ERR_NONE, "the current directory");
    }
    dr_auto_free char *joined = dr_printf("%s/%s", base, rest);
    free(mount->source);
    mount->source = spec_path_clean(joined);
    return 0;
}

static int add_mounts(struct spec_container *spec, const struct run_args *args,
                      struct dr_error *err)
{
    for (size_t i = 0; args->volumes && args->volumes[i]; i++) {
        struct spec_mount mount;
        if (spec_mount_parse(args->volumes[i], &mount, err) < 0)
            return -1;
        if (absolute_source(&mount, err) < 0) {
            spec_mount_release(&mount);
            return dr_wrap(err, "-v %s", args->volumes[i]);
        }
        spec_container_add_mount(spec, &mount);
    }
    for (size_t i = 0; args->tmpfs && args->tmpfs[i]; i++) {
        struct spec_mount mount;
        if (spec_tmpfs_parse(args->tmpfs[i], &mount, err) < 0)
            return -1;
        spec_container_add_mount(spec, &mount);
    }
    return 0;
}

static int add_devices(struct spec_container *spec, const struct run_args *args,
                       struct dr_error *err)
{
    for (size_t i = 0; args->devices && args->devices[i]; i++) {
        struct spec_device device;
        if (spec_device_parse(args->devices[i], &device, err) < 0)
            return -1;
        spec_container_add_device(spec, &device);
    }
    for (size_t i = 0; args->ulimits && args->ulimits[i]; i++) {
        struct spec_ulimit ulimit;
        if (spec_ulimit_parse(args->ulimits[i], &ulimit, err) < 0)
            return -1;
        spec_container_add_ulimit(spec, &ulimit);
    }
    return 0;
}

/* "seccomp=profile.json" names a file of this machine: its text crosses, not its name. */
static int add_seccomp(struct spec_container *spec, const char *path,
                       struct dr_error *err)
{
    dr_auto_buf struct dr_buf buf = DR_BUF_INIT(SECCOMP_MAX_BYTES);
    if (dr_file_read(AT_FDCWD, path, &buf, err) < 0)
        return dr_wrap(err, "--security-opt seccomp");
    dr_auto_json json_t *profile =
        dr_json_parse(buf.data ? buf.data : "", buf.len, SECCOMP_MAX_BYTES, err);
    if (!profile)
        return dr_wrap(err, "--security-opt seccomp: %s", path);
    dr_auto_free char *text = dr_json_text(profile);
    dr_auto_free char *option = dr_printf("seccomp=%s", text);
    dr_strv_add(&spec->security_opts, option);
    return 0;
}

static int add_security(struct spec_container *spec, const struct run_args *args,
                        struct dr_error *err)
{
    for (size_t i = 0; args->security_opts && args->security_opts[i]; i++) {
        const char *option = args->security_opts[i];
        /* the colon is Docker's older way to write it */
        bool seccomp =
            strncmp(option, "seccomp", 7) == 0 && (option[7] == '=' || option[7] == ':');
        const char *value = seccomp ? option + 8 : NULL;
        if (seccomp && strcmp(value, "unconfined") != 0 &&
            strcmp(value, "builtin") != 0) {
            if (add_seccomp(spec, value, err) < 0)
                return -1;
            continue;
        }
        dr_strv_add(&spec->security_opts, option);
    }
    return 0;
}

static void add_labels(struct spec_container *spec, const struct run_args *args)
{
    for (size_t i = 0; args->labels && args->labels[i]; i++) {
        const char *label = args->labels[i];
        dr_auto_free char *pair = dr_printf("%s%s", label, strchr(label, '=') ? "" : "=");
        dr_strv_add(&spec->labels, pair);
    }
}

static void add_list(char ***to, char *const *from)
{
    for (; from && *from; from++)
        dr_strv_add(to, *from);
}

static int set_network(struct spec_container *spec, const char *network,
                       struct dr_error *err)
{
    if (network && strcmp(network, "none") != 0 && strcmp(network, "host") != 0)
        return dr_fail(err, DR_ERR_UNSUPPORTED,
                       "--network %s is not supported yet (networks of containers are "
                       "still to come); use none or host",
                       network);
    spec->network = dr_strdup(network);
    return 0;
}

static int set_limits(struct spec_container *spec, const struct run_args *args,
                      struct dr_error *err)
{
    spec->memory_bytes = args->memory_bytes;
    spec->shm_size_bytes = args->shm_size_bytes;
    spec->cpu_shares = args->cpu_shares;
    spec->pids_limit = args->pids_limit;
    if (args->cpus && spec_cpus_parse(args->cpus, &spec->nano_cpus, err) < 0)
        return dr_wrap(err, "--cpus");
    return 0;
}

static int set_stop(struct spec_container *spec, const struct run_args *args,
                    struct dr_error *err)
{
    int number;
    spec->stop_timeout_s = args->stop_timeout_s;
    if (!args->stop_signal)
        return 0;
    if (spec_signal_parse(args->stop_signal, &number, err) < 0)
        return dr_wrap(err, "--stop-signal");
    spec->stop_signal = dr_strdup(spec_signal_name(number));
    return 0;
}

static void set_command(struct spec_container *spec, const struct run_args *args,
                        char **words)
{
    for (size_t i = 1; words[i]; i++)
        dr_strv_add(&spec->args, words[i]);
    spec->has_entrypoint = args->entrypoint != NULL;
    if (args->entrypoint && *args->entrypoint) /* "" clears the image's */
        dr_strv_add(&spec->entrypoint, args->entrypoint);
}

static int fill(struct spec_container *spec, const struct run_args *args, char **words,
                struct dr_error *err)
{
    spec->image = host_image_name(words[0], err);
    if (!spec->image)
        return -1;
    if (args->name && spec_name_check(args->name, err) < 0)
        return dr_wrap(err, "--name");
    spec->name = dr_strdup(args->name);
    spec->workdir = dr_strdup(args->workdir);
    spec->user = dr_strdup(args->user);
    spec->hostname = dr_strdup(args->hostname);
    spec->privileged = args->privileged;
    spec->read_only = args->read_only;
    spec->init = args->init;
    spec->stdin_open = args->interactive;
    spec->auto_remove = args->auto_remove;
    set_command(spec, args, words);
    add_labels(spec, args);
    add_list(&spec->cap_add, args->cap_add);
    add_list(&spec->cap_drop, args->cap_drop);
    add_list(&spec->sysctls, args->sysctls);
    if (cli_env_all(args->env_files, args->env, true, &spec->env, err) < 0 ||
        add_mounts(spec, args, err) < 0 || add_devices(spec, args, err) < 0 ||
        add_security(spec, args, err) < 0 || set_network(spec, args->network, err) < 0 ||
        set_limits(spec, args, err) < 0 || set_stop(spec, args, err) < 0)
        return -1;
    return spec_container_check(spec, err);
}

struct spec_container *cli_spec(const struct run_args *args, char **words,
                                struct dr_error *err)
{
    spec_auto_container struct spec_container *spec = spec_container_new();
    if (fill(spec, args, words, err) < 0)
        return NULL;
    return DR_TAKE(spec);
}
