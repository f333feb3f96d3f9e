/* SPDX-License-Identifier: Apache-2.0 */
/* PEM pairs as PKCS#12, for Windows' TLS; OpenSSL reads what comes out. */
#include "fixture.h"
#include "registry/pem.h"

#define CURVE "-pkeyopt ec_paramgen_curve:"
/* Pairs named after their keys, each signed by the CA; then the older forms of two keys.
 */
static const char make_pairs[] =
    "cd '%s' && { openssl req -x509 -newkey ec " CURVE
    "P-256 -nodes -days 2 -subj /CN=ca "
    "-keyout ca.key -out ca.pem; "
    "pair() { openssl req -newkey $2 -nodes -subj /CN=$1 -keyout $1.key -out $1.csr; "
    "openssl x509 -req -in $1.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -out "
    "$1.pem; }; pair rsa rsa:2048; pair p256 'ec " CURVE "P-256'; pair p384 'ec " CURVE
    "P-384'; pair ed25519 ed25519; "
    "openssl rsa -traditional -in rsa.key -out rsa-old.key; "
    "openssl ec -in p256.key -out p256-old.key; "
    "{ openssl ecparam -name prime256v1; cat p256-old.key; } >p256-parameters.key; "
    "openssl pkcs8 -topk8 -in rsa.key -passout pass:x -out rsa-encrypted.key; "
    "openssl rsa -traditional -aes128 -in rsa.key -passout pass:x -out "
    "rsa-old-encrypted.key; "
    "cat rsa.pem ca.pem >chain.pem; cat rsa.key rsa.pem >both.pem; } >out 2>&1";

static int pem_setup(void **state)
{
    setup(state);
    struct fixture *f = *state;
    dr_auto_free char *command = dr_printf(make_pairs, f->dir);
    assert_int_equal(system(command), 0);
    return 0;
}

static int convert(struct fixture *f, const char *cert, const char *key,
                   struct dr_buf *ret, struct dr_error *err)
{
    dr_auto_free char *cert_file = in_dir(f, cert), *key_file = in_dir(f, key);
    dr_auto_free char *cert_pem = read_all(cert_file), *key_pem = read_all(key_file);
    return pem_to_pkcs12(cert_pem, key_pem, ret, err);
}

/* What OpenSSL finds in it, certificates and key as PEM without the words between them,
 * is what was put in. */
static void assert_pair(struct fixture *f, const char *cert, const char *key,
                        const char *want_cert, const char *want_key)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_buf struct dr_buf pkcs12 = DR_BUF_INIT(0);
    if (convert(f, cert, key, &pkcs12, &err) < 0)
        fail_msg("%s with %s: %s", cert, key, err.text);
    dr_auto_free char *file = in_dir(f, "pair.p12");
    FILE *out = fopen(file, "w");
    assert_int_equal(fwrite(pkcs12.data, 1, pkcs12.len, out), pkcs12.len);
    fclose(out);
    dr_auto_free char *check = dr_printf(
        "cd '%s' && openssl pkcs12 -in pair.p12 -nomacver -passin pass: -nodes >back "
        "2>>out && "
        "openssl pkey -in back -out back.key && openssl pkey -in %s -out want.key && "
        "cmp back.key want.key && sed -n '/BEGIN CERT/,/END CERT/p' back >back.pem && "
        "sed -n '/BEGIN CERT/,/END CERT/p' %s >want.pem && cmp back.pem want.pem && "
        "grep -A3 'Bag Attributes' back | grep -c localKeyID | grep -qx 2",
        f->dir, want_key, want_cert);
    if (system(check) != 0)
        fail_msg("%s with %s: another pair came out", cert, key);
}

static void each_kind_and_form_of_a_pair_becomes_a_pkcs12(void **state)
{
    struct fixture *f = *state;
    assert_pair(f, "rsa.pem", "rsa.key", "rsa.pem", "rsa.key");
    assert_pair(f, "rsa.pem", "rsa-old.key", "rsa.pem", "rsa.key");
    assert_pair(f, "p256.pem", "p256.key", "p256.pem", "p256.key");
    assert_pair(f, "p256.pem", "p256-old.key", "p256.pem", "p256.key");
    assert_pair(f, "p256.pem", "p256-parameters.key", "p256.pem", "p256.key");
    assert_pair(f, "p384.pem", "p384.key", "p384.pem", "p384.key");
    assert_pair(f, "chain.pem", "rsa.key", "chain.pem", "rsa.key");
    assert_pair(f, "both.pem", "both.pem", "rsa.pem", "rsa.key");
}

