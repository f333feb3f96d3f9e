/* SPDX-License-Identifier: Apache-2.0 */
/* Who has which names in its hosts file: state directories as containers have them, no
 * containers. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/fs.h"
#include "base/json.h"
#include "guest/container/record.h"
#include "guest/net/lease.h"
#include "guest/net/names.h"
#include "guest/net/net.h"

static struct guest guest;
static char top[64];
static struct dr_error err;

/* ids: one digit, 64 times */
static const char *id_of(char digit)
{
    static char ids[16][CONTAINER_ID_HEX + 1];
    static unsigned next;
    char *id = ids[next++ % 16];
    memset(id, digit, CONTAINER_ID_HEX);
    return id;
}

static json_t *parse(const char *text)
{
    json_t *json = dr_json_parse(text, strlen(text), 1 << 16, &err);
    if (!json)
        fail_msg("%s: %s", text, err.text);
    return json;
}

static void put(const char *path, const char *text)
{
    if (dr_file_write(AT_FDCWD, path, text, strlen(text), 0644, 0, &err) < 0)
        fail_msg("%s", err.text);
}

/* A container that runs. networks: of its NET_STATE; hosts: its own lines. */
static void runs(char digit, const char *networks, const char *hosts)
{
    dr_auto_free char *dir = container_dir(&guest, id_of(digit));
    dr_auto_free char *run_dir = container_run_dir(&guest, id_of(digit));
    dr_auto_free char *file = dr_path_join(dir, "hosts");
    dr_auto_free char *state = dr_path_join(run_dir, NET_STATE);
    dr_auto_free char *text =
        dr_printf("{\"networks\":[%s],\"hosts\":[%s]}", networks, hosts);
    assert_int_equal(dr_mkdir_all(dir, 0700, &err), 0);
    assert_int_equal(dr_mkdir_all(run_dir, 0700, &err), 0);
    put(file, "127.0.0.1\tlocalhost\n");
    put(state, text);
}

static void joins(char network, char digit, const char *lease)
{
    dr_auto_fd int lock = -1;
    dr_auto_json json_t *json = parse(lease);
    assert_int_equal(lease_lock(&guest, &lock, &err), 0);
    assert_int_equal(lease_write(&guest, id_of(network), id_of(digit), json, &err), 0);
}

static void sync_network(char network)
{
    dr_auto_json json_t *networks = json_pack("[{ss}]", "id", id_of(network));
    names_sync(&guest, networks);
}

static void assert_hosts(char digit, const char *expected)
{
    dr_auto_free char *dir = container_dir(&guest, id_of(digit));
    dr_auto_free char *command =
        dr_printf("sed 's/ *#.*//; /^$/d; /localhost/d' %s/hosts | sort", dir);
    FILE *pipe = popen(command, "re");
    char text[4096];
    text[fread(text, 1, sizeof text - 1, pipe)] = '\0';
    pclose(pipe);
    assert_string_equal(text, expected);
}

static int set_up(void **state)
{
    (void)state;
    snprintf(top, sizeof top, "/tmp/dray-test-names.XXXXXX");
    assert_non_null(mkdtemp(top));
    guest = (struct guest){.root = dr_printf("%s/root", top),
                           .run_root = dr_printf("%s/run", top)};
    err = DR_ERROR_INIT;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    dr_remove_all(AT_FDCWD, top, &err);
    free(guest.root);
    free(guest.run_root);
    dr_error_release(&err);
    return 0;
}

#define ON_A                                                                             \
    "{\"name\":\"a\",\"id\":"                                                            \
    "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}"
#define ON_B                                                                             \
    "{\"name\":\"b\",\"id\":"                                                            \
    "\"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\"}"
#define ON_DEFAULT                                                                       \
    "{\"name\":\"bridge\",\"id\":"                                                       \
    "\"cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc\"}"

