/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DRAY_WIN_NETDB_H
#define DRAY_WIN_NETDB_H

#include <winsock2.h>
#include <ws2tcpip.h>
/* words of old compilers, and names of ours */
#undef near
#undef far
#undef small
#undef interface

#endif
