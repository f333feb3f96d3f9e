/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/log/tail.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/text.h"
#include "guest/log/log.h"

#define TIME_LEN (DR_TIME_TEXT - 1)
#define HEAD_LEN (TIME_LEN + sizeof " stdout F " - 1)
#define BLOCK 65536

bool log_entry_parse(const char *line, size_t len, struct log_entry *ret)
{
    if (len < HEAD_LEN || line[TIME_LEN - 1] != 'Z' || line[10] != 'T' ||
        line[TIME_LEN] != ' ' || line[TIME_LEN + 7] != ' ' || line[HEAD_LEN - 1] != ' ')
        return false;
    const char *stream = line + TIME_LEN + 1;
    bool is_err = memcmp(stream, "stderr", 6) == 0;
    char tag = line[HEAD_LEN - 2];
    if ((!is_err && memcmp(stream, "stdout", 6) != 0) || (tag != 'F' && tag != 'P'))
        return false;
    *ret = (struct log_entry){.time = line,
                              .stream = is_err ? LOG_STDERR : LOG_STDOUT,
                              .tag = tag,
                              .message = line + HEAD_LEN,
                              .len = len - HEAD_LEN};
    return true;
}

void log_files_close(struct log_files *files)
{
    for (unsigned i = 0; i < files->count; i++)
        close(files->fds[i]);
    files->count = 0;
}

static int open_all(struct log_files *files, const char *path, struct dr_error *err)
{
    int newest_first[LOG_FILES_MAX];
    unsigned n = 0;
    for (unsigned i = 0; n < LOG_FILES_MAX; i++) {
        dr_auto_free char *name = i ? dr_printf("%s.%u", path, i) : dr_strdup(path);
        int fd = open(name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
        if (fd >= 0)
            newest_first[n++] = fd;
        else if (errno != ENOENT) {
            dr_fail_errno(err, DR_ERR_NONE, "open log %s", name);
            while (n > 0)
                close(newest_first[--n]);
            return -1;
        } else if (i > 0)
            break; /* the current file alone may be missing, in the middle of a rotation
                    */
    }
    files->count = n;
    for (unsigned i = 0; i < n; i++) {
        struct stat st = {0};
        files->fds[i] = newest_first[n - 1 - i];
        fstat(files->fds[i], &st);
        files->sizes[i] = st.st_size;
    }
    return 0;
}

static bool rotated_meanwhile(const struct log_files *files, const char *path)
{
    struct stat now, then;
    if (files->count == 0 || stat(path, &now) < 0)
        return false;
    /* newest opened file is what path is now, and none was opened under two names */
    if (fstat(files->fds[files->count - 1], &then) < 0 || now.st_ino != then.st_ino)
        return true;
    for (unsigned i = 1; i < files->count; i++) {
        struct stat a, b;
        if (fstat(files->fds[i - 1], &a) == 0 && fstat(files->fds[i], &b) == 0 &&
            a.st_ino == b.st_ino)
            return true;
    }
    return false;
}

int log_files_open(struct log_files *files, const char *path, struct dr_error *err)
{
    for (int attempt = 0;; attempt++) {
        if (open_all(files, path, err) < 0)
            return -1;
        if (attempt == 10 || !rotated_meanwhile(files, path))
            return 0;
        log_files_close(files);
    }
}

/* Counts ends of lines from behind. A piece (P) that is the last of its stream is a line
 * of its own: it has no F yet. */
struct backward {
    int64_t wanted, found;
    bool seen[LOG_STDERR + 1];
};

/* True: the line at `line` is the first that is not wanted any more. */
static bool count_line(struct backward *back, const char *line, size_t len)
{
    struct log_entry entry;
    if (!log_entry_parse(line, len, &entry))
        back->found++;
    else if (entry.tag == 'F' || !back->seen[entry.stream])
        back->found++;
    if (log_entry_parse(line, len, &entry))
        back->seen[entry.stream] = true;
    return back->found > back->wanted;
}

/* Offset behind the entry that is not wanted, or -1 when all of the file is. */
static int64_t scan_back(int fd, int64_t size, struct backward *back,
                         struct dr_error *err)
{
    /* text: the bytes [start, start + have) of the file, of which [.., end) are undecided
     */
    dr_auto_free char *text = dr_alloc(BLOCK);
    size_t cap = BLOCK, have = 0;
    int64_t start = size;
    for (;;) {
        /* lines that lie wholly in text; its first may begin before it */
        while (have > 0) {
            bool whole = text[have - 1] == '\n';
            size_t body = whole ? have - 1 : have;
            const char *newline = memrchr(text, '\n', body);
            if (!newline && start > 0)
                break;
            size_t at = newline ? (size_t)(newline - text) + 1 : 0;
            /* what has no newline yet is being written, or was torn: nobody shows it */
            if (whole && count_line(back, text + at, body - at))
                return start + (int64_t)have;
            have = at;
        }
        if (start == 0)
            return -1;
        size_t more = start < BLOCK ? (size_t)start : BLOCK;
        if (have + more > cap)
            text = dr_realloc(text, cap = have + more);
        memmove(text + more, text, have);
        ssize_t n = pread(fd, text, more, start - (int64_t)more);
        if (n != (ssize_t)more) {
            dr_fail_errno(err, DR_ERR_INTERNAL, "read log");
            return -2;
        }
        start -= (int64_t)more;
        have += more;
    }
}

int log_tail(const struct log_files *files, int64_t lines, unsigned *ret_file,
             int64_t *ret_offset, struct dr_error *err)
{
    struct backward back = {.wanted = lines};
    *ret_file = 0;
    *ret_offset = 0;
    for (unsigned i = files->count; i > 0; i--) {
        int64_t at = scan_back(files->fds[i - 1], files->sizes[i - 1], &back, err);
        if (at == -2)
            return -1;
        if (at >= 0) {
            *ret_file = i - 1;
            *ret_offset = at;
            return 0;
        }
    }
    return 0;
}

int64_t log_seek_time(int fd, int64_t size, int64_t since_ns)
{
    char since[DR_TIME_TEXT], block[4096];
    dr_time_format(since_ns, since);
    int64_t low = 0, high = size; /* an entry that begins before low is too old */
    while (high - low > (int64_t)sizeof block) {
        int64_t middle = low + (high - low) / 2;
        ssize_t n = pread(fd, block, sizeof block, middle);
        const char *newline = n > 0 ? memchr(block, '\n', (size_t)n) : NULL;
        if (!newline || newline + 1 + HEAD_LEN > block + n)
            break; /* a long entry: read from low on */
        if (memcmp(newline + 1, since, TIME_LEN) < 0)
            low = middle + (newline + 1 - block);
        else
            high = middle;
    }
    return low;
}