static void members_have_each_others_names_as_they_come_and_go(void **state)
{
    (void)state;
    runs('1', ON_A, "\"10.0.0.2\\tweb\"");
    runs('2', ON_A "," ON_B, "");
    runs('3', ON_B, "");
    joins('a', '1',
          "{\"name\":\"web\",\"aliases\":[],\"ip\":\"10.0.0.2\",\"names\":true}");
    joins('a', '2',
          "{\"name\":\"db\",\"aliases\":[\"store\",\"db\"],\"ip\":\"10.0.0.3\","
          "\"ip6\":\"fd00::3\",\"names\":true}");
    joins('b', '2',
          "{\"name\":\"db\",\"aliases\":[],\"ip\":\"10.1.0.3\",\"names\":true}");
    joins('b', '3',
          "{\"name\":\"log\",\"aliases\":[\"sink\"],\"ip\":\"10.1.0.4\",\"names\":true}");
    sync_network('a');
    sync_network('b');
    assert_hosts('1', "10.0.0.2\tweb\n"
                      "10.0.0.2\tweb 111111111111\n"
                      "10.0.0.3\tdb store 222222222222\n"
                      "fd00::3\tdb store 222222222222\n");
    assert_hosts('2', "10.0.0.2\tweb 111111111111\n"
                      "10.0.0.3\tdb store 222222222222\n"
                      "10.1.0.3\tdb 222222222222\n"
                      "10.1.0.4\tlog sink 333333333333\n"
                      "fd00::3\tdb store 222222222222\n");
    assert_hosts('3', "10.1.0.3\tdb 222222222222\n10.1.0.4\tlog sink 333333333333\n");
    /* one has another name, then it leaves */
    net_rename(&guest, id_of('2'), "base");
    assert_hosts('3', "10.1.0.3\tbase 222222222222\n10.1.0.4\tlog sink 333333333333\n");
    lease_leave(&guest, id_of('a'), id_of('2'));
    sync_network('a');
    assert_hosts('1', "10.0.0.2\tweb\n10.0.0.2\tweb 111111111111\n");
    net_rename(&guest, id_of('2'), "late"); /* does not bring it back there */
    assert_hosts('1', "10.0.0.2\tweb\n10.0.0.2\tweb 111111111111\n");
}

static void the_default_network_has_no_names(void **state)
{
    (void)state;
    runs('1', ON_DEFAULT, "\"10.0.0.2\\tme\"");
    runs('2', ON_DEFAULT, "");
    joins('c', '1', "{\"name\":\"web\",\"ip\":\"10.0.0.2\",\"names\":false}");
    joins('c', '2', "{\"name\":\"db\",\"ip\":\"10.0.0.3\",\"names\":false}");
    sync_network('c');
    assert_hosts('1', "");
    assert_hosts('2', "");
}

static void a_file_that_cannot_be_written_is_the_others_loss_no_more(void **state)
{
    (void)state;
    runs('1', ON_A, "");
    runs('2', ON_A, "");
    dr_auto_free char *dir = container_dir(&guest, id_of('1'));
    dr_auto_free char *file = dr_path_join(dir, "hosts");
    unlink(file);
    assert_int_equal(mkdir(file, 0700), 0);
    joins('a', '1', "{\"name\":\"web\",\"ip\":\"10.0.0.2\",\"names\":true}");
    joins('a', '2', "{\"name\":\"db\",\"ip\":\"10.0.0.3\",\"names\":true}");
    joins('a', '3', "{\"names\":true}"); /* it has no address yet */
    sync_network('a');
    assert_hosts('2', "10.0.0.2\tweb 111111111111\n10.0.0.3\tdb 222222222222\n");
}

