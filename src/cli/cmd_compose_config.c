/* SPDX-License-Identifier: Apache-2.0 */
/* compose config: what the files say, in full; no target is asked. */
#include <stdio.h>
#include <string.h>

#include "cli/compose.h"

#define DOCUMENT_MAX (64u << 20)

/* One line each, as they are in the document. */
static void print_names(const json_t *document, const struct compose_config_args *args)
{
    json_t *services = dr_json_object(document, "services");
    const char *name;
    json_t *value;
    if (args->images)
        json_object_foreach (services, name, value)
            cli_line(dr_json_str(dr_json_object(value, "image"), "name"));
    if (args->services)
        json_object_foreach (services, name, value)
            cli_line(name);
    if (args->volumes)
        json_object_foreach (dr_json_object(document, "volumes"), name, value)
            cli_line(name);
}

static int print(const struct dray_deployment *deployment,
                 const struct compose_config_args *args, struct dr_error *err)
{
    struct dray_error *failed = NULL;
    bool names = args->services || args->volumes || args->images;
    char *text = NULL;
    int rc =
        dray_deployment_config(deployment, names ? "json" : args->format, &text, &failed);
    if (cli_rc(rc, &failed, err) < 0)
        return -1;
    dr_auto_json json_t *document =
        names ? dr_json_parse(text, strlen(text), DOCUMENT_MAX, err) : NULL;
    if (document)
        print_names(document, args);
    else if (!names)
        fputs(text, stdout);
    dray_free(text);
    return names && !document ? -1 : 0;
}

int cmd_compose_config(struct cli *cli, void *arg)
{
    const struct compose_config_args *args = arg;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    if (args->schema) {
        char *schema = dray_deployment_schema();
        fputs(schema, stdout);
        dray_free(schema);
        return CLI_OK;
    }
    struct dray_deployment *deployment = cli_deployment(&args->of, &err);
    if (!deployment)
        return cli_error(cli, &err);
    int rc = args->quiet ? 0 : print(deployment, args, &err);
    dray_deployment_free(deployment);
    return rc < 0 ? cli_error(cli, &err) : CLI_OK;
}
