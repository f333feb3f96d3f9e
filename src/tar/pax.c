/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The records of a pax extended header: "LEN KEY=VALUE\n", LEN counting itself.
 * Rule: POSIX pax, "pax Extended Header". An empty value takes the key back.
 */
#include <string.h>

#include "base/text.h"
#include "tar/private.h"

static int bad(struct dr_error *err, const char *key)
{
    dr_auto_free char *shown = dr_escape(key, 100);
    return dr_fail(err, DR_ERR_FORMAT, "tar: bad pax record '%s'", shown);
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* libarchive writes names with %XX. In place. */
static void decode_percent(char *text)
{
    char *to = text;
    for (const char *from = text; *from; from++) {
        int high, low;
        if (*from == '%' && (high = hex_digit(from[1])) >= 0 &&
            (low = hex_digit(from[2])) >= 0) {
            *to++ = (char)(high << 4 | low);
            from += 2;
        } else {
            *to++ = *from;
        }
    }
    *to = '\0';
}

/* libarchive writes values in base64, without padding. In place. */
static bool decode_base64(char *text, size_t len, size_t *ret_len)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint32_t bits = 0;
    unsigned count = 0;
    size_t made = 0;
    while (len > 0 && text[len - 1] == '=')
        len--;
    for (size_t i = 0; i < len; i++) {
        const char *found = text[i] ? strchr(alphabet, text[i]) : NULL;
        if (!found)
            return false;
        bits = bits << 6 | (uint32_t)(found - alphabet);
        count += 6;
        if (count >= 8) {
            count -= 8;
            text[made++] = (char)(bits >> count);
        }
    }
    *ret_len = made;
    return true;
}

static int add_xattr(struct tar *tar, const char *name, const void *value, size_t len,
                     struct dr_error *err)
{
    if (tar->n_xattrs == TAR_XATTRS_MAX)
        return dr_fail(err, DR_ERR_FORMAT, "tar: an entry with more than %d xattrs",
                       TAR_XATTRS_MAX);
    if (tar->n_xattrs == tar->cap_xattrs) {
        tar->cap_xattrs = tar->cap_xattrs ? tar->cap_xattrs * 2 : 8;
        tar->xattrs = dr_realloc(tar->xattrs, tar->cap_xattrs * sizeof *tar->xattrs);
    }
    tar->xattrs[tar->n_xattrs++] =
        (struct tar_xattr){.name = name, .value = value, .len = len};
    return 0;
}

