/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/monitor/monitor.h"

#include "guest/runtime/self.h"

int monitor_spawn(int client_fd, int lock_fd, const char *name, pid_t *ret_pid,
                  struct dr_error *err)
{
    char *argv[] = {(char *)"dray-guest", (char *)"monitor", (char *)name, NULL};
    const int fds[] = {[MONITOR_CLIENT_FD - 3] = client_fd,
                       [MONITOR_LOCK_FD - 3] = lock_fd};
    const struct self_start how = {.argv = argv, .fds = fds, .fd_count = DR_COUNT(fds)};
    if (self_start(&how, ret_pid) < 0)
        return dr_fail_errno(err, DR_ERR_START, "start the container's monitor");
    return 0;
}
