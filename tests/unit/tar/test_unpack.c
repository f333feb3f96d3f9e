/* SPDX-License-Identifier: Apache-2.0 */
/* Hostile archives into trees that are there, and trees that change meanwhile (H1, H3).
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fs.h"
#include "tar/unpack.h"
#include "tarball.h"

/* <root>/dest is unpacked into; <root>/outside/precious must not change. */
struct lab {
    char root[64];
    int dir, dest;
    struct tar_unpack how;
    struct tar_unpacked done;
};

static int setup(void **state)
{
    struct lab *lab = dr_alloc(sizeof *lab);
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    strcpy(lab->root, "/var/tmp/dray-unpack-XXXXXX");
    if (!mkdtemp(lab->root))
        return -1;
    lab->dir = open(lab->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (mkdirat(lab->dir, "dest", 0755) < 0 || mkdirat(lab->dir, "outside", 0755) < 0 ||
        dr_file_write(lab->dir, "outside/precious", "precious", 8, 0644, 0, &err) < 0)
        return -1;
    lab->dest = openat(lab->dir, "dest", O_PATH | O_DIRECTORY | O_CLOEXEC);
    lab->how = (struct tar_unpack){.root = lab->dest};
    *state = lab;
    return 0;
}

static void content_is(struct lab *lab, const char *path, const char *want)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_buf struct dr_buf buf = DR_BUF_INIT(1 << 20);
    if (dr_file_read(lab->dir, path, &buf, &err) < 0)
        fail_msg("%s", err.text);
    assert_string_equal(buf.data ? buf.data : "", want);
}

static bool there(struct lab *lab, const char *path)
{
    return faccessat(lab->dir, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static int teardown(void **state)
{
    struct lab *lab = *state;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    content_is(lab, "outside/precious", "precious");
    close(lab->dest);
    close(lab->dir);
    dr_remove_all(AT_FDCWD, lab->root, &err);
    free(lab);
    return 0;
}

struct feed {
    const uint8_t *data;
    size_t len;
};

static ssize_t fill(void *arg, const uint8_t **ret_data, struct dr_error *err)
{
    struct feed *f = arg;
    size_t n = f->len < 700 ? f->len : 700;
    *ret_data = f->data;
    f->data += n;
    f->len -= n;
    return (ssize_t)n;
}

static int unpack_bytes(struct lab *lab, const void *data, size_t len,
                        struct dr_error *err)
{
    struct feed feed = {data, len};
    struct tar *tar = tar_new(fill, &feed);
    int result = tar_unpack(&lab->how, tar, &lab->done, err);
    tar_free(tar);
    return result;
}

static void unpack_ok(struct lab *lab, struct tarball *t)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    tarball_end(t);
    if (unpack_bytes(lab, t->bytes.data, t->bytes.len, &err) < 0)
        fail_msg("%s", err.text);
}

static void unpack_fails(struct lab *lab, struct tarball *t, enum dr_kind kind,
                         const char *text)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    tarball_end(t);
    assert_int_equal(unpack_bytes(lab, t->bytes.data, t->bytes.len, &err), -1);
    if (!strstr(err.text, text))
        fail_msg("'%s' does not say '%s'", err.text, text);
    assert_string_equal(dr_kind_name(err.kind), dr_kind_name(kind));
}

static int count_entries(struct lab *lab, const char *path)
{
    dr_auto_free char *command = dr_printf("find %s/%s | wc -l", lab->root, path);
    FILE *out = popen(command, "r");
    int count = -1;
    assert_int_equal(fscanf(out, "%d", &count), 1);
    pclose(out);
    return count;
}

