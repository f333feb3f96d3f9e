/* SPDX-License-Identifier: Apache-2.0 */
/* C04, C14, H1: layers on top of each other, as one tar (image-spec layer.md). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "archive/flatten.h"
#include "tarball.h"

#define LAYERS_MAX 4

struct stack {
    struct tarball layers[LAYERS_MAX];
    struct oci_digest diff_ids[LAYERS_MAX];
    size_t count, at[LAYERS_MAX];
    bool check;
};

static struct tarball *layer(struct stack *s)
{
    s->layers[s->count] = TARBALL_INIT;
    return &s->layers[s->count++];
}

static void stack_release(struct stack *s)
{
    for (size_t i = 0; i < s->count; i++)
        tarball_release(&s->layers[i]);
}
#define auto_stack DR_CLEANUP(stack_release)

struct stream {
    const struct tarball *t;
    size_t at;
};

static int open_layer(void *arg, size_t i, void **ret, struct dr_error *err)
{
    struct stack *s = arg;
    struct stream *stream = dr_alloc(sizeof *stream);
    stream->t = &s->layers[i];
    *ret = stream;
    return 0;
}

static ssize_t read_layer(void *arg, void *buf, size_t len, struct dr_error *err)
{
    struct stream *s = arg;
    size_t left = s->t->bytes.len - s->at, n = len < left ? len : left;
    n = n > 700 ? 700 : n; /* no entry comes whole */
    memcpy(buf, s->t->bytes.data + s->at, n);
    s->at += n;
    return (ssize_t)n;
}

static void close_layer(void *arg)
{
    free(arg);
}

static int sink(void *arg, const void *data, size_t len, struct dr_error *err)
{
    return dr_buf_add(arg, data, len, err);
}

static ssize_t from_buf(void *arg, const uint8_t **ret, struct dr_error *err)
{
    struct dr_buf *b = arg;
    *ret = (const uint8_t *)b->data;
    size_t n = b->len;
    b->len = 0;
    return (ssize_t)n;
}

/* "f a/b=text", "d a", "l a>b", "h a>b", one a line; xattrs behind a blank. */
static void describe(struct dr_buf *tar_bytes, struct dr_buf *ret)
{
    static const char letters[] = "fdlhcbp";
    struct dr_error err = DR_ERROR_INIT;
    struct tar_entry e;
    struct tar *tar = tar_new(from_buf, tar_bytes);
    int rc;
    while ((rc = tar_next(tar, &e, &err)) > 0) {
        const uint8_t *data;
        size_t len;
        dr_buf_addf(ret, &err, "%c %s", letters[e.type], e.name);
        if (e.type == TAR_SYMLINK || e.type == TAR_HARDLINK)
            dr_buf_addf(ret, &err, ">%s", e.link);
        if (e.type == TAR_FILE)
            dr_buf_add(ret, "=", 1, &err);
        while (tar_data(tar, &data, &len, &err) > 0)
            dr_buf_add(ret, data, len, &err);
        for (size_t i = 0; i < e.n_xattrs; i++)
            dr_buf_addf(ret, &err, " %s", e.xattrs[i].name);
        dr_buf_add(ret, "\n", 1, &err);
    }
    assert_int_equal(rc, 0);
    tar_free(tar);
}

static int flatten(struct stack *s, struct dr_buf *out, struct dr_error *err)
{
    struct flatten_layers layers = {
        s->count, s->check ? s->diff_ids : NULL, open_layer, read_layer, close_layer, s};
    struct flatten *f;
    for (size_t i = 0; i < s->count; i++)
        tarball_end(&s->layers[i]);
    if (flatten_look(&layers, &f, err) < 0)
        return -1;
    struct tar_writer *w = tar_writer_new(sink, out);
    int rc = flatten_write(f, w, err);
    if (rc == 0)
        rc = tar_write_end(w, err);
    tar_writer_free(w);
    flatten_free(f);
    return rc;
}

static void gives(struct stack *s, const char *want)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_buf struct dr_buf out = DR_BUF_INIT(64 << 20), text = DR_BUF_INIT(64 << 20);
    if (flatten(s, &out, &err) < 0)
        fail_msg("%s", err.text);
    describe(&out, &text);
    assert_string_equal(text.data ? text.data : "", want);
}

static void refuses(struct stack *s, enum dr_kind kind, const char *text)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_buf struct dr_buf out = DR_BUF_INIT(64 << 20);
    assert_int_equal(flatten(s, &out, &err), -1);
    if (err.kind != kind || !strstr(err.text, text))
        fail_msg("%d: %s", err.kind, err.text);
}

