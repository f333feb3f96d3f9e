/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "wire/frame.h"

static void header_survives_encoding_and_decoding(void **state)
{
    struct wire_header in = {
        .length = 0x1234, .type = WIRE_DATA, .stream = 2, .channel = 0xfedcba99};
    struct wire_header out;
    unsigned char bytes[WIRE_HEADER_BYTES];
    struct dr_error err = DR_ERROR_INIT;
    wire_header_encode(&in, bytes);
    static const unsigned char golden[] = {0x34, 0x12, 0,    0,    WIRE_DATA, 2,
                                           0,    0,    0x99, 0xba, 0xdc,      0xfe};
    assert_memory_equal(bytes, golden, sizeof golden);
    assert_int_equal(wire_header_decode(bytes, &out, &err), 0);
    assert_int_equal(out.length, in.length);
    assert_int_equal(out.type, in.type);
    assert_int_equal(out.stream, in.stream);
    assert_true(out.channel == in.channel);
}

static void bad_headers_are_refused_with_their_reason(void **state)
{
    static const struct {
        unsigned char bytes[WIRE_HEADER_BYTES];
        const char *text;
    } bad[] = {
        {{0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0}, "protocol: unknown frame type 0"},
        {{0, 0, 0, 0, 99, 0, 0, 0, 1, 0, 0, 0}, "protocol: unknown frame type 99"},
        {{0, 0, 0, 0, WIRE_DATA, 0, 1, 0, 1, 0, 0, 0},
         "protocol: reserved bytes of a header are not zero"},
        {{1, 0, 2, 0, WIRE_DATA, 0, 0, 0, 1, 0, 0, 0},
         "protocol: frame of 131073 bytes, type 6 has at most 131072"},
        {{1, 0, 16, 0, WIRE_REQUEST, 0, 0, 0, 1, 0, 0, 0},
         "protocol: frame of 1048577 bytes, type 2 has at most 1048576"},
        {{0, 0, 0, 0, WIRE_DATA, 4, 0, 0, 1, 0, 0, 0},
         "protocol: stream 4 in a frame of type 6"},
        {{0, 0, 0, 0, WIRE_CANCEL, 1, 0, 0, 1, 0, 0, 0},
         "protocol: stream 1 in a frame of type 9"},
        {{2, 0, 0, 0, WIRE_HELLO, 0, 0, 0, 1, 0, 0, 0},
         "protocol: frame of type 1 on channel 1"},
        {{0, 0, 0, 0, WIRE_ALIVE, 0, 0, 0, 1, 0, 0, 0},
         "protocol: frame of type 10 on channel 1"},
        {{1, 0, 0, 0, WIRE_ALIVE, 0, 0, 0, 0, 0, 0, 0},
         "protocol: frame of 1 bytes, type 10 has at most 0"},
        {{2, 0, 0, 0, WIRE_REQUEST, 0, 0, 0, 0, 0, 0, 0},
         "protocol: frame of type 2 on channel 0"},
        {{3, 0, 0, 0, WIRE_WINDOW, 0, 0, 0, 1, 0, 0, 0},
         "protocol: window frame of 3 bytes"},
    };
    for (size_t i = 0; i < DR_COUNT(bad); i++) {
        struct wire_header out = {.channel = 77};
        struct dr_error err = DR_ERROR_INIT;
        assert_int_equal(wire_header_decode(bad[i].bytes, &out, &err), -1);
        assert_int_equal(err.kind, DR_ERR_FORMAT);
        assert_int_equal(err.origin, DR_AT_TRANSPORT);
        assert_string_equal(err.text, bad[i].text);
        assert_int_equal(out.channel, 77);
    }
}

/* C32: kind, origin, status and stderr survive the crossing, whole */
static void c32_error_survives_the_crossing(void **state)
{
    struct dr_error in = DR_ERROR_INIT, out = DR_ERROR_INIT;
    dr_fail_at(&in, DR_AT_RUNTIME, DR_ERR_START, 127,
               "crun run failed (status 1): no such file");
    in.output = dr_strdup("first line\nsecond line\n");
    in.program = dr_strdup("crun");
    in.status = 128 + 9;
    dr_auto_json json_t *json = wire_error_to_json(&in, DR_AT_GUEST);
    assert_int_equal(wire_error_from_json(json, &out), -1);
    assert_int_equal(out.kind, DR_ERR_START);
    assert_int_equal(out.origin, DR_AT_RUNTIME);
    assert_int_equal(out.code, 127);
    assert_string_equal(out.text, in.text);
    assert_string_equal(out.output, in.output);
    assert_string_equal(out.program, "crun");
    assert_int_equal(out.status, 137);
    dr_error_release(&in);
    dr_error_release(&out);
}

static void error_without_an_origin_gets_the_senders(void **state)
{
    struct dr_error in = DR_ERROR_INIT, out = DR_ERROR_INIT;
    dr_fail(&in, DR_ERR_EXISTS, "taken");
    dr_auto_json json_t *json = wire_error_to_json(&in, DR_AT_GUEST);
    wire_error_from_json(json, &out);
    assert_int_equal(out.origin, DR_AT_GUEST);
    assert_int_equal(out.kind, DR_ERR_EXISTS);
}

static void error_text_that_is_not_utf8_still_arrives(void **state)
{
    struct dr_error in = DR_ERROR_INIT, out = DR_ERROR_INIT;
    dr_fail(&in, DR_ERR_INTERNAL, "open \xff\xfe: no");
    in.output = dr_strdup("raw \x80 words");
    dr_auto_json json_t *json = wire_error_to_json(&in, DR_AT_GUEST);
    wire_error_from_json(json, &out);
    assert_string_equal(out.text, "open ??: no");
    assert_string_equal(out.output, "raw ? words");
    dr_error_release(&in);
    dr_error_release(&out);
}

static void error_of_an_unknown_kind_is_internal(void **state)
{
    struct dr_error out = DR_ERROR_INIT;
    dr_auto_json json_t *json =
        json_pack("{ssss}", "kind", "from the future", "text", "x");
    wire_error_from_json(json, &out);
    assert_int_equal(out.kind, DR_ERR_INTERNAL);
    assert_string_equal(out.text, "x");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(header_survives_encoding_and_decoding),
        cmocka_unit_test(bad_headers_are_refused_with_their_reason),
        cmocka_unit_test(c32_error_survives_the_crossing),
        cmocka_unit_test(error_without_an_origin_gets_the_senders),
        cmocka_unit_test(error_text_that_is_not_utf8_still_arrives),
        cmocka_unit_test(error_of_an_unknown_kind_is_internal),
    };
    return cmocka_run_group_tests_name("wire frame", tests, NULL, NULL);
}
