/* SPDX-License-Identifier: Apache-2.0 */
/* files of dray's own format: what a service finds in its container. */
#include <string.h>

#include "base/fs.h"
#include "base/text.h"
#include "deploy/v1.h"

#define CONTENT_MAX (1u << 20) /* of one file */
#define FILES_MAX (32u << 20)  /* of all of them */

static int content(struct v1 *r, const struct deploy_value *v, struct deploy_file *f,
                   struct dr_error *err)
{
    const char *source = v1_text(v, "source"), *text = v1_text(v, "content");
    const char *variable = v1_text(v, "variable");
    if ((source != NULL) + (text != NULL) + (variable != NULL) != 1)
        return dr_fail(err, DR_ERR_CONFIG,
                       "one of source, variable and content is "
                       "needed, and only one");
    dr_auto_buf struct dr_buf buf = DR_BUF_INIT(CONTENT_MAX);
    if (variable && !(text = deploy_environment(r->in->sources, variable))) {
        dr_auto_free char *safe = dr_escape(variable, 80);
        return dr_fail(err, DR_ERR_CONFIG, "the environment has no %s", safe);
    }
    if (source && !(f->source = deploy_path(r->in, source, err)))
        return -1;
    f->variable = dr_strdup(variable);
    if (source ? dr_file_read(AT_FDCWD, f->source, &buf, err) < 0
               : dr_buf_add(&buf, text, strlen(text), err) < 0)
        return -1;
    f->len = buf.len;
    f->data = dr_buf_take(&buf);
    r->files_bytes += f->len;
    if (r->files_bytes > FILES_MAX)
        return dr_fail(err, DR_ERR_CONFIG, "all files together have more than 32 MiB");
    return 0;
}

void v1_take_file(struct v1 *r, const struct deploy_value *v)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    const char *target = v1_text(v, "target"), *mode = v1_text(v, "mode");
    const char *uid = v1_text(v, "uid"), *gid = v1_text(v, "gid");
    if (*target != '/') {
        dr_auto_free char *safe = dr_escape(target, 100);
        v1_problem(r, &v->where, "target: '%s' is no absolute path", safe);
        return;
    }
    struct deploy_file *f = deploy_service_add_file(r->service, target);
    f->where = v->where;
    f->secret = v1_true(v, "secret");
    if (uid)
        dr_int_parse(uid, 0, UINT32_MAX, &f->uid);
    if (gid)
        dr_int_parse(gid, 0, UINT32_MAX, &f->gid);
    if (mode) {
        char *end;
        f->mode = (int64_t)strtol(mode, &end, 8);
        if (end == mode || *end || f->mode < 0 || f->mode > 07777)
            v1_problem(r, &v->where, "mode: expected octal digits, as 0644");
    }
    if (content(r, v, f, &err) < 0)
        v1_problem_error(r, &v->where, &err);
}
