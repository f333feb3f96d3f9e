/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of verbs. Dispatch (main.c), help (help.c) and the test that every verb has a
 * manual page with the same options all read it.
 */
#include <string.h>

#include "cli/args.h"
#include "cli/cli.h"

#define GLOBAL(member) offsetof(struct cli_global, member)
const struct cli_option cli_global_options[] = {
    {0, "target", CLI_TEXT, GLOBAL(target), "NAME|URL",
     "Where containers run: local: (default; env DRAY_TARGET)"},
    {0, "root", CLI_TEXT, GLOBAL(root), "dir",
     "State on the target (default /var/lib/dray; env DRAY_ROOT)"},
    {0, "run-root", CLI_TEXT, GLOBAL(run_root), "dir",
     "Volatile state on the target (default /run/dray; env DRAY_RUN_ROOT)"},
    {0, "runtime", CLI_TEXT, GLOBAL(runtime), "NAME|PATH",
     "OCI runtime (default: youki, crun or runc; env DRAY_RUNTIME)"},
    {0, "cache-dir", CLI_TEXT, GLOBAL(cache_dir), "dir",
     "Cache of downloaded blobs on this machine (env DRAY_CACHE)"},
    {'D', "debug", CLI_BOOL, GLOBAL(debug), NULL,
     "Say more about errors and about what was started"},
    {'v', "version", CLI_BOOL, GLOBAL(version), NULL, "Print the version and exit"},
    {0}};

#define START(member) offsetof(struct start_args, member)
static const struct cli_option start_options[] = {
    {'a', "attach", CLI_BOOL, START(attach), NULL,
     "Attach stdout and stderr, pass signals on, exit with the container's code"},
    {0}};

#define STOP(member) offsetof(struct stop_args, member)
static const struct cli_option stop_options[] = {
    {'t', "timeout", CLI_INT, STOP(timeout_s), "int",
     "Seconds to wait before killing the container", 0, INT32_MAX, -1, "time"},
    {0}};

#define KILL(member) offsetof(struct kill_args, member)
static const struct cli_option kill_options[] = {
    {'s', "signal", CLI_TEXT, KILL(signal), "string",
     "Signal to send to the container (default KILL)"},
    {0}};

#define RM(member) offsetof(struct rm_args, member)
static const struct cli_option rm_options[] = {
    {'f', "force", CLI_BOOL, RM(force), NULL,
     "Kill a running container first; an unknown one is no error"},
    {'v', "volumes", CLI_BOOL, RM(volumes), NULL, "Remove its anonymous volumes too"},
    {0}};

#define PS(member) offsetof(struct ps_args, member)
static const struct cli_option ps_options[] = {
    {'a', "all", CLI_BOOL, PS(all), NULL, "Show all containers, not only running ones"},
    {'f', "filter", CLI_LIST, PS(filters), "filter",
     "Show what matches: ancestor=, exited=, id=, label=, name=, status="},
    {0, "format", CLI_TEXT, PS(format), "string",
     "table, json, 'table TEMPLATE' or a template as '{{.ID}}'"},
    {'n', "last", CLI_INT, PS(last), "int", "Show the n last created, whatever they do",
     -1, INT32_MAX, -1},
    {'l', "latest", CLI_BOOL, PS(latest), NULL,
     "Show the last created, whatever it does"},
    {0, "no-trunc", CLI_BOOL, PS(no_trunc), NULL, "Do not cut ids and commands"},
    {'q', "quiet", CLI_BOOL, PS(quiet), NULL, "Only show ids"},
    {0}};

#define LOGS(member) offsetof(struct logs_args, member)
static const struct cli_option logs_options[] = {
    {'f', "follow", CLI_BOOL, LOGS(follow), NULL, "Go on with what is written"},
    {0, "since", CLI_TEXT, LOGS(since), "string",
     "Show lines since a time (2006-01-02T15:04:05Z) or a duration ago (42m)"},
    {'n', "tail", CLI_TEXT, LOGS(tail), "string",
     "Number of lines to show from the end (default all)"},
    {'t', "timestamps", CLI_BOOL, LOGS(timestamps), NULL, "Show timestamps"},
    {0, "until", CLI_TEXT, LOGS(until), "string",
     "Show lines before a time, or a duration ago"},
    {0}};

#define INSPECT(member) offsetof(struct inspect_args, member)
static const struct cli_option inspect_options[] = {
    {'f', "format", CLI_TEXT, INSPECT(format), "string",
     "json, or a template as '{{.State.Status}}'"},
    {0, "type", CLI_TEXT, INSPECT(type), "string", "Only containers, or only images"},
    {0}};

#define PULL(member) offsetof(struct pull_args, member)
static const struct cli_option pull_options[] = {
    {0, "platform", CLI_TEXT, PULL(platform), "string",
     "Platform of the image (default: the target's)"},
    {'q', "quiet", CLI_BOOL, PULL(quiet), NULL, "Only print the image's reference"},
    {0, "tls-verify", CLI_BOOL, PULL(tls_verify), NULL,
     "TLS only (default true); false allows plain HTTP", .otherwise = 1},
    {0}};

#define IMAGES(member) offsetof(struct images_args, member)
static const struct cli_option images_options[] = {
    {'a', "all", CLI_BOOL, IMAGES(all), NULL,
     "Show all images (dray has no intermediate ones)"},
    {0, "digests", CLI_BOOL, IMAGES(digests), NULL, "Show digests"},
    {0, "format", CLI_TEXT, IMAGES(format), "string",
     "table, json, 'table TEMPLATE' or a template as '{{.Tag}}'"},
    {0, "no-trunc", CLI_BOOL, IMAGES(no_trunc), NULL, "Do not cut ids"},
    {'q', "quiet", CLI_BOOL, IMAGES(quiet), NULL, "Only show ids"},
    {0}};

