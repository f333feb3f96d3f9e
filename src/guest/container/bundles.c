/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/container/bundles.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "guest/log/log.h"

char *bundle_path(const struct guest *guest, const char *id, const char *slug,
                  bool alternative)
{
    return alternative ? dr_printf("%s/%s-%.8s", guest->bundle_root, slug, id)
                       : dr_path_join(guest->bundle_root, slug);
}

char *bundle_log_path(const struct guest *guest, const char *bundle)
{
    const char *name = strrchr(bundle, '/');
    return dr_printf("%s/%s.log", guest->log_root, name ? name + 1 : bundle);
}

static char *stage_path(const struct guest *guest, const char *id)
{
    return dr_printf("%s/.%s", guest->bundle_root, id);
}

int bundle_stage(const struct guest *guest, const char *id, struct dr_error *err)
{
    dr_auto_free char *stage = stage_path(guest, id);
    dr_auto_free char *mark = dr_path_join(stage, "id");
    dr_auto_free char *rootfs = dr_path_join(stage, "rootfs");
    if (mkdir(stage, 0711) < 0 && errno == ENOENT) {
        if (dr_mkdir_all(guest->bundle_root, 0711, err) < 0)
            return -1;
        mkdir(stage, 0711);
    }
    if (symlink(id, mark) < 0 || mkdir(rootfs, 0755) < 0)
        return dr_fail_errno(err, DR_ERR_CREATE, "make bundle %s", stage);
    return 0;
}

int bundle_claim(const struct guest *guest, const char *id, const char *bundle,
                 struct dr_error *err)
{
    dr_auto_free char *stage = stage_path(guest, id);
    /* a directory takes the place of an empty one only, and no bundle is empty */
    if (rename(stage, bundle) == 0)
        return 0;
    if (errno == EEXIST || errno == ENOTEMPTY || errno == ENOTDIR)
        return 1;
    return dr_fail_errno(err, DR_ERR_CREATE, "make bundle %s", bundle);
}

bool bundle_is_of(const char *bundle, const char *id)
{
    char owner[CONTAINER_ID_HEX + 2];
    dr_auto_free char *mark = dr_path_join(bundle, "id");
    return readlink(mark, owner, sizeof owner) == CONTAINER_ID_HEX &&
           memcmp(owner, id, CONTAINER_ID_HEX) == 0;
}

int bundle_remove(const struct guest *guest, const char *id, const char *bundle,
                  const char *log, struct dr_error *err)
{
    dr_auto_free char *stage = stage_path(guest, id);
    if (bundle && bundle_is_of(bundle, id)) {
        if (log)
            log_remove(log);
        /* from here on it is found by the id alone, whatever of it is left */
        if (rename(bundle, stage) < 0 && dr_remove_all(AT_FDCWD, bundle, err) < 0)
            return -1;
    }
    return dr_remove_all(AT_FDCWD, stage, err);
}
