/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The blob cache: threads and processes share it, writers die in it, disks fill up below
 * it, and every blob that is visible is whole (C10, H2, H5 I1, I4, I5).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/text.h"
#include "disk.h"
#include "store/store.h"

#define SIZE (3 * 1000 * 1000)

struct fixture {
    char dir[64];
    struct store *store;
    char *bytes; /* SIZE of them */
    struct oci_digest digest;
    char *blob, *partial; /* paths */
};

static int setup(void **state)
{
    struct fixture *f = dr_alloc(sizeof *f);
    struct dr_error err = DR_ERROR_INIT;
    strcpy(f->dir, "/tmp/dray-store-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    assert_int_equal(store_open(f->dir, &f->store, &err), 0);
    f->bytes = dr_alloc(SIZE);
    for (size_t i = 0; i < SIZE; i++)
        f->bytes[i] = (char)(i * 2654435761u >> 13);
    oci_digest_of(f->bytes, SIZE, &f->digest);
    f->blob = dr_printf("%s/blobs/sha256/%s", f->dir, oci_digest_hex(&f->digest));
    f->partial = dr_printf("%s/partial/%s", f->dir, oci_digest_hex(&f->digest));
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    struct dr_error err = DR_ERROR_INIT;
    store_close(f->store);
    dr_remove_all(AT_FDCWD, f->dir, &err);
    free(f->bytes);
    free(f->blob);
    free(f->partial);
    free(f);
    return 0;
}

static struct store_fetch *open_fetch(struct fixture *f)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    struct store_fetch *fetch;
    if (store_blob_open(f->store, &f->digest, SIZE, &fetch, &err) < 0)
        fail_msg("%s", err.text);
    return fetch;
}

/* Writes from where the fetch is up to `to`, in odd pieces. */
static void append_up_to(struct fixture *f, struct store_fetch *fetch, int64_t to)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    for (int64_t have; (have = store_fetch_have(fetch)) < to;) {
        size_t n = to - have < 70001 ? (size_t)(to - have) : 70001;
        if (store_fetch_append(fetch, f->bytes + have, n, &err) < 0)
            fail_msg("%s", err.text);
    }
}

static void commit(struct store_fetch *fetch)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    if (store_fetch_commit(fetch, &err) != 0)
        fail_msg("%s", err.text);
}

/* Reads it all and compares. 0, or -1 with err. */
static int read_all(struct fixture *f, struct store_fetch *fetch, struct dr_error *err)
{
    char buf[12345];
    int64_t offset = 0;
    for (;;) {
        ssize_t n = store_fetch_read(fetch, offset, buf, sizeof buf, err);
        if (n < 0)
            return -1;
        if (n == 0)
            break;
        if (offset + n > SIZE || memcmp(buf, f->bytes + offset, (size_t)n) != 0)
            return dr_fail(err, DR_ERR_INTERNAL, "wrong bytes at %lld",
                           (long long)offset);
        offset += n;
    }
    return offset == SIZE ? 0 : dr_fail(err, DR_ERR_INTERNAL, "an early end");
}

static void assert_readable(struct fixture *f)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    struct store_fetch *fetch = open_fetch(f);
    assert_int_equal(store_fetch_state(fetch), STORE_COMPLETE);
    if (read_all(f, fetch, &err) < 0)
        fail_msg("%s", err.text);
    store_fetch_close(fetch);
}

