/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The next time of a schedule, in the guest's local time (/etc/localtime, which
 * localtime_r reads in a static program as well; the caller calls tzset(3) to see it
 * changed).
 */
#ifndef DRAY_GUEST_CONTAINER_DUE_H
#define DRAY_GUEST_CONTAINER_DUE_H

#include "spec/schedule.h"

/*
 * The first time that is later than after_s; both in seconds since the epoch. Not for
 * @every, which is counted from the last one.
 *
 * A change of the zone (summer time) does to it what it does under cron(8): times that do
 * not exist that day are due at the change, times that come twice count once; unless
 * minute or hour begin with '*', then it is whatever the clock shows. -1: none within
 * what localtime_r knows.
 */
int64_t due_after(const struct spec_schedule *schedule, int64_t after_s);

#endif
