/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Changes to config.yaml. The file is a person's: only the lines that have to change do,
 * found by where the parser saw the nodes. What comes out is read again, and must say
 * what was meant, or nothing is written.
 */
#include <errno.h>
#include <string.h>

#include "base/fs.h"
#include "base/json.h"
#include "base/text.h"
#include "base/yamldoc.h"
#include "host/config.h"

#define FILE_MAX (1u << 20)

struct edit {
    char *path, *text; /* owned */
    struct dr_yaml yaml;
    int lock_fd;
};

static void edit_end(struct edit *e)
{
    dr_yaml_release(&e->yaml);
    dr_cleanup_fd(&e->lock_fd);
    free(e->path);
    free(e->text);
}

static int edit_begin(struct edit *e, struct dr_error *err)
{
    *e = (struct edit){.path = config_path(), .lock_fd = -1};
    dr_auto_buf struct dr_buf text = DR_BUF_INIT(FILE_MAX);
    dr_auto_error struct dr_error why = DR_ERROR_INIT;
    if (!e->path)
        return dr_fail(err, DR_ERR_CONFIG,
                       "there is no place for config.yaml; set HOME or XDG_CONFIG_HOME");
    dr_auto_free char *dir = dr_path_parent(e->path);
    dr_auto_free char *lock = dr_path_join(dir, ".lock");
    if (dr_mkdir_all(dir, 0700, err) < 0 ||
        dr_lock(AT_FDCWD, lock, true, true, &e->lock_fd, err) < 0)
        return -1;
    if (dr_file_read(AT_FDCWD, e->path, &text, &why) < 0 && why.kind != DR_ERR_NOT_FOUND)
        return dr_error_move(err, &why);
    e->text = dr_buf_take(&text);
    return dr_yaml_load(e->path, e->text, strlen(e->text), &e->yaml, err);
}

/* --- places in the text --- */

/* Marks count lines and characters; we need bytes. */
static size_t offset_of(const char *text, const yaml_mark_t *mark)
{
    const char *at = text;
    for (size_t line = 0; line < mark->line; line++) {
        const char *end = strchr(at, '\n');
        if (!end)
            return strlen(text);
        at = end + 1;
    }
    for (size_t column = 0; column < mark->column && *at && *at != '\n'; column++) {
        size_t len = dr_utf8_len(at);
        at += len ? len : 1;
    }
    return (size_t)(at - text);
}

static size_t line_start(const char *text, size_t at)
{
    while (at > 0 && text[at - 1] != '\n')
        at--;
    return at;
}

static size_t line_end(const char *text, size_t at) /* behind the newline */
{
    at += strcspn(text + at, "\n");
    return text[at] ? at + 1 : at;
}

/* Behind the last thing that is written in a node: a block's own end mark stands behind
 * the comments that follow it, too. */
static size_t content_end(struct edit *e, const yaml_node_t *node)
{
    bool block = (node->type == YAML_MAPPING_NODE &&
                  node->data.mapping.style != YAML_FLOW_MAPPING_STYLE) ||
                 (node->type == YAML_SEQUENCE_NODE &&
                  node->data.sequence.style != YAML_FLOW_SEQUENCE_STYLE);
    if (!block)
        return offset_of(e->text, &node->end_mark);
    size_t end = offset_of(e->text, &node->start_mark);
    int last = 0;
    if (node->type == YAML_MAPPING_NODE &&
        node->data.mapping.pairs.top > node->data.mapping.pairs.start)
        last = node->data.mapping.pairs.top[-1].value;
    if (node->type == YAML_SEQUENCE_NODE &&
        node->data.sequence.items.top > node->data.sequence.items.start)
        last = node->data.sequence.items.top[-1];
    return last ? content_end(e, dr_yaml_node(&e->yaml, last)) : end;
}

/* text with [from, to) replaced; owned. */
static char *replaced(const char *text, size_t from, size_t to, const char *by)
{
    return dr_printf("%.*s%s%s", (int)from, text, by, text + to);
}

static char *quoted(const char *value)
{
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./@+-:";
    size_t len = strlen(value);
    if (len > 0 && !strchr("@+-:", *value) && strspn(value, plain) == len &&
        value[len - 1] != ':')
        return dr_strdup(value);
    dr_auto_json json_t *text = json_string(value);
    return text ? json_dumps(text, JSON_ENCODE_ANY) : dr_strdup("\"\"");
}

