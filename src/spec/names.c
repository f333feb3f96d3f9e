/* SPDX-License-Identifier: Apache-2.0 */
/* Names and resolvers of a container: --dns*, --add-host, --domainname. */
#include <string.h>

#include "base/ip.h"
#include "spec/container.h"

#define NAME_MAX_BYTES 253 /* RFC 1035 */
#define WORD_MAX_BYTES 255

static bool is_host_name(const char *name, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        char c = name[i];
        bool good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                    (c >= '0' && c <= '9') || c == '_' ||
                    ((c == '-' || c == '.') && i > 0);
        if (!good)
            return false;
    }
    return len > 0 && len <= NAME_MAX_BYTES;
}

int spec_host_parse(const char *text, char **ret_name, char **ret_address,
                    struct dr_error *err)
{
    size_t len = strcspn(text, "=:");
    const char *address = text + len + 1;
    struct dr_ip ip;
    if (!text[len] || !*address)
        return dr_fail(err, DR_ERR_INVALID,
                       "'%s': expected NAME:ADDRESS, where ADDRESS may be host-gateway",
                       text);
    if (!is_host_name(text, len))
        return dr_fail(err, DR_ERR_INVALID, "'%s': '%.*s' is no host name", text,
                       (int)len, text);
    size_t address_len = strlen(address);
    bool brackets = address[0] == '[' && address[address_len - 1] == ']';
    dr_auto_free char *bare =
        brackets ? dr_strndup(address + 1, address_len - 2) : dr_strdup(address);
    if (strcmp(bare, SPEC_HOST_GATEWAY) != 0 && !dr_ip_parse(bare, &ip))
        return dr_fail(err, DR_ERR_INVALID,
                       "'%s': '%s' is neither an IP address nor host-gateway", text,
                       bare);
    *ret_name = dr_strndup(text, len);
    *ret_address = DR_TAKE(bare);
    return 0;
}

/* One word of a line of resolv.conf. */
static bool is_word(const char *text)
{
    size_t len = strlen(text);
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)text[i] <= ' ' || text[i] == 127)
            return false;
    return len > 0 && len <= WORD_MAX_BYTES && text[0] != '#' && text[0] != ';';
}

int spec_dns_check(const char *server, struct dr_error *err)
{
    struct dr_ip ip;
    return dr_ip_parse(server, &ip)
               ? 0
               : dr_fail(err, DR_ERR_INVALID, "'%s' is not an IP address", server);
}

int spec_dns_search_check(const char *domain, struct dr_error *err)
{
    return strcmp(domain, ".") == 0 || is_host_name(domain, strlen(domain))
               ? 0
               : dr_fail(err, DR_ERR_INVALID, "'%s' is no domain, and not '.' for none",
                         domain);
}

int spec_dns_option_check(const char *option, struct dr_error *err)
{
    return is_word(option) ? 0
                           : dr_fail(err, DR_ERR_INVALID,
                                     "'%s' is not one word, such as ndots:1", option);
}

static int check_all(char *const *words, int (*check)(const char *, struct dr_error *),
                     const char *field, struct dr_error *err)
{
    for (; words && *words; words++)
        if (check(*words, err) < 0)
            return dr_wrap(err, "%s", field);
    return 0;
}

int spec_names_check(const struct spec_container *spec, struct dr_error *err)
{
    if (check_all(spec->dns, spec_dns_check, "dns", err) < 0 ||
        check_all(spec->dns_search, spec_dns_search_check, "dns_search", err) < 0 ||
        check_all(spec->dns_options, spec_dns_option_check, "dns_options", err) < 0)
        return -1;
    for (char **p = spec->extra_hosts; p && *p; p++) {
        dr_auto_free char *name = NULL, *address = NULL;
        if (spec_host_parse(*p, &name, &address, err) < 0)
            return dr_wrap(err, "extra_hosts");
    }
    if (spec->domainname && (!is_host_name(spec->domainname, strlen(spec->domainname)) ||
                             strlen(spec->domainname) > 64))
        return dr_fail(err, DR_ERR_INVALID,
                       "domainname: '%s': only [a-zA-Z0-9._-] is allowed, at most 64",
                       spec->domainname);
    return 0;
}
