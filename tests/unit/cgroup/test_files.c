/* SPDX-License-Identifier: Apache-2.0 */
/* Statistics, limits and the freezer over trees that look like cgroup v1, v2 and both. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/fs.h"
#include "base/text.h"
#include "guest/cgroup/file.h"
#include "guest/cgroup/freezer.h"
#include "guest/cgroup/limits.h"
#include "guest/cgroup/stats.h"

#define PATH "/dray/abc"

static char *root;

static int set_up(void **state)
{
    char random[17];
    dr_random_hex(16, random);
    root = dr_printf("/tmp/dray-cgroup-%s", random);
    return mkdir(root, 0700);
}

static int tear_down(void **state)
{
    struct dr_error err = DR_ERROR_INIT;
    dr_remove_all(AT_FDCWD, root, &err);
    free(root);
    return 0;
}

static void put(const char *file, const char *text)
{
    struct dr_error err = DR_ERROR_INIT;
    dr_auto_free char *path = dr_path_join(root, file);
    dr_auto_free char *dir = dr_strndup(path, (size_t)(strrchr(path, '/') - path));
    assert_int_equal(dr_mkdir_all(dir, 0755, &err), 0);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    assert_int_equal(fclose(f), 0);
}

static void expect(const char *file, const char *text)
{
    char is[64] = "";
    dr_auto_free char *path = dr_path_join(root, file);
    dr_auto_fd int fd = open(path, O_RDONLY);
    assert_true(fd >= 0);
    assert_true(dr_read_full(fd, is, sizeof is - 1) >= 0);
    assert_string_equal(is, text);
}

static void make_v1(void)
{
    put("cpuacct/dray/abc/cpuacct.usage", "2500000000\n");
    put("memory/dray/abc/memory.usage_in_bytes", "104857600\n");
    put("memory/dray/abc/memory.limit_in_bytes", "209715200\n");
    put("memory/dray/abc/memory.memsw.limit_in_bytes", "419430400\n");
    put("memory/dray/abc/memory.stat",
        "cache 50\ninactive_file 7\ntotal_cache 9\ntotal_inactive_file 4857600\n");
    put("pids/dray/abc/pids.current", "5\n");
    put("pids/dray/abc/pids.max", "max\n");
    put("blkio/dray/abc/blkio.throttle.io_service_bytes_recursive",
        "8:0 Read 4096\n8:0 Write 100\n8:0 Sync 9\n8:0 Total 4196\n"
        "253:1 Read 4\n253:1 Write 0\nTotal 4200\n");
    put("cpu/dray/abc/cpu.cfs_period_us", "100000\n");
    put("cpu/dray/abc/cpu.cfs_quota_us", "-1\n");
    put("cpu/dray/abc/cpu.shares", "1024\n");
    put("freezer/dray/abc/freezer.state", "THAWED\n");
    put("freezer/dray/abc/cgroup.procs", "");
}

static void make_v2(const char *top)
{
    static const struct {
        const char *name, *text;
    } files[] = {
        {"cpu.stat", "usage_usec 1234567\nuser_usec 1000000\nsystem_usec 234567\n"},
        {"memory.current", "52428800\n"},
        {"memory.max", "max\n"},
        {"memory.swap.max", "max\n"},
        {"memory.stat", "anon 1\nfile 2\ninactive_anon 3\ninactive_file 2428800\n"},
        {"pids.current", "3\n"},
        {"pids.max", "100\n"},
        {"io.stat", "8:0 rbytes=10 wbytes=20 rios=1 wios=2 dbytes=7 dios=0\n"
                    "8:16 rbytes=1 wbytes=2 rios=1 wios=2 dbytes=0 dios=0\n"},
        {"cpu.max", "max 100000\n"},
        {"cpu.weight", "100\n"},
        {"cgroup.freeze", "0\n"},
        {"cgroup.events", "populated 1\nfrozen 0\n"},
        {"cgroup.procs", ""},
    };
    for (size_t i = 0; i < DR_COUNT(files); i++) {
        dr_auto_free char *file = dr_printf("%sdray/abc/%s", top, files[i].name);
        put(file, files[i].text);
    }
}

static void c27_stats_of_v1(void **state)
{
    struct cgroup_stats s;
    make_v1();
    assert_int_equal(cgroup_stats_read(root, PATH, &s), 0);
    assert_int_equal(s.cpu_us, 2500000);
    assert_int_equal(s.memory_bytes, 100000000); /* of all below it, as the usage */
    assert_int_equal(s.memory_limit_bytes, 209715200);
    assert_int_equal(s.pids, 5);
    assert_int_equal(s.pids_limit, 0);
    assert_int_equal(s.block_read_bytes, 4100);
    assert_int_equal(s.block_write_bytes, 100);
    put("memory/dray/abc/memory.limit_in_bytes", "9223372036854771712\n");
    assert_int_equal(cgroup_stats_read(root, PATH, &s), 0);
    assert_true(s.memory_limit_bytes == INT64_MAX);
}

