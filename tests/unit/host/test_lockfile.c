/* SPDX-License-Identifier: Apache-2.0 */
/* dray.lock: what it may say, how it is written, and by many at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "host/lockfile.h"

#define A "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

static char dir[] = "/tmp/dray-lockfile.XXXXXX";

static int set_up(void **state)
{
    return mkdtemp(dir) && chdir(dir) == 0 ? 0 : -1;
}

static int tear_down(void **state)
{
    struct dr_error err = DR_ERROR_INIT;
    return chdir("/") == 0 ? dr_remove_all(AT_FDCWD, dir, &err) : -1;
}

static struct oci_digest digest_of(const char *text)
{
    struct oci_digest digest;
    struct dr_error err = DR_ERROR_INIT;
    assert_int_equal(oci_digest_parse(text, strlen(text), &digest, &err), 0);
    return digest;
}

static char *written(const struct lockfile *lock)
{
    struct dr_buf text = DR_BUF_INIT(LOCKFILE_MAX);
    struct dr_error err = DR_ERROR_INIT;
    assert_int_equal(lockfile_text(lock, &text, &err), 0);
    return dr_buf_take(&text);
}

static char *content(const char *path)
{
    struct dr_buf text = DR_BUF_INIT(LOCKFILE_MAX);
    struct dr_error err = DR_ERROR_INIT;
    assert_int_equal(dr_file_read(AT_FDCWD, path, &text, &err), 0);
    return dr_buf_take(&text);
}

static void refused(const char *text, enum dr_kind kind, const char *why)
{
    struct lockfile lock = {0};
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    assert_int_equal(lockfile_parse("dray.lock", text, strlen(text), &lock, &err), -1);
    assert_int_equal(err.kind, kind);
    if (!strstr(err.text, why))
        fail_msg("'%s' is not in: %s", why, err.text);
}

static void a_file_is_read_and_written_in_order_and_comments_stay(void **state)
{
    static const char text[] = "# the project's\n"
                               "version 1\n"
                               "\n"
                               "# the proxy\n"
                               "r.io/z:1 " B "\n"
                               "alpine \t" A " \r\n"
                               "# the end";
    dr_auto_lockfile struct lockfile lock = {0};
    dr_auto_lockfile struct lockfile again = {0};
    struct dr_error err = DR_ERROR_INIT;
    assert_int_equal(lockfile_parse("f", text, strlen(text), &lock, &err), 0);
    assert_int_equal(lock.n, 2);
    assert_string_equal(lockfile_find(&lock, "docker.io/library/alpine:latest")->text, A);
    assert_string_equal(lockfile_find(&lock, "r.io/z:1")->text, B);
    assert_null(lockfile_find(&lock, "r.io/z"));
    dr_auto_free char *out = written(&lock);
    assert_string_equal(out, "# the project's\n"
                             "version 1\n"
                             "docker.io/library/alpine:latest " A "\n"
                             "\n"
                             "# the proxy\n"
                             "r.io/z:1 " B "\n"
                             "# the end\n");
    assert_int_equal(lockfile_parse("f", out, strlen(out), &again, &err), 0);
    dr_auto_free char *same = written(&again);
    assert_string_equal(same, out);
}

static void what_is_wrong_is_told_with_its_line(void **state)
{
    refused("version 1\nalpine\n", DR_ERR_CONFIG,
            "dray.lock:2: 'alpine' is no IMAGE:TAG and DIGEST");
    refused("alpine sha256:12\n", DR_ERR_CONFIG, "dray.lock:1: ");
    refused("Alpine " A "\n", DR_ERR_CONFIG, "dray.lock:1: ");
    refused("alpine@" A " " A "\n", DR_ERR_CONFIG, "has no tag, or a digest");
    refused("a:1 " A "\na:1 " B "\n", DR_ERR_CONFIG,
            "dray.lock:2: there are two digests for a:1");
    refused("version 1\n<<<<<<< ours\na:1 " A "\n", DR_ERR_CONFIG,
            "dray.lock:2: '<<<<<<< ours' is left from a merge");
    refused("version 2\na:1 " A " md5:1\n", DR_ERR_UNSUPPORTED, "a newer one wrote");
    refused("a:1 " A "\nversion 1\n", DR_ERR_CONFIG, "stands above all else");
    struct lockfile lock = {0};
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    assert_int_equal(lockfile_parse("f", "a\0b", 3, &lock, &err), -1);
    assert_non_null(strstr(err.text, "f:1: there is a NUL byte"));
    /* what a merge may leave: the same line twice */
    dr_auto_lockfile struct lockfile twice = {0};
    dr_error_release(&err);
    assert_int_equal(
        lockfile_parse("f", "a:1 " A "\na:1 " A "\n", strlen(A) * 2 + 10, &twice, &err),
        0);
    assert_int_equal(twice.n, 1);
}

