/* SPDX-License-Identifier: Apache-2.0 */
/* For the tests of src/registry: a scratch directory, images, and a registry that
 * misbehaves (tests/fake/registry.py), all of them gone at the end of the test, and when
 * it is killed. */
#ifndef DRAY_TESTS_REGISTRY_FIXTURE_H
#define DRAY_TESTS_REGISTRY_FIXTURE_H

#include "fakes.h"

#include <signal.h>
#include <stdbool.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "base/text.h"
#include "registry/registry.h"

struct fixture {
    char dir[64];    /* scratch, "" when there is none */
    char layout[80]; /* <dir>/layout */
    char log[80];    /* <dir>/log of the fake registry */
    int guard;       /* of the scratch directory */
    pid_t registry;
    int port;
    struct store *store;
    struct registry_options options;
};

/* layout.py <layout> words…; NULL at the end. */
static inline void make_image(struct fixture *f, ...)
{
    const char *words[32] = {f->layout};
    size_t n = 1;
    va_list ap;
    va_start(ap, f);
    for (const char *word; n < 31 && (word = va_arg(ap, const char *));)
        words[n++] = word;
    va_end(ap);
    run_fake("layout.py", words);
}

static inline char *in_dir(const struct fixture *f, const char *name)
{
    return dr_printf("%s/%s", f->dir, name);
}

static inline char *read_all(const char *path)
{
    struct dr_buf buf = DR_BUF_INIT(8 << 20);
    struct dr_error err = DR_ERROR_INIT;
    if (dr_file_read(AT_FDCWD, path, &buf, &err) < 0) {
        dr_error_release(&err);
        dr_buf_release(&buf);
        return dr_strdup("");
    }
    return dr_buf_take(&buf);
}

static inline void write_all(const char *path, const char *text)
{
    struct dr_error err = DR_ERROR_INIT;
    assert_int_equal(dr_file_write(AT_FDCWD, path, text, strlen(text), 0600, 0, &err), 0);
}

static inline void stop_registry(struct fixture *f)
{
    stop_fake(&f->registry);
}

/* registry.py words…; NULL at the end. */
static inline void start_registry(struct fixture *f, ...)
{
    const char *words[48] = {"--dir", f->layout, "--log", f->log};
    size_t n = 4;
    va_list ap;
    va_start(ap, f);
    for (const char *word; n < 47 && (word = va_arg(ap, const char *));)
        words[n++] = word;
    va_end(ap);
    stop_registry(f);
    unlink(f->log);
    f->port = start_fake(&f->registry, "registry.py", words);
}

static inline int setup(void **state)
{
    struct fixture *f = dr_alloc(sizeof *f);
    struct dr_error err = DR_ERROR_INIT;
    strcpy(f->dir, "/tmp/dray-registry-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    f->guard = guard_directory(f->dir);
    snprintf(f->layout, sizeof f->layout, "%s/layout", f->dir);
    snprintf(f->log, sizeof f->log, "%s/log", f->dir);
    dr_auto_free char *store_dir = in_dir(f, "store");
    assert_int_equal(store_open(store_dir, &f->store, &err), 0);
    /* the fast clock of tests; no file of the person who runs them */
    f->options = (struct registry_options){.store = f->store,
                                           .auth_file = "",
                                           .registries_conf = "",
                                           .policy_file = "",
                                           .tries = 3,
                                           .stall_timeout_ms = 3000,
                                           .connect_timeout_ms = 5000};
    *state = f;
    return 0;
}

static inline int teardown(void **state)
{
    struct fixture *f = *state;
    struct dr_error err = DR_ERROR_INIT;
    stop_registry(f);
    store_close(f->store);
    dr_remove_all(AT_FDCWD, f->dir, &err);
    dr_error_release(&err);
    close(f->guard);
    free(f);
    return 0;
}

/* 127.0.0.1:PORT/name */
static inline void open_registry(struct fixture *f, const char *name,
                                 struct registry **ret_registry)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_free char *text = dr_printf("127.0.0.1:%d/%s", f->port, name);
    dr_auto_ref struct oci_ref ref = OCI_REF_INIT;
    if (oci_ref_parse(text, &ref, &err) < 0 ||
        registry_open(&ref, &f->options, ret_registry, &err) < 0)
        fail_msg("%s", err.text);
}

