/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Plans, without a target: a file, what is there, and what is to be done. `pretend`
 * carries a plan out on what is there, so that a test can go on from it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "deploy/plan.h"
#include "deploy/read.h"

#define OLD_IMAGE "sha256:01"
#define NEW_IMAGE "sha256:02"

struct world {
    struct deploy_seen seen;
    int next_id;
};

static struct deploy_model *read_model(const char *yaml)
{
    static const char *const environment[] = {NULL};
    deploy_auto_problems struct deploy_problems problems = DEPLOY_PROBLEMS_INIT;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    struct deploy_sources sources = {
        .text = yaml, .directory = "/tmp", .environment = environment};
    struct deploy_model *model = NULL;
    if (deploy_read(&sources, &problems, &model, &err) < 0)
        fail_msg("%s", err.text);
    return model;
}

static struct world *world_new(void)
{
    struct world *w = dr_alloc(sizeof *w);
    w->seen = deploy_seen_new();
    json_object_set_new(w->seen.images, "docker.io/library/box:latest",
                        json_string(OLD_IMAGE));
    return w;
}

static void world_free(struct world **w)
{
    deploy_seen_release(&(*w)->seen);
    free(*w);
}
#define auto_world DR_CLEANUP(world_free)

static json_t *find(struct world *w, const char *name)
{
    size_t i;
    json_t *c;
    json_array_foreach (w->seen.containers, i, c)
        if (strcmp(dr_json_str(c, "name"), name) == 0)
            return c;
    return NULL;
}

static void drop(struct world *w, const char *id)
{
    dr_auto_free char *mine = dr_strdup(id); /* it may be the container's own text */
    for (size_t i = json_array_size(w->seen.containers); i-- > 0;)
        if (strcmp(dr_json_str(json_array_get(w->seen.containers, i), "id"), mine) == 0)
            json_array_remove(w->seen.containers, i);
}

static void make(struct world *w, const struct deploy_step *s)
{
    json_t *c = json_object(), *labels = json_object(), *label;
    dr_auto_free char *id = dr_printf("id%d", ++w->next_id);
    const char *ref = dr_json_str(s->spec, "image");
    size_t i;
    assert_null(find(w, dr_json_str(s->spec, "name"))); /* EXISTS, over there */
    json_array_foreach (json_object_get(s->spec, "labels"), i, label) {
        const char *text = json_string_value(label), *equals = strchr(text, '=');
        dr_auto_free char *key = dr_strndup(text, (size_t)(equals - text));
        dr_json_set_str(labels, key, equals + 1);
    }
    dr_json_set_str(c, "kind", "container");
    dr_json_set_str(c, "id", id);
    dr_json_set(c, "labels", labels);
    dr_json_set_str(c, "status", "running");
    dr_json_set_str(c, "image_id",
                    json_string_value(json_object_get(w->seen.images, ref)));
    json_t *network;
    dr_auto_free char *networks = NULL;
    json_array_foreach (json_object_get(s->spec, "networks"), i, network) {
        char *more = dr_printf("%s%s%s", networks ? networks : "", networks ? "," : "",
                               dr_json_str(network, "name"));
        free(networks);
        networks = more;
    }
    dr_json_set_str(c, "network", networks);
    static const char *const same[] = {"name", "service", "deployment", "replica"};
    for (i = 0; i < DR_COUNT(same); i++)
        dr_json_set(c, same[i], json_incref(json_object_get(s->spec, same[i])));
    deploy_seen_add(&w->seen, c);
    json_decref(c);
}

static void add_thing(struct world *w, const char *kind, const char *name,
                      const char *deployment, char *hash)
{
    json_t *item = json_object(), *labels = json_object();
    dr_json_set_str(labels, DEPLOY_LABEL_DEPLOYMENT, deployment);
    dr_json_set_str(labels, DEPLOY_LABEL_HASH, hash);
    dr_json_set_str(item, "kind", kind);
    dr_json_set_str(item, "name", name);
    dr_json_set(item, "labels", labels);
    deploy_seen_add(&w->seen, item);
    json_decref(item);
    free(hash);
}