static bool has_prefix(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* GNU.sparse.*: 0.0 repeats offset and numbytes, 0.1 has one map, 1.0 only a version. */
static int sparse_record(struct tar *tar, const char *key, const char *value, size_t len,
                         struct dr_error *err)
{
    struct tar_pax *pax = &tar->pax;
    int64_t n = 0;
    key += strlen("GNU.sparse.");
    if (strcmp(key, "name") == 0) {
        pax->sparse_name = value;
        return 0;
    }
    if (strcmp(key, "map") == 0) {
        pax->has_sparse_map = true;
        return tar_sparse_map_text(tar, value, err);
    }
    if (!tar_decimal(value, len, &n))
        return bad(err, key);
    if (strcmp(key, "size") == 0 || strcmp(key, "realsize") == 0) {
        pax->has_sparse_size = true;
        pax->sparse_size = n;
    } else if (strcmp(key, "major") == 0) {
        pax->has_sparse_version = true;
        pax->sparse_major = n;
    } else if (strcmp(key, "minor") == 0) {
        pax->sparse_minor = n;
    } else if (strcmp(key, "offset") == 0) {
        if (tar->half_extent >= 0)
            return bad(err, "GNU.sparse.offset");
        pax->has_sparse_map = true;
        tar->half_extent = n;
    } else if (strcmp(key, "numbytes") == 0) {
        if (tar->half_extent < 0)
            return bad(err, "GNU.sparse.numbytes");
        int result = tar_add_extent(tar, tar->half_extent, n, err);
        tar->half_extent = -1;
        return result;
    } /* numblocks is only a hint */
    return 0;
}

static int id_record(const char *key, const char *value, size_t len, bool *ret_has,
                     int64_t *ret, struct dr_error *err)
{
    if (!tar_decimal(value, len, ret) || *ret > TAR_ID_MAX) {
        dr_auto_free char *shown = dr_escape(value, 40);
        return dr_fail(err, DR_ERR_FORMAT, "tar: %s %s is out of range", key, shown);
    }
    *ret_has = true;
    return 0;
}

/* key and value are NUL-terminated in place; value may also hold NULs (len counts). */
static int record(struct tar *tar, char *key, char *value, size_t len,
                  struct dr_error *err)
{
    struct tar_pax *pax = &tar->pax;
    if (has_prefix(key, "SCHILY.xattr.")) {
        return add_xattr(tar, key + strlen("SCHILY.xattr."), value, len, err);
    }
    if (has_prefix(key, "LIBARCHIVE.xattr.")) {
        size_t decoded;
        if (!decode_base64(value, len, &decoded))
            return bad(err, key);
        decode_percent(key);
        return add_xattr(tar, key + strlen("LIBARCHIVE.xattr."), value, decoded, err);
    }
    if (len == 0)
        return 0;
    bool text = strlen(value) == len;
    if (strcmp(key, "path") == 0 || strcmp(key, "linkpath") == 0) {
        if (!text)
            return bad(err, key);
        *(key[0] == 'p' ? &pax->path : &pax->link) = value;
    } else if (strcmp(key, "size") == 0) {
        if (!tar_decimal(value, len, &pax->size))
            return dr_fail(err, DR_ERR_FORMAT, "tar: the pax size is out of range");
        pax->has_size = true;
    } else if (strcmp(key, "uid") == 0) {
        return id_record("uid", value, len, &pax->has_uid, &pax->uid, err);
    } else if (strcmp(key, "gid") == 0) {
        return id_record("gid", value, len, &pax->has_gid, &pax->gid, err);
    } else if (strcmp(key, "mtime") == 0) {
        if (!text || !tar_time(value, &pax->mtime))
            return bad(err, key);
        pax->has_mtime = true;
    } else if (strcmp(key, "atime") == 0) {
        if (!text || !tar_time(value, &pax->atime))
            return bad(err, key);
        pax->has_atime = true;
    } else if (has_prefix(key, "GNU.sparse.")) {
        return text ? sparse_record(tar, key, value, len, err) : bad(err, key);
    }
    return 0;
}

int tar_pax_parse(struct tar *tar, bool global, struct dr_error *err)
{
    char *p = tar->pax_text.data;
    size_t left = tar->pax_text.len;
    tar->pax = (struct tar_pax){0};
    tar->n_xattrs = tar->n_extents = 0;
    tar->half_extent = -1;
    while (left > 0) {
        size_t digits = 0;
        int64_t length;
        while (digits < left && digits < 8 && p[digits] >= '0' && p[digits] <= '9')
            digits++;
        if (digits == left || p[digits] != ' ' || !tar_decimal(p, digits, &length) ||
            (size_t)length > left || (size_t)length < digits + 3 || p[length - 1] != '\n')
            return dr_fail(err, DR_ERR_FORMAT, "tar: bad length of a pax record");
        char *key = p + digits + 1;
        char *end = p + length - 1;
        char *equals = memchr(key, '=', (size_t)(end - key));
        if (!equals || equals == key || memchr(key, '\0', (size_t)(equals - key)))
            return dr_fail(err, DR_ERR_FORMAT, "tar: a pax record without a key");
        *equals = *end = '\0';
        if (record(tar, key, equals + 1, (size_t)(end - equals - 1), err) < 0)
            return -1;
        p += length;
        left -= (size_t)length;
    }
    if (tar->half_extent >= 0)
        return bad(err, "GNU.sparse.offset");
    if (global) { /* see tar.h */
        tar->pax = (struct tar_pax){0};
        tar->n_xattrs = tar->n_extents = 0;
    }
    return 0;
}
