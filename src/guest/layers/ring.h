/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bounded ring of equal buffers between one writing and one reading thread. The buffers
 * are made once and passed back and forth: memory does not grow with the stream, and no
 * byte is copied on the way.
 */
#ifndef DRAY_GUEST_LAYERS_RING_H
#define DRAY_GUEST_LAYERS_RING_H

#include <stddef.h>
#include <stdint.h>

struct ring;

struct ring *ring_new(size_t slots, size_t slot_bytes);
void ring_free(struct ring *ring); /* when both threads are through */

/* Writer: the next free buffer (slot_bytes long), waiting for one; NULL once aborted. */
uint8_t *ring_slot(struct ring *ring);
/* Hands the buffer over, len > 0 of it filled. */
void ring_push(struct ring *ring, size_t len);
/* Nothing more will come. */
void ring_end(struct ring *ring);

/* Reader: the next filled buffer, borrowed until the next call, which gives it back.
 * Returns 1, 0 at the end, -1 once aborted. */
int ring_next(struct ring *ring, const uint8_t **ret_data, size_t *ret_len);

/* Either side, any time: nobody waits any more. */
void ring_abort(struct ring *ring);

#endif
