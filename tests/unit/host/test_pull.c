/* SPDX-License-Identifier: Apache-2.0 */
/* C07, C09, C11, C33: pulls, from a registry that misbehaves to a canned helper. */
#include "registry/fixture.h"

#include "canned.h"

#define MB "1048576"

/* The helper's side of a pull. */
struct guest {
    bool have;                /* an image of that name is there … */
    char digest[80];          /* … with this manifest */
    atomic_int layers, image; /* that came whole */
    atomic_int dropped;       /* layers that were given up */
    char *diff_ids;           /* of the request, as JSON */
};

static void reply_image(struct canned *canned, uint32_t channel,
                        const struct guest *guest)
{
    dr_auto_free char *text = dr_printf(
        "{\"id\":\"sha256:old\",\"digest\":\"%s\",\"refs\":[],\"config\":{\"os\":"
        "\"linux\",\"architecture\":\"amd64\"}}",
        guest->digest);
    canned_text(canned, guest->have ? WIRE_REPLY : WIRE_ERROR, channel, 0,
                guest->have ? text
                            : "{\"kind\":\"not found\",\"text\":\"no such image\"}");
}

static bool guest_frame(struct canned *canned, const struct wire_header *h,
                        const char *payload)
{
    struct guest *guest = canned->arg;
    static uint32_t image_channel;
    static int ends;
    if (h->type == WIRE_REQUEST) {
        struct dr_error err = DR_ERROR_INIT;
        dr_auto_json json_t *request = dr_json_parse(payload, h->length, 1 << 20, &err);
        const char *op = dr_json_str(request, "op");
        if (strcmp(op, "image.get") == 0)
            reply_image(canned, h->channel, guest);
        if (strcmp(op, "layers.missing") == 0) {
            dr_auto_json json_t *reply = json_object();
            dr_json_set(reply, "missing",
                        json_incref(json_object_get(request, "diff_ids")));
            dr_auto_free char *text = dr_json_text(reply);
            canned_text(canned, WIRE_REPLY, h->channel, 0, text);
        }
        if (strcmp(op, "image.put") == 0) {
            image_channel = h->channel;
            ends = 0;
        }
    } else if (h->type == WIRE_DATA && h->length > 0) {
        unsigned char window[4] = {(unsigned char)h->length,
                                   (unsigned char)(h->length >> 8),
                                   (unsigned char)(h->length >> 16), 0};
        canned_send(canned, WIRE_WINDOW, h->channel, h->stream, (char *)window, 4);
    } else if (h->type == WIRE_EOF && h->channel != image_channel) {
        atomic_fetch_add(&guest->layers, 1);
        canned_text(canned, WIRE_REPLY, h->channel, 0, "{\"entries\":1}");
    } else if (h->type == WIRE_EOF && ++ends == 2) {
        atomic_fetch_add(&guest->image, 1);
        canned_text(canned, WIRE_REPLY, h->channel, 0,
                    "{\"id\":\"sha256:new\",\"digest\":\"sha256:d\"}");
    } else if (h->type == WIRE_CANCEL) {
        atomic_fetch_add(&guest->dropped, 1);
        canned_text(canned, WIRE_ERROR, h->channel, 0,
                    "{\"kind\":\"cancelled\",\"text\":\"x\"}");
    }
    return true;
}

struct seen {
    int resolved, layers_done, retries;
    int64_t bytes, waited_ms;
    char why[300]; /* of the first retry */
};

static void on_step(void *arg, const struct dray_progress *step)
{
    struct seen *seen = arg;
    assert_int_equal(step->size, sizeof *step);
    if (step->what == DRAY_PROGRESS_RESOLVED)
        seen->resolved = (int)step->total;
    if (step->what == DRAY_PROGRESS_LAYER_DONE)
        seen->layers_done++;
    if (step->what == DRAY_PROGRESS_RETRY) {
        assert_null(step->layer);
        assert_non_null(step->why);
        if (seen->retries++ == 0)
            snprintf(seen->why, sizeof seen->why, "%s", step->why);
        seen->waited_ms += step->wait_ms;
    }
    if (step->what == DRAY_PROGRESS_LAYER && step->done > seen->bytes)
        seen->bytes = step->done;
}

