/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a program has the disk do, in order (HAZARDS H5 I1). disk.c, compiled into a test,
 * stands before the C library's syncfs, fsync, rename and renameat, and notes them:
 * "syncfs;", "fsync NAME;", "rename NAME;", the last component of the path as NAME.
 */
#ifndef DRAY_TEST_DISK_H
#define DRAY_TEST_DISK_H

/* From here on; forgets what was noted before. */
void disk_watch(void);
/* What has happened since; valid until the next call of either. */
const char *disk_steps(void);
/* syncfs and fsync fail with this errno from here on; 0: they work again. */
void disk_fail(int number);

#endif
