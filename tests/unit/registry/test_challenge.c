/* SPDX-License-Identifier: Apache-2.0 */
/* The WWW-Authenticate parser (RFC 9110 section 11.6.1) and where URLs go to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "registry/challenge.h"
#include "registry/location.h"
#include "registry/origin.h"

static void challenges_are_read_by_the_grammar(void **state)
{
    static const struct {
        const char *header;
        bool basic, bearer;
        const char *realm, *service, *scope;
    } cases[] = {
        {"", false, false, NULL, NULL, NULL},
        {"Basic realm=\"x\"", true, false, NULL, NULL, NULL},
        {"basic", true, false, NULL, NULL, NULL},
        {"Bearer realm=\"https://a/t\",service=\"s\",scope=\"repository:a:pull,push\"",
         false, true, "https://a/t", "s", "repository:a:pull,push"},
        {"bEARER Realm=\"https://a\"", false, true, "https://a", NULL, NULL},
        {"Bearer realm = \"https://a\" , service = s", false, true, "https://a", "s",
         NULL},
        {"Basic realm=\"b\", Bearer realm=\"https://a\", service=\"s\"", true, true,
         "https://a", "s", NULL},
        {"Bearer realm=\"https://a\", Basic realm=\"b, with a comma\"", true, true,
         "https://a", NULL, NULL},
        {"Negotiate, Basic realm=\"b\"", true, false, NULL, NULL, NULL},
        {"NTLM TlRMTVNTUAABAAAA==, Bearer realm=\"https://a\"", false, true, "https://a",
         NULL, NULL},
        {"Bearer realm=\"quote \\\" and \\\\ done\"", false, true, "quote \" and \\ done",
         NULL, NULL},
        {", ,Bearer realm=\"r\",, service=s, ", false, true, "r", "s", NULL},
        {"Bearer realm=\"one\", Bearer realm=\"two\"", false, true, "one", NULL, NULL},
        {"Bearer error=\"invalid_token\",realm=\"r\"", false, true, "r", NULL, NULL},
        {"Bearer service=\"only\"", false, false, NULL, NULL, NULL},
        {"Digest qop=\"auth\", nonce=\"a=b\", Basic", true, false, NULL, NULL, NULL},
    };
    for (size_t i = 0; i < DR_COUNT(cases); i++) {
        dr_auto_error struct dr_error err = DR_ERROR_INIT;
        dr_auto_challenge struct challenge c = {0};
        if (challenge_parse(cases[i].header, &c, &err) < 0)
            fail_msg("%s: %s", cases[i].header, err.text);
        const char *is[] = {c.realm, c.service, c.scope};
        const char *should[] = {cases[i].realm, cases[i].service, cases[i].scope};
        if (c.basic != cases[i].basic || c.bearer != cases[i].bearer)
            fail_msg("%s", cases[i].header);
        for (int j = 0; j < 3; j++)
            if (!is[j] != !should[j] || (is[j] && strcmp(is[j], should[j]) != 0))
                fail_msg("%s: '%s' is not '%s'", cases[i].header, is[j] ? is[j] : "-",
                         should[j] ? should[j] : "-");
    }
}

static void malformed_challenges_are_refused_with_the_offset(void **state)
{
    static const struct {
        const char *header, *text;
    } cases[] = {
        {"Bearer realm=\"open", "at offset 13"},
        {"Bearer realm=", NULL}, /* reads as a token68 */
        {"Bearer realm=\"a\" service=\"b\"", "at offset 17"},
        {"Bearer realm=\"a\",realm=\"b\"", "at offset 17"},
        {"Bearer realm=\"a\nSet-Cookie: x\"", "at offset 13"},
        {"=", "at offset 0"},
        {"\"quoted\"", "at offset 0"},
        {"Bearer \"x\"", "at offset 7"},
        {"Bea/rer", "at offset 3"},
    };
    for (size_t i = 0; i < DR_COUNT(cases); i++) {
        dr_auto_error struct dr_error err = DR_ERROR_INIT;
        dr_auto_challenge struct challenge c = {0};
        int rc = challenge_parse(cases[i].header, &c, &err);
        if (!cases[i].text) {
            assert_int_equal(rc, 0);
            continue;
        }
        if (rc == 0)
            fail_msg("accepted: %s", cases[i].header);
        assert_int_equal(err.kind, DR_ERR_FORMAT);
        if (!strstr(err.text, cases[i].text))
            fail_msg("%s: %s", cases[i].header, err.text);
    }
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    struct challenge c;
    static char big[CHALLENGE_HEADER_MAX + 2];
    memset(big, 'a', sizeof big - 1);
    assert_int_equal(challenge_parse(big, &c, &err), -1);
    assert_non_null(strstr(err.text, "is longer than 16384 bytes"));
}

