/* SPDX-License-Identifier: Apache-2.0 */
/* Capabilities: the names of capabilities(7), Docker's default set, --cap-add,
 * --cap-drop. */
#include <ctype.h>
#include <string.h>

#include "guest/bundle/parts.h"

static const char *const names[CAPS_KNOWN] = {
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETPCAP",
    "CAP_LINUX_IMMUTABLE",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_ADMIN",
    "CAP_NET_RAW",
    "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",
    "CAP_SYS_MODULE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE",
    "CAP_SYS_PACCT",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_NICE",
    "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG",
    "CAP_MKNOD",
    "CAP_LEASE",
    "CAP_AUDIT_WRITE",
    "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP",
    "CAP_MAC_OVERRIDE",
    "CAP_MAC_ADMIN",
    "CAP_SYSLOG",
    "CAP_WAKE_ALARM",
    "CAP_BLOCK_SUSPEND",
    "CAP_AUDIT_READ",
    "CAP_PERFMON",
    "CAP_BPF",
    "CAP_CHECKPOINT_RESTORE",
};

/* Docker's fourteen. */
static const char *const defaults[] = {
    "CAP_CHOWN",       "CAP_DAC_OVERRIDE",     "CAP_FSETID", "CAP_FOWNER",
    "CAP_MKNOD",       "CAP_NET_RAW",          "CAP_SETGID", "CAP_SETUID",
    "CAP_SETFCAP",     "CAP_SETPCAP",          "CAP_KILL",   "CAP_SYS_CHROOT",
    "CAP_AUDIT_WRITE", "CAP_NET_BIND_SERVICE",
};

const char *bundle_cap_name(unsigned number)
{
    return number < CAPS_KNOWN ? names[number] : NULL;
}

int bundle_cap_number(const char *name)
{
    for (int i = 0; i < CAPS_KNOWN; i++)
        if (strcmp(names[i], name) == 0)
            return i;
    return -1;
}

uint64_t bundle_caps_known(void)
{
    return CAP_BIT(CAPS_KNOWN) - 1;
}

static int unknown(const char *word, struct dr_error *err)
{
    char list[700];
    size_t n = 0;
    for (int i = 0; i < CAPS_KNOWN; i++) {
        const char *name = names[i] + 4;
        if (n + strlen(name) + 3 < sizeof list) {
            n += (size_t)(stpcpy(list + n, i ? ", " : "") - (list + n));
            n += (size_t)(stpcpy(list + n, name) - (list + n));
        }
    }
    return dr_fail(err, DR_ERR_INVALID, "unknown capability '%s'; there are ALL, %s",
                   word, list);
}

/* "net_admin", "CAP_NET_ADMIN", "ALL" → bits */
static int parse_word(const char *word, uint64_t *ret, struct dr_error *err)
{
    char name[40] = "CAP_";
    size_t len = strlen(word);
    bool prefixed = strncasecmp(word, "CAP_", 4) == 0;
    if (len + 5 > sizeof name)
        return unknown(word, err);
    char *at = prefixed ? name : name + 4;
    for (size_t i = 0; i <= len; i++)
        at[i] = (char)toupper((unsigned char)word[i]);
    if (strcmp(name, "CAP_ALL") == 0) {
        *ret = bundle_caps_known();
        return 0;
    }
    int number = bundle_cap_number(name);
    if (number < 0)
        return unknown(word, err);
    *ret = CAP_BIT(number);
    return 0;
}

static int parse_words(char *const *words, const char *what, uint64_t *ret_bits,
                       bool *ret_all, struct dr_error *err)
{
    *ret_bits = 0;
    *ret_all = false;
    for (; words && *words; words++) {
        uint64_t bits = 0;
        if (parse_word(*words, &bits, err) < 0)
            return dr_wrap(err, "%s", what);
        if (bits == bundle_caps_known())
            *ret_all = true;
        else
            *ret_bits |= bits;
    }
    return 0;
}

/*
 * Docker's rule (daemon/pkg/oci/caps, TweakCapabilities): with --cap-add ALL everything
 * but what is dropped; with --cap-drop ALL only what is added; else the defaults, minus
 * dropped, plus added. Privileged: everything that the guest can give.
 */
int bundle_caps(const struct spec_container *spec, const struct bundle_facts *facts,
                uint64_t *ret_caps, struct dr_error *err)
{
    uint64_t add, drop, base = 0;
    bool add_all, drop_all;
    if (parse_words(spec->cap_add, "cap-add", &add, &add_all, err) < 0 ||
        parse_words(spec->cap_drop, "cap-drop", &drop, &drop_all, err) < 0)
        return -1;
    if (spec->privileged) {
        *ret_caps = facts->caps;
        return 0;
    }
    for (unsigned i = 0; i < CAPS_KNOWN; i++)
        if ((add & CAP_BIT(i)) && !(facts->caps & CAP_BIT(i)))
            return dr_fail(
                err, DR_ERR_INVALID,
                "cap-add: %s cannot be given: the guest itself does not have it",
                names[i]);
    for (size_t i = 0; i < DR_COUNT(defaults); i++)
        base |= CAP_BIT(bundle_cap_number(defaults[i]));
    if (add_all)
        base = facts->caps & ~drop;
    else if (drop_all)
        base = add;
    else
        base = (base & ~drop) | add;
    *ret_caps = base & facts->caps;
    return 0;
}

static json_t *set(uint64_t caps)
{
    json_t *array = json_array();
    for (unsigned i = 0; i < CAPS_KNOWN; i++)
        if (caps & CAP_BIT(i))
            json_array_append_new(array, json_string(names[i]));
    return array;
}

json_t *bundle_caps_json(uint64_t caps, uint32_t uid)
{
    json_t *json = json_object();
    dr_json_set(json, "bounding", set(caps));
    dr_json_set(json, "effective", set(uid == 0 ? caps : 0));
    dr_json_set(json, "permitted", set(uid == 0 ? caps : 0));
    return json;
}
