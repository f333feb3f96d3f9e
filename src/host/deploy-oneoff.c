/* SPDX-License-Identifier: Apache-2.0 */
/* One more container of a service, for one command: not a replica. */
#include <stdio.h>

#include "base/text.h"
#include "host/deploy-run.h"
#include "host/deploy.h"
#include "host/requests.h"

/* What a replica is and this is not: it has no ports, comes back never, and is probed by
 * nobody. */
static void change(struct spec_container *spec, const struct deploy_model *model,
                   const char *service)
{
    char digits[9];
    dr_random_hex(8, digits);
    for (size_t i = 0; i < spec->port_count; i++)
        spec_port_release(&spec->ports[i]);
    spec->port_count = 0;
    free(spec->restart);
    spec->restart = NULL;
    spec->restart_max = 0;
    free(spec->schedule);
    spec->schedule = NULL;
    free(spec->name);
    spec->name = dr_printf("%s-%s-run-%s", model->name, service, digits);
    dr_strv_add(&spec->labels, DEPLOY_LABEL_ONEOFF "=true");
}

int dray_deployment_oneoff(const struct dray_deployment *deployment, const char *service,
                           const char *const *words, struct dray_spec **ret_spec,
                           struct dray_error **ret_err)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    const struct deploy_service *s = deploy_model_service(deployment->model, service);
    struct spec_container *spec = NULL;
    if (!s) {
        dr_fail(&err, DR_ERR_NOT_FOUND, "no such service: %s", service);
        return api_end(-1, &err, ret_err);
    }
    dr_auto_json json_t *json = deploy_replica_spec(deployment->model, s, 1, &err);
    if (json) {
        json_object_del(json, "replica");
        json_object_del(json, "ports");
        spec = spec_container_from_json(json, &err);
    }
    if (!spec)
        return api_end(-1, &err, ret_err);
    change(spec, deployment->model, service);
    if (words && words[0]) {
        dr_strv_free(spec->args);
        spec->args = NULL;
        for (; *words; words++)
            dr_strv_add(&spec->args, *words);
    }
    *ret_spec = dr_alloc(sizeof **ret_spec);
    (*ret_spec)->container = spec;
    return 0;
}

int dray_deployment_create_oneoff(struct dray_target *target,
                                  const struct dray_deployment *deployment,
                                  const char *service, const struct dray_spec *spec,
                                  const struct dray_call *call, char ret_id[DRAY_ID_SIZE],
                                  struct dray_error **ret_err)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    const struct deploy_service *s = deploy_model_service(deployment->model, service);
    struct limits limits = limits_of(call, DEFAULT_TIMEOUT_MS);
    char id[DRAY_ID_SIZE];
    if (!s) {
        dr_fail(&err, DR_ERR_NOT_FOUND, "no such service: %s", service);
        return api_end(-1, &err, ret_err);
    }
    if (dray_container_create(target, spec, call, id, NULL, ret_err) < 0)
        return -1;
    if (s->file_count > 0 && deploy_put_files(target, id, s, &limits, &err) < 0) {
        dray_container_remove(target, id, true, true, NULL, NULL);
        return api_end(-1, &err, ret_err);
    }
    snprintf(ret_id, DRAY_ID_SIZE, "%s", id);
    return 0;
}
