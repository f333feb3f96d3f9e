/* SPDX-License-Identifier: Apache-2.0 */
/* The store: commit, races, crashes, full disks (HAZARDS H5 I1, I4, I5, I7). */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <signal.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <zlib.h>

#include <cmocka.h>

#include "base/fs.h"
#include "base/text.h"
#include "disk.h"
#include "lab.h"

#define PLAIN "application/vnd.oci.image.layer.v1.tar"
#define GZIP PLAIN "+gzip"

static void some_layer(struct tarball *t, int files)
{
    char name[64], data[3001] = "";
    memset(data, 'd', 3000);
    ADD(t, .type = '5', .name = "dir");
    for (int i = 0; i < files; i++) {
        snprintf(name, sizeof name, "dir/%d", i);
        ADD(t, .name = name, .data = data, .len = 1 + (size_t)(i * 37 % 3000));
    }
}

static void i1_layer_is_visible_only_when_it_is_whole(void **state)
{
    struct lab *lab = *state;
    auto_tarball struct tarball t = TARBALL_INIT;
    struct layer_stats stats, meta;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    some_layer(&t, 10);
    assert_int_equal(lab_put(lab, &t, &stats, &err), 0);
    assert_true(layer_store_has(lab->store, &lab->id));
    assert_int_equal(stats.tar_bytes, t.bytes.len);
    assert_int_equal(stats.compressed_bytes, t.bytes.len);
    assert_int_equal(stats.entries, 11);
    assert_true(stats.disk_bytes >= 9 * 4096);
    assert_false(stats.existed);
    assert_int_equal(layer_meta(lab->store, &lab->id, &meta, &err), 0);
    assert_memory_equal(&meta, &stats, sizeof meta);
    dr_auto_free char *path = layer_store_path(lab->store, &lab->id);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0755);
    assert_int_equal(st.st_mtime, 0); /* I5: a layer without "/" is the same each time */
}

static void i1_layer_is_on_the_disk_before_its_name_is(void **state)
{
    struct lab *lab = *state;
    auto_tarball struct tarball t = TARBALL_INIT, other = TARBALL_INIT;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    some_layer(&t, 3);
    disk_watch();
    assert_int_equal(lab_put(lab, &t, NULL, &err), 0);
    dr_auto_free char *last =
        dr_printf(";syncfs;rename %s;fsync layers;", oci_digest_hex(&lab->id));
    assert_non_null(strstr(disk_steps(), last));
    assert_int_equal(strlen(strstr(disk_steps(), last)), strlen(last));

    some_layer(&other, 4);
    disk_fail(EIO);
    int result = lab_put(lab, &other, NULL, &err);
    disk_fail(0);
    assert_int_equal(result, -1);
    assert_non_null(strstr(err.text, "sync "));
    assert_false(layer_store_has(lab->store, &lab->id));
    assert_int_equal(lab_leftovers(lab), 0);
    dr_error_release(&err);
    assert_int_equal(lab_put(lab, &other, NULL, &err),
                     0); /* the next one is not to blame */
}

static void h2_wrong_diff_id_is_refused(void **state)
{
    struct lab *lab = *state;
    auto_tarball struct tarball t = TARBALL_INIT;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    struct oci_digest other, real;
    some_layer(&t, 10);
    tarball_end(&t);
    oci_digest_of("x", 1, &other);
    oci_digest_of(t.bytes.data, t.bytes.len, &real);
    assert_int_equal(
        lab_put_bytes(lab, &other, PLAIN, t.bytes.data, t.bytes.len, 0, NULL, &err), -1);
    assert_int_equal(err.kind, DR_ERR_PULL);
    assert_non_null(strstr(err.text, other.text));
    assert_non_null(strstr(err.text, real.text));
    assert_false(layer_store_has(lab->store, &other));
    assert_int_equal(lab_leftovers(lab), 0);
}

static void h1_what_follows_the_tar_is_drained_and_hashed(void **state)
{
    struct lab *lab = *state;
    auto_tarball struct tarball t = TARBALL_INIT;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    struct layer_stats stats;
    some_layer(&t, 2);
    tarball_end(&t);
    tarball_zeros(&t, 5 << 20);
    tarball_raw(&t, "trailer", 7);
    assert_int_equal(lab_put(lab, &t, &stats, &err), 0);
    assert_int_equal(stats.tar_bytes, t.bytes.len);
}

