/* SPDX-License-Identifier: Apache-2.0 */
/* Opening the target once, the images, and what surrounds each test. */
#include "contract.h"

#include <errno.h>
#include <ftw.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fixture.h"

struct dray_target *target;
char *root, *run_root, *cache, *dir, *runtime_path;
char *busybox, *conf;
_Thread_local struct dray_error *last_error;

static const char *from_environment(const char *name)
{
    const char *value = getenv(name);
    if (!value || !*value) {
        fprintf(stderr, "%s is not set: start the suite with tests/contract/run\n", name);
        exit(2);
    }
    return value;
}

/* --- expectations --- */

struct dray_error **error_slot(void)
{
    dray_error_free(last_error);
    last_error = NULL;
    return &last_error;
}

void expect_success(int result, const char *what, const char *file, int line)
{
    if (result >= 0)
        return;
    print_error("%s failed\n", what);
    if (last_error) {
        print_error("  %s: %s\n", dray_kind_name(last_error->kind), last_error->text);
        if (last_error->output)
            print_error("  output: %s\n", last_error->output);
    }
    _fail(file, line);
}

void expect_failure(int result, enum dray_kind kind, const char *what, const char *file,
                    int line, ...)
{
    if (result >= 0) {
        print_error("%s succeeded\n", what);
        _fail(file, line);
    }
    if (!last_error || last_error->kind != kind) {
        print_error("%s\n  failed with %s: %s\n  want %s\n", what,
                    last_error ? dray_kind_name(last_error->kind) : "no error",
                    last_error ? last_error->text : "", dray_kind_name(kind));
        _fail(file, line);
    }
    va_list words;
    va_start(words, line);
    for (const char *word = va_arg(words, const char *); word;
         word = va_arg(words, const char *)) {
        if (strstr(last_error->text, word))
            continue;
        print_error("%s\n  says '%s', which lacks '%s'\n", what, last_error->text, word);
        _fail(file, line);
    }
    va_end(words);
}

void expect_part(const char *got, const char *part, bool wanted, const char *file,
                 int line)
{
    if ((strstr(got, part) != NULL) == wanted)
        return;
    print_error("'%s'\n  %s '%s'\n", got, wanted ? "lacks" : "has", part);
    _fail(file, line);
}

void expect_same(const char *got, const char *want, const char *file, int line)
{
    if (got && strcmp(got, want) == 0)
        return;
    print_error("got  '%s'\nwant '%s'\n", got ? got : "NULL", want);
    _fail(file, line);
}

bool runtime_is(const char *name)
{
    const char *slash = strrchr(runtime_path, '/');
    return strcmp(slash ? slash + 1 : runtime_path, name) == 0;
}

/* --- memory --- */

static struct {
    void (*release)(void *);
    void *what;
} * deferred;
static size_t deferred_count, deferred_room;

void defer(void (*release)(void *), void *what)
{
    if (deferred_count == deferred_room) {
        deferred_room = deferred_room ? 2 * deferred_room : 64;
        deferred = realloc(deferred, deferred_room * sizeof *deferred);
    }
    deferred[deferred_count].release = release;
    deferred[deferred_count++].what = what;
}

static void release_all(void)
{
    while (deferred_count) {
        deferred_count--;
        deferred[deferred_count].release(deferred[deferred_count].what);
    }
}

char *keep(char *given)
{
    defer(dray_free, given);
    return given;
}

static void free_stream(void *stream)
{
    dray_stream_free(stream);
}
static void free_spec(void *spec)
{
    dray_spec_free(spec);
}
static void close_target(void *handle)
{
    dray_close(handle);
}
static void free_json(void *json)
{
    json_decref(json);
}

struct dray_stream *keep_stream(struct dray_stream *stream)
{
    defer(free_stream, stream);
    return stream;
}

struct dray_spec *keep_spec(struct dray_spec *spec)
{
    defer(free_spec, spec);
    return spec;
}

struct dray_target *keep_target(struct dray_target *handle)
{
    defer(close_target, handle);
    return handle;
}

char *text(const char *format, ...)
{
    va_list values;
    char *made = NULL;
    va_start(values, format);
    if (vasprintf(&made, format, values) < 0)
        abort();
    va_end(values);
    defer(free, made);
    return made;
}

json_t *parsed(char *json)
{
    json_error_t error;
    json_t *value = json ? json_loads(json, JSON_REJECT_DUPLICATES, &error) : NULL;
    if (!value)
        fail_msg("not JSON: %s", json ? json : "NULL");
    dray_free(json);
    defer(free_json, value);
    return value;
}

