/* SPDX-License-Identifier: Apache-2.0 */
/* An image archive, as `load` reads it from a pipe: a tar of either kind. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "archive/archive.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void look_at(struct archive *archive, size_t i)
{
    static const struct oci_platform amd64 = {"linux", "amd64", ""};
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_image struct oci_image image = OCI_IMAGE_INIT;
    if (archive_resolve(archive, i, &amd64, &image, &err) < 0)
        return;
    for (size_t j = 0; j < image.manifest.n_layers; j++) {
        dr_auto_range struct file_range range = FILE_RANGE_INIT;
        char bytes[512];
        if (archive_blob(archive, &image.manifest.layers[j], &range, &err) == 0)
            file_range_read(&range, 0, bytes, sizeof bytes, &err);
        dr_error_release(&err);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    struct archive *archive = NULL;
    int fd = memfd_create("archive", MFD_CLOEXEC);
    if (fd < 0 || write(fd, data, size) != (ssize_t)size || lseek(fd, 0, SEEK_SET) != 0)
        abort();
    if (archive_open_fd(fd, "/tmp", &archive, &err) < 0) {
        if (err.kind == DR_ERR_NONE || !err.text[0])
            abort();
        return 0;
    }
    for (size_t i = 0; i < archive_count(archive) && i < 8; i++)
        look_at(archive, i);
    archive_close(archive);
    return 0;
}
