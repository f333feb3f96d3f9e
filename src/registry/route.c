/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/route.h"

#include <errno.h>
#include <string.h>

#include "base/fs.h"
#include "base/toml.h"

#define FILE_MAX (1u << 20)
#define DOCKER_HUB_API "registry-1.docker.io"

static void endpoint_release(struct endpoint *e)
{
    oci_ref_release(&e->ref);
    free(e->api_host);
    free(e->api_root);
    free(e->ns);
    dr_strv_free(e->ca_files);
    free(e->cert);
    free(e->key);
}

void route_release(struct route *route)
{
    for (size_t i = 0; i < route->n; i++)
        endpoint_release(&route->endpoints[i]);
    free(route->endpoints);
    *route = (struct route){0};
}

struct endpoint *route_add(struct route *route, struct dr_error *err)
{
    if (route->n == ROUTE_ENDPOINTS_MAX) {
        dr_fail(err, DR_ERR_CONFIG, "more than %d mirrors", ROUTE_ENDPOINTS_MAX - 1);
        return NULL;
    }
    if (!route->endpoints)
        route->endpoints = dr_alloc(ROUTE_ENDPOINTS_MAX * sizeof *route->endpoints);
    return &route->endpoints[route->n++];
}

int route_read(const char *path, bool must_exist, size_t max,
               json_t *(*parse)(const char *text, size_t len, size_t max,
                                struct dr_error *err),
               json_t **ret_doc, struct dr_error *err)
{
    dr_auto_buf struct dr_buf buf = DR_BUF_INIT(max);
    dr_auto_error struct dr_error problem = DR_ERROR_INIT;
    if (dr_file_read(AT_FDCWD, path, &buf, &problem) < 0) {
        if (!must_exist && (problem.code == ENOENT || problem.code == ENOTDIR))
            return 0;
        dr_error_move(err, &problem);
        err->kind = DR_ERR_CONFIG;
        return -1;
    }
    *ret_doc = parse(buf.data ? buf.data : "", buf.len, max, err);
    if (*ret_doc)
        return 1;
    err->kind = DR_ERR_CONFIG;
    return dr_wrap(err, "%s", path);
}

int route_read_toml(const char *path, json_t **ret_doc, struct dr_error *err)
{
    return route_read(path, false, FILE_MAX, dr_toml_parse, ret_doc, err);
}

char *route_user_file(const char *tail)
{
    const char *xdg = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
    if (xdg && *xdg)
        return dr_printf("%s/%s", xdg, tail);
    return home && *home ? dr_printf("%s/.config/%s", home, tail) : NULL;
}

/* What the tag is good for where only digests may be asked, and the other way round. */
static void drop_useless(struct route *route)
{
    size_t kept = 0;
    for (size_t i = 0; i < route->n; i++) {
        struct endpoint *e = &route->endpoints[i];
        bool by_digest = e->ref.digest.text[0] != '\0';
        if (e->mirror && (by_digest ? e->no_digests : e->no_tags))
            endpoint_release(e);
        else
            route->endpoints[kept++] = *e;
    }
    route->n = kept;
}

int route_find(const struct oci_ref *ref, const char *conf_file, bool direct,
               struct route *ret_route, struct dr_error *err)
{
    dr_auto_route struct route route = {0};
    int rc = route_from_registries_conf(ref, conf_file, direct, &route, err);
    if (rc == 0)
        rc = route_from_hosts_toml(ref, direct, &route, err);
    if (rc < 0)
        return -1;
    if (rc == 0)
        oci_ref_copy(ref, &route_add(&route, err)->ref);
    drop_useless(&route);
    for (size_t i = 0; i < route.n; i++) {
        struct endpoint *e = &route.endpoints[i];
        bool hub = strcmp(e->ref.host, OCI_DEFAULT_HOST) == 0;
        if (!e->api_host)
            e->api_host = dr_strdup(hub ? DOCKER_HUB_API : e->ref.host);
    }
    *ret_route = route;
    route = (struct route){0};
    return 0;
}
