/* SPDX-License-Identifier: Apache-2.0 */
/* References: Docker's grammar and normalisation (distribution/reference). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "oci/ref.h"

#define HEX "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
#define DIGEST "sha256:" HEX
#define X64 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

static void refs_are_normalised_as_docker_does(void **state)
{
    static const struct {
        const char *text, *whole, *familiar, *name, *target;
    } cases[] = {
        {"alpine", "docker.io/library/alpine:latest", "alpine:latest", "alpine",
         "latest"},
        {"alpine:3.19", "docker.io/library/alpine:3.19", "alpine:3.19", "alpine", "3.19"},
        {"library/alpine", "docker.io/library/alpine:latest", "alpine:latest", "alpine",
         "latest"},
        {"docker.io/alpine", "docker.io/library/alpine:latest", "alpine:latest", "alpine",
         "latest"},
        {"index.docker.io/alpine", "docker.io/library/alpine:latest", "alpine:latest",
         "alpine", "latest"},
        {"docker.io/library/alpine", "docker.io/library/alpine:latest", "alpine:latest",
         "alpine", "latest"},
        {"user/app", "docker.io/user/app:latest", "user/app:latest", "user/app",
         "latest"},
        {"a/b/c", "docker.io/a/b/c:latest", "a/b/c:latest", "a/b/c", "latest"},
        {"library/a/b", "docker.io/library/a/b:latest", "library/a/b:latest",
         "library/a/b", "latest"},
        {"localhost/x", "localhost/x:latest", "localhost/x:latest", "localhost/x",
         "latest"},
        {"localhost:5000/x", "localhost:5000/x:latest", "localhost:5000/x:latest",
         "localhost:5000/x", "latest"},
        {"localhost:5000/x:1", "localhost:5000/x:1", "localhost:5000/x:1",
         "localhost:5000/x", "1"},
        {"127.0.0.1:5000/x/y:v1.2-3_4", "127.0.0.1:5000/x/y:v1.2-3_4",
         "127.0.0.1:5000/x/y:v1.2-3_4", "127.0.0.1:5000/x/y", "v1.2-3_4"},
        {"[::1]:5000/x", "[::1]:5000/x:latest", "[::1]:5000/x:latest", "[::1]:5000/x",
         "latest"},
        {"[2001:db8::1]/x", "[2001:db8::1]/x:latest", "[2001:db8::1]/x:latest",
         "[2001:db8::1]/x", "latest"},
        {"ghcr.io/Owner", NULL, NULL, NULL, NULL},
        {"Registry.Example.com/x", "Registry.Example.com/x:latest",
         "Registry.Example.com/x:latest", "Registry.Example.com/x", "latest"},
        {"Foo/bar", "Foo/bar:latest", "Foo/bar:latest", "Foo/bar", "latest"},
        {"foo:8080", "docker.io/library/foo:8080", "foo:8080", "foo", "8080"},
        {"foo:8080/bar", "foo:8080/bar:latest", "foo:8080/bar:latest", "foo:8080/bar",
         "latest"},
        {"foo.com/x", "foo.com/x:latest", "foo.com/x:latest", "foo.com/x", "latest"},
        {"xn--7o8h.com/x", "xn--7o8h.com/x:latest", "xn--7o8h.com/x:latest",
         "xn--7o8h.com/x", "latest"},
        {"alpine@" DIGEST, "docker.io/library/alpine@" DIGEST, "alpine@" DIGEST, "alpine",
         DIGEST},
        {"alpine:3@" DIGEST, "docker.io/library/alpine:3@" DIGEST, "alpine:3@" DIGEST,
         "alpine", DIGEST},
        {"localhost:5000/x:1@" DIGEST, "localhost:5000/x:1@" DIGEST,
         "localhost:5000/x:1@" DIGEST, "localhost:5000/x", DIGEST},
        {"a__b/c.d-e--f_g", "docker.io/a__b/c.d-e--f_g:latest", "a__b/c.d-e--f_g:latest",
         "a__b/c.d-e--f_g", "latest"},
        {"x:_tag", "docker.io/library/x:_tag", "x:_tag", "x", "_tag"},
        {"docker.io/" HEX "a", "docker.io/library/" HEX "a:latest", HEX "a:latest",
         HEX "a", "latest"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        dr_auto_error struct dr_error err = DR_ERROR_INIT;
        dr_auto_ref struct oci_ref ref = OCI_REF_INIT;
        int rc = oci_ref_parse(cases[i].text, &ref, &err);
        if (!cases[i].whole) {
            assert_int_equal(rc, -1);
            continue;
        }
        if (rc < 0)
            fail_msg("%s", err.text);
        dr_auto_free char *whole = oci_ref_text(&ref), *familiar = oci_ref_familiar(&ref);
        dr_auto_free char *name = oci_ref_familiar_name(&ref);
        assert_string_equal(whole, cases[i].whole);
        assert_string_equal(familiar, cases[i].familiar);
        assert_string_equal(name, cases[i].name);
        assert_string_equal(oci_ref_target(&ref), cases[i].target);
        /* both forms read as the same thing again */
        const char *forms[] = {whole, familiar};
        for (int j = 0; j < 2; j++) {
            dr_auto_ref struct oci_ref again = OCI_REF_INIT;
            assert_int_equal(oci_ref_parse(forms[j], &again, &err), 0);
            dr_auto_free char *text = oci_ref_text(&again);
            assert_string_equal(text, whole);
        }
    }
}

