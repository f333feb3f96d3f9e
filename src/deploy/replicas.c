/* SPDX-License-Identifier: Apache-2.0 */
#include "deploy/replicas.h"

#include <string.h>

#include "deploy/plan-private.h"

void part_after(struct part *part, size_t step, bool soft)
{
    if (step == DEPLOY_NO_STEP)
        return;
    part->after = dr_realloc(part->after, (part->after_count + 1) * sizeof *part->after);
    part->soft = dr_realloc(part->soft, (part->after_count + 1) * sizeof *part->soft);
    part->soft[part->after_count] = soft;
    part->after[part->after_count++] = step;
}

void part_release(struct part *part)
{
    for (size_t i = 0; i < part->replica_count; i++)
        free(part->replicas[i].stale);
    for (size_t i = 0; i < part->gone_count; i++)
        free(part->gone[i].stale);
    free(part->replicas);
    free(part->gone);
    free(part->after);
    free(part->soft);
}

static struct replica *add(struct replica **list, size_t *count)
{
    *list = dr_realloc(*list, (*count + 1) * sizeof **list);
    struct replica *r = &(*list)[(*count)++];
    *r = (struct replica){.made = DEPLOY_NO_STEP, .last = DEPLOY_NO_STEP};
    for (size_t i = 0; i < DR_COUNT(r->waits); i++)
        r->waits[i] = DEPLOY_NO_STEP;
    return r;
}

static bool status_is(const json_t *c, const char *status)
{
    return strcmp(dr_json_str(c, "status") ?: "", status) == 0;
}

/* Done, and not to be done again. */
static bool is_over(const struct deploy_service *s, const json_t *c)
{
    return s->rtype == DEPLOY_JOB && status_is(c, "exited");
}

/* --- deciding --- */

/* Is it on the network of a container that is replaced in this plan? */
static const char *loses_network(const struct up *u, const struct deploy_service *s)
{
    const char *of = spec_network_container(s->spec);
    for (size_t i = 0; of && i < u->model->service_count; i++)
        for (size_t r = 0; r < u->parts[i].replica_count; r++) {
            const struct replica *other = &u->parts[i].replicas[r];
            const char *name = dr_json_str(other->there, "name");
            if (name && other->stale && strcmp(name, of) == 0)
                return name;
        }
    return NULL;
}

static char *why_stale(const struct up *u, const struct deploy_service *s,
                       const struct part *part, const json_t *c, const char *hash)
{
    const char *is = plan_label(c, DEPLOY_LABEL_HASH), *owner = loses_network(u, s);
    if (status_is(c, "dead") || status_is(c, "creating"))
        return dr_strdup("it is torn");
    if (status_is(c, "created") && s->file_count > 0)
        return dr_strdup("it was not finished");
    if (s->rtype == DEPLOY_JOB && status_is(c, "exited") &&
        dr_json_int(c, "exit_code", -1) != 0)
        return dr_printf("it ended with %lld",
                         (long long)dr_json_int(c, "exit_code", -1));
    if (owner)
        return dr_printf("it is on the network of %s, which is replaced", owner);
    if (u->options->no_recreate)
        return NULL;
    if (u->options->force_recreate)
        return dr_strdup("asked for");
    if (!is || strcmp(is, hash) != 0)
        return dr_strdup("its description has changed");
    if (part->pull == DEPLOY_NO_STEP && part->image_id &&
        strcmp(part->image_id, dr_json_str(c, "image_id") ?: "") != 0)
        return dr_strdup("its image has changed");
    return NULL;
}

/* Those that stay as they are first, then those that run, then by number. */
static int rank(const struct replica *a, const struct replica *b)
{
    if (!a->stale != !b->stale)
        return a->stale ? 1 : -1;
    if (plan_is_up(a->there) != plan_is_up(b->there))
        return plan_is_up(a->there) ? -1 : 1;
    return a->number < b->number ? -1 : a->number > b->number;
}

static int by_rank(const void *a, const void *b)
{
    return rank(a, b);
}

static int by_number(const void *a, const void *b)
{
    const struct replica *one = a, *two = b;
    return one->number < two->number ? -1 : one->number > two->number;
}

static bool number_taken(const struct part *part, int64_t number)
{
    for (size_t i = 0; i < part->replica_count; i++)
        if (part->replicas[i].number == number)
            return true;
    return false;
}

