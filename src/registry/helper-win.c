/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/helper-process.h"

#include "base/mem.h"
#include "win/process.h"

int helper_start(struct helper *h, const char *verb)
{
    HANDLE their_in = NULL, their_out = NULL, process;
    h->in = win_pipe(true, &their_in);
    h->out = h->in < 0 ? -1 : win_pipe(false, &their_out);
    const char *argv[] = {h->program, verb, NULL};
    struct win_spawn spawn = {
        .argv = argv, .in = their_in, .out = their_out, .apart = true};
    int rc = h->out < 0 ? -1 : win_spawn(&spawn, &process), number = errno;
    if (their_in)
        CloseHandle(their_in);
    if (their_out)
        CloseHandle(their_out);
    if (rc < 0) {
        dr_cleanup_fd(&h->in);
        dr_cleanup_fd(&h->out);
        h->in = h->out = -1;
        return number;
    }
    h->pid = (pid_t)(intptr_t)process;
    h->end_fd = win_process_fd(process);
    fcntl(h->in, F_SETFL, O_NONBLOCK);
    fcntl(h->out, F_SETFL, O_NONBLOCK);
    return 0;
}

static void reap(struct helper *h, DWORD wait_ms)
{
    HANDLE process = (HANDLE)(intptr_t)h->pid;
    DWORD code = 0;
    if (h->ended || WaitForSingleObject(process, wait_ms) != WAIT_OBJECT_0)
        return;
    GetExitCodeProcess(process, &code);
    CloseHandle(process);
    h->status = (int)code;
    h->ended = true;
}

void helper_ended(struct helper *h)
{
    reap(h, 0);
}

void helper_kill(struct helper *h)
{
    TerminateProcess((HANDLE)(intptr_t)h->pid, 1);
    reap(h, INFINITE);
}