static void what_comes_later_replaces_and_directories_join(void **state)
{
    auto_stack struct stack s = {.count = 0};
    struct tarball *t = layer(&s);
    ADD(t, .type = '5', .name = "./");
    ADD(t, .type = '5', .name = "etc/");
    ADD(t, .name = "etc/a", .data = "a1");
    ADD(t, .name = "etc/b", .data = "b1");
    ADD(t, .type = '5', .name = "was-dir");
    ADD(t, .name = "was-dir/x", .data = "x");
    ADD(t, .name = "was-file", .data = "w");
    t = layer(&s);
    ADD(t, .type = '5', .name = "etc", .mode = 0700);
    ADD(t, .name = "./etc//b", .data = "b2");
    ADD(t, .name = "etc/b", .data = "b3"); /* of several the last */
    ADD(t, .name = "was-dir", .data = "file");
    ADD(t, .name = "was-file/y", .data = "y"); /* a parent that no entry brings */
    gives(&s, "d ./\nf etc/a=a1\nd etc/\nf etc/b=b3\nf was-dir=file\nf was-file/y=y\n");
}

static void whiteouts_act_on_lower_layers_only_and_before_all_else(void **state)
{
    auto_stack struct stack s = {.count = 0};
    struct tarball *t = layer(&s);
    ADD(t, .name = "a", .data = "1");
    ADD(t, .type = '5', .name = "d");
    ADD(t, .name = "d/x", .data = "1");
    ADD(t, .type = '5', .name = "o");
    ADD(t, .name = "o/x", .data = "1");
    ADD(t, .name = "o/sub/y", .data = "1");
    ADD(t, .type = '5', .name = "e");
    ADD(t, .name = "e/x", .data = "1");
    ADD(t, .name = ".wh.none", .data = "");
    ADD(t, .name = "d/.wh.x", .data = ""); /* of the base: there is nothing below */
    t = layer(&s);
    ADD(t, .name = "a", .data = "2");
    ADD(t, .name = ".wh.a");
    ADD(t, .name = ".wh.d");
    ADD(t, .name = "o/new", .data = "2");
    ADD(t, .name = "o/.wh..wh..opq");
    ADD(t, .name = ".wh..wh.plnk"); /* aufs' own */
    ADD(t, .name = "e/z", .data = "2");
    ADD(t, .name = ".wh.e");
    t = layer(&s);
    ADD(t, .name = "d/later", .data = "3");
    gives(&s, "d o/\nf a=2\nf o/new=2\nf e/z=2\nf d/later=3\n");
}

static void parents_that_are_symlinks_are_followed_inside_the_root(void **state)
{
    auto_stack struct stack s = {.count = 0};
    struct tarball *t = layer(&s);
    ADD(t, .type = '2', .name = "lib", .link = "usr/lib");
    ADD(t, .type = '5', .name = "usr/lib");
    ADD(t, .name = "usr/lib/a", .data = "1");
    ADD(t, .name = "usr/lib/b", .data = "1");
    ADD(t, .type = '2', .name = "out", .link = "../../../tmp");
    ADD(t, .type = '2', .name = "deep/up", .link = "/usr/./lib/..");
    t = layer(&s);
    ADD(t, .name = "lib/new", .data = "2");
    ADD(t, .name = "lib/.wh.a");
    ADD(t, .name = "out/evil", .data = "2");
    ADD(t, .name = "deep/up/there", .data = "2");
    t = layer(&s);
    ADD(t, .type = '5', .name = "lib"); /* brought: it is no link any more */
    ADD(t, .name = "lib/own", .data = "3");
    gives(&s, "d usr/lib/\nf usr/lib/b=1\nl out>../../../tmp\nl deep/up>/usr/./lib/..\n"
              "f usr/lib/new=2\nf tmp/evil=2\nf usr/there=2\nd lib/\nf lib/own=3\n");
}

static void a_hard_links_file_stays_when_its_first_name_goes(void **state)
{
    auto_stack struct stack s = {.count = 0};
    struct tarball *t = layer(&s);
    ADD(t, .name = "a", .data = "content");
    ADD(t, .type = '1', .name = "b", .link = "a");
    ADD(t, .type = '1', .name = "c", .link = "./b");
    ADD(t, .type = '2', .name = "sym", .link = "dir");
    ADD(t, .type = '1', .name = "sym2", .link = "sym");
    ADD(t, .type = '1', .name = "a", .link = "a"); /* to itself */
    t = layer(&s);
    ADD(t, .name = "a", .data = "another");
    ADD(t, .type = '1', .name = "d", .link = "c"); /* into a lower layer */
    ADD(t, .type = '1', .name = "e", .link = "a");
    ADD(t, .name = ".wh.b");
    ADD(t, .name = ".wh.sym");
    ADD(t, .name = "sym2/x", .data = "1");
    gives(&s, "f c=content\nl sym2>dir\nf a=another\nh d>c\nh e>a\nf dir/x=1\n");
}