/* Whose name is it? Nobody's, or of a replica that this plan removes first. */
static int check_name(const struct up *u, const struct deploy_service *s,
                      const struct replica *r, struct dr_error *err)
{
    dr_auto_free char *name = deploy_replica_name(u->model, s, r->number);
    size_t i;
    json_t *c;
    json_array_foreach (u->seen->containers, i, c) {
        if (c == r->there || strcmp(dr_json_str(c, "name") ?: "", name) != 0)
            continue;
        const char *of = dr_json_str(c, "deployment");
        if (!dr_json_bool(c, "stranger") && !plan_is_oneoff(c) &&
            strcmp(dr_json_str(c, "service") ?: "", s->name) == 0)
            continue;
        return dr_fail(err, DR_ERR_EXISTS,
                       "service %s: the name %s is taken by a container of %s%s: remove "
                       "or rename that (`dray rm %s`), or call the service otherwise",
                       s->name, name, of ? "deployment " : "no deployment", of ? of : "",
                       name);
    }
    return 0;
}

static void see_replicas(struct up *u, const struct deploy_service *s, struct part *part,
                         const char *hash)
{
    size_t i;
    json_t *c;
    json_array_foreach (u->seen->containers, i, c) {
        if (dr_json_bool(c, "stranger") || plan_is_oneoff(c) ||
            strcmp(dr_json_str(c, "service") ?: "", s->name) != 0)
            continue;
        if (json_object_get(u->going, dr_json_str(c, "id") ?: "")) {
            part->seen_any = part->anew = true;
            continue;
        }
        struct replica *r = add(&part->replicas, &part->replica_count);
        r->there = c;
        part->seen_any = true;
        r->number = dr_json_int(c, "replica", 0);
        r->stale = why_stale(u, s, part, c, hash);
        r->ask_image =
            !r->stale && part->pull != DEPLOY_NO_STEP && !u->options->no_recreate;
    }
    if (part->replica_count > 1)
        qsort(part->replicas, part->replica_count, sizeof *part->replicas, by_rank);
}

static void drop_surplus(struct part *part, size_t scale)
{
    size_t kept = 0;
    for (size_t i = 0; i < part->replica_count; i++) {
        struct replica r = part->replicas[i];
        if (kept < scale && !number_taken(&(struct part){.replicas = part->replicas,
                                                         .replica_count = kept},
                                          r.number))
            part->replicas[kept++] = r;
        else
            *add(&part->gone, &part->gone_count) = r;
    }
    part->replica_count = kept;
}

int part_decide(struct up *u, const struct deploy_service *s, struct part *part,
                struct dr_error *err)
{
    dr_auto_free char *hash = deploy_service_hash(s);
    see_replicas(u, s, part, hash);
    drop_surplus(part, s->scale > 0 ? (size_t)s->scale : 0);
    int64_t number = 1;
    while (part->replica_count < (size_t)s->scale) {
        while (number_taken(part, number))
            number++;
        add(&part->replicas, &part->replica_count)->number = number;
    }
    if (part->replica_count > 1)
        qsort(part->replicas, part->replica_count, sizeof *part->replicas, by_number);
    for (size_t i = 0; i < part->replica_count; i++) {
        const struct replica *r = &part->replicas[i];
        if (!r->there || r->stale || r->ask_image || !plan_is_up(r->there))
            part->work++;
        if (r->stale)
            part->replaced = true;
        if ((!r->there || r->stale) && check_name(u, s, r, err) < 0)
            return -1;
    }
    return 0;
}

/* --- steps --- */

static size_t add_step(struct up *u, const struct deploy_service *s, struct part *part,
                       enum deploy_action action, const struct replica *r,
                       const char *why)
{
    dr_auto_free char *name = r->there ? dr_strdup(dr_json_str(r->there, "name"))
                                       : deploy_replica_name(u->model, s, r->number);
    size_t step = plan_add(u->plan, action, name, s->name, why);
    u->plan->steps[step].of = s;
    u->plan->steps[step].container = dr_strdup(dr_json_str(r->there, "id"));
    for (size_t i = 0; i < part->after_count; i++)
        (part->soft[i] ? plan_after_end : plan_after)(u->plan, step, part->after[i]);
    return step;
}

