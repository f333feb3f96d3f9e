/* SPDX-License-Identifier: Apache-2.0 */
/* The flags of run, create and exec, in the order of the help. */
#include "cli/registry-flags.h"

#define RUN(member) offsetof(struct run_args, member)
#define EXEC(member) offsetof(struct exec_args, member)
#define MIB (1024 * 1024)

/* What run and create share, so that they never drift apart. */
#define CONTAINER_OPTIONS                                                                  \
    {0,          "add-host", CLI_LIST,                                                     \
     RUN(hosts), "list",     "Add a line to /etc/hosts (NAME:IP, NAME:host-gateway)"},     \
        {0, "annotation", CLI_LIST, RUN(annotations), "list", "Add an OCI annotation"},    \
        {'a',         "attach", CLI_LIST,                                                  \
         RUN(attach), "list",   "Attach to stdin, stdout or stderr only"},                 \
        OPTION_AUTHFILE(RUN(registry)),                                                    \
        {0, "cap-add", CLI_LIST, RUN(cap_add), "list", "Add Linux capabilities"},          \
        {0, "cap-drop", CLI_LIST, RUN(cap_drop), "list", "Drop Linux capabilities"},       \
        OPTION_CERT_DIR(RUN(registry)),                                                    \
        {0,        "cidfile",                                                              \
         CLI_TEXT, RUN(cidfile),                                                           \
         "file",   "Write the container ID to the file, which must not exist"},            \
        {'c',     "cpu-shares",                                                            \
         CLI_INT, RUN(cpu_shares),                                                         \
         "int",   "CPU shares (relative weight)",                                          \
         0,       262144},                                                                 \
        {0, "cpus", CLI_TEXT, RUN(cpus), "decimal", "Number of CPUs"},                     \
        OPTION_CREDS(RUN(registry)),                                                       \
        {0,        "device",                                                               \
         CLI_LIST, RUN(devices),                                                           \
         "list",   "Add a device of the target to the container"},                         \
        {0, "dns", CLI_LIST, RUN(dns), "list", "DNS resolvers, instead of the target's"},  \
        {0,                                                                                \
         "dns-option",                                                                     \
         CLI_LIST,                                                                         \
         RUN(dns_options),                                                                 \
         "list",                                                                           \
         "Options of resolv.conf, instead of the target's",                                \
         .alias = "dns-opt"},                                                              \
        {0,        "dns-search",                                                           \
         CLI_LIST, RUN(dns_search),                                                        \
         "list",   "DNS search domains, instead of the target's (.: none)"},               \
        {0,        "domainname",                                                           \
         CLI_TEXT, RUN(domainname),                                                        \
         "string", "Domain of the container, behind its host name"},                       \
        {0,        "entrypoint",                                                           \
         CLI_TEXT, RUN(entrypoint),                                                        \
         "string", "Overwrite the default ENTRYPOINT of the image"},                       \
        {'e', "env", CLI_LIST, RUN(env), "list", "Set environment variables"},             \
        {0,        "env-file",                                                             \
         CLI_LIST, RUN(env_files),                                                         \
         "list",   "Read in a file of environment variables"},                             \
        {0, "expose", CLI_LIST, RUN(expose), "list", "Expose a port, for -P"},             \
        {0,        "health-cmd",                                                           \
         CLI_TEXT, RUN(health_cmd),                                                        \
         "string", "Command that checks the health of the container"},                     \
        {0,          "health-interval",                                                    \
         CLI_TEXT,   RUN(health_interval),                                                 \
         "duration", "Time between two checks (default 30s)"},                             \
        {0,       "health-retries",                                                        \
         CLI_INT, RUN(health_retries),                                                     \
         "int",   "Failures in a row that make it unhealthy (default 3)",                  \
         0,       INT32_MAX},                                                              \
        {0,          "health-start-interval",                                              \
         CLI_TEXT,   RUN(health_start_interval),                                           \
         "duration", "Time between two checks while it starts (default 5s)"},              \
        {0,          "health-start-period",                                                \
         CLI_TEXT,   RUN(health_start_period),                                             \
         "duration", "Time in which failures do not count yet (default 0s)"},              \
        {0,          "health-timeout",                                                     \
         CLI_TEXT,   RUN(health_timeout),                                                  \
         "duration", "How long one check may take (default 30s)"},                         \
        {'h', "hostname", CLI_TEXT, RUN(hostname), "string", "Container host name"},       \
        {0,         "init", CLI_BOOL,                                                      \
         RUN(init), NULL,   "Run an init in the container that reaps processes"},          \
        {'i', "interactive", CLI_BOOL, RUN(interactive), NULL, "Connect standard input"},  \
        {0, "ip", CLI_TEXT, RUN(ip), "ip", "IPv4 address on its (first) network"},         \
        {0, "ip6", CLI_TEXT, RUN(ip6), "ip", "IPv6 address on its (first) network"},       \
        {'l', "label", CLI_LIST, RUN(labels), "list", "Set metadata on the container"},    \
        {0, "label-file", CLI_LIST, RUN(label_files), "list", "Read in a file of labels"}, \
        OPTION_LOCK(RUN(lock)), OPTION_LOCK_FILE(RUN(lock)),                               \
        {0,        "log-driver",                                                           \
         CLI_TEXT, RUN(log_driver),                                                        \
         "string", "Where its output goes: k8s-file (default) or none"},                   \
        {0,        "log-opt",                                                              \
         CLI_LIST, RUN(log_opts),                                                          \
         "list",   "Options of the log: max-size=, max-file="},                            \
        {0,        "mac-address",                                                          \
         CLI_TEXT, RUN(mac_address),                                                       \
         "string", "MAC address on its (first) network"},                                  \
        {'m', "memory", CLI_BYTES, RUN(memory_bytes), "bytes", "Memory limit", 6 * MIB},   \
        {0,           "mount", CLI_LIST,                                                   \
         RUN(mounts), "mount", "Mount by type=bind, volume or tmpfs,src=,dst="},           \
        {0, "name", CLI_TEXT, RUN(name), "string", "Assign a name to the container"},      \
        {0,                                                                                \
         "network",                                                                        \
         CLI_LIST,                                                                         \
         RUN(networks),                                                                    \
         "network",                                                                        \
         "bridge (default), host, none, container:NAME or a network",                      \
         .alias = "net"},                                                                  \
        {0,                                                                                \
         "network-alias",                                                                  \
         CLI_LIST,                                                                         \
         RUN(network_aliases),                                                             \
         "list",                                                                           \
         "One more name of the container on its (first) network",                          \
         .alias = "net-alias"},                                                            \
        {0,        "no-healthcheck",                                                       \
         CLI_BOOL, RUN(no_healthcheck),                                                    \
         NULL,     "Do not run the health check of the image"},                            \
        OPTION_PASSWORD_STDIN(RUN(registry)),                                              \
        {0,       "pids-limit",                                                            \
         CLI_INT, RUN(pids_limit),                                                         \
         "int",   "Most processes at a time (-1: unlimited)",                              \
         -1,      INT32_MAX},                                                              \
        {0,        "platform",                                                             \
         CLI_TEXT, RUN(platform),                                                          \
         "string", "Platform of the image, when it is pulled"},                            \
        {0,        "privileged",                                                           \
         CLI_BOOL, RUN(privileged),                                                        \
         NULL,     "Give extended privileges to the container"},                           \
        {'p',          "publish", CLI_LIST,                                                \
         RUN(publish), "list",    "Publish a port: [[ADDRESS:]HOST:]CONTAINER[/udp]"},     \
        {'P',      "publish-all",                                                          \
         CLI_BOOL, RUN(publish_all),                                                       \
         NULL,     "Publish all exposed ports on free ones"},                              \
        {0,         "pull",   CLI_TEXT,                                                    \
         RUN(pull), "string", "Pull first: always, missing (default), newer or never"},    \
        {'q', "quiet", CLI_BOOL, RUN(quiet), NULL, "Suppress the pull output"},            \
        {0,        "read-only",                                                            \
         CLI_BOOL, RUN(read_only),                                                         \
         NULL,     "Mount the container's root filesystem as read only"},                  \
        {0,        "restart",                                                              \
         CLI_TEXT, RUN(restart),                                                           \
         "string", "At its end: no, on-failure[:max], always, unless-stopped"},            \
        {0,        "rm",                                                                   \
         CLI_BOOL, RUN(auto_remove),                                                       \
         NULL,     "Remove it and its anonymous volumes when it exits"},                   \
        {0,        "schedule",                                                             \
         CLI_TEXT, RUN(schedule),                                                          \
         "string", "Run it again and again: \"*/5 * * * *\", @daily, \"@every 10m\""},     \
        {0, "security-opt", CLI_LIST, RUN(security_opts), "list", "Security options"},     \
        {0, "shm-size", CLI_BYTES, RUN(shm_size_bytes), "bytes", "Size of /dev/shm", 0},   \
        OPTION_SIGNATURE_POLICY(RUN(registry)),                                            \
        {0,        "stop-signal",                                                          \
         CLI_TEXT, RUN(stop_signal),                                                       \
         "string", "Signal to stop the container"},                                        \
        {0,       "stop-timeout",                                                          \
         CLI_INT, RUN(stop_timeout_s),                                                     \
         "int",   "Seconds to wait before it is killed when it is stopped",                \
         0,       INT32_MAX,                                                               \
         -1},                                                                              \
        {0, "sysctl", CLI_LIST, RUN(sysctls), "list", "Sysctl options"},                   \
        OPTION_TLS_CA(RUN(registry)), OPTION_TLS_VERIFY(RUN(registry)),                    \
        {0, "tmpfs", CLI_LIST, RUN(tmpfs), "list", "Mount a tmpfs directory"},             \
        {'t', "tty", CLI_BOOL, RUN(tty), NULL, "Give it a terminal"},                      \
        {0, "ulimit", CLI_LIST, RUN(ulimits), "list", "Ulimit options"},                   \
        {'u',       "user",   CLI_TEXT,                                                    \
         RUN(user), "string", "Username or UID (format: <name|uid>[:<group|gid>])"},       \
        {'v',      "volume",                                                               \
         CLI_LIST, RUN(volumes),                                                           \
         "list",   "Bind mount a directory of the target, or mount a volume"},             \
        {'w',          "workdir", CLI_TEXT,                                                \
         RUN(workdir), "string",  "Working directory inside the container"},

