/* SPDX-License-Identifier: Apache-2.0 */
/* Registries as people call them when they log in. */
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "registry/credentials.h"

static int not_a_registry(const char *text, struct dr_error *err)
{
    dr_auto_free char *safe = dr_escape(text, 120);
    return dr_fail(err, DR_ERR_INVALID,
                   "'%s' is not the name of a registry: it is HOST[:PORT], as at the "
                   "beginning of an image's name, with a dot or a port in it, or "
                   "localhost",
                   safe);
}

int credentials_registry_parse(const char *text, struct oci_ref *ret_ref,
                               struct dr_error *err)
{
    const char *scheme = strstr(text, "://"), *start = scheme ? scheme + 3 : text;
    bool url = scheme != NULL;
    if (url && strncasecmp(text, "https://", 8) != 0 &&
        strncasecmp(text, "http://", 7) != 0)
        return not_a_registry(text, err);
    size_t host_len = strcspn(start, "/");
    dr_auto_free char *host = dr_strndup(start, host_len);
    /* the path of a URL is the API's */
    dr_auto_free char *path =
        url || !start[host_len] ? dr_strdup("") : dr_strdup(start + host_len + 1);
    size_t len = strlen(path);
    while (len > 0 && path[len - 1] == '/')
        path[--len] = '\0';
    if (!*host || strpbrk(path, ":@"))
        return not_a_registry(text, err);
    /* the grammar of a reference says what a host is, and what names one */
    dr_auto_error struct dr_error ignored = DR_ERROR_INIT;
    dr_auto_free char *example = dr_printf("%s/%s", host, *path ? path : "x");
    dr_auto_ref struct oci_ref ref = OCI_REF_INIT;
    if (oci_ref_parse(example, &ref, &ignored) < 0)
        return not_a_registry(text, err);
    bool hub = strcmp(ref.host, OCI_DEFAULT_HOST) == 0;
    if (hub ? !strstr(host, OCI_DEFAULT_HOST) : strcasecmp(ref.host, host) != 0)
        return not_a_registry(text, err);
    *ret_ref = (struct oci_ref){.host = DR_TAKE(ref.host), .path = DR_TAKE(path)};
    return 0;
}

char *credentials_registry_text(const struct oci_ref *ref)
{
    return dr_printf("%s%s%s", ref->host, *ref->path ? "/" : "", ref->path);
}
