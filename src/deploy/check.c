/* SPDX-License-Identifier: Apache-2.0 */
#include "deploy/check.h"

#include <string.h>

#include "base/nearest.h"
#include "base/text.h"

#define SPEC_BYTES_MAX (1u << 20) /* what one message can carry */

struct checker {
    const struct deploy_model *model;
    struct deploy_problems *problems;
    /* the search for circles */
    unsigned char *state; /* 0: not seen, 1: on the way, 2: done */
    const struct deploy_service **way;
    size_t way_len;
};

struct names {
    const struct deploy_model *model;
    size_t next;
};

static const char *next_name(void *state)
{
    struct names *names = state;
    return names->next < names->model->service_count
               ? names->model->services[names->next++].name
               : NULL;
}

/* --- what services wait for --- */

static bool ends(const struct deploy_service *s)
{
    return s->rtype != DEPLOY_SERVICE || !s->spec->restart ||
           strcmp(s->spec->restart, "no") == 0 ||
           strcmp(s->spec->restart, "on-failure") == 0;
}

static void check_depend(struct checker *c, const struct deploy_service *s,
                         const struct deploy_depend *d)
{
    const struct deploy_service *on = deploy_model_service(c->model, d->service);
    if (!on && !d->optional) {
        struct names names = {c->model, 0};
        const char *near = deploy_problems_full(c->problems)
                               ? NULL
                               : dr_nearest(d->service, next_name, &names);
        deploy_problem(c->problems, &d->where,
                       "%s depends on '%s', which is no service here%s%s%s", s->name,
                       d->service, near ? "; did you mean '" : "", near ? near : "",
                       near ? "'?" : "");
    }
    if (!on)
        return;
    char **test = on->spec->health.test;
    if (d->condition == DEPLOY_HEALTHY && test && test[0] && strcmp(test[0], "NONE") == 0)
        deploy_problem(c->problems, &d->where,
                       "%s waits until %s is healthy, but its health check is off",
                       s->name, on->name);
    if (d->condition == DEPLOY_COMPLETED && !ends(on))
        deploy_problem(c->problems, &d->where,
                       "%s waits until %s has completed, but that is started again "
                       "whenever it ends: make it a job, or say restart_policy: no",
                       s->name, on->name);
    if (d->condition != DEPLOY_STARTED && on->scale == 0)
        deploy_problem(c->problems, &d->where, "%s waits for %s, which has no replicas",
                       s->name, on->name);
    if (on->rtype == DEPLOY_CRON && d->condition != DEPLOY_STARTED)
        deploy_problem(c->problems, &d->where,
                       "%s waits for %s, but a cron is only ever started", s->name,
                       on->name);
}

static void say_circle(struct checker *c, size_t from, const struct deploy_where *where)
{
    char *text = NULL;
    for (size_t i = from; i <= c->way_len; i++) {
        const char *name = c->way[i < c->way_len ? i : from]->name;
        char *more = dr_printf("%s%s%s", text ? text : "", text ? " -> " : "", name);
        free(text);
        text = more;
    }
    deploy_problem(c->problems, where, "the services wait for one another: %s", text);
    free(text);
}

static void walk(struct checker *c, const struct deploy_service *s)
{
    size_t at = (size_t)(s - c->model->services);
    c->state[at] = 1;
    c->way[c->way_len++] = s;
    for (size_t i = 0; i < s->depend_count; i++) {
        const struct deploy_service *on =
            deploy_model_service(c->model, s->depends[i].service);
        if (!on)
            continue;
        size_t there = (size_t)(on - c->model->services);
        size_t from = 0;
        if (c->state[there] == 0)
            walk(c, on);
        if (c->state[there] != 1)
            continue;
        while (c->way[from] != on)
            from++;
        say_circle(c, from, &s->depends[i].where);
    }
    c->way_len--;
    c->state[at] = 2;
}

/* --- one service --- */

static bool fixed_port(const struct spec_port *p)
{
    return p->host_port != 0 && p->host_port_last == 0;
}

static void check_replicas(struct checker *c, const struct deploy_service *s)
{
    const struct spec_container *spec = s->spec;
    if (s->rtype != DEPLOY_SERVICE && s->scale != 1)
        deploy_problem(c->problems, &s->where, "%s: a %s is one container: no scale",
                       s->name, s->rtype == DEPLOY_JOB ? "job" : "cron");
    if (s->scale <= 1)
        return;
    if (s->container_name)
        deploy_problem(c->problems, &s->where,
                       "%s: %lld replicas cannot all be called '%s'", s->name,
                       (long long)s->scale, s->container_name);
    for (size_t i = 0; i < spec->port_count; i++)
        if (fixed_port(&spec->ports[i]))
            deploy_problem(c->problems, &s->where,
                           "%s: port %lld can be published by one of its %lld replicas "
                           "only; give a range of ports, or none",
                           s->name, (long long)spec->ports[i].host_port,
                           (long long)s->scale);
    for (size_t i = 0; i < spec->network_count; i++)
        if (spec->networks[i].ip || spec->networks[i].ip6 || spec->networks[i].mac)
            deploy_problem(c->problems, &s->where,
                           "%s: its %lld replicas cannot all have one address", s->name,
                           (long long)s->scale);
}

static size_t words_size(char *const *words)
{
    size_t size = 0;
    for (; words && *words; words++)
        size += strlen(*words);
    return size;
}

