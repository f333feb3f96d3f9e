/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames: what host and helper say to each other, and helper and monitor.
 * docs/internals/PROTOCOL.md is the reference.
 *
 * A frame is a header of 12 bytes and a payload:
 *     0  u32 LE  length of the payload
 *     4  u8      type
 *     5  u8      stream (data, eof, window: which stream of the channel), else 0
 *     6  u16     0
 *     8  u32 LE  channel (0: the session itself)
 */
#ifndef DRAY_WIRE_FRAME_H
#define DRAY_WIRE_FRAME_H

#include <stdint.h>

#include "base/json.h"

#define WIRE_HEADER_BYTES 12
#define WIRE_CONTROL_MAX (1u << 20) /* JSON payloads */
#define WIRE_DATA_MAX (128u << 10)  /* data payloads */
#define WIRE_WINDOW_BYTES                                                                \
    (512u << 10)       /* initial credit of each direction of each stream */
#define WIRE_STREAMS 4 /* streams 0..3 of a channel */
#define WIRE_PROTOCOL 1

/* The helper's first bytes on stdout. What came before are the transport's own words. */
#define WIRE_MAGIC "\0DRAY-WIRE-1\n\0"
#define WIRE_MAGIC_BYTES 14

enum wire_type {
    WIRE_HELLO = 1, /* both directions, channel 0, JSON, once, first */
    WIRE_REQUEST,   /* host → helper, JSON {"op":…}: opens the channel */
    WIRE_REPLY,     /* helper → host, JSON: the last frame of the channel */
    WIRE_ERROR,     /* helper → host, JSON error: the last frame of the channel */
    WIRE_EVENT,  /* either way, JSON: something happened (started; a signal to pass on) */
    WIRE_DATA,   /* either way, raw bytes of a stream */
    WIRE_EOF,    /* either way, empty: no more data on the stream */
    WIRE_WINDOW, /* either way, u32 LE: bytes consumed, so many more may be sent */
    WIRE_CANCEL, /* host → helper, empty: the caller gave up */
    WIRE_ALIVE,  /* either way, channel 0, empty: see pulse.h */
    WIRE_TYPES_
};

/* Stream numbers by use. */
enum wire_stream { WIRE_STDIN = 0, WIRE_STDOUT = 1, WIRE_STDERR = 2, WIRE_EXTRA = 3 };

struct wire_header {
    uint32_t length;
    uint8_t type, stream;
    uint32_t channel;
};

/* Both ways between struct and bytes. Decoding checks type, stream, reserved bytes and
 * the maximum length of the type: DR_ERR_FORMAT with origin DR_AT_TRANSPORT. */
void wire_header_encode(const struct wire_header *header,
                        unsigned char ret[WIRE_HEADER_BYTES]);
int wire_header_decode(const unsigned char bytes[WIRE_HEADER_BYTES],
                       struct wire_header *ret_header, struct dr_error *err);

/* Errors as payload: {"kind","origin","code","text","output"}, with "program" and
 * "status" when there is a program. origin unset becomes `here`. */
json_t *wire_error_to_json(const struct dr_error *err, enum dr_origin here);
/* Fills err from a payload; always "succeeds" in failing: returns -1. */
int wire_error_from_json(const json_t *json, struct dr_error *err);

#endif