static char *target_block(const struct config_target *t, int indent)
{
    char *block = dr_printf("%*s%s:\n", indent, "", t->name);
    for (const struct config_key *key = config_keys; key->name; key++) {
        const void *slot = (const char *)t + key->at;
        dr_auto_free char *value = NULL;
        if (key->form == CONFIG_TIME && *(const int64_t *)slot)
            value = dr_printf("%lldms", (long long)*(const int64_t *)slot);
        else if (key->form != CONFIG_TIME && key->form != CONFIG_WORDS &&
                 *(char *const *)slot)
            value = quoted(*(char *const *)slot);
        if (!value)
            continue;
        char *more = dr_printf("%s%*s%s: %s\n", block, indent + 2, "", key->name, value);
        free(block);
        block = more;
    }
    return block;
}

/* --- the three changes; each gives the new text, or NULL where it cannot be done --- */

static char *text_with(struct edit *e, const struct config_target *t)
{
    yaml_node_t *root = dr_yaml_root(&e->yaml);
    yaml_node_t *targets = dr_yaml_get(&e->yaml, root, "targets");
    size_t len = strlen(e->text);
    const char *newline = len > 0 && e->text[len - 1] != '\n' ? "\n" : "";
    if (!targets) {
        dr_auto_free char *block = target_block(t, 2);
        return dr_printf("%s%stargets:\n%s", e->text, newline, block);
    }
    bool mapping = targets->type == YAML_MAPPING_NODE;
    if (dr_yaml_is_null(targets) || (mapping && targets->data.mapping.pairs.top ==
                                                    targets->data.mapping.pairs.start)) {
        size_t from = offset_of(e->text, &targets->start_mark),
               to = offset_of(e->text, &targets->end_mark);
        dr_auto_free char *block = target_block(t, 2);
        dr_auto_free char *with = dr_printf("\n%.*s", (int)strlen(block) - 1, block);
        return replaced(e->text, from, to, with);
    }
    if (!mapping || targets->data.mapping.style == YAML_FLOW_MAPPING_STYLE)
        return NULL;
    yaml_node_t *first = dr_yaml_node(&e->yaml, targets->data.mapping.pairs.start->key);
    dr_auto_free char *block = target_block(t, (int)first->start_mark.column);
    size_t at = line_end(e->text, content_end(e, targets));
    dr_auto_free char *with =
        dr_printf("%s%s", at == len && *newline ? newline : "", block);
    return replaced(e->text, at, at, with);
}

static char *text_using(struct edit *e, const char *name)
{
    yaml_node_t *root = dr_yaml_root(&e->yaml);
    yaml_node_t *current = dr_yaml_get(&e->yaml, root, "target");
    dr_auto_free char *value = quoted(name);
    if (current) {
        /* of an empty value there is only the place behind the colon */
        dr_auto_free char *with =
            dr_printf("%s%s", *dr_yaml_text(current) ? "" : " ", value);
        return replaced(e->text, offset_of(e->text, &current->start_mark),
                        offset_of(e->text, &current->end_mark), with);
    }
    size_t at = root && root->type == YAML_MAPPING_NODE
                    ? line_start(e->text, offset_of(e->text, &root->start_mark))
                    : strlen(e->text);
    dr_auto_free char *line = dr_printf("target: %s\n", value);
    return replaced(e->text, at, at, line);
}

static char *text_without(struct edit *e, const yaml_node_t *mapping, const char *name)
{
    if (!mapping || mapping->type != YAML_MAPPING_NODE ||
        mapping->data.mapping.style == YAML_FLOW_MAPPING_STYLE)
        return NULL;
    for (const yaml_node_pair_t *p = mapping->data.mapping.pairs.start;
         p < mapping->data.mapping.pairs.top; p++) {
        const yaml_node_t *key = dr_yaml_node(&e->yaml, p->key);
        if (strcmp(dr_yaml_text(key), name) != 0)
            continue;
        size_t from = line_start(e->text, offset_of(e->text, &key->start_mark));
        size_t to = line_end(e->text, content_end(e, dr_yaml_node(&e->yaml, p->value)));
        return replaced(e->text, from, to, "");
    }
    return NULL;
}

