/* SPDX-License-Identifier: Apache-2.0 */
#include "host/image-put.h"

#include "oci/digest.h"

int image_put_documents(struct dray_target *target, const struct limits *limits,
                        const struct image_documents *documents, json_t **ret_reply,
                        struct dr_error *err)
{
    struct oci_digest digest;
    struct wire_chan *chan;
    oci_digest_of(documents->manifest, documents->manifest_len, &digest);
    dr_auto_json json_t *request = request_new("image.put");
    dr_json_set_str(request, "ref", documents->ref);
    dr_json_set_str(request, "familiar", documents->familiar);
    dr_json_set_str(request, "digest", digest.text);
    struct session *session;
    if (request_open(target, request, limits, &session, &chan, err) < 0)
        return -1;
    dr_auto_error struct dr_error sending = DR_ERROR_INIT;
    if (wire_write(chan, WIRE_STDIN, documents->manifest, documents->manifest_len,
                   &sending) == 0 &&
        wire_eof(chan, WIRE_STDIN, &sending) == 0 &&
        wire_write(chan, WIRE_STDOUT, documents->config, documents->config_len,
                   &sending) == 0)
        wire_eof(chan, WIRE_STDOUT, &sending);
    int rc = wire_result(chan, ret_reply, err);
    wire_close(chan);
    session_unref(session);
    return rc;
}

int image_put_layer(struct dray_target *target, const struct limits *limits,
                    const char *diff_id, const void *data, size_t len,
                    struct dr_error *err)
{
    struct session *session;
    struct wire_chan *chan;
    dr_auto_json json_t *request = request_new("layer.put");
    dr_json_set_str(request, "diff_id", diff_id);
    dr_json_set_str(request, "media_type", "application/vnd.oci.image.layer.v1.tar");
    if (request_open(target, request, limits, &session, &chan, err) < 0)
        return -1;
    dr_auto_error struct dr_error sending = DR_ERROR_INIT;
    if (wire_write(chan, WIRE_STDIN, data, len, &sending) == 0)
        wire_eof(chan, WIRE_STDIN, &sending);
    int rc = wire_result(chan, NULL, err);
    wire_close(chan);
    session_unref(session);
    return rc;
}
