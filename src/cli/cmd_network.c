/* SPDX-License-Identifier: Apache-2.0 */
/* network create, ls, rm, connect and disconnect; inspect is with the others, prune with
 * its own. */
#include <string.h>

#include "base/ip.h"
#include "base/text.h"
#include "cli/args.h"
#include "cli/cli.h"

/* --- create --- */

/* --gateway and --ip-range belong to the subnet that they are in, as Docker has it. */
static int find_subnet(const struct network_create_args *args, const struct dr_ip *ip,
                       size_t *ret)
{
    for (size_t i = 0; args->subnets && args->subnets[i]; i++) {
        struct dr_subnet subnet;
        if (dr_subnet_parse(args->subnets[i], &subnet) &&
            dr_subnet_contains(&subnet, ip)) {
            *ret = i;
            return 0;
        }
    }
    return -1;
}

static int place(const struct network_create_args *args, struct dray_subnet *subnets,
                 struct dr_error *err)
{
    size_t at;
    for (size_t i = 0; args->gateways && args->gateways[i]; i++) {
        struct dr_ip ip;
        if (!dr_ip_parse(args->gateways[i], &ip))
            return dr_fail(err, DR_ERR_INVALID, "--gateway %s: it must be an IP address",
                           args->gateways[i]);
        if (find_subnet(args, &ip, &at) < 0)
            return dr_fail(err, DR_ERR_INVALID,
                           "--gateway %s: no --subnet is given that has it in it",
                           args->gateways[i]);
        subnets[at].gateway = args->gateways[i];
    }
    for (size_t i = 0; args->ranges && args->ranges[i]; i++) {
        struct dr_subnet range;
        if (!dr_subnet_parse(args->ranges[i], &range))
            return dr_fail(err, DR_ERR_INVALID,
                           "--ip-range %s: it must be a part of a subnet, as 10.1.0.0/25",
                           args->ranges[i]);
        if (find_subnet(args, &range.ip, &at) < 0)
            return dr_fail(err, DR_ERR_INVALID,
                           "--ip-range %s: no --subnet is given that has it in it",
                           args->ranges[i]);
        subnets[at].range = args->ranges[i];
    }
    return 0;
}

static int take_options(char *const *opts, int64_t *ret_mtu, struct dr_error *err)
{
    static const char *const names[] = {"mtu=", "com.docker.network.driver.mtu="};
    for (size_t i = 0; opts && opts[i]; i++) {
        const char *value = NULL;
        for (size_t n = 0; n < DR_COUNT(names); n++)
            if (strncmp(opts[i], names[n], strlen(names[n])) == 0)
                value = opts[i] + strlen(names[n]);
        if (!value)
            return dr_fail(err, DR_ERR_UNSUPPORTED,
                           "--opt %s is not supported; mtu=BYTES is", opts[i]);
        if (!dr_int_parse(value, 1, 65535, ret_mtu))
            return dr_fail(err, DR_ERR_INVALID, "--opt %s: it must be a number of bytes",
                           opts[i]);
    }
    return 0;
}

static int create(struct cli *cli, const struct dray_network_options *options,
                  struct dr_error *err)
{
    struct dray_target *target = cli_target(cli, err);
    struct dray_error *failed = NULL;
    char *id = NULL;
    if (!target ||
        cli_rc(dray_network_create(target, cli->words[0], options, NULL, &id, &failed),
               &failed, err) < 0)
        return -1;
    cli_line(id);
    dray_free(id);
    return 0;
}

