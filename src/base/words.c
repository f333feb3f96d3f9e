/* SPDX-License-Identifier: Apache-2.0 */
#include "base/words.h"

#include <string.h>

#include "base/text.h"

static json_t *to_json(const char *word)
{
    if (dr_json_is_text(word))
        return json_string(word);
    dr_auto_free char *base64 = dr_base64(word, strlen(word));
    return json_pack("{ss}", "base64", base64);
}

/* Owned; NULL: it is no word. */
static char *from_json(const json_t *word)
{
    if (json_is_string(word))
        return dr_strdup(json_string_value(word));
    const char *base64 = dr_json_str(word, "base64");
    if (!base64 || json_object_size(word) != 1)
        return NULL;
    char *bytes = dr_base64_decode(base64);
    dr_auto_free char *again = bytes ? dr_base64(bytes, strlen(bytes)) : NULL;
    if (again && strcmp(again, base64) == 0)
        return bytes;
    free(bytes); /* it was cut at a NUL, say */
    return NULL;
}

json_t *dr_words_to_json(char *const *words)
{
    json_t *array = json_array();
    for (; words && *words; words++)
        json_array_append_new(array, to_json(*words));
    return array;
}

char **dr_words_from_json(const json_t *array)
{
    char **words = dr_alloc((json_array_size(array) + 1) * sizeof *words);
    size_t n = 0, i;
    json_t *item;
    json_array_foreach (array, i, item) {
        char *word = from_json(item);
        if (word)
            words[n++] = word;
    }
    return words;
}

bool dr_word_is_valid(const json_t *word)
{
    dr_auto_free char *bytes = from_json(word);
    return bytes != NULL;
}

bool dr_words_are_text(const json_t *array)
{
    size_t i;
    json_t *item;
    json_array_foreach (array, i, item)
        if (!json_is_string(item))
            return false;
    return true;
}

char *dr_word_shown(const json_t *word)
{
    dr_auto_free char *bytes = from_json(word);
    return dr_utf8_text(bytes ? bytes : "", bytes ? strlen(bytes) : 0);
}

json_t *dr_words_shown(const json_t *array)
{
    if (!json_is_array(array))
        return NULL;
    json_t *shown = json_array(), *item;
    size_t i;
    json_array_foreach (array, i, item) {
        dr_auto_free char *text = dr_word_shown(item);
        json_array_append_new(shown, json_string(text));
    }
    return shown;
}
