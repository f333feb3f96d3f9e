/* SPDX-License-Identifier: Apache-2.0 */
/* C33: deadlines, and tokens that give a call up from another thread or a signal handler.
 */
#include <errno.h>
#include <sys/eventfd.h>

#include "base/text.h"
#include "host/target.h"

struct dray_cancel *dray_cancel_new(void)
{
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fd < 0)
        return NULL;
    struct dray_cancel *cancel = dr_alloc(sizeof *cancel);
    cancel->fd = fd;
    return cancel;
}

/* Only what signal-safety(7) allows. */
void dray_cancel_trigger(struct dray_cancel *cancel)
{
    int before = errno;
    uint64_t one = 1;
    if (!cancel)
        return;
    atomic_store(&cancel->triggered, true);
    if (write(cancel->fd, &one, sizeof one) < 0)
        errno = before; /* it is readable already */
    errno = before;
}

void dray_cancel_free(struct dray_cancel *cancel)
{
    if (!cancel)
        return;
    close(cancel->fd);
    free(cancel);
}

struct limits limits_of(const struct dray_call *call, int64_t otherwise_ms)
{
    int64_t timeout_ms = call && call->timeout_ms ? call->timeout_ms : otherwise_ms;
    struct limits limits = {.cancel = call ? call->cancel : NULL};
    int64_t now = dr_clock_ms();
    if (timeout_ms >= 0)
        limits.deadline_ms = timeout_ms < INT64_MAX - now ? now + timeout_ms : 0;
    return limits;
}

int limits_cancelled(const struct limits *limits, struct dr_error *err)
{
    if (!limits->cancel || !atomic_load(&limits->cancel->triggered))
        return 0;
    return dr_fail_at(err, DR_AT_HOST, DR_ERR_CANCELLED, 0, "cancelled by the caller");
}
