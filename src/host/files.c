/* SPDX-License-Identifier: Apache-2.0 */
/* Paths inside a container, and the image that is made of one. */
#include <string.h>

#include "base/text.h"
#include "host/files.h"
#include "oci/ref.h"

/* Names are any bytes: as text when they are UTF-8, else in base64. */
static int name_of(const json_t *reply, const char *key, char **ret, struct dr_error *err)
{
    dr_auto_free char *encoded_key = dr_printf("%s_b64", key);
    const char *encoded = dr_json_str(reply, encoded_key);
    if (!encoded) {
        *ret = dr_strdup(dr_json_str(reply, key));
        return 0;
    }
    *ret = dr_base64_decode(encoded);
    if (!*ret)
        return dr_fail_at(err, DR_AT_TRANSPORT, DR_ERR_FORMAT, 0,
                          "the helper sent a name that is no base64");
    return 0;
}

int files_stat_path(struct dray_target *target, const char *container, const char *path,
                    bool follow, const struct limits *limits,
                    struct dray_path_stat *ret_stat, struct dr_error *err)
{
    dr_auto_json json_t *reply = NULL;
    struct dray_path_stat stat = {0};
    json_t *request = request_for("container.stat_path", container);
    request_set_path(request, path);
    dr_json_set_bool(request, "follow", follow);
    if (request_call(target, request, limits, &reply, err) < 0)
        return -1;
    if (name_of(reply, "name", &stat.name, err) < 0 ||
        name_of(reply, "link_target", &stat.link_target, err) < 0) {
        dray_path_stat_release(&stat);
        return -1;
    }
    stat.mode = (uint32_t)dr_json_int(reply, "mode", 0);
    stat.size = dr_json_int(reply, "size", 0);
    stat.mtime_ns = dr_json_int(reply, "mtime_ns", 0);
    *ret_stat = stat;
    return 0;
}

int dray_container_stat_path(struct dray_target *target, const char *container,
                             const char *path, bool follow, const struct dray_call *call,
                             struct dray_path_stat *ret_stat, struct dray_error **ret_err)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    struct limits limits = limits_of(call, DEFAULT_TIMEOUT_MS);
    int rc = files_stat_path(target, container, path, follow, &limits, ret_stat, &err);
    return api_end(rc, &err, ret_err);
}

void dray_path_stat_release(struct dray_path_stat *stat)
{
    if (!stat)
        return;
    free(stat->name);
    free(stat->link_target);
    *stat = (struct dray_path_stat){0};
}

static int commit(struct dray_target *target, const char *container,
                  const struct dray_commit_options *options, const struct limits *limits,
                  json_t **ret_reply, struct dr_error *err)
{
    struct dray_commit_options o = {0};
    dr_auto_ref struct oci_ref ref = OCI_REF_INIT;
    if (API_COPY(&o, options, err) < 0 ||
        (o.name && oci_ref_parse(o.name, &ref, err) < 0))
        return -1;
    if (ref.digest.text[0])
        return dr_fail(err, DR_ERR_INVALID, "%s: a new name has a tag, not a digest",
                       o.name);
    json_t *request = request_for("container.commit", container);
    if (o.name) {
        dr_auto_free char *text = oci_ref_text(&ref), *familiar = oci_ref_familiar(&ref);
        dr_json_set_str(request, "ref", text);
        dr_json_set_str(request, "familiar", familiar);
    }
    dr_json_set_str(request, "author", o.author);
    dr_json_set_str(request, "message", o.message);
    dr_json_set(request, "changes", dr_json_from_strv((char *const *)o.changes));
    dr_json_set_bool(request, "pause", !o.no_pause);
    return request_call(target, request, limits, ret_reply, err);
}

int dray_container_commit(struct dray_target *target, const char *container,
                          const struct dray_commit_options *options,
                          const struct dray_call *call, char **ret_id,
                          struct dray_error **ret_err)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_json json_t *reply = NULL;
    struct limits limits = limits_of(call, NO_TIMEOUT);
    int rc = commit(target, container, options, &limits, &reply, &err);
    if (rc == 0 && ret_id)
        *ret_id = dr_strdup(dr_json_str(reply, "id"));
    return api_end(rc, &err, ret_err);
}
