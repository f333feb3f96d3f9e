/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "guest/container/health.h"

#define SECOND 1000000000LL

static const struct health_check check = {.interval_ns = 30 * SECOND,
                                          .timeout_ns = 30 * SECOND,
                                          .start_period_ns = 10 * SECOND,
                                          .start_interval_ns = 2 * SECOND,
                                          .retries = 3};

static void it_is_unhealthy_after_as_many_failures_as_retries(void **unused)
{
    struct health h = {0};
    for (int i = 1; i <= 2; i++) {
        health_take(&h, &check, 1, 20 * SECOND);
        assert_int_equal(h.status, HEALTH_STARTING);
        assert_int_equal(h.failing_streak, i);
    }
    health_take(&h, &check, -1, 20 * SECOND); /* any code but 0 */
    assert_int_equal(h.status, HEALTH_UNHEALTHY);
    health_take(&h, &check, 1, 20 * SECOND);
    assert_int_equal(h.failing_streak, 4);
}

static void one_success_makes_it_healthy_from_whatever_it_was(void **unused)
{
    struct health h = {.status = HEALTH_UNHEALTHY, .failing_streak = 9};
    health_take(&h, &check, 0, 20 * SECOND);
    assert_int_equal(h.status, HEALTH_HEALTHY);
    assert_int_equal(h.failing_streak, 0);
    health_take(&h, &check, 1, 20 * SECOND);
    health_take(&h, &check, 1, 20 * SECOND);
    assert_int_equal(h.status, HEALTH_HEALTHY);
    health_take(&h, &check, 1, 20 * SECOND);
    assert_int_equal(h.status, HEALTH_UNHEALTHY);
}

static void the_start_period_forgives_until_the_first_success(void **unused)
{
    struct health h = {0};
    for (int i = 0; i < 10; i++)
        health_take(&h, &check, 1, 10 * SECOND - 1);
    assert_int_equal(h.status, HEALTH_STARTING);
    assert_int_equal(h.failing_streak, 0);
    health_take(&h, &check, 0, 5 * SECOND);
    for (int i = 0; i < 3; i++)
        health_take(&h, &check, 1, 6 * SECOND);
    assert_int_equal(h.status, HEALTH_UNHEALTHY);
    h = (struct health){0};
    for (int i = 0; i < 3; i++)
        health_take(&h, &check, 1, 10 * SECOND);
    assert_int_equal(h.status, HEALTH_UNHEALTHY);
}

static void it_is_looked_at_more_often_while_it_starts(void **unused)
{
    assert_int_equal(health_delay_ns(&check, HEALTH_STARTING, 0), 2 * SECOND);
    assert_int_equal(health_delay_ns(&check, HEALTH_STARTING, 9 * SECOND), 1 * SECOND);
    assert_int_equal(health_delay_ns(&check, HEALTH_STARTING, 10 * SECOND), 30 * SECOND);
    /* and once more when the period is over, if that comes first */
    assert_int_equal(health_delay_ns(&check, HEALTH_HEALTHY, 4 * SECOND), 6 * SECOND);
    struct health_check none = check;
    none.start_period_ns = 0;
    assert_int_equal(health_delay_ns(&none, HEALTH_STARTING, 0), 30 * SECOND);
}

static void what_the_spec_leaves_open_is_the_images_and_then_the_default(void **unused)
{
    dr_auto_json json_t *image =
        json_pack("{s:{s:[s,s],s:I,s:i}}", "Healthcheck", "Test", "CMD", "look",
                  "Interval", (json_int_t)(7 * SECOND), "Retries", 9);
    struct spec_health spec = {.timeout_ns = 4 * SECOND, .retries = 2};
    dr_auto_json json_t *plan = health_plan(&spec, image);
    assert_non_null(plan);
    struct health_check c = health_check_of(plan);
    assert_int_equal(c.interval_ns, 7 * SECOND);
    assert_int_equal(c.timeout_ns, 4 * SECOND);
    assert_int_equal(c.start_period_ns, 0);
    assert_int_equal(c.start_interval_ns, 5 * SECOND);
    assert_int_equal(c.retries, 2);
    assert_string_equal(json_string_value(json_array_get(dr_json_array(plan, "test"), 1)),
                        "look");
    char *own[] = {(char *)"CMD-SHELL", (char *)"mine", NULL};
    spec.test = own;
    dr_auto_json json_t *other = health_plan(&spec, image);
    assert_string_equal(
        json_string_value(json_array_get(dr_json_array(other, "test"), 0)), "CMD-SHELL");
}

static void none_and_nothing_are_no_check(void **unused)
{
    dr_auto_json json_t *image =
        json_pack("{s:{s:[s,s]}}", "Healthcheck", "Test", "CMD", "look");
    dr_auto_json json_t *off = json_pack("{s:{s:[s]}}", "Healthcheck", "Test", "NONE");
    dr_auto_json json_t *torn = json_pack("{s:{s:[i,s]}}", "Healthcheck", "Test", 1, "x");
    char *none[] = {(char *)"NONE", NULL};
    struct spec_health spec = {.test = none}, empty = {.interval_ns = SECOND};
    assert_null(health_plan(&spec, image));
    assert_null(health_plan(&empty, off));
    assert_null(health_plan(&empty, torn));
    assert_null(health_plan(&empty, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_unhealthy_after_as_many_failures_as_retries),
        cmocka_unit_test(one_success_makes_it_healthy_from_whatever_it_was),
        cmocka_unit_test(the_start_period_forgives_until_the_first_success),
        cmocka_unit_test(it_is_looked_at_more_often_while_it_starts),
        cmocka_unit_test(what_the_spec_leaves_open_is_the_images_and_then_the_default),
        cmocka_unit_test(none_and_nothing_are_no_check),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
