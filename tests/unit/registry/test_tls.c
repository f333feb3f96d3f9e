/* SPDX-License-Identifier: Apache-2.0 */
/* Whom we trust, whom we show who we are, and through whom we go (C08, H4). */
#include "fixture.h"

#define HOST "registry.test:5000" /* no such name: only the proxy finds it */

struct tls_fixture {
    struct fixture *f;
    char *ca, *cert, *key; /* of the registry */
    pid_t proxy;
    int proxy_port;
    char *proxy_log;
};

/* CA, a server's and a client's certificate; quick curves. */
static const char make_certificates[] =
    "cd '%s' && { ca=\"-x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes "
    "-days 2\"; "
    "openssl req $ca -subj /CN=ca -keyout ca.key -out ca.pem; "
    "for who in server client; do openssl req -newkey ec -pkeyopt "
    "ec_paramgen_curve:prime256v1 -nodes -subj /CN=$who -keyout $who.key -out $who.csr; "
    "printf 'subjectAltName=DNS:registry.test,DNS:localhost,IP:127.0.0.1' >ext; "
    "openssl x509 -req -in $who.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 "
    "-extfile ext -out $who.pem; done; } >out 2>&1";

static int tls_setup(void **state)
{
    struct tls_fixture *t = dr_alloc(sizeof *t);
    setup((void **)&t->f);
    dr_auto_free char *command = dr_printf(make_certificates, t->f->dir);
    dr_auto_free char *xdg = in_dir(t->f, "xdg");
    assert_int_equal(system(command), 0);
    setenv("XDG_CONFIG_HOME", xdg, 1);
    t->ca = in_dir(t->f, "ca.pem");
    t->cert = in_dir(t->f, "server.pem");
    t->key = in_dir(t->f, "server.key");
    t->proxy_log = in_dir(t->f, "proxy.log");
    *state = t;
    return 0;
}

static int tls_teardown(void **state)
{
    struct tls_fixture *t = *state;
    static const char *const names[] = {"HTTPS_PROXY", "https_proxy", "HTTP_PROXY",
                                        "http_proxy",  "ALL_PROXY",   "NO_PROXY",
                                        "no_proxy"};
    for (size_t i = 0; i < DR_COUNT(names); i++)
        unsetenv(names[i]);
    stop_fake(&t->proxy);
    teardown((void **)&t->f);
    free(t->ca);
    free(t->cert);
    free(t->key);
    free(t->proxy_log);
    free(t);
    return 0;
}

static void start_proxy(struct tls_fixture *t, const char *option, const char *value)
{
    dr_auto_free char *to = dr_printf("%d", t->f->port);
    const char *words[] = {"--to", to, "--log", t->proxy_log, option, value, NULL};
    t->proxy_port = start_fake(&t->proxy, "forward-proxy.py", words);
}

static size_t proxied(struct tls_fixture *t, const char *part)
{
    dr_auto_free char *log = read_all(t->proxy_log);
    return count_in(log, part);
}

static int head(struct tls_fixture *t, const char *host, struct dr_error *err)
{
    dr_auto_free char *text = dr_printf("%s/app:1", host);
    dr_auto_ref struct oci_ref ref = OCI_REF_INIT;
    struct registry *reg;
    struct oci_digest digest;
    assert_int_equal(oci_ref_parse(text, &ref, err), 0);
    if (registry_open(&ref, &t->f->options, &reg, err) < 0)
        return -1;
    int rc = registry_head_digest(reg, &digest, err);
    registry_close(reg);
    return rc;
}

static char *loopback(struct tls_fixture *t)
{
    return dr_printf("127.0.0.1:%d", t->f->port);
}

/* certs.d/HOST gets a copy. */
static void put(struct tls_fixture *t, const char *host, const char *from, const char *as)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_free char *dir = dr_printf("%s/xdg/containers/certs.d/%s", t->f->dir, host);
    dr_auto_free char *source = in_dir(t->f, from), *bytes = read_all(source);
    dr_auto_free char *to = dr_printf("%s/%s", dir, as);
    assert_int_equal(dr_mkdir_all(dir, 0755, &err), 0);
    write_all(to, bytes);
}

static void assert_fine(int rc, const struct dr_error *err)
{
    if (rc < 0)
        fail_msg("%s", err->text);
}

