/* SPDX-License-Identifier: Apache-2.0 */
/* <dir>/notes/<hex>: a few lines about a digest, the newest first. */
#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/fs.h"
#include "base/json.h"
#include "store/internal.h"

#define NOTES_MAX 8 /* of one digest */
#define NOTES_BYTES_MAX (NOTES_MAX * (STORE_NOTE_MAX + 1))
#define NOTES_AGE_S (90 * 24 * 3600)

static char *path_of(const struct store *store, const struct oci_digest *digest)
{
    return dr_path_join(store->notes, oci_digest_hex(digest));
}

char **store_notes(struct store *store, const struct oci_digest *digest,
                   const char *prefix)
{
    dr_auto_free char *path = path_of(store, digest);
    dr_auto_buf struct dr_buf text = DR_BUF_INIT(NOTES_BYTES_MAX);
    dr_auto_error struct dr_error ignored = DR_ERROR_INIT;
    char **notes = NULL;
    size_t skip = prefix ? strlen(prefix) : 0;
    if (dr_file_read(AT_FDCWD, path, &text, &ignored) == 0 && text.data)
        for (char *save, *line = strtok_r(text.data, "\n", &save); line;
             line = strtok_r(NULL, "\n", &save))
            if (strncmp(line, prefix ? prefix : "", skip) == 0)
                dr_strv_add(&notes, line + skip);
    if (!notes)
        notes = dr_alloc(sizeof *notes);
    return notes;
}

void store_note_add(struct store *store, const struct oci_digest *digest,
                    const char *note)
{
    dr_auto_error struct dr_error ignored = DR_ERROR_INIT;
    dr_auto_free char *path = path_of(store, digest);
    dr_auto_strv char **before = store_notes(store, digest, NULL);
    dr_auto_buf struct dr_buf text = DR_BUF_INIT(NOTES_BYTES_MAX);
    size_t n = 1;
    if (strlen(note) > STORE_NOTE_MAX || strchr(note, '\n') ||
        (before[0] && strcmp(before[0], note) == 0))
        return;
    dr_buf_addf(&text, &ignored, "%s\n", note);
    for (char **p = before; *p && n < NOTES_MAX; p++)
        if (strcmp(*p, note) != 0 && dr_buf_addf(&text, &ignored, "%s\n", *p) == 0)
            n++;
    if (dr_mkdir_all(store->notes, 0700, &ignored) == 0)
        dr_file_write(AT_FDCWD, path, text.data, text.len, 0600, 0, &ignored);
}

void store_notes_prune(const struct store *store, bool all)
{
    DIR *dir = opendir(store->notes);
    struct dirent *item;
    struct stat st;
    while (dir && (item = readdir(dir)))
        if (item->d_name[0] != '.' &&
            fstatat(dirfd(dir), item->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
            (all || time(NULL) - st.st_mtime > NOTES_AGE_S))
            unlinkat(dirfd(dir), item->d_name, 0);
    if (dir)
        closedir(dir);
}
