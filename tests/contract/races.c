/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two calls for one container at a time, from two handles (so two helpers): one wins, the
 * other gets a typed error, or success where the call is idempotent; nothing is torn.
 * Each pair is run many times, shifted against each other by a little more each time;
 * then the machine must look as before.
 */
#include "contract.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

enum { LATEST_US = 4800 }; /* by so much is one of the last pair shifted */

/* A sanitized round takes as much of the processor as ten: there it is memory that is
 * looked at, and fewer will do. */
static int rounds(void)
{
    return getenv("DRAY_SANITIZED") ? 9 : 25;
}

struct racer {
    struct dray_target *handle;
    int (*act)(struct dray_target *handle, struct dray_error **ret_err);
    pthread_barrier_t *barrier;
    int delay_us;
    int result;
    struct dray_error *err;
};

static void *race_main(void *arg)
{
    struct racer *racer = arg;
    pthread_barrier_wait(racer->barrier);
    if (racer->delay_us)
        usleep((useconds_t)racer->delay_us);
    racer->result = racer->act(racer->handle, &racer->err);
    return NULL;
}

typedef int act_function(struct dray_target *handle, struct dray_error **ret_err);

/* What an action of a race may end with, besides success. */
static bool allowed(const struct racer *racer, unsigned kinds)
{
    return racer->result == 0 || (kinds >> racer->err->kind & 1);
}

#define KIND(kind) (1u << DRAY_ERR_##kind)

static void free_errors(struct racer racers[2])
{
    for (int i = 0; i < 2; i++)
        dray_error_free(racers[i].err);
}

static struct dray_target *other;

/* One round: odd ones let the first one begin later, even ones the second one. */
static void race(int round, act_function *first, act_function *second,
                 struct racer racers[2])
{
    pthread_barrier_t barrier;
    pthread_t threads[2];
    pthread_barrier_init(&barrier, NULL, 2);
    racers[0] = (struct racer){target, first, &barrier};
    racers[1] = (struct racer){other, second, &barrier};
    racers[round % 2].delay_us = round / 2 * LATEST_US / (rounds() / 2);
    for (int i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, race_main, &racers[i]);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    pthread_barrier_destroy(&barrier);
}

static void check(int round, struct racer racers[2], unsigned first, unsigned second)
{
    for (int i = 0; i < 2; i++)
        if (!allowed(&racers[i], i ? second : first))
            fail_msg("round %d, %s: %s: %s", round, i ? "second" : "first",
                     dray_kind_name(racers[i].err->kind), racers[i].err->text);
}

static void begin(void)
{
    struct dray_open_options options = same_target();
    other = opened(&options);
}

/* --- what races --- */

static int make(struct dray_target *handle, struct dray_error **ret_err)
{
    char id[DRAY_ID_SIZE];
    struct dray_spec *spec = dray_spec_new(busybox);
    int result = dray_spec_set(spec, "name", "raced", ret_err);
    if (result == 0)
        result = dray_spec_add(spec, "args", "sleep", ret_err);
    if (result == 0)
        result = dray_spec_add(spec, "args", "1000", ret_err);
    if (result == 0)
        result = dray_container_create(handle, spec, NULL, id, NULL, ret_err);
    dray_spec_free(spec);
    return result;
}

static int run(struct dray_target *handle, struct dray_error **ret_err)
{
    char id[DRAY_ID_SIZE];
    struct dray_spec *spec = dray_spec_new(busybox);
    int result = dray_spec_set(spec, "name", "raced", ret_err);
    if (result == 0)
        result = dray_spec_add(spec, "args", "sleep", ret_err);
    if (result == 0)
        result = dray_spec_add(spec, "args", "1000", ret_err);
    if (result == 0)
        result = dray_container_run_detached(handle, spec, NULL, id, NULL, ret_err);
    dray_spec_free(spec);
    return result;
}

static int start(struct dray_target *handle, struct dray_error **ret_err)
{
    return dray_container_start(handle, "raced", NULL, ret_err);
}

