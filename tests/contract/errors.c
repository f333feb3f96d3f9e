/* SPDX-License-Identifier: Apache-2.0 */
/* C32 to C34: kinds of errors, deadlines, and a transport that plays canned answers. */
#include "contract.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

/* --- C32 --- */

static void C32_kinds_have_their_names(void **s)
{
    SAME(dray_kind_name(DRAY_ERR_NOT_FOUND), "not found");
    SAME(dray_kind_name(DRAY_ERR_EXISTS), "exists");
    SAME(dray_kind_name(DRAY_ERR_PULL), "pull failed");
    SAME(dray_kind_name(DRAY_ERR_CREATE), "create failed");
    SAME(dray_kind_name(DRAY_ERR_START), "start failed");
    SAME(dray_kind_name(DRAY_ERR_INVALID), "invalid spec");
    SAME(dray_kind_name(DRAY_ERR_NETWORK), "network");
    SAME(dray_kind_name(DRAY_ERR_CONFIG), "configuration");
    SAME(dray_kind_name(DRAY_ERR_TIMEOUT), "timeout");
    SAME(dray_kind_name(DRAY_ERR_UNSUPPORTED), "unsupported");
    SAME(dray_kind_name(DRAY_ERR_UNAVAILABLE), "unavailable");
    SAME(dray_kind_name(DRAY_ERR_INTERNAL), "internal");
    assert_non_null(dray_kind_name((enum dray_kind)9999));
}

static void C32_a_failed_program_keeps_its_name_its_status_and_its_words_whole(void **s)
{
    struct dray_open_options options = same_target();
    options.runtime =
        fake_runtime("echo first line >&2; echo 'second: line' >&2; exit 7");
    struct dray_target *other = opened(&options);
    char *id = created(spec_for("broken", "true", NULL));
    FAILS(DRAY_ERR_START, dray_container_start(other, id, NULL, ERR), "failed (status 7)",
          "second: line");
    assert_int_equal(last_error->origin, DRAY_AT_RUNTIME);
    assert_int_equal(last_error->status, 7);
    HAS(last_error->program, "runtime");
    HAS(last_error->output, "first line\nsecond: line");
    LACKS(last_error->text, "\n"); /* one line for a person */
}

static void C32_a_program_that_was_killed_has_128_plus_its_signal(void **s)
{
    struct dray_open_options options = same_target();
    options.runtime = fake_runtime("kill -9 $$");
    struct dray_target *other = opened(&options);
    char *id = created(spec_for("killed", "true", NULL));
    FAILS(DRAY_ERR_START, dray_container_start(other, id, NULL, ERR), "signal 9");
    assert_int_equal(last_error->status, 137);
}

static void C32_the_real_runtime_s_words_come_through(void **s)
{
    /* no runtime knows before it tries that there is no such sysctl */
    struct dray_spec *spec = spec_for("sysctl", "true", NULL);
    add(spec, "sysctl", "net.no.such.key=1");
    created(spec);
    FAILS(DRAY_ERR_START, dray_container_start(target, "sysctl", NULL, ERR),
          "failed (status");
    HAS(runtime_path, last_error->program);
    assert_true(last_error->status > 0);
    assert_true(last_error->output && *last_error->output);
}

static void C32_a_command_that_is_not_there_is_127_and_one_that_cannot_run_126(void **s)
{
    created(spec_for("missing", "no-such-command", NULL));
    FAILS(DRAY_ERR_START, dray_container_start(target, "missing", NULL, ERR),
          "no-such-command");
    assert_int_equal(last_error->code, 127);
    assert_int_equal(last_error->origin, DRAY_AT_RUNTIME);
    created(spec_for("closed", "/usr/bin/not-executable", NULL));
    FAILS(DRAY_ERR_START, dray_container_start(target, "closed", NULL, ERR),
          "failed (status");
    assert_int_equal(last_error->code, 126);
}

