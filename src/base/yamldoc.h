/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Thin layer over libyaml's documents: strict loading, and errors that say where. One
 * document, no duplicate keys, no anchors that refer to themselves; bounded by whoever
 * read the text. Nodes are libyaml's (yaml_document_get_node).
 */
#ifndef DRAY_BASE_YAMLDOC_H
#define DRAY_BASE_YAMLDOC_H

#include <stdbool.h>
#include <yaml.h>

#include "base/error.h"

struct dr_yaml {
    yaml_document_t document;
    char *name; /* for errors: the file */
    bool loaded;
};

#define dr_auto_yaml DR_CLEANUP(dr_yaml_release)

/* An empty text gives a document without a root. DR_ERR_CONFIG "NAME:LINE:COLUMN: …". */
int dr_yaml_load(const char *name, const char *text, size_t len, struct dr_yaml *ret,
                 struct dr_error *err);
void dr_yaml_release(struct dr_yaml *yaml);

yaml_node_t *dr_yaml_root(struct dr_yaml *yaml); /* NULL when there is none */
yaml_node_t *dr_yaml_node(struct dr_yaml *yaml, int id);
/* The member of a mapping, or NULL. */
yaml_node_t *dr_yaml_get(struct dr_yaml *yaml, const yaml_node_t *mapping,
                         const char *key);
/* The text of a scalar; NULL for other nodes. */
const char *dr_yaml_text(const yaml_node_t *node);
/* A scalar that is empty, ~ or null, and not quoted: nothing. */
bool dr_yaml_is_null(const yaml_node_t *node);
/* "NAME:LINE:COLUMN: …", DR_ERR_CONFIG. */
int dr_yaml_fail(const struct dr_yaml *yaml, const yaml_node_t *node,
                 struct dr_error *err, const char *fmt, ...) DR_PRINTF(4, 5);

#endif
