/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"

#include <stdio.h>
#include <string.h>

void dr_buf_release(struct dr_buf *buf)
{
    free(buf->data);
    buf->data = NULL;
    buf->len = buf->cap = 0;
}

void dr_buf_reset(struct dr_buf *buf)
{
    buf->len = 0;
    if (buf->data)
        buf->data[0] = '\0';
}

int dr_buf_reserve(struct dr_buf *buf, size_t more, struct dr_error *err)
{
    if (more > buf->max || buf->len > buf->max - more)
        return dr_fail(err, DR_ERR_FORMAT, "more than %zu bytes", buf->max);
    size_t need = buf->len + more + 1;
    if (need > buf->cap) {
        size_t cap = buf->cap ? buf->cap : 256;
        while (cap < need)
            cap *= 2;
        buf->data = dr_realloc(buf->data, cap);
        buf->cap = cap;
    }
    return 0;
}

int dr_buf_add(struct dr_buf *buf, const void *data, size_t len, struct dr_error *err)
{
    if (dr_buf_reserve(buf, len, err) < 0)
        return -1;
    if (len)
        memcpy(buf->data + buf->len, data, len);
    buf->len += len;
    buf->data[buf->len] = '\0';
    return 0;
}

int dr_buf_addf(struct dr_buf *buf, struct dr_error *err, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    dr_auto_free char *text = dr_vprintf(fmt, ap);
    va_end(ap);
    return dr_buf_add(buf, text, strlen(text), err);
}

void dr_buf_consume(struct dr_buf *buf, size_t n)
{
    if (n >= buf->len) {
        dr_buf_reset(buf);
        return;
    }
    memmove(buf->data, buf->data + n, buf->len - n + 1);
    buf->len -= n;
}

char *dr_buf_take(struct dr_buf *buf)
{
    char *text = buf->data ? buf->data : dr_strdup("");
    buf->data = NULL;
    buf->len = buf->cap = 0;
    return text;
}