static void many_aliases_take_more_lines(void **state)
{
    (void)state;
    dr_auto_json json_t *lease =
        parse("{\"name\":\"n\",\"ip\":\"10.0.0.2\",\"names\":true}");
    json_t *aliases = json_array();
    for (int i = 0; i < 100; i++) {
        char name[32];
        snprintf(name, sizeof name, "alias-number-%d", i);
        json_array_append_new(aliases, json_string(name));
    }
    dr_json_set(lease, "aliases", aliases);
    dr_auto_free char *text = dr_json_text(lease);
    runs('1', ON_A, "");
    joins('a', '1', text);
    sync_network('a');
    dr_auto_free char *dir = container_dir(&guest, id_of('1'));
    dr_auto_free char *file = dr_path_join(dir, "hosts");
    dr_auto_buf struct dr_buf hosts = DR_BUF_INIT(1 << 16);
    assert_int_equal(dr_file_read(AT_FDCWD, file, &hosts, &err), 0);
    char *rest = NULL;
    int names = 0;
    for (char *line = strtok_r(hosts.data, "\n", &rest); line;
         line = strtok_r(NULL, "\n", &rest)) {
        assert_true(strlen(line) < 500); /* musl reads 512 */
        for (const char *at = line; (at = strstr(at, "alias-number-")); at++)
            names++;
    }
    assert_int_equal(names, 100);
}

/* --- a container's own lines --- */

static void assert_own(const char *request, const char *networks, const char *expected)
{
    dr_auto_json json_t *r = parse(request), *n = parse(networks);
    dr_auto_json json_t *own = names_own(r, n, &err);
    if (!own)
        fail_msg("%s", err.text);
    dr_auto_free char *text = dr_json_text(own);
    assert_string_equal(text, expected);
}

static void its_own_lines_are_itself_what_was_asked_for_and_the_guest(void **state)
{
    (void)state;
    assert_own(
        "{\"hostname\":\"h\",\"domainname\":\"d.example\",\"extra_hosts\":[\"x:1.2.3.4\","
        "\"gw:host-gateway\",\"six:2001:db8::1\"],\"networks\":[{\"name\":\"a\"}]}",
        "[{\"ip\":\"10.0.0.2\",\"ip6\":\"fd00::2\",\"gateway\":\"10.0.0.1\"},"
        "{\"ip\":\"10.1.0.2\",\"gateway\":\"10.1.0.1\"}]",
        "[\"10.0.0.2\\th.d.example h\",\"fd00::2\\th.d.example h\","
        "\"10.1.0.2\\th.d.example h\",\"1.2.3.4\\tx\",\"10.0.0.1\\tgw\","
        "\"2001:db8::1\\tsix\",\"10.0.0.1\\thost.dray.internal host.docker.internal\"]");
    /* who says who that is is right */
    assert_own("{\"hostname\":\"h\",\"extra_hosts\":[\"host.docker.internal:1.2.3.4\"],"
               "\"networks\":[{\"name\":\"a\"}]}",
               "[{\"ip\":\"10.0.0.2\",\"gateway\":\"10.0.0.1\"}]",
               "[\"10.0.0.2\\th\",\"1.2.3.4\\thost.docker.internal\","
               "\"10.0.0.1\\thost.dray.internal\"]");
    assert_own("{\"hostname\":\"h\",\"networks\":[{\"name\":\"none\"}]}", "[]",
               "[\"127.0.0.1\\th\"]");
    assert_own("{\"hostname\":\"h\",\"extra_hosts\":[\"gw:host-gateway\"],"
               "\"networks\":[{\"name\":\"host\"}]}",
               "[]", "[\"127.0.0.1\\tgw\"]");
}

static void host_gateway_without_a_gateway_is_an_error(void **state)
{
    (void)state;
    dr_auto_json json_t *request = parse(
        "{\"extra_hosts\":[\"me:host-gateway\"],\"networks\":[{\"name\":\"none\"}]}");
    assert_null(names_own(request, NULL, &err));
    assert_int_equal(err.kind, DR_ERR_INVALID);
    assert_string_equal(err.text, "--add-host me:host-gateway: the container is on no "
                                  "network with a gateway");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            members_have_each_others_names_as_they_come_and_go, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_default_network_has_no_names, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(
            a_file_that_cannot_be_written_is_the_others_loss_no_more, set_up, tear_down),
        cmocka_unit_test_setup_teardown(many_aliases_take_more_lines, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            its_own_lines_are_itself_what_was_asked_for_and_the_guest, set_up, tear_down),
        cmocka_unit_test_setup_teardown(host_gateway_without_a_gateway_is_an_error,
                                        set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