static void c27_stats_of_v2_alone_and_beside_v1(void **state)
{
    static const char *const tops[] = {"", "unified/"};
    for (size_t i = 0; i < DR_COUNT(tops); i++) {
        struct cgroup_stats s;
        make_v2(tops[i]);
        assert_int_equal(cgroup_stats_read(root, PATH, &s), 0);
        assert_int_equal(s.cpu_us, 1234567);
        assert_int_equal(s.memory_bytes, 50000000);
        assert_true(s.memory_limit_bytes == INT64_MAX);
        assert_int_equal(s.pids, 3);
        assert_int_equal(s.pids_limit, 100);
        assert_int_equal(s.block_read_bytes, 11);
        assert_int_equal(s.block_write_bytes, 22);
        struct dr_error err = DR_ERROR_INIT;
        assert_int_equal(dr_remove_all(AT_FDCWD, root, &err), 0);
        assert_int_equal(mkdir(root, 0700), 0);
    }
}

static void stats_without_controllers_are_zeros_and_without_a_cgroup_none(void **state)
{
    struct cgroup_stats s = {.pids = 77};
    assert_int_equal(cgroup_stats_read(root, PATH, &s), -1);
    assert_int_equal(s.pids, 77);
    put("pids/dray/abc/pids.current", "4\n");
    assert_int_equal(cgroup_stats_read(root, PATH, &s), 0);
    assert_int_equal(s.pids, 4);
    assert_int_equal(s.cpu_us, 0);
    assert_int_equal(s.memory_bytes, 0);
    assert_true(s.memory_limit_bytes == INT64_MAX);
}

static void odd_texts_do_no_harm(void **state)
{
    int64_t a = 9, b = 9;
    assert_int_equal(cgroup_key("", "x"), 0);
    assert_int_equal(cgroup_key("xy 3\nx 4", "x"), 4);
    assert_int_equal(cgroup_key("x", "x"), 0);
    cgroup_block_v1("Total 12\n8:0 Read\nx:y Read 4\n", &a, &b);
    assert_true(a == 0 && b == 0);
    cgroup_block_v2("bytes=3 \n8:0 rbytes= wbytes=x", &a, &b);
    assert_true(a == 0 && b == 0);
    net_dev_sum("", &a, &b);
    assert_true(a == 0 && b == 0);
    assert_int_equal(proc_stat_cpu_us("", 100), 0);
}

static void network_is_all_interfaces_but_lo(void **state)
{
    int64_t rx, tx;
    net_dev_sum(
        "Inter-|   Receive                                                |  Transmit\n"
        " face |bytes    packets errs drop fifo frame compressed multicast|bytes    "
        "packets errs drop fifo colls carrier compressed\n"
        "    lo: 1000      10    0    0    0     0          0         0     1000      10 "
        "   0    0    0     0       0          0\n"
        "  eth0: 5000      50    1    2    3     4          5         6      700      70 "
        "   0    0    0     0       0          0\n"
        "eth1.5:12345      50    1    2    3     4          5         6       11      70 "
        "   0    0    0     0       0          0\n",
        &rx, &tx);
    assert_int_equal(rx, 17345);
    assert_int_equal(tx, 711);
}

