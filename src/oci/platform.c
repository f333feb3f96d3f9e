/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/platform.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

/* What kernels and people call it, and Go's word (with a variant when it implies one). */
static const struct {
    const char *word, *arch, *variant;
} aliases[] = {
    {"x86_64", "amd64", ""},   {"x86-64", "amd64", ""},
    {"i386", "386", ""},       {"i486", "386", ""},
    {"i586", "386", ""},       {"i686", "386", ""},
    {"aarch64", "arm64", ""},  {"armhf", "arm", "v7"},
    {"armel", "arm", "v6"},    {"armv8l", "arm", "v8"},
    {"armv7l", "arm", "v7"},   {"armv6l", "arm", "v6"},
    {"armv5tel", "arm", "v5"}, {"mips64el", "mips64le", ""},
    {"mipsel", "mipsle", ""},  {"loongarch64", "loong64", ""},
};

static void set_word(char ret[OCI_PLATFORM_WORD], const char *word)
{
    size_t i = 0;
    for (; word && word[i]; i++) {
        char c = (char)tolower((unsigned char)word[i]);
        if (i + 1 >= OCI_PLATFORM_WORD ||
            !(isalnum((unsigned char)c) || strchr("._-", c))) {
            strcpy(ret, "?");
            return;
        }
        ret[i] = c;
    }
    ret[i] = '\0';
}

void oci_platform_set(struct oci_platform *platform, const char *os, const char *arch,
                      const char *variant)
{
    set_word(platform->os, os);
    if (strcmp(platform->os, "macos") == 0)
        strcpy(platform->os, "darwin");
    set_word(platform->arch, arch);
    set_word(platform->variant, variant);
    for (size_t i = 0; i < DR_COUNT(aliases); i++)
        if (strcmp(platform->arch, aliases[i].word) == 0) {
            strcpy(platform->arch, aliases[i].arch);
            if (!platform->variant[0])
                strcpy(platform->variant, aliases[i].variant);
            break;
        }
    /* "8" for "v8" was written by some tools */
    char *v = platform->variant;
    if (strcmp(platform->arch, "arm") == 0 || strcmp(platform->arch, "arm64") == 0)
        if (isdigit((unsigned char)v[0]) && strlen(v) + 1 < OCI_PLATFORM_WORD) {
            memmove(v + 1, v, strlen(v) + 1);
            v[0] = 'v';
        }
    if (strcmp(platform->arch, "arm") == 0 && !v[0])
        strcpy(v, "v7");
    else if ((strcmp(platform->arch, "arm64") == 0 &&
              (strcmp(v, "v8") == 0 || strcmp(v, "v8.0") == 0)) ||
             (strcmp(platform->arch, "amd64") == 0 && strcmp(v, "v1") == 0))
        v[0] = '\0';
}

static bool known_arch(const char *arch)
{
    static const char *const words[] = {
        "386",    "amd64",    "arm",   "arm64",   "loong64", "mips",  "mipsle",
        "mips64", "mips64le", "ppc64", "ppc64le", "riscv64", "s390x", "wasm"};
    for (size_t i = 0; i < DR_COUNT(words); i++)
        if (strcmp(arch, words[i]) == 0)
            return true;
    return false;
}

int oci_platform_parse(const char *text, struct oci_platform *ret_platform,
                       struct dr_error *err)
{
    struct oci_platform platform;
    dr_auto_free char *copy = dr_strdup(text);
    char *part[4] = {copy};
    size_t n = 1;
    for (char *p = copy; *p && n < DR_COUNT(part); p++)
        if (*p == '/') {
            *p = '\0';
            part[n++] = p + 1;
        }
    bool empty = false;
    for (size_t i = 0; i < n; i++)
        empty = empty || !*part[i];
    if (!empty && n <= 3) {
        if (n == 1)
            oci_platform_set(&platform, "linux", part[0], NULL);
        else
            oci_platform_set(&platform, part[0], part[1], n == 3 ? part[2] : NULL);
        bool word = platform.os[0] != '?' && platform.variant[0] != '?';
        if (word && (n > 1 ? platform.arch[0] != '?' : known_arch(platform.arch))) {
            *ret_platform = platform;
            return 0;
        }
    }
    dr_auto_free char *safe = dr_escape(text, 100);
    return dr_fail(err, DR_ERR_INVALID,
                   "'%s' is not a platform: write os/architecture[/variant], for example "
                   "linux/arm64 or linux/arm/v7",
                   safe);
}

void oci_platform_text(const struct oci_platform *platform,
                       char ret_text[OCI_PLATFORM_TEXT])
{
    snprintf(ret_text, OCI_PLATFORM_TEXT, "%s/%s%s%s",
             platform->os[0] ? platform->os : "unknown",
             platform->arch[0] ? platform->arch : "unknown",
             platform->variant[0] ? "/" : "", platform->variant);
}

/* "v7" is 7; nothing or another word is `otherwise`. "v8.2" counts as 8. */
static int variant_level(const char *variant, int otherwise)
{
    if (variant[0] != 'v' || !isdigit((unsigned char)variant[1]))
        return variant[0] ? -1 : otherwise;
    return variant[1] - '0';
}

int oci_platform_match(const struct oci_platform *want, const struct oci_platform *have)
{
    if (!have->os[0] || !have->arch[0] || strcmp(want->os, have->os) != 0)
        return 0;
    bool same_arch = strcmp(want->arch, have->arch) == 0;
    if (same_arch && strcmp(want->variant, have->variant) == 0)
        return 1000;
    if (strcmp(want->arch, "arm") == 0 && same_arch) {
        int mine = variant_level(want->variant, 7), its = variant_level(have->variant, 7);
        return its >= 5 && its <= mine ? 500 + its : 0;
    }
    if (strcmp(want->arch, "arm64") == 0) {
        if (same_arch) {
            /* a plain arm64 runs nothing above v8; a v9 runs v8 */
            int mine = variant_level(want->variant, 8),
                its = variant_level(have->variant, 8);
            return its >= 8 && its <= mine ? 700 + its : 0;
        }
        int its = variant_level(have->variant, 7);
        return strcmp(have->arch, "arm") == 0 && its >= 5 && its <= 8 ? 100 + its : 0;
    }
    if (strcmp(want->arch, "amd64") == 0) {
        if (same_arch) {
            int mine = variant_level(want->variant, 1),
                its = variant_level(have->variant, 1);
            return its >= 1 && its <= mine ? 700 + its : 0;
        }
        return strcmp(have->arch, "386") == 0 ? 100 : 0;
    }
    /* other architectures: a variant that only one side names does not part them */
    return same_arch && (!want->variant[0] || !have->variant[0]) ? 300 : 0;
}

void oci_platform_native(struct oci_platform *ret_platform)
{
#if defined(__x86_64__)
    oci_platform_set(ret_platform, "linux", "amd64", NULL);
#elif defined(__aarch64__)
    oci_platform_set(ret_platform, "linux", "arm64", NULL);
#elif defined(__arm__)
    oci_platform_set(ret_platform, "linux", "arm", NULL);
#elif defined(__riscv)
    oci_platform_set(ret_platform, "linux", "riscv64", NULL);
#elif defined(__i386__)
    oci_platform_set(ret_platform, "linux", "386", NULL);
#else
#error "name this architecture in oci_platform_native"
#endif
}