static void a_blob_is_written_once_and_read_ever_after_C10(void **state)
{
    struct fixture *f = *state;
    struct store_fetch *fetch = open_fetch(f);
    assert_int_equal(store_fetch_state(fetch), STORE_OWNED);
    append_up_to(f, fetch, SIZE);
    assert_int_equal(access(f->blob, F_OK), -1);
    commit(fetch);
    assert_int_equal(access(f->partial, F_OK), -1);
    store_fetch_close(fetch);
    struct stat st;
    assert_int_equal(stat(f->blob, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_readable(f);
}

static void a_blob_is_on_the_disk_before_its_name_is_H5_I1(void **state)
{
    struct fixture *f = *state;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    const char *hex = oci_digest_hex(&f->digest);
    struct store_fetch *fetch = open_fetch(f);
    append_up_to(f, fetch, SIZE);
    disk_fail(EIO);
    int result = store_fetch_commit(fetch, &err);
    disk_fail(0);
    assert_int_equal(result, -1);
    assert_non_null(strstr(err.text, strerror(EIO)));
    assert_int_equal(access(f->blob, F_OK), -1);
    store_fetch_close(fetch);

    fetch = open_fetch(f);
    append_up_to(f, fetch, SIZE);
    disk_watch();
    commit(fetch);
    dr_auto_free char *steps = dr_printf("fsync %s;rename %s;fsync sha256;", hex, hex);
    assert_string_equal(disk_steps(), steps);
    store_fetch_close(fetch);
}

static void the_empty_blob_is_a_blob(void **state)
{
    struct fixture *f = *state;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    struct oci_digest digest;
    struct store_fetch *fetch;
    char c;
    oci_digest_of("", 0, &digest);
    assert_int_equal(store_blob_open(f->store, &digest, 0, &fetch, &err), 0);
    commit(fetch);
    assert_int_equal(store_fetch_read(fetch, 0, &c, 1, &err), 0);
    store_fetch_close(fetch);
}

/* --- wrong bytes
 * ------------------------------------------------------------------------ */

static void a_wrong_digest_never_becomes_visible_H2(void **state)
{
    struct fixture *f = *state;
    dr_auto_error struct dr_error err = DR_ERROR_INIT, read_err = DR_ERROR_INIT;
    struct store_fetch *fetch = open_fetch(f);
    char c;
    f->bytes[1000] ^= 1;
    append_up_to(f, fetch, SIZE);
    assert_int_equal(store_fetch_commit(fetch, &err), -1);
    assert_int_equal(err.kind, DR_ERR_FORMAT);
    assert_non_null(strstr(err.text, "the bytes that came have the digest sha256:"));
    assert_int_equal(store_fetch_read(fetch, SIZE, &c, 1, &read_err), -1);
    assert_string_equal(read_err.text, err.text);
    assert_int_equal(store_fetch_state(fetch), STORE_FAILED);
    store_fetch_close(fetch);
    assert_int_equal(access(f->blob, F_OK), -1);
    assert_int_equal(access(f->partial, F_OK), -1);
}

static void more_bytes_than_the_size_are_refused_before_they_are_written_H2(void **state)
{
    struct fixture *f = *state;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    struct store_fetch *fetch = open_fetch(f);
    append_up_to(f, fetch, SIZE - 1);
    assert_int_equal(store_fetch_append(fetch, "ab", 2, &err), -1);
    assert_int_equal(err.kind, DR_ERR_FORMAT);
    assert_non_null(strstr(err.text, "more bytes came than the 3000000 of the manifest"));
    store_fetch_close(fetch);
    assert_int_equal(access(f->partial, F_OK), -1);
}

static void fewer_bytes_than_the_size_are_refused_H2(void **state)
{
    struct fixture *f = *state;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    struct store_fetch *fetch = open_fetch(f);
    append_up_to(f, fetch, SIZE - 1);
    assert_int_equal(store_fetch_commit(fetch, &err), -1);
    assert_int_equal(err.kind, DR_ERR_FORMAT);
    assert_non_null(strstr(err.text, "2999999 bytes came, the manifest says 3000000"));
    store_fetch_close(fetch);
}

static void a_manifest_that_lies_about_a_cached_blobs_size_is_refused_H2(void **state)
{
    struct fixture *f = *state;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    struct store_fetch *fetch;
    assert_int_equal(store_blob_put(f->store, &f->digest, f->bytes, SIZE, &err), 0);
    assert_int_equal(store_blob_open(f->store, &f->digest, SIZE + 1, &fetch, &err), -1);
    assert_int_equal(err.kind, DR_ERR_FORMAT);
    assert_non_null(strstr(err.text, "has 3000000 bytes, but the manifest says 3000001"));
    assert_readable(f);
}

/* The disk, or somebody, changed what was verified once. */
static void a_damaged_blob_is_found_removed_and_fetched_anew(void **state)
{
    struct fixture *f = *state;
    static const int64_t places[] = {0, 1234567, SIZE - 1};
    for (size_t i = 0; i < DR_COUNT(places); i++) {
        dr_auto_error struct dr_error err = DR_ERROR_INIT;
        assert_int_equal(store_blob_put(f->store, &f->digest, f->bytes, SIZE, &err), 0);
        int fd = open(f->blob, O_WRONLY);
        char flipped = (char)(f->bytes[places[i]] ^ 0x10);
        assert_int_equal(pwrite(fd, &flipped, 1, places[i]), 1);
        close(fd);
        struct store_fetch *fetch = open_fetch(f);
        char buf[65536];
        int64_t offset = 0;
        ssize_t n;
        while ((n = store_fetch_read(fetch, offset, buf, sizeof buf, &err)) > 0)
            offset += n;
        assert_int_equal(n, -1);
        assert_int_equal(err.kind, DR_ERR_FORMAT);
        assert_non_null(strstr(err.text, "was damaged and has been removed: pull again"));
        store_fetch_close(fetch);
        assert_int_equal(access(f->blob, F_OK), -1);
    }
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    assert_int_equal(store_blob_put(f->store, &f->digest, f->bytes, SIZE, &err), 0);
    assert_int_equal(truncate(f->blob, 100), 0);
    struct store_fetch *fetch = open_fetch(f);
    assert_int_equal(store_fetch_state(fetch), STORE_OWNED);
    append_up_to(f, fetch, SIZE);
    commit(fetch);
    store_fetch_close(fetch);
    assert_readable(f);
}

/* --- partials
 * ---------------------------------------------------------------------------- */

static void a_partial_is_continued_I5(void **state)
{
    struct fixture *f = *state;
    struct store_fetch *fetch = open_fetch(f);
    append_up_to(f, fetch, 1000000);
    store_fetch_close(fetch);
    fetch = open_fetch(f);
    assert_int_equal(store_fetch_state(fetch), STORE_OWNED);
    assert_int_equal(store_fetch_have(fetch), 1000000);
    append_up_to(f, fetch, SIZE);
    commit(fetch);
    store_fetch_close(fetch);
    assert_readable(f);
}

static void a_partial_with_wrong_bytes_is_thrown_away_once(void **state)
{
    struct fixture *f = *state;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    struct store_fetch *fetch = open_fetch(f);
    f->bytes[10] ^= 1;
    append_up_to(f, fetch, 1000000);
    f->bytes[10] ^= 1;
    store_fetch_close(fetch);
    fetch = open_fetch(f);
    append_up_to(f, fetch, SIZE);
    assert_int_equal(store_fetch_commit(fetch, &err), 1); /* not our fault: again */
    assert_int_equal(store_fetch_state(fetch), STORE_OWNED);
    assert_int_equal(store_fetch_have(fetch), 0);
    append_up_to(f, fetch, SIZE);
    commit(fetch);
    store_fetch_close(fetch);
    assert_readable(f);
}

static void a_partial_that_is_too_long_is_thrown_away(void **state)
{
    struct fixture *f = *state;
    int fd = open(f->partial, O_WRONLY | O_CREAT, 0600);
    assert_int_equal(ftruncate(fd, SIZE + 1), 0);
    close(fd);
    struct store_fetch *fetch = open_fetch(f);
    assert_int_equal(store_fetch_have(fetch), 0);
    store_fetch_close(fetch);
    assert_int_equal(access(f->partial, F_OK), -1); /* an empty one is not left */
}

static void what_is_no_regular_file_is_not_followed(void **state)
{
    struct fixture *f = *state;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    struct store_fetch *fetch;
    dr_auto_free char *victim = dr_path_join(f->dir, "victim");
    assert_int_equal(symlink(victim, f->partial), 0);
    assert_int_equal(store_blob_open(f->store, &f->digest, SIZE, &fetch, &err), -1);
    assert_int_equal(err.code, ELOOP);
    assert_int_equal(access(victim, F_OK), -1);
}

/* --- sharing
 * ------------------------------------------------------------------------------ */

struct reader {
    struct fixture *f;
    struct store_fetch *fetch;
    int rc;
    char text[DR_ERROR_TEXT_MAX];
};

static void *reader_main(void *context)
{
    struct reader *reader = context;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    int rc = read_all(reader->f, reader->fetch, &err);
    snprintf(reader->text, sizeof reader->text, "%s", err.text);
    __atomic_store_n(&reader->rc, rc, __ATOMIC_RELEASE);
    return NULL;
}

static void readers_follow_the_writer_and_wait_for_the_verification(void **state)
{
    struct fixture *f = *state;
    struct store_fetch *writer = open_fetch(f), *follower = open_fetch(f);
    assert_int_equal(store_fetch_state(follower), STORE_FOLLOWED);
    struct reader readers[6];
    pthread_t threads[6];
    for (int i = 0; i < 6; i++) {
        readers[i] = (struct reader){.f = f, .fetch = i % 2 ? follower : writer, .rc = 1};
        pthread_create(&threads[i], NULL, reader_main, &readers[i]);
    }
    for (int64_t to = 500000; to <= SIZE; to += 500000) {
        append_up_to(f, writer, to);
        usleep(5000);
    }
    usleep(50000);
    for (int i = 0; i < 6; i++) /* all bytes are there, but nobody has vouched for them */
        assert_int_equal(__atomic_load_n(&readers[i].rc, __ATOMIC_ACQUIRE), 1);
    commit(writer);
    for (int i = 0; i < 6; i++) {
        pthread_join(threads[i], NULL);
        if (readers[i].rc != 0)
            fail_msg("%s", readers[i].text);
    }
    assert_int_equal(store_fetch_state(follower), STORE_COMPLETE);
    store_fetch_close(follower);
    store_fetch_close(writer);
}

static void readers_hear_why_the_writer_failed(void **state)
{
    struct fixture *f = *state;
    struct store_fetch *fetch = open_fetch(f);
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    struct reader reader = {.f = f, .fetch = fetch, .rc = 1};
    pthread_t thread;
    append_up_to(f, fetch, 1000);
    pthread_create(&thread, NULL, reader_main, &reader);
    usleep(10000);
    dr_fail(&err, DR_ERR_PULL, "the registry burned down");
    store_fetch_fail(fetch, &err, false);
    pthread_join(thread, NULL);
    assert_int_equal(reader.rc, -1);
    assert_string_equal(reader.text, "the registry burned down");
    store_fetch_close(fetch);
    assert_int_equal(access(f->partial, F_OK), 0); /* the next one continues it */
}

static void a_follower_starts_over_when_the_writer_threw_all_away(void **state)
{
    struct fixture *f = *state;
    struct store_fetch *writer = open_fetch(f), *follower = open_fetch(f);
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    append_up_to(f, writer, 1000);
    assert_int_equal(store_fetch_state(follower), STORE_FOLLOWED);
    dr_fail(&err, DR_ERR_FORMAT, "wrong");
    store_fetch_fail(writer, &err, true);
    store_fetch_close(writer);
    assert_int_equal(store_fetch_state(follower), STORE_OWNED);
    assert_int_equal(store_fetch_have(follower), 0);
    append_up_to(f, follower, SIZE);
    commit(follower);
    store_fetch_close(follower);
    assert_readable(f);
}

/* What registry_fetch_blobs does, without a registry. 0: the blob is there. */
static int drive(struct fixture *f, struct store_fetch *fetch, bool slowly)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    for (;;) {
        switch (store_fetch_state(fetch)) {
        case STORE_COMPLETE:
            return 0;
        case STORE_FOLLOWED:
            usleep(2000);
            break;
        case STORE_OWNED:
            if (store_fetch_have(fetch) < SIZE) {
                int64_t have = store_fetch_have(fetch);
                size_t n = SIZE - have < 30011 ? (size_t)(SIZE - have) : 30011;
                if (store_fetch_append(fetch, f->bytes + have, n, &err) < 0)
                    return -1;
                if (slowly)
                    usleep(500);
            } else if (store_fetch_commit(fetch, &err) < 0) {
                return -1;
            }
            break;
        default:
            return -1;
        }
    }
}

struct driver {
    struct fixture *f;
    int rc;
};

static void *driver_main(void *context)
{
    struct driver *driver = context;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    struct store_fetch *fetch;
    driver->rc =
        store_blob_open(driver->f->store, &driver->f->digest, SIZE, &fetch, &err);
    if (driver->rc < 0)
        return NULL;
    struct reader reader = {.f = driver->f, .fetch = fetch};
    pthread_t thread;
    pthread_create(&thread, NULL, reader_main, &reader);
    driver->rc = drive(driver->f, fetch, true);
    pthread_join(thread, NULL);
    if (reader.rc != 0)
        driver->rc = -1;
    store_fetch_close(fetch);
    return NULL;
}

static void many_threads_want_the_same_blob_and_all_get_it(void **state)
{
    struct fixture *f = *state;
    struct driver drivers[12];
    pthread_t threads[12];
    for (int i = 0; i < 12; i++) {
        drivers[i] = (struct driver){.f = f};
        pthread_create(&threads[i], NULL, driver_main, &drivers[i]);
    }
    for (int i = 0; i < 12; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(drivers[i].rc, 0);
    }
    assert_readable(f);
    assert_int_equal(access(f->partial, F_OK), -1);
}

static pid_t start_process(struct fixture *f)
{
    pid_t pid = fork();
    if (pid == 0) {
        dr_auto_error struct dr_error err = DR_ERROR_INIT;
        struct store_fetch *fetch;
        alarm(60);
        if (store_blob_open(f->store, &f->digest, SIZE, &fetch, &err) < 0)
            _exit(1);
        int rc = drive(f, fetch, true);
        if (rc == 0 && read_all(f, fetch, &err) < 0)
            rc = 2;
        _exit(rc == 0 ? 0 : 1);
    }
    return pid;
}

static void killed_processes_hand_over_to_the_next_H5_I4(void **state)
{
    struct fixture *f = *state;
    pid_t pids[8];
    for (int round = 0; round < 3; round++) {
        unlink(f->blob);
        for (int i = 0; i < 8; i++)
            pids[i] = start_process(f);
        /* the first six die one after the other, whoever of them is writing */
        for (int i = 0; i < 6; i++) {
            usleep(7000);
            kill(pids[i], SIGKILL);
            waitpid(pids[i], NULL, 0);
        }
        for (int i = 6; i < 8; i++) {
            int status = -1;
            waitpid(pids[i], &status, 0);
            assert_int_equal(status, 0);
        }
        assert_readable(f);
        assert_int_equal(access(f->partial, F_OK), -1);
    }
}

static void a_kill_at_any_moment_leaves_no_wrong_blob_H5_I1(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 40; i++) {
        unlink(f->blob);
        pid_t pid = start_process(f);
        usleep((useconds_t)(i * 1500));
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        if (access(f->blob, F_OK) == 0)
            assert_readable(f);
    }
    struct driver driver = {.f = f};
    driver_main(&driver);
    assert_int_equal(driver.rc, 0);
    assert_readable(f);
}