static void processor_time_leaves_out_what_guests_got_twice(void **state)
{
    assert_int_equal(
        proc_stat_cpu_us("cpu  1 2 3 4 5 6 7 8 900 900\ncpu0 1 2 3 4\n", 100), 360000);
    assert_int_equal(proc_stat_cpu_us("cpu 1 2 3 4\n", 100), 100000);
}

static void limits_are_written_in_the_words_of_v1(void **state)
{
    struct dr_error err = DR_ERROR_INIT;
    struct cgroup_undo *undo;
    struct cgroup_limits limits = {.set_memory = true,
                                   .set_cpus = true,
                                   .set_shares = true,
                                   .set_pids = true,
                                   .memory_bytes = 4294967296,
                                   .nano_cpus = 1500000000,
                                   .cpu_shares = 2048,
                                   .pids_limit = 1000};
    make_v1();
    assert_int_equal(cgroup_limits_set(root, PATH, &limits, &undo, &err), 0);
    expect("memory/dray/abc/memory.limit_in_bytes", "4294967296");
    expect("memory/dray/abc/memory.memsw.limit_in_bytes", "8589934592");
    expect("cpu/dray/abc/cpu.cfs_period_us", "100000");
    expect("cpu/dray/abc/cpu.cfs_quota_us", "150000");
    expect("cpu/dray/abc/cpu.shares", "2048");
    expect("pids/dray/abc/pids.max", "1000");
    /* and back, when somebody else fails after us */
    cgroup_undo_end(root, PATH, undo, true);
    expect("pids/dray/abc/pids.max", "max");
    expect("memory/dray/abc/memory.limit_in_bytes", "209715200");
    expect("cpu/dray/abc/cpu.cfs_quota_us", "-1");
}

static void limits_are_written_in_the_words_of_v2(void **state)
{
    struct dr_error err = DR_ERROR_INIT;
    struct cgroup_undo *undo;
    struct cgroup_limits limits = {.set_memory = true,
                                   .set_cpus = true,
                                   .set_shares = true,
                                   .set_pids = true,
                                   .memory_bytes = 104857600,
                                   .nano_cpus = 500000000,
                                   .cpu_shares = 262144,
                                   .pids_limit = 1000};
    make_v2("");
    assert_int_equal(cgroup_limits_set(root, PATH, &limits, &undo, &err), 0);
    cgroup_undo_end(root, PATH, undo, false);
    expect("dray/abc/memory.max", "104857600");
    expect("dray/abc/memory.swap.max", "104857600");
    expect("dray/abc/cpu.max", "50000 100000");
    expect("dray/abc/cpu.weight", "10000");
    expect("dray/abc/pids.max", "1000");
}

static void limit_that_is_refused_puts_back_those_before_it(void **state)
{
    struct dr_error err = DR_ERROR_INIT;
    struct cgroup_undo *undo = NULL;
    struct cgroup_limits limits = {.set_memory = true,
                                   .set_pids = true,
                                   .memory_bytes = 300000000,
                                   .pids_limit = 44};
    make_v1();
    put("pids/dray/abc/pids.max", "55\n");
    dr_auto_free char *pids = dr_path_join(root, "pids");
    dr_remove_all(AT_FDCWD, pids, &err); /* no such controller */
    assert_int_equal(cgroup_limits_set(root, PATH, &limits, &undo, &err), -1);
    assert_null(undo);
    assert_int_equal(err.kind, DR_ERR_UNSUPPORTED);
    assert_string_equal(err.text,
                        "pids_limit: this target has no cgroup controller `pids` for it");
    expect("memory/dray/abc/memory.limit_in_bytes", "209715200");
    expect("memory/dray/abc/memory.memsw.limit_in_bytes", "419430400");
    dr_error_release(&err);
}

