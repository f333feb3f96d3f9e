/* SPDX-License-Identifier: Apache-2.0 */
/* Debian's docker-registry for the tests, and skopeo and umoci to fill it. */
#ifndef DRAY_TESTS_REGISTRY_REAL_H
#define DRAY_TESTS_REGISTRY_REAL_H

#include "fixture.h"

static inline bool installed(const char *program)
{
    dr_auto_free char *command = dr_printf("command -v %s >/dev/null 2>&1", program);
    return system(command) == 0;
}

/* What our environment says of docker-registry's TLS; the keeper has an older one. */
static inline char *tls_word(const char *name)
{
    dr_auto_free char *full = dr_printf("REGISTRY_HTTP_TLS_%s", name);
    const char *value = getenv(full);
    return dr_printf("%s=%s", full, value ? value : "");
}

/* docker-registry on a free port; more: YAML lines of its configuration. */
static inline void start_docker_registry(struct fixture *f, const char *more)
{
    for (const char *const *p =
             (const char *const[]){"docker-registry", "skopeo", "umoci", NULL};
         *p; p++)
        if (!installed(*p))
            skip();
    dr_auto_free char *config = in_dir(f, "config.yml"), *log = in_dir(f, "registry.log");
    dr_auto_free char *text = dr_printf(
        "version: 0.1\nlog: {level: info}\n"
        "storage: {filesystem: {rootdirectory: %s/data}, delete: {enabled: true}}\n"
        "http: {addr: '127.0.0.1:0'}\n%s",
        f->dir, more);
    write_all(config, text);
    dr_auto_free char *cert = tls_word("CERTIFICATE"), *key = tls_word("KEY");
    start_program(&f->registry, log,
                  (const char *[]){"env", "OTEL_TRACES_EXPORTER=none", cert, key,
                                   "docker-registry", "serve", config, NULL});
    for (int i = 0; i < 500; i++) {
        dr_auto_free char *said = read_all(log);
        const char *at = strstr(said, "listening on 127.0.0.1:");
        if (at && (f->port = atoi(at + strlen("listening on 127.0.0.1:"))) > 0)
            return;
        usleep(10000);
    }
    fail_msg("docker-registry did not start");
}

/* An image of real files, two layers, at 127.0.0.1:PORT/real:1. */
static inline void push_real_image(struct fixture *f, const char *skopeo_options)
{
    must(f, "umoci init --layout lay && umoci new --image lay:1"
            " && tar -C / -cf a.tar bin/busybox etc/passwd && tar -C /usr/share -cf "
            "b.tar perl"
            " && umoci raw add-layer --image lay:1 a.tar"
            " && umoci raw add-layer --image lay:1 b.tar");
    dr_auto_free char *push =
        dr_printf("skopeo copy -q --insecure-policy --dest-tls-verify=false %s oci:lay:1 "
                  "docker://127.0.0.1:%d/real:1",
                  skopeo_options, f->port);
    must(f, push);
}

#endif
