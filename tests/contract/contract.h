/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every test of the contract uses: a target that is open, an image that is there,
 * short ways to make containers and to look at them.
 *
 * Tests are named C07_as_a_sentence after the row of the contract that they prove. Each
 * one starts on a machine without containers and must leave it so: the teardown removes
 * what is left and compares mounts, links, cgroups, processes, directories and names with
 * what was there before.
 *
 * tests/contract/run starts the program with what it needs in the environment:
 * CONTRACT_DIR (a directory of its own), CONTRACT_REGISTRY (127.0.0.1:PORT),
 * CONTRACT_LAYOUT (the images), CONTRACT_LIB (tests/e2e/lib), DRAY_RUNTIME, DRAY.
 */
#ifndef CONTRACT_H
#define CONTRACT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <jansson.h>

#include "dray.h"

/* The handle that most tests use: opened once. */
extern struct dray_target *target;
/* Where its root, run root and cache are, and which runtime it uses. */
extern char *root, *run_root, *cache, *dir, *runtime_path;
/* References of images that are there: busybox, and one with a config (tests/e2e/lib). */
extern char *busybox, *conf;

/* --- calls that must succeed or fail --- */

extern _Thread_local struct dray_error *last_error;
struct dray_error **error_slot(void); /* frees the error of the call before */
#define ERR error_slot()