static void limit_below_what_is_in_use_is_refused_before_anything_is_killed(void **state)
{
    struct dr_error err = DR_ERROR_INIT;
    struct cgroup_undo *undo = NULL;
    struct cgroup_limits limits = {.set_memory = true, .memory_bytes = 6291456};
    make_v2("");
    assert_int_equal(cgroup_limits_set(root, PATH, &limits, &undo, &err), -1);
    assert_int_equal(err.kind, DR_ERR_CONFLICT);
    assert_string_equal(err.text,
                        "memory: it uses 50MB now, more than the new limit of 6.29MB");
    expect("dray/abc/memory.max", "max\n");
    dr_error_release(&err);
}

static void limits_of_a_cgroup_that_is_gone_are_not_found(void **state)
{
    struct dr_error err = DR_ERROR_INIT;
    struct cgroup_undo *undo = NULL;
    struct cgroup_limits limits = {.set_pids = true, .pids_limit = 5};
    assert_int_equal(cgroup_limits_set(root, PATH, &limits, &undo, &err), -1);
    assert_int_equal(err.kind, DR_ERR_NOT_FOUND);
    dr_error_release(&err);
}

static void freezer_of_v1_is_asked_and_waited_for(void **state)
{
    struct dr_error err = DR_ERROR_INIT;
    make_v1();
    assert_false(cgroup_is_frozen(root, PATH));
    assert_int_equal(cgroup_freeze(root, PATH, dr_clock_ms() + 5000, &err), 0);
    expect("freezer/dray/abc/freezer.state", "FROZEN");
    assert_true(cgroup_is_frozen(root, PATH));
    assert_int_equal(cgroup_thaw(root, PATH, &err), 0);
    assert_false(cgroup_is_frozen(root, PATH));
    /* a frozen parent does not make this one paused */
    put("freezer/dray/abc/freezer.state", "FROZEN\n");
    put("freezer/dray/abc/freezer.self_freezing", "0\n");
    assert_false(cgroup_is_frozen(root, PATH));
}

static void freezer_that_does_not_come_to_rest_is_thawed_again(void **state)
{
    struct dr_error err = DR_ERROR_INIT;
    make_v2(""); /* its cgroup.events says "frozen 0" for ever */
    assert_int_equal(cgroup_freeze(root, PATH, dr_clock_ms() + 50, &err), -1);
    assert_int_equal(err.kind, DR_ERR_TIMEOUT);
    assert_non_null(strstr(err.text, "does not stand still"));
    expect("dray/abc/cgroup.freeze", "0");
    dr_error_release(&err);
    put("dray/abc/cgroup.events", "populated 1\nfrozen 1\n");
    assert_int_equal(cgroup_freeze(root, PATH, dr_clock_ms() + 5000, &err), 0);
    assert_true(cgroup_is_frozen(root, PATH));
    expect("dray/abc/cgroup.freeze", "1");
}

static void without_a_freezer_pausing_is_unsupported(void **state)
{
    struct dr_error err = DR_ERROR_INIT;
    put("pids/dray/abc/pids.max", "max\n");
    assert_false(cgroup_is_frozen(root, PATH));
    assert_int_equal(cgroup_freeze(root, PATH, dr_clock_ms() + 50, &err), -1);
    assert_int_equal(err.kind, DR_ERR_UNSUPPORTED);
    assert_non_null(strstr(err.text, "has no freezer"));
    dr_error_release(&err);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(c27_stats_of_v1),
        TEST(c27_stats_of_v2_alone_and_beside_v1),
        TEST(stats_without_controllers_are_zeros_and_without_a_cgroup_none),
        cmocka_unit_test(odd_texts_do_no_harm),
        cmocka_unit_test(network_is_all_interfaces_but_lo),
        cmocka_unit_test(processor_time_leaves_out_what_guests_got_twice),
        TEST(limits_are_written_in_the_words_of_v1),
        TEST(limits_are_written_in_the_words_of_v2),
        TEST(limit_that_is_refused_puts_back_those_before_it),
        TEST(limit_below_what_is_in_use_is_refused_before_anything_is_killed),
        TEST(limits_of_a_cgroup_that_is_gone_are_not_found),
        TEST(freezer_of_v1_is_asked_and_waited_for),
        TEST(freezer_that_does_not_come_to_rest_is_thawed_again),
        TEST(without_a_freezer_pausing_is_unsupported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
