/* SPDX-License-Identifier: Apache-2.0 */
#include "tarball.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

void tarball_release(struct tarball *t)
{
    dr_buf_release(&t->bytes);
    dr_buf_release(&t->records);
}

void tarball_raw(struct tarball *t, const void *data, size_t len)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    assert_int_equal(dr_buf_add(&t->bytes, data, len, &err), 0);
}

void tarball_zeros(struct tarball *t, size_t len)
{
    dr_auto_free char *zeros = dr_alloc(len + 1);
    tarball_raw(t, zeros, len);
}

static void pad(struct tarball *t)
{
    tarball_zeros(t, (512 - t->bytes.len % 512) % 512);
}

void tarball_end(struct tarball *t)
{
    tarball_zeros(t, 1024);
}

static void octal(char *field, size_t len, int64_t value)
{
    if (value >= 0 && value < (int64_t)1 << (3 * (len - 1))) {
        char text[24];
        snprintf(text, sizeof text, "%0*llo", (int)len - 1, (long long)value);
        memcpy(field, text, len);
        return;
    }
    for (size_t i = len; i-- > 0; value >>= 8) /* base-256 */
        field[i] = (char)value;
    field[0] = (char)((uint8_t)field[0] | 0x80);
}

void tarball_add(struct tarball *t, struct item i)
{
    char h[512] = {0};
    size_t len = i.len || !i.data ? i.len : strlen(i.data);
    size_t name_len = strlen(i.name);
    bool is_dir = i.type == '5';
    int mode = i.mode == -1 ? 0 : i.mode ? i.mode : is_dir ? 0755 : 0644;
    if (name_len > 100) {
        tarball_record(t, "path", i.name, 0);
        tarball_pax(t, 'x');
    }
    memcpy(h, i.name, name_len < 100 ? name_len : 100);
    octal(h + 100, 8, mode);
    octal(h + 108, 8, i.uid);
    octal(h + 116, 8, i.gid);
    octal(h + 124, 12, (int64_t)len);
    octal(h + 136, 12, i.mtime ? i.mtime : 1000000000);
    h[156] = i.type == TYPE_NUL ? '\0' : i.type ? i.type : '0';
    if (i.link)
        memcpy(h + 157, i.link, strlen(i.link));
    memcpy(h + 257, i.magic ? i.magic : "ustar\00000", 8);
    octal(h + 329, 8, i.dev_major);
    octal(h + 337, 8, i.dev_minor);
    if (i.raw_size)
        memcpy(h + 124, i.raw_size, 12);
    if (i.raw_uid)
        memcpy(h + 108, i.raw_uid, 8);
    if (i.raw_mtime)
        memcpy(h + 136, i.raw_mtime, 12);
    if (i.raw_prefix)
        memcpy(h + 345, i.raw_prefix, strlen(i.raw_prefix));
    if (i.at_386)
        memcpy(h + 386, i.at_386, 126);
    memset(h + 148, ' ', 8);
    int sum = i.wrong_checksum ? 1 : 0;
    for (size_t j = 0; j < sizeof h; j++)
        sum += (unsigned char)h[j];
    snprintf(h + 148, 8, "%06o", sum);
    tarball_raw(t, h, sizeof h);
    if (!i.no_payload && len > 0) {
        tarball_raw(t, i.data, len);
        pad(t);
    }
}

void tarball_record(struct tarball *t, const char *key, const char *value, size_t len)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    if (len == 0)
        len = strlen(value);
    size_t body = strlen(key) + len + 3, total = body + 1;
    char digits[24];
    while (body + (size_t)snprintf(digits, sizeof digits, "%zu", total) != total)
        total = body + strlen(digits);
    assert_int_equal(dr_buf_addf(&t->records, &err, "%zu %s=", total, key), 0);
    assert_int_equal(dr_buf_add(&t->records, value, len, &err), 0);
    assert_int_equal(dr_buf_add(&t->records, "\n", 1, &err), 0);
}

void tarball_pax(struct tarball *t, char type)
{
    ADD(t, .type = type, .name = "PaxHeader", .data = t->records.data,
        .len = t->records.len);
    dr_buf_reset(&t->records);
}
