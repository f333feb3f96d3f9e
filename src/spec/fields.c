/* SPDX-License-Identifier: Apache-2.0 */
#include "spec/fields.h"

#include <stdio.h>
#include <string.h>

#include "base/words.h"

#define AT(object, offset, type) ((type *)((char *)(object) + (offset)))
#define AT_CONST(object, offset, type) ((type const *)((const char *)(object) + (offset)))

/* The pointer of a LIST, whose type this file does not know: copied, since reading a
 * struct pointer as a char pointer would break the aliasing rules. */
static char *list_items(const struct spec_field *f, const void *object)
{
    char *items;
    memcpy(&items, (const char *)object + f->offset, sizeof items);
    return items;
}

static void set_list(const struct spec_field *f, void *object, char *items, size_t count)
{
    memcpy((char *)object + f->offset, &items, sizeof items);
    *AT(object, f->count_offset, size_t) = count;
}

void spec_fields_init(const struct spec_field *fields, void *object)
{
    for (const struct spec_field *f = fields; f->name; f++)
        switch (f->type) {
        case SPEC_FIELD_STR:
            *AT(object, f->offset, char *) = NULL;
            break;
        case SPEC_FIELD_STRV:
        case SPEC_FIELD_WORDS:
            *AT(object, f->offset, char **) = NULL;
            break;
        case SPEC_FIELD_BOOL:
            *AT(object, f->offset, bool) = false;
            break;
        case SPEC_FIELD_INT:
            *AT(object, f->offset, int64_t) = f->otherwise;
            break;
        case SPEC_FIELD_ENUM:
            *AT(object, f->offset, unsigned) = 0;
            break;
        case SPEC_FIELD_LIST:
            set_list(f, object, NULL, 0);
            break;
        }
}

void spec_fields_release(const struct spec_field *fields, void *object)
{
    for (const struct spec_field *f = fields; f->name; f++)
        if (f->type == SPEC_FIELD_STR) {
            free(*AT(object, f->offset, char *));
        } else if (f->type == SPEC_FIELD_STRV || f->type == SPEC_FIELD_WORDS) {
            dr_strv_free(*AT(object, f->offset, char **));
        } else if (f->type == SPEC_FIELD_LIST) {
            char *items = list_items(f, object);
            size_t count = *AT(object, f->count_offset, size_t);
            for (size_t i = 0; i < count; i++)
                spec_fields_release(f->item, items + i * f->item_size);
            free(items);
        }
    spec_fields_init(fields, object);
}

static json_t *encode_list(const struct spec_field *f, const void *object)
{
    const char *items = list_items(f, object);
    size_t count = *AT_CONST(object, f->count_offset, size_t);
    if (!count)
        return NULL;
    json_t *array = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(array,
                              spec_fields_encode(f->item, items + i * f->item_size));
    return array;
}

json_t *spec_fields_encode(const struct spec_field *fields, const void *object)
{
    json_t *json = json_object();
    for (const struct spec_field *f = fields; f->name; f++)
        switch (f->type) {
        case SPEC_FIELD_STR:
            dr_json_set_str(json, f->name, *AT_CONST(object, f->offset, char *));
            break;
        case SPEC_FIELD_STRV:
        case SPEC_FIELD_WORDS: {
            char *const *strv = *AT_CONST(object, f->offset, char **);
            if (strv && *strv)
                dr_json_set(json, f->name, dr_words_to_json(strv));
            break;
        }
        case SPEC_FIELD_BOOL:
            if (*AT_CONST(object, f->offset, bool))
                dr_json_set_bool(json, f->name, true);
            break;
        case SPEC_FIELD_INT: {
            int64_t value = *AT_CONST(object, f->offset, int64_t);
            if (value != f->otherwise)
                dr_json_set_int(json, f->name, value);
            break;
        }
        case SPEC_FIELD_ENUM:
            dr_json_set_str(json, f->name,
                            f->words[*AT_CONST(object, f->offset, unsigned)]);
            break;
        case SPEC_FIELD_LIST:
            dr_json_set(json, f->name, encode_list(f, object));
            break;
        }
    return json;
}

static int wrong_type(const struct spec_field *f, const char *wanted,
                      struct dr_error *err)
{
    return dr_fail(err, DR_ERR_INVALID, "%s: must be %s", f->name, wanted);
}

static int decode_strv(const struct spec_field *f, const json_t *value, void *object,
                       struct dr_error *err)
{
    if (!json_is_array(value))
        return wrong_type(f, "an array of strings", err);
    size_t i;
    json_t *item;
    json_array_foreach ((json_t *)value, i, item)
        if (f->type == SPEC_FIELD_WORDS ? !dr_word_is_valid(item) : !json_is_string(item))
            return dr_fail(err, DR_ERR_INVALID, "%s[%zu]: must be a string%s", f->name, i,
                           f->type == SPEC_FIELD_WORDS
                               ? ", or {\"base64\":\"…\"} of bytes without a NUL"
                               : "");
    dr_strv_free(*AT(object, f->offset, char **));
    *AT(object, f->offset, char **) = dr_words_from_json(value);
    return 0;
}

