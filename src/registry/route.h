/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a reference is really looked for: mirrors, and the registry itself, each with
 * what is set for it. Rule: containers-registries.conf(5), version 2; containerd's
 * hosts.md.
 *
 * Two things of registries.conf are left alone, because people who type "fedora" as for
 * Docker mean docker.io: unqualified-search-registries and [aliases].
 */
#ifndef DRAY_REGISTRY_ROUTE_H
#define DRAY_REGISTRY_ROUTE_H

#include <stdbool.h>

#include "base/json.h"
#include "oci/ref.h"

#define ROUTE_ENDPOINTS_MAX 16

struct endpoint {
    struct oci_ref
        ref;        /* what is asked for there: its host, its path, our tag and digest */
    char *api_host; /* host[:port] of its URLs, owned, as all of these are */
    char *api_root; /* what stands for "/v2" in them; NULL: that */
    char *ns;       /* the host that it is a mirror of, for "?ns="; or NULL */
    bool mirror;
    bool no_tags;    /* it may be asked for digests only */
    bool no_digests; /* for tags only */
    bool insecure, plain_http;
    char **ca_files; /* or NULL */
    char *cert, *key;
};

/* In the order in which they are asked; the registry itself is the last one. */
struct route {
    struct endpoint *endpoints;
    size_t n;
};

#define dr_auto_route DR_CLEANUP(route_release)
void route_release(struct route *route);

/*
 * conf_file: instead of the usual registries.conf (and its drop-ins); "" for none; NULL:
 * $CONTAINERS_REGISTRIES_CONF, else $XDG_CONFIG_HOME/containers/registries.conf
 * (~/.config), else /etc/containers/registries.conf, with registries.conf.d in both
 * places. A host that it says nothing of may have a hosts.toml below containerd/certs.d
 * in the same two places, or _default has. direct: no mirrors and no other location (for
 * pushes and logins).
 * DR_ERR_CONFIG: a file that does not parse or makes no sense (it is named), or the
 * registry is blocked.
 */
int route_find(const struct oci_ref *ref, const char *conf_file, bool direct,
               struct route *ret_route, struct dr_error *err);

/* --- for the readers of the two kinds of files --- */

/* An endpoint behind the others; NULL with err when there are too many. */
struct endpoint *route_add(struct route *route, struct dr_error *err);
/* 1: the file says something of the reference, which is in the route; 0; -1. */
int route_from_registries_conf(const struct oci_ref *ref, const char *conf_file,
                               bool direct, struct route *route, struct dr_error *err);
int route_from_hosts_toml(const struct oci_ref *ref, bool direct, struct route *route,
                          struct dr_error *err);
/* A configuration file, of at most max bytes. 1; 0: it is not there and need not be.
 * Errors name it and are DR_ERR_CONFIG. */
int route_read(const char *path, bool must_exist, size_t max,
               json_t *(*parse)(const char *text, size_t len, size_t max,
                                struct dr_error *err),
               json_t **ret_doc, struct dr_error *err);
int route_read_toml(const char *path, json_t **ret_doc, struct dr_error *err);
/* "<user's config>/tail", owned; NULL: there is no home. */
char *route_user_file(const char *tail);

#endif
