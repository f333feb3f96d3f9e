#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""without-nft.py COMMAND...: runs COMMAND, and what it starts, as on a kernel without
nf_tables: a seccomp filter refuses its sockets (EPROTONOSUPPORT)."""
import ctypes
import errno
import os
import platform
import struct
import sys

SOCKET = {"x86_64": 41, "aarch64": 198}[platform.machine()]
AF_NETLINK, NETLINK_NETFILTER = 16, 12
LOAD, EQUAL, RETURN = 0x20, 0x15, 0x06  # BPF_LD|W|ABS, BPF_JMP|JEQ|K, BPF_RET|K
program = [
    (LOAD, 0, 0, 0),  # seccomp_data: nr
    (EQUAL, 0, 5, SOCKET),
    (LOAD, 0, 0, 16),  # args[0]
    (EQUAL, 0, 3, AF_NETLINK),
    (LOAD, 0, 0, 32),  # args[2]
    (EQUAL, 0, 1, NETLINK_NETFILTER),
    (RETURN, 0, 0, 0x00050000 | errno.EPROTONOSUPPORT),  # SECCOMP_RET_ERRNO
    (RETURN, 0, 0, 0x7FFF0000),  # SECCOMP_RET_ALLOW
]
filters = b"".join(struct.pack("HBBI", *step) for step in program)
buffer = ctypes.create_string_buffer(filters)
fprog = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(program), ctypes.addressof(buffer)))
libc = ctypes.CDLL(None, use_errno=True)
libc.prctl.argtypes = [ctypes.c_int] + [ctypes.c_ulong] * 4
# PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP with SECCOMP_MODE_FILTER
if libc.prctl(38, 1, 0, 0, 0) or libc.prctl(22, 2, ctypes.addressof(fprog), 0, 0):
    sys.exit(f"without-nft.py: prctl: {os.strerror(ctypes.get_errno())}")
os.execvp(sys.argv[1], sys.argv[1:])
