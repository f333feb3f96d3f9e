/* SPDX-License-Identifier: Apache-2.0 */
/*
 * linux.seccomp: Docker's default profile, or one in Docker's JSON format, reduced to the
 * rules that hold for this architecture, kernel and set of capabilities.
 */
#include "guest/bundle/seccomp.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "guest/bundle/parts.h"

#define PROFILE_MAX (4U << 20)

static const struct {
    const char *arch;
    const char *names[4];
} architectures[] = {
    {"amd64", {"SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"}},
    {"arm64", {"SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"}},
    {"riscv64", {"SCMP_ARCH_RISCV64"}},
};

/* The container's side of every condition. */
struct context {
    const struct bundle_facts *facts;
    uint64_t caps;
};

static bool has_cap(const struct context *c, const char *name)
{
    int number = bundle_cap_number(name);
    return number >= 0 && (c->caps & CAP_BIT(number));
}

static bool kernel_is(const struct context *c, int major, int minor)
{
    return c->facts->kernel_major > major ||
           (c->facts->kernel_major == major && c->facts->kernel_minor >= minor);
}

static bool in_words(const char *words, const char *word)
{
    size_t len = strlen(word);
    for (const char *p = words; *p;) {
        size_t n = strcspn(p, " ");
        if (n == len && memcmp(p, word, n) == 0)
            return true;
        p += n + (p[n] == ' ');
    }
    return false;
}

static json_t *split_words(const char *words)
{
    json_t *array = json_array();
    for (const char *p = words; *p;) {
        size_t n = strcspn(p, " ");
        json_array_append_new(array, json_stringn(p, n));
        p += n + (p[n] == ' ');
    }
    return array;
}

/* Native first, then what the kernel also runs. */
static json_t *native_architectures(const struct bundle_facts *facts)
{
    for (size_t i = 0; i < DR_COUNT(architectures); i++)
        if (strcmp(architectures[i].arch, facts->arch) == 0) {
            size_t n = 0;
            while (n < DR_COUNT(architectures[i].names) && architectures[i].names[n])
                n++;
            return bundle_words(architectures[i].names, n);
        }
    return NULL; /* the runtime then takes its own */
}

static bool rule_holds(const struct bundle_seccomp_rule *rule, const struct context *c)
{
    return (!rule->arches || in_words(rule->arches, c->facts->arch)) &&
           (!rule->with_cap || has_cap(c, rule->with_cap)) &&
           (!rule->without_cap || !has_cap(c, rule->without_cap)) &&
           kernel_is(c, rule->kernel[0], rule->kernel[1]);
}

static json_t *rule_json(const struct bundle_seccomp_rule *rule)
{
    json_t *json = json_object();
    dr_json_set(json, "names", split_words(rule->names));
    dr_json_set_str(json, "action",
                    rule->fail_with ? "SCMP_ACT_ERRNO" : "SCMP_ACT_ALLOW");
    if (rule->fail_with)
        dr_json_set_int(json, "errnoRet", rule->fail_with);
    if (rule->args[0].used) {
        json_t *arg = json_object();
        dr_json_set_int(arg, "index", rule->args[0].index);
        dr_json_set_int(arg, "value", (int64_t)rule->args[0].value);
        if (strcmp(rule->args[0].op, "SCMP_CMP_MASKED_EQ") == 0)
            dr_json_set_int(arg, "valueTwo", 0); /* (argument & value) == valueTwo */
        dr_json_set_str(arg, "op", rule->args[0].op);
        dr_json_set(json, "args", json_pack("[o]", arg));
    }
    return json;
}

static json_t *default_profile(const struct context *c)
{
    json_t *json = json_object(), *calls = json_array();
    dr_json_set_str(json, "defaultAction", "SCMP_ACT_ERRNO");
    dr_json_set_int(json, "defaultErrnoRet", EPERM);
    dr_json_set(json, "architectures", native_architectures(c->facts));
    for (const struct bundle_seccomp_rule *r = bundle_seccomp_default(); r->names; r++)
        if (rule_holds(r, c))
            json_array_append_new(calls, rule_json(r));
    dr_json_set(json, "syscalls", calls);
    return json;
}

