/* SPDX-License-Identifier: Apache-2.0 */
/* hosts, hostname and resolv.conf of a container as they begin (net/names.h puts in what
 * is known when it starts); the directories of bind mounts. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "guest/bundle/bundle.h"

#define FILE_MAX_BYTES (1U << 20)

static const char hosts_head[] = "127.0.0.1\tlocalhost\n"
                                 "::1\tlocalhost ip6-localhost ip6-loopback\n"
                                 "fe00::\tip6-localnet\n"
                                 "ff00::\tip6-mcastprefix\n"
                                 "ff02::1\tip6-allnodes\n"
                                 "ff02::2\tip6-allrouters\n";

/* The guest's own file; a missing one is empty. */
static int copy_of(const char *path, struct dr_buf *buf, struct dr_error *err)
{
    dr_auto_error struct dr_error inner = DR_ERROR_INIT;
    if (dr_file_read(AT_FDCWD, path, buf, &inner) < 0 && inner.kind != DR_ERR_NOT_FOUND)
        return dr_error_move(err, &inner);
    return 0;
}

static int write_in(const char *dir, const char *name, const struct dr_buf *buf,
                    struct dr_error *err)
{
    dr_auto_free char *path = dr_path_join(dir, name);
    return dr_file_write(AT_FDCWD, path, buf->data ? buf->data : "", buf->len, 0644, 0,
                         err);
}

int bundle_write_files(const char *dir, const char *hostname, const char *network,
                       struct dr_error *err)
{
    bool host_network = network && strcmp(network, "host") == 0;
    dr_auto_buf struct dr_buf hosts_text = DR_BUF_INIT(FILE_MAX_BYTES);
    dr_auto_buf struct dr_buf name_text = DR_BUF_INIT(FILE_MAX_BYTES);
    struct dr_buf empty = {0};
    int hosts = host_network ? copy_of("/etc/hosts", &hosts_text, err)
                             : dr_buf_addf(&hosts_text, err, "%s", hosts_head);
    if (hosts < 0 || dr_buf_addf(&name_text, err, "%s\n", hostname) < 0)
        return dr_wrap(err, "network files");
    if (write_in(dir, "hosts", &hosts_text, err) < 0 ||
        write_in(dir, "hostname", &name_text, err) < 0 ||
        write_in(dir, "resolv.conf", &empty, err) < 0)
        return dr_wrap(err, "network files");
    return 0;
}

int bundle_prepare_bind_source(const struct spec_mount *mount, struct dr_error *err)
{
    struct stat st;
    if (mount->type != SPEC_MOUNT_BIND || stat(mount->source, &st) == 0)
        return 0;
    if (errno != ENOENT)
        return dr_fail_errno(err, DR_ERR_CREATE, "volume source %s", mount->source);
    if (dr_mkdir_all(mount->source, 0755, err) < 0)
        return dr_wrap(err, "volume source %s", mount->source);
    return 0;
}
