/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dray-guest: one static program with several roles. `serve` is what a transport starts;
 * the others are started by it.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "guest/container/hold.h"
#include "guest/dispatch.h"
#include "guest/helper.h"
#include "guest/init/carry.h"
#include "guest/init/init.h"
#include "guest/monitor/monitor.h"
#include "guest/probe/probe.h"

static int serve_main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN);
    bool fresh = argc > 1 && strcmp(argv[1], "fresh") == 0;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    if (fresh && helper_settle(&err) < 0) {
        fprintf(stderr, "dray-guest: %s\n", err.text);
        return 1;
    }
    return guest_serve(0, 1, fresh);
}

static const struct {
    const char *name;
    int (*main)(int argc, char **argv);
    const char *help;
} roles[] = {
    {"serve", serve_main, "the session with dray, over stdin and stdout"},
    {"monitor", monitor_main, "watches one container (internal)"},
    {"probe", probe_main, "looks at one container's health once (internal)"},
    {"hold", hold_main, "has the terminal of one detached command (internal)"},
    {"init", init_main, "process 1 of a container that was run with --init (internal)"},
    {"words", words_main, "becomes a command whose words are no UTF-8 (internal)"},
};

int main(int argc, char **argv)
{
    /* as a container's init it is started by the name under which it was mounted */
    const char *self = strrchr(argv[0], '/');
    if (strcmp(self ? self + 1 : argv[0], "docker-init") == 0)
        return init_main(argc, argv);
    for (size_t i = 0; argc > 1 && i < sizeof roles / sizeof *roles; i++)
        if (strcmp(argv[1], roles[i].name) == 0)
            return roles[i].main(argc - 1, argv + 1);
    fprintf(stderr, "dray-guest %s: the helper of dray, started by dray itself.\n",
            DRAY_VERSION);
    for (size_t i = 0; i < sizeof roles / sizeof *roles; i++)
        fprintf(stderr, "  %-8s %s\n", roles[i].name, roles[i].help);
    return 2;
}
