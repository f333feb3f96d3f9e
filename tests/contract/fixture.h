/* SPDX-License-Identifier: Apache-2.0 */
/* Around the whole run: main.c's. */
#ifndef CONTRACT_FIXTURE_H
#define CONTRACT_FIXTURE_H

int fixture_open(void **state);
int fixture_close(void **state);

#endif
