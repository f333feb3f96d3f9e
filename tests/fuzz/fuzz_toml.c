/* SPDX-License-Identifier: Apache-2.0 */
/* TOML: what parses can be written as JSON, and parsed again. */
#include <stdint.h>
#include <string.h>

#include "base/toml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_json json_t *doc =
        dr_toml_parse((const char *)data, size, (size_t)1 << 16, &err);
    if (!doc != (err.kind != DR_ERR_NONE))
        abort();
    if (!doc)
        return 0;
    if (!json_is_object(doc))
        abort();
    dr_auto_free char *text = dr_json_text(doc);
    dr_auto_json json_t *again = dr_json_parse(text, strlen(text), (size_t)1 << 22, &err);
    if (!again || !json_equal(doc, again))
        abort();
    return 0;
}
