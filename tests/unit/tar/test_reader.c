/* SPDX-License-Identifier: Apache-2.0 */
/* The tar reader: forms, sizes and bounds (HAZARDS H1). */
#include <stdarg.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tar/tar.h"
#include "tarball.h"

/* Gives the tar in chunks of a size that fits nothing. */
struct feed {
    const uint8_t *data;
    size_t len, chunk;
};

static ssize_t fill(void *arg, const uint8_t **ret_data, struct dr_error *err)
{
    struct feed *f = arg;
    size_t n = f->len < f->chunk ? f->len : f->chunk;
    *ret_data = f->data;
    f->data += n;
    f->len -= n;
    return (ssize_t)n;
}

/* "name|type|size|payload\n" per entry, or "error: …" at the end. */
static char *listing(const struct tarball *t, size_t chunk)
{
    struct feed feed = {(const uint8_t *)t->bytes.data, t->bytes.len, chunk};
    struct tar *tar = tar_new(fill, &feed);
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    struct dr_buf out = DR_BUF_INIT(1 << 20);
    struct tar_entry e;
    int result;
    while ((result = tar_next(tar, &e, &err)) > 0) {
        dr_buf_addf(&out, &err, "%s|%d|%lld|", e.name, e.type, (long long)e.size);
        const uint8_t *data;
        size_t len;
        while ((result = tar_data(tar, &data, &len, &err)) > 0)
            dr_buf_add(&out, data, len, &err);
        for (size_t i = 0; i < e.n_extents; i++)
            dr_buf_addf(&out, &err, "|%lld+%lld", (long long)e.extents[i].offset,
                        (long long)e.extents[i].length);
        if (*e.link)
            dr_buf_addf(&out, &err, "|->%s", e.link);
        dr_buf_addf(&out, &err, "\n");
        if (result < 0)
            break;
    }
    if (result < 0) {
        assert_int_not_equal(err.kind, DR_ERR_NONE);
        dr_buf_addf(&out, &err, "%s: %s", dr_kind_name(err.kind), err.text);
    }
    tar_free(tar);
    return dr_buf_take(&out);
}

static void listing_is(const struct tarball *t, const char *want)
{
    static const size_t chunks[] = {1, 511, 512, 1000, 1 << 20};
    for (size_t i = 0; i < DR_COUNT(chunks); i++) {
        dr_auto_free char *got = listing(t, chunks[i]);
        assert_string_equal(got, want);
    }
}

static void tar_reads_ustar_prefixes_and_v7(void **state)
{
    auto_tarball struct tarball t = TARBALL_INIT;
    ADD(&t, .name = "name", .raw_prefix = "pre/fix", .data = "x");
    ADD(&t, .name = "gnu", .raw_prefix = "not a prefix", .magic = "ustar  ", .data = "y");
    ADD(&t, .name = "v7/", .magic = "\0\0\0\0\0\0\0", .type = TYPE_NUL);
    ADD(&t, .name = "v7", .magic = "\0\0\0\0\0\0\0", .type = TYPE_NUL);
    tarball_end(&t);
    listing_is(&t, "pre/fix/name|0|1|x\ngnu|0|1|y\nv7/|1|0|\nv7|0|0|\n");
}

static void tar_reads_gnu_long_names(void **state)
{
    auto_tarball struct tarball t = TARBALL_INIT;
    char name[301];
    memset(name, 'n', 300);
    name[300] = '\0';
    ADD(&t, .type = 'L', .name = "././@LongLink", .data = name, .len = 301);
    ADD(&t, .type = 'K', .name = "././@LongLink", .data = "target", .len = 7);
    ADD(&t, .type = '2', .name = "short", .link = "short");
    ADD(&t, .name = "next", .data = "x");
    tarball_end(&t);
    dr_auto_free char *want = dr_printf("%s|2|0||->target\nnext|0|1|x\n", name);
    listing_is(&t, want);
}

