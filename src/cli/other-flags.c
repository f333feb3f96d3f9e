/* SPDX-License-Identifier: Apache-2.0 */
/* The flags of the verbs for images, volumes and the target itself. */
#include "cli/registry-flags.h"

#define PULL(member) offsetof(struct pull_args, member)
const struct cli_option cli_pull_options[] = {
    OPTION_AUTHFILE(PULL(registry)),
    OPTION_CERT_DIR(PULL(registry)),
    OPTION_CREDS(PULL(registry)),
    OPTION_LOCK(PULL(lock)),
    OPTION_LOCK_FILE(PULL(lock)),
    OPTION_LOCK_UPDATE(PULL(lock)),
    OPTION_PASSWORD_STDIN(PULL(registry)),
    {0, "platform", CLI_TEXT, PULL(platform), "string",
     "Platform of the image (default: the target's)"},
    {'q', "quiet", CLI_BOOL, PULL(quiet), NULL, "Only print the image's reference"},
    OPTION_SIGNATURE_POLICY(PULL(registry)),
    OPTION_TLS_CA(PULL(registry)),
    OPTION_TLS_VERIFY(PULL(registry)),
    {0}};

#define PUSH(member) offsetof(struct push_args, member)
const struct cli_option cli_push_options[] = {
    {'a', "all-tags", CLI_BOOL, PUSH(all_tags), NULL, "All tags of the repository"},
    OPTION_AUTHFILE(PUSH(registry)),
    OPTION_CERT_DIR(PUSH(registry)),
    OPTION_CREDS(PUSH(registry)),
    OPTION_PASSWORD_STDIN(PUSH(registry)),
    {'q', "quiet", CLI_BOOL, PUSH(quiet), NULL, "Only print the image's reference"},
    OPTION_TLS_CA(PUSH(registry)),
    OPTION_TLS_VERIFY(PUSH(registry)),
    {0}};

#define LOGIN(member) offsetof(struct login_args, member)
const struct cli_option cli_login_options[] = {
    OPTION_AUTHFILE(LOGIN(registry)),
    OPTION_CERT_DIR(LOGIN(registry)),
    OPTION_PASSWORD_STDIN(LOGIN(registry)),
    OPTION_TLS_CA(LOGIN(registry)),
    OPTION_TLS_VERIFY(LOGIN(registry)),
    {'u', "username", CLI_TEXT, LOGIN(username), "string",
     "User name; it is asked for when it is missing"},
    {0}};

#define LOGOUT(member) offsetof(struct logout_args, member)
const struct cli_option cli_logout_options[] = {
    {'a', "all", CLI_BOOL, LOGOUT(all), NULL, "Forget the credentials of all registries"},
    OPTION_AUTHFILE(LOGOUT(registry)),
    {0}};

#define IMAGES(member) offsetof(struct images_args, member)
const struct cli_option cli_images_options[] = {
    {'a', "all", CLI_BOOL, IMAGES(all), NULL,
     "Show all images (dray has no intermediate ones)"},
    {0, "digests", CLI_BOOL, IMAGES(digests), NULL, "Show digests"},
    {'f', "filter", CLI_LIST, IMAGES(filters), "filter",
     "Show what matches: dangling=, label=, reference=, before=, since=, until="},
    {0, "format", CLI_TEXT, IMAGES(format), "string",
     "table, json, 'table TEMPLATE' or a template as '{{.Tag}}'"},
    {0, "no-trunc", CLI_BOOL, IMAGES(no_trunc), NULL, "Do not cut ids"},
    {'q', "quiet", CLI_BOOL, IMAGES(quiet), NULL, "Only show ids"},
    {0}};

const struct cli_option cli_rmi_options[] = {
    {'f', "force", CLI_BOOL, offsetof(struct rmi_args, force), NULL,
     "Remove it although it has several names; an unknown one is no error"},
    {0}};

const struct cli_option cli_format_options[] = {{'f', "format", CLI_TEXT,
                                                 offsetof(struct format_args, format),
                                                 "string", "json, or a template"},
                                                {0}};

const struct cli_option cli_no_options[] = {{0}};

#define HISTORY(member) offsetof(struct history_args, member)
const struct cli_option cli_history_options[] = {
    {0, "format", CLI_TEXT, HISTORY(format), "string",
     "table, json, 'table TEMPLATE' or a template as '{{.CreatedBy}}'"},
    {'H', "human", CLI_BOOL, HISTORY(human), NULL, "Sizes and dates for people",
     .otherwise = 1},
    {0, "no-trunc", CLI_BOOL, HISTORY(no_trunc), NULL, "Do not cut what made a layer"},
    {'q', "quiet", CLI_BOOL, HISTORY(quiet), NULL, "Only show ids"},
    {0}};

#define PRUNE(member) offsetof(struct prune_args, member)
#define PRUNE_FORCE                                                                      \
    {                                                                                    \
        'f', "force", CLI_BOOL, PRUNE(force), NULL, "Do not ask"                         \
    }
