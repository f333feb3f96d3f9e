/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "base/fs.h"
#include "base/json.h"
#include "guest/net/hosts.h"

static char path[64];

#define HEAD "127.0.0.1\tlocalhost\n"

static void put(const char *text)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    assert_int_equal(dr_file_write(AT_FDCWD, path, text, strlen(text), 0644, 0, &err), 0);
}

static char *content(void)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_buf struct dr_buf text = DR_BUF_INIT(2 << 20);
    assert_int_equal(dr_file_read(AT_FDCWD, path, &text, &err), 0);
    return dr_buf_take(&text);
}

/* What a libc reads: no comments, no blanks at the end. */
static char *seen(void)
{
    dr_auto_free char *text = content();
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_buf struct dr_buf out = DR_BUF_INIT(2 << 20);
    char *rest = NULL;
    for (char *line = strtok_r(text, "\n", &rest); line;
         line = strtok_r(NULL, "\n", &rest)) {
        line[strcspn(line, "#")] = '\0';
        for (size_t len = strlen(line); len > 0 && line[len - 1] == ' '; len--)
            line[len - 1] = '\0';
        if (*line)
            dr_buf_addf(&out, &err, "%s\n", line);
    }
    return dr_buf_take(&out);
}

static void update(const char *a, const char *b, const char *c)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    char *lines[] = {(char *)a, (char *)b, (char *)c, NULL};
    if (hosts_update(path, lines, &err) < 0)
        fail_msg("%s", err.text);
}

static void assert_seen(const char *expected)
{
    dr_auto_free char *text = seen();
    assert_string_equal(text, expected);
}

static int set_up(void **state)
{
    (void)state;
    snprintf(path, sizeof path, "/tmp/dray-test-hosts.%d", (int)getpid());
    put(HEAD);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    return unlink(path);
}

static void lines_come_and_go_in_the_same_file(void **state)
{
    (void)state;
    struct stat before, after;
    stat(path, &before);
    update("10.0.0.2\tme", NULL, NULL);
    assert_seen(HEAD "10.0.0.2\tme\n");
    update("10.0.0.2\tme", "10.0.0.3\tdb database", "10.0.0.4\tweb");
    assert_seen(HEAD "10.0.0.2\tme\n10.0.0.3\tdb database\n10.0.0.4\tweb\n");
    update("10.0.0.4\tweb", "10.0.0.2\tme", NULL);
    assert_seen(HEAD "10.0.0.2\tme\n10.0.0.4\tweb\n");
    update("10.0.0.2\tme", "10.0.0.5\tdb", "10.0.0.4\tweb");
    assert_seen(HEAD "10.0.0.2\tme\n10.0.0.5\tdb\n10.0.0.4\tweb\n");
    update(NULL, NULL, NULL);
    assert_seen(HEAD);
    stat(path, &after);
    assert_int_equal(before.st_ino, after.st_ino);
}

static void a_place_is_used_again_and_the_file_does_not_grow(void **state)
{
    (void)state;
    struct stat first, last;
    char line[64];
    update("10.0.0.2\tme", "10.0.0.3\ta", NULL);
    update("10.0.0.2\tme", "10.0.0.4\tb", NULL); /* b comes before a goes */
    stat(path, &first);
    for (int i = 0; i < 200; i++) {
        snprintf(line, sizeof line, "10.0.1.%d\tname-%d", i, i);
        update("10.0.0.2\tme", line, NULL);
    }
    stat(path, &last);
    assert_int_equal(first.st_size, last.st_size);
    assert_seen(HEAD "10.0.0.2\tme\n10.0.1.199\tname-199\n");
}

static void the_users_lines_stay(void **state)
{
    (void)state;
    update("10.0.0.2\tme", "10.0.0.3\tdb", NULL);
    /* echo >>, the last one without an end */
    dr_auto_free char *ours = content();
    dr_auto_free char *edited = dr_printf("# mine\n%s1.2.3.4 mine\n5.6.7.8 last", ours);
    put(edited);
    char long_line[300] = "10.0.0.9\tlong";
    memset(long_line + strlen(long_line), 'x', 250);
    update("10.0.0.2\tme", long_line, NULL);
    dr_auto_free char *expected =
        dr_printf(HEAD "10.0.0.2\tme\n1.2.3.4 mine\n5.6.7.8 last\n%s\n", long_line);
    assert_seen(expected);
    dr_auto_free char *now = content();
    assert_non_null(strstr(now, "# mine\n"));
    /* an editor that threw ours away */
    put("1.2.3.4 mine\n");
    update("10.0.0.2\tme", NULL, NULL);
    assert_seen("1.2.3.4 mine\n10.0.0.2\tme\n");
    put("");
    update("10.0.0.2\tme", NULL, NULL);
    assert_seen("10.0.0.2\tme\n");
}

