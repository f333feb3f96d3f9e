/* SPDX-License-Identifier: Apache-2.0 */
/* C02, C33, C34: the host's requests against a transport that records what is sent and
 * plays canned answers (C34): exact bytes out, typed results and errors in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include "base/fs.h"
#include "host/pull.h"
#include "host/target.h"
#include "spec/table.h"

/* The other end: records every frame as a line "type/channel payload", and answers each
 * request with the same canned reply. */
struct helper {
    int in, out;
    enum wire_type type; /* WIRE_REPLY or WIRE_ERROR */
    const char *answer;
    struct dr_buf record;
    pthread_t thread;
    struct dray_target *target;
};

static void send_frame(int fd, enum wire_type type, uint32_t channel, const char *payload)
{
    unsigned char header[WIRE_HEADER_BYTES];
    wire_header_encode(&(struct wire_header){.length = (uint32_t)strlen(payload),
                                             .type = (uint8_t)type,
                                             .channel = channel},
                       header);
    assert_int_equal(dr_write_full(fd, header, sizeof header), 0);
    assert_int_equal(dr_write_full(fd, payload, strlen(payload)), 0);
}

static void *helper_main(void *arg)
{
    struct helper *helper = arg;
    struct dr_error err = DR_ERROR_INIT;
    unsigned char header[WIRE_HEADER_BYTES];
    char payload[4096];
    struct wire_header h;
    while (dr_read_full(helper->in, header, sizeof header) == sizeof header) {
        assert_int_equal(wire_header_decode(header, &h, &err), 0);
        assert_int_equal(dr_read_full(helper->in, payload, h.length), h.length);
        if (h.type != WIRE_ALIVE) /* a slow machine */
            assert_int_equal(dr_buf_addf(&helper->record, &err, "%u/%u %.*s\n", h.type,
                                         h.channel, (int)h.length, payload),
                             0);
        if (h.type == WIRE_REQUEST)
            send_frame(helper->out, helper->type, h.channel, helper->answer);
    }
    close(helper->in);
    close(helper->out);
    return NULL;
}

/* Gives out the pipes that were made beforehand, once. */
static int connect_once(void *arg, struct transport *ret, struct dr_error *err)
{
    struct transport *made = arg;
    if (made->spawn_count == 0)
        return dr_fail_at(err, DR_AT_TRANSPORT, DR_ERR_UNAVAILABLE, 0,
                          "no second helper");
    *ret = *made;
    made->spawn_count = 0;
    return 0;
}

static struct dray_target *open_on(int read_fd, int write_fd,
                                   struct dray_open_options *options)
{
    static struct transport made;
    made = (struct transport){
        .read_fd = read_fd, .write_fd = write_fd, .pid = -1, .spawn_count = 1};
    struct connector connector = {connect_once, &made};
    struct dray_target *target;
    struct dr_error err = DR_ERROR_INIT;
    options->size = sizeof *options;
    assert_int_equal(target_open(options, &connector, &target, &err), 0);
    return target;
}

static int call(struct dray_target *target, json_t *request, json_t **ret_reply,
                struct dr_error *err)
{
    struct limits none = {0};
    return request_call(target, request, &none, ret_reply, err);
}

static void helper_start(struct helper *helper, enum wire_type type, const char *answer)
{
    int to_helper[2], to_host[2];
    assert_int_equal(pipe2(to_helper, O_CLOEXEC), 0);
    assert_int_equal(pipe2(to_host, O_CLOEXEC), 0);
    *helper = (struct helper){.in = to_helper[0],
                              .out = to_host[1],
                              .type = type,
                              .answer = answer,
                              .record = DR_BUF_INIT(1 << 16)};
    assert_int_equal(dr_write_full(helper->out, WIRE_MAGIC, WIRE_MAGIC_BYTES), 0);
    send_frame(helper->out, WIRE_HELLO, 0, "{\"arch\":\"amd64\",\"protocol\":1}");
    assert_int_equal(pthread_create(&helper->thread, NULL, helper_main, helper), 0);
    struct dray_open_options options = {.root = "/r", .runtime = "crun"};
    helper->target = open_on(to_host[0], to_helper[1], &options);
}

/* What the host sent in all; owned. */
static char *helper_finish(struct helper *helper)
{
    dray_close(helper->target);
    pthread_join(helper->thread, NULL);
    return dr_buf_take(&helper->record);
}

#define OUR_HELLO                                                                        \
    "1/0 {\"alive_ms\":4000,\"build\":\"" DRAY_VERSION                                   \
    "\",\"protocol\":1,\"root\":\"/r\",\"runtime\":\"crun\"}\n"

static void c34_every_request_is_recorded_and_gets_its_canned_answer(void **state)
{
    struct helper helper;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_json json_t *reply = NULL;
    helper_start(&helper, WIRE_REPLY, "{\"exit_code\":42}");
    json_t *hello, *wait = request_new("container.wait"),
                   *kill = request_new("container.kill");
    assert_int_equal(target_hello(helper.target, &hello, &err), 0);
    assert_string_equal(dr_json_str(hello, "arch"), "amd64");
    json_decref(hello);
    assert_int_equal(dray_spawn_count(helper.target), 1);
    dr_json_set_str(wait, "id", "web");
    dr_json_set_str(kill, "id", "a b; $(c)"); /* C25: no shell on the way */
    dr_json_set_int(kill, "signal", 9);
    assert_int_equal(call(helper.target, wait, &reply, &err), 0);
    assert_int_equal(dr_json_int(reply, "exit_code", -1), 42);
    assert_int_equal(call(helper.target, kill, NULL, &err), 0);
    dr_auto_free char *sent = helper_finish(&helper);
    assert_string_equal(
        sent,
        OUR_HELLO "2/1 {\"id\":\"web\",\"op\":\"container.wait\"}\n"
                  "2/3 {\"id\":\"a b; $(c)\",\"op\":\"container.kill\",\"signal\":9}\n");
}

