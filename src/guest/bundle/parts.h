/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of config.json, one file each; private to this folder. */
#ifndef DRAY_GUEST_BUNDLE_PARTS_H
#define DRAY_GUEST_BUNDLE_PARTS_H

#include "guest/bundle/bundle.h"

#define CAP_BIT(n) (UINT64_C(1) << (n))
#define CAPS_KNOWN 41 /* CAP_CHECKPOINT_RESTORE is 40 */

/* Annotation: HOME in the environment is our choice, not the image's or the user's, so an
 * exec as somebody else gets that user's. */
#define BUNDLE_HOME_MARK "dray.home-added"

/* --security-opt, understood */
struct bundle_security {
    bool no_new_privileges;
    bool seccomp_unconfined;
    const char *seccomp_json; /* borrowed from the spec; NULL: Docker's default profile */
    bool paths_unconfined;    /* systempaths=unconfined: nothing masked or read-only */
    bool writable_cgroups;
};
int bundle_security_parse(const struct spec_container *spec, struct bundle_security *ret,
                          struct dr_error *err);

/* caps.c */
int bundle_caps(const struct spec_container *spec, const struct bundle_facts *facts,
                uint64_t *ret_caps, struct dr_error *err);
uint64_t bundle_caps_known(void);
/* "CAP_CHOWN" … or NULL */
const char *bundle_cap_name(unsigned number);
int bundle_cap_number(const char *name); /* "CAP_CHOWN"; -1: unknown */
/* process.capabilities: the sets of a process of this uid (none but the bounding one for
 * a user that is not root, as Docker; nothing inheritable, CVE-2022-24769). */
json_t *bundle_caps_json(uint64_t caps, uint32_t uid);

/* process.c */
json_t *bundle_process(const struct bundle_input *input,
                       const struct bundle_security *security, uint64_t caps,
                       const char *hostname, bool *ret_home_added, struct dr_error *err);
/* "config" of the image's document, or NULL */
const json_t *bundle_image_section(const json_t *image_config);

/* mounts.c */
json_t *bundle_mounts(const struct bundle_input *input,
                      const struct bundle_security *security, struct dr_error *err);
/* True when path is base or below it; both cleaned. */
bool bundle_path_below(const char *path, const char *base);

/* devices.c: linux.devices, and the cgroup's device rules */
int bundle_devices(const struct bundle_input *input, json_t **ret_devices,
                   json_t **ret_rules, struct dr_error *err);

/* resources.c */
json_t *bundle_resources(const struct bundle_input *input, json_t *device_rules,
                         struct dr_error *err);
json_t *bundle_rlimits(const struct bundle_input *input, struct dr_error *err);
json_t *bundle_sysctls(const struct bundle_input *input, struct dr_error *err);

/* seccomp.c: linux.seccomp. *ret NULL: unconfined. */
int bundle_seccomp(const struct bundle_security *security,
                   const struct bundle_facts *facts, uint64_t caps, json_t **ret,
                   struct dr_error *err);

/* array of strings from words */
json_t *bundle_words(const char *const *words, size_t count);

#endif