static void a_pair_that_cannot_work_is_refused_with_the_reason(void **state)
{
    static const struct {
        const char *cert, *key, *why;
    } cases[] = {
        {"rsa.pem", "p256.key", NULL},
        {"p256.pem", "rsa.key", "the key does not belong to the certificate"},
        {"p256.pem", "p384.key", "the key does not belong to the certificate"},
        {"p256.pem", "rsa-old.key", "the key does not belong to the certificate"},
        {"ed25519.pem", "ed25519.key", "knows no Ed25519 keys: RSA and ECDSA"},
        {"rsa.pem", "rsa-encrypted.key", "the key is encrypted"},
        {"rsa.pem", "rsa-old-encrypted.key", "the key is encrypted"},
        {"rsa.pem", "rsa.pem", "there is no key in PEM form in its file"},
        {"rsa.key", "rsa.key", "there is no certificate in PEM form in its file"},
        {"out", "rsa.key", "there is no certificate in PEM form in its file"},
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < DR_COUNT(cases); i++) {
        dr_auto_error struct dr_error err = DR_ERROR_INIT;
        dr_auto_buf struct dr_buf pkcs12 = DR_BUF_INIT(0);
        assert_int_equal(convert(f, cases[i].cert, cases[i].key, &pkcs12, &err), -1);
        assert_error(&err, DR_ERR_CONFIG, 0,
                     cases[i].why ? cases[i].why
                                  : "the key does not belong to the certificate");
    }
}

static void damaged_files_are_refused_wherever_they_are_cut(void **state)
{
    struct fixture *f = *state;
    dr_auto_free char *cert_file = in_dir(f, "rsa.pem"),
                      *key_file = in_dir(f, "rsa-old.key");
    dr_auto_free char *cert = read_all(cert_file), *key = read_all(key_file);
    for (size_t len = 0; len < strlen(key) - 1; len++) {
        dr_auto_error struct dr_error err = DR_ERROR_INIT;
        dr_auto_buf struct dr_buf pkcs12 = DR_BUF_INIT(0);
        dr_auto_free char *cut = dr_strndup(key, len);
        assert_int_equal(pem_to_pkcs12(cert, cut, &pkcs12, &err), -1);
        assert_null(pkcs12.data);
    }
    /* whole PEM around cut DER */
    for (size_t len = 0; len < 600; len += 4) {
        dr_auto_error struct dr_error err = DR_ERROR_INIT;
        dr_auto_buf struct dr_buf pkcs12 = DR_BUF_INIT(0);
        const char *body = strchr(key, '\n') + 1;
        dr_auto_free char *cut = dr_printf(
            "-----BEGIN RSA PRIVATE KEY-----\n%.*s\n-----END RSA PRIVATE KEY-----\n",
            (int)(len + len / 64), body);
        assert_int_equal(pem_to_pkcs12(cert, cut, &pkcs12, &err), -1);
        dr_auto_free char *cut_cert =
            dr_printf("-----BEGIN CERTIFICATE-----\n%.*s\n-----END CERTIFICATE-----\n",
                      (int)(len + len / 64), strchr(cert, '\n') + 1);
        pem_foreign_key(cut_cert);
    }
}

static void a_certificate_whose_key_windows_does_not_know_is_named(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *file, *kind;
    } cases[] = {{"ed25519.pem", "Ed25519"}, {"rsa.pem", NULL}, {"p384.pem", NULL},
                 {"chain.pem", NULL},        {"out", NULL},     {"rsa.key", NULL}};
    for (size_t i = 0; i < DR_COUNT(cases); i++) {
        dr_auto_free char *file = in_dir(f, cases[i].file), *pem = read_all(file);
        const char *kind = pem_foreign_key(pem);
        if (cases[i].kind)
            assert_string_equal(kind, cases[i].kind);
        else
            assert_null(kind);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_kind_and_form_of_a_pair_becomes_a_pkcs12),
        cmocka_unit_test(a_pair_that_cannot_work_is_refused_with_the_reason),
        cmocka_unit_test(damaged_files_are_refused_wherever_they_are_cut),
        cmocka_unit_test(a_certificate_whose_key_windows_does_not_know_is_named),
    };
    return cmocka_run_group_tests(tests, pem_setup, teardown);
}
