/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small agent: keeps N replicas of a service running, through libdray.
 *
 *     agent [-r ROOT] [-u RUN_ROOT] [-p RUNTIME] SERVICE REPLICAS IMAGE [COMMAND...]
 *
 * It makes the containers SERVICE-rep-0 … SERVICE-rep-(N-1), one thread each: start it,
 * wait for its end, remove what is left, start it again. A number on stdin scales. One
 * line is printed per change. SIGTERM (or SIGINT) stops and removes all and ends.
 *
 * It can be killed at any time: containers outlive it, and the next agent takes over the
 * replicas that still run.
 */
#define _POSIX_C_SOURCE 200809L
#include <dray.h>

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define REPLICAS_MAX 100
#define STOP_SECONDS 5
#define BACKOFF_MAX_S 30

struct replica {
    struct agent *agent;
    uint32_t number;
    char *name;                /* owned: dray_free */
    struct dray_cancel *leave; /* ends its thread's waiting */
    pthread_t thread;
    bool leaving; /* under the agent's lock */
};

struct agent {
    struct dray_target *target;
    const char *service, *image;
    char **command; /* NULL-terminated */
    struct replica replicas[REPLICAS_MAX];
    uint32_t count;
    pthread_mutex_t lock;
    pthread_cond_t changed;
};

/* --- what is said --- */

static void say(const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    vprintf(format, ap);
    va_end(ap);
    putchar('\n');
    fflush(stdout);
}

/* Says what failed and forgets it. Texts may hold bytes of names, which are ours here. */
static void complain(const struct replica *r, const char *what, struct dray_error *err)
{
    say("%s: %s: %s", r->name, what, err->text);
    dray_error_free(err);
}

/* --- one replica --- */

static bool is_leaving(struct replica *r)
{
    pthread_mutex_lock(&r->agent->lock);
    bool leaving = r->leaving;
    pthread_mutex_unlock(&r->agent->lock);
    return leaving;
}

/* Sleeps, but not past the moment when the replica is to leave. */
static void pause_for(struct replica *r, int seconds)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += seconds;
    pthread_mutex_lock(&r->agent->lock);
    while (!r->leaving &&
           pthread_cond_timedwait(&r->agent->changed, &r->agent->lock, &until) == 0)
        ;
    pthread_mutex_unlock(&r->agent->lock);
}

static struct dray_spec *make_spec(const struct replica *r, struct dray_error **err)
{
    struct dray_spec *spec = dray_spec_new(r->agent->image);
    if (dray_spec_set(spec, "service", r->agent->service, err) < 0 ||
        dray_spec_set_int(spec, "replica", r->number, err) < 0 ||
        dray_spec_set(spec, "name", r->name, err) < 0 ||
        dray_spec_add_all(spec, "args", r->agent->command, err) < 0) {
        dray_spec_free(spec);
        return NULL;
    }
    return spec;
}

/* A container of that name is there: one that runs is taken over, any other one goes. */
static int take_over(struct replica *r, const struct dray_call *call,
                     struct dray_error **err)
{
    struct dray_state state;
    if (dray_container_state(r->agent->target, r->name, call, &state, err) < 0)
        return -1;
    if (state.phase == DRAY_RUNNING) {
        say("%s: still runs, pid %lld", r->name, (long long)state.pid);
        return 1;
    }
    return dray_container_remove(r->agent->target, r->name, true, true, call, err);
}

/* 1: it runs; 0: try again; -1 with err */
static int bring_up(struct replica *r, const struct dray_call *call,
                    struct dray_error **err)
{
    struct dray_target *target = r->agent->target;
    struct dray_spec *spec = make_spec(r, err);
    int64_t pid;
    if (!spec)
        return -1;
    int rc = dray_container_run_detached(target, spec, call, NULL, NULL, err);
    dray_spec_free(spec);
    if (rc < 0 && (*err)->kind == DRAY_ERR_EXISTS) {
        dray_error_free(*err);
        *err = NULL;
        return take_over(r, call, err);
    }
    if (rc < 0)
        return -1;
    if (dray_container_pid(target, r->name, call, &pid, NULL) == 0)
        say("%s: started, pid %lld", r->name, (long long)pid);
    return 1;
}