static int give_spec(struct up *u, const struct deploy_service *s, struct part *part,
                     size_t step, int64_t number, struct dr_error *err)
{
    u->plan->steps[step].spec = deploy_replica_spec(u->model, s, number, err);
    u->plan->steps[step].image = part->pull;
    plan_after(u->plan, step, part->pull);
    return u->plan->steps[step].spec ? 0 : -1;
}

/* Host ports and addresses that two replicas cannot have at once, so that the old one
 * must go first. */
static bool is_exclusive(const struct deploy_service *s)
{
    for (size_t i = 0; i < s->spec->port_count; i++)
        if (s->spec->ports[i].host_port && !s->spec->ports[i].host_port_last)
            return true;
    for (size_t i = 0; i < s->spec->network_count; i++)
        if (s->spec->networks[i].ip || s->spec->networks[i].ip6 ||
            s->spec->networks[i].mac)
            return true;
    return s->container_name != NULL;
}

static void remove_one(struct up *u, const struct deploy_service *s, struct part *part,
                       const struct replica *r, const char *why, size_t after)
{
    struct part nothing = {0};
    size_t step = add_step(u, s, &nothing, DEPLOY_REMOVE, r, why);
    plan_after(u->plan, step, after);
    /* its successor has volumes of its own, so nobody would find these again */
    u->plan->steps[step].volumes = after != DEPLOY_NO_STEP;
}

/* The new one under a free number, and only when it is ready the old one goes. */
static int replace_by_new(struct up *u, const struct deploy_service *s, struct part *part,
                          struct replica *r, int64_t number, struct dr_error *err)
{
    struct replica fresh = {.number = number};
    r->made = add_step(u, s, part, DEPLOY_CREATE, &fresh, r->stale);
    if (give_spec(u, s, part, r->made, number, err) < 0)
        return -1;
    const json_t *old = DR_TAKE(r->there);
    r->last = r->made;
    size_t ready = replica_wait(u, s, r, DEPLOY_UNTIL_READY);
    remove_one(u, s, part, &(struct replica){.there = old}, "its successor is ready",
               ready);
    return 0;
}

static int64_t free_number(const struct part *part, int64_t from)
{
    while (number_taken(part, from))
        from++;
    return from;
}

static int replace(struct up *u, const struct deploy_service *s, struct part *part,
                   struct replica *r, struct dr_error *err)
{
    r->made = add_step(u, s, part, DEPLOY_RECREATE, r,
                       r->stale ? r->stale : "when the pull brings another image");
    if (r->ask_image) {
        struct deploy_step *step = &u->plan->steps[r->made];
        step->pull = part->pull;
        step->image_id = dr_strdup(dr_json_str(r->there, "image_id"));
        step->start = !plan_is_up(r->there) && !is_over(s, r->there);
    }
    r->last = r->made;
    return give_spec(u, s, part, r->made, r->number, err);
}

static bool has_check(const struct deploy_service *s)
{
    char *const *test = s->spec->health.test;
    return test && test[0] && strcmp(test[0], "NONE") != 0;
}

/* Replaced one after the other, so that the others serve meanwhile. */
static int roll(struct up *u, const struct deploy_service *s, struct part *part,
                struct dr_error *err)
{
    size_t before = DEPLOY_NO_STEP;
    int64_t number = 1;
    bool new_first = s->start_first && !is_exclusive(s);
    for (size_t i = 0; i < part->replica_count; i++) {
        struct replica *r = &part->replicas[i];
        if (!r->stale && !r->ask_image)
            continue;
        size_t first = u->plan->count;
        int rc;
        if (new_first && r->stale) {
            number = free_number(part, number);
            rc = replace_by_new(u, s, part, r, number++, err);
        } else {
            rc = replace(u, s, part, r, err);
        }
        if (rc < 0)
            return -1;
        plan_after(u->plan, first, before);
        before = part->replica_count > 1 && has_check(s)
                     ? replica_wait(u, s, r, DEPLOY_UNTIL_READY)
                     : r->last;
    }
    return 0;
}