#define PRUNE_FILTER                                                                     \
    {                                                                                    \
        0, "filter", CLI_LIST, PRUNE(filters), "filter",                                 \
            "Remove what matches: label=, label!=, until="                               \
    }
const struct cli_option cli_container_prune_options[] = {PRUNE_FILTER, PRUNE_FORCE, {0}};

const struct cli_option cli_image_prune_options[] = {
    {'a', "all", CLI_BOOL, PRUNE(all), NULL,
     "Images with names too, when no container uses them"},
    PRUNE_FILTER,
    PRUNE_FORCE,
    {0}};

const struct cli_option cli_volume_prune_options[] = {
    {'a', "all", CLI_BOOL, PRUNE(all), NULL, "Volumes with names too"},
    {0, "filter", CLI_LIST, PRUNE(filters), "filter",
     "Remove what matches: label=, label!="},
    PRUNE_FORCE,
    {0}};

const struct cli_option cli_system_prune_options[] = {
    {'a', "all", CLI_BOOL, PRUNE(all), NULL,
     "Images with names too, when no container uses them"},
    PRUNE_FILTER,
    PRUNE_FORCE,
    {0, "volumes", CLI_BOOL, PRUNE(volumes), NULL, "Anonymous volumes too"},
    {0}};

#define DF(member) offsetof(struct df_args, member)
const struct cli_option cli_system_df_options[] = {
    {0, "format", CLI_TEXT, DF(format), "string",
     "table, json, 'table TEMPLATE' or a template as '{{.Type}}'"},
    {'v', "verbose", CLI_BOOL, DF(verbose), NULL,
     "Show each image, container and volume"},
    {0}};

#define EVENTS(member) offsetof(struct events_args, member)
const struct cli_option cli_events_options[] = {
    {'f', "filter", CLI_LIST, EVENTS(filters), "filter",
     "Show what matches: container=, event=, image=, label=, network=, type="},
    {0, "format", CLI_TEXT, EVENTS(format), "string",
     "json, or a template as '{{.Action}}'"},
    {0, "since", CLI_TEXT, EVENTS(since), "string",
     "Begin with what happened since a time, or a duration ago"},
    {0, "until", CLI_TEXT, EVENTS(until), "string",
     "End with what happened until a time, or a duration ago"},
    {0}};

#define NETWORK_CREATE(member) offsetof(struct network_create_args, member)
const struct cli_option cli_network_create_options[] = {
    {'d', "driver", CLI_TEXT, NETWORK_CREATE(driver), "string",
     "bridge is what there is"},
    {0, "gateway", CLI_LIST, NETWORK_CREATE(gateways), "ip",
     "The target's address in a subnet (default: the first)"},
    {0, "internal", CLI_BOOL, NETWORK_CREATE(internal), NULL, "No way out, and none in"},
    {0, "ip-range", CLI_LIST, NETWORK_CREATE(ranges), "subnet",
     "Give containers addresses out of this part of a subnet"},
    {0, "ipv6", CLI_BOOL, NETWORK_CREATE(ipv6), NULL,
     "An IPv6 subnet too, when none is given"},
    {0, "label", CLI_LIST, NETWORK_CREATE(labels), "list", "Set metadata on the network"},
    {'o', "opt", CLI_LIST, NETWORK_CREATE(opts), "list", "mtu=BYTES"},
    {0, "subnet", CLI_LIST, NETWORK_CREATE(subnets), "subnet",
     "Its addresses, as 10.1.0.0/24; once more for IPv6"},
    {0}};

#define NETWORK_LS(member) offsetof(struct network_ls_args, member)
const struct cli_option cli_network_ls_options[] = {
    {'f', "filter", CLI_LIST, NETWORK_LS(filters), "filter",
     "Show what matches: driver=, id=, label=, name=, type="},
    {0, "format", CLI_TEXT, NETWORK_LS(format), "string",
     "table, json, 'table TEMPLATE' or a template as '{{.Name}}'"},
    {0, "no-trunc", CLI_BOOL, NETWORK_LS(no_trunc), NULL, "Do not cut ids"},
    {'q', "quiet", CLI_BOOL, NETWORK_LS(quiet), NULL, "Only show ids"},
    {0}};

const struct cli_option cli_network_rm_options[] = {
    {'f', "force", CLI_BOOL, offsetof(struct network_rm_args, force), NULL,
     "An unknown one is no error"},
    {0}};

const struct cli_option cli_network_prune_options[] = {PRUNE_FILTER, PRUNE_FORCE, {0}};

#define CONNECT(member) offsetof(struct network_connect_args, member)
const struct cli_option cli_network_connect_options[] = {
    {0, "alias", CLI_LIST, CONNECT(aliases), "list",
     "One more name of the container on this network"},
    {0, "ip", CLI_TEXT, CONNECT(ip), "ip", "Its IPv4 address there"},
    {0, "ip6", CLI_TEXT, CONNECT(ip6), "ip", "Its IPv6 address there"},
    {0, "mac-address", CLI_TEXT, CONNECT(mac_address), "string", "Its MAC address there"},
    {0}};

