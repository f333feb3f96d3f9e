/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/container/rename.h"
#include "guest/net/net.h"

#include <string.h>

#include "guest/container/event.h"
#include "guest/container/names.h"
#include "spec/container.h"

/*
 * The state's name is the container's name: the step that writes it is the one that
 * renames. Before it the new symlink is stale, after it the old one (names.c passes over
 * both); the record's "renaming" is the journal by which a removal finds either.
 */
static int rename_locked(struct guest *guest, struct container *c, const char *name,
                         struct dr_error *err)
{
    dr_auto_free char *old = dr_strdup(container_name(c));
    dr_auto_fd int names = names_lock(guest);
    const char *left = dr_json_str(c->record, "renaming");
    if (left && strcmp(left, old) != 0)
        name_free_locked(guest, left, c->id); /* of a rename that was cut off */
    dr_json_set_str(c->record, "name", old);
    dr_json_set_str(c->record, "renaming", name);
    if (container_write_record(c, err) < 0)
        return -1;
    int result = name_reserve_locked(guest, name, c->id, err);
    if (result == 0) {
        dr_json_set_str(c->state, "name", name);
        result = container_write_state(c, err);
        if (result < 0)
            name_free_locked(guest, name, c->id);
    }
    if (result == 0)
        dr_json_set_str(c->record, "name", name);
    json_object_del(c->record, "renaming");
    /* not writing this down costs nothing: the journal says the same */
    dr_auto_error struct dr_error ignored = DR_ERROR_INIT;
    container_write_record(c, &ignored);
    if (result == 0)
        name_free_locked(guest, old, c->id);
    return result;
}

int container_rename(struct guest *guest, const struct container *container,
                     const char *name, struct dr_error *err)
{
    container_auto struct container c = {0};
    if (!name)
        return dr_fail(err, DR_ERR_INVALID, "the request has no name");
    if (spec_name_check(name, err) < 0)
        return -1;
    dr_auto_fd int lock = container_state_lock(guest, container->id);
    if (container_load(guest, container->id, &c, err) < 0)
        return -1;
    if (!c.state || !c.record)
        return dr_fail(err, DR_ERR_CONFLICT,
                       "container %s is being made or removed, or is damaged: it cannot "
                       "be renamed",
                       container_name(&c));
    dr_auto_free char *old = dr_strdup(container_name(&c));
    if (strcmp(old, name) == 0)
        return dr_fail(err, DR_ERR_INVALID, "the container is called %s already", name);
    if (rename_locked(guest, &c, name, err) < 0)
        return dr_wrap(err, "rename container %s", old);
    net_rename(guest, c.id, name);
    dr_auto_free char *shown = dr_printf("/%s", old);
    container_event(guest, &c, "rename", "oldName", shown);
    return 0;
}