/* ---- profiles in Docker's format ---- */

static bool contains(const json_t *array, const char *word)
{
    size_t i;
    json_t *item;
    json_array_foreach ((json_t *)array, i, item)
        if (json_is_string(item) && strcmp(json_string_value(item), word) == 0)
            return true;
    return false;
}

/* includes: every part must hold. excludes: any part excludes. minKernel is "4.8". */
static int filter_holds(const json_t *filter, bool includes, const struct context *c,
                        bool *ret_keep, struct dr_error *err)
{
    *ret_keep = true;
    if (!filter || json_is_null(filter))
        return 0;
    const json_t *arches = dr_json_array(filter, "arches");
    const json_t *caps = dr_json_array(filter, "caps");
    const char *kernel = dr_json_str(filter, "minKernel");
    if (json_array_size(arches) && contains(arches, c->facts->arch) != includes)
        *ret_keep = false;
    size_t i;
    json_t *cap;
    json_array_foreach ((json_t *)caps, i, cap)
        if (json_is_string(cap) && has_cap(c, json_string_value(cap)) != includes)
            *ret_keep = false;
    int major, minor;
    if (kernel && sscanf(kernel, "%d.%d", &major, &minor) != 2)
        return dr_fail(err, DR_ERR_INVALID, "seccomp profile: bad minKernel '%s'",
                       kernel);
    if (kernel && kernel_is(c, major, minor) != includes)
        *ret_keep = false;
    return 0;
}

static bool one_of(const char *word, const char *const *words)
{
    for (; *words; words++)
        if (strcmp(*words, word) == 0)
            return true;
    return false;
}

/* libseccomp's words, of the runtime-spec's config-linux.md, "Seccomp". SCMP_ACT_NOTIFY
 * is left out: it hands the calls to a socket on the guest. */
static int check_action(const char *action, struct dr_error *err)
{
    static const char *const actions[] = {
        "SCMP_ACT_KILL",  "SCMP_ACT_KILL_THREAD", "SCMP_ACT_KILL_PROCESS",
        "SCMP_ACT_TRAP",  "SCMP_ACT_ERRNO",       "SCMP_ACT_TRACE",
        "SCMP_ACT_ALLOW", "SCMP_ACT_LOG",         NULL};
    if (action && one_of(action, actions))
        return 0;
    return dr_fail(err, action ? DR_ERR_UNSUPPORTED : DR_ERR_INVALID,
                   "seccomp profile: action '%s' is not supported", action ? action : "");
}

static int only_members(const json_t *object, const char *const *members,
                        const char *where, struct dr_error *err)
{
    const char *key;
    json_t *value;
    if (!json_is_object(object))
        return dr_fail(err, DR_ERR_INVALID, "seccomp profile: %s is not an object",
                       where);
    json_object_foreach ((json_t *)object, key, value)
        if (!one_of(key, members))
            return dr_fail(err, DR_ERR_INVALID,
                           "seccomp profile: %s has the "
                           "unknown member '%s'",
                           where, key);
    return 0;
}

/* One of Docker's rules → one of the runtime-spec's; *ret NULL when it does not hold. */
static int convert_rule(const json_t *rule, const struct context *c, json_t **ret,
                        struct dr_error *err)
{
    static const char *const members[] = {"names",    "name",     "action",
                                          "errnoRet", "args",     "comment",
                                          "includes", "excludes", NULL};
    bool included, not_excluded;
    *ret = NULL;
    if (only_members(rule, members, "a rule of 'syscalls'", err) < 0 ||
        check_action(dr_json_str(rule, "action"), err) < 0 ||
        filter_holds(json_object_get(rule, "includes"), true, c, &included, err) < 0 ||
        filter_holds(json_object_get(rule, "excludes"), false, c, &not_excluded, err) < 0)
        return -1;
    if (!included || !not_excluded)
        return 0;
    const char *name = dr_json_str(rule, "name");
    json_t *names = dr_json_array(rule, "names");
    if (!name == !json_array_size(names))
        return dr_fail(err, DR_ERR_INVALID,
                       "seccomp profile: a rule needs either 'names' or 'name'");
    json_t *json = json_object();
    dr_json_set(json, "names", name ? json_pack("[s]", name) : json_deep_copy(names));
    dr_json_set_str(json, "action", dr_json_str(rule, "action"));
    if (json_is_integer(json_object_get(rule, "errnoRet")))
        dr_json_set_int(json, "errnoRet", dr_json_int(rule, "errnoRet", 0));
    if (json_array_size(dr_json_array(rule, "args")))
        dr_json_set(json, "args", json_deep_copy(dr_json_array(rule, "args")));
    *ret = json;
    return 0;
}

