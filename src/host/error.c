/* SPDX-License-Identifier: Apache-2.0 */
/* C32: the library's own errors become the caller's. */
#include <string.h>

#include "host/target.h"

_Static_assert((int)DRAY_ERR_CANCELLED == (int)DR_ERR_CANCELLED &&
                   (int)DRAY_ERR_INTERNAL == (int)DR_ERR_INTERNAL &&
                   (int)DRAY_ERR_CANCELLED + 1 == (int)DR_ERR_KINDS_,
               "the kinds of dray.h and base/error.h are one list");
_Static_assert((int)DRAY_AT_RUNTIME == (int)DR_AT_RUNTIME,
               "the origins of dray.h and base/error.h are one list");

/* Programs have room for so much in what we fill in for them. */
#define STAYS(type, bytes)                                                               \
    _Static_assert(sizeof(void *) != 8 || sizeof(struct type) == (bytes),                \
                   "the size of " #type " is part of the ABI: use what is reserved")
STAYS(dray_state, 392);
STAYS(dray_container, 512);
STAYS(dray_stats, 144);
STAYS(dray_event, 296);
STAYS(dray_exec_result, 56);
STAYS(dray_path_stat, 72);

const char *dray_version(void)
{
    return DRAY_VERSION;
}

void dray_free(void *memory)
{
    free(memory);
}

const char *dray_kind_name(enum dray_kind kind)
{
    return dr_kind_name((enum dr_kind)kind);
}

/* One block, so that freeing it is one free(). */
static char *put(char **at, const char *text)
{
    if (!text)
        return NULL;
    char *start = *at;
    size_t size = strlen(text) + 1;
    memcpy(start, text, size);
    *at += size;
    return start;
}

static size_t room(const char *text)
{
    return text ? strlen(text) + 1 : 0;
}

static struct dray_error *public_error(const struct dr_error *err)
{
    struct dray_error *out =
        dr_alloc(sizeof *out + room(err->text) + room(err->program) + room(err->output));
    char *at = (char *)(out + 1);
    out->kind = (enum dray_kind)err->kind;
    out->origin =
        err->origin == DR_AT_UNSET ? DRAY_AT_HOST : (enum dray_origin)err->origin;
    out->code = err->code;
    out->status = err->status;
    out->text = put(&at, err->text);
    out->program = put(&at, err->program);
    out->output = put(&at, err->output);
    return out;
}

void dray_error_free(struct dray_error *err)
{
    free(err);
}

int api_end(int rc, struct dr_error *err, struct dray_error **ret_err)
{
    if (rc < 0 && ret_err)
        *ret_err = public_error(err);
    return rc;
}

int api_copy(void *to, size_t to_size, const void *from, struct dr_error *err)
{
    size_t size;
    if (!from)
        return 0;
    memcpy(&size, from, sizeof size);
    if (size < sizeof size)
        return dr_fail(err, DR_ERR_INVALID,
                       "the options' size is not set: begin with DRAY_INIT");
    for (size_t i = to_size; i < size; i++)
        if (((const char *)from)[i])
            return dr_fail(err, DR_ERR_UNSUPPORTED,
                           "an option of a newer dray.h is set, this libdray is %s",
                           DRAY_VERSION);
    memcpy(to, from, size < to_size ? size : to_size);
    return 0;
}