int cmd_network_create(struct cli *cli, void *arg)
{
    const struct network_create_args *args = arg;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_strv char **labels = NULL;
    size_t count = dr_strv_len(args->subnets);
    dr_auto_free struct dray_subnet *subnets = dr_alloc((count + 1) * sizeof(*subnets));
    struct dray_network_options options = DRAY_INIT(options);
    if (args->driver && strcmp(args->driver, "bridge") != 0) {
        dr_fail(&err, DR_ERR_UNSUPPORTED,
                "--driver %s is not supported; bridge is what there is", args->driver);
        return cli_usage_error(cli, &err);
    }
    for (size_t i = 0; i < count; i++)
        subnets[i].subnet = args->subnets[i];
    for (size_t i = 0; args->labels && args->labels[i]; i++) {
        dr_auto_free char *pair =
            dr_printf("%s%s", args->labels[i], strchr(args->labels[i], '=') ? "" : "=");
        dr_strv_add(&labels, pair);
    }
    if (place(args, subnets, &err) < 0 ||
        take_options(args->opts, &options.mtu, &err) < 0)
        return cli_usage_error(cli, &err);
    options.subnets = subnets;
    options.subnet_count = count;
    options.internal = args->internal;
    options.ipv6 = args->ipv6;
    options.labels = labels;
    return create(cli, &options, &err) < 0 ? cli_error(cli, &err) : CLI_OK;
}

/* --- ls --- */

static const struct cli_column columns[] = {
    {"ID", "NETWORK ID", true},      {"Name", "NAME", true},
    {"Driver", "DRIVER", true},      {"Scope", "SCOPE", true},
    {"CreatedAt", "CREATED", false}, {"IPv6", "IPV6", false},
    {"Internal", "INTERNAL", false}, {"Labels", "LABELS", false},
    {"Subnets", "SUBNETS", false},   {0}};

static bool is_custom(const char *name)
{
    return strcmp(name, "bridge") != 0 && strcmp(name, "host") != 0 &&
           strcmp(name, "none") != 0;
}

/* One key: some value of it matches, or none is given. */
static bool one_of(char *const *filters, const char *key, const char *is, bool part)
{
    const char *value;
    bool any = false;
    char *const *at = filters;
    while (at && (value = cli_filter_next(&at, key))) {
        any = true;
        if (part ? strstr(is, value) != NULL : strcmp(is, value) == 0)
            return true;
    }
    return !any;
}

static bool has_labels(const json_t *labels, char *const *filters)
{
    const char *value;
    char *const *at = filters;
    while (at && (value = cli_filter_next(&at, "label"))) {
        size_t len = strcspn(value, "=");
        dr_auto_free char *key = dr_strndup(value, len);
        const char *is = dr_json_str(labels, key);
        if (!is || (value[len] && strcmp(is, value + len + 1) != 0))
            return false;
    }
    return true;
}

static bool wanted(const json_t *network, char *const *filters)
{
    const char *name = dr_json_str(network, "Name"), *id = dr_json_str(network, "Id");
    const char *driver = dr_json_str(network, "Driver");
    return name && id && driver && one_of(filters, "name", name, true) &&
           one_of(filters, "id", id, true) && one_of(filters, "driver", driver, false) &&
           one_of(filters, "type", is_custom(name) ? "custom" : "builtin", false) &&
           has_labels(dr_json_object(network, "Labels"), filters);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(dr_json_str(*(json_t *const *)a, "Name"),
                  dr_json_str(*(json_t *const *)b, "Name"));
}

static char *join_labels(const json_t *labels)
{
    struct dr_buf buf = DR_BUF_INIT(1u << 20);
    dr_auto_error struct dr_error unused = DR_ERROR_INIT;
    const char *key;
    json_t *value;
    json_object_foreach ((json_t *)labels, key, value)
        dr_buf_addf(&buf, &unused, "%s%s=%s", buf.len ? "," : "", key,
                    json_string_value(value) ?: "");
    return dr_buf_take(&buf);
}

static char *join_subnets(const json_t *network)
{
    struct dr_buf buf = DR_BUF_INIT(4096);
    dr_auto_error struct dr_error unused = DR_ERROR_INIT;
    size_t i;
    json_t *one;
    json_array_foreach (dr_json_array(dr_json_object(network, "IPAM"), "Config"), i, one)
        dr_buf_addf(&buf, &unused, "%s%s", buf.len ? "," : "",
                    dr_json_str(one, "Subnet") ?: "");
    return dr_buf_take(&buf);
}