/* Blocks until it has ended. A target that is lost for a moment is asked again. */
static void wait_for_end(struct replica *r, const struct dray_call *call)
{
    struct dray_error *err = NULL;
    bool known;
    int code;
    while (dray_container_wait(r->agent->target, r->name, call, &known, &code, &err) <
           0) {
        bool lost = err->kind == DRAY_ERR_UNAVAILABLE;
        bool gone = err->kind == DRAY_ERR_NOT_FOUND;
        bool ours = err->kind == DRAY_ERR_CANCELLED;
        if (gone)
            say("%s: was removed by somebody", r->name);
        if (ours || gone)
            dray_error_free(err);
        else
            complain(r, "waiting", err);
        err = NULL;
        if (!lost)
            return;
        pause_for(r, 1);
    }
    if (known)
        say("%s: ended with %d", r->name, code);
    else
        say("%s: ended, nobody saw how", r->name);
}

static void put_away(struct replica *r)
{
    struct dray_error *err = NULL;
    if (dray_container_stop(r->agent->target, r->name, STOP_SECONDS, NULL, &err) < 0) {
        if (err->kind == DRAY_ERR_NOT_FOUND)
            dray_error_free(err);
        else
            complain(r, "stopping", err);
        err = NULL;
    }
    if (dray_container_remove(r->agent->target, r->name, true, true, NULL, &err) < 0)
        complain(r, "removing", err);
    else
        say("%s: removed", r->name);
}

static void *keep_one(void *arg)
{
    struct replica *r = arg;
    struct dray_call call = {.cancel = r->leave};
    struct dray_error *err = NULL;
    int backoff_s = 1;
    while (!is_leaving(r)) {
        time_t before = time(NULL);
        int rc = bring_up(r, &call, &err);
        if (rc < 0) {
            if (err->kind != DRAY_ERR_CANCELLED)
                complain(r, "starting", err);
            else
                dray_error_free(err);
            err = NULL;
        } else if (rc > 0) {
            wait_for_end(r, &call);
            if (!is_leaving(r) && dray_container_remove(r->agent->target, r->name, true,
                                                        true, &call, &err) < 0) {
                complain(r, "removing", err);
                err = NULL;
            }
        }
        /* what ends at once again and again is started less and less often */
        backoff_s = time(NULL) - before > 10 ? 1 : backoff_s * 2;
        if (backoff_s > BACKOFF_MAX_S)
            backoff_s = BACKOFF_MAX_S;
        if (rc != 0 && backoff_s > 2)
            pause_for(r, backoff_s / 2);
    }
    put_away(r);
    return NULL;
}

/* --- all of them --- */

static int add_replica(struct agent *agent)
{
    struct replica *r = &agent->replicas[agent->count];
    *r = (struct replica){.agent = agent, .number = agent->count};
    r->name = dray_service_name(agent->service, r->number);
    r->leave = dray_cancel_new();
    if (!r->leave || pthread_create(&r->thread, NULL, keep_one, r) != 0) {
        dray_cancel_free(r->leave);
        dray_free(r->name);
        return -1;
    }
    agent->count++;
    return 0;
}

/* The last ones leave, all at the same time. */
static void drop_replicas(struct agent *agent, uint32_t wanted)
{
    pthread_mutex_lock(&agent->lock);
    for (uint32_t i = wanted; i < agent->count; i++)
        agent->replicas[i].leaving = true;
    pthread_cond_broadcast(&agent->changed);
    pthread_mutex_unlock(&agent->lock);
    for (uint32_t i = wanted; i < agent->count; i++)
        dray_cancel_trigger(agent->replicas[i].leave);
    for (uint32_t i = wanted; i < agent->count; i++) {
        pthread_join(agent->replicas[i].thread, NULL);
        dray_cancel_free(agent->replicas[i].leave);
        dray_free(agent->replicas[i].name);
    }
    agent->count = wanted;
}

