/* SPDX-License-Identifier: Apache-2.0 */
/* Bringing a deployment to what its files say. */
#include <stdio.h>
#include <string.h>

#include "deploy/plan-private.h"
#include "deploy/replicas.h"
#include "spec/table.h"

json_t *deploy_plan_images(const struct deploy_model *model, struct dr_error *err)
{
    dr_auto_json json_t *images = json_array();
    for (size_t i = 0; i < model->service_count; i++) {
        const struct deploy_service *s = &model->services[i];
        dr_auto_free char *ref = spec_image_name(s->spec->image ?: "", err);
        if (!ref) {
            dr_wrap(err, "service %s: image", s->name);
            return NULL;
        }
        json_array_append_new(images, json_string(ref));
    }
    return DR_TAKE(images);
}

/* --- which services, in which order --- */

static int choose(struct up *u, const char *name, struct dr_error *err)
{
    const struct deploy_service *s = deploy_model_service(u->model, name);
    if (!s)
        return dr_fail(err, DR_ERR_NOT_FOUND, "no such service: %s", name);
    struct part *part = &u->parts[s - u->model->services];
    if (part->chosen)
        return 0;
    part->chosen = true;
    for (size_t i = 0; !u->options->no_deps && i < s->depend_count; i++) {
        const struct deploy_depend *d = &s->depends[i];
        if (!deploy_model_service(u->model, d->service) && d->optional)
            continue;
        if (choose(u, d->service, err) < 0)
            return dr_wrap(err, "service %s depends on one that is not there", name);
    }
    return 0;
}

static int choose_all(struct up *u, struct dr_error *err)
{
    char *const *names = u->options->services;
    if (!names || !names[0]) {
        for (size_t i = 0; i < u->model->service_count; i++)
            u->parts[i].chosen = true;
        return 0;
    }
    for (; *names; names++) {
        if (choose(u, *names, err) < 0)
            return -1;
        u->parts[deploy_model_service(u->model, *names) - u->model->services].named =
            true;
    }
    return 0;
}

/* --- networks, volumes, images --- */

static int foreign(const struct up *u, const char *what, const char *name,
                   const json_t *there, struct dr_error *err)
{
    const char *of = plan_label(there, DEPLOY_LABEL_DEPLOYMENT);
    if (of && strcmp(of, u->model->name) == 0)
        return 0;
    return dr_fail(err, DR_ERR_EXISTS,
                   "%s %s is there already and not of deployment %s%s%s: say that it is "
                   "external, or give one of them another name",
                   what, name, u->model->name, of ? ", but of " : "", of ? of : "");
}

static bool uses_network(const struct deploy_service *s, const char *name)
{
    for (size_t i = 0; i < s->spec->network_count; i++)
        if (s->spec->networks[i].name && strcmp(s->spec->networks[i].name, name) == 0)
            return true;
    return false;
}

static bool uses_volume(const struct deploy_service *s, const char *name)
{
    for (size_t i = 0; i < s->spec->mount_count; i++)
        if (s->spec->mounts[i].type == SPEC_MOUNT_VOLUME && s->spec->mounts[i].source &&
            strcmp(s->spec->mounts[i].source, name) == 0)
            return true;
    return false;
}

static bool is_used(const struct up *u, const char *name,
                    bool (*uses)(const struct deploy_service *, const char *))
{
    for (size_t i = 0; i < u->model->service_count; i++)
        if (u->parts[i].chosen && uses(&u->model->services[i], name))
            return true;
    return false;
}

/* Who is on it begins behind the step. */
static void before_users(struct up *u, const char *name, size_t step,
                         bool (*uses)(const struct deploy_service *, const char *))
{
    for (size_t i = 0; i < u->model->service_count; i++) {
        struct part *part = &u->parts[i];
        if (part->chosen && uses(&u->model->services[i], name))
            part_after(part, step, false);
    }
}

/* Is name one of a list with commas? */
static bool lists(const char *list, const char *name)
{
    size_t len = strlen(name);
    while (*list) {
        size_t n = strcspn(list, ",");
        if (n == len && memcmp(list, name, n) == 0)
            return true;
        list += n + (list[n] == ',');
    }
    return false;
}

