/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the flags of run and create to a container's spec: a table says which field of the
 * spec (include/dray.h) each flag sets. What comes before it is what only this machine
 * knows: its environment, its files, its current directory.
 */
#include <string.h>

#include "base/fs.h"
#include "base/text.h"
#include "cli/args.h"
#include "cli/cli.h"

/* It crosses in one message with all the rest (1 MiB). */
#define SECCOMP_MAX_BYTES (512u << 10)

enum how { TEXT, YES, NUMBER, LIST };

struct mapping {
    const char *field;
    enum how how;
    size_t at;         /* in struct run_args */
    int64_t otherwise; /* NUMBER: what means that it was not given */
};

#define RUN(member) offsetof(struct run_args, member)
static const struct mapping mappings[] = {
    {"name", TEXT, RUN(name)},
    {"workdir", TEXT, RUN(workdir)},
    {"user", TEXT, RUN(user)},
    {"hostname", TEXT, RUN(hostname)},
    {"domainname", TEXT, RUN(domainname)},
    {"cpus", TEXT, RUN(cpus)},
    {"ip", TEXT, RUN(ip)},
    {"ip6", TEXT, RUN(ip6)},
    {"mac_address", TEXT, RUN(mac_address)},
    {"stop_signal", TEXT, RUN(stop_signal)},
    {"restart", TEXT, RUN(restart)},
    {"schedule", TEXT, RUN(schedule)},
    {"log_driver", TEXT, RUN(log_driver)},
    {"health_cmd", TEXT, RUN(health_cmd)},
    {"health_interval", TEXT, RUN(health_interval)},
    {"health_timeout", TEXT, RUN(health_timeout)},
    {"health_start_period", TEXT, RUN(health_start_period)},
    {"health_start_interval", TEXT, RUN(health_start_interval)},
    {"rm", YES, RUN(auto_remove)},
    {"interactive", YES, RUN(interactive)},
    {"tty", YES, RUN(tty)},
    {"read_only", YES, RUN(read_only)},
    {"privileged", YES, RUN(privileged)},
    {"init", YES, RUN(init)},
    {"no_healthcheck", YES, RUN(no_healthcheck)},
    {"publish_all", YES, RUN(publish_all)},
    {"memory", NUMBER, RUN(memory_bytes), 0},
    {"shm_size", NUMBER, RUN(shm_size_bytes), 0},
    {"cpu_shares", NUMBER, RUN(cpu_shares), 0},
    {"pids_limit", NUMBER, RUN(pids_limit), 0},
    {"stop_timeout", NUMBER, RUN(stop_timeout_s), -1},
    {"health_retries", NUMBER, RUN(health_retries), 0},
    {"tmpfs", LIST, RUN(tmpfs)},
    {"publish", LIST, RUN(publish)},
    {"expose", LIST, RUN(expose)},
    {"device", LIST, RUN(devices)},
    {"ulimit", LIST, RUN(ulimits)},
    {"sysctl", LIST, RUN(sysctls)},
    {"cap_add", LIST, RUN(cap_add)},
    {"cap_drop", LIST, RUN(cap_drop)},
    {"log_opt", LIST, RUN(log_opts)},
    {"annotation", LIST, RUN(annotations)},
    {"network", LIST, RUN(networks)},
    {"network_alias", LIST, RUN(network_aliases)},
    {"dns", LIST, RUN(dns)},
    {"dns_search", LIST, RUN(dns_search)},
    {"dns_option", LIST, RUN(dns_options)},
    {"add_host", LIST, RUN(hosts)},
};

/* The library names the field, "stop_signal: …": only the reason stays. */
static bool drop_field(struct dr_error *err, const char *field)
{
    size_t len = strlen(field);
    if (strncmp(err->text, field, len) != 0 || err->text[len] != ':')
        return false;
    dr_auto_free char *reason = dr_strdup(err->text + len + 2);
    snprintf(err->text, sizeof(err->text), "%s", reason);
    return true;
}

/* People know it as a flag. */
static int as_flag(struct dr_error *err, const char *field)
{
    /* the image is no flag, and the reason names it */
    if (!drop_field(err, field) || strcmp(field, "image") == 0)
        return -1;
    if (strcmp(field, "args") == 0)
        return dr_wrap(err, "a word of the command");
    dr_auto_free char *flag = dr_printf("--%s", field);
    for (char *p = flag; *p; p++)
        if (*p == '_')
            *p = '-';
    return dr_wrap(err, "%s", flag);
}

int cli_spec_set(struct dray_spec *spec, const char *field, const char *value,
                 struct dr_error *err)
{
    struct dray_error *failed = NULL;
    if (cli_rc(dray_spec_set(spec, field, value, &failed), &failed, err) == 0)
        return 0;
    return as_flag(err, field);
}

static int add(struct dray_spec *spec, const char *field, const char *value,
               struct dr_error *err)
{
    struct dray_error *failed = NULL;
    if (cli_rc(dray_spec_add(spec, field, value, &failed), &failed, err) == 0)
        return 0;
    return as_flag(err, field);
}

static int add_all(struct dray_spec *spec, const char *field, char *const *values,
                   struct dr_error *err)
{
    for (; values && *values; values++)
        if (add(spec, field, *values, err) < 0)
            return -1;
    return 0;
}

