/* SPDX-License-Identifier: Apache-2.0 */
/* How long a registry is waited for, how much of it is read, and what it must hold to:
 * the numbers of HAZARDS H2 and H4. */
#include "fixture.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "registry/exchange.h"
#include "registry/internal.h"

static void the_times_are_those_of_the_rules_H4(void **state)
{
    struct fixture *f = *state;
    struct registry *reg;
    const struct registry_options *o;
    f->options = (struct registry_options){.auth_file = "", .registries_conf = ""};
    f->port = 1;
    open_registry(f, "app:1", &reg);
    o = &reg->options;
    assert_int_equal(o->connect_timeout_ms, 10000);
    assert_int_equal(o->stall_timeout_ms, 30000);
    assert_int_equal(o->retry_deadline_ms, 120000);
    registry_close(reg);
}

static void waits_double_and_are_scattered_H4(void **state)
{
    int64_t base = 250;
    for (int tries = 0; tries < 12; tries++, base = base < 16000 ? 2 * base : 16000) {
        int64_t least = INT64_MAX, most = 0;
        for (int i = 0; i < 200; i++) {
            int64_t ms = exchange_backoff_ms(tries);
            least = ms < least ? ms : least;
            most = ms > most ? ms : most;
        }
        assert_in_range(least, base, base + base / 4);
        assert_in_range(most, base + base / 4, base + base / 2);
    }
}

static void tries_end_at_their_deadline_H4(void **state)
{
    struct fixture *f = *state;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    make_image(f, "1", NULL);
    start_registry(f, "--fault", "status=503", NULL);
    /* waits of 250 to 375 and 500 to 750 ms have room in it, another one has not */
    f->options.tries = 100;
    f->options.retry_deadline_ms = 1200;
    assert_int_equal(pull_image(f, "app:1", &err), -1);
    assert_error(&err, DR_ERR_PULL, 503, "is in trouble (503)");
    assert_in_range(logged(f, " 503 "), 1, 3);
}

/* What brings bytes is no try that failed, however often it breaks. */
static void a_line_that_breaks_again_and_again_has_no_deadline_H4(void **state)
{
    struct fixture *f = *state;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    make_image(f, "1", "--layer", "4000000", NULL);
    start_registry(f, "--fault", "truncate=100000", NULL);
    f->options.retry_deadline_ms = 600; /* forty waits of 20 ms at least are longer */
    if (pull_image(f, "app:1", &err) < 0)
        fail_msg("%s", err.text);
    assert_true(logged(f, " 206 ") >= 39);
}

/* Bytes that come, but too slowly to be of use. */
static void a_trickle_is_dropped_H4(void **state)
{
    struct fixture *f = *state;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    make_image(f, "1", "--layer", "50000", NULL);
    start_registry(f, "--fault", "slow=400", NULL);
    f->options.tries = 1;
    assert_int_equal(pull_image(f, "app:1", &err), -1);
    assert_error(&err, DR_ERR_TIMEOUT, 200, "does not answer (Operation too slow");
}

/* Its queue of connections is full: it says neither yes nor no. */
static void a_host_that_takes_no_connection_is_given_up_H4(void **state)
{
    struct fixture *f = *state;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    int fds[5];
    for (size_t i = 0; i < DR_COUNT(fds); i++)
        fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(fds[0], (struct sockaddr *)&at, len), 0);
    assert_int_equal(listen(fds[0], 0), 0);
    assert_int_equal(getsockname(fds[0], (struct sockaddr *)&at, &len), 0);
    for (size_t i = 1; i < DR_COUNT(fds); i++)
        if (connect(fds[i], (struct sockaddr *)&at, len) < 0)
            assert_int_equal(errno, EINPROGRESS);
    f->port = ntohs(at.sin_port);
    /* no other time would do: of itself, libcurl waits five minutes */
    f->options.connect_timeout_ms = 300;
    f->options.stall_timeout_ms = 600000;
    f->options.deadline_ms = dr_clock_ms() + 60000;
    f->options.tries = 1;
    assert_int_equal(pull_image(f, "app:1", &err), -1);
    assert_error(&err, DR_ERR_TIMEOUT, 0, "does not answer");
    for (size_t i = 0; i < DR_COUNT(fds); i++)
        close(fds[i]);
}

