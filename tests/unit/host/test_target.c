/* SPDX-License-Identifier: Apache-2.0 */
/* C02, C32, C33, C34: opening, losing and finding a target again, and what each function
 * of dray.h asks and makes of the answer. */
#include "canned.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/text.h"

/* --- one function, one request --- */

static struct dray_target *t; /* of the call that runs just now */
static struct dray_error *e;
static char *text;
static char id[DRAY_ID_SIZE];
static struct dray_state container_state;
static bool known;
static int code;
static int64_t number;
static struct dray_path_stat path_stat;
static char *const filters[] = {(char *)"label=x", NULL};
static char *const labels[] = {(char *)"k=v", NULL};
static const char *const changes[] = {
    "memory", "64m", "cpus", "1.5", "pids_limit", "-1", "restart", "on-failure:3", NULL};
static const struct dray_commit_options commit = {
    .size = sizeof commit, .name = "new", .message = "m", .no_pause = true};

static const struct dray_subnet subnet = {"10.0.0.0/24", "10.0.0.9", NULL};
static const struct dray_network_options network = {.size = sizeof network,
                                                    .subnets = &subnet,
                                                    .subnet_count = 1,
                                                    .internal = true,
                                                    .mtu = 1300,
                                                    .labels = labels};
static const struct dray_connect_options connect_to = {
    .size = sizeof connect_to, .ip = "10.0.0.7", .aliases = labels};

static int create(void)
{
    struct dray_spec *spec = dray_spec_new("alpine");
    assert_int_equal(dray_spec_set(spec, "name", "web", NULL), 0);
    assert_int_equal(dray_spec_add(spec, "args", "a b", NULL), 0);
    int rc = dray_container_create(t, spec, NULL, id, &text, &e);
    dray_spec_free(spec);
    return rc;
}