static void an_unknown_ca_is_refused_and_the_words_say_where_to_put_it(void **state)
{
    struct tls_fixture *t = *state;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    make_image(t->f, "1", NULL);
    start_registry(t->f, "--tls", t->cert, t->key, NULL);
    dr_auto_free char *host = loopback(t);
    dr_auto_free char *advice = dr_printf(
        "is not trusted (SSL certificate problem: unable to get local issuer certificate)"
        ": give the CA that signed it with --tls-ca, or put it at "
        "/etc/containers/certs.d/%s/ca.crt",
        host);
    assert_int_equal(head(t, host, &err), -1);
    assert_error(&err, DR_ERR_PULL, 0, advice);
    t->f->options.ca_file = t->ca;
    assert_fine(head(t, host, &err), &err);
    t->f->options.ca_file = NULL;
    put(t, host, "ca.pem", "ca.crt");
    assert_fine(head(t, host, &err), &err);
    put(t, "other.test", "ca.pem", "ca.crt");
    start_registry(t->f, "--tls", t->cert, t->key, NULL); /* another port: not its */
    dr_auto_free char *other = loopback(t);
    assert_int_equal(head(t, other, &err), -1);
    assert_error(&err, DR_ERR_PULL, 0, "is not trusted");
    dr_auto_free char *dir = dr_printf("%s/xdg/containers/certs.d/other.test", t->f->dir);
    t->f->options.cert_dir = dir;
    assert_fine(head(t, other, &err), &err);
}

/* The system's CAs are looked up one by one first, where they can be found so. */
static void a_ca_that_stands_in_the_system_s_bundle_only_is_trusted(void **state)
{
    struct tls_fixture *t = *state;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    make_image(t->f, "1", NULL);
    start_registry(t->f, "--tls", t->cert, t->key, NULL);
    dr_auto_free char *host = loopback(t), *other = in_dir(t->f, "other.pem");
    dr_auto_free char *command =
        dr_printf("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 "
                  "-nodes -days 2 -subj /CN=other -keyout %s.key -out %s 2>/dev/null",
                  other, other);
    assert_int_equal(system(command), 0);
    t->f->options.ca_file = other;
    assert_int_equal(head(t, host, &err), -1);
    assert_error(&err, DR_ERR_PULL, 0, "is not trusted");
    setenv("SSL_CERT_FILE", t->ca, 1);
    int rc = head(t, host, &err);
    unsetenv("SSL_CERT_FILE");
    assert_fine(rc, &err);
}

static void a_certificate_that_nobody_verifies_needs_a_word(void **state)
{
    struct tls_fixture *t = *state;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    make_image(t->f, "1", NULL);
    start_registry(t->f, "--tls", t->cert, t->key, NULL);
    dr_auto_free char *host = loopback(t);
    t->f->options.insecure = true;
    assert_fine(head(t, host, &err), &err);
    start_registry(t->f, NULL); /* and plain HTTP will do */
    dr_auto_free char *plain = loopback(t);
    assert_fine(head(t, plain, &err), &err);
}

static void the_client_s_certificate_is_shown_to_the_registry_only_H4(void **state)
{
    struct tls_fixture *t = *state;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    make_image(t->f, "1", "--layer", "10", NULL);
    start_registry(t->f, "--tls", t->cert, t->key, "--client-ca", t->ca, NULL);
    dr_auto_free char *host = loopback(t);
    put(t, host, "ca.pem", "ca.crt");
    assert_int_equal(head(t, host, &err), -1);
    assert_error(&err, DR_ERR_PULL, 0, "probably wants a certificate of the client's");
    assert_int_equal(logged(t->f, "main"), 0);
    put(t, host, "client.pem", "client.cert");
    assert_int_equal(head(t, host, &err), -1);
    assert_error(&err, DR_ERR_CONFIG, 0,
                 "client.cert has no client.key beside it (a CA's certificate is called");
    put(t, host, "client.key", "client.key");
    assert_fine(head(t, host, &err), &err);
    put(t, host, "server.key", "client.key"); /* not its key */
    assert_int_equal(head(t, host, &err), -1);
    assert_error(&err, DR_ERR_CONFIG, 0, "or its key, cannot be used");
}

