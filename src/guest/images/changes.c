/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/images/changes.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/text.h"
#include "spec/container.h"

#define TEXT_MAX ((size_t)64 << 10)

struct change {
    json_t *config;
    const char *rest;  /* what follows the instruction's name */
    bool *cmd_was_set; /* by a CMD before */
};

static int bad(struct dr_error *err, const char *why)
{
    return dr_fail(err, DR_ERR_INVALID, "%s", why);
}

/* The member as an object or array, made when it is not there (or null). */
static json_t *member(json_t *config, const char *key, bool array)
{
    json_t *value = json_object_get(config, key);
    if (array ? json_is_array(value) : json_is_object(value))
        return value;
    value = array ? json_array() : json_object();
    json_object_set_new(config, key, value);
    return value;
}

/* --- words --- */

static const char *environment(const json_t *config, const char *name, size_t len)
{
    size_t i;
    json_t *entry;
    json_array_foreach (dr_json_array(config, "Env"), i, entry) {
        const char *text = json_string_value(entry);
        if (text && strncmp(text, name, len) == 0 && text[len] == '=')
            return text + len + 1;
    }
    return "";
}

static size_t name_length(const char *text)
{
    size_t n = 0;
    while (isalnum((unsigned char)text[n]) || text[n] == '_')
        n++;
    return n;
}

/* *at is on a '$'. */
static int expand(const json_t *config, const char **at, struct dr_buf *out,
                  struct dr_error *err)
{
    const char *name = *at + 1;
    bool braces = *name == '{';
    name += braces;
    size_t len = name_length(name);
    if (len == 0 && !braces) {
        (*at)++;
        return dr_buf_add(out, "$", 1, err);
    }
    if (len == 0 || (braces && name[len] != '}'))
        return bad(err, "only $NAME and ${NAME} are expanded");
    const char *value = environment(config, name, len);
    *at = name + len + braces;
    return dr_buf_add(out, value, strlen(value), err);
}

/* One word: quotes and backslashes as in a shell, ends at a blank, or at stop when that
 * is met outside of quotes. */
static int word(const json_t *config, const char **at, char stop, char **ret,
                struct dr_error *err)
{
    dr_auto_buf struct dr_buf out = DR_BUF_INIT(TEXT_MAX);
    const char *p = *at;
    char quote = '\0';
    while (*p && (quote || (!isspace((unsigned char)*p) && *p != stop))) {
        if (quote != '\'' && *p == '$') {
            if (expand(config, &p, &out, err) < 0)
                return -1;
            continue;
        }
        if (*p == quote) {
            quote = '\0';
            p++;
            continue;
        }
        if (!quote && (*p == '"' || *p == '\'')) {
            quote = *p++;
            continue;
        }
        bool escapes = quote == '"' ? p[1] && strchr("\"\\$", p[1]) : !quote && p[1];
        if (*p == '\\' && escapes)
            p++;
        if (dr_buf_add(&out, p++, 1, err) < 0)
            return -1;
    }
    if (quote)
        return bad(err, "a quote is not closed");
    *at = p;
    *ret = dr_buf_take(&out);
    return 0;
}

static void skip_blanks(const char **at)
{
    while (isspace((unsigned char)**at))
        (*at)++;
}

/* The JSON array of strings in text, a new reference; NULL when it is none. */
static json_t *json_words(const char *text)
{
    dr_auto_error struct dr_error ignored = DR_ERROR_INIT;
    if (*text != '[')
        return NULL;
    dr_auto_json json_t *array = dr_json_parse(text, strlen(text), TEXT_MAX, &ignored);
    size_t i;
    json_t *item;
    if (!json_is_array(array))
        return NULL;
    json_array_foreach (array, i, item)
        if (!json_is_string(item))
            return NULL;
    return DR_TAKE(array);
}