/* name, call, request without its braces, reply, text that comes back (or NULL) */
#define CALLS(X)                                                                         \
    X(info, dray_info(t, NULL, &text, &e), "\"op\":\"system.info\"", "{\"cpus\":2}",     \
      "{\"cpus\":2}")                                                                    \
    X(df, dray_disk_usage(t, NULL, &text, &e), "\"op\":\"system.df\"", "{\"x\":1}",      \
      "{\"x\":1}")                                                                       \
    X(create, create(),                                                                  \
      "\"op\":\"container.create\",\"spec\":{\"args\":[\"a b\"],\"image\":\"docker.io/"  \
      "library/alpine:latest\",\"name\":\"web\"}",                                       \
      "{\"id\":\"c0ffee\",\"warnings\":[\"w\"]}", "[\"w\"]")                             \
    X(start, dray_container_start(t, "web", NULL, &e),                                   \
      "\"id\":\"web\",\"op\":\"container.start\"", "{}", NULL)                           \
    X(stop, dray_container_stop(t, "web", -1, NULL, &e),                                 \
      "\"id\":\"web\",\"op\":\"container.stop\"", "{}", NULL)                            \
    X(stop_in, dray_container_stop(t, "web", 3, NULL, &e),                               \
      "\"id\":\"web\",\"op\":\"container.stop\",\"timeout_s\":3", "{}", NULL)            \
    X(restart, dray_container_restart(t, "web", 0, NULL, &e),                            \
      "\"id\":\"web\",\"op\":\"container.restart\",\"timeout_s\":0", "{}", NULL)         \
    X(kill, dray_container_kill(t, "web", "hup", NULL, &e),                              \
      "\"id\":\"web\",\"op\":\"container.kill\",\"signal\":1", "{}", NULL)               \
    X(pause, dray_container_pause(t, "web", NULL, &e),                                   \
      "\"id\":\"web\",\"op\":\"container.pause\"", "{}", NULL)                           \
    X(unpause, dray_container_unpause(t, "web", NULL, &e),                               \
      "\"id\":\"web\",\"op\":\"container.unpause\"", "{}", NULL)                         \
    X(remove_, dray_container_remove(t, "web", true, false, NULL, &e),                   \
      "\"force\":true,\"id\":\"web\",\"op\":\"container.remove\",\"volumes\":false",     \
      "{\"id\":\"x\"}", NULL)                                                            \
    X(rename_, dray_container_rename(t, "web", "new", NULL, &e),                         \
      "\"id\":\"web\",\"name\":\"new\",\"op\":\"container.rename\"", "{}", NULL)         \
    X(update, dray_container_update(t, "web", changes, NULL, &e),                        \
      "\"id\":\"web\",\"memory_bytes\":67108864,\"nano_cpus\":1500000000,\"op\":"        \
      "\"container.update\",\"pids_limit\":-1,\"restart\":\"on-failure\","               \
      "\"restart_max\":3",                                                               \
      "{}", NULL)                                                                        \
    X(state, dray_container_state(t, "web", NULL, &container_state, &e),                 \
      "\"id\":\"web\",\"op\":\"container.state\"",                                       \
      "{\"status\":\"exited\",\"exit_code\":137,\"finished_ns\":5,\"oom_killed\":true,"  \
      "\"health\":\"unhealthy\",\"restart_count\":2,\"error\":\"why\",\"run_count\":4,"  \
      "\"failed_count\":3,\"next_run_ns\":8}",                                           \
      NULL)                                                                              \
    X(pid, dray_container_pid(t, "web", NULL, &number, &e),                              \
      "\"id\":\"web\",\"op\":\"container.state\"", "{\"status\":\"running\",\"pid\":9}", \
      NULL)                                                                              \
    X(ip, dray_container_ip(t, "web", NULL, &text, &e),                                  \
      "\"id\":\"web\",\"op\":\"container.inspect\"",                                     \
      "{\"State\":{\"Running\":true},\"NetworkSettings\":{\"Networks\":{\"b\":{"         \
      "\"IPAddress\":\"10.0.0.2\"}}}}",                                                  \
      "10.0.0.2")                                                                        \
    X(no_ip, dray_container_ip(t, "web", NULL, &text, &e),                               \
      "\"id\":\"web\",\"op\":\"container.inspect\"",                                     \
      "{\"State\":{\"Running\":false},\"NetworkSettings\":{\"IPAddress\":\"10.0.0.2\"}"  \
      "}",                                                                               \
      NULL)                                                                              \
    X(wait_, dray_container_wait(t, "web", NULL, &known, &code, &e),                     \
      "\"id\":\"web\",\"op\":\"container.wait\"", "{\"exit_code\":7}", NULL)             \
    X(inspect_sized, dray_container_inspect_sized(t, "web", NULL, &text, &e),            \
      "\"id\":\"web\",\"op\":\"container.inspect\",\"size\":true", "{\"Id\":\"1\"}",     \
      "{\"Id\":\"1\"}")                                                                  \
    X(inspect, dray_container_inspect(t, "web", NULL, &text, &e),                        \
      "\"id\":\"web\",\"op\":\"container.inspect\"", "{\"Id\":\"1\"}", "{\"Id\":\"1\"}") \
    X(top, dray_container_top(t, "web", "pid,comm", NULL, &text, &e),                    \
      "\"columns\":\"pid,comm\",\"id\":\"web\",\"op\":\"container.top\"",                \
      "{\"titles\":[]}", "{\"titles\":[]}")                                              \
    X(prune, dray_container_prune(t, filters, NULL, &text, &e),                          \
      "\"filters\":[\"label=x\"],\"op\":\"container.prune\"", "{\"deleted\":[]}",        \
      "{\"deleted\":[]}")                                                                \
    X(stat_path, dray_container_stat_path(t, "web", "/a", true, NULL, &path_stat, &e),   \
      "\"follow\":true,\"id\":\"web\",\"op\":\"container.stat_path\",\"path\":\"/a\"",   \
      "{\"name_b64\":\"Yf8=\",\"mode\":33188,\"size\":4,\"mtime_ns\":6}", NULL)          \
    X(commit, dray_container_commit(t, "web", &commit, NULL, &text, &e),                 \
      "\"changes\":[],\"familiar\":\"new:latest\",\"id\":\"web\",\"message\":\"m\","     \
      "\"op\":\"container.commit\",\"pause\":false,\"ref\":\"docker.io/library/"         \
      "new:latest\"",                                                                    \
      "{\"id\":\"sha256:1\"}", "sha256:1")                                               \
    X(image_tag, dray_image_tag(t, "alpine", "b:1", NULL, &e),                           \
      "\"familiar\":\"b:1\",\"new_ref\":\"docker.io/library/b:1\",\"op\":"               \
      "\"image.tag\",\"ref\":\"docker.io/library/alpine:latest\"",                       \
      "{}", NULL)                                                                        \
    X(image_remove, dray_image_remove(t, "alpine", true, NULL, &text, &e),               \
      "\"force\":true,\"op\":\"image.remove\",\"ref\":\"docker.io/library/"              \
      "alpine:latest\"",                                                                 \
      "{\"deleted\":[]}", "{\"deleted\":[]}")                                            \
    X(image_prune, dray_image_prune(t, true, NULL, NULL, &text, &e),                     \
      "\"all\":true,\"filters\":[],\"op\":\"image.prune\"", "{\"deleted\":[]}",          \
      "{\"deleted\":[]}")                                                                \
    X(image_inspect, dray_image_inspect(t, "alpine", NULL, &text, &e),                   \
      "\"op\":\"image.get\",\"ref\":\"docker.io/library/alpine:latest\"",                \
      "{\"id\":\"sha256:1\",\"digest\":\"sha256:2\",\"refs\":[\"docker.io/library/"      \
      "alpine:latest\"],\"size\":5,\"config\":{\"os\":\"linux\"}}",                      \
      "{\"Config\":{},\"Digest\":\"sha256:2\",\"Id\":\"sha256:1\",\"Os\":\"linux\","     \
      "\"RepoDigests\":[\"alpine@sha256:2\"],\"RepoTags\":[\"alpine:latest\"],"          \
      "\"RootFS\":{\"Layers\":[],\"Type\":\"layers\"},\"Size\":5}")                      \
    X(image_history, dray_image_history(t, "alpine", NULL, &text, &e),                   \
      "\"op\":\"image.get\",\"ref\":\"docker.io/library/alpine:latest\"",                \
      "{\"id\":\"sha256:1\",\"config\":{\"history\":[{\"created_by\":\"ADD\","           \
      "\"created\":\"1970-01-01T00:00:01Z\"},{\"empty_layer\":true}]},\"manifest\":{"    \
      "\"layers\":[{\"size\":9}]}}",                                                     \
      "[{\"comment\":\"\",\"created_by\":\"\",\"created_ns\":0,\"empty\":true,"          \
      "\"id\":\"sha256:1\",\"size\":0},{\"comment\":\"\",\"created_by\":\"ADD\","        \
      "\"created_ns\":1000000000,\"empty\":false,\"id\":\"<missing>\",\"size\":9}]")     \
    X(network_create, dray_network_create(t, "n", &network, NULL, &text, &e),            \
      "\"internal\":true,\"ipv6\":false,\"labels\":[\"k=v\"],\"mtu\":1300,\"name\":"     \
      "\"n\","                                                                           \
      "\"op\":\"network.create\",\"subnets\":[{\"gateway\":\"10.0.0.9\",\"subnet\":"     \
      "\"10.0.0.0/24\"}]",                                                               \
      "{\"id\":\"ab\",\"name\":\"n\"}", "ab")                                            \
    X(network_inspect, dray_network_inspect(t, "n", NULL, &text, &e),                    \
      "\"name\":\"n\",\"op\":\"network.inspect\"", "{\"Name\":\"n\"}",                   \
      "{\"Name\":\"n\"}")                                                                \
    X(network_remove, dray_network_remove(t, "n", true, NULL, &e),                       \
      "\"force\":true,\"name\":\"n\",\"op\":\"network.remove\"", "{}", NULL)             \
    X(network_prune, dray_network_prune(t, filters, NULL, &text, &e),                    \
      "\"filters\":[\"label=x\"],\"op\":\"network.prune\"", "{\"deleted\":[]}",          \
      "{\"deleted\":[]}")                                                                \
    X(network_connect, dray_network_connect(t, "n", "web", &connect_to, NULL, &e),       \
      "\"aliases\":[\"k=v\"],\"container\":\"web\",\"ip\":\"10.0.0.7\",\"network\":"     \
      "\"n\","                                                                           \
      "\"op\":\"network.connect\"",                                                      \
      "{}", NULL)                                                                        \
    X(network_disconnect, dray_network_disconnect(t, "n", "web", NULL, &e),              \
      "\"container\":\"web\",\"network\":\"n\",\"op\":\"network.disconnect\"", "{}",     \
      NULL)                                                                              \
    X(record_ip, dray_record_ip(t, "web", "10.0.0.7", NULL, &e),                         \
      "\"ip\":\"10.0.0.7\",\"name\":\"web\",\"op\":\"network.record\"", "{}", NULL)      \
    X(record_gateway, dray_record_gateway(t, "web", NULL, NULL, &e),                     \
      "\"gateway\":\"\",\"name\":\"web\",\"op\":\"network.record\"", "{}", NULL)         \
    X(volume_create, dray_volume_create(t, NULL, labels, NULL, &text, &e),               \
      "\"labels\":[\"k=v\"],\"op\":\"volume.create\"", "{\"name\":\"v1\"}", "v1")        \
    X(volume_inspect, dray_volume_inspect(t, "v1", NULL, &text, &e),                     \
      "\"name\":\"v1\",\"op\":\"volume.inspect\"", "{\"Name\":\"v1\"}",                  \
      "{\"Name\":\"v1\"}")                                                               \
    X(volume_remove, dray_volume_remove(t, "v1", false, NULL, &e),                       \
      "\"force\":false,\"name\":\"v1\",\"op\":\"volume.remove\"", "{}", NULL)            \
    X(volume_prune, dray_volume_prune(t, false, NULL, NULL, &text, &e),                  \
      "\"all\":false,\"filters\":[],\"op\":\"volume.prune\"", "{\"deleted\":[]}",        \
      "{\"deleted\":[]}")

