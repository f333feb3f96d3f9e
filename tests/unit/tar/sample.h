/* SPDX-License-Identifier: Apache-2.0 */
/* Entries at the edges of what a header holds, for the writer's tests. */
#ifndef DRAY_TESTS_TAR_SAMPLE_H
#define DRAY_TESTS_TAR_SAMPLE_H

#include "tar/writer.h"

#define SAMPLE_COUNT 18
/* Entry i; TAR_FILEs below 1 MiB hold 'a' + i, repeated. Static storage. */
const struct tar_entry *sample_entry(size_t i);
/* All of them with their data; entries of 8 GiB and more only when big. */
int sample_write(struct tar_writer *w, bool big, struct dr_error *err);

#endif
