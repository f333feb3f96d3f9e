/* SPDX-License-Identifier: Apache-2.0 */
/* CONTRACT C10, HAZARDS H1: gzip, zstd and plain, and what is wrong with them. zlib and
 * libzstd make the input here; whatever inflates has to agree with them. */
#include <stdarg.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#include <cmocka.h>

#include "flate/inflate.h"
#include "lab.h"

#define GZIP "application/vnd.oci.image.layer.v1.tar+gzip"
#define ZSTD_TYPE "application/vnd.oci.image.layer.v1.tar+zstd"
#define PLAIN "application/vnd.oci.image.layer.v1.tar"

struct source {
    const char *data;
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

/* Inflates all of it; reads `step` bytes at a time. -1: err says why. */
static int inflate_all(const char *type, const void *data, size_t len, size_t chunk,
                       size_t step, struct dr_buf *out, struct dr_error *err)
{
    struct source source = {data, len, chunk};
    struct inflate *z;
    if (inflate_open(type, from_source, &source, &z, err) < 0)
        return -1;
    ssize_t n;
    dr_auto_free char *buf = dr_alloc(step);
    dr_auto_error struct dr_error ignored = DR_ERROR_INIT;
    while ((n = inflate_read(z, buf, step, err)) > 0)
        assert_int_equal(dr_buf_add(out, buf, (size_t)n, &ignored), 0);
    if (n == 0)
        assert_int_equal(inflate_taken(z), len);
    inflate_close(z);
    return n < 0 ? -1 : 0;
}

static void gives(const char *type, const struct dr_buf *in, const struct dr_buf *want)
{
    static const size_t sizes[] = {1, 7, 512, 4096, 1 << 20};
    for (size_t i = 0; i < DR_COUNT(sizes); i++)
        for (size_t j = 0; j < DR_COUNT(sizes); j++) {
            dr_auto_error struct dr_error err = DR_ERROR_INIT;
            dr_auto_buf struct dr_buf out = DR_BUF_INIT(64 << 20);
            if (inflate_all(type, in->data, in->len, sizes[i], sizes[j], &out, &err) < 0)
                fail_msg("chunks of %zu into %zu: %s", sizes[i], sizes[j], err.text);
            assert_int_equal(out.len, want->len);
            if (want->len)
                assert_memory_equal(out.data, want->data, want->len);
        }
}

static void fails(const char *type, const void *data, size_t len, enum dr_kind kind,
                  const char *text)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_buf struct dr_buf out = DR_BUF_INIT(64 << 20);
    assert_int_equal(inflate_all(type, data, len, 4096, 4096, &out, &err), -1);
    assert_string_equal(dr_kind_name(err.kind), dr_kind_name(kind));
    if (!strstr(err.text, text))
        fail_msg("'%s' does not say '%s'", err.text, text);
}

static void add(struct dr_buf *buf, const void *data, size_t len)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    assert_int_equal(dr_buf_add(buf, data, len, &err), 0);
}

/* Text that compresses, with some that does not. */
static void make_text(struct dr_buf *buf, size_t len, unsigned seed)
{
    while (buf->len < len) {
        seed = seed * 1664525 + 1013904223;
        char word[24];
        snprintf(word, sizeof word, "%x layer %u ", seed >> 8, seed % 7);
        add(buf, word, strlen(word));
    }
}

/* One member. flags: 4 extra field, 8 name, 16 comment, 2 header CRC. */
static void add_member(struct dr_buf *out, const void *data, size_t len, int level,
                       int flags)
{
    z_stream z = {0};
    gz_header header = {.os = 3, .hcrc = (flags & 2) != 0};
    Bytef extra[] = "SGsomething", name[] = "layer.tar", comment[] = "a comment";
    assert_int_equal(deflateInit2(&z, level, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY),
                     Z_OK);
    if (flags & 4) {
        header.extra = extra;
        header.extra_len = sizeof extra;
    }
    header.name = flags & 8 ? name : NULL;
    header.comment = flags & 16 ? comment : NULL;
    deflateSetHeader(&z, &header);
    uLong bound = deflateBound(&z, len) + 100;
    dr_auto_free Bytef *packed = dr_alloc(bound);
    z.next_in = (Bytef *)(uintptr_t)data;
    z.avail_in = (uInt)len;
    z.next_out = packed;
    z.avail_out = (uInt)bound;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    add(out, packed, bound - z.avail_out);
    deflateEnd(&z);
}

static void add_frame(struct dr_buf *out, const void *data, size_t len, int level)
{
    size_t bound = ZSTD_compressBound(len);
    dr_auto_free char *packed = dr_alloc(bound);
    ZSTD_CCtx *z = ZSTD_createCCtx();
    ZSTD_CCtx_setParameter(z, ZSTD_c_compressionLevel, level);
    ZSTD_CCtx_setParameter(z, ZSTD_c_checksumFlag, 1);
    size_t n = ZSTD_compress2(z, packed, bound, data, len);
    assert_false(ZSTD_isError(n));
    add(out, packed, n);
    ZSTD_freeCCtx(z);
}

