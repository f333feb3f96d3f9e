/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/dispatch.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/utsname.h>

#include "base/fs.h"
#include "base/text.h"
#include "guest/container/container.h"
#include "guest/guest.h"
#include "guest/helper.h"
#include "guest/runtime/children.h"
#include "guest/system.h"
#include "guest/volumes/volumes.h"

/* Requests need no more; glibc's default of 8 MiB would be reserved for each. */
#define HANDLER_STACK (512u << 10)

static const struct guest_op *const tables[] = {
    guest_image_ops,   guest_container_ops, guest_event_ops,  guest_files_ops,
    guest_network_ops, guest_system_ops,    guest_volume_ops, guest_deployment_ops};

struct server {
    struct wire_mux *mux;
    int write_fd;
    struct guest guest;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    size_t active;         /* handlers that run */
    bool ready;            /* the host's HELLO came and the stores are open … */
    bool fresh;            /* nothing was asked since */
    struct dr_error unfit; /* … or this is why not */
    bool ended;
};

struct job {
    struct server *server;
    struct wire_chan *chan;
    json_t *request;
};

static const struct guest_op *find_op(const char *op)
{
    for (size_t t = 0; op && t < DR_COUNT(tables); t++)
        for (const struct guest_op *entry = tables[t]; entry->name; entry++)
            if (strcmp(entry->name, op) == 0)
                return entry;
    return NULL;
}

static int wait_ready(struct server *server, struct dr_error *err)
{
    pthread_mutex_lock(&server->lock);
    while (!server->ready && !server->ended && server->unfit.kind == DR_ERR_NONE)
        pthread_cond_wait(&server->changed, &server->lock);
    int rc = 0;
    if (server->unfit.kind != DR_ERR_NONE)
        rc = dr_fail_at(err, server->unfit.origin, server->unfit.kind, server->unfit.code,
                        "%s", server->unfit.text);
    else if (!server->ready)
        rc = dr_fail(err, DR_ERR_CANCELLED, "the host closed the session");
    pthread_mutex_unlock(&server->lock);
    return rc;
}

/* A session can be long: each of its requests finds what was lost meanwhile, as the first
 * one did when the session began. */
static int look_after(struct server *server, const char *op, struct dr_error *err)
{
    if (strncmp(op, "container.", strlen("container.")) != 0 &&
        strncmp(op, "network.", strlen("network.")) != 0 &&
        strncmp(op, "deployment.", strlen("deployment.")) != 0)
        return 0;
    pthread_mutex_lock(&server->lock);
    bool fresh = server->fresh;
    server->fresh = false;
    pthread_mutex_unlock(&server->lock);
    return fresh ? 0 : container_reconcile(&server->guest, err);
}

static void *job_main(void *arg)
{
    struct job job = *(struct job *)arg;
    free(arg);
    struct server *server = job.server;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    json_t *reply = NULL;
    const char *op = dr_json_str(job.request, "op");
    const struct guest_op *known = find_op(op);
    int rc = wait_ready(server, &err);
    if (rc == 0 && !known)
        rc = dr_fail(&err, DR_ERR_UNSUPPORTED, "this helper knows no request '%s'",
                     op ? op : "");
    if (rc == 0)
        rc = look_after(server, op, &err);
    if (rc == 0)
        rc = known->handler(&server->guest, job.chan, job.request, &reply, &err);
    if (rc == 0)
        wire_reply(job.chan, reply);
    else
        wire_reply_error(job.chan, &err);
    json_decref(reply);
    json_decref(job.request);
    pthread_mutex_lock(&server->lock);
    server->active--;
    pthread_cond_broadcast(&server->changed);
    pthread_mutex_unlock(&server->lock);
    return NULL;
}

static void on_request(void *arg, struct wire_chan *chan, json_t *request)
{
    struct server *server = arg;
    struct job *job = dr_alloc(sizeof *job);
    *job = (struct job){server, chan, json_incref(request)};
    const struct guest_op *known = find_op(dr_json_str(request, "op"));
    if (known && known->patient)
        wire_patient(chan);
    pthread_mutex_lock(&server->lock);
    server->active++;
    pthread_mutex_unlock(&server->lock);
    pthread_attr_t attr;
    pthread_t thread;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, HANDLER_STACK);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    if (pthread_create(&thread, &attr, job_main, job) != 0)
        abort(); /* no memory for a stack: the same as malloc failing */
    pthread_attr_destroy(&attr);
}

/* On stderr, which is the user's terminal. A host that left without waiting knows why,
 * and has told its user. */
static void complain(const struct dr_error *err)
{
    bool left = err->code == EPIPE || err->code == ECONNRESET;
    if (err->kind != DR_ERR_NONE && !left)
        fprintf(stderr, "dray-guest: %s\n", err->text);
}

/* What goes on when the host is gone has this long to come to its end. Longer than
 * anything here waits for; what a helper that was killed leaves behind the next command
 * puts right (HAZARDS I4). */
#define END_S 60

/* The descriptor's number stays taken: nothing that is opened later is to be 1. */
static void close_output(int fd)
{
    dr_auto_fd int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (shutdown(fd, SHUT_WR) < 0 && null >= 0)
        dup2(null, fd);
}

