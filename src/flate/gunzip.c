/* SPDX-License-Identifier: Apache-2.0 */
#include "flate/gunzip.h"

#include <stdbool.h>
#include <string.h>

#ifdef HAVE_ISAL
#include <isa-l/igzip_lib.h>

struct gunzip {
    struct inflate_state state;
};

struct gunzip *gunzip_new(void)
{
    struct gunzip *g = dr_alloc(sizeof *g);
    isal_inflate_init(&g->state);
    g->state.crc_flag = ISAL_GZIP;
    return g;
}

void gunzip_free(struct gunzip *g)
{
    free(g);
}

void gunzip_reset(struct gunzip *g)
{
    isal_inflate_reset(&g->state);
    g->state.crc_flag = ISAL_GZIP;
}

static const char *reason(int code)
{
    switch (code) {
    case ISAL_INVALID_WRAPPER:
        return "bad header";
    case ISAL_UNSUPPORTED_METHOD:
        return "unknown compression method";
    case ISAL_INCORRECT_CHECKSUM:
        return "wrong checksum";
    default:
        return "invalid data";
    }
}

int gunzip_step(struct gunzip *g, const uint8_t *in, size_t in_len, size_t *ret_used,
                uint8_t *out, size_t out_len, size_t *ret_made, struct dr_error *err)
{
    struct inflate_state *s = &g->state;
    s->next_in = (uint8_t *)(uintptr_t)in;
    s->avail_in = (uint32_t)in_len;
    s->next_out = out;
    s->avail_out = (uint32_t)out_len;
    int code = isal_inflate(s);
    *ret_used = in_len - s->avail_in;
    *ret_made = out_len - s->avail_out;
    if (code < 0 || code == ISAL_NEED_DICT)
        return dr_fail(err, DR_ERR_FORMAT, "gzip: %s", reason(code));
    return s->block_state == ISAL_BLOCK_FINISH ? GUNZIP_END : GUNZIP_MORE;
}

#else /* zlib: half the speed, everywhere */
#include <zlib.h>

struct gunzip {
    z_stream z;
};

struct gunzip *gunzip_new(void)
{
    struct gunzip *g = dr_alloc(sizeof *g);
    if (inflateInit2(&g->z, 15 + 16) != Z_OK)
        abort(); /* as for any small allocation */
    return g;
}

void gunzip_free(struct gunzip *g)
{
    if (g)
        inflateEnd(&g->z);
    free(g);
}

void gunzip_reset(struct gunzip *g)
{
    inflateReset(&g->z);
}

int gunzip_step(struct gunzip *g, const uint8_t *in, size_t in_len, size_t *ret_used,
                uint8_t *out, size_t out_len, size_t *ret_made, struct dr_error *err)
{
    g->z.next_in = (Bytef *)(uintptr_t)in;
    g->z.avail_in = (uInt)in_len;
    g->z.next_out = out;
    g->z.avail_out = (uInt)out_len;
    int code = inflate(&g->z, Z_NO_FLUSH);
    *ret_used = in_len - g->z.avail_in;
    *ret_made = out_len - g->z.avail_out;
    if (code == Z_STREAM_END)
        return GUNZIP_END;
    if (code == Z_OK || code == Z_BUF_ERROR)
        return GUNZIP_MORE;
    return dr_fail(err, DR_ERR_FORMAT, "gzip: %s", g->z.msg ? g->z.msg : "invalid data");
}
#endif
