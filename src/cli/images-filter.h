/* SPDX-License-Identifier: Apache-2.0 */
/* `images --filter`: dangling, label, reference, before, since, until. Filters of one key
 * are alternatives, of different keys all have to match, as in Docker. */
#ifndef DRAY_CLI_IMAGES_FILTER_H
#define DRAY_CLI_IMAGES_FILTER_H

#include "base/json.h"

struct images_filter;

/* filters: borrowed; may be NULL. DR_ERR_INVALID names what is wrong. */
int images_filter_parse(char *const *filters, int64_t now_ns, struct images_filter **ret,
                        struct dr_error *err);
void images_filter_free(struct images_filter *filter);
/* The images that before= and since= name are looked for among items (of
 * dray_image_list). DR_ERR_NOT_FOUND. */
int images_filter_bind(struct images_filter *filter, const json_t *items,
                       struct dr_error *err);
/* item of dray_image_list, and one of its tags or NULL. */
bool images_filter_match(const struct images_filter *filter, const json_t *item,
                         const json_t *tag);

#endif
