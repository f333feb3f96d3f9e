/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/text.h"
#include "cli/args.h"
#include "cli/cli.h"
#include "oci/ref.h"

#define OUTPUT_MAX_BYTES (256u << 20)

/* Splits an image's references as Docker shows them. */
static void add_refs(json_t *out, const json_t *image)
{
    json_t *tags = json_array(), *digests = json_array();
    json_t *refs = dr_json_array(image, "refs");
    const char *digest = dr_json_str(image, "digest");
    for (size_t i = 0; i < json_array_size(refs); i++) {
        dr_auto_error struct dr_error unused = DR_ERROR_INIT;
        dr_auto_ref struct oci_ref ref = OCI_REF_INIT;
        const char *text = json_string_value(json_array_get(refs, i));
        if (!text || oci_ref_parse(text, &ref, &unused) < 0)
            continue;
        dr_auto_free char *name = oci_ref_familiar_name(&ref);
        dr_auto_free char *tag = dr_printf("%s:%s", name, ref.tag ? ref.tag : "");
        dr_auto_free char *pinned =
            dr_printf("%s@%s", name, *ref.digest.text ? ref.digest.text : digest);
        if (ref.tag && !*ref.digest.text)
            json_array_append_new(tags, json_string(tag));
        if (digest || *ref.digest.text)
            json_array_append_new(digests, json_string(pinned));
    }
    dr_json_set(out, "RepoTags", tags);
    dr_json_set(out, "RepoDigests", digests);
}

/* The reply of image.get in the shape of `docker image inspect`. */
static json_t *image_object(const json_t *image)
{
    json_t *out = json_object();
    const json_t *config = dr_json_object(image, "config");
    const json_t *rootfs = dr_json_object(config, "rootfs");
    const char *id = dr_json_str(image, "id");
    dr_auto_free char *full =
        dr_printf("%s%s", id && !strchr(id, ':') ? "sha256:" : "", id ? id : "");
    dr_json_set_str(out, "Id", full);
    add_refs(out, image);
    dr_json_set_str(out, "Digest", dr_json_str(image, "digest"));
    dr_json_set_str(out, "Created", dr_json_str(config, "created"));
    dr_json_set_str(out, "Author", dr_json_str(config, "author"));
    dr_json_set_str(out, "Architecture", dr_json_str(config, "architecture"));
    dr_json_set_str(out, "Variant", dr_json_str(config, "variant"));
    dr_json_set_str(out, "Os", dr_json_str(config, "os"));
    dr_json_set_int(out, "Size", dr_json_int(image, "size", 0));
    json_t *inner = dr_json_object(config, "config");
    dr_json_set(out, "Config", inner ? json_incref(inner) : json_object());
    json_t *layers = json_object(), *ids = dr_json_array(rootfs, "diff_ids");
    dr_json_set_str(layers, "Type", "layers");
    dr_json_set(layers, "Layers", ids ? json_incref(ids) : json_array());
    dr_json_set(out, "RootFS", layers);
    return out;
}

static int get_container(struct cli *cli, const char *name, json_t **ret,
                         struct dr_error *err)
{
    json_t *request = host_request("container.inspect");
    dr_json_set_str(request, "id", name);
    return cli_call(cli, request, ret, err);
}

static int get_image(struct cli *cli, const char *name, json_t **ret,
                     struct dr_error *err)
{
    dr_auto_free char *ref = cli_image_ref(cli, name, err);
    dr_auto_json json_t *image = NULL;
    if (!ref)
        return -1;
    json_t *request = host_request("image.get");
    dr_json_set_str(request, "ref", ref);
    if (cli_call(cli, request, &image, err) < 0)
        return -1;
    *ret = image_object(image);
    return 0;
}

/* A container of that name, else an image. NULL type: either. */
static int get_object(struct cli *cli, const char *type, const char *name, json_t **ret,
                      struct dr_error *err)
{
    bool container = !type || strcmp(type, "container") == 0;
    bool image = !type || strcmp(type, "image") == 0;
    if (container) {
        int rc = get_container(cli, name, ret, err);
        if (rc == 0 || err->kind != DR_ERR_NOT_FOUND || !image)
            return rc;
        dr_error_release(err);
    }
    if (get_image(cli, name, ret, err) == 0)
        return 0;
    /* a word that can be no image's name may have been meant as a container's */
    if (err->kind != DR_ERR_NOT_FOUND && err->kind != DR_ERR_INVALID)
        return -1;
    if (type)
        return -1;
    return dr_fail(
        err, DR_ERR_NOT_FOUND,
        "no such object: %s; `dray ps -a` and `dray images` list what there is", name);
}

static int print_all(const char *format, const json_t *objects, struct dr_error *err)
{
    if (!format || strcmp(format, "json") == 0) {
        char *text = json_dumps(objects, format ? JSON_COMPACT | JSON_ENSURE_ASCII
                                                : JSON_INDENT(4) | JSON_ENSURE_ASCII);
        /* jansson escapes every control but DEL, which ends no line and starts no escape
         */
        puts(text);
        free(text);
        return 0;
    }
    dr_auto_buf struct dr_buf buf = DR_BUF_INIT(OUTPUT_MAX_BYTES);
    for (size_t i = 0; i < json_array_size(objects); i++)
        if (cli_format(format, json_array_get(objects, i), &buf, err) < 0 ||
            dr_buf_add(&buf, "\n", 1, err) < 0)
            return -1;
    fwrite(buf.data ? buf.data : "", 1, buf.len, stdout);
    return 0;
}

static int check_type(const char *type, struct dr_error *err)
{
    if (!type || strcmp(type, "container") == 0 || strcmp(type, "image") == 0)
        return 0;
    return dr_fail(err, DR_ERR_INVALID,
                   "invalid argument \"%s\" for \"--type\" flag: it must be container or "
                   "image",
                   type);
}

int cmd_inspect(struct cli *cli, void *arg)
{
    const struct inspect_args *args = arg;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_json json_t *objects = json_array();
    const char *type = args->type ? args->type : cli->scope;
    int code = CLI_OK;
    if (check_type(type, &err) < 0 || cli_format_check(args->format, &err) < 0)
        return cli_usage_error(cli, &err);
    dr_auto_json json_t *failures = json_array();
    for (size_t i = 0; i < cli->word_count; i++) {
        json_t *object = NULL;
        if (get_object(cli, type, cli->words[i], &object, &err) == 0) {
            json_array_append_new(objects, object);
            continue;
        }
        if (!cli->host) /* no session: it will not get better */
            return cli_error(cli, &err);
        json_array_append_new(failures, wire_error_to_json(&err, DR_AT_HOST));
        dr_error_release(&err);
    }
    /* what was found first, as Docker does, so that its reader gets whole JSON */
    if (print_all(args->format, objects, &err) < 0)
        code = cli_error(cli, &err);
    for (size_t i = 0; i < json_array_size(failures); i++) {
        wire_error_from_json(json_array_get(failures, i), &err);
        int failed = cli_error(cli, &err);
        code = code ? code : failed;
        dr_error_release(&err);
    }
    return code;
}