static void h1_pax_path_beats_ustar_and_gnu_beats_pax(void **state)
{
    auto_tarball struct tarball t = TARBALL_INIT;
    tarball_record(&t, "path", "from-pax", 0);
    tarball_record(&t, "comment", "nobody reads it", 0);
    tarball_pax(&t, 'x');
    ADD(&t, .name = "ustar", .data = "x");
    tarball_record(&t, "path", "from-pax", 0);
    tarball_pax(&t, 'x');
    ADD(&t, .type = 'L', .name = "L", .data = "from-gnu", .len = 9);
    ADD(&t, .name = "ustar", .data = "y");
    ADD(&t, .name = "plain", .data = "z");
    tarball_end(&t);
    listing_is(&t, "from-pax|0|1|x\nfrom-gnu|0|1|y\nplain|0|1|z\n");
}

static void h1_pax_size_beats_ustar_and_applies_to_the_entry_only(void **state)
{
    /* CVE-2025-62518: not to the long name in between; CVE-2026-33055: also over a size
     */
    auto_tarball struct tarball t = TARBALL_INIT;
    tarball_record(&t, "size", "700", 0);
    tarball_pax(&t, 'x');
    ADD(&t, .type = 'L', .name = "L", .data = "long", .len = 5);
    char data[1024];
    memset(data, 'd', sizeof data);
    ADD(&t, .name = "f", .data = data, .len = 700, .raw_size = "00000000000");
    ADD(&t, .name = "after", .data = "x");
    tarball_record(&t, "size", "1", 0);
    tarball_pax(&t, 'x');
    ADD(&t, .name = "g", .data = "y", .len = 1, .raw_size = "00000001000");
    tarball_end(&t);
    data[700] = '\0';
    dr_auto_free char *want = dr_printf("long|0|700|%s\nafter|0|1|x\ng|0|1|y\n", data);
    listing_is(&t, want);
}

static void h1_a_size_of_something_without_payload_is_ignored(void **state)
{
    auto_tarball struct tarball t = TARBALL_INIT;
    ADD(&t, .type = '5', .name = "d", .raw_size = "00000001000");
    ADD(&t, .type = '1', .name = "h", .link = "d", .raw_size = "00000001000");
    tarball_record(&t, "size", "5000", 0);
    tarball_pax(&t, 'x');
    ADD(&t, .type = '2', .name = "s", .link = "d");
    ADD(&t, .name = "f", .data = "x");
    tarball_end(&t);
    listing_is(&t, "d|1|0|\nh|3|0||->d\ns|2|0||->d\nf|0|1|x\n");
}

static void h1_global_headers_have_no_effect(void **state)
{
    auto_tarball struct tarball t = TARBALL_INIT;
    tarball_record(&t, "path", "global", 0);
    tarball_record(&t, "size", "99999", 0);
    tarball_pax(&t, 'g');
    ADD(&t, .name = "f", .data = "x");
    ADD(&t, .name = "g", .data = "y");
    tarball_end(&t);
    listing_is(&t, "f|0|1|x\ng|0|1|y\n");
}

static void h1_bad_global_headers_are_refused(void **state)
{
    auto_tarball struct tarball t = TARBALL_INIT;
    ADD(&t, .type = 'g', .name = "g", .data = "garbage");
    tarball_end(&t);
    listing_is(&t, "format: tar: bad length of a pax record");
}

static void h1_bad_pax_records_are_refused(void **state)
{
    static const struct {
        const char *records, *text;
    } cases[] = {
        {"x", "bad length of a pax record"},
        {"5 a=b\n", "bad length of a pax record"},
        {"7 a=b\n", "bad length of a pax record"},
        {"-6 a=b\n", "bad length of a pax record"},
        {"99999999999999999999 a=b\n", "bad length of a pax record"},
        {"4 ab\n", "bad length of a pax record"},
        {"5 =b\n", "a pax record without a key"},
        {"5 ab\n", "a pax record without a key"},
        {"9 size=x\n", "the pax size is out of range"},
        {"11 size=-1\n", "the pax size is out of range"},
        {"28 size=9223372036854775808\n", "the pax size is out of range"},
        {"11 mtime=x\n", "bad pax record 'mtime'"},
        {"8 uid=x\n", "uid x is out of range"},
    };
    for (size_t i = 0; i < DR_COUNT(cases); i++) {
        auto_tarball struct tarball t = TARBALL_INIT;
        ADD(&t, .type = 'x', .name = "x", .data = cases[i].records);
        ADD(&t, .name = "f");
        tarball_end(&t);
        dr_auto_free char *got = listing(&t, 512);
        if (!strstr(got, cases[i].text) || strncmp(got, "format: ", 8) != 0)
            fail_msg("%s gave %s", cases[i].records, got);
    }
}

