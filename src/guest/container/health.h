/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Health checks: what is to be checked, Docker's rules of what a result means, and what
 * is kept of the results. The monitor says when (monitor/health.c), a process of its own
 * does the check and writes it down (probe/).
 *
 * The record has "health": {"test":[…],"interval_ns","timeout_ns","start_period_ns",
 * "start_interval_ns","retries"}, complete; it has none when nothing is checked. The
 * state has "health", the word, so that lists need not look further.
 * <container>/health.json has
 * {"started_ns": the run's,"failing_streak","log":[{"start_ns","end_ns","exit_code",
 * "output"}…]}.
 */
#ifndef DRAY_GUEST_CONTAINER_HEALTH_H
#define DRAY_GUEST_CONTAINER_HEALTH_H

#include <stdbool.h>
#include <stdint.h>

#include "guest/container/record.h"
#include "spec/container.h"

#define HEALTH_OUTPUT_MAX 4096 /* bytes of one result */
#define HEALTH_LOG_MAX 5       /* results that are kept */

enum health_status { HEALTH_STARTING, HEALTH_HEALTHY, HEALTH_UNHEALTHY };

struct health_check {
    int64_t interval_ns, timeout_ns, start_period_ns, start_interval_ns, retries;
};

struct health {
    enum health_status status;
    int64_t failing_streak;
};

const char *health_status_name(enum health_status status); /* "starting" … */

/* The record's "health": the spec's, what it leaves open the image's, then the defaults.
 * A new reference; NULL when there is no check, or NONE. image_config: Docker's "config".
 */
json_t *health_plan(const struct spec_health *spec, const json_t *image_config);
struct health_check health_check_of(const json_t *plan);

/* One more result: 0 is success. since_start_ns: from the container's start to the
 * probe's. A failure in the start period of one that was never healthy does not count. */
void health_take(struct health *health, const struct health_check *check, int exit_code,
                 int64_t since_start_ns);

/* From the end of a probe, or the start, to the next probe. */
int64_t health_delay_ns(const struct health_check *check, enum health_status status,
                        int64_t since_start_ns);

/* A result for the container's present run: into health.json, and when the status changed
 * into the state (and an event). output: any bytes, and a
 * NUL behind them. *ret: how it is now. */
struct health_result {
    int64_t start_ns, end_ns;
    int exit_code;
    const char *output;
    size_t output_len;
};
int health_record(const struct guest *guest, const struct container *container,
                  const struct health_result *result, enum health_status *ret,
                  struct dr_error *err);

/* Docker's State.Health; NULL when there is no check. A new reference. */
json_t *health_inspect(const struct container *container);
/* Docker's Config.Healthcheck; NULL likewise. */
json_t *health_inspect_config(const struct container *container);

#endif