const json_t *at(const json_t *json, const char *path)
{
    char word[256];
    while (json && *path) {
        size_t len = strcspn(path, ".");
        snprintf(word, sizeof word, "%.*s", (int)len, path);
        json = json_is_array(json) ? json_array_get(json, strtoul(word, NULL, 10))
                                   : json_object_get(json, word);
        path += len + (path[len] == '.');
    }
    return json;
}

const char *str_at(const json_t *json, const char *path)
{
    const char *value = json_string_value(at(json, path));
    return value ? value : "";
}

bool true_at(const json_t *json, const char *path)
{
    json = at(json, path); /* jansson's macros evaluate theirs twice */
    return json_is_true(json);
}

bool false_at(const json_t *json, const char *path)
{
    json = at(json, path);
    return json_is_false(json);
}

int64_t int_at(const json_t *json, const char *path)
{
    const json_t *value = at(json, path);
    return json_is_integer(value) ? json_integer_value(value) : -1;
}

/* --- the whole run --- */

static char *before; /* the machine when the test began */

struct dray_open_options same_target(void)
{
    return (struct dray_open_options){.size = sizeof(struct dray_open_options),
                                      .root = root,
                                      .run_root = run_root,
                                      .runtime = runtime_path,
                                      .cache_dir = cache};
}

struct dray_target *opened(const struct dray_open_options *options)
{
    struct dray_target *handle;
    OK(dray_open(options, &handle, ERR));
    return keep_target(handle);
}

static char *below(const char *parent, const char *name)
{
    char *path;
    if (asprintf(&path, "%s/%s", parent, name) < 0)
        abort();
    return path;
}

int fixture_open(void **state)
{
    dir = strdup(from_environment("CONTRACT_DIR"));
    runtime_path = strdup(from_environment("DRAY_RUNTIME"));
    from_environment("CONTRACT_REGISTRY");
    from_environment("CONTRACT_LAYOUT");
    from_environment("CONTRACT_LIB");
    root = below(dir, "root");
    run_root = below(dir, "run");
    cache = below(dir, "cache");
    struct dray_open_options options = same_target();
    OK(dray_open(&options, &target, ERR));
    busybox = strdup(image("busybox:1"));
    conf = strdup(image("conf:1"));
    pull(busybox);
    pull(conf);
    pull("hello");
    /* what a first container makes for good (directories, the filter's cache) is there
     * before anything is compared */
    struct result first = ran_sh("exit 3");
    assert_int_equal(first.code, 3);
    EVENTUALLY(!strstr(baseline(), "dray-guest monitor"));
    release_all();
    return 0;
}

int fixture_close(void **state)
{
    dray_close(target);
    dray_error_free(last_error);
    last_error = NULL;
    char **all[] = {&root, &run_root, &cache, &dir, &runtime_path, &busybox, &conf};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        free(*all[i]);
    free(before);
    free(deferred);
    return 0;
}

/* --- each test --- */

/* No test may hang (C33): the run ends, and says where. */
enum { TEST_LIMIT_S = 120 };

static void hangs(int number)
{
    static const char words[] = "Bail out! the test that was run last hangs\n";
    if (write(STDOUT_FILENO, words, sizeof words - 1) < 0)
        _exit(3);
    _exit(3);
}

int contract_setup(void **state)
{
    signal(SIGALRM, hangs);
    alarm(TEST_LIMIT_S);
    char *now = baseline();
    free(before);
    before = strdup(now);
    release_all();
    return 0;
}

static void remove_containers(void)
{
    struct dray_container_list list;
    if (dray_container_list(target, true, NULL, &list, ERR) < 0)
        return;
    for (size_t i = 0; i < list.count; i++)
        dray_container_remove(target, list.items[i].id, true, true, NULL, ERR);
    dray_container_list_free(&list);
}

int contract_teardown(void **state)
{
    release_all();
    remove_containers();
    expect_baseline(before);
    release_all();
    alarm(0);
    return 0;
}

/* --- directories of a test --- */

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    return remove(path);
}

static void remove_tree(void *path)
{
    nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
    free(path);
}

char *scratch(void)
{
    char *made = below(dir, "scratch.XXXXXX");
    if (!mkdtemp(made))
        fail_msg("%s: %s", made, strerror(errno));
    defer(remove_tree, made);
    return made;
}

char *fake_runtime(const char *script)
{
    char *path = text("%s/runtime", scratch());
    spill(path, text("#!/bin/sh\n%s\n", script), 0755);
    return path;
}
