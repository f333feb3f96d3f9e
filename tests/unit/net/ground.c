/* SPDX-License-Identifier: Apache-2.0 */
#include "ground.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>

#include <cmocka.h>

#define PORT 4711
#define REACH_MS 5000 /* for what should come */
#define DENY_MS 60    /* for what should not */

void ground_do(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    dr_auto_free char *command = dr_vprintf(fmt, ap);
    va_end(ap);
    if (system(command) != 0)
        fail_msg("failed: %s", command);
}

char *ground_says(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    dr_auto_free char *command = dr_vprintf(fmt, ap);
    va_end(ap);
    FILE *pipe = popen(command, "re");
    char *text = dr_alloc(1 << 16);
    size_t len = fread(text, 1, (1 << 16) - 1, pipe);
    text[len] = '\0';
    pclose(pipe);
    return text;
}

int ground_set_up(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    /* from where the first test began, whatever the last one has mounted */
    static int home = -1;
    if (home < 0)
        home = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
    assert_int_equal(setns(home, CLONE_NEWNS), 0);
    assert_int_equal(unshare(CLONE_NEWNET | CLONE_NEWNS), 0);
    assert_int_equal(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
    ground_do(
        "mkdir -p /run/netns && mount -t tmpfs none /run/netns && ip link set lo up");
    ground_do(
        "set -e\n"
        "for n in a:192.0.2.1/25:2001:db8:a::1/64 b:192.0.2.129/25:2001:db8:b::1/64"
        " i:198.51.100.1/24:2001:db8:1::1/64; do\n"
        "  l=${n%%%%:*} r=${n#*:}\n"
        "  ip link add dr-$l type bridge; ip link set dr-$l up\n"
        "  ip addr add ${r%%%%:*} dev dr-$l; ip addr add ${r#*:} dev dr-$l nodad\n"
        "done\n"
        "join() {\n" /* NAMESPACE LINK ADDRESS GATEWAY ADDRESS6 GATEWAY6 */
        "  ip netns add $1; ip -n $1 link set lo up\n"
        "  ip link add v-$1 type veth peer name eth0 netns $1; ip link set v-$1 up\n"
        "  case $2 in up0) ip link set v-$1 name up0;; *) ip link set v-$1 master $2;; "
        "esac\n"
        "  ip -n $1 addr add $3 dev eth0; ip -n $1 addr add $5 dev eth0 nodad\n"
        "  ip -n $1 link set eth0 up\n"
        "  if [ $4 != - ]; then ip -n $1 route add default via $4\n"
        "    ip -n $1 route add default via $6; fi\n"
        "}\n"
        "join in-a1 dr-a 192.0.2.10/25 192.0.2.1 2001:db8:a::10/64 2001:db8:a::1\n"
        "join in-a2 dr-a 192.0.2.11/25 192.0.2.1 2001:db8:a::11/64 2001:db8:a::1\n"
        "join in-b dr-b 192.0.2.130/25 192.0.2.129 2001:db8:b::10/64 2001:db8:b::1\n"
        "join in-i dr-i 198.51.100.10/24 198.51.100.1 2001:db8:1::10/64 2001:db8:1::1\n"
        "join out up0 203.0.113.2/24 - 2001:db8:f::2/64 -\n"
        "ip addr add 203.0.113.1/24 dev up0; ip addr add 2001:db8:f::1/64 dev up0 nodad\n"
        "ip link set up0 up\n"
        /* as on any host, whatever the machine has that runs this */
        "cd /proc/sys/net\n"
        "echo 0 >ipv4/ip_forward; echo 0 >ipv6/conf/all/forwarding\n"
        "for f in ipv4/conf/*/forwarding ipv6/conf/*/force_forwarding; do\n"
        "  [ ! -e $f ] || echo 0 >$f; done\n");
    return 0;
}

static void enter(int fd)
{
    assert_int_equal(setns(fd, CLONE_NEWNET), 0);
}

/* A socket of the namespace; we are back where we were. */
static int socket_in(const char *name, int family)
{
    dr_auto_fd int here = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    assert_true(here >= 0);
    if (name) {
        dr_auto_free char *path = dr_printf("/run/netns/%s", name);
        dr_auto_fd int there = open(path, O_RDONLY | O_CLOEXEC);
        assert_true(there >= 0);
        enter(there);
    }
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_true(fd >= 0);
    enter(here);
    return fd;
}

static socklen_t fill(struct sockaddr_storage *ret, const char *address)
{
    struct dr_ip ip;
    assert_true(dr_ip_parse(address, &ip));
    *ret = (struct sockaddr_storage){0};
    if (ip.family == 4) {
        struct sockaddr_in *in = (struct sockaddr_in *)ret;
        *in = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(PORT)};
        memcpy(&in->sin_addr, ip.bytes, 4);
        return sizeof *in;
    }
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ret;
    *in6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons(PORT)};
    memcpy(&in6->sin6_addr, ip.bytes, 16);
    return sizeof *in6;
}

bool ground_connects(const char *from, const char *to, const char *address,
                     char peer[DR_IP_TEXT])
{
    struct sockaddr_storage there, seen;
    socklen_t len = fill(&there, address), seen_len = sizeof seen;
    dr_auto_fd int listener = socket_in(to, there.ss_family);
    dr_auto_fd int client = socket_in(from, there.ss_family);
    int on = 1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    assert_int_equal(bind(listener, (struct sockaddr *)&there, len), 0);
    assert_int_equal(listen(listener, 1), 0);
    if (connect(client, (struct sockaddr *)&there, len) < 0 && errno != EINPROGRESS)
        return false;
    struct pollfd ready = {.fd = listener, .events = POLLIN};
    if (poll(&ready, 1, peer ? REACH_MS : DENY_MS) <= 0)
        return false;
    dr_auto_fd int server =
        accept4(listener, (struct sockaddr *)&seen, &seen_len, SOCK_CLOEXEC);
    assert_true(server >= 0);
    if (!peer)
        return true;
    struct dr_ip ip = {.family = seen.ss_family == AF_INET ? 4 : 6};
    if (ip.family == 4)
        memcpy(ip.bytes, &((struct sockaddr_in *)&seen)->sin_addr, 4);
    else
        memcpy(ip.bytes, &((struct sockaddr_in6 *)&seen)->sin6_addr, 16);
    dr_ip_format(&ip, peer);
    return true;
}
