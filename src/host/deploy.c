/* SPDX-License-Identifier: Apache-2.0 */
/* dray_deployment_*: files to a deployment, and what can be said of it here. */
#include "host/deploy.h"

#include <string.h>

#include "base/text.h"
#include "deploy/check.h"
#include "deploy/find.h"
#include "deploy/read.h"
#include "deploy/schema.h"
#include "deploy/write.h"
#include "host/target.h"

static int end(int rc, const struct deploy_problems *problems, char **ret_problems,
               struct dr_error *err, struct dray_error **ret_err)
{
    if (ret_problems) {
        dr_auto_json json_t *list = deploy_problems_json(problems);
        *ret_problems = dr_json_text(list);
    }
    return api_end(rc, err, ret_err);
}

char *dray_deployment_find(const char *directory, const char *const *environment)
{
    dr_auto_strv char **files = deploy_find(directory ? directory : ".", environment);
    dr_auto_json json_t *list = dr_json_from_strv(files);
    return dr_json_text(list);
}

int dray_deployment_parse(const struct dray_deployment_options *options,
                          struct dray_deployment **ret_deployment, char **ret_problems,
                          struct dray_error **ret_err)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    deploy_auto_problems struct deploy_problems problems = DEPLOY_PROBLEMS_INIT;
    struct dray_deployment_options o = DRAY_INIT(o);
    if (API_COPY(&o, options, &err) < 0)
        return api_end(-1, &err, ret_err);
    struct deploy_sources sources = {.files = o.files,
                                     .text = o.text,
                                     .name = o.name,
                                     .directory = o.directory,
                                     .profiles = o.profiles,
                                     .env_files = o.env_files,
                                     .environment = o.environment,
                                     .secrets_file = o.secrets_file};
    struct deploy_model *model = NULL;
    int rc = deploy_read(&sources, &problems, &model, &err);
    if (rc == 0) {
        *ret_deployment = dr_alloc(sizeof **ret_deployment);
        (*ret_deployment)->model = model;
    }
    return end(rc, &problems, ret_problems, &err, ret_err);
}

int dray_deployment_validate(const struct dray_deployment *deployment,
                             char **ret_problems, struct dray_error **ret_err)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    deploy_auto_problems struct deploy_problems problems = DEPLOY_PROBLEMS_INIT;
    int rc = deploy_check(deployment->model, &problems, &err);
    return end(rc, &problems, ret_problems, &err, ret_err);
}

void dray_deployment_free(struct dray_deployment *deployment)
{
    if (!deployment)
        return;
    deploy_model_free(deployment->model);
    free(deployment);
}

const char *dray_deployment_name(const struct dray_deployment *deployment)
{
    return deployment->model->name;
}

char *dray_deployment_warnings(const struct dray_deployment *deployment)
{
    dr_auto_json json_t *list = dr_json_from_strv(deployment->model->warnings);
    return dr_json_text(list);
}

/* Indented, and a newline at its end. */
static char *pretty(const json_t *json)
{
    dr_auto_free char *text = json_dumps(json, JSON_INDENT(2));
    return dr_printf("%s\n", text);
}

int dray_deployment_config(const struct dray_deployment *deployment, const char *format,
                           char **ret_text, struct dray_error **ret_err)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    bool json = format && strcmp(format, "json") == 0;
    if (format && !json && strcmp(format, "yaml") != 0) {
        dr_auto_free char *safe = dr_escape(format, 60);
        dr_fail(&err, DR_ERR_INVALID, "format '%s': expected yaml or json", safe);
        return api_end(-1, &err, ret_err);
    }
    dr_auto_json json_t *document = deploy_write_json(deployment->model);
    *ret_text = json ? pretty(document) : deploy_yaml_of_json(document);
    return 0;
}

char *dray_deployment_schema(void)
{
    dr_auto_json json_t *schema = deploy_schema();
    return pretty(schema);
}
