/* SPDX-License-Identifier: Apache-2.0 */
/* C02, C33: how the helper comes to the far side, against real shells: the far side is a
 * process of this machine. What needs root or mounts is skipped without them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/json.h"
#include "base/text.h"
#include "transport/address.h"
#include "transport/helpers.h"
#include "transport/transport.h"

#define MAGIC "\0DRAY-WIRE-1\n"

static char dir[] = "/tmp/dray-boot.XXXXXX";
static char *root, *second; /* places of the target */

static int set_up(void **state)
{
    if (!mkdtemp(dir))
        return -1;
    root = dr_path_join(dir, "root");
    second = dr_path_join(dir, "second");
    return 0;
}

static int tear_down(void **state)
{
    struct dr_error err = DR_ERROR_INIT;
    free(root);
    free(second);
    return dr_remove_all(AT_FDCWD, dir, &err);
}

static int each(void **state)
{
    struct dr_error err = DR_ERROR_INIT;
    return dr_remove_all(AT_FDCWD, root, &err) < 0 ||
                   dr_remove_all(AT_FDCWD, second, &err) < 0
               ? -1
               : 0;
}

static void needs_root(void)
{
    if (geteuid() != 0)
        skip();
}

/* Whether `sh -c SCRIPT` becomes the helper; its magic is read. */
static int boot_words(char *const *words, int timeout_ms, struct dr_error *err)
{
    dr_auto_free char *url = transport_address_of_words(words);
    struct transport_options options = {
        .target = url, .root = root, .run_root = second, .timeout_ms = timeout_ms};
    struct transport t;
    if (transport_open(&options, &t, err) < 0)
        return -1;
    assert_true(transport_needs_boot(&t));
    assert_int_equal(t.spawn_count, 1);
    int rc = transport_boot(&t, dr_clock_ms() + timeout_ms, -1, err);
    if (rc == 0) {
        char magic[sizeof MAGIC];
        if (dr_read_full(t.read_fd, magic, sizeof magic) != sizeof magic ||
            memcmp(magic, MAGIC, sizeof magic) != 0)
            rc = dr_fail(err, DR_ERR_UNAVAILABLE, "no magic came");
    }
    if (rc < 0)
        transport_explain(&t, err);
    close(t.read_fd);
    close(t.write_fd);
    transport_close(&t, 200);
    return rc;
}

/* The far side: `sh -c script sh`, which must become a shell that reads stdin. */
static int boot(const char *script, int timeout_ms, struct dr_error *err)
{
    char *words[] = {(char[]){"sh"}, (char[]){"-c"}, (char *)script, NULL};
    return boot_words(words, timeout_ms, err);
}

static char *helper_at(const char *place)
{
    return dr_printf("%s/bin/%s/dray-guest", place, helpers[0].sha256);
}

static bool is_there(const char *place)
{
    dr_auto_free char *path = helper_at(place);
    return access(path, X_OK) == 0;
}

static void boots(const char *script)
{
    struct dr_error err = DR_ERROR_INIT;
    if (boot(script, 20000, &err) < 0)
        fail_msg("%s: %s", script, err.text);
}

static void refuses(const char *script, enum dr_kind kind, const char *words)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    if (boot(script, 20000, &err) == 0)
        fail_msg("%s: the helper was started", script);
    if (err.kind != kind || !strstr(err.text, words))
        fail_msg("%s: kind %d, %s", script, err.kind, err.text);
}

static void every_shell_installs_the_helper_and_then_finds_it(void **state)
{
    needs_root();
    static const char *const shells[] = {"exec dash", "exec bash", "exec busybox sh"};
    for (size_t i = 0; i < DR_COUNT(shells); i++) {
        each(NULL);
        boots(shells[i]);
        assert_true(is_there(root));
        dr_auto_free char *path = helper_at(root);
        struct stat first, then;
        assert_int_equal(stat(path, &first), 0);
        assert_int_equal(first.st_mode & 07777, 0755);
        assert_int_equal(first.st_size, helpers[0].size);
        boots(shells[i]);
        assert_int_equal(stat(path, &then), 0);
        assert_true(first.st_ino == then.st_ino &&
                    first.st_ctim.tv_nsec == then.st_ctim.tv_nsec);
        assert_false(is_there(second));
    }
}

static void what_a_login_shell_prints_before_is_passed_over(void **state)
{
    needs_root();
    boots("echo Welcome; echo DRAY-BOOTS; printf 'no newline'; exec sh");
    boots("printf '\\0\\377binary\\0\\n'; exec sh");
}

static void a_place_that_does_not_allow_programs_is_passed_over(void **state)
{
    needs_root();
    mkdir(root, 0755);
    setenv("R", root, 1);
    boots("exec unshare -m sh -c 'mount -t tmpfs -o noexec t \"$R\" && exec sh'");
    assert_true(is_there(second));
    boots("exec unshare -m sh -c 'mount -t tmpfs -o noexec t \"$R\" && exec sh'");
    each(NULL);
    mkdir(root, 0755);
    boots("exec unshare -m sh -c 'mount -t tmpfs -o ro t \"$R\" && exec sh'");
    assert_true(is_there(second));
}

static void no_place_at_all_is_said_with_all_of_them(void **state)
{
    needs_root();
    refuses("exec unshare -m sh -c 'for d in /root /opt /tmp; do mount -t tmpfs -o "
            "noexec t $d; "
            "done; exec sh'",
            DR_ERR_CONFIG, "none of ");
}

