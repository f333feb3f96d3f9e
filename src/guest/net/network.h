/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What networks there are: <root>/networks/<name>.json,
 * {"version":1,"id","name","created_ns","subnets":[{"subnet","gateway","range"}],
 *  "internal","mtu","labels":{},"chosen": its IPv4 subnet is our choice}.
 * "bridge", the default, is made by who needs it first.
 */
#ifndef DRAY_GUEST_NET_NETWORK_H
#define DRAY_GUEST_NET_NETWORK_H

#include "guest/guest.h"
#include "guest/net/link.h"
#include "guest/net/pool.h"

#define NETWORK_DEFAULT "bridge"
#define NETWORK_ID_HEX 64

struct network {
    char *name; /* owned */
    char id[NETWORK_ID_HEX + 1];
    int64_t created_ns;
    struct pool pools[2]; /* IPv4, IPv6; family 0: none */
    bool internal;        /* no way out */
    bool chosen;          /* the IPv4 subnet is one that was free, not one asked for */
    bool recorded;        /* of record.h: there is no file of it */
    uint32_t mtu;         /* 0: as the guest's way out has it */
    json_t *labels;       /* reference */
};

void network_release(struct network *network);
#define network_auto DR_CLEANUP(network_release)

/* The bridge's name (C06): "dr-" and twelve digits of the id. */
void network_link_name(const struct network *network, char ret[LINK_NAME]);

/* By name, or by a prefix of the id that only one has. The default network is made when
 * it is not there. DR_ERR_NOT_FOUND. */
int network_load(const struct guest *guest, const char *name, struct network *ret,
                 struct dr_error *err);
/* The files NAME.json of a directory, which may be missing; hidden ones are none.
 * Something else than 0 stops it and is returned. */
int network_files_each(const char *path, int (*each)(void *arg, const char *name),
                       void *arg, struct dr_error *err);
/* The networks, as above. */
int network_each(const struct guest *guest,
                 int (*each)(void *arg, const struct network *network), void *arg,
                 struct dr_error *err);

/*
 * Makes one. request: {"name","subnets":[{"subnet","gateway","range"}],"internal","ipv6",
 * "mtu","labels":["k=v"]}; what is missing is chosen. DR_ERR_EXISTS, DR_ERR_INVALID,
 * DR_ERR_CONFLICT when a subnet overlaps with another one or a route.
 */
int network_create(const struct guest *guest, const json_t *request, struct network *ret,
                   struct dr_error *err);
/* DR_ERR_CONFLICT while containers that run are on it. */
int network_remove(const struct guest *guest, const char *name, struct dr_error *err);

bool network_exists(const struct guest *guest, const char *name);
/* "create", "destroy"; "connect" and "disconnect" of a container. Never fails. */
void network_event(const char *root, const char *id, const char *name, const char *action,
                   const char *container);

/* Takes its file away; networks_lock() held. */
int network_delete(const struct guest *guest, const char *name, struct dr_error *err);
/* Writes it down; replaces what has that name. The caller holds networks_lock(). */
int network_write(const struct guest *guest, const struct network *network,
                  struct dr_error *err);
/* One at a time makes, changes and removes networks. */
int networks_lock(const struct guest *guest, int *ret_fd, struct dr_error *err);

/*
 * Fills in the pool of a family where the network has none: a subnet that overlaps with
 * no other network and no route of the guest. DR_ERR_NETWORK when there is none.
 */
int network_choose(const struct guest *guest, struct network *network, int family,
                   struct dr_error *err);
/* Does a subnet of it overlap with another network or a route of the guest?
 * DR_ERR_CONFLICT, code EADDRINUSE, says with which. *ret_mtu (may be NULL): of the
 * guest's way out, at most 1500; 0: there is none. */
int network_check_free(const struct guest *guest, const struct network *network,
                       uint32_t *ret_mtu, struct dr_error *err);
/* Its subnet was our choice, and overlaps with something new by now: another one. */
int network_choose_again(const struct guest *guest, struct network *network,
                         struct dr_error *err);

#endif