static void h1_pax_path_with_a_nul_is_refused(void **state)
{
    auto_tarball struct tarball t = TARBALL_INIT;
    tarball_record(&t, "path", "a\0b", 3);
    tarball_pax(&t, 'x');
    ADD(&t, .name = "f");
    listing_is(&t, "format: tar: bad pax record 'path'");
}

static void h1_extended_headers_above_1_mib_are_refused(void **state)
{
    auto_tarball struct tarball t = TARBALL_INIT, l = TARBALL_INIT;
    ADD(&t, .type = 'x', .name = "x", .raw_size = "00004000000");
    listing_is(&t, "format: tar: an extended header of more than 1048575 bytes");
    ADD(&l, .type = 'L', .name = "x", .raw_size = "77777777777");
    listing_is(&l, "format: tar: an extended header of more than 65535 bytes");
}

static void h1_negative_and_overflowing_sizes_are_refused(void **state)
{
    static const char *const sizes[] = {
        "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", /* -1 */
        "\x80\0\0\0\x80\0\0\0\0\0\0\0",                     /* 2^63 */
        "\x81\0\0\0\0\0\0\0\0\0\0\0",
        "0000000000x",
        "8",
        "-1\0\0\0\0\0\0\0\0\0",
    };
    for (size_t i = 0; i < DR_COUNT(sizes); i++) {
        auto_tarball struct tarball t = TARBALL_INIT;
        char field[12] = {0};
        memcpy(field, sizes[i], i < 3 ? 12 : strlen(sizes[i]) + 1);
        ADD(&t, .name = "f", .raw_size = field);
        listing_is(&t, "format: tar: the size of f is out of range");
    }
}

static void h1_huge_size_of_a_short_archive_is_truncation(void **state)
{
    auto_tarball struct tarball t = TARBALL_INIT;
    ADD(&t, .name = "f", .raw_size = "\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff");
    tarball_raw(&t, "abc", 3);
    listing_is(&t, "f|0|9223372036854775807|abc\n"
                   "format: tar: the archive ends in the middle of an entry");
}

static void h1_wrong_checksums_are_refused(void **state)
{
    auto_tarball struct tarball t = TARBALL_INIT;
    ADD(&t, .name = "f", .wrong_checksum = true);
    listing_is(&t, "format: tar: a header with a wrong checksum");
}

static void h1_unknown_types_are_refused(void **state)
{
    auto_tarball struct tarball t = TARBALL_INIT;
    ADD(&t, .name = "f", .type = 'M');
    listing_is(&t, "unsupported: tar: f has the unknown type 0x4d");
}

static void h1_cut_archives_are_refused_at_every_byte(void **state)
{
    auto_tarball struct tarball t = TARBALL_INIT;
    tarball_record(&t, "path", "long", 0);
    tarball_pax(&t, 'x');
    ADD(&t, .name = "f", .data = "hello");
    size_t whole = t.bytes.len, padding = 512 - 5;
    for (size_t len = 1; len < whole - padding; len++) {
        t.bytes.len = len;
        dr_auto_free char *got = listing(&t, 700);
        if (!strstr(got, "the archive ends in the middle of an entry"))
            fail_msg("cut at %zu: %s", len, got);
    }
    /* without the zero blocks, and in the last padding: as Go's reader does */
    for (size_t len = whole - padding; len <= whole; len += 13) {
        t.bytes.len = len;
        listing_is(&t, "long|0|5|hello\n");
    }
}

static void tar_ends_at_two_zero_blocks(void **state)
{
    auto_tarball struct tarball t = TARBALL_INIT, lone = TARBALL_INIT;
    ADD(&t, .name = "f");
    tarball_end(&t);
    ADD(&t, .name = "behind");
    listing_is(&t, "f|0|0|\n");
    tarball_zeros(&lone, 512);
    ADD(&lone, .name = "f");
    listing_is(&lone, "format: tar: a lone zero block in the archive");
}

static void h1_extended_header_without_entry_is_refused(void **state)
{
    auto_tarball struct tarball t = TARBALL_INIT;
    tarball_record(&t, "path", "x", 0);
    tarball_pax(&t, 'x');
    tarball_end(&t);
    listing_is(&t, "format: tar: an extended header without its entry");
}

