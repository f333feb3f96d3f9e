/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sparse files: where the stored bytes go.
 * Rule: GNU tar manual, "Storing Sparse Files" (old GNU, pax 0.0, 0.1, 1.0). Maps are
 * bounded (CVE-2025-58183), in order, without overlap, inside the file, and account for
 * every stored byte.
 */
#include <string.h>

#include "tar/private.h"

static int bad_map(struct dr_error *err, const char *why)
{
    return dr_fail(err, DR_ERR_FORMAT, "tar: bad sparse map: %s", why);
}

int tar_add_extent(struct tar *tar, int64_t offset, int64_t length, struct dr_error *err)
{
    if (tar->n_extents == TAR_EXTENTS_MAX)
        return dr_fail(err, DR_ERR_UNSUPPORTED,
                       "tar: a sparse map of more than %d extents", TAR_EXTENTS_MAX);
    if (tar->n_extents == tar->cap_extents) {
        tar->cap_extents = tar->cap_extents ? tar->cap_extents * 2 : 16;
        tar->extents = dr_realloc(tar->extents, tar->cap_extents * sizeof *tar->extents);
    }
    tar->extents[tar->n_extents++] = (struct tar_extent){offset, length};
    return 0;
}

static int check_map(const struct tar *tar, struct tar_entry *entry, struct dr_error *err)
{
    int64_t end = 0, sum = 0;
    for (size_t i = 0; i < tar->n_extents; i++) {
        const struct tar_extent *e = &tar->extents[i];
        int64_t next;
        if (e->offset < 0 || e->length < 0 ||
            __builtin_add_overflow(e->offset, e->length, &next))
            return bad_map(err, "a number is out of range");
        if (e->offset < end)
            return bad_map(err, "extents overlap");
        if (next > entry->size)
            return bad_map(err, "an extent ends behind the file");
        end = next;
        sum += e->length; /* no overlap, so at most entry->size */
    }
    if (sum != entry->stored)
        return bad_map(err, "it does not account for the stored bytes");
    entry->sparse = true;
    entry->extents = tar->extents;
    entry->n_extents = tar->n_extents;
    return 0;
}

int tar_sparse_map_text(struct tar *tar, const char *text, struct dr_error *err)
{
    int64_t pair[2];
    size_t have = 0;
    tar->n_extents = 0;
    for (;;) {
        size_t digits = strcspn(text, ",");
        if (!tar_decimal(text, digits, &pair[have++]))
            return bad_map(err, "not a number");
        if (have == 2) {
            if (tar_add_extent(tar, pair[0], pair[1], err) < 0)
                return -1;
            have = 0;
        }
        if (text[digits] == '\0')
            break;
        text += digits + 1;
    }
    return have == 0 ? 0 : bad_map(err, "an odd number of fields");
}

/* count pairs of 12-byte numbers; stops at the first empty one. */
static int old_extents(struct tar *tar, const char *p, size_t count, bool *ret_more,
                       struct dr_error *err)
{
    for (size_t i = 0; i < count; i++, p += 24) {
        int64_t offset, length;
        if (p[0] == '\0') {
            *ret_more = false;
            return 0;
        }
        if (!tar_number(p, 12, &offset) || !tar_number(p + 12, 12, &length))
            return bad_map(err, "not a number");
        if (tar_add_extent(tar, offset, length, err) < 0)
            return -1;
    }
    return 0;
}

int tar_sparse_old(struct tar *tar, struct tar_entry *entry, struct dr_error *err)
{
    const char *raw = (const char *)&tar->header;
    bool more = raw[482] != '\0';
    int64_t real_size;
    tar->n_extents = 0;
    if (memcmp(tar->header.magic, "ustar ", 6) != 0)
        return bad_map(err, "not a GNU header");
    if (!tar_number(raw + 483, 12, &real_size) || real_size < 0)
        return bad_map(err, "the file's size is out of range");
    bool list_goes_on = true;
    if (old_extents(tar, raw + 386, 4, &list_goes_on, err) < 0)
        return -1;
    while (more) {
        uint8_t block[TAR_BLOCK];
        if (tar_block(tar, block, false, err) < 0)
            return -1;
        if (list_goes_on &&
            old_extents(tar, (const char *)block, 21, &list_goes_on, err) < 0)
            return -1;
        more = block[504] != 0;
    }
    entry->size = real_size;
    return check_map(tar, entry, err);
}

/* One line of the map in the payload: a decimal and a newline. */
struct lines {
    struct tar *tar;
    uint8_t block[TAR_BLOCK];
    size_t at;
};

static int next_line(struct lines *lines, int64_t *ret, struct dr_error *err)
{
    char digits[20];
    size_t n = 0;
    for (;;) {
        if (lines->at == TAR_BLOCK) {
            if (lines->tar->payload < TAR_BLOCK)
                return bad_map(err, "it ends too early");
            if (tar_block(lines->tar, lines->block, false, err) < 0)
                return -1;
            lines->tar->payload -= TAR_BLOCK;
            lines->at = 0;
        }
        char c = (char)lines->block[lines->at++];
        if (c == '\n')
            break;
        if (n == sizeof digits)
            return bad_map(err, "not a number");
        digits[n++] = c;
    }
    return tar_decimal(digits, n, ret) ? 0 : bad_map(err, "not a number");
}

static int map_in_payload(struct tar *tar, struct dr_error *err)
{
    struct lines lines = {.tar = tar, .at = TAR_BLOCK};
    int64_t count;
    tar->n_extents = 0;
    if (next_line(&lines, &count, err) < 0)
        return -1;
    for (int64_t i = 0; i < count; i++) { /* tar_add_extent bounds count */
        int64_t offset, length;
        if (next_line(&lines, &offset, err) < 0 || next_line(&lines, &length, err) < 0 ||
            tar_add_extent(tar, offset, length, err) < 0)
            return -1;
    }
    return 0;
}

int tar_sparse_pax(struct tar *tar, struct tar_entry *entry, struct dr_error *err)
{
    const struct tar_pax *pax = &tar->pax;
    if (!pax->has_sparse_version && !pax->has_sparse_map)
        return 0;
    bool in_payload = pax->has_sparse_version && pax->sparse_major == 1;
    if (pax->has_sparse_version &&
        (pax->sparse_major > 1 || (in_payload && pax->sparse_minor)))
        return dr_fail(err, DR_ERR_UNSUPPORTED,
                       "tar: sparse format %lld.%lld is not known",
                       (long long)pax->sparse_major, (long long)pax->sparse_minor);
    if (pax->sparse_name)
        entry->name = pax->sparse_name;
    if (pax->has_sparse_size)
        entry->size = pax->sparse_size;
    if (in_payload) {
        if (map_in_payload(tar, err) < 0)
            return -1;
        entry->stored = tar->payload;
    }
    return check_map(tar, entry, err);
}
