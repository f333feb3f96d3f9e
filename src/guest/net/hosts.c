/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/net/hosts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>

#include "base/fs.h"
#include "base/json.h"

#define FILE_MAX (1u << 20)
#define MARK "# dray"
#define MARK_LEN (sizeof MARK - 1)
#define PLACE_STEP                                                                       \
    16 /* room is given in steps, so that places fit more than one line                  \
        */
#define PLACE_MIN 48

/* A line of ours, shown or not. */
struct place {
    off_t at;
    size_t room; /* for text, before the mark */
    char *text;  /* owned; NULL: free */
    bool wanted;
};

struct places {
    struct place *items;
    size_t count;
    bool unfinished; /* the last line of the file has no end */
};

static void places_release(struct places *places)
{
    for (size_t i = 0; i < places->count; i++)
        free(places->items[i].text);
    free(places->items);
}

static void add_place(struct places *places, const char *file, const char *line,
                      size_t len)
{
    struct place place = {.at = line - file, .room = len - MARK_LEN};
    size_t used = place.room;
    while (used > 0 && line[used - 1] == ' ')
        used--;
    if (line[0] != '#')
        place.text = dr_strndup(line, used);
    places->items =
        dr_realloc(places->items, (places->count + 1) * sizeof *places->items);
    places->items[places->count++] = place;
}

static void find_places(const struct dr_buf *file, struct places *ret)
{
    const char *line = file->data, *end = line + file->len;
    while (line < end) {
        const char *newline = memchr(line, '\n', (size_t)(end - line));
        size_t len = (size_t)((newline ? newline : end) - line);
        ret->unfinished = !newline;
        /* one byte at least before the mark; one without an end is not ours any more */
        if (newline && len > MARK_LEN &&
            memcmp(line + len - MARK_LEN, MARK, MARK_LEN) == 0)
            add_place(ret, file->data, line, len);
        line += len + 1;
    }
}

/* --- one line --- */

static int write_at(int fd, const void *data, size_t len, off_t at, struct dr_error *err)
{
    ssize_t n;
    do
        n = pwrite(fd, data, len, at);
    while (n < 0 && errno == EINTR);
    if (n >= 0 && (size_t)n < len)
        errno = ENOSPC;
    return n == (ssize_t)len ? 0 : dr_fail_errno(err, DR_ERR_NONE, "write");
}

/* A comment of this text but for its first byte, filled up with blanks. */
static char *hidden(const char *text, size_t room)
{
    char *bytes = dr_alloc(room + 1);
    memset(bytes, ' ', room);
    if (text)
        memcpy(bytes, text, strlen(text));
    bytes[0] = '#';
    return bytes;
}

static int show(int fd, const struct place *place, const char *text, struct dr_error *err)
{
    dr_auto_free char *bytes = hidden(text, place->room);
    if (write_at(fd, bytes + 1, place->room - 1, place->at + 1, err) < 0)
        return -1;
    return write_at(fd, text, 1, place->at, err);
}

static int hide(int fd, const struct place *place, struct dr_error *err)
{
    dr_auto_free char *bytes = hidden(NULL, place->room);
    if (write_at(fd, bytes, 1, place->at, err) < 0)
        return -1;
    return write_at(fd, bytes + 1, place->room - 1, place->at + 1, err);
}

/* A new place at the end, wherever that is by now. */
static int append(const char *path, int fd, struct places *places, const char *text,
                  struct dr_error *err)
{
    size_t room = (strlen(text) + 1 + PLACE_STEP - 1) / PLACE_STEP * PLACE_STEP;
    struct place place = {.room = room < PLACE_MIN ? PLACE_MIN : room};
    dr_auto_free char *bytes = hidden(text, place.room);
    dr_auto_free char *line =
        dr_printf("%s%s" MARK "\n", places->unfinished ? "\n" : "", bytes);
    dr_auto_fd int end = open(path, O_WRONLY | O_APPEND | O_NOFOLLOW | O_CLOEXEC);
    if (end < 0)
        return dr_fail_errno(err, DR_ERR_NONE, "open");
    size_t len = strlen(line);
    ssize_t n = write(end, line, len);
    if (n != (ssize_t)len) {
        if (n >= 0)
            errno = ENOSPC;
        return dr_fail_errno(err, DR_ERR_NONE, "write");
    }
    places->unfinished = false;
    place.at = lseek(end, 0, SEEK_CUR) - (off_t)(place.room + MARK_LEN + 1);
    return write_at(fd, text, 1, place.at, err);
}

/* --- all of them --- */

static bool is_there(struct places *places, const char *text)
{
    for (size_t i = 0; i < places->count; i++) {
        struct place *place = &places->items[i];
        if (place->text && !place->wanted && strcmp(place->text, text) == 0)
            return place->wanted = true;
    }
    return false;
}

static int add(const char *path, int fd, struct places *places, const char *text,
               struct dr_error *err)
{
    for (size_t i = 0; i < places->count; i++) {
        struct place *place = &places->items[i];
        if (place->text || place->wanted || place->room <= strlen(text))
            continue;
        place->wanted = true;
        return show(fd, place, text, err);
    }
    return append(path, fd, places, text, err);
}

static int change(const char *path, int fd, struct places *places, char *const *lines,
                  struct dr_error *err)
{
    dr_auto_strv char **missing = NULL;
    for (; lines && *lines; lines++)
        if (!is_there(places, *lines))
            dr_strv_add(&missing, *lines);
    for (char **line = missing; line && *line; line++)
        if (add(path, fd, places, *line, err) < 0)
            return -1;
    for (size_t i = 0; i < places->count; i++) {
        const struct place *place = &places->items[i];
        if (place->text && !place->wanted && hide(fd, place, err) < 0)
            return -1;
    }
    return 0;
}

int hosts_update(const char *path, char *const *lines, struct dr_error *err)
{
    dr_auto_buf struct dr_buf file = DR_BUF_INIT(FILE_MAX);
    struct places places DR_CLEANUP(places_release) = {0};
    dr_auto_fd int fd = open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return dr_fail_errno(err, DR_ERR_NONE, "open %s", path);
    if (dr_file_read(AT_FDCWD, path, &file, err) < 0)
        return -1;
    if (file.len > 0)
        find_places(&file, &places);
    if (change(path, fd, &places, lines, err) < 0)
        return dr_wrap(err, "%s", path);
    return 0;
}
