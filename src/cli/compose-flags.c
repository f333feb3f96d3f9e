/* SPDX-License-Identifier: Apache-2.0 */
/* The flags of the verbs of deployments. */
#include "cli/registry-flags.h"

/* -f is --follow of logs, as with docker compose. */
#define OPTION_FILE(letter, type)                                                        \
    {                                                                                    \
        letter, "file", CLI_LIST, offsetof(struct type, of.files), "file",               \
            "A deployment's or Compose file; several are merged; - is stdin"             \
    }
#define OPTIONS_OF(type)                                                                 \
    {0,        "profile",                                                                \
     CLI_LIST, offsetof(struct type, of.profiles),                                       \
     "name",   "Services of this profile too"},                                          \
        {0,        "project-directory",                                                  \
         CLI_TEXT, offsetof(struct type, of.directory),                                  \
         "dir",    "What relative paths begin at (default: the first file's)"},          \
    {                                                                                    \
        'p', "project-name", CLI_TEXT, offsetof(struct type, of.name), "name",           \
            "The deployment's name (default: the file's, or its directory's)"            \
    }
#define OPTION_ENV_FILE(type)                                                            \
    {                                                                                    \
        0, "env-file", CLI_LIST, offsetof(struct type, of.env_files), "file",            \
            "Variables for the files, instead of .env beside them"                       \
    }
#define OPTION_SECRETS_FILE(type)                                                        \
    {                                                                                    \
        0, "secrets-file", CLI_TEXT, offsetof(struct type, of.secrets_file), "file",     \
            "KEY=VALUE lines for $S:NAME"                                                \
    }

#define UP(member) offsetof(struct up_args, member)
/* No --creds and no --cert-dir: they are for one registry, and files name several. */
const struct cli_option cli_up_options[] = {
    {0, "abort-on-container-exit", CLI_BOOL, UP(abort_on_exit), NULL,
     "Stop them all when one ends; exit with its code"},
    {0, "abort-on-container-failure", CLI_BOOL, UP(abort_on_failure), NULL,
     "Stop them all when one fails; exit with its code"},
    OPTION_AUTHFILE(UP(registry)),
    {'d', "detach", CLI_BOOL, UP(detach), NULL, "Let them run, and return"},
    {0, "dry-run", CLI_BOOL, UP(dry_run), NULL, "Show what would be done, and why"},
    OPTION_ENV_FILE(up_args),
    {0, "exit-code-from", CLI_TEXT, UP(exit_code_from), "service",
     "Stop them all when one ends; exit with this one's code"},
    OPTION_FILE('f', up_args),
    {0, "force-recreate", CLI_BOOL, UP(force_recreate), NULL,
     "Replace containers that have not changed too"},
    {0, "format", CLI_TEXT, UP(format), "string",
     "Of --dry-run: table, json, or a template as '{{.Name}}'"},
    OPTION_LOCK(UP(lock)),
    OPTION_LOCK_FILE(UP(lock)),
    OPTION_LOCK_UPDATE(UP(lock)),
    {0, "no-color", CLI_BOOL, UP(no_color), NULL, "Logs without colours"},
    {0, "no-deps", CLI_BOOL, UP(no_deps), NULL,
     "Leave alone what the named services depend on"},
    {0, "no-log-prefix", CLI_BOOL, UP(no_prefix), NULL,
     "Logs without the service's name"},
    {0, "no-recreate", CLI_BOOL, UP(no_recreate), NULL,
     "Leave containers alone that have changed"},
    OPTIONS_OF(up_args),
    {0, "pull", CLI_TEXT, UP(pull), "policy",
     "always, missing, newer or never, instead of what the files say"},
    {'q', "quiet", CLI_BOOL, UP(quiet), NULL, "Say nothing of what is done"},
    {0, "remove-orphans", CLI_BOOL, UP(remove_orphans), NULL,
     "Remove containers of services that are in no file any more"},
    {0, "scale", CLI_LIST, UP(scale), "SERVICE=N", "So many replicas of a service"},
    OPTION_SECRETS_FILE(up_args),
    OPTION_SIGNATURE_POLICY(UP(registry)),
    {'t', "stop-timeout", CLI_INT, UP(stop_timeout_s), "seconds",
     "Before what is replaced is killed (default: its own)", 0, INT32_MAX, -1},
    {0, "timeout", CLI_TEXT, UP(timeout), "duration",
     "Give up after that time, as 90s or 5m (default: never)", .alias = "wait-timeout"},
    {0, "timestamps", CLI_BOOL, UP(timestamps), NULL, "Logs with the time of each line"},
    OPTION_TLS_CA(UP(registry)),
    OPTION_TLS_VERIFY(UP(registry)),
    {0, "wait", CLI_BOOL, UP(wait), NULL,
     "Return when all are healthy, and jobs have ended"},
    {0}};