static json_t *by_id(struct world *w, const char *id)
{
    size_t i;
    json_t *c;
    json_array_foreach (w->seen.containers, i, c)
        if (strcmp(dr_json_str(c, "id"), id) == 0)
            return c;
    fail_msg("no container %s", id);
    return NULL;
}

/* pulled: the image that a pull brings. */
static void pretend(struct world *w, const struct deploy_plan *plan, const char *pulled)
{
    for (size_t i = 0; i < plan->count; i++) {
        const struct deploy_step *s = &plan->steps[i];
        for (size_t a = 0; a < s->after_count; a++)
            assert_true(s->after[a] < i);
        switch (s->action) {
        case DEPLOY_PULL:
            json_object_set_new(w->seen.images, s->name, json_string(pulled));
            break;
        case DEPLOY_NETWORK_CREATE:
            add_thing(w, "network", s->name, plan->name, deploy_network_hash(s->network));
            break;
        case DEPLOY_VOLUME_CREATE:
            add_thing(w, "volume", s->name, plan->name, NULL);
            break;
        case DEPLOY_NETWORK_REMOVE:
            assert_int_equal(json_object_del(w->seen.networks, s->name), 0);
            break;
        case DEPLOY_VOLUME_REMOVE:
            assert_int_equal(json_object_del(w->seen.volumes, s->name), 0);
            break;
        case DEPLOY_RECREATE:
            if (s->pull != DEPLOY_NO_STEP && strcmp(s->image_id, pulled) == 0)
                break;
            drop(w, s->container);
            make(w, s);
            break;
        case DEPLOY_CREATE:
            make(w, s);
            break;
        case DEPLOY_START:
        case DEPLOY_RESTART:
            dr_json_set_str(by_id(w, s->container), "status", "running");
            break;
        case DEPLOY_STOP:
            dr_json_set_str(by_id(w, s->container), "status", "exited");
            break;
        case DEPLOY_REMOVE:
            by_id(w, s->container);
            drop(w, s->container);
            break;
        case DEPLOY_WAIT:
            break;
        }
    }
}

/* "create network shop_default; create web-rep-1 <0,1; …" */
static char *words(const struct deploy_plan *plan)
{
    struct dr_buf buf = DR_BUF_INIT(1u << 20);
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_buf_add(&buf, "", 0, &err);
    for (size_t i = 0; i < plan->count; i++) {
        const struct deploy_step *s = &plan->steps[i];
        dr_buf_addf(&buf, &err, "%s%s %s", i ? "; " : "", deploy_action_name(s->action),
                    s->name);
        for (size_t a = 0; a < s->after_count; a++)
            dr_buf_addf(&buf, &err, "%s%zu", a ? "," : " <", s->after[a]);
    }
    char *text = dr_buf_take(&buf);
    return text ? text : dr_strdup("");
}

static const struct deploy_plan_options defaults = {.pull = -1};

static struct deploy_plan *plan_of(struct world *w, struct deploy_model *model,
                                   const struct deploy_plan_options *options)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    struct deploy_plan *plan = NULL;
    if (deploy_plan_up(model, &w->seen, options ? options : &defaults, &plan, &err) < 0)
        fail_msg("%s", err.text);
    return plan;
}

/* Plans and carries out; the plan must be these words. */
static void expect(struct world *w, const char *yaml,
                   const struct deploy_plan_options *options, const char *wanted)
{
    struct deploy_model *model = read_model(yaml);
    struct deploy_plan *plan = plan_of(w, model, options);
    dr_auto_free char *is = words(plan);
    assert_string_equal(is, wanted);
    pretend(w, plan, NEW_IMAGE);
    deploy_plan_free(plan);
    deploy_model_free(model);
}

