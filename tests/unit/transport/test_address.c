/* SPDX-License-Identifier: Apache-2.0 */
/* C01, C02: addresses of targets, and the command lines that are made of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "transport/far.h"

static char *words_of(char *const *words)
{
    static char all[4096];
    all[0] = '\0';
    for (; words && *words; words++) {
        strcat(all, "[");
        strcat(all, *words);
        strcat(all, "]");
    }
    return all;
}

static void addresses_are_taken_apart(void **state)
{
    static const struct {
        const char *text;
        enum transport_scheme scheme;
        const char *user, *host;
        int port;
        const char *words;
    } cases[] = {
        {NULL, TRANSPORT_LOCAL, NULL, NULL, 0, ""},
        {"local", TRANSPORT_LOCAL, NULL, NULL, 0, ""},
        {"local:", TRANSPORT_LOCAL, NULL, NULL, 0, ""},
        {"local://", TRANSPORT_LOCAL, NULL, NULL, 0, ""},
        {"ssh://host", TRANSPORT_SSH, NULL, "host", 0, ""},
        {"ssh://host/", TRANSPORT_SSH, NULL, "host", 0, ""},
        {"ssh://me@host:2222", TRANSPORT_SSH, "me", "host", 2222, ""},
        {"ssh://a%40b@host", TRANSPORT_SSH, "a@b", "host", 0, ""},
        {"ssh://me@[fe80::1%25eth0]:22", TRANSPORT_SSH, "me", "fe80::1%eth0", 22, ""},
        {"ssh://[::1]", TRANSPORT_SSH, NULL, "::1", 0, ""},
        {"wsl://", TRANSPORT_WSL, NULL, "dray", 0, ""},
        {"wsl://Ubuntu-24.04", TRANSPORT_WSL, NULL, "Ubuntu-24.04", 0, ""},
        {"wsl://my distro", TRANSPORT_WSL, NULL, "my distro", 0, ""},
        {"wsl://my%20'distro", TRANSPORT_WSL, NULL, "my 'distro", 0, ""},
        {"exec://limactl shell default", TRANSPORT_EXEC, NULL, NULL, 0,
         "[limactl][shell][default]"},
        {"exec:///opt/a%20b/run  $HOME", TRANSPORT_EXEC, NULL, NULL, 0,
         "[/opt/a b/run][$HOME]"},
    };
    for (size_t i = 0; i < DR_COUNT(cases); i++) {
        struct dr_error err = DR_ERROR_INIT;
        dr_auto_address struct transport_address a;
        if (transport_address_parse(cases[i].text, &a, &err) < 0)
            fail_msg("%s: %s", cases[i].text, err.text);
        assert_int_equal(a.scheme, cases[i].scheme);
        if (cases[i].user)
            assert_string_equal(a.user, cases[i].user);
        else
            assert_null(a.user);
        if (cases[i].host)
            assert_string_equal(a.host, cases[i].host);
        else
            assert_null(a.host);
        assert_int_equal(a.port, cases[i].port);
        assert_string_equal(words_of(a.words), cases[i].words);
    }
}

static void bad_addresses_are_refused_with_the_reason(void **state)
{
    static const struct {
        const char *text;
        enum dr_kind kind;
        const char *why;
    } cases[] = {
        {"nosuch://x", DR_ERR_UNSUPPORTED, "ssh://[USER@]HOST"},
        {"local:x", DR_ERR_CONFIG, "nothing may stand behind"},
        {"ssh://", DR_ERR_CONFIG, "no host"},
        {"ssh://-oProxyCommand=id", DR_ERR_CONFIG, "begin with '-'"},
        {"ssh://%2doProxyCommand=id", DR_ERR_CONFIG, "begin with '-'"},
        {"ssh://me@-x", DR_ERR_CONFIG, "begin with '-'"},
        {"ssh://-l@host", DR_ERR_CONFIG, "name of a user"},
        {"ssh://a b@host", DR_ERR_CONFIG, "name of a user"},
        {"ssh://ho st", DR_ERR_CONFIG, "name of a host"},
        {"ssh://host`id`", DR_ERR_CONFIG, "name of a host"},
        {"ssh://ho%0ast", DR_ERR_CONFIG, "name of a host"},
        {"ssh://host;id", DR_ERR_CONFIG, "name of a host"},
        {"ssh://host%00", DR_ERR_CONFIG, "hex digits"},
        {"ssh://host%zz", DR_ERR_CONFIG, "hex digits"},
        {"ssh://me:secret@host", DR_ERR_CONFIG, "a password has no place"},
        {"ssh://host:0", DR_ERR_CONFIG, "the port"},
        {"ssh://host:65536", DR_ERR_CONFIG, "the port"},
        {"ssh://host:22x", DR_ERR_CONFIG, "the port"},
        {"ssh://::1", DR_ERR_CONFIG, "in brackets"},
        {"ssh://[::1", DR_ERR_CONFIG, "']'"},
        {"ssh://host/run/x.sock", DR_ERR_CONFIG, "nothing may stand behind the host"},
        {"wsl://-d", DR_ERR_CONFIG, "begin with '-'"},
        {"wsl://a\"b", DR_ERR_CONFIG, "name of a distro"},
        {"wsl://a/b", DR_ERR_CONFIG, "name of a distro"},
        {"wsl://a%0ab", DR_ERR_CONFIG, "name of a distro"},
        {"exec://", DR_ERR_CONFIG, "no command"},
        {"exec:// ", DR_ERR_CONFIG, "no command"},
    };
    for (size_t i = 0; i < DR_COUNT(cases); i++) {
        dr_auto_error struct dr_error err = DR_ERROR_INIT;
        struct transport_address a;
        if (transport_address_parse(cases[i].text, &a, &err) == 0)
            fail_msg("%s was taken", cases[i].text);
        if (err.kind != cases[i].kind || !strstr(err.text, cases[i].why))
            fail_msg("%s: kind %d, %s", cases[i].text, err.kind, err.text);
    }
}

static void a_list_of_words_and_its_address_are_the_same(void **state)
{
    char *words[] = {(char[]){"a b"},  (char[]){"100%"}, (char[]){""},
                     (char[]){"c\nd"}, (char[]){"$x"},   NULL};
    dr_auto_free char *text = transport_address_of_words(words);
    assert_string_equal(text, "exec://a%20b 100%25  c%0Ad $x");
    char *kept[] = {(char[]){"/opt/a b"}, (char[]){"100%"}, (char[]){"$x'\""}, NULL};
    dr_auto_free char *again = transport_address_of_words(kept);
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_address struct transport_address a;
    assert_int_equal(transport_address_parse(again, &a, &err), 0);
    assert_string_equal(words_of(a.words), "[/opt/a b][100%][$x'\"]");
}

static void ssh_gets_a_constant_command_and_no_data(void **state)
{
    struct dr_error err = DR_ERROR_INIT;
    dr_auto_address struct transport_address a;
    dr_auto_strv char **argv = NULL;
    assert_int_equal(transport_address_parse("ssh://me@host:2222", &a, &err), 0);
    assert_int_equal(transport_ssh.argv(&a, 30000, &argv, &err), 0);
    char **rest = argv + 1;
    assert_string_equal(argv[0], "ssh");
    if (strcmp(rest[0], "-F") == 0)
        rest += 2;
    assert_string_equal(words_of(rest),
                        "[-T][-a][-x][-oClearAllForwardings=yes][-oPermitLocalCommand=no]"
                        "[-oRemoteCommand=none][-oConnectTimeout=30][-p2222][-l][me][--]"
                        "[host][exec sh]");
}

static void ssh_s_own_words_become_a_kind_and_a_hint(void **state)
{
    static const struct {
        const char *words;
        int status;
        enum dr_kind kind;
        const char *hint;
    } cases[] = {
        {"ssh: connect to host h port 22: Connection refused", 255, DR_ERR_UNAVAILABLE,
         "does sshd run"},
        {"Host key verification failed.", 255, DR_ERR_UNAVAILABLE, "accept it"},
        {"root@h: Permission denied (publickey).", 255, DR_ERR_UNAVAILABLE, "ssh-add"},
        {"/x line 1: Bad configuration option: foo", 255, DR_ERR_CONFIG, "configuration"},
        {"sh: not found", 127, DR_ERR_CONFIG, "sh"},
        {"something new", 255, DR_ERR_UNAVAILABLE, NULL},
    };
    for (size_t i = 0; i < DR_COUNT(cases); i++) {
        const char *hint = NULL;
        struct transport_end end = {
            .ended = true, .status = cases[i].status, .words = cases[i].words};
        assert_int_equal(transport_ssh.judge(&end, &hint), cases[i].kind);
        if (cases[i].hint)
            assert_non_null(strstr(hint, cases[i].hint));
        else
            assert_null(hint);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_taken_apart),
        cmocka_unit_test(bad_addresses_are_refused_with_the_reason),
        cmocka_unit_test(a_list_of_words_and_its_address_are_the_same),
        cmocka_unit_test(ssh_gets_a_constant_command_and_no_data),
        cmocka_unit_test(ssh_s_own_words_become_a_kind_and_a_hint),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
