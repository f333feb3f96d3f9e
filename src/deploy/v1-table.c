/* SPDX-License-Identifier: Apache-2.0 */
/* What a file of dray's own format may hold. */
#include "deploy/v1.h"

#define END                                                                              \
    {                                                                                    \
        .name = NULL                                                                     \
    }
#define BOOLEAN(field, goes_to, says)                                                    \
    {                                                                                    \
        .name = field, .scalar = V1_BOOL, .spec = goes_to, .meaning = says               \
    }
#define TEXT(field, goes_to, says)                                                       \
    {                                                                                    \
        .name = field, .scalar = V1_TEXT, .spec = goes_to, .meaning = says               \
    }
#define WORDS(field, goes_to, says)                                                      \
    {                                                                                    \
        .name = field, .items = &word, .spec = goes_to, .meaning = says                  \
    }
/* KEY=VALUE lines or a mapping */
#define PAIRS(field, goes_to, says)                                                      \
    {                                                                                    \
        .name = field, .items = &word, .values = &word, .spec = goes_to, .meaning = says \
    }

#define NO_GPU "GPUs are not shared among containers here"
#define NO_TUNNEL                                                                        \
    "tunnels need a cluster: here a port is published with port_mappings, and "          \
    "containers "                                                                        \
    "of several machines do not reach one another"

static const struct v1_field word = {.scalar = V1_WORD};
static const struct v1_field variable = {.scalar = V1_WORD, .nothing = true};
static const struct v1_field text = {.scalar = V1_TEXT};

static const char *const pull_policies[] = {"if_not_present", "always", "newer", "never",
                                            NULL};
static const struct v1_field image_members[] = {
    {.name = "name",
     .scalar = V1_TEXT,
     .required = true,
     .spec = "image",
     .meaning = "Reference or id of the image"},
    {.name = "pull_policy",
     .scalar = V1_CHOICE,
     .choices = pull_policies,
     .take = v1_take_pull_policy,
     .meaning = "When the registry is asked; if_not_present by default"},
    {.name = "platform",
     .scalar = V1_TEXT,
     .take = v1_take_platform,
     .pattern = "^[a-z0-9]+/[a-z0-9_]+(/[a-z0-9]+)?$",
     .meaning = "os/architecture[/variant], the target's by default"},
    END,
};

static const struct v1_field command_members[] = {
    {.name = "entrypoint",
     .items = &word,
     .take = v1_take_entrypoint,
     .meaning = "Words instead of the image's entrypoint; [] is none at all"},
    WORDS("args", "args", "Words instead of the image's command"),
    TEXT("workdir", "workdir", "Working directory, an absolute path"),
    END,
};

static const struct v1_field resource_members[] = {
    {.name = "cpu",
     .scalar = V1_CPU,
     .take = v1_take_cpu,
     .meaning = "CPUs: 0.5, 2 or 500m; unlimited by default"},
    {.name = "cpu_shares",
     .scalar = V1_NUMBER,
     .min = 0,
     .max = 262144,
     .spec = "cpu_shares",
     .meaning = "Weight when CPUs are scarce"},
    {.name = "memory",
     .scalar = V1_SIZE,
     .spec = "memory",
     .meaning = "Memory limit, such as 512Mi"},
    {.name = "pids",
     .scalar = V1_NUMBER,
     .min = -1,
     .max = INT64_MAX,
     .spec = "pids_limit",
     .meaning = "Limit of processes and threads; -1: unlimited"},
    {.name = "shm",
     .scalar = V1_SIZE,
     .spec = "shm_size",
     .meaning = "Size of /dev/shm; 64Mi by default"},
    {.name = "gpu", .scalar = V1_WORD, .refused = NO_GPU},
    {.name = "gpus", .scalar = V1_WORD, .refused = NO_GPU},
    END,
};

static const char *const mount_types[] = {"bind",  "named", "anonymous",
                                          "tmpfs", "s3",    NULL};
static const char *const propagations[] = {"private", "rprivate", "slave", "rslave",
                                           NULL};
