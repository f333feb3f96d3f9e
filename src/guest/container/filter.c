/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/container/filter.h"

#include <string.h>
#include <sys/utsname.h>

#include "base/fs.h"
#include "base/text.h"

/* The kernel takes at most 4096 instructions of 8 bytes each. */
#define FILTER_MAX (4096 * 8)

char *filter_path(const struct guest *guest, const struct runtime *runtime,
                  const json_t *config)
{
    json_t *profile = dr_json_object(dr_json_object(config, "linux"), "seccomp");
    struct utsname name;
    if (!profile || !runtime->traits->seccomp_bpf || uname(&name) < 0)
        return NULL;
    dr_auto_free char *text = dr_json_text(profile);
    dr_auto_free char *identity = dr_printf(
        "%s\n%lld\n%lld\n%s\n%s\n", runtime->path, (long long)runtime->size_bytes,
        (long long)runtime->mtime_ns, name.release, name.machine);
    struct dr_sha256 hash;
    char hex[DR_SHA256_HEX + 1];
    dr_sha256_init(&hash);
    dr_sha256_add(&hash, identity, strlen(identity));
    dr_sha256_add(&hash, text, strlen(text));
    dr_sha256_hex(&hash, hex);
    return dr_printf("%s/cache/seccomp/%s.bpf", guest->root, hex);
}

static int read_filter(const char *path, struct dr_buf *ret)
{
    dr_auto_error struct dr_error ignored = DR_ERROR_INIT; /* it is only a cache */
    if (dr_file_read(AT_FDCWD, path, ret, &ignored) < 0)
        return -1;
    return ret->len > 0 && ret->len % 8 == 0 ? 0 : -1;
}

void filter_use(const char *path, json_t *config)
{
    dr_auto_buf struct dr_buf filter = DR_BUF_INIT(FILTER_MAX);
    if (!path || read_filter(path, &filter) < 0)
        return;
    json_t *annotations = dr_json_object(config, "annotations");
    if (!annotations)
        dr_json_set(config, "annotations", annotations = json_object());
    dr_auto_free char *text = dr_base64(filter.data, filter.len);
    dr_json_set_str(annotations, "run.oci.seccomp_bpf_data", text);
}

void filter_keep(const char *path, const char *state_root, const char *id)
{
    if (!path || access(path, F_OK) == 0)
        return;
    dr_auto_error struct dr_error ignored = DR_ERROR_INIT;
    dr_auto_buf struct dr_buf filter = DR_BUF_INIT(FILTER_MAX);
    dr_auto_free char *from = dr_printf("%s/%s/seccomp.bpf", state_root, id);
    dr_auto_free char *dir = dr_strdup(path);
    char *slash = strrchr(dir, '/');
    *slash = '\0';
    if (read_filter(from, &filter) == 0 && dr_mkdir_all(dir, 0700, &ignored) == 0)
        dr_file_write(AT_FDCWD, path, filter.data, filter.len, 0600, 0, &ignored);
}