/* Where runtimes give several lines that name it badly, or not at all. */
static void C32_a_reason_that_can_be_seen_is_told_in_one_line_of_ours(void **s)
{
    static const char *const argv[] = {"pwd", NULL};
    struct dray_exec_options exec = {.size = sizeof exec, .argv = argv};
    struct dray_exec_result result;
    char *id;
    struct dray_spec *spec = spec_for("no-directory", "true", NULL);
    set(spec, "workdir", "/etc/passwd");
    id = created(spec);
    FAILS(DRAY_ERR_INVALID, dray_container_start(target, id, NULL, ERR),
          "the working directory /etc/passwd is no directory");
    LACKS(last_error->text, "failed (status");
    /* and whose failure it was is there all the same */
    assert_non_null(last_error->program);
    assert_true(last_error->status != 0 && *last_error->output);
    sleeper("host");
    exec.workdir = "/no/where";
    FAILS(DRAY_ERR_INVALID, dray_exec_run(target, "host", &exec, 0, NULL, &result, ERR),
          "the working directory /no/where is not there");
    if (!runtime_is("youki"))
        return; /* the others need no second process, and leave a mounted device alone */
    spec = spec_for("too-few", "true", NULL);
    set(spec, "pids_limit", "1");
    FAILS(DRAY_ERR_CONFLICT, dray_container_start(target, created(spec), NULL, ERR),
          "limit of 1 processes", "--pids-limit");
    spec = spec_for("on-a-device", "true", NULL);
    add(spec, "volume", "/etc/passwd:/dev/null");
    FAILS(DRAY_ERR_UNSUPPORTED, dray_container_start(target, created(spec), NULL, ERR),
          "a mount at /dev/null", "youki");
}

static void C32_an_error_is_optional_and_results_are_written_on_success_only(void **s)
{
    char *json = (char *)"untouched";
    assert_int_equal(dray_container_inspect(target, "nobody", NULL, &json, NULL), -1);
    SAME(json, "untouched");
    dray_error_free(NULL);
}

static void C32_a_bad_spec_names_field_and_value(void **s)
{
    struct dray_spec *spec = spec_for(NULL, "true", NULL);
    FAILS(DRAY_ERR_INVALID, dray_spec_set(spec, "memory", "much", ERR), "memory", "much");
    FAILS(DRAY_ERR_INVALID, dray_spec_set(spec, "no_such_field", "x", ERR),
          "no_such_field");
    FAILS(DRAY_ERR_INVALID, dray_spec_set(spec, "restart", "sometimes", ERR), "restart",
          "sometimes");
    FAILS(DRAY_ERR_INVALID, dray_spec_set(spec, "restart", "on-failure:-1", ERR));
    FAILS(DRAY_ERR_INVALID, dray_spec_set(spec, "stop_signal", "NOSUCH", ERR), "NOSUCH");
    FAILS(DRAY_ERR_INVALID, dray_spec_set(spec, "tty", "maybe", ERR), "maybe");
    FAILS(DRAY_ERR_INVALID, dray_spec_add(spec, "env", "=x", ERR), "=x");
    FAILS(DRAY_ERR_INVALID, dray_spec_add(spec, "volume", "relative:/x:y:z", ERR));
}

static void C32_a_spec_survives_its_json_and_unknown_members_are_refused(void **s)
{
    struct dray_spec *spec = spec_for("as-json", "echo", "a b", NULL), *again;
    add(spec, "env", "K=\xc3\xa4");
    set(spec, "memory", "64m");
    char *json = keep(dray_spec_to_json(spec));
    OK(dray_spec_from_json(json, &again, ERR));
    keep_spec(again);
    SAME(keep(dray_spec_to_json(again)), json);
    SAME(ran(again).out, "a b\n");
    FAILS(DRAY_ERR_INVALID,
          dray_spec_from_json("{\"image\":\"x\",\"nope\":1}", &again, ERR), "nope");
    int result = dray_spec_from_json("{\"image\"", &again, ERR);
    assert_int_equal(result, -1);
    assert_true(last_error->kind == DRAY_ERR_INVALID ||
                last_error->kind == DRAY_ERR_FORMAT);
}

/* --- C33 --- */

static char *hanging_runtime(void)
{
    return fake_runtime("exec sleep 997");
}

static bool nobody_hangs(void)
{
    int status;
    shell(&status, "pgrep -xf 'sleep 997'");
    return status != 0;
}

static void C33_the_deadline_of_a_call_holds_and_what_it_did_is_undone(void **s)
{
    struct dray_open_options options = same_target();
    options.runtime = hanging_runtime();
    struct dray_target *other = opened(&options);
    char *id = created(spec_for("hangs", "true", NULL)), new_id[DRAY_ID_SIZE];
    struct dray_call brief = {.timeout_ms = 300};
    int64_t began = now_ms();
    FAILS(DRAY_ERR_TIMEOUT, dray_container_start(other, id, &brief, ERR));
    assert_true(now_ms() - began >= 250 && now_ms() - began < 10000);
    EVENTUALLY(nobody_hangs());
    FAILS(DRAY_ERR_TIMEOUT,
          dray_container_run_detached(other, spec_for("run", "true", NULL), &brief,
                                      new_id, NULL, ERR));
    EVENTUALLY(nobody_hangs());
    EVENTUALLY(strcmp(names(), "hangs") == 0);
    EVENTUALLY(dray_container_start(target, id, NULL, ERR) == 0);
    assert_int_equal(waited(id), 0);
}