static const struct v1_field mount_members[] = {
    {.name = "type",
     .scalar = V1_CHOICE,
     .choices = mount_types,
     .meaning = "bind when the source is a path, named when it is a name, anonymous "
                "without one; tmpfs must be said"},
    {.name = "source",
     .scalar = V1_TEXT,
     .meaning = "A path over there, or a volume's name"},
    {.name = "target",
     .scalar = V1_TEXT,
     .required = true,
     .pattern = "^/",
     .meaning = "Absolute path in the container"},
    {.name = "read_only", .scalar = V1_BOOL, .meaning = "false by default"},
    {.name = "no_copy",
     .scalar = V1_BOOL,
     .meaning = "A volume is not filled from the image"},
    {.name = "propagation",
     .scalar = V1_CHOICE,
     .choices = propagations,
     .meaning = "Of a bind mount; rprivate by default"},
    {.name = "size", .scalar = V1_SIZE, .meaning = "Of a tmpfs"},
    {.name = "mode",
     .scalar = V1_TEXT,
     .pattern = "^[0-7]{3,5}$",
     .meaning = "Of a tmpfs, in octal; 1777 by default"},
    {.name = "options",
     .scalar = V1_TEXT,
     .meaning = "Of a tmpfs, as mount(8) has them: size=64m,noexec"},
    END,
};
static const struct v1_field mount = {
    .scalar = V1_TEXT, .members = mount_members, .take = v1_take_mount};

static const struct v1_field file_of_service_members[] = {
    {.name = "target",
     .scalar = V1_TEXT,
     .required = true,
     .pattern = "^/",
     .meaning = "Absolute path in the container"},
    {.name = "source", .scalar = V1_TEXT, .meaning = "A file of this machine's"},
    {.name = "variable",
     .scalar = V1_TEXT,
     .meaning = "An environment variable that holds it"},
    {.name = "content", .scalar = V1_WORD, .meaning = "What is in it"},
    {.name = "mode",
     .scalar = V1_TEXT,
     .pattern = "^[0-7]{3,4}$",
     .meaning = "In octal; 0444 by default, 0400 of a secret"},
    {.name = "uid",
     .scalar = V1_NUMBER,
     .min = 0,
     .max = UINT32_MAX - 1,
     .meaning = "0 by default"},
    {.name = "gid",
     .scalar = V1_NUMBER,
     .min = 0,
     .max = UINT32_MAX - 1,
     .meaning = "0 by default"},
    {.name = "secret", .scalar = V1_BOOL, .meaning = "What is in it is never shown"},
    END,
};
static const struct v1_field file = {.members = file_of_service_members,
                                     .take = v1_take_file};

static const char *const protocols[] = {"tcp", "udp", NULL};
static const struct v1_field endpoint_members[] = {
    {.name = "name",
     .scalar = V1_TEXT,
     .pattern = "^[a-zA-Z0-9][a-zA-Z0-9_.-]*$",
     .meaning = "What it is called"},
    {.name = "port",
     .scalar = V1_NUMBER,
     .min = 1,
     .max = 65535,
     .required = true,
     .meaning = "The port that the service listens on"},
    {.name = "protocol",
     .scalar = V1_CHOICE,
     .choices = protocols,
     .meaning = "tcp by default"},
    {.name = "tunnel", .scalar = V1_WORD, .refused = NO_TUNNEL},
    END,
};
static const struct v1_field endpoint = {
    .scalar = V1_TEXT, .members = endpoint_members, .take = v1_take_endpoint};

static const struct v1_field port_members[] = {
    {.name = "address",
     .scalar = V1_TEXT,
     .meaning = "That the target listens on; 127.0.0.1 by default"},
    {.name = "host",
     .scalar = V1_TEXT,
     .meaning = "Port of the target, or a range; a free one by default"},
    {.name = "container",
     .scalar = V1_TEXT,
     .required = true,
     .meaning = "Port of the container, or a range"},
    {.name = "protocol",
     .scalar = V1_CHOICE,
     .choices = protocols,
     .meaning = "tcp by default"},
    END,
};
static const struct v1_field port = {
    .scalar = V1_TEXT, .members = port_members, .take = v1_take_port};

