/* SPDX-License-Identifier: Apache-2.0 */
/* policy.json, and a signature's payload under what it asks for. */
#include <stdint.h>
#include <string.h>

#include "registry/policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_ref struct oci_ref ref = OCI_REF_INIT;
    dr_auto_policy struct policy policy = {0};
    dr_auto_json json_t *doc = dr_json_parse((const char *)data, size, POLICY_MAX, &err);
    if (!doc || oci_ref_parse("r.example.com:5000/team/app:1", &ref, &err) < 0)
        return 0;
    if (policy_choose(doc, &ref, &policy, &err) < 0) {
        if (err.kind == DR_ERR_NONE)
            abort();
        return 0;
    }
    size_t i;
    json_t *requirement;
    json_array_foreach (policy.requirements, i, requirement) {
        dr_auto_error struct dr_error why = DR_ERROR_INIT;
        policy_identity(requirement, &ref, "r.example.com:5000/team/app:1", &why);
    }
    return 0;
}
