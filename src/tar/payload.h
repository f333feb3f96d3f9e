/* SPDX-License-Identifier: Apache-2.0 */
/* What both unpackers share: an entry's bytes, into its file. */
#ifndef DRAY_TAR_PAYLOAD_H
#define DRAY_TAR_PAYLOAD_H

#include "tar/tar.h"

/* The stored bytes go where they belong, holes stay holes; the reader checked that they
 * add up. -1: *err says what is wrong with the archive; 1: errno what is with the file.
 */
int tar_payload_write(struct tar *tar, const struct tar_entry *e, int fd,
                      struct dr_error *err);

#endif