static const struct v1_field device_members[] = {
    {.name = "source",
     .scalar = V1_TEXT,
     .required = true,
     .pattern = "^/",
     .meaning = "Path over there"},
    {.name = "target",
     .scalar = V1_TEXT,
     .pattern = "^/",
     .meaning = "Path in the container; the same by default"},
    {.name = "permissions",
     .scalar = V1_TEXT,
     .pattern = "^[rwm]{1,3}$",
     .meaning = "rwm by default"},
    END,
};
static const struct v1_field device = {
    .scalar = V1_TEXT, .members = device_members, .take = v1_take_device};

static const struct v1_field http_members[] = {
    {.name = "port",
     .scalar = V1_NUMBER,
     .min = 1,
     .max = 65535,
     .required = true,
     .meaning = "Port in the container"},
    {.name = "path",
     .scalar = V1_TEXT,
     .pattern = "^/",
     .meaning = "What is asked for; / by default"},
    {.name = "host", .scalar = V1_TEXT, .meaning = "localhost by default"},
    END,
};
static const struct v1_field health_members[] = {
    {.name = "tcp",
     .scalar = V1_NUMBER,
     .min = 1,
     .max = 65535,
     .meaning = "A port that must take connections"},
    {.name = "http",
     .scalar = V1_TEXT,
     .members = http_members,
     .meaning = "[HOST]:PORT/PATH that must answer with 200 to 399"},
    {.name = "command",
     .scalar = V1_TEXT,
     .items = &word,
     .meaning = "Words of a command that must end with 0; a text is for /bin/sh -c"},
    {.name = "disable", .scalar = V1_BOOL, .meaning = "The image's check is off"},
    {.name = "interval",
     .scalar = V1_DURATION,
     .spec = "health_interval",
     .meaning = "Between two checks; 30s by default"},
    {.name = "timeout",
     .scalar = V1_DURATION,
     .spec = "health_timeout",
     .meaning = "Of one check; 30s by default"},
    {.name = "retries",
     .scalar = V1_NUMBER,
     .min = 1,
     .max = INT32_MAX,
     .spec = "health_retries",
     .meaning = "Failures in a row that make it unhealthy; 3 by default"},
    {.name = "start_grace",
     .scalar = V1_DURATION,
     .spec = "health_start_period",
     .meaning = "Failures before that do not count; 0s by default"},
    {.name = "start_interval",
     .scalar = V1_DURATION,
     .spec = "health_start_interval",
     .meaning = "Between two checks of the start grace; 5s by default"},
    END,
};

static const char *const restart_policies[] = {"no", "always", "unless-stopped",
                                               "on-failure", NULL};
static const struct v1_field restart_members[] = {
    {.name = "policy",
     .scalar = V1_CHOICE,
     .choices = restart_policies,
     .required = true,
     .meaning = "When it is started again"},
    {.name = "max_retries",
     .scalar = V1_NUMBER,
     .min = 0,
     .max = INT32_MAX,
     .meaning = "of on-failure: give up after so many; 0: never"},
    END,
};

static const struct v1_field ulimit_members[] = {
    {.name = "soft",
     .scalar = V1_NUMBER,
     .min = -1,
     .max = INT64_MAX,
     .required = true,
     .meaning = "-1: unlimited"},
    {.name = "hard",
     .scalar = V1_NUMBER,
     .min = -1,
     .max = INT64_MAX,
     .meaning = "the soft one by default"},
    END,
};
static const struct v1_field ulimit = {
    .scalar = V1_NUMBER, .min = -1, .max = INT64_MAX, .members = ulimit_members};

static const struct v1_field service_network_members[] = {
    {.name = "aliases", .items = &text, .meaning = "More names of the service there"},
    {.name = "ip", .scalar = V1_TEXT, .meaning = "Its IPv4 address there"},
    {.name = "ip6", .scalar = V1_TEXT, .meaning = "Its IPv6 address there"},
    {.name = "mac_address", .scalar = V1_TEXT, .meaning = "Its MAC address there"},
    END,
};
static const struct v1_field service_network = {.members = service_network_members};