/* The port where blobs lie is another host, whatever the registry thinks of it. */
static void
what_is_said_of_a_registry_does_not_hold_where_it_redirects_to_H4(void **state)
{
    struct tls_fixture *t = *state;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    make_image(t->f, "1", "--layer", "10", NULL);
    start_registry(t->f, "--tls", t->cert, t->key, "--client-ca", t->ca, "--fault",
                   "redirect", NULL);
    put(t, "named", "ca.pem", "ca.crt");
    put(t, "named", "client.pem", "client.cert");
    put(t, "named", "client.key", "client.key");
    dr_auto_free char *dir = dr_printf("%s/xdg/containers/certs.d/named", t->f->dir);
    t->f->options.cert_dir = dir;
    assert_fine(pull_image(t->f, "app:1", &err), &err);
    assert_int_equal(logged(t->f, "side GET"), 2);
    assert_int_equal(logged(t->f, "certificate"), 0);
    /* nor that its certificate need not be verified */
    t->f->options.cert_dir = NULL;
    t->f->options.insecure = true;
    start_registry(t->f, "--tls", t->cert, t->key, "--fault", "redirect", NULL);
    struct store_usage freed;
    assert_int_equal(store_prune(t->f->store, 0, 0, &freed, &err), 0);
    assert_int_equal(pull_image(t->f, "app:1", &err), -1);
    assert_error(&err, DR_ERR_PULL, 0, "the TLS certificate of localhost is not trusted");
    assert_int_equal(logged(t->f, "side GET"), 0);
}

static void files_that_are_no_certificates_are_named(void **state)
{
    struct tls_fixture *t = *state;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    t->f->options.ca_file = "/nonexistent.pem";
    assert_int_equal(head(t, HOST, &err), -1);
    assert_error(&err, DR_ERR_CONFIG, ENOENT, "the CA file /nonexistent.pem: ");
    t->f->options.ca_file = "/etc/passwd";
    assert_int_equal(head(t, HOST, &err), -1);
    assert_error(&err, DR_ERR_CONFIG, 0,
                 "the CA file /etc/passwd has no certificate in PEM form in it");
    t->f->options.ca_file = NULL;
    t->f->options.cert_dir = "/nonexistent";
    assert_int_equal(head(t, HOST, &err), -1);
    assert_error(&err, DR_ERR_CONFIG, ENOENT,
                 "the certificates' directory /nonexistent: ");
}

/* By a process of its own: which versions OpenSSL does at all is read once. */
static int old_tls(struct tls_fixture *t, const char *program)
{
    dr_auto_free char *line =
        dr_printf("cd '%s' && printf "
                  "'[d]\nssl_conf=s\n[s]\nsystem_default=x\n[x]\nMinProtocol=TLSv1\n"
                  "CipherString=ALL:@SECLEVEL=0\n' >old.cnf && sed -i '1i "
                  "openssl_conf=d' old.cnf && "
                  "OPENSSL_CONF=old.cnf %s >out 2>&1",
                  t->f->dir, program);
    return system(line);
}

static void less_than_tls_1_2_is_refused_H4(void **state)
{
    struct tls_fixture *t = *state;
    make_image(t->f, "1", NULL);
    start_registry(t->f, "--tls", t->cert, t->key, "--old-tls", NULL);
    dr_auto_free char *ours =
        dr_printf(REGISTRY_FETCH " --store store --auth-file '' --ca ca.pem --head "
                                 "127.0.0.1:%d/app:1 fetched",
                  t->f->port);
    /* it would be possible, on this system and with this server */
    dr_auto_free char *curl = dr_printf(
        "curl -sS --cacert ca.pem --tls-max 1.1 --tlsv1.0 https://127.0.0.1:%d/v2/",
        t->f->port);
    assert_int_equal(old_tls(t, curl), 0);
    assert_int_not_equal(old_tls(t, ours), 0);
    dr_auto_free char *out = in_dir(t->f, "out"), *said = read_all(out);
    if (!strstr(said, "no TLS connection to 127.0.0.1") || !strstr(said, "protocol"))
        fail_msg("%s", said);
    assert_int_equal(logged(t->f, "HEAD"), 0);
}

static void set_proxy(struct tls_fixture *t, const char *name, const char *who)
{
    dr_auto_free char *url = dr_printf("http://%s127.0.0.1:%d", who, t->proxy_port);
    setenv(name, url, 1);
}

