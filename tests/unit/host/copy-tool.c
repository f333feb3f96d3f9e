/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dray_copy_from and dray_copy_to by hand, for tests:
 *     copy-tool ROOT RUN RUNTIME from|to [-L] [-a] A B
 * from: A is CONTAINER:PATH, B local; to: the other way round. Prints "kind: text" of an
 * error to stderr.
 */
#include <stdio.h>
#include <string.h>

#include "dray.h"

int main(int argc, char **argv)
{
    struct dray_open_options open = DRAY_INIT(struct dray_open_options);
    struct dray_copy_options options = DRAY_INIT(struct dray_copy_options);
    struct dray_target *target = NULL;
    struct dray_error *err = NULL;
    int64_t skipped = 0;
    int at = 5;
    if (argc < 7)
        return 2;
    open.root = argv[1];
    open.run_root = argv[2];
    open.runtime = argv[3];
    for (; at < argc && argv[at][0] == '-' && argv[at][1]; at++) {
        options.follow |= strcmp(argv[at], "-L") == 0;
        options.owners |= strcmp(argv[at], "-a") == 0;
    }
    int from = strcmp(argv[4], "from") == 0;
    char *remote = argv[at + !from], *colon = strchr(remote, ':');
    if (!colon || at + 2 != argc)
        return 2;
    *colon = '\0';
    int rc = dray_open_lazy(&open, &target, &err);
    if (rc == 0 && from)
        rc = dray_copy_from(target, remote, colon + 1, argv[at + 1], &options, NULL,
                            &skipped, &err);
    else if (rc == 0)
        rc = dray_copy_to(target, argv[at], remote, colon + 1, &options, NULL, &err);
    if (rc < 0)
        fprintf(stderr, "%s: %s\n", dray_kind_name(err->kind), err->text);
    if (skipped > 0)
        printf("skipped %lld\n", (long long)skipped);
    dray_error_free(err);
    dray_close(target);
    return rc < 0;
}