const struct cli_option cli_network_disconnect_options[] = {
    {'f', "force", CLI_BOOL, offsetof(struct rm_args, force), NULL,
     "A container that is not on it is no error"},
    {0}};

#define VOLUME_CREATE(member) offsetof(struct volume_create_args, member)
const struct cli_option cli_volume_create_options[] = {
    {'d', "driver", CLI_TEXT, VOLUME_CREATE(driver), "string", "local is what there is"},
    {0, "label", CLI_LIST, VOLUME_CREATE(labels), "list", "Set metadata on the volume"},
    {0}};

#define VOLUME_LS(member) offsetof(struct volume_ls_args, member)
const struct cli_option cli_volume_ls_options[] = {
    {'f', "filter", CLI_LIST, VOLUME_LS(filters), "filter",
     "Show what matches: dangling=, driver=, label=, name="},
    {0, "format", CLI_TEXT, VOLUME_LS(format), "string",
     "table, json, 'table TEMPLATE' or a template as '{{.Name}}'"},
    {'q', "quiet", CLI_BOOL, VOLUME_LS(quiet), NULL, "Only show names"},
    {0}};

#define TARGET_LS(member) offsetof(struct target_ls_args, member)
const struct cli_option cli_target_ls_options[] = {
    {0, "format", CLI_TEXT, TARGET_LS(format), "string",
     "table, json, 'table TEMPLATE' or a template as '{{.Name}}'"},
    {'q', "quiet", CLI_BOOL, TARGET_LS(quiet), NULL, "Only show names"},
    {0}};

#define TARGET_ADD(member) offsetof(struct target_add_args, member)
const struct cli_option cli_target_add_options[] = {
    {0, "bundle-root", CLI_TEXT, TARGET_ADD(bundle_root), "dir",
     "Bundles there (default: bundles below its root)"},
    {0, "connect-timeout", CLI_TEXT, TARGET_ADD(connect_timeout), "duration",
     "How long reaching it may take (default 30s)"},
    {0, "line-timeout", CLI_TEXT, TARGET_ADD(line_timeout), "duration",
     "How long it may be silent until it is lost (default 20s)"},
    {0, "log-root", CLI_TEXT, TARGET_ADD(log_root), "dir",
     "Logs there (default: logs below its root)"},
    {0, "network-fallback", CLI_TEXT, TARGET_ADD(network_fallback), "host|fail",
     "What a start does without its recorded address (default host)"},
    {0, "root", CLI_TEXT, TARGET_ADD(root), "dir", "State there (default /var/lib/dray)"},
    {0, "run-root", CLI_TEXT, TARGET_ADD(run_root), "dir",
     "Volatile state there (default /run/dray)"},
    {0, "runtime", CLI_TEXT, TARGET_ADD(runtime), "NAME|PATH",
     "OCI runtime there (default: youki, crun or runc)"},
    {0, "use", CLI_BOOL, TARGET_ADD(use), NULL, "Use it from now on"},
    {0, "user", CLI_TEXT, TARGET_ADD(user), "string",
     "User to log in as, when the URL names none"},
    {0}};

#define TARGET_CREATE(member) offsetof(struct target_create_args, member)
const struct cli_option cli_target_create_options[] = {
    OPTION_AUTHFILE(TARGET_CREATE(registry)),
    OPTION_CERT_DIR(TARGET_CREATE(registry)),
    OPTION_CREDS(TARGET_CREATE(registry)),
    {0, "dir", CLI_TEXT, TARGET_CREATE(dir), "dir",
     "Where its disk is kept (default: one below your local data)"},
    {0, "from", CLI_TEXT, TARGET_CREATE(from), "IMAGE|ROOTFS.tar",
     "What it is made of: an image, or a root file system"},
    OPTION_PASSWORD_STDIN(TARGET_CREATE(registry)),
    {0, "platform", CLI_TEXT, TARGET_CREATE(platform), "OS/ARCH",
     "Platform of the image (default: linux on this machine's CPU)"},
    {'q', "quiet", CLI_BOOL, TARGET_CREATE(quiet), NULL, "Do not show what is done"},
    {0, "runtime-file", CLI_TEXT, TARGET_CREATE(runtime_file), "file",
     "Put this static crun, youki or runc in"},
    OPTION_SIGNATURE_POLICY(TARGET_CREATE(registry)),
    OPTION_TLS_CA(TARGET_CREATE(registry)),
    OPTION_TLS_VERIFY(TARGET_CREATE(registry)),
    {0, "use", CLI_BOOL, TARGET_CREATE(use), NULL, "Use it from now on"},
    {0}};

const struct cli_option cli_target_rm_options[] = {
    {0, "unregister", CLI_BOOL, offsetof(struct target_rm_args, unregister), NULL,
     "Remove the WSL distro too, when dray made it"},
    {0}};

const struct cli_option cli_volume_rm_options[] = {
    {'f', "force", CLI_BOOL, offsetof(struct volume_rm_args, force), NULL,
     "An unknown one is no error"},
    {0}};
