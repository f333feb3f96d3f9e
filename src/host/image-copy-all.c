/* SPDX-License-Identifier: Apache-2.0 */
/*
 * copy --all: an index with all that it leads to, attestations too. Nothing is looked at
 * more closely than is needed to find the next digest, so that what is not for running
 * here goes along; every byte is verified by that digest. Blobs go first, then manifests,
 * indexes behind what they name, and the outermost one last: nobody sees half of it.
 */
#include <string.h>

#include "host/image-copy.h"
#include "registry/push.h"

#define TREE_BYTES_MAX ((size_t)64 << 20) /* of all its documents */

struct document {
    struct oci_digest digest;
    struct dr_buf bytes;
    char *media_type; /* owned */
};

struct tree {
    struct origin_place *from;
    struct document *documents; /* children first, the outermost one last */
    size_t n;
    struct oci_descriptor *blobs; /* each digest once */
    size_t n_blobs;
    size_t bytes;
};

static void tree_release(struct tree *tree)
{
    for (size_t i = 0; i < tree->n; i++) {
        dr_buf_release(&tree->documents[i].bytes);
        free(tree->documents[i].media_type);
    }
    for (size_t i = 0; i < tree->n_blobs; i++)
        oci_descriptor_release(&tree->blobs[i]);
    free(tree->documents);
    free(tree->blobs);
}

/* --- finding out what there is --- */

static int descriptor_of(const json_t *json, struct oci_descriptor *ret,
                         struct dr_error *err)
{
    const char *digest = dr_json_str(json, "digest");
    const char *type = dr_json_str(json, "mediaType");
    int64_t size = dr_json_int(json, "size", -1);
    if (!digest || size < 0)
        return dr_fail(err, DR_ERR_FORMAT, "a descriptor has no digest or no size");
    if (oci_digest_parse(digest, strlen(digest), &ret->digest, err) < 0)
        return -1;
    ret->size_bytes = size;
    ret->media_type = dr_strdup(type ? type : "");
    return 0;
}

static int add_blob(struct tree *tree, const json_t *json, struct dr_error *err)
{
    struct oci_descriptor d = {0};
    if (descriptor_of(json, &d, err) < 0)
        return -1;
    for (size_t i = 0; i < tree->n_blobs; i++)
        if (oci_digest_equal(&tree->blobs[i].digest, &d.digest)) {
            oci_descriptor_release(&d);
            return 0;
        }
    tree->blobs = dr_realloc(tree->blobs, (tree->n_blobs + 1) * sizeof *tree->blobs);
    tree->blobs[tree->n_blobs++] = d;
    return 0;
}

static bool known(const struct tree *tree, const struct oci_digest *digest)
{
    for (size_t i = 0; i < tree->n; i++)
        if (oci_digest_equal(&tree->documents[i].digest, digest))
            return true;
    return false;
}

static int read_document(struct tree *tree, const struct oci_descriptor *d,
                         struct document *ret, struct dr_error *err)
{
    struct origin_place *o = tree->from;
    ret->bytes = DR_BUF_INIT(OCI_MANIFEST_MAX);
    if (o->registry)
        return registry_document(o->registry, d, &ret->bytes, &ret->media_type,
                                 &ret->digest, err);
    return archive_document(o->archive, o->image, d, &ret->bytes, &ret->media_type,
                            &ret->digest, err);
}

static int gather(struct tree *tree, const struct oci_descriptor *d, int depth,
                  struct dr_error *err);

static int gather_below(struct tree *tree, const json_t *json, enum oci_media media,
                        int depth, struct dr_error *err)
{
    size_t i;
    json_t *item;
    if (media == OCI_MEDIA_MANIFEST) {
        json_array_foreach (dr_json_array(json, "layers"), i, item)
            if (add_blob(tree, item, err) < 0)
                return -1;
        return add_blob(tree, dr_json_object(json, "config"), err);
    }
    if (depth == OCI_INDEX_DEPTH_MAX)
        return dr_fail(err, DR_ERR_FORMAT, "indexes inside of indexes, more than %d deep",
                       OCI_INDEX_DEPTH_MAX);
    json_array_foreach (dr_json_array(json, "manifests"), i, item) {
        DR_CLEANUP(oci_descriptor_release) struct oci_descriptor child = {0};
        if (descriptor_of(item, &child, err) < 0 ||
            (!known(tree, &child.digest) && gather(tree, &child, depth + 1, err) < 0))
            return -1;
    }
    return 0;
}

