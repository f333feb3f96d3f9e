/* SPDX-License-Identifier: Apache-2.0 */
/* Writes the sample (sample.h) to stdout, for other programs to read: `tar-sample [big]`.
 */
#include <stdio.h>

#include "base/fs.h"
#include "sample.h"

static int sink(void *arg, const void *data, size_t len, struct dr_error *err)
{
    if (dr_write_full(1, data, len) < 0)
        return dr_fail_errno(err, DR_ERR_INTERNAL, "write");
    return 0;
}

int main(int argc, char **argv)
{
    struct tar_writer *w = tar_writer_new(sink, NULL);
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    int result = sample_write(w, argc > 1, &err);
    tar_writer_free(w);
    if (result < 0)
        fprintf(stderr, "%s\n", err.text);
    return result < 0;
}