struct calling {
    struct dray_target *handle;
    const char *container;
    struct dray_call call;
    int result;
    struct dray_error *err;
    int64_t done_ms;
};

static void *wait_main(void *arg)
{
    struct calling *calling = arg;
    bool known;
    int code;
    calling->result = dray_container_wait(calling->handle, calling->container,
                                          &calling->call, &known, &code, &calling->err);
    calling->done_ms = now_ms();
    return NULL;
}

static void free_cancel(void *cancel)
{
    dray_cancel_free(cancel);
}
static void free_error(void *err)
{
    dray_error_free(err);
}

static void C33_a_token_cancels_every_call_that_has_it_at_once(void **s)
{
    struct dray_cancel *cancel = dray_cancel_new();
    struct calling calls[4];
    pthread_t threads[4];
    defer(free_cancel, cancel);
    sleeper("waited");
    for (int i = 0; i < 4; i++) {
        calls[i] = (struct calling){target, "waited", {.cancel = cancel}};
        pthread_create(&threads[i], NULL, wait_main, &calls[i]);
    }
    sleep_ms(50);
    int64_t began = now_ms();
    dray_cancel_trigger(cancel);
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        defer(free_error, calls[i].err);
        assert_int_equal(calls[i].result, -1);
        assert_int_equal(calls[i].err->kind, DRAY_ERR_CANCELLED);
        assert_true(calls[i].done_ms - began < 10000);
    }
    struct dray_call call = {.cancel = cancel};
    struct dray_state state;
    FAILS(DRAY_ERR_CANCELLED, dray_container_state(target, "waited", &call, &state, ERR));
    assert_int_equal(state_of("waited").phase, DRAY_RUNNING);
}

static void *trigger_later(void *cancel)
{
    sleep_ms(200);
    dray_cancel_trigger(cancel);
    return NULL;
}

/* Opening does not wait for the far side, so every wait for it has the caller's limits.
 */
static void C33_a_far_side_that_hangs_ends_at_the_deadline_or_when_cancelled(void **s)
{
    struct dray_open_options options = same_target();
    struct dray_target *other;
    char *json;
    struct dray_cancel *cancel = dray_cancel_new();
    struct dray_call call = {.cancel = cancel}, shortly = {.timeout_ms = 50};
    defer(free_cancel, cancel);
    options.target = "exec://sh -c sleep%201000";
    OK(dray_open_lazy(&options, &other, ERR));
    keep_target(other);
    FAILS(DRAY_ERR_TIMEOUT, dray_info(other, &shortly, &json, ERR));
    pthread_t thread;
    pthread_create(&thread, NULL, trigger_later, cancel);
    FAILS(DRAY_ERR_CANCELLED, dray_info(other, &call, &json, ERR));
    pthread_join(thread, NULL);
    options.connect_timeout_ms = 100;
    FAILS(DRAY_ERR_UNAVAILABLE, dray_open(&options, &other, ERR), "did not answer");
}

static void C33_a_cancelled_start_is_undone(void **s)
{
    struct dray_open_options options = same_target();
    options.runtime = hanging_runtime();
    struct dray_target *other = opened(&options);
    char *id = created(spec_for("given-up", "true", NULL));
    struct dray_cancel *cancel = dray_cancel_new();
    struct dray_call call = {.cancel = cancel};
    pthread_t thread;
    defer(free_cancel, cancel);
    pthread_create(&thread, NULL, trigger_later, cancel);
    FAILS(DRAY_ERR_CANCELLED, dray_container_start(other, id, &call, ERR));
    pthread_join(thread, NULL);
    EVENTUALLY(nobody_hangs());
    EVENTUALLY(is_phase(id, DRAY_INITIALIZING));
}

