/* SPDX-License-Identifier: Apache-2.0 */
#include "spec/table.h"

#include <string.h>

#include "base/nearest.h"
#include "base/text.h"
#include "base/winpath.h"
#include "oci/ref.h"
#include "spec/schedule.h"

#define MEMBER(spec, row, type) ((type *)((char *)(spec) + (row)->offset))

static int expected(struct dr_error *err, const char *value, const char *what)
{
    dr_auto_free char *safe = dr_escape(value, 200);
    return dr_fail(err, DR_ERR_INVALID, "'%s': expected %s", safe, what);
}

/* --- one parser per kind of value --- */

static int text(struct spec_container *spec, const struct spec_row *row,
                const char *value, struct dr_error *err)
{
    char **member = MEMBER(spec, row, char *);
    free(*member);
    *member = dr_strdup(value);
    return 0;
}

static int word(struct spec_container *spec, const struct spec_row *row,
                const char *value, struct dr_error *err)
{
    dr_strv_add(MEMBER(spec, row, char **), value);
    return 0;
}

static int flag(struct spec_container *spec, const struct spec_row *row,
                const char *value, struct dr_error *err)
{
    bool on = strcmp(value, "true") == 0;
    if (!on && strcmp(value, "false") != 0)
        return expected(err, value, "true or false");
    *MEMBER(spec, row, bool) = on;
    return 0;
}

static int number(struct spec_container *spec, const struct spec_row *row,
                  const char *value, struct dr_error *err)
{
    int64_t n;
    if (!dr_int_parse(value, row->min, row->max, &n)) {
        dr_auto_free char *range = dr_printf("a number from %lld to %lld",
                                             (long long)row->min, (long long)row->max);
        return expected(err, value, range);
    }
    *MEMBER(spec, row, int64_t) = n;
    return 0;
}

static int size(struct spec_container *spec, const struct spec_row *row,
                const char *value, struct dr_error *err)
{
    return dr_size_parse(value, MEMBER(spec, row, int64_t), err);
}

static int duration(struct spec_container *spec, const struct spec_row *row,
                    const char *value, struct dr_error *err)
{
    return dr_duration_parse(value, MEMBER(spec, row, int64_t), err);
}

/* "K=V"; without '=' the value is empty where that has a meaning. */
static int pair(struct spec_container *spec, const struct spec_row *row,
                const char *value, struct dr_error *err)
{
    if (!*value || *value == '=')
        return expected(err, value, row->form);
    dr_auto_free char *whole = dr_printf("%s%s", value, strchr(value, '=') ? "" : "=");
    dr_strv_add(MEMBER(spec, row, char **), whole);
    return 0;
}

/* "K=V", where nothing can be meant by K alone. */
static int whole_pair(struct spec_container *spec, const struct spec_row *row,
                      const char *value, struct dr_error *err)
{
    if (*value == '=' || !strchr(value, '='))
        return expected(err, value, row->form);
    return word(spec, row, value, err);
}

/* --- fields with rules of their own --- */

static int name(struct spec_container *spec, const struct spec_row *row,
                const char *value, struct dr_error *err)
{
    if (spec_name_check(value, err) < 0)
        return -1;
    return text(spec, row, value, err);
}

char *spec_image_name(const char *text, struct dr_error *err)
{
    const char *hex = strncmp(text, "sha256:", 7) == 0 ? text + 7 : text;
    size_t len = strlen(hex);
    /* a whole id, or one that says so: no name can look like that */
    if (len == strspn(hex, "0123456789abcdef") &&
        (len == DR_SHA256_HEX || (hex != text && len > 0 && len <= DR_SHA256_HEX)))
        return dr_strdup(text);
    dr_auto_ref struct oci_ref ref = OCI_REF_INIT;
    if (oci_ref_parse(text, &ref, err) < 0)
        return NULL;
    return oci_ref_text(&ref);
}

static int image_id(struct spec_container *spec, const struct spec_row *row,
                    const char *value, struct dr_error *err)
{
    struct oci_digest id;
    if (oci_digest_parse(value, strlen(value), &id, err) < 0)
        return expected(err, value, row->form);
    return text(spec, row, value, err);
}

static int image(struct spec_container *spec, const struct spec_row *row,
                 const char *value, struct dr_error *err)
{
    char *canonical = spec_image_name(value, err);
    if (!canonical)
        return -1;
    free(spec->image);
    spec->image = canonical;
    return 0;
}

static int workdir(struct spec_container *spec, const struct spec_row *row,
                   const char *value, struct dr_error *err)
{
    if (*value != '/')
        return expected(err, value, "an absolute path");
    return text(spec, row, value, err);
}

