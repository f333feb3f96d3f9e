/* SPDX-License-Identifier: Apache-2.0 */
/* C01 to C03: opening a target, and starting its helper again when it was lost. */
#include "host/target.h"

#include <string.h>

#include "base/text.h"
#include "host/config.h"
#include "host/registries.h"

#define DEFAULT_ROOT "/var/lib/dray"
#define DEFAULT_RUN_ROOT "/run/dray"
#define BOOT_WORDS_MS 1500 /* to say why the helper did not come */
#define CONNECT_TIMEOUT_MS 30000

/*
 * The pulse of a session (wire/pulse.h). A line on which nothing has come for
 * LINE_TIMEOUT_MS is dead: that is longer than a network needs that lost a few packets,
 * or a busy machine to come to a thread. ssh's own look is shorter (ssh-posix.c).
 *
 * The helper cannot know whether its host is gone, or sleeps, or was stopped by Ctrl-Z.
 * Who does more than look on may be in others' way, with a deployment's lock say: two
 * minutes. Who looks on (logs -f, an attached run) may come back after an hour; what
 * lasts longer than two hours TCP's own keep-alive has ended. On this machine a pipe says
 * when its other end is gone, and nobody has to guess.
 */
#define LINE_TIMEOUT_MS 20000
#define ALIVE_MS 4000
#define HELPER_SILENCE_MS (2 * 60 * 1000)
#define HELPER_PATIENCE_MS (2 * 60 * 60 * 1000)

/* At least five ALIVEs must get lost. */
static int alive_ms(const struct dray_target *target)
{
    int64_t every = target->line_timeout_ms / 5;
    return every < 1 ? 1 : every < ALIVE_MS ? (int)every : ALIVE_MS;
}

static int line_ms(const struct dray_target *target)
{
    return target->line_timeout_ms < INT32_MAX ? (int)target->line_timeout_ms : INT32_MAX;
}

static json_t *our_hello(const struct dray_target *target, bool far)
{
    json_t *hello = json_object();
    dr_json_set_int(hello, "protocol", WIRE_PROTOCOL);
    dr_json_set_str(hello, "build", DRAY_VERSION);
    dr_json_set_str(hello, "root", target->root);
    dr_json_set_str(hello, "run_root", target->run_root);
    dr_json_set_str(hello, "bundle_root", target->bundle_root);
    dr_json_set_str(hello, "log_root", target->log_root);
    dr_json_set_str(hello, "runtime", target->runtime);
    dr_json_set_str(hello, "network_fallback", target->network_fallback);
    dr_json_set_int(hello, "alive_ms", alive_ms(target));
    if (far) {
        dr_json_set_int(hello, "silence_ms", HELPER_SILENCE_MS);
        dr_json_set_int(hello, "patience_ms", HELPER_PATIENCE_MS);
    }
    return hello;
}

static void target_free(struct dray_target *target)
{
    pthread_cond_destroy(&target->idle);
    pthread_mutex_destroy(&target->lock);
    free(target->address);
    free(target->user);
    free(target->root);
    free(target->run_root);
    free(target->bundle_root);
    free(target->log_root);
    free(target->runtime);
    free(target->network_fallback);
    free(target->cache_dir);
    free(target->cache_limit);
    registries_release(&target->registry);
    free(target);
}

/* On the session's own thread: nobody waits for it who has a limit of his own. */
static int prepare(void *arg, int cancel_fd, struct dr_error *err)
{
    struct session *session = arg;
    return transport_boot(&session->transport, session->boot_deadline_ms, cancel_fd, err);
}

static void explain(void *arg, struct dr_error *err)
{
    struct session *session = arg;
    transport_explain(&session->transport, err);
}

