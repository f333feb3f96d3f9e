# SPDX-License-Identifier: Apache-2.0
"""Pause, rename, names, and what else is done to a container. Needs root.

    test_verbs.py <dray-guest> <runtime> [test…]
"""
import json
import os
import shutil
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import test_lifecycle as life  # noqa: E402
from session import DATA, GuestError  # noqa: E402
from test_lifecycle import IDS, ROOT, detached, refused, session, settled, spec  # noqa: E402


def create(s, *args, **members):
    container = s.call("container.create", spec=spec(*args, **members))["id"]
    IDS.add(container)
    return container


def gone(s, *containers):
    for container in containers:
        s.call("container.remove", id=container, force=True)


def state(s, container):
    return s.call("container.state", id=container)


def shown(s, container):
    """What list, state and inspect say must be one."""
    item = [i for i in s.items("container.list", all=True) if i["id"] == container][0]
    one, docker = state(s, container), s.call("container.inspect", id=container)["State"]
    assert one == item, (one, item)
    assert docker["Paused"] == (item["status"] == "paused"), docker
    assert docker["Status"] == item["status"], docker
    return item["status"]


def together(*calls):
    """Each in a session of its own, at once; their answers or errors."""
    results, barrier = [None] * len(calls), threading.Barrier(len(calls))

    def one(i, call):
        with session() as s:
            s.call("container.list")  # it is there
            barrier.wait()
            try:
                results[i] = call(s)
            except GuestError as error:
                results[i] = error

    threads = [threading.Thread(target=one, args=(i, c)) for i, c in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def events(s, since, **members):
    return s.items("system.events", since_ns=since, until_ns=time.time_ns(), **members)


# --- pause -----------------------------------------------------------------------------------

COUNTER = ("sh", "-c", "i=0; while :; do i=$((i+1)); echo $i > /tmp/n; done")


def count(s, container):
    pid = state(s, container)["pid"]
    try:
        return int(open("/proc/%d/root/tmp/n" % pid).read() or 0)
    except FileNotFoundError:
        return 0


def a_paused_container_stands_still_and_goes_on_C20():
    with session() as s:
        a = detached(s, *COUNTER)
        settled(lambda: count(s, a) > 0, "it does not count")
        s.call("container.pause", id=a)
        assert shown(s, a) == "paused"
        assert a in [i["id"] for i in s.items("container.list")]  # it is one that runs
        before = count(s, a)
        time.sleep(0.3)
        assert count(s, a) == before
        s.call("container.unpause", id=a)
        assert shown(s, a) == "running"
        settled(lambda: count(s, a) != before, "it does not go on")
        gone(s, a)


def pausing_in_another_state_is_a_conflict():
    with session() as s:
        a = detached(s, "sleep", "1000")
        refused("conflict", "is not paused", lambda: s.call("container.unpause", id=a))
        s.call("container.pause", id=a)
        refused("conflict", "is already paused", lambda: s.call("container.pause", id=a))
        refused("conflict", "is paused, unpause the container before exec",
                lambda: s.call("container.exec", id=a, args=["true"]))
        refused("conflict", "is running", lambda: s.call("container.remove", id=a))
        gone(s, a)
        b = create(s, "true")
        refused("conflict", "is not running (it is created)",
                lambda: s.call("container.pause", id=b))
        refused("conflict", "is not running", lambda: s.call("container.unpause", id=b))
        refused("not found", "no such container: nobody",
                lambda: s.call("container.pause", id="nobody"))
        gone(s, b)


def a_paused_container_can_be_stopped_killed_and_removed():
    with session() as s:
        a = detached(s, "sh", "-c", "trap 'exit 3' TERM; echo up; while :; do sleep 0.1; done")
        life.wait_log(s, a, b"up\n")
        s.call("container.pause", id=a)
        s.call("container.stop", id=a, timeout_s=20)
        assert state(s, a)["exit_code"] == 3  # it got its signal, and ended by itself
        b = detached(s, "sleep", "1000")
        s.call("container.pause", id=b)
        s.call("container.kill", id=b, signal=9)
        assert s.call("container.wait", id=b)["exit_code"] == 137
        c = detached(s, "sleep", "1000")
        s.call("container.pause", id=c)
        begun = time.time()
        s.call("container.stop", id=c, timeout_s=0)
        d = detached(s, "sleep", "1000")
        s.call("container.pause", id=d)
        s.call("container.remove", id=d, force=True)
        assert time.time() - begun < 30
        gone(s, a, b, c)


def pausing_and_stopping_race_and_the_stop_always_wins():
    with session() as s:
        for _ in range(8):
            a = detached(s, "sleep", "1000", stop_timeout_s=1)

            def pauses(t):
                for _ in range(20):
                    t.call("container.pause", id=a)
                    t.call("container.unpause", id=a)

            results = together(lambda t: t.call("container.stop", id=a, timeout_s=0), pauses,
                               pauses)
            assert results[0] == {}, results[0]
            assert all(r is None or r.kind == "conflict" for r in results[1:]), \
                [getattr(r, "text", r) for r in results]
            assert state(s, a)["status"] == "exited"
            gone(s, a)


def an_exec_in_a_paused_container_can_be_dropped_C33():
    with session() as s:
        a = detached(s, "sleep", "1000")
        c = s.open("container.exec", id=a, args=["sleep", "77"])
        c.wait_event("started")
        settled(lambda: "sleep 77" in str(s.call("container.top", id=a)), "it does not run")
        s.call("container.pause", id=a)
        c.cancel()
        refused("cancelled", "", lambda: c.wait(20))
        s.call("container.unpause", id=a)
        settled(lambda: len(s.call("container.top", id=a)["processes"]) == 1, "it is left")
        gone(s, a)


# --- names -----------------------------------------------------------------------------------

def a_container_is_renamed_in_every_state():
    with session() as s:
        a = detached(s, "sleep", "1000", name="old")
        s.call("container.rename", id="old", name="new")
        refused("not found", "no such container: old",
                lambda: s.call("container.state", id="old"))
        assert s.call("container.inspect", id="new")["Name"] == "/new"
        assert shown(s, a) == "running" and state(s, a)["name"] == "new"
        s.call("container.stop", id="new", timeout_s=0)
        assert state(s, a)["name"] == "new"  # its monitor has not brought the old one back
        s.call("container.rename", id=a, name="newer")
        s.call("container.start", id="newer")
        assert state(s, "newer")["status"] == "running"
        gone(s, "newer")


def renaming_to_a_name_in_use_or_to_none_is_refused():
    with session() as s:
        a, b = create(s, "true", name="a"), create(s, "true", name="b")
        refused("exists", "the name b is in use by container " + b[:12],
                lambda: s.call("container.rename", id="a", name="b"))
        assert state(s, "a")["id"] == a and state(s, "b")["id"] == b
        refused("invalid spec", "called a already",
                lambda: s.call("container.rename", id="a", name="a"))
        for bad in ("", "-x", "a b", "../x", ".names", "x" * 129):
            refused("invalid spec", "invalid container name",
                    lambda: s.call("container.rename", id="a", name=bad))
        refused("invalid spec", "no name", lambda: s.call("container.rename", id="a"))
        gone(s, a, b)


def the_old_name_is_free_and_its_bundle_is_not_C13():
    """Rename and create never let two containers share a bundle or a log."""
    with session() as s:
        a = create(s, "sh", "-c", "echo one", name="web")
        s.call("container.rename", id=a, name="other")
        b = create(s, "sh", "-c", "echo two", name="web")
        one, two = [s.call("container.inspect", id=c) for c in (a, b)]
        assert one["Bundle"] == ROOT + "/bundles/web", one["Bundle"]
        assert two["Bundle"] == ROOT + "/bundles/web-" + b[:8], two["Bundle"]
        assert one["LogPath"] != two["LogPath"]
        assert two["Config"]["Hostname"] == "web"
        for container, text in ((a, b"one\n"), (b, b"two\n")):
            s.call("container.start", id=container)
            s.call("container.wait", id=container)
            logs = s.open("container.logs", id=container)
            logs.wait()
            assert bytes(logs.out[1]) == text
        gone(s, b)
        assert os.path.isdir(one["Bundle"]) and os.path.exists(one["LogPath"])
        c = create(s, "true", name="web")
        assert s.call("container.inspect", id=c)["Bundle"] == ROOT + "/bundles/web-" + c[:8]
        gone(s, a)
        assert os.path.isdir(ROOT + "/bundles/web-" + c[:8])
        gone(s, c)
        d = create(s, "true", name="web")
        assert s.call("container.inspect", id=d)["Bundle"] == ROOT + "/bundles/web"
        gone(s, d)


def two_renames_to_one_name_have_one_winner():
    with session() as s:
        ids = [create(s, "true", name="n%d" % i) for i in range(4)]
        for n in range(10):
            results = together(*[lambda t, i=i: t.call("container.rename", id=i,
                                                       name="prize%d" % n) for i in ids])
            won = [i for i, r in zip(ids, results) if r == {}]
            assert len(won) == 1, [getattr(r, "text", r) for r in results]
            assert all(r == {} or r.kind == "exists" for r in results)
            assert state(s, "prize%d" % n)["id"] == won[0]
        names = sorted(os.listdir(ROOT + "/containers/.names"))
        assert names == sorted(state(s, i)["name"] for i in ids), names
        gone(s, *ids)


def renaming_one_container_twice_at_once_leaves_one_name():
    with session() as s:
        a = create(s, "true", name="start")
        for n in range(10):
            results = together(*[lambda t, i=i: t.call("container.rename", id=a,
                                                       name="r%d-%d" % (n, i))
                                 for i in range(3)])
            assert all(r == {} for r in results), [getattr(r, "text", r) for r in results]
            assert os.listdir(ROOT + "/containers/.names") == [state(s, a)["name"]]
        gone(s, a)


def a_rename_that_was_cut_off_is_undone_or_done():
    names = ROOT + "/containers/.names/"
    with session() as s:
        a = create(s, "true", name="before")
        # cut off behind the symlink: it has its old name, and the new one is free
        os.symlink(a, names + "after")
        refused("not found", "no such container: after",
                lambda: s.call("container.state", id="after"))
        b = create(s, "true", name="after")
        assert state(s, "after")["id"] == b and state(s, "before")["id"] == a
        gone(s, b)
        # cut off behind the state: it has the new one, and the old is free
        path = "%s/containers/%s/" % (ROOT, a)
        os.symlink(a, names + "after")
        record, now = json.load(open(path + "spec.json")), json.load(open(path + "state.json"))
        record["renaming"], now["name"] = "after", "after"
        json.dump(record, open(path + "spec.json", "w"))
        json.dump(now, open(path + "state.json", "w"))
        assert state(s, "after")["id"] == a
        refused("not found", "no such container: before",
                lambda: s.call("container.state", id="before"))
        s.call("container.rename", id="after", name="last")
        assert state(s, "last")["id"] == a
        b = create(s, "true", name="before")
        gone(s, a, b)


def names_that_belong_to_nobody_are_swept_after_a_boot():
    names = ROOT + "/containers/.names/"
    with session() as s:
        a = create(s, "true", name="mine")
    os.symlink(a, names + "stale")
    os.symlink("0" * 64, names + "nobodys")
    os.unlink(life.RUN + "/reconciled")  # as a boot does
    with session() as s:
        s.call("container.list")
        assert os.listdir(names) == ["mine"]
        gone(s, a)


def renaming_and_removing_race_and_nothing_is_left():
    with session() as s:
        for n in range(10):
            a = create(s, "true", name="x")
            results = together(lambda t: t.call("container.rename", id=a, name="y"),
                               lambda t: t.call("container.remove", id=a))
            assert results[1] == {"id": a}, getattr(results[1], "text", results[1])
            assert results[0] == {} or results[0].kind in ("not found", "conflict")


def ids_that_differ_never_share_a_name_C05():
    with session() as s:
        ids, names = [], set()
        for service in ("a.b", "a-b", "a b", "a/b", "a_b"):
            for replica in (0, 1):
                made = s.call("container.create",
                              spec=spec("true", service=service, replica=replica,
                                        deployment="shop"))
                ids.append(made["id"])
                IDS.add(made["id"])
                names.add(made["name"])
                assert made["name"].endswith("-rep-%d" % replica)
                item = state(s, made["name"])
                assert (item["service"], item["replica"], item["deployment"]) == \
                    (service, replica, "shop"), item
                bundle = s.call("container.inspect", id=made["id"])["Bundle"]
                assert bundle == ROOT + "/bundles/" + made["name"]  # C13
        assert len(names) == 10 and "a-b-rep-0" in names
        refused("exists", "the name a-b-rep-0 is in use",
                lambda: s.call("container.create", spec=spec("true", service="a-b", replica=0)))
        refused("exists", "in use", lambda: s.call("container.create",
                                                   spec=spec("true", name="a-b-rep-0")))
        named = s.call("container.create", spec=spec("true", service="a-b", name="mine"))
        assert named["name"] == "mine" and state(s, "mine")["service"] == "a-b"
        plain = create(s, "true")
        assert "service" not in state(s, plain)
        gone(s, named["id"], plain, *ids)


# --- what is shown ---------------------------------------------------------------------------

def the_summary_has_the_end_of_the_last_run_C20():
    with session() as s:
        a = create(s, "sh", "-c", "exit 4")
        item = state(s, a)
        assert item["status"] == "created" and "exit_code" not in item, item
        assert item["restart_count"] == 0 and item["auto_remove"] is False
        s.call("container.start", id=a)
        s.call("container.wait", id=a)
        item = state(s, a)
        assert (item["status"], item["exit_code"], item["oom_killed"]) == ("exited", 4, False)
        gone(s, a)
        b = create(s, "nope")
        refused("start failed", "", lambda: s.call("container.start", id=b), 127)
        assert state(s, b)["error"] and state(s, b)["exit_code"] == 127
        gone(s, b)
        refused("not found", "no such container", lambda: s.call("container.state", id="zz"))


# --- update ----------------------------------------------------------------------------------

CGROUP = {"memory": ("memory/dray/%s/memory.limit_in_bytes", "dray/%s/memory.max"),
          "used": ("memory/dray/%s/memory.usage_in_bytes", "dray/%s/memory.current"),
          "quota": ("cpu/dray/%s/cpu.cfs_quota_us", "dray/%s/cpu.max"),
          "shares": ("cpu/dray/%s/cpu.shares", "dray/%s/cpu.weight"),
          "pids": ("pids/dray/%s/pids.max", "dray/%s/pids.max")}


def cgroup(what, container):
    for path in CGROUP[what]:
        path = "/sys/fs/cgroup/" + path % container
        if os.path.exists(path):
            return open(path).read().split()[0]
    return None


def limits(s, container):
    host = s.call("container.inspect", id=container)["HostConfig"]
    return host["Memory"], host["NanoCpus"], host["CpuShares"], host["PidsLimit"]


def config(s, container):
    bundle = s.call("container.inspect", id=container)["Bundle"]
    return json.load(open(bundle + "/config.json"))["linux"]["resources"]


def limits_of_a_running_container_change_at_once_and_stay():
    with session() as s:
        a = detached(s, "sleep", "1000", memory_bytes=64 << 20)
        devices = config(s, a)["devices"]
        s.call("container.update", id=a, memory_bytes=48 << 20, nano_cpus=500000000,
               cpu_shares=512, pids_limit=77)
        assert limits(s, a) == (48 << 20, 500000000, 512, 77)
        for run in range(2):
            assert cgroup("memory", a) == str(48 << 20), run
            assert cgroup("quota", a) == "50000"
            assert cgroup("pids", a) == "77"
            assert cgroup("shares", a) in ("512", "20", "59"), cgroup("shares", a)
            assert config(s, a)["devices"] == devices
            s.call("container.restart", id=a, timeout_s=0)
        s.call("container.update", id=a, memory_bytes=96 << 20)  # up as well
        assert cgroup("memory", a) == str(96 << 20) and cgroup("pids", a) == "77"
        s.call("container.update", id=a, memory_bytes=0, nano_cpus=0, pids_limit=-1)
        assert int(cgroup("memory", a).replace("max", "9" * 19)) > 1 << 60
        assert cgroup("quota", a) in ("-1", "max") and cgroup("pids", a) == "max"
        gone(s, a)


def limits_of_one_that_does_not_run_hold_when_it_starts():
    with session() as s:
        a = create(s, "sleep", "1000")
        s.call("container.update", id=a, memory_bytes=32 << 20, pids_limit=11)
        s.call("container.start", id=a)
        assert (cgroup("memory", a), cgroup("pids", a)) == (str(32 << 20), "11")
        gone(s, a)


def a_limit_below_what_is_in_use_is_refused_and_nothing_has_changed():
    with session() as s:
        a = detached(s, "sh", "-c", "head -c 30000000 /dev/zero | tr '\\0' x > /data/x; "
                     "x=$(cat /data/x /data/x); echo ready; sleep 1000", memory_bytes=512 << 20)
        settled(lambda: int(cgroup("used", a)) > 40 << 20, "it uses nothing", 60)
        before = (limits(s, a), config(s, a), cgroup("quota", a), cgroup("pids", a))
        refused("conflict", "more than the new limit of",
                lambda: s.call("container.update", id=a, nano_cpus=250000000, pids_limit=9,
                               memory_bytes=8 << 20))
        assert cgroup("memory", a) == str(512 << 20)
        assert (limits(s, a), config(s, a), cgroup("quota", a), cgroup("pids", a)) == before
        gone(s, a)


def what_cannot_be_updated_is_refused():
    with session() as s:
        a = create(s, "true", auto_remove=True)
        for text, members in (("image cannot be updated; memory_bytes", {"image": "x"}),
                              ("memory", {"memory_bytes": 1000}),
                              ("memory_bytes", {"memory_bytes": "64m"}),
                              ("pids", {"pids_limit": -7}),
                              ("more than the guest has", {"nano_cpus": 1000 * 10 ** 9}),
                              ("none of no, on-failure", {"restart": "sometimes"}),
                              ("on-failure only", {"restart_max": 3}),
                              ("removed with its end", {"restart": "always"})):
            refused("invalid spec", text, lambda: s.call("container.update", id=a, **members))
        assert limits(s, a) == (0, 0, 0, 0)
        gone(s, a)
        refused("not found", "", lambda: s.call("container.update", id=a, pids_limit=5))


def the_restart_policy_of_a_running_container_can_be_changed():
    with session() as s:
        wait = "until [ -e /go ]; do sleep 0.05; done; exit 3"
        a = detached(s, "sh", "-c", wait)
        s.call("container.update", id=a, restart="on-failure", restart_max=2)
        assert s.call("container.inspect", id=a)["HostConfig"]["RestartPolicy"] == \
            {"Name": "on-failure", "MaximumRetryCount": 2}
        s.open("container.exec", id=a, args=["touch", "/go"]).wait()
        assert s.call("container.wait", id=a) == {"exit_code": 3}
        assert state(s, a)["restart_count"] == 2
        b = detached(s, "sh", "-c", wait, restart="always")
        s.call("container.update", id=b, restart="no")
        s.open("container.exec", id=b, args=["touch", "/go"]).wait()
        assert s.call("container.wait", id=b) == {"exit_code": 3}
        gone(s, a, b)


def updating_and_stopping_race_and_both_answers_are_true():
    with session() as s:
        for n in range(8):
            a = detached(s, "sleep", "1000", pids_limit=50)
            results = together(lambda t: t.call("container.stop", id=a, timeout_s=0),
                               lambda t: t.call("container.update", id=a, pids_limit=60 + n),
                               lambda t: t.call("container.update", id=a, memory_bytes=64 << 20))
            assert results[0] == {}, getattr(results[0], "text", results[0])
            assert results[1:] == [{"warnings": []}] * 2, [getattr(r, "text", r) for r in results]
            assert limits(s, a) == (64 << 20, 0, 0, 60 + n)
            assert state(s, a)["status"] == "exited" and state(s, a)["exit_code"] == 137
            s.call("container.start", id=a)
            assert cgroup("pids", a) == str(60 + n)
            gone(s, a)


# --- restart ---------------------------------------------------------------------------------

def a_restart_is_a_stop_and_a_start_in_one():
    with session() as s:
        a = detached(s, "sh", "-c", "trap 'echo bye; exit 0' TERM; echo up; "
                     "while :; do sleep 0.1; done")
        settled(lambda: b"up" in logs(s, a), "it does not come up")
        before = state(s, a)
        since = time.time_ns()
        s.call("container.restart", id=a, timeout_s=20)
        now = state(s, a)
        assert now["status"] == "running" and now["pid"] != before["pid"]
        assert now["started_ns"] > before["started_ns"]
        settled(lambda: logs(s, a) == b"up\nbye\nup\n", logs(s, a))
        assert [e["action"] for e in events(s, since)] == \
            ["kill", "die", "stop", "start", "restart"]
        s.call("container.stop", id=a, timeout_s=20)
        s.call("container.restart", id=a)  # one that does not run is started
        assert state(s, a)["status"] == "running"
        s.call("container.pause", id=a)
        s.call("container.restart", id=a, timeout_s=20)
        assert state(s, a)["status"] == "running"
        gone(s, a)
        b = create(s, "sleep", "1000")
        s.call("container.restart", id=b)
        assert state(s, b)["status"] == "running"
        gone(s, b)
        refused("not found", "", lambda: s.call("container.restart", id=b))


def logs(s, container):
    channel = s.open("container.logs", id=container)
    channel.wait()
    return bytes(channel.out[1])


def one_that_goes_with_its_end_outlives_a_restart_and_goes_then():
    with session() as s:
        a = detached(s, "sh", "-c", "echo run >> /data/runs; sleep 1000", auto_remove=True)
        for run in range(3):
            runs = "/proc/%d/root/data/runs" % state(s, a)["pid"]
            settled(lambda: os.path.exists(runs) and open(runs).read() == "run\n" * (run + 1),
                    "its files are not those of the run before")
            if run < 2:
                s.call("container.restart", id=a, timeout_s=0)
                assert state(s, a)["status"] == "running"
        s.call("container.stop", id=a, timeout_s=0)
        refused("not found", "", lambda: state(s, a))


def restarts_at_once_leave_one_that_runs():
    with session() as s:
        a = detached(s, "sleep", "1000")
        for _ in range(4):
            results = together(*[lambda t: t.call("container.restart", id=a, timeout_s=0)] * 3)
            assert all(r == {} for r in results), [getattr(r, "text", r) for r in results]
            assert state(s, a)["status"] == "running"
        gone(s, a)


# --- top and stats ---------------------------------------------------------------------------

def top_shows_every_process_and_the_columns_that_were_asked_for():
    with session() as s:
        a = detached(s, "sh", "-c", "sleep 1001 & sleep 1002 & exec sleep 1003",
                     user="alice")
        settled(lambda: sorted(row[7] for row in s.call("container.top", id=a)["processes"]) ==
                ["sleep 1001", "sleep 1002", "sleep 1003"], "no three")
        top = s.call("container.top", id=a)
        assert top["titles"] == ["UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"]
        rows = {row[7]: row for row in top["processes"]}
        assert set(rows) == {"sleep 1001", "sleep 1002", "sleep 1003"}, rows
        pid = state(s, a)["pid"]
        assert rows["sleep 1003"][1] == str(pid) and rows["sleep 1001"][2] == str(pid)
        assert rows["sleep 1003"][5] == "?"
        columns = "PID, comm,nlwp args uid"
        short = s.call("container.top", id=a, columns=columns)
        assert short["titles"] == ["PID", "COMMAND", "NLWP", "COMMAND", "UID"]
        # busybox executes /proc/self/exe, and says its name a moment later
        settled(lambda: [str(pid), "sleep", "1", "sleep 1003", "1000"] in
                s.call("container.top", id=a, columns=columns)["processes"], "no such row")
        with open("/proc/%d/cmdline" % pid):
            pass
        error = refused("invalid spec", "there is no column 'colour'; there are pid, ppid",
                        lambda: s.call("container.top", id=a, columns="pid,colour"))
        assert "nlwp" in error.text
        refused("invalid spec", "no columns are named",
                lambda: s.call("container.top", id=a, columns=" , "))
        s.call("container.pause", id=a)
        assert len(s.call("container.top", id=a)["processes"]) == 3
        s.call("container.stop", id=a, timeout_s=0)
        refused("conflict", "is not running", lambda: s.call("container.top", id=a))
        gone(s, a)


def top_shows_what_exec_has_started_and_odd_words():
    with session() as s:
        a = detached(s, "sleep", "1000")
        s.call("container.exec", id=a, args=["sh", "-c", "sleep 77; : \x1b[31m\n"], detach=True)
        words = lambda: [row[0] for row in s.call(  # noqa: E731
            "container.top", id=a, columns="args")["processes"]]
        settled(lambda: sorted(words()) == ["sh -c sleep 77; : \\x1b[31m ", "sleep 1000",
                                            "sleep 77"], "words that were not asked for")
        gone(s, a)


def sample(s, **members):
    channel = s.open("container.stats", once=True, **members)
    channel.wait()
    assert channel.events[-1] == {"event": "round"}
    return [e for e in channel.events if e["event"] == "stats"]


NUMBERS = ("cpu_us", "memory_bytes", "pids", "pids_limit", "block_read_bytes",
           "block_write_bytes", "net_rx_bytes", "net_tx_bytes")


def stats_are_what_the_container_uses_C27():
    with session() as s:
        a = detached(s, "sh", "-c", "x=$(head -c 20000000 /dev/zero | tr '\\0' x); "
                     "while :; do :; done", memory_bytes=256 << 20, pids_limit=40)
        settled(lambda: sample(s, ids=[a])[0]["memory_bytes"] > 15 << 20, "it uses nothing", 60)
        one = sample(s, ids=[a])[0]
        time.sleep(0.5)
        two = sample(s, ids=[a])[0]
        assert two["cpu_us"] > one["cpu_us"] > 0
        assert two["system_cpu_us"] > one["system_cpu_us"] > one["cpu_us"]
        assert two["time_ns"] - one["time_ns"] > 400000000
        assert one["memory_limit_bytes"] == 256 << 20 and one["pids_limit"] == 40
        assert one["pids"] >= 1 and one["cpus"] == os.cpu_count()
        assert one["id"] == a and one["name"] == state(s, a)["name"]
        b = detached(s, "sleep", "1000")
        assert sample(s, ids=[b])[0]["memory_limit_bytes"] == 2 ** 63 - 1  # none
        gone(s, a, b)


def stats_of_one_that_does_not_run_are_zeros_C27():
    with session() as s:
        a = create(s, "true")
        item, = sample(s, ids=[a])
        assert all(item[key] == 0 for key in NUMBERS), item
        assert item["memory_limit_bytes"] == 2 ** 63 - 1 and item["time_ns"] > 0
        s.call("container.start", id=a)
        s.call("container.wait", id=a)
        item, = sample(s, ids=[a])
        assert all(item[key] == 0 for key in NUMBERS), item
        gone(s, a)
        refused("not found", "no such container", lambda: sample(s, ids=["nobody"]))
        refused("invalid spec", "interval_ms", lambda: sample(s, interval_ms=-1))
        assert sample(s) == [] and sample(s, ids=[]) == []


def stats_of_all_follow_who_comes_and_goes_C27():
    with session() as s, session() as t:
        stream = s.open("container.stats", interval_ms=50)
        rounds = lambda: sum(e["event"] == "round" for e in stream.events)  # noqa: E731
        s.pump(lambda: rounds() >= 2, 20)
        assert not [e for e in stream.events if e["event"] == "stats"]
        a, b = detached(t, "sleep", "1000"), create(t, "true")
        begun = len(stream.events)
        s.pump(lambda: any(e.get("id") == a for e in stream.events[begun:]), 20)
        assert not any(e.get("id") == b for e in stream.events)
        gone(t, a, b)
        s.call("container.list")  # what was sent before is read
        begun, ended = len(stream.events), rounds()
        s.pump(lambda: rounds() >= ended + 3, 20)
        last = [e for e in stream.events[begun:]]
        last = last[last.index({"event": "round"}) + 1:]
        last = last[last.index({"event": "round"}) + 1:]
        assert not any(e.get("id") == a for e in last)
        stream.cancel()
        refused("cancelled", "", stream.wait)


def network_of_a_host_container_is_counted_without_lo():
    with session() as s:
        a = detached(s, "sleep", "1000", networks=[{"name": "host"}])
        item, = sample(s, ids=[a])
        want = 0
        for line in open("/proc/net/dev").read().splitlines()[2:]:
            name, numbers = line.split(":")
            want += int(numbers.split()[0]) if name.strip() != "lo" else 0
        assert 0 <= want - item["net_rx_bytes"] < 50 << 20, (want, item)
        gone(s, a)


def inspect_has_dockers_shape_C28():
    with session() as s:
        a = create(s, "sh", "-c", "exit 3", name="shape", service="web", replica=2,
                   deployment="shop", memory_bytes=64 << 20, nano_cpus=500000000,
                   pids_limit=9, restart="on-failure", restart_max=1, labels=["a=b"],
                   stop_signal="SIGUSR1", stdin_open=True, log_max_files=3,
                   mounts=[{"type": "volume", "source": "v1", "target": "/v"},
                           {"type": "bind", "source": "/tmp", "target": "/t",
                            "read_only": True}])
        one = s.call("container.inspect", id=a)
        assert (one["Path"], one["Args"]) == ("sh", ["-c", "exit 3"])
        assert one["State"]["Status"] == "created" and one["State"]["Pid"] == 0
        assert one["State"]["StartedAt"] == "0001-01-01T00:00:00Z"
        host, config = one["HostConfig"], one["Config"]
        assert host["RestartPolicy"] == {"Name": "on-failure", "MaximumRetryCount": 1}
        assert (host["Memory"], host["MemorySwap"], host["NanoCpus"], host["PidsLimit"]) == \
            (64 << 20, 128 << 20, 500000000, 9)
        assert host["LogConfig"]["Type"] == "k8s-file"
        assert host["Binds"] == ["v1:/v", "/tmp:/t:ro"] and host["NetworkMode"] == "none"
        assert config["StopSignal"] == "SIGUSR1" and config["OpenStdin"] is True
        assert config["Labels"] == {"a": "b"} and config["Tty"] is False
        volume, bind = one["Mounts"]
        assert volume["Type"] == "volume" and volume["Name"] == "v1" and volume["RW"]
        assert volume["Source"] == ROOT + "/volumes/v1/_data" and volume["Driver"] == "local"
        assert bind == {"Type": "bind", "Source": "/tmp", "Destination": "/t", "Mode": "ro",
                        "RW": False, "Propagation": "rprivate"}, bind
        network = one["NetworkSettings"]
        assert network["Ports"] == {} and list(network["Networks"]) == ["none"]
        assert network["IPAddress"] == network["Networks"]["none"]["IPAddress"] == ""  # C23
        assert os.path.isdir(one["GraphDriver"]["Data"]["UpperDir"])
        assert os.path.exists(one["ResolvConfPath"]) and os.path.exists(one["HostsPath"])
        assert (one["Service"], one["Replica"], one["Deployment"]) == ("web", 2, "shop")
        s.call("container.start", id=a)
        s.call("container.wait", id=a)
        one = s.call("container.inspect", id=a)
        assert one["State"]["ExitCode"] == 3 and one["RestartCount"] == 1
        assert os.path.exists(one["LogPath"]) and one["State"]["Running"] is False
        gone(s, a)
        shutil.rmtree(ROOT + "/volumes/v1")


# --- prune -----------------------------------------------------------------------------------

def prune_removes_what_does_not_run_and_counts_the_space():
    with session() as s:
        runs, paused = detached(s, "sleep", "1000"), detached(s, "sleep", "1000")
        s.call("container.pause", id=paused)
        made = create(s, "true")
        ended = detached(s, "sh", "-c", "head -c 3000000 /dev/zero > /data/big")
        s.call("container.wait", id=ended)
        back = detached(s, "sh", "-c", "exit 1", restart="always")
        since = time.time_ns()
        answer = s.call("container.prune")
        assert sorted(answer["deleted"]) == sorted([made, ended]), answer
        assert 3000000 <= answer["space_reclaimed"] < 6000000, answer
        assert {i["id"] for i in s.items("container.list", all=True)} == {runs, paused, back}
        told = [e["action"] for e in events(s, since, filters=["event=destroy", "event=prune"])]
        assert told == ["destroy", "destroy", "prune"], told
        assert s.call("container.prune") == {"deleted": [], "space_reclaimed": 0}
        gone(s, runs, paused, back)


def prune_waits_for_who_is_at_work_on_what_may_go():
    """A monitor that cleans up, say."""
    with session() as s:
        made = create(s, "true")
        with life.somebody_at_work_on(made, 0.7):
            assert s.call("container.prune")["deleted"] == [made]


def prune_obeys_dockers_filters():
    with session() as s:
        old = create(s, "true", labels=["keep=no", "tier=a"])
        kept = create(s, "true", labels=["keep=yes"])
        time.sleep(1.1)
        young = create(s, "true", labels=["keep=no"])
        for filters in (["until=1h"], ["label=keep=maybe"], ["label!=keep"],
                        ["until=2001-02-03T04:05:06Z"], ["label=keep=no", "label=tier=b"]):
            assert s.call("container.prune", filters=filters)["deleted"] == [], filters
        assert s.call("container.prune", filters=["until=1s", "label!=keep=yes"])["deleted"] == \
            [old]
        assert s.call("container.prune", filters=["label=keep=no"])["deleted"] == [young]
        for bad in ("name=x", "until=soon", "until", ""):
            refused("invalid spec", bad.split("=")[0],
                    lambda: s.call("container.prune", filters=[bad]))
        gone(s, kept)


def pruning_and_running_race_and_nothing_that_runs_is_taken():
    with session() as s:
        def runs(t):
            made = []
            for _ in range(10):
                made.append(detached(t, "sleep", "1000"))
            return made

        def prunes(t):
            return [d for _ in range(30) for d in t.call("container.prune")["deleted"]]

        first, second, deleted, more = together(runs, runs, prunes, prunes)
        assert not isinstance(first, GuestError), first.text
        assert not isinstance(second, GuestError), second.text
        assert deleted == more == [], (deleted, more)
        assert {i["id"] for i in s.items("container.list")} == set(first + second)
        gone(s, *first, *second)
        for _ in range(5):
            a, b = create(s, "true"), create(s, "true")
            one, two, start = together(lambda t: t.call("container.prune"),
                                       lambda t: t.call("container.prune"),
                                       lambda t: t.call("container.start", id=a))
            both = one["deleted"] + two["deleted"]
            assert b in both and len(both) == len(set(both)), both
            assert start == {} or start.kind in ("not found", "conflict"), start.text
            if start == {} and a not in both:
                s.call("container.wait", id=a)
                gone(s, a)


# --- events ----------------------------------------------------------------------------------

def a_life_is_told_in_events_from_its_beginning_to_its_end():
    with session() as s:
        since = time.time_ns()
        a = detached(s, "sleep", "1000", name="told", labels=["tier=front"])
        s.open("container.exec", id=a, args=["sh", "-c", "exit 5"]).wait()
        s.call("container.pause", id=a)
        s.call("container.unpause", id=a)
        s.call("container.rename", id=a, name="retold")
        s.call("container.kill", id=a, signal=9)
        s.call("container.wait", id=a)
        gone(s, a)
        seen = events(s, since)
        actions = [e["action"] for e in seen]
        assert actions == ["create", "start", "exec_start: sh -c exit 5", "exec_die", "pause",
                           "unpause", "rename", "kill", "die", "destroy"], actions
        assert all(e["id"] == a and e["type"] == "container" for e in seen)
        by = {e["action"]: e for e in seen}
        assert by["die"]["attributes"]["exitCode"] == "137"
        assert by["exec_die"]["attributes"]["exitCode"] == "5"
        assert by["kill"]["attributes"]["signal"] == "9"
        assert by["rename"]["attributes"]["oldName"] == "/told"
        assert by["rename"]["name"] == by["die"]["name"] == "retold"
        assert by["start"]["attributes"]["tier"] == "front"
        assert by["start"]["attributes"]["image"] == life.IMAGE
        assert [e["time_ns"] for e in seen] == sorted(e["time_ns"] for e in seen)
        only = events(s, since, filters=["event=die", "event=exec_start", "label=tier=front"])
        assert [e["action"] for e in only] == ["exec_start: sh -c exit 5", "die"]
        assert events(s, since, filters=["container=nobody"]) == []
        refused("invalid spec", "no such filter: 'colour=red'",
                lambda: events(s, since, filters=["colour=red"]))


def an_end_by_the_oom_killer_is_told_C27():
    with session() as s:
        since = time.time_ns()
        a = detached(s, "sh", "-c", "x=$(head -c 200000000 /dev/zero | tr '\\0' x); echo $x",
                     memory_bytes=16 << 20, init=True)
        s.call("container.wait", id=a)
        b = create(s, "sh", "-c", "x=$(head -c 200000000 /dev/zero | tr '\\0' x)",
                   memory_bytes=16 << 20)
        s.call("container.start", id=b)
        s.call("container.wait", id=b)
        killed = [c for c in (a, b) if state(s, c)["oom_killed"]]
        assert killed, [state(s, c) for c in (a, b)]
        for container in killed:
            assert state(s, container)["exit_code"] == 137
            assert s.call("container.inspect", id=container)["State"]["OOMKilled"] is True
            told = [e["action"] for e in events(s, since, filters=["container=" + container])]
            assert told[-2:] == ["oom", "die"], told
        gone(s, a, b)


def who_joins_and_who_leaves_is_told():
    with session() as s:
        since = time.time_ns()
        run = s.open("container.run", attach=True, spec=spec("sleep", "1000"))
        a = run.wait_event("created")["id"]
        IDS.add(a)
        run.wait_event("started")
        c = s.open("container.attach", id=a)
        c.wait_event("started")
        c.cancel()
        refused("cancelled", "", c.wait)
        gone(s, a)
        run.wait()
        told = [e["action"] for e in events(s, since)]
        assert told == ["create", "attach", "start", "attach", "detach", "die", "destroy"], told


def events_are_followed_as_they_come_and_until_a_time():
    with session() as s:
        old = create(s, "true")
        follow = s.open("system.events")
        while not follow.events:  # until it is there
            s.call("container.rename", id=old, name="n%d" % time.time_ns())
        told = lambda: [(e["item"]["action"], e["item"]["id"])  # noqa: E731
                        for e in follow.events if e["item"]["action"] != "rename"]
        a = create(s, "true")
        gone(s, a, old)
        s.pump(lambda: len(told()) >= 3, 20)
        got = told()
        assert got == [("create", a), ("destroy", a), ("destroy", old)], got
        assert not follow.finished()
        follow.cancel()
        refused("cancelled", "", follow.wait)
        begun = time.time()
        s.open("system.events", until_ns=time.time_ns() + 500000000).wait(20)
        assert 0.3 < time.time() - begun


def an_end_that_nobody_saw_has_no_exit_code_in_its_event_I6():
    with session() as s:
        since = time.time_ns()
        a = detached(s, "sleep", "1000")
        monitor, _ = life.monitor_of(a)
        os.kill(monitor, 9)
    with session() as s:
        settled(lambda: state(s, a)["status"] == "exited" or s.call("container.wait", id=a), "")
        die = events(s, since, filters=["event=die"])
        assert len(die) == 1 and "exitCode" not in die[0]["attributes"], die
        gone(s, a)


def dial_reaches_a_port_by_tcp_and_udp_and_says_why_it_cannot():
    tool = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../e2e/lib/port-tool.py")
    with session() as s:
        a = detached(s, "sleep", "1000")
        server = subprocess.Popen(["nsenter", "-t", str(state(s, a)["pid"]), "-n", sys.executable,
                                   tool, "serve", "53"], stdout=subprocess.PIPE)
        try:
            assert server.stdout.readline() == b"ready\n"
            chan = s.open("container.dial", id=a, port=53)
            chan.wait_event("started")
            chan.data(b"echo\nhello")
            chan.wait_output(b"hello")
            chan.end()
            assert chan.wait() == {} and bytes(chan.out[1]) == b"hello" and 1 in chan.eof
            chan = s.open("container.dial", id=a, port=53)
            chan.data(b"reset\n.")
            try:
                raise AssertionError("no reset but %r" % chan.wait())
            except GuestError as e:
                assert (e.kind, e.code) == ("network", 104), (e.kind, e.code, e.text)
            chan = s.open("container.dial", id=a, port=53, protocol="udp")
            for word in (b"one", b"x" * 60000, b"two"):  # nothing is lost with one at a time
                del chan.out[1][:]
                chan.send(DATA, word)
                s.pump(lambda w=word: len(chan.out[1]) >= len(w), 20)
                assert bytes(chan.out[1]) == word
            chan.end()
            assert chan.wait() == {}
        finally:
            server.kill()
            server.wait()
            server.stdout.close()
        refused("network", "port 81 of container", lambda: s.call("container.dial", id=a, port=81),
                code=111)
        refused("invalid spec", "0/tcp", lambda: s.call("container.dial", id=a, port=0))
        refused("invalid spec", "80/sctp",
                lambda: s.call("container.dial", id=a, port=80, protocol="sctp"))
        s.call("container.stop", id=a, timeout_s=0)
        refused("conflict", "is not running", lambda: s.call("container.dial", id=a, port=80))
        gone(s, a)


life.TESTS = [f for n, f in list(globals().items())
              if callable(f) and getattr(f, "__module__", "") == "__main__"
              and f.__code__.co_argcount == 0 and n != "together"]

if __name__ == "__main__":
    sys.exit(life.main())
