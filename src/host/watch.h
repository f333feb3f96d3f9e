/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The limits of one caller end work of many threads, wherever it is: in a registry, in
 * the cache, or on the wire. All of that looks at one token of its own, which this
 * triggers.
 */
#ifndef DRAY_HOST_WATCH_H
#define DRAY_HOST_WATCH_H

#include "host/target.h"

struct watch;

/* asked, stop: borrowed until watch_end. NULL in *ret: there is nothing to watch. */
int watch_begin(const struct limits *asked, struct dray_cancel *stop, struct watch **ret,
                struct dr_error *err);
void watch_end(struct watch *watch); /* NULL is fine */

#endif
