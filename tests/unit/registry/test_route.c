/* SPDX-License-Identifier: Apache-2.0 */
/* registries.conf and hosts.toml: where a reference is looked for. */
#include "fixture.h"
#include "registry/route.h"

#define DIGEST "sha256:" SIXTEEN SIXTEEN SIXTEEN SIXTEEN
#define SIXTEEN "0123456789abcdef"

static void write_below(struct fixture *f, const char *name, const char *text)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_free char *path = in_dir(f, name), *dir = dr_strdup(path);
    *strrchr(dir, '/') = '\0';
    assert_int_equal(dr_mkdir_all(dir, 0755, &err), 0);
    write_all(path, text);
}

/* "host/path:tag [flags]" of all endpoints, joined. */
static char *describe(const struct route *route)
{
    char *text = dr_strdup("");
    for (size_t i = 0; i < route->n; i++) {
        const struct endpoint *e = &route->endpoints[i];
        dr_auto_free char *ref = oci_ref_text(&e->ref), *before = text;
        bool other = strcmp(e->api_host, e->ref.host) != 0;
        text = dr_printf("%s%s%s%s%s%s%s%s%s", before, i ? ", " : "", ref,
                         e->mirror ? " mirror" : "", e->insecure ? " insecure" : "",
                         e->plain_http ? " http" : "", other ? " at " : "",
                         other ? e->api_host : "", e->api_root ? e->api_root : "");
    }
    return text;
}

static char *route_of(const char *name, const char *conf, bool direct,
                      struct dr_error *err)
{
    dr_auto_ref struct oci_ref ref = OCI_REF_INIT;
    dr_auto_route struct route route = {0};
    assert_int_equal(oci_ref_parse(name, &ref, err), 0);
    return route_find(&ref, conf, direct, &route, err) < 0 ? NULL : describe(&route);
}

static void assert_route(const char *name, const char *conf, const char *should)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_free char *is = route_of(name, conf, false, &err);
    if (!is)
        fail_msg("%s: %s", name, err.text);
    assert_string_equal(is, should);
}

static int route_setup(void **state)
{
    setup(state);
    struct fixture *f = *state;
    dr_auto_free char *xdg = in_dir(f, "xdg");
    setenv("XDG_CONFIG_HOME", xdg, 1);
    unsetenv("CONTAINERS_REGISTRIES_CONF");
    return 0;
}

static void the_longest_prefix_decides(void **state)
{
    struct fixture *f = *state;
    dr_auto_free char *conf = in_dir(f, "conf");
    write_all(conf, "unqualified-search-registries = ['never.io']\n"
                    "[[registry]]\nlocation = 'r.io'\ninsecure = true\n"
                    "[[registry]]\nprefix = 'r.io/team'\nlocation = 'q.io:5000/a/b'\n"
                    "[[registry]]\nprefix = '*.sub.io'\ninsecure = true\n"
                    "[[registry]]\nprefix = 'docker.io/library'\nlocation = 'hub.io/x'\n"
                    "[aliases]\n'fedora' = 'never.io/fedora'\n");
    assert_route("r.io/app:1", conf, "r.io/app:1 insecure");
    assert_route("r.io/team/app:1", conf, "q.io:5000/a/b/app:1");
    assert_route("r.io/teamwork:1", conf, "r.io/teamwork:1 insecure");
    assert_route("r.io:5000/app:1", conf, "r.io:5000/app:1");
    assert_route("a.b.sub.io/app:1", conf, "a.b.sub.io/app:1 insecure");
    assert_route("sub.io/app:1", conf, "sub.io/app:1");
    assert_route("alpine", conf, "hub.io/x/alpine:latest");
    assert_route("fedora@" DIGEST, conf, "hub.io/x/fedora@" DIGEST);
    assert_route("ann/app", conf, "docker.io/ann/app:latest at registry-1.docker.io");
}

