/* SPDX-License-Identifier: Apache-2.0 */
/* A file of a web server, over lines that registries' blobs know (H4). The fake
 * registry's blobs are such files. */
#include <dirent.h>

#include "fixture.h"
#include "registry/download.h"

#define MB "1048576"

/* The name of the largest blob, which is the layer. */
static char *largest(struct fixture *f)
{
    dr_auto_free char *path = dr_printf("%s/blobs/sha256", f->layout);
    DIR *dir = opendir(path);
    char *name = NULL;
    off_t most = -1;
    assert_non_null(dir);
    for (struct dirent *entry; (entry = readdir(dir));) {
        struct stat st;
        dr_auto_free char *file = dr_path_join(path, entry->d_name);
        if (stat(file, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size <= most)
            continue;
        most = st.st_size;
        free(name);
        name = dr_strdup(entry->d_name);
    }
    closedir(dir);
    return name;
}

/* From the server that runs; -1, or the right bytes. */
static int get(struct fixture *f, const char *scheme, struct dr_error *err)
{
    dr_auto_free char *name = largest(f);
    dr_auto_free char *url = dr_printf(
        "%s://127.0.0.1:%d/v2/app/blobs/sha256:%s?sig=geheim", scheme, f->port, name);
    dr_auto_free char *to = in_dir(f, "file");
    dr_auto_free char *blob = dr_printf("%s/blobs/sha256/%s", f->layout, name);
    dr_auto_fd int fd = open(to, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    int rc = download_file(url, &f->options, fd, err);
    if (rc < 0) {
        assert_null(strstr(err->text, "geheim"));
        return -1;
    }
    struct stat is, should;
    assert_int_equal(stat(to, &is), 0);
    assert_int_equal(stat(blob, &should), 0);
    assert_int_equal(is.st_size, should.st_size);
    dr_auto_free char *a = read_all(to), *b = read_all(blob);
    assert_memory_equal(a, b, (size_t)is.st_size);
    return 0;
}

static void fine(struct fixture *f)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    if (get(f, "http", &err) < 0)
        fail_msg("%s", err.text);
}

struct seen {
    size_t steps;
    struct registry_progress last;
};

static void on_progress(void *context, const struct registry_progress *p)
{
    struct seen *seen = context;
    if (seen->steps++ > 0 && p->done_bytes < seen->last.done_bytes)
        fail_msg("%lld bytes after %lld", (long long)p->done_bytes,
                 (long long)seen->last.done_bytes);
    if (p->total_bytes < p->done_bytes)
        fail_msg("%lld of %lld bytes", (long long)p->done_bytes,
                 (long long)p->total_bytes);
    seen->last = *p;
}

static void its_progress_is_told_with_the_whole_size_after_a_break_too(void **state)
{
    struct fixture *f = *state;
    struct seen seen = {0};
    make_image(f, "1", "--layer", MB, NULL);
    start_registry(f, "--fault", "truncate=300000", "--fault", "etag", NULL);
    f->options.progress = on_progress;
    f->options.context = &seen;
    fine(f);
    dr_auto_free char *name = largest(f);
    dr_auto_free char *blob = dr_printf("%s/blobs/sha256/%s", f->layout, name);
    struct stat st;
    assert_int_equal(stat(blob, &st), 0);
    assert_in_range(seen.steps, 2, 100);
    assert_int_equal(seen.last.state, REGISTRY_BLOB_DONE);
    assert_int_equal(seen.last.done_bytes, st.st_size);
    assert_int_equal(seen.last.total_bytes, st.st_size);
}

static void a_file_comes_whole_and_nobodys_password_goes(void **state)
{
    struct fixture *f = *state;
    make_image(f, "1", "--layer", MB, NULL);
    start_registry(f, NULL);
    f->options.user = "me";
    f->options.password = "secret";
    fine(f);
    assert_int_equal(logged(f, "main GET "), 1);
    assert_int_equal(logged(f, " 200 - -"), 1);
    /* not even when it is asked for */
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    start_registry(f, "--auth", "token", NULL);
    assert_int_equal(get(f, "http", &err), -1);
    assert_error(&err, DR_ERR_PULL, 401, "denies access (401): dray sends nobody's name");
    assert_int_equal(logged(f, "main "), 1);
}

static void what_breaks_off_goes_on_only_in_the_same_file_H4(void **state)
{
    struct fixture *f = *state;
    make_image(f, "1", "--layer", MB, NULL);
    start_registry(f, "--fault", "truncate=300000", "--fault", "etag", NULL);
    fine(f);
    assert_int_equal(logged(f, "bytes=300000-"), 1);
    assert_int_equal(logged(f, "bytes=900000-"), 1);
    /* without a name for its bytes: from the start */
    start_registry(f, "--fault", "truncate=300000@1", NULL);
    fine(f);
    assert_int_equal(logged(f, "bytes="), 0);
    assert_int_equal(logged(f, " 200 - -"), 2);
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    start_registry(f, "--fault", "reset=300000@1", "--fault", "etag", "--fault",
                   "bad-range", NULL);
    assert_int_equal(get(f, "http", &err), -1);
    assert_error(&err, DR_ERR_FORMAT, 206, "the server sends another part");
}

/* There is no digest: what another server calls by the same tag may be another file. */
static void what_broke_off_elsewhere_begins_anew_H4(void **state)
{
    struct fixture *f = *state;
    make_image(f, "1", "--layer", MB, NULL);
    start_registry(f, "--fault", "redirect@1", "--fault", "truncate=300000@1", "--fault",
                   "etag=same", NULL);
    fine(f);
    assert_int_equal(logged(f, "side GET"), 1);
    assert_int_equal(logged(f, "main GET"), 3); /* to the side, 200, the rest of that */
    assert_int_equal(logged(f, "bytes="), 1);
    assert_int_equal(logged(f, "bytes=300000-+if-range"), 1);
    /* nor is a part what was asked for as a whole */
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    start_registry(f, "--fault", "etag", "--fault", "unasked-part", NULL);
    assert_int_equal(get(f, "http", &err), -1);
    assert_error(&err, DR_ERR_FORMAT, 206, "the server sends another part");
}

static void troubles_are_waited_out_or_told_H4(void **state)
{
    static const struct {
        const char *fault;
        enum dr_kind kind;
        int code;
        const char *text;
    } cases[] = {
        {"redirect-loop", DR_ERR_PULL, 302, "redirects more than 10 times"},
        {"redirect-to=file:///etc/passwd", DR_ERR_PULL, 0,
         "redirects to where it should"},
    };
    struct fixture *f = *state;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    make_image(f, "1", "--layer", MB, NULL);
    start_registry(f, "--fault", "status=503@1", "--fault", "redirect", NULL);
    fine(f);
    assert_int_equal(logged(f, "side GET"), 2);
    dr_auto_free char *missing = dr_printf("http://127.0.0.1:%d/no", f->port);
    assert_int_equal(download_file(missing, &f->options, -1, &err), -1);
    assert_error(&err, DR_ERR_NOT_FOUND, 404, "has no such file (404): check the URL");
    for (size_t i = 0; i < DR_COUNT(cases); i++) {
        start_registry(f, "--fault", cases[i].fault, NULL);
        assert_int_equal(get(f, "http", &err), -1);
        assert_error(&err, cases[i].kind, cases[i].code, cases[i].text);
    }
    start_registry(f, "--fault", "stall=1000", NULL);
    f->options.deadline_ms = dr_clock_ms() + 300;
    assert_int_equal(get(f, "http", &err), -1);
    assert_error(&err, DR_ERR_TIMEOUT, 0, "");
    f->options.deadline_ms = 0;
    atomic_bool cancel = true;
    f->options.cancel = &cancel;
    assert_int_equal(get(f, "http", &err), -1);
    assert_error(&err, DR_ERR_CANCELLED, 0, "");
    f->options.cancel = NULL;
    stop_registry(f);
    assert_int_equal(get(f, "http", &err), -1);
    assert_error(&err, DR_ERR_PULL, 0, "is the server running there?");
    static const char *const urls[] = {"ftp://h/x", "http://me:pass@h/x", "http:///x",
                                       "https://h:x/", "file"};
    for (size_t i = 0; i < DR_COUNT(urls); i++) {
        assert_int_equal(download_file(urls[i], &f->options, -1, &err), -1);
        assert_int_equal(err.kind, DR_ERR_INVALID);
        assert_null(strstr(err.text, "pass"));
        dr_error_release(&err);
    }
}

static void https_wants_a_certificate_that_is_trusted_and_stays_https(void **state)
{
    struct fixture *f = *state;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_free char *ca = NULL, *key = NULL;
    make_certificate(f, &ca, &key);
    make_image(f, "1", "--layer", "1000", NULL);
    start_registry(f, "--tls", ca, key, NULL);
    assert_int_equal(get(f, "https", &err), -1);
    assert_error(&err, DR_ERR_PULL, 0, "give the CA that signed it with --tls-ca");
    assert_int_equal(get(f, "http", &err), -1);
    dr_error_release(&err);
    f->options.ca_file = ca;
    assert_int_equal(get(f, "https", &err), 0);
    f->options.ca_file = NULL;
    f->options.insecure = true;
    assert_int_equal(get(f, "https", &err), 0);
    start_registry(f, "--tls", ca, key, "--fault", "redirect-http", NULL);
    assert_int_equal(get(f, "https", &err), -1);
    assert_error(&err, DR_ERR_PULL, 307, "redirects from https to http://localhost");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    alarm(170);
    const struct CMUnitTest tests[] = {
        TEST(its_progress_is_told_with_the_whole_size_after_a_break_too),
        TEST(a_file_comes_whole_and_nobodys_password_goes),
        TEST(what_breaks_off_goes_on_only_in_the_same_file_H4),
        TEST(what_broke_off_elsewhere_begins_anew_H4),
        TEST(troubles_are_waited_out_or_told_H4),
        TEST(https_wants_a_certificate_that_is_trusted_and_stays_https),
    };
    return cmocka_run_group_tests_name("registry download", tests, NULL, NULL);
}
