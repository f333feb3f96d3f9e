/* SPDX-License-Identifier: Apache-2.0 */
#include "deploy/read.h"

#include <string.h>

#include "base/fs.h"
#include "base/text.h"
#include "base/winpath.h"

#ifdef _WIN32
#define HOME "USERPROFILE"
static const bool windows = true;
#else
#define HOME "HOME"
static const bool windows = false;
#endif

const char *deploy_environment(const struct deploy_sources *sources, const char *name)
{
    if (!sources->environment)
        return getenv(name);
    size_t len = strlen(name);
    for (const char *const *item = sources->environment; *item; item++)
        if (strncmp(*item, name, len) == 0 && (*item)[len] == '=')
            return *item + len + 1;
    return NULL;
}

bool deploy_name_valid(const char *name)
{
    size_t len = strlen(name);
    return len > 0 && len <= 63 && *name != '-' && *name != '_' &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-") == len;
}

char *deploy_directory_name(const char *directory)
{
    size_t end = strlen(directory);
    const char *ends = windows ? "/\\" : "/";
    while (end > 0 && strchr(ends, directory[end - 1]))
        end--;
    size_t start = end;
    while (start > 0 && !strchr(ends, directory[start - 1]))
        start--;
    dr_auto_free char *name = dr_alloc(end - start + 1);
    size_t n = 0;
    for (size_t i = start; i < end && n < 63; i++) {
        char c = directory[i];
        if (c >= 'A' && c <= 'Z')
            c = (char)(c - 'A' + 'a');
        char one[2] = {c, 0};
        if (strspn(one, "abcdefghijklmnopqrstuvwxyz0123456789_-") &&
            (n > 0 || (c != '-' && c != '_')))
            name[n++] = c;
    }
    return n ? DR_TAKE(name) : NULL;
}

static char *absolute(const char *here, const char *path)
{
    if (windows)
        return dr_winpath_absolute(here, path);
    if (*path == '/')
        return spec_path_clean(path);
    dr_auto_free char *whole = dr_printf("%s/%s", here, path);
    return spec_path_clean(whole);
}

char *deploy_path(const struct deploy_input *input, const char *path,
                  struct dr_error *err)
{
    if (*path != '~')
        return absolute(input->directory, path);
    const char *home = deploy_environment(input->sources, HOME);
    bool below = !path[1] || path[1] == '/' || (windows && path[1] == '\\');
    if (below && home && dr_path_is_absolute(home)) {
        dr_auto_free char *whole = dr_printf("%s%s", home, path + 1);
        return absolute(home, whole);
    }
    dr_auto_free char *safe = dr_escape(path, 200);
    dr_fail(err, DR_ERR_CONFIG,
            "'%s': only ~ and ~/… can stand for a home directory, and %s must be set",
            safe, HOME);
    return NULL;
}

/* Where the first file is, absolute. */
static int find_directory(const struct deploy_sources *sources, char **ret,
                          struct dr_error *err)
{
    dr_auto_free char *path = dr_strdup(sources->directory);
    if (!path) {
        const char *first = sources->files && *sources->files ? *sources->files : "-";
        const char *end = strrchr(first, '/');
        const char *back = windows ? strrchr(first, '\\') : NULL;
        if (back && (!end || back > end))
            end = back;
        if (!end || strcmp(first, "-") == 0)
            path = dr_strdup(".");
        else
            path = dr_strndup(first, end == first ? 1 : (size_t)(end - first));
    }
    if (dr_path_is_absolute(path)) {
        *ret = DR_TAKE(path);
        return 0;
    }
    dr_auto_free char *here = dr_path_real(".");
    if (!here)
        return dr_fail_errno(err, DR_ERR_CONFIG, "the current directory");
    *ret = absolute(here, path);
    return 0;
}

static int load(const struct deploy_sources *sources, const char *file,
                struct deploy_model *model, struct deploy_value **ret,
                struct dr_error *err)
{
    dr_strv_add(&model->file_names, file);
    const char *name = model->file_names[dr_strv_len(model->file_names) - 1];
    if (strcmp(file, "-") == 0) {
        const char *text = sources->text ? sources->text : "";
        return deploy_value_load(name, text, strlen(text), ret, err);
    }
    dr_auto_buf struct dr_buf buf = DR_BUF_INIT(DEPLOY_FILE_MAX);
    if (dr_file_read(AT_FDCWD, file, &buf, err) < 0)
        return -1;
    return deploy_value_load(name, buf.data ? buf.data : "", buf.len, ret, err);
}

/* Only dray's own format has a version that is called v1; Compose's are numbers, or
 * missing. */
static bool is_v1(const struct deploy_value *root)
{
    const struct deploy_value *version = deploy_value_get(root, "version");
    return version && version->type == DEPLOY_SCALAR && version->text[0] == 'v';
}

static int read_roots(const struct deploy_input *input, struct deploy_model *model,
                      struct dr_error *err)
{
    bool v1 = false;
    for (size_t i = 0; i < input->count; i++)
        v1 = v1 || is_v1(input->roots[i]);
    return v1 ? deploy_v1_read(input, model, err)
              : deploy_compose_read(input, model, err);
}

int deploy_read(const struct deploy_sources *sources, struct deploy_problems *problems,
                struct deploy_model **ret_model, struct dr_error *err)
{
    static const char *const only_text[] = {"-", NULL};
    const char *const *files =
        sources->files && *sources->files ? sources->files : only_text;
    dr_auto_free char *directory = NULL;
    if (sources->name && !deploy_name_valid(sources->name)) {
        dr_auto_free char *safe = dr_escape(sources->name, 100);
        return dr_fail(err, DR_ERR_INVALID,
                       "'%s' is no name for a deployment: a-z, 0-9, '-' and '_', at most "
                       "63, and a letter or digit first",
                       safe);
    }
    if (find_directory(sources, &directory, err) < 0)
        return -1;
    struct deploy_model *model = deploy_model_new();
    struct deploy_input input = {
        .sources = sources, .directory = directory, .problems = problems};
    while (files[input.count])
        input.count++;
    input.roots = dr_alloc(input.count * sizeof *input.roots);
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < input.count; i++)
        rc = load(sources, files[i], model, &input.roots[i], err);
    if (rc == 0)
        rc = read_roots(&input, model, err);
    if (rc == 0)
        rc = deploy_problems_end(problems, err);
    for (size_t i = 0; i < input.count; i++)
        deploy_value_free(input.roots[i]);
    free(input.roots);
    if (rc < 0)
        deploy_model_free(model);
    else
        *ret_model = model;
    return rc;
}
