/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/layers/ring.h"

#include <pthread.h>
#include <stdbool.h>

#include "base/mem.h"

struct ring {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    size_t slots, slot_bytes;
    size_t head,
        filled; /* head: the oldest filled one; counts include the borrowed one */
    bool borrowed, ended, aborted;
    size_t *lens;
    uint8_t *bytes;
};

struct ring *ring_new(size_t slots, size_t slot_bytes)
{
    struct ring *ring = dr_alloc(sizeof *ring);
    pthread_mutex_init(&ring->lock, NULL);
    pthread_cond_init(&ring->changed, NULL);
    ring->slots = slots;
    ring->slot_bytes = slot_bytes;
    ring->lens = dr_alloc(slots * sizeof *ring->lens);
    ring->bytes = dr_alloc(slots * slot_bytes);
    return ring;
}

void ring_free(struct ring *ring)
{
    if (!ring)
        return;
    pthread_cond_destroy(&ring->changed);
    pthread_mutex_destroy(&ring->lock);
    free(ring->lens);
    free(ring->bytes);
    free(ring);
}

uint8_t *ring_slot(struct ring *ring)
{
    uint8_t *slot = NULL;
    pthread_mutex_lock(&ring->lock);
    while (ring->filled == ring->slots && !ring->aborted)
        pthread_cond_wait(&ring->changed, &ring->lock);
    if (!ring->aborted)
        slot = ring->bytes + (ring->head + ring->filled) % ring->slots * ring->slot_bytes;
    pthread_mutex_unlock(&ring->lock);
    return slot;
}

void ring_push(struct ring *ring, size_t len)
{
    pthread_mutex_lock(&ring->lock);
    ring->lens[(ring->head + ring->filled) % ring->slots] = len;
    ring->filled++;
    pthread_cond_signal(&ring->changed);
    pthread_mutex_unlock(&ring->lock);
}

void ring_end(struct ring *ring)
{
    pthread_mutex_lock(&ring->lock);
    ring->ended = true;
    pthread_cond_signal(&ring->changed);
    pthread_mutex_unlock(&ring->lock);
}

void ring_abort(struct ring *ring)
{
    pthread_mutex_lock(&ring->lock);
    ring->aborted = true;
    pthread_cond_broadcast(&ring->changed);
    pthread_mutex_unlock(&ring->lock);
}

int ring_next(struct ring *ring, const uint8_t **ret_data, size_t *ret_len)
{
    int result = 1;
    pthread_mutex_lock(&ring->lock);
    if (ring->borrowed) {
        ring->head = (ring->head + 1) % ring->slots;
        ring->filled--;
        ring->borrowed = false;
        pthread_cond_signal(&ring->changed);
    }
    while (ring->filled == 0 && !ring->ended && !ring->aborted)
        pthread_cond_wait(&ring->changed, &ring->lock);
    if (ring->aborted) {
        result = -1;
    } else if (ring->filled == 0) {
        result = 0;
    } else {
        *ret_data = ring->bytes + ring->head * ring->slot_bytes;
        *ret_len = ring->lens[ring->head];
        ring->borrowed = true;
    }
    pthread_mutex_unlock(&ring->lock);
    return result;
}