static void c32_a_canned_error_comes_back_whole(void **state)
{
    struct helper helper;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    helper_start(&helper, WIRE_ERROR,
                 "{\"kind\":\"start failed\",\"origin\":\"runtime\",\"code\":127,"
                 "\"text\":\"crun run failed (status 1): nosuch\",\"output\":\"a\\nb\"}");
    assert_int_equal(call(helper.target, request_new("x"), NULL, &err), -1);
    assert_int_equal(err.kind, DR_ERR_START);
    assert_int_equal(err.origin, DR_AT_RUNTIME);
    assert_int_equal(err.code, 127);
    assert_string_equal(err.text, "crun run failed (status 1): nosuch");
    assert_string_equal(err.output, "a\nb");
    free(helper_finish(&helper));
}

/* A session with a peer that says these words and is gone. */
static void expect_unavailable(const char *words, const char *text)
{
    int to_helper[2], to_host[2];
    assert_int_equal(pipe2(to_helper, O_CLOEXEC), 0);
    assert_int_equal(pipe2(to_host, O_CLOEXEC), 0);
    assert_int_equal(dr_write_full(to_host[1], words, strlen(words)), 0);
    close(to_host[1]);
    struct dray_open_options options = {};
    struct dray_target *target = open_on(to_host[0], to_helper[1], &options);
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    assert_int_equal(call(target, request_new("image.list"), NULL, &err), -1);
    assert_int_equal(err.kind, DR_ERR_UNAVAILABLE);
    assert_int_equal(err.origin, DR_AT_TRANSPORT);
    assert_string_equal(err.text, text);
    dray_close(target);
    close(to_helper[0]);
}

static void c33_a_dead_transport_is_an_error_at_once(void **state)
{
    expect_unavailable("", "the helper ended before it said anything");
}

static void c02_a_target_that_speaks_other_words_is_unavailable_with_them(void **state)
{
    expect_unavailable("There is no distribution with the supplied name.\r\n",
                       "no helper answered: There is no distribution with the supplied "
                       "name.\\x0d ");
}

static void c33_a_mute_target_is_unavailable_at_its_deadline(void **state)
{
    int to_helper[2], to_host[2];
    assert_int_equal(pipe2(to_helper, O_CLOEXEC), 0);
    assert_int_equal(pipe2(to_host, O_CLOEXEC), 0);
    struct dray_open_options options = {.connect_timeout_ms = 50};
    struct dray_target *target = open_on(to_host[0], to_helper[1], &options);
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    assert_int_equal(call(target, request_new("image.list"), NULL, &err), -1);
    assert_int_equal(err.kind, DR_ERR_UNAVAILABLE); /* C02: not misconfigured */
    assert_string_equal(err.text,
                        "local: the helper did not say hello in time (0.05 s); is the "
                        "machine overloaded, or stopped? A longer connect_timeout waits "
                        "longer");
    dray_close(target);
    close(to_helper[0]);
    close(to_host[1]);
}

static void c02_a_target_that_dray_does_not_know_is_refused_by_name(void **state)
{
    struct dray_open_options options = {.size = sizeof options,
                                        .target = "nosuch://dray"};
    struct dray_target *target;
    struct dray_error *err = NULL;
    assert_int_equal(dray_open_lazy(&options, &target, &err), -1);
    assert_int_equal(err->kind, DRAY_ERR_UNSUPPORTED);
    assert_string_equal(
        err->text, "target 'nosuch://dray' is of no kind that dray knows; it is local:, "
                   "ssh://[USER@]HOST[:PORT], wsl://[DISTRO] or exec://COMMAND");
    dray_error_free(err);
}

static void names_become_canonical_and_ids_stay(void **state)
{
    static const char id[] =
        "25abdf599b7707ee0f750db64cedf80a798bbc62ab29f7b68ce5c22a8ac314c0";
    static const struct {
        const char *typed, *name;
    } cases[] = {
        {"alpine", "docker.io/library/alpine:latest"},
        {"hello", "docker.io/library/hello:latest"},
        {"cafe",
         "docker.io/library/cafe:latest"}, /* the guest tries the id after the name */
        {"localhost:5000/x:1", "localhost:5000/x:1"},
        {"sha256:25ab", "sha256:25ab"},
        {id, id},
    };
    for (size_t i = 0; i < DR_COUNT(cases); i++) {
        struct dr_error err = DR_ERROR_INIT;
        dr_auto_free char *name = spec_image_name(cases[i].typed, &err);
        assert_non_null(name);
        assert_string_equal(name, cases[i].name);
    }
    struct dr_error err = DR_ERROR_INIT;
    assert_null(spec_image_name("Bad Name", &err));
    assert_int_equal(err.kind, DR_ERR_INVALID);
    assert_non_null(strstr(err.text, "Bad Name"));
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    alarm(60);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(c34_every_request_is_recorded_and_gets_its_canned_answer),
        cmocka_unit_test(c32_a_canned_error_comes_back_whole),
        cmocka_unit_test(c33_a_dead_transport_is_an_error_at_once),
        cmocka_unit_test(c33_a_mute_target_is_unavailable_at_its_deadline),
        cmocka_unit_test(c02_a_target_that_speaks_other_words_is_unavailable_with_them),
        cmocka_unit_test(c02_a_target_that_dray_does_not_know_is_refused_by_name),
        cmocka_unit_test(names_become_canonical_and_ids_stay),
    };
    return cmocka_run_group_tests_name("host session", tests, NULL, NULL);
}