/* archMap: the entry of our own architecture and its sub-architectures. */
static json_t *mapped_architectures(const json_t *map, const struct bundle_facts *facts)
{
    dr_auto_json json_t *native = native_architectures(facts);
    const char *own = json_string_value(json_array_get(native, 0));
    json_t *array = json_array(), *entry;
    size_t i;
    json_array_foreach ((json_t *)map, i, entry) {
        const char *arch = dr_json_str(entry, "architecture");
        if (!own || !arch || strcmp(arch, own) != 0)
            continue;
        json_array_append_new(array, json_string(arch));
        json_t *subs = dr_json_array(entry, "subArchitectures");
        if (subs)
            json_array_extend(array, subs);
        break;
    }
    return array;
}

static int convert_profile(const json_t *profile, const struct context *c, json_t *ret,
                           struct dr_error *err)
{
    static const char *const members[] = {
        "defaultAction", "defaultErrnoRet", "architectures", "archMap",
        "flags",         "syscalls",        "comment",       NULL};
    if (only_members(profile, members, "it", err) < 0 ||
        check_action(dr_json_str(profile, "defaultAction"), err) < 0)
        return -1;
    json_t *arches = dr_json_array(profile, "architectures");
    json_t *map = dr_json_array(profile, "archMap");
    json_t *flags = dr_json_array(profile, "flags");
    if (json_array_size(arches) && json_array_size(map))
        return dr_fail(
            err, DR_ERR_INVALID,
            "seccomp profile: 'architectures' and 'archMap' exclude each other");
    dr_json_set_str(ret, "defaultAction", dr_json_str(profile, "defaultAction"));
    if (json_is_integer(json_object_get(profile, "defaultErrnoRet")))
        dr_json_set_int(ret, "defaultErrnoRet",
                        dr_json_int(profile, "defaultErrnoRet", EPERM));
    if (json_array_size(arches))
        dr_json_set(ret, "architectures", json_deep_copy(arches));
    else if (map)
        dr_json_set(ret, "architectures", mapped_architectures(map, c->facts));
    if (json_array_size(flags))
        dr_json_set(ret, "flags", json_deep_copy(flags));
    json_t *calls = json_array(), *rule;
    dr_json_set(ret, "syscalls", calls);
    size_t i;
    json_array_foreach (dr_json_array(profile, "syscalls"), i, rule) {
        json_t *converted;
        if (convert_rule(rule, c, &converted, err) < 0)
            return -1;
        if (converted)
            json_array_append_new(calls, converted);
    }
    return 0;
}

int bundle_seccomp(const struct bundle_security *security,
                   const struct bundle_facts *facts, uint64_t caps, json_t **ret,
                   struct dr_error *err)
{
    const struct context c = {.facts = facts, .caps = caps};
    *ret = NULL;
    if (security->seccomp_unconfined)
        return 0;
    if (!security->seccomp_json) {
        *ret = default_profile(&c);
        return 0;
    }
    dr_auto_error struct dr_error inner = DR_ERROR_INIT;
    dr_auto_json json_t *profile = dr_json_parse(
        security->seccomp_json, strlen(security->seccomp_json), PROFILE_MAX, &inner);
    if (!profile)
        return dr_fail(err, DR_ERR_INVALID, "seccomp profile: %s", inner.text);
    dr_auto_json json_t *result = json_object();
    if (convert_profile(profile, &c, result, err) < 0)
        return -1;
    *ret = DR_TAKE(result);
    return 0;
}