static void start_one(struct up *u, const struct deploy_service *s, struct part *part,
                      struct replica *r)
{
    bool paused = status_is(r->there, "paused");
    r->made = add_step(u, s, part, DEPLOY_START, r,
                       paused                           ? "it is paused"
                       : status_is(r->there, "created") ? "it was not started"
                                                        : "it does not run");
    u->plan->steps[r->made].paused = paused;
    r->last = r->made;
}

static int bring_up(struct up *u, const struct deploy_service *s, struct part *part,
                    struct replica *r, const char *with, struct dr_error *err)
{
    bool over = r->there && is_over(s, r->there);
    if (!r->there) {
        r->made = add_step(u, s, part, DEPLOY_CREATE, r,
                           part->anew       ? "its network changes"
                           : part->seen_any ? "one more replica"
                                            : "missing");
        r->last = r->made;
        return give_spec(u, s, part, r->made, r->number, err);
    }
    if (status_is(r->there, "paused") || (!plan_is_up(r->there) && !over)) {
        start_one(u, s, part, r);
    } else if (with && !over) {
        dr_auto_free char *why = dr_printf("it restarts with %s", with);
        r->made = r->last = add_step(u, s, part, DEPLOY_RESTART, r, why);
        part->replaced = true;
    } else {
        json_array_append(u->plan->kept, (json_t *)r->there);
    }
    return 0;
}

int part_steps(struct up *u, const struct deploy_service *s, struct part *part,
               const char *with, struct dr_error *err)
{
    /* a name or a port that goes may be wanted by one that comes */
    size_t first = u->plan->count;
    for (size_t i = 0; i < part->gone_count; i++)
        remove_one(u, s, part, &part->gone[i], "more than its scale", DEPLOY_NO_STEP);
    size_t removed = u->plan->count;
    for (size_t i = 0; i < part->replica_count; i++) {
        struct replica *r = &part->replicas[i];
        if (!r->stale && !r->ask_image && bring_up(u, s, part, r, with, err) < 0)
            return -1;
    }
    if (roll(u, s, part, err) < 0)
        return -1;
    for (size_t i = removed; i < u->plan->count; i++)
        for (size_t j = first; j < removed; j++)
            if (u->plan->steps[i].action == DEPLOY_CREATE)
                plan_after(u->plan, i, j);
    return 0;
}

/* --- waiting --- */

static bool is_already(const struct deploy_service *s, const struct replica *r,
                       enum deploy_until until)
{
    const char *health = dr_json_str(r->there, "health") ?: "";
    if (r->made != DEPLOY_NO_STEP || !r->there)
        return false;
    if (until == DEPLOY_UNTIL_COMPLETED)
        return status_is(r->there, "exited") &&
               dr_json_int(r->there, "exit_code", -1) == 0;
    if (!status_is(r->there, "running"))
        return false;
    return strcmp(health, "healthy") == 0 || (until == DEPLOY_UNTIL_READY && !*health);
}

size_t replica_wait(struct up *u, const struct deploy_service *s, struct replica *r,
                    enum deploy_until until)
{
    if (until == DEPLOY_UNTIL_READY && r->waits[DEPLOY_UNTIL_HEALTHY] != DEPLOY_NO_STEP)
        until = DEPLOY_UNTIL_HEALTHY; /* that is more */
    if (r->waits[until] != DEPLOY_NO_STEP)
        return r->waits[until];
    if (is_already(s, r, until))
        return DEPLOY_NO_STEP;
    static const char *const why[] = {[DEPLOY_UNTIL_READY] = "until it is ready",
                                      [DEPLOY_UNTIL_HEALTHY] = "until it is healthy",
                                      [DEPLOY_UNTIL_COMPLETED] =
                                          "until it has ended with 0"};
    dr_auto_free char *name = r->made != DEPLOY_NO_STEP
                                  ? dr_strdup(u->plan->steps[r->made].name)
                                  : dr_strdup(dr_json_str(r->there, "name"));
    size_t step = plan_add(u->plan, DEPLOY_WAIT, name, s->name, why[until]);
    struct deploy_step *w = &u->plan->steps[step];
    w->of = s;
    w->until = until;
    w->made_by = r->made;
    w->container =
        r->made == DEPLOY_NO_STEP ? dr_strdup(dr_json_str(r->there, "id")) : NULL;
    plan_after(u->plan, step, r->made);
    r->waits[until] = step;
    return step;
}
