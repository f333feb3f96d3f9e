/* SPDX-License-Identifier: Apache-2.0 */
#include "flate/inflate.h"

#include <string.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "base/text.h"
#include "flate/gunzip.h"

#define INPUT_BYTES (128 * 1024)
#define TAR_MAGIC_AT 257

struct inflate {
    enum inflate_format format;
    inflate_read_fn read;
    void *arg;
    int64_t taken;
    uint8_t *input;
    size_t at, end; /* unused bytes of input */
    bool input_ended, ended;
    struct gunzip *gunzip;
    ZSTD_DStream *zstd;
    bool in_frame; /* zstd: a frame has begun and not ended */
};

/* What layers may be called: image-spec media-types.md, Docker's schema 2, and the types
 * for foreign layers, whose bytes are the same. */
static const struct {
    const char *name;
    enum inflate_format format;
} layer_types[] = {
    {"application/vnd.oci.image.layer.v1.tar", INFLATE_PLAIN},
    {"application/vnd.oci.image.layer.v1.tar+gzip", INFLATE_GZIP},
    {"application/vnd.oci.image.layer.v1.tar+zstd", INFLATE_ZSTD},
    {"application/vnd.oci.image.layer.nondistributable.v1.tar", INFLATE_PLAIN},
    {"application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", INFLATE_GZIP},
    {"application/vnd.oci.image.layer.nondistributable.v1.tar+zstd", INFLATE_ZSTD},
    {"application/vnd.docker.image.rootfs.diff.tar", INFLATE_PLAIN},
    {"application/vnd.docker.image.rootfs.diff.tar.gzip", INFLATE_GZIP},
    {"application/vnd.docker.image.rootfs.diff.tar.zstd", INFLATE_ZSTD},
    {"application/vnd.docker.image.rootfs.foreign.diff.tar", INFLATE_PLAIN},
    {"application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", INFLATE_GZIP},
};

static int format_of_type(const char *media_type, enum inflate_format *ret,
                          struct dr_error *err)
{
    *ret = INFLATE_PLAIN;
    if (!media_type || !*media_type)
        return 0;
    for (size_t i = 0; i < DR_COUNT(layer_types); i++)
        if (strcmp(layer_types[i].name, media_type) == 0) {
            *ret = layer_types[i].format;
            return 0;
        }
    dr_auto_free char *shown = dr_escape(media_type, 100);
    return dr_fail(err, DR_ERR_UNSUPPORTED, "layer type '%s' is not supported", shown);
}

/* Reads more input behind what is left. Returns 0, also at the end. */
static int more_input(struct inflate *z, struct dr_error *err)
{
    if (z->input_ended)
        return 0;
    if (z->at > 0) {
        memmove(z->input, z->input + z->at, z->end - z->at);
        z->end -= z->at;
        z->at = 0;
    }
    ssize_t n = z->read(z->arg, z->input + z->end, INPUT_BYTES - z->end, err);
    if (n < 0)
        return -1;
    if (n == 0)
        z->input_ended = true;
    z->end += (size_t)n;
    z->taken += n;
    return 0;
}

/* The bytes decide; the type only says what to complain about (C10). */
static int detect(struct inflate *z, enum inflate_format said, struct dr_error *err)
{
    while (z->end < 512 && !z->input_ended)
        if (more_input(z, err) < 0)
            return -1;
    const uint8_t *b = z->input;
    bool tar = z->end >= 512 && memcmp(b + TAR_MAGIC_AT, "ustar", 5) == 0;
    if (said == INFLATE_PLAIN && tar)
        z->format = INFLATE_PLAIN;
    else if (z->end >= 2 && b[0] == 0x1f && b[1] == 0x8b)
        z->format = INFLATE_GZIP;
    else if (z->end >= 4 &&
             ((b[0] == 0x28 && b[1] == 0xb5 && b[2] == 0x2f && b[3] == 0xfd) ||
              ((b[0] & 0xf0) == 0x50 && b[1] == 0x2a && b[2] == 0x4d && b[3] == 0x18)))
        z->format = INFLATE_ZSTD;
    else if (said == INFLATE_PLAIN || tar)
        z->format = INFLATE_PLAIN;
    else if (z->end == 0)
        return dr_fail(err, DR_ERR_FORMAT, "the %s stream is empty",
                       said == INFLATE_GZIP ? "gzip" : "zstd");
    else
        return dr_fail(err, DR_ERR_FORMAT,
                       "the layer is not %s, nor any other known format",
                       said == INFLATE_GZIP ? "gzip" : "zstd");
    return 0;
}

