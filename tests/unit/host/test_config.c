/* SPDX-License-Identifier: Apache-2.0 */
/* C01, C02: config.yaml: what it may say, where an error in it is, and how it is changed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <sys/stat.h>

#include <stdlib.h>
#include <unistd.h>

#include "base/fs.h"
#include "host/cache.h"
#include "host/config.h"

static char dir[] = "/tmp/dray-config.XXXXXX";
static char *file;

static int set_up(void **state)
{
    if (!mkdtemp(dir))
        return -1;
    setenv("XDG_CONFIG_HOME", dir, 1);
    file = config_path();
    return 0;
}

static int tear_down(void **state)
{
    struct dr_error err = DR_ERROR_INIT;
    free(file);
    return dr_remove_all(AT_FDCWD, dir, &err);
}

static void put(const char *text)
{
    struct dr_error err = DR_ERROR_INIT;
    dr_auto_free char *parent = dr_path_join(dir, "dray");
    assert_int_equal(dr_mkdir_all(parent, 0700, &err), 0);
    assert_int_equal(dr_file_write(AT_FDCWD, file, text, strlen(text), 0600, 0, &err), 0);
}

static void is(const char *text)
{
    struct dr_error err = DR_ERROR_INIT;
    dr_auto_buf struct dr_buf buf = DR_BUF_INIT(1 << 20);
    assert_int_equal(dr_file_read(AT_FDCWD, file, &buf, &err), 0);
    assert_string_equal(buf.data ? buf.data : "", text);
}

static void a_file_with_everything_is_read(void **state)
{
    static const char text[] = "# a comment\n"
                               "target: lab\n"
                               "targets:\n"
                               "  lab:\n"
                               "    url: ssh://lab.example:2222\n"
                               "    user: me\n"
                               "    runtime: /usr/bin/crun\n"
                               "    root: /srv/dray\n"
                               "    run_root: /run/d\n"
                               "    bundle_root: /srv/b\n"
                               "    log_root: \"/srv/my logs\"\n"
                               "    network_fallback: fail\n"
                               "    connect_timeout: 1500ms\n"
                               "  vm: {command: [limactl, shell, my vm]}\n";
    struct dr_error err = DR_ERROR_INIT;
    dr_auto_user_config struct config config;
    assert_int_equal(config_parse("f", text, strlen(text), &config, &err), 0);
    assert_string_equal(config.current, "lab");
    assert_int_equal(config.count, 2);
    const struct config_target *lab = &config.targets[0];
    assert_string_equal(lab->url, "ssh://lab.example:2222");
    assert_string_equal(lab->user, "me");
    assert_string_equal(lab->runtime, "/usr/bin/crun");
    assert_string_equal(lab->root, "/srv/dray");
    assert_string_equal(lab->run_root, "/run/d");
    assert_string_equal(lab->bundle_root, "/srv/b");
    assert_string_equal(lab->log_root, "/srv/my logs");
    assert_string_equal(lab->network_fallback, "fail");
    assert_int_equal(lab->connect_timeout_ms, 1500);
    assert_string_equal(config.targets[1].url, "exec://limactl shell my%20vm");
}

/* -1: an error of this kind */
static void limit_is(const char *asked, int64_t want, enum dr_kind kind)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    int64_t bytes = 0;
    int rc = cache_limit(asked, &bytes, &err);
    assert_int_equal(rc, want < 0 ? -1 : 0);
    assert_int_equal(err.kind, kind);
    if (rc == 0)
        assert_true(bytes == want);
}

static void c10_the_limit_of_the_cache_is_asked_for_or_set_or_written(void **state)
{
    unsetenv("DRAY_CACHE_LIMIT");
    put("target: local\n");
    limit_is(NULL, 10ll << 30, DR_ERR_NONE);
    put("cache_limit: 20g\n");
    limit_is(NULL, 20ll << 30, DR_ERR_NONE);
    put("cache_limit: none\n");
    limit_is(NULL, CACHE_NO_LIMIT, DR_ERR_NONE);
    setenv("DRAY_CACHE_LIMIT", "512MiB", 1);
    limit_is(NULL, 512ll << 20, DR_ERR_NONE);
    limit_is("0", 0, DR_ERR_NONE);
    limit_is("many", -1, DR_ERR_INVALID);
    setenv("DRAY_CACHE_LIMIT", "-1", 1);
    limit_is(NULL, -1, DR_ERR_CONFIG);
    setenv("DRAY_CACHE_LIMIT", "", 1);
    put("cache_limit: -1\n");
    limit_is(NULL, -1, DR_ERR_CONFIG);
    unsetenv("DRAY_CACHE_LIMIT");
    assert_int_equal(unlink(file), 0);
}