/* Nearly all are so small that nobody need write them down to see. */
static bool too_large(const struct spec_container *spec)
{
    char *const *const lists[] = {
        spec->args,          spec->entrypoint,  spec->env,
        spec->labels,        spec->annotations, spec->sysctls,
        spec->security_opts, spec->extra_hosts, spec->health.test};
    size_t rough = 1000 * (spec->mount_count + spec->device_count + spec->network_count) +
                   100 * spec->port_count;
    for (size_t i = 0; i < DR_COUNT(lists); i++)
        rough += words_size(lists[i]);
    if (rough < SPEC_BYTES_MAX / 8) /* a byte is six in JSON at most */
        return false;
    dr_auto_json json_t *json = spec_container_to_json(spec);
    dr_auto_free char *text = dr_json_text(json);
    return strlen(text) > SPEC_BYTES_MAX;
}

static void check_service(struct checker *c, const struct deploy_service *s)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    if (s->rtype == DEPLOY_CRON && !s->schedule)
        deploy_problem(c->problems, &s->where, "%s: a cron needs a schedule", s->name);
    if (s->rtype != DEPLOY_CRON && s->schedule)
        deploy_problem(c->problems, &s->where,
                       "%s: a schedule is for a cron: say rtype: cron", s->name);
    if (s->rtype != DEPLOY_SERVICE && s->spec->restart &&
        (strcmp(s->spec->restart, "always") == 0 ||
         strcmp(s->spec->restart, "unless-stopped") == 0))
        deploy_problem(c->problems, &s->where,
                       "%s: what is always started again never ends, and a %s does: only "
                       "no and on-failure are for it",
                       s->name, s->rtype == DEPLOY_JOB ? "job" : "cron");
    check_replicas(c, s);
    if (spec_container_check(s->spec, &err) < 0) {
        deploy_problem(c->problems, &s->where, "%s: %s", s->name, err.text);
        return;
    }
    if (too_large(s->spec))
        deploy_problem(c->problems, &s->where,
                       "%s: all of it together is too large: at most 1 MiB", s->name);
}

/* --- what two services cannot both have --- */

struct claim {
    const struct deploy_service *service;
    const struct spec_port *port;
};

static int by_port(const void *a, const void *b)
{
    const struct claim *x = a, *y = b;
    int order = strcmp(x->port->protocol, y->port->protocol);
    if (order)
        return order;
    if (x->port->host_port != y->port->host_port)
        return x->port->host_port < y->port->host_port ? -1 : 1;
    return x < y ? -1 : 1;
}

static const char *address(const struct spec_port *port)
{
    return port->host_ip ? port->host_ip : "127.0.0.1";
}

static bool same_place(const struct spec_port *a, const struct spec_port *b)
{
    return strcmp(a->protocol, b->protocol) == 0 && a->host_port == b->host_port &&
           (strcmp(address(a), address(b)) == 0 || strcmp(address(a), "0.0.0.0") == 0 ||
            strcmp(address(b), "0.0.0.0") == 0);
}

static void check_ports(struct checker *c)
{
    size_t n = 0;
    for (size_t i = 0; i < c->model->service_count; i++)
        n += c->model->services[i].spec->port_count;
    dr_auto_free struct claim *all = dr_alloc((n + 1) * sizeof *all);
    n = 0;
    for (size_t i = 0; i < c->model->service_count; i++) {
        const struct deploy_service *s = &c->model->services[i];
        for (size_t j = 0; j < s->spec->port_count; j++)
            if (fixed_port(&s->spec->ports[j]) && s->scale > 0)
                all[n++] = (struct claim){s, &s->spec->ports[j]};
    }
    qsort(all, n, sizeof *all, by_port);
    for (size_t i = 1; i < n; i++) {
        const struct claim *a = &all[i - 1], *b = &all[i];
        if (!same_place(a->port, b->port))
            continue;
        bool later = b->service > a->service;
        const struct deploy_service *second = later ? b->service : a->service;
        const struct deploy_service *first = later ? a->service : b->service;
        deploy_problem(c->problems, &second->where,
                       "%s: port %lld/%s is published already, by %s", second->name,
                       (long long)b->port->host_port, b->port->protocol,
                       first == second ? "itself" : first->name);
    }
}

static void check_container_names(struct checker *c)
{
    for (size_t i = 0; i < c->model->service_count; i++) {
        const struct deploy_service *s = &c->model->services[i];
        for (size_t j = 0; s->container_name && j < i; j++) {
            const struct deploy_service *other = &c->model->services[j];
            if (other->container_name &&
                strcmp(other->container_name, s->container_name) == 0)
                deploy_problem(c->problems, &s->where, "%s: %s is called '%s' already",
                               s->name, other->name, s->container_name);
        }
    }
}

int deploy_check(const struct deploy_model *model, struct deploy_problems *problems,
                 struct dr_error *err)
{
    size_t count = model->service_count;
    if (count > DEPLOY_SERVICES_MAX) {
        deploy_problem(problems, &model->services[0].where,
                       "there are %zu services; at most %d can be", count,
                       DEPLOY_SERVICES_MAX);
        return deploy_problems_end(problems, err);
    }
    struct checker c = {.model = model, .problems = problems};
    c.state = dr_alloc(count + 1);
    c.way = dr_alloc((count + 1) * sizeof *c.way);
    for (size_t i = 0; i < count; i++) {
        const struct deploy_service *s = &model->services[i];
        check_service(&c, s);
        for (size_t j = 0; j < s->depend_count; j++)
            check_depend(&c, s, &s->depends[j]);
    }
    for (size_t i = 0; i < count; i++)
        if (c.state[i] == 0)
            walk(&c, &model->services[i]);
    check_ports(&c);
    check_container_names(&c);
    free(c.state);
    free(c.way);
    return deploy_problems_end(problems, err);
}
