#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the layers of the "layers" image: what a tar can hold that a copy easily loses.

usage: layer-tar.py N OUT.tar      (N = 1..5, base first)

Layer 1 is a tree with every kind of entry. Layer 2 removes, replaces and links across
layers. Layer 3 has an opaque directory and a whiteout. Layer 4 puts things back that
were removed and changes metadata only. Layer 5 names files without their parents, which
only lower layers have, one of them as a symlink: the parents must stay what they are.
"""
import io
import sys
import tarfile

OLD = 1_000_000_000  # 2001
BEFORE_1970 = -86_400 * 365


class Layer:
    def __init__(self, path):
        self.tar = tarfile.open(path, "w", format=tarfile.PAX_FORMAT,
                                encoding="utf-8", errors="surrogateescape")

    def add(self, name, kind=tarfile.REGTYPE, data=b"", mode=0o644, uid=0, gid=0,
            mtime=OLD, link="", xattrs=None, dev=(0, 0)):
        info = tarfile.TarInfo(name)
        info.type, info.mode, info.uid, info.gid = kind, mode, uid, gid
        info.mtime, info.linkname = mtime, link
        info.devmajor, info.devminor = dev
        info.size = len(data)
        for key, value in (xattrs or {}).items():
            info.pax_headers["SCHILY.xattr." + key] = value.decode("utf-8", "surrogateescape")
        self.tar.addfile(info, io.BytesIO(data))

    def dir(self, name, **more):
        self.add(name, tarfile.DIRTYPE, mode=more.pop("mode", 0o755), **more)


def one(t):
    t.dir("./", mtime=OLD)
    t.dir("dir", mode=0o750, uid=1, gid=2, mtime=OLD + 1)
    t.add("dir/file", data=b"one\n", mode=0o640, uid=1000, gid=1000)
    t.add("dir/setuid", data=b"x", mode=0o4755)
    t.add("dir/setgid", data=b"x", mode=0o2755, gid=42)
    t.add("dir/none", data=b"x", mode=0o000)
    t.dir("sticky", mode=0o1777)
    t.dir("setgid-dir", mode=0o2775, gid=50)
    t.add("link-abs", tarfile.SYMTYPE, link="/dir/file", mode=0o777)
    t.add("link-up", tarfile.SYMTYPE, link="../../../etc/passwd", mode=0o777)
    t.add("link-dangling", tarfile.SYMTYPE, link="nowhere", mode=0o777, uid=7, gid=7)
    t.add("hard-a", data=b"shared by three names\n", mode=0o600, uid=3)
    t.add("hard-b", tarfile.LNKTYPE, link="hard-a", mode=0o600, uid=3)
    t.add("dir/hard-c", tarfile.LNKTYPE, link="./hard-a", mode=0o600, uid=3)
    t.add("fifo", tarfile.FIFOTYPE, mode=0o620)
    t.add("xattrs", data=b"x", xattrs={"user.note": b"hello"})
    # CAP_NET_RAW+ep, VFS_CAP_REVISION_2
    cap = bytes.fromhex("0100000200200000000000000000000000000000")
    t.add("ping", data=b"#!/bin/sh\n", mode=0o755, xattrs={"security.capability": cap})
    t.dir("xattr-dir", xattrs={"user.on-a-directory": b"yes"})
    t.add("name with spaces \u00e4\u20ac", data=b"utf-8")
    t.add("n" * 120, data=b"longer than ustar's name")
    t.dir("p" * 90)
    t.dir("p" * 90 + "/" + "q" * 90)
    t.add("p" * 90 + "/" + "q" * 90 + "/" + "r" * 90, data=b"longer than ustar's prefix")
    t.add("link-long", tarfile.SYMTYPE, link="t" * 150, mode=0o777)
    t.add("empty", data=b"")
    t.add("big-uid", data=b"x", uid=2_000_000_000, gid=2_000_000_001)
    t.add("fraction", data=b"x", mtime=OLD + 0.5)
    t.add("before-1970", data=b"x", mtime=BEFORE_1970)
    t.add("zeros", data=bytes(300_000))
    for name in ("gone-file", "gone-dir/a", "gone-dir/b/c", "swap-file", "swap-dir/x",
                 "opaque/old-1", "opaque/old-2/deep", "back/was-here"):
        parent = name.rpartition("/")[0]
        if parent and parent not in t.seen:
            path = ""
            for part in parent.split("/"):
                path = path + "/" + part if path else part
                if path not in t.seen:
                    t.seen.add(path)
                    t.dir(path)
        t.add(name, data=name.encode())
    t.dir("usr")
    t.dir("usr/lib")
    t.add("lib", tarfile.SYMTYPE, link="usr/lib", mode=0o777)


def two(t):
    t.add(".wh.gone-file")
    t.add(".wh.gone-dir")
    t.dir("swap-file")
    t.add("swap-file/now-a-directory", data=b"x")
    t.add("swap-dir", data=b"now a file")
    # a parent that only the lower layer has, as a symlink: must land in usr/lib
    t.add("usr/lib/libone.so", data=b"by its real name")
    t.add("dir/file", data=b"two\n", mode=0o644, uid=1001, gid=1001, mtime=OLD + 5)
    t.dir("new-in-two", uid=5, gid=5)
    t.add("new-in-two/a", data=b"a")
    t.add("new-in-two/b", tarfile.LNKTYPE, link="new-in-two/a")


def three(t):
    # the marker comes after a sibling on purpose: its place in the tar does not matter
    t.dir("opaque", mode=0o711)
    t.add("opaque/new", data=b"the only one left")
    t.add("opaque/.wh..wh..opq")
    t.dir("back")
    t.add("back/.wh.was-here")
    t.add("dir/.wh.none")


def four(t):
    t.dir("back", mtime=OLD + 9)
    t.add("back/was-here", data=b"again")
    t.dir("dir", mode=0o700, uid=11, gid=12, mtime=OLD + 10)
    t.add("gone-dir", data=b"a file takes the name of a removed directory")


def five(t):
    t.add("setgid-dir/implied", data=b"the parent keeps its mode, owner and time")
    t.add("xattr-dir/implied", data=b"and its xattrs")
    t.add("lib/libtwo.so", data=b"through the symlink")


def main():
    layer = Layer(sys.argv[2])
    layer.seen = set()
    {"1": one, "2": two, "3": three, "4": four, "5": five}[sys.argv[1]](layer)
    layer.tar.close()


main()