static void devices_and_xattrs_of_overlayfs_are_left_away(void **state)
{
    auto_stack struct stack s = {.count = 0};
    struct tarball *t = layer(&s);
    ADD(t, .name = "kept", .data = "1");
    ADD(t, .type = '3', .name = "dev/null", .dev_major = 1, .dev_minor = 3);
    ADD(t, .type = '1', .name = "dev/zero", .link = "dev/null");
    ADD(t, .type = '6', .name = "fifo");
    tarball_record(t, "SCHILY.xattr.user.x", "1", 1);
    tarball_record(t, "SCHILY.xattr.trusted.overlay.opaque", "y", 1);
    tarball_record(t, "SCHILY.xattr.security.capability", "c", 1);
    tarball_pax(t, 'x');
    ADD(t, .name = "with", .data = "2");
    t = layer(&s);
    ADD(t, .type = '3', .name = "kept"); /* 0:0 would be a whiteout */
    gives(&s, "f kept=1\np fifo\nf with=2 user.x security.capability\n");
}

static void a_sparse_file_gets_its_holes_back(void **state)
{
    auto_stack struct stack s = {.count = 0};
    struct tarball *t = layer(&s);
    tarball_record(t, "GNU.sparse.size", "9", 0);
    tarball_record(t, "GNU.sparse.numblocks", "2", 0);
    tarball_record(t, "GNU.sparse.map", "1,2,5,1", 0);
    tarball_pax(t, 'x');
    ADD(t, .name = "sparse", .data = "xyz");
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_buf struct dr_buf out = DR_BUF_INIT(1 << 20);
    assert_int_equal(flatten(&s, &out, &err), 0);
    assert_memory_equal(out.data + 512, "\0xy\0\0z\0\0\0", 9);
}

static void what_is_wrong_is_named(void **state)
{
    static const struct {
        struct item item;
        const char *text;
    } cases[] = {
        {{.name = "../x"}, "leads out"},
        {{.name = ".wh.."}, "a whiteout of a directory itself"},
        {{.type = '1', .name = "h", .link = "none"}, "which is not there"},
        {{.type = '1', .name = "h", .link = "dir"}, "which is a directory"},
        {{.name = "./", .data = "x"}, "its root is no directory"},
        {{.name = "loop/x"}, "too many symbolic links"},
    };
    for (size_t i = 0; i < DR_COUNT(cases); i++) {
        auto_stack struct stack s = {.count = 0};
        struct tarball *t = layer(&s);
        ADD(t, .type = '5', .name = "dir");
        ADD(t, .type = '2', .name = "loop", .link = "loop");
        t = layer(&s);
        tarball_add(t, cases[i].item);
        refuses(&s, DR_ERR_FORMAT, cases[i].text);
    }
}

static void a_layer_is_the_one_that_the_config_promises(void **state)
{
    auto_stack struct stack s = {.count = 0, .check = true};
    ADD(layer(&s), .name = "a", .data = "1");
    memset(s.diff_ids[0].text, 0, sizeof s.diff_ids[0].text);
    gives(&s, "f a=1\n"); /* not known: not checked */
    oci_digest_of(s.layers[0].bytes.data, s.layers[0].bytes.len, &s.diff_ids[0]);
    tarball_zeros(&s.layers[0], 512);
    refuses(&s, DR_ERR_FORMAT, "as its config says");
}

static void many_paths_make_no_difference(void **state)
{
    auto_stack struct stack s = {.count = 0};
    struct tarball *t = layer(&s);
    char name[64];
    for (unsigned i = 0; i < 70000; i++) {
        snprintf(name, sizeof name, "d%u/%u", i % 100, i);
        ADD(t, .name = name);
    }
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_buf struct dr_buf out = DR_BUF_INIT(64 << 20), text = DR_BUF_INIT(8 << 20);
    assert_int_equal(flatten(&s, &out, &err), 0);
    describe(&out, &text);
    size_t lines = 0;
    for (const char *c = text.data; (c = strchr(c, '\n')); c++)
        lines++;
    assert_int_equal(lines, 70000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_comes_later_replaces_and_directories_join),
        cmocka_unit_test(whiteouts_act_on_lower_layers_only_and_before_all_else),
        cmocka_unit_test(parents_that_are_symlinks_are_followed_inside_the_root),
        cmocka_unit_test(a_hard_links_file_stays_when_its_first_name_goes),
        cmocka_unit_test(devices_and_xattrs_of_overlayfs_are_left_away),
        cmocka_unit_test(a_sparse_file_gets_its_holes_back),
        cmocka_unit_test(what_is_wrong_is_named),
        cmocka_unit_test(a_layer_is_the_one_that_the_config_promises),
        cmocka_unit_test(many_paths_make_no_difference),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
