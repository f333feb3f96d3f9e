/* SPDX-License-Identifier: Apache-2.0 */
/* Behind struct dray_stream: one channel, pulled event by event. */
#ifndef DRAY_HOST_STREAM_H
#define DRAY_HOST_STREAM_H

#include "host/lines.h"
#include "host/target.h"

enum stream_kind {
    STREAM_CONTAINER, /* a container's output, which ends with an EXIT */
    STREAM_EXEC,      /* the same of an exec */
    STREAM_BYTES,     /* data, then the end: archives, raw logs */
    STREAM_LOGS,      /* lines with their time before them */
    STREAM_EVENTS,    /* events, then the end: stats, what happened */
    STREAM_CONNECTION /* data both ways, whose ends are told one by one */
};

#define STREAM_EARLY 4 /* events that came before the opening function returned */

struct dray_stream {
    enum stream_kind kind;
    bool lines;
    bool joined; /* attach: an end without an exit code is the end of the view alone */
    struct session *session;
    struct wire_chan *chan;
    char *id; /* of the container that signals go to; NULL: they go to the exec; owned */
    char *service, *deployment; /* logs: whose lines they are; owned */

    bool started, tty;
    bool stdin_open; /* bytes may be written */
    bool datagrams;  /* each write is one: it goes as a whole, or is lost */
    bool ended;      /* the last event was given */
    bool over;       /* the reply came: reply or error is set */
    json_t *reply;
    struct dr_error error;

    /* what the last event points into */
    struct wire_item item;
    size_t used; /* of item.data, by the line cutters */
    char *json_text;
    struct line_cutter cutters[WIRE_STREAMS];
    int flushing; /* over: the stream whose last line is looked for */

    json_t *early[STREAM_EARLY];
    size_t early_count, early_given;
};

struct stream_open {
    enum stream_kind kind;
    bool lines, joined, stdin_open, datagrams;
    bool wait_started; /* return only when it has started, or with the reason */
    bool starts;       /* given up before that, it is undone, however far it has come */
    const char *id;    /* the container that signals go to */
};

/* request: taken over. */
int stream_open(struct dray_target *target, json_t *request,
                const struct stream_open *how, const struct dray_call *call,
                struct dray_stream **ret_stream, struct dr_error *err);
int stream_next(struct dray_stream *stream, const struct limits *limits,
                struct dray_event *ret_event, struct dr_error *err);
/* What can be read without waiting: as stream_next, or 2 when nothing is there. */
int stream_try_next(struct dray_stream *stream, struct dray_event *ret_event,
                    struct dr_error *err);
/* Events are lines, without their end. */
bool stream_by_lines(const struct dray_stream *stream);
int stream_write(struct dray_stream *stream, const void *data, size_t len,
                 const struct limits *limits, struct dr_error *err);
int stream_signal(struct dray_stream *stream, int signal, struct dr_error *err);
int stream_resize(struct dray_stream *stream, unsigned rows, unsigned columns,
                  struct dr_error *err);
int stream_close_stdin(struct dray_stream *stream, struct dr_error *err);

#endif