#define DOWN(member) offsetof(struct down_args, member)
const struct cli_option cli_down_options[] = {
    {0, "dry-run", CLI_BOOL, DOWN(dry_run), NULL, "Show what would be done, and why"},
    OPTION_ENV_FILE(down_args),
    OPTION_FILE('f', down_args),
    {0, "format", CLI_TEXT, DOWN(format), "string",
     "Of --dry-run: table, json, or a template as '{{.Name}}'"},
    OPTIONS_OF(down_args),
    {'q', "quiet", CLI_BOOL, DOWN(quiet), NULL, "Say nothing of what is done"},
    {0, "remove-orphans", CLI_BOOL, DOWN(remove_orphans), NULL,
     "Remove containers of services that are in no file any more"},
    OPTION_SECRETS_FILE(down_args),
    {'t', "timeout", CLI_INT, DOWN(timeout_s), "seconds",
     "Before they are killed (default: their own)", 0, INT32_MAX, -1},
    {'v', "volumes", CLI_BOOL, DOWN(volumes), NULL,
     "Remove its volumes too, and anonymous ones"},
    {0}};

#define LOGS(member) offsetof(struct compose_logs_args, member)
const struct cli_option cli_compose_logs_options[] = {
    OPTION_ENV_FILE(compose_logs_args),
    OPTION_FILE(0, compose_logs_args),
    {'f', "follow", CLI_BOOL, LOGS(follow), NULL, "Go on with what comes"},
    {0, "no-color", CLI_BOOL, LOGS(no_color), NULL, "Without colours"},
    {0, "no-log-prefix", CLI_BOOL, LOGS(no_prefix), NULL,
     "Without the service's name before each line"},
    OPTIONS_OF(compose_logs_args),
    OPTION_SECRETS_FILE(compose_logs_args),
    {0, "since", CLI_TEXT, LOGS(since), "time",
     "From then on: RFC 3339, a date, unix seconds, or a duration as 10m"},
    {'n', "tail", CLI_TEXT, LOGS(tail), "lines", "The last lines of each container"},
    {'t', "timestamps", CLI_BOOL, LOGS(timestamps), NULL, "With the time of each line"},
    {0, "until", CLI_TEXT, LOGS(until), "time", "Up to then, as --since"},
    {0}};

#define PS(member) offsetof(struct compose_ps_args, member)
const struct cli_option cli_compose_ps_options[] = {
    {'a', "all", CLI_BOOL, PS(all), NULL, "Those too that do not run"},
    OPTION_ENV_FILE(compose_ps_args),
    OPTION_FILE('f', compose_ps_args),
    {0, "format", CLI_TEXT, PS(format), "string",
     "table, json, 'table TEMPLATE' or a template as '{{.Name}}'"},
    {0, "no-trunc", CLI_BOOL, PS(no_trunc), NULL, "Do not cut what is long"},
    OPTIONS_OF(compose_ps_args),
    {'q', "quiet", CLI_BOOL, PS(quiet), NULL, "Only show ids"},
    OPTION_SECRETS_FILE(compose_ps_args),
    {0}};

#define STOP(member) offsetof(struct compose_stop_args, member)
#define OPTION_DRY_RUN(type)                                                             \
    {                                                                                    \
        0, "dry-run", CLI_BOOL, offsetof(struct type, dry_run), NULL,                    \
            "Show what would be done, and in which order"                                \
    }
#define OPTION_STOP_QUIET                                                                \
    {                                                                                    \
        'q', "quiet", CLI_BOOL, STOP(quiet), NULL, "Say nothing of what is done"         \
    }
#define OPTION_STOP_TIMEOUT                                                              \
    {                                                                                    \
        't', "timeout", CLI_INT, STOP(timeout_s), "seconds",                             \
            "Before they are killed (default: their own)", 0, INT32_MAX, -1              \
    }

const struct cli_option cli_compose_restart_options[] = {
    OPTION_DRY_RUN(compose_stop_args),
    OPTION_ENV_FILE(compose_stop_args),
    OPTION_FILE('f', compose_stop_args),
    {0, "no-deps", CLI_BOOL, STOP(no_deps), NULL,
     "Not those too that say that they restart with these"},
    OPTIONS_OF(compose_stop_args),
    OPTION_STOP_QUIET,
    OPTION_SECRETS_FILE(compose_stop_args),
    OPTION_STOP_TIMEOUT,
    {0}};

