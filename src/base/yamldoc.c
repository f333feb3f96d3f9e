/* SPDX-License-Identifier: Apache-2.0 */
#include "base/yamldoc.h"

#include <string.h>

#include "base/text.h"

void dr_yaml_release(struct dr_yaml *yaml)
{
    if (yaml->loaded)
        yaml_document_delete(&yaml->document);
    free(yaml->name);
    *yaml = (struct dr_yaml){.loaded = false};
}

yaml_node_t *dr_yaml_root(struct dr_yaml *yaml)
{
    return yaml->loaded ? yaml_document_get_root_node(&yaml->document) : NULL;
}

yaml_node_t *dr_yaml_node(struct dr_yaml *yaml, int id)
{
    return yaml_document_get_node(&yaml->document, id);
}

const char *dr_yaml_text(const yaml_node_t *node)
{
    /* a NUL in it would hide what comes behind */
    if (!node || node->type != YAML_SCALAR_NODE ||
        strlen((const char *)node->data.scalar.value) != node->data.scalar.length)
        return NULL;
    return (const char *)node->data.scalar.value;
}

bool dr_yaml_is_null(const yaml_node_t *node)
{
    const char *text = dr_yaml_text(node);
    return text && node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
           (!*text || strcmp(text, "~") == 0 || strcmp(text, "null") == 0);
}

yaml_node_t *dr_yaml_get(struct dr_yaml *yaml, const yaml_node_t *mapping,
                         const char *key)
{
    if (!mapping || mapping->type != YAML_MAPPING_NODE)
        return NULL;
    for (const yaml_node_pair_t *p = mapping->data.mapping.pairs.start;
         p < mapping->data.mapping.pairs.top; p++) {
        const char *name = dr_yaml_text(dr_yaml_node(yaml, p->key));
        if (name && strcmp(name, key) == 0)
            return dr_yaml_node(yaml, p->value);
    }
    return NULL;
}

static int fail_at(const char *name, const yaml_mark_t *mark, const char *text,
                   struct dr_error *err)
{
    dr_auto_free char *file = dr_escape(name, 300);
    return dr_fail(err, DR_ERR_CONFIG, "%s:%zu:%zu: %s", file, mark->line + 1,
                   mark->column + 1, text);
}

int dr_yaml_fail(const struct dr_yaml *yaml, const yaml_node_t *node,
                 struct dr_error *err, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    dr_auto_free char *text = dr_vprintf(fmt, ap);
    va_end(ap);
    return fail_at(yaml->name, &node->start_mark, text, err);
}

/* Each key is text, and there once. */
static int check_keys(struct dr_yaml *yaml, struct dr_error *err)
{
    for (yaml_node_t *node = yaml->document.nodes.start; node < yaml->document.nodes.top;
         node++) {
        if (node->type != YAML_MAPPING_NODE)
            continue;
        const yaml_node_pair_t *first = node->data.mapping.pairs.start;
        for (const yaml_node_pair_t *p = first; p < node->data.mapping.pairs.top; p++) {
            const yaml_node_t *key = dr_yaml_node(yaml, p->key);
            const char *text = dr_yaml_text(key);
            if (!text)
                return dr_yaml_fail(yaml, key, err, "a key must be a word");
            for (const yaml_node_pair_t *q = first; q < p; q++)
                if (strcmp(text, dr_yaml_text(dr_yaml_node(yaml, q->key))) == 0) {
                    dr_auto_free char *safe = dr_escape(text, 100);
                    return dr_yaml_fail(yaml, key, err, "'%s' is there a second time",
                                        safe);
                }
        }
    }
    return 0;
}

static int load(yaml_parser_t *parser, struct dr_yaml *yaml, struct dr_error *err)
{
    if (!yaml_parser_load(parser, &yaml->document)) {
        const char *problem = parser->problem ? parser->problem : "this is no YAML";
        const yaml_mark_t *mark =
            parser->error == YAML_READER_ERROR ? &parser->mark : &parser->problem_mark;
        return fail_at(yaml->name, mark, problem, err);
    }
    yaml->loaded = true;
    if (!dr_yaml_root(yaml))
        return 0;
    if (check_keys(yaml, err) < 0)
        return -1;
    yaml_document_t more;
    int rc = 0;
    if (yaml_parser_load(parser, &more)) {
        yaml_node_t *root = yaml_document_get_root_node(&more);
        if (root)
            rc = fail_at(yaml->name, &root->start_mark, "a second document", err);
        yaml_document_delete(&more);
    } else {
        rc = fail_at(yaml->name, &parser->problem_mark,
                     parser->problem ? parser->problem : "this is no YAML", err);
    }
    return rc;
}

int dr_yaml_load(const char *name, const char *text, size_t len, struct dr_yaml *ret,
                 struct dr_error *err)
{
    yaml_parser_t parser;
    struct dr_yaml yaml = {.name = dr_strdup(name)};
    if (!yaml_parser_initialize(&parser))
        abort(); /* no memory */
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, len);
    int rc = load(&parser, &yaml, err);
    yaml_parser_delete(&parser);
    if (rc < 0)
        dr_yaml_release(&yaml);
    else
        *ret = yaml;
    return rc;
}
