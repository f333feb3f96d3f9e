/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/committer.h"

#include <pthread.h>

struct committer {
    pthread_t thread;
    bool started;
    pthread_mutex_t lock; /* for all below */
    pthread_cond_t changed;
    struct store_fetch **queue; /* owned array of borrowed fetches */
    size_t added, done;
    bool ending;
    struct dr_error why; /* the first failure */
};

/* Called without the lock, returns with it. */
static void commit_one(struct committer *c, struct store_fetch *fetch)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    int rc = store_fetch_commit(fetch, &err);
    pthread_mutex_lock(&c->lock);
    c->done++;
    if (rc < 0 && c->why.kind == DR_ERR_NONE)
        dr_error_move(&c->why, &err);
}

static void *run(void *context)
{
    struct committer *c = context;
    pthread_mutex_lock(&c->lock);
    for (;;) {
        if (c->done == c->added) {
            if (c->ending)
                break;
            pthread_cond_wait(&c->changed, &c->lock);
            continue;
        }
        struct store_fetch *fetch = c->queue[c->done];
        pthread_mutex_unlock(&c->lock);
        commit_one(c, fetch);
    }
    pthread_mutex_unlock(&c->lock);
    return NULL;
}

struct committer *committer_new(size_t room)
{
    struct committer *c = dr_alloc(sizeof *c);
    pthread_mutex_init(&c->lock, NULL);
    pthread_cond_init(&c->changed, NULL);
    c->queue = dr_alloc((room + 1) * sizeof *c->queue);
    return c;
}

void committer_add(struct committer *c, struct store_fetch *fetch)
{
    pthread_mutex_lock(&c->lock);
    c->queue[c->added++] = fetch;
    if (!c->started)
        c->started = pthread_create(&c->thread, NULL, run, c) == 0;
    bool here = !c->started;
    pthread_cond_signal(&c->changed);
    pthread_mutex_unlock(&c->lock);
    if (!here)
        return;
    /* no thread to be had: then it takes its time here */
    commit_one(c, fetch);
    pthread_mutex_unlock(&c->lock);
}

int committer_check(struct committer *c, struct dr_error *err)
{
    pthread_mutex_lock(&c->lock);
    int rc = c->why.kind == DR_ERR_NONE ? 0 : dr_error_move(err, &c->why);
    pthread_mutex_unlock(&c->lock);
    return rc;
}

int committer_end(struct committer *c, struct dr_error *err)
{
    pthread_mutex_lock(&c->lock);
    c->ending = true;
    pthread_cond_signal(&c->changed);
    pthread_mutex_unlock(&c->lock);
    if (c->started)
        pthread_join(c->thread, NULL);
    int rc = c->why.kind == DR_ERR_NONE ? 0 : dr_error_move(err, &c->why);
    pthread_cond_destroy(&c->changed);
    pthread_mutex_destroy(&c->lock);
    free(c->queue);
    free(c);
    return rc;
}
