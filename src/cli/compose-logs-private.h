/* SPDX-License-Identifier: Apache-2.0 */
/* What compose-logs.c, who prints, and compose-follow.c, who stays, share. */
#ifndef DRAY_CLI_COMPOSE_LOGS_PRIVATE_H
#define DRAY_CLI_COMPOSE_LOGS_PRIVATE_H

#include <pthread.h>

#include "cli/compose-logs.h"

/* One container's lines. */
struct source {
    struct logs *all;
    char *id, *container; /* its name */
    char *name;           /* "web-1" */
    char *service;        /* or "" */
    const char *color;
    bool old; /* only what it says from now on */
    bool up;  /* it had not ended when it was looked at */
    /* of the run that is shown, by the target's clock; 0: none */
    int64_t started_ns, finished_ns;
    struct dray_stream *stream;
    pthread_t thread;
    bool has_thread;
    bool active; /* it is followed; all->lock */
    /* of the merge: the line that is next; the stream's until it is asked again */
    struct dray_event head;
    bool has_head;
    int64_t last_ns; /* of the last line that was printed */
    struct dr_error failed;
};

struct logs {
    struct cli *cli;
    const char *deployment;
    const struct cli_logs *how;
    const struct dray_call *call;
    bool colored;
    struct source **sources;
    size_t count;
    int width;            /* of the longest name */
    pthread_mutex_t lock; /* of stdout and stderr, and what follows */
    pthread_cond_t changed;
    size_t active;    /* sources that are followed */
    bool interrupted; /* a signal came, and how->interrupted was told */
    bool over;        /* all have ended: the watcher shall go */
};

/* A new one for a container, of the list that is there now. */
struct source *logs_add(struct logs *l, const struct dray_container *c);
bool logs_is_up(enum dray_phase phase);
/* What is known of its run by now. */
void source_update(struct source *s, const struct dray_container *c);
/* 0, or -1 with s->failed. */
int source_open(struct source *s, const struct dray_logs_options *options);
/* 1: a line, 0: there is no more; -1 with s->failed. */
int source_next(struct source *s, struct dray_event *ret);
/* One that was removed meanwhile has no log any more, one with driver none never had one:
 * that is no failure. */
void source_forgive(struct source *s);
/* What it says of this run comes after the end of the last one: the time of its start is
 * written down later than its first words may be. 0: this is its first run. */
int64_t source_last_end(const struct source *s);
void logs_print_line(struct logs *l, const struct source *s, const struct dray_event *e);
int logs_failure(struct logs *l, struct dr_error *err);
/* The members that are shown; cli_members_release. */
int logs_members(struct logs *l, struct cli_members *ret, struct dr_error *err);

/* Until all have ended, or a signal comes. */
int logs_follow(struct logs *l, struct dr_error *err);

#endif