/* d NULL: the outermost one. Depth is bounded, and what was seen is not read again. */
static int gather(struct tree *tree, const struct oci_descriptor *d, int depth,
                  struct dr_error *err)
{
    struct document doc = {0};
    enum oci_media media;
    int rc = read_document(tree, d, &doc, err);
    const char *text = doc.bytes.data ? doc.bytes.data : "";
    if (rc == 0)
        rc = oci_document_parse(text, doc.bytes.len, doc.media_type, &media, err);
    dr_auto_json json_t *json =
        rc == 0 ? dr_json_parse(text, doc.bytes.len, OCI_MANIFEST_MAX, err) : NULL;
    tree->bytes += doc.bytes.len;
    if (json && tree->bytes > TREE_BYTES_MAX)
        rc = dr_fail(err, DR_ERR_FORMAT, "its manifests have more than %zu bytes",
                     TREE_BYTES_MAX);
    if (!json || rc < 0 || gather_below(tree, json, media, depth, err) < 0) {
        dr_buf_release(&doc.bytes);
        free(doc.media_type);
        return d ? dr_wrap(err, "manifest %.19s", d->digest.text) : -1;
    }
    /* as it says itself; a header may have more behind it */
    const char *type = dr_json_str(json, "mediaType");
    if (!type && d && *d->media_type)
        type = d->media_type;
    if (!type)
        type = media == OCI_MEDIA_INDEX ? OCI_TYPE_INDEX : OCI_TYPE_MANIFEST;
    free(doc.media_type);
    doc.media_type = dr_strdup(type);
    tree->documents =
        dr_realloc(tree->documents, (tree->n + 1) * sizeof *tree->documents);
    tree->documents[tree->n++] = doc;
    return 0;
}

/* --- to a registry --- */

struct sending {
    struct registry *registry;
    struct oci_ref ref;
    struct registry_blob *blobs;
    size_t n;
    char *mounts[2];
};

static void sending_release(struct sending *s)
{
    for (size_t i = 0; i < s->n; i++) {
        store_fetch_close(s->blobs[i].fetch);
        registry_blob_release(&s->blobs[i]);
    }
    free(s->blobs);
    registry_close(s->registry);
    oci_ref_release(&s->ref);
}

/* What the registry lacks has to be had here. */
static int have_missing(struct tree *tree, struct sending *s, struct dr_error *err)
{
    dr_auto_free struct oci_descriptor *missing =
        dr_alloc((s->n + 1) * sizeof *missing); /* borrowed strings */
    size_t n = 0;
    for (size_t i = 0; i < s->n; i++)
        if (!s->blobs[i].present)
            missing[n++] = tree->blobs[i];
    if (origin_fetch(tree->from, missing, n, err) < 0)
        return -1;
    for (size_t i = 0; i < s->n; i++)
        if (!s->blobs[i].present &&
            store_blob_open(tree->from->store, &tree->blobs[i].digest,
                            tree->blobs[i].size_bytes, &s->blobs[i].fetch, err) < 0)
            return -1;
    return 0;
}

static int send_documents(struct tree *tree, struct sending *s, struct dr_error *err)
{
    for (size_t i = 0; i < tree->n; i++) {
        const struct document *d = &tree->documents[i];
        const char *target = i + 1 < tree->n ? d->digest.text : s->ref.tag;
        if (registry_push_manifest(s->registry, target, d->media_type, d->bytes.data,
                                   d->bytes.len, err) < 0)
            return -1;
    }
    return 0;
}