static void putting_again_reads_nothing(void **state)
{
    struct lab *lab = *state;
    auto_tarball struct tarball t = TARBALL_INIT;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    struct layer_stats stats;
    some_layer(&t, 10);
    put_ok(lab, &t);
    struct oci_digest id = lab->id;
    assert_int_equal(lab_put_bytes(lab, &id, GZIP, "anything", 8, 3, &stats, &err), 0);
    assert_true(stats.existed);
    assert_int_equal(stats.entries, 11);
}

/* A reader that gives nothing before it is told to, and then its bytes or a failure. */
struct slow_reader {
    const struct tarball *t;
    struct lab *lab;
    struct oci_digest id;
    atomic_int *go; /* 1: give all; 2: fail; 3: nothing comes */
    size_t at;
    atomic_int begun;
    atomic_int read, asked; /* bytes, and how often it was asked whether it goes on */
    struct layer_stats stats;
    int result;
};

static ssize_t read_slowly(void *arg, void *buf, size_t len, struct dr_error *err)
{
    struct slow_reader *r = arg;
    if (len == 0) {
        r->asked++;
        return 0;
    }
    r->begun = 1;
    while (*r->go == 0)
        usleep(1000);
    if (*r->go == 2)
        return dr_fail(err, DR_ERR_PULL, "the line broke");
    if (*r->go == 3)
        return usleep(1000), LAYER_STALLED;
    size_t left = r->t->bytes.len - r->at, n = left < len ? left : len;
    memcpy(buf, r->t->bytes.data + r->at, n);
    r->at += n;
    r->read += (int)n;
    return (ssize_t)n;
}

static void *put_slowly(void *arg)
{
    struct slow_reader *r = arg;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    r->result = layer_put(r->lab->store, &r->id, PLAIN, read_slowly, r, &r->stats, &err);
    return NULL;
}

static void a_layer_that_two_want_is_unpacked_once_C14(void **state)
{
    for (int end = 1; end <= 2; end++) {
        struct lab *lab = *state;
        auto_tarball struct tarball t = TARBALL_INIT;
        atomic_int first_goes = 0, second_goes = 1;
        struct slow_reader readers[2];
        pthread_t threads[2];
        some_layer(&t, 10 + end);
        tarball_end(&t);
        for (int i = 0; i < 2; i++) {
            readers[i] = (struct slow_reader){
                .t = &t, .lab = lab, .go = i == 0 ? &first_goes : &second_goes};
            oci_digest_of(t.bytes.data, t.bytes.len, &readers[i].id);
        }
        pthread_create(&threads[0], NULL, put_slowly, &readers[0]);
        while (!readers[0].begun)
            usleep(1000);
        pthread_create(&threads[1], NULL, put_slowly, &readers[1]);
        while (readers[1].asked < 3)
            usleep(1000);
        assert_int_equal(readers[1].read, 0);
        first_goes = end;
        for (int i = 0; i < 2; i++)
            pthread_join(threads[i], NULL);
        assert_int_equal(readers[0].result, end == 1 ? 0 : -1);
        assert_int_equal(readers[1].result, 0);
        /* it takes over when the first one fails */
        assert_int_equal(readers[1].stats.existed, end == 1);
        assert_int_equal(readers[1].read, end == 1 ? 0 : t.bytes.len);
        assert_true(layer_store_has(lab->store, &readers[0].id));
        assert_int_equal(lab_leftovers(lab), 0);
    }
}

/* C33: behind a dead line, say */
static void a_layer_whose_maker_stalls_is_made_by_the_next_one(void **state)
{
    struct lab *lab = *state;
    auto_tarball struct tarball t = TARBALL_INIT;
    atomic_int first_goes = 3, second_goes = 1;
    struct slow_reader readers[2];
    pthread_t threads[2];
    some_layer(&t, 13);
    tarball_end(&t);
    for (int i = 0; i < 2; i++) {
        readers[i] = (struct slow_reader){
            .t = &t, .lab = lab, .go = i == 0 ? &first_goes : &second_goes};
        oci_digest_of(t.bytes.data, t.bytes.len, &readers[i].id);
    }
    pthread_create(&threads[0], NULL, put_slowly, &readers[0]);
    while (!readers[0].begun)
        usleep(1000);
    pthread_create(&threads[1], NULL, put_slowly, &readers[1]);
    pthread_join(threads[1], NULL);
    assert_int_equal(readers[1].result, 0);
    assert_false(readers[1].stats.existed);
    first_goes = 1;
    pthread_join(threads[0], NULL);
    assert_int_equal(readers[0].result, 0);
    assert_true(layer_store_has(lab->store, &readers[0].id));
    assert_int_equal(lab_leftovers(lab), 0);
}