static void errors_name_file_line_and_column(void **state)
{
    static const struct {
        const char *text, *error;
    } cases[] = {
        {"[a]\n", "f:1:1: the file has keys: cache_limit, target, targets"},
        {"targes: {}\n", "f:1:1: unknown key 'targes' (did you mean target?)"},
        {"cache_limit: much\n", "f:1:14: cache_limit must be a size, as 20g, or none"},
        {"cache_limit: [1]\n", "f:1:14: cache_limit must be a size"},
        {"target: x\n", "f:1:9: no target is called 'x'"},
        {"target: labb\ntargets:\n  lab: {url: 'ssh://x'}\n",
         "f:1:9: no target is called 'labb' (did you mean lab?)"},
        {"targets:\n  a:\n    url: ssh://x\n    runtme: crun\n",
         "f:4:5: unknown key 'runtme' (did you mean runtime?)"},
        {"targets:\n  a:\n    url: ssh://-x\n",
         "f:3:10: target 'ssh://-x': a host cannot begin with '-'"},
        {"targets:\n  a:\n    runtime: crun\n",
         "f:3:5: target a has neither url nor command"},
        {"targets:\n  a:\n    url: ssh://x\n    command: [y]\n",
         "f:4:14: there is a url and a command; one is enough"},
        {"targets:\n  a:\n    command: [y]\n    url: ssh://x\n",
         "f:4:10: there is a url and a command; one is enough"},
        {"targets:\n  a:\n    command: y z\n",
         "f:3:14: command is a list of words: [limactl, shell, default]"},
        {"targets:\n  a: {command: []}\n", "f:2:16: command has no words"},
        {"targets:\n  a: {command: [x, '']}\n",
         "f:2:20: a word of command must be a text, and not empty"},
        {"targets:\n  a: {url: 'local:', root: here}\n",
         "f:2:28: root 'here' is not an absolute path"},
        {"targets:\n  a: {url: 'local:', network_fallback: none}\n",
         "f:2:40: network_fallback must be host or fail"},
        {"targets:\n  a: {url: 'local:', connect_timeout: soon}\n",
         "f:2:39: connect_timeout must be a time, as 10s"},
        {"targets:\n  a: {url: 'local:', runtime: [crun]}\n",
         "f:2:31: runtime must be a text"},
        {"targets:\n  local: {url: 'local:'}\n",
         "f:2:3: 'local' cannot be the name of a target: it is letters, digits, _, . and "
         "-, and not local"},
        {"targets:\n  -x: {url: 'local:'}\n", "f:2:3: '-x' cannot be the name"},
        {"targets:\n  a: ssh://x\n",
         "f:2:6: a target has keys: url or command, and settings"},
        {"targets:\n  a: {url: 'local:'}\n  a: {url: 'local:'}\n",
         "f:3:3: 'a' is there a second time"},
        {"targets:\n\ta: 1\n", "f:2:1: found character that cannot start any token"},
        {"target: [\n", "f:2:1: did not find expected node content"},
        {"target: local\n---\ntarget: local\n", "f:3:1: a second document"},
        {"? [a]\n: b\n", "f:1:3: a key must be a word"},
        {"target: \"a\\0b\"\n", "f:1:9: target is the name of one"},
        {"target: \xff\n", "f:1:1: invalid leading UTF-8 octet"},
    };
    for (size_t i = 0; i < DR_COUNT(cases); i++) {
        dr_auto_error struct dr_error err = DR_ERROR_INIT;
        struct config config;
        if (config_parse("f", cases[i].text, strlen(cases[i].text), &config, &err) == 0)
            fail_msg("%s was taken", cases[i].text);
        if (strncmp(err.text, cases[i].error, strlen(cases[i].error)) != 0)
            fail_msg("got:  %s\nwant: %s", err.text, cases[i].error);
        assert_int_equal(err.kind, DR_ERR_CONFIG);
    }
}

static void nothing_and_empty_files_are_fine(void **state)
{
    static const char *const texts[] = {"",    "\n",         "# nothing\n",
                                        "~\n", "targets:\n", "target:\ntargets: {}\n"};
    for (size_t i = 0; i < DR_COUNT(texts); i++) {
        struct dr_error err = DR_ERROR_INIT;
        dr_auto_user_config struct config config;
        assert_int_equal(config_parse("f", texts[i], strlen(texts[i]), &config, &err), 0);
        assert_int_equal(config.count, 0);
        assert_null(config.current);
    }
}

static void add(const char *name, const char *url)
{
    struct dr_error err = DR_ERROR_INIT;
    struct config_target t = {.name = (char *)name, .url = (char *)url};
    if (config_add(&t, &err) < 0)
        fail_msg("%s", err.text);
}

static void use(const char *name)
{
    struct dr_error err = DR_ERROR_INIT;
    if (config_use(name, &err) < 0)
        fail_msg("%s", err.text);
}

