/* SPDX-License-Identifier: Apache-2.0 */
/* Published ports and their proxy, with real sockets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/fs.h"
#include "base/text.h"
#include "guest/net/proxy.h"

#define WAIT_MS 20000

/* --- sockets --- */

static struct sockaddr_in v4(const char *ip, int port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    assert_int_equal(inet_pton(AF_INET, ip, &at.sin_addr), 1);
    return at;
}

static int port_of(int fd)
{
    struct sockaddr_in at;
    socklen_t len = sizeof at;
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
    return ntohs(at.sin_port); /* at the same place for IPv6 */
}

static int server_at(const char *ip, int port, int type)
{
    struct sockaddr_in at = v4(ip, port);
    int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    if (type == SOCK_STREAM) /* as whoever listens where connections are still ending */
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    if (type == SOCK_STREAM)
        assert_int_equal(listen(fd, 64), 0);
    return fd;
}

/* -1 with errno; from: a source port, or 0 */
static int dial_from(const char *ip, int port, int from)
{
    struct sockaddr_in to = v4(ip, port), at = v4("127.0.0.1", from);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (from)
        assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    if (connect(fd, (struct sockaddr *)&to, sizeof to) == 0)
        return fd;
    close(fd);
    return -1;
}

static int dial(int port)
{
    int fd = dial_from("127.0.0.1", port, 0);
    assert_true(fd >= 0);
    return fd;
}

static bool readable(int fd, int ms)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    return poll(&poll_fd, 1, ms) > 0;
}

