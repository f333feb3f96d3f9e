/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What all verbs of the command line share: the table row, the session, output, errors.
 * Only this folder prints; everything in it that does, prints through here.
 */
#ifndef DRAY_CLI_CLI_H
#define DRAY_CLI_CLI_H

#include <stdio.h>

#include "base/buf.h"
#include "cli/options.h"
#include "host/host.h"

/* Exit codes. 125..127 as Docker's; 69 and 78 are sysexits(3)' EX_UNAVAILABLE and
 * EX_CONFIG, so that scripts can tell "not there" from "set up wrongly" (C02). */
enum cli_exit {
    CLI_OK = 0,
    CLI_FAILED = 1,
    CLI_UNAVAILABLE = 69,
    CLI_CONFIG = 78,
    CLI_DRAY_FAILED = 125,
    CLI_NOT_EXECUTABLE = 126,
    CLI_NOT_FOUND = 127,
    CLI_INTERRUPTED = 130,
    CLI_PIPE = 141, /* whoever read our output went away: as if SIGPIPE had killed us */
};

struct cli;

enum cli_verb_flags {
    CLI_VERB_STOPS = 1, /* options end at the first word */
    CLI_VERB_RUNS = 2, /* its failures are 125, since the container's codes are its own */
};

/* One row of the table that feeds dispatch, help and the manual's test. */
struct cli_verb {
    const char *name;
    const char *group;   /* heading in `dray help` */
    const char *words;   /* what follows the options: "CONTAINER [CONTAINER...]" */
    const char *summary; /* one line */
    const struct cli_option *options;
    size_t args_size;                        /* of the struct that options fill */
    int (*run)(struct cli *cli, void *args); /* returns the exit code */
    size_t min_words, max_words;             /* max 0: any number */
    int flags;
};

struct cli_global {
    const char *target, *root, *run_root, *runtime, *cache_dir;
    bool debug, version;
};

struct cli {
    struct cli_global global;
    const struct cli_verb *verb;
    const char *scope; /* "container" or "image" of `dray container …`; else NULL */
    char **words;      /* behind the options; NULL-terminated */
    size_t word_count;
    struct host *host; /* see cli_host */
};

/* --- verbs.c --- */
extern const struct cli_verb cli_verbs[]; /* ends with a NULL name */
extern const struct cli_option cli_global_options[];
const struct cli_verb *cli_verb_find(const char *name);
/* `dray container ls`: finds the row for the words; NULL when group is no group.
 * *ret_verb stays NULL when the group has no such word. */
const char *cli_group_find(const char *group, const char *word,
                           const struct cli_verb **ret_verb);
/* The groups' words, for help and suggestions: "container\0…"; NULL at the end. */
const char *cli_group_name(size_t index);
/* The index-th word of a group and what it stands for; NULL at the end. */
const char *cli_group_word(const char *group, size_t index, const char **ret_verb);

/* --- help.c --- */
void cli_help_all(FILE *out);
void cli_help_verb(FILE *out, const struct cli_verb *verb);
void cli_help_group(FILE *out, const char *group);

/* --- errors.c --- */
/* Prints the error as one line of at most 2,000 characters, with what to do, and the
 * failed program's own words behind it. Returns the exit code for it. */
int cli_error(const struct cli *cli, const struct dr_error *err);
/* The same for a command line that makes no sense: names the verb, points to its help. */
int cli_usage_error(const struct cli *cli, const struct dr_error *err);
/* Only the code. */
int cli_exit_code(const struct cli *cli, const struct dr_error *err);
/* What to do about it, or NULL. */
const char *cli_hint(const struct dr_error *err);
/* One more line on stderr: "dray: <text>", escaped. */
void cli_warn(const char *fmt, ...) DR_PRINTF(1, 2);

/* --- session.c --- */
/* The session with the target, started by the first call; NULL with err. */
struct host *cli_host(struct cli *cli, struct dr_error *err);
/* A call to it. request is taken over; *ret_reply may be NULL when not wanted. */
int cli_call(struct cli *cli, json_t *request, json_t **ret_reply, struct dr_error *err);
/* What to call the image that a person named in a request: its canonical name, or its id;
 * owned. The target is only asked when the word may be an id. */
char *cli_image_ref(struct cli *cli, const char *word, struct dr_error *err);
/* Does `one` for each word, up to `threads` at a time, prints the line that it gives in
 * the order of the words, and an error line for each that failed. Returns the exit code.
 */
typedef int (*cli_one)(struct cli *cli, const char *word, const void *arg,
                       char **ret_line, struct dr_error *err);
int cli_each(struct cli *cli, size_t threads, cli_one one, const void *arg);

/* --- output.c --- */
/* Escaped text and a newline on stdout. */
void cli_line(const char *text);
/* 12 hex digits of an id or digest, without its algorithm; static buffer per thread. */
const char *cli_short_id(const char *id);
/* What remains to be said at the end: flushes stdout; code, or the one for a failure. */
int cli_finish(int code);

struct cli_column {
    const char *key, *header;
    bool shown; /* in the default table */
};
/*
 * Prints rows (an array of objects) as format says: NULL or "table" the default table,
 * "json" an object a line, "table TEMPLATE" with headings, else the template a row.
 * columns ends with a NULL key.
 */