static const struct v1_field scale_members[] = {
    {.name = "replicas",
     .scalar = V1_NUMBER,
     .min = 0,
     .max = DEPLOY_REPLICAS_MAX,
     .required = true,
     .take = v1_take_scale,
     .meaning = "How many containers"},
    END,
};

static const char *const orders[] = {"stop_first", "start_first", NULL};
static const struct v1_field update_members[] = {
    {.name = "order",
     .scalar = V1_CHOICE,
     .choices = orders,
     .take = v1_take_update_order,
     .meaning = "Whether the old replica goes before the new one comes (the default)"},
    END,
};

static const char *const conditions[] = {"started", "healthy", "completed", NULL};
static const struct v1_field depend_members[] = {
    {.name = "service",
     .scalar = V1_TEXT,
     .required = true,
     .meaning = "A service of this file"},
    {.name = "condition",
     .scalar = V1_CHOICE,
     .choices = conditions,
     .meaning = "What it must be before this one starts; started by default"},
    {.name = "optional",
     .scalar = V1_BOOL,
     .meaning = "When it is not there, or fails, no matter"},
    {.name = "restart",
     .scalar = V1_BOOL,
     .meaning = "This one is restarted when that one is replaced"},
    END,
};
static const struct v1_field depend = {
    .scalar = V1_TEXT, .members = depend_members, .take = v1_take_depend};

static const char *const log_drivers[] = {"k8s-file", "none", NULL};
static const struct v1_field log_members[] = {
    {.name = "driver",
     .scalar = V1_CHOICE,
     .choices = log_drivers,
     .spec = "log_driver",
     .meaning = "none: output is not kept; k8s-file by default"},
    {.name = "max_size",
     .scalar = V1_SIZE,
     .meaning = "When a file is closed and the next one begun; 20Mi by default"},
    {.name = "max_files",
     .scalar = V1_NUMBER,
     .min = 1,
     .max = 1000,
     .meaning = "How many are kept, the current one included; 5 by default"},
    END,
};