static void on_end(void *arg, const struct dr_error *err)
{
    struct server *server = arg;
    /* From here on nobody hears of us: whatever is stuck, a lock, a mount, the thread
     * that opens the stores, it keeps no process here. The signal ends it. */
    signal(SIGALRM, SIG_DFL);
    alarm(END_S);
    close_output(server->write_fd);
    pthread_mutex_lock(&server->lock);
    server->ended = true;
    pthread_cond_broadcast(&server->changed);
    pthread_mutex_unlock(&server->lock);
    complain(err); /* last: stderr may be a pipe that nobody reads */
}

static char *absolute(const json_t *hello, const char *key, const char *otherwise,
                      struct dr_error *err)
{
    const char *value = dr_json_str(hello, key);
    if (value && *value != '/') {
        dr_fail(err, DR_ERR_CONFIG, "%s '%s' is not an absolute path", key, value);
        return NULL;
    }
    return dr_strdup(value ? value : otherwise);
}

/* What the host's HELLO says of this target's places; then the stores are opened. */
static int set_up(struct guest *guest, const json_t *hello, struct dr_error *err)
{
    const char *build = dr_json_str(hello, "build");
    if (!build || strcmp(build, guest_build()) != 0)
        return dr_fail(err, DR_ERR_UNSUPPORTED,
                       "dray is build %s, this helper is build %s", build ? build : "?",
                       guest_build());
    if (geteuid() != 0)
        return dr_fail(err, DR_ERR_CONFIG,
                       "running containers needs root on the target, this is uid %u",
                       geteuid());
    if (!(guest->root = absolute(hello, "root", "/var/lib/dray", err)) ||
        !(guest->run_root = absolute(hello, "run_root", "/run/dray", err)))
        return -1;
    dr_auto_free char *bundles = dr_path_join(guest->root, "bundles");
    dr_auto_free char *logs = dr_path_join(guest->root, "logs");
    if (!(guest->bundle_root = absolute(hello, "bundle_root", bundles, err)) ||
        !(guest->log_root = absolute(hello, "log_root", logs, err)))
        return -1;
    guest->runtime = dr_strdup(dr_json_str(hello, "runtime"));
    const char *fallback = dr_json_str(hello, "network_fallback");
    guest->network_strict = fallback && strcmp(fallback, "fail") == 0;
    guest_boot_id(guest->boot_id);
    if (dr_mkdir_all(guest->root, 0711, err) < 0 ||
        dr_mkdir_all(guest->run_root, 0700, err) < 0 ||
        layer_store_open(guest->root, &guest->layers, err) < 0 ||
        layer_store_reconcile(guest->layers, err) < 0 ||
        container_reconcile(guest, err) < 0)
        return dr_wrap(err, "prepare %s", guest->root);
    volume_sweep(guest);
    return 0;
}

static void release(struct guest *guest)
{
    layer_store_close(guest->layers);
    free(guest->root);
    free(guest->run_root);
    free(guest->bundle_root);
    free(guest->log_root);
    free(guest->runtime);
}

/*
 * Whoever becomes our child is reaped when it ends, at any time: a dead process of an
 * exec keeps its pid namespace, and with it the container's first process, from ending.
 */
static void *reaper_main(void *arg)
{
    sigset_t children;
    siginfo_t info;
    sigemptyset(&children);
    sigaddset(&children, SIGCHLD);
    for (;;)
        if (sigwaitinfo(&children, &info) == SIGCHLD)
            children_sweep();
    return NULL;
}

/* Before any other thread: they inherit the mask. What is started gets an empty one. */
static void start_reaper(void)
{
    sigset_t children;
    pthread_t thread;
    sigemptyset(&children);
    sigaddset(&children, SIGCHLD);
    pthread_sigmask(SIG_BLOCK, &children, NULL);
    if (pthread_create(&thread, NULL, reaper_main, NULL) == 0)
        pthread_detach(thread);
}

int guest_serve(int read_fd, int write_fd, bool fresh)
{
    struct server server = {.write_fd = write_fd,
                            .lock = PTHREAD_MUTEX_INITIALIZER,
                            .changed = PTHREAD_COND_INITIALIZER};
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    struct wire_mux_options options = {.side = WIRE_GUEST,
                                       .read_fd = read_fd,
                                       .write_fd = write_fd,
                                       .on_request = on_request,
                                       .on_end = on_end,
                                       .arg = &server};
    /* processes that a runtime leaves behind (exec --detach) become our children */
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    start_reaper();
    dr_auto_json json_t *hello = guest_hello(), *peer = NULL;
    if (wire_mux_start(&options, hello, &server.mux, &err) < 0) {
        complain(&err);
        return 1;
    }
    struct dr_error unfit = DR_ERROR_INIT;
    json_t *theirs;
    int rc = wire_mux_hello(server.mux, 0, &theirs, &unfit);
    if (rc == 0)
        rc = set_up(&server.guest, theirs, &unfit);
    if (rc == 0 && fresh)
        helper_prune(&server.guest);
    pthread_mutex_lock(&server.lock);
    if (rc < 0)
        dr_error_move(&server.unfit, &unfit);
    else
        server.ready = server.fresh = true;
    pthread_cond_broadcast(&server.changed);
    while (!server.ended || server.active > 0)
        pthread_cond_wait(&server.changed, &server.lock);
    pthread_mutex_unlock(&server.lock);
    /* the process ends: what the stores hold is on disk, memory goes with it */
    wire_mux_free(server.mux);
    release(&server.guest);
    dr_error_release(&server.unfit);
    return rc < 0 && unfit.kind != DR_ERR_CANCELLED ? 1 : 0;
}