static void mirrors_come_first_and_some_for_digests_only_H4(void **state)
{
    struct fixture *f = *state;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_free char *conf = in_dir(f, "conf");
    write_all(conf, "[[registry]]\nlocation = 'r.io'\n"
                    "[[registry.mirror]]\nlocation = 'all.io/r'\ninsecure = true\n"
                    "[[registry.mirror]]\nlocation = 'd.io'\n"
                    "pull-from-mirror = 'digest-only'\n"
                    "[[registry.mirror]]\nlocation = 't.io'\n"
                    "pull-from-mirror = 'tag-only'\n"
                    "[[registry]]\nlocation = 's.io'\nmirror-by-digest-only = true\n"
                    "[[registry.mirror]]\nlocation = 'm.io'\n");
    assert_route("r.io/app:1", conf,
                 "all.io/r/app:1 mirror insecure, t.io/app:1 mirror, r.io/app:1");
    assert_route("r.io/app@" DIGEST, conf,
                 "all.io/r/app@" DIGEST " mirror insecure, d.io/app@" DIGEST
                 " mirror, r.io/app@" DIGEST);
    assert_route("s.io/app:1", conf, "s.io/app:1");
    assert_route("s.io/app@" DIGEST, conf,
                 "m.io/app@" DIGEST " mirror, s.io/app@" DIGEST);
    dr_auto_free char *direct = route_of("r.io/app:1", conf, true, &err);
    assert_string_equal(direct, "r.io/app:1");
}

static void the_user_s_file_and_drop_ins_take_the_place_of_others(void **state)
{
    struct fixture *f = *state;
    write_below(f, "xdg/containers/registries.conf",
                "[[registry]]\nprefix = 'r.io'\nlocation = 'one.io'\n");
    assert_route("r.io/app:1", NULL, "one.io/app:1");
    write_below(f, "xdg/containers/registries.conf.d/50.conf",
                "[[registry]]\nprefix = 'r.io'\nlocation = 'two.io'\n");
    write_below(f, "xdg/containers/registries.conf.d/10.conf",
                "[[registry]]\nprefix = 'r.io'\nlocation = 'ten.io'\n");
    write_below(f, "xdg/containers/registries.conf.d/90.off",
                "[[registry]]\nprefix = 'r.io'\nlocation = 'off.io'\n");
    assert_route("r.io/app:1", NULL, "two.io/app:1");
    dr_auto_free char *named = in_dir(f, "named");
    write_all(named, "[[registry]]\nprefix = 'r.io'\nlocation = 'named.io'\n");
    setenv("CONTAINERS_REGISTRIES_CONF", named, 1);
    assert_route("r.io/app:1", NULL, "named.io/app:1");
    assert_route("r.io/app:1", "", "r.io/app:1");
    unsetenv("CONTAINERS_REGISTRIES_CONF");
}

static void hosts_toml_of_containerd_is_read(void **state)
{
    struct fixture *f = *state;
    write_below(f, "xdg/containerd/certs.d/docker.io/hosts.toml",
                "server = 'https://registry-1.docker.io'\n"
                "[host.'http://m.io:5000']\ncapabilities = ['pull', 'resolve']\n"
                "[host.'https://n.io/sub/']\nskip_verify = true\n"
                "[host.'o.io/v2/x']\noverride_path = true\ncapabilities = ['pull']\n"
                "[host.'https://push.io']\ncapabilities = ['push']\n");
    assert_route("alpine", "",
                 "m.io:5000/library/alpine:latest mirror http, "
                 "n.io/library/alpine:latest mirror insecure/sub/v2, "
                 "docker.io/library/alpine:latest at registry-1.docker.io");
    assert_route("ann/x@" DIGEST, "",
                 "m.io:5000/ann/x@" DIGEST " mirror http, n.io/ann/x@" DIGEST
                 " mirror insecure/sub/v2, o.io/ann/x@" DIGEST " mirror/v2/x, "
                 "docker.io/ann/x@" DIGEST " at registry-1.docker.io");
    write_below(f, "xdg/containerd/certs.d/_default/hosts.toml",
                "[host.'https://all.io']\n");
    assert_route("r.io/app:1", "", "all.io/app:1 mirror, r.io/app:1");
    write_below(f, "xdg/containerd/certs.d/r.io/hosts.toml",
                "server = 'https://other.io'\nca = 'ca.crt'\n");
    assert_route("r.io/app:1", "", "other.io/app:1");
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_ref struct oci_ref ref = OCI_REF_INIT;
    dr_auto_route struct route route = {0};
    assert_int_equal(oci_ref_parse("r.io/app:1", &ref, &err), 0);
    assert_int_equal(route_find(&ref, "", false, &route, &err), 0);
    dr_auto_free char *ca = in_dir(f, "xdg/containerd/certs.d/r.io/ca.crt");
    assert_string_equal(route.endpoints[0].ca_files[0], ca);
}