/* On the network, or on that of a container that goes already. */
static bool goes_with(const struct up *u, const char *network, const json_t *c)
{
    const char *list = dr_json_str(c, "network") ?: "", *of = "container:", *id;
    json_t *step;
    if (lists(list, network))
        return true;
    if (strncmp(list, of, strlen(of)) != 0)
        return false;
    list += strlen(of);
    json_object_foreach (u->going, id, step)
        if (strcmp(list, id) == 0 ||
            strcmp(list, u->plan->steps[json_integer_value(step)].name) == 0)
            return true;
    return false;
}

static int let_go(struct up *u, const char *network, const json_t *c,
                  struct dr_error *err)
{
    const char *id = dr_json_str(c, "id"), *name = dr_json_str(c, "name"),
               *service = dr_json_str(c, "service") ?: "";
    const struct deploy_service *s = deploy_model_service(u->model, service);
    struct part *part = s ? &u->parts[s - u->model->services] : NULL;
    if (!part || !part->chosen || plan_is_oneoff(c))
        return dr_fail(err, DR_ERR_CONFLICT,
                       "network %s has other settings now, and %s is on it, which this "
                       "does not replace: remove that first (`dray rm -f %s`)",
                       network, name, name);
    size_t step = plan_add(u->plan, DEPLOY_REMOVE, name, service, "its network changes");
    u->plan->steps[step].container = dr_strdup(id);
    json_object_set_new(u->going, id, json_integer((json_int_t)step));
    part_after(part, step, false);
    return 0;
}

/* A network cannot be changed while somebody is on it: they are removed, then it is, and
 * all are made again. *ret_removed: the step behind which it is gone. */
static int change_network(struct up *u, const char *network, size_t *ret_removed,
                          struct dr_error *err)
{
    if (u->options->no_recreate)
        return dr_fail(err, DR_ERR_CONFLICT,
                       "network %s has other settings now, and containers are on it: "
                       "leave --no-recreate away, or take the deployment down first",
                       network);
    size_t before, i;
    json_t *c, *step;
    const char *id;
    do { /* who is on the network of one that goes, goes too */
        before = json_object_size(u->going);
        json_array_foreach (u->seen->containers, i, c)
            if (!dr_json_bool(c, "stranger") &&
                !json_object_get(u->going, dr_json_str(c, "id")) &&
                goes_with(u, network, c) && let_go(u, network, c, err) < 0)
                return -1;
    } while (json_object_size(u->going) > before);
    *ret_removed = plan_add(u->plan, DEPLOY_NETWORK_REMOVE, network, NULL,
                            "its settings have changed");
    json_object_foreach (u->going, id, step)
        plan_after(u->plan, *ret_removed, (size_t)json_integer_value(step));
    return 0;
}

static int plan_network(struct up *u, const struct deploy_network *n,
                        struct dr_error *err)
{
    const json_t *there = json_object_get(u->seen->networks, n->name);
    if (!is_used(u, n->name, uses_network))
        return 0;
    if (n->external)
        return there ? 0
                     : dr_fail(err, DR_ERR_NOT_FOUND,
                               "network %s is external, and not there: make it with "
                               "`dray network create %s`",
                               n->name, n->name);
    dr_auto_free char *hash = deploy_network_hash(n);
    if (there && foreign(u, "network", n->name, there, err) < 0)
        return -1;
    const char *is = plan_label(there, DEPLOY_LABEL_HASH);
    if (there && is && strcmp(is, hash) == 0)
        return 0;
    size_t removed = DEPLOY_NO_STEP;
    if (there && change_network(u, n->name, &removed, err) < 0)
        return -1;
    size_t step = plan_add(u->plan, DEPLOY_NETWORK_CREATE, n->name, NULL,
                           there ? "its settings have changed" : "missing");
    plan_after(u->plan, step, removed);
    u->plan->steps[step].network = n;
    before_users(u, n->name, step, uses_network);
    return 0;
}

