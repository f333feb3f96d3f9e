/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What all verbs of the command line share: the table row, the session, output, errors.
 * Only this folder prints; everything in it that does, prints through here.
 */
#ifndef DRAY_CLI_CLI_H
#define DRAY_CLI_CLI_H

#include <stdio.h>

#include <dray.h>

#include "base/buf.h"
#include "cli/options.h"

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
    const char *scope; /* the group of `dray container …`; else NULL */
    char **words;      /* behind the options; NULL-terminated */
    size_t word_count;
    struct dray_target *target; /* see cli_target */
    char *current; /* owned: the target that config.yaml has in use, once it was asked */
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
/* Takes the library's error over into ours when rc is negative, and passes rc on:
 * `return cli_rc(dray_x(…, &failed), &failed, err);` */
int cli_rc(int rc, struct dray_error **failed, struct dr_error *err);
/* The same for a call that gave a JSON document, which is freed: it parsed, or NULL. */
json_t *cli_rc_json(int rc, char **text, struct dray_error **failed,
                    struct dr_error *err);
/* One more line on stderr: "dray: <text>", escaped. */
void cli_warn(const char *fmt, ...) DR_PRINTF(1, 2);
/* A line for each of a JSON array of sentences; NULL: none. */
void cli_warn_all(const char *json);

/* --- session.c --- */
/* The target, opened by the first call; NULL with err. Opening waits for nothing: what is
 * wrong over there is told by the first request. */
struct dray_target *cli_target(struct cli *cli, struct dr_error *err);
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
/* "alpine:latest" for "docker.io/library/alpine:latest"; owned. */
char *cli_familiar(const char *canonical);
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
/* A cell of a row; value is taken over, NULL is "". */
void cli_row_set(json_t *row, const char *key, char *value);

/* Lines with tabs between cells, aligned: cells are at least min_width characters wide,
 * with three blanks between them; the last of a line is not padded. */
void cli_print_aligned(const char *text, size_t min_width);

/* --- filters.c --- */
/* Refuses filters that are no KEY=VALUE with one of the keys (NULL-terminated). */
int cli_filters_check(char *const *filters, const char *const *keys,
                      struct dr_error *err);
/* The value of the next filter of that key at or behind *filters, which is moved on; NULL
 * when there is none. */
const char *cli_filter_next(char *const **filters, const char *key);

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

/* --tail: "all" or a number of lines; -1: all, as a negative number is. */
int cli_tail_parse(const char *text, int64_t *ret, struct dr_error *err);

/* A signal's name or number as a person may write it, wrong ones refused (C22). */
int cli_signal_check(const char *text, struct dr_error *err);
/* "1.5GiB": units of 1024, four digits, as Docker's stats; owned. */
char *cli_size_binary(int64_t bytes);

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

/* The labels of a file, KEY=VALUE or KEY a line, as environment files. */
int cli_label_file(const char *path, char ***labels, struct dr_error *err);

/* --- cmd_prune.c --- */
/* Asks on the terminal; a no is said on stderr. */
bool cli_confirm(const struct cli *cli, const char *warning);

/* --- spec.c --- */
struct run_args;
/* What the flags and words of run and create ask for; NULL with err. */
struct dray_spec *cli_spec(const struct run_args *args, char **words,
                           struct dr_error *err);

/* One field of it; errors name the flag. */
int cli_spec_set(struct dray_spec *spec, const char *field, const char *value,
                 struct dr_error *err);

/* --- mount.c --- */
/* The text of --mount as the one of -v or --tmpfs, and for which of the two fields of the
 * spec, "volume" or "tmpfs"; owned. NULL with err. */
char *cli_mount(const char *text, const char **ret_field, struct dr_error *err);

/* --- paths.c --- */
#ifdef _WIN32
#define CLI_WINDOWS true
#else
#define CLI_WINDOWS false
#endif
/* A -v whose source is a path of this machine, made absolute as the shell in front of us
 * would: it begins with '.', or '~', or on Windows with one backslash. here, home: the
 * directories of those names; may be NULL. NULL with err; owned. */
char *cli_volume_absolute(const char *volume, bool windows, const char *here,
                          const char *home, struct dr_error *err);
/* For cp: whether a word is a path of this machine, whatever is behind its colon. */
bool cli_path_is_here(const char *word, bool windows);
/* The container of a word that cp has as CONTAINER:PATH; owned. NULL: it is a path of
 * this machine, or "-". */
char *cli_cp_container(const char *word);

