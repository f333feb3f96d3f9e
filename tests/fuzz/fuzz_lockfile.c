/* SPDX-License-Identifier: Apache-2.0 */
/* dray.lock: what is read is written so that it reads the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "host/lockfile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    dr_auto_lockfile struct lockfile lock = {0};
    dr_auto_lockfile struct lockfile again = {0};
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_buf struct dr_buf one = DR_BUF_INIT(LOCKFILE_MAX);
    dr_auto_buf struct dr_buf two = DR_BUF_INIT(LOCKFILE_MAX);
    if (lockfile_parse("f", (const char *)data, size, &lock, &err) < 0) {
        if (err.kind == DR_ERR_NONE)
            abort();
        return 0;
    }
    if (lockfile_text(&lock, &one, &err) < 0)
        return 0; /* it became too long */
    if (lockfile_parse("f", one.data, one.len, &again, &err) < 0 ||
        lockfile_text(&again, &two, &err) < 0 || one.len != two.len ||
        memcmp(one.data, two.data, one.len) != 0 || again.n != lock.n)
        abort();
    return 0;
}