static void expect_error(struct world *w, const char *yaml,
                         const struct deploy_plan_options *options, enum dr_kind kind,
                         const char *text)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    struct deploy_model *model = read_model(yaml);
    struct deploy_plan *plan = NULL;
    assert_int_equal(
        deploy_plan_up(model, &w->seen, options ? options : &defaults, &plan, &err), -1);
    assert_int_equal(err.kind, kind);
    if (!strstr(err.text, text))
        fail_msg("%s", err.text);
    deploy_model_free(model);
}

#define HEAD "version: v1\ndeployment: shop\nservices:\n"
#define SERVICE(name, more) "  " name ": {image: {name: box}" more "}\n"

static const char two[] = HEAD SERVICE("web", ", depends: [db]") SERVICE("db", "");

/* --- tests --- */

static void an_empty_target_gets_the_network_and_dependencies_first(void **state)
{
    auto_world struct world *w = world_new();
    expect(w, two, NULL,
           "create shop_default; create db-rep-1 <0; create web-rep-1 <0,1");
    expect(w, two, NULL, "");
}

static void a_missing_image_is_pulled_once_for_all_services(void **state)
{
    auto_world struct world *w = world_new();
    json_object_clear(w->seen.images);
    expect(w, two, NULL,
           "create shop_default; pull docker.io/library/box:latest; "
           "create db-rep-1 <0,1; create web-rep-1 <0,2,1");
    expect(w, two, NULL, "");
}

static void images_only_is_the_pulls_and_nothing_else(void **state)
{
    auto_world struct world *w = world_new();
    const struct deploy_plan_options missing = {.images_only = true, .pull = -1},
                                     always = {.images_only = true,
                                               .pull = DEPLOY_PULL_ALWAYS};
    expect(w, two, &missing, "");
    expect(w, two, &always, "pull docker.io/library/box:latest");
    json_object_clear(w->seen.images);
    expect(w, two, &missing, "pull docker.io/library/box:latest");
}

static void only_the_service_that_has_changed_is_replaced(void **state)
{
    auto_world struct world *w = world_new();
    expect(w, two, NULL,
           "create shop_default; create db-rep-1 <0; create web-rep-1 <0,1");
    const char *changed =
        HEAD SERVICE("web", ", depends: [db], hostname: other") SERVICE("db", "");
    const struct deploy_plan_options none = {.pull = -1, .no_recreate = true};
    expect(w, changed, &none, "");
    expect(w, changed, NULL, "recreate web-rep-1");
    expect(w, changed, NULL, "");
    const struct deploy_plan_options all = {.pull = -1, .force_recreate = true};
    expect(w, changed, &all, "recreate db-rep-1; recreate web-rep-1 <0");
}

static void another_image_behind_the_tag_is_a_change(void **state)
{
    auto_world struct world *w = world_new();
    expect(w, two, NULL,
           "create shop_default; create db-rep-1 <0; create web-rep-1 <0,1");
    json_object_set_new(w->seen.images, "docker.io/library/box:latest",
                        json_string(NEW_IMAGE));
    expect(w, two, NULL, "recreate db-rep-1; recreate web-rep-1 <0");
    expect(w, two, NULL, "");
}

static void a_pull_decides_whether_containers_are_replaced(void **state)
{
    auto_world struct world *w = world_new();
    const struct deploy_plan_options always = {.pull = DEPLOY_PULL_ALWAYS};
    const char *one = HEAD SERVICE("db", "");
    expect(w, one, NULL, "create shop_default; create db-rep-1 <0");
    json_t *before = json_incref(find(w, "db-rep-1"));
    expect(w, one, &always, "pull docker.io/library/box:latest; recreate db-rep-1 <0");
    assert_ptr_not_equal(find(w, "db-rep-1"), before); /* the image was another one */
    json_decref(before);
    before = json_incref(find(w, "db-rep-1"));
    expect(w, one, &always, "pull docker.io/library/box:latest; recreate db-rep-1 <0");
    assert_ptr_equal(find(w, "db-rep-1"), before);
    json_decref(before);
    json_object_clear(w->seen.images);
    const struct deploy_plan_options never = {.pull = DEPLOY_PULL_NEVER};
    expect_error(w, one, &never, DR_ERR_NOT_FOUND, "service db: image docker.io");
}

