/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Prints what src/guest/bundle makes of a request, for the golden and the real-runtime
 * tests:
 *
 *     bundle-tool config < request     config.json
 *     bundle-tool exec CONFIG < request   process.json
 *
 * request: {"spec": …, "image": …, "rootfs": "rootfs", "cgroups_path": "/dray/x",
 * "files": "/dir with hosts, hostname, resolv.conf", "layers": ["/dir", …],
 * "init": "/path", "volume_sources": […], "fixed_facts": true,
 * "args": […], "user": "…", "env": […], "privileged": false}
 */
#include <stdio.h>
#include <string.h>

#include "base/fs.h"
#include "facts.h"

#define LAYERS_MAX 128

static struct dr_error err;

static int failed(void)
{
    fprintf(stderr, "%s: %s\n", dr_kind_name(err.kind), err.text);
    return 1;
}

static int resolve(const json_t *request, const char *text, struct bundle_user *user)
{
    int fds[LAYERS_MAX];
    size_t n = 0, i;
    json_t *layer;
    json_array_foreach (dr_json_array(request, "layers"), i, layer) {
        fds[n] = open(json_string_value(layer), O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (fds[n] < 0 || n + 1 == LAYERS_MAX)
            return dr_fail_errno(&err, DR_ERR_NONE, "layer %zu", i);
        n++;
    }
    int r = bundle_resolve_user(fds, n, text, user, &err);
    while (n--)
        close(fds[n]);
    return r;
}

static int config(const json_t *request, const struct bundle_facts *facts)
{
    spec_auto_container struct spec_container *spec =
        spec_container_from_json(json_object_get(request, "spec"), &err);
    if (!spec)
        return failed();
    const json_t *image = dr_json_object(request, "image");
    bundle_auto_user struct bundle_user user = {0};
    if (resolve(request, bundle_user_text(spec, image), &user) < 0)
        return failed();
    dr_auto_strv char **sources = dr_json_strv(dr_json_array(request, "volume_sources"));
    const char *files = dr_json_str(request, "files");
    dr_auto_free char *hosts = files ? dr_path_join(files, "hosts") : NULL;
    dr_auto_free char *hostname = files ? dr_path_join(files, "hostname") : NULL;
    dr_auto_free char *resolv = files ? dr_path_join(files, "resolv.conf") : NULL;
    struct bundle_input in = {
        .spec = spec,
        .image_config = image,
        .facts = facts,
        .user = &user,
        .id = "0123456789abcdef",
        .slug = "web",
        .rootfs_path = "rootfs",
        .cgroups_path = dr_json_str(request, "cgroups_path"),
        .hosts_file = hosts,
        .hostname_file = hostname,
        .resolv_file = resolv,
        .init_path = dr_json_str(request, "init"),
        .volume_sources = *sources ? (const char *const *)sources : NULL,
        .seccomp_bpf_base64 = dr_json_str(request, "bpf"),
    };
    dr_auto_json json_t *result = bundle_config(&in, &err);
    if (!result)
        return failed();
    dr_auto_free char *text = bundle_text(result);
    puts(text);
    return 0;
}

static int exec(const json_t *request, const char *path, const struct bundle_facts *facts)
{
    dr_auto_buf struct dr_buf buf = DR_BUF_INIT(1U << 20);
    if (dr_file_read(AT_FDCWD, path, &buf, &err) < 0)
        return failed();
    dr_auto_json json_t *container = bundle_parse(buf.data, buf.len, &err);
    dr_auto_strv char **args = dr_json_strv(dr_json_array(request, "args"));
    dr_auto_strv char **env = dr_json_strv(dr_json_array(request, "env"));
    bundle_auto_user struct bundle_user user = {0};
    const char *name = dr_json_str(request, "user");
    if (!container || (name && resolve(request, name, &user) < 0))
        return failed();
    struct bundle_exec what = {
        .args = args,
        .env = env,
        .workdir = dr_json_str(request, "workdir"),
        .user = name ? &user : NULL,
        .privileged = dr_json_bool(request, "privileged"),
    };
    dr_auto_json json_t *process = bundle_process_for_exec(container, &what, facts, &err);
    if (!process)
        return failed();
    dr_auto_free char *text = bundle_text(process);
    puts(text);
    return 0;
}

int main(int argc, char **argv)
{
    static char text[1 << 20];
    size_t len = fread(text, 1, sizeof text, stdin);
    dr_auto_json json_t *request = dr_json_parse(text, len, sizeof text, &err);
    if (!request || argc < 2)
        return failed();
    struct bundle_facts facts;
    if (dr_json_bool(request, "fixed_facts"))
        fixed_facts(&facts);
    else
        bundle_facts_read(&facts);
    if (strcmp(argv[1], "files") == 0)
        return bundle_write_files(dr_json_str(request, "files"), "web",
                                  dr_json_str(request, "network"), &err) < 0
                   ? failed()
                   : 0;
    if (strcmp(argv[1], "exec") == 0)
        return argc > 2 ? exec(request, argv[2], &facts) : 2;
    return config(request, &facts);
}
