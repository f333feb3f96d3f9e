/* SPDX-License-Identifier: Apache-2.0 */
/* The schema, or what the reader says of FILE [SECRETS]: for check-schema. */
#include <stdio.h>
#include <string.h>

#include "deploy/read.h"
#include "deploy/schema.h"

int main(int argc, char **argv)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    deploy_auto_problems struct deploy_problems problems = DEPLOY_PROBLEMS_INIT;
    if (argc < 2) {
        dr_auto_json json_t *schema = deploy_schema();
        dr_auto_free char *text = dr_json_text(schema);
        puts(text);
        return 0;
    }
    const char *files[] = {argv[1], NULL};
    struct deploy_sources sources = {.files = files,
                                     .secrets_file = argc > 2 ? argv[2] : NULL};
    struct deploy_model *model = NULL;
    int rc = deploy_read(&sources, &problems, &model, &err);
    if (rc < 0)
        printf("%s\n", err.text);
    deploy_model_free(model);
    return rc < 0;
}
