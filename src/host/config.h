/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The user's config.yaml: named targets, and which one is in use (C01).
 *
 *     cache_limit: 20g          # of the blobs on this machine; "none": no limit
 *     target: lab               # the one in use; local without this line
 *     targets:
 *       lab:
 *         url: ssh://root@lab.example
 *         runtime: crun         # and root, run_root, bundle_root, log_root, user,
 *       vm:                     # connect_timeout, line_timeout, network_fallback
 *         command: [limactl, shell, default]
 *
 * Errors are DR_ERR_CONFIG and begin with FILE:LINE:COLUMN.
 */
#ifndef DRAY_HOST_CONFIG_H
#define DRAY_HOST_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

struct config_target {
    char *name;
    char *url; /* made of `command` when that was given */
    char *root, *run_root, *bundle_root, *log_root, *runtime, *user;
    char *distro_dir;       /* dray made the WSL distro, and its disk is there (C04) */
    char *network_fallback; /* "host" or "fail"; NULL: the default */
    int64_t connect_timeout_ms, line_timeout_ms; /* 0: the default */
};

struct config {
    char *path;
    char *current;     /* NULL: local */
    char *cache_limit; /* text, checked; NULL: not said */
    struct config_target *targets;
    size_t count;
};

#define dr_auto_user_config DR_CLEANUP(config_release)

/* $XDG_CONFIG_HOME/dray/config.yaml, or below ~/.config; owned. NULL: there is no home.
 */
char *config_path(void);
/* A file that is not there has nothing in it. */
int config_read(struct config *ret, struct dr_error *err);
int config_parse(const char *path, const char *text, size_t len, struct config *ret,
                 struct dr_error *err);
void config_release(struct config *config);
void config_target_release(struct config_target *target);

/* What --target says: an address as it is, "local", or the name of a target; NULL: local.
 * An unknown name is DR_ERR_CONFIG, with the nearest one. */
int config_resolve(const char *target, struct config_target *ret, struct dr_error *err);

/* The file is changed where it has to be, comments stay; what cannot be changed so is
 * refused, and the file stays as it is. */
int config_add(const struct config_target *target, struct dr_error *err);
int config_use(const char *name, struct dr_error *err);
int config_remove(const char *name, struct dr_error *err);

/* Can it be the name of a target? */
bool config_fallback_ok(const char *text);
bool config_name_ok(const char *name);

/* The keys of a target, in the order in which they are written. */
struct config_key {
    const char *name;
    size_t at; /* offset of the member in struct config_target */
    enum config_form {
        CONFIG_TEXT,
        CONFIG_FALLBACK, /* a text, of two */
        CONFIG_PATH,     /* absolute */
        CONFIG_TIME,
        CONFIG_WORDS
    } form;
};
extern const struct config_key config_keys[]; /* ends with a NULL name */

#endif
