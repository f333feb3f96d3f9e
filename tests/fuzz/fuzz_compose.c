/* SPDX-License-Identifier: Apache-2.0 */
/* Compose files (and dray's own): what is read is written so that it reads the same.
 * Behind a NUL stands a file of variables. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "deploy/compose-env.h"
#include "deploy/read.h"
#include "deploy/write.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* NULL: it was refused. */
static struct deploy_model *read_text(const char *text, char **environment)
{
    static const char *const all[] = {"*", NULL};
    static const char *const nothing[] = {NULL};
    const struct deploy_sources sources = {
        .text = text,
        .directory = "/nowhere/at-all",
        .profiles = all,
        .env_files = nothing,
        .environment = environment ? (const char *const *)environment : nothing};
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    deploy_auto_problems struct deploy_problems problems = DEPLOY_PROBLEMS_INIT;
    struct deploy_model *model = NULL;
    if (deploy_read(&sources, &problems, &model, &err) == 0) {
        if (!model || !model->name || problems.count)
            abort();
        return model;
    }
    if (model || err.kind == DR_ERR_NONE)
        abort();
    dr_auto_json json_t *list = deploy_problems_json(&problems);
    return NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    dr_auto_free char *text = dr_strndup((const char *)data, size);
    size_t len = strlen(text);
    dr_auto_strv char **environment = NULL;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    compose_auto_env struct compose_env none;
    static const char *const nothing[] = {NULL};
    compose_env_init(&none, nothing);
    const struct compose_dotenv how = {"f", &none, false};
    if (len < size &&
        compose_dotenv_parse(&how, (const char *)data + len + 1, size - len - 1,
                             &environment, &err) < 0 &&
        err.kind != DR_ERR_CONFIG)
        abort();
    struct deploy_model *model = read_text(text, environment);
    if (!model)
        return 0;
    dr_auto_free char *yaml = deploy_write_yaml(model);
    struct deploy_model *again = read_text(yaml, environment);
    if (!again)
        abort();
    dr_auto_free char *twice = deploy_write_yaml(again);
    if (strcmp(yaml, twice) != 0)
        abort();
    deploy_model_free(model);
    deploy_model_free(again);
    return 0;
}