/* --- pull.c --- */
struct cli_pull {
    const char *reference, *platform;
    enum dray_pull_policy policy;
    const struct dray_registry_options *registry;
    const char *lock_file; /* NULL: none */
    bool lock_update;
    bool quiet;
    FILE *out; /* for the progress */
};
/* Pulls, showing the progress; Ctrl-C cancels. *ret_image as dray_image_pull's. */
int cli_pull(struct cli *cli, const struct cli_pull *pull, json_t **ret_image,
             struct dr_error *err);
/* The file that the flags name, or NULL. */
struct lock_args;
const char *cli_lock_file(const struct lock_args *args);
/* The text of --pull. */
int cli_pull_policy(const char *text, enum dray_pull_policy *ret, struct dr_error *err);

/* --- registry.c: who one is to a registry, and how it is reached --- */
struct registry_args;
struct cli_registry {
    struct dray_registry_options options;
    char *user, *password; /* owned */
};
#define cli_auto_registry DR_CLEANUP(cli_registry_release)
/* What the flags say; the password is read here, from stdin or from a person. A password
 * in the command line is overwritten there, and warned of. */
int cli_registry(const struct registry_args *args, struct cli_registry *ret,
                 struct dr_error *err);
void cli_registry_release(struct cli_registry *registry);
/* All of stdin without its last line break, at most 64 KiB; owned. Not empty. */
int cli_password_stdin(char **ret_password, struct dr_error *err);
/* Overwrites the text. */
void cli_forget(char **secret);

/* --- prompt.c --- */
/* A line that a person types at the terminal on stdin; hidden: without seeing it. Owned.
 * DR_ERR_INVALID when stdin is no terminal. */
int cli_prompt(const char *label, bool hidden, char **ret_line, struct dr_error *err);

/* --- progress.c --- */
struct cli_progress;
struct cli_progress *cli_progress_new(FILE *out);
/* dray_image_pull's callback; arg is the struct. */
void cli_progress_step(void *arg, const struct dray_progress *step);
/* The same for several images at a time: each layer is shown with its image's name. */
void cli_progress_image(void *arg, const char *image, const struct dray_progress *step);
/* Something else to be said, above the bars. */
void cli_progress_line(struct cli_progress *progress, const char *line);
/* For calls without bars: says on stderr what is tried again; arg is not used. */
void cli_progress_retry(void *arg, const struct dray_progress *step);
/* Takes the bars away and frees; NULL is fine. */
void cli_progress_end(struct cli_progress *progress);

/* --- terminal-posix.c, terminal-win.c --- */
/* Its size; 0 and 0 when the descriptor is no terminal. */
void cli_terminal_size(int fd, unsigned *ret_rows, unsigned *ret_columns);
/* From now on keys come one by one, and none of them is a signal. Undone by
 * cli_terminal_restore, and by whatever else ends or stops this process. */
int cli_terminal_raw(int fd, struct dr_error *err);
/* From now on what is typed is not seen; undone by the same. */
int cli_terminal_hide(int fd, struct dr_error *err);
/* As it was before; async-signal-safe, and fine to call twice. */
void cli_terminal_restore(void);
/* The same while this process is stopped, and raw again after; async-signal-safe. */
void cli_terminal_lend(void);
void cli_terminal_resume(void);

/* --- signals-posix.c, signals-win.c --- */
enum cli_signals {
    CLI_SIGNALS_PASS = 1, /* a byte each for those that are passed on to containers; the
                             third SIGINT or SIGTERM within a second ends this process */
    CLI_SIGNALS_SIZE = 2, /* and for SIGWINCH */
};
/* From now on they come out of the descriptor (which stays open), and whatever else ends
 * or stops this process gives the terminal back first. */
int cli_signals_catch(int what, int *ret_fd, struct dr_error *err);
/* From now on the first SIGINT, SIGTERM or SIGHUP triggers the token, and the next one
 * has its usual effect. Borrowed; NULL when there can be none. */
struct dray_cancel *cli_signals_cancel(void);
/* The same, but the next one triggers *ret_second, and the third has its usual effect. */
struct dray_cancel *cli_signals_cancel_twice(struct dray_cancel **ret_second);
/* As if the first signal had come. From any thread. */
void cli_signals_cancel_now(void);
/* For the time between cli_signals_catch(CLI_SIGNALS_PASS) and the start of what signals
 * are passed on to: those three trigger the token besides, so that a start that hangs is
 * given up by one Ctrl-C. Borrowed; NULL when there can be none. */
struct dray_cancel *cli_signals_starting(void);
/* It has started: bytes that came meanwhile are for it. */
void cli_signals_started(void);
/* The usual effects again. */
void cli_signals_default(void);