struct racer {
    struct lab *lab;
    const struct tarball *t;
    struct oci_digest id;
    int result;
    struct dr_error err;
};

static void *race(void *arg)
{
    struct racer *r = arg;
    struct lab lab = *r->lab;
    r->result = lab_put_bytes(&lab, &r->id, PLAIN, r->t->bytes.data, r->t->bytes.len,
                              1000, NULL, &r->err);
    return NULL;
}

static void concurrent_puts_of_one_layer_all_succeed(void **state)
{
    struct lab *lab = *state;
    auto_tarball struct tarball t = TARBALL_INIT;
    struct racer racers[8];
    pthread_t threads[8];
    some_layer(&t, 100);
    tarball_end(&t);
    for (int i = 0; i < 8; i++) {
        racers[i] = (struct racer){.lab = lab, .t = &t};
        oci_digest_of(t.bytes.data, t.bytes.len, &racers[i].id);
        pthread_create(&threads[i], NULL, race, &racers[i]);
    }
    for (int i = 0; i < 8; i++) {
        pthread_join(threads[i], NULL);
        if (racers[i].result < 0)
            fail_msg("%s", racers[i].err.text);
    }
    assert_true(layer_store_has(lab->store, &racers[0].id));
    assert_int_equal(lab_leftovers(lab), 0);
}

static void concurrent_puts_by_processes_all_succeed(void **state)
{
    struct lab *lab = *state;
    auto_tarball struct tarball t = TARBALL_INIT;
    struct oci_digest id;
    pid_t children[4];
    some_layer(&t, 100);
    tarball_end(&t);
    oci_digest_of(t.bytes.data, t.bytes.len, &id);
    for (int i = 0; i < 4; i++) {
        children[i] = fork();
        if (children[i] == 0) {
            struct lab mine = *lab;
            dr_auto_error struct dr_error err = DR_ERROR_INIT;
            if (layer_store_open(lab->root, &mine.store, &err) < 0)
                _exit(1);
            _exit(lab_put_bytes(&mine, &id, PLAIN, t.bytes.data, t.bytes.len, 1000, NULL,
                                &err) < 0);
        }
    }
    for (int i = 0; i < 4; i++) {
        int status;
        waitpid(children[i], &status, 0);
        assert_int_equal(status, 0);
    }
    assert_true(layer_store_has(lab->store, &id));
    assert_int_equal(lab_leftovers(lab), 0);
}

/* A reader that stops halfway, in a child, until the child is killed. */
static ssize_t stalls(void *arg, void *buf, size_t len, struct dr_error *err)
{
    struct tarball *t = arg;
    size_t n = t->bytes.len / 2 < len ? t->bytes.len / 2 : len;
    static bool given;
    if (given) {
        kill(getpid(), SIGSTOP);
        return 0;
    }
    given = true;
    memcpy(buf, t->bytes.data, n);
    return (ssize_t)n;
}

static void i4_what_a_killed_process_left_is_swept_and_work_in_hand_is_not(void **state)
{
    struct lab *lab = *state;
    auto_tarball struct tarball t = TARBALL_INIT;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    struct oci_digest id;
    some_layer(&t, 50);
    tarball_end(&t);
    oci_digest_of(t.bytes.data, t.bytes.len, &id);
    pid_t child = fork();
    if (child == 0) {
        struct layer_store *store;
        if (layer_store_open(lab->root, &store, &err) == 0)
            layer_put(store, &id, PLAIN, stalls, &t, NULL, &err);
        _exit(0);
    }
    int status;
    waitpid(child, &status, WUNTRACED);
    assert_true(WIFSTOPPED(status));
    assert_int_equal(lab_leftovers(lab), 1);
    assert_int_equal(layer_store_reconcile(lab->store, &err), 0);
    assert_int_equal(lab_leftovers(lab), 1); /* it is held */
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
    assert_int_equal(layer_store_reconcile(lab->store, &err), 0);
    assert_int_equal(lab_leftovers(lab), 0);
    assert_false(layer_store_has(lab->store, &id));
    assert_int_equal(
        lab_put_bytes(lab, &id, PLAIN, t.bytes.data, t.bytes.len, 0, NULL, &err), 0);
}

static int collect(void *arg, const struct oci_digest *id, struct dr_error *err)
{
    int *count = arg;
    ++*count;
    return 0;
}

static int remove_it(void *arg, const struct oci_digest *id, struct dr_error *err)
{
    return layer_store_remove(arg, id, err);
}

