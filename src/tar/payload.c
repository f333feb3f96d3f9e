/* SPDX-License-Identifier: Apache-2.0 */
#include "tar/payload.h"

#include <errno.h>
#include <unistd.h>

int tar_payload_write(struct tar *tar, const struct tar_entry *e, int fd,
                      struct dr_error *err)
{
    const uint8_t *data = NULL;
    size_t len = 0, extent = 0;
    int64_t offset = 0, left = e->sparse ? 0 : e->stored;
    for (;;) {
        while (left == 0 && e->sparse && extent < e->n_extents) {
            offset = e->extents[extent].offset;
            left = e->extents[extent++].length;
        }
        if (left == 0)
            break;
        if (len == 0 && tar_data(tar, &data, &len, err) <= 0)
            return -1;
        size_t n = (int64_t)len < left ? len : (size_t)left;
        ssize_t written = pwrite(fd, data, n, offset);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return 1;
        data += written;
        len -= (size_t)written;
        offset += written;
        left -= written;
    }
    return e->sparse && ftruncate(fd, e->size) < 0;
}