/* --- full disks
 * ---------------------------------------------------------------------------- */

static void a_full_disk_is_said_and_nothing_is_left_on_it_H5_I7(void **state)
{
    struct fixture *f = *state;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_free char *small = dr_path_join(f->dir, "small");
    mkdir(small, 0700);
    if (mount("tmpfs", small, "tmpfs", 0, "size=1m") < 0)
        skip();
    struct store *store;
    struct store_fetch *fetch;
    assert_int_equal(store_open(small, &store, &err), 0);
    assert_int_equal(store_blob_open(store, &f->digest, SIZE, &fetch, &err), 0);
    int rc = 0;
    for (int64_t have; rc == 0 && (have = store_fetch_have(fetch)) < SIZE;)
        rc =
            store_fetch_append(fetch, f->bytes + have,
                               SIZE - have < 65536 ? (size_t)(SIZE - have) : 65536, &err);
    assert_int_equal(rc, -1);
    assert_int_equal(err.kind, DR_ERR_INTERNAL);
    assert_int_equal(err.code, ENOSPC);
    assert_non_null(strstr(err.text, "is full: free some space, or prune the cache"));
    assert_non_null(strstr(err.text, small));
    store_fetch_close(fetch);
    struct store_usage usage;
    dr_error_release(&err);
    assert_int_equal(store_usage(store, &usage, &err), 0);
    assert_int_equal(usage.blobs + usage.partials, 0);

    /* with not one byte free, prune still works */
    struct oci_digest digest;
    oci_digest_of(f->bytes, 500000, &digest);
    assert_int_equal(store_blob_put(store, &digest, f->bytes, 500000, &err), 0);
    dr_auto_free char *filler = dr_path_join(small, "filler");
    int fd = open(filler, O_WRONLY | O_CREAT, 0600);
    while (write(fd, f->bytes, 65536) > 0)
        ;
    close(fd);
    struct store_usage freed;
    assert_int_equal(store_prune(store, 0, 0, &freed, &err), 0);
    assert_int_equal(freed.bytes, 500000);
    store_close(store);
    umount2(small, MNT_DETACH);
}