static void list_and_remove(void **state)
{
    struct lab *lab = *state;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    int count = 0;
    for (int i = 1; i < 4; i++) {
        auto_tarball struct tarball t = TARBALL_INIT;
        some_layer(&t, i);
        put_ok(lab, &t);
    }
    assert_int_equal(layer_store_list(lab->store, collect, &count, &err), 0);
    assert_int_equal(count, 3);
    assert_int_equal(layer_store_list(lab->store, remove_it, lab->store, &err), 0);
    count = 0;
    assert_int_equal(layer_store_list(lab->store, collect, &count, &err), 0);
    assert_int_equal(count, 0);
    assert_false(layer_store_has(lab->store, &lab->id));
    assert_int_equal(layer_store_remove(lab->store, &lab->id, &err), 0); /* again */
    struct layer_stats stats;
    assert_int_equal(layer_meta(lab->store, &lab->id, &stats, &err), -1);
    assert_int_equal(err.kind, DR_ERR_NOT_FOUND);
    assert_non_null(strstr(err.text, "is not here"));
}

static void i2_meta_of_another_version_is_refused_and_kept(void **state)
{
    struct lab *lab = *state;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    auto_tarball struct tarball t = TARBALL_INIT;
    some_layer(&t, 1);
    put_ok(lab, &t);
    dr_auto_free char *path =
        dr_printf("%s/layers/%s/meta", lab->root, oci_digest_hex(&lab->id));
    assert_int_equal(dr_file_write(AT_FDCWD, path, "{\"version\":99}", 14, 0600, 0, &err),
                     0);
    struct layer_stats stats;
    assert_int_equal(layer_meta(lab->store, &lab->id, &stats, &err), -1);
    assert_int_equal(err.kind, DR_ERR_UNSUPPORTED);
    assert_non_null(strstr(err.text, "made by another version of dray (99)"));
    assert_true(layer_store_has(lab->store, &lab->id));
}

static void a_torn_directory_does_not_stand_in_the_way(void **state)
{
    /* left by a removal on a full disk that was killed: no meta, so it is not visible */
    struct lab *lab = *state;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    auto_tarball struct tarball t = TARBALL_INIT;
    some_layer(&t, 3);
    tarball_end(&t);
    struct oci_digest id;
    oci_digest_of(t.bytes.data, t.bytes.len, &id);
    dr_auto_free char *path =
        dr_printf("%s/layers/%s/fs/x", lab->root, oci_digest_hex(&id));
    assert_int_equal(dr_mkdir_all(path, 0755, &err), 0);
    assert_false(layer_store_has(lab->store, &id));
    assert_int_equal(
        lab_put_bytes(lab, &id, PLAIN, t.bytes.data, t.bytes.len, 0, NULL, &err), 0);
    assert_true(there(lab, "dir/0"));
    assert_false(there(lab, "x"));
}

static void h1_truncated_and_flipped_layers_leave_nothing(void **state)
{
    struct lab *lab = *state;
    auto_tarball struct tarball t = TARBALL_INIT;
    some_layer(&t, 20);
    tarball_end(&t);
    struct oci_digest id;
    oci_digest_of(t.bytes.data, t.bytes.len, &id);
    uLong room = compressBound(t.bytes.len) + 100;
    dr_auto_free Bytef *packed = dr_alloc(room);
    z_stream z = {.next_in = (Bytef *)t.bytes.data,
                  .avail_in = (uInt)t.bytes.len,
                  .next_out = packed,
                  .avail_out = (uInt)room};
    deflateInit2(&z, 6, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY);
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    size_t len = room - z.avail_out;
    deflateEnd(&z);
    for (size_t i = 0; i < 60; i++) {
        dr_auto_error struct dr_error err = DR_ERROR_INIT;
        size_t cut = len * i / 60,
               flip = 10 + (len - 10) * i / 60; /* behind the header */
        assert_int_equal(lab_put_bytes(lab, &id, GZIP, packed, cut, 0, NULL, &err), -1);
        assert_int_equal(err.kind, DR_ERR_FORMAT);
        assert_int_equal(lab_leftovers(lab), 0);
        dr_error_release(&err);
        packed[flip] ^= 0x10;
        assert_int_equal(lab_put_bytes(lab, &id, GZIP, packed, len, 0, NULL, &err), -1);
        packed[flip] ^= 0x10;
        assert_true(err.kind == DR_ERR_FORMAT || err.kind == DR_ERR_PULL ||
                    err.kind == DR_ERR_UNSUPPORTED);
        assert_int_equal(lab_leftovers(lab), 0);
        assert_false(layer_store_has(lab->store, &id));
    }
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    assert_int_equal(lab_put_bytes(lab, &id, GZIP, packed, len, 0, NULL, &err), 0);
}