static void every_cut_of_a_file_parses_or_says_why(void **state)
{
    static const char text[] = "# c\nversion 1\nr.io/z:1 " B "\nalpine " A "\n";
    for (size_t n = 0; n < sizeof text; n++) {
        dr_auto_lockfile struct lockfile lock = {0};
        dr_auto_error struct dr_error err = DR_ERROR_INIT;
        if (lockfile_parse("f", text, n, &lock, &err) < 0)
            assert_int_equal(err.kind, DR_ERR_CONFIG);
        else
            assert_true(lock.n <= 2);
    }
}

static void a_pin_is_kept_and_only_replaced_when_asked(void **state)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    const struct oci_digest a = digest_of(A), b = digest_of(B);
    dr_auto_lockfile struct lockfile none = {0};
    assert_int_equal(lockfile_read("new.lock", &none, &err), 0);
    assert_int_equal(none.n, 0);
    assert_int_equal(access("new.lock", F_OK), -1);
    assert_int_equal(lockfile_record("new.lock", "r.io/a:1", &a, false, &err), 0);
    assert_int_equal(lockfile_record("new.lock", "r.io/a:1", &a, false, &err), 0);
    assert_int_equal(lockfile_record("new.lock", "r.io/a:1", &b, false, &err), -1);
    assert_int_equal(err.kind, DR_ERR_CONFLICT);
    assert_non_null(strstr(err.text, "new.lock got " A " for r.io/a:1 meanwhile"));
    dr_error_release(&err);
    /* a link stays one, and the mode of the file */
    assert_int_equal(chmod("new.lock", 0640), 0);
    assert_int_equal(symlink("new.lock", "link.lock"), 0);
    assert_int_equal(lockfile_record("link.lock", "r.io/a:1", &b, true, &err), 0);
    struct stat st;
    assert_int_equal(lstat("link.lock", &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    assert_int_equal(stat("new.lock", &st), 0);
    assert_int_equal(st.st_mode & 0777, 0640);
    dr_auto_free char *text = content("new.lock");
    assert_non_null(strstr(text, "\nversion 1\nr.io/a:1 " B "\n"));
}

static void where_nothing_can_be_written_is_told_before(void **state)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_free char *path = NULL;
    int fd = -1;
    assert_int_equal(lockfile_hold("no/such/dray.lock", &fd, &path, &err), -1);
    assert_int_equal(err.kind, DR_ERR_CONFIG);
    assert_non_null(strstr(err.text, "no/such/dray.lock cannot be written"));
}

#define WRITERS 8
#define EACH 12

static void *writer(void *arg)
{
    const struct oci_digest a = digest_of(A);
    for (int i = 0; i < EACH; i++) {
        dr_auto_error struct dr_error err = DR_ERROR_INIT;
        dr_auto_free char *ref = dr_printf("r.io/x%d:%d", (int)(intptr_t)arg, i);
        if (lockfile_record("many.lock", ref, &a, false, &err) < 0)
            return (void *)1;
    }
    return NULL;
}

static void many_writers_lose_nothing(void **state)
{
    pthread_t threads[WRITERS];
    for (size_t i = 0; i < WRITERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, writer, (void *)(intptr_t)i),
                         0);
    for (size_t i = 0; i < WRITERS; i++) {
        void *failed = NULL;
        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
    dr_auto_lockfile struct lockfile lock = {0};
    struct dr_error err = DR_ERROR_INIT;
    assert_int_equal(lockfile_read("many.lock", &lock, &err), 0);
    assert_int_equal(lock.n, WRITERS * EACH);
    for (size_t i = 1; i < lock.n; i++)
        assert_true(strcmp(lock.entries[i - 1].ref, lock.entries[i].ref) < 0);
    assert_int_equal(access("many.lock.new", F_OK), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_is_read_and_written_in_order_and_comments_stay),
        cmocka_unit_test(what_is_wrong_is_told_with_its_line),
        cmocka_unit_test(every_cut_of_a_file_parses_or_says_why),
        cmocka_unit_test(a_pin_is_kept_and_only_replaced_when_asked),
        cmocka_unit_test(where_nothing_can_be_written_is_told_before),
        cmocka_unit_test(many_writers_lose_nothing),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