static int entrypoint(struct spec_container *spec, const struct spec_row *row,
                      const char *value, struct dr_error *err)
{
    dr_strv_free(spec->entrypoint);
    spec->entrypoint = NULL;
    spec->has_entrypoint = true;
    if (*value)
        dr_strv_add(&spec->entrypoint, value);
    return 0;
}

static int entrypoint_word(struct spec_container *spec, const struct spec_row *row,
                           const char *value, struct dr_error *err)
{
    spec->has_entrypoint = true;
    dr_strv_add(&spec->entrypoint, value);
    return 0;
}

static int env(struct spec_container *spec, const struct spec_row *row, const char *value,
               struct dr_error *err)
{
    if (!*value || *value == '=')
        return expected(err, value, row->form);
    return word(spec, row, value, err);
}

static int cpus(struct spec_container *spec, const struct spec_row *row,
                const char *value, struct dr_error *err)
{
    return spec_cpus_parse(value, &spec->nano_cpus, err);
}

static int stop_signal(struct spec_container *spec, const struct spec_row *row,
                       const char *value, struct dr_error *err)
{
    int signal;
    if (spec_signal_parse(value, &signal, err) < 0)
        return -1;
    return text(spec, row, spec_signal_name(signal), err);
}

static int restart(struct spec_container *spec, const struct spec_row *row,
                   const char *value, struct dr_error *err)
{
    const char *colon = strchr(value, ':');
    size_t len = colon ? (size_t)(colon - value) : strlen(value);
    static const char *const policies[] = {"no", "always", "unless-stopped",
                                           "on-failure"};
    int64_t most = 0;
    bool known = false;
    for (size_t i = 0; i < DR_COUNT(policies); i++)
        known =
            known || (strlen(policies[i]) == len && memcmp(policies[i], value, len) == 0);
    if (!known || (colon && (strncmp(value, "on-failure:", 11) != 0 ||
                             !dr_int_parse(colon + 1, 0, INT32_MAX, &most))))
        return expected(err, value, row->form);
    free(spec->restart);
    spec->restart = dr_strndup(value, len);
    spec->restart_max = most;
    return 0;
}

static int schedule(struct spec_container *spec, const struct spec_row *row,
                    const char *value, struct dr_error *err)
{
    struct spec_schedule parsed;
    if (spec_schedule_parse(value, &parsed, err) < 0)
        return -1;
    return text(spec, row, value, err);
}

static int health_cmd(struct spec_container *spec, const struct spec_row *row,
                      const char *value, struct dr_error *err)
{
    dr_strv_free(spec->health.test);
    spec->health.test = NULL;
    dr_strv_add(&spec->health.test, "CMD-SHELL");
    dr_strv_add(&spec->health.test, value);
    return 0;
}

static int no_healthcheck(struct spec_container *spec, const struct spec_row *row,
                          const char *value, struct dr_error *err)
{
    bool on = strcmp(value, "true") == 0;
    if (!on && strcmp(value, "false") != 0)
        return expected(err, value, "true or false");
    if (on) {
        dr_strv_free(spec->health.test);
        spec->health.test = NULL;
        dr_strv_add(&spec->health.test, "NONE");
    }
    return 0;
}

static int volume(struct spec_container *spec, const struct spec_row *row,
                  const char *value, struct dr_error *err)
{
    struct spec_mount mount;
    if (spec_mount_parse(value, &mount, err) < 0)
        return -1;
    if (mount.type == SPEC_MOUNT_BIND && mount.source[0] != '/' &&
        dr_winpath_kind(mount.source) == DR_WINPATH_NONE) {
        spec_mount_release(&mount);
        return expected(err, value, "an absolute path over there, or a volume's name");
    }
    spec_container_add_mount(spec, &mount);
    return 0;
}

static int tmpfs(struct spec_container *spec, const struct spec_row *row,
                 const char *value, struct dr_error *err)
{
    struct spec_mount mount;
    if (spec_tmpfs_parse(value, &mount, err) < 0)
        return -1;
    spec_container_add_mount(spec, &mount);
    return 0;
}

static int one_network(struct spec_container *spec, const struct spec_row *row,
                       const char *value, struct dr_error *err)
{
    struct spec_network item;
    if (spec_network_parse(value, &item, err) < 0)
        return -1;
    spec_container_add_network(spec, &item);
    return 0;
}

static int only_network(struct spec_container *spec, const struct spec_row *row,
                        const char *value, struct dr_error *err)
{
    while (spec->network_count > 0 && spec->networks[spec->network_count - 1].name)
        spec_network_release(&spec->networks[--spec->network_count]);
    return one_network(spec, row, value, err);
}

