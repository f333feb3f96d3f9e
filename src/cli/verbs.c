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
     "Where containers run (default: what target use says; env DRAY_TARGET)"},
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

#define CONTAINERS "CONTAINER [CONTAINER...]"
#define ARGS(type) sizeof(struct type)
#define RUNS (CLI_VERB_STOPS | CLI_VERB_RUNS)

/* {name, group, words, summary, options, args, run, min, max, flags} */
#define VERB(name, group, words, summary, table, args, function, ...)                    \
    {                                                                                    \
        name, group, words, summary, cli_##table##_options, sizeof(struct args##_args),  \
            cmd_##function, __VA_ARGS__                                                  \
    }

#define NONE 0, SIZE_MAX /* no words at all */

/* A name of two words stands behind its group's name only. */
const struct cli_verb cli_verbs[] = {
    VERB("run", "Containers", "IMAGE [COMMAND] [ARG...]",
         "Create and run a new container from an image", run, run, run, 1, 0, RUNS),
    VERB("exec", "Containers", "CONTAINER COMMAND [ARG...]",
         "Execute a command in a running container", exec, exec, exec, 2, 0, RUNS),
    VERB("ps", "Containers", "", "List containers", ps, ps, ps, NONE),
    VERB("logs", "Containers", "CONTAINER", "Fetch the logs of a container", logs, logs,
         logs, 1, 1),
    VERB("create", "Containers", "IMAGE [COMMAND] [ARG...]", "Create a new container",
         create, run, create, 1, 0, RUNS),
    VERB("start", "Containers", CONTAINERS, "Start stopped or created containers", start,
         start, start, 1, 0, CLI_VERB_RUNS),
    VERB("attach", "Containers", "CONTAINER",
         "Attach stdin, stdout and stderr to a running container", attach, attach, attach,
         1, 1, CLI_VERB_RUNS),
    VERB("stop", "Containers", CONTAINERS, "Stop running containers", stop, stop, stop, 1,
         0),
    VERB("restart", "Containers", CONTAINERS, "Stop containers, and start them again",
         stop, stop, restart, 1, 0),
    VERB("kill", "Containers", CONTAINERS, "Send a signal to running containers", kill,
         kill, kill, 1, 0),
    VERB("pause", "Containers", CONTAINERS, "Freeze all processes of containers", no, no,
         pause, 1, 0),
    VERB("unpause", "Containers", CONTAINERS, "Let paused containers go on", no, no,
         unpause, 1, 0),
    VERB("wait", "Containers", CONTAINERS,
         "Block until containers stop, then print their exit codes", no, no, wait, 1, 0),
    VERB("rm", "Containers", CONTAINERS, "Remove containers", rm, rm, rm, 1, 0),
    VERB("rename", "Containers", "CONTAINER NAME", "Give a container another name", no,
         no, rename, 2, 2),
    VERB("update", "Containers", CONTAINERS, "Change the limits of containers", update,
         update, update, 1, 0),
    VERB("top", "Containers", "CONTAINER [-o COLUMN[,COLUMN...]]",
         "Show the processes of a container", no, no, top, 1, 0, CLI_VERB_STOPS),
    VERB("stats", "Containers", "[CONTAINER...]",
         "Show what containers use, again and again", stats, stats, stats, 0, 0),
    VERB("port", "Containers", "CONTAINER [PORT[/PROTO]]",
         "List the published ports of a container", no, no, port, 1, 2),
    VERB("forward", "Containers", "CONTAINER [ADDRESS:]LOCAL:PORT[/udp]...",
         "Make ports of a container ports of this machine", no, no, forward, 2, 0),
    VERB("cp", "Containers", "CONTAINER:SRC DEST|- | SRC|- CONTAINER:DEST",
         "Copy files out of a container, or into one", cp, cp, cp, 2, 2),
    VERB("diff", "Containers", "CONTAINER",
         "Show what a container has changed in its file system", no, no, diff, 1, 1),
    VERB("export", "Containers", "CONTAINER",
         "Write a container's file system as a tar archive", export, export, export, 1,
         1),
    VERB("commit", "Containers", "CONTAINER [REPOSITORY[:TAG]]",
         "Make an image of a container's changes", commit, commit, commit, 1, 2),
    VERB("container prune", "Containers", "", "Remove all stopped containers",
         container_prune, prune, container_prune, NONE),
    VERB("inspect", "Containers", "NAME|ID [NAME|ID...]",
         "Show everything about containers, images, volumes and networks, as JSON",
         inspect, inspect, inspect, 1, 0),
    VERB("up", "Deployments", "[SERVICE...]", "Bring a deployment to what its files say",
         up, up, up, 0, 0),
    VERB("down", "Deployments", "", "Take a deployment away", down, down, down, NONE),
    VERB("scale", "Deployments", "SERVICE=N...", "Set the number of a service's replicas",
         scale, up, scale, 1, 0),
    VERB("compose config", "Deployments", "",
         "Show what a deployment's files say, in full", compose_config, compose_config,
         compose_config, NONE),
    VERB("compose exec", "Deployments", "SERVICE COMMAND [ARG...]",
         "Execute a command in a running container of a service", compose_exec,
         compose_exec, compose_exec, 2, 0, RUNS),
    VERB("compose kill", "Deployments", "[SERVICE...]",
         "Send a signal to the containers of services", compose_kill, compose_kill,
         compose_kill, 0, 0),
    VERB("compose logs", "Deployments", "[SERVICE...]",
         "Show the logs of a deployment's services as one", compose_logs, compose_logs,
         compose_logs, 0, 0),
    VERB("compose ls", "Deployments", "", "List deployments", compose_ls, compose_ls,
         compose_ls, NONE),
    VERB("compose pause", "Deployments", "[SERVICE...]",
         "Freeze the containers of services", compose_each, compose_each, compose_pause,
         0, 0),
    VERB("compose port", "Deployments", "SERVICE [PORT[/PROTO]]",
         "List the published ports of a service", compose_port, compose_each,
         compose_port, 1, 2),
    VERB("compose ps", "Deployments", "[SERVICE...]",
         "List the containers of a deployment", compose_ps, compose_ps, compose_ps, 0, 0),
    VERB("compose pull", "Deployments", "[SERVICE...]", "Pull the images of services",
         compose_pull, up, compose_pull, 0, 0),
    VERB("compose restart", "Deployments", "[SERVICE...]",
         "Stop the containers of services, and start them again", compose_restart,
         compose_stop, compose_restart, 0, 0),
    VERB("compose rm", "Deployments", "[SERVICE...]",
         "Remove the stopped containers of services", compose_rm, compose_rm, compose_rm,
         0, 0),
    VERB("compose run", "Deployments", "SERVICE [COMMAND] [ARG...]",
         "Run one command in a container of a service", compose_run, compose_run,
         compose_run, 1, 0, RUNS),
    VERB("compose start", "Deployments", "[SERVICE...]",
         "Start the containers of services that are there", compose_start, compose_stop,
         compose_start, 0, 0),
    VERB("compose stop", "Deployments", "[SERVICE...]",
         "Stop the containers of services, and leave them", compose_stop, compose_stop,
         compose_stop, 0, 0),
    VERB("compose top", "Deployments", "[SERVICE...]",
         "Show the processes of the containers of services", compose_each, compose_each,
         compose_top, 0, 0),
    VERB("compose unpause", "Deployments", "[SERVICE...]",
         "Let the paused containers of services go on", compose_each, compose_each,
         compose_unpause, 0, 0),
    VERB("compose wait", "Deployments", "SERVICE...",
         "Block until the containers of services stop, then print their exit codes",
         compose_each, compose_each, compose_wait, 1, 0),
    VERB("pull", "Images", "NAME[:TAG|@DIGEST]", "Download an image from a registry",
         pull, pull, pull, 1, 1),
    VERB("push", "Images", "NAME[:TAG]", "Send an image to a registry", push, push, push,
         1, 1),
    VERB("login", "Images", "[REGISTRY]", "Log in to a registry", login, login, login, 0,
         1),
    VERB("logout", "Images", "[REGISTRY]", "Forget the credentials for a registry",
         logout, logout, logout, 0, 1),
    VERB("images", "Images", "[REPOSITORY[:TAG]]", "List images", images, images, images,
         0, 1),
    VERB("history", "Images", "IMAGE", "Show what an image was made of", history, history,
         history, 1, 1),
    VERB("tag", "Images", "IMAGE NAME[:TAG]", "Give an image another name", no, no, tag,
         2, 2),
    VERB("rmi", "Images", "IMAGE [IMAGE...]", "Remove images", rmi, rmi, rmi, 1, 0),
    VERB("image prune", "Images", "", "Remove images that are not used", image_prune,
         prune, image_prune, NONE),
    VERB("save", "Images", "IMAGE [IMAGE...]", "Write images to an archive", save, save,
         save, 1, 0),
    VERB("load", "Images", "", "Load images from an archive", load, load, load, NONE),
    VERB("import", "Images", "FILE|URL|- [REPOSITORY[:TAG]]",
         "Make an image of a root file system in a tarball", import, import, import, 1,
         2),
    VERB("copy", "Images", "SOURCE DESTINATION",
         "Copy an image between registries, archives and directories", copy, copy, copy,
         2, 2),
    VERB("search", "Images", "[REGISTRY/]TERM", "Search a registry for images", search,
         search, search, 1, 1),
    VERB("cache ls", "Images", "", "List the blobs that are kept on this machine",
         cache_ls, cache, cache_ls, NONE),
    VERB("cache df", "Images", "", "Show how much the cache of blobs takes", cache_df,
         cache, cache_df, NONE),
    VERB("cache prune", "Images", "", "Remove blobs from the cache on this machine",
         cache_prune, cache, cache_prune, NONE),
    VERB("network create", "Networks", "NETWORK", "Create a network", network_create,
         network_create, network_create, 1, 1),
    VERB("network ls", "Networks", "", "List networks", network_ls, network_ls,
         network_ls, NONE),
    VERB("network rm", "Networks", "NETWORK [NETWORK...]", "Remove networks", network_rm,
         network_rm, network_rm, 1, 0),
    VERB("network prune", "Networks", "", "Remove networks that are not used",
         network_prune, prune, network_prune, NONE),
    VERB("network connect", "Networks", "NETWORK CONTAINER",
         "Put a container on one more network", network_connect, network_connect,
         network_connect, 2, 2),
    VERB("network disconnect", "Networks", "NETWORK CONTAINER",
         "Take a container off a network", network_disconnect, rm, network_disconnect, 2,
         2),
    VERB("volume create", "Volumes", "[VOLUME]", "Create a volume", volume_create,
         volume_create, volume_create, 0, 1),
    VERB("volume ls", "Volumes", "", "List volumes", volume_ls, volume_ls, volume_ls,
         NONE),
    VERB("volume rm", "Volumes", "VOLUME [VOLUME...]", "Remove volumes", volume_rm,
         volume_rm, volume_rm, 1, 0),
    VERB("volume prune", "Volumes", "", "Remove volumes that are not used", volume_prune,
         prune, volume_prune, NONE),
    VERB("target add", "Targets", "NAME URL", "Give a target a name", target_add,
         target_add, target_add, 2, 2),
    VERB("target create", "Targets", "wsl [NAME]",
         "Make a WSL distro out of an image, and a target of it", target_create,
         target_create, target_create, 1, 2),
    VERB("target ls", "Targets", "", "List targets", target_ls, target_ls, target_ls,
         NONE),
    VERB("target use", "Targets", "TARGET", "Use a target from now on", no, no,
         target_use, 1, 1),
    VERB("target check", "Targets", "[TARGET]",
         "Show what a target has, what is missing, and how to get it", format, format,
         target_check, 0, 1),
    VERB("target inspect", "Targets", "[TARGET...]",
         "Show the settings of targets, as JSON", format, format, target_inspect, 0, 0),
    VERB("target rm", "Targets", "TARGET [TARGET...]", "Forget targets", target_rm,
         target_rm, target_rm, 1, 0),
    VERB("events", "System", "", "Show what happens on the target", events, events,
         events, NONE),
    VERB("system df", "System", "", "Show what takes up the disk", system_df, df,
         system_df, NONE),
    VERB("system prune", "System", "", "Remove all that is not used", system_prune, prune,
         system_prune, NONE),
    VERB("info", "System", "", "Show what the target is and has", format, format, info,
         NONE),
    VERB("version", "System", "", "Show the versions of dray and of its helper", format,
         format, version, NONE),
    VERB("completion", "System", "bash|zsh|fish", "Print the completion for a shell", no,
         no, completion, 1, 1),
    VERB("help", "System", "[COMMAND]", "Show help for dray or for a command", no, no,
         help, 0, 2),
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
    {"cache", "df", "cache df"},
    {"cache", "list", "cache ls"},
    {"cache", "ls", "cache ls"},
    {"cache", "prune", "cache prune"},
    {"compose", "config", "compose config"},
    {"compose", "down", "down"},
    {"compose", "exec", "compose exec"},
    {"compose", "kill", "compose kill"},
    {"compose", "logs", "compose logs"},
    {"compose", "ls", "compose ls"},
    {"compose", "pause", "compose pause"},
    {"compose", "port", "compose port"},
    {"compose", "ps", "compose ps"},
    {"compose", "pull", "compose pull"},
    {"compose", "restart", "compose restart"},
    {"compose", "rm", "compose rm"},
    {"compose", "run", "compose run"},
    {"compose", "scale", "scale"},
    {"compose", "start", "compose start"},
    {"compose", "stop", "compose stop"},
    {"compose", "top", "compose top"},
    {"compose", "unpause", "compose unpause"},
    {"compose", "up", "up"},
    {"compose", "wait", "compose wait"},
    {"container", "attach", "attach"},
    {"container", "commit", "commit"},
    {"container", "cp", "cp"},
    {"container", "create", "create"},
    {"container", "diff", "diff"},
    {"container", "exec", "exec"},
    {"container", "export", "export"},
    {"container", "forward", "forward"},
    {"container", "inspect", "inspect"},
    {"container", "kill", "kill"},
    {"container", "list", "ps"},
    {"container", "logs", "logs"},
    {"container", "ls", "ps"},
    {"container", "pause", "pause"},
    {"container", "port", "port"},
    {"container", "prune", "container prune"},
    {"container", "ps", "ps"},
    {"container", "rename", "rename"},
    {"container", "restart", "restart"},
    {"container", "rm", "rm"},
    {"container", "run", "run"},
    {"container", "start", "start"},
    {"container", "stats", "stats"},
    {"container", "stop", "stop"},
    {"container", "top", "top"},
    {"container", "unpause", "unpause"},
    {"container", "update", "update"},
    {"container", "wait", "wait"},
    {"image", "history", "history"},
    {"image", "import", "import"},
    {"image", "inspect", "inspect"},
    {"image", "list", "images"},
    {"image", "load", "load"},
    {"image", "ls", "images"},
    {"image", "prune", "image prune"},
    {"image", "pull", "pull"},
    {"image", "push", "push"},
    {"image", "rm", "rmi"},
    {"image", "save", "save"},
    {"image", "tag", "tag"},
    {"target", "add", "target add"},
    {"target", "check", "target check"},
    {"target", "create", "target create"},
    {"target", "inspect", "target inspect"},
    {"target", "list", "target ls"},
    {"target", "ls", "target ls"},
    {"target", "remove", "target rm"},
    {"target", "rm", "target rm"},
    {"target", "use", "target use"},
    {"network", "connect", "network connect"},
    {"network", "create", "network create"},
    {"network", "disconnect", "network disconnect"},
    {"network", "inspect", "inspect"},
    {"network", "list", "network ls"},
    {"network", "ls", "network ls"},
    {"network", "prune", "network prune"},
    {"network", "rm", "network rm"},
    {"volume", "create", "volume create"},
    {"volume", "inspect", "inspect"},
    {"volume", "list", "volume ls"},
    {"volume", "ls", "volume ls"},
    {"volume", "prune", "volume prune"},
    {"volume", "rm", "volume rm"},
    {"system", "df", "system df"},
    {"system", "events", "events"},
    {"system", "info", "info"},
    {"system", "prune", "system prune"},
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