#define DEFINE(name, call, sent, reply, want)                                            \
    static int call_##name(void)                                                         \
    {                                                                                    \
        return call;                                                                     \
    }
CALLS(DEFINE)

static const struct {
    const char *name;
    int (*call)(void);
    const char *sent, *reply, *want;
} calls[] = {
#define LIST(name, call, sent, reply, want) {#name, call_##name, sent, reply, want},
    CALLS(LIST)};

static void c34_every_function_is_one_request_with_these_words(void **state)
{
    for (size_t i = 0; i < DR_COUNT(calls); i++) {
        struct canned canned = {.replies = &calls[i].reply, .reply_count = 1};
        canned_open(&canned, NULL);
        t = canned.target;
        text = NULL;
        if (calls[i].call() != 0)
            fail_msg("%s: %s", calls[i].name, e->text);
        if (calls[i].want)
            assert_string_equal(text, calls[i].want);
        else
            assert_null(text);
        dray_free(text);
        dr_auto_free char *sent = canned_finish(&canned);
        dr_auto_free char *want = dr_printf("2/1 {%s}\n", calls[i].sent);
        const char *second = strchr(sent, '\n') + 1; /* behind our hello */
        assert_string_equal(second, want);
    }
    assert_string_equal(id, "c0ffee");
    assert_int_equal(container_state.phase, DRAY_EXITED);
    assert_true(container_state.exit_known);
    assert_int_equal(container_state.exit_code, 137);
    assert_int_equal(container_state.health, DRAY_UNHEALTHY);
    assert_true(container_state.oom_killed);
    assert_int_equal(container_state.restart_count, 2);
    assert_int_equal(container_state.run_count, 4);
    assert_int_equal(container_state.failed_count, 3);
    assert_int_equal(container_state.next_run_ns, 8);
    assert_string_equal(container_state.reason, "why");
    assert_int_equal(number, 9);
    assert_true(known);
    assert_int_equal(code, 7);
    assert_string_equal(path_stat.name, "a\xff");
    assert_null(path_stat.link_target);
    assert_int_equal(path_stat.mtime_ns, 6);
    dray_path_stat_release(&path_stat);
}