static int words(const struct change *c, json_t **ret, struct dr_error *err)
{
    dr_auto_json json_t *list = json_words(c->rest);
    const char *at = c->rest;
    if (list) {
        *ret = DR_TAKE(list);
        return 0;
    }
    list = json_array();
    for (skip_blanks(&at); *at; skip_blanks(&at)) {
        dr_auto_free char *one = NULL;
        if (word(c->config, &at, '\0', &one, err) < 0)
            return -1;
        json_array_append_new(list, json_string(one));
    }
    *ret = DR_TAKE(list);
    return 0;
}

static int one_word(const struct change *c, char **ret, struct dr_error *err)
{
    dr_auto_json json_t *list = NULL;
    if (words(c, &list, err) < 0)
        return -1;
    if (json_array_size(list) != 1 || *c->rest == '[')
        return bad(err, "it takes one word");
    *ret = dr_strdup(json_string_value(json_array_get(list, 0)));
    return 0;
}

/* --- instructions --- */

/* The exec form, or the shell form in the config's shell. */
static json_t *command(const struct change *c)
{
    json_t *list = json_words(c->rest), *shell = dr_json_array(c->config, "Shell");
    if (list)
        return list;
    list = json_array();
    if (shell) {
        json_array_extend(list, shell);
    } else {
        json_array_append_new(list, json_string("/bin/sh"));
        json_array_append_new(list, json_string("-c"));
    }
    json_array_append_new(list, json_string(c->rest));
    return list;
}

static int do_cmd(const struct change *c, struct dr_error *err)
{
    json_object_set_new(c->config, "Cmd", command(c));
    *c->cmd_was_set = true;
    return 0;
}

static int do_entrypoint(const struct change *c, struct dr_error *err)
{
    json_t *list = command(c);
    if (json_array_size(list) == 0) {
        json_decref(list);
        json_object_del(c->config, "Entrypoint");
    } else {
        json_object_set_new(c->config, "Entrypoint", list);
    }
    if (!*c->cmd_was_set) /* the old one was for the old entrypoint */
        json_object_del(c->config, "Cmd");
    return 0;
}

typedef void (*pair_fn)(json_t *config, const char *key, const char *value);

static void set_env(json_t *config, const char *key, const char *value)
{
    json_t *env = member(config, "Env", true);
    dr_auto_free char *entry = dr_printf("%s=%s", key, value);
    size_t n = strlen(key), i;
    json_t *old;
    json_array_foreach (env, i, old)
        if (strncmp(json_string_value(old) ?: "", key, n) == 0 &&
            json_string_value(old)[n] == '=') {
            json_array_set_new(env, i, json_string(entry));
            return;
        }
    json_array_append_new(env, json_string(entry));
}

static void set_label(json_t *config, const char *key, const char *value)
{
    json_object_set_new(member(config, "Labels", false), key, json_string(value));
}

/* "k=v k=v", or the old form "k v v". Values see the environment as it was before. */
static int pairs(const struct change *c, pair_fn set, struct dr_error *err)
{
    dr_auto_json json_t *before = json_deep_copy(c->config);
    const char *at = c->rest;
    for (skip_blanks(&at); *at; skip_blanks(&at)) {
        dr_auto_free char *key = NULL, *value = NULL;
        if (word(before, &at, '=', &key, err) < 0)
            return -1;
        if (!*key)
            return bad(err, "a name is empty");
        if (*at != '=') {
            if (at != c->rest + strlen(key))
                return bad(err, "it takes NAME=VALUE");
            skip_blanks(&at);
            if (!*at)
                return bad(err, "it takes NAME=VALUE");
            set(c->config, key, at);
            return 0;
        }
        at++;
        if (word(before, &at, '\0', &value, err) < 0)
            return -1;
        set(c->config, key, value);
    }
    return 0;
}

static int do_env(const struct change *c, struct dr_error *err)
{
    return pairs(c, set_env, err);
}

static int do_label(const struct change *c, struct dr_error *err)
{
    return pairs(c, set_label, err);
}

