/* SPDX-License-Identifier: Apache-2.0 */
/* dray_spec_*: what a container shall be, field by field or as JSON. */
#include <stdio.h>
#include <string.h>

#include "host/requests.h"
#include "host/target.h"
#include "spec/table.h"

#define SPEC_JSON_MAX (1u << 20) /* what one message can carry */

static struct dray_spec *wrap(struct spec_container *container)
{
    struct dray_spec *spec = dr_alloc(sizeof *spec);
    spec->container = container;
    return spec;
}

struct dray_spec *dray_spec_new(const char *image)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    struct dray_spec *spec = wrap(spec_container_new());
    /* a bad reference is kept as it is: creating it says what is wrong */
    if (image && spec_field(spec->container, "image", false, image, &err) < 0)
        spec->container->image = dr_strdup(image);
    return spec;
}

void dray_spec_free(struct dray_spec *spec)
{
    if (!spec)
        return;
    spec_container_free(spec->container);
    free(spec);
}

int dray_spec_set(struct dray_spec *spec, const char *field, const char *value,
                  struct dray_error **ret_err)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    return api_end(spec_field(spec->container, field, false, value, &err), &err, ret_err);
}

int dray_spec_set_int(struct dray_spec *spec, const char *field, int64_t value,
                      struct dray_error **ret_err)
{
    char text[24];
    snprintf(text, sizeof text, "%lld", (long long)value);
    return dray_spec_set(spec, field, text, ret_err);
}

int dray_spec_add(struct dray_spec *spec, const char *field, const char *value,
                  struct dray_error **ret_err)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    return api_end(spec_field(spec->container, field, true, value, &err), &err, ret_err);
}

int dray_spec_add_all(struct dray_spec *spec, const char *field, char *const *values,
                      struct dray_error **ret_err)
{
    for (; values && *values; values++)
        if (dray_spec_add(spec, field, *values, ret_err) < 0)
            return -1;
    return 0;
}

int dray_spec_check(const struct dray_spec *spec, struct dray_error **ret_err)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    return api_end(spec_check(spec, &err), &err, ret_err);
}

char *dray_spec_to_json(const struct dray_spec *spec)
{
    dr_auto_json json_t *json = spec_container_to_json(spec->container);
    return dr_json_text(json);
}

int dray_spec_from_json(const char *json, struct dray_spec **ret_spec,
                        struct dray_error **ret_err)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    size_t len = json ? strlen(json) : 0;
    dr_auto_json json_t *parsed =
        dr_json_parse(json ? json : "", len, SPEC_JSON_MAX, &err);
    struct spec_container *container =
        parsed ? spec_container_from_json(parsed, &err) : NULL;
    /* an image may be written as a person types it */
    dr_auto_free char *image = container ? dr_strdup(container->image) : NULL;
    if (image && spec_field(container, "image", false, image, &err) < 0) {
        spec_container_free(container);
        container = NULL;
    }
    if (container)
        *ret_spec = wrap(container);
    return api_end(container ? 0 : -1, &err, ret_err);
}

char *dray_service_name(const char *service, uint32_t replica)
{
    return spec_service_slug(service ? service : "", replica);
}

int dray_name_check(const char *name, struct dray_error **ret_err)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    return api_end(spec_name_check(name ? name : "", &err), &err, ret_err);
}