static json_t *make_row(const json_t *network, bool no_trunc)
{
    json_t *row = json_object();
    const char *id = dr_json_str(network, "Id");
    static const char *const same[][2] = {{"Name", "Name"},
                                          {"Driver", "Driver"},
                                          {"Scope", "Scope"},
                                          {"CreatedAt", "Created"}};
    for (size_t i = 0; i < DR_COUNT(same); i++)
        dr_json_set_str(row, same[i][0], dr_json_str(network, same[i][1]) ?: "");
    dr_json_set_str(row, "ID", no_trunc || strlen(id) < 12 ? id : cli_short_id(id));
    dr_json_set_str(row, "IPv6", dr_json_bool(network, "EnableIPv6") ? "true" : "false");
    dr_json_set_str(row, "Internal",
                    dr_json_bool(network, "Internal") ? "true" : "false");
    dr_auto_free char *labels = join_labels(dr_json_object(network, "Labels"));
    dr_auto_free char *subnets = join_subnets(network);
    dr_json_set_str(row, "Labels", labels);
    dr_json_set_str(row, "Subnets", subnets);
    return row;
}

static int ls(struct cli *cli, const struct network_ls_args *args, struct dr_error *err)
{
    struct dray_target *target = cli_target(cli, err);
    struct dray_error *failed = NULL;
    char *text = NULL;
    if (!target)
        return -1;
    int rc = dray_network_list(target, NULL, &text, &failed);
    dr_auto_json json_t *networks = cli_rc_json(rc, &text, &failed, err);
    if (!networks)
        return -1;
    size_t count = 0, all = json_array_size(networks);
    dr_auto_free json_t **chosen = dr_alloc((all + 1) * sizeof(*chosen));
    for (size_t i = 0; i < all; i++)
        if (wanted(json_array_get(networks, i), args->filters))
            chosen[count++] = json_array_get(networks, i);
    qsort(chosen, count, sizeof(*chosen), by_name);
    dr_auto_json json_t *rows = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(rows, make_row(chosen[i], args->no_trunc));
    return cli_list_print(args->quiet && !args->format ? "{{.ID}}" : args->format,
                          columns, rows, err);
}

int cmd_network_ls(struct cli *cli, void *arg)
{
    static const char *const keys[] = {"driver", "id", "label", "name", "type", NULL};
    const struct network_ls_args *args = arg;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    if (cli_format_check(args->format, &err) < 0 ||
        cli_filters_check(args->filters, keys, &err) < 0)
        return cli_usage_error(cli, &err);
    return ls(cli, args, &err) < 0 ? cli_error(cli, &err) : CLI_OK;
}

/* --- rm, connect, disconnect --- */

static int rm_one(struct cli *cli, const char *word, const void *arg, char **ret_line,
                  struct dr_error *err)
{
    const struct network_rm_args *args = arg;
    struct dray_error *failed = NULL;
    if (cli_rc(dray_network_remove(cli->target, word, args->force, NULL, &failed),
               &failed, err) < 0)
        return -1;
    *ret_line = dr_strdup(word);
    return 0;
}

int cmd_network_rm(struct cli *cli, void *args)
{
    return cli_each(cli, 1, rm_one, args);
}

int cmd_network_connect(struct cli *cli, void *arg)
{
    const struct network_connect_args *args = arg;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    struct dray_target *target = cli_target(cli, &err);
    struct dray_error *failed = NULL;
    struct dray_connect_options options = DRAY_INIT(options);
    options.ip = args->ip;
    options.ip6 = args->ip6;
    options.mac_address = args->mac_address;
    options.aliases = args->aliases;
    if (!target || cli_rc(dray_network_connect(target, cli->words[0], cli->words[1],
                                               &options, NULL, &failed),
                          &failed, &err) < 0)
        return cli_error(cli, &err);
    return CLI_OK;
}

int cmd_network_disconnect(struct cli *cli, void *arg)
{
    const struct rm_args *args = arg;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    struct dray_target *target = cli_target(cli, &err);
    struct dray_error *failed = NULL;
    if (!target || cli_rc(dray_network_disconnect(target, cli->words[0], cli->words[1],
                                                  NULL, &failed),
                          &failed, &err) < 0) {
        if (!args->force || err.kind != DR_ERR_NOT_FOUND)
            return cli_error(cli, &err);
    }
    return CLI_OK;
}
