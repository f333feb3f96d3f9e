/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "host/host.h"
#include "oci/ref.h"

char *host_image_name(const char *text, struct dr_error *err)
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
