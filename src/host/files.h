/* SPDX-License-Identifier: Apache-2.0 */
/* Paths inside a container, for the files of src/host that copy. */
#ifndef DRAY_HOST_FILES_H
#define DRAY_HOST_FILES_H

#include "host/target.h"

/* dray_container_stat_path within limits. */
int files_stat_path(struct dray_target *target, const char *container, const char *path,
                    bool follow, const struct limits *limits,
                    struct dray_path_stat *ret_stat, struct dr_error *err);

#endif