/* Of the first network, whether that has its name already or not. */
static int of_network(struct spec_container *spec, const struct spec_row *row,
                      const char *value, struct dr_error *err)
{
    struct spec_network *first = spec_container_first_network(spec);
    char **member = (char **)((char *)first + row->offset);
    free(*member);
    *member = dr_strdup(value);
    return 0;
}

static int network_alias(struct spec_container *spec, const struct spec_row *row,
                         const char *value, struct dr_error *err)
{
    dr_strv_add(&spec_container_first_network(spec)->aliases, value);
    return 0;
}

static int dns(struct spec_container *spec, const struct spec_row *row, const char *value,
               struct dr_error *err)
{
    return spec_dns_check(value, err) < 0 ? -1 : word(spec, row, value, err);
}

static int dns_search(struct spec_container *spec, const struct spec_row *row,
                      const char *value, struct dr_error *err)
{
    return spec_dns_search_check(value, err) < 0 ? -1 : word(spec, row, value, err);
}

static int dns_option(struct spec_container *spec, const struct spec_row *row,
                      const char *value, struct dr_error *err)
{
    return spec_dns_option_check(value, err) < 0 ? -1 : word(spec, row, value, err);
}

static int extra_host(struct spec_container *spec, const struct spec_row *row,
                      const char *value, struct dr_error *err)
{
    dr_auto_free char *name = NULL, *address = NULL;
    if (spec_host_parse(value, &name, &address, err) < 0)
        return -1;
    dr_auto_free char *plain = dr_printf("%s:%s", name, address);
    return word(spec, row, plain, err);
}

static int device(struct spec_container *spec, const struct spec_row *row,
                  const char *value, struct dr_error *err)
{
    struct spec_device item;
    if (spec_device_parse(value, &item, err) < 0)
        return -1;
    spec_container_add_device(spec, &item);
    return 0;
}

static int ulimit(struct spec_container *spec, const struct spec_row *row,
                  const char *value, struct dr_error *err)
{
    struct spec_ulimit item;
    if (spec_ulimit_parse(value, &item, err) < 0)
        return -1;
    spec_container_add_ulimit(spec, &item);
    return 0;
}

static int publish(struct spec_container *spec, const struct spec_row *row,
                   const char *value, struct dr_error *err)
{
    return spec_publish_parse(value, spec, err);
}

static int expose(struct spec_container *spec, const struct spec_row *row,
                  const char *value, struct dr_error *err)
{
    return spec_expose_parse(value, spec, err);
}

static int log_opt(struct spec_container *spec, const struct spec_row *row,
                   const char *value, struct dr_error *err)
{
    if (strncmp(value, "max-size=", 9) == 0)
        return dr_size_parse(value + 9, &spec->log_max_size_bytes, err);
    if (strncmp(value, "max-file=", 9) == 0 &&
        dr_int_parse(value + 9, 1, 1000, &spec->log_max_files))
        return 0;
    return expected(err, value, row->form);
}

/* --- the table --- */

#define AT(member) .offset = offsetof(struct spec_container, member)
#define HEALTH(member)                                                                   \
    .offset =                                                                            \
        offsetof(struct spec_container, health) + offsetof(struct spec_health, member)
#define BOOLEAN "true or false"
#define SIZE "a size: 512, 64k, 1.5m, 2g"
#define NETWORK                                                                          \
    "none, host, container:NAME, a network's name, or "                                  \
    "name=NAME[,alias=NAME][,ip=IP][,ip6=IP][,mac-address=MAC]"
#define DURATION "a duration: 10s, 1m30s, 250ms; a bare number is seconds"

