/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DRAY_BASE_NEAREST_H
#define DRAY_BASE_NEAREST_H

/* The candidate that text is most likely a typo of, or NULL: up to three slips, fewer for
 * short words. next: gives one candidate after another, NULL at the end. */
const char *dr_nearest(const char *text, const char *(*next)(void *state), void *state);

#endif
