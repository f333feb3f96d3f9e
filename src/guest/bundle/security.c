/* SPDX-License-Identifier: Apache-2.0 */
/* --security-opt, Docker's words: "name", "name=value", and "name:value" of old. */
#include <string.h>

#include "guest/bundle/parts.h"

static int bad(const char *option, const char *why, struct dr_error *err)
{
    return dr_fail(err, DR_ERR_INVALID, "invalid security-opt '%.200s': %s", option, why);
}

static int flag(const char *option, const char *value, bool *ret, struct dr_error *err)
{
    if (!value || strcmp(value, "true") == 0)
        *ret = true;
    else if (strcmp(value, "false") == 0)
        *ret = false;
    else
        return bad(option, "expected true or false", err);
    return 0;
}

static int seccomp(const char *option, const char *value, struct bundle_security *ret,
                   struct dr_error *err)
{
    ret->seccomp_unconfined = false;
    ret->seccomp_json = NULL;
    if (!value || !*value)
        return bad(option, "expected seccomp=unconfined, builtin or a profile", err);
    if (strcmp(value, "unconfined") == 0)
        ret->seccomp_unconfined = true;
    else if (strcmp(value, "builtin") != 0)
        ret->seccomp_json = value;
    return 0;
}

static int apply(const char *option, size_t name_len, const char *value,
                 struct bundle_security *ret, struct dr_error *err)
{
#define IS(word) (name_len == sizeof(word) - 1 && memcmp(option, word, name_len) == 0)
    if (IS("no-new-privileges"))
        return flag(option, value, &ret->no_new_privileges, err);
    if (IS("writable-cgroups"))
        return flag(option, value, &ret->writable_cgroups, err);
    if (IS("seccomp"))
        return seccomp(option, value, ret, err);
    if (IS("systempaths")) {
        if (!value || strcmp(value, "unconfined") != 0)
            return bad(option, "expected systempaths=unconfined", err);
        ret->paths_unconfined = true;
        return 0;
    }
    if (IS("label")) { /* SELinux: labels are never set, so "disable" is what happens */
        if (value && strcmp(value, "disable") == 0)
            return 0;
        return dr_fail(err, DR_ERR_UNSUPPORTED,
                       "security-opt '%s': SELinux labels are not supported, only "
                       "label=disable",
                       option);
    }
    if (IS("apparmor")) {
        if (value && strcmp(value, "unconfined") == 0)
            return 0;
        return dr_fail(err, DR_ERR_UNSUPPORTED,
                       "security-opt '%s': AppArmor profiles are not supported, only "
                       "apparmor=unconfined",
                       option);
    }
#undef IS
    return bad(option,
               "there are no-new-privileges, seccomp=, systempaths=unconfined, "
               "writable-cgroups, label=disable and apparmor=unconfined",
               err);
}

int bundle_security_parse(const struct spec_container *spec, struct bundle_security *ret,
                          struct dr_error *err)
{
    *ret = (struct bundle_security){
        .seccomp_unconfined = spec->privileged, /* unless a profile is asked for */
        .paths_unconfined = spec->privileged,
        .writable_cgroups = spec->privileged,
    };
    for (char **p = spec->security_opts; p && *p; p++) {
        size_t name = strcspn(*p, "=:");
        if (apply(*p, name, (*p)[name] ? *p + name + 1 : NULL, ret, err) < 0)
            return -1;
    }
    return 0;
}