/* sparse files, all four forms; 10..13 and 20..21 of 30 bytes have data */

static void h1_sparse_pax_0_0(void **state)
{
    auto_tarball struct tarball t = TARBALL_INIT;
    tarball_record(&t, "GNU.sparse.size", "30", 0);
    tarball_record(&t, "GNU.sparse.numblocks", "2", 0);
    tarball_record(&t, "GNU.sparse.offset", "10", 0);
    tarball_record(&t, "GNU.sparse.numbytes", "4", 0);
    tarball_record(&t, "GNU.sparse.offset", "20", 0);
    tarball_record(&t, "GNU.sparse.numbytes", "2", 0);
    tarball_pax(&t, 'x');
    ADD(&t, .name = "s", .data = "abcdef");
    tarball_end(&t);
    listing_is(&t, "s|0|30|abcdef|10+4|20+2\n");
}

static void h1_sparse_pax_0_1(void **state)
{
    auto_tarball struct tarball t = TARBALL_INIT;
    tarball_record(&t, "GNU.sparse.size", "30", 0);
    tarball_record(&t, "GNU.sparse.name", "real-name", 0);
    tarball_record(&t, "GNU.sparse.map", "10,4,20,2", 0);
    tarball_pax(&t, 'x');
    ADD(&t, .name = "GNUSparseFile.0/s", .data = "abcdef");
    tarball_end(&t);
    listing_is(&t, "real-name|0|30|abcdef|10+4|20+2\n");
}

static void sparse_1_0(struct tarball *t, const char *map, const char *realsize)
{
    char data[518] = {0};
    memcpy(data, map, strlen(map));
    memcpy(data + 512, "abcdef", 6);
    tarball_record(t, "GNU.sparse.major", "1", 0);
    tarball_record(t, "GNU.sparse.minor", "0", 0);
    tarball_record(t, "GNU.sparse.name", "s", 0);
    tarball_record(t, "GNU.sparse.realsize", realsize, 0);
    tarball_pax(t, 'x');
    ADD(t, .name = "x", .data = data, .len = sizeof data);
    tarball_end(t);
}

static void h1_sparse_pax_1_0(void **state)
{
    auto_tarball struct tarball t = TARBALL_INIT;
    sparse_1_0(&t, "2\n10\n4\n20\n2\n", "30");
    listing_is(&t, "s|0|30|abcdef|10+4|20+2\n");
}

static void old_sparse(struct tarball *t, int n_here, bool more, const char *real_size)
{
    char at_386[126] = {0};
    for (int i = 0; i < n_here; i++) {
        snprintf(at_386 + i * 24, 12, "%011o", 10 * (i + 1));
        snprintf(at_386 + i * 24 + 12, 12, "%011o", 1);
    }
    at_386[96] = more;
    memcpy(at_386 + 97, real_size, 12);
    ADD(t, .type = 'S', .name = "s", .magic = "ustar  ", .at_386 = at_386, .len = 6,
        .data = "abcdef", .no_payload = true);
}

static void h1_sparse_old_gnu(void **state)
{
    auto_tarball struct tarball t = TARBALL_INIT;
    old_sparse(&t, 4, true, "00000000144");
    char block[512] = {0};
    for (int i = 0; i < 2; i++) {
        snprintf(block + i * 24, 12, "%011o", 50 + 10 * i);
        snprintf(block + i * 24 + 12, 12, "%011o", 1);
    }
    tarball_raw(&t, block, 512);
    tarball_raw(&t, "abcdef", 6);
    tarball_zeros(&t, 506);
    ADD(&t, .name = "next");
    tarball_end(&t);
    listing_is(&t, "s|0|100|abcdef|10+1|20+1|30+1|40+1|50+1|60+1\nnext|0|0|\n");
}

