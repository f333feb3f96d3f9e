/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Paths as Windows writes them. Only text, the same on every system: the host tells them
 * from others, the guest knows what they are called there.
 * Rule: Microsoft's "File path formats on Windows systems", and `man wslpath`.
 */
#ifndef DRAY_BASE_WINPATH_H
#define DRAY_BASE_WINPATH_H

#include "base/mem.h"

enum dr_winpath_kind {
    DR_WINPATH_NONE,   /* no absolute Windows path */
    DR_WINPATH_DRIVE,  /* C:\x, C:/x, \\?\C:\x */
    DR_WINPATH_DISTRO, /* \\wsl.localhost\NAME\x, \\wsl$\NAME\x */
    DR_WINPATH_SHARE,  /* \\server\share\x, \\?\UNC\server\share\x */
    DR_WINPATH_DEVICE, /* \\.\pipe\x and the like */
};

enum dr_winpath_kind dr_winpath_kind(const char *path);

struct dr_winpath {
    enum dr_winpath_kind kind;
    char drive;   /* DRIVE: in lower case */
    char *distro; /* DISTRO: its name as it was written */
    char *rest;   /* DRIVE, DISTRO: behind that, as a Linux path: "/" or "/a/b", without
                   * "." and ".." */
};
#define dr_auto_winpath DR_CLEANUP(dr_winpath_release)
/* *ret is set always, and to be released. */
void dr_winpath_parse(const char *path, struct dr_winpath *ret);
void dr_winpath_release(struct dr_winpath *path);

/*
 * How long the Windows path is that "source:target[:options]" begins with; 0: it begins
 * with none. With slashes, a drive must be followed by a target: "c:/x" and "c:/x:ro" are
 * a volume called c, on every system. (On Linux nothing that is valid is taken for a
 * Windows path.)
 */
size_t dr_winpath_source_len(const char *text);

/*
 * What a path of a Windows command line is when one stands in directory here (absolute):
 * ".\x", "..\x", "x\y" and "\x" become absolute; absolute ones stay as they are. Owned.
 */
char *dr_winpath_absolute(const char *here, const char *path);

#endif