/* --- */

static const struct config_target *find(const struct config *config, const char *name)
{
    for (size_t i = 0; i < config->count; i++)
        if (strcmp(config->targets[i].name, name) == 0)
            return &config->targets[i];
    return NULL;
}

static int cannot(const struct edit *e, struct dr_error *err)
{
    return dr_fail(err, DR_ERR_CONFIG,
                   "%s is written in a form that dray cannot change; change it by hand",
                   e->path);
}

static int write_back(const struct edit *e, const char *text, struct dr_error *err)
{
    return dr_file_write(AT_FDCWD, e->path, text, strlen(text), 0644, DR_WRITE_SYNC, err);
}

/* What the text says, or "cannot" when it does not even parse. */
static int read_again(const struct edit *e, const char *text, struct config *ret,
                      struct dr_error *err)
{
    dr_auto_error struct dr_error why = DR_ERROR_INIT;
    if (!text || config_parse(e->path, text, strlen(text), ret, &why) < 0)
        return cannot(e, err);
    return 0;
}

static int add(struct edit *e, const struct config_target *t, struct dr_error *err)
{
    dr_auto_user_config struct config before = {0}, after = {0};
    if (config_parse(e->path, e->text, strlen(e->text), &before, err) < 0)
        return -1;
    if (find(&before, t->name))
        return dr_fail(err, DR_ERR_EXISTS, "a target %s is there already", t->name);
    dr_auto_free char *text = text_with(e, t);
    if (read_again(e, text, &after, err) < 0)
        return -1;
    const struct config_target *made = find(&after, t->name);
    if (!made || after.count != before.count + 1 || strcmp(made->url, t->url) != 0)
        return cannot(e, err);
    return write_back(e, text, err);
}

static int use(struct edit *e, const char *name, struct dr_error *err)
{
    dr_auto_user_config struct config after = {0};
    dr_auto_free char *text = text_using(e, name);
    if (read_again(e, text, &after, err) < 0)
        return -1;
    if (!after.current || strcmp(after.current, name) != 0)
        return cannot(e, err);
    return write_back(e, text, err);
}

static int no_such(const char *name, struct dr_error *err)
{
    dr_auto_free char *safe = dr_escape(name, 100);
    return dr_fail(err, DR_ERR_NOT_FOUND,
                   "no target is called '%s'; `dray target ls` lists them", safe);
}

static int remove_one(struct edit *e, const char *name, struct dr_error *err)
{
    dr_auto_user_config struct config before = {0}, after = {0};
    if (config_parse(e->path, e->text, strlen(e->text), &before, err) < 0)
        return -1;
    if (!find(&before, name))
        return no_such(name, err);
    yaml_node_t *root = dr_yaml_root(&e->yaml);
    if (before.current && strcmp(before.current, name) == 0) {
        char *local = text_using(e, "local");
        free(e->text);
        e->text = local;
        dr_yaml_release(&e->yaml);
        if (dr_yaml_load(e->path, e->text, strlen(e->text), &e->yaml, err) < 0)
            return -1;
        root = dr_yaml_root(&e->yaml);
    }
    dr_auto_free char *text =
        text_without(e, dr_yaml_get(&e->yaml, root, "targets"), name);
    if (read_again(e, text, &after, err) < 0)
        return -1;
    if (find(&after, name) || after.count + 1 != before.count)
        return cannot(e, err);
    return write_back(e, text, err);
}

int config_add(const struct config_target *target, struct dr_error *err)
{
    struct edit e;
    int rc = edit_begin(&e, err);
    if (rc == 0)
        rc = add(&e, target, err);
    edit_end(&e);
    return rc;
}

int config_use(const char *name, struct dr_error *err)
{
    struct edit e;
    struct config_target meant;
    if (config_resolve(name, &meant, err) < 0)
        return -1;
    config_target_release(&meant);
    int rc = edit_begin(&e, err);
    if (rc == 0)
        rc = use(&e, name, err);
    edit_end(&e);
    return rc;
}

int config_remove(const char *name, struct dr_error *err)
{
    struct edit e;
    int rc = edit_begin(&e, err);
    if (rc == 0)
        rc = remove_one(&e, name, err);
    edit_end(&e);
    return rc;
}
