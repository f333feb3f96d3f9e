/* SPDX-License-Identifier: Apache-2.0 */
#include <poll.h>
#include <sys/eventfd.h>

#include "base/text.h"
#include "host/watch.h"

struct watch {
    const struct limits *asked;
    struct dray_cancel *stop;
    int done_fd;
    pthread_t thread;
};

static void *watch_main(void *arg)
{
    struct watch *watch = arg;
    const struct limits *asked = watch->asked;
    struct pollfd fds[] = {
        {.fd = watch->done_fd, .events = POLLIN},
        {.fd = asked->cancel ? asked->cancel->fd : -1, .events = POLLIN}};
    for (;;) {
        int64_t left = asked->deadline_ms ? asked->deadline_ms - dr_clock_ms() : -1;
        if (asked->deadline_ms && left < 0)
            left = 0;
        int n = poll(fds, 2, left > INT32_MAX ? INT32_MAX : (int)left);
        if (fds[0].revents && n > 0)
            return NULL;
        if ((n > 0 && fds[1].revents) || (n == 0 && left <= INT32_MAX)) {
            dray_cancel_trigger(watch->stop);
            return NULL;
        }
    }
}

int watch_begin(const struct limits *asked, struct dray_cancel *stop, struct watch **ret,
                struct dr_error *err)
{
    *ret = NULL;
    if (!asked->cancel && !asked->deadline_ms)
        return 0;
    struct watch *watch = dr_alloc(sizeof *watch);
    *watch = (struct watch){.asked = asked, .stop = stop};
    watch->done_fd = eventfd(0, EFD_CLOEXEC);
    if (watch->done_fd < 0 ||
        pthread_create(&watch->thread, NULL, watch_main, watch) != 0) {
        dr_fail_errno(err, DR_ERR_INTERNAL, "watch over the deadline");
        dr_cleanup_fd(&watch->done_fd);
        free(watch);
        return -1;
    }
    *ret = watch;
    return 0;
}

void watch_end(struct watch *watch)
{
    if (!watch)
        return;
    eventfd_write(watch->done_fd, 1);
    pthread_join(watch->thread, NULL);
    close(watch->done_fd);
    free(watch);
}
