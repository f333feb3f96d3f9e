/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files of environment variables (and labels), as Docker reads them: one KEY=VALUE a
 * line, the value verbatim (no quotes, no expansion), lines that begin with '#' are
 * comments, a KEY alone takes its value from here. Rule: docker/cli pkg/kvfile,
 * opts/env.go.
 */
#include <string.h>

#include "base/fs.h"
#include "base/text.h"
#include "cli/cli.h"

#define ENV_FILE_MAX (4u << 20)

/* keep_name: an unset variable stays as its name, which takes the image's away (Docker's
 * -e); in files it counts for nothing (Docker's --env-file). */
static void add_from_here(const char *name, bool keep_name, char ***env)
{
    const char *value = getenv(name);
    if (!value && keep_name)
        dr_strv_add(env, name);
    if (!value)
        return;
    dr_auto_free char *pair = dr_printf("%s=%s", name, value);
    dr_strv_add(env, pair);
}

int cli_env_word(const char *word, bool keep_name, char ***env, struct dr_error *err)
{
    if (!*word || *word == '=') {
        dr_auto_free char *safe = dr_escape(word, 100);
        return dr_fail(
            err, DR_ERR_INVALID,
            "invalid environment variable \"%s\": it must be NAME or NAME=VALUE", safe);
    }
    if (strchr(word, '='))
        dr_strv_add(env, word);
    else
        add_from_here(word, keep_name, env);
    return 0;
}

/* What a kind of file is called in errors, and what becomes of a name alone. */
struct kind {
    const char *flag, *what;
    bool from_here; /* it takes this process' value */
};
static const struct kind env_kind = {"--env-file", "variable", true};
static const struct kind label_kind = {"--label-file", "label", false};

static int file_line(const struct kind *kind, const char *line, char ***list,
                     struct dr_error *err)
{
    line += strspn(line, " \t\r\v\f");
    if (!*line || *line == '#')
        return 0;
    if (!dr_json_is_text(line))
        return dr_fail(err, DR_ERR_INVALID, "it is not valid UTF-8");
    size_t len = strcspn(line, "=");
    dr_auto_free char *name = dr_strndup(line, len);
    dr_auto_free char *safe = dr_escape(line, 60);
    if (len == 0)
        return dr_fail(err, DR_ERR_INVALID, "no %s name in \"%s\"", kind->what, safe);
    if (strpbrk(name, " \t\r\v\f")) {
        dr_auto_free char *safe_name = dr_escape(name, 60);
        return dr_fail(err, DR_ERR_INVALID, "%s \"%s\" contains whitespace", kind->what,
                       safe_name);
    }
    if (kind->from_here)
        return cli_env_word(line, false, list, err);
    dr_strv_add(list, line);
    return 0;
}

static int read_file(const struct kind *kind, const char *path, char ***list,
                     struct dr_error *err)
{
    dr_auto_buf struct dr_buf buf = DR_BUF_INIT(ENV_FILE_MAX);
    if (dr_file_read(AT_FDCWD, path, &buf, err) < 0)
        return dr_wrap(err, "%s", kind->flag);
    char *line = buf.data;
    char *end = line + buf.len;
    size_t number = 0;
    if (buf.len >= 2 &&
        (memcmp(line, "\xff\xfe", 2) == 0 || memcmp(line, "\xfe\xff", 2) == 0))
        return dr_fail(
            err, DR_ERR_INVALID,
            "%s %s: it is UTF-16, as PowerShell's > writes it: save it as UTF-8",
            kind->flag, path);
    if (buf.len && memchr(line, '\0', buf.len))
        return dr_fail(err, DR_ERR_INVALID, "%s %s: it has NUL bytes", kind->flag, path);
    if (buf.len >= 3 && memcmp(line, "\xef\xbb\xbf", 3) == 0)
        line += 3; /* the byte order mark that Windows' editors put there */
    while (line < end) {
        char *newline = memchr(line, '\n', (size_t)(end - line));
        char *stop = newline ? newline : end;
        number++;
        *stop = '\0';
        if (stop > line && stop[-1] == '\r')
            stop[-1] = '\0';
        if (file_line(kind, line, list, err) < 0)
            return dr_wrap(err, "%s %s, line %zu", kind->flag, path, number);
        line = stop + 1;
    }
    return 0;
}

int cli_env_file(const char *path, char ***env, struct dr_error *err)
{
    return read_file(&env_kind, path, env, err);
}

int cli_label_file(const char *path, char ***labels, struct dr_error *err)
{
    return read_file(&label_kind, path, labels, err);
}

int cli_env_all(char *const *files, char *const *words, bool keep_names, char ***env,
                struct dr_error *err)
{
    for (size_t i = 0; files && files[i]; i++)
        if (cli_env_file(files[i], env, err) < 0)
            return -1;
    for (size_t i = 0; words && words[i]; i++)
        if (cli_env_word(words[i], keep_names, env, err) < 0)
            return -1;
    return 0;
}