static void c32_every_function_hands_out_the_error_whole(void **state)
{
    const char *const error = "!{\"kind\":\"conflict\",\"origin\":\"guest\",\"code\":16,"
                              "\"text\":\"it is busy\","
                              "\"program\":\"youki\",\"status\":2,\"output\":\"o\"}";
    for (size_t i = 0; i < DR_COUNT(calls); i++) {
        struct canned canned = {.replies = &error, .reply_count = 1};
        canned_open(&canned, NULL);
        t = canned.target;
        text = NULL;
        assert_int_equal(calls[i].call(), -1);
        assert_null(text); /* written on success only */
        assert_int_equal(e->kind, DRAY_ERR_CONFLICT);
        assert_int_equal(e->origin, DRAY_AT_GUEST);
        assert_int_equal(e->code, 16);
        assert_string_equal(e->text, "it is busy");
        assert_string_equal(e->program, "youki");
        assert_int_equal(e->status, 2);
        assert_string_equal(e->output, "o");
        dray_error_free(e);
        e = NULL;
        free(canned_finish(&canned));
    }
}

static void without_a_name_nothing_is_asked(void **state)
{
    struct canned canned = {.replies = (const char *[]){"{}"}, .reply_count = 1};
    canned_open(&canned, NULL);
    assert_int_equal(dray_container_start(canned.target, NULL, NULL, &e), -1);
    assert_int_equal(e->kind, DRAY_ERR_INVALID);
    assert_string_equal(e->text, "no container is given");
    dray_error_free(e);
    assert_int_equal(dray_image_remove(canned.target, "", false, NULL, NULL, &e), -1);
    assert_string_equal(e->text, "no image is given");
    dray_error_free(e);
    assert_int_equal(dray_container_kill(canned.target, "a", "nosuch", NULL, &e), -1);
    assert_int_equal(e->kind, DRAY_ERR_INVALID);
    dray_error_free(e);
    dr_auto_free char *sent = canned_finish(&canned);
    assert_null(strstr(sent, "2/"));
}