static int take(int listener)
{
    assert_true(readable(listener, WAIT_MS));
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

/* What comes next, "" at the end, "reset" */
static const char *hear(int fd)
{
    static char text[256];
    assert_true(readable(fd, WAIT_MS));
    ssize_t n = recv(fd, text, sizeof text - 1, 0);
    if (n < 0)
        return errno == ECONNRESET ? "reset" : strerror(errno);
    text[n] = '\0';
    return text;
}

static void say(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

static void reset(int fd)
{
    struct linger now = {.l_onoff = 1};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close(fd);
}

static int open_fds(void)
{
    int count = 0;
    DIR *dir = opendir("/proc/self/fd");
    while (readdir(dir))
        count++;
    closedir(dir);
    return count;
}

/* --- one proxy, with one port --- */

struct lab {
    struct ports ports;
    struct proxy *proxy;
    int log_fd;
    int server; /* the container's */
    int port;   /* the published one */
};

static void lab_open(struct lab *lab, const char *host_ip, int type)
{
    struct dr_error err = DR_ERROR_INIT;
    lab->server = server_at("127.0.0.1", 0, type);
    dr_auto_json json_t *list =
        json_pack("[{s:s,s:i,s:s}]", "host_ip", host_ip, "container_port",
                  port_of(lab->server), "protocol", type == SOCK_DGRAM ? "udp" : "tcp");
    assert_int_equal(ports_parse(list, &lab->ports, &err), 0);
    assert_int_equal(ports_open(&lab->ports, &err), 0);
    lab->port = lab->ports.items[0].host_port;
    assert_true(lab->port > 0);
    lab->proxy = proxy_start(&lab->ports, &lab->log_fd, &err);
    assert_non_null(lab->proxy);
}

static void lab_point(struct lab *lab, const char *ip, const char *ip6)
{
    struct dr_error err = DR_ERROR_INIT;
    struct proxy_target target = {.net_fd = -1};
    if (ip)
        assert_true(dr_ip_parse(ip, &target.ip));
    if (ip6)
        assert_true(dr_ip_parse(ip6, &target.ip6));
    assert_int_equal(proxy_point(lab->proxy, ip || ip6 ? &target : NULL, &err), 0);
}

static void lab_close(struct lab *lab)
{
    if (lab->server >= 0)
        close(lab->server);
    proxy_stop(lab->proxy, 0);
    ports_release(&lab->ports);
}

static void until_logged(struct lab *lab, const char *words)
{
    char text[512];
    assert_true(readable(lab->log_fd, WAIT_MS));
    ssize_t n = read(lab->log_fd, text, sizeof text - 1);
    assert_true(n > 0);
    text[n] = '\0';
    dr_auto_free char *port = dr_printf("127.0.0.1:%d/tcp", lab->port);
    assert_non_null(strstr(text, words));
    assert_non_null(strstr(text, port)); /* the port is named */
}

/* --- tests --- */

static void connections_wait_for_the_first_target_and_are_reset_without_one(void **state)
{
    struct lab lab;
    lab_open(&lab, "127.0.0.1", SOCK_STREAM);
    int client = dial(lab.port);
    say(client, "early");
    assert_false(readable(lab.server, 50));
    lab_point(&lab, "127.0.0.1", NULL);
    int inside = take(lab.server);
    assert_string_equal(hear(inside), "early");
    lab_point(&lab, NULL, NULL); /* between two runs */
    int second = dial(lab.port);
    assert_string_equal(hear(second), "reset");
    say(inside, "the first goes on");
    assert_string_equal(hear(client), "the first goes on");
    lab_point(&lab, "127.0.0.1", NULL);
    int third = dial(lab.port);
    close(take(lab.server));
    assert_string_equal(hear(third), "");
    assert_string_equal(hear(client), "reset"); /* it was of another run */
    close(client);
    close(second);
    close(third);
    close(inside);
    lab_close(&lab);
}

static void ends_and_resets_are_passed_on(void **state)
{
    struct lab lab;
    lab_open(&lab, "127.0.0.1", SOCK_STREAM);
    lab_point(&lab, "127.0.0.1", NULL);
    int client = dial(lab.port), inside = take(lab.server);
    say(client, "ask");
    shutdown(client, SHUT_WR);
    assert_string_equal(hear(inside), "ask");
    assert_string_equal(hear(inside), "");
    say(inside, "late answer");
    assert_string_equal(hear(client), "late answer");
    close(inside);
    assert_string_equal(hear(client), "");
    close(client);

    client = dial(lab.port), inside = take(lab.server);
    shutdown(inside, SHUT_WR);
    assert_string_equal(hear(client), "");
    say(client, "still");
    assert_string_equal(hear(inside), "still");
    reset(client);
    assert_string_equal(hear(inside), "reset");
    close(inside);

    client = dial(lab.port), inside = take(lab.server);
    say(inside, "last words");
    assert_string_equal(hear(client), "last words");
    reset(inside);
    assert_string_equal(hear(client), "reset");
    close(client);
    lab_close(&lab);
}

static void who_refuses_is_tried_by_the_other_address_and_then_it_is_a_reset(void **state)
{
    struct lab lab;
    lab_open(&lab, "127.0.0.1", SOCK_STREAM);
    int number = port_of(lab.server);
    close(lab.server);
    lab.server = -1;
    lab_point(&lab, "127.0.0.1", "::1");
    int client = dial(lab.port);
    assert_string_equal(hear(client), "reset");
    close(client);
    struct sockaddr_in6 at = {.sin6_family = AF_INET6,
                              .sin6_port = htons((uint16_t)number),
                              .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    int v6 = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(v6, (struct sockaddr *)&at, sizeof at) == 0 && listen(v6, 1) == 0) {
        client = dial(lab.port);
        int inside = take(v6);
        say(inside, "by IPv6");
        assert_string_equal(hear(client), "by IPv6");
        close(inside);
        close(client);
    } /* else IPv6 is off here */
    close(v6);
    lab_close(&lab);
}

static void an_idle_connection_is_two_descriptors_and_all_come_back(void **state)
{
    enum { MANY = 50 };
    int clients[MANY], inside[MANY];
    struct lab lab;
    lab_open(&lab, "127.0.0.1", SOCK_STREAM);
    lab_point(&lab, "127.0.0.1", NULL);
    close(dial(lab.port));
    close(take(lab.server));
    int before = open_fds();
    for (int i = 0; i < MANY; i++) {
        clients[i] = dial(lab.port);
        inside[i] = take(lab.server);
        say(clients[i], "x");
        assert_string_equal(hear(inside[i]), "x");
    }
    /* ours, the proxy's, and the pipes that it keeps */
    assert_true(open_fds() - before <= 4 * MANY + 4);
    for (int i = 0; i < MANY; i++) {
        close(clients[i]);
        close(inside[i]);
    }
    for (int64_t end = dr_clock_ms() + WAIT_MS; open_fds() > before + 4;) {
        assert_true(dr_clock_ms() < end);
        poll(NULL, 0, 5);
    }
    lab_close(&lab);
}

static void who_does_not_read_holds_the_writer_back_and_loses_nothing(void **state)
{
    struct lab lab;
    static unsigned char block[1 << 16];
    lab_open(&lab, "127.0.0.1", SOCK_STREAM);
    lab_point(&lab, "127.0.0.1", NULL);
    int client = dial(lab.port), inside = take(lab.server);
    size_t sent = 0, got = 0;
    fcntl(inside, F_SETFL, O_NONBLOCK);
    struct pollfd out = {.fd = inside, .events = POLLOUT};
    while (poll(&out, 1, 300) > 0) { /* until nothing more goes */
        for (size_t i = 0; i < sizeof block; i++)
            block[i] = (unsigned char)((sent + i) % 251);
        ssize_t n = send(inside, block, sizeof block, MSG_NOSIGNAL);
        sent += n > 0 ? (size_t)n : 0;
        assert_true(sent < (64u << 20));
    }
    close(inside);
    for (ssize_t n; (n = recv(client, block, sizeof block, 0)) > 0; got += (size_t)n)
        for (ssize_t i = 0; i < n; i++)
            if (block[i] != (got + (size_t)i) % 251)
                fail_msg("byte %zu is another one", got + (size_t)i);
    assert_int_equal(got, sent);
    close(client);
    lab_close(&lab);
}

static void with_no_descriptor_left_connections_wait_and_it_is_told(void **state)
{
    struct rlimit before, few;
    struct lab lab;
    getrlimit(RLIMIT_NOFILE, &before);
    lab_open(&lab, "127.0.0.1", SOCK_STREAM);
    lab_point(&lab, "127.0.0.1", NULL);
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in to = v4("127.0.0.1", lab.port);
    few = before;
    int spare = dup(0);
    few.rlim_cur = (rlim_t)spare; /* the next one is one too many */
    close(spare);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    assert_int_equal(connect(client, (struct sockaddr *)&to, sizeof to), 0);
    until_logged(&lab, "no file descriptor is left");
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    int inside = take(lab.server);
    say(inside, "at last");
    assert_string_equal(hear(client), "at last");
    close(inside);
    close(client);
    lab_close(&lab);
}

static void there_is_a_most_of_connections_and_the_others_wait(void **state)
{
    struct rlimit before, few;
    struct lab lab;
    getrlimit(RLIMIT_NOFILE, &before);
    few = before;
    few.rlim_cur = 64 + 1 + 4 * 3 + 4; /* three at a time; its descriptors are below */
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    lab_open(&lab, "127.0.0.1", SOCK_STREAM);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    lab_point(&lab, "127.0.0.1", NULL);
    int clients[6], inside[6];
    for (int i = 0; i < 6; i++)
        clients[i] = dial(lab.port);
    int taken = 0;
    while (readable(lab.server, 200))
        inside[taken++] = take(lab.server);
    assert_true(taken < 6);
    until_logged(&lab, "as many connections as there may be");
    for (int i = 0; i < 6; i++) {
        if (i == taken)
            inside[taken++] = take(lab.server);
        say(inside[i], "x");
        assert_string_equal(hear(clients[i]), "x");
        close(clients[i]);
        close(inside[i]);
    }
    lab_close(&lab);
}

static void lo_up(void)
{
    struct ifreq lo = {.ifr_name = "lo", .ifr_flags = IFF_UP};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(ioctl(fd, SIOCSIFFLAGS, &lo), 0);
    close(fd);
}

static void with_no_source_port_left_connections_are_reset_and_it_is_told(void **state)
{
    int home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    if (unshare(CLONE_NEWNET) < 0) {
        close(home);
        skip(); /* not root */
    }
    lo_up();
    int range = open("/proc/sys/net/ipv4/ip_local_port_range", O_WRONLY | O_CLOEXEC);
    struct lab lab;
    lab_open(&lab, "127.0.0.1", SOCK_STREAM);
    bool can = range >= 0 && write(range, "40000 40001", 11) == 11;
    close(range);
    if (can) {
        lab_point(&lab, "127.0.0.1", NULL);
        int clients[3], inside[2];
        for (int i = 0; i < 3; i++)
            clients[i] = dial_from("127.0.0.1", lab.port, 50000 + i);
        for (int i = 0; i < 2; i++)
            inside[i] = take(lab.server);
        until_logged(&lab, "no source port is left");
        assert_string_equal(hear(clients[2]), "reset");
        say(inside[0], "x");
        say(inside[1], "x");
        assert_string_equal(hear(clients[0]), "x");
        for (int i = 0; i < 3; i++)
            close(clients[i]);
        close(inside[0]);
        close(inside[1]);
    }
    lab_close(&lab);
    setns(home, CLONE_NEWNET);
    close(home);
    if (!can)
        skip();
}

static void another_network_is_entered_by_the_proxy_alone(void **state)
{
    struct dr_error err = DR_ERROR_INIT;
    int home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    struct lab lab;
    lab_open(&lab, "127.0.0.1", SOCK_STREAM);
    int number = port_of(lab.server);
    if (unshare(CLONE_NEWNET) < 0) {
        close(home);
        lab_close(&lab);
        skip();
    }
    lo_up();
    int inner = server_at("127.0.0.1", number, SOCK_STREAM);
    int away = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    setns(home, CLONE_NEWNET);
    struct proxy_target target = {.net_fd = away};
    dr_ip_parse("127.0.0.1", &target.ip);
    assert_int_equal(proxy_point(lab.proxy, &target, &err), 0);
    int client = dial(lab.port), inside = take(inner);
    say(inside, "inner");
    assert_string_equal(hear(client), "inner");
    lab_point(&lab, "127.0.0.1", NULL); /* and back */
    int second = dial(lab.port), outside = take(lab.server);
    say(outside, "outer");
    assert_string_equal(hear(second), "outer");
    int fds[] = {home, away, inner, client, inside, second, outside};
    for (size_t i = 0; i < DR_COUNT(fds); i++)
        close(fds[i]);
    lab_close(&lab);
}

static void a_port_is_free_at_once_and_what_was_sent_still_arrives(void **state)
{
    struct lab lab;
    static char block[1 << 20];
    lab_open(&lab, "127.0.0.1", SOCK_STREAM);
    lab_point(&lab, "127.0.0.1", NULL);
    int client = dial(lab.port), inside = take(lab.server);
    setsockopt(client, SOL_SOCKET, SO_RCVBUF, &(int){4096}, sizeof(int));
    fcntl(inside, F_SETFL, O_NONBLOCK);
    ssize_t sent = send(inside, block, sizeof block, MSG_NOSIGNAL), got = 0;
    assert_true(sent > 0);
    close(inside);
    proxy_refuse(lab.proxy);
    ports_close(&lab.ports);
    close(server_at("127.0.0.1", lab.port, SOCK_STREAM));
    pid_t reader = fork(); /* reads while the proxy is stopped */
    if (reader == 0) {
        for (ssize_t n; (n = recv(client, block, sizeof block, 0)) > 0;)
            got += n;
        _exit(got == sent ? 0 : 1);
    }
    close(client);
    proxy_stop(lab.proxy, WAIT_MS);
    lab.proxy = NULL;
    int status;
    assert_int_equal(waitpid(reader, &status, 0), reader);
    assert_int_equal(status, 0);
    lab_close(&lab);
}

static int udp_client(const char *ip, int port)
{
    struct sockaddr_in to = v4(ip, port);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    /* connected: an answer from another address does not arrive */
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    return fd;
}

static void datagrams_have_sessions_and_answers_come_from_who_was_asked(void **state)
{
    struct lab lab;
    lab_open(&lab, "0.0.0.0", SOCK_DGRAM);
    lab_point(&lab, "127.0.0.1", NULL);
    int clients[] = {udp_client("127.0.0.1", lab.port), udp_client("127.0.0.2", lab.port),
                     udp_client("127.0.0.1", lab.port)};
    struct sockaddr_in peers[3];
    for (int i = 0; i < 3; i++) {
        socklen_t len = sizeof peers[i];
        char text[16] = {0};
        dr_auto_free char *word = dr_printf("client %d", i);
        say(clients[i], word);
        assert_true(readable(lab.server, WAIT_MS));
        assert_int_equal(recvfrom(lab.server, text, sizeof text, 0,
                                  (struct sockaddr *)&peers[i], &len),
                         strlen(word));
        assert_string_equal(text, word);
    }
    assert_int_not_equal(peers[0].sin_port, peers[2].sin_port);
    for (int i = 2; i >= 0; i--) {
        dr_auto_free char *word = dr_printf("to %d", i);
        assert_int_equal(sendto(lab.server, word, strlen(word), 0,
                                (struct sockaddr *)&peers[i], sizeof peers[i]),
                         strlen(word));
        assert_string_equal(hear(clients[i]), word);
    }
    say(clients[0], "again"); /* the same session */
    struct sockaddr_in peer;
    socklen_t len = sizeof peer;
    char text[16];
    assert_true(readable(lab.server, WAIT_MS));
    recvfrom(lab.server, text, sizeof text, 0, (struct sockaddr *)&peer, &len);
    assert_int_equal(peer.sin_port, peers[0].sin_port);
    for (int i = 0; i < 3; i++)
        close(clients[i]);
    lab_close(&lab);
}

static int open_list(const char *text, struct ports *ret, struct dr_error *err)
{
    dr_auto_json json_t *list = dr_json_parse(text, strlen(text), 4096, err);
    assert_non_null(list);
    assert_int_equal(ports_parse(list, ret, err), 0);
    return ports_open(ret, err);
}

static void ports_are_opened_all_or_none_and_a_busy_one_is_named(void **state)
{
    struct dr_error err = DR_ERROR_INIT;
    struct ports ports;
    int busy = server_at("127.0.0.1", 0, SOCK_STREAM), before = open_fds();
    dr_auto_free char *list =
        dr_printf("[{\"container_port\":1},{\"container_port\":80,\"host_port\":%d}]",
                  port_of(busy));
    dr_auto_free char *named = dr_printf("127.0.0.1:%d/tcp", port_of(busy));
    assert_int_equal(open_list(list, &ports, &err), -1);
    assert_int_equal(err.kind, DR_ERR_NETWORK);
    assert_int_equal(err.code, EADDRINUSE);
    assert_non_null(strstr(err.text, named));
    assert_int_equal(open_fds(), before);
    ports_release(&ports);
    dr_error_release(&err);
    /* of a range the next one */
    dr_auto_free char *range = dr_printf("[{\"container_port\":80,\"host_port\":%d,"
                                         "\"host_port_last\":%d}]",
                                         port_of(busy), port_of(busy) + 50);
    if (port_of(busy) + 50 < 65536) {
        assert_int_equal(open_list(range, &ports, &err), 0);
        assert_true(ports.items[0].host_port > port_of(busy));
        ports_release(&ports);
    }
    dr_auto_free char *all = dr_printf("[{\"container_port\":80,\"host_port\":%d,"
                                       "\"host_port_last\":%d}]",
                                       port_of(busy), port_of(busy));
    assert_int_equal(open_list(all, &ports, &err), -1);
    assert_non_null(strstr(err.text, "all these ports are in use"));
    ports_release(&ports);
    dr_error_release(&err);
    assert_int_equal(open_list("[{\"container_port\":80,\"host_ip\":\"10.255.255.254\"}]",
                               &ports, &err),
                     -1);
    assert_non_null(strstr(err.text, "10.255.255.254:0/tcp"));
    assert_non_null(strstr(err.text, "it is no address of this machine"));
    ports_release(&ports);
    close(busy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(connections_wait_for_the_first_target_and_are_reset_without_one),
        cmocka_unit_test(ends_and_resets_are_passed_on),
        cmocka_unit_test(
            who_refuses_is_tried_by_the_other_address_and_then_it_is_a_reset),
        cmocka_unit_test(an_idle_connection_is_two_descriptors_and_all_come_back),
        cmocka_unit_test(who_does_not_read_holds_the_writer_back_and_loses_nothing),
        cmocka_unit_test(with_no_descriptor_left_connections_wait_and_it_is_told),
        cmocka_unit_test(there_is_a_most_of_connections_and_the_others_wait),
        cmocka_unit_test(with_no_source_port_left_connections_are_reset_and_it_is_told),
        cmocka_unit_test(another_network_is_entered_by_the_proxy_alone),
        cmocka_unit_test(a_port_is_free_at_once_and_what_was_sent_still_arrives),
        cmocka_unit_test(datagrams_have_sessions_and_answers_come_from_who_was_asked),
        cmocka_unit_test(ports_are_opened_all_or_none_and_a_busy_one_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