static void a_full_disk_is_said_and_nothing_half_made_stays(void **state)
{
    needs_root();
    mkdir(root, 0755);
    setenv("R", root, 1);
    refuses(
        "exec unshare -m sh -c 'mount -t tmpfs -o size=64k t \"$R\"; cd \"$R\"; exec sh'",
        DR_ERR_CONFIG, "is the disk full?");
    /* a real file system, where what is left would be seen */
    refuses("exec sh -c 'ulimit -f 100; exec sh'", DR_ERR_CONFIG, "is the disk full?");
    assert_false(is_there(root));
}

static void bytes_that_the_connection_changes_are_noticed(void **state)
{
    needs_root();
    setenv("R", dir, 1);
    dr_auto_free char *tool = dr_path_join(dir, "head");
    struct dr_error err = DR_ERROR_INIT;
    static const char script[] = "#!/bin/sh\n/usr/bin/head \"$@\" | tr a b\n";
    assert_int_equal(dr_file_write(AT_FDCWD, tool, script, strlen(script), 0755, 0, &err),
                     0);
    refuses("PATH=$R:$PATH exec sh", DR_ERR_CONFIG, "other bytes than were sent");
    assert_false(is_there(root));
    /* without sha256sum over there the helper looks itself */
    static const char last[] = "#!/bin/sh\nn=$(($2 - 3)); /usr/bin/head -c $n; "
                               "/usr/bin/head -c 3 >/dev/null; printf xyz\n";
    assert_int_equal(dr_file_write(AT_FDCWD, tool, last, strlen(last), 0755, 0, &err), 0);
    refuses("exec unshare -m sh -c 'mount --bind /dev/null $(command -v sha256sum); "
            "PATH=$R:$PATH exec sh'",
            DR_ERR_UNAVAILABLE, "other bytes than were sent");
    assert_false(is_there(root));
    unlink(tool);
}

static void an_architecture_without_a_helper_is_named(void **state)
{
    needs_root();
    setenv("R", dir, 1);
    dr_auto_free char *tool = dr_path_join(dir, "uname");
    struct dr_error err = DR_ERROR_INIT;
    static const char script[] = "#!/bin/sh\necho riscv64\n";
    assert_int_equal(dr_file_write(AT_FDCWD, tool, script, strlen(script), 0755, 0, &err),
                     0);
    refuses("PATH=$R:$PATH exec sh", DR_ERR_CONFIG, "riscv64");
    unlink(tool);
}

static void not_root_and_no_sudo_is_misconfigured(void **state)
{
    needs_root();
    refuses(
        "exec unshare -m sh -c 'for s in sudo doas; do p=$(command -v $s) && mount "
        "--bind "
        "/dev/null $p; done; exec setpriv --reuid 65534 --regid 65534 --clear-groups sh'",
        DR_ERR_CONFIG, "neither sudo nor doas");
}

static void a_terminal_is_refused(void **state)
{
    needs_root();
    refuses("exec script -qec sh /dev/null", DR_ERR_CONFIG, "gives a terminal");
}

static void an_early_end_gives_the_program_s_own_words(void **state)
{
    refuses("exit 3", DR_ERR_UNAVAILABLE, "status 3");
    refuses("echo on stdout; exit 1", DR_ERR_UNAVAILABLE, "on stdout");
    refuses("echo on stderr >&2; exit 255", DR_ERR_UNAVAILABLE, "on stderr");
    refuses("exec >&-; sleep 0.1; kill -9 $$", DR_ERR_UNAVAILABLE, "status 137");
    refuses("exec /no/such/program", DR_ERR_UNAVAILABLE, "no/such/program");
}

static void silence_ends_at_the_deadline(void **state)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    assert_int_equal(boot("exec sleep 60", 300, &err), -1);
    assert_int_equal(err.kind, DR_ERR_UNAVAILABLE);
    assert_non_null(strstr(err.text, "did not answer in time"));
}

static void endless_words_are_given_up(void **state)
{
    refuses("exec yes", DR_ERR_UNAVAILABLE, "y");
}

static void much_on_stderr_neither_blocks_nor_grows(void **state)
{
    needs_root();
    boots("head -c 10000000 /dev/zero >&2; exec sh");
}

static void a_program_that_is_not_here_is_misconfigured(void **state)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    char *words[] = {(char[]){"no-such-program-of-mine"}, NULL};
    assert_int_equal(boot_words(words, 1000, &err), -1);
    assert_int_equal(err.kind, DR_ERR_CONFIG);
    assert_non_null(strstr(err.text, "no-such-program-of-mine"));
}

#define T(name) cmocka_unit_test_setup(name, each)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(every_shell_installs_the_helper_and_then_finds_it),
        T(what_a_login_shell_prints_before_is_passed_over),
        T(a_place_that_does_not_allow_programs_is_passed_over),
        T(no_place_at_all_is_said_with_all_of_them),
        T(a_full_disk_is_said_and_nothing_half_made_stays),
        T(bytes_that_the_connection_changes_are_noticed),
        T(an_architecture_without_a_helper_is_named),
        T(not_root_and_no_sudo_is_misconfigured),
        T(a_terminal_is_refused),
        T(an_early_end_gives_the_program_s_own_words),
        T(silence_ends_at_the_deadline),
        T(endless_words_are_given_up),
        T(much_on_stderr_neither_blocks_nor_grows),
        T(a_program_that_is_not_here_is_misconfigured),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
