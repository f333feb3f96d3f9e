/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cli/stats.h"

static const struct dray_stats before = {
    .cpu_us = 1000000, .system_cpu_us = 100000000, .cpus = 4};

static void the_share_of_the_cpu_is_dockers(void **state)
{
    struct dray_stats now = before;
    /* one second later on four CPUs: the target had 4 s, the container used 2 s */
    now.system_cpu_us += 4000000;
    now.cpu_us += 2000000;
    assert_true(stats_cpu_percent(&now, &before) == 200);
    now.cpu_us = before.cpu_us;
    assert_true(stats_cpu_percent(&now, &before) == 0);
    now.cpu_us = 0; /* it was restarted in between */
    assert_true(stats_cpu_percent(&now, &before) == 0);
    now.system_cpu_us = before.system_cpu_us;
    assert_true(stats_cpu_percent(&now, &before) == 0);
}

static void a_row_is_in_dockers_words(void **state)
{
    struct dray_stats now = before;
    now.memory_bytes = 3 << 20;
    now.memory_limit_bytes = 64 << 20;
    now.pids = 7;
    now.net_rx_bytes = 1500;
    now.block_write_bytes = 2000000;
    now.system_cpu_us += 4000000;
    now.cpu_us += 10000;
    dr_auto_json json_t *row = stats_row(&now, &before, 1 << 30);
    assert_string_equal(dr_json_str(row, "CPUPerc"), "1.00%");
    assert_string_equal(dr_json_str(row, "MemUsage"), "3MiB / 64MiB");
    assert_string_equal(dr_json_str(row, "MemPerc"), "4.69%");
    assert_string_equal(dr_json_str(row, "NetIO"), "1.5kB / 0B");
    assert_string_equal(dr_json_str(row, "BlockIO"), "0B / 2MB");
    assert_string_equal(dr_json_str(row, "PIDs"), "7");
}

static void without_a_limit_there_is_the_targets_memory(void **state)
{
    struct dray_stats now = before;
    now.memory_bytes = 512 << 20;
    now.memory_limit_bytes = INT64_MAX;
    dr_auto_json json_t *row = stats_row(&now, NULL, INT64_C(2) << 30);
    assert_string_equal(dr_json_str(row, "MemUsage"), "512MiB / 2GiB");
    assert_string_equal(dr_json_str(row, "MemPerc"), "25.00%");
    assert_string_equal(dr_json_str(row, "CPUPerc"), "--");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_share_of_the_cpu_is_dockers),
        cmocka_unit_test(a_row_is_in_dockers_words),
        cmocka_unit_test(without_a_limit_there_is_the_targets_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
