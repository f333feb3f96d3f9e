/* SPDX-License-Identifier: Apache-2.0 */
/* What the verbs of deployments share: up, down and the group `compose`. */
#ifndef DRAY_CLI_COMPOSE_H
#define DRAY_CLI_COMPOSE_H

#include "cli/args.h"
#include "cli/cli.h"

/* The words behind `compose`, with the options about files that stand before its verb
 * behind it. Owned, as its words; words[0] must not be NULL. */
char **cli_compose_order(char *const *words);
/* Is the word one of the options that may stand there? */
bool cli_compose_option(const char *word);
/* The files that the flags name, or those that are found here, read and checked. What is
 * wrong with them is printed when it is more than one thing. NULL with err. */
struct dray_deployment *cli_deployment(const struct compose_args *args,
                                       struct dr_error *err);
/* For verbs that can do with the name: *ret_deployment is NULL when only --project-name
 * is given. *ret_name: owned. */
int cli_deployment_or_name(const struct compose_args *args,
                           struct dray_deployment **ret_deployment, char **ret_name,
                           struct dr_error *err);

/* dray_step's callback, a line on stderr for each step that ended. */
struct cli_telling {
    bool quiet;                    /* only what the target warns of */
    struct cli_progress *progress; /* of pulls, where there is a terminal; or NULL */
};
void cli_step(void *arg, const struct dray_step *step);
/* "another command is at work …"; arg is the deployment's name. */
void cli_step_waiting(void *arg);
/* The plan as a table, or as format says; and what it warns of. */
int cli_plan_print(const struct dray_plan *plan, const char *format,
                   struct dr_error *err);
void cli_plan_warn(const struct dray_plan *plan);
/* Shows a plan, or carries it out, as the flags say. */
struct cli_apply {
    bool dry_run, quiet;
    const char *format;                           /* of --dry-run */
    int64_t stop_timeout_s;                       /* -1: the containers' own */
    const struct dray_registry_options *registry; /* may be NULL */
    const char *lock_file;
    bool lock_update;
};
int cli_plan_apply(struct cli *cli, struct dray_plan *plan, const struct cli_apply *how,
                   const struct dray_call *call, struct dr_error *err);
/* Plans it for the services that cli's words name (none: all), and carries it out. */
struct cli_change {
    enum dray_change change;
    const char *name;                         /* the deployment's */
    const struct dray_deployment *deployment; /* may be NULL */
    bool no_deps, running, volumes;           /* as struct dray_change_options */
    struct cli_apply apply;
};
int cli_change(struct cli *cli, const struct cli_change *how,
               const struct dray_call *call, struct dr_error *err);
/* {id: true} of the containers that it leaves as they are; a new reference. */
json_t *cli_plan_unchanged(const struct dray_plan *plan);

/* The containers of a deployment, sorted by service and replica; words (may be empty):
 * only of these services. all: those that do not run too, and one-offs. */
struct cli_members {
    struct dray_container_list list;
    const struct dray_container **items;
    size_t count;
};
int cli_members(struct cli *cli, const char *name, char *const *services, bool all,
                struct cli_members *ret, struct dr_error *err);
/* The replicas of the services (none named: all) of the deployment that the flags mean.
 * DR_ERR_NOT_FOUND: there are none. */
enum cli_which { CLI_RUNNING, CLI_PAUSED, CLI_NOT_PAUSED, CLI_ALL };
int cli_members_of(struct cli *cli, const struct compose_args *of, char *const *services,
                   enum cli_which which, struct cli_members *ret, struct dr_error *err);
/* They are nobody's replicas. */
void cli_members_drop_oneoffs(struct cli_members *members);
void cli_members_release(struct cli_members *members);
/* A verb of containers, with their names instead of cli's words. None: CLI_OK. */
int cli_with_members(struct cli *cli, const struct cli_members *members,
                     int (*verb)(struct cli *cli, void *args), void *args);
/* A label of a container; owned, NULL: it has none such. */
char *cli_label(const struct dray_container *container, const char *key);

#endif