/* Is the member's header (RFC 1952, 2.3) there as a whole? Also true when it is none. */
static bool header_is_whole(const uint8_t *b, size_t len)
{
    enum { CRC = 2, EXTRA = 4, NAME = 8, COMMENT = 16 };
    size_t at = 10;
    if (len < at)
        return false;
    if (b[3] & EXTRA) {
        if (len < at + 2)
            return false;
        at += 2 + (size_t)(b[at] | b[at + 1] << 8);
    }
    for (int flag = NAME; flag <= COMMENT; flag <<= 1)
        if (b[3] & flag) {
            const uint8_t *end = at < len ? memchr(b + at, 0, len - at) : NULL;
            if (!end)
                return false;
            at = (size_t)(end - b) + 1;
        }
    return at + (b[3] & CRC ? 2 : 0) <= len;
}

/* ISA-L forgets what it read of a header with optional fields when the input ends in the
 * middle of it, so it is given whole headers only. */
static int whole_header(struct inflate *z, struct dr_error *err)
{
    while (!z->input_ended && !header_is_whole(z->input + z->at, z->end - z->at)) {
        if (z->end - z->at == INPUT_BYTES)
            return dr_fail(err, DR_ERR_FORMAT, "gzip: a header of more than %d bytes",
                           INPUT_BYTES);
        if (more_input(z, err) < 0)
            return -1;
    }
    return 0;
}

int inflate_open(const char *media_type, inflate_read_fn read, void *arg,
                 struct inflate **ret, struct dr_error *err)
{
    enum inflate_format said;
    if (format_of_type(media_type, &said, err) < 0)
        return -1;
    struct inflate *z = dr_alloc(sizeof *z);
    z->read = read;
    z->arg = arg;
    z->input = dr_alloc(INPUT_BYTES);
    if (detect(z, said, err) < 0) {
        inflate_close(z);
        return -1;
    }
    if (z->format == INFLATE_GZIP) {
        z->gunzip = gunzip_new();
        if (whole_header(z, err) < 0) {
            inflate_close(z);
            return -1;
        }
    } else if (z->format == INFLATE_ZSTD) {
        z->zstd = ZSTD_createDStream();
        if (!z->zstd)
            abort(); /* as for any small allocation */
        ZSTD_DCtx_setParameter(z->zstd, ZSTD_d_windowLogMax, INFLATE_WINDOW_LOG_MAX);
    }
    *ret = z;
    return 0;
}

void inflate_close(struct inflate *z)
{
    if (!z)
        return;
    gunzip_free(z->gunzip);
    ZSTD_freeDStream(z->zstd);
    free(z->input);
    free(z);
}

int64_t inflate_taken(const struct inflate *z)
{
    return z->taken;
}

enum inflate_format inflate_format(const struct inflate *z)
{
    return z->format;
}

static ssize_t read_plain(struct inflate *z, uint8_t *buf, size_t len,
                          struct dr_error *err)
{
    size_t done = 0;
    if (z->at < z->end) { /* what detect() looked at */
        done = z->end - z->at < len ? z->end - z->at : len;
        memcpy(buf, z->input + z->at, done);
        z->at += done;
    }
    while (done < len && !z->input_ended) {
        ssize_t n = z->read(z->arg, buf + done, len - done, err);
        if (n < 0)
            return -1;
        if (n == 0)
            z->input_ended = true;
        z->taken += n;
        done += (size_t)n;
    }
    return (ssize_t)done;
}

