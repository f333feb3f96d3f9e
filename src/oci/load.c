/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/load.h"

#include "base/text.h"
#include "oci/manifest.h"

json_t *oci_json_load(const char *what, const char *text, size_t len,
                      struct dr_error *err)
{
    dr_auto_error struct dr_error why = DR_ERROR_INIT;
    json_t *doc = dr_json_parse(text, len, OCI_MANIFEST_MAX, &why);
    if (doc)
        return doc;
    dr_auto_free char *safe = dr_escape(why.text, 200);
    dr_fail(err, why.kind, "%s: %s", what, safe);
    return NULL;
}