static int plan_volume(struct up *u, const struct deploy_volume *v, struct dr_error *err)
{
    const json_t *there = json_object_get(u->seen->volumes, v->name);
    if (!is_used(u, v->name, uses_volume))
        return 0;
    if (v->external)
        return there ? 0
                     : dr_fail(err, DR_ERR_NOT_FOUND,
                               "volume %s is external, and not there: make it with "
                               "`dray volume create %s`",
                               v->name, v->name);
    const char *of = plan_label(there, DEPLOY_LABEL_DEPLOYMENT);
    if (there && (!of || strcmp(of, u->model->name) != 0))
        plan_warn(u->plan,
                  "volume %s was not made by this deployment, which uses it all the same",
                  v->name);
    if (there)
        return 0;
    size_t step = plan_add(u->plan, DEPLOY_VOLUME_CREATE, v->name, NULL, "missing");
    u->plan->steps[step].volume = v;
    before_users(u, v->name, step, uses_volume);
    return 0;
}

static enum deploy_pull policy_of(const struct up *u, const struct deploy_service *s)
{
    return u->options->pull >= 0 ? (enum deploy_pull)u->options->pull : s->pull;
}

/* One step for all services that want the same. */
static int plan_pull(struct up *u, size_t index, struct dr_error *err)
{
    const struct deploy_service *s = &u->model->services[index];
    struct part *part = &u->parts[index];
    enum deploy_pull policy = policy_of(u, s);
    dr_auto_free char *ref = spec_image_name(s->spec->image ?: "", err);
    if (!ref)
        return -1;
    const char *id = json_string_value(json_object_get(u->seen->images, ref));
    part->image_id = id;
    part->policy = policy;
    part->pull = DEPLOY_NO_STEP;
    bool enough = policy == DEPLOY_PULL_MISSING || policy == DEPLOY_PULL_NEVER;
    if (id && enough && !u->options->pinned)
        return 0;
    if (!id && policy == DEPLOY_PULL_NEVER)
        return dr_fail(err, DR_ERR_NOT_FOUND,
                       "service %s: image %s is not on this target, and the pull policy "
                       "is never",
                       s->name, s->spec->image);
    for (size_t i = 0; i < index; i++) {
        const struct part *other = &u->parts[i];
        if (!other->chosen || other->pull == DEPLOY_NO_STEP || other->policy != policy ||
            strcmp(u->plan->steps[other->pull].name, ref) != 0 ||
            strcmp(u->model->services[i].platform ?: "", s->platform ?: "") != 0)
            continue;
        part->pull = other->pull;
        return 0;
    }
    part->pull = plan_add(u->plan, DEPLOY_PULL, ref, s->name,
                          id && enough ? "it must be the one that is pinned"
                          : id         ? "the pull policy says so"
                          : policy == DEPLOY_PULL_MISSING ? "missing"
                                                          : "the pull policy says so");
    u->plan->steps[part->pull].of = s;
    u->plan->steps[part->pull].policy = policy;
    return 0;
}

/* --- services --- */

/* What a dependent waits for; made when the first one asks. */
static void wait_for(struct up *u, struct part *dependent, const struct deploy_depend *d)
{
    const struct deploy_service *s = deploy_model_service(u->model, d->service);
    struct part *part = s ? &u->parts[s - u->model->services] : NULL;
    if (!part || !part->chosen)
        return;
    for (size_t i = 0; i < part->replica_count; i++) {
        struct replica *r = &part->replicas[i];
        size_t step = d->condition == DEPLOY_STARTED ? r->last
                      : d->condition == DEPLOY_HEALTHY
                          ? replica_wait(u, s, r, DEPLOY_UNTIL_HEALTHY)
                          : replica_wait(u, s, r, DEPLOY_UNTIL_COMPLETED);
        part_after(dependent, step, d->optional);
    }
}

/* Replaced or restarted since one that it depends on was. */
static const char *restarts_with(const struct up *u, const struct deploy_service *s)
{
    for (size_t i = 0; i < s->depend_count; i++) {
        const struct deploy_service *on =
            s->depends[i].restart ? deploy_model_service(u->model, s->depends[i].service)
                                  : NULL;
        const struct part *part = on ? &u->parts[on - u->model->services] : NULL;
        if (part && part->chosen && part->replaced)
            return on->name;
    }
    return NULL;
}