/* Behind a member: NULs to the end are padding. */
static int skip_padding(struct inflate *z, struct dr_error *err)
{
    for (;;) {
        for (; z->at < z->end; z->at++)
            if (z->input[z->at] != 0)
                return dr_fail(err, DR_ERR_FORMAT,
                               "gzip: garbage behind the end of the stream");
        if (z->input_ended) {
            z->ended = true;
            return 0;
        }
        if (more_input(z, err) < 0)
            return -1;
    }
}

/* A member ended: is there another? */
static int next_member(struct inflate *z, struct dr_error *err)
{
    while (z->end - z->at < 2 && !z->input_ended)
        if (more_input(z, err) < 0)
            return -1;
    if (z->end - z->at >= 2 && z->input[z->at] == 0x1f && z->input[z->at + 1] == 0x8b) {
        gunzip_reset(z->gunzip);
        return whole_header(z, err);
    }
    return skip_padding(z, err);
}

static ssize_t read_gzip(struct inflate *z, uint8_t *buf, size_t len,
                         struct dr_error *err)
{
    size_t done = 0;
    while (done < len && !z->ended) {
        size_t used = 0, made = 0;
        int result = gunzip_step(z->gunzip, z->input + z->at, z->end - z->at, &used,
                                 buf + done, len - done, &made, err);
        z->at += used;
        done += made;
        if (result < 0)
            return -1;
        if (result == GUNZIP_END) {
            if (next_member(z, err) < 0)
                return -1;
        } else if (made == 0 && z->at == z->end) {
            if (z->input_ended)
                return dr_fail(err, DR_ERR_FORMAT, "gzip: the stream ends too early");
            if (more_input(z, err) < 0)
                return -1;
        } else if (made == 0 && used == 0) {
            return dr_fail(err, DR_ERR_FORMAT, "gzip: the stream makes no progress");
        }
    }
    return (ssize_t)done;
}

static int zstd_failed(size_t code, struct dr_error *err)
{
    if (ZSTD_getErrorCode(code) == ZSTD_error_frameParameter_windowTooLarge)
        return dr_fail(err, DR_ERR_UNSUPPORTED, "zstd: a window above %d MiB is refused",
                       1 << (INFLATE_WINDOW_LOG_MAX - 20));
    return dr_fail(err, DR_ERR_FORMAT, "zstd: %s", ZSTD_getErrorName(code));
}

static ssize_t read_zstd(struct inflate *z, uint8_t *buf, size_t len,
                         struct dr_error *err)
{
    ZSTD_outBuffer out = {buf, len, 0};
    while (out.pos < len && !z->ended) {
        if (z->at == z->end && !z->input_ended && more_input(z, err) < 0)
            return -1;
        if (z->at == z->end && z->input_ended && !z->in_frame) {
            z->ended = true;
            break;
        }
        ZSTD_inBuffer in = {z->input, z->end, z->at};
        size_t before = out.pos;
        size_t left = ZSTD_decompressStream(z->zstd, &out, &in);
        if (ZSTD_isError(left))
            return zstd_failed(left, err);
        bool moved = in.pos != z->at || out.pos != before;
        z->at = in.pos;
        z->in_frame = left != 0;
        if (!moved && z->at == z->end && z->input_ended && z->in_frame)
            return dr_fail(err, DR_ERR_FORMAT, "zstd: the stream ends too early");
    }
    return (ssize_t)out.pos;
}

ssize_t inflate_read(struct inflate *z, void *buf, size_t len, struct dr_error *err)
{
    switch (z->format) {
    case INFLATE_GZIP:
        return read_gzip(z, buf, len, err);
    case INFLATE_ZSTD:
        return read_zstd(z, buf, len, err);
    default:
        return read_plain(z, buf, len, err);
    }
}
