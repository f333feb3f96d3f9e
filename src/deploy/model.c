/* SPDX-License-Identifier: Apache-2.0 */
#include "deploy/model.h"

#include <string.h>

struct deploy_model *deploy_model_new(void)
{
    return dr_alloc(sizeof(struct deploy_model));
}

static void release_service(struct deploy_service *s)
{
    for (size_t i = 0; i < s->depend_count; i++)
        free(s->depends[i].service);
    for (size_t i = 0; i < s->file_count; i++) {
        free(s->files[i].target);
        free(s->files[i].source);
        free(s->files[i].variable);
        free(s->files[i].data);
    }
    for (size_t i = 0; i < s->endpoint_count; i++) {
        free(s->endpoints[i].name);
        free(s->endpoints[i].protocol);
    }
    spec_container_free(s->spec);
    dr_strv_free(s->env_written);
    free(s->endpoints);
    free(s->depends);
    free(s->files);
    free(s->name);
    free(s->schedule);
    free(s->container_name);
    free(s->platform);
}

void deploy_model_free(struct deploy_model *model)
{
    if (!model)
        return;
    for (size_t i = 0; i < model->service_count; i++)
        release_service(&model->services[i]);
    for (size_t i = 0; i < model->network_count; i++) {
        struct deploy_network *n = &model->networks[i];
        for (size_t j = 0; j < n->subnet_count; j++) {
            free(n->subnets[j].subnet);
            free(n->subnets[j].gateway);
            free(n->subnets[j].range);
        }
        free(n->subnets);
        free(n->name);
        dr_strv_free(n->labels);
    }
    for (size_t i = 0; i < model->volume_count; i++) {
        free(model->volumes[i].name);
        dr_strv_free(model->volumes[i].labels);
    }
    deploy_index_release(&model->service_index);
    deploy_index_release(&model->network_index);
    deploy_index_release(&model->volume_index);
    free(model->services);
    free(model->networks);
    free(model->volumes);
    free(model->name);
    dr_strv_free(model->warnings);
    dr_strv_free(model->file_names);
    free(model);
}

/* One more item of an array, zeroed. Arrays double when the count is a power of two. */
static void *append(void **items, size_t *count, size_t size)
{
    if ((*count & (*count - 1)) == 0)
        *items = dr_realloc(*items, (*count ? 2 * *count : 1) * size);
    void *item = (char *)*items + (*count)++ * size;
    memset(item, 0, size);
    return item;
}

#define APPEND(array, count) append((void **)&(array), &(count), sizeof *(array))

struct deploy_service *deploy_model_add_service(struct deploy_model *model,
                                                const char *name)
{
    struct deploy_service *s = APPEND(model->services, model->service_count);
    s->name = dr_strdup(name);
    s->scale = 1;
    s->spec = spec_container_new();
    s->spec->service = dr_strdup(name);
    s->spec->deployment = dr_strdup(model->name);
    return s;
}

struct deploy_network *deploy_model_add_network(struct deploy_model *model,
                                                const char *name)
{
    struct deploy_network *n = APPEND(model->networks, model->network_count);
    n->name = dr_strdup(name);
    return n;
}

struct deploy_volume *deploy_model_add_volume(struct deploy_model *model,
                                              const char *name)
{
    struct deploy_volume *v = APPEND(model->volumes, model->volume_count);
    v->name = dr_strdup(name);
    return v;
}

struct deploy_depend *deploy_service_add_depend(struct deploy_service *service,
                                                const char *on)
{
    struct deploy_depend *d = APPEND(service->depends, service->depend_count);
    d->service = dr_strdup(on);
    return d;
}

struct deploy_endpoint *deploy_service_add_endpoint(struct deploy_service *service,
                                                    int64_t port, const char *protocol)
{
    struct deploy_endpoint *e = APPEND(service->endpoints, service->endpoint_count);
    e->port = port;
    e->protocol = dr_strdup(protocol);
    return e;
}

struct deploy_file *deploy_service_add_file(struct deploy_service *service,
                                            const char *target)
{
    struct deploy_file *f = APPEND(service->files, service->file_count);
    f->target = dr_strdup(target);
    return f;
}

static const char *service_name(const void *model, size_t at)
{
    return ((const struct deploy_model *)model)->services[at].name;
}

struct deploy_service *deploy_model_service(const struct deploy_model *model,
                                            const char *name)
{
    struct deploy_index *index = (struct deploy_index *)&model->service_index;
    size_t at = deploy_index_find(index, name, model->service_count, service_name, model);
    return at < model->service_count ? &model->services[at] : NULL;
}

static const char *network_name(const void *model, size_t at)
{
    return ((const struct deploy_model *)model)->networks[at].name;
}

struct deploy_network *deploy_model_network(const struct deploy_model *model,
                                            const char *name)
{
    struct deploy_index *index = (struct deploy_index *)&model->network_index;
    size_t at = deploy_index_find(index, name, model->network_count, network_name, model);
    return at < model->network_count ? &model->networks[at] : NULL;
}

static const char *volume_name(const void *model, size_t at)
{
    return ((const struct deploy_model *)model)->volumes[at].name;
}

struct deploy_volume *deploy_model_volume(const struct deploy_model *model,
                                          const char *name)
{
    struct deploy_index *index = (struct deploy_index *)&model->volume_index;
    size_t at = deploy_index_find(index, name, model->volume_count, volume_name, model);
    return at < model->volume_count ? &model->volumes[at] : NULL;
}

char *deploy_replica_name(const struct deploy_model *model,
                          const struct deploy_service *service, int64_t replica)
{
    if (service->container_name)
        return dr_strdup(service->container_name);
    if (model->compose_names)
        return dr_printf("%s-%s-%lld", model->name, service->name, (long long)replica);
    return spec_service_slug(service->name, (unsigned)replica);
}