static int to_registry(struct tree *tree, const struct place *to,
                       const struct dray_transfer_options *options, struct dr_error *err)
{
    struct origin_place *o = tree->from;
    DR_CLEANUP(sending_release) struct sending s = {.n = 0};
    struct registry_options ro;
    if (copy_target_ref(to, &s.ref, err) < 0 ||
        copy_registry_options(options, true, o->store, o->source.limits, &ro, err) < 0)
        return -1;
    if (o->registry && strcmp(o->ref.host, s.ref.host) == 0 &&
        strcmp(o->ref.path, s.ref.path) != 0)
        s.mounts[0] = o->ref.path;
    s.blobs = dr_alloc((tree->n_blobs + 1) * sizeof *s.blobs);
    for (; s.n < tree->n_blobs; s.n++)
        s.blobs[s.n] =
            (struct registry_blob){.descriptor = &tree->blobs[s.n], .mounts = s.mounts};
    if (registry_push_open(&s.ref, &ro, s.mounts, &s.registry, err) < 0 ||
        registry_push_look(s.registry, s.blobs, s.n, err) < 0 ||
        have_missing(tree, &s, err) < 0 ||
        registry_push_send(s.registry, s.blobs, s.n, err) < 0)
        return -1;
    return send_documents(tree, &s, err);
}

/* --- to an archive --- */

struct reading {
    struct store_fetch *fetch;
    int64_t at;
};

static ssize_t read_blob(void *arg, void *buf, size_t len, struct dr_error *err)
{
    struct reading *r = arg;
    ssize_t n = store_fetch_read(r->fetch, r->at, buf, len, err);
    if (n > 0)
        r->at += n;
    return n;
}

static int write_blob(struct tree *tree, struct archive_writer *writer,
                      const struct oci_descriptor *d, struct dr_error *err)
{
    struct reading r = {0};
    if (archive_writer_has(writer, &d->digest))
        return 0;
    if (store_blob_open(tree->from->store, &d->digest, d->size_bytes, &r.fetch, err) < 0)
        return -1;
    const struct archive_bytes bytes = {d->digest, d->size_bytes, read_blob, &r};
    int rc = archive_writer_blob(writer, &bytes, err);
    store_fetch_close(r.fetch);
    return rc;
}

static int write_all(struct tree *tree, struct archive_writer *writer, const char *key,
                     struct dr_error *err)
{
    for (size_t i = 0; i < tree->n_blobs; i++)
        if (write_blob(tree, writer, &tree->blobs[i], err) < 0)
            return -1;
    for (size_t i = 0; i < tree->n; i++) {
        const struct document *d = &tree->documents[i];
        const struct archive_document out = {d->digest, d->media_type, d->bytes.data,
                                             d->bytes.len};
        if (i + 1 < tree->n ? archive_writer_manifest(writer, &out, err) < 0
                            : archive_writer_index(writer, &out, key, err) < 0)
            return -1;
    }
    return 0;
}

static int to_archive(struct tree *tree, const struct place *to, struct dr_error *err)
{
    struct archive_writer *writer;
    if (origin_fetch(tree->from, tree->blobs, tree->n_blobs, err) < 0 ||
        archive_writer_open(to->kind, to->path, -1, &writer, err) < 0)
        return -1;
    int rc = write_all(tree, writer, to->name, err);
    return archive_writer_close(writer, rc == 0, err) < 0 ? -1 : rc;
}

int copy_all(struct origin_place *o, const struct place *to,
             const struct dray_transfer_options *options, struct oci_digest *ret_digest,
             struct dr_error *err)
{
    DR_CLEANUP(tree_release) struct tree tree = {.from = o};
    if (to->kind == PLACE_DOCKER_ARCHIVE || o->place.kind == PLACE_DOCKER_ARCHIVE)
        return dr_fail(err, DR_ERR_INVALID,
                       "a docker-archive: holds images of one platform only: leave --all "
                       "away");
    if (gather(&tree, NULL, 0, err) < 0 ||
        (to->kind == PLACE_REFERENCE ? to_registry(&tree, to, options, err)
                                     : to_archive(&tree, to, err)) < 0)
        return -1;
    *ret_digest = tree.documents[tree.n - 1].digest;
    return 0;
}