static void with_a_lock_file_images_that_are_there_are_looked_at_too(void **state)
{
    auto_world struct world *w = world_new();
    const struct deploy_plan_options pinned = {.pinned = true, .pull = -1};
    const struct deploy_plan_options never = {.pinned = true, .pull = DEPLOY_PULL_NEVER};
    const char *one = HEAD SERVICE("db", "");
    expect(w, one, NULL, "create shop_default; create db-rep-1 <0");
    expect(w, one, NULL, "");
    expect(w, one, &pinned, "pull docker.io/library/box:latest; recreate db-rep-1 <0");
    expect(w, one, &never, "pull docker.io/library/box:latest; recreate db-rep-1 <0");
}

static void scale_adds_the_missing_numbers_and_takes_the_highest_away(void **state)
{
    auto_world struct world *w = world_new();
    const char *three = HEAD SERVICE("web", ", scale: 3");
    expect(w, three, NULL,
           "create shop_default; create web-rep-1 <0; create web-rep-2 <0; "
           "create web-rep-3 <0");
    drop(w, dr_json_str(find(w, "web-rep-2"), "id"));
    expect(w, three, NULL, "create web-rep-2");
    expect(w, HEAD SERVICE("web", ", scale: 1"), NULL,
           "remove web-rep-2; remove web-rep-3");
    expect(w, HEAD SERVICE("web", ", scale: 0"), NULL, "remove web-rep-1");
    expect(w, HEAD SERVICE("web", ", scale: 0"), NULL, "");
}

static void a_network_that_changes_takes_those_on_it_along(void **state)
{
    auto_world struct world *w = world_new();
#define BESIDE SERVICE("beside", ", network_mode: 'container:web-rep-1'")
#define APART SERVICE("apart", ", network_mode: host")
#define INNER "networks: {default: {internal: true}}\n"
    expect(w, HEAD BESIDE SERVICE("web", "") APART, NULL,
           "create shop_default; create beside-rep-1; create web-rep-1 <0; "
           "create apart-rep-1");
    const struct deploy_plan_options keep = {.no_recreate = true, .pull = -1};
    expect_error(w, HEAD BESIDE SERVICE("web", "") APART INNER, &keep, DR_ERR_CONFLICT,
                 "leave --no-recreate away");
    expect_error(w, HEAD SERVICE("web", "") APART INNER, NULL, DR_ERR_CONFLICT,
                 "beside-rep-1 is on it");
    expect(w, HEAD BESIDE SERVICE("web", "") APART INNER, NULL,
           "remove web-rep-1; remove beside-rep-1; remove shop_default <0,1; "
           "create shop_default <2; create beside-rep-1 <1; create web-rep-1 <0,3");
    expect(w, HEAD BESIDE SERVICE("web", "") APART INNER, NULL, "");
}

static void the_one_that_does_not_run_goes_first(void **state)
{
    auto_world struct world *w = world_new();
    expect(w, HEAD SERVICE("web", ", scale: 2"), NULL,
           "create shop_default; create web-rep-1 <0; create web-rep-2 <0");
    dr_json_set_str(find(w, "web-rep-1"), "status", "exited");
    expect(w, HEAD SERVICE("web", ", scale: 1"), NULL, "remove web-rep-1");
    expect(w, HEAD SERVICE("web", ", scale: 1"), NULL, "");
}

static void replicas_are_replaced_one_after_the_other(void **state)
{
    auto_world struct world *w = world_new();
#define CHECK ", health: {tcp: 80}"
    expect(w, HEAD SERVICE("web", ", scale: 2" CHECK), NULL,
           "create shop_default; create web-rep-1 <0; create web-rep-2 <0");
    expect(w, HEAD SERVICE("web", ", hostname: x, scale: 2" CHECK), NULL,
           "recreate web-rep-1; wait web-rep-1 <0; recreate web-rep-2 <1; "
           "wait web-rep-2 <2");
}