static const char *const rtypes[] = {"service", "job", "cron", NULL};
static const struct v1_field service_members[] = {
    {.name = "rtype",
     .scalar = V1_CHOICE,
     .choices = rtypes,
     .take = v1_take_rtype,
     .meaning = "service: runs until it is taken down (the default); job: runs to its "
                "end once; cron: by its schedule"},
    {.name = "schedule",
     .scalar = V1_TEXT,
     .take = v1_take_schedule,
     .meaning = "Of a cron: minute, hour, day, month, weekday, or @hourly and the like"},
    {.name = "image",
     .scalar = V1_TEXT,
     .members = image_members,
     .required = true,
     .take = v1_take_image,
     .meaning = "What it runs"},
    {.name = "container_name",
     .scalar = V1_TEXT,
     .take = v1_take_container_name,
     .pattern = "^[a-zA-Z0-9][a-zA-Z0-9_.-]*$",
     .meaning = "Of the only replica; SERVICE-rep-1 by default"},
    {.name = "command",
     .items = &word,
     .members = command_members,
     .spec = "args",
     .meaning = "What runs in it; a list is args"},
    {.name = "env",
     .items = &word,
     .values = &variable,
     .take = v1_take_env,
     .meaning =
         "Environment, NAME: VALUE or a list of NAME=VALUE; NAME: takes the "
         "image's away. $E:NAME is from the environment of the caller, $S:NAME from "
         "the secrets file"},
    {.name = "resources", .members = resource_members, .meaning = "Limits"},
    {.name = "storage",
     .items = &mount,
     .meaning = "Mounts: [SOURCE:]TARGET[:OPTIONS], or in full"},
    {.name = "files",
     .items = &file,
     .meaning = "Files that it finds, put there before it starts"},
    {.name = "endpoints",
     .items = &endpoint,
     .meaning = "Ports that it offers to others, which reach it by its name"},
    {.name = "port_mappings",
     .items = &port,
     .meaning = "Published ports: [[ADDRESS:]HOST:]CONTAINER[/tcp|/udp], or in full"},
    WORDS("capabilities", "cap_add", "Capabilities on top of the usual ones, or ALL"),
    WORDS("cap_drop", "cap_drop", "Capabilities taken away, or ALL"),
    {.name = "devices",
     .items = &device,
     .meaning = "Devices from over there: PATH[:PATH[:rwm]], or in full"},
    BOOLEAN("privileged", "privileged", "All capabilities and devices"),
    {.name = "health",
     .members = health_members,
     .take = v1_take_health,
     .meaning = "How to see that it works: one of tcp, http and command; the image's by "
                "default"},
    {.name = "restart_policy",
     .scalar = V1_TEXT,
     .members = restart_members,
     .take = v1_take_restart,
     .pattern = "^(no|always|unless-stopped|on-failure(:[0-9]+)?)$",
     .meaning = "no (the default), always, unless-stopped, on-failure or on-failure:N"},
    TEXT("hostname", "hostname", "Host name inside; the container's id by default"),
    TEXT("domainname", "domainname", "Its domain, behind its host name"),
    {.name = "dns",
     .scalar = V1_TEXT,
     .items = &text,
     .spec = "dns",
     .add = true,
     .meaning = "Resolvers, instead of the target's"},
    {.name = "dns_search",
     .scalar = V1_TEXT,
     .items = &text,
     .spec = "dns_search",
     .add = true,
     .meaning = "Search domains; . alone: none"},
    {.name = "dns_options",
     .items = &text,
     .spec = "dns_option",
     .meaning = "Options of resolv.conf, such as ndots:1"},
    {.name = "extra_hosts",
     .items = &text,
     .values = &text,
     .spec = "add_host",
     .meaning = "Lines of its hosts file: NAME: ADDRESS, or a list of NAME:ADDRESS; "
                "host-gateway is the target"},
    PAIRS("labels", "label", "Labels, KEY: VALUE or a list of KEY=VALUE"),
    PAIRS("annotations", "annotation", "Annotations of the OCI bundle"),
    TEXT("user", "user", "Name or uid, then : and group or gid; the image's by default"),
    TEXT("stop_signal", "stop_signal",
         "What ends it; the image's by default, or SIGTERM"),
    {.name = "stop_grace_period",
     .scalar = V1_DURATION,
     .take = v1_take_stop_grace,
     .meaning = "How long it may take to stop before it is killed; 10s by default"},
    PAIRS("sysctls", "sysctl", "Kernel parameters, NAME: VALUE or a list of NAME=VALUE"),
    {.name = "ulimits",
     .values = &ulimit,
     .take = v1_take_ulimits,
     .meaning = "NAME: N, or NAME: {soft: N, hard: N}"},
    {.name = "security_opts",
     .items = &text,
     .spec = "security_opt",
     .meaning = "no-new-privileges, seccomp=unconfined"},
    {.name = "network_mode",
     .scalar = V1_TEXT,
     .take = v1_take_network_mode,
     .meaning = "none, host, bridge, container:NAME, or a network that is there already"},
    {.name = "networks",
     .items = &text,
     .values = &service_network,
     .take = v1_take_networks,
     .meaning = "Networks of this deployment that it is on; default by default"},
    BOOLEAN("read_only_root_fs", "read_only", "Its root file system is read-only"),
    BOOLEAN("tty", "tty", "It has a terminal"),
    BOOLEAN("stdin_open", "interactive", "Its stdin is open"),
    BOOLEAN("init", "init", "An init reaps its processes"),
    {.name = "scale",
     .scalar = V1_NUMBER,
     .min = 0,
     .max = DEPLOY_REPLICAS_MAX,
     .members = scale_members,
     .take = v1_take_scale,
     .meaning = "How many containers; 1 by default"},
    {.name = "update",
     .members = update_members,
     .meaning = "How replicas are replaced, one after the other"},
    {.name = "depends", .items = &depend, .meaning = "Services that must be there first"},
    {.name = "log",
     .members = log_members,
     .take = v1_take_log,
     .meaning = "How its output is kept"},
    {.name = "build",
     .scalar = V1_WORD,
     .values = &word,
     .refused = "there is no builder: build the image with another tool, and name it "
                "with 'image'"},
    {.name = "gpu", .scalar = V1_WORD, .refused = NO_GPU},
    {.name = "gpus", .scalar = V1_WORD, .refused = NO_GPU},
    {.name = "tunnel", .scalar = V1_WORD, .refused = NO_TUNNEL},
    {.name = "tunnels", .scalar = V1_WORD, .refused = NO_TUNNEL},
    {.name = "placement",
     .scalar = V1_WORD,
     .refused = "all services run on the one target"},
    END,
};
static const struct v1_field service = {
    .members = service_members, .begin = v1_begin_service, .take = v1_take_service};

