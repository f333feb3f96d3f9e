#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compare two directory trees: type, content, owner, mode, mtime, xattrs, link targets, hard links.

usage: compare-trees.py [--no-mtime-of PATH]... [--no-nlink] A B

Prints one line per difference and exits with 1 when there is any. Paths are bytes; overlayfs' own
xattrs and security.selinux are left out. Access times and inode numbers are not compared, nor
is the mtime of the two roots (in an overlay mount it is the upper directory's).
"""
import argparse
import hashlib
import os
import stat
import sys

IGNORED_XATTRS = ("trusted.overlay.", "user.overlay.", "security.selinux", "user.rootlesscontainers")


def xattrs(path):
    try:
        names = os.listxattr(path, follow_symlinks=False)
    except OSError:
        return {}
    return {
        n: os.getxattr(path, n, follow_symlinks=False)
        for n in names
        if not n.startswith(IGNORED_XATTRS)
    }


def content(path):
    digest = hashlib.sha256()
    with open(path, "rb") as f:
        for chunk in iter(lambda: f.read(1 << 20), b""):
            digest.update(chunk)
    return digest.hexdigest()


def describe(root):
    """{relative path: properties}, with the groups of hard links as sets of names."""
    root = os.fsencode(root)
    tree, inodes = {}, {}
    pending = [b""]
    while pending:
        rel = pending.pop()
        path = os.path.join(root, rel) if rel else root
        st = os.lstat(path)
        kind = stat.S_IFMT(st.st_mode)
        item = {
            "type": kind,
            "mode": oct(stat.S_IMODE(st.st_mode)),
            "owner": (st.st_uid, st.st_gid),
            "mtime": st.st_mtime_ns,
            "xattrs": xattrs(path),
        }
        if kind == stat.S_IFREG:
            item["size"] = st.st_size
            item["content"] = content(path)
        elif kind == stat.S_IFLNK:
            item["target"] = os.readlink(path)
        elif kind in (stat.S_IFCHR, stat.S_IFBLK):
            item["device"] = st.st_rdev
        elif kind == stat.S_IFDIR:
            pending += [os.path.join(rel, n) for n in os.listdir(path)]
        if kind != stat.S_IFDIR:
            item["nlink"] = st.st_nlink
            inodes.setdefault((st.st_dev, st.st_ino), []).append(rel)
        tree[rel] = item
    for names in inodes.values():
        for name in names:
            tree[name]["links"] = sorted(names)
    return tree


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--no-mtime-of", action="append", default=[], type=os.fsencode,
                        help="a path whose mtime nobody promises")
    parser.add_argument("--no-nlink", action="store_true")
    parser.add_argument("a")
    parser.add_argument("b")
    args = parser.parse_args()
    a, b = describe(args.a), describe(args.b)
    count = 0
    for path in sorted(set(a) | set(b)):
        shown = path.decode("utf-8", "backslashreplace") or "."
        if path not in a or path not in b:
            print(f"{shown}: only in {args.a if path in a else args.b}")
            count += 1
            continue
        for key in sorted(set(a[path]) | set(b[path])):
            if key == "mtime" and (not path or path in args.no_mtime_of):
                continue
            if key == "nlink" and args.no_nlink:
                continue
            x, y = a[path].get(key), b[path].get(key)
            if x != y:
                print(f"{shown}: {key}: {x!r} != {y!r}")
                count += 1
    print(f"{len(a)} and {len(b)} entries, {count} differences")
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main())