/* lock held */
static int connect_session(struct dray_target *target, struct session **ret_session,
                           struct dr_error *err)
{
    struct session *session = dr_alloc(sizeof *session);
    session->transport = (struct transport){.read_fd = -1, .write_fd = -1, .pid = -1};
    session->refs = 1;
    session->begun_ms = dr_clock_ms();
    session->hello_deadline_ms = session->begun_ms + target->connect_timeout_ms;
    struct transport_options options = {
        .target = target->address,
        .user = target->user,
        .root = target->root ? target->root : DEFAULT_ROOT,
        .run_root = target->run_root ? target->run_root : DEFAULT_RUN_ROOT,
        .timeout_ms = target->connect_timeout_ms};
    int rc =
        target->connector.connect
            ? target->connector.connect(target->connector.arg, &session->transport, err)
            : transport_open(&options, &session->transport, err);
    target->spawn_count += session->transport.spawn_count;
    session->hello_deadline_ms += transport_patience_ms(&session->transport);
    session->boot_deadline_ms = session->hello_deadline_ms;
    if (transport_needs_boot(&session->transport))
        session->hello_deadline_ms += BOOT_WORDS_MS;
    if (rc == 0) {
        struct wire_mux_options mux = {
            .side = WIRE_HOST,
            .read_fd = session->transport.read_fd,
            .write_fd = session->transport.write_fd,
            .explain = explain,
            .pulse = {.every_ms = alive_ms(target), .silence_ms = line_ms(target)},
            .arg = session};
        bool far = transport_needs_boot(&session->transport);
        if (far)
            mux.prepare = prepare;
        dr_auto_json json_t *hello = our_hello(target, far);
        rc = wire_mux_start(&mux, hello, &session->mux, err);
    }
    if (rc < 0) {
        if (err->origin == DR_AT_UNSET)
            err->origin = DR_AT_TRANSPORT;
        session_unref(session);
        return -1;
    }
    *ret_session = session;
    return 0;
}

int target_enter(struct dray_target *target, struct dr_error *err)
{
    pthread_mutex_lock(&target->lock);
    bool closing = target->closing;
    target->active += !closing;
    pthread_mutex_unlock(&target->lock);
    return closing ? dr_fail(err, DR_ERR_CANCELLED, "the target was closed") : 0;
}

void target_leave(struct dray_target *target)
{
    pthread_mutex_lock(&target->lock);
    target->active--;
    pthread_cond_broadcast(&target->idle);
    pthread_mutex_unlock(&target->lock);
}

int target_session(struct dray_target *target, struct session **ret_session,
                   struct dr_error *err)
{
    struct session *lost = NULL;
    int rc = 0;
    pthread_mutex_lock(&target->lock);
    /* one that ended before it said hello has still to say why, once */
    if (target->session && wire_mux_ended(target->session->mux) &&
        (target->session->used || wire_mux_greeted(target->session->mux)))
        lost = DR_TAKE(target->session);
    if (target->closing)
        rc = dr_fail(err, DR_ERR_CANCELLED, "the target was closed");
    else if (!target->session)
        rc = connect_session(target, &target->session, err);
    if (rc == 0) {
        target->session->used = true;
        atomic_fetch_add(&target->session->refs, 1);
        *ret_session = target->session;
    }
    pthread_mutex_unlock(&target->lock);
    session_unref(lost);
    return rc;
}

/* Before anything is put there: the helper itself goes below the root. */
static int check_places(const struct dray_open_options *o, struct dr_error *err)
{
    const struct {
        const char *name, *path;
    } places[] = {{"root", o->root},
                  {"run_root", o->run_root},
                  {"bundle_root", o->bundle_root},
                  {"log_root", o->log_root}};
    for (size_t i = 0; i < DR_COUNT(places); i++)
        if (places[i].path && places[i].path[0] != '/')
            return dr_fail(err, DR_ERR_CONFIG, "%s '%s' is not an absolute path",
                           places[i].name, places[i].path);
    return 0;
}

static char *either(const char *option, char **setting)
{
    return option ? dr_strdup(option) : DR_TAKE(*setting);
}

/* named is emptied. */
static void take_settings(struct dray_target *target, const struct dray_open_options *o,
                          struct config_target *named)
{
    target->address = DR_TAKE(named->url);
    target->user = DR_TAKE(named->user);
    target->root = either(o->root, &named->root);
    target->run_root = either(o->run_root, &named->run_root);
    target->bundle_root = either(o->bundle_root, &named->bundle_root);
    target->log_root = either(o->log_root, &named->log_root);
    target->runtime = either(o->runtime, &named->runtime);
    target->network_fallback = either(o->network_fallback, &named->network_fallback);
    target->connect_timeout_ms = o->connect_timeout_ms > 0 ? o->connect_timeout_ms
                                 : named->connect_timeout_ms > 0
                                     ? named->connect_timeout_ms
                                     : CONNECT_TIMEOUT_MS;
    target->line_timeout_ms = o->line_timeout_ms > 0       ? o->line_timeout_ms
                              : named->line_timeout_ms > 0 ? named->line_timeout_ms
                                                           : LINE_TIMEOUT_MS;
    config_target_release(named);
}

