/* SPDX-License-Identifier: Apache-2.0 */
/* The flags of the verbs for containers, apart from run, create and exec (run-flags.c).
 */
#include "cli/registry-flags.h"

#define DETACH_KEYS(at)                                                                  \
    {                                                                                    \
        0, "detach-keys", CLI_TEXT, at, "string",                                        \
            "Keys to leave a terminal by (default ctrl-p,ctrl-q)"                        \
    }

#define START(member) offsetof(struct start_args, member)
const struct cli_option cli_start_options[] = {
    {'a', "attach", CLI_BOOL, START(attach), NULL,
     "Attach stdout and stderr, and exit with the container's code"},
    DETACH_KEYS(START(detach_keys)),
    {'i', "interactive", CLI_BOOL, START(interactive), NULL,
     "Attach, and connect standard input"},
    {0}};

#define ATTACH(member) offsetof(struct attach_args, member)
const struct cli_option cli_attach_options[] = {
    DETACH_KEYS(ATTACH(detach_keys)),
    {0, "no-stdin", CLI_BOOL, ATTACH(no_stdin), NULL, "Do not connect standard input"},
    {0, "sig-proxy", CLI_BOOL, ATTACH(sig_proxy), NULL,
     "Pass received signals on to the container", .otherwise = 1},
    {0}};

#define STOP(member) offsetof(struct stop_args, member)
const struct cli_option cli_stop_options[] = {
    {'s', "signal", CLI_TEXT, STOP(signal), "string",
     "Signal to send first (default: the container's own)"},
    {'t', "timeout", CLI_INT, STOP(timeout_s), "int",
     "Seconds to wait before killing the container", 0, INT32_MAX, -1, "time"},
    {0}};

#define KILL(member) offsetof(struct kill_args, member)
const struct cli_option cli_kill_options[] = {
    {'s', "signal", CLI_TEXT, KILL(signal), "string",
     "Signal to send to the container (default KILL)"},
    {0}};

#define RM(member) offsetof(struct rm_args, member)
const struct cli_option cli_rm_options[] = {
    {'f', "force", CLI_BOOL, RM(force), NULL,
     "Kill a running container first; an unknown one is no error"},
    {'v', "volumes", CLI_BOOL, RM(volumes), NULL, "Remove its anonymous volumes too"},
    {0}};

#define PS(member) offsetof(struct ps_args, member)
const struct cli_option cli_ps_options[] = {
    {'a', "all", CLI_BOOL, PS(all), NULL, "Show all containers, not only running ones"},
    {'f', "filter", CLI_LIST, PS(filters), "filter",
     "Show what matches, as name=web, status=exited, label=a=b or publish=8080"},
    {0, "format", CLI_TEXT, PS(format), "string",
     "table, json, 'table TEMPLATE' or a template as '{{.ID}}'"},
    {'n', "last", CLI_INT, PS(last), "int", "Show the n last created, whatever they do",
     -1, INT32_MAX, -1},
    {'l', "latest", CLI_BOOL, PS(latest), NULL,
     "Show the last created, whatever it does"},
    {0, "no-trunc", CLI_BOOL, PS(no_trunc), NULL, "Do not cut ids and commands"},
    {'q', "quiet", CLI_BOOL, PS(quiet), NULL, "Only show ids"},
    {'s', "size", CLI_BOOL, PS(size), NULL, "Show how much each has written"},
    {0}};

#define LOGS(member) offsetof(struct logs_args, member)
const struct cli_option cli_logs_options[] = {
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
const struct cli_option cli_inspect_options[] = {
    OPTION_AUTHFILE(INSPECT(registry)),
    OPTION_CERT_DIR(INSPECT(registry)),
    OPTION_CREDS(INSPECT(registry)),
    {'f', "format", CLI_TEXT, INSPECT(format), "string",
     "json, or a template as '{{.State.Status}}'"},
    OPTION_PASSWORD_STDIN(INSPECT(registry)),
    {0, "platform", CLI_TEXT, INSPECT(platform), "string",
     "With --remote: of an image for several platforms, this one"},
    {0, "remote", CLI_BOOL, INSPECT(remote), NULL,
     "Images where they are, in registries or archives, without pulling"},
    OPTION_SIGNATURE_POLICY(INSPECT(registry)),
    {'s', "size", CLI_BOOL, INSPECT(size), NULL,
     "Of containers: how much they have written, too"},
    OPTION_TLS_CA(INSPECT(registry)),
    OPTION_TLS_VERIFY(INSPECT(registry)),
    {0, "type", CLI_TEXT, INSPECT(type), "string", "Only container, image or volume"},
    {0}};

#define UPDATE(member) offsetof(struct update_args, member)
#define MIB (1024 * 1024)
const struct cli_option cli_update_options[] = {
    {'c', "cpu-shares", CLI_INT, UPDATE(cpu_shares), "int",
     "CPU shares (relative weight)", 0, 262144},
    {0, "cpus", CLI_TEXT, UPDATE(cpus), "decimal", "Number of CPUs"},
    {'m', "memory", CLI_BYTES, UPDATE(memory_bytes), "bytes", "Memory limit", 6 * MIB},
    {0, "pids-limit", CLI_INT, UPDATE(pids_limit), "int",
     "Most processes at a time (-1: unlimited)", -1, INT32_MAX},
    {0, "restart", CLI_TEXT, UPDATE(restart), "string",
     "When it ends: no, on-failure[:max], always or unless-stopped"},
    {0}};

#define STATS(member) offsetof(struct stats_args, member)
const struct cli_option cli_stats_options[] = {
    {'a', "all", CLI_BOOL, STATS(all), NULL, "Those that do not run too"},
    {0, "format", CLI_TEXT, STATS(format), "string",
     "table, json, 'table TEMPLATE' or a template as '{{.CPUPerc}}'"},
    {0, "no-stream", CLI_BOOL, STATS(no_stream), NULL, "Show the numbers once, and end"},
    {0, "no-trunc", CLI_BOOL, STATS(no_trunc), NULL, "Do not cut ids"},
    {0}};

#define CP(member) offsetof(struct cp_args, member)
const struct cli_option cli_cp_options[] = {
    {'a', "archive", CLI_BOOL, CP(archive), NULL, "Keep the owners of the files"},
    {'L', "follow-link", CLI_BOOL, CP(follow_link), NULL,
     "Follow a symbolic link that the source is"},
    {'q', "quiet", CLI_BOOL, CP(quiet), NULL, "Do not say what was copied"},
    {0}};

#define EXPORT(member) offsetof(struct export_args, member)
const struct cli_option cli_export_options[] = {
    {'o', "output", CLI_TEXT, EXPORT(output), "file", "Write to a file, not to stdout"},
    {0}};

#define COMMIT(member) offsetof(struct commit_args, member)
const struct cli_option cli_commit_options[] = {
    {'a', "author", CLI_TEXT, COMMIT(author), "string", "Author of the image"},
    {'c', "change", CLI_LIST, COMMIT(changes), "list",
     "Apply a Dockerfile instruction, as 'CMD /run'"},
    {'m', "message", CLI_TEXT, COMMIT(message), "string", "What was changed"},
    {'p', "pause", CLI_BOOL, COMMIT(pause), NULL, "Freeze the container meanwhile",
     .otherwise = 1},
    {0}};
