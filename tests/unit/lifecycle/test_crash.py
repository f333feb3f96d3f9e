# SPDX-License-Identifier: Apache-2.0
"""Kills the helper or the monitor at every step of a container's life (HAZARDS H5).

    test_crash.py <dray-guest> <runtime> [step [work|fault...]]

strace kills whichever of the two makes the N-th call that changes something (fault KILL), or
the N-th one that needs space fails (ENOSPC); the next command must be back at the baseline
(I4). step > 1 tries every step-th N only, which is what the suite does with one work on
networks; the rest is by hand: `tests/e2e/lib/sandbox python3 test_crash.py …`.
"""
import os
import shutil
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
only = sys.argv[4:]
step = int(sys.argv[3]) if len(sys.argv) > 3 else 1
del sys.argv[3:]
import test_lifecycle as life  # noqa: E402
from session import GuestError, busybox_layer  # noqa: E402

LAST = 300  # the helper's and the monitor's calls; only a runtime makes more
CALLS = ("mkdir,mkdirat,openat,rename,renameat,symlink,unlink,unlinkat,rmdir,mount,umount2,vfork,"
         "sendmsg,sendto,setns,socketpair,socket,bind,listen,unshare,pipe2,fchmod,chown,chmod,write,flock,"
         "pidfd_open,readlink,execve")
NEED_SPACE = "mkdir,mkdirat,openat,rename,renameat,symlink,write"


def networks():
    """Links, routes, rules and members of ours, whoever they are of: nobody else has any."""
    def said(*command):
        return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                              text=True, check=False).stdout.splitlines()
    members = [os.path.join(where, name) for where, _, names in os.walk(life.RUN + "/networks")
               for name in names if name.endswith((".json", ".end"))]
    with open("/proc/net/dev", encoding="ascii") as file:
        links = [line.split(":")[0].strip() for line in file if "dr-" in line]
    return {"links": links, "members": members,
            "rules": [line for line in said("nft", "list", "tables") if "dray-" in line],
            "routes": [line for line in said("ip", "route", "show", "table", "all") +
                       said("ip", "-6", "route", "show", "table", "all") if "dr-" in line]}


def baseline():
    return dict(life.baseline(), **networks())


def trial(n, fault, work):
    """True when the fault hit somebody."""
    log, begun = life.BASE + "/strace", time.time()
    wrap = ["strace", "-f", "-o", log, "-e", "trace=" + CALLS, "-e",
            "inject=%s:%s:when=%d" % (NEED_SPACE if "ENOSPC" in fault else CALLS, fault, n)]
    try:
        s = life.session(wrap=wrap)
        try:
            work(s)
        finally:
            s.process.stdin.close()
            s.process.wait(30)
            s.process.stdout.close()
    except (EOFError, OSError, GuestError, AssertionError):
        pass
    text = open(log, errors="replace").read()
    if os.environ.get("CRASH_TIMES"):
        print("# %s %d: %.1f s" % (fault, n, time.time() - begun), flush=True)
    return "killed by SIGKILL" in text or "(INJECTED)" in text


def settle():
    """What the next command finds, and leaves."""
    with life.session() as s:
        left = s.items("container.list", all=True)
        for item in left:
            life.IDS.add(item["id"])
            assert item["status"] in ("created", "exited", "running", "restarting"), item
            assert s.call("container.state", id=item["name"])["id"] == item["id"]
            s.call("container.remove", id=item["id"], force=True, volumes=True)
        if any(n["Name"] == "made" for n in s.items("network.list")):
            s.call("network.remove", name="made")
    return left


def run_rm(s):
    channel = s.open("container.run", attach=True, spec=life.spec(
        "sh", "-c", "echo hi", auto_remove=True, mounts=[{"type": "volume", "target": "/data"}]))
    channel.wait(30)


def run_then_remove(s):
    channel = s.open("container.run", attach=False, spec=life.spec("sleep", "100", name="x"))
    channel.wait(30)
    s.call("container.remove", id="x", force=True, volumes=True)


