/* SPDX-License-Identifier: Apache-2.0 */
/* Layer directories for the tests here: made below a temporary directory of their own. */
#ifndef DRAY_TESTS_UNIT_BUNDLE_TREE_H
#define DRAY_TESTS_UNIT_BUNDLE_TREE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "base/fs.h"
#include "guest/bundle/bundle.h"

#define TREE_LAYERS 8

struct tree {
    char dir[32];
    int fds[TREE_LAYERS]; /* topmost first */
    size_t count;
};

static inline void tree_init(struct tree *t, size_t layers)
{
    *t = (struct tree){.count = layers};
    memcpy(t->dir, "/tmp/dray-test-XXXXXX", 22);
    assert_non_null(mkdtemp(t->dir));
    for (size_t i = 0; i < layers; i++) {
        dr_auto_free char *path = dr_printf("%s/%zu", t->dir, i);
        assert_int_equal(mkdir(path, 0755), 0);
        t->fds[i] = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        assert_true(t->fds[i] >= 0);
    }
}

static inline void tree_done(struct tree *t)
{
    struct dr_error err = DR_ERROR_INIT;
    for (size_t i = 0; i < t->count; i++)
        close(t->fds[i]);
    assert_int_equal(dr_remove_all(AT_FDCWD, t->dir, &err), 0);
}

static inline char *tree_path(const struct tree *t, size_t layer, const char *path)
{
    return dr_printf("%s/%zu/%s", t->dir, layer, path);
}

static inline void tree_dir(const struct tree *t, size_t layer, const char *path)
{
    struct dr_error err = DR_ERROR_INIT;
    dr_auto_free char *full = tree_path(t, layer, path);
    assert_int_equal(dr_mkdir_all(full, 0755, &err), 0);
}

static inline void tree_parent(const struct tree *t, size_t layer, const char *path)
{
    const char *slash = strrchr(path, '/');
    dr_auto_free char *parent = slash ? dr_strndup(path, (size_t)(slash - path)) : NULL;
    if (parent)
        tree_dir(t, layer, parent);
}

static inline void tree_file(const struct tree *t, size_t layer, const char *path,
                             const char *text)
{
    struct dr_error err = DR_ERROR_INIT;
    tree_parent(t, layer, path);
    dr_auto_free char *full = tree_path(t, layer, path);
    assert_int_equal(dr_file_write(AT_FDCWD, full, text, strlen(text), 0644, 0, &err), 0);
}

static inline void tree_link(const struct tree *t, size_t layer, const char *path,
                             const char *target)
{
    tree_parent(t, layer, path);
    dr_auto_free char *full = tree_path(t, layer, path);
    assert_int_equal(symlink(target, full), 0);
}

static inline void tree_whiteout(const struct tree *t, size_t layer, const char *path)
{
    tree_parent(t, layer, path);
    dr_auto_free char *full = tree_path(t, layer, path);
    if (mknod(full, S_IFCHR, makedev(0, 0)) < 0)
        skip(); /* not root */
}

static inline void tree_opaque(const struct tree *t, size_t layer, const char *path)
{
    dr_auto_free char *full = tree_path(t, layer, path);
    if (setxattr(full, "trusted.overlay.opaque", "y", 1, 0) < 0)
        skip();
}

#endif
