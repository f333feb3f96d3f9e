/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Process 1 of a container that was run with --init: starts the command, passes signals
 * on to it, reaps whatever else ends up here, and exits as the command did.
 */
#ifndef DRAY_GUEST_INIT_H
#define DRAY_GUEST_INIT_H

/* argv: [own name] [--] command words… Exit status: the command's, 128 + n when signal n
 * killed it, 126 or 127 when it could not be executed. */
int init_main(int argc, char **argv);

#endif