static int pull(struct fixture *f, struct guest *guest, enum dray_pull_policy policy,
                const struct dray_call *call, struct seen *seen, char **ret_json,
                struct dray_error **ret_err)
{
    struct canned canned = {.on_frame = guest_frame, .arg = guest};
    dr_auto_free char *cache = in_dir(f, "cache");
    dr_auto_free char *name = dr_printf("127.0.0.1:%d/app:1", f->port);
    struct dray_open_options open = {.size = sizeof open, .cache_dir = cache};
    struct dray_pull_options options = {.size = sizeof options,
                                        .policy = policy,
                                        .progress = seen ? on_step : NULL,
                                        .progress_arg = seen};
    setenv("HOME", f->dir, 1); /* nobody's credentials */
    canned_open(&canned, &open);
    int rc = dray_image_pull(canned.target, name, &options, call, ret_json, ret_err);
    free(canned_finish(&canned));
    return rc;
}

static void c07_each_policy_asks_the_registry_when_it_should(void **state)
{
    struct fixture *f = *state;
    static const struct {
        enum dray_pull_policy policy;
        bool have, asked;
        int rc;
    } cases[] = {
        {DRAY_PULL_MISSING, false, true, 0}, {DRAY_PULL_MISSING, true, false, 0},
        {DRAY_PULL_ALWAYS, false, true, 0},  {DRAY_PULL_ALWAYS, true, true, 0},
        {DRAY_PULL_NEWER, false, true, 0},   {DRAY_PULL_NEWER, true, true, 0},
        {DRAY_PULL_NEVER, false, false, -1}, {DRAY_PULL_NEVER, true, false, 0},
    };
    make_image(f, "1", "--layer", MB, "--layer", "10", NULL);
    for (size_t i = 0; i < DR_COUNT(cases); i++) {
        struct guest guest = {.have = cases[i].have, .digest = "sha256:other"};
        struct dray_error *err = NULL;
        struct seen seen = {0};
        char *json = NULL;
        start_registry(f, NULL);
        assert_int_equal(pull(f, &guest, cases[i].policy, NULL, &seen, &json, &err),
                         cases[i].rc);
        dr_auto_free char *log = read_all(f->log);
        assert_int_equal(strstr(log, "/manifests/") != NULL, cases[i].asked);
        assert_int_equal(guest.image, cases[i].asked);
        assert_int_equal(guest.layers, cases[i].asked ? 2 : 0);
        assert_int_equal(seen.resolved, cases[i].asked ? 2 : 0);
        assert_int_equal(seen.layers_done, cases[i].asked ? 2 : 0);
        if (cases[i].rc < 0) {
            assert_int_equal(err->kind, DRAY_ERR_NOT_FOUND);
            assert_non_null(strstr(err->text, "the pull policy is never"));
            dray_error_free(err);
        } else {
            assert_non_null(
                strstr(json, cases[i].asked ? "\"pulled\":true" : "\"pulled\":false"));
        }
        dray_free(json);
    }
}

static void c07_newer_goes_on_without_a_registry_and_always_does_not(void **state)
{
    struct fixture *f = *state;
    struct guest guest = {.have = true, .digest = "sha256:other"};
    struct dray_error *err = NULL;
    char *json = NULL;
    f->port = 1; /* nobody listens there */
    assert_int_equal(pull(f, &guest, DRAY_PULL_NEWER, NULL, NULL, &json, &err), 0);
    assert_non_null(strstr(json, "\"id\":\"sha256:old\""));
    dray_free(json);
    assert_int_equal(pull(f, &guest, DRAY_PULL_ALWAYS, NULL, NULL, &json, &err), -1);
    assert_int_equal(err->kind, DRAY_ERR_PULL);
    assert_int_equal(err->origin, DRAY_AT_REGISTRY);
    dray_error_free(err);
}

static void a_wait_for_another_try_is_told_with_its_reason(void **state)
{
    struct fixture *f = *state;
    struct guest guest = {0};
    struct seen seen = {0};
    make_image(f, "1", "--layer", "10", NULL);
    /* each path once: the manifest, the config and the layer */
    start_registry(f, "--fault", "status=503@1", "--fault", "error=BUSY:tired", NULL);
    assert_int_equal(pull(f, &guest, DRAY_PULL_ALWAYS, NULL, &seen, NULL, NULL), 0);
    assert_int_equal(seen.retries, 3);
    assert_true(seen.waited_ms >= 3 * 250);
    if (!strstr(seen.why, "is in trouble (503)") || !strstr(seen.why, "BUSY: tired"))
        fail_msg("%s", seen.why);
    /* a line that breaks and has brought something is not worth a word */
    seen = (struct seen){0};
    make_image(f, "1", "--layer", MB, NULL);
    start_registry(f, "--fault", "reset=300000", NULL);
    assert_int_equal(pull(f, &guest, DRAY_PULL_ALWAYS, NULL, &seen, NULL, NULL), 0);
    assert_int_equal(seen.retries, 0);
}

