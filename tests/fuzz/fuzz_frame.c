/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The session's parser: the input is what a peer sends. The first byte chooses the side;
 * the session must end when the input does, and leak nothing.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "wire/mux.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct end {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool ended;
};

static void on_request(void *arg, struct wire_chan *chan, json_t *request)
{
    wire_reply(chan, NULL); /* at once: what follows on the channel is late */
}

static void on_end(void *arg, const struct dr_error *err)
{
    struct end *end = arg;
    pthread_mutex_lock(&end->lock);
    end->ended = true;
    pthread_cond_broadcast(&end->changed);
    pthread_mutex_unlock(&end->lock);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || size > 60000) /* it has to fit into the pipe */
        return 0;
    int in[2];
    struct end end = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false};
    bool guest = data[0] & 1;
    if (pipe2(in, O_CLOEXEC) < 0)
        return 0;
    if (dr_write_full(in[1], data + 1, size - 1) < 0)
        return 0;
    close(in[1]);
    struct wire_mux_options options = {.side = guest ? WIRE_GUEST : WIRE_HOST,
                                       .read_fd = in[0],
                                       .write_fd =
                                           open("/dev/null", O_WRONLY | O_CLOEXEC),
                                       .on_request = on_request,
                                       .on_end = on_end,
                                       .arg = &end};
    struct wire_mux *mux;
    struct dr_error err = DR_ERROR_INIT;
    dr_auto_json json_t *hello = json_pack("{si}", "protocol", WIRE_PROTOCOL);
    if (wire_mux_start(&options, hello, &mux, &err) < 0)
        return 0;
    if (!guest) {
        dr_auto_json json_t *request = json_pack("{ss}", "op", "x");
        wire_call(mux, request, 0, NULL, &err);
    }
    pthread_mutex_lock(&end.lock);
    while (!end.ended)
        pthread_cond_wait(&end.changed, &end.lock);
    pthread_mutex_unlock(&end.lock);
    wire_mux_free(mux);
    dr_error_release(&err);
    return 0;
}