static int apply(struct dray_spec *spec, const struct mapping *m,
                 const struct run_args *args, struct dr_error *err)
{
    const void *at = (const char *)args + m->at;
    struct dray_error *failed = NULL;
    int64_t number;
    switch (m->how) {
    case TEXT:
        return *(const char *const *)at
                   ? cli_spec_set(spec, m->field, *(const char *const *)at, err)
                   : 0;
    case YES:
        return *(const bool *)at ? cli_spec_set(spec, m->field, "true", err) : 0;
    case NUMBER:
        number = *(const int64_t *)at;
        if (number == m->otherwise ||
            cli_rc(dray_spec_set_int(spec, m->field, number, &failed), &failed, err) == 0)
            return 0;
        return as_flag(err, m->field);
    case LIST:
        return add_all(spec, m->field, *(char *const *const *)at, err);
    }
    return 0;
}

static int add_volumes(struct dray_spec *spec, const struct run_args *args,
                       struct dr_error *err)
{
    dr_auto_free char *here = getcwd(NULL, 0);
    for (size_t i = 0; args->volumes && args->volumes[i]; i++) {
        dr_auto_free char *volume =
            cli_volume_absolute(args->volumes[i], CLI_WINDOWS, here,
                                getenv(CLI_WINDOWS ? "USERPROFILE" : "HOME"), err);
        if (!volume || add(spec, "volume", volume, err) < 0)
            return -1;
    }
    for (size_t i = 0; args->mounts && args->mounts[i]; i++) {
        const char *field;
        dr_auto_free char *text = cli_mount(args->mounts[i], &field, err);
        if (!text || add(spec, field, text, err) < 0)
            return dr_wrap(err, "--mount %s", args->mounts[i]);
    }
    return 0;
}

/* "seccomp=profile.json" names a file of this machine: its text crosses, not its name. */
static int add_seccomp(struct dray_spec *spec, const char *path, struct dr_error *err)
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
    return add(spec, "security_opt", option, err);
}

static int add_security(struct dray_spec *spec, const struct run_args *args,
                        struct dr_error *err)
{
    for (size_t i = 0; args->security_opts && args->security_opts[i]; i++) {
        const char *option = args->security_opts[i];
        /* the colon is Docker's older way to write it */
        bool seccomp =
            strncmp(option, "seccomp", 7) == 0 && (option[7] == '=' || option[7] == ':');
        const char *value = seccomp ? option + 8 : NULL;
        bool file =
            seccomp && strcmp(value, "unconfined") != 0 && strcmp(value, "builtin") != 0;
        if (file ? add_seccomp(spec, value, err) < 0
                 : add(spec, "security_opt", option, err) < 0)
            return -1;
    }
    return 0;
}

static int add_labels(struct dray_spec *spec, const struct run_args *args,
                      struct dr_error *err)
{
    dr_auto_strv char **labels = NULL;
    for (size_t i = 0; args->label_files && args->label_files[i]; i++)
        if (cli_label_file(args->label_files[i], &labels, err) < 0)
            return -1;
    for (size_t i = 0; args->labels && args->labels[i]; i++)
        dr_strv_add(&labels, args->labels[i]);
    for (size_t i = 0; labels && labels[i]; i++) {
        dr_auto_free char *pair =
            dr_printf("%s%s", labels[i], strchr(labels[i], '=') ? "" : "=");
        if (add(spec, "label", pair, err) < 0)
            return -1;
    }
    return 0;
}

static int fill(struct dray_spec *spec, const struct run_args *args, char **words,
                struct dr_error *err)
{
    dr_auto_strv char **env = NULL;
    if (args->no_healthcheck && (args->health_cmd || args->health_interval ||
                                 args->health_timeout || args->health_start_period ||
                                 args->health_start_interval || args->health_retries))
        return dr_fail(
            err, DR_ERR_INVALID,
            "--no-healthcheck and the other --health flags exclude each other");
    for (size_t i = 0; i < DR_COUNT(mappings); i++)
        if (apply(spec, &mappings[i], args, err) < 0)
            return -1;
    if (args->entrypoint && cli_spec_set(spec, "entrypoint", args->entrypoint, err) < 0)
        return -1;
    if (add_all(spec, "args", words + 1, err) < 0 || add_labels(spec, args, err) < 0 ||
        cli_env_all(args->env_files, args->env, true, &env, err) < 0 ||
        add_all(spec, "env", env, err) < 0 || add_volumes(spec, args, err) < 0 ||
        add_security(spec, args, err) < 0)
        return -1;
    return 0;
}

struct dray_spec *cli_spec(const struct run_args *args, char **words,
                           struct dr_error *err)
{
    struct dray_error *failed = NULL;
    struct dray_spec *spec = dray_spec_new(NULL);
    if (cli_spec_set(spec, "image", words[0], err) == 0 &&
        fill(spec, args, words, err) == 0 &&
        cli_rc(dray_spec_check(spec, &failed), &failed, err) == 0)
        return spec;
    dray_spec_free(spec);
    return NULL;
}

int cli_signal_check(const char *text, struct dr_error *err)
{
    struct dray_error *failed = NULL;
    struct dray_spec *spec = dray_spec_new(NULL);
    int rc = cli_rc(dray_spec_set(spec, "stop_signal", text, &failed), &failed, err);
    dray_spec_free(spec);
    if (rc < 0)
        drop_field(err, "stop_signal");
    return rc;
}