static void c19_removing_an_unknown_container_is_success(void **state)
{
    struct canned canned = {
        .replies = (const char *[]){"!{\"kind\":\"not found\",\"text\":\"x\"}"},
        .reply_count = 1};
    canned_open(&canned, NULL);
    assert_int_equal(dray_container_remove(canned.target, "a", false, false, NULL, &e),
                     0);
    assert_int_equal(dray_container_stop(canned.target, "a", -1, NULL, &e), -1);
    assert_int_equal(e->kind, DRAY_ERR_NOT_FOUND);
    dray_error_free(e);
    free(canned_finish(&canned));
}

static void an_image_name_wins_over_an_id_and_both_are_asked_for(void **state)
{
    struct canned canned = {
        .replies = (const char *[]){"!{\"kind\":\"not found\",\"text\":\"x\"}",
                                    "{\"id\":\"1\"}"},
        .reply_count = 2};
    canned_open(&canned, NULL);
    assert_int_equal(dray_image_inspect(canned.target, "cafe", NULL, &text, &e), 0);
    dray_free(text);
    dr_auto_free char *sent = canned_finish(&canned);
    assert_non_null(strstr(
        sent, "2/1 {\"op\":\"image.get\",\"ref\":\"docker.io/library/cafe:latest\"}\n"
              "2/3 {\"op\":\"image.get\",\"ref\":\"cafe\"}\n"));
}

/* --- lists --- */

static bool list_frame(struct canned *canned, const struct wire_header *h,
                       const char *payload)
{
    if (h->type != WIRE_REQUEST)
        return true;
    canned_text(
        canned, WIRE_EVENT, h->channel, 0,
        "{\"event\":\"item\",\"item\":{\"id\":\"1\",\"name\":\"a\",\"status\":\"paused\","
        "\"labels\":{\"k\":\"v\"},\"service\":\"s\",\"replica\":4}}");
    canned_text(canned, WIRE_EVENT, h->channel, 0,
                "{\"event\":\"item\",\"item\":{\"id\":\"2\",\"status\":\"odd\"}}");
    canned_text(canned, WIRE_REPLY, h->channel, 0, "{}");
    return true;
}

