/* SPDX-License-Identifier: Apache-2.0 */
/* "process" of config.json, and the process.json of an exec. */
#include <string.h>

#include "base/words.h"

#include "guest/bundle/parts.h"

#define INIT_IN_CONTAINER "/sbin/docker-init"

static const char default_path[] =
    "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/* ---- args ---- */

/* An array of strings, or, in images of old builders, one string. */
static char **image_words(const json_t *config, const char *key)
{
    const char *single = dr_json_str(config, key);
    char **words = single ? NULL : dr_json_strv(dr_json_array(config, key));
    if (single)
        dr_strv_add(&words, single);
    return words;
}

static void append(char ***to, char *const *words)
{
    for (; words && *words; words++)
        dr_strv_add(to, *words);
}

/* Docker's rule: words given replace the image's cmd; an entrypoint given replaces both.
 */
static int command(const struct bundle_input *in, char ***ret, struct dr_error *err)
{
    const struct spec_container *spec = in->spec;
    const json_t *config = bundle_image_section(in->image_config);
    dr_auto_strv char **entrypoint = image_words(config, "Entrypoint");
    dr_auto_strv char **cmd = image_words(config, "Cmd");
    dr_auto_strv char **args = NULL;
    append(&args, spec->has_entrypoint ? spec->entrypoint : entrypoint);
    if (spec->args && *spec->args)
        append(&args, spec->args);
    else if (!spec->has_entrypoint)
        append(&args, cmd);
    if (!args)
        return dr_fail(err, DR_ERR_INVALID,
                       "no command: the image has %s, give one behind its name",
                       spec->has_entrypoint ? "its entrypoint taken away"
                                            : "neither an entrypoint nor a cmd");
    if (!args[0][0])
        return dr_fail(err, DR_ERR_INVALID, "the command is an empty word");
    *ret = DR_TAKE(args);
    return 0;
}

/* ---- env ---- */

/* K=V replaces K's value in its place, K alone removes it. */
static void set_env(char ***env, const char *entry)
{
    size_t name = strcspn(entry, "="), n = dr_strv_len(*env);
    for (size_t i = 0; i < n; i++)
        if (strncmp((*env)[i], entry, name) == 0 && (*env)[i][name] == '=') {
            free((*env)[i]);
            if (entry[name]) {
                (*env)[i] = dr_strdup(entry);
            } else {
                memmove(*env + i, *env + i + 1, (n - i) * sizeof **env);
            }
            return;
        }
    if (entry[name] && name)
        dr_strv_add(env, entry);
}

static void set_env_words(char ***env, char *const *words)
{
    for (; words && *words; words++)
        set_env(env, *words);
}

static const char *get_env(char *const *env, const char *name)
{
    size_t len = strlen(name);
    for (; env && *env; env++)
        if (strncmp(*env, name, len) == 0 && (*env)[len] == '=')
            return *env + len + 1;
    return NULL;
}

static void set_env_pair(char ***env, const char *name, const char *value)
{
    dr_auto_free char *entry = dr_printf("%s=%s", name, value);
    set_env(env, entry);
}

static char **environment(const struct bundle_input *in, const char *hostname,
                          bool *ret_home_added)
{
    dr_auto_strv char **image =
        image_words(bundle_image_section(in->image_config), "Env");
    char **env = NULL;
    set_env_pair(&env, "PATH", default_path);
    set_env_pair(&env, "HOSTNAME", hostname);
    if (in->spec->tty)
        set_env_pair(&env, "TERM", "xterm");
    for (char **p = image; p && *p; p++)
        if (strchr(*p, '=')) /* an image cannot remove */
            set_env(&env, *p);
    set_env_words(&env, in->spec->env);
    *ret_home_added = !get_env(env, "HOME");
    if (*ret_home_added)
        set_env_pair(&env, "HOME", in->user->home);
    return env;
}

/* ---- cwd ---- */

/* A working directory that is a descriptor of the runtime leads out of the container
 * (CVE-2024-21626); nothing in /proc is a place to work. */
static int working_dir(const char *asked, char **ret, struct dr_error *err)
{
    dr_auto_free char *cwd = spec_path_clean(asked && *asked ? asked : "/");
    if (bundle_path_below(cwd, "/proc") || bundle_path_below(cwd, "/dev/fd"))
        return dr_fail(err, DR_ERR_INVALID,
                       "working directory '%s' is refused: it is inside %s", asked,
                       cwd[1] == 'p' ? "/proc" : "/dev/fd");
    *ret = DR_TAKE(cwd);
    return 0;
}

static json_t *user_json(const struct bundle_user *user)
{
    json_t *json = json_object(), *groups = json_array();
    dr_json_set_int(json, "uid", user->uid);
    dr_json_set_int(json, "gid", user->gid);
    for (size_t i = 0; i < user->group_count; i++)
        json_array_append_new(groups, json_integer(user->groups[i]));
    dr_json_set(json, "additionalGids", groups);
    return json;
}