/* --- small blobs, upkeep
 * -------------------------------------------------------------------- */

static void small_blobs_go_in_and_come_out_verified(void **state)
{
    struct fixture *f = *state;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_buf struct dr_buf buf = DR_BUF_INIT(100);
    struct oci_digest digest, wrong;
    oci_digest_of("hello", 5, &digest);
    oci_digest_of("other", 5, &wrong);
    assert_int_equal(store_blob_get(f->store, &digest, &buf, &err), 0);
    assert_int_equal(store_blob_put(f->store, &digest, "hello", 5, &err), 0);
    assert_int_equal(store_blob_put(f->store, &digest, "hello", 5, &err), 0);
    assert_int_equal(store_blob_get(f->store, &digest, &buf, &err), 1);
    assert_string_equal(buf.data, "hello");
    assert_int_equal(store_blob_put(f->store, &wrong, "hello", 5, &err), -1);
    assert_int_equal(err.kind, DR_ERR_FORMAT);
    assert_non_null(strstr(err.text, wrong.text));
    dr_auto_free char *path =
        dr_printf("%s/blobs/sha256/%s", f->dir, oci_digest_hex(&digest));
    dr_error_release(&err);
    assert_int_equal(dr_file_write(AT_FDCWD, path, "hellO", 5, 0600, 0, &err), 0);
    dr_buf_reset(&buf);
    assert_int_equal(store_blob_get(f->store, &digest, &buf, &err),
                     0); /* damaged: gone */
    assert_int_equal(access(path, F_OK), -1);
}

