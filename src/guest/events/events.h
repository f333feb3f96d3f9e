/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What happened to containers, images and volumes: <root>/events.log, one JSON object a
 * line, written by whoever acts, with Docker's names for actions. Bounded: at
 * EVENTS_FILE_MAX it becomes events.log.1, and what was that is gone.
 *
 * {"time_ns":N,"type":"container","action":"die","id","name","attributes":{"image",
 *  "exitCode", the container's labels, "dray.deployment", "dray.service"…}}; values of
 * attributes are strings, as Docker's.
 */
#ifndef DRAY_GUEST_EVENTS_H
#define DRAY_GUEST_EVENTS_H

#include <stdbool.h>

#include "guest/guest.h"

#define EVENTS_FILE_MAX (4u << 20)
#define EVENT_LINE_MAX (32u << 10) /* a longer one loses its attributes */

/*
 * Writes one event. It never fails: who acts has done so, and a full disk, say, does not
 * undo that. Costs some microseconds. name may be NULL. attributes: a reference that is
 * taken over, may be NULL.
 */
void event_write(const char *root, const char *type, const char *action, const char *id,
                 const char *name, json_t *attributes);
/* The same with another bound for the file, for the tests. */
void event_write_bounded(const char *root, size_t file_max, const char *type,
                         const char *action, const char *id, const char *name,
                         json_t *attributes);

/* --- reading --- */

struct event_filter;
/* filters: an array of "container=", "event=", "image=", "label=", "type=", "volume=".
 * Those of one kind are alternatives, save labels, which must all be there; kinds must
 * all match. NULL for "none". DR_ERR_INVALID names the filter. */
int event_filter_parse(const json_t *filters, struct event_filter **ret,
                       struct dr_error *err);
void event_filter_free(struct event_filter *filter);
bool event_filter_matches(const struct event_filter *filter, const json_t *event);

struct event_reader;
/* From the oldest kept event on, or only what comes from now on. A log that is not there
 * yet is an empty one. */
struct event_reader *event_reader_open(const char *root, bool from_now);
/* The next event, a new reference; NULL: there is no more for now. Lines that are torn
 * are passed over. */
json_t *event_reader_next(struct event_reader *reader);
/* Readable when there may be more; call event_reader_woken before reading on. -1: this
 * system cannot tell, look now and then. */
int event_reader_fd(struct event_reader *reader);
void event_reader_woken(struct event_reader *reader);
void event_reader_free(struct event_reader *reader);

#endif