const struct cli_option cli_create_options[] = {CONTAINER_OPTIONS{0}};

const struct cli_option cli_run_options[] = {
    {'d', "detach", CLI_BOOL, RUN(detach), NULL,
     "Run the container in the background and print its ID"},
    {0, "detach-keys", CLI_TEXT, RUN(detach_keys), "string",
     "Keys to leave a terminal by (default ctrl-p,ctrl-q)"},
    {0, "sig-proxy", CLI_BOOL, RUN(sig_proxy), NULL,
     "Pass received signals on to the container", .otherwise = 1},
    CONTAINER_OPTIONS{0}};

const struct cli_option cli_exec_options[] = {
    {'d', "detach", CLI_BOOL, EXEC(detach), NULL, "Run the command in the background"},
    {0, "detach-keys", CLI_TEXT, EXEC(detach_keys), "string",
     "Keys to leave a terminal by (default ctrl-p,ctrl-q)"},
    {'e', "env", CLI_LIST, EXEC(env), "list", "Set environment variables"},
    {0, "env-file", CLI_LIST, EXEC(env_files), "list",
     "Read in a file of environment variables"},
    {'i', "interactive", CLI_BOOL, EXEC(interactive), NULL, "Connect standard input"},
    {0, "privileged", CLI_BOOL, EXEC(privileged), NULL,
     "Give extended privileges to the command"},
    {'t', "tty", CLI_BOOL, EXEC(tty), NULL, "Give it a terminal"},
    {'u', "user", CLI_TEXT, EXEC(user), "string",
     "Username or UID (format: <name|uid>[:<group|gid>])"},
    {'w', "workdir", CLI_TEXT, EXEC(workdir), "string",
     "Working directory inside the container"},
    {0}};