const struct cli_option cli_compose_start_options[] = {
    OPTION_DRY_RUN(compose_stop_args),
    OPTION_ENV_FILE(compose_stop_args),
    OPTION_FILE('f', compose_stop_args),
    {0, "no-deps", CLI_BOOL, STOP(no_deps), NULL, "Not what they depend on"},
    OPTIONS_OF(compose_stop_args),
    OPTION_STOP_QUIET,
    OPTION_SECRETS_FILE(compose_stop_args),
    {0}};

const struct cli_option cli_compose_stop_options[] = {
    OPTION_DRY_RUN(compose_stop_args),
    OPTION_ENV_FILE(compose_stop_args),
    OPTION_FILE('f', compose_stop_args),
    OPTIONS_OF(compose_stop_args),
    OPTION_STOP_QUIET,
    OPTION_SECRETS_FILE(compose_stop_args),
    OPTION_STOP_TIMEOUT,
    {0}};

/* of what needs no more than to know which */
const struct cli_option cli_compose_each_options[] = {
    OPTION_ENV_FILE(compose_each_args),
    OPTION_FILE('f', compose_each_args),
    OPTIONS_OF(compose_each_args),
    OPTION_SECRETS_FILE(compose_each_args),
    {0}};

#define OPTION_INDEX(type)                                                               \
    {                                                                                    \
        0, "index", CLI_INT, offsetof(struct type, index), "number",                     \
            "Which replica (default: the first that runs)", 0, INT32_MAX                 \
    }
const struct cli_option cli_compose_port_options[] = {
    OPTION_ENV_FILE(compose_each_args),     OPTION_FILE('f', compose_each_args),
    OPTION_INDEX(compose_each_args),        OPTIONS_OF(compose_each_args),
    OPTION_SECRETS_FILE(compose_each_args), {0}};

#define ATTACH(member) offsetof(struct compose_attach_args, member)
const struct cli_option cli_compose_attach_options[] = {
    {0, "detach-keys", CLI_TEXT, ATTACH(attach.detach_keys), "string",
     "Keys to leave a terminal by (default ctrl-p,ctrl-q)"},
    OPTION_ENV_FILE(compose_attach_args),
    OPTION_FILE('f', compose_attach_args),
    OPTION_INDEX(compose_attach_args),
    {0, "no-stdin", CLI_BOOL, ATTACH(attach.no_stdin), NULL,
     "Do not connect standard input"},
    OPTIONS_OF(compose_attach_args),
    OPTION_SECRETS_FILE(compose_attach_args),
    {0, "sig-proxy", CLI_BOOL, ATTACH(attach.sig_proxy), NULL,
     "Pass received signals on to the container", .otherwise = 1},
    {0}};

#define CP(member) offsetof(struct compose_cp_args, member)
const struct cli_option cli_compose_cp_options[] = {
    {'a', "archive", CLI_BOOL, CP(cp.archive), NULL, "Keep the owners of the files"},
    OPTION_ENV_FILE(compose_cp_args),
    OPTION_FILE('f', compose_cp_args),
    {'L', "follow-link", CLI_BOOL, CP(cp.follow_link), NULL,
     "Follow a symbolic link that the source is"},
    {0, "index", CLI_INT, CP(index), "number",
     "Which replica (default: into all of them, out of the first)", 0, INT32_MAX},
    OPTIONS_OF(compose_cp_args),
    {'q', "quiet", CLI_BOOL, CP(cp.quiet), NULL, "Do not say what was copied"},
    OPTION_SECRETS_FILE(compose_cp_args),
    {0}};

#define STATS(member) offsetof(struct compose_stats_args, member)
const struct cli_option cli_compose_stats_options[] = {
    {'a', "all", CLI_BOOL, STATS(stats.all), NULL, "Those that do not run too"},
    OPTION_ENV_FILE(compose_stats_args),
    OPTION_FILE('f', compose_stats_args),
    {0, "format", CLI_TEXT, STATS(stats.format), "string",
     "table, json, 'table TEMPLATE' or a template as '{{.CPUPerc}}'"},
    {0, "no-stream", CLI_BOOL, STATS(stats.no_stream), NULL,
     "Show the numbers once, and end"},
    {0, "no-trunc", CLI_BOOL, STATS(stats.no_trunc), NULL, "Do not cut ids"},
    OPTIONS_OF(compose_stats_args),
    OPTION_SECRETS_FILE(compose_stats_args),
    {0}};

