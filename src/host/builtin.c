/* SPDX-License-Identifier: Apache-2.0 */
#include "host/builtin.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "hello_blob.h"
#ifdef HAVE_GUEST_AARCH64
#include "hello_aarch64_blob.h"
#endif
#include "oci/platform.h"

#define BLOCK 512

bool builtin_is(const struct oci_ref *ref)
{
    return strcmp(ref->host, OCI_DEFAULT_HOST) == 0 &&
           strcmp(ref->path, "library/hello") == 0 && ref->tag &&
           strcmp(ref->tag, OCI_DEFAULT_TAG) == 0 && !ref->digest.text[0];
}

/* One regular file in POSIX ustar (pax(1p), "ustar Interchange Format"). */
static void ustar_header(unsigned char h[BLOCK], const char *name, size_t size)
{
    memset(h, 0, BLOCK);
    snprintf((char *)h, 100, "%s", name);
    memcpy(h + 100, "0000755", 8);
    memcpy(h + 108, "0000000", 8);
    memcpy(h + 116, "0000000", 8);
    snprintf((char *)h + 124, 12, "%011zo", size);
    memcpy(h + 136, "00000000000", 12);
    memset(h + 148, ' ', 8);
    h[156] = '0';
    memcpy(h + 257,
           "ustar\0"
           "00",
           8);
    unsigned sum = 0;
    for (size_t i = 0; i < BLOCK; i++)
        sum += h[i];
    snprintf((char *)h + 148, 8, "%06o", sum);
}

struct program {
    const unsigned char *data;
    size_t size;
};

/* The program for an architecture. Our own is the first. */
static int find_program(const char *arch, struct program *ret, struct dr_error *err)
{
    struct oci_platform own;
    oci_platform_native(&own);
    if (strcmp(own.arch, arch) == 0)
        *ret = (struct program){hello_blob_start, HELLO_BLOB_SIZE};
#ifdef HAVE_GUEST_AARCH64
    else if (strcmp(arch, "arm64") == 0)
        *ret = (struct program){hello_aarch64_blob_start, HELLO_AARCH64_BLOB_SIZE};
#endif
    else
        return dr_fail(
            err, DR_ERR_UNSUPPORTED,
            "the built-in image is for %s, the target is %s: run another image", own.arch,
            arch);
    return 0;
}

static int make_layer(const struct program *program, struct dr_buf *tar,
                      struct dr_error *err)
{
    unsigned char header[BLOCK];
    static const unsigned char zeros[2 * BLOCK];
    ustar_header(header, "hello", program->size);
    size_t pad = (BLOCK - program->size % BLOCK) % BLOCK;
    if (dr_buf_add(tar, header, BLOCK, err) < 0 ||
        dr_buf_add(tar, program->data, program->size, err) < 0 ||
        dr_buf_add(tar, zeros, pad, err) < 0 ||
        dr_buf_add(tar, zeros, 2 * BLOCK, err) < 0)
        return -1;
    return 0;
}

int builtin_make(const char *arch, struct builtin_image *ret, struct dr_error *err)
{
    struct program program = {0};
    if (find_program(arch, &program, err) < 0)
        return -1;
    struct builtin_image image = {.layer = DR_BUF_INIT(1 << 20)};
    if (make_layer(&program, &image.layer, err) < 0)
        return -1;
    oci_digest_of(image.layer.data, image.layer.len, &image.diff_id);
    dr_auto_json json_t *config =
        json_pack("{ss ss ss s{s[s] ss s{ss ss}} s{ss s[s]}}", "architecture", arch, "os",
                  "linux", "created", "2026-01-01T00:00:00Z", "config", "Cmd", "/hello",
                  "WorkingDir", "/", "Labels", "org.opencontainers.image.title", "hello",
                  "org.opencontainers.image.licenses", "Apache-2.0", "rootfs", "type",
                  "layers", "diff_ids", image.diff_id.text);
    image.config = dr_json_text(config);
    struct oci_digest digest;
    oci_digest_of(image.config, strlen(image.config), &digest);
    dr_auto_json json_t *manifest =
        json_pack("{si ss s{ss ss sI} s[{ss ss sI}]}", "schemaVersion", 2, "mediaType",
                  "application/vnd.oci.image.manifest.v1+json", "config", "mediaType",
                  "application/vnd.oci.image.config.v1+json", "digest", digest.text,
                  "size", (json_int_t)strlen(image.config), "layers", "mediaType",
                  "application/vnd.oci.image.layer.v1.tar", "digest", image.diff_id.text,
                  "size", (json_int_t)image.layer.len);
    image.manifest = dr_json_text(manifest);
    *ret = image;
    return 0;
}

void builtin_release(struct builtin_image *image)
{
    dr_buf_release(&image->layer);
    free(image->manifest);
    free(image->config);
}
