/* SPDX-License-Identifier: Apache-2.0 */
#include "host/lockfile.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "base/text.h"
#include "oci/ref.h"

#define VERSION_LINE "version 1"

void lockfile_release(struct lockfile *lock)
{
    for (size_t i = 0; i < lock->n; i++) {
        free(lock->entries[i].ref);
        free(lock->entries[i].before);
    }
    free(lock->entries);
    free(lock->head);
    free(lock->after);
    *lock = (struct lockfile){0};
}

/* --- reading --- */

struct reader {
    const char *path;
    int line;
    char *comments; /* since the last entry */
    struct lockfile lock;
};

static int wrong(const struct reader *r, struct dr_error *err, const char *format, ...)
    DR_PRINTF(3, 4);

static int wrong(const struct reader *r, struct dr_error *err, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    dr_auto_free char *text = dr_vprintf(format, ap);
    va_end(ap);
    return dr_fail(err, DR_ERR_CONFIG, "%s:%d: %s", r->path, r->line, text);
}

static int take_version(struct reader *r, const char *line, struct dr_error *err)
{
    if (r->lock.n > 0)
        return wrong(r, err, "the version stands above all else");
    if (strcmp(line, VERSION_LINE) == 0) {
        free(r->lock.head);
        r->lock.head = DR_TAKE(r->comments);
        return 0;
    }
    dr_auto_free char *safe = dr_escape(line, 60);
    return dr_fail(err, DR_ERR_UNSUPPORTED,
                   "%s:%d: '%s': this dray knows version 1; a newer one wrote the file",
                   r->path, r->line, safe);
}

static int take_entry(struct reader *r, const char *line, struct dr_error *err)
{
    dr_auto_ref struct oci_ref ref = OCI_REF_INIT;
    dr_auto_error struct dr_error why = DR_ERROR_INIT;
    struct oci_digest digest;
    size_t len = strcspn(line, " \t");
    const char *rest = line + len + strspn(line + len, " \t");
    dr_auto_free char *name = dr_strndup(line, len), *safe = dr_escape(line, 80);
    if (strncmp(line, "<<<<<<<", 7) == 0 || strncmp(line, "=======", 7) == 0 ||
        strncmp(line, ">>>>>>>", 7) == 0)
        return wrong(r, err, "'%s' is left from a merge: choose one of the two", safe);
    if (!*rest)
        return wrong(r, err, "'%s' is no IMAGE:TAG and DIGEST", safe);
    if (oci_ref_parse(name, &ref, &why) < 0 ||
        oci_digest_parse(rest, strlen(rest), &digest, &why) < 0)
        return wrong(r, err, "%s", why.text);
    if (!ref.tag || ref.digest.text[0])
        return wrong(r, err, "%s has no tag, or a digest", name);
    dr_auto_free char *canonical = oci_ref_text(&ref);
    const struct oci_digest *other = lockfile_find(&r->lock, canonical);
    if (other && !oci_digest_equal(other, &digest))
        return wrong(r, err, "there are two digests for %s: choose one of the two", name);
    lockfile_put(&r->lock, canonical, &digest);
    if (!r->comments)
        return 0;
    for (size_t i = 0; i < r->lock.n; i++) {
        struct lock_entry *entry = &r->lock.entries[i];
        if (strcmp(entry->ref, canonical) == 0 && !entry->before)
            entry->before = DR_TAKE(r->comments);
    }
    return 0;
}

static int take_line(struct reader *r, const char *line, struct dr_error *err)
{
    if (*line && *line != '#')
        return strncmp(line, "version ", 8) == 0 ? take_version(r, line, err)
                                                 : take_entry(r, line, err);
    char *more = dr_printf("%s%s\n", r->comments ? r->comments : "", line);
    free(r->comments);
    r->comments = more;
    return 0;
}

int lockfile_parse(const char *path, const char *text, size_t len, struct lockfile *ret,
                   struct dr_error *err)
{
    struct reader r = {.path = path};
    int rc = 0;
    const char *end = text + len;
    while (rc == 0 && text < end) {
        const char *stop = memchr(text, '\n', (size_t)(end - text));
        size_t n = (size_t)((stop ? stop : end) - text);
        r.line++;
        if (memchr(text, '\0', n)) {
            rc = wrong(&r, err, "there is a NUL byte in it");
            break;
        }
        size_t cut = n;
        while (cut > 0 && strchr(" \t\r", text[cut - 1]))
            cut--;
        dr_auto_free char *line = dr_strndup(text, cut);
        rc = take_line(&r, line, err);
        text += n + 1;
    }
    r.lock.after = DR_TAKE(r.comments);
    if (rc < 0)
        lockfile_release(&r.lock);
    else
        *ret = r.lock;
    return rc;
}