static int expose_one(json_t *config, const char *text, struct dr_error *err)
{
    const char *slash = strchr(text, '/'), *protocol = slash ? slash + 1 : "tcp";
    dr_auto_free char *range =
        dr_strndup(text, slash ? (size_t)(slash - text) : strlen(text));
    char *dash = strchr(range, '-');
    int64_t first, last;
    static const char *const known[] = {"tcp", "udp", "sctp"};
    const char *found = NULL;
    if (dash)
        *dash++ = '\0';
    for (size_t i = 0; i < DR_COUNT(known); i++)
        if (strcasecmp(protocol, known[i]) == 0)
            found = known[i];
    if (!found || !dr_int_parse(range, 1, 65535, &first) ||
        !dr_int_parse(dash ? dash : range, first, 65535, &last))
        return dr_fail(err, DR_ERR_INVALID, "'%s' is no port: 80, 80/udp, 7000-7005",
                       text);
    json_t *ports = member(config, "ExposedPorts", false);
    for (; first <= last; first++) {
        dr_auto_free char *port = dr_printf("%d/%s", (int)first, found);
        json_object_set_new(ports, port, json_object());
    }
    return 0;
}

static int do_expose(const struct change *c, struct dr_error *err)
{
    dr_auto_json json_t *list = NULL;
    size_t i;
    json_t *item;
    if (words(c, &list, err) < 0)
        return -1;
    json_array_foreach (list, i, item)
        if (expose_one(c->config, json_string_value(item), err) < 0)
            return -1;
    return 0;
}

static int do_user(const struct change *c, struct dr_error *err)
{
    dr_auto_free char *user = NULL;
    if (one_word(c, &user, err) < 0)
        return -1;
    dr_json_set_str(c->config, "User", user);
    return 0;
}

static int do_workdir(const struct change *c, struct dr_error *err)
{
    const char *at = c->rest, *before = dr_json_str(c->config, "WorkingDir");
    dr_auto_free char *dir = NULL, *joined = NULL, *cleaned = NULL;
    /* blanks belong to it */
    dr_auto_buf struct dr_buf all = DR_BUF_INIT(TEXT_MAX);
    for (; *at;) {
        free(DR_TAKE(dir));
        if (word(c->config, &at, '\0', &dir, err) < 0 ||
            dr_buf_add(&all, dir, strlen(dir), err) < 0)
            return -1;
        for (; isspace((unsigned char)*at); at++)
            if (at[1] && dr_buf_add(&all, at, 1, err) < 0)
                return -1;
    }
    dr_auto_free char *path = dr_buf_take(&all);
    joined = *path == '/' ? dr_strdup(path)
                          : dr_printf("%s/%s", before && *before ? before : "/", path);
    cleaned = spec_path_clean(joined);
    dr_json_set_str(c->config, "WorkingDir", cleaned);
    return 0;
}

static int do_volume(const struct change *c, struct dr_error *err)
{
    dr_auto_json json_t *list = NULL;
    size_t i;
    json_t *item;
    if (words(c, &list, err) < 0)
        return -1;
    json_array_foreach (list, i, item) {
        if (!*json_string_value(item))
            return bad(err, "a volume's path is empty");
        json_object_set_new(member(c->config, "Volumes", false), json_string_value(item),
                            json_object());
    }
    return 0;
}

static int do_stopsignal(const struct change *c, struct dr_error *err)
{
    dr_auto_free char *name = NULL;
    int signal;
    if (one_word(c, &name, err) < 0 || spec_signal_parse(name, &signal, err) < 0)
        return -1;
    dr_json_set_str(c->config, "StopSignal", name);
    return 0;
}

static int do_onbuild(const struct change *c, struct dr_error *err)
{
    static const char *const refused[] = {"ONBUILD", "FROM", "MAINTAINER"};
    size_t n = strcspn(c->rest, " \t");
    for (size_t i = 0; i < DR_COUNT(refused); i++)
        if (strlen(refused[i]) == n && strncasecmp(c->rest, refused[i], n) == 0)
            return dr_fail(err, DR_ERR_INVALID, "%s is not allowed in it", refused[i]);
    json_array_append_new(member(c->config, "OnBuild", true), json_string(c->rest));
    return 0;
}