static void a_pull_goes_through_the_proxy_that_the_environment_names(void **state)
{
    static const char *const secure[] = {"HTTPS_PROXY", "https_proxy", "ALL_PROXY"};
    struct tls_fixture *t = *state;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    make_image(t->f, "1", NULL);
    start_registry(t->f, "--tls", t->cert, t->key, "--auth", "basic", "--user", "ann",
                   "--password", "pw", NULL);
    start_proxy(t, NULL, NULL);
    t->f->options.ca_file = t->ca;
    t->f->options.user = "ann";
    t->f->options.password = "pw";
    for (size_t i = 0; i < DR_COUNT(secure); i++) {
        set_proxy(t, secure[i], "");
        assert_fine(head(t, HOST, &err), &err);
        assert_int_equal(proxied(t, "CONNECT " HOST " 200 - -"), i + 1);
        setenv("NO_PROXY", "other.test,registry.test", 1);
        assert_int_equal(head(t, HOST, &err), -1);
        assert_error(&err, DR_ERR_PULL, 0, "the host registry.test:5000 is not known");
        unsetenv("NO_PROXY");
        /* this machine is never behind one */
        dr_auto_free char *here = loopback(t);
        assert_fine(head(t, here, &err), &err);
        unsetenv(secure[i]);
    }
    assert_int_equal(proxied(t, "\n"), DR_COUNT(secure));
    assert_int_equal(proxied(t, "cHc="), 0); /* the proxy learns nothing of a login */
}

static void plain_http_goes_through_the_proxy_of_http(void **state)
{
    static const char *const names[] = {"HTTP_PROXY", "http_proxy"};
    struct tls_fixture *t = *state;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    make_image(t->f, "1", NULL);
    start_registry(t->f, NULL);
    start_proxy(t, NULL, NULL);
    t->f->options.insecure = true;
    for (size_t i = 0; i < DR_COUNT(names); i++) {
        set_proxy(t, names[i], "");
        set_proxy(t, "HTTPS_PROXY", "");
        assert_fine(head(t, HOST, &err), &err);
        assert_int_equal(proxied(t, "HEAD http://" HOST "/v2/app/manifests/1 200"),
                         i + 1);
        unsetenv(names[i]);
    }
}

static void a_proxy_that_wants_a_password_gets_it_and_it_is_never_shown(void **state)
{
    struct tls_fixture *t = *state;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    make_image(t->f, "1", NULL);
    start_registry(t->f, "--tls", t->cert, t->key, NULL);
    start_proxy(t, "--auth", "bob:proxy-secret");
    t->f->options.ca_file = t->ca;
    set_proxy(t, "HTTPS_PROXY", "bob:wrong-secret@");
    assert_int_equal(head(t, HOST, &err), -1);
    assert_null(strstr(err.text, "secret"));
    assert_error(&err, DR_ERR_PULL, 407,
                 "the proxy does not let us through to registry.test:5000 (407): it "
                 "wants a user and a password");
    assert_int_equal(proxied(t, "407"), 1); /* and is not asked again */
    set_proxy(t, "HTTPS_PROXY", "bob:proxy-secret@");
    assert_fine(head(t, HOST, &err), &err);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, tls_setup, tls_teardown)
    const struct CMUnitTest tests[] = {
        TEST(an_unknown_ca_is_refused_and_the_words_say_where_to_put_it),
        TEST(a_ca_that_stands_in_the_system_s_bundle_only_is_trusted),
        TEST(a_certificate_that_nobody_verifies_needs_a_word),
        TEST(the_client_s_certificate_is_shown_to_the_registry_only_H4),
        TEST(what_is_said_of_a_registry_does_not_hold_where_it_redirects_to_H4),
        TEST(files_that_are_no_certificates_are_named),
        TEST(less_than_tls_1_2_is_refused_H4),
        TEST(a_pull_goes_through_the_proxy_that_the_environment_names),
        TEST(plain_http_goes_through_the_proxy_of_http),
        TEST(a_proxy_that_wants_a_password_gets_it_and_it_is_never_shown),
    };
    return cmocka_run_group_tests_name("registry tls", tests, NULL, NULL);
}