/* OK(dray_container_start(target, "c", NULL, ERR)) */
#define OK(call) expect_success((call), #call, __FILE__, __LINE__)
void expect_success(int result, const char *what, const char *file, int line);
/* The kind and every word (up to six, NULL-terminated) must be right. */
#define FAILS(kind, call, ...)                                                           \
    expect_failure((call), (kind), #call, __FILE__, __LINE__, ##__VA_ARGS__, (char *)NULL)
void expect_failure(int result, enum dray_kind kind, const char *what, const char *file,
                    int line, ...);
/* Text that must have, or must not have, a part. */
#define HAS(text, part) expect_part((text), (part), true, __FILE__, __LINE__)
#define LACKS(text, part) expect_part((text), (part), false, __FILE__, __LINE__)
void expect_part(const char *text, const char *part, bool wanted, const char *file,
                 int line);
#define SAME(got, want) expect_same((got), (want), __FILE__, __LINE__)
void expect_same(const char *got, const char *want, const char *file, int line);
/* Polls, at most half a minute, until an expression of the test's own becomes true. */
#define EVENTUALLY(expression)                                                           \
    do {                                                                                 \
        int64_t until_ = now_ms() + 30000;                                               \
        while (!(expression)) {                                                          \
            if (now_ms() > until_)                                                       \
                fail_msg("never became true: %s", #expression);                          \
            sleep_ms(5);                                                                 \
        }                                                                                \
    } while (0)
/* The rest of the test is left out, and why is told. */
#define SKIP(...)                                                                        \
    do {                                                                                 \
        print_message("# " __VA_ARGS__);                                                 \
        print_message("\n");                                                             \
        skip();                                                                          \
    } while (0)
/* Memory is not measured, and dray's own init not run, in a sanitized build. */
#define SKIP_SANITIZED(why)                                                              \
    do {                                                                                 \
        if (getenv("DRAY_SANITIZED"))                                                    \
            SKIP("sanitized: " why);                                                     \
    } while (0)
bool runtime_is(const char *name);

/* --- memory: everything is freed when the test ends --- */

void defer(void (*release)(void *), void *what);
char *keep(char *text); /* freed by dray_free */
struct dray_stream *keep_stream(struct dray_stream *stream);
struct dray_spec *keep_spec(struct dray_spec *spec);
struct dray_target *keep_target(struct dray_target *target);
char *text(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* A document that the library gave away, parsed: the text is freed. */
json_t *parsed(char *json);
/* "State.ExitCode", "0.Id": what is there; NULL when nothing is. */
const json_t *at(const json_t *json, const char *path);
const char *str_at(const json_t *json, const char *path); /* "" when there is none */
int64_t int_at(const json_t *json, const char *path);     /* -1 when there is none */
bool true_at(const json_t *json, const char *path);
bool false_at(const json_t *json, const char *path);

/* --- containers --- */

/* A spec of busybox: name may be NULL; the words end with NULL. Fields are then set with
 * dray_spec_set. */
struct dray_spec *spec_for(const char *name, ...) __attribute__((sentinel));
struct dray_spec *spec_sh(const char *name, const char *script);
void set(struct dray_spec *spec, const char *field, const char *value);
void add(struct dray_spec *spec, const char *field, const char *value);
char *created(const struct dray_spec *spec); /* the id */
char *started(const struct dray_spec *spec); /* run, detached: the id */
char *sleeper(const char *name);             /* one that sleeps: the id */
/* One that traps TERM and says "ready", then waits; exits with code. It is ready when
 * this returns. */
char *listener(const char *name, int code);
/* Waits until its log has the text. */
void wait_logged(const char *container, const char *words);
char *logged(const char *container); /* all of its log, raw */

struct result {
    bool known;
    int code;
    char *out, *err;
    size_t out_len, err_len;
    int exits, created, started; /* how many events of each */
    char *id;
};
/* Everything of a stream until its end; the stream is freed. */
struct result drained(struct dray_stream *stream);
struct result ran(const struct dray_spec *spec); /* dray_container_run to its end */
struct result ran_sh(const char *script);        /* and removed */
struct dray_exec_result executed(const char *container, const char *script);

struct dray_state state_of(const char *container);
bool is_phase(const char *container, enum dray_phase phase);
json_t *inspected(const char *container);
int64_t pid_of(const char *container);
/* The process that watches it: the parent of its first one. */
int64_t monitor_of(const char *container);
int waited(const char *container); /* dray_container_wait: the code; -1 unknown */
/* Names of all containers, sorted, with spaces between. */
char *names(void);
json_t *image_inspected(const char *image);
void pull(const char *reference); /* if it is missing */
/* Pushes an image of the layout with changes (tests/e2e/lib/oci-tool.py); ends NULL. */
void push(const char *tag, const char *name, ...) __attribute__((sentinel));
char *image(const char *name); /* its reference in the registry */

/* --- another handle --- */

/* The same places and runtime as the open one, to be changed and opened. */
struct dray_open_options same_target(void);
struct dray_target *opened(const struct dray_open_options *options); /* kept */

/* --- the machine --- */

int64_t now_ms(void);
int64_t now_ns(void);
void sleep_ms(int ms);
bool exists(const char *path);
char *slurp(const char *path); /* "" when it cannot be read; kept */
void spill(const char *path, const char *content, int mode);
bool process_alive(int64_t pid); /* a zombie is not */
/* A field of /proc/PID/status in kB or as a number; -1: none. */
int64_t process_number(int64_t pid, const char *field);
int descriptors(int64_t pid); /* how many it has open */
/* Runs a shell command; its output, kept. ret_status may be NULL. */
char *shell(int *ret_status, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* What dray may change on the machine, as lines; kept. */
char *baseline(void);
/* Waits until the machine looks as `before` again; fails with the difference. */
void expect_baseline(const char *before);
/* A directory that the test has for itself, removed with everything at the end. */
char *scratch(void);
/* A script that dray can be told to use as its runtime; its path. */
char *fake_runtime(const char *script);

/* --- the tests, file by file --- */

struct tests {
    const struct CMUnitTest *tests;
    size_t count;
};
int contract_setup(void **state);    /* before each test */
int contract_teardown(void **state); /* after it */
#define TEST(name)                                                                       \
    {                                                                                    \
#name, name, contract_setup, contract_teardown, NULL                             \
    }
/* One in which the runtime has no part: with crun alone. */
extern char any_runtime[];
#define ANY_RUNTIME(name)                                                                \
    {                                                                                    \
#name, name, contract_setup, contract_teardown, any_runtime                      \
    }
#define TESTS(list, ...)                                                                 \
    static const struct CMUnitTest list##_all[] = {__VA_ARGS__};                         \
    const struct tests list = {list##_all, sizeof list##_all / sizeof list##_all[0]}

#endif