int target_open(const struct dray_open_options *options,
                const struct connector *connector, struct dray_target **ret_target,
                struct dr_error *err)
{
    struct dray_open_options o = {0};
    struct dray_registry_options registry = {0};
    struct config_target named;
    if (API_COPY(&o, options, err) < 0 || check_places(&o, err) < 0 ||
        config_resolve(o.target, &named, err) < 0)
        return -1;
    if (registries_copy(o.registry, &registry, err) < 0) {
        config_target_release(&named);
        return -1;
    }
    struct dray_target *target = dr_alloc(sizeof *target);
    target->registry = registry;
    take_settings(target, &o, &named);
    target->cache_dir = dr_strdup(o.cache_dir);
    target->cache_limit = dr_strdup(o.cache_limit);
    if (connector)
        target->connector = *connector;
    pthread_mutex_init(&target->lock, NULL);
    pthread_cond_init(&target->idle, NULL);
    if (connect_session(target, &target->session, err) < 0) {
        target_free(target);
        return -1;
    }
    *ret_target = target;
    return 0;
}

int dray_open_lazy(const struct dray_open_options *options,
                   struct dray_target **ret_target, struct dray_error **ret_err)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    return api_end(target_open(options, NULL, ret_target, &err), &err, ret_err);
}

/* The helper's word is its answer to a question that only a fit target answers well. */
static int check(struct dray_target *target, struct dr_error *err)
{
    struct limits limits = limits_of(NULL, target->connect_timeout_ms);
    if (request_call(target, request_new("system.check"), &limits, NULL, err) == 0)
        return 0;
    if (err->kind == DR_ERR_TIMEOUT) {
        bool local = !target->address || strcmp(target->address, "local:") == 0;
        dr_auto_free char *name = dr_escape(local ? "local" : target->address, 200);
        return dr_fail_at(err, DR_AT_TRANSPORT, DR_ERR_UNAVAILABLE, 0,
                          "%s: the helper did not answer in time (%.3g s); is the "
                          "machine overloaded? A longer connect_timeout waits longer",
                          name, (double)target->connect_timeout_ms / 1000);
    }
    return -1;
}

int dray_open(const struct dray_open_options *options, struct dray_target **ret_target,
              struct dray_error **ret_err)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    struct dray_target *target;
    int rc = target_open(options, NULL, &target, &err);
    if (rc == 0 && check(target, &err) < 0) {
        dray_close(target);
        rc = -1;
    }
    if (rc == 0)
        *ret_target = target;
    return api_end(rc, &err, ret_err);
}

void dray_close(struct dray_target *target)
{
    struct dr_error why = DR_ERROR_INIT;
    if (!target)
        return;
    dr_fail(&why, DR_ERR_CANCELLED, "the target was closed");
    pthread_mutex_lock(&target->lock);
    target->closing = true;
    struct session *session = DR_TAKE(target->session);
    pthread_mutex_unlock(&target->lock);
    if (session && atomic_load(&session->refs) > 1)
        wire_mux_stop(session->mux, &why); /* calls and streams end with it */
    session_unref(session);
    pthread_mutex_lock(&target->lock);
    while (target->active > 0)
        pthread_cond_wait(&target->idle, &target->lock);
    pthread_mutex_unlock(&target->lock);
    target_free(target);
}

int dray_spawn_count(const struct dray_target *target)
{
    struct dray_target *locked = (struct dray_target *)target;
    pthread_mutex_lock(&locked->lock);
    int count = locked->spawn_count;
    pthread_mutex_unlock(&locked->lock);
    return count;
}

int dray_info(struct dray_target *target, const struct dray_call *call, char **ret_json,
              struct dray_error **ret_err)
{
    return api_json(target, request_new("system.info"), call, ret_json, ret_err);
}

int target_hello(struct dray_target *target, json_t **ret_hello, struct dr_error *err)
{
    struct session *session;
    json_t *hello;
    if (target_enter(target, err) < 0)
        return -1;
    int rc = target_session(target, &session, err);
    target_leave(target);
    if (rc < 0)
        return rc;
    rc = wire_mux_hello(session->mux, session->hello_deadline_ms, &hello, err);
    if (rc < 0 && err->kind == DR_ERR_TIMEOUT)
        session_fail_hello(session, err);
    if (rc == 0)
        *ret_hello = json_incref(hello);
    session_unref(session);
    return rc;
}

int dray_target_examine(struct dray_target *target, const struct dray_call *call,
                        char **ret_json, struct dray_error **ret_err)
{
    return api_list(target, request_new("system.examine"), call, ret_json, ret_err);
}

int dray_hello(struct dray_target *target, char **ret_json, struct dray_error **ret_err)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_json json_t *hello = NULL;
    int rc = target_hello(target, &hello, &err);
    if (rc == 0)
        *ret_json = dr_json_text(hello);
    return api_end(rc, &err, ret_err);
}