static void a_tree_is_unpacked_with_modes_times_and_links(void **state)
{
    struct lab *lab = *state;
    auto_tarball struct tarball t = TARBALL_INIT;
    struct stat st;
    ADD(&t, .type = '5', .name = "d/", .mode = 0500, .mtime = 5);
    ADD(&t, .name = "d/f", .data = "x", .mode = 0640, .mtime = 7);
    ADD(&t, .type = '1', .name = "d/hard", .link = "d/f");
    ADD(&t, .type = '2', .name = "d/soft", .link = "/etc/passwd");
    ADD(&t, .type = '6', .name = "d/fifo", .mode = 0600);
    ADD(&t, .name = "made/up/parents", .data = "y");
    unpack_ok(lab, &t);
    assert_int_equal(lab->done.entries, 6);
    content_is(lab, "dest/d/f", "x");
    content_is(lab, "dest/made/up/parents", "y");
    assert_int_equal(fstatat(lab->dir, "dest/d", &st, 0), 0);
    assert_int_equal(st.st_mode & 07777, 0500); /* though files were put into it */
    assert_int_equal(st.st_mtim.tv_sec, 5);
    assert_int_equal(fstatat(lab->dir, "dest/d/hard", &st, 0), 0);
    assert_int_equal(st.st_nlink, 2);
    assert_int_equal(st.st_mtim.tv_sec, 7);
    assert_int_equal(fstatat(lab->dir, "dest/d/fifo", &st, 0), 0);
    assert_true(S_ISFIFO(st.st_mode));
}

static void nothing_is_written_through_a_link_of_the_archive(void **state)
{
    static const char *const links[] = {"../outside", "../../../../../../var/tmp",
                                        "/tmp"};
    for (size_t i = 0; i < DR_COUNT(links); i++) {
        struct lab *lab = *state;
        auto_tarball struct tarball t = TARBALL_INIT;
        dr_auto_free char *outside = dr_printf("%s/outside", lab->root);
        ADD(&t, .type = '2', .name = "l", .link = i ? links[i] : outside);
        ADD(&t, .name = "l/precious", .data = "evil");
        unpack_fails(lab, &t, DR_ERR_CONFLICT,
                     "a symbolic link on the way is not followed");
    }
}

static void the_last_component_is_never_followed(void **state)
{
    struct lab *lab = *state;
    auto_tarball struct tarball t = TARBALL_INIT;
    ADD(&t, .type = '2', .name = "l", .link = "../outside/precious");
    ADD(&t, .name = "l", .data = "evil");
    ADD(&t, .type = '2', .name = "m", .link = "../outside");
    ADD(&t, .type = '1', .name = "n", .link = "m");
    ADD(&t, .type = '2', .name = "n", .link = "x");
    unpack_ok(lab, &t);
    content_is(lab, "dest/l", "evil"); /* in the link's place */
}

static void names_do_not_lead_out(void **state)
{
    struct lab *lab = *state;
    static const char *const names[] = {"../outside/precious",
                                        "a/../../outside/precious"};
    for (size_t i = 0; i < DR_COUNT(names); i++) {
        auto_tarball struct tarball t = TARBALL_INIT;
        ADD(&t, .name = names[i], .data = "evil");
        unpack_fails(lab, &t, DR_ERR_FORMAT, "it leads out of the archive");
    }
    auto_tarball struct tarball t = TARBALL_INIT;
    ADD(&t, .name = "/absolute", .data = "x");
    ADD(&t, .name = "a/.././b", .data = "x");
    unpack_ok(lab, &t);
    content_is(lab, "dest/absolute", "x");
    content_is(lab, "dest/b", "x");
}

static void hard_links_reach_only_what_an_entry_could(void **state)
{
    struct lab *lab = *state;
    static const char *const targets[] = {"../outside/precious", "l/precious", "none"};
    static const char *const why[] = {"it leads out", "is not there", "is not there"};
    for (size_t i = 0; i < DR_COUNT(targets); i++) {
        auto_tarball struct tarball t = TARBALL_INIT;
        ADD(&t, .type = '2', .name = "l", .link = "../outside");
        ADD(&t, .type = '1', .name = "h", .link = targets[i]);
        unpack_fails(lab, &t, DR_ERR_FORMAT, why[i]);
        assert_false(there(lab, "dest/h"));
    }
}

static void followed_links_stay_inside_the_root(void **state)
{
    struct lab *lab = *state;
    auto_tarball struct tarball t = TARBALL_INIT;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    /* the root is <root>, and the base is a link in it */
    lab->how = (struct tar_unpack){.root = lab->dir, .base = "/base", .follow = true};
    assert_int_equal(symlinkat("/dest", lab->dir, "base"), 0);
    ADD(&t, .type = '2', .name = "up", .link = "../../../../../../../..");
    ADD(&t, .name = "up/in-root", .data = "x");
    ADD(&t, .type = '2', .name = "abs", .link = "/dest");
    ADD(&t, .name = "abs/in-dest", .data = "y");
    unpack_ok(lab, &t);
    content_is(lab, "in-root", "x");
    content_is(lab, "dest/in-dest", "y");
    assert_int_equal(unlinkat(lab->dir, "base", 0), 0);
}

