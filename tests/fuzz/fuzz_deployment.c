/* SPDX-License-Identifier: Apache-2.0 */
/* Files of deployments: what is read without a problem is written so that it reads the
 * same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "deploy/check.h"
#include "deploy/read.h"
#include "deploy/write.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* NULL: there are problems. */
static struct deploy_model *read_it(const char *text)
{
    static const char *const surroundings[] = {"HOME=/home/me", "A=1", "B=a$S:b", NULL};
    static const char *const none[] = {NULL};
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    deploy_auto_problems struct deploy_problems problems = DEPLOY_PROBLEMS_INIT;
    struct deploy_sources sources = {.text = text,
                                     .directory = "/nowhere/shop",
                                     .env_files = none,
                                     .environment = surroundings};
    struct deploy_model *model = NULL;
    if (deploy_read(&sources, &problems, &model, &err) < 0) {
        if (err.kind == DR_ERR_NONE || model)
            abort();
        return NULL;
    }
    if (deploy_check(model, &problems, &err) == 0)
        return model;
    deploy_model_free(model);
    return NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    dr_auto_free char *text = dr_strndup((const char *)data, size);
    if (!strstr(text, "version: v1")) /* Compose has a target of its own */
        return 0;
    struct deploy_model *model = read_it(text);
    if (!model)
        return 0;
    dr_auto_free char *written = deploy_write_yaml(model);
    struct deploy_model *again = read_it(written);
    deploy_model_free(model);
    if (!again)
        abort();
    dr_auto_free char *twice = deploy_write_yaml(again);
    deploy_model_free(again);
    if (strcmp(written, twice) != 0)
        abort();
    return 0;
}
