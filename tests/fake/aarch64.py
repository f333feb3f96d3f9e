#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""aarch64.py COMMAND...: runs COMMAND where `uname -m` says aarch64 and programs for that are
executed, by qemu-user-static. This machine itself learns nothing of it: since Linux 6.7 each
user namespace has a binfmt_misc of its own. Exit status 99: it cannot be done here."""
import ctypes
import os
import shutil
import sys

CLONE_NEWNS, CLONE_NEWUSER = 0x00020000, 0x10000000
MAGIC = r"\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00"
MASK = r"\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff"
libc = ctypes.CDLL(None, use_errno=True)


def must(rc, what):
    if rc != 0:
        sys.stderr.write("aarch64.py: %s: %s\n" % (what, os.strerror(ctypes.get_errno())))
        os._exit(99)


def enter_namespaces():
    """All ids are what they are outside; a child of the first process maps them."""
    outer, there, done = os.getpid(), os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        os.close(there[1])
        os.read(there[0], 1)
        for name in ("uid_map", "gid_map"):
            with open("/proc/%d/%s" % (outer, name), "w") as file:
                file.write("0 0 65536")
        os._exit(0)
    must(libc.unshare(CLONE_NEWUSER | CLONE_NEWNS), "unshare")
    os.write(there[1], b"x")
    if os.waitpid(child, 0)[1] != 0:
        os._exit(99)


def main():
    qemu = shutil.which("qemu-aarch64-static")
    if not qemu:
        return 99
    enter_namespaces()
    where = b"/proc/sys/fs/binfmt_misc"
    must(libc.mount(b"binfmt_misc", where, b"binfmt_misc", 0, None), "mount binfmt_misc")
    with open(where + b"/register", "w") as file:
        # F: opened now, whatever the root is later
        file.write(":qemu-aarch64:M::%s:%s:%s:F" % (MAGIC, MASK, qemu))
    # what uname says is the kernel's, and that is another's
    os.environ["PATH"] = os.path.join(os.path.dirname(os.path.realpath(__file__)),
                                      "aarch64-bin") + ":" + os.environ["PATH"]
    os.execvp(sys.argv[1], sys.argv[1:])


sys.exit(main())