static void what_is_there_is_replaced_like_by_like(void **state)
{
    struct lab *lab = *state;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    assert_int_equal(mkdirat(lab->dir, "dest/dir", 0711), 0);
    assert_int_equal(dr_file_write(lab->dir, "dest/file", "old", 3, 0644, 0, &err), 0);
    auto_tarball struct tarball a = TARBALL_INIT, b = a, c = a;
    ADD(&a, .name = "dir", .data = "x");
    unpack_fails(lab, &a, DR_ERR_CONFLICT, "dir: it is a directory");
    ADD(&b, .type = '5', .name = "file/");
    unpack_fails(lab, &b, DR_ERR_CONFLICT,
                 "file: a directory cannot replace what is there");
    ADD(&c, .type = '5', .name = "dir/", .mode = 0777);
    ADD(&c, .name = "dir/new", .data = "n");
    ADD(&c, .name = "file", .data = "new");
    unpack_ok(lab, &c);
    struct stat st;
    content_is(lab, "dest/file", "new");
    content_is(lab, "dest/dir/new", "n");
    assert_int_equal(fstatat(lab->dir, "dest/dir", &st, 0), 0);
    assert_int_equal(st.st_mode & 07777, 0711); /* it joined what was there */
    assert_int_equal(count_entries(lab, "dest"), 4);
    tarball_release(&b);
    tarball_release(&c);
}

static void set_id_bits_devices_and_xattrs_come_only_when_asked_for(void **state)
{
    struct lab *lab = *state;
    for (int asked = 0; asked < 2; asked++) {
        auto_tarball struct tarball t = TARBALL_INIT;
        struct stat st;
        char value[8];
        lab->how.devices = lab->how.xattrs = lab->how.owners = asked;
        tarball_record(&t, "SCHILY.xattr.user.k", "v", 0);
        tarball_record(&t, "SCHILY.xattr.trusted.overlay.opaque", "y", 0);
        tarball_pax(&t, 'x');
        ADD(&t, .name = "suid", .data = "x", .mode = 06755, .uid = 12, .gid = 34);
        ADD(&t, .type = '3', .name = "null", .dev_major = 1, .dev_minor = 3);
        ADD(&t, .type = '3', .name = "whiteout");
        unpack_ok(lab, &t);
        assert_int_equal(fstatat(lab->dir, "dest/suid", &st, 0), 0);
        assert_int_equal(st.st_mode & 07777, asked ? 06755 : 0755);
        assert_int_equal(st.st_uid, asked ? 12 : 0);
        dr_auto_fd int fd = openat(lab->dir, "dest/suid", O_RDONLY | O_CLOEXEC);
        assert_int_equal(fgetxattr(fd, "user.k", value, sizeof value), asked ? 1 : -1);
        assert_int_equal(fgetxattr(fd, "trusted.overlay.opaque", value, sizeof value),
                         -1);
        assert_int_equal(there(lab, "dest/null"), asked);
        assert_false(there(lab, "dest/whiteout"));
        assert_int_equal(lab->done.skipped, asked ? 1 : 2);
    }
}

static void a_file_is_there_whole_or_not_at_all(void **state)
{
    struct lab *lab = *state;
    auto_tarball struct tarball t = TARBALL_INIT;
    char big[3000];
    memset(big, 'b', sizeof big);
    ADD(&t, .type = '5', .name = "d/", .mode = 0555, .mtime = 9);
    ADD(&t, .name = "d/one", .data = "1");
    ADD(&t, .name = "d/two", .data = big, .len = sizeof big);
    tarball_end(&t);
    for (size_t cut = 0; cut < t.bytes.len - 1024; cut += 64) {
        dr_auto_error struct dr_error err = DR_ERROR_INIT;
        int result = unpack_bytes(lab, t.bytes.data, cut, &err);
        bool two = cut >= 4 * 512 + 3000;
        if (cut > 4 * 512 && !two)
            assert_int_equal(result, -1);
        assert_int_equal(there(lab, "dest/d/one"), cut >= 3 * 512 - 511);
        assert_int_equal(there(lab, "dest/d/two"), two);
        /* nothing but what was written whole, no temporary names */
        int want = 1 + there(lab, "dest/d") + there(lab, "dest/d/one") + two;
        assert_int_equal(count_entries(lab, "dest"), want);
        struct stat st;
        if (there(lab, "dest/d")) {
            assert_int_equal(fstatat(lab->dir, "dest/d", &st, 0), 0);
            assert_int_equal(st.st_mode & 07777, 0555);
        }
        assert_int_equal(dr_remove_all(lab->dir, "dest/d", &err), 0);
    }
}