static void scale(struct agent *agent, const char *text)
{
    char *end;
    long wanted = strtol(text, &end, 10);
    if (end == text || wanted < 0 || wanted > REPLICAS_MAX) {
        say("how many? 0 to %d", REPLICAS_MAX);
        return;
    }
    say("%s: %ld replicas", agent->service, wanted);
    while (agent->count < (uint32_t)wanted && add_replica(agent) == 0)
        ;
    if (agent->count > (uint32_t)wanted)
        drop_replicas(agent, (uint32_t)wanted);
}

/* --- the outside --- */

static int stop_pipe[2];

static void on_signal(int number)
{
    char byte = (char)number;
    if (write(stop_pipe[1], &byte, 1) < 0)
        return; /* it is full of the same */
}

static void serve(struct agent *agent, long replicas)
{
    char line[64];
    struct pollfd fds[] = {{.fd = stop_pipe[0], .events = POLLIN},
                           {.fd = STDIN_FILENO, .events = POLLIN}};
    snprintf(line, sizeof line, "%ld", replicas);
    scale(agent, line);
    while (poll(fds, 2, -1) < 0 || !fds[0].revents) {
        if (!fds[1].revents)
            continue;
        if (fgets(line, sizeof line, stdin))
            scale(agent, line);
        else
            fds[1].fd = -1; /* nobody scales any more */
    }
    say("%s: stopping", agent->service);
    drop_replicas(agent, 0);
}

static int open_target(int argc, char **argv, struct dray_target **ret_target)
{
    struct dray_open_options options = DRAY_INIT(struct dray_open_options);
    struct dray_error *err = NULL;
    for (int option; (option = getopt(argc, argv, "+r:u:p:")) != -1;) {
        if (option == 'r')
            options.root = optarg;
        else if (option == 'u')
            options.run_root = optarg;
        else if (option == 'p')
            options.runtime = optarg;
        else
            return -1;
    }
    if (argc - optind < 3)
        return -1;
    if (dray_open(&options, ret_target, &err) == 0)
        return 0;
    fprintf(stderr, "agent: %s: %s\n", dray_kind_name(err->kind), err->text);
    /* C02: an agent could go on without containers here; this one has nothing else to do
     */
    int code = err->kind == DRAY_ERR_UNAVAILABLE ? 3 : 4;
    dray_error_free(err);
    exit(code);
}

int main(int argc, char **argv)
{
    struct agent agent = {.lock = PTHREAD_MUTEX_INITIALIZER,
                          .changed = PTHREAD_COND_INITIALIZER};
    struct dray_error *err = NULL;
    setvbuf(stdin, NULL, _IONBF, 0); /* poll() must see what is not read yet */
    if (open_target(argc, argv, &agent.target) < 0) {
        fprintf(stderr,
                "usage: agent [-r ROOT] [-u RUN_ROOT] [-p RUNTIME] SERVICE REPLICAS "
                "IMAGE [COMMAND...]\n");
        return 2;
    }
    agent.service = argv[optind];
    agent.image = argv[optind + 2];
    agent.command = argv + optind + 3;
    if (dray_image_pull(agent.target, agent.image, NULL, NULL, NULL, &err) < 0) {
        fprintf(stderr, "agent: %s\n", err->text);
        dray_error_free(err);
        dray_close(agent.target);
        return 1;
    }
    struct sigaction action = {.sa_handler = on_signal};
    if (pipe(stop_pipe) < 0 || sigaction(SIGTERM, &action, NULL) < 0 ||
        sigaction(SIGINT, &action, NULL) < 0) {
        perror("agent");
        return 1;
    }
    serve(&agent, strtol(argv[optind + 1], NULL, 10));
    dray_close(agent.target);
    return 0;
}