static void c20_a_list_has_the_state_of_each(void **state)
{
    struct canned canned = {.on_frame = list_frame};
    struct dray_container_list list;
    canned_open(&canned, NULL);
    assert_int_equal(dray_container_list(canned.target, true, NULL, &list, &e), 0);
    assert_int_equal(list.count, 2);
    assert_string_equal(list.items[0].name, "a");
    assert_string_equal(list.items[0].labels, "{\"k\":\"v\"}");
    assert_string_equal(list.items[0].service, "s");
    assert_int_equal(list.items[0].replica, 4);
    assert_int_equal(list.items[0].state.phase, DRAY_PAUSED);
    assert_null(list.items[1].service);
    assert_int_equal(list.items[1].state.phase, DRAY_FAILED);
    assert_string_equal(list.items[1].state.reason, "its state is odd");
    assert_string_equal(list.items[1].json, "{\"id\":\"2\",\"status\":\"odd\"}");
    dray_container_list_free(&list);
    dray_container_list_free(&list);
    free(canned_finish(&canned));
}

/* --- opening, losing, finding again --- */

static bool die_on_kill(struct canned *canned, const struct wire_header *h,
                        const char *payload)
{
    if (h->type != WIRE_REQUEST)
        return true;
    if (strstr(payload, "container.kill"))
        return false; /* the helper is gone */
    if (!strstr(payload, "container.wait"))
        canned_text(canned, WIRE_REPLY, h->channel, 0, "{}");
    return true;
}

static void *wait_thread(void *arg)
{
    struct dray_error *err = NULL;
    assert_int_equal(dray_container_wait(arg, "a", NULL, NULL, NULL, &err), -1);
    assert_int_equal(err->kind, DRAY_ERR_UNAVAILABLE);
    assert_int_equal(err->origin, DRAY_AT_TRANSPORT);
    dray_error_free(err);
    return NULL;
}

static void
c33_a_lost_helper_fails_what_runs_at_once_and_the_next_call_finds_another(void **state)
{
    struct canned canned = {.on_frame = die_on_kill};
    pthread_t threads[8];
    canned_open(&canned, NULL);
    for (size_t i = 0; i < DR_COUNT(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, wait_thread, canned.target),
                         0);
    while (atomic_load(&canned.requests) < (int)DR_COUNT(threads))
        usleep(1000);
    int64_t before = dr_clock_ms();
    assert_int_equal(dray_container_kill(canned.target, "a", "TERM", NULL, &e), -1);
    assert_int_equal(e->kind, DRAY_ERR_UNAVAILABLE);
    dray_error_free(e);
    for (size_t i = 0; i < DR_COUNT(threads); i++)
        pthread_join(threads[i], NULL);
    assert_true(dr_clock_ms() - before < 5000);
    assert_int_equal(dray_container_start(canned.target, "a", NULL, &e), 0);
    assert_int_equal(dray_spawn_count(canned.target), 2);
    free(canned_finish(&canned));
}

static void *start_thread(void *arg)
{
    struct dray_error *err = NULL;
    if (dray_container_start(arg, "a", NULL, &err) < 0)
        fail_msg("%s", err->text);
    return NULL;
}

static void threads_that_notice_together_start_one_helper(void **state)
{
    struct canned canned = {.on_frame = die_on_kill};
    pthread_t threads[16];
    canned_open(&canned, NULL);
    for (int round = 1; round < 20; round++) {
        assert_int_equal(dray_container_kill(canned.target, "a", "TERM", NULL, &e), -1);
        dray_error_free(e);
        for (size_t i = 0; i < DR_COUNT(threads); i++)
            assert_int_equal(
                pthread_create(&threads[i], NULL, start_thread, canned.target), 0);
        for (size_t i = 0; i < DR_COUNT(threads); i++)
            pthread_join(threads[i], NULL);
        assert_int_equal(dray_spawn_count(canned.target), round + 1);
    }
    free(canned_finish(&canned));
}

static void c02_a_target_that_stays_away_is_unavailable(void **state)
{
    struct canned canned = {.on_frame = die_on_kill, .refuse_after = 1};
    canned_open(&canned, NULL);
    assert_int_equal(dray_container_kill(canned.target, "a", "TERM", NULL, NULL), -1);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(dray_container_start(canned.target, "a", NULL, &e), -1);
        assert_int_equal(e->kind, DRAY_ERR_UNAVAILABLE);
        assert_string_equal(e->text, "nobody is there");
        dray_error_free(e);
    }
    free(canned_finish(&canned));
}

