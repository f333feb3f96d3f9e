/* SPDX-License-Identifier: Apache-2.0 */
/* info and version: what is on either side. */
#include <string.h>

#include "base/text.h"
#include "cli/args.h"
#include "cli/cli.h"
#include "transport/address.h"

#if defined(__x86_64__)
#define OUR_ARCH "amd64"
#elif defined(__aarch64__)
#define OUR_ARCH "arm64"
#else
#define OUR_ARCH "unknown"
#endif

static void print_format(const char *format, const json_t *data, struct dr_buf *buf,
                         struct dr_error *err, int *ret_rc)
{
    *ret_rc =
        cli_format(strcmp(format, "json") == 0 ? "{{json .}}" : format, data, buf, err);
    if (*ret_rc == 0)
        puts(buf->data ? buf->data : ""); /* values are escaped, the format is ours */
}

static void line(const char *indent, const char *name, const char *value)
{
    if (!value || !*value)
        return;
    dr_auto_free char *safe = dr_escape(value, 0);
    printf("%s%s: %s\n", indent, name, safe);
}

static void count_line(const json_t *info, const char *name, const char *key)
{
    printf("%s: %lld\n", name, (long long)dr_json_int(info, key, 0));
}

static void print_runtimes(const json_t *info)
{
    struct dr_buf buf = DR_BUF_INIT(65536);
    dr_auto_error struct dr_error unused = DR_ERROR_INIT;
    json_t *runtimes = dr_json_array(info, "runtimes");
    for (size_t i = 0; i < json_array_size(runtimes); i++) {
        json_t *one = json_array_get(runtimes, i);
        const char *name =
            json_is_string(one) ? json_string_value(one) : dr_json_str(one, "name");
        dr_buf_addf(&buf, &unused, "%s%s", i ? " " : "", name ? name : "");
    }
    dr_auto_free char *text = dr_buf_take(&buf);
    line("", "Runtimes", text);
    const json_t *runtime = dr_json_object(info, "runtime");
    line("", "Runtime", dr_json_str(runtime, "name"));
    line(" ", "Version", dr_json_str(runtime, "version"));
    line(" ", "Path", dr_json_str(runtime, "path"));
}

static void print_info(const struct cli *cli, const json_t *info)
{
    dr_auto_free char *memory = dr_size_text(dr_json_int(info, "memory_bytes", 0));
    line("", "Target", cli->global.target ? cli->global.target : transport_default);
    count_line(info, "Containers", "containers");
    count_line(info, "Running", "running");
    count_line(info, "Images", "images");
    count_line(info, "Layers", "layers");
    print_runtimes(info);
    line("", "Cgroup", dr_json_str(info, "cgroup"));
    line("", "Kernel", dr_json_str(info, "kernel"));
    line("", "OS", dr_json_str(info, "os"));
    line("", "Architecture", dr_json_str(info, "arch"));
    count_line(info, "CPUs", "cpus");
    line("", "Memory", memory);
    line("", "Root", dr_json_str(info, "root"));
    line("", "Run root", dr_json_str(info, "run_root"));
    json_t *warnings = dr_json_array(info, "warnings");
    for (size_t i = 0; i < json_array_size(warnings); i++)
        cli_warn("warning: %s", json_string_value(json_array_get(warnings, i)));
}

static json_t *get_info(struct cli *cli, struct dr_error *err)
{
    struct dray_target *target = cli_target(cli, err);
    struct dray_error *failed = NULL;
    char *text = NULL;
    if (!target)
        return NULL;
    int rc = dray_info(target, NULL, &text, &failed);
    return cli_rc_json(rc, &text, &failed, err);
}

int cmd_info(struct cli *cli, void *arg)
{
    const struct format_args *args = arg;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_json json_t *info = NULL;
    dr_auto_buf struct dr_buf buf = DR_BUF_INIT(16u << 20);
    int rc = 0;
    if (cli_format_check(args->format, &err) < 0)
        return cli_usage_error(cli, &err);
    info = get_info(cli, &err);
    if (!info)
        return cli_error(cli, &err);
    if (args->format)
        print_format(args->format, info, &buf, &err, &rc);
    else
        print_info(cli, info);
    return rc < 0 ? cli_error(cli, &err) : CLI_OK;
}

static json_t *our_version(void)
{
    json_t *client = json_object();
    dr_json_set_str(client, "Version", DRAY_VERSION);
    dr_json_set_str(client, "Library", dray_version());
    dr_json_set_str(client, "Os", CLI_WINDOWS ? "windows" : "linux");
    dr_json_set_str(client, "Arch", OUR_ARCH);
    return client;
}

/* From the helper's HELLO, and the runtime from system.info. */
static json_t *guest_version(struct cli *cli, struct dr_error *err)
{
    dr_auto_json json_t *info = get_info(cli, err);
    struct dray_error *failed = NULL;
    char *text = NULL;
    if (!info)
        return NULL;
    int rc = dray_hello(cli->target, &text, &failed);
    dr_auto_json json_t *hello = cli_rc_json(rc, &text, &failed, err);
    if (!hello)
        return NULL;
    const json_t *runtime = dr_json_object(info, "runtime");
    json_t *guest = json_object();
    dr_json_set_str(guest, "Version", dr_json_str(hello, "build"));
    dr_json_set_str(guest, "Os", dr_json_str(hello, "os"));
    dr_json_set_str(guest, "Arch", dr_json_str(hello, "arch"));
    dr_json_set_str(guest, "KernelVersion", dr_json_str(hello, "kernel"));
    dr_json_set_str(guest, "Runtime", dr_json_str(runtime, "name"));
    dr_json_set_str(guest, "RuntimeVersion", dr_json_str(runtime, "version"));
    return guest;
}

static void print_side(const char *heading, const json_t *side)
{
    const char *runtime = dr_json_str(side, "Runtime");
    const char *version = dr_json_str(side, "RuntimeVersion");
    dr_auto_free char *arch =
        dr_printf("%s/%s", dr_json_str(side, "Os") ? dr_json_str(side, "Os") : "",
                  dr_json_str(side, "Arch") ? dr_json_str(side, "Arch") : "");
    dr_auto_free char *both =
        dr_printf("%s %s", runtime ? runtime : "", version ? version : "");
    printf("%s:\n", heading);
    line(" ", "Version", dr_json_str(side, "Version"));
    line(" ", "Library", dr_json_str(side, "Library"));
    line(" ", "OS/Arch", arch);
    line(" ", "Kernel", dr_json_str(side, "KernelVersion"));
    if (runtime)
        line(" ", "Runtime", both);
}

int cmd_version(struct cli *cli, void *arg)
{
    const struct format_args *args = arg;
    dr_auto_error struct dr_error err = DR_ERROR_INIT, shown = DR_ERROR_INIT;
    dr_auto_buf struct dr_buf buf = DR_BUF_INIT(1u << 20);
    dr_auto_json json_t *both = json_object();
    int rc = 0;
    if (cli_format_check(args->format, &err) < 0)
        return cli_usage_error(cli, &err);
    json_t *client = our_version();
    dr_json_set(both, "Client", client);
    if (!args->format)
        print_side("Client", client);
    json_t *guest = guest_version(cli, &err);
    dr_json_set(both, "Guest", guest ? guest : json_null());
    if (args->format)
        print_format(args->format, both, &buf, &shown, &rc);
    else if (guest)
        print_side("Guest", guest);
    if (rc < 0) {
        rc = cli_error(cli, &shown);
        dr_error_release(&shown);
        return rc;
    }
    return guest ? CLI_OK : cli_error(cli, &err);
}