/* overlay is refused by v1_take_network, which knows why */
static const char *const network_drivers[] = {"bridge", "overlay", NULL};
static const struct v1_field subnet_members[] = {
    {.name = "subnet",
     .scalar = V1_TEXT,
     .required = true,
     .meaning = "Such as 10.5.0.0/24"},
    {.name = "gateway", .scalar = V1_TEXT, .meaning = "The target's address in it"},
    {.name = "range", .scalar = V1_TEXT, .meaning = "Where addresses are taken from"},
    END,
};
static const struct v1_field subnet = {.scalar = V1_TEXT, .members = subnet_members};
static const struct v1_field network_members[] = {
    TEXT("name", NULL, "What it is called over there; DEPLOYMENT_KEY by default"),
    {.name = "driver",
     .scalar = V1_CHOICE,
     .choices = network_drivers,
     .meaning = "bridge"},
    BOOLEAN("external", NULL, "It is there already, and stays"),
    BOOLEAN("internal", NULL, "Nothing outside can be reached from it"),
    BOOLEAN("ipv6", NULL, "It has IPv6 addresses too"),
    {.name = "mtu",
     .scalar = V1_NUMBER,
     .min = 68,
     .max = 65535,
     .meaning = "The target's by default"},
    {.name = "subnets",
     .items = &subnet,
     .most = 2,
     .meaning = "At most one of each family; free ones by default"},
    {.name = "labels",
     .items = &word,
     .values = &word,
     .meaning = "KEY: VALUE or a list of KEY=VALUE"},
    END,
};
static const struct v1_field network = {.members = network_members,
                                        .take = v1_take_network};

static const char *const volume_drivers[] = {"local", NULL};
static const struct v1_field volume_members[] = {
    TEXT("name", NULL, "What it is called over there; DEPLOYMENT_KEY by default"),
    {.name = "driver",
     .scalar = V1_CHOICE,
     .choices = volume_drivers,
     .meaning = "local"},
    BOOLEAN("external", NULL, "It is there already, and stays"),
    {.name = "labels",
     .items = &word,
     .values = &word,
     .meaning = "KEY: VALUE or a list of KEY=VALUE"},
    END,
};
static const struct v1_field volume = {.members = volume_members, .take = v1_take_volume};

static const char *const namings[] = {"service", "deployment", NULL};
static const char *const versions[] = {"v1", NULL};
static const struct v1_field file_members[] = {
    {.name = "version",
     .scalar = V1_CHOICE,
     .choices = versions,
     .required = true,
     .meaning = "Of this format"},
    {.name = "deployment",
     .scalar = V1_TEXT,
     .take = v1_take_deployment,
     .pattern = "^[a-z0-9][a-z0-9_-]{0,62}$",
     .meaning = "What the whole is called; the directory's name by default"},
    {.name = "naming",
     .scalar = V1_CHOICE,
     .choices = namings,
     .take = v1_take_naming,
     .meaning = "Of containers: service is SERVICE-rep-1 (the default), deployment is "
                "DEPLOYMENT-SERVICE-1"},
    {.name = "networks",
     .values = &network,
     .meaning = "Networks of the deployment. When this is there, all are"},
    {.name = "volumes",
     .values = &volume,
     .meaning = "Named volumes of the deployment. When this is there, all are"},
    {.name = "services",
     .values = &service,
     .required = true,
     .most = DEPLOY_SERVICES_MAX,
     .meaning = "What runs"},
    {.name = "tunnels", .scalar = V1_WORD, .refused = NO_TUNNEL},
    END,
};
const struct v1_field v1_file = {.members = file_members};
