/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The layer store by hand, for shell tests:
 *   layer-unpack ROOT put DIFFID [MEDIATYPE] < blob     prints the stats as JSON
 *   layer-unpack ROOT get DIFFID > tar
 *   layer-unpack ROOT stack DIFFID…                     prints lowerdir=… topmost first
 *   layer-unpack ROOT rm DIFFID
 *   layer-unpack ROOT reconcile
 * Errors: "<kind>: <text>" on stderr and exit status 1.
 */
#include <stdio.h>
#include <string.h>

#include "base/fs.h"
#include "guest/layers/layers.h"

static ssize_t from_stdin(void *arg, void *buf, size_t len, struct dr_error *err)
{
    ssize_t n = read(0, buf, len);
    return n < 0 ? dr_fail_errno(err, DR_ERR_NONE, "read stdin") : n;
}

static int put(struct layer_store *store, const struct oci_digest *id, const char *type,
               struct dr_error *err)
{
    struct layer_stats s;
    if (layer_put(store, id, type, from_stdin, NULL, &s, err) < 0)
        return -1;
    printf("{\"compressed_bytes\":%lld,\"tar_bytes\":%lld,\"entries\":%lld,\"disk_"
           "bytes\":%lld,"
           "\"skipped_devices\":%lld,\"existed\":%s}\n",
           (long long)s.compressed_bytes, (long long)s.tar_bytes, (long long)s.entries,
           (long long)s.disk_bytes, (long long)s.skipped_devices,
           s.existed ? "true" : "false");
    return 0;
}

static int to_stdout(void *arg, const void *data, size_t len, struct dr_error *err)
{
    return dr_write_full(1, data, len) < 0
               ? dr_fail_errno(err, DR_ERR_NONE, "write stdout")
               : 0;
}

static int stack(struct layer_store *store, const struct oci_digest *ids, size_t n,
                 struct dr_error *err)
{
    struct layer_stack s;
    if (layer_store_stack(store, ids, n, &s, err) < 0)
        return -1;
    for (char **p = s.lowers; *p; p++)
        printf("%s%s", p == s.lowers ? "" : ":", *p);
    printf("\nroot %o %u %u %lld\n", s.root_mode, s.root_uid, s.root_gid,
           (long long)s.root_mtime_ns);
    layer_stack_release(&s);
    return 0;
}

static int run(int argc, char **argv, struct layer_store *store, struct dr_error *err)
{
    struct oci_digest ids[128];
    bool is_put = strcmp(argv[2], "put") == 0;
    size_t n = 0;
    for (int i = 3; i < argc && n < DR_COUNT(ids) && !(is_put && i > 3); i++)
        if (oci_digest_parse(argv[i], strlen(argv[i]), &ids[n++], err) < 0)
            return -1;
    if (is_put && n == 1)
        return put(store, &ids[0], argc > 4 ? argv[4] : NULL, err);
    if (strcmp(argv[2], "stack") == 0)
        return stack(store, ids, n, err);
    if (strcmp(argv[2], "get") == 0 && n == 1)
        return layer_get(store, &ids[0], to_stdout, NULL, err);
    if (strcmp(argv[2], "rm") == 0 && n == 1)
        return layer_store_remove(store, &ids[0], err);
    if (strcmp(argv[2], "reconcile") == 0)
        return layer_store_reconcile(store, err);
    return dr_fail(err, DR_ERR_INVALID, "unknown command");
}

int main(int argc, char **argv)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    struct layer_store *store = NULL;
    if (argc < 3) {
        fprintf(stderr, "usage: layer-unpack ROOT put|get|stack|rm|reconcile …\n");
        return 2;
    }
    int result = layer_store_open(argv[1], &store, &err);
    if (result == 0)
        result = run(argc, argv, store, &err);
    layer_store_close(store);
    if (result < 0)
        fprintf(stderr, "%s: %s\n", dr_kind_name(err.kind), err.text);
    return result < 0 ? 1 : 0;
}