const struct spec_row spec_rows[] = {
    {"name", false, name, AT(name), .form = "[a-zA-Z0-9][a-zA-Z0-9_.-]*, at most 128",
     .meaning = "the container's name"},
    {"service", false, text, AT(service), .form = "text",
     .meaning = "whose replica it is (C05); names it unless `name` does"},
    {"replica", false, number, AT(replica), 0, UINT32_MAX, "a number",
     "which replica of the service"},
    {"deployment", false, text, AT(deployment), .form = "text",
     .meaning = "which deployment the service belongs to (C24)"},
    {"image", false, image, AT(image), .form = "a reference as typed, or an id",
     .meaning = "the image"},
    {"image_id", false, image_id, AT(image_id), .form = "sha256: and 64 hex digits",
     .meaning = "the image's id, when another one may get its name meanwhile"},
    {"workdir", false, workdir, AT(workdir), .form = "an absolute path",
     .meaning = "working directory"},
    {"user", false, text, AT(user), .form = "name or uid, then : and group or gid",
     .meaning = "user of the first process"},
    {"hostname", false, text, AT(hostname), .form = "[a-zA-Z0-9._-]+, at most 64",
     .meaning = "host name inside"},
    {"domainname", false, text, AT(domainname), .form = "a domain, at most 64",
     .meaning = "its domain, behind its host name"},
    {"network", false, only_network, .form = NETWORK,
     .meaning = "its only network; bridge by default"},
    {"ip", false, of_network, .offset = offsetof(struct spec_network, ip),
     .form = "an IPv4 address", .meaning = "its address on the first network"},
    {"ip6", false, of_network, .offset = offsetof(struct spec_network, ip6),
     .form = "an IPv6 address", .meaning = "its IPv6 address on the first network"},
    {"mac_address", false, of_network, .offset = offsetof(struct spec_network, mac),
     .form = "aa:bb:cc:dd:ee:ff", .meaning = "its MAC address on the first network"},
    {"memory", false, size, AT(memory_bytes), .form = SIZE, .meaning = "memory limit"},
    {"cpus", false, cpus, .form = "a decimal number: 1.5", .meaning = "CPU limit"},
    {"cpu_shares", false, number, AT(cpu_shares), 0, 262144, "a number; 0: the default",
     "CPU weight"},
    {"pids_limit", false, number, AT(pids_limit), -1, INT64_MAX,
     "a number; -1: unlimited", "limit of processes and threads"},
    {"shm_size", false, size, AT(shm_size_bytes), .form = SIZE,
     .meaning = "size of /dev/shm; 64m by default"},
    {"stop_signal", false, stop_signal, AT(stop_signal),
     .form = "a signal's name or number", .meaning = "what stop sends"},
    {"stop_timeout", false, number, AT(stop_timeout_s), -1, INT32_MAX,
     "seconds; -1: the default, 10", "how long stop waits before SIGKILL"},
    {"log_driver", false, text, AT(log_driver), .form = "k8s-file or none",
     .meaning = "how output is kept"},
    {"restart", false, restart,
     .form = "no, always, unless-stopped, on-failure or on-failure:N",
     .meaning = "when it is started again"},
    {"schedule", false, schedule, AT(schedule), .form = SPEC_SCHEDULE_FORM,
     .meaning = "when it is started, again and again, in the local time over there; "
                "without a restart policy"},
    {"health_cmd", false, health_cmd, .form = "a shell command",
     .meaning = "health check, run by /bin/sh -c", .bytes = true},
    {"health_interval", false, duration, HEALTH(interval_ns), .form = DURATION,
     .meaning = "between two checks"},
    {"health_timeout", false, duration, HEALTH(timeout_ns), .form = DURATION,
     .meaning = "of one check"},
    {"health_start_period", false, duration, HEALTH(start_period_ns), .form = DURATION,
     .meaning = "failures before that do not count"},
    {"health_start_interval", false, duration, HEALTH(start_interval_ns),
     .form = DURATION, .meaning = "between two checks of the start period"},
    {"health_retries", false, number, HEALTH(retries), 0, INT32_MAX, "a number",
     "failures in a row that make it unhealthy"},
    {"tty", false, flag, AT(tty), .form = BOOLEAN, .meaning = "it has a terminal"},
    {"interactive", false, flag, AT(stdin_open), .form = BOOLEAN,
     .meaning = "its stdin is open"},
    {"rm", false, flag, AT(auto_remove), .form = BOOLEAN,
     .meaning = "it is removed when it ends"},
    {"read_only", false, flag, AT(read_only), .form = BOOLEAN,
     .meaning = "its root file system is read-only"},
    {"privileged", false, flag, AT(privileged), .form = BOOLEAN,
     .meaning = "all capabilities and devices"},
    {"init", false, flag, AT(init), .form = BOOLEAN,
     .meaning = "an init reaps processes"},
    {"publish_all", false, flag, AT(publish_all), .form = BOOLEAN,
     .meaning = "every exposed port is published on a free one"},
    {"no_healthcheck", false, no_healthcheck, .form = BOOLEAN,
     .meaning = "the image's health check is off"},
    {"entrypoint", false, entrypoint, .form = "one word; empty: none at all",
     .meaning = "instead of the image's", .bytes = true},

    {"entrypoint", true, entrypoint_word, .form = "a word",
     .meaning = "one more word of it", .bytes = true},
    {"args", true, word, AT(args), .form = "a word",
     .meaning = "one more word of the command", .bytes = true},
    {"env", true, env, AT(env), .form = "NAME=VALUE, or NAME",
     .meaning = "environment; NAME alone removes the image's", .bytes = true},
    {"label", true, pair, AT(labels), .form = "KEY=VALUE, or KEY", .meaning = "a label"},
    {"annotation", true, pair, AT(annotations), .form = "KEY=VALUE, or KEY",
     .meaning = "an annotation of the OCI bundle"},
    {"volume", true, volume, .form = "[SOURCE:]TARGET[:OPTIONS]",
     .meaning = "a bind mount or a volume"},
    {"tmpfs", true, tmpfs, .form = "TARGET[:OPTIONS]", .meaning = "a tmpfs"},
    {"network", true, one_network, .form = NETWORK, .meaning = "one more network"},
    {"network_alias", true, network_alias, .form = "a host name",
     .meaning = "one more name on the first network"},
    {"publish", true, publish, .form = "[[ADDRESS:]HOST:]CONTAINER[/tcp|/udp]",
     .meaning = "a port, or a range of them; the address is 127.0.0.1 unless given"},
    {"expose", true, expose, .form = "PORT[/tcp|/udp], or a range",
     .meaning = "what `publish_all` publishes, on top of the image's"},
    {"dns", true, dns, AT(dns), .form = "an IP address",
     .meaning = "a resolver, instead of the guest's"},
    {"dns_search", true, dns_search, AT(dns_search), .form = "a domain; . alone: none",
     .meaning = "a search domain, instead of the guest's"},
    {"dns_option", true, dns_option, AT(dns_options), .form = "one word, such as ndots:1",
     .meaning = "an option of resolv.conf, instead of the guest's"},
    {"add_host", true, extra_host, AT(extra_hosts),
     .form = "NAME:ADDRESS, ADDRESS may be host-gateway",
     .meaning = "a line of its hosts file"},
    {"device", true, device, .form = "PATH[:PATH[:rwm]]",
     .meaning = "a device from over there"},
    {"ulimit", true, ulimit, .form = "NAME=SOFT[:HARD]", .meaning = "a resource limit"},
    {"sysctl", true, whole_pair, AT(sysctls), .form = "NAME=VALUE",
     .meaning = "a kernel parameter"},
    {"cap_add", true, word, AT(cap_add), .form = "a capability, or ALL",
     .meaning = "one more capability"},
    {"cap_drop", true, word, AT(cap_drop), .form = "a capability, or ALL",
     .meaning = "one less"},
    {"security_opt", true, word, AT(security_opts),
     .form = "seccomp=unconfined, seccomp=JSON, no-new-privileges[=true|false]",
     .meaning = "as Docker's; a seccomp profile as its text"},
    {"log_opt", true, log_opt, .form = "max-size=SIZE or max-file=N",
     .meaning = "when the log is rotated, and how many files are kept"},
    {"health_test", true, word, HEALTH(test),
     .form = "the words of NONE, CMD …, CMD-SHELL TEXT, TCP PORT, HTTP [HOST]:PORT/PATH",
     .meaning = "health check, word by word", .bytes = true},
    {NULL},
};

