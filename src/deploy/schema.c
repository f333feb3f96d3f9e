/* SPDX-License-Identifier: Apache-2.0 */
#include "deploy/schema.h"

#include "deploy/v1.h"

static json_t *schema_of(const struct v1_field *f);

static json_t *types(const char *const *names, bool nothing)
{
    json_t *list = json_array();
    for (; *names; names++)
        json_array_append_new(list, json_string(*names));
    if (nothing)
        json_array_append_new(list, json_string("null"));
    return list;
}

/* A text of that pattern, or a number that means the same without its unit. */
static json_t *text_or_number(const char *pattern)
{
    json_t *schema =
        json_pack("{s:[s,s], s:i}", "type", "string", "number", "minimum", 0);
    dr_json_set_str(schema, "pattern", pattern);
    return schema;
}

static json_t *scalar_schema(const struct v1_field *f)
{
    static const char *const text[] = {"string", "number", NULL};
    static const char *const word[] = {"string", "number", "boolean", NULL};
    json_t *schema = json_object();
    switch (f->scalar) {
    case V1_NO_SCALAR:
        break;
    case V1_TEXT:
        dr_json_set(schema, "type", types(text, f->nothing));
        dr_json_set_str(schema, "pattern", f->pattern);
        break;
    case V1_WORD:
        dr_json_set(schema, "type", types(word, f->nothing));
        break;
    case V1_BOOL:
        dr_json_set_str(schema, "type", "boolean");
        break;
    case V1_NUMBER:
        dr_json_set_str(schema, "type", "integer");
        dr_json_set_int(schema, "minimum", f->min);
        if (f->max != INT64_MAX)
            dr_json_set_int(schema, "maximum", f->max);
        break;
    case V1_SIZE:
        json_decref(schema);
        return text_or_number("^[0-9]+(\\.[0-9]*)?([bB]|[kKmMgGtTpP]i?[bB]?)?$");
    case V1_DURATION:
        json_decref(schema);
        return text_or_number(
            "^(([0-9]+(\\.[0-9]*)?|\\.[0-9]+)(ns|us|ms|s|m|h))+$|^[0-9]+(\\.[0-9]*)?$");
    case V1_CPU:
        json_decref(schema);
        return text_or_number("^([0-9]+m|[0-9]+(\\.[0-9]*)?|\\.[0-9]+)$");
    case V1_CHOICE:
        dr_json_set(schema, "enum", types(f->choices, false));
        break;
    }
    return schema;
}

static json_t *list_schema(const struct v1_field *f)
{
    json_t *schema = json_pack("{s:[s,s]}", "type", "array", "null");
    dr_json_set(schema, "items", schema_of(f->items));
    dr_json_set_int(schema, "maxItems", (int64_t)(f->most ? f->most : V1_ITEMS_MAX));
    return schema;
}

static json_t *members_schema(const struct v1_field *f)
{
    json_t *schema = v1_may_be_nothing(f)
                         ? json_pack("{s:[s,s]}", "type", "object", "null")
                         : json_pack("{s:s}", "type", "object");
    json_t *properties = json_object(), *required = json_array();
    for (const struct v1_field *m = f->members; m->name; m++) {
        dr_json_set(properties, m->name, schema_of(m));
        if (m->required)
            json_array_append_new(required, json_string(m->name));
    }
    dr_json_set(schema, "properties", properties);
    dr_json_set_bool(schema, "additionalProperties", false);
    if (f == &v1_file)
        dr_json_set(schema, "patternProperties", json_pack("{s:{}}", "^x-"));
    if (json_array_size(required))
        dr_json_set(schema, "required", required);
    else
        json_decref(required);
    return schema;
}

static json_t *values_schema(const struct v1_field *f)
{
    json_t *schema = json_pack("{s:[s,s]}", "type", "object", "null");
    dr_json_set(schema, "additionalProperties", schema_of(f->values));
    dr_json_set_int(schema, "maxProperties", (int64_t)(f->most ? f->most : V1_ITEMS_MAX));
    return schema;
}

static json_t *forms_schema(const struct v1_field *f)
{
    json_t *forms = json_array();
    if (f->scalar)
        json_array_append_new(forms, scalar_schema(f));
    if (f->items)
        json_array_append_new(forms, list_schema(f));
    if (f->members)
        json_array_append_new(forms, members_schema(f));
    if (f->values)
        json_array_append_new(forms, values_schema(f));
    if (json_array_size(forms) > 1)
        return json_pack("{s:o}", "anyOf", forms);
    json_t *only = json_incref(json_array_get(forms, 0));
    json_decref(forms);
    return only;
}

static json_t *schema_of(const struct v1_field *f)
{
    if (f->refused) {
        dr_auto_free char *why = dr_printf("Understood, but %s", f->refused);
        return json_pack("{s:{}, s:s}", "not", "description", why);
    }
    json_t *schema = forms_schema(f);
    dr_json_set_str(schema, "description", f->meaning);
    return schema;
}

json_t *deploy_schema(void)
{
    json_t *schema = schema_of(&v1_file);
    dr_json_set_str(schema, "$schema", "http://json-schema.org/draft-07/schema#");
    dr_json_set_str(schema, "title", "A deployment of dray, version v1");
    return schema;
}
