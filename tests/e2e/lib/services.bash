# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Real services in containers: nginx, redis and PostgreSQL, see service-images.py.

SERVICE_PACKAGES=${DRAY_BUILD_CACHE:-/var/cache/dray-build}/services

# Brings web:1, web:2, cache:1 and db:1 to the target; 1: the packages are not there.
services_pull() {
    local tag
    [[ -f $SERVICE_PACKAGES/complete ]] || return 1
    /usr/bin/python3 "$E2E_LIB/service-images.py" "$SERVICE_PACKAGES" "$E2E/services"
    for tag in web:1 web:2 cache:1 db:1; do
        dray pull -q "oci:$E2E/services:$tag" >/dev/null || return
    done
    rm -rf "$E2E/services"
}
