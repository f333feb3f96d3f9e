/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/system.h"

#include <stdio.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>

#include "base/fs.h"
#include "guest/cgroup/cgroup.h"
#include "guest/container/container.h"
#include "guest/examine.h"
#include "guest/files/usage.h"
#include "guest/guest.h"
#include "guest/images/images.h"
#include "guest/runtime/runtime.h"
#include "oci/platform.h"

const char *guest_build(void)
{
    return DRAY_VERSION;
}

void guest_boot_id(char ret[40])
{
    dr_auto_buf struct dr_buf text = DR_BUF_INIT(39);
    struct dr_error ignored = DR_ERROR_INIT;
    dr_file_read(AT_FDCWD, "/proc/sys/kernel/random/boot_id", &text, &ignored);
    dr_error_release(&ignored);
    snprintf(ret, 40, "%s", text.data ? text.data : "");
    ret[strcspn(ret, "\n")] = '\0';
}

json_t *guest_hello(void)
{
    struct utsname name;
    struct oci_platform platform;
    char boot_id[40];
    uname(&name);
    oci_platform_set(&platform, "linux", name.machine, NULL);
    guest_boot_id(boot_id);
    json_t *json = json_object();
    dr_json_set_int(json, "protocol", WIRE_PROTOCOL);
    dr_json_set_str(json, "build", guest_build());
    dr_json_set_str(json, "os", "linux");
    dr_json_set_str(json, "arch", platform.arch);
    dr_json_set_str(json, "variant", platform.variant);
    dr_json_set_str(json, "boot_id", boot_id);
    dr_json_set_str(json, "kernel", name.release);
    dr_json_set_str(json, "cgroup", cgroup_mode_name(cgroup_mode()));
    dr_json_set_int(json, "euid", geteuid());
    dr_json_set_int(json, "pid", getpid());
    dr_json_set_int(json, "cpus", get_nprocs());
    return json;
}

static int count_image(void *arg, const struct image *image)
{
    ++*(int *)arg;
    return 0;
}

static int count_layer(void *arg, const struct oci_digest *diff_id, struct dr_error *err)
{
    ++*(int *)arg;
    return 0;
}

static int op_info(struct guest *guest, struct wire_chan *chan, const json_t *request,
                   json_t **ret_reply, struct dr_error *err)
{
    int images = 0, layers = 0, containers = 0, running = 0;
    struct sysinfo memory;
    if (image_each(guest, count_image, &images, err) < 0 ||
        layer_store_list(guest->layers, count_layer, &layers, err) < 0 ||
        container_count(guest, &containers, &running, err) < 0)
        return -1;
    json_t *json = guest_hello();
    sysinfo(&memory);
    dr_json_set_str(json, "root", guest->root);
    dr_json_set_str(json, "run_root", guest->run_root);
    dr_json_set_str(json, "bundle_root", guest->bundle_root);
    dr_json_set_str(json, "log_root", guest->log_root);
    dr_json_set_int(json, "containers", containers);
    dr_json_set_int(json, "running", running);
    dr_json_set_int(json, "images", images);
    dr_json_set_int(json, "layers", layers);
    dr_json_set_int(json, "memory_bytes", (int64_t)memory.totalram * memory.mem_unit);
    json_t *warnings = json_array(), *all = runtime_list(guest->root, guest->runtime),
           *one;
    size_t i;
    json_array_foreach (all, i, one)
        json_array_extend(warnings, json_object_get(one, "warnings"));
    dr_json_set(json, "runtimes", all);
    dr_json_set(json, "runtime", json_incref(json_array_get(all, 0)));
    dr_json_set(json, "warnings", warnings);
    *ret_reply = json;
    return 0;
}

/* C02, C03: is this target fit to run containers? That it answers at all says that the
 * stores could be opened. */
static int op_check(struct guest *guest, struct wire_chan *chan, const json_t *request,
                    json_t **ret_reply, struct dr_error *err)
{
    struct runtime runtime;
    if (runtime_find(guest->runtime, &runtime, err) < 0)
        return -1;
    runtime_release(&runtime);
    return 0;
}

static int op_examine(struct guest *guest, struct wire_chan *chan, const json_t *request,
                      json_t **ret_reply, struct dr_error *err)
{
    dr_auto_json json_t *all = examine(guest);
    size_t i;
    json_t *one;
    json_array_foreach (all, i, one) {
        dr_auto_json json_t *event = json_pack("{s:s,s:O}", "event", "item", "item", one);
        if (wire_event(chan, event, err) < 0)
            return -1;
    }
    return 0;
}

static int op_df(struct guest *guest, struct wire_chan *chan, const json_t *request,
                 json_t **ret_reply, struct dr_error *err)
{
    return usage_report(guest, ret_reply, err);
}

const struct guest_op guest_system_ops[] = {
    {"system.check", op_check},
    {"system.info", op_info},
    {"system.df", op_df},
    {"system.examine", op_examine},
    {NULL, NULL},
};
