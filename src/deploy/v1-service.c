/* SPDX-License-Identifier: Apache-2.0 */
/* What makes a service of a container: its kind, how many, and what it waits for. */
#include <string.h>

#include "base/text.h"
#include "deploy/v1.h"

void v1_take_deployment(struct v1 *r, const struct deploy_value *value)
{
    if (deploy_name_valid(value->text))
        return;
    dr_auto_free char *safe = dr_escape(value->text, 80);
    v1_problem(r, &value->where,
               "'%s': expected a-z, 0-9, '-' and '_', at most 63, and a letter or digit "
               "first",
               safe);
}

void v1_take_naming(struct v1 *r, const struct deploy_value *value)
{
    r->model->compose_names = strcmp(value->text, "deployment") == 0;
}

void v1_begin_service(struct v1 *r, const struct deploy_value *value)
{
    const char *name = r->step->name;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    if (spec_name_check(name, &err) < 0)
        v1_problem_error(r, &value->where, &err);
    r->service = deploy_model_add_service(r->model, name);
    r->service->where = value->where;
}

void v1_take_service(struct v1 *r, const struct deploy_value *value)
{
    v1_end_networks(r, value);
}

void v1_take_container_name(struct v1 *r, const struct deploy_value *value)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    if (spec_name_check(value->text, &err) < 0) {
        v1_problem_error(r, &value->where, &err);
        return;
    }
    free(r->service->container_name);
    r->service->container_name = dr_strdup(value->text);
}

void v1_take_rtype(struct v1 *r, const struct deploy_value *value)
{
    r->service->rtype = strcmp(value->text, "job") == 0    ? DEPLOY_JOB
                        : strcmp(value->text, "cron") == 0 ? DEPLOY_CRON
                                                           : DEPLOY_SERVICE;
}

void v1_take_schedule(struct v1 *r, const struct deploy_value *value)
{
    v1_set(r, "schedule", false, value->text, &value->where);
    free(r->service->schedule);
    r->service->schedule = dr_strdup(value->text);
}

void v1_take_scale(struct v1 *r, const struct deploy_value *value)
{
    if (value->type == DEPLOY_SCALAR)
        dr_int_parse(value->text, 0, DEPLOY_REPLICAS_MAX, &r->service->scale);
}

void v1_take_update_order(struct v1 *r, const struct deploy_value *value)
{
    r->service->start_first = strcmp(value->text, "start_first") == 0;
}

void v1_take_depend(struct v1 *r, const struct deploy_value *value)
{
    const char *name =
        value->type == DEPLOY_SCALAR ? value->text : v1_text(value, "service");
    const char *condition = v1_text(value, "condition");
    struct deploy_depend *depend = deploy_service_add_depend(r->service, name);
    depend->where = value->where;
    depend->optional = v1_true(value, "optional");
    depend->restart = v1_true(value, "restart");
    depend->condition = !condition                            ? DEPLOY_STARTED
                        : strcmp(condition, "healthy") == 0   ? DEPLOY_HEALTHY
                        : strcmp(condition, "completed") == 0 ? DEPLOY_COMPLETED
                                                              : DEPLOY_STARTED;
}