static void what_does_not_run_is_started_again(void **state)
{
    auto_world struct world *w = world_new();
    expect(w, HEAD SERVICE("web", ""), NULL, "create shop_default; create web-rep-1 <0");
    dr_json_set_str(find(w, "web-rep-1"), "status", "exited");
    expect(w, HEAD SERVICE("web", ""), NULL, "start web-rep-1");
    dr_json_set_str(find(w, "web-rep-1"), "status", "paused");
    expect(w, HEAD SERVICE("web", ""), NULL, "start web-rep-1");
    dr_json_set_str(find(w, "web-rep-1"), "status", "dead");
    expect(w, HEAD SERVICE("web", ""), NULL, "recreate web-rep-1");
    dr_json_set_str(find(w, "web-rep-1"), "status", "restarting");
    expect(w, HEAD SERVICE("web", ""), NULL, "");
    dr_json_set_str(find(w, "web-rep-1"), "status", "scheduled");
    expect(w, HEAD SERVICE("web", ""), NULL, "");
}

static void a_dependent_waits_for_health_only_when_it_has_to(void **state)
{
    auto_world struct world *w = world_new();
    const char *gated =
        HEAD SERVICE("web", ", depends: [{service: db, condition: healthy}]")
            SERVICE("db", CHECK);
    expect(w, gated, NULL,
           "create shop_default; create db-rep-1 <0; wait db-rep-1 <1; "
           "create web-rep-1 <0,2");
    expect(w, gated, NULL, ""); /* nothing is begun, so nothing is waited for */
    drop(w, dr_json_str(find(w, "web-rep-1"), "id"));
    dr_json_set_str(find(w, "db-rep-1"), "health", "healthy");
    expect(w, gated, NULL, "create web-rep-1");
    drop(w, dr_json_str(find(w, "web-rep-1"), "id"));
    dr_json_set_str(find(w, "db-rep-1"), "health", "starting");
    expect(w, gated, NULL, "wait db-rep-1; create web-rep-1 <0");
}

static void a_job_is_done_once_and_again_when_it_failed_or_changed(void **state)
{
    auto_world struct world *w = world_new();
    const char *job = HEAD SERVICE("job", ", rtype: job")
        SERVICE("web", ", depends: [{service: job, condition: completed}]");
    expect(w, job, NULL,
           "create shop_default; create job-rep-1 <0; wait job-rep-1 <1; "
           "create web-rep-1 <0,2");
    dr_json_set_str(find(w, "job-rep-1"), "status", "exited");
    dr_json_set_int(find(w, "job-rep-1"), "exit_code", 0);
    expect(w, job, NULL, "");
    drop(w, dr_json_str(find(w, "web-rep-1"), "id"));
    expect(w, job, NULL, "create web-rep-1");
    dr_json_set_int(find(w, "job-rep-1"), "exit_code", 3);
    expect(w, job, NULL, "recreate job-rep-1");
}

static void orphans_stay_until_it_is_said_that_they_go(void **state)
{
    auto_world struct world *w = world_new();
    expect(w, two, NULL,
           "create shop_default; create db-rep-1 <0; create web-rep-1 <0,1");
    const char *less = HEAD SERVICE("db", "");
    struct deploy_model *model = read_model(less);
    struct deploy_plan *plan = plan_of(w, model, NULL);
    assert_int_equal(plan->count, 0);
    assert_non_null(plan->warnings);
    assert_non_null(strstr(plan->warnings[0], "web-rep-1"));
    deploy_plan_free(plan);
    deploy_model_free(model);
    const struct deploy_plan_options go = {.pull = -1, .remove_orphans = true};
    expect(w, less, &go, "remove web-rep-1");
}