static void bad_refs_are_refused_and_say_why(void **state)
{
    static const struct {
        const char *text, *why;
        enum dr_kind kind;
    } cases[] = {
        {"", "the image reference is empty", DR_ERR_INVALID},
        {"Alpine", "invalid reference 'Alpine': the repository name must be lower case",
         DR_ERR_INVALID},
        {"foo/Bar", "must be lower case", DR_ERR_INVALID},
        {"ghcr.io/Owner/app", "must be lower case", DR_ERR_INVALID},
        {"https://ghcr.io/x", "leave out the scheme", DR_ERR_INVALID},
        {"a b", "it has a blank", DR_ERR_INVALID},
        {"a\nb", "'a b': it has a blank", DR_ERR_INVALID},
        {"a\033[31m", "'a\\x1b[31m': it has a blank or a character", DR_ERR_INVALID},
        {"\xc3\xa4pp", "not ASCII", DR_ERR_INVALID},
        {":tag", "the name is missing", DR_ERR_INVALID},
        {"@" DIGEST, "the name is missing", DR_ERR_INVALID},
        {"x:", "the tag may have", DR_ERR_INVALID},
        {"x:-tag", "the tag may have", DR_ERR_INVALID},
        {"x:.tag", "the tag may have", DR_ERR_INVALID},
        {"x:a/b", "'x:a/b': the part before the first '/' is not a host name",
         DR_ERR_INVALID},
        {"a/x:b/c", "a ':' in the middle of the name", DR_ERR_INVALID},
        {"x:" X64 X64 "x", "the tag may have", DR_ERR_INVALID},
        {"x//y", "the name may have", DR_ERR_INVALID},
        {"x/", "the name may have", DR_ERR_INVALID},
        {"/x", "the name may have", DR_ERR_INVALID},
        {"./x", "is not a host name", DR_ERR_INVALID},
        {"../x", "is not a host name", DR_ERR_INVALID},
        {"x/../y", "the name may have", DR_ERR_INVALID},
        {"-x", "the name may have", DR_ERR_INVALID},
        {"x-", "the name may have", DR_ERR_INVALID},
        {"a___b", "the name may have", DR_ERR_INVALID},
        {"a..b", "the name may have", DR_ERR_INVALID},
        {"a._b", "the name may have", DR_ERR_INVALID},
        {"a.-b", "the name may have", DR_ERR_INVALID},
        {"a-_b", "the name may have", DR_ERR_INVALID},
        {"-foo.com/x", "is not a host name", DR_ERR_INVALID},
        {"foo-.com/x", "is not a host name", DR_ERR_INVALID},
        {"foo.com:/x", "is not a host name", DR_ERR_INVALID},
        {"foo.com:99999/x", "is not a host name", DR_ERR_INVALID},
        {"foo.com:5000a/x", "is not a host name", DR_ERR_INVALID},
        {"user@host.com/x", "digest", DR_ERR_INVALID},
        {"[::1/x", "is not a host name", DR_ERR_INVALID},
        {"[::g]/x", "is not a host name", DR_ERR_INVALID},
        {"x@sha256:abc",
         "invalid reference 'x@sha256:abc': digest: it ends too early, at offset 10",
         DR_ERR_INVALID},
        {"x@" DIGEST "0", "too long", DR_ERR_INVALID},
        {"x@sha512:" HEX HEX, "only sha256 is", DR_ERR_UNSUPPORTED},
        {"x@md5:00", "only sha256 is", DR_ERR_UNSUPPORTED},
        {HEX, "64 hexadecimal digits are an image id", DR_ERR_INVALID},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        dr_auto_error struct dr_error err = DR_ERROR_INIT;
        struct oci_ref ref;
        if (oci_ref_parse(cases[i].text, &ref, &err) == 0)
            fail_msg("accepted: %s", cases[i].text);
        if (!strstr(err.text, cases[i].why) || err.kind != cases[i].kind)
            fail_msg("%s: %s: %s", cases[i].text, dr_kind_name(err.kind), err.text);
        assert_null(strchr(err.text, '\n'));
        assert_null(strchr(err.text, '\033'));
    }
}

static void long_names_are_refused(void **state)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    struct oci_ref ref;
    char text[600];
    memset(text, 'a', sizeof text);
    text[255 - strlen("docker.io/library/")] = '\0';
    assert_int_equal(oci_ref_parse(text, &ref, &err), 0);
    oci_ref_release(&ref);
    strcat(text, "a");
    assert_int_equal(oci_ref_parse(text, &ref, &err), -1);
    assert_int_equal(err.kind, DR_ERR_INVALID);
    assert_non_null(strstr(err.text, "longer than 255 characters"));
    memset(text, 'a', sizeof text);
    text[599] = '\0';
    assert_int_equal(oci_ref_parse(text, &ref, &err), -1);
    assert_non_null(strstr(err.text, "longer than 512 characters"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refs_are_normalised_as_docker_does),
        cmocka_unit_test(bad_refs_are_refused_and_say_why),
        cmocka_unit_test(long_names_are_refused),
    };
    return cmocka_run_group_tests_name("oci ref", tests, NULL, NULL);
}
