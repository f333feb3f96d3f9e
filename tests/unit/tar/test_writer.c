/* SPDX-License-Identifier: Apache-2.0 */
/* The tar writer: what the reader makes of it. Other readers: read-sample.py. */
#include <stdarg.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "sample.h"

struct sink {
    struct dr_buf bytes;
    int64_t total;
    size_t at;
    bool fails;
};

static int take(void *arg, const void *data, size_t len, struct dr_error *err)
{
    struct sink *sink = arg;
    sink->total += (int64_t)len;
    if (sink->fails)
        return dr_fail(err, DR_ERR_CANCELLED, "the sink is full");
    return dr_buf_add(&sink->bytes, data, len, err);
}

static ssize_t give(void *arg, const uint8_t **ret_data, struct dr_error *err)
{
    struct sink *sink = arg;
    size_t n = sink->bytes.len - sink->at;
    *ret_data = (const uint8_t *)sink->bytes.data + sink->at;
    sink->at += n;
    return (ssize_t)n;
}

static void same_entry(const struct tar_entry *got, const struct tar_entry *want)
{
    assert_int_equal(got->type, want->type);
    assert_string_equal(got->name, want->name);
    assert_string_equal(got->link, want->link ? want->link : "");
    assert_int_equal(got->mode, want->mode);
    assert_int_equal(got->uid, want->uid);
    assert_int_equal(got->gid, want->gid);
    assert_int_equal(got->mtime.tv_sec, want->mtime.tv_sec);
    assert_int_equal(got->mtime.tv_nsec, want->mtime.tv_nsec);
    assert_int_equal(got->size, want->size);
    assert_int_equal(got->dev_major, want->dev_major);
    assert_int_equal(got->dev_minor, want->dev_minor);
    assert_int_equal(got->n_xattrs, want->n_xattrs);
    for (size_t i = 0; i < want->n_xattrs; i++) {
        assert_string_equal(got->xattrs[i].name, want->xattrs[i].name);
        assert_int_equal(got->xattrs[i].len, want->xattrs[i].len);
        assert_memory_equal(got->xattrs[i].value, want->xattrs[i].value,
                            want->xattrs[i].len);
    }
}

static void what_is_written_is_read_back_the_same(void **state)
{
    struct sink sink = {.bytes = DR_BUF_INIT(16 << 20)};
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    struct tar_writer *w = tar_writer_new(take, &sink);
    assert_int_equal(sample_write(w, false, &err), 0);
    assert_int_equal(tar_writer_count(w), SAMPLE_COUNT - 1);
    tar_writer_free(w);
    assert_int_equal(sink.bytes.len % TAR_BLOCK, 0);

    struct tar *tar = tar_new(give, &sink);
    struct tar_entry e;
    for (size_t i = 0; i < SAMPLE_COUNT - 1; i++) {
        assert_int_equal(tar_next(tar, &e, &err), 1);
        same_entry(&e, sample_entry(i));
        const uint8_t *data;
        size_t len;
        int64_t total = 0;
        while (tar_data(tar, &data, &len, &err) > 0) {
            total += (int64_t)len;
            for (size_t j = 0; j < len; j++)
                assert_int_equal(data[j], 'a' + i);
        }
        assert_int_equal(total, e.size);
    }
    assert_int_equal(tar_next(tar, &e, &err), 0);
    tar_free(tar);
    dr_buf_release(&sink.bytes);
}

static void the_same_entries_give_the_same_bytes(void **state)
{
    struct sink a = {.bytes = DR_BUF_INIT(16 << 20)}, b = a;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    struct tar_writer *one = tar_writer_new(take, &a), *two = tar_writer_new(take, &b);
    assert_int_equal(sample_write(one, false, &err), 0);
    assert_int_equal(sample_write(two, false, &err), 0);
    assert_int_equal(a.bytes.len, b.bytes.len);
    assert_memory_equal(a.bytes.data, b.bytes.data, a.bytes.len);
    tar_writer_free(one);
    tar_writer_free(two);
    dr_buf_release(&a.bytes);
    dr_buf_release(&b.bytes);
}

static void an_entry_gets_exactly_its_bytes(void **state)
{
    struct sink sink = {.bytes = DR_BUF_INIT(16 << 20)};
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    struct tar_writer *w = tar_writer_new(take, &sink);
    struct tar_entry e = {.type = TAR_FILE, .name = "x", .size = 4};
    assert_int_equal(tar_write_entry(w, &e, &err), 0);
    assert_int_equal(tar_write_data(w, "12345", 5, &err), -1);
    assert_string_equal(err.text, "tar: an entry got more bytes than its size");
    dr_error_release(&err);
    assert_int_equal(tar_write_data(w, "123", 3, &err), 0);
    assert_int_equal(tar_write_entry(w, &e, &err), -1);
    assert_string_equal(err.text, "tar: 1 bytes are missing from the last entry");
    dr_error_release(&err);
    assert_int_equal(tar_write_end(w, &err), -1);
    tar_writer_free(w);
    dr_buf_release(&sink.bytes);
}

static void what_no_reader_would_take_is_refused_and_nothing_is_written(void **state)
{
    struct sink sink = {.bytes = DR_BUF_INIT(16 << 20)};
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    struct tar_writer *w = tar_writer_new(take, &sink);
    dr_auto_free char *value = dr_alloc(TAR_EXTENDED_MAX);
    struct tar_xattr big = {"user.big", value, TAR_EXTENDED_MAX};
    struct tar_entry e = {
        .type = TAR_FILE, .name = "a\x1b", .xattrs = &big, .n_xattrs = 1};
    assert_int_equal(tar_write_entry(w, &e, &err), -1);
    assert_int_equal(err.kind, DR_ERR_UNSUPPORTED);
    assert_string_equal(err.text,
                        "tar: names and xattrs of a\\x1b need more than 1048575 bytes");
    dr_error_release(&err);
    assert_int_equal(tar_write_end(w, &err), 0);
    assert_int_equal(sink.bytes.len, 2 * TAR_BLOCK);
    tar_writer_free(w);
    dr_buf_release(&sink.bytes);
}

static void a_sink_that_fails_ends_the_writing_with_its_error(void **state)
{
    struct sink sink = {.bytes = DR_BUF_INIT(1 << 20), .fails = true};
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    struct tar_writer *w = tar_writer_new(take, &sink);
    assert_int_equal(sample_write(w, false, &err), -1);
    assert_int_equal(err.kind, DR_ERR_CANCELLED);
    assert_string_equal(err.text, "the sink is full");
    tar_writer_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read_back_the_same),
        cmocka_unit_test(the_same_entries_give_the_same_bytes),
        cmocka_unit_test(an_entry_gets_exactly_its_bytes),
        cmocka_unit_test(what_no_reader_would_take_is_refused_and_nothing_is_written),
        cmocka_unit_test(a_sink_that_fails_ends_the_writing_with_its_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