static void only_named_services_and_what_they_need_are_looked_at(void **state)
{
    auto_world struct world *w = world_new();
    char web_name[] = "web", wrong_name[] = "wbe";
    char *names[] = {web_name, NULL}, *unknown[] = {wrong_name, NULL};
    const char *three =
        HEAD SERVICE("web", ", depends: [db]") SERVICE("db", "") SERVICE("other", "");
    const struct deploy_plan_options web = {.pull = -1, .services = names};
    const struct deploy_plan_options alone = {
        .pull = -1, .services = names, .no_deps = true};
    const struct deploy_plan_options wrong = {.pull = -1, .services = unknown};
    expect(w, three, &alone, "create shop_default; create web-rep-1 <0");
    expect(w, three, &web, "create db-rep-1");
    expect_error(w, three, &wrong, DR_ERR_NOT_FOUND, "no such service: wbe");
}

static void names_of_others_are_an_error_before_anything_is_made(void **state)
{
    auto_world struct world *w = world_new();
    dr_auto_json json_t *c =
        json_pack("{ss,ss,ss,ss,ss,sb}", "kind", "container", "id", "x", "name",
                  "web-rep-1", "service", "web", "deployment", "yard", "stranger", 1);
    deploy_seen_add(&w->seen, c);
    expect_error(w, two, NULL, DR_ERR_EXISTS,
                 "service web: the name web-rep-1 is taken by a container of deployment "
                 "yard");
    json_array_clear(w->seen.containers);
    add_thing(w, "network", "shop_default", "yard", NULL);
    expect_error(w, two, NULL, DR_ERR_EXISTS,
                 "network shop_default is there already and not of deployment shop, but "
                 "of yard");
}

static void at_the_end_all_are_waited_for_when_asked(void **state)
{
    auto_world struct world *w = world_new();
    const struct deploy_plan_options wait = {.pull = -1, .wait = true};
    expect(w, two, &wait,
           "create shop_default; create db-rep-1 <0; create web-rep-1 <0,1; "
           "wait web-rep-1 <2; wait db-rep-1 <1");
    expect(w, two, &wait, ""); /* they run, and have no health check */
}

static void down(struct world *w, const char *name, const char *yaml,
                 struct deploy_down_options options, const char *wanted)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    struct deploy_model *model = yaml ? read_model(yaml) : NULL;
    struct deploy_plan *plan;
    assert_int_equal(deploy_plan_down(name, model, &w->seen, &options, &plan, &err), 0);
    dr_auto_free char *is = words(plan);
    assert_string_equal(is, wanted);
    pretend(w, plan, NEW_IMAGE);
    deploy_plan_free(plan);
    deploy_model_free(model);
}

static void down_takes_dependents_first_and_networks_last(void **state)
{
    auto_world struct world *w = world_new();
    expect(w, two, NULL,
           "create shop_default; create db-rep-1 <0; create web-rep-1 <0,1");
    down(w, "shop", NULL, (struct deploy_down_options){0},
         "remove web-rep-1; remove db-rep-1 <0; remove shop_default <0,1");
    down(w, "shop", NULL, (struct deploy_down_options){0}, "");
}

static void down_with_a_file_leaves_orphans_and_their_network(void **state)
{
    auto_world struct world *w = world_new();
    expect(w, two, NULL,
           "create shop_default; create db-rep-1 <0; create web-rep-1 <0,1");
    const char *less = HEAD SERVICE("db", "");
    down(w, "shop", less, (struct deploy_down_options){0}, "remove db-rep-1");
    down(w, "shop", less, (struct deploy_down_options){.remove_orphans = true},
         "remove web-rep-1; remove shop_default <0");
}

static void volumes_stay_unless_asked_for(void **state)
{
    auto_world struct world *w = world_new();
    const char *with =
        HEAD SERVICE("db", ", storage: [{type: named, source: data, target: /data}]");
    expect(w, with, NULL, "create shop_default; create shop_data; create db-rep-1 <0,1");
    down(w, "shop", with, (struct deploy_down_options){0},
         "remove db-rep-1; remove shop_default <0");
    expect(w, with, NULL, "create shop_default; create db-rep-1 <0");
    down(w, "shop", NULL, (struct deploy_down_options){.volumes = true},
         "remove db-rep-1; remove shop_default <0; remove shop_data <0");
}