static const struct cli_option rmi_options[] = {
    {'f', "force", CLI_BOOL, offsetof(struct rmi_args, force), NULL,
     "Remove it although it has several names; an unknown one is no error"},
    {0}};

static const struct cli_option format_options[] = {{'f', "format", CLI_TEXT,
                                                    offsetof(struct format_args, format),
                                                    "string", "json, or a template"},
                                                   {0}};

static const struct cli_option no_options[] = {{0}};

#define CONTAINERS "CONTAINER [CONTAINER...]"
#define ARGS(type) sizeof(struct type)
#define RUNS (CLI_VERB_STOPS | CLI_VERB_RUNS)

const struct cli_verb cli_verbs[] = {
    {"run", "Containers", "IMAGE [COMMAND] [ARG...]",
     "Create and run a new container from an image", cli_run_options, ARGS(run_args),
     cmd_run, 1, 0, RUNS},
    {"exec", "Containers", "CONTAINER COMMAND [ARG...]",
     "Execute a command in a running container", cli_exec_options, ARGS(exec_args),
     cmd_exec, 2, 0, RUNS},
    {"ps", "Containers", "", "List containers", ps_options, ARGS(ps_args), cmd_ps, 0,
     SIZE_MAX, 0},
    {"logs", "Containers", "CONTAINER", "Fetch the logs of a container", logs_options,
     ARGS(logs_args), cmd_logs, 1, 1, 0},
    {"create", "Containers", "IMAGE [COMMAND] [ARG...]", "Create a new container",
     cli_create_options, ARGS(run_args), cmd_create, 1, 0, RUNS},
    {"start", "Containers", CONTAINERS, "Start stopped or created containers",
     start_options, ARGS(start_args), cmd_start, 1, 0, CLI_VERB_RUNS},
    {"stop", "Containers", CONTAINERS, "Stop running containers", stop_options,
     ARGS(stop_args), cmd_stop, 1, 0, 0},
    {"kill", "Containers", CONTAINERS, "Send a signal to running containers",
     kill_options, ARGS(kill_args), cmd_kill, 1, 0, 0},
    {"wait", "Containers", CONTAINERS,
     "Block until containers stop, then print their exit codes", no_options,
     ARGS(no_args), cmd_wait, 1, 0, 0},
    {"rm", "Containers", CONTAINERS, "Remove containers", rm_options, ARGS(rm_args),
     cmd_rm, 1, 0, 0},
    {"inspect", "Containers", "NAME|ID [NAME|ID...]",
     "Show everything about containers and images, as JSON", inspect_options,
     ARGS(inspect_args), cmd_inspect, 1, 0, 0},
    {"pull", "Images", "NAME[:TAG|@DIGEST]", "Download an image from a registry",
     pull_options, ARGS(pull_args), cmd_pull, 1, 1, 0},
    {"images", "Images", "[REPOSITORY[:TAG]]", "List images", images_options,
     ARGS(images_args), cmd_images, 0, 1, 0},
    {"rmi", "Images", "IMAGE [IMAGE...]", "Remove images", rmi_options, ARGS(rmi_args),
     cmd_rmi, 1, 0, 0},
    {"info", "System", "", "Show what the target is and has", format_options,
     ARGS(format_args), cmd_info, 0, SIZE_MAX, 0},
    {"version", "System", "", "Show the versions of dray and of its helper",
     format_options, ARGS(format_args), cmd_version, 0, SIZE_MAX, 0},
    {"help", "System", "[COMMAND]", "Show help for dray or for a command", no_options,
     ARGS(no_args), cmd_help, 0, 2, 0},
    {0}};

const struct cli_verb *cli_verb_find(const char *name)
{
    for (const struct cli_verb *v = cli_verbs; name && v->name; v++)
        if (strcmp(v->name, name) == 0)
            return v;
    return NULL;
}

/* Docker's management commands: other words for rows of the table. */
static const struct {
    const char *group, *word, *verb;
} groups[] = {
    {"container", "create", "create"},   {"container", "exec", "exec"},
    {"container", "inspect", "inspect"}, {"container", "kill", "kill"},
    {"container", "list", "ps"},         {"container", "logs", "logs"},
    {"container", "ls", "ps"},           {"container", "ps", "ps"},
    {"container", "rm", "rm"},           {"container", "run", "run"},
    {"container", "start", "start"},     {"container", "stop", "stop"},
    {"container", "wait", "wait"},       {"image", "inspect", "inspect"},
    {"image", "list", "images"},         {"image", "ls", "images"},
    {"image", "pull", "pull"},           {"image", "rm", "rmi"},
    {"system", "info", "info"},
};

const char *cli_group_find(const char *group, const char *word,
                           const struct cli_verb **ret_verb)
{
    const char *found = NULL;
    for (size_t i = 0; group && i < DR_COUNT(groups); i++) {
        if (strcmp(groups[i].group, group) != 0)
            continue;
        found = groups[i].group;
        if (word && strcmp(groups[i].word, word) == 0)
            *ret_verb = cli_verb_find(groups[i].verb);
    }
    return found;
}

const char *cli_group_name(size_t index)
{
    for (size_t i = 0; i < DR_COUNT(groups); i++)
        if ((i == 0 || strcmp(groups[i].group, groups[i - 1].group) != 0) && index-- == 0)
            return groups[i].group;
    return NULL;
}

const char *cli_group_word(const char *group, size_t index, const char **ret_verb)
{
    for (size_t i = 0; i < DR_COUNT(groups); i++) {
        if (strcmp(groups[i].group, group) == 0 && index-- == 0) {
            *ret_verb = groups[i].verb;
            return groups[i].word;
        }
    }
    return NULL;
}