def rename_and_update(s):
    a = s.call("container.create", spec=life.spec("sleep", "100", name="x"))["id"]
    s.call("container.rename", id=a, name="y")
    s.call("container.update", id=a, pids_limit=50, restart="always")
    assert s.call("container.state", id=a)["name"] == "y"
    s.call("container.remove", id=a)


def run_restarted(s):
    """Its monitor starts it three times, and looks at its health."""
    channel = s.open("container.run", attach=False, spec=life.spec(
        "sh", "-c", "sleep 0.05; exit 1", name="x", restart="on-failure", restart_max=2,
        health_test=["CMD", "true"], health_interval_ns=20000000))
    channel.wait(30)
    s.open("container.wait", id="x").wait(30)
    s.call("container.remove", id="x", force=True, volumes=True)


ON_NETWORKS = {"networks": [{"name": "crash"}, {"name": "bridge"}],
               "ports": [{"container_port": 80, "protocol": "tcp"},
                         {"container_port": 53, "protocol": "udp"}]}


def run_on_networks(s):
    channel = s.open("container.run", attach=True, spec=life.spec(
        "true", auto_remove=True, **ON_NETWORKS))
    channel.wait(30)


def connect_and_disconnect(s):
    # strace waits for it when the helper is killed
    channel = s.open("container.run", attach=False, spec=life.spec("sleep", "2", name="x"))
    channel.wait(30)
    s.call("network.connect", network="crash", container="x")
    s.call("network.disconnect", network="crash", container="x")
    s.call("container.remove", id="x", force=True, volumes=True)


def make_and_remove_a_network(s):
    s.call("network.create", name="made", ipv6=True)
    channel = s.open("container.run", attach=True, spec=life.spec(
        "true", auto_remove=True, networks=[{"name": "made"}]))
    channel.wait(30)
    s.call("network.remove", name="made")


WORKS = [w for w in (run_rm, run_then_remove, rename_and_update, run_restarted, run_on_networks,
                     connect_and_disconnect, make_and_remove_a_network)
         if w.__name__ in only or not set(only) - {"KILL", "ENOSPC"}]
FAULTS = [f for f in ("signal=KILL", "error=ENOSPC")
          if f.split("=")[1] in only or not {"KILL", "ENOSPC"} & set(only)]


def main():
    with life.session() as s:
        s.put_image(life.IMAGE, [busybox_layer()], {"Env": ["PATH=/bin"]})
        life.run(s, "true")
        s.call("network.create", name="crash",
               subnets=[{"subnet": "10.213.77.0/24"}, {"subnet": "fd77:77::/64"}])
    for _ in range(200):  # the first monitor is on its way out
        before, failed, trials = baseline(), 0, 0
        if not before["processes"]:
            break
        time.sleep(0.05)
    for work in WORKS:
        for fault in FAULTS:
            n, misses = 1, 0
            while misses < 3 and n <= LAST:
                hit = trial(n, fault, work)
                misses = 0 if hit else misses + 1
                trials += 1
                try:
                    left = settle()
                    if work in (run_rm, run_on_networks):
                        assert not [i for i in left if i["status"] != "running"], left
                    for _ in range(200):
                        after = baseline()
                        if after == before:
                            break
                        time.sleep(0.05)
                    assert after == before, {
                        k: ([x for x in after[k] if x not in before[k]],
                            [x for x in before[k] if x not in after[k]])
                        for k in after if after[k] != before[k]}
                except (AssertionError, GuestError, EOFError) as error:
                    failed += 1
                    print("not ok - %s %s at call %d: %r" % (work.__name__, fault, n, error),
                          flush=True)
                    shutil.copy(life.BASE + "/strace", "/tmp/crash-%s-%d" % (work.__name__, n))
                    settle()
                    before = baseline()
                n += step
            print("# %s %s: %d calls" % (work.__name__, fault, n), flush=True)
    print("%s - %d trials, %d failed" % ("not ok" if failed else "ok", trials, failed))
    if not failed:
        shutil.rmtree(life.BASE, ignore_errors=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