static int stop(struct dray_target *handle, struct dray_error **ret_err)
{
    return dray_container_stop(handle, "raced", 0, NULL, ret_err);
}

static int remove_it(struct dray_target *handle, struct dray_error **ret_err)
{
    return dray_container_remove(handle, "raced", false, true, NULL, ret_err);
}

static int remove_by_force(struct dray_target *handle, struct dray_error **ret_err)
{
    return dray_container_remove(handle, "raced", true, true, NULL, ret_err);
}

static int pause_it(struct dray_target *handle, struct dray_error **ret_err)
{
    return dray_container_pause(handle, "raced", NULL, ret_err);
}

static int rename_it(struct dray_target *handle, struct dray_error **ret_err)
{
    return dray_container_rename(handle, "raced", "renamed", NULL, ret_err);
}

static int exec(struct dray_target *handle, struct dray_error **ret_err)
{
    static const char *const argv[] = {"true", NULL};
    struct dray_exec_options options = {.size = sizeof options, .argv = argv};
    struct dray_exec_result result;
    if (dray_exec_run(handle, "raced", &options, 0, NULL, &result, ret_err) < 0)
        return -1;
    dray_exec_result_free(&result);
    return 0;
}

static int prune(struct dray_target *handle, struct dray_error **ret_err)
{
    char *json;
    if (dray_container_prune(handle, NULL, NULL, &json, ret_err) < 0)
        return -1;
    dray_free(json);
    return 0;
}

/* --- the races --- */

static void create_and_create_one_is_made_the_other_is_exists(void **s)
{
    struct racer racers[2];
    begin();
    for (int i = 0; i < rounds(); i++) {
        race(i, make, make, racers);
        check(i, racers, KIND(EXISTS), KIND(EXISTS));
        assert_int_equal((racers[0].result == 0) + (racers[1].result == 0), 1);
        free_errors(racers);
        SAME(names(), "raced");
        OK(dray_container_remove(target, "raced", false, true, NULL, ERR));
        SAME(names(), "");
    }
}

static void run_and_run_one_runs_the_other_is_exists(void **s)
{
    struct racer racers[2];
    begin();
    for (int i = 0; i < rounds(); i++) {
        race(i, run, run, racers);
        check(i, racers, KIND(EXISTS), KIND(EXISTS));
        assert_int_equal((racers[0].result == 0) + (racers[1].result == 0), 1);
        free_errors(racers);
        assert_int_equal(state_of("raced").phase, DRAY_RUNNING);
        OK(dray_container_remove(target, "raced", true, true, NULL, ERR));
        SAME(names(), "");
    }
}

static void start_and_start_it_runs_once(void **s)
{
    struct racer racers[2];
    begin();
    for (int i = 0; i < rounds(); i++) {
        char *id =
            created(spec_for("raced", "sh", "-c", "echo ran; exec sleep 1000", NULL));
        race(i, start, start, racers);
        check(i, racers, KIND(CONFLICT), KIND(CONFLICT));
        assert_true(racers[0].result == 0 || racers[1].result == 0);
        free_errors(racers);
        assert_int_equal(state_of("raced").phase, DRAY_RUNNING);
        wait_logged("raced", "ran");
        SAME(shell(NULL,
                   "cat $(find /sys/fs/cgroup -path '*pids*dray/%s/cgroup.procs' -o "
                   "-path '*unified*dray/%s/cgroup.procs' -o -path "
                   "'/sys/fs/cgroup/dray/%s/cgroup.procs' | head -n 1) | wc -l",
                   id, id, id),
             "1");
        OK(dray_container_remove(target, id, true, true, NULL, ERR));
    }
}

static void start_and_remove_it_runs_or_is_gone(void **s)
{
    struct racer racers[2];
    begin();
    for (int i = 0; i < rounds(); i++) {
        created(spec_for("raced", "sleep", "1000", NULL));
        race(i, start, remove_it, racers);
        check(i, racers, KIND(NOT_FOUND) | KIND(CONFLICT), KIND(CONFLICT));
        assert_true(racers[0].result == 0 || racers[1].result == 0);
        if (racers[1].result == 0) {
            SAME(names(), "");
        } else {
            SAME(names(), "raced");
            assert_int_equal(state_of("raced").phase, DRAY_RUNNING);
            OK(dray_container_remove(target, "raced", true, true, NULL, ERR));
        }
        free_errors(racers);
    }
}

