/* SPDX-License-Identifier: Apache-2.0 */
#include "canned.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fs.h"

struct ending {
    struct ending *next;
    pthread_t thread;
    struct canned *canned;
    int in, out;
};

/* --- bytes --- */

void raw_frame(struct dr_buf *raw, enum wire_type type, uint32_t channel, int stream,
               const char *text)
{
    unsigned char header[WIRE_HEADER_BYTES];
    struct dr_error err = DR_ERROR_INIT;
    wire_header_encode(&(struct wire_header){.length = (uint32_t)strlen(text),
                                             .type = (uint8_t)type,
                                             .stream = (uint8_t)stream,
                                             .channel = channel},
                       header);
    assert_int_equal(dr_buf_add(raw, header, sizeof header, &err), 0);
    assert_int_equal(dr_buf_add(raw, text, strlen(text), &err), 0);
}

void raw_start(struct dr_buf *raw)
{
    struct dr_error err = DR_ERROR_INIT;
    *raw = DR_BUF_INIT(1 << 20);
    assert_int_equal(dr_buf_add(raw, WIRE_MAGIC, WIRE_MAGIC_BYTES, &err), 0);
    raw_frame(raw, WIRE_HELLO, 0, 0, HELLO_TEXT);
}

void canned_send(struct canned *canned, enum wire_type type, uint32_t channel, int stream,
                 const char *payload, size_t len)
{
    unsigned char header[WIRE_HEADER_BYTES];
    wire_header_encode(&(struct wire_header){.length = (uint32_t)len,
                                             .type = (uint8_t)type,
                                             .stream = (uint8_t)stream,
                                             .channel = channel},
                       header);
    if (dr_write_full(canned->out, header, sizeof header) == 0)
        dr_write_full(canned->out, payload, len);
}

void canned_text(struct canned *canned, enum wire_type type, uint32_t channel, int stream,
                 const char *text)
{
    canned_send(canned, type, channel, stream, text, strlen(text));
}

/* --- the other end --- */

static bool answer(struct canned *canned, const struct wire_header *h)
{
    if (h->type != WIRE_REQUEST)
        return true;
    size_t i = (size_t)atomic_load(&canned->requests) - 1;
    const char *reply =
        canned->replies[i < canned->reply_count ? i : canned->reply_count - 1];
    bool failed = *reply == '!';
    canned_text(canned, failed ? WIRE_ERROR : WIRE_REPLY, h->channel, 0, reply + failed);
    return true;
}

static void *ending_main(void *arg)
{
    struct ending *end = arg;
    struct canned *canned = end->canned;
    unsigned char header[WIRE_HEADER_BYTES];
    struct wire_header h;
    struct dr_error err = DR_ERROR_INIT;
    bool going = true;
    while (going && dr_read_full(end->in, header, sizeof header) == sizeof header) {
        assert_int_equal(wire_header_decode(header, &h, &err), 0);
        dr_auto_free char *payload = dr_alloc(h.length + 1);
        if (dr_read_full(end->in, payload, h.length) != h.length)
            break;
        pthread_mutex_lock(&canned->lock);
        bool streamed = h.type == WIRE_DATA || h.type == WIRE_EOF;
        if (h.type != WIRE_WINDOW && h.type != WIRE_ALIVE)
            dr_buf_addf(&canned->record, &err,
                        streamed ? "%u/%u/%u %.*s\n" : "%u/%u%.0u %.*s\n", h.type,
                        h.channel, h.stream, (int)h.length, payload);
        canned->out = end->out;
        if (h.type == WIRE_REQUEST)
            atomic_fetch_add(&canned->requests, 1);
        if (canned->mute)
            going = true;
        else if (canned->raw)
            going = h.type != WIRE_REQUEST ||
                    (dr_write_full(end->out, canned->raw, canned->raw_len) < 0 && false);
        else
            going = canned->on_frame ? canned->on_frame(canned, &h, payload)
                                     : answer(canned, &h);
        pthread_mutex_unlock(&canned->lock);
    }
    close(end->in);
    close(end->out);
    return NULL;
}

static int canned_connect(void *arg, struct transport *ret, struct dr_error *err)
{
    struct canned *canned = arg;
    int to_helper[2], to_host[2];
    int connects = atomic_fetch_add(&canned->connects, 1) + 1;
    if (canned->refuse_after && connects > canned->refuse_after)
        return dr_fail_at(err, DR_AT_TRANSPORT, DR_ERR_UNAVAILABLE, 0, "nobody is there");
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, to_helper), 0);
    assert_int_equal(pipe2(to_host, O_CLOEXEC), 0);
    struct ending *end = dr_alloc(sizeof *end);
    *end = (struct ending){canned->endings, 0, canned, to_helper[0], to_host[1]};
    canned->endings = end;
    if (!canned->raw && !canned->mute) {
        dr_auto_buf struct dr_buf hello;
        raw_start(&hello);
        assert_int_equal(dr_write_full(end->out, hello.data, hello.len), 0);
    }
    assert_int_equal(pthread_create(&end->thread, NULL, ending_main, end), 0);
    *ret = (struct transport){
        .read_fd = to_host[0], .write_fd = to_helper[1], .pid = -1, .spawn_count = 1};
    return 0;
}

void canned_open(struct canned *canned, struct dray_open_options *options)
{
    struct dray_open_options none = DRAY_INIT(struct dray_open_options);
    struct connector connector = {canned_connect, canned};
    struct dr_error err = DR_ERROR_INIT;
    canned->record = DR_BUF_INIT(4u << 20);
    pthread_mutex_init(&canned->lock, NULL);
    assert_int_equal(
        target_open(options ? options : &none, &connector, &canned->target, &err), 0);
}

char *canned_finish(struct canned *canned)
{
    dray_close(canned->target);
    while (canned->endings) {
        struct ending *end = canned->endings;
        canned->endings = end->next;
        pthread_join(end->thread, NULL);
        free(end);
    }
    pthread_mutex_destroy(&canned->lock);
    return dr_buf_take(&canned->record);
}