static void of_a_refusal_so_much_is_read_and_no_more_H4(void **state)
{
    struct fixture *f = *state;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    char words[20000] = "error=CODE:";
    memset(words + strlen(words), 'x', sizeof words - strlen(words) - 1);
    make_image(f, "1", NULL);
    start_registry(f, "--fault", "status=403", "--fault", words, NULL);
    assert_int_equal(pull_image(f, "app:1", &err), -1);
    /* cut after 16 KiB it is no JSON any more: its beginning is shown as it is */
    assert_error(&err, DR_ERR_PULL, 403, " [{\"errors\": [{\"code\": \"CODE\", ");
}

/* --- what descriptors say --- */

/* The tag's manifest m, or index, with what a line of Python makes of it. */
static void change_manifest(struct fixture *f, const char *change)
{
    dr_auto_free char *path = in_dir(f, "manifest"),
                      *fault = dr_printf("manifest=%s", path);
    dr_auto_free char *script = dr_printf(
        "import json\nd = '%s/'\nm = json.load(open(d + 'index.json'))['manifests'][0]\n"
        "m = json.load(open(d + 'blobs/sha256/' + m['digest'][7:]))\n%s\n"
        "json.dump(m, open('%s', 'w'))\n",
        f->layout, change, path);
    run_fake("-c", (const char *[]){script, NULL});
    start_registry(f, "--fault", fault, NULL);
}

static void sizes_of_documents_are_those_of_their_descriptors_H2(void **state)
{
    static const struct {
        const char *change, *text;
    } image[] =
        {
            {"m['config']['size'] += 5", "the image config has"},
            {"m['config']['size'] -= 5", "bytes that there should be"},
            {"m['config']['size'] = 5000000", "the config has 5000000 bytes"},
        },
      index[] = {
          {"m['manifests'][0]['size'] += 5", "the manifest has"},
          {"m['manifests'][0]['size'] -= 5", "bytes that there should be"},
          {"m['manifests'][0]['size'] = 5000000", "the manifest has 5000000 bytes"},
      };
    struct fixture *f = *state;
    make_image(f, "1", NULL);
    for (size_t i = 0; i < DR_COUNT(image); i++) {
        dr_auto_error struct dr_error err = DR_ERROR_INIT;
        change_manifest(f, image[i].change);
        assert_int_equal(pull_image(f, "app:1", &err), -1);
        assert_error(&err, DR_ERR_FORMAT, err.code, image[i].text);
    }
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_remove_all(AT_FDCWD, f->layout, &err);
    make_image(f, "1", "--index", "amd64", NULL);
    for (size_t i = 0; i < DR_COUNT(index); i++) {
        change_manifest(f, index[i].change);
        assert_int_equal(pull_image(f, "app:1", &err), -1);
        assert_error(&err, DR_ERR_FORMAT, err.code, index[i].text);
    }
}

static void what_an_index_calls_an_image_must_be_one_CVE_2021_41190_H2(void **state)
{
    struct fixture *f = *state;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    make_image(f, "1", "--index", "amd64", NULL);
    change_manifest(f, "m['manifests'][0]['mediaType'] = m['mediaType']");
    assert_int_equal(pull_image(f, "app:1", &err), -1);
    assert_error(&err, DR_ERR_FORMAT, 0, "but it is an image manifest");
}

static void a_digest_that_was_asked_for_is_what_head_must_say_H2(void **state)
{
    struct fixture *f = *state;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    struct registry *reg;
    struct oci_digest digest;
    make_image(f, "1", NULL);
    start_registry(f, NULL);
    open_registry(f, "app:1", &reg);
    assert_int_equal(registry_head_digest(reg, &digest, &err), 0);
    registry_close(reg);
    start_registry(f, "--fault", "wrong-digest-header", NULL);
    dr_auto_free char *name = dr_printf("app@%s", digest.text);
    open_registry(f, name, &reg);
    assert_int_equal(registry_head_digest(reg, &digest, &err), -1);
    assert_error(&err, DR_ERR_FORMAT, 0, "the registry sent wrong bytes: the manifest");
    registry_close(reg);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(the_times_are_those_of_the_rules_H4),
        TEST(waits_double_and_are_scattered_H4),
        TEST(tries_end_at_their_deadline_H4),
        TEST(a_line_that_breaks_again_and_again_has_no_deadline_H4),
        TEST(a_trickle_is_dropped_H4),
        TEST(a_host_that_takes_no_connection_is_given_up_H4),
        TEST(of_a_refusal_so_much_is_read_and_no_more_H4),
        TEST(sizes_of_documents_are_those_of_their_descriptors_H2),
        TEST(what_an_index_calls_an_image_must_be_one_CVE_2021_41190_H2),
        TEST(a_digest_that_was_asked_for_is_what_head_must_say_H2),
    };
    return cmocka_run_group_tests_name("registry limits", tests, NULL, NULL);
}
