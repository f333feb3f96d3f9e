/* SPDX-License-Identifier: Apache-2.0 */
/* References: what is accepted is safe for a URL and a path, and reads as itself again.
 */
#include <stdint.h>
#include <string.h>

#include "oci/ref.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_safe(const char *text)
{
    for (; *text; text++)
        if (*text <= ' ' || *text >= 0x7f || strchr("?#%\\\"'<>", *text))
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    dr_auto_free char *text = dr_strndup((const char *)data, size);
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_ref struct oci_ref ref = OCI_REF_INIT, again = OCI_REF_INIT;
    if (oci_ref_parse(text, &ref, &err) < 0) {
        for (const char *p = err.text; *p; p++)
            if ((unsigned char)*p < ' ')
                abort();
        return 0;
    }
    dr_auto_free char *whole = oci_ref_text(&ref), *familiar = oci_ref_familiar(&ref);
    check_safe(whole);
    if (strstr(ref.path, "..") || ref.path[0] == '/' || oci_ref_target(&ref)[0] == '.')
        abort();
    if (oci_ref_parse(familiar, &again, &err) < 0)
        abort();
    dr_auto_free char *same = oci_ref_text(&again);
    if (strcmp(same, whole) != 0)
        abort();
    return 0;
}
