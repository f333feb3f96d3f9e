/* SPDX-License-Identifier: Apache-2.0 */
/* JSON documents as YAML that people like to read. */
#include <string.h>
#include <yaml.h>

#include "base/buf.h"
#include "deploy/write.h"

static int collect(void *arg, unsigned char *data, size_t len)
{
    struct dr_buf *out = arg;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    return dr_buf_add(out, data, len, &err) == 0;
}

static void emit(yaml_emitter_t *emitter, yaml_event_t *event)
{
    if (!yaml_emitter_emit(emitter, event))
        abort(); /* no memory: everything else is right by construction */
}

/* Would some reader of YAML 1.1 or 1.2 take it for something else than a text? */
static bool ambiguous(const char *text)
{
    static const char *const words[] = {"null", "true", "false", "yes", "no",
                                        "on",   "off",  "y",     "n",   "~"};
    for (size_t i = 0; i < DR_COUNT(words); i++)
        if (strcasecmp(words[i], text) == 0)
            return true;
    /* numbers, dates, sexagesimal 22:22 */
    return !*text || strchr("0123456789+-.", *text) || strcmp(text, "<<") == 0 ||
           strchr(text, '\n') || strchr(text, '\t');
}

static void emit_text(yaml_emitter_t *emitter, const char *text, bool quoted)
{
    yaml_event_t event;
    yaml_scalar_event_initialize(
        &event, NULL, NULL, (const yaml_char_t *)text, (int)strlen(text), 1, 1,
        quoted ? YAML_DOUBLE_QUOTED_SCALAR_STYLE : YAML_ANY_SCALAR_STYLE);
    emit(emitter, &event);
}

static void emit_value(yaml_emitter_t *emitter, const json_t *value)
{
    yaml_event_t event;
    const char *key;
    json_t *member;
    size_t i;
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        yaml_mapping_start_event_initialize(&event, NULL, NULL, 1,
                                            YAML_BLOCK_MAPPING_STYLE);
        emit(emitter, &event);
        json_object_foreach ((json_t *)value, key, member) {
            emit_text(emitter, key, ambiguous(key));
            emit_value(emitter, member);
        }
        yaml_mapping_end_event_initialize(&event);
        emit(emitter, &event);
        return;
    case JSON_ARRAY:
        yaml_sequence_start_event_initialize(&event, NULL, NULL, 1,
                                             YAML_BLOCK_SEQUENCE_STYLE);
        emit(emitter, &event);
        json_array_foreach (value, i, member)
            emit_value(emitter, member);
        yaml_sequence_end_event_initialize(&event);
        emit(emitter, &event);
        return;
    case JSON_STRING:
        emit_text(emitter, json_string_value(value), ambiguous(json_string_value(value)));
        return;
    case JSON_NULL:
        emit_text(emitter, "null", false);
        return;
    default: {
        dr_auto_free char *text =
            json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
        emit_text(emitter, text, false);
    }
    }
}

char *deploy_yaml_of_json(const json_t *json)
{
    dr_auto_buf struct dr_buf out = DR_BUF_INIT(64u << 20);
    yaml_emitter_t emitter;
    yaml_event_t event;
    if (!yaml_emitter_initialize(&emitter))
        abort();
    yaml_emitter_set_output(&emitter, collect, &out);
    yaml_emitter_set_unicode(&emitter, 1);
    yaml_emitter_set_width(&emitter, -1);
    yaml_stream_start_event_initialize(&event, YAML_UTF8_ENCODING);
    emit(&emitter, &event);
    yaml_document_start_event_initialize(&event, NULL, NULL, NULL, 1);
    emit(&emitter, &event);
    emit_value(&emitter, json);
    yaml_document_end_event_initialize(&event, 1);
    emit(&emitter, &event);
    yaml_stream_end_event_initialize(&event);
    emit(&emitter, &event);
    yaml_emitter_delete(&emitter);
    return dr_buf_take(&out);
}