json_t *bundle_process(const struct bundle_input *in,
                       const struct bundle_security *security, uint64_t caps,
                       const char *hostname, bool *ret_home_added, struct dr_error *err)
{
    dr_auto_strv char **args = NULL;
    dr_auto_free char *cwd = NULL;
    const char *workdir = in->spec->workdir;
    if (!workdir)
        workdir = dr_json_str(bundle_image_section(in->image_config), "WorkingDir");
    if (command(in, &args, err) < 0 || working_dir(workdir, &cwd, err) < 0)
        return NULL;
    dr_auto_json json_t *rlimits = bundle_rlimits(in, err);
    if (!rlimits)
        return NULL;
    dr_auto_strv char **env = environment(in, hostname, ret_home_added);
    if (in->spec->init) {
        dr_auto_strv char **wrapped = NULL;
        dr_strv_add(&wrapped, INIT_IN_CONTAINER);
        dr_strv_add(&wrapped, "--");
        append(&wrapped, args);
        dr_strv_free(args);
        args = DR_TAKE(wrapped);
    }
    json_t *json = json_object();
    dr_json_set_bool(json, "terminal", in->spec->tty);
    dr_json_set(json, "user", user_json(in->user));
    dr_json_set(json, "args", dr_words_to_json(args));
    dr_json_set(json, "env", dr_words_to_json(env));
    dr_json_set_str(json, "cwd", cwd);
    dr_json_set(json, "capabilities", bundle_caps_json(caps, in->user->uid));
    if (json_array_size(rlimits))
        dr_json_set(json, "rlimits", DR_TAKE(rlimits));
    /* Left out when false: youki 0.7 takes the member's mere presence for true when it
     * picks the moment to load seccomp, after the capabilities are gone, and fails with
     * EACCES. */
    if (security->no_new_privileges)
        dr_json_set_bool(json, "noNewPrivileges", true);
    /* Left alone when we are not protected ourselves: writing it, even the same value,
     * can need CAP_SYS_RESOURCE. A container never inherits our protection. */
    if (in->facts->oom_score_adj < 0)
        dr_json_set_int(json, "oomScoreAdj", 0);
    return json;
}

void bundle_set_console_size(json_t *process, int64_t rows, int64_t columns)
{
    if (rows <= 0 || columns <= 0 || rows > UINT16_MAX || columns > UINT16_MAX)
        return;
    json_t *size = json_object();
    dr_json_set_int(size, "height", rows);
    dr_json_set_int(size, "width", columns);
    dr_json_set(process, "consoleSize", size);
}

/* ---- exec ---- */

static char **exec_env(const json_t *config, const json_t *process,
                       const struct bundle_exec *exec)
{
    char **env = dr_words_from_json(dr_json_array(process, "env"));
    /* HOME was ours to choose, so it follows the user (bundle_config marks it). */
    bool home_added =
        dr_json_str(dr_json_object(config, "annotations"), BUNDLE_HOME_MARK);
    if (exec->user && home_added)
        set_env_pair(&env, "HOME", exec->user->home);
    if (exec->tty && !get_env(env, "TERM"))
        set_env_pair(&env, "TERM", "xterm");
    set_env_words(&env, exec->env);
    return env;
}

static uint64_t bounding_caps(const json_t *process)
{
    uint64_t caps = 0;
    size_t i;
    json_t *name;
    json_array_foreach (
        dr_json_array(dr_json_object(process, "capabilities"), "bounding"), i, name) {
        int number =
            json_is_string(name) ? bundle_cap_number(json_string_value(name)) : -1;
        if (number >= 0)
            caps |= CAP_BIT(number);
    }
    return caps;
}

json_t *bundle_process_for_exec(const json_t *config, const struct bundle_exec *exec,
                                const struct bundle_facts *facts, struct dr_error *err)
{
    const json_t *process = dr_json_object(config, "process");
    dr_auto_free char *cwd = NULL;
    if (!exec->args || !exec->args[0] || !exec->args[0][0]) {
        dr_fail(err, DR_ERR_INVALID, "exec: no command given");
        return NULL;
    }
    if (exec->workdir && exec->workdir[0] != '/') {
        dr_fail(err, DR_ERR_INVALID,
                "exec: working directory '%s' is not an absolute path", exec->workdir);
        return NULL;
    }
    if (working_dir(exec->workdir ? exec->workdir : dr_json_str(process, "cwd"), &cwd,
                    err) < 0) {
        dr_wrap(err, "exec");
        return NULL;
    }
    json_t *user = exec->user ? user_json(exec->user)
                              : json_deep_copy(dr_json_object(process, "user"));
    uint32_t uid = (uint32_t)dr_json_int(user, "uid", 0);
    uint64_t caps = exec->privileged ? facts->caps : bounding_caps(process);
    dr_auto_strv char **env = exec_env(config, process, exec);
    json_t *json = json_object();
    dr_json_set_bool(json, "terminal", exec->tty);
    if (exec->tty)
        bundle_set_console_size(json, exec->rows, exec->columns);
    dr_json_set(json, "user", user);
    dr_json_set(json, "args", dr_words_to_json(exec->args));
    dr_json_set(json, "env", dr_words_to_json(env));
    dr_json_set_str(json, "cwd", cwd);
    dr_json_set(json, "capabilities", bundle_caps_json(caps, uid));
    static const char *const kept[] = {"rlimits", "noNewPrivileges", "oomScoreAdj"};
    for (size_t i = 0; i < DR_COUNT(kept); i++)
        dr_json_set(json, kept[i], json_deep_copy(json_object_get(process, kept[i])));
    return json;
}
