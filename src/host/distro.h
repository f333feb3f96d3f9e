/* SPDX-License-Identifier: Apache-2.0 */
/*
 * WSL distros that dray makes (C04), by wsl.exe. A distro is ours as long as its disk,
 * ext4.vhdx, is in the directory that we gave it: WSL takes the disk away with the
 * distro, so that one of the same name that somebody made since is never touched.
 *
 * While one is made, <place>/.making/<name> is held by an flock and says its directory:
 * who finds it unheld undoes what a crash has left.
 */
#ifndef DRAY_HOST_DISTRO_H
#define DRAY_HOST_DISTRO_H

#include "host/target.h"

struct distro {
    char *name, *dir; /* owned */
    const struct limits *limits;
};

/* Where distros are by default: %LOCALAPPDATA%\dray\distros; on Linux, where that is for
 * tests, below $XDG_DATA_HOME or ~/.local/share; owned. DR_ERR_CONFIG. */
char *distro_place(struct dr_error *err);
/* Is one of that name registered, in any letters? */
int distro_is_registered(const struct distro *distro, bool *ret, struct dr_error *err);
bool distro_has_disk(const struct distro *distro);

/* Makes it of what write gives: a tar. Nothing is left when that fails. */
int distro_import(const struct distro *distro,
                  int (*write)(void *arg,
                               int (*sink)(void *to, const void *data, size_t len,
                                           struct dr_error *err),
                               void *to, struct dr_error *err),
                  void *arg, struct dr_error *err);
/* Runs a shell script in it as root; its last lines are the error's output. */
int distro_run(const struct distro *distro, const char *script, struct dr_error *err);
/* With all that is in it; its directory goes too when nothing else is in there. */
int distro_unregister(const struct distro *distro, struct dr_error *err);

#endif