static int plan_service(struct up *u, size_t index, struct dr_error *err)
{
    const struct deploy_service *s = &u->model->services[index];
    struct part *part = &u->parts[index];
    if (part->done || !part->chosen)
        return 0;
    part->done = true; /* before: a circle, which a check has refused, ends here */
    for (size_t i = 0; i < s->depend_count; i++) {
        const struct deploy_service *on =
            deploy_model_service(u->model, s->depends[i].service);
        if (on && plan_service(u, (size_t)(on - u->model->services), err) < 0)
            return -1;
    }
    if (u->options->surroundings && part->named) {
        for (size_t i = 0; i < s->depend_count; i++)
            wait_for(u, part, &s->depends[i]);
        return 0;
    }
    if (part_decide(u, s, part, err) < 0)
        return -1;
    const char *with = restarts_with(u, s);
    if (part->work > 0 || with)
        for (size_t i = 0; i < s->depend_count; i++)
            wait_for(u, part, &s->depends[i]);
    return part_steps(u, s, part, with, err);
}

static void wait_at_the_end(struct up *u)
{
    for (size_t i = 0; u->options->wait && i < u->model->service_count; i++) {
        const struct deploy_service *s = &u->model->services[i];
        struct part *part = &u->parts[i];
        if (!part->chosen || s->rtype == DEPLOY_CRON)
            continue;
        for (size_t r = 0; r < part->replica_count; r++)
            replica_wait(u, s, &part->replicas[r],
                         s->rtype == DEPLOY_JOB ? DEPLOY_UNTIL_COMPLETED
                                                : DEPLOY_UNTIL_READY);
    }
}

static void plan_orphans(struct up *u)
{
    size_t i;
    json_t *c;
    json_array_foreach (u->seen->containers, i, c) {
        const char *service = dr_json_str(c, "service"), *name = dr_json_str(c, "name");
        if (dr_json_bool(c, "stranger") || plan_is_oneoff(c) ||
            (service && deploy_model_service(u->model, service)))
            continue;
        if (u->options->remove_orphans) {
            size_t step = plan_add(u->plan, DEPLOY_REMOVE, name, service,
                                   "its service is not in the file any more");
            u->plan->steps[step].container = dr_strdup(dr_json_str(c, "id"));
        } else {
            plan_warn(u->plan,
                      "container %s is of service %s, which is not in the file any more "
                      "(--remove-orphans removes it)",
                      name, service ? service : "");
        }
    }
}

int deploy_plan_up(const struct deploy_model *model, const struct deploy_seen *seen,
                   const struct deploy_plan_options *options,
                   struct deploy_plan **ret_plan, struct dr_error *err)
{
    struct up u = {.model = model,
                   .seen = seen,
                   .options = options,
                   .plan = plan_new(model->name),
                   .going = json_object(),
                   .parts = dr_alloc((model->service_count + 1) * sizeof *u.parts)};
    int rc = choose_all(&u, err);
    bool whole = !options->images_only;
    for (size_t i = 0; whole && rc == 0 && i < model->network_count; i++)
        rc = plan_network(&u, &model->networks[i], err);
    for (size_t i = 0; whole && rc == 0 && i < model->volume_count; i++)
        rc = plan_volume(&u, &model->volumes[i], err);
    for (size_t i = 0; rc == 0 && i < model->service_count; i++)
        if (u.parts[i].chosen)
            rc = plan_pull(&u, i, err);
    for (size_t i = 0; whole && rc == 0 && i < model->service_count; i++)
        rc = plan_service(&u, i, err);
    if (rc == 0) {
        if (whole)
            plan_orphans(&u);
        wait_at_the_end(&u);
        *ret_plan = DR_TAKE(u.plan);
    }
    for (size_t i = 0; i < model->service_count; i++)
        part_release(&u.parts[i]);
    free(u.parts);
    json_decref(u.going);
    deploy_plan_free(u.plan);
    return rc;
}
