/* SPDX-License-Identifier: Apache-2.0 */
/* What this machine is: for HELLO and system.info. */
#ifndef DRAY_GUEST_SYSTEM_H
#define DRAY_GUEST_SYSTEM_H

#include <jansson.h>

/* The build that this helper belongs to: it talks to no other. Borrowed. */
const char *guest_build(void);
/* The kernel's boot id, "" when it cannot be read. */
void guest_boot_id(char ret[40]);
/* The helper's HELLO, a new reference. */
json_t *guest_hello(void);

#endif
