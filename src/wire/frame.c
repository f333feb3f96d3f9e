/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/frame.h"

#include <string.h>

/* Per type: the largest payload, and whether a stream number belongs to it. */
static const struct {
    uint32_t max;
    bool stream;
} types[WIRE_TYPES_] = {
    [WIRE_HELLO] = {WIRE_CONTROL_MAX, false},
    [WIRE_REQUEST] = {WIRE_CONTROL_MAX, false},
    [WIRE_REPLY] = {WIRE_CONTROL_MAX, false},
    [WIRE_ERROR] = {WIRE_CONTROL_MAX, false},
    [WIRE_EVENT] = {WIRE_CONTROL_MAX, false},
    [WIRE_DATA] = {WIRE_DATA_MAX, true},
    [WIRE_EOF] = {0, true},
    [WIRE_WINDOW] = {4, true},
    [WIRE_CANCEL] = {0, false},
    [WIRE_ALIVE] = {0, false},
};

static void put_u32(unsigned char *p, uint32_t v)
{
    p[0] = (unsigned char)v;
    p[1] = (unsigned char)(v >> 8);
    p[2] = (unsigned char)(v >> 16);
    p[3] = (unsigned char)(v >> 24);
}

static uint32_t get_u32(const unsigned char *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
           (uint32_t)p[3] << 24;
}

void wire_header_encode(const struct wire_header *header,
                        unsigned char ret[WIRE_HEADER_BYTES])
{
    put_u32(ret, header->length);
    ret[4] = header->type;
    ret[5] = header->stream;
    ret[6] = ret[7] = 0;
    put_u32(ret + 8, header->channel);
}

int wire_header_decode(const unsigned char bytes[WIRE_HEADER_BYTES],
                       struct wire_header *ret_header, struct dr_error *err)
{
    struct wire_header h = {.length = get_u32(bytes),
                            .type = bytes[4],
                            .stream = bytes[5],
                            .channel = get_u32(bytes + 8)};
    if (h.type == 0 || h.type >= WIRE_TYPES_)
        return dr_fail_at(err, DR_AT_TRANSPORT, DR_ERR_FORMAT, 0,
                          "protocol: unknown frame type %u", h.type);
    if (bytes[6] || bytes[7])
        return dr_fail_at(err, DR_AT_TRANSPORT, DR_ERR_FORMAT, 0,
                          "protocol: reserved bytes of a header are not zero");
    if (h.length > types[h.type].max)
        return dr_fail_at(err, DR_AT_TRANSPORT, DR_ERR_FORMAT, 0,
                          "protocol: frame of %u bytes, type %u has at most %u", h.length,
                          h.type, types[h.type].max);
    if (h.stream >= (types[h.type].stream ? WIRE_STREAMS : 1))
        return dr_fail_at(err, DR_AT_TRANSPORT, DR_ERR_FORMAT, 0,
                          "protocol: stream %u in a frame of type %u", h.stream, h.type);
    if ((h.type == WIRE_HELLO || h.type == WIRE_ALIVE) != (h.channel == 0))
        return dr_fail_at(err, DR_AT_TRANSPORT, DR_ERR_FORMAT, 0,
                          "protocol: frame of type %u on channel %u", h.type, h.channel);
    if (h.type == WIRE_WINDOW && h.length != 4)
        return dr_fail_at(err, DR_AT_TRANSPORT, DR_ERR_FORMAT, 0,
                          "protocol: window frame of %u bytes", h.length);
    *ret_header = h;
    return 0;
}

json_t *wire_error_to_json(const struct dr_error *err, enum dr_origin here)
{
    json_t *json = json_object();
    enum dr_origin origin = err->origin == DR_AT_UNSET ? here : err->origin;
    dr_json_set_str(json, "kind", dr_kind_name(err->kind));
    dr_json_set_str(json, "origin", dr_origin_name(origin));
    dr_json_set_int(json, "code", err->code);
    /* texts may hold a path's or a program's raw bytes, JSON may not */
    json_t *text = json_string(err->text);
    dr_auto_free char *safe = text ? NULL : dr_strdup(err->text);
    for (char *p = safe; p && *p; p++)
        if ((unsigned char)*p >= 0x80)
            *p = '?';
    dr_json_set(json, "text", text ? text : json_string(safe));
    if (err->program) {
        dr_json_set_str(json, "program", err->program);
        dr_json_set_int(json, "status", err->status);
    }
    if (err->output) {
        dr_auto_free char *copy = dr_strdup(err->output);
        size_t len = strlen(copy), keep = 256 * 1024;
        char *tail = len > keep ? copy + (len - keep) : copy;
        json_t *output = json_string(tail);
        for (char *p = tail; !output && *p; p++)
            if ((unsigned char)*p >= 0x80)
                *p = '?';
        dr_json_set(json, "output", output ? output : json_string(tail));
    }
    return json;
}

int wire_error_from_json(const json_t *json, struct dr_error *err)
{
    const char *text = dr_json_str(json, "text");
    const char *output = dr_json_str(json, "output");
    int64_t code = dr_json_int(json, "code", 0);
    enum dr_kind kind = dr_kind_parse(dr_json_str(json, "kind"));
    if (kind == DR_ERR_NONE)
        kind = DR_ERR_INTERNAL;
    dr_fail_at(err, dr_origin_parse(dr_json_str(json, "origin")), kind,
               code > INT32_MIN && code < INT32_MAX ? (int)code : 0, "%s",
               text ? text : "an error without a text");
    err->output = dr_strdup(output);
    err->program = dr_strdup(dr_json_str(json, "program"));
    int64_t status = dr_json_int(json, "status", 0);
    if (err->program && status >= 0 && status <= 255)
        err->status = (int)status;
    return -1;
}
