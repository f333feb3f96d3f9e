/* SPDX-License-Identifier: Apache-2.0 */
/* What a container's service depends on: by the files when they have it, else by the
 * label that it was made with, so that orders work without files too. */
#include <string.h>

#include "deploy/plan-private.h"

static const char *const conditions[] = {[DEPLOY_STARTED] = "",
                                         [DEPLOY_HEALTHY] = ":healthy",
                                         [DEPLOY_COMPLETED] = ":completed"};
#define RESTART ":restart"

/* "db:healthy:restart,cache"; NULL: it depends on nothing. */
char *plan_depends_text(const struct deploy_service *service)
{
    char *all = NULL;
    for (size_t i = 0; i < service->depend_count; i++) {
        const struct deploy_depend *d = &service->depends[i];
        char *more = dr_printf("%s%s%s%s%s", all ? all : "", all ? "," : "", d->service,
                               conditions[d->condition], d->restart ? RESTART : "");
        free(all);
        all = more;
    }
    return all;
}

static struct plan_depend *add(struct plan_depends *all, char *service)
{
    all->items = dr_realloc(all->items, (all->count + 1) * sizeof *all->items);
    all->items[all->count] = (struct plan_depend){.service = service};
    return &all->items[all->count++];
}

static void add_text(struct plan_depends *all, const char *text, size_t len)
{
    size_t name = 0;
    while (name < len && text[name] != ':')
        name++;
    struct plan_depend *d = add(all, dr_strndup(text, name));
    dr_auto_free char *rest = dr_strndup(text + name, len - name);
    d->restart = strstr(rest, RESTART) != NULL;
    for (size_t i = 1; i < DR_COUNT(conditions); i++)
        if (strstr(rest, conditions[i]))
            d->condition = (enum deploy_condition)i;
}

struct plan_depends plan_depends_of(const struct deploy_model *model,
                                    const json_t *container)
{
    struct plan_depends all = {0};
    const char *name = dr_json_str(container, "service");
    const struct deploy_service *s =
        model && name ? deploy_model_service(model, name) : NULL;
    const char *label = plan_label(container, DEPLOY_LABEL_DEPENDS);
    for (size_t i = 0; s && i < s->depend_count; i++) {
        struct plan_depend *d = add(&all, dr_strdup(s->depends[i].service));
        d->condition = s->depends[i].condition;
        d->restart = s->depends[i].restart;
    }
    for (const char *p = label ? label : ""; !s && *p;) {
        size_t len = strcspn(p, ",");
        if (len > 0)
            add_text(&all, p, len);
        p += len + (p[len] == ',');
    }
    return all;
}

void plan_depends_release(struct plan_depends *all)
{
    for (size_t i = 0; i < all->count; i++)
        free(all->items[i].service);
    free(all->items);
    *all = (struct plan_depends){0};
}

const struct plan_depend *plan_depends_on(const struct plan_depends *all,
                                          const char *service)
{
    for (size_t i = 0; service && i < all->count; i++)
        if (strcmp(all->items[i].service, service) == 0)
            return &all->items[i];
    return NULL;
}

/* --- the order --- */

static bool blocks(const struct plan_member *first, const struct plan_member *then)
{
    return plan_depends_on(&then->depends, dr_json_str(first->container, "service"));
}

void plan_members_sort(struct plan_member *members, size_t count, bool dependents_first)
{
    dr_auto_free struct plan_member *sorted = dr_alloc((count + 1) * sizeof *sorted);
    dr_auto_free bool *taken = dr_alloc(count + 1);
    for (size_t done = 0; done < count; done++) {
        size_t pick = SIZE_MAX;
        for (size_t i = 0; i < count && pick == SIZE_MAX; i++) {
            bool is_free = !taken[i];
            for (size_t j = 0; is_free && j < count; j++)
                is_free = taken[j] || j == i ||
                          !(dependents_first ? blocks(&members[i], &members[j])
                                             : blocks(&members[j], &members[i]));
            if (is_free)
                pick = i;
        }
        for (size_t i = 0; i < count && pick == SIZE_MAX; i++)
            if (!taken[i]) /* a circle, which only two files' labels can have */
                pick = i;
        taken[pick] = true;
        sorted[done] = members[pick];
    }
    if (count > 0)
        memcpy(members, sorted, count * sizeof *sorted);
}

struct plan_member *plan_members(const struct deploy_model *model,
                                 const struct deploy_seen *seen, size_t *ret_count)
{
    struct plan_member *members =
        dr_alloc((json_array_size(seen->containers) + 1) * sizeof *members);
    size_t i;
    json_t *c;
    *ret_count = 0;
    json_array_foreach (seen->containers, i, c) {
        if (dr_json_bool(c, "stranger"))
            continue;
        members[(*ret_count)++] = (struct plan_member){
            .container = c,
            .depends = plan_depends_of(model, c),
            .step = DEPLOY_NO_STEP,
            .waits = {DEPLOY_NO_STEP, DEPLOY_NO_STEP, DEPLOY_NO_STEP}};
    }
    return members;
}

void plan_members_free(struct plan_member *members, size_t count)
{
    for (size_t i = 0; i < count; i++)
        plan_depends_release(&members[i].depends);
    free(members);
}