static void settings_that_make_no_sense_are_refused_by_file(void **state)
{
    static const struct {
        const char *conf, *text;
    } cases[] = {
        {"[[registry]]\nprefix = 'r.io'\nblocked = true\n", "'r.io' is blocked here"},
        {"[[registry]]\ninsecure = true\n", "has neither prefix nor location"},
        {"[[registry]]\nprefix='r.io'\n[[registry]]\nprefix='r.io'\n",
         "two [[registry]] with the prefix 'r.io'"},
        {"[registries.search]\nregistries = ['r.io']\n", "it has the form of version 1"},
        {"registry = 1\n", "registry is no array of tables"},
        {"registry = [1]\n", "registry is no array of tables"},
        {"[[registry]\n", "line 1, column 11: a table's name ends with ']'"},
        {"[[registry]]\nprefix='r.io'\nlocation='nodot/x'\n",
         "location 'nodot/x' does not begin with a registry's host"},
        {"[[registry]]\nprefix='r.io'\nlocation='q.io/A'\n", "location 'q.io/A'"},
        {"[[registry]]\nprefix='r.io'\n[[registry.mirror]]\n",
         "a mirror has no location"},
        {"[[registry]]\nprefix='r.io'\n[[registry.mirror]]\nlocation='m.io'\n"
         "pull-from-mirror='never'\n",
         "pull-from-mirror is all, digest-only or tag-only, not 'never'"},
        {"[[registry]]\nprefix='r.io'\nmirror-by-digest-only=true\n[[registry.mirror]]\n"
         "location='m.io'\npull-from-mirror='all'\n",
         "contradict each other"},
    };
    struct fixture *f = *state;
    dr_auto_free char *conf = in_dir(f, "conf");
    for (size_t i = 0; i < DR_COUNT(cases); i++) {
        dr_auto_error struct dr_error err = DR_ERROR_INIT;
        write_all(conf, cases[i].conf);
        if (route_of("r.io/app:1", conf, false, &err))
            fail_msg("accepted: %s", cases[i].conf);
        assert_text(&err, conf);
        assert_error(&err, DR_ERR_CONFIG, 0, cases[i].text);
    }
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    assert_null(route_of("r.io/app:1", "/nonexistent", false, &err));
    assert_error(&err, DR_ERR_CONFIG, 0, "there is no /nonexistent");
    write_below(f, "xdg/containerd/certs.d/r.io/hosts.toml",
                "[host.'https://m.io'.header]\nAuthorization = 'Basic c2VjcmV0'\n");
    assert_null(route_of("r.io/app:1", "", false, &err));
    assert_null(strstr(err.text, "c2VjcmV0"));
    assert_error(&err, DR_ERR_UNSUPPORTED, 0, "'header' is not supported");
    write_below(f, "xdg/containerd/certs.d/r.io/hosts.toml", "[host.'ftp://m.io']\n");
    assert_null(route_of("r.io/app:1", "", false, &err));
    assert_error(&err, DR_ERR_CONFIG, 0, "is not an http or https URL");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, route_setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(the_longest_prefix_decides),
        TEST(mirrors_come_first_and_some_for_digests_only_H4),
        TEST(the_user_s_file_and_drop_ins_take_the_place_of_others),
        TEST(hosts_toml_of_containerd_is_read),
        TEST(settings_that_make_no_sense_are_refused_by_file),
    };
    return cmocka_run_group_tests_name("registry route", tests, NULL, NULL);
}