static void h1_bad_sparse_maps_are_refused(void **state)
{
    static const struct {
        const char *map, *realsize, *text;
    } cases[] = {
        {"2\n10\n4\n12\n2\n", "30", "extents overlap"},
        {"2\n20\n2\n10\n4\n", "30", "extents overlap"},
        {"2\n10\n4\n20\n2\n", "21", "an extent ends behind the file"},
        {"2\n10\n4\n20\n1\n", "30", "it does not account for the stored bytes"},
        {"1\n10\n4\n", "30", "it does not account for the stored bytes"},
        {"3\n10\n4\n20\n2\n", "30", "not a number"},
        {"x\n", "30", "not a number"},
        {"-1\n", "30", "not a number"},
        {"1\n9223372036854775807\n6\n", "30", "a number is out of range"},
        {"99999999999999999999999\n", "30", "not a number"},
    };
    for (size_t i = 0; i < DR_COUNT(cases); i++) {
        auto_tarball struct tarball t = TARBALL_INIT;
        sparse_1_0(&t, cases[i].map, cases[i].realsize);
        dr_auto_free char *got = listing(&t, 512);
        dr_auto_free char *want =
            dr_printf("format: tar: bad sparse map: %s", cases[i].text);
        assert_string_equal(got, want);
    }
}

static void h1_sparse_maps_are_bounded(void **state)
{
    /* CVE-2025-58183 */
    auto_tarball struct tarball t = TARBALL_INIT;
    dr_auto_buf struct dr_buf map = DR_BUF_INIT(8 << 20);
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_buf_addf(&map, &err, "70000\n");
    for (int i = 0; i < 70000; i++)
        dr_buf_addf(&map, &err, "%d\n0\n", i);
    tarball_record(&t, "GNU.sparse.major", "1", 0);
    tarball_record(&t, "GNU.sparse.minor", "0", 0);
    tarball_record(&t, "GNU.sparse.realsize", "70000", 0);
    tarball_pax(&t, 'x');
    ADD(&t, .name = "x", .data = map.data, .len = map.len);
    listing_is(&t, "unsupported: tar: a sparse map of more than 65536 extents");
}

static void h1_unknown_sparse_formats_are_refused(void **state)
{
    auto_tarball struct tarball t = TARBALL_INIT;
    tarball_record(&t, "GNU.sparse.major", "2", 0);
    tarball_record(&t, "GNU.sparse.minor", "0", 0);
    tarball_pax(&t, 'x');
    ADD(&t, .name = "x", .data = "x");
    listing_is(&t, "unsupported: tar: sparse format 2.0 is not known");
}

static void h1_xattrs_per_entry_are_bounded(void **state)
{
    auto_tarball struct tarball t = TARBALL_INIT;
    for (int i = 0; i < 1025; i++)
        tarball_record(&t, "SCHILY.xattr.user.x", "1", 0);
    tarball_pax(&t, 'x');
    ADD(&t, .name = "x");
    listing_is(&t, "format: tar: an entry with more than 1024 xattrs");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tar_reads_ustar_prefixes_and_v7),
        cmocka_unit_test(tar_reads_gnu_long_names),
        cmocka_unit_test(h1_pax_path_beats_ustar_and_gnu_beats_pax),
        cmocka_unit_test(h1_pax_size_beats_ustar_and_applies_to_the_entry_only),
        cmocka_unit_test(h1_a_size_of_something_without_payload_is_ignored),
        cmocka_unit_test(h1_global_headers_have_no_effect),
        cmocka_unit_test(h1_bad_global_headers_are_refused),
        cmocka_unit_test(h1_bad_pax_records_are_refused),
        cmocka_unit_test(h1_pax_path_with_a_nul_is_refused),
        cmocka_unit_test(h1_extended_headers_above_1_mib_are_refused),
        cmocka_unit_test(h1_negative_and_overflowing_sizes_are_refused),
        cmocka_unit_test(h1_huge_size_of_a_short_archive_is_truncation),
        cmocka_unit_test(h1_wrong_checksums_are_refused),
        cmocka_unit_test(h1_unknown_types_are_refused),
        cmocka_unit_test(h1_cut_archives_are_refused_at_every_byte),
        cmocka_unit_test(tar_ends_at_two_zero_blocks),
        cmocka_unit_test(h1_extended_header_without_entry_is_refused),
        cmocka_unit_test(h1_sparse_pax_0_0),
        cmocka_unit_test(h1_sparse_pax_0_1),
        cmocka_unit_test(h1_sparse_pax_1_0),
        cmocka_unit_test(h1_sparse_old_gnu),
        cmocka_unit_test(h1_bad_sparse_maps_are_refused),
        cmocka_unit_test(h1_sparse_maps_are_bounded),
        cmocka_unit_test(h1_unknown_sparse_formats_are_refused),
        cmocka_unit_test(h1_xattrs_per_entry_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