static void origins_are_scheme_host_and_port(void **state)
{
    static const struct {
        const char *url;
        bool https;
        const char *host;
        int port;
    } good[] = {
        {"https://A.Example.com/x?y#z", true, "a.example.com", 443},
        {"http://host", false, "host", 80},
        {"HTTPS://host.:8443", true, "host", 8443},
        {"http://[::1]:5000/v2/", false, "::1", 5000},
        {"http://[::1]?x", false, "::1", 80},
        {"https://host:", true, "host", 443},
    };
    for (size_t i = 0; i < DR_COUNT(good); i++) {
        dr_auto_error struct dr_error err = DR_ERROR_INIT;
        struct origin o;
        if (origin_parse(good[i].url, &o, &err) < 0)
            fail_msg("%s", err.text);
        assert_int_equal(o.https, good[i].https);
        assert_string_equal(o.host, good[i].host);
        assert_int_equal(o.port, good[i].port);
    }
    static const struct {
        const char *url, *text;
    } bad[] = {
        {"ftp://host/", "not an http or https URL"},
        {"//host/", "not an http or https URL"},
        {"http:///x", "bad host"},
        {"http://u:p@host/", "user name"},
        {"http://host\\@evil/", "control character"},
        {"http://a b/", "a blank"},
        {"http://host:0/", "bad port"},
        {"http://host:65536/", "bad port"},
        {"http://host:+80/", "bad port"},
        {"http://[::1/", "bad host"},
        {"http://[::1]x/", "bad host"},
    };
    for (size_t i = 0; i < DR_COUNT(bad); i++) {
        dr_auto_error struct dr_error err = DR_ERROR_INIT;
        struct origin o;
        if (origin_parse(bad[i].url, &o, &err) == 0)
            fail_msg("accepted: %s", bad[i].url);
        assert_int_equal(err.kind, DR_ERR_FORMAT);
        if (!strstr(err.text, bad[i].text))
            fail_msg("%s: %s", bad[i].url, err.text);
    }
}

/* What one may hear, the other may not. */
static void another_scheme_host_or_port_is_another_origin_H4(void **state)
{
    static const char *const others[] = {"http://host:5000/", "https://host/",
                                         "https://host:5001/", "https://hosts:5000/",
                                         "https://a.host:5000/"};
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    struct origin one, other;
    assert_int_equal(origin_parse("https://host:5000/a", &one, &err), 0);
    assert_int_equal(origin_parse("https://HOST.:5000/b?c", &other, &err), 0);
    assert_true(origin_equal(&one, &other));
    for (size_t i = 0; i < DR_COUNT(others); i++) {
        assert_int_equal(origin_parse(others[i], &other, &err), 0);
        if (origin_equal(&one, &other))
            fail_msg("%s", others[i]);
    }
}

static void the_query_of_a_url_is_never_shown(void **state)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    struct origin o;
    assert_int_equal(origin_parse("http://host:x/?sig=secret", &o, &err), -1);
    assert_null(strstr(err.text, "secret"));
}

