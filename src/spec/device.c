/* SPDX-License-Identifier: Apache-2.0 */
/* --device host[:container[:permissions]] */
#include <string.h>

#include "spec/container.h"

/* A non-empty set of r, w and m, each once. */
static bool permissions_valid(const char *text)
{
    unsigned seen = 0;
    for (const char *p = text; *p; p++) {
        const char *at = strchr("rwm", *p);
        unsigned bit = at ? 1U << (*p & 15) : 0;
        if (!bit || (seen & bit))
            return false;
        seen |= bit;
    }
    return seen != 0;
}

static int split(const char *text, struct spec_device *device, struct dr_error *err)
{
    size_t host = strcspn(text, ":");
    const char *second = text[host] ? text + host + 1 : NULL;
    const char *third = second ? strchr(second, ':') : NULL;
    if (!host || (third && strchr(third + 1, ':')))
        return dr_fail(err, DR_ERR_INVALID,
                       "invalid device '%s': expected host[:container[:rwm]]", text);
    device->host_path = dr_strndup(text, host);
    if (second && !third && permissions_valid(second)) {
        device->permissions = dr_strdup(second); /* "/dev/fuse:rw" */
        second = NULL;
    }
    size_t second_len = third ? (size_t)(third - second) : second ? strlen(second) : 0;
    device->container_path =
        second_len ? dr_strndup(second, second_len) : dr_strdup(device->host_path);
    if (third)
        device->permissions = dr_strdup(third + 1);
    if (!device->permissions)
        device->permissions = dr_strdup("rwm");
    return 0;
}

static int parse(const char *text, struct spec_device *device, struct dr_error *err)
{
    if (split(text, device, err) < 0)
        return -1;
    if (!permissions_valid(device->permissions))
        return dr_fail(
            err, DR_ERR_INVALID,
            "invalid device '%s': permissions '%s' are not a set of r, w and m", text,
            device->permissions);
    if (device->host_path[0] != '/')
        return strchr(device->host_path, '=')
                   ? dr_fail(err, DR_ERR_UNSUPPORTED,
                             "device '%s': CDI names are not supported, give a path",
                             text)
                   : dr_fail(err, DR_ERR_INVALID,
                             "invalid device '%s': '%s' is not an absolute path", text,
                             device->host_path);
    if (device->container_path[0] != '/')
        return dr_fail(err, DR_ERR_INVALID,
                       "invalid device '%s': '%s' is not an absolute path", text,
                       device->container_path);
    return 0;
}

int spec_device_parse(const char *text, struct spec_device *ret, struct dr_error *err)
{
    struct spec_device device = {0};
    if (parse(text, &device, err) < 0) {
        spec_device_release(&device);
        return -1;
    }
    *ret = device;
    return 0;
}
