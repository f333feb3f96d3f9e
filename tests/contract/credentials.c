/* SPDX-License-Identifier: Apache-2.0 */
/* C08: who one is to a registry. A private one: Debian's docker-registry with the images
 * of the suite, the token server that it trusts, both with certificates that no system
 * knows. */
#include "contract.h"

#include <sys/stat.h>
#include <unistd.h>

struct private
{
    char *place, *host; /* 127.0.0.1:PORT */
    char *ca;           /* a file */
    char *busybox;      /* a reference there */
};

static void stop_private(void *place)
{
    shell(NULL, "kill $(cat '%s'/*/pid)", (char *)place);
}

static void remove_image(void *reference)
{
    dray_image_remove(target, reference, true, NULL, NULL, ERR);
}

/* The token server knows ann with the password pw, and a refresh token of hers. */
static struct private private_registry(void)
{
    char *place = scratch(), *host;
    spill(text("%s/start", place),
          ". \"$CONTRACT_LIB/registry.bash\"\n"
          "cd \"$1\"; mkdir registry; ln -s \"$CONTRACT_DIR/registry/data\" registry/\n"
          "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes "
          "-days 2 -subj /CN=fake -addext subjectAltName=IP:127.0.0.1 -keyout key.pem "
          "-out ca.crt 2>openssl.log || { cat openssl.log; exit 1; }\n"
          "token_server_start \"$1/tokens\" --tls ca.crt key.pem --user ann:pw "
          "--refresh-token ann:refresh-of-ann || exit\n"
          "export REGISTRY_HTTP_TLS_CERTIFICATE=ca.crt REGISTRY_HTTP_TLS_KEY=key.pem\n"
          "registry_start \"$1/registry\" "
          "\"$(token_auth \"$1/tokens\" \"https://$TOKEN_SERVER/token\")\" || exit\n"
          "echo \"$REGISTRY\"\n",
          0600);
    host = shell(NULL, "exec bash '%s/start' '%s' 2>&1", place, place);
    defer(stop_private, place);
    char *reference = text("%s/busybox:1", host);
    defer(remove_image, reference);
    return (struct private){place, host, text("%s/ca.crt", place), reference};
}

/* The tag is asked for, so nothing of it comes without a token. */
static int pull_with(const struct private *p, struct dray_registry_options options)
{
    options.size = sizeof options;
    struct dray_pull_options pull = {
        .size = sizeof pull, .policy = DRAY_PULL_ALWAYS, .registry = &options};
    return dray_image_pull(target, p->busybox, &pull, NULL, NULL, ERR);
}

/* Answers 200 of the token server, to such a request for such a user. */
static int tokens_given(const struct private *p, const char *method, const char *user)
{
    return atoi(shell(NULL, "grep -c '^%s /token 200 %s ' '%s/tokens/log' || :", method,
                      user, p->place));
}

/* Requests that have reached the registry. */
static int asked(const struct private *p)
{
    return atoi(shell(
        NULL, "grep -c '\"\\(GET\\|HEAD\\) /v2/' '%s/registry/log' || :", p->place));
}

/* --- environment, put back with the test --- */

struct variable {
    char *name, *value;
};

static void put_back(void *what)
{
    struct variable *v = what;
    if (v->value)
        setenv(v->name, v->value, 1);
    else
        unsetenv(v->name);
    free(v->name);
    free(v->value);
    free(v);
}

static void set_variable(const char *name, const char *value)
{
    const char *old = getenv(name);
    struct variable *v = calloc(1, sizeof *v);
    v->name = strdup(name);
    v->value = old ? strdup(old) : NULL;
    defer(put_back, v);
    setenv(name, value, 1);
}

/* docker-credential-contract, whose script it is, is on the PATH. */
static void make_helper(const struct private *p, const char *script)
{
    spill(text("%s/docker-credential-contract", p->place),
          text("#!/bin/sh\n%s\n", script), 0755);
    if (!strstr(getenv("PATH"), p->place))
        set_variable("PATH", text("%s:%s", p->place, getenv("PATH")));
}

/* --- */

static void C08_a_token_is_had_for_a_password_and_for_a_refresh_token(void **s)
{
    struct private p = private_registry();
    char *file = text("%s/auth.json", p.place);
    struct dray_registry_options nobody = {.ca_file = p.ca, .auth_file = ""},
                                 ann = {.ca_file = p.ca, .user = "ann", .password = "pw"};
    FAILS(DRAY_ERR_PULL, pull_with(&p, nobody), p.busybox, "(401)",
          text("dray login %s", p.host));
    assert_int_equal(last_error->code, 401);
    assert_int_equal(last_error->origin, DRAY_AT_REGISTRY);
    OK(pull_with(&p, ann));
    assert_int_equal(tokens_given(&p, "GET", "ann"), 1);
    ann.password = "wr0ng";
    FAILS(DRAY_ERR_PULL, pull_with(&p, ann), "the user name or password is wrong");
    LACKS(last_error->text, "wr0ng");
    /* a refresh token goes by POST, a password of the file by GET as above */
    spill(file,
          text("{\"auths\":{\"%s\":{\"identitytoken\":\"refresh-of-ann\"}}}", p.host),
          0600);
    OK(pull_with(&p, (struct dray_registry_options){.ca_file = p.ca, .auth_file = file}));
    assert_int_equal(tokens_given(&p, "POST", "ann"), 1);
    spill(file, text("{\"auths\":{\"%s\":{\"auth\":\"YW5uOnB3\"}}}", p.host), 0600);
    OK(pull_with(&p, (struct dray_registry_options){.ca_file = p.ca, .auth_file = file}));
    assert_int_equal(tokens_given(&p, "GET", "ann"), 2);
}

