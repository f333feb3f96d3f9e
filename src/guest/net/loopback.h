/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Brings up `lo` in a container's network namespace. crun and runc do that themselves,
 * youki 0.7 does not: for it config.json names this role as a createRuntime hook, so that
 * the first instruction of the container has its loopback (C17).
 */
#ifndef DRAY_GUEST_NET_LOOPBACK_H
#define DRAY_GUEST_NET_LOOPBACK_H

#include <jansson.h>

/* `dray-guest loopback`: the container's state is on stdin. Rule: runtime-spec config.md,
 * "POSIX-platform Hooks". */
int loopback_main(int argc, char **argv);
/* Adds the hook to a config.json document; program: absolute path of this helper. */
void loopback_add_hook(json_t *config, const char *program);

#endif
