/* SPDX-License-Identifier: Apache-2.0 */
/* WWW-Authenticate headers, and the URLs that stand in them. */
#include <stdint.h>
#include <string.h>

#include "registry/challenge.h"
#include "registry/origin.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    dr_auto_free char *text = dr_strndup((const char *)data, size);
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_challenge struct challenge challenge = {0};
    struct origin origin;
    if (challenge_parse(text, &challenge, &err) == 0) {
        if (challenge.bearer != (challenge.realm != NULL))
            abort();
        const char *values[] = {challenge.realm, challenge.service, challenge.scope};
        for (size_t i = 0; i < DR_COUNT(values); i++)
            if (values[i] && strpbrk(values[i], "\r\n"))
                abort();
    }
    if (origin_parse(challenge.realm ? challenge.realm : text, &origin, &err) == 0) {
        if (!origin.host[0] || origin.port < 1 || origin.port > 65535)
            abort();
        origin_place(origin.host);
    }
    return 0;
}