static inline int resolve_image(struct fixture *f, const char *name, const char *platform,
                                struct oci_image *ret_image, struct dr_error *err)
{
    struct registry *reg;
    struct oci_platform p;
    open_registry(f, name, &reg);
    assert_int_equal(oci_platform_parse(platform, &p, err), 0);
    int rc = registry_resolve(reg, &p, NULL, ret_image, err);
    registry_close(reg);
    return rc;
}

/* Resolves and fetches all layers. */
static inline int pull_image(struct fixture *f, const char *name, struct dr_error *err)
{
    struct registry *reg;
    struct oci_platform p;
    dr_auto_image struct oci_image image = OCI_IMAGE_INIT;
    open_registry(f, name, &reg);
    assert_int_equal(oci_platform_parse("linux/amd64", &p, err), 0);
    int rc = registry_resolve(reg, &p, NULL, &image, err);
    struct store_fetch *fetches[64] = {0};
    size_t n = image.manifest.n_layers;
    assert_true(n <= 64);
    for (size_t i = 0; rc == 0 && i < n; i++)
        rc = store_blob_open(f->store, &image.manifest.layers[i].digest,
                             image.manifest.layers[i].size_bytes, &fetches[i], err);
    if (rc == 0)
        rc = registry_fetch_blobs(reg, fetches, image.manifest.layers, n, err);
    for (size_t i = 0; i < n; i++) {
        if (rc == 0)
            assert_int_equal(store_fetch_state(fetches[i]), STORE_COMPLETE);
        store_fetch_close(fetches[i]);
    }
    registry_close(reg);
    return rc;
}

static inline void assert_text(const struct dr_error *err, const char *part)
{
    if (!strstr(err->text, part))
        fail_msg("'%s' is not in '%s'", part, err->text);
    assert_null(strchr(err->text, '\n'));
    assert_null(strchr(err->text, '\033'));
}

static inline void assert_error(struct dr_error *err, enum dr_kind kind, int code,
                                const char *part)
{
    if (err->kind != kind)
        fail_msg("kind '%s', not '%s': %s", dr_kind_name(err->kind), dr_kind_name(kind),
                 err->text);
    assert_int_equal(err->code, code);
    assert_text(err, part);
    dr_error_release(err);
}

static inline size_t count_in(const char *text, const char *part)
{
    size_t n = 0;
    for (const char *p = text; (p = strstr(p, part)); p += strlen(part))
        n++;
    return n;
}

/* How many lines of the fake's log have the part. */
static inline size_t logged(struct fixture *f, const char *part)
{
    dr_auto_free char *log = read_all(f->log);
    return count_in(log, part);
}

/* Is there any partial left in the store? */
static inline size_t partials(struct fixture *f)
{
    struct store_usage usage;
    struct dr_error err = DR_ERROR_INIT;
    assert_int_equal(store_usage(f->store, &usage, &err), 0);
    return usage.partials;
}

/* One shell line below the fixture's directory; its output is in <dir>/out. */
static inline int shell(struct fixture *f, const char *line)
{
    dr_auto_free char *command = dr_printf("cd %s && { %s; } >out 2>&1", f->dir, line);
    return system(command);
}

static inline void must(struct fixture *f, const char *line)
{
    if (shell(f, line) != 0) {
        dr_auto_free char *path = in_dir(f, "out"), *text = read_all(path);
        fail_msg("%s: %s", line, text);
    }
}

/* For 127.0.0.1 and localhost, signed by itself; owned paths. */
static inline void make_certificate(struct fixture *f, char **ret_cert, char **ret_key)
{
    must(f, "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes "
            "-days 2 -subj /CN=fake -addext "
            "subjectAltName=IP:127.0.0.1,DNS:localhost -keyout key.pem -out cert.pem");
    *ret_cert = in_dir(f, "cert.pem");
    *ret_key = in_dir(f, "key.pem");
}

#endif
