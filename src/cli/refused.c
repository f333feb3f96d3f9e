/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Flags and verbs that hands know from Docker and that dray does not have. They are
 * refused by name with the reason: never ignored, never "unknown".
 */
#include <string.h>

#include "cli/options.h"

#define LINKS "containers on one network find each other by name; use --network"
#define LIMITS "this limit is still to come"
#define LOGGING "a log has no attributes"
#define CLUSTER "it is for volumes of a swarm"
#define CLUSTER_NETWORK "it is for networks of a swarm"
#define NETWORK_OPTIONS "bridges of the target are what networks are"
#define NOT_LINUX "it is for Windows containers"
#define NAMESPACES "the container always gets namespaces of its own"
#define BUILD "build with another tool, push, and pull from the registry"
#define WATCH "run up again: only what differs is replaced"
#define FOLLOW "use --detach, and compose logs -f with the services' names"

/* "run" stands for create too. */
static const struct cli_refused flags[] = {
    {"run", 0, "link", LINKS},
    {"run", 0, "link-local-ip", NETWORK_OPTIONS},
    {"run", 0, "volumes-from", "name the volumes with -v"},
    {"run", 0, "volume-driver", "volumes are directories of the target"},
    {"run", 0, "blkio-weight", LIMITS},
    {"run", 0, "blkio-weight-device", LIMITS},
    {"run", 0, "cpu-period", "use --cpus"},
    {"run", 0, "cpu-quota", "use --cpus"},
    {"run", 0, "cpu-rt-period", LIMITS},
    {"run", 0, "cpu-rt-runtime", LIMITS},
    {"run", 0, "cpuset-cpus", LIMITS},
    {"run", 0, "cpuset-mems", LIMITS},
    {"run", 0, "device-cgroup-rule", LIMITS},
    {"run", 0, "device-read-bps", LIMITS},
    {"run", 0, "device-read-iops", LIMITS},
    {"run", 0, "device-write-bps", LIMITS},
    {"run", 0, "device-write-iops", LIMITS},
    {"run", 0, "kernel-memory", LIMITS},
    {"run", 0, "memory-reservation", LIMITS},
    {"run", 0, "memory-swap", LIMITS},
    {"run", 0, "memory-swappiness", LIMITS},
    {"run", 0, "oom-kill-disable", LIMITS},
    {"run", 0, "oom-score-adj", LIMITS},
    {"run", 0, "storage-opt", LIMITS},
    {"run", 0, "cgroup-parent", "cgroups are named from the container's id"},
    {"run", 0, "cgroupns", NAMESPACES},
    {"run", 0, "ipc", NAMESPACES},
    {"run", 0, "pid", NAMESPACES},
    {"run", 0, "uts", NAMESPACES},
    {"run", 0, "userns", "user namespaces are still to come"},
    {"run", 0, "group-add", "use --user NAME:GROUP"},
    {"run", 0, "gpus", "use --device"},
    {"run", 0, "runtime", "it stands before the verb: dray --runtime NAME run"},
    {"run", 0, "disable-content-trust", "digests are always verified"},
    {"run", 0, "use-api-socket", "there is no daemon"},
    {"run", 0, "isolation", NOT_LINUX},
    {"run", 0, "cpu-count", NOT_LINUX},
    {"run", 0, "cpu-percent", NOT_LINUX},
    {"run", 0, "io-maxbandwidth", NOT_LINUX},
    {"run", 0, "io-maxiops", NOT_LINUX},
    {"start", 0, "checkpoint", "checkpoints are not planned"},
    {"start", 0, "checkpoint-dir", "checkpoints are not planned"},
    {"update", 0, "blkio-weight", LIMITS},
    {"update", 0, "cpu-period", "use --cpus"},
    {"update", 0, "cpu-quota", "use --cpus"},
    {"update", 0, "cpu-rt-period", LIMITS},
    {"update", 0, "cpu-rt-runtime", LIMITS},
    {"update", 0, "cpuset-cpus", LIMITS},
    {"update", 0, "cpuset-mems", LIMITS},
    {"update", 0, "kernel-memory", LIMITS},
    {"update", 0, "memory-reservation", LIMITS},
    {"update", 0, "memory-swap", LIMITS},
    {"network connect", 0, "driver-opt", NETWORK_OPTIONS},
    {"network connect", 0, "gw-priority", "the first network has the default route"},
    {"network connect", 0, "link", "use --alias"},
    {"network connect", 0, "link-local-ip", NETWORK_OPTIONS},
    {"network create", 0, "attachable", CLUSTER_NETWORK},
    {"network create", 0, "aux-address", "leave it out of --ip-range"},
    {"network create", 0, "config-from", CLUSTER_NETWORK},
    {"network create", 0, "config-only", CLUSTER_NETWORK},
    {"network create", 0, "ingress", CLUSTER_NETWORK},
    {"network create", 0, "ipam-driver", NETWORK_OPTIONS},
    {"network create", 0, "ipam-opt", NETWORK_OPTIONS},
    {"network create", 0, "ipv4", "every network has an IPv4 subnet"},
    {"network create", 0, "scope", CLUSTER_NETWORK},
    {"volume create", 'o', "opt", "volumes are directories of the target"},
    {"volume create", 0, "availability", CLUSTER},
    {"volume create", 0, "group", CLUSTER},
    {"volume create", 0, "limit-bytes", CLUSTER},
    {"volume create", 0, "required-bytes", CLUSTER},
    {"volume create", 0, "scope", CLUSTER},
    {"volume create", 0, "secret", CLUSTER},
    {"volume create", 0, "sharing", CLUSTER},
    {"volume create", 0, "topology-preferred", CLUSTER},
    {"volume create", 0, "topology-required", CLUSTER},
    {"volume create", 0, "type", CLUSTER},
    {"volume ls", 0, "cluster", CLUSTER},
    {"history", 0, "platform", "an image has one platform in a target"},
    {"export", 0, "platform", "an image has one platform in a target"},
    {"rm", 'l', "link", LINKS},
    {"logs", 0, "details", LOGGING},
    {"images", 0, "tree", "list platforms with a registry's tools"},
    {"rmi", 0, "no-prune", "layers that nobody uses go with the image"},
    {"rmi", 0, "platform", "an image has one platform in a target"},
    {"save", 0, "platform", "an image has one platform in a target"},
    {"pull", 'a', "all-tags", "name each tag"},
    {"pull", 0, "disable-content-trust", "digests are always verified"},
    {"push", 0, "disable-content-trust", "what is sent is not signed"},
    {"login", 'p', "password",
     "a password in the command line is seen by everybody; use --password-stdin"},
    {"up", 0, "always-recreate-deps", "use --force-recreate with their names"},
    {"up", 0, "attach", FOLLOW},
    {"up", 0, "attach-dependencies", FOLLOW},
    {"up", 0, "build", BUILD},
    {"up", 0, "menu", WATCH},
    {"up", 0, "no-attach", FOLLOW},
    {"up", 0, "no-build", "nothing is ever built: leave it away"},
    {"up", 0, "no-start", "use compose create"},
    {"up", 0, "quiet-pull", "use --quiet"},
    {"up", 'V', "renew-anon-volumes", "use down --volumes before it"},
    {"up", 'w', "watch", WATCH},
    {"down", 0, "rmi", "use rmi with the images' names"},
    {NULL, 'H', "host", "there is no daemon; --target stands before the verb"},
};

