/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A guest's network for tests, made by ip(8) in a network namespace of the test's own:
 *
 *   in-a1, in-a2  192.0.2.10, .11    on bridge dr-a  192.0.2.1/25    2001:db8:a::/64
 *   in-b          192.0.2.130        on bridge dr-b  192.0.2.129/25  2001:db8:b::/64
 *   in-i          198.51.100.10      on bridge dr-i  198.51.100.1/24
 *   out           203.0.113.2        behind link up0 203.0.113.1/24  2001:db8:f::/64
 *
 * Forwarding is off. "out" knows a way back to up0 only, as hosts in the world do,
 * unless it is given one.
 */
#ifndef DRAY_TEST_GROUND_H
#define DRAY_TEST_GROUND_H

#include <stdbool.h>

#include "base/ip.h"

/* cmocka setup and teardown; the setup skips without root. */
int ground_set_up(void **state);

/* A shell command in the guest; fails the test unless it exits 0. */
void ground_do(const char *fmt, ...) DR_PRINTF(1, 2);
/* What one prints, owned; whatever its exit status. */
char *ground_says(const char *fmt, ...) DR_PRINTF(1, 2);
/* Can a process in namespace `from` open a TCP connection to one in namespace `to` at
 * this address? NULL is the guest. peer: whom the other end sees. */
bool ground_connects(const char *from, const char *to, const char *address,
                     char peer[DR_IP_TEXT]);

#endif
