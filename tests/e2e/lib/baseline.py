#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The machine as dray may change it, as lines: mounts, links, namespaces, cgroups, processes,
directories of containers, temporary files. What images and layers are there is not part of
it: a pull may stay.

baseline.py E2E_DIR: of the suite in that directory, with DRAY_ROOT, DRAY_RUN_ROOT and TMPDIR.
One program instead of twenty, since every test asks it.
"""
import os
import sys

SUITE = sys.argv[1]
ROOT, RUN, TMP = (os.environ[name] for name in ("DRAY_ROOT", "DRAY_RUN_ROOT", "TMPDIR"))


def names(path, hidden=True, directories=False):
    try:
        with os.scandir(path) as entries:
            return sorted(e.path for e in entries if (hidden or not e.name.startswith(".")) and
                          (not directories or e.is_dir(follow_symlinks=False)))
    except OSError:
        return []


def below(path):
    found = []
    for where, dirs, files in os.walk(path):
        found += [os.path.join(where, name) for name in dirs + files]
    return sorted(found)


def mounts():
    with open("/proc/self/mountinfo") as file:
        return sorted(" ".join(line.split()[2:5]) for line in file)


def links():
    """Of our own namespace: /sys may be another's."""
    with open("/proc/self/net/dev") as file:
        return sorted(line.split(":")[0].strip() for line in file if ":" in line)


def cgroups():
    """The directory that all containers share may stay."""
    return sorted(where for where, _, _ in os.walk("/sys/fs/cgroup") if "/dray/" in where)


def processes():
    """Helpers, monitors and runtimes that run out of this suite's directories."""
    found = []
    for pid in os.listdir("/proc"):
        if not pid.isdigit():
            continue
        try:
            exe = os.readlink("/proc/%s/exe" % pid)
            with open("/proc/%s/cmdline" % pid) as file:
                words = file.read().replace("\0", " ")
        except (OSError, ValueError):
            continue
        if exe.startswith(ROOT + "/bin/"):
            found.append("helper: " + words)
        elif os.path.basename(exe) in ("crun", "runc", "youki") and SUITE in words:
            found.append("runtime: " + words)
    return sorted(found)


for what, found in (
        ("mounts", mounts()), ("links", links()),
        ("named network namespaces", names("/run/netns")), ("cgroups", cgroups()),
        ("processes", processes()), ("run directory",
         [path for path in names(RUN, directories=True) if path != RUN + "/networks"]),
        ("members of networks",
         [path for path in below(RUN + "/networks") if path.endswith((".json", ".end"))]),
        ("containers, bundles, logs, volumes",
         names(ROOT + "/containers", hidden=False) + names(ROOT + "/bundles") +
         names(ROOT + "/logs") + names(ROOT + "/volumes", hidden=False)),
        ("temporary files, half layers",
         below(TMP) + below(ROOT + "/tmp") + below(ROOT + "/layers/tmp"))):
    print(what + ":", *found, sep="\n")