static void rm(const char *name)
{
    struct dr_error err = DR_ERROR_INIT;
    if (config_remove(name, &err) < 0)
        fail_msg("%s", err.text);
}

static void a_change_leaves_all_other_lines_as_they_are(void **state)
{
    static const char *const olds[] = {"", "# mine\n", "targets:\n", "targets: {}\n"};
    static const char *const news[] = {"targets:\n  a:\n    url: ssh://a\n",
                                       "# mine\ntargets:\n  a:\n    url: ssh://a\n",
                                       "targets:\n  a:\n    url: ssh://a\n",
                                       "targets: \n  a:\n    url: ssh://a\n"};
    for (size_t i = 0; i < DR_COUNT(olds); i++) {
        put(olds[i]);
        add("a", "ssh://a");
        is(news[i]);
    }
    put("# top\ntargets:\n   # of a\n   a:   # this\n      url: \"ssh://\xc3\xa4\"   # "
        "is a\n"
        "\n# end\n");
    add("b", "exec://x y: #z");
    is("# top\ntargets:\n   # of a\n   a:   # this\n      url: \"ssh://\xc3\xa4\"   # is "
       "a\n"
       "   b:\n     url: \"exec://x y: #z\"\n\n# end\n");
    use("b");
    is("# top\ntarget: b\ntargets:\n   # of a\n   a:   # this\n      url: "
       "\"ssh://\xc3\xa4\"   # is a\n   b:\n     url: \"exec://x y: #z\"\n\n# end\n");
    use("a");
    rm("b");
    is("# top\ntarget: a\ntargets:\n   # of a\n   a:   # this\n      url: "
       "\"ssh://\xc3\xa4\"   # is a\n\n# end\n");
    rm("a");
    is("# top\ntarget: local\ntargets:\n   # of a\n\n# end\n");
    use("exec://a b");
    is("# top\ntarget: \"exec://a b\"\ntargets:\n   # of a\n\n# end\n");
    put("target: a\ntargets:\n  a: {url: ssh://a}"); /* no newline at its end */
    add("b", "ssh://b");
    is("target: a\ntargets:\n  a: {url: ssh://a}\n  b:\n    url: ssh://b\n");
}

static void what_cannot_be_changed_is_refused_and_left(void **state)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    static const char flow[] = "targets: {a: {url: ssh://a}}\n";
    struct config_target b = {.name = (char[]){"b"}, .url = (char[]){"ssh://b"}};
    put(flow);
    assert_int_equal(config_add(&b, &err), -1);
    assert_int_equal(err.kind, DR_ERR_CONFIG);
    assert_non_null(strstr(err.text, "change it by hand"));
    assert_int_equal(config_remove("a", &err), -1);
    is(flow);
    put("targets:\n  b:\n    url: ssh://b\n");
    assert_int_equal(config_add(&b, &err), -1);
    assert_int_equal(err.kind, DR_ERR_EXISTS);
    assert_int_equal(config_remove("c", &err), -1);
    assert_int_equal(err.kind, DR_ERR_NOT_FOUND);
    assert_int_equal(config_use("bb", &err), -1);
    assert_int_equal(err.kind, DR_ERR_CONFIG);
    assert_string_equal(err.text, "no target is called 'bb'; did you mean b?");
    put("targets: [\n");
    assert_int_equal(config_add(&b, &err), -1);
    assert_int_equal(err.kind, DR_ERR_CONFIG);
    is("targets: [\n");
}

static void names_and_addresses_are_resolved(void **state)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    struct config_target t;
    put("targets: [\n"); /* not even looked at for an address */
    assert_int_equal(config_resolve("ssh://x", &t, &err), 0);
    assert_string_equal(t.url, "ssh://x");
    config_target_release(&t);
    assert_int_equal(config_resolve(NULL, &t, &err), 0);
    assert_null(t.url);
    assert_int_equal(config_resolve("a", &t, &err), -1);
    assert_int_equal(err.kind, DR_ERR_CONFIG);
    put("targets:\n  a:\n    url: ssh://x\n    runtime: crun\n");
    assert_int_equal(config_resolve("a", &t, &err), 0);
    assert_string_equal(t.url, "ssh://x");
    assert_string_equal(t.runtime, "crun");
    config_target_release(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_with_everything_is_read),
        cmocka_unit_test(c10_the_limit_of_the_cache_is_asked_for_or_set_or_written),
        cmocka_unit_test(errors_name_file_line_and_column),
        cmocka_unit_test(nothing_and_empty_files_are_fine),
        cmocka_unit_test(a_change_leaves_all_other_lines_as_they_are),
        cmocka_unit_test(what_cannot_be_changed_is_refused_and_left),
        cmocka_unit_test(names_and_addresses_are_resolved),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
