/* SPDX-License-Identifier: Apache-2.0 */
/* The rows of struct registry_args, for the option tables of the verbs that talk to
 * registries. at: offsetof() it in the verb's struct. */
#ifndef DRAY_CLI_REGISTRY_FLAGS_H
#define DRAY_CLI_REGISTRY_FLAGS_H

#include "cli/args.h"

#define REGISTRY_AT(at, member) (at) + offsetof(struct registry_args, member)

#define OPTION_AUTHFILE(at)                                                              \
    {                                                                                    \
        0, "authfile", CLI_TEXT, REGISTRY_AT(at, authfile), "file",                      \
            "Credentials from this file only (env REGISTRY_AUTH_FILE)"                   \
    }
#define OPTION_CERT_DIR(at)                                                              \
    {                                                                                    \
        0, "cert-dir", CLI_TEXT, REGISTRY_AT(at, cert_dir), "dir",                       \
            "CAs (*.crt) and a client's NAME.cert, NAME.key"                             \
    }
#define OPTION_CREDS(at)                                                                 \
    {                                                                                    \
        0, "creds", CLI_TEXT, REGISTRY_AT(at, creds), "USER[:PASS]",                     \
            "Credentials for the registry; better without PASS"                          \
    }
#define OPTION_PASSWORD_STDIN(at)                                                        \
    {                                                                                    \
        0, "password-stdin", CLI_BOOL, REGISTRY_AT(at, password_stdin), NULL,            \
            "Read the password from standard input"                                      \
    }
#define OPTION_SIGNATURE_POLICY(at)                                                      \
    OPTION_SIGNATURE_POLICY_AT(REGISTRY_AT(at, signature_policy))
#define OPTION_SIGNATURE_POLICY_AT(slot)                                                 \
    {                                                                                    \
        0, "signature-policy", CLI_TEXT, slot, "file",                                   \
            "A policy.json: which images and signatures are trusted"                     \
    }
#define OPTION_TLS_CA(at)                                                                \
    {                                                                                    \
        0, "tls-ca", CLI_TEXT, REGISTRY_AT(at, tls_ca), "file",                          \
            "Trust the CAs in this PEM file, too"                                        \
    }
#define OPTION_TLS_VERIFY(at)                                                            \
    {                                                                                    \
        0, "tls-verify", CLI_BOOL, REGISTRY_AT(at, tls_verify), NULL,                    \
            "TLS with a good certificate only (default true)", .otherwise = 1            \
    }

/* Of one of two registries, named as skopeo does: "src" or "dest". */
#define OPTIONS_SIDE(side, at)                                                           \
    {0,        side "-authfile",                                                         \
     CLI_TEXT, REGISTRY_AT(at, authfile),                                                \
     "file",   "As --authfile, of " side " only"},                                       \
        {0,        side "-cert-dir",                                                     \
         CLI_TEXT, REGISTRY_AT(at, cert_dir),                                            \
         "dir",    "As --cert-dir, of " side " only"},                                   \
        {0,                                                                              \
         side "-creds",                                                                  \
         CLI_TEXT,                                                                       \
         REGISTRY_AT(at, creds),                                                         \
         "USER[:PASS]",                                                                  \
         "As --creds, of " side " only"},                                                \
        {0,        side "-tls-ca",                                                       \
         CLI_TEXT, REGISTRY_AT(at, tls_ca),                                              \
         "file",   "As --tls-ca, of " side " only"},                                     \
    {                                                                                    \
        0, side "-tls-verify", CLI_BOOL, REGISTRY_AT(at, tls_verify), NULL,              \
            "As --tls-verify, of " side " only", .otherwise = 1                          \
    }

/* The rows of struct lock_args. */
#define LOCK_AT(at, member) (at) + offsetof(struct lock_args, member)

#define OPTION_LOCK(at)                                                                  \
    {                                                                                    \
        0, "lock", CLI_BOOL, LOCK_AT(at, lock), NULL,                                    \
            "Pin the tag in dray.lock, and pull just that from then on"                  \
    }
#define OPTION_LOCK_FILE(at)                                                             \
    {                                                                                    \
        0, "lock-file", CLI_TEXT, LOCK_AT(at, file), "file",                             \
            "As --lock, in another file"                                                 \
    }
#define OPTION_LOCK_UPDATE(at)                                                           \
    {                                                                                    \
        0, "lock-update", CLI_BOOL, LOCK_AT(at, update), NULL,                           \
            "As --lock, but pin what the tag means now"                                  \
    }

#endif
