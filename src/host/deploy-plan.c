/* SPDX-License-Identifier: Apache-2.0 */
/* dray_deployment_plan and its like: what is there, asked for once, and a plan of it. */
#include <string.h>

#include "base/text.h"
#include "host/deploy-run.h"
#include "host/deploy.h"

#define SCALE_MAX 1000

static int pull_policy(const char *text, int *ret, struct dr_error *err)
{
    static const char *const words[] = {[DEPLOY_PULL_MISSING] = "missing",
                                        [DEPLOY_PULL_ALWAYS] = "always",
                                        [DEPLOY_PULL_NEWER] = "newer",
                                        [DEPLOY_PULL_NEVER] = "never"};
    *ret = -1;
    if (!text)
        return 0;
    for (size_t i = 0; i < DR_COUNT(words); i++)
        if (strcmp(words[i], text) == 0)
            *ret = (int)i;
    return *ret >= 0 ? 0
                     : dr_fail(err, DR_ERR_INVALID,
                               "pull policy '%s': it must be missing, always, newer or "
                               "never",
                               text);
}

int dray_deployment_scale(struct dray_deployment *deployment, const char *service,
                          int64_t replicas, struct dray_error **ret_err)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    struct deploy_service *s = deploy_model_service(deployment->model, service);
    int rc = 0;
    if (!s)
        rc = dr_fail(&err, DR_ERR_NOT_FOUND, "no such service: %s", service);
    else if (replicas < 0 || replicas > SCALE_MAX)
        rc = dr_fail(&err, DR_ERR_INVALID, "service %s: %lld is no number of replicas",
                     service, (long long)replicas);
    else if (replicas > 1 && (s->rtype != DEPLOY_SERVICE || s->container_name))
        rc = dr_fail(&err, DR_ERR_INVALID, "service %s: there can be one of it only: %s",
                     service,
                     s->container_name ? "its container has a name of its own"
                                       : "it is no service that runs on");
    else
        s->scale = replicas;
    return api_end(rc, &err, ret_err);
}

struct waiting {
    void (*tell)(void *arg);
    void *arg;
};

static int observe(struct dray_target *target, const char *name, json_t *images,
                   bool show_only, const struct waiting *waiting,
                   const struct limits *limits, struct dray_plan *plan,
                   struct deploy_seen *ret, struct dr_error *err)
{
    return deploy_observe(target, name, images, show_only ? NULL : &plan->hold,
                          waiting->tell, waiting->arg, limits, ret, err);
}

static int give(int rc, struct dray_plan *plan, struct dray_plan **ret_plan,
                struct dr_error *err, struct dray_error **ret_err)
{
    if (rc == 0)
        *ret_plan = plan;
    else
        dray_plan_free(plan);
    return api_end(rc, err, ret_err);
}

int dray_deployment_plan(struct dray_target *target,
                         const struct dray_deployment *deployment,
                         const struct dray_plan_options *options,
                         const struct dray_call *call, struct dray_plan **ret_plan,
                         struct dray_error **ret_err)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    struct dray_plan_options o = {0};
    struct deploy_seen seen;
    struct limits limits = limits_of(call, DEFAULT_TIMEOUT_MS);
    int pull;
    if (API_COPY(&o, options, &err) < 0 || pull_policy(o.pull, &pull, &err) < 0)
        return api_end(-1, &err, ret_err);
    json_t *images = deploy_plan_images(deployment->model, &err);
    if (!images)
        return api_end(-1, &err, ret_err);
    struct dray_plan *plan = dr_alloc(sizeof *plan);
    const struct waiting waiting = {o.waiting, o.waiting_arg};
    const struct deploy_plan_options how = {.services = (char *const *)o.services,
                                            .no_deps = o.no_deps,
                                            .force_recreate = o.force_recreate,
                                            .no_recreate = o.no_recreate,
                                            .remove_orphans = o.remove_orphans,
                                            .images_only = o.images_only,
                                            .surroundings = o.surroundings,
                                            .wait = o.wait,
                                            .pinned = o.lock_file != NULL,
                                            .pull = pull};
    int rc = observe(target, deployment->model->name, images, o.show_only, &waiting,
                     &limits, plan, &seen, &err);
    if (rc == 0) {
        rc = deploy_plan_up(deployment->model, &seen, &how, &plan->plan, &err);
        deploy_seen_release(&seen);
    }
    return give(rc, plan, ret_plan, &err, ret_err);
}

