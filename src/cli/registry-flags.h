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
    {                                                                                    \
        0, "signature-policy", CLI_TEXT, REGISTRY_AT(at, signature_policy), "file",      \
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

#endif