static void age_file(const char *path, time_t seconds)
{
    struct timespec times[2] = {{.tv_sec = time(NULL) - seconds},
                                {.tv_sec = time(NULL) - seconds}};
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static void prune_takes_the_least_used_first_and_no_running_fetch_C10(void **state)
{
    struct fixture *f = *state;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    char *paths[4];
    struct oci_digest digests[4];
    for (int i = 0; i < 4; i++) {
        oci_digest_of(f->bytes, (size_t)(1000 + i), &digests[i]);
        assert_int_equal(
            store_blob_put(f->store, &digests[i], f->bytes, (size_t)(1000 + i), &err), 0);
        paths[i] = dr_printf("%s/blobs/sha256/%s", f->dir, oci_digest_hex(&digests[i]));
        age_file(paths[i], 1000 - i);
    }
    /* the oldest is used again */
    dr_auto_buf struct dr_buf buf = DR_BUF_INIT(5000);
    assert_int_equal(store_blob_get(f->store, &digests[0], &buf, &err), 1);
    struct store_fetch *running = open_fetch(f);
    append_up_to(f, running, 5000);
    age_file(f->partial, 100000);
    struct store_usage freed;
    assert_int_equal(store_prune(f->store, 2100, 3600, &freed, &err), 0);
    assert_int_equal(freed.blobs, 2);
    assert_int_equal(freed.partials, 0);
    assert_int_equal(access(paths[0], F_OK), 0);
    assert_int_equal(access(paths[1], F_OK), -1);
    assert_int_equal(access(paths[2], F_OK), -1);
    assert_int_equal(access(paths[3], F_OK), 0);
    store_fetch_close(running);
    age_file(f->partial, 100000);
    assert_int_equal(store_prune(f->store, 0, 3600, &freed, &err), 0);
    assert_int_equal(freed.blobs, 2);
    assert_int_equal(freed.partials, 1);
    for (int i = 0; i < 4; i++)
        free(paths[i]);
}

static void the_place_follows_xdg(void **state)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    setenv("XDG_CACHE_HOME", "/x/cache", 1);
    dr_auto_free char *a = store_default_dir(&err);
    assert_string_equal(a, "/x/cache/dray");
    setenv("XDG_CACHE_HOME", "relative", 1);
    setenv("HOME", "/home/ann", 1);
    dr_auto_free char *b = store_default_dir(&err);
    assert_string_equal(b, "/home/ann/.cache/dray");
    unsetenv("HOME");
    assert_null(store_default_dir(&err));
    assert_int_equal(err.kind, DR_ERR_CONFIG);
    assert_non_null(strstr(err.text, "HOME is not set, set it or XDG_CACHE_HOME"));
    dr_error_release(&err);
    struct store *store;
    assert_int_equal(store_open("/dev/null/x", &store, &err), -1);
    assert_int_equal(err.kind, DR_ERR_CONFIG);
    assert_non_null(
        strstr(err.text, "the cache directory /dev/null/x cannot be used: mkdir"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_blob_is_written_once_and_read_ever_after_C10),
        TEST(a_blob_is_on_the_disk_before_its_name_is_H5_I1),
        TEST(the_empty_blob_is_a_blob),
        TEST(a_wrong_digest_never_becomes_visible_H2),
        TEST(more_bytes_than_the_size_are_refused_before_they_are_written_H2),
        TEST(fewer_bytes_than_the_size_are_refused_H2),
        TEST(a_manifest_that_lies_about_a_cached_blobs_size_is_refused_H2),
        TEST(a_damaged_blob_is_found_removed_and_fetched_anew),
        TEST(a_partial_is_continued_I5),
        TEST(a_partial_with_wrong_bytes_is_thrown_away_once),
        TEST(a_partial_that_is_too_long_is_thrown_away),
        TEST(what_is_no_regular_file_is_not_followed),
        TEST(readers_follow_the_writer_and_wait_for_the_verification),
        TEST(readers_hear_why_the_writer_failed),
        TEST(a_follower_starts_over_when_the_writer_threw_all_away),
        TEST(many_threads_want_the_same_blob_and_all_get_it),
        TEST(killed_processes_hand_over_to_the_next_H5_I4),
        TEST(a_kill_at_any_moment_leaves_no_wrong_blob_H5_I1),
        TEST(a_full_disk_is_said_and_nothing_is_left_on_it_H5_I7),
        TEST(small_blobs_go_in_and_come_out_verified),
        TEST(prune_takes_the_least_used_first_and_no_running_fetch_C10),
        TEST(the_place_follows_xdg),
    };
    return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