const struct cli_refused *cli_refused_flag(const char *verb, const char *name, size_t len,
                                           char letter)
{
    if (verb && strcmp(verb, "create") == 0)
        verb = "run";
    for (size_t i = 0; i < DR_COUNT(flags); i++) {
        const struct cli_refused *f = &flags[i];
        if (f->verb && (!verb || strcmp(f->verb, verb) != 0))
            continue;
        if (name ? strlen(f->name) == len && memcmp(f->name, name, len) == 0
                 : f->letter && f->letter == letter)
            return f;
    }
    return NULL;
}

static const struct {
    const char *name, *reason;
} verbs[] = {
    {"build", BUILD},
    {"builder", BUILD},
    {"buildx", BUILD},
    {"compose build", BUILD},
    {"compose commit", "use commit with the container's name"},
    {"compose export", "use export with the container's name"},
    {"compose publish", "use push with the images' names"},
    {"compose push", "use push with the images' names"},
    {"compose volumes", "use volume ls --filter label=dray.deployment=NAME"},
    {"compose watch", WATCH},
    {"context", "use target: dray target add, ls, use, rm"},
    {"manifest", "use a registry's tools"},
    {"plugin", "there are no plugins"},
    {"prune", "use container, image, network, volume or system prune"},
    {"swarm", "deployments of many machines are not planned"},
};

const char *cli_refused_verb(const char *name)
{
    for (size_t i = 0; i < DR_COUNT(verbs); i++)
        if (strcmp(verbs[i].name, name) == 0)
            return verbs[i].reason;
    return NULL;
}
