/* SPDX-License-Identifier: Apache-2.0 */
/* What one replica of a service is: its spec, and the hash that tells whether the one
 * that is there is still that. */
#include <stdio.h>
#include <string.h>

#include "base/sha256.h"
#include "deploy/plan-private.h"
#include "spec/table.h"

static void hash_text(struct dr_sha256 *hash, const char *text)
{
    dr_sha256_add(hash, text ? text : "", strlen(text ? text : "") + 1);
}

static void hash_int(struct dr_sha256 *hash, int64_t number)
{
    char text[32];
    snprintf(text, sizeof text, "%lld", (long long)number);
    hash_text(hash, text);
}

char *deploy_service_hash(const struct deploy_service *service)
{
    struct dr_sha256 hash;
    char hex[DR_SHA256_HEX + 1];
    dr_auto_json json_t *spec = spec_container_to_json(service->spec);
    dr_auto_free char *text = dr_json_text(spec);
    dr_sha256_init(&hash);
    hash_text(&hash, text);
    hash_text(&hash, service->platform);
    hash_text(&hash, service->schedule);
    hash_int(&hash, service->rtype);
    for (size_t i = 0; i < service->file_count; i++) {
        const struct deploy_file *f = &service->files[i];
        hash_text(&hash, f->target);
        hash_int(&hash, f->mode);
        hash_int(&hash, f->uid);
        hash_int(&hash, f->gid);
        hash_int(&hash, f->secret);
        hash_int(&hash, (int64_t)f->len);
        dr_sha256_add(&hash, f->data ? f->data : "", f->len);
    }
    dr_sha256_hex(&hash, hex);
    return dr_strdup(hex);
}

void deploy_add_label(json_t *labels, const char *key, const char *value)
{
    dr_auto_free char *pair = dr_printf("%s=%s", key, value);
    json_array_append_new(labels, json_string(pair));
}

json_t *deploy_replica_spec(const struct deploy_model *model,
                            const struct deploy_service *service, int64_t replica,
                            struct dr_error *err)
{
    dr_auto_free char *image = spec_image_name(service->spec->image ?: "", err);
    if (!image) {
        dr_wrap(err, "service %s: image", service->name);
        return NULL;
    }
    dr_auto_free char *hash = deploy_service_hash(service);
    dr_auto_free char *name = deploy_replica_name(model, service, replica);
    json_t *spec = spec_container_to_json(service->spec);
    dr_json_set_str(spec, "image", image);
    dr_json_set_str(spec, "name", name);
    dr_json_set_int(spec, "replica", replica);
    json_t *labels = json_object_get(spec, "labels");
    if (!json_is_array(labels)) {
        labels = json_array();
        json_object_set_new(spec, "labels", labels);
    }
    deploy_add_label(labels, DEPLOY_LABEL_HASH, hash);
    dr_auto_free char *depends = plan_depends_text(service);
    if (depends)
        deploy_add_label(labels, DEPLOY_LABEL_DEPENDS, depends);
    return spec;
}

char *deploy_network_hash(const struct deploy_network *network)
{
    struct dr_sha256 hash;
    char hex[DR_SHA256_HEX + 1];
    dr_sha256_init(&hash);
    for (size_t i = 0; i < network->subnet_count; i++) {
        hash_text(&hash, network->subnets[i].subnet);
        hash_text(&hash, network->subnets[i].gateway);
        hash_text(&hash, network->subnets[i].range);
    }
    hash_int(&hash, network->internal);
    hash_int(&hash, network->ipv6);
    hash_int(&hash, network->mtu);
    dr_sha256_hex(&hash, hex);
    return dr_strdup(hex);
}