#define TEXT_AND_PACKED                                                                  \
    dr_auto_buf struct dr_buf text = DR_BUF_INIT(8 << 20),                               \
                              packed = DR_BUF_INIT(8 << 20);                             \
    make_text(&text, 40000, 1)

static void c10_gzip_at_every_level_and_with_every_header_field(void **state)
{
    for (int i = 0; i < 10; i++) {
        TEXT_AND_PACKED;
        add_member(&packed, text.data, text.len, i,
                   (i & 1 ? 4 : 0) | (i & 2 ? 8 : 0) | (i & 4 ? 16 : 0) |
                       (i > 5 ? 2 : 0));
        gives(GZIP, &packed, &text);
    }
}

static void h1_concatenated_gzip_members_are_all_read(void **state)
{
    TEXT_AND_PACKED;
    for (size_t at = 0; at < text.len;) {
        size_t n = at % 3 == 0 ? 1 : at % 3 == 1 ? 0 : 6000; /* empty ones, too */
        n = n < text.len - at ? n : text.len - at;
        add_member(&packed, text.data + at, n, 6, at % 2 ? 12 : 0);
        at += n;
        if (n == 0) {
            n = text.len - at < 9999 ? text.len - at : 9999;
            add_member(&packed, text.data + at, n, 1, 0);
            at += n;
        }
    }
    gives(GZIP, &packed, &text);
}

static void h1_nul_padding_behind_gzip_is_accepted(void **state)
{
    TEXT_AND_PACKED;
    char zeros[5000] = {0};
    add_member(&packed, text.data, text.len, 6, 0);
    add(&packed, zeros, sizeof zeros);
    gives(GZIP, &packed, &text);
}

static void h1_garbage_behind_gzip_is_refused(void **state)
{
    static const char *const garbage[] = {"x", "\x1f", "\x1f\x8c", "garbage", "\0\0x"};
    for (size_t i = 0; i < DR_COUNT(garbage); i++) {
        TEXT_AND_PACKED;
        add_member(&packed, text.data, text.len, 6, 0);
        add(&packed, garbage[i], i == 4 ? 3 : strlen(garbage[i]));
        fails(GZIP, packed.data, packed.len, DR_ERR_FORMAT, "garbage behind the end");
    }
}

static void h1_zstd_frames_and_skippable_frames(void **state)
{
    TEXT_AND_PACKED;
    const char skippable[] = "\x53\x2a\x4d\x18\x05\0\0\0hello";
    add(&packed, skippable, 13);
    add_frame(&packed, text.data, 20000, 3);
    add(&packed, skippable, 13);
    add_frame(&packed, text.data, 0, 3);
    add_frame(&packed, text.data + 20000, text.len - 20000, 19);
    add(&packed, skippable, 13);
    gives(ZSTD_TYPE, &packed, &text);
}

static void h1_zstd_window_above_128_mib_is_refused(void **state)
{
    /* magic, descriptor without sizes, window 2^28 */
    static const char frame[] = "\x28\xb5\x2f\xfd\x00\x90\x01\0\0garbage";
    fails(ZSTD_TYPE, frame, sizeof frame, DR_ERR_UNSUPPORTED,
          "zstd: a window above 128 MiB is refused");
    /* 2^27 is fine: the frame is empty */
    static const char good[] = "\x28\xb5\x2f\xfd\x00\x88\x01\0\0";
    dr_auto_buf struct dr_buf in = DR_BUF_INIT(100), nothing = DR_BUF_INIT(1);
    add(&in, good, 9);
    gives(ZSTD_TYPE, &in, &nothing);
}

static void h1_truncated_streams_are_refused_at_every_byte(void **state)
{
    dr_auto_buf struct dr_buf text = DR_BUF_INIT(1 << 20), gz = DR_BUF_INIT(1 << 20),
                              zst = DR_BUF_INIT(1 << 20);
    make_text(&text, 900, 5);
    add_member(&gz, text.data, 500, 6, 12);
    size_t first = gz.len;
    add_member(&gz, text.data + 500, text.len - 500, 6, 0);
    add_frame(&zst, text.data, text.len, 3);
    for (size_t len = 0; len < gz.len; len++)
        if (len != first) /* a shorter stream that is whole */
            fails(GZIP, gz.data, len, DR_ERR_FORMAT, "");
    for (size_t len = 0; len < zst.len; len++)
        fails(ZSTD_TYPE, zst.data, len, DR_ERR_FORMAT, "");
    fails(GZIP, gz.data, gz.len - 1, DR_ERR_FORMAT, "gzip: the stream ends too early");
    fails(ZSTD_TYPE, zst.data, zst.len - 1, DR_ERR_FORMAT,
          "zstd: the stream ends too early");
}

