/* SPDX-License-Identifier: Apache-2.0 */
/* Entries of config.json and auth.json, their keys, and names of registries. */
#include <stdint.h>
#include <string.h>

#include "registry/credentials-file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_json json_t *doc =
        dr_json_parse((const char *)data, size, (size_t)1 << 20, &err);
    const char *key;
    json_t *entry;
    json_object_foreach (dr_json_object(doc, "auths"), key, entry) {
        dr_auto_error struct dr_error why = DR_ERROR_INIT;
        dr_auto_credentials struct credentials c = {0};
        dr_auto_ref struct oci_ref ref = OCI_REF_INIT;
        if (credentials_from_entry(entry, &c, &why) == 1 && !c.identity_token &&
            (!c.user || !c.password))
            abort();
        /* what a registry is called is a key that is found again */
        if (credentials_registry_parse(key, &ref, &why) == 0) {
            dr_auto_free char *written = credentials_key(&ref);
            if (!credentials_key_rank(written, ref.host, ref.path))
                abort();
        }
    }
    return 0;
}