static void C08_a_login_is_asked_for_kept_found_and_forgotten(void **s)
{
    struct private p = private_registry();
    char *config = text("%s/config.json", p.place), *json;
    struct stat st;
    struct dray_registry_options login = {
        .size = sizeof login, .ca_file = p.ca, .user = "ann", .password = "no"};
    set_variable("DOCKER_CONFIG", p.place);
    set_variable("XDG_RUNTIME_DIR", p.place);
    FAILS(DRAY_ERR_PULL, dray_registry_login(p.host, &login, NULL, NULL, ERR), p.host,
          "refuses the user name and password");
    assert_false(exists(config));
    login.password = "pw";
    OK(dray_registry_login(p.host, &login, NULL, &json, ERR));
    json_t *kept = parsed(json);
    SAME(str_at(kept, "registry"), p.host);
    SAME(str_at(kept, "user"), "ann");
    SAME(str_at(kept, "file"), config);
    assert_int_equal(stat(config, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    OK(pull_with(&p, (struct dray_registry_options){.ca_file = p.ca}));
    OK(dray_registry_logout(p.host, NULL, &json, ERR));
    HAS(str_at(parsed(json), "removed.0"), config);
    FAILS(DRAY_ERR_PULL, pull_with(&p, (struct dray_registry_options){.ca_file = p.ca}),
          "a login is needed");
}

static void C08_credential_helpers_are_asked_and_a_broken_one_is_an_error(void **s)
{
    struct private p = private_registry();
    char *file = text("%s/auth.json", p.place);
    const char *const named_by[] = {
        "{\"credsStore\":\"contract\"}",
        text("{\"credHelpers\":{\"%s\":\"contract\"}}", p.host)};
    struct dray_registry_options options = {.ca_file = p.ca, .auth_file = file};
    for (int i = 0; i < 2; i++) {
        /* it wants to be asked as it is written, and keeps how it was called */
        make_helper(&p,
                    text("read host; echo \"$*|$host\" >>'%s/calls'; env >>'%s/calls'; "
                         "echo '{\"Username\":\"ann\",\"Secret\":\"pw\"}'",
                         p.place, p.place));
        spill(file, named_by[i], 0600);
        OK(pull_with(&p, options));
        assert_int_equal(tokens_given(&p, "GET", "ann"), i + 1);
        /* a broken one is not the same as none, even where anybody may read */
        int before = asked(&p);
        make_helper(&p, "echo a-secret; echo a-secret >&2; exit 1");
        FAILS(DRAY_ERR_CONFIG, pull_with(&p, options), "docker-credential-contract",
              "its words are not shown");
        LACKS(last_error->text, "a-secret");
        assert_true(asked(&p) <= before + 1); /* the question that has the 401 */
        make_helper(&p, "echo 'credentials not found in it'; exit 1");
        FAILS(DRAY_ERR_PULL, pull_with(&p, options), "a login is needed");
    }
    char *calls = slurp(text("%s/calls", p.place));
    HAS(calls, text("get|%s", p.host));
    LACKS(calls, "=pw");
}

static void C08_a_ca_is_trusted_for_its_registry_alone_and_no_other_way(void **s)
{
    struct private p = private_registry();
    struct dray_registry_options ann = {.user = "ann", .password = "pw"};
    char *place = text("%s/containers/certs.d/%s", p.place, p.host);
    FAILS(DRAY_ERR_PULL, pull_with(&p, ann), p.host, "is not trusted", "--tls-ca",
          text("certs.d/%s/ca.crt", p.host));
    assert_int_equal(asked(&p), 0);
    ann.ca_file = p.ca;
    OK(pull_with(&p, ann));
    ann.ca_file = NULL;
    ann.cert_dir = p.place; /* ca.crt is in it */
    OK(pull_with(&p, ann));
    ann.cert_dir = NULL;
    set_variable("XDG_CONFIG_HOME", p.place);
    shell(NULL, "mkdir -p '%s' && cp '%s' '%s/'", place, p.ca, place);
    OK(pull_with(&p, ann));
    shell(NULL, "mv '%s' '%s.elsewhere'", place, place);
    FAILS(DRAY_ERR_PULL, pull_with(&p, ann), "is not trusted");
    ann.insecure = true; /* and without any, if one says so */
    OK(pull_with(&p, ann));
}

TESTS(credential_tests,
      ANY_RUNTIME(C08_a_token_is_had_for_a_password_and_for_a_refresh_token),
      ANY_RUNTIME(C08_a_login_is_asked_for_kept_found_and_forgotten),
      ANY_RUNTIME(C08_credential_helpers_are_asked_and_a_broken_one_is_an_error),
      ANY_RUNTIME(C08_a_ca_is_trusted_for_its_registry_alone_and_no_other_way));