static void *trigger_later(void *arg)
{
    usleep(300000);
    dray_cancel_trigger(arg);
    return NULL;
}

/* fault: where it hangs. Nothing half-made is announced to the helper. */
static void expect_given_up(struct fixture *f, const char *fault)
{
    pthread_t thread;
    struct dray_error *err = NULL;
    struct guest guest = {0};
    struct dray_call call = {.cancel = dray_cancel_new()};
    start_registry(f, "--fault", fault, NULL);
    int64_t before = dr_clock_ms();
    assert_int_equal(pthread_create(&thread, NULL, trigger_later, call.cancel), 0);
    assert_int_equal(pull(f, &guest, DRAY_PULL_MISSING, &call, NULL, NULL, &err), -1);
    assert_int_equal(err->kind, DRAY_ERR_CANCELLED);
    assert_true(dr_clock_ms() - before < 20000);
    assert_int_equal(guest.image, 0);
    assert_int_equal(guest.layers, 0);
    dray_error_free(err);
    pthread_join(thread, NULL);
    dray_cancel_free(call.cancel);
    call = (struct dray_call){.timeout_ms = 300};
    assert_int_equal(pull(f, &guest, DRAY_PULL_MISSING, &call, NULL, NULL, &err), -1);
    assert_int_equal(err->kind, DRAY_ERR_TIMEOUT);
    assert_true(dr_clock_ms() - before < 40000);
    assert_int_equal(guest.image, 0);
    dray_error_free(err);
}

static void c33_a_pull_is_given_up_at_once_wherever_it_is(void **state)
{
    struct fixture *f = *state;
    make_image(f, "1", "--layer", MB, NULL);
    expect_given_up(f, "stall=4096"); /* in the middle of a blob */
    expect_given_up(f, "slow=20000");
    expect_given_up(f, "delay=20000"); /* before the registry has said anything */
}

static void c32_what_the_registry_says_comes_through(void **state)
{
    struct fixture *f = *state;
    struct guest guest = {0};
    struct dray_error *err = NULL;
    make_image(f, "1", "--layer", "10", NULL);
    start_registry(f, "--fault", "status=403", "--fault", "error=DENIED:not for you",
                   NULL);
    assert_int_equal(pull(f, &guest, DRAY_PULL_MISSING, NULL, NULL, NULL, &err), -1);
    assert_int_equal(err->kind, DRAY_ERR_PULL);
    assert_int_equal(err->origin, DRAY_AT_REGISTRY);
    assert_int_equal(err->code, 403);
    assert_non_null(strstr(err->text, "not for you"));
    dray_error_free(err);
    assert_int_equal(guest.image, 0);
}

static void a_pull_of_nothing_or_by_no_policy_is_refused(void **state)
{
    struct canned canned = {.replies = (const char *[]){"{}"}, .reply_count = 1};
    struct dray_pull_options options = {.size = sizeof options, .policy = 9};
    struct dray_error *err = NULL;
    canned_open(&canned, NULL);
    assert_int_equal(dray_image_pull(canned.target, "", NULL, NULL, NULL, &err), -1);
    assert_int_equal(err->kind, DRAY_ERR_INVALID);
    dray_error_free(err);
    assert_int_equal(dray_image_pull(canned.target, "a", &options, NULL, NULL, &err), -1);
    assert_string_equal(err->text, "9 is no pull policy");
    dray_error_free(err);
    free(canned_finish(&canned));
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN); /* the canned end writes to pipes */
    alarm(170);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(c07_each_policy_asks_the_registry_when_it_should,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(a_wait_for_another_try_is_told_with_its_reason,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            c07_newer_goes_on_without_a_registry_and_always_does_not, setup, teardown),
        cmocka_unit_test_setup_teardown(c33_a_pull_is_given_up_at_once_wherever_it_is,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(c32_what_the_registry_says_comes_through, setup,
                                        teardown),
        cmocka_unit_test(a_pull_of_nothing_or_by_no_policy_is_refused),
    };
    return cmocka_run_group_tests_name("host pull", tests, NULL, NULL);
}