int lockfile_read(const char *path, struct lockfile *ret, struct dr_error *err)
{
    dr_auto_buf struct dr_buf text = DR_BUF_INIT(LOCKFILE_MAX);
    dr_auto_error struct dr_error why = DR_ERROR_INIT;
    if (dr_file_read(AT_FDCWD, path, &text, &why) < 0 && why.code != ENOENT) {
        dr_error_move(err, &why);
        err->kind = DR_ERR_CONFIG;
        return -1;
    }
    return lockfile_parse(path, text.data ? text.data : "", text.len, ret, err);
}

/* --- changing --- */

const struct oci_digest *lockfile_find(const struct lockfile *lock, const char *ref)
{
    for (size_t i = 0; i < lock->n; i++)
        if (strcmp(lock->entries[i].ref, ref) == 0)
            return &lock->entries[i].digest;
    return NULL;
}

int lockfile_put(struct lockfile *lock, const char *ref, const struct oci_digest *digest)
{
    size_t at = 0;
    while (at < lock->n && strcmp(lock->entries[at].ref, ref) < 0)
        at++;
    if (at < lock->n && strcmp(lock->entries[at].ref, ref) == 0) {
        if (oci_digest_equal(&lock->entries[at].digest, digest))
            return 0;
        lock->entries[at].digest = *digest;
        return 1;
    }
    lock->entries = dr_realloc(lock->entries, (lock->n + 1) * sizeof *lock->entries);
    memmove(&lock->entries[at + 1], &lock->entries[at],
            (lock->n - at) * sizeof *lock->entries);
    lock->entries[at] = (struct lock_entry){.ref = dr_strdup(ref), .digest = *digest};
    lock->n++;
    return 1;
}

int lockfile_text(const struct lockfile *lock, struct dr_buf *text, struct dr_error *err)
{
    static const char head[] =
        "# What tags meant when they were first pulled with --lock.\n"
        "# To pin one anew: dray pull --lock-update IMAGE\n";
    int rc =
        dr_buf_addf(text, err, "%s%s\n", lock->head ? lock->head : head, VERSION_LINE);
    for (size_t i = 0; i < lock->n && rc == 0; i++) {
        const struct lock_entry *entry = &lock->entries[i];
        rc = dr_buf_addf(text, err, "%s%s %s\n", entry->before ? entry->before : "",
                         entry->ref, entry->digest.text);
    }
    if (rc == 0 && lock->after)
        rc = dr_buf_addf(text, err, "%s", lock->after);
    return rc;
}

struct record {
    const char *path, *ref;
    const struct oci_digest *digest;
    bool replace;
};

static int record(const struct record *r, const char *file, struct dr_error *err)
{
    dr_auto_lockfile struct lockfile lock = {0};
    dr_auto_buf struct dr_buf text = DR_BUF_INIT(LOCKFILE_MAX);
    if (lockfile_read(file, &lock, err) < 0)
        return -1;
    const struct oci_digest *other = lockfile_find(&lock, r->ref);
    if (other && !r->replace && !oci_digest_equal(other, r->digest))
        return dr_fail(err, DR_ERR_CONFLICT,
                       "%s got %s for %s meanwhile, from somebody else: try again, that "
                       "one will be pulled",
                       r->path, other->text, r->ref);
    if (lockfile_put(&lock, r->ref, r->digest) == 0)
        return 0;
    if (lockfile_text(&lock, &text, err) < 0)
        return dr_wrap(err, "%s", r->path);
    return lockfile_write(file, text.data, err);
}

int lockfile_record(const char *path, const char *ref, const struct oci_digest *digest,
                    bool replace, struct dr_error *err)
{
    const struct record r = {path, ref, digest, replace};
    dr_auto_free char *file = NULL;
    dr_auto_fd int held = -1;
    if (lockfile_hold(path, &held, &file, err) < 0)
        return -1;
    return record(&r, file, err);
}