static void
C33_a_dead_helper_is_an_error_at_once_and_the_next_call_starts_another(void **s)
{
    struct dray_open_options options = same_target();
    struct dray_target *other = opened(&options);
    char *json;
    OK(dray_hello(other, &json, ERR));
    pid_t helper = (pid_t)int_at(parsed(json), "pid");
    sleeper("goes-on");
    struct calling calls[3];
    pthread_t threads[3];
    int64_t monitor = monitor_of("goes-on");
    int before = descriptors(monitor);
    for (int i = 0; i < 3; i++) {
        calls[i] = (struct calling){other, "goes-on"};
        pthread_create(&threads[i], NULL, wait_main, &calls[i]);
    }
    /* all are there: one that came after the kill would have the next helper, and wait */
    for (int i = 0; i < 500 && descriptors(monitor) < before + 3; i++)
        sleep_ms(10);
    int64_t began = now_ms();
    kill(helper, SIGKILL);
    for (int i = 0; i < 3; i++) {
        pthread_join(threads[i], NULL);
        defer(free_error, calls[i].err);
        assert_int_equal(calls[i].result, -1);
        assert_int_equal(calls[i].err->kind, DRAY_ERR_UNAVAILABLE);
        assert_true(calls[i].done_ms - began < 10000);
    }
    struct dray_state state;
    OK(dray_container_state(other, "goes-on", NULL, &state, ERR));
    assert_int_equal(state.phase, DRAY_RUNNING);
    assert_int_equal(dray_spawn_count(other), 2);
}

static void C33_a_helper_that_stands_still_meets_the_deadline(void **s)
{
    struct dray_open_options options = same_target();
    struct dray_target *other;
    char *json;
    OK(dray_open(&options, &other, ERR));
    OK(dray_hello(other, &json, ERR));
    pid_t helper = (pid_t)int_at(parsed(json), "pid");
    struct dray_call brief = {.timeout_ms = 200};
    kill(helper, SIGSTOP);
    int result = dray_info(other, &brief, &json, ERR);
    kill(helper, SIGCONT);
    FAILS(DRAY_ERR_TIMEOUT, result);
    OK(dray_info(other, NULL, &json, ERR)); /* the handle is still good */
    dray_free(json);
    kill(helper, SIGSTOP);
    int64_t began = now_ms();
    dray_close(other); /* and closing it does not wait for ever */
    assert_true(now_ms() - began < 20000);
}

static void C33_wait_and_streams_take_a_deadline_too(void **s)
{
    struct dray_call brief = {.timeout_ms = 100};
    bool known;
    int code;
    sleeper("long");
    FAILS(DRAY_ERR_TIMEOUT,
          dray_container_wait(target, "long", &brief, &known, &code, ERR));
    struct dray_stream *stream;
    struct dray_event event;
    struct dray_logs_options options = DRAY_LOGS_INIT;
    options.follow = true;
    OK(dray_container_logs(target, "long", &options, NULL, &stream, ERR));
    keep_stream(stream);
    FAILS(DRAY_ERR_TIMEOUT, dray_stream_next(stream, &brief, &event, ERR));
}

static void C33_a_registry_that_accepts_and_says_nothing_meets_the_deadline(void **s)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(fd, 16), 0);
    getsockname(fd, (struct sockaddr *)&address, &size);
    struct dray_call brief = {.timeout_ms = 300};
    int64_t began = now_ms();
    int result =
        dray_image_pull(target, text("127.0.0.1:%d/silent:1", ntohs(address.sin_port)),
                        NULL, &brief, NULL, ERR);
    close(fd);
    FAILS(DRAY_ERR_TIMEOUT, result);
    assert_true(now_ms() - began < 10000);
}

static void C33_closing_gives_up_what_runs(void **s)
{
    struct dray_open_options options = same_target();
    struct dray_target *other;
    struct dray_stream *stream;
    OK(dray_open(&options, &other, ERR));
    sleeper("kept");
    OK(dray_container_attach(other, "kept", NULL, NULL, &stream, ERR));
    dray_stream_free(stream);
    dray_close(other);
    assert_int_equal(state_of("kept").phase, DRAY_RUNNING);
}

/* --- C34 --- */

/* A target whose helper is canned.py; answers: JSON. ret_place: where its record is. */
static struct dray_target *canned(const char *answers, char **ret_place)
{
    char *place = scratch();
    char *helpers =
        shell(NULL, "cp -r '%s/bin' '%s/bin'; echo '%s'/bin/*", root, place, place);
    spill(text("%s/answers.json", helpers), answers, 0600);
    shell(NULL,
          "for f in '%s'/*; do case $f in *.json) ;; *) cp "
          "'%s/../../contract/canned.py' \"$f\";; esac; done",
          helpers, getenv("CONTRACT_LIB"));
    struct dray_open_options options = same_target();
    options.root = place;
    options.runtime = "crun";
    *ret_place = helpers;
    return opened(&options);
}