/* The deployment's name: its own, or the one that was given. */
static const char *name_of(const struct dray_deployment *deployment, const char *name,
                           struct dr_error *err)
{
    if (deployment)
        return deployment->model->name;
    if (name && *name)
        return name;
    dr_fail(err, DR_ERR_INVALID, "no deployment is named");
    return NULL;
}

int dray_deployment_plan_down(struct dray_target *target, const char *name,
                              const struct dray_deployment *deployment,
                              const struct dray_down_options *options,
                              const struct dray_call *call, struct dray_plan **ret_plan,
                              struct dray_error **ret_err)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    struct dray_down_options o = {0};
    struct deploy_seen seen;
    struct limits limits = limits_of(call, DEFAULT_TIMEOUT_MS);
    if (API_COPY(&o, options, &err) < 0 || !(name = name_of(deployment, name, &err)))
        return api_end(-1, &err, ret_err);
    struct dray_plan *plan = dr_alloc(sizeof *plan);
    const struct waiting waiting = {o.waiting, o.waiting_arg};
    const struct deploy_down_options how = {o.volumes, o.remove_orphans};
    int rc =
        observe(target, name, NULL, o.show_only, &waiting, &limits, plan, &seen, &err);
    if (rc == 0) {
        rc = deploy_plan_down(name, deployment ? deployment->model : NULL, &seen, &how,
                              &plan->plan, &err);
        deploy_seen_release(&seen);
    }
    return give(rc, plan, ret_plan, &err, ret_err);
}

int dray_deployment_plan_change(struct dray_target *target, const char *name,
                                const struct dray_deployment *deployment,
                                enum dray_change change,
                                const struct dray_change_options *options,
                                const struct dray_call *call, struct dray_plan **ret_plan,
                                struct dray_error **ret_err)
{
    static const enum deploy_change changes[] = {
        [DRAY_CHANGE_START] = DEPLOY_CHANGE_START,
        [DRAY_CHANGE_STOP] = DEPLOY_CHANGE_STOP,
        [DRAY_CHANGE_RESTART] = DEPLOY_CHANGE_RESTART,
        [DRAY_CHANGE_REMOVE] = DEPLOY_CHANGE_REMOVE,
    };
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    struct dray_change_options o = {0};
    struct deploy_seen seen;
    struct limits limits = limits_of(call, DEFAULT_TIMEOUT_MS);
    if ((size_t)change >= DR_COUNT(changes))
        dr_fail(&err, DR_ERR_INVALID, "change %d is unknown", (int)change);
    if (err.kind != DR_ERR_NONE || API_COPY(&o, options, &err) < 0 ||
        !(name = name_of(deployment, name, &err)))
        return api_end(-1, &err, ret_err);
    struct dray_plan *plan = dr_alloc(sizeof *plan);
    const struct waiting waiting = {o.waiting, o.waiting_arg};
    const struct deploy_change_options how = {.services = (char *const *)o.services,
                                              .no_deps = o.no_deps,
                                              .running = o.running,
                                              .volumes = o.volumes};
    int rc =
        observe(target, name, NULL, o.show_only, &waiting, &limits, plan, &seen, &err);
    if (rc == 0) {
        rc = deploy_plan_change(name, deployment ? deployment->model : NULL, &seen,
                                changes[change], &how, &plan->plan, &err);
        deploy_seen_release(&seen);
    }
    return give(rc, plan, ret_plan, &err, ret_err);
}

char *dray_plan_json(const struct dray_plan *plan)
{
    dr_auto_json json_t *json = deploy_plan_json(plan->plan);
    return dr_json_text(json);
}

void dray_plan_free(struct dray_plan *plan)
{
    if (!plan)
        return;
    deploy_hold_release(&plan->hold);
    deploy_plan_free(plan->plan);
    free(plan);
}
