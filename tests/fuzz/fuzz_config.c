/* SPDX-License-Identifier: Apache-2.0 */
/* Image configurations: accepted or refused, never more. */
#include <stdint.h>

#include "oci/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_config struct oci_config config = {0};
    if (oci_config_parse((const char *)data, size, &config, &err) < 0) {
        for (const char *p = err.text; *p; p++)
            if ((unsigned char)*p < ' ')
                abort();
        return 0;
    }
    for (size_t i = 0; i < config.n_labels; i++)
        if (!oci_config_label(&config, config.labels[i].key))
            abort();
    for (char **env = config.env; env && *env; env++)
        if (!**env || **env == '=')
            abort();
    return 0;
}