static void c33_a_mute_target_is_unavailable_and_the_next_call_starts_anew(void **state)
{
    struct canned canned = {.mute = true};
    struct dray_open_options options = {.size = sizeof options, .connect_timeout_ms = 50};
    canned_open(&canned, &options);
    assert_int_equal(dray_container_start(canned.target, "a", NULL, &e), -1);
    assert_int_equal(e->kind, DRAY_ERR_UNAVAILABLE);
    assert_string_equal(e->text,
                        "local: the helper did not say hello in time (0.05 s); is the "
                        "machine overloaded, or stopped? A longer connect_timeout waits "
                        "longer");
    dray_error_free(e);
    struct dray_call call = {.timeout_ms = 10};
    assert_int_equal(dray_container_start(canned.target, "a", &call, &e), -1);
    assert_int_equal(e->kind, DRAY_ERR_TIMEOUT); /* its own limit was shorter */
    dray_error_free(e);
    assert_int_equal(dray_spawn_count(canned.target), 2);
    free(canned_finish(&canned));
}

/* A helper that reads nothing, after its hello: the socket fills up. */
static void *close_later(void *arg)
{
    usleep(50000);
    dray_cancel_trigger(arg);
    return NULL;
}

static bool stop_reading(struct canned *canned, const struct wire_header *h,
                         const char *payload)
{
    atomic_bool *go_on = canned->arg;
    while (!atomic_load(go_on))
        usleep(1000);
    return true;
}

static void c33_a_helper_that_does_not_read_stops_no_caller_for_good(void **state)
{
    atomic_bool go_on = false;
    struct canned canned = {.on_frame = stop_reading, .arg = &go_on};
    dr_auto_free char *big = dr_alloc(300000);
    memset(big, 'a', 299999);
    canned_open(&canned, NULL);
    struct dray_call call = {.timeout_ms = 30};
    for (int i = 0; i < 20; i++) { /* far more than fits */
        assert_int_equal(dray_container_start(canned.target, big, &call, &e), -1);
        assert_int_equal(e->kind, DRAY_ERR_TIMEOUT);
        dray_error_free(e);
    }
    struct dray_call cancelled = {.cancel = dray_cancel_new()};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, close_later, cancelled.cancel), 0);
    assert_int_equal(dray_container_start(canned.target, big, &cancelled, &e), -1);
    assert_int_equal(e->kind, DRAY_ERR_CANCELLED);
    dray_error_free(e);
    pthread_join(thread, NULL);
    dray_cancel_free(cancelled.cancel);
    atomic_store(&go_on, true);
    free(canned_finish(&canned));
}

static void options_without_a_size_or_from_a_newer_header_are_refused(void **state)
{
    struct dray_open_options none = {0};
    struct {
        struct dray_open_options known;
        long newer;
    } newer = {.known = DRAY_INIT(newer), .newer = 1};
    struct dray_target *target;
    assert_int_equal(dray_open_lazy(&none, &target, &e), -1);
    assert_int_equal(e->kind, DRAY_ERR_INVALID);
    assert_non_null(strstr(e->text, "DRAY_INIT"));
    dray_error_free(e);
    newer.known.size = sizeof newer;
    assert_int_equal(dray_open_lazy(&newer.known, &target, &e), -1);
    assert_int_equal(e->kind, DRAY_ERR_UNSUPPORTED);
    dray_error_free(e);
}

/* --- many threads on one handle --- */

static void *many_calls(void *arg)
{
    for (int i = 0; i < 200; i++) {
        struct dray_state s;
        assert_int_equal(dray_container_state(arg, "a", NULL, &s, NULL), 0);
        assert_int_equal(s.pid, 9);
    }
    return NULL;
}