static ssize_t cancels(void *arg, void *buf, size_t len, struct dr_error *err)
{
    struct tarball *t = arg;
    static size_t at;
    if (at >= t->bytes.len / 2)
        return dr_fail(err, DR_ERR_CANCELLED, "the peer went away");
    size_t n = len < 5000 ? len : 5000;
    memcpy(buf, t->bytes.data + at, n);
    at += n;
    return (ssize_t)n;
}

static void a_cancelled_put_keeps_the_readers_error(void **state)
{
    struct lab *lab = *state;
    auto_tarball struct tarball t = TARBALL_INIT;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    struct oci_digest id;
    some_layer(&t, 100);
    oci_digest_of("x", 1, &id);
    assert_int_equal(layer_put(lab->store, &id, PLAIN, cancels, &t, NULL, &err), -1);
    assert_int_equal(err.kind, DR_ERR_CANCELLED);
    assert_non_null(strstr(err.text, "the peer went away"));
    assert_int_equal(lab_leftovers(lab), 0);
}

static void i7_full_disk_is_told_and_leaves_nothing(void **state)
{
    struct lab *lab = *state;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    struct lab small = {0};
    dr_auto_free char *dir = dr_path_join(lab->root, "small");
    assert_int_equal(mkdir(dir, 0755), 0);
    if (mount("tmpfs", dir, "tmpfs", 0, "size=2m,nr_inodes=300") < 0)
        skip();
    snprintf(small.root, sizeof small.root, "%s", dir);
    assert_int_equal(layer_store_open(dir, &small.store, &err), 0);
    auto_tarball struct tarball kept = TARBALL_INIT, inodes = TARBALL_INIT,
                                bytes = TARBALL_INIT, big = TARBALL_INIT;
    some_layer(&kept, 5);
    put_ok(&small, &kept);
    struct oci_digest id = small.id;
    some_layer(&inodes, 400);
    put_fails(&small, &inodes, DR_ERR_INTERNAL, "no space left in");
    dr_auto_free char *data = dr_alloc(4 << 20);
    memset(data, 'x', 4 << 20);
    ADD(&bytes, .name = "f", .data = data, .len = 4 << 20);
    put_fails(&small, &bytes, DR_ERR_INTERNAL, "(the layer needs more than 4.2MB)");
    ADD(&big, .name = "f",
        .raw_size = "77777777777"); /* 8 GiB: refused before it is read */
    put_fails(&small, &big, DR_ERR_INTERNAL, "(the layer needs more than 8.59GB)");
    /* with not a byte free the rest can still be removed */
    dr_auto_free char *fill = dr_path_join(dir, "fill");
    int fd = open(fill, O_WRONLY | O_CREAT, 0600);
    while (write(fd, data, 65536) > 0)
        ;
    while (write(fd, data, 1) > 0)
        ;
    close(fd);
    assert_int_equal(layer_store_remove(small.store, &id, &err), 0);
    assert_int_equal(lab_leftovers(&small), 0);
    layer_store_close(small.store);
    umount2(dir, MNT_DETACH);
}

#define LAB(f) cmocka_unit_test_setup_teardown(f, lab_setup, lab_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LAB(i1_layer_is_visible_only_when_it_is_whole),
        LAB(i1_layer_is_on_the_disk_before_its_name_is),
        LAB(h2_wrong_diff_id_is_refused),
        LAB(h1_what_follows_the_tar_is_drained_and_hashed),
        LAB(putting_again_reads_nothing),
        LAB(a_layer_that_two_want_is_unpacked_once_C14),
        LAB(a_layer_whose_maker_stalls_is_made_by_the_next_one),
        LAB(concurrent_puts_of_one_layer_all_succeed),
        LAB(concurrent_puts_by_processes_all_succeed),
        LAB(i4_what_a_killed_process_left_is_swept_and_work_in_hand_is_not),
        LAB(list_and_remove),
        LAB(i2_meta_of_another_version_is_refused_and_kept),
        LAB(a_torn_directory_does_not_stand_in_the_way),
        LAB(h1_truncated_and_flipped_layers_leave_nothing),
        LAB(a_cancelled_put_keeps_the_readers_error),
        LAB(i7_full_disk_is_told_and_leaves_nothing),
    };
    if (geteuid() != 0) {
        fprintf(stderr, "needs root: owners and whiteouts\n");
        return 77; /* skipped */
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