static const char *next_name(void *state)
{
    const struct spec_row **row = state;
    return (*row)->name ? (*row)++->name : NULL;
}

static int unknown(const char *field, bool add, struct dr_error *err)
{
    const struct spec_row *row = spec_rows, *other = spec_rows;
    dr_auto_free char *safe = dr_escape(field, 100);
    while (other->name && strcmp(other->name, field) != 0)
        other++;
    if (other->name)
        return dr_fail(err, DR_ERR_INVALID, "field '%s' is %s", safe,
                       add ? "set, not added to" : "added to, not set");
    const char *near = dr_nearest(field, next_name, &row);
    return dr_fail(err, DR_ERR_INVALID, "there is no field '%s'%s%s%s", safe,
                   near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

int spec_field(struct spec_container *spec, const char *field, bool add,
               const char *value, struct dr_error *err)
{
    if (!field)
        return dr_fail(err, DR_ERR_INVALID, "no field is given");
    for (const struct spec_row *row = spec_rows; row->name; row++) {
        if (row->add != add || strcmp(row->name, field) != 0)
            continue;
        if (!value)
            return dr_fail(err, DR_ERR_INVALID, "%s: no value is given", field);
        if (!row->bytes && !dr_json_is_text(value)) {
            expected(err, value, "UTF-8");
            return dr_wrap(err, "%s", field);
        }
        return row->parse(spec, row, value, err) < 0 ? dr_wrap(err, "%s", field) : 0;
    }
    return unknown(field, add, err);
}