#define EVENTS(member) offsetof(struct compose_events_args, member)
const struct cli_option cli_compose_events_options[] = {
    OPTION_ENV_FILE(compose_events_args),
    OPTION_FILE('f', compose_events_args),
    {0, "format", CLI_TEXT, EVENTS(events.format), "string",
     "json, or a template as '{{.Action}}'"},
    {0, "json", CLI_BOOL, EVENTS(json), NULL, "As --format json"},
    OPTIONS_OF(compose_events_args),
    OPTION_SECRETS_FILE(compose_events_args),
    {0, "since", CLI_TEXT, EVENTS(events.since), "string",
     "Begin with what happened since a time, or a duration ago"},
    {0, "until", CLI_TEXT, EVENTS(events.until), "string",
     "End with what happened until a time, or a duration ago"},
    {0}};

#define IMAGES(member) offsetof(struct compose_images_args, member)
const struct cli_option cli_compose_images_options[] = {
    OPTION_ENV_FILE(compose_images_args),
    OPTION_FILE('f', compose_images_args),
    {0, "format", CLI_TEXT, IMAGES(format), "string",
     "table, json, 'table TEMPLATE' or a template as '{{.Repository}}'"},
    {0, "no-trunc", CLI_BOOL, IMAGES(no_trunc), NULL, "Do not cut ids"},
    OPTIONS_OF(compose_images_args),
    {'q', "quiet", CLI_BOOL, IMAGES(quiet), NULL, "Only show ids, each once"},
    OPTION_SECRETS_FILE(compose_images_args),
    {0}};

const struct cli_option cli_compose_kill_options[] = {
    OPTION_ENV_FILE(compose_kill_args),
    OPTION_FILE('f', compose_kill_args),
    OPTIONS_OF(compose_kill_args),
    OPTION_SECRETS_FILE(compose_kill_args),
    {'s', "signal", CLI_TEXT, offsetof(struct compose_kill_args, kill.signal), "string",
     "Signal to send (default KILL)"},
    {0}};

#define EXEC(member) offsetof(struct compose_exec_args, member)
const struct cli_option cli_compose_exec_options[] = {
    {'d', "detach", CLI_BOOL, EXEC(exec.detach), NULL, "Let it run, and return"},
    {'e', "env", CLI_LIST, EXEC(exec.env), "list", "Set a variable: KEY=VALUE, or KEY"},
    OPTION_ENV_FILE(compose_exec_args),
    OPTION_FILE('f', compose_exec_args),
    OPTION_INDEX(compose_exec_args),
    {'i', "interactive", CLI_BOOL, EXEC(exec.interactive), NULL,
     "Give it our stdin (--interactive=false: none)", 0, 0, 1},
    {'T', "no-tty", CLI_BOOL, EXEC(no_tty), NULL,
     "No terminal (default: one when ours is one)"},
    {0, "privileged", CLI_BOOL, EXEC(exec.privileged), NULL, "With all capabilities"},
    OPTIONS_OF(compose_exec_args),
    OPTION_SECRETS_FILE(compose_exec_args),
    {'u', "user", CLI_TEXT, EXEC(exec.user), "string", "User[:group] in the container"},
    {'w', "workdir", CLI_TEXT, EXEC(exec.workdir), "string", "Working directory"},
    {0}};

#define RM(member) offsetof(struct compose_rm_args, member)
const struct cli_option cli_compose_rm_options[] = {
    OPTION_DRY_RUN(compose_rm_args),
    OPTION_ENV_FILE(compose_rm_args),
    {0, "file", CLI_LIST, RM(of.files), "file",
     "A deployment's or Compose file; several are merged; - is stdin"},
    {'f', "force", CLI_BOOL, RM(force), NULL, "Do not ask"},
    OPTIONS_OF(compose_rm_args),
    {'q', "quiet", CLI_BOOL, RM(quiet), NULL, "Say nothing of what is done"},
    OPTION_SECRETS_FILE(compose_rm_args),
    {'s', "stop", CLI_BOOL, RM(stop), NULL, "Those too that run, stopped first"},
    {'t', "timeout", CLI_INT, RM(timeout_s), "seconds",
     "Before they are killed (default: their own)", 0, INT32_MAX, -1},
    {'v', "volumes", CLI_BOOL, RM(volumes), NULL, "Their anonymous volumes too"},
    {0}};

#define LS(member) offsetof(struct compose_ls_args, member)
const struct cli_option cli_compose_ls_options[] = {
    {'a', "all", CLI_BOOL, LS(all), NULL, "Those too of which nothing runs"},
    {0, "format", CLI_TEXT, LS(format), "string",
     "table, json, 'table TEMPLATE' or a template as '{{.Name}}'"},
    {'q', "quiet", CLI_BOOL, LS(quiet), NULL, "Only show names"},
    {0}};

