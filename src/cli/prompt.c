/* SPDX-License-Identifier: Apache-2.0 */
/* Questions to a person at the terminal; signals and stops give it back as it was. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"

#define LINE_BYTES_MAX (64 * 1024)

static int read_line(struct dr_buf *line, struct dr_error *err)
{
    for (;;) {
        char c;
        ssize_t n = read(STDIN_FILENO, &c, 1);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return dr_fail_errno(err, DR_ERR_INTERNAL, "read the terminal");
        if (n == 0 && line->len == 0)
            return dr_fail(err, DR_ERR_CANCELLED, "nothing was typed");
        if (n == 0 || c == '\n')
            return 0;
        if (dr_buf_add(line, &c, 1, err) < 0)
            return dr_wrap(err, "the line typed");
    }
}

int cli_prompt(const char *label, bool hidden, char **ret_line, struct dr_error *err)
{
    struct dr_buf line = DR_BUF_INIT(LINE_BYTES_MAX);
    int unused;
    if (!isatty(STDIN_FILENO))
        return dr_fail(err, DR_ERR_INVALID,
                       "standard input is no terminal, so that nobody can be asked; give "
                       "a user name, and the password with --password-stdin");
    if (hidden && (cli_signals_catch(0, &unused, err) < 0 ||
                   cli_terminal_hide(STDIN_FILENO, err) < 0))
        return -1;
    fprintf(stderr, "%s: ", label);
    fflush(stderr);
    int rc = read_line(&line, err);
    if (hidden) {
        cli_terminal_restore();
        cli_signals_default();
        fputc('\n', stderr);
    }
    if (rc < 0) {
        if (line.data)
            explicit_bzero(line.data, line.len);
        dr_buf_release(&line);
        return -1;
    }
    *ret_line = dr_buf_take(&line);
    return 0;
}
