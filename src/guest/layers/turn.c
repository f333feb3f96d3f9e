/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two that want the same layer, threads or helpers: the second one waits for the first,
 * so that it is unpacked once. A lock on one byte of "<root>/layers/.turns", whose place
 * is the beginning of the diff id: it goes with the open file, so nothing is left of one
 * that was killed.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "guest/layers/store-private.h"

#define ASK_AGAIN_NS (20 * 1000 * 1000)
#define PLACE_DIGITS 15 /* of the digest, in hex: an offset is a signed 64-bit number */

static off_t place_of(const struct oci_digest *diff_id)
{
    char digits[PLACE_DIGITS + 1] = {0};
    memcpy(digits, oci_digest_hex(diff_id), PLACE_DIGITS);
    return (off_t)strtoll(digits, NULL, 16);
}

int layer_turn_take(struct layer_store *store, const struct oci_digest *diff_id,
                    layer_read_fn read, void *arg, int *ret_fd, struct dr_error *err)
{
    *ret_fd = -1;
    dr_auto_fd int fd =
        openat(store->layers, ".turns", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    struct flock byte = {.l_type = F_WRLCK,
                         .l_whence = SEEK_SET,
                         .l_start = place_of(diff_id),
                         .l_len = 1};
    /* without a lock it may be unpacked twice, which is no harm */
    while (fd >= 0 && fcntl(fd, F_OFD_SETLK, &byte) < 0) {
        if (errno != EAGAIN && errno != EACCES && errno != EINTR)
            return 0;
        struct timespec wait = {.tv_nsec = ASK_AGAIN_NS};
        nanosleep(&wait, NULL);
        if (read(arg, NULL, 0, err) < 0)
            return -1;
    }
    *ret_fd = DR_TAKE_FD(fd);
    return 0;
}
