#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes an assembler file that carries a binary, and a header with its SHA-256.

usage: embed.py NAME BINARY OUT.S OUT.h
"""
import hashlib
import sys

name, binary, out_asm, out_header = sys.argv[1:]
with open(binary, "rb") as f:
    data = f.read()
sha256 = hashlib.sha256(data).hexdigest()
with open(out_asm, "w") as f:
    # with the digest, since ccache may look at this text alone
    f.write(f"""/* made by embed.py of {sha256} */
#ifdef __ELF__
    .section .rodata
#else
    .section .rdata,"dr"
#endif
    .global {name}_start
    .balign 16
{name}_start:
    .incbin "{binary}"
#ifdef __ELF__
    .section .note.GNU-stack,"",%progbits
#endif
""")
with open(out_header, "w") as f:
    f.write(f"""/* made by embed.py */
extern const unsigned char {name}_start[];
#define {name.upper()}_SIZE {len(data)}u
#define {name.upper()}_SHA256 "{sha256}"
""")
