/* SPDX-License-Identifier: Apache-2.0 */
#include "host/pin.h"

#include <string.h>

#include "host/lockfile.h"
#include "oci/manifest.h"
#include "store/store.h"

int pin_find(const struct dray_pull_options *options, const struct oci_ref *ref,
             const char *name, struct pin *ret, struct dr_error *err)
{
    dr_auto_lockfile struct lockfile lock = {0};
    dr_auto_free char *file = NULL;
    dr_auto_fd int held = -1;
    *ret = (struct pin){0};
    if (!options->lock_file && options->lock_update)
        return dr_fail(err, DR_ERR_INVALID, "there is no lock file to update");
    if (!options->lock_file || ref->digest.text[0])
        return 0;
    if (lockfile_read(options->lock_file, &lock, err) < 0)
        return -1;
    const struct oci_digest *digest =
        options->lock_update ? NULL : lockfile_find(&lock, name);
    ret->file = options->lock_file;
    if (digest) {
        ret->known = true;
        ret->digest = *digest;
        return 0;
    }
    if (options->policy == DRAY_PULL_NEVER)
        return dr_fail(err, DR_ERR_NOT_FOUND,
                       "%s has no digest for %s, and the pull policy is never: pull it "
                       "once with --lock",
                       options->lock_file, name);
    return lockfile_hold(options->lock_file, &held, &file, err);
}

/* Does an index that the cache has lead to the manifest? */
static bool leads_to(struct store *store, const struct oci_digest *index,
                     const char *manifest)
{
    dr_auto_buf struct dr_buf text = DR_BUF_INIT(OCI_MANIFEST_MAX);
    dr_auto_error struct dr_error ignored = DR_ERROR_INIT;
    dr_auto_index struct oci_index parsed = {0};
    if (store_blob_get(store, index, &text, &ignored) <= 0 ||
        oci_index_parse(text.data, text.len, NULL, &parsed, &ignored) < 0)
        return false;
    for (size_t i = 0; i < parsed.n_manifests; i++)
        if (strcmp(parsed.manifests[i].digest.text, manifest) == 0)
            return true;
    return false;
}

bool pin_fits(const struct pin *pin, struct dray_target *target, const char *manifest)
{
    struct store *store;
    dr_auto_error struct dr_error ignored = DR_ERROR_INIT;
    if (!pin->file)
        return true;
    if (!pin->known || !manifest)
        return false;
    if (strcmp(pin->digest.text, manifest) == 0)
        return true;
    if (store_open(target->cache_dir, &store, &ignored) < 0)
        return false;
    bool fits = leads_to(store, &pin->digest, manifest);
    store_close(store);
    return fits;
}

int pin_keep(const struct pin *pin, const struct dray_pull_options *options,
             const char *name, json_t *image, struct dr_error *err)
{
    struct oci_digest digest = pin->digest;
    const char *resolved = dr_json_str(image, "resolved");
    if (!pin->file)
        return 0;
    if (!pin->known &&
        (!resolved || oci_digest_parse(resolved, strlen(resolved), &digest, err) < 0 ||
         lockfile_record(pin->file, name, &digest, options->lock_update, err) < 0))
        return -1;
    dr_json_set_str(image, "pinned", digest.text);
    return 0;
}