/* --- attach.c --- */
struct cli_attach {
    bool stdin_open; /* forward ours */
    bool tty;        /* the other end has a terminal */
    bool signals;    /* pass ours on */
    bool no_stdout, no_stderr;
    const char *detach_keys;                       /* NULL: Docker's */
    void (*on_created)(void *arg, const char *id); /* may be NULL */
    void *arg;
    int control_fd;        /* set by cli_attach_begin, as is … */
    struct dray_call call; /* … what opens the stream: a signal gives that up */
};
/* Refuses what cannot work: -t with a stdin that is no terminal, bad --detach-keys. */
int cli_attach_check(const struct cli_attach *attach, struct dr_error *err);
/* Before the stream is opened: catches signals, and tells the size of our terminal. */
int cli_attach_begin(struct cli_attach *attach, unsigned *ret_rows, unsigned *ret_columns,
                     struct dr_error *err);
/* Moves the bytes, and ends what cli_attach_begin began. 0: *ret_end is the EXIT event;
 * 1: we left, it goes on; else -1 with err. The stream is freed; NULL only ends. */
int cli_attach_run(struct cli_attach *attach, struct dray_stream *stream,
                   struct dray_event *ret_end, struct dr_error *err);
/* The exit code of what cli_attach_run said. what: the container's name, for the line
 * that says that the code is unknown (C21). */
int cli_attach_code(const struct cli *cli, int rc, const struct dray_event *end,
                    const char *what, const struct dr_error *err);

/* --- verbs, each in cmd_<verb>.c or with its family --- */
#define CLI_VERB(name) int cmd_##name(struct cli *cli, void *args)
CLI_VERB(attach);
CLI_VERB(cache_df);
CLI_VERB(cache_ls);
CLI_VERB(cache_prune);
CLI_VERB(commit);
CLI_VERB(completion);
CLI_VERB(container_prune);
CLI_VERB(compose_attach);
CLI_VERB(compose_config);
CLI_VERB(compose_cp);
CLI_VERB(compose_events);
CLI_VERB(compose_exec);
CLI_VERB(compose_images);
CLI_VERB(compose_kill);
CLI_VERB(compose_logs);
CLI_VERB(compose_ls);
CLI_VERB(compose_pause);
CLI_VERB(compose_port);
CLI_VERB(compose_ps);
CLI_VERB(compose_pull);
CLI_VERB(compose_restart);
CLI_VERB(compose_rm);
CLI_VERB(compose_run);
CLI_VERB(compose_start);
CLI_VERB(compose_stats);
CLI_VERB(compose_stop);
CLI_VERB(compose_top);
CLI_VERB(compose_unpause);
CLI_VERB(compose_wait);
CLI_VERB(copy);
CLI_VERB(cp);
CLI_VERB(create);
CLI_VERB(diff);
CLI_VERB(down);
CLI_VERB(events);
CLI_VERB(exec);
CLI_VERB(export);
CLI_VERB(forward);
CLI_VERB(help);
CLI_VERB(history);
CLI_VERB(image_prune);
CLI_VERB(images);
CLI_VERB(import);
CLI_VERB(info);
CLI_VERB(inspect);
CLI_VERB(kill);
CLI_VERB(load);
CLI_VERB(login);
CLI_VERB(logout);
CLI_VERB(logs);
CLI_VERB(pause);
CLI_VERB(port);
CLI_VERB(ps);
CLI_VERB(pull);
CLI_VERB(push);
CLI_VERB(rename);
CLI_VERB(restart);
CLI_VERB(rm);
CLI_VERB(rmi);
CLI_VERB(run);
CLI_VERB(save);
CLI_VERB(scale);
CLI_VERB(search);
CLI_VERB(start);
CLI_VERB(stats);
CLI_VERB(stop);
CLI_VERB(system_df);
CLI_VERB(system_prune);
CLI_VERB(tag);
CLI_VERB(target_add);
CLI_VERB(target_create);
CLI_VERB(target_check);
CLI_VERB(target_inspect);
CLI_VERB(target_ls);
CLI_VERB(target_rm);
CLI_VERB(target_use);
CLI_VERB(top);
CLI_VERB(unpause);
CLI_VERB(up);
CLI_VERB(update);
CLI_VERB(version);
CLI_VERB(network_connect);
CLI_VERB(network_create);
CLI_VERB(network_disconnect);
CLI_VERB(network_ls);
CLI_VERB(network_prune);
CLI_VERB(network_rm);
CLI_VERB(volume_create);
CLI_VERB(volume_ls);
CLI_VERB(volume_prune);
CLI_VERB(volume_rm);
CLI_VERB(wait);

#endif
