/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Linux' signal numbers as on x86, ARM and RISC-V (signal(7)): a table of our own, since
 * the host may be Windows and the numbers are the guest's. SIGRTMIN is 34 as in glibc and
 * Docker; 32 and 33 exist but have no name.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "spec/container.h"

#define RTMIN 34
#define RTMAX 64

static const char *const names[RTMAX + 1] = {
    [1] = "SIGHUP",       [2] = "SIGINT",       [3] = "SIGQUIT",
    [4] = "SIGILL",       [5] = "SIGTRAP",      [6] = "SIGABRT",
    [7] = "SIGBUS",       [8] = "SIGFPE",       [9] = "SIGKILL",
    [10] = "SIGUSR1",     [11] = "SIGSEGV",     [12] = "SIGUSR2",
    [13] = "SIGPIPE",     [14] = "SIGALRM",     [15] = "SIGTERM",
    [16] = "SIGSTKFLT",   [17] = "SIGCHLD",     [18] = "SIGCONT",
    [19] = "SIGSTOP",     [20] = "SIGTSTP",     [21] = "SIGTTIN",
    [22] = "SIGTTOU",     [23] = "SIGURG",      [24] = "SIGXCPU",
    [25] = "SIGXFSZ",     [26] = "SIGVTALRM",   [27] = "SIGPROF",
    [28] = "SIGWINCH",    [29] = "SIGIO",       [30] = "SIGPWR",
    [31] = "SIGSYS",      [32] = "32",          [33] = "33",
    [34] = "SIGRTMIN",    [35] = "SIGRTMIN+1",  [36] = "SIGRTMIN+2",
    [37] = "SIGRTMIN+3",  [38] = "SIGRTMIN+4",  [39] = "SIGRTMIN+5",
    [40] = "SIGRTMIN+6",  [41] = "SIGRTMIN+7",  [42] = "SIGRTMIN+8",
    [43] = "SIGRTMIN+9",  [44] = "SIGRTMIN+10", [45] = "SIGRTMIN+11",
    [46] = "SIGRTMIN+12", [47] = "SIGRTMIN+13", [48] = "SIGRTMIN+14",
    [49] = "SIGRTMIN+15", [50] = "SIGRTMAX-14", [51] = "SIGRTMAX-13",
    [52] = "SIGRTMAX-12", [53] = "SIGRTMAX-11", [54] = "SIGRTMAX-10",
    [55] = "SIGRTMAX-9",  [56] = "SIGRTMAX-8",  [57] = "SIGRTMAX-7",
    [58] = "SIGRTMAX-6",  [59] = "SIGRTMAX-5",  [60] = "SIGRTMAX-4",
    [61] = "SIGRTMAX-3",  [62] = "SIGRTMAX-2",  [63] = "SIGRTMAX-1",
    [64] = "SIGRTMAX",
};

static const struct {
    const char *name;
    int number;
} aliases[] = {{"IOT", 6}, {"CLD", 17}, {"POLL", 29}, {"UNUSED", 31}};

const char *spec_signal_name(int signal)
{
    return signal >= 1 && signal <= RTMAX ? names[signal] : "unknown signal";
}

/* "RTMIN+3", "RTMAX-2" in upper case, without SIG; 0 when it is none. */
static int real_time(const char *name)
{
    bool from_min = strncmp(name, "RTMIN", 5) == 0;
    if (!from_min && strncmp(name, "RTMAX", 5) != 0)
        return 0;
    int base = from_min ? RTMIN : RTMAX;
    if (!name[5])
        return base;
    int64_t n;
    if (name[5] != (from_min ? '+' : '-') || !isdigit((unsigned char)name[6]) ||
        !dr_int_parse(name + 6, 0, RTMAX - RTMIN, &n))
        return 0;
    return from_min ? base + (int)n : base - (int)n;
}

static int by_name(const char *name)
{
    for (int i = 1; i <= RTMAX; i++)
        if (strncmp(names[i], "SIG", 3) == 0 && strcmp(names[i] + 3, name) == 0)
            return i;
    for (size_t i = 0; i < DR_COUNT(aliases); i++)
        if (strcmp(aliases[i].name, name) == 0)
            return aliases[i].number;
    return real_time(name);
}

int spec_signal_parse(const char *text, int *ret_signal, struct dr_error *err)
{
    int64_t number;
    if (isdigit((unsigned char)text[0]) && dr_int_parse(text, 1, RTMAX, &number)) {
        *ret_signal = (int)number;
        return 0;
    }
    char upper[16];
    size_t len = strlen(text);
    if (len < sizeof upper) {
        for (size_t i = 0; i <= len; i++)
            upper[i] = (char)toupper((unsigned char)text[i]);
        int signal = by_name(strncmp(upper, "SIG", 3) == 0 ? upper + 3 : upper);
        if (signal) {
            *ret_signal = signal;
            return 0;
        }
    }
    return dr_fail(err, DR_ERR_INVALID,
                   "invalid signal '%s': a name such as SIGTERM, term or RTMIN+3, or a "
                   "number from 1 to 64",
                   text);
}
