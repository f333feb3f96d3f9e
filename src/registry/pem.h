/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Certificates and keys as files have them (PEM, RFC 7468), for Windows' TLS, which wants
 * other forms of them: a pair becomes a PKCS#12 (RFC 7292), and a kind of key that it
 * does not know is named before a handshake fails for it.
 */
#ifndef DRAY_REGISTRY_PEM_H
#define DRAY_REGISTRY_PEM_H

#include <stdbool.h>

#include "base/buf.h"

#define PEM_FILE_MAX (64u << 10) /* of a client's certificates, and of its key */

/* The next block behind *at, whatever stands between: its label ("CERTIFICATE"), owned,
 * and its bytes. 0: there is none, -1: what is there is damaged. */
int pem_next(const char **at, char **ret_label, struct dr_buf *ret_der);

/* The name of a kind of key in one of the certificates that Schannel knows none of
 * ("Ed25519"); NULL: there is none. */
const char *pem_foreign_key(const char *certificates);

/*
 * cert: the client's certificate, then those that lead to its CA; key: RSA or ECDSA, in
 * PKCS#8 or the older forms. The PKCS#12 has neither a password nor a MAC (Windows takes
 * it so), and is as secret as the key. DR_ERR_CONFIG: without the files' names.
 */
int pem_to_pkcs12(const char *cert, const char *key, struct dr_buf *ret,
                  struct dr_error *err);

#endif
