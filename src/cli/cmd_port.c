/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/text.h"
#include "cli/cli.h"

/* "80" is "80/tcp"; owned, NULL with err. */
static char *port_key(const char *text, struct dr_error *err)
{
    size_t len = strcspn(text, "/");
    dr_auto_free char *number = dr_strndup(text, len);
    const char *proto = text[len] ? text + len + 1 : "tcp";
    int64_t port;
    bool known = strcmp(proto, "tcp") == 0 || strcmp(proto, "udp") == 0 ||
                 strcmp(proto, "sctp") == 0;
    if (dr_int_parse(number, 1, 65535, &port) && known)
        return dr_printf("%lld/%s", (long long)port, proto);
    dr_auto_free char *safe = dr_escape(text, 100);
    dr_fail(
        err, DR_ERR_INVALID,
        "invalid port \"%s\": it must be a number from 1 to 65535, with /tcp, /udp or "
        "/sctp behind it or not",
        safe);
    return NULL;
}

/* Where one port of the container is: {"HostIp","HostPort"} each. prefix may be NULL. */
static size_t print_bindings(const char *prefix, const json_t *bindings)
{
    size_t i;
    json_t *one;
    json_array_foreach ((json_t *)bindings, i, one) {
        const char *ip = dr_json_str(one, "HostIp"), *port = dr_json_str(one, "HostPort");
        bool v6 = ip && strchr(ip, ':');
        dr_auto_free char *line =
            dr_printf("%s%s%s%s%s:%s", prefix ? prefix : "", prefix ? " -> " : "",
                      v6 ? "[" : "", ip ? ip : "", v6 ? "]" : "", port ? port : "");
        cli_line(line);
    }
    return json_array_size(bindings);
}

static int port(struct cli *cli, const char *key, struct dr_error *err)
{
    struct dray_target *target = cli_target(cli, err);
    struct dray_error *failed = NULL;
    char *text = NULL;
    if (!target)
        return -1;
    int rc = dray_container_inspect(target, cli->words[0], NULL, &text, &failed);
    dr_auto_json json_t *container = cli_rc_json(rc, &text, &failed, err);
    if (!container)
        return -1;
    json_t *ports = dr_json_object(dr_json_object(container, "NetworkSettings"), "Ports");
    if (key && print_bindings(NULL, dr_json_array(ports, key)) == 0)
        return dr_fail(err, DR_ERR_NOT_FOUND, "no public port '%s' published for %s", key,
                       cli->words[0]);
    const char *name;
    json_t *bindings;
    if (!key)
        json_object_foreach (ports, name, bindings) {
            print_bindings(name, bindings);
        }
    return 0;
}

int cmd_port(struct cli *cli, void *args)
{
    (void)args;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_free char *key = NULL;
    if (cli->words[1] && !(key = port_key(cli->words[1], &err)))
        return cli_usage_error(cli, &err);
    return port(cli, key, &err) < 0 ? cli_error(cli, &err) : CLI_OK;
}