static void h1_flipped_bits_are_an_error_or_harmless(void **state)
{
    dr_auto_buf struct dr_buf text = DR_BUF_INIT(1 << 20), gz = DR_BUF_INIT(1 << 20),
                              zst = DR_BUF_INIT(1 << 20);
    make_text(&text, 500, 9);
    add_member(&gz, text.data, text.len, 6, 8);
    add_frame(&zst, text.data, text.len, 3);
    struct dr_buf *streams[] = {&gz, &zst};
    for (int which = 0; which < 2; which++)
        for (size_t bit = 0; bit < streams[which]->len * 8; bit++) {
            dr_auto_error struct dr_error err = DR_ERROR_INIT;
            dr_auto_buf struct dr_buf out = DR_BUF_INIT(64 << 20);
            char *byte = &streams[which]->data[bit / 8];
            *byte ^= (char)(1 << bit % 8);
            int result = inflate_all(which ? ZSTD_TYPE : GZIP, streams[which]->data,
                                     streams[which]->len, 100, 1000, &out, &err);
            *byte ^= (char)(1 << bit % 8);
            if (result < 0)
                assert_int_not_equal(err.kind, DR_ERR_NONE);
            else /* a bit of the header that means nothing: name, time, system */
                assert_true(out.len == text.len &&
                            memcmp(out.data, text.data, text.len) == 0);
        }
}

static void c10_the_bytes_decide_where_the_type_is_wrong(void **state)
{
    TEXT_AND_PACKED;
    dr_auto_buf struct dr_buf zst = DR_BUF_INIT(8 << 20);
    auto_tarball struct tarball t = TARBALL_INIT;
    add_member(&packed, text.data, text.len, 6, 0);
    add_frame(&zst, text.data, text.len, 3);
    ADD(&t, .name = "\x1f\x8b looks like gzip", .data = "x");
    tarball_end(&t);
    gives(ZSTD_TYPE, &packed, &text);
    gives(GZIP, &zst, &text);
    gives(PLAIN, &zst, &text);
    gives(PLAIN, &packed, &text);
    gives(NULL, &packed, &text);
    gives("", &zst, &text);
    gives(PLAIN, &t.bytes, &t.bytes);
    t.bytes.data[0] = 'x';
    gives(GZIP, &t.bytes, &t.bytes); /* a tar that says it is gzip */
}

static void h2_unknown_types_are_refused(void **state)
{
    fails("application/vnd.oci.image.layer.v1.tar+xz", "x", 1, DR_ERR_UNSUPPORTED,
          "layer type 'application/vnd.oci.image.layer.v1.tar+xz' is not supported");
    fails("text/\x1b[31m", "x", 1, DR_ERR_UNSUPPORTED, "'text/\\x1b[31m'");
}

static void h1_what_is_no_archive_is_refused(void **state)
{
    char garbage[1000];
    memset(garbage, 'g', sizeof garbage);
    fails(GZIP, garbage, sizeof garbage, DR_ERR_FORMAT, "the layer is not gzip");
    fails(ZSTD_TYPE, garbage, sizeof garbage, DR_ERR_FORMAT, "the layer is not zstd");
    fails(GZIP, "", 0, DR_ERR_FORMAT, "the gzip stream is empty");
}

static ssize_t breaks(void *arg, void *buf, size_t len, struct dr_error *err)
{
    if (*(int *)arg == 0)
        return dr_fail(err, DR_ERR_CANCELLED, "the peer went away");
    --*(int *)arg;
    memcpy(buf, "\x1f\x8b\x08\0\0\0\0\0\0\3", 10);
    return 10;
}

static void a_reader_that_fails_keeps_its_error(void **state)
{
    for (int after = 0; after < 2; after++) {
        dr_auto_error struct dr_error err = DR_ERROR_INIT;
        struct inflate *z;
        int left = after;
        assert_int_equal(inflate_open(GZIP, breaks, &left, &z, &err), -1);
        assert_int_equal(err.kind, DR_ERR_CANCELLED);
        assert_string_equal(err.text, "the peer went away");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(c10_gzip_at_every_level_and_with_every_header_field),
        cmocka_unit_test(h1_concatenated_gzip_members_are_all_read),
        cmocka_unit_test(h1_nul_padding_behind_gzip_is_accepted),
        cmocka_unit_test(h1_garbage_behind_gzip_is_refused),
        cmocka_unit_test(h1_zstd_frames_and_skippable_frames),
        cmocka_unit_test(h1_zstd_window_above_128_mib_is_refused),
        cmocka_unit_test(h1_truncated_streams_are_refused_at_every_byte),
        cmocka_unit_test(h1_flipped_bits_are_an_error_or_harmless),
        cmocka_unit_test(c10_the_bytes_decide_where_the_type_is_wrong),
        cmocka_unit_test(h2_unknown_types_are_refused),
        cmocka_unit_test(h1_what_is_no_archive_is_refused),
        cmocka_unit_test(a_reader_that_fails_keeps_its_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
