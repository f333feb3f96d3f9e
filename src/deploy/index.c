/* SPDX-License-Identifier: Apache-2.0 */
#include "deploy/index.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define FEW 16 /* of so many each is looked at */

/* FNV-1a, begun with something that a file cannot know. */
static size_t hash(const struct deploy_index *index, const char *name)
{
    uint64_t h = 14695981039346656037u ^ (uintptr_t)index->slots;
    for (; *name; name++)
        h = (h ^ (unsigned char)*name) * 1099511628211u;
    return (size_t)(h ^ h >> 29);
}

/* Where the name is, or would be. */
static uint32_t *slot_of(const struct deploy_index *index, const char *name,
                         deploy_index_name *name_of, const void *arg)
{
    size_t at = hash(index, name) & (index->room - 1);
    while (index->slots[at] && strcmp(name_of(arg, index->slots[at] - 1), name) != 0)
        at = (at + 1) & (index->room - 1);
    return &index->slots[at];
}

static void learn(struct deploy_index *index, size_t count, deploy_index_name *name_of,
                  const void *arg)
{
    if (2 * count > index->room) {
        size_t room = index->room ? index->room : 64;
        while (room < 4 * count)
            room *= 2;
        free(index->slots);
        index->slots = dr_alloc(room * sizeof *index->slots);
        index->room = room;
        index->known = 0;
    }
    for (; index->known < count; index->known++) {
        uint32_t *slot = slot_of(index, name_of(arg, index->known), name_of, arg);
        if (!*slot)
            *slot = (uint32_t)index->known + 1;
    }
}

size_t deploy_index_find(struct deploy_index *index, const char *name, size_t count,
                         deploy_index_name *name_of, const void *arg)
{
    size_t at = 0;
    if (count <= FEW) {
        while (at < count && strcmp(name_of(arg, at), name) != 0)
            at++;
        return at;
    }
    learn(index, count, name_of, arg);
    uint32_t found = *slot_of(index, name, name_of, arg);
    return found ? found - 1 : count;
}

void deploy_index_release(struct deploy_index *index)
{
    free(index->slots);
    *index = (struct deploy_index){0};
}