static void what_looks_like_ours_but_is_cut_is_left_alone(void **state)
{
    (void)state;
    put("# dray\n10.0.0.3\tx # dray\n10.0.0.4\ty # dray");
    update("10.0.0.2\tme", NULL, NULL);
    assert_seen("10.0.0.4\ty\n10.0.0.2\tme\n");
}

static void a_file_that_is_too_large_is_left_alone(void **state)
{
    (void)state;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    char *lines[] = {(char *)"10.0.0.2\tme", NULL};
    assert_int_equal(truncate(path, 3 << 20), 0);
    assert_int_equal(hosts_update(path, lines, &err), -1);
    assert_int_equal(err.kind, DR_ERR_FORMAT);
    struct stat st;
    stat(path, &st);
    assert_int_equal(st.st_size, 3 << 20);
}

/* --- whoever reads while we write, and a writer that dies --- */

static const char *const known[] = {"10.0.0.2\tme", "10.0.0.3\tdb database db.example",
                                    "192.0.2.111\ta-rather-long-name-of-a-host",
                                    "2001:db8:1:2:3:4:5:6\tsix",
                                    "10.99.99.99\tsomething else"};

/* Every line is a whole one, and "me" is always there. */
static const char *what_is_wrong(const char *text)
{
    dr_auto_free char *copy = dr_strdup(text);
    char *rest = NULL;
    bool me = false;
    for (char *line = strtok_r(copy, "\n", &rest); line;
         line = strtok_r(NULL, "\n", &rest)) {
        bool good = *line == '#' || strcmp(line, "127.0.0.1\tlocalhost") == 0;
        line[strcspn(line, "#")] = '\0';
        for (size_t len = strlen(line); len > 0 && line[len - 1] == ' '; len--)
            line[len - 1] = '\0';
        for (size_t i = 0; i < DR_COUNT(known); i++)
            good = good || strcmp(line, known[i]) == 0;
        me = me || strcmp(line, known[0]) == 0;
        if (!good)
            return "a half-written line";
    }
    return me ? NULL : "a line that stays was away";
}

static void update_at_random(unsigned *seed)
{
    unsigned bits = (unsigned)rand_r(seed);
    char *lines[DR_COUNT(known) + 1];
    size_t count = 0;
    lines[count++] = (char *)known[0];
    for (size_t i = 1; i < DR_COUNT(known); i++)
        if (bits >> i & 1)
            lines[count++] = (char *)known[i];
    lines[count] = NULL;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    hosts_update(path, lines, &err);
}

static void *write_on(void *arg)
{
    unsigned seed = 1;
    for (atomic_bool *stop = arg; !*stop;)
        update_at_random(&seed);
    return NULL;
}

static void a_reader_never_sees_half_a_line(void **state)
{
    (void)state;
    atomic_bool stop = false;
    pthread_t writer;
    const char *wrong = NULL;
    update(known[0], NULL, NULL);
    assert_int_equal(pthread_create(&writer, NULL, write_on, &stop), 0);
    for (int i = 0; i < 5000 && !wrong; i++) {
        dr_auto_free char *text = content();
        wrong = what_is_wrong(text);
    }
    stop = true;
    pthread_join(writer, NULL);
    if (wrong)
        fail_msg("%s", wrong);
}

static void a_writer_that_is_killed_leaves_whole_lines(void **state)
{
    (void)state;
    update(known[0], NULL, NULL);
    for (int i = 0; i < 40; i++) {
        pid_t pid = fork();
        if (pid == 0)
            for (unsigned seed = (unsigned)i + 1;;)
                update_at_random(&seed);
        poll(NULL, 0, 1 + i % 3);
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        dr_auto_free char *text = content();
        const char *wrong = what_is_wrong(text);
        if (wrong)
            fail_msg("%s:\n%s", wrong, text);
    }
    update(known[0], NULL, NULL);
    dr_auto_free char *expected = dr_printf(HEAD "%s\n", known[0]);
    assert_seen(expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(lines_come_and_go_in_the_same_file, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_place_is_used_again_and_the_file_does_not_grow,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_users_lines_stay, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_looks_like_ours_but_is_cut_is_left_alone,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_file_that_is_too_large_is_left_alone, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_reader_never_sees_half_a_line, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_writer_that_is_killed_leaves_whole_lines,
                                        set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
