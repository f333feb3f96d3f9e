/* SPDX-License-Identifier: Apache-2.0 */
/*
 * registry-fetch [options] REF OUTDIR: pulls an image's documents and compressed layers
 * into a directory, for tests and for looking at registries. Layers are read while they
 * arrive, as the transport does it.
 *
 *     --store DIR  --platform P  --user U --password P  --auth-file F  --ca F
 *     --plain-http  --parallel N  --stall-ms N  --head (only the digest)  --progress
 *
 * Exit status 0; 1: one line on stderr, "<kind> <origin> <code>: <text>".
 */
#include <getopt.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/fs.h"
#include "base/text.h"
#include "registry/registry.h"

struct reader {
    pthread_t thread;
    struct store_fetch *fetch;
    char *path;
    int rc;
};

static void *read_layer(void *context)
{
    struct reader *reader = context;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_fd int fd =
        open(reader->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    static _Thread_local char buf[65536];
    int64_t offset = 0;
    ssize_t n;
    while ((n = store_fetch_read(reader->fetch, offset, buf, sizeof buf, &err)) > 0) {
        if (dr_write_full(fd, buf, (size_t)n) < 0)
            break;
        offset += n;
    }
    reader->rc = n == 0 ? 0 : -1;
    return NULL;
}

static void show_progress(void *context, const struct registry_progress *p)
{
    static const char *const words[] = {"cached", "waiting", "loading", "done"};
    printf("%zu %s %lld/%lld\n", p->index, words[p->state], (long long)p->done_bytes,
           (long long)p->total_bytes);
}

static int fetch_layers(struct registry *reg, struct store *store,
                        const struct oci_image *image, const char *out,
                        struct dr_error *err)
{
    size_t n = image->manifest.n_layers, opened = 0;
    struct reader *readers = dr_alloc((n + 1) * sizeof *readers);
    struct store_fetch **fetches = dr_alloc((n + 1) * sizeof *fetches);
    int rc = 0;
    for (; rc == 0 && opened < n; opened++) {
        const struct oci_descriptor *d = &image->manifest.layers[opened];
        rc = store_blob_open(store, &d->digest, d->size_bytes, &fetches[opened], err);
        if (rc < 0)
            break;
        readers[opened].fetch = fetches[opened];
        readers[opened].path = dr_printf("%s/layer-%zu", out, opened);
        pthread_create(&readers[opened].thread, NULL, read_layer, &readers[opened]);
    }
    if (rc == 0)
        rc = registry_fetch_blobs(reg, fetches, image->manifest.layers, n, err);
    for (size_t i = 0; i < opened; i++) {
        if (rc < 0)
            store_fetch_fail(fetches[i], err, false);
        pthread_join(readers[i].thread, NULL);
        if (readers[i].rc < 0 && rc == 0)
            rc = dr_fail(err, DR_ERR_INTERNAL, "the reader of layer %zu failed", i);
        free(readers[i].path);
        store_fetch_close(fetches[i]);
    }
    free(readers);
    free(fetches);
    return rc;
}

static int write_file(const char *dir, const char *name, const char *data, size_t len,
                      struct dr_error *err)
{
    dr_auto_free char *path = dr_path_join(dir, name);
    return dr_file_write(AT_FDCWD, path, data, len, 0600, 0, err);
}

static int run(const char *text, const char *out, const char *store_dir,
               const struct oci_platform *platform, struct registry_options *options,
               bool head, struct dr_error *err)
{
    dr_auto_ref struct oci_ref ref = OCI_REF_INIT;
    dr_auto_image struct oci_image image = OCI_IMAGE_INIT;
    struct registry *reg = NULL;
    struct oci_digest digest;
    if (oci_ref_parse(text, &ref, err) < 0 || dr_mkdir_all(out, 0755, err) < 0 ||
        store_open(store_dir, &options->store, err) < 0)
        return -1;
    int rc = registry_open(&ref, options, &reg, err);
    if (rc == 0 && head) {
        rc = registry_head_digest(reg, &digest, err);
        if (rc == 0)
            puts(digest.text);
    } else if (rc == 0) {
        rc = registry_resolve(reg, platform, NULL, &image, err);
        if (rc == 0)
            rc = write_file(out, "manifest.json", image.manifest_raw, image.manifest_len,
                            err);
        if (rc == 0)
            rc = write_file(out, "config.json", image.config_raw, image.config_len, err);
        if (rc == 0)
            rc = fetch_layers(reg, options->store, &image, out, err);
        if (rc == 0)
            printf("%s\n", image.manifest_digest.text);
    }
    registry_close(reg);
    store_close(options->store);
    return rc;
}

int main(int argc, char **argv)
{
    static const struct option longs[] = {
        {"store", 1, NULL, 's'},      {"platform", 1, NULL, 'p'},  {"user", 1, NULL, 'u'},
        {"password", 1, NULL, 'w'},   {"auth-file", 1, NULL, 'a'}, {"ca", 1, NULL, 'c'},
        {"plain-http", 0, NULL, 'H'}, {"parallel", 1, NULL, 'n'},  {"head", 0, NULL, 'h'},
        {"stall-ms", 1, NULL, 't'},   {"progress", 0, NULL, 'P'},  {0}};
    struct registry_options options = {0};
    struct oci_platform platform;
    const char *store_dir = NULL;
    bool head = false;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    oci_platform_native(&platform);
    int rc = 0;
    for (int c; (c = getopt_long(argc, argv, "", longs, NULL)) != -1 && rc == 0;) {
        switch (c) {
        case 's':
            store_dir = optarg;
            break;
        case 'p':
            rc = oci_platform_parse(optarg, &platform, &err);
            break;
        case 'u':
            options.user = optarg;
            break;
        case 'w':
            options.password = optarg;
            break;
        case 'a':
            options.auth_file = optarg;
            break;
        case 'c':
            options.ca_file = optarg;
            break;
        case 'H':
            options.insecure = true;
            break;
        case 'n':
            options.max_parallel = atoi(optarg);
            break;
        case 't':
            options.stall_timeout_ms = atoi(optarg);
            break;
        case 'h':
            head = true;
            break;
        case 'P':
            options.progress = show_progress;
            break;
        default:
            return 2;
        }
    }
    if (rc == 0 && argc - optind != 2) {
        fprintf(stderr, "usage: registry-fetch [options] REF OUTDIR\n");
        return 2;
    }
    if (rc == 0)
        rc = run(argv[optind], argv[optind + 1], store_dir, &platform, &options, head,
                 &err);
    if (rc < 0)
        fprintf(stderr, "%s %s %d: %s\n", dr_kind_name(err.kind),
                dr_origin_name(err.origin), err.code, err.text);
    return rc < 0 ? 1 : 0;
}
