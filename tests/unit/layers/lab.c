/* SPDX-License-Identifier: Apache-2.0 */
#include "lab.h"

#include <dirent.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include <cmocka.h>

#include "base/fs.h"
#include "tar/whiteout.h"

int lab_setup(void **state)
{
    struct lab *lab = dr_alloc(sizeof *lab);
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    strcpy(lab->root, "/var/tmp/dray-layers-XXXXXX"); /* /tmp may be without xattrs */
    if (!mkdtemp(lab->root) || layer_store_open(lab->root, &lab->store, &err) < 0)
        return -1;
    *state = lab;
    return 0;
}

int lab_teardown(void **state)
{
    struct lab *lab = *state;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    int left = lab_leftovers(lab);
    layer_store_close(lab->store);
    dr_remove_all(AT_FDCWD, lab->root, &err);
    free(lab);
    return left == 0 ? 0 : -1;
}

int lab_leftovers(struct lab *lab)
{
    dr_auto_free char *path = dr_path_join(lab->root, "layers/tmp");
    int count = 0;
    DIR *dir = opendir(path);
    for (struct dirent *e; (e = readdir(dir));)
        count += e->d_name[0] != '.';
    closedir(dir);
    return count;
}

struct source {
    const char *data;
    size_t len, chunk;
};

static ssize_t from_source(void *arg, void *buf, size_t len, struct dr_error *err)
{
    struct source *s = arg;
    size_t n = s->len < len ? s->len : len;
    if (s->chunk && n > s->chunk)
        n = s->chunk;
    if (n > 0)
        memcpy(buf, s->data, n);
    s->data += n;
    s->len -= n;
    return (ssize_t)n;
}

int lab_put_bytes(struct lab *lab, const struct oci_digest *id, const char *media_type,
                  const void *data, size_t len, size_t chunk, struct layer_stats *stats,
                  struct dr_error *err)
{
    struct source source = {data, len, chunk};
    lab->id = *id;
    return layer_put(lab->store, id, media_type, from_source, &source, stats, err);
}

int lab_put(struct lab *lab, struct tarball *t, struct layer_stats *stats,
            struct dr_error *err)
{
    struct oci_digest id;
    tarball_end(t);
    oci_digest_of(t->bytes.data, t->bytes.len, &id);
    return lab_put_bytes(lab, &id, "application/vnd.oci.image.layer.v1.tar",
                         t->bytes.data, t->bytes.len, 0, stats, err);
}

const char *lab_path(struct lab *lab, const char *path)
{
    static char text[PATH_MAX];
    snprintf(text, sizeof text, "%s/layers/%s/fs/%s", lab->root, oci_digest_hex(&lab->id),
             path);
    return text;
}

static int into_buf(void *arg, const void *data, size_t len, struct dr_error *err)
{
    return dr_buf_add(arg, data, len, err);
}

int lab_get(struct lab *lab, struct dr_buf *ret, struct dr_error *err)
{
    return layer_get(lab->store, &lab->id, into_buf, ret, err);
}

static void get_ok(struct lab *lab, const struct tarball *t)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_buf struct dr_buf made = DR_BUF_INIT(256 << 20);
    if (lab_get(lab, &made, &err) < 0)
        fail_msg("get failed: %s", err.text);
    assert_int_equal(made.len, t->bytes.len);
    assert_memory_equal(made.data, t->bytes.data, made.len);
}

void put_ok(struct lab *lab, struct tarball *t)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    if (lab_put(lab, t, NULL, &err) < 0)
        fail_msg("put failed: %s", err.text);
    get_ok(lab, t); /* of every layer that any test puts the same bytes come out again */
    assert_int_equal(lab_leftovers(lab), 0);
}

void put_fails(struct lab *lab, struct tarball *t, enum dr_kind kind, const char *text)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    assert_int_equal(lab_put(lab, t, NULL, &err), -1);
    if (!strstr(err.text, text))
        fail_msg("'%s' does not say '%s'", err.text, text);
    assert_string_equal(dr_kind_name(err.kind), dr_kind_name(kind));
    assert_false(layer_store_has(lab->store, &lab->id));
    assert_int_equal(lab_leftovers(lab), 0);
}

void content_is(struct lab *lab, const char *path, const char *want)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_buf struct dr_buf buf = DR_BUF_INIT(1 << 20);
    if (dr_file_read(AT_FDCWD, lab_path(lab, path), &buf, &err) < 0)
        fail_msg("%s", err.text);
    assert_string_equal(buf.data ? buf.data : "", want);
}

bool there(struct lab *lab, const char *path)
{
    struct stat st;
    return lstat(lab_path(lab, path), &st) == 0;
}

bool is_whiteout(struct lab *lab, const char *path)
{
    struct stat st;
    return lstat(lab_path(lab, path), &st) == 0 && S_ISCHR(st.st_mode) &&
           st.st_rdev == makedev(0, 0);
}

bool is_opaque(struct lab *lab, const char *path)
{
    char value = 0;
    return lgetxattr(lab_path(lab, path), "trusted.overlay.opaque", &value, 1) == 1 &&
           value == 'y';
}
