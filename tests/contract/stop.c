/* SPDX-License-Identifier: Apache-2.0 */
/* C18 and C22: stopping, and every signal. */
#include "contract.h"

#include <signal.h>
#include <unistd.h>

/* --- C18 --- */

static void C18_stop_sends_the_signal_and_returns_when_it_is_dead(void **s)
{
    listener("stops", 3);
    int64_t pid = pid_of("stops");
    OK(dray_container_stop(target, "stops", -1, NULL, ERR));
    assert_false(process_alive(pid));
    HAS(logged("stops"), "got TERM");
    assert_int_equal(state_of("stops").exit_code, 3);
    assert_int_equal(state_of("stops").phase, DRAY_EXITED);
}

static void C18_what_ignores_sigterm_is_killed_after_the_timeout(void **s)
{
    started(spec_sh("deaf", "trap '' TERM; echo ready; while :; do sleep 0.05; done"));
    wait_logged("deaf", "ready");
    int64_t pid = pid_of("deaf"), began = now_ms();
    OK(dray_container_stop(target, "deaf", 1, NULL, ERR));
    assert_true(now_ms() - began >= 900);
    assert_false(process_alive(pid));
    assert_int_equal(state_of("deaf").exit_code, 137);
}

static void C18_a_timeout_of_0_kills_at_once(void **s)
{
    listener("quick", 3);
    OK(dray_container_stop(target, "quick", 0, NULL, ERR));
    struct dray_state state = state_of("quick");
    assert_int_equal(state.phase, DRAY_EXITED);
    assert_true(state.exit_code == 137 || state.exit_code == 3);
}

static void C18_the_signal_is_the_image_s_or_the_spec_s(void **s)
{
    struct dray_spec *spec = keep_spec(dray_spec_new(conf));
    set(spec, "name", "image-s");
    add(spec, "entrypoint", "on-signal");
    add(spec, "args", "11");
    add(spec, "args", "USR1");
    add(spec, "args", "TERM");
    started(spec);
    wait_logged("image-s", "ready");
    OK(dray_container_stop(target, "image-s", -1, NULL, ERR));
    HAS(logged("image-s"), "got USR1");
    spec = spec_for("own", "on-signal", "12", "USR2", "TERM", NULL);
    set(spec, "stop_signal", "sigusr2");
    started(spec);
    wait_logged("own", "ready");
    OK(dray_container_stop(target, "own", -1, NULL, ERR));
    HAS(logged("own"), "got USR2");
}

static void C18_its_own_timeout_counts_when_none_is_given(void **s)
{
    struct dray_spec *spec =
        spec_sh("impatient", "trap '' TERM; echo ready; while :; do sleep 0.05; done");
    set(spec, "stop_timeout", "1");
    started(spec);
    wait_logged("impatient", "ready");
    int64_t began = now_ms();
    OK(dray_container_stop(target, "impatient", -1, NULL, ERR));
    assert_true(now_ms() - began >= 900 &&
                now_ms() - began < 9500); /* not 10 s, the default */
}

static void C18_stopping_a_stopped_one_succeeds_and_an_unknown_one_is_not_found(void **s)
{
    assert_int_equal(ran(spec_sh("done", "exit 7")).code, 7);
    OK(dray_container_stop(target, "done", -1, NULL, ERR));
    assert_int_equal(state_of("done").exit_code, 7);
    created(spec_for("made", "true", NULL));
    OK(dray_container_stop(target, "made", -1, NULL, ERR));
    assert_int_equal(state_of("made").phase, DRAY_INITIALIZING);
    FAILS(DRAY_ERR_NOT_FOUND, dray_container_stop(target, "nobody", -1, NULL, ERR),
          "nobody");
}

static void C18_every_process_of_it_is_gone_not_only_the_first(void **s)
{
    char *id = started(spec_sh("many", "trap 'exit 0' TERM; for i in 1 2 3 4 5; do sleep "
                                       "1000 & done; echo ready; while :; do sleep 0.05; "
                                       "done"));
    wait_logged("many", "ready");
    OK(dray_container_stop(target, "many", -1, NULL, ERR));
    /* its cgroup may be on its way out */
    SAME(shell(NULL,
               "find /sys/fs/cgroup -path '*dray/%s*' -name cgroup.procs -exec cat "
               "{} + 2>/dev/null || true",
               id),
         "");
}

static void C18_a_stop_ends_a_restart_policy_and_waiting_to_restart(void **s)
{
    struct dray_spec *spec = spec_sh("always", "exit 1");
    set(spec, "restart", "always");
    started(spec);
    EVENTUALLY(state_of("always").restart_count >= 1);
    OK(dray_container_stop(target, "always", 5, NULL, ERR));
    int64_t count = state_of("always").restart_count;
    sleep_ms(400);
    assert_int_equal(state_of("always").restart_count, count);
    assert_int_equal(state_of("always").phase, DRAY_EXITED);
}

static void C18_restart_is_stop_and_start_with_the_files_that_it_wrote(void **s)
{
    started(spec_sh("again", "echo x >>/count; wc -l </count; echo ready; exec on-signal "
                             "0 TERM"));
    wait_logged("again", "ready");
    int64_t pid = pid_of("again");
    OK(dray_container_restart(target, "again", 5, NULL, ERR));
    EVENTUALLY(strstr(logged("again"), "2\n"));
    assert_true(pid_of("again") > 0 && pid_of("again") != pid);
    /* of a stopped one: it runs */
    OK(dray_container_stop(target, "again", 0, NULL, ERR));
    OK(dray_container_restart(target, "again", 5, NULL, ERR));
    assert_int_equal(state_of("again").phase, DRAY_RUNNING);
    FAILS(DRAY_ERR_NOT_FOUND, dray_container_restart(target, "nobody", 5, NULL, ERR));
}

