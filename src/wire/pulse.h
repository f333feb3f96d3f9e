/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether the other side of a session is still there. Both sides say ALIVE when they have
 * said nothing else for a while, and count how long nothing came; the thread that reads
 * does both, and it waits for nothing but the pipe, whatever the rest is busy with.
 *
 * What is counted are bytes that come, not answers to questions: on a slow line an answer
 * would stand behind megabytes of data, but bytes of those come all the time. A pipe that
 * is full needs no ALIVE: whatever gets through says the same.
 *
 * Time is counted only while we are awake. Between two looks more than planned has passed
 * when we were stopped, or the machine slept: the other side could not be heard then, and
 * gets its whole time anew.
 *
 * The guest speaks only after the host has: so nothing is sent to a machine that sleeps,
 * and its TCP connection outlives that.
 */
#ifndef DRAY_WIRE_PULSE_H
#define DRAY_WIRE_PULSE_H

#include <stdbool.h>
#include <stdint.h>

struct wire_pulse {
    int every_ms;    /* between two looks, and two ALIVEs; 0: there is no pulse */
    int silence_ms;  /* so long may nothing come; 0: for ever */
    int patience_ms; /* the same while every open channel is a patient one */
};

struct pulse {
    struct wire_pulse plan;
    int64_t looked_ms, quiet_ms;
    uint64_t sent; /* bytes, at the last look */
    bool heard;    /* something came since */
};

void pulse_begin(struct pulse *pulse, const struct wire_pulse *plan, int64_t now_ms);
/* Milliseconds until the next look; -1: there will be none. */
int pulse_wait_ms(const struct pulse *pulse, int64_t now_ms);
/* Something came. */
void pulse_heard(struct pulse *pulse);
/* It is time for it. sent: bytes ever. *ret_say: ALIVE is due. True: the other side has
 * been silent for limit_ms (0: it may be). */
bool pulse_look(struct pulse *pulse, int64_t now_ms, uint64_t sent, bool is_host,
                int limit_ms, bool *ret_say);

#endif
