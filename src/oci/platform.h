/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Platforms: os/architecture[/variant]. The one that is looked for is the guest's, never
 * the host's (CONTRACT C09).
 * Rule: image-spec image-index.md, "platform"; the words and the order of preference are
 * containerd's (platforms package), so that dray takes the image that Docker takes.
 */
#ifndef DRAY_OCI_PLATFORM_H
#define DRAY_OCI_PLATFORM_H

#include <stdbool.h>

#include "base/error.h"

#define OCI_PLATFORM_WORD 32
#define OCI_PLATFORM_TEXT (3 * OCI_PLATFORM_WORD)

/* Normalised: Go's architecture words, "" where nothing was said. arm64/v8 and amd64/v1
 * are written without their variant, arm without one is arm/v7. */
struct oci_platform {
    char os[OCI_PLATFORM_WORD];
    char arch[OCI_PLATFORM_WORD];
    char variant[OCI_PLATFORM_WORD];
};

/*
 * "linux/arm64", "linux/arm/v6", "arm64" (then os is linux), also with the kernel's words
 * ("aarch64", "x86_64"). Fails with DR_ERR_INVALID naming the text.
 */
int oci_platform_parse(const char *text, struct oci_platform *ret_platform,
                       struct dr_error *err);
/* From loose words (an index, uname's machine); any may be NULL. Words that are too long
 * or hold anything but letters, digits, '.', '_' and '-' become "?", which matches
 * nothing. */
void oci_platform_set(struct oci_platform *platform, const char *os, const char *arch,
                      const char *variant);
/* "linux/arm/v7" */
void oci_platform_text(const struct oci_platform *platform,
                       char ret_text[OCI_PLATFORM_TEXT]);
/*
 * How well an image for `have` runs on `want`: 0 not at all, else the higher the better.
 * The same platform is best; an arm/v7 takes v6 and v5, an arm64 takes arm/v8 and lower,
 * an amd64/v3 takes v2 and v1, an amd64 takes 386. An empty `have` matches nothing.
 */
int oci_platform_match(const struct oci_platform *want, const struct oci_platform *have);
/* What this program was built for (only for tools and tests: the guest says its own). */
void oci_platform_native(struct oci_platform *ret_platform);

#endif