static void C34_every_request_is_recorded_and_gets_its_canned_answer(void **s)
{
    char *place;
    struct dray_target *other = canned(
        "{\"container.wait\":[3,{\"exit_code\":42}],"
        "\"container.kill\":[4,{\"kind\":\"conflict\",\"origin\":\"guest\",\"code\":0,"
        "\"text\":\"it sleeps\"}],\"container.stop\":[3,{}]}",
        &place);
    bool known;
    int code;
    OK(dray_container_wait(other, "web", NULL, &known, &code, ERR));
    assert_true(known);
    assert_int_equal(code, 42);
    FAILS(DRAY_ERR_CONFLICT,
          dray_container_kill(other, "a b; $(c)", "sigusr1", NULL, ERR), "it sleeps");
    OK(dray_container_stop(other, "web", 7, NULL, ERR));
    SAME(slurp(text("%s/record", place)),
         "{\"id\": \"web\", \"op\": \"container.wait\"}\n"
         "{\"id\": \"a b; $(c)\", \"op\": \"container.kill\", \"signal\": 10}\n"
         "{\"id\": \"web\", \"op\": \"container.stop\", \"timeout_s\": 7}\n");
}

static void C34_one_call_is_one_request(void **s)
{
    char *place;
    struct dray_target *other = canned("{\"container.run\":[3,{}],"
                                       "\"container.remove\":[3,{\"id\":\"x\"}]}",
                                       &place);
    OK(dray_container_remove(other, "x", true, true, NULL, ERR));
    SAME(slurp(text("%s/record", place)),
         "{\"force\": true, \"id\": \"x\", \"op\": \"container.remove\", \"volumes\": "
         "true}\n");
    assert_int_equal(dray_spawn_count(other), 1);
}

static void C34_an_answer_that_makes_no_sense_is_an_error_not_a_crash(void **s)
{
    static const char *const answers[] = {"[]", "null", "{}", "{\"exit_code\":\"x\"}",
                                          "7"};
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        char *place;
        struct dray_target *other =
            canned(text("{\"container.wait\":[3,%s],\"container.state\":[3,%s],"
                        "\"container.inspect\":[3,%s]}",
                        answers[i], answers[i], answers[i]),
                   &place);
        bool known = true;
        int code = 0;
        struct dray_state state;
        /* whatever it is: never a made-up exit code (C21) */
        if (dray_container_wait(other, "web", NULL, &known, &code, ERR) == 0)
            assert_false(known);
        (void)!dray_container_state(other, "web", NULL, &state, ERR);
    }
}

TESTS(error_tests, ANY_RUNTIME(C32_kinds_have_their_names),
      ANY_RUNTIME(C32_a_failed_program_keeps_its_name_its_status_and_its_words_whole),
      ANY_RUNTIME(C32_a_program_that_was_killed_has_128_plus_its_signal),
      TEST(C32_the_real_runtime_s_words_come_through),
      TEST(C32_a_command_that_is_not_there_is_127_and_one_that_cannot_run_126),
      TEST(C32_a_reason_that_can_be_seen_is_told_in_one_line_of_ours),
      ANY_RUNTIME(C32_an_error_is_optional_and_results_are_written_on_success_only),
      ANY_RUNTIME(C32_a_bad_spec_names_field_and_value),
      ANY_RUNTIME(C32_a_spec_survives_its_json_and_unknown_members_are_refused),
      ANY_RUNTIME(C33_the_deadline_of_a_call_holds_and_what_it_did_is_undone),
      TEST(C33_a_token_cancels_every_call_that_has_it_at_once),
      TEST(C33_a_cancelled_start_is_undone),
      ANY_RUNTIME(C33_a_far_side_that_hangs_ends_at_the_deadline_or_when_cancelled),
      ANY_RUNTIME(C33_a_dead_helper_is_an_error_at_once_and_the_next_call_starts_another),
      ANY_RUNTIME(C33_a_helper_that_stands_still_meets_the_deadline),
      ANY_RUNTIME(C33_wait_and_streams_take_a_deadline_too),
      ANY_RUNTIME(C33_a_registry_that_accepts_and_says_nothing_meets_the_deadline),
      TEST(C33_closing_gives_up_what_runs),
      ANY_RUNTIME(C34_every_request_is_recorded_and_gets_its_canned_answer),
      ANY_RUNTIME(C34_one_call_is_one_request),
      ANY_RUNTIME(C34_an_answer_that_makes_no_sense_is_an_error_not_a_crash));
