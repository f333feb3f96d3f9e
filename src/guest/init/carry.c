/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/init/carry.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "base/text.h"
#include "base/words.h"

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U
#endif

static bool is_text(const json_t *process)
{
    return dr_words_are_text(dr_json_array(process, "args")) &&
           dr_words_are_text(dr_json_array(process, "env"));
}

void carry_process(json_t *process)
{
    if (is_text(process))
        return;
    json_t *env = json_array(), *entry;
    size_t i;
    json_array_foreach (dr_json_array(process, "env"), i, entry)
        if (json_is_string(entry))
            json_array_append(env, entry);
    dr_json_set(process, "args", json_pack("[ss]", "/proc/self/fd/3", "words"));
    dr_json_set(process, "env", env);
}

/* --- the two files --- */

/* Nobody changes them any more, in particular not root in the container (CVE-2019-5736).
 */
static int seal(int fd, struct dr_error *err)
{
    if (fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) <
        0)
        return dr_fail_errno(err, DR_ERR_START, "seal a file in memory");
    return 0;
}

static int memory_file(unsigned flags)
{
    int fd = memfd_create("dray", MFD_CLOEXEC | MFD_ALLOW_SEALING | flags);
    if (fd < 0 && errno == EINVAL) /* kernels before 6.3 know no MFD_EXEC */
        fd = memfd_create("dray", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    return fd;
}

static int copy_program(int *ret, struct dr_error *err)
{
    dr_auto_fd int self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    dr_auto_fd int copy = memory_file(MFD_EXEC);
    ssize_t n = -1;
    if (self >= 0 && copy >= 0 && fchmod(copy, 0755) == 0)
        while ((n = sendfile(copy, self, NULL, 1 << 30)) > 0)
            ;
    if (n < 0)
        return dr_fail_errno(err, DR_ERR_START, "copy the helper into memory");
    if (seal(copy, err) < 0)
        return -1;
    *ret = DR_TAKE_FD(copy);
    return 0;
}

static int write_word(int fd, const char *word)
{
    for (size_t left = strlen(word) + 1; left > 0;) {
        ssize_t n = write(fd, word, left);
        if (n < 0 && errno != EINTR)
            return -1;
        word += n > 0 ? n : 0;
        left -= n > 0 ? (size_t)n : 0;
    }
    return 0;
}

/* Each with its NUL: how many words there are, these, the variables. */
static int write_words(char *const *args, char *const *env, int *ret,
                       struct dr_error *err)
{
    dr_auto_fd int fd = memory_file(0);
    dr_auto_free char *count = dr_printf("%zu", dr_strv_len(args));
    int result = fd < 0 ? -1 : write_word(fd, count);
    for (; result == 0 && *args; args++)
        result = write_word(fd, *args);
    for (; result == 0 && *env; env++)
        result = write_word(fd, *env);
    if (result < 0)
        return dr_fail_errno(err, DR_ERR_START, "write the command's words");
    if (seal(fd, err) < 0)
        return -1;
    *ret = DR_TAKE_FD(fd);
    return 0;
}

int carry_open(const json_t *process, struct carried *ret, struct dr_error *err)
{
    if (is_text(process))
        return 0;
    dr_auto_strv char **args = dr_words_from_json(dr_json_array(process, "args"));
    dr_auto_strv char **env = dr_words_from_json(dr_json_array(process, "env"));
    int ends[2];
    if (copy_program(&ret->fds[0], err) < 0 ||
        write_words(args, env, &ret->fds[1], err) < 0)
        return -1;
    if (pipe2(ends, O_CLOEXEC) < 0)
        return dr_fail_errno(err, DR_ERR_START, "make a pipe");
    ret->status = ends[0];
    ret->fds[2] = ends[1];
    ret->count = DR_COUNT(ret->fds);
    ret->command = dr_escape(args[0], 100);
    return 0;
}

/* --- what became of it --- */

static void close_theirs(struct carried *carried)
{
    for (size_t i = 0; i < DR_COUNT(carried->fds); i++) {
        if (carried->fds[i] >= 0)
            close(carried->fds[i]);
        carried->fds[i] = -1;
    }
}

int carry_wait(struct carried *carried, int64_t deadline_ms, struct dr_error *err)
{
    if (carried->count == 0)
        return 0;
    close_theirs(carried); /* then its end is the pipe's */
    for (;;) {
        int64_t left = deadline_ms - dr_clock_ms();
        struct pollfd fd = {.fd = carried->status, .events = POLLIN};
        if (left <= 0)
            return dr_fail(err, DR_ERR_TIMEOUT, "the command was not executed in time");
        if (poll(&fd, 1, (int)left) > 0)
            break;
    }
    int why = 0;
    if (read(carried->status, &why, sizeof why) != sizeof why)
        return 0;
    bool missing = why == ENOENT || why == ENOTDIR;
    return dr_fail_at(err, DR_AT_RUNTIME, DR_ERR_START, missing ? 127 : 126,
                      "exec %s: %s", carried->command,
                      why == ENOENT && !strchr(carried->command, '/')
                          ? "executable file not found in $PATH"
                          : strerror(why));
}

void carry_close(struct carried *carried)
{
    close_theirs(carried);
    if (carried->status >= 0)
        close(carried->status);
    free(carried->command);
    *carried = (struct carried)CARRIED_INIT;
}