#define RUN(member) offsetof(struct compose_run_args, member)
const struct cli_option cli_compose_run_options[] = {
    {'d', "detach", CLI_BOOL, RUN(detach), NULL, "Let it run, and print its id"},
    {0, "entrypoint", CLI_TEXT, RUN(entrypoint), "string",
     "Instead of the service's entrypoint"},
    {'e', "env", CLI_LIST, RUN(env), "list", "Set a variable: KEY=VALUE, or KEY"},
    OPTION_ENV_FILE(compose_run_args),
    OPTION_FILE('f', compose_run_args),
    {'i', "interactive", CLI_BOOL, RUN(interactive), NULL,
     "Give it our stdin (--interactive=false: none)", 0, 0, 1},
    {0, "name", CLI_TEXT, RUN(name), "string", "The container's name"},
    {0, "no-deps", CLI_BOOL, RUN(no_deps), NULL, "Do not bring up what it depends on"},
    {'T', "no-tty", CLI_BOOL, RUN(no_tty), NULL,
     "No terminal (default: one when ours is one)"},
    OPTIONS_OF(compose_run_args),
    {0, "pull", CLI_TEXT, RUN(pull), "policy",
     "always, missing, newer or never, instead of what the files say"},
    {'q', "quiet", CLI_BOOL, RUN(quiet), NULL, "Say nothing of what is brought up"},
    {0, "rm", CLI_BOOL, RUN(remove), NULL, "Remove it at its end (--rm=false: it stays)",
     0, 0, 1},
    OPTION_SECRETS_FILE(compose_run_args),
    {'u', "user", CLI_TEXT, RUN(user), "string", "User[:group] in the container"},
    {'w', "workdir", CLI_TEXT, RUN(workdir), "string", "Working directory"},
    {0}};

const struct cli_option cli_compose_pull_options[] = {
    OPTION_AUTHFILE(UP(registry)),
    OPTION_ENV_FILE(up_args),
    OPTION_FILE('f', up_args),
    OPTION_LOCK(UP(lock)),
    OPTION_LOCK_FILE(UP(lock)),
    OPTION_LOCK_UPDATE(UP(lock)),
    {0, "no-deps", CLI_BOOL, UP(no_deps), NULL, "Not what the named services depend on"},
    {0, "policy", CLI_TEXT, UP(pull), "policy",
     "always (default), missing, newer or never"},
    OPTIONS_OF(up_args),
    {'q', "quiet", CLI_BOOL, UP(quiet), NULL, "Say nothing of what is done"},
    OPTION_SECRETS_FILE(up_args),
    OPTION_SIGNATURE_POLICY(UP(registry)),
    OPTION_TLS_CA(UP(registry)),
    OPTION_TLS_VERIFY(UP(registry)),
    {0}};

const struct cli_option cli_scale_options[] = {
    OPTION_ENV_FILE(up_args),
    OPTION_FILE('f', up_args),
    {0, "no-deps", CLI_BOOL, UP(no_deps), NULL, "Leave alone what they depend on"},
    OPTIONS_OF(up_args),
    {'q', "quiet", CLI_BOOL, UP(quiet), NULL, "Say nothing of what is done"},
    OPTION_SECRETS_FILE(up_args),
    {0, "timeout", CLI_TEXT, UP(timeout), "duration",
     "Give up after that time, as 90s or 5m (default: never)"},
    {0, "wait", CLI_BOOL, UP(wait), NULL,
     "Return when all are healthy, and jobs have ended"},
    {0}};

#define CONFIG(member) offsetof(struct compose_config_args, member)
const struct cli_option cli_compose_config_options[] = {
    OPTION_ENV_FILE(compose_config_args),
    OPTION_FILE('f', compose_config_args),
    {0, "format", CLI_TEXT, CONFIG(format), "string", "yaml or json"},
    {0, "images", CLI_BOOL, CONFIG(images), NULL, "Only the names of the images"},
    OPTIONS_OF(compose_config_args),
    {'q', "quiet", CLI_BOOL, CONFIG(quiet), NULL, "Say only what is wrong"},
    {0, "schema", CLI_BOOL, CONFIG(schema), NULL,
     "The JSON Schema of dray's own format, for editors; no file is read"},
    OPTION_SECRETS_FILE(compose_config_args),
    {0, "services", CLI_BOOL, CONFIG(services), NULL, "Only the names of the services"},
    {0, "volumes", CLI_BOOL, CONFIG(volumes), NULL, "Only the names of the volumes"},
    {0}};