static int health_option(json_t *health, const char *option, struct dr_error *err)
{
    static const char *const durations[][2] = {{"--interval=", "Interval"},
                                               {"--timeout=", "Timeout"},
                                               {"--start-period=", "StartPeriod"},
                                               {"--start-interval=", "StartInterval"}};
    int64_t value;
    for (size_t i = 0; i < DR_COUNT(durations); i++) {
        size_t n = strlen(durations[i][0]);
        if (strncmp(option, durations[i][0], n) != 0)
            continue;
        if (dr_duration_parse(option + n, &value, err) < 0)
            return -1;
        dr_json_set_int(health, durations[i][1], value);
        return 0;
    }
    if (strncmp(option, "--retries=", 10) == 0 &&
        dr_int_parse(option + 10, 0, INT32_MAX, &value)) {
        dr_json_set_int(health, "Retries", value);
        return 0;
    }
    return dr_fail(err, DR_ERR_INVALID, "unknown option '%s'", option);
}

static int do_healthcheck(const struct change *c, struct dr_error *err)
{
    dr_auto_json json_t *health = json_object();
    const char *at = c->rest;
    while (strncmp(at, "--", 2) == 0) {
        size_t n = strcspn(at, " \t");
        dr_auto_free char *option = dr_strndup(at, n);
        if (health_option(health, option, err) < 0)
            return -1;
        at += n;
        skip_blanks(&at);
    }
    json_t *test = json_array();
    json_object_set_new(health, "Test", test);
    if (strcasecmp(at, "NONE") == 0) {
        json_array_append_new(test, json_string("NONE"));
    } else if (strncasecmp(at, "CMD", 3) == 0 && isspace((unsigned char)at[3])) {
        at += 3;
        skip_blanks(&at);
        dr_auto_json json_t *exec = json_words(at);
        json_array_append_new(test, json_string(exec ? "CMD" : "CMD-SHELL"));
        if (exec)
            json_array_extend(test, exec);
        else
            json_array_append_new(test, json_string(at));
    } else {
        return bad(err, "it takes NONE, or CMD and a command");
    }
    json_object_set(c->config, "Healthcheck", health);
    return 0;
}

static const struct {
    const char *name;
    int (*apply)(const struct change *change, struct dr_error *err);
} instructions[] = {
    {"CMD", do_cmd},         {"ENTRYPOINT", do_entrypoint},   {"ENV", do_env},
    {"EXPOSE", do_expose},   {"HEALTHCHECK", do_healthcheck}, {"LABEL", do_label},
    {"ONBUILD", do_onbuild}, {"STOPSIGNAL", do_stopsignal},   {"USER", do_user},
    {"VOLUME", do_volume},   {"WORKDIR", do_workdir},
};

static int apply(json_t *config, const char *text, bool *cmd_was_set,
                 struct dr_error *err)
{
    skip_blanks(&text);
    size_t n = strcspn(text, " \t\n");
    dr_auto_free char *rest = dr_strdup(text + n + strspn(text + n, " \t\n"));
    for (size_t len = strlen(rest); len > 0 && isspace((unsigned char)rest[len - 1]);)
        rest[--len] = '\0';
    for (size_t i = 0; i < DR_COUNT(instructions); i++) {
        const char *name = instructions[i].name;
        if (strlen(name) != n || strncasecmp(name, text, n) != 0)
            continue;
        struct change change = {config, rest, cmd_was_set};
        return *rest ? instructions[i].apply(&change, err)
                     : bad(err, "it has no argument");
    }
    return bad(err,
               "CMD, ENTRYPOINT, ENV, EXPOSE, HEALTHCHECK, LABEL, ONBUILD, STOPSIGNAL, "
               "USER, VOLUME and WORKDIR are possible");
}

int image_config_change(json_t *config, const char *const *changes, struct dr_error *err)
{
    bool cmd_was_set = false;
    for (size_t i = 0; changes && changes[i]; i++)
        if (apply(config, changes[i], &cmd_was_set, err) < 0)
            return dr_wrap(err, "change '%s'", changes[i]);
    return 0;
}