/* web waits for db's health and for a job; cache is nobody's. */
static const char chain[] =
    HEAD SERVICE("web", ", depends: [{service: db, condition: healthy}, {service: job, "
                        "condition: completed}]")
        SERVICE("db", ", health: {command: [\"true\"]}") SERVICE("cache", "")
            SERVICE("job", ", rtype: job, depends: [db]");

static void change(struct world *w, const char *yaml, enum deploy_change what,
                   struct deploy_change_options options, const char *wanted)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    struct deploy_model *model = yaml ? read_model(yaml) : NULL;
    struct deploy_plan *plan;
    if (deploy_plan_change("shop", model, &w->seen, what, &options, &plan, &err) < 0)
        fail_msg("%s", err.text);
    dr_auto_free char *is = words(plan);
    assert_string_equal(is, wanted);
    pretend(w, plan, NEW_IMAGE);
    deploy_plan_free(plan);
    deploy_model_free(model);
}

/* What up has made of the chain, its job done. */
static struct world *chain_up(void)
{
    struct world *w = world_new();
    expect(w, chain, NULL,
           "create shop_default; create db-rep-1 <0; create job-rep-1 <0,1; "
           "wait db-rep-1 <1; wait job-rep-1 <2; create web-rep-1 <0,3,4; "
           "create cache-rep-1 <0");
    json_t *job = find(w, "job-rep-1");
    dr_json_set_str(job, "status", "exited");
    dr_json_set_int(job, "exit_code", 0);
    return w;
}

static void stopping_takes_dependents_first_and_what_runs_only(void **state)
{
    auto_world struct world *w = chain_up();
    change(w, NULL, DEPLOY_CHANGE_STOP, (struct deploy_change_options){0},
           "stop web-rep-1; stop db-rep-1 <0; stop cache-rep-1");
    change(w, NULL, DEPLOY_CHANGE_STOP, (struct deploy_change_options){0}, "");
}

static void starting_waits_as_up_does_and_does_no_job_again(void **state)
{
    auto_world struct world *w = chain_up();
    change(w, NULL, DEPLOY_CHANGE_STOP, (struct deploy_change_options){0},
           "stop web-rep-1; stop db-rep-1 <0; stop cache-rep-1");
    char *web[] = {(char[]){"web"}, NULL}, *job[] = {(char[]){"job"}, NULL};
    change(w, NULL, DEPLOY_CHANGE_START,
           (struct deploy_change_options){.services = web, .no_deps = true},
           "start web-rep-1");
    change(w, NULL, DEPLOY_CHANGE_STOP, (struct deploy_change_options){.services = web},
           "stop web-rep-1");
    change(w, NULL, DEPLOY_CHANGE_START, (struct deploy_change_options){.services = web},
           "start db-rep-1; wait db-rep-1 <0; start web-rep-1 <1");
    change(w, NULL, DEPLOY_CHANGE_START, (struct deploy_change_options){.services = job},
           "start job-rep-1");
}

static void restarting_takes_along_those_that_say_so(void **state)
{
    static const char with[] = "services:\n  web: {image: box, depends_on: {db: "
                               "{condition: service_started, restart: true}}}\n"
                               "  app: {image: box, depends_on: [db]}\n"
                               "  db: {image: box}\nname: shop\n";
    auto_world struct world *w = world_new();
    char *db[] = {(char[]){"db"}, NULL};
    const struct deploy_change_options only_db = {.services = db};
    expect(w, with, NULL,
           "create shop_default; create shop-db-1 <0; create shop-web-1 <0,1; "
           "create shop-app-1 <0,1");
    change(w, NULL, DEPLOY_CHANGE_RESTART, only_db,
           "restart shop-db-1; restart shop-web-1 <0");
    change(w, NULL, DEPLOY_CHANGE_RESTART,
           (struct deploy_change_options){.services = db, .no_deps = true},
           "restart shop-db-1");
    change(w, NULL, DEPLOY_CHANGE_RESTART, (struct deploy_change_options){0},
           "restart shop-db-1; restart shop-web-1 <0; restart shop-app-1 <0");
    /* the file, when it is there, has the last word */
    change(w,
           "services:\n  web: {image: box}\n  app: {image: box}\n  db: {image: box}\n"
           "name: shop\n",
           DEPLOY_CHANGE_RESTART, only_db, "restart shop-db-1");
}

