/* SPDX-License-Identifier: Apache-2.0 */
/* How many descriptors this process may have, apart from what it starts: a container's
 * limit is the one that its runtime was started with. */
#ifndef DRAY_GUEST_RUNTIME_NOFILE_H
#define DRAY_GUEST_RUNTIME_NOFILE_H

/* As many as there are for the asking, within reason. */
void nofile_raise(void);
/* Between vfork and exec: what it was before. */
void nofile_restore(void);

#endif