int cli_list_print(const char *format, const struct cli_column *columns,
                   const json_t *rows, struct dr_error *err);

/* --- format.c: the part of Go's templates that people use --- */
/*
 * Appends the template applied to data: literal text, {{.A.B}}, {{json .A}},
 * {{index .A "key"}}, {{len .A}}, {{join .A ","}}, {{upper .A}}, {{lower .A}}. Values are
 * escaped. data NULL: only checks the template. DR_ERR_INVALID names the place.
 */
int cli_format(const char *format, const json_t *data, struct dr_buf *buf,
               struct dr_error *err);
/* Refuses a --format that cannot work, before anything is asked of the target. */
int cli_format_check(const char *format, struct dr_error *err);

/* --- human.c --- */
/* "Less than a second", "About a minute", "3 weeks"; owned. */
char *cli_duration(int64_t seconds);
/* "3 minutes ago", or "" for 0; owned. */
char *cli_ago(int64_t then_ns, int64_t now_ns);
/* "2006-01-02 15:04:05 +0000 UTC"; owned. */
char *cli_timestamp(int64_t ns);
/* --since and --until: RFC 3339, a date, a local time, unix seconds, or a duration before
 * now. */
int cli_time_parse(const char *text, int64_t now_ns, int64_t *ret_ns,
                   struct dr_error *err);

/* --- envfile.c --- */
/* Adds the variables of a file to *env; a name alone takes the value of this process'
 * environment, or is left out. DR_ERR_INVALID names file and line. */
int cli_env_file(const char *path, char ***env, struct dr_error *err);
/* One -e: "K=V", or "K", which takes this process' value; when it has none, "K" alone is
 * kept (the spec's way to take the image's variable away) or left out. */
int cli_env_word(const char *word, bool keep_name, char ***env, struct dr_error *err);
/* --env-file and then -e, as Docker orders them. */
int cli_env_all(char *const *files, char *const *words, bool keep_names, char ***env,
                struct dr_error *err);

/* --- spec.c --- */
struct run_args;
/* What the flags and words of run and create ask for; NULL with err. The image is named
 * as a reference; whoever knows better sets spec->image. */
struct spec_container *cli_spec(const struct run_args *args, char **words,
                                struct dr_error *err);

/* --- pull.c --- */
struct cli_pull {
    const char *reference, *platform;
    enum host_pull_policy policy;
    bool plain_http;
    bool quiet;
    FILE *out; /* for the progress */
};
/* Pulls, showing the progress; Ctrl-C cancels. *ret_image as host_pull's. */
int cli_pull(struct cli *cli, const struct cli_pull *pull, json_t **ret_image,
             struct dr_error *err);
/* The text of --pull. */
int cli_pull_policy(const char *text, enum host_pull_policy *ret, struct dr_error *err);

/* --- progress.c --- */
struct cli_progress;
struct cli_progress *cli_progress_new(FILE *out);
/* host_pull's callback; arg is the struct. */
void cli_progress_step(void *arg, const struct host_progress *step);
/* Takes the bars away and frees; NULL is fine. */
void cli_progress_end(struct cli_progress *progress);

/* --- signals.c --- */
/* From now on the signals that are passed on to containers come out of the descriptor, a
 * byte each. The third SIGINT or SIGTERM within a second ends this process. */
int cli_signals_catch(int *ret_fd, struct dr_error *err);
/* From now on the first SIGINT, SIGTERM or SIGHUP sets the flag, and the next one has its
 * usual effect. */
const atomic_bool *cli_signals_cancel(void);
/* The usual effects again. */
void cli_signals_default(void);

/* --- attach.c --- */
struct cli_attach {
    bool stdin_open;                               /* forward ours */
    bool signals;                                  /* pass ours on */
    void (*on_created)(void *arg, const char *id); /* may be NULL */
    void *arg;
};
/* host_stream with our descriptors. Returns 0 with *ret_reply; else -1 with err, whose
 * kind is CANCELLED with code EPIPE when nobody reads our output any more. */
int cli_attach(struct cli *cli, json_t *request, const struct cli_attach *attach,
               json_t **ret_reply, struct dr_error *err);
/* The exit code of a finished container or exec. what: its name, for the line that says
 * that the code is unknown (C21). */
int cli_reply_code(const json_t *reply, const char *what);

/* --- verbs, each in cmd_<verb>.c or with its family --- */
int cmd_run(struct cli *cli, void *args);
int cmd_create(struct cli *cli, void *args);
int cmd_start(struct cli *cli, void *args);
int cmd_stop(struct cli *cli, void *args);
int cmd_kill(struct cli *cli, void *args);
int cmd_rm(struct cli *cli, void *args);
int cmd_wait(struct cli *cli, void *args);
int cmd_ps(struct cli *cli, void *args);
int cmd_logs(struct cli *cli, void *args);
int cmd_exec(struct cli *cli, void *args);
int cmd_inspect(struct cli *cli, void *args);
int cmd_pull(struct cli *cli, void *args);
int cmd_images(struct cli *cli, void *args);
int cmd_rmi(struct cli *cli, void *args);
int cmd_info(struct cli *cli, void *args);
int cmd_version(struct cli *cli, void *args);
int cmd_help(struct cli *cli, void *args);

#endif