static void removing_leaves_what_runs_unless_asked_for(void **state)
{
    auto_world struct world *w = chain_up();
    change(w, NULL, DEPLOY_CHANGE_REMOVE, (struct deploy_change_options){0},
           "remove job-rep-1");
    change(w, NULL, DEPLOY_CHANGE_REMOVE,
           (struct deploy_change_options){.running = true, .volumes = true},
           "remove web-rep-1; remove db-rep-1 <0; remove cache-rep-1");
}

static void a_change_of_nothing_is_told(void **state)
{
    auto_world struct world *w = world_new();
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    char *nosuch[] = {(char[]){"nosuch"}, NULL};
    struct deploy_plan *plan = NULL;
    const struct deploy_change_options none = {0}, one = {.services = nosuch};
    assert_int_equal(deploy_plan_change("shop", NULL, &w->seen, DEPLOY_CHANGE_RESTART,
                                        &none, &plan, &err),
                     -1);
    assert_int_equal(err.kind, DR_ERR_NOT_FOUND);
    assert_string_equal(err.text,
                        "deployment shop has no containers here: `dray up` makes them");
    dr_error_release(&err);
    assert_int_equal(
        deploy_plan_change("shop", NULL, &w->seen, DEPLOY_CHANGE_STOP, &one, &plan, &err),
        -1);
    assert_string_equal(err.text, "no such service: nosuch");
    dr_error_release(&err);
    assert_int_equal(deploy_plan_change("shop", NULL, &w->seen, DEPLOY_CHANGE_STOP, &none,
                                        &plan, &err),
                     0);
    assert_string_equal(plan->warnings[0], "deployment shop has no containers here");
    deploy_plan_free(plan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_target_gets_the_network_and_dependencies_first),
        cmocka_unit_test(a_missing_image_is_pulled_once_for_all_services),
        cmocka_unit_test(images_only_is_the_pulls_and_nothing_else),
        cmocka_unit_test(only_the_service_that_has_changed_is_replaced),
        cmocka_unit_test(another_image_behind_the_tag_is_a_change),
        cmocka_unit_test(a_pull_decides_whether_containers_are_replaced),
        cmocka_unit_test(with_a_lock_file_images_that_are_there_are_looked_at_too),
        cmocka_unit_test(scale_adds_the_missing_numbers_and_takes_the_highest_away),
        cmocka_unit_test(a_network_that_changes_takes_those_on_it_along),
        cmocka_unit_test(the_one_that_does_not_run_goes_first),
        cmocka_unit_test(replicas_are_replaced_one_after_the_other),
        cmocka_unit_test(what_does_not_run_is_started_again),
        cmocka_unit_test(a_dependent_waits_for_health_only_when_it_has_to),
        cmocka_unit_test(a_job_is_done_once_and_again_when_it_failed_or_changed),
        cmocka_unit_test(orphans_stay_until_it_is_said_that_they_go),
        cmocka_unit_test(only_named_services_and_what_they_need_are_looked_at),
        cmocka_unit_test(names_of_others_are_an_error_before_anything_is_made),
        cmocka_unit_test(at_the_end_all_are_waited_for_when_asked),
        cmocka_unit_test(down_takes_dependents_first_and_networks_last),
        cmocka_unit_test(down_with_a_file_leaves_orphans_and_their_network),
        cmocka_unit_test(volumes_stay_unless_asked_for),
        cmocka_unit_test(stopping_takes_dependents_first_and_what_runs_only),
        cmocka_unit_test(starting_waits_as_up_does_and_does_no_job_again),
        cmocka_unit_test(restarting_takes_along_those_that_say_so),
        cmocka_unit_test(removing_leaves_what_runs_unless_asked_for),
        cmocka_unit_test(a_change_of_nothing_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
