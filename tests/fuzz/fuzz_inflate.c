/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inflating: the input is a compressed layer. The first byte chooses the media type, the
 * second the sizes of reads. At most 16 MiB of output are taken.
 */
#include <stdlib.h>
#include <string.h>

#include "flate/inflate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct source {
    const uint8_t *data;
    size_t len, chunk;
};

static ssize_t from_source(void *arg, void *buf, size_t len, struct dr_error *err)
{
    struct source *s = arg;
    size_t n = s->len < len ? s->len : len;
    n = n < s->chunk ? n : s->chunk;
    if (n)
        memcpy(buf, s->data, n);
    s->data += n;
    s->len -= n;
    return (ssize_t)n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const types[] = {
        "",
        "application/vnd.oci.image.layer.v1.tar",
        "application/vnd.oci.image.layer.v1.tar+gzip",
        "application/vnd.oci.image.layer.v1.tar+zstd",
    };
    static const size_t sizes[] = {1, 13, 512, 4096, 65536, 131072};
    static char out[131072];
    if (size < 2)
        return 0;
    struct source source = {data + 2, size - 2, sizes[data[1] % 6]};
    const size_t room = sizes[data[1] / 6 % 6];
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    struct inflate *z;
    if (inflate_open(types[data[0] % 4], from_source, &source, &z, &err) < 0) {
        if (err.kind == DR_ERR_NONE)
            abort();
        return 0;
    }
    ssize_t n;
    size_t total = 0;
    while ((n = inflate_read(z, out, room, &err)) > 0 && (total += (size_t)n) < 16 << 20)
        if ((size_t)n > room)
            abort();
    if (n < 0 && err.kind == DR_ERR_NONE)
        abort();
    inflate_close(z);
    return 0;
}
