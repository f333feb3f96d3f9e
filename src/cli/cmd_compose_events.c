/* SPDX-License-Identifier: Apache-2.0 */
/* compose events: what happens to the containers of a deployment. */
#include "base/text.h"
#include "cli/compose.h"

int cmd_compose_events(struct cli *cli, void *arg)
{
    struct compose_events_args *args = arg;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    struct dray_deployment *deployment;
    dr_auto_free char *name = NULL;
    if (args->json && args->events.format) {
        dr_fail(&err, DR_ERR_INVALID, "--json is --format json: give one of the two");
        return cli_usage_error(cli, &err);
    }
    if (cli_deployment_or_name(&args->of, &deployment, &name, &err) < 0)
        return cli_error(cli, &err);
    dray_deployment_free(deployment);
    dr_auto_free char *filter = dr_printf("label=dray.deployment=%s", name);
    char *filters[] = {(char[]){"type=container"}, filter, NULL};
    args->events.filters = filters;
    args->events.services = cli->words;
    if (args->json)
        args->events.format = "json";
    return cmd_events(cli, &args->events);
}
