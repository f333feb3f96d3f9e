/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/runtime/children.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <sys/wait.h>

#include "base/mem.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pid_t *claimed;
static size_t count, cap;
static unsigned expected;

void children_lock(void)
{
    pthread_mutex_lock(&lock);
}

void children_unlock(void)
{
    pthread_mutex_unlock(&lock);
}

void children_claim(pid_t pid)
{
    if (count == cap)
        claimed = dr_realloc(claimed, (cap += 16) * sizeof *claimed);
    claimed[count++] = pid;
}

static bool is_claimed(pid_t pid)
{
    for (size_t i = 0; i < count; i++)
        if (claimed[i] == pid)
            return true;
    return false;
}

/* lock held. A dead child that is claimed hides those behind it; whoever claimed it
 * sweeps again when it has reaped it. */
static void sweep(void)
{
    while (expected == 0) {
        siginfo_t info = {0};
        if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 ||
            info.si_pid == 0 || is_claimed(info.si_pid))
            return;
        waitpid(info.si_pid, NULL, WNOHANG);
    }
}

void children_sweep(void)
{
    children_lock();
    sweep();
    children_unlock();
}

int children_wait(pid_t pid, int *ret_status)
{
    pid_t got;
    while ((got = waitpid(pid, ret_status, 0)) < 0 && errno == EINTR)
        ;
    int why = errno;
    children_lock();
    for (size_t i = 0; i < count; i++)
        if (claimed[i] == pid)
            claimed[i--] = claimed[--count];
    sweep();
    children_unlock();
    errno = why;
    return got < 0 ? -1 : 0;
}

void children_expect(void)
{
    children_lock();
    expected++;
    children_unlock();
}

void children_arrived(pid_t pid)
{
    children_lock();
    expected--;
    if (pid > 0)
        children_claim(pid);
    sweep();
    children_unlock();
}
