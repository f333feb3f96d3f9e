/* SPDX-License-Identifier: Apache-2.0 */
/* The rows of struct registry_args, for the option tables of the verbs that talk to
 * registries. at: offsetof() it in the verb's struct. */
#ifndef DRAY_CLI_REGISTRY_FLAGS_H
#define DRAY_CLI_REGISTRY_FLAGS_H

#include "cli/args.h"

#define REGISTRY_AT(at, member) (at) + offsetof(struct registry_args, member)

#define ROW_TEXT(name, slot, value, help)                                                \
    {                                                                                    \
        0, name, CLI_TEXT, slot, value, help                                             \
    }
#define ROW_BOOL(name, slot, help, on)                                                   \
    {                                                                                    \
        0, name, CLI_BOOL, slot, NULL, help, .otherwise = on                             \
    }

#define OPTION_AUTHFILE(at)                                                              \
    ROW_TEXT("authfile", REGISTRY_AT(at, authfile), "file",                              \
             "Credentials from this file only (env REGISTRY_AUTH_FILE)")
#define OPTION_CERT_DIR(at)                                                              \
    ROW_TEXT("cert-dir", REGISTRY_AT(at, cert_dir), "dir",                               \
             "CAs (*.crt) and a client's NAME.cert, NAME.key")
#define OPTION_CREDS(at)                                                                 \
    ROW_TEXT("creds", REGISTRY_AT(at, creds), "USER[:PASS]",                             \
             "Credentials for the registry; better without PASS")
#define OPTION_PASSWORD_STDIN(at)                                                        \
    ROW_BOOL("password-stdin", REGISTRY_AT(at, password_stdin),                          \
             "Read the password from standard input", 0)
#define OPTION_SIGNATURE_POLICY(at)                                                      \
    OPTION_SIGNATURE_POLICY_AT(REGISTRY_AT(at, signature_policy))
#define OPTION_SIGNATURE_POLICY_AT(slot)                                                 \
    ROW_TEXT("signature-policy", slot, "file",                                           \
             "A policy.json: which images and signatures are trusted")
#define OPTION_TLS_CA(at)                                                                \
    ROW_TEXT("tls-ca", REGISTRY_AT(at, tls_ca), "file",                                  \
             "Trust the CAs in this PEM file, too")
#define OPTION_TLS_VERIFY(at)                                                            \
    ROW_BOOL("tls-verify", REGISTRY_AT(at, tls_verify),                                  \
             "TLS with a good certificate only (default true)", 1)

/* Of one of two registries, named as skopeo does: "src" or "dest". */
#define OPTIONS_SIDE(side, at)                                                           \
    ROW_TEXT(side "-authfile", REGISTRY_AT(at, authfile), "file",                        \
             "As --authfile, of " side " only"),                                         \
        ROW_TEXT(side "-cert-dir", REGISTRY_AT(at, cert_dir), "dir",                     \
                 "As --cert-dir, of " side " only"),                                     \
        ROW_TEXT(side "-creds", REGISTRY_AT(at, creds), "USER[:PASS]",                   \
                 "As --creds, of " side " only"),                                        \
        ROW_TEXT(side "-tls-ca", REGISTRY_AT(at, tls_ca), "file",                        \
                 "As --tls-ca, of " side " only"),                                       \
        ROW_BOOL(side "-tls-verify", REGISTRY_AT(at, tls_verify),                        \
                 "As --tls-verify, of " side " only", 1)

/* The rows of struct lock_args. */
#define LOCK_AT(at, member) (at) + offsetof(struct lock_args, member)

#define OPTION_LOCK(at)                                                                  \
    ROW_BOOL("lock", LOCK_AT(at, lock),                                                  \
             "Pin the tag in dray.lock, and pull just that from then on", 0)
#define OPTION_LOCK_FILE(at)                                                             \
    ROW_TEXT("lock-file", LOCK_AT(at, file), "file", "As --lock, in another file")
#define OPTION_LOCK_UPDATE(at)                                                           \
    ROW_BOOL("lock-update", LOCK_AT(at, update),                                         \
             "As --lock, but pin what the tag means now", 0)

#endif