static void loopback_and_link_local_are_known_in_any_notation_H4(void **state)
{
    static const char *const loopback[] = {"localhost",
                                           "LOCALHOST",
                                           "localhost.",
                                           "a.localhost",
                                           "127.0.0.1",
                                           "127.1",
                                           "0x7f.0.0.1",
                                           "2130706433",
                                           "::1",
                                           "[::1]",
                                           "0.0.0.0",
                                           "::",
                                           "::ffff:127.0.0.1",
                                           "0:0:0:0:0:0:0:1"};
    static const char *const link[] = {"169.254.169.254", "fe80::1", "[fe80::1]",
                                       "::ffff:169.254.1.1", "2852039166"};
    static const char *const elsewhere[] = {
        "example.com", "localhost.example.com", "128.0.0.1", "10.0.0.1", "",
        "fe00::1",     "notlocalhost",          "1.2.3.4.5"};
    for (size_t i = 0; i < DR_COUNT(loopback); i++)
        if (origin_place(loopback[i]) != ORIGIN_LOOPBACK)
            fail_msg("%s", loopback[i]);
    for (size_t i = 0; i < DR_COUNT(link); i++)
        if (origin_place(link[i]) != ORIGIN_LINK_LOCAL)
            fail_msg("%s", link[i]);
    for (size_t i = 0; i < DR_COUNT(elsewhere); i++)
        if (origin_place(elsewhere[i]) != ORIGIN_ELSEWHERE)
            fail_msg("%s", elsewhere[i]);
}

static void an_upload_goes_on_where_it_may_only_H4(void **state)
{
    static const struct {
        const char *base, *location, *to;
    } cases[] = {
        {"https://r.io/v2/a/blobs/uploads/", "/v2/u/1?x=2", "https://r.io/v2/u/1?x=2"},
        {"https://r.io:5/v2/a/blobs/uploads/", "1",
         "https://r.io:5/v2/a/blobs/uploads/1"},
        {"https://r.io/v2/a", "//s.io/u", "https://s.io/u"},
        {"https://r.io/v2/a", "https://s.io/u", "https://s.io/u"},
        {"http://r.io/v2/a", "http://s.io/u", "http://s.io/u"},
        /* behind a proxy that does TLS a registry does not know of that */
        {"https://r.io/v2/a", "http://r.io/u?x", "https://r.io/u?x"},
        {"https://r.io:5/v2/a", "http://r.io:5/u", "https://r.io:5/u"},
    };
    for (size_t i = 0; i < DR_COUNT(cases); i++) {
        dr_auto_error struct dr_error err = DR_ERROR_INIT;
        dr_auto_free char *to = location_resolve(cases[i].base, cases[i].location, &err);
        if (!to)
            fail_msg("%s", err.text);
        assert_string_equal(to, cases[i].to);
    }
    static const char *const bad[] = {"http://s.io/u", "http://r.io:81/u", "ftp://r.io/u",
                                      "https://ann@r.io/u"};
    for (size_t i = 0; i < DR_COUNT(bad); i++) {
        dr_auto_error struct dr_error err = DR_ERROR_INIT;
        assert_null(location_resolve("https://r.io/v2/a", bad[i], &err));
        assert_int_equal(err.kind, DR_ERR_PULL);
        assert_non_null(strstr(err.text, "r.io says that the upload goes on"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(challenges_are_read_by_the_grammar),
        cmocka_unit_test(malformed_challenges_are_refused_with_the_offset),
        cmocka_unit_test(origins_are_scheme_host_and_port),
        cmocka_unit_test(another_scheme_host_or_port_is_another_origin_H4),
        cmocka_unit_test(the_query_of_a_url_is_never_shown),
        cmocka_unit_test(loopback_and_link_local_are_known_in_any_notation_H4),
        cmocka_unit_test(an_upload_goes_on_where_it_may_only_H4),
    };
    return cmocka_run_group_tests_name("registry challenge", tests, NULL, NULL);
}
