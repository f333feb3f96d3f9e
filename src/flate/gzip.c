/* SPDX-License-Identifier: Apache-2.0 */
#include "flate/gzip.h"

#include <stdbool.h>

#define OUT_BYTES (32 * 1024)

#ifdef HAVE_ISAL
#include <isa-l/igzip_lib.h>

struct gzip {
    gzip_write_fn write;
    void *arg;
    struct isal_zstream z;
    uint8_t level[ISAL_DEF_LVL1_SMALL];
    uint8_t out[OUT_BYTES];
};

struct gzip *gzip_new(int level, gzip_write_fn write, void *arg)
{
    struct gzip *g = dr_alloc(sizeof *g);
    g->write = write;
    g->arg = arg;
    (void)level;
    isal_deflate_init(&g->z);
    g->z.gzip_flag = IGZIP_GZIP;
    g->z.level = 1;
    g->z.level_buf = g->level;
    g->z.level_buf_size = sizeof g->level;
    return g;
}

static int run(struct gzip *g, const void *data, size_t len, bool end,
               struct dr_error *err)
{
    g->z.next_in = (uint8_t *)(uintptr_t)data;
    g->z.avail_in = (uint32_t)len;
    g->z.end_of_stream = end;
    do {
        g->z.next_out = g->out;
        g->z.avail_out = OUT_BYTES;
        if (isal_deflate(&g->z) != COMP_OK)
            return dr_fail(err, DR_ERR_INTERNAL, "the compressor failed");
        size_t made = OUT_BYTES - g->z.avail_out;
        if (made > 0 && g->write(g->arg, g->out, made, err) < 0)
            return -1;
    } while (g->z.avail_out == 0 || (end && g->z.internal_state.state != ZSTATE_END));
    return 0;
}

void gzip_free(struct gzip *g)
{
    free(g);
}

#else
#include <zlib.h>

struct gzip {
    gzip_write_fn write;
    void *arg;
    z_stream z;
    uint8_t out[OUT_BYTES];
};

struct gzip *gzip_new(int level, gzip_write_fn write, void *arg)
{
    struct gzip *g = dr_alloc(sizeof *g);
    g->write = write;
    g->arg = arg;
    if (deflateInit2(&g->z, level, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        abort(); /* as for any small allocation */
    return g;
}

static int run(struct gzip *g, const void *data, size_t len, bool end,
               struct dr_error *err)
{
    int code;
    g->z.next_in = (Bytef *)(uintptr_t)data;
    g->z.avail_in = (uInt)len;
    do {
        g->z.next_out = g->out;
        g->z.avail_out = OUT_BYTES;
        code = deflate(&g->z, end ? Z_FINISH : Z_NO_FLUSH);
        if (code == Z_STREAM_ERROR)
            return dr_fail(err, DR_ERR_INTERNAL, "the compressor failed");
        size_t made = OUT_BYTES - g->z.avail_out;
        if (made > 0 && g->write(g->arg, g->out, made, err) < 0)
            return -1;
    } while (g->z.avail_out == 0 || (end && code != Z_STREAM_END));
    return 0;
}

void gzip_free(struct gzip *g)
{
    if (g)
        deflateEnd(&g->z);
    free(g);
}
#endif

int gzip_add(struct gzip *g, const void *data, size_t len, struct dr_error *err)
{
    return run(g, data, len, false, err);
}

int gzip_end(struct gzip *g, struct dr_error *err)
{
    return run(g, NULL, 0, true, err);
}