static int decode_int(const struct spec_field *f, const json_t *value, void *object,
                      struct dr_error *err)
{
    if (!json_is_integer(value))
        return wrong_type(f, "an integer", err);
    int64_t number = json_integer_value(value);
    if (number < f->min || number > f->max)
        return dr_fail(err, DR_ERR_INVALID,
                       "%s: %lld is out of range (from %lld to %lld)", f->name,
                       (long long)number, (long long)f->min, (long long)f->max);
    *AT(object, f->offset, int64_t) = number;
    return 0;
}

static int decode_enum(const struct spec_field *f, const json_t *value, void *object,
                       struct dr_error *err)
{
    if (!json_is_string(value))
        return wrong_type(f, "a string", err);
    for (unsigned i = 0; f->words[i]; i++)
        if (strcmp(f->words[i], json_string_value(value)) == 0) {
            *AT(object, f->offset, unsigned) = i;
            return 0;
        }
    return dr_fail(err, DR_ERR_INVALID, "%s: unknown word '%s'", f->name,
                   json_string_value(value));
}

static int decode_list(const struct spec_field *f, const json_t *value, void *object,
                       struct dr_error *err)
{
    if (!json_is_array(value))
        return wrong_type(f, "an array of objects", err);
    if (*AT(object, f->count_offset, size_t))
        return dr_fail(err, DR_ERR_INVALID, "%s: given twice", f->name);
    size_t count = json_array_size(value), i;
    char *items = dr_alloc((count ? count : 1) * f->item_size);
    set_list(f, object, items, 0);
    json_t *item;
    json_array_foreach ((json_t *)value, i, item) {
        spec_fields_init(f->item, items + i * f->item_size);
        *AT(object, f->count_offset, size_t) = i + 1;
        struct dr_error inner = DR_ERROR_INIT;
        if (spec_fields_decode(f->item, item, items + i * f->item_size, &inner) < 0) {
            dr_error_move(err, &inner);
            /* "mounts[2].target: …", or "mounts[2]: must be an object" */
            char *text = dr_strdup(err->text);
            snprintf(err->text, sizeof err->text, "%s[%zu]%s%s", f->name, i,
                     json_is_object(item) ? "." : ": ", text);
            free(text);
            return -1;
        }
    }
    return 0;
}

static int decode_field(const struct spec_field *f, const json_t *value, void *object,
                        struct dr_error *err)
{
    switch (f->type) {
    case SPEC_FIELD_STR:
        if (!json_is_string(value))
            return wrong_type(f, "a string", err);
        free(*AT(object, f->offset, char *));
        *AT(object, f->offset, char *) = dr_strdup(json_string_value(value));
        return 0;
    case SPEC_FIELD_STRV:
    case SPEC_FIELD_WORDS:
        return decode_strv(f, value, object, err);
    case SPEC_FIELD_BOOL:
        if (!json_is_boolean(value))
            return wrong_type(f, "true or false", err);
        *AT(object, f->offset, bool) = json_is_true(value);
        return 0;
    case SPEC_FIELD_INT:
        return decode_int(f, value, object, err);
    case SPEC_FIELD_ENUM:
        return decode_enum(f, value, object, err);
    case SPEC_FIELD_LIST:
        return decode_list(f, value, object, err);
    }
    return dr_fail(err, DR_ERR_INTERNAL, "%s: no such field type", f->name);
}

int spec_fields_decode(const struct spec_field *fields, const json_t *json, void *object,
                       struct dr_error *err)
{
    if (!json_is_object(json))
        return dr_fail(err, DR_ERR_INVALID, "must be an object");
    const char *key;
    json_t *value;
    json_object_foreach ((json_t *)json, key, value) {
        const struct spec_field *f = fields;
        while (f->name && strcmp(f->name, key) != 0)
            f++;
        if (!f->name)
            return dr_fail(err, DR_ERR_INVALID, "%s: unknown member", key);
        if (decode_field(f, value, object, err) < 0)
            return -1;
    }
    return 0;
}

int spec_fields_check_text(const struct spec_field *fields, const void *object,
                           struct dr_error *err)
{
    for (const struct spec_field *f = fields; f->name; f++)
        if (f->type == SPEC_FIELD_STR) {
            const char *text = *AT_CONST(object, f->offset, char *);
            if (text && !dr_json_is_text(text))
                return dr_fail(err, DR_ERR_INVALID, "%s: not UTF-8", f->name);
        } else if (f->type == SPEC_FIELD_STRV) {
            char *const *strv = *AT_CONST(object, f->offset, char **);
            for (size_t i = 0; strv && strv[i]; i++)
                if (!dr_json_is_text(strv[i]))
                    return dr_fail(err, DR_ERR_INVALID, "%s[%zu]: not UTF-8", f->name, i);
        } else if (f->type == SPEC_FIELD_LIST) {
            const char *items = list_items(f, object);
            size_t count = *AT_CONST(object, f->count_offset, size_t);
            for (size_t i = 0; i < count; i++)
                if (spec_fields_check_text(f->item, items + i * f->item_size, err) < 0)
                    return dr_wrap(err, "%s[%zu]", f->name, i);
        }
    return 0;
}