static void start_and_remove_by_force_it_is_gone(void **s)
{
    struct racer racers[2];
    begin();
    for (int i = 0; i < rounds(); i++) {
        created(spec_for("raced", "sleep", "1000", NULL));
        race(i, start, remove_by_force, racers);
        check(i, racers, KIND(NOT_FOUND) | KIND(CONFLICT) | KIND(START), 0);
        free_errors(racers);
        SAME(names(), "");
    }
}

static void stop_and_stop_both_succeed_and_it_is_dead(void **s)
{
    struct racer racers[2];
    begin();
    for (int i = 0; i < rounds(); i++) {
        sleeper("raced");
        int64_t pid = pid_of("raced");
        race(i, stop, stop, racers);
        check(i, racers, 0, 0);
        free_errors(racers);
        assert_false(process_alive(pid));
        assert_int_equal(state_of("raced").exit_code, 137);
        OK(dray_container_remove(target, "raced", false, true, NULL, ERR));
    }
}

static void stop_and_start_it_is_whole_afterwards(void **s)
{
    struct racer racers[2];
    begin();
    for (int i = 0; i < rounds(); i++) {
        sleeper("raced");
        race(i, stop, start, racers);
        check(i, racers, 0, KIND(CONFLICT));
        free_errors(racers);
        enum dray_phase phase = state_of("raced").phase;
        assert_true(phase == DRAY_RUNNING || phase == DRAY_EXITED);
        if (phase == DRAY_RUNNING)
            assert_true(process_alive(pid_of("raced")));
        OK(dray_container_remove(target, "raced", true, true, NULL, ERR));
    }
}

static void remove_and_remove_it_is_gone_and_nobody_fails(void **s)
{
    struct racer racers[2];
    begin();
    for (int i = 0; i < rounds(); i++) {
        created(spec_for("raced", "true", NULL));
        race(i, remove_it, remove_it, racers);
        check(i, racers, KIND(CONFLICT), KIND(CONFLICT));
        assert_true(racers[0].result == 0 || racers[1].result == 0);
        free_errors(racers);
        SAME(names(), "");
    }
}

static void remove_by_force_twice_of_a_running_one(void **s)
{
    struct racer racers[2];
    begin();
    for (int i = 0; i < rounds(); i++) {
        sleeper("raced");
        int64_t pid = pid_of("raced");
        race(i, remove_by_force, remove_by_force, racers);
        check(i, racers, KIND(CONFLICT), KIND(CONFLICT));
        assert_true(racers[0].result == 0 || racers[1].result == 0);
        free_errors(racers);
        assert_false(process_alive(pid));
        SAME(names(), "");
    }
}

static void run_and_prune_what_runs_is_never_pruned(void **s)
{
    struct racer racers[2];
    begin();
    for (int i = 0; i < rounds(); i++) {
        race(i, run, prune, racers);
        check(i, racers, 0, 0);
        free_errors(racers);
        SAME(names(), "raced");
        assert_int_equal(state_of("raced").phase, DRAY_RUNNING);
        OK(dray_container_remove(target, "raced", true, true, NULL, ERR));
    }
}

static void pause_and_stop_it_is_dead_in_the_end(void **s)
{
    struct racer racers[2];
    begin();
    for (int i = 0; i < rounds(); i++) {
        sleeper("raced");
        int64_t pid = pid_of("raced");
        race(i, pause_it, stop, racers);
        check(i, racers, KIND(CONFLICT), 0);
        free_errors(racers);
        assert_int_equal(state_of("raced").phase, DRAY_EXITED);
        assert_false(process_alive(pid));
        OK(dray_container_remove(target, "raced", false, true, NULL, ERR));
    }
}

