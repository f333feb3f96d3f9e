/* SPDX-License-Identifier: Apache-2.0 */
/* Small text work: escaping for terminals, times, sizes, durations, random ids. */
#ifndef DRAY_BASE_TEXT_H
#define DRAY_BASE_TEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

/* A copy that is safe to print: control characters, DEL, C1 and bytes that are not UTF-8
 * become \xNN, a newline becomes a blank; cut with "…" after max characters (0: no cut).
 * HAZARDS H3: terminal escapes in anything dray itself prints. */
char *dr_escape(const char *text, size_t max);

/* Length in bytes of the valid UTF-8 character at text, 0 when there is none. text ends
 * with a NUL. */
size_t dr_utf8_len(const char *text);
/* A copy in which each byte that is no UTF-8, or NUL, is U+FFFD. text has a NUL behind
 * its len bytes. Owned. */
char *dr_utf8_text(const char *text, size_t len);

/* Nanoseconds since the epoch, now. */
int64_t dr_now_ns(void);
/* Monotonic milliseconds, for deadlines. */
int64_t dr_clock_ms(void);
/* "2006-01-02T15:04:05.123456789Z" (30 characters and a NUL) */
#define DR_TIME_TEXT 31
void dr_time_format(int64_t ns, char ret_text[DR_TIME_TEXT]);
/* RFC 3339, with any fraction and offset. DR_ERR_FORMAT. */
int dr_time_parse(const char *text, int64_t *ret_ns, struct dr_error *err);

/* "512", "512b", "64k", "1.5m", "2g", "512Mi", "1GiB": Docker's RAM units (powers of
 * 1024). DR_ERR_INVALID names the text. */
int dr_size_parse(const char *text, int64_t *ret_bytes, struct dr_error *err);
/* Docker's habit for people: "12.3MB" (powers of 1000). */
char *dr_size_text(int64_t bytes);
/* Go's durations: "10s", "1m30s", "250ms", "1h"; a bare number is seconds. */
int dr_duration_parse(const char *text, int64_t *ret_ns, struct dr_error *err);

/* Random lower-case hex digits from the kernel. ret has room for digits + 1. */
void dr_random_hex(size_t digits, char *ret);

/* Whole-string decimal number in [min, max]. */
bool dr_int_parse(const char *text, int64_t min, int64_t max, int64_t *ret);

/* Standard base64 of len bytes, owned. */
char *dr_base64(const void *data, size_t len);
/* The inverse, owned and NUL-terminated, or NULL when it is not base64. The padding may
 * be left away. */
char *dr_base64_decode(const char *text);

#endif
