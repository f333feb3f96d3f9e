/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "guest/container/policy.h"

static const struct restart_end well = {.known = true, .exit_code = 0};
static const struct restart_end failed = {.known = true, .exit_code = 1};
static const struct restart_end unseen = {.known = false};
static const struct restart_end stopped = {
    .known = true, .exit_code = 143, .stopped = true};

static struct restart_rule rule(enum restart_policy policy)
{
    return (struct restart_rule){.policy = policy};
}

static void each_policy_wants_its_own_ends(void **unused)
{
    struct {
        enum restart_policy policy;
        bool well, failed, unseen, stopped;
    } rows[] = {{RESTART_NO, false, false, false, false},
                {RESTART_ON_FAILURE, false, true, true, false},
                {RESTART_ALWAYS, true, true, true, false},
                {RESTART_UNLESS_STOPPED, true, true, true, false},
                {RESTART_SCHEDULED, true, true, true, false}};
    for (size_t i = 0; i < DR_COUNT(rows); i++) {
        struct restart_rule r = rule(rows[i].policy);
        assert_int_equal(restart_wanted(&r, &well), rows[i].well);
        assert_int_equal(restart_wanted(&r, &failed), rows[i].failed);
        assert_int_equal(restart_wanted(&r, &unseen), rows[i].unseen);
        assert_int_equal(restart_wanted(&r, &stopped), rows[i].stopped);
    }
}

static void after_a_boot_always_alone_forgets_that_a_person_stopped_it(void **unused)
{
    struct {
        enum restart_policy policy;
        bool well, failed, unseen, stopped;
    } rows[] = {{RESTART_NO, false, false, false, false},
                {RESTART_ON_FAILURE, false, true, true, false},
                {RESTART_ALWAYS, true, true, true, true},
                {RESTART_UNLESS_STOPPED, true, true, true, false},
                {RESTART_SCHEDULED, true, true, true, false}};
    for (size_t i = 0; i < DR_COUNT(rows); i++) {
        struct restart_rule r = rule(rows[i].policy);
        assert_int_equal(restart_wanted_after_boot(&r, &well), rows[i].well);
        assert_int_equal(restart_wanted_after_boot(&r, &failed), rows[i].failed);
        assert_int_equal(restart_wanted_after_boot(&r, &unseen), rows[i].unseen);
        assert_int_equal(restart_wanted_after_boot(&r, &stopped), rows[i].stopped);
    }
}

static void on_failure_counts_up_to_its_number(void **unused)
{
    struct restart_rule r = {.policy = RESTART_ON_FAILURE, .max = 3, .count = 2};
    assert_true(restart_wanted(&r, &failed));
    r.count = 3;
    assert_false(restart_wanted(&r, &failed));
    assert_false(restart_wanted_after_boot(&r, &failed));
    r.max = 0; /* no number: for ever */
    r.count = 1000000;
    assert_true(restart_wanted(&r, &failed));
}

static void
the_delay_doubles_from_100_ms_to_a_minute_and_begins_again_after_10_s(void **unused)
{
    static const int64_t expected[] = {100,  200,   400,   800,   1600,  3200,
                                       6400, 12800, 25600, 51200, 60000, 60000};
    int64_t delay = 0;
    for (size_t i = 0; i < DR_COUNT(expected); i++) {
        delay = restart_delay_ms(delay, 9999);
        assert_int_equal(delay, expected[i]);
    }
    assert_int_equal(restart_delay_ms(delay, 10000), 100);
}

static void the_state_says_the_rule_and_unknown_words_are_none(void **unused)
{
    dr_auto_json json_t *state = json_pack("{s:s,s:i,s:i}", "restart", "on-failure",
                                           "restart_max", 5, "restart_count", 2);
    struct restart_rule r = restart_rule_of(state);
    assert_int_equal(r.policy, RESTART_ON_FAILURE);
    assert_int_equal(r.max, 5);
    assert_int_equal(r.count, 2);
    static const struct {
        const char *name;
        enum restart_policy policy;
    } names[] = {{"no", RESTART_NO},
                 {"always", RESTART_ALWAYS},
                 {"unless-stopped", RESTART_UNLESS_STOPPED},
                 {"sometimes", RESTART_NO}};
    for (size_t i = 0; i < DR_COUNT(names); i++) {
        dr_json_set_str(state, "restart", names[i].name);
        assert_int_equal(restart_rule_of(state).policy, names[i].policy);
    }
    assert_int_equal(restart_rule_of(NULL).policy, RESTART_NO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_policy_wants_its_own_ends),
        cmocka_unit_test(after_a_boot_always_alone_forgets_that_a_person_stopped_it),
        cmocka_unit_test(on_failure_counts_up_to_its_number),
        cmocka_unit_test(
            the_delay_doubles_from_100_ms_to_a_minute_and_begins_again_after_10_s),
        cmocka_unit_test(the_state_says_the_rule_and_unknown_words_are_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