static void only_the_entries_that_were_asked_for_are_taken_and_renamed(void **state)
{
    struct lab *lab = *state;
    auto_tarball struct tarball a = TARBALL_INIT, b = a, c = a;
    lab->how.from = "src";
    lab->how.to = "dst";
    ADD(&a, .type = '5', .name = "src/");
    ADD(&a, .name = "src/f", .data = "x");
    ADD(&a, .type = '1', .name = "src/h", .link = "src/f");
    unpack_ok(lab, &a);
    content_is(lab, "dest/dst/h", "x");
    ADD(&b, .name = "srcs", .data = "evil");
    unpack_fails(lab, &b, DR_ERR_FORMAT, "an entry srcs that nobody asked for");
    lab->how.from = "";
    lab->how.to = "all";
    ADD(&c, .type = '5', .name = "./");
    ADD(&c, .name = "./f", .data = "y");
    unpack_ok(lab, &c);
    content_is(lab, "dest/all/f", "y");
    tarball_release(&b);
    tarball_release(&c);
}

/* --- a tree that changes --- */

struct swapper {
    int dir;
    atomic_bool stop;
};

/* dest/a is a directory, then a link out of it, and back. */
static void *swap(void *arg)
{
    struct swapper *s = arg;
    while (!atomic_load(&s->stop)) {
        renameat(s->dir, "dest/a", s->dir, "dest/real");
        symlinkat("../outside", s->dir, "dest/a");
        unlinkat(s->dir, "dest/a", 0);
        renameat(s->dir, "dest/real", s->dir, "dest/a");
    }
    return NULL;
}

static void a_directory_that_becomes_a_link_meanwhile_leads_nowhere(void **state)
{
    struct lab *lab = *state;
    auto_tarball struct tarball t = TARBALL_INIT;
    struct swapper swapper = {.dir = lab->dir};
    pthread_t thread;
    for (int i = 0; i < 20; i++) {
        char name[32];
        snprintf(name, sizeof name, "a/%s", i % 2 ? "precious" : "f");
        ADD(&t, .name = name, .data = "evil");
        snprintf(name, sizeof name, "a/d%d/", i);
        ADD(&t, .type = '5', .name = name, .mode = 0700 + i);
        ADD(&t, .type = '1', .name = "a/hard", .link = "a/precious");
    }
    tarball_end(&t);
    assert_int_equal(mkdirat(lab->dir, "dest/a", 0755), 0);
    assert_int_equal(pthread_create(&thread, NULL, swap, &swapper), 0);
    for (int follow = 0; follow < 2; follow++) {
        lab->how.follow = follow;
        for (int round = 0; round < 400; round++) {
            dr_auto_error struct dr_error err = DR_ERROR_INIT;
            unpack_bytes(lab, t.bytes.data, t.bytes.len, &err);
        }
    }
    atomic_store(&swapper.stop, true);
    pthread_join(thread, NULL);
    content_is(lab, "outside/precious", "precious");
    assert_int_equal(count_entries(lab, "outside"), 2);
}

int main(void)
{
#define LAB(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        LAB(a_tree_is_unpacked_with_modes_times_and_links),
        LAB(nothing_is_written_through_a_link_of_the_archive),
        LAB(the_last_component_is_never_followed),
        LAB(names_do_not_lead_out),
        LAB(hard_links_reach_only_what_an_entry_could),
        LAB(followed_links_stay_inside_the_root),
        LAB(what_is_there_is_replaced_like_by_like),
        LAB(set_id_bits_devices_and_xattrs_come_only_when_asked_for),
        LAB(a_file_is_there_whole_or_not_at_all),
        LAB(only_the_entries_that_were_asked_for_are_taken_and_renamed),
        LAB(a_directory_that_becomes_a_link_meanwhile_leads_nowhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