static void many_threads_share_a_handle(void **state)
{
    struct canned canned = {.replies =
                                (const char *[]){"{\"status\":\"running\",\"pid\":9}"},
                            .reply_count = 1};
    pthread_t threads[16];
    canned_open(&canned, NULL);
    for (size_t i = 0; i < DR_COUNT(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, many_calls, canned.target), 0);
    for (size_t i = 0; i < DR_COUNT(threads); i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(atomic_load(&canned.requests), 16 * 200);
    free(canned_finish(&canned));
}

static void *closed_thread(void *arg)
{
    struct dray_error *err = NULL;
    assert_int_equal(dray_container_wait(arg, "a", NULL, NULL, NULL, &err), -1);
    assert_int_equal(err->kind, DRAY_ERR_CANCELLED);
    assert_string_equal(err->text, "the target was closed");
    dray_error_free(err);
    return NULL;
}

static void closing_gives_up_what_other_threads_wait_for(void **state)
{
    struct canned canned = {.on_frame = die_on_kill};
    pthread_t threads[8];
    canned_open(&canned, NULL);
    for (size_t i = 0; i < DR_COUNT(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, closed_thread, canned.target),
                         0);
    while (atomic_load(&canned.requests) < (int)DR_COUNT(threads))
        usleep(1000);
    free(canned_finish(&canned));
    for (size_t i = 0; i < DR_COUNT(threads); i++)
        pthread_join(threads[i], NULL);
    dray_close(NULL);
}

static void without_descriptors_calls_still_end(void **state)
{
    struct canned canned = {.on_frame = die_on_kill};
    struct rlimit before, none;
    struct dray_call call = {.timeout_ms = 100, .cancel = dray_cancel_new()};
    canned_open(&canned, NULL);
    assert_int_equal(dray_container_start(canned.target, "a", NULL, NULL), 0);
    getrlimit(RLIMIT_NOFILE, &before);
    none = (struct rlimit){0, before.rlim_max};
    setrlimit(RLIMIT_NOFILE, &none);
    assert_null(dray_cancel_new());
    int answered = dray_container_start(canned.target, "a", &call, NULL);
    int waited = dray_container_wait(canned.target, "a", &call, NULL, NULL, &e);
    setrlimit(RLIMIT_NOFILE, &before);
    assert_int_equal(answered, 0);
    assert_int_equal(waited, -1);
    assert_int_equal(e->kind, DRAY_ERR_TIMEOUT);
    dray_error_free(e);
    dray_cancel_free(call.cancel);
    dray_cancel_free(NULL);
    dray_cancel_trigger(NULL);
    free(canned_finish(&canned));
}

/* The library's own pipes raise no signal, whatever the program does with it. */
static void a_dead_helper_raises_no_sigpipe(void **state)
{
    pid_t child = fork();
    if (child == 0) {
        signal(SIGPIPE, SIG_DFL);
        struct canned canned = {.on_frame = die_on_kill, .refuse_after = 1};
        canned_open(&canned, NULL);
        dray_container_kill(canned.target, "a", "TERM", NULL, NULL);
        for (int i = 0; i < 100; i++)
            dray_container_start(canned.target, "a", NULL, NULL);
        free(canned_finish(&canned));
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN); /* the canned end writes to pipes */
    alarm(300);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(c34_every_function_is_one_request_with_these_words),
        cmocka_unit_test(c32_every_function_hands_out_the_error_whole),
        cmocka_unit_test(without_a_name_nothing_is_asked),
        cmocka_unit_test(c19_removing_an_unknown_container_is_success),
        cmocka_unit_test(an_image_name_wins_over_an_id_and_both_are_asked_for),
        cmocka_unit_test(c20_a_list_has_the_state_of_each),
        cmocka_unit_test(
            c33_a_lost_helper_fails_what_runs_at_once_and_the_next_call_finds_another),
        cmocka_unit_test(threads_that_notice_together_start_one_helper),
        cmocka_unit_test(c02_a_target_that_stays_away_is_unavailable),
        cmocka_unit_test(c33_a_mute_target_is_unavailable_and_the_next_call_starts_anew),
        cmocka_unit_test(c33_a_helper_that_does_not_read_stops_no_caller_for_good),
        cmocka_unit_test(options_without_a_size_or_from_a_newer_header_are_refused),
        cmocka_unit_test(many_threads_share_a_handle),
        cmocka_unit_test(closing_gives_up_what_other_threads_wait_for),
        cmocka_unit_test(without_descriptors_calls_still_end),
        cmocka_unit_test(a_dead_helper_raises_no_sigpipe),
    };
    return cmocka_run_group_tests_name("host target", tests, NULL, NULL);
}