/* --- C22 --- */

/* Those that a shell can be told to catch; 32 and 33 are the C library's, 17 comes by
 * itself, 9 and 19 cannot be caught. */
static bool catchable(int number)
{
    if (number == SIGPIPE && runtime_is("youki"))
        return false; /* docs/internals/RUNTIMES.md, "SIGPIPE": the shell cannot trap it
                       */
    return number != 9 && number != 17 && number != 19 && number != 32 && number != 33;
}

static void C22_every_linux_signal_arrives(void **s)
{
    started(spec_sh("all",
                    "i=1; while [ $i -le 64 ]; do case $i in 9|17|19|32|33) ;; *) "
                    "trap \"echo got-$i.\" $i;; esac; i=$((i+1)); done; echo ready; "
                    "while :; do sleep 0.02; done"));
    wait_logged("all", "ready");
    for (int i = 1; i <= 64; i++) {
        if (catchable(i))
            OK(dray_container_kill(target, "all", text("%d", i), NULL, ERR));
        if (i == SIGCONT) /* a stop signal that comes too soon takes it away again */
            wait_logged("all", "got-18.");
    }
    for (int i = 1; i <= 64; i++)
        if (catchable(i))
            wait_logged("all", text("got-%d.", i));
    OK(dray_container_kill(target, "all", "CHLD", NULL, ERR));
    assert_int_equal(state_of("all").phase, DRAY_RUNNING);
    int64_t pid = pid_of("all");
    OK(dray_container_kill(target, "all", "STOP", NULL, ERR));
    EVENTUALLY(strstr(slurp(text("/proc/%lld/status", (long long)pid)), "T (stopped)"));
    OK(dray_container_kill(target, "all", "CONT", NULL, ERR));
    EVENTUALLY(!strstr(slurp(text("/proc/%lld/status", (long long)pid)), "T (stopped)"));
    OK(dray_container_kill(target, "all", "KILL", NULL, ERR));
    assert_int_equal(waited("all"), 137);
}

static void C22_names_in_any_case_with_or_without_sig_and_numbers(void **s)
{
    static const struct {
        const char *word;
        int number;
    } words[] = {
        {"HUP", SIGHUP},    {"sighup", SIGHUP},  {"SigUsr1", SIGUSR1},  {"usr2", SIGUSR2},
        {"10", SIGUSR1},    {"WINCH", SIGWINCH}, {"SIGPOLL", SIGPOLL},  {"io", SIGIO},
        {"PWR", SIGPWR},    {"SYS", SIGSYS},     {"stkflt", SIGSTKFLT}, {"rtmin", 34},
        {"SIGRTMIN+1", 35}, {"RTMAX", 64},       {"rtmax-2", 62},
    };
    started(spec_sh("named",
                    "i=1; while [ $i -le 64 ]; do case $i in 9|17|19|32|33) ;; *) "
                    "trap \"echo got-$i.\" $i;; esac; i=$((i+1)); done; echo "
                    "ready; while :; do sleep 0.02; done"));
    wait_logged("named", "ready");
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        OK(dray_container_kill(target, "named", words[i].word, NULL, ERR));
        wait_logged("named", text("got-%d.", words[i].number));
    }
}

static void C22_an_unknown_signal_is_invalid_and_nothing_is_sent(void **s)
{
    static const char *const bad[] = {"NOSUCH", "",    "0",        "65",       "-1",
                                      "9x",     "SIG", "RTMIN+99", "RTMAX-99", "KILL "};
    sleeper("target");
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        FAILS(DRAY_ERR_INVALID, dray_container_kill(target, "target", bad[i], NULL, ERR));
    assert_int_equal(state_of("target").phase, DRAY_RUNNING);
}

static void C22_kill_of_one_that_does_not_run_is_a_conflict(void **s)
{
    created(spec_for("still", "true", NULL));
    FAILS(DRAY_ERR_CONFLICT, dray_container_kill(target, "still", "TERM", NULL, ERR),
          "still");
    FAILS(DRAY_ERR_NOT_FOUND, dray_container_kill(target, "nobody", "TERM", NULL, ERR),
          "nobody");
}

TESTS(stop_tests, TEST(C18_stop_sends_the_signal_and_returns_when_it_is_dead),
      TEST(C18_what_ignores_sigterm_is_killed_after_the_timeout),
      TEST(C18_a_timeout_of_0_kills_at_once),
      TEST(C18_the_signal_is_the_image_s_or_the_spec_s),
      TEST(C18_its_own_timeout_counts_when_none_is_given),
      TEST(C18_stopping_a_stopped_one_succeeds_and_an_unknown_one_is_not_found),
      TEST(C18_every_process_of_it_is_gone_not_only_the_first),
      TEST(C18_a_stop_ends_a_restart_policy_and_waiting_to_restart),
      TEST(C18_restart_is_stop_and_start_with_the_files_that_it_wrote),
      TEST(C22_every_linux_signal_arrives),
      TEST(C22_names_in_any_case_with_or_without_sig_and_numbers),
      ANY_RUNTIME(C22_an_unknown_signal_is_invalid_and_nothing_is_sent),
      ANY_RUNTIME(C22_kill_of_one_that_does_not_run_is_a_conflict));
