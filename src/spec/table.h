/* SPDX-License-Identifier: Apache-2.0 */
/* The fields that dray_spec_set and dray_spec_add know, and that deployment files are
 * made of: name, form, and where they go. */
#ifndef DRAY_SPEC_TABLE_H
#define DRAY_SPEC_TABLE_H

#include "spec/container.h"

struct spec_row {
    const char *name; /* NULL ends the table */
    bool add;         /* takes many values: dray_spec_add; else dray_spec_set */
    int (*parse)(struct spec_container *spec, const struct spec_row *row,
                 const char *value, struct dr_error *err);
    size_t offset;    /* of the member of struct spec_container, where one is meant */
    int64_t min, max; /* numbers */
    const char *form; /* for docs/spec-fields.md */
    const char *meaning;
    bool bytes; /* of any kind; else UTF-8 */
};

extern const struct spec_row spec_rows[];

/* One value of one field. DR_ERR_INVALID names field, value, and what would be right. */
int spec_field(struct spec_container *spec, const char *field, bool add,
               const char *value, struct dr_error *err);
/* Canonical reference for what a person typed, or the text itself when it can be an image
 * id (hex) too; owned. DR_ERR_INVALID. */
char *spec_image_name(const char *text, struct dr_error *err);

#endif