static void rename_and_create_of_the_old_name_names_stay_one_to_one(void **s)
{
    struct racer racers[2];
    begin();
    for (int i = 0; i < rounds(); i++) {
        created(spec_for("raced", "true", NULL));
        race(i, rename_it, make, racers);
        check(i, racers, 0, KIND(EXISTS));
        SAME(names(), racers[1].result == 0 ? "raced renamed" : "renamed");
        free_errors(racers);
        OK(dray_container_remove(target, "renamed", false, true, NULL, ERR));
        OK(dray_container_remove(target, "raced", false, true, NULL, ERR));
        SAME(names(), "");
    }
}

static void exec_and_stop_an_exec_runs_or_is_refused(void **s)
{
    struct racer racers[2];
    begin();
    for (int i = 0; i < rounds(); i++) {
        sleeper("raced");
        race(i, exec, stop, racers);
        check(i, racers, KIND(CONFLICT) | KIND(START), 0);
        free_errors(racers);
        assert_int_equal(state_of("raced").phase, DRAY_EXITED);
        OK(dray_container_remove(target, "raced", false, true, NULL, ERR));
    }
}

/* --- many threads on one handle --- */

static void *churn(void *arg)
{
    static _Thread_local struct dray_error *err;
    long number = (long)arg;
    char name[32], id[DRAY_ID_SIZE], *json;
    snprintf(name, sizeof name, "churn-%ld", number);
    for (int i = 0; i < rounds() / 6; i++) {
        struct dray_spec *spec = dray_spec_new(busybox);
        bool known;
        int code = -2;
        char want[16];
        snprintf(want, sizeof want, "exit %ld", number + i);
        bool good =
            dray_spec_set(spec, "name", name, &err) == 0 &&
            dray_spec_add(spec, "args", "sh", &err) == 0 &&
            dray_spec_add(spec, "args", "-c", &err) == 0 &&
            dray_spec_add(spec, "args", want, &err) == 0 &&
            dray_container_run_detached(target, spec, NULL, id, NULL, &err) == 0 &&
            dray_container_wait(target, name, NULL, &known, &code, &err) == 0 && known &&
            code == number + i &&
            dray_container_inspect(target, id, NULL, &json, &err) == 0;
        dray_spec_free(spec);
        if (good) {
            dray_free(json);
            good = dray_container_remove(target, id, false, true, NULL, &err) == 0;
        }
        if (!good) {
            print_error("%s: code %d: %s\n", name, code, err ? err->text : "");
            dray_error_free(err);
            err = NULL;
            return (void *)1;
        }
    }
    return NULL;
}

static void sixteen_threads_on_one_handle_each_live_their_own_lives(void **s)
{
    pthread_t threads[16];
    void *failed = NULL, *result;
    for (long i = 0; i < 16; i++)
        pthread_create(&threads[i], NULL, churn, (void *)(i * 4));
    for (int i = 0; i < 16; i++) {
        pthread_join(threads[i], &result);
        failed = result ? result : failed;
    }
    assert_null(failed);
    SAME(names(), "");
}

TESTS(race_tests, ANY_RUNTIME(create_and_create_one_is_made_the_other_is_exists),
      TEST(run_and_run_one_runs_the_other_is_exists), TEST(start_and_start_it_runs_once),
      TEST(start_and_remove_it_runs_or_is_gone),
      TEST(start_and_remove_by_force_it_is_gone),
      TEST(stop_and_stop_both_succeed_and_it_is_dead),
      TEST(stop_and_start_it_is_whole_afterwards),
      ANY_RUNTIME(remove_and_remove_it_is_gone_and_nobody_fails),
      TEST(remove_by_force_twice_of_a_running_one),
      ANY_RUNTIME(run_and_prune_what_runs_is_never_pruned),
      TEST(pause_and_stop_it_is_dead_in_the_end),
      ANY_RUNTIME(rename_and_create_of_the_old_name_names_stay_one_to_one),
      TEST(exec_and_stop_an_exec_runs_or_is_refused),
      TEST(sixteen_threads_on_one_handle_each_live_their_own_lives));
