# SPDX-License-Identifier: Apache-2.0
"""Containers' lives, against the real helper and a real runtime. Needs root.

    test_lifecycle.py <dray-guest> <runtime> [test…]

Every test starts and ends at the same baseline: mounts, cgroups, processes, directories.
"""
import contextlib
import fcntl
import glob
import json
import os
import shutil
import signal
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from session import GuestError, Session, busybox_layer, directory, entry  # noqa: E402

RUNTIME = shutil.which(sys.argv[2])
if not RUNTIME:
    print("skipped: no %s" % sys.argv[2])
    sys.exit(77)
BASE = tempfile.mkdtemp(prefix="dray-life-")
if os.environ.get("DRAY_CHECK_RUN"):  # a killed scripts/check: the next one takes it away
    with open(os.environ["DRAY_CHECK_RUN"] + "/made", "a", encoding="utf-8") as made:
        made.write(BASE + "\n")
ROOT, RUN = BASE + "/root", BASE + "/run"
HELPER = shutil.copy(sys.argv[1], BASE)  # of our own: its monitors are told from others'
IMAGE = "docker.io/library/bb:latest"


def alive(pid):
    """A zombie waits for somebody else to reap it: it runs no more."""
    try:
        return open("/proc/%d/stat" % pid).read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def session(**more):
    return Session(HELPER, ROOT, RUN, RUNTIME, **more)


def spec(*args, **members):
    """Without a network: it is not what these tests are about, and the bridges would be this
    machine's."""
    return dict({"image": IMAGE, "args": list(args), "networks": [{"name": "none"}]}, **members)


def processes():
    found = []
    for path in glob.glob("/proc/[0-9]*/cmdline"):
        try:
            words = open(path, "rb").read().split(b"\0")
            cgroup = open(os.path.dirname(path) + "/cgroup").read()
            root = os.readlink(os.path.dirname(path) + "/exe")
        except OSError:
            continue
        if (b"monitor" in words[1:2] and root == os.path.realpath(HELPER)) or \
           any(c in cgroup for c in ours()):
            found.append((path, words))
    return found


def ours():
    return set(os.listdir(ROOT + "/containers")) if os.path.isdir(ROOT + "/containers") else set()


IDS = set()


def baseline():
    """What must be the same before and after."""
    tree = []
    for top in (ROOT + "/containers", ROOT + "/bundles", ROOT + "/logs", ROOT + "/volumes", RUN):
        for where, dirs, files in os.walk(top):
            tree += [os.path.join(where, n) for n in dirs + files]
    cgroups = [p for p in glob.glob("/sys/fs/cgroup/**/dray/*", recursive=True)
               if os.path.basename(p) in IDS]
    return {"mounts": [m for m in open("/proc/self/mountinfo") if BASE in m],
            "cgroups": cgroups, "processes": processes(),
            "tree": sorted(t for t in tree if not t.endswith("/reconciled") and
                           not t.startswith(RUN + "/networks"))}  # it may stay


def run(s, *args, **members):
    channel = s.open("container.run", spec=spec(*args, auto_remove=True, **members), attach=True)
    result = channel.wait()
    IDS.add(channel.events[0]["id"])
    return result["exit_code"], bytes(channel.out[1]), bytes(channel.out[2])


def detached(s, *args, **members):
    channel = s.open("container.run", spec=spec(*args, **members), attach=False)
    channel.wait()
    IDS.add(channel.events[0]["id"])
    return channel.events[0]["id"]


def settled(done, what, seconds=20):
    for _ in range(seconds * 20):
        if done():
            return
        time.sleep(0.05)
    raise AssertionError(what)


@contextlib.contextmanager
def somebody_at_work_on(container, seconds):
    """Holds the lock of one that does not run, for so long from now on (journal.h)."""
    os.makedirs(RUN + "/" + container, exist_ok=True)
    file = open(RUN + "/" + container + "/lock", "w")
    fcntl.flock(file, fcntl.LOCK_EX)
    timer = threading.Timer(seconds, file.close)
    timer.start()
    yield
    timer.join()


def refused(kind, text, call, code=None):
    try:
        answer = call()
    except GuestError as error:
        assert error.kind == kind, (error.kind, error.text)
        assert text in error.text, error.text
        if code is not None:
            assert error.code == code, (error.code, error.text)
        return error
    raise AssertionError("was not refused: %r" % (answer,))


# --- run -------------------------------------------------------------------------------------

def run_gives_the_real_exit_code_and_every_byte_C21():
    with session() as s:
        assert run(s, "sh", "-c", "echo out; echo err >&2; exit 7") == (7, b"out\n", b"err\n")
        assert run(s, "true") == (0, b"", b"")
        assert run(s, "sh", "-c", "kill -9 $$", init=True)[0] == 137
        assert run(s, "sh", "-c", "trap - TERM; kill -TERM $$; exit 1", init=True)[0] == 143
        code, out, _ = run(s, "sh", "-c", "seq 1 200000; printf end")
        assert code == 0
        assert out == b"".join(b"%d\n" % i for i in range(1, 200001)) + b"end"


def a_command_that_is_not_there_is_127_and_one_that_cannot_run_is_126_C32():
    with session() as s:
        error = refused("start failed", "run failed (status", lambda: run(s, "nope"), 127)
        assert error.origin == "runtime" and error.output, error.output
        refused("start failed", "failed (status", lambda: run(s, "/bin/notexec"), 126)
        refused("start failed", "failed (status", lambda: run(s, "/etc"), 126)
        refused("start failed", "failed (status", lambda: run(s, "/data/none"), 127)


def an_unknown_image_is_not_found():
    with session() as s:
        refused("not found", "image", lambda: s.call(
            "container.run", spec={"image": "docker.io/library/none:1"}, attach=True))


def stdin_reaches_the_container_and_its_end_too():
    with session() as s:
        c = s.open("container.run", spec=spec("cat", stdin_open=True, auto_remove=True),
                   attach=True)
        data = os.urandom(300000)
        c.data(data)
        c.end()
        assert c.wait()["exit_code"] == 0
        assert bytes(c.out[1]) == data


def a_signal_event_reaches_the_foreground_container():
    with session() as s:
        c = s.open("container.run", attach=True, spec=spec(
            "sh", "-c", "trap 'echo got; exit 5' USR1; echo ready; while :; do sleep 0.1; done",
            auto_remove=True))
        c.wait_output(b"ready\n")
        c.event(event="signal", signal=int(signal.SIGUSR1))
        assert c.wait()["exit_code"] == 5 and bytes(c.out[1]) == b"ready\ngot\n"


def no_descriptor_but_three_is_open_in_the_container_H3():
    with session() as s:
        code, out, _ = run(s, "sh", "-c", "ls /proc/self/fd; readlink /proc/1/fd/*")
        names = out.decode().split("\n")
        assert [n for n in names if n.isdigit()] in (["0", "1", "2", "3"], ["0", "1", "2"]), names


def init_reaps_and_passes_signals_on():
    with session() as s:
        code, out, err = run(s, "sh", "-c", "echo $$; exit 3", init=True)
        assert code == 3, (code, err)
        assert out.strip() != b"1", out
        c = s.open("container.run", attach=True, spec=spec(
            "sh", "-c", "trap 'exit 9' TERM; echo ready; while :; do sleep 0.1; done", init=True,
            auto_remove=True))
        c.wait_output(b"ready\n")
        c.event(event="signal", signal=15)
        assert c.wait()["exit_code"] == 9


# --- create, start, stop, kill, wait, rm -----------------------------------------------------

def create_start_wait_inspect_remove():
    with session() as s:
        made = s.call("container.create", spec=spec("sh", "-c", "echo hi; exit 4", name="a.b",
                                                    labels=["k=v"], env=["X=1"]))
        IDS.add(made["id"])
        assert made["name"] == "a.b" and len(made["id"]) == 64
        state = s.call("container.inspect", id="a.b")
        assert state["State"]["Status"] == "created" and state["Name"] == "/a.b"
        refused("conflict", "never started", lambda: s.call("container.wait", id="a.b"))
        refused("conflict", "not running", lambda: s.call("container.kill", id="a.b", signal=9))
        result = s.open("container.start", id=made["id"][:12], attach=True)
        assert result.wait()["exit_code"] == 4 and bytes(result.out[1]) == b"hi\n"
        assert s.call("container.wait", id="a.b")["exit_code"] == 4
        state = s.call("container.inspect", id="a.b")
        assert state["State"]["Status"] == "exited" and state["State"]["ExitCode"] == 4
        assert state["State"]["FinishedAt"] > state["State"]["StartedAt"] > "2020"
        assert state["Path"] == "sh" and state["Args"] == ["-c", "echo hi; exit 4"]
        assert state["Config"]["Labels"] == {"k": "v"} and "X=1" in state["Config"]["Env"]
        # again: its upper layer is kept
        assert s.open("container.start", id="a.b", attach=True).wait()["exit_code"] == 4
        log = s.open("container.logs", id="a.b", tail=-1)
        log.wait()
        assert bytes(log.out[1]) == b"hi\nhi\n"
        assert s.call("container.remove", id="a.b")["id"] == made["id"]
        refused("not found", "a.b", lambda: s.call("container.inspect", id="a.b"))


def a_name_in_use_is_refused_and_its_owner_untouched_C15():
    with session() as s:
        first = s.call("container.create", spec=spec("true", name="taken"))["id"]
        before = baseline()["tree"]
        refused("exists", "taken", lambda: s.call("container.create",
                                                  spec=spec("false", name="taken")))
        refused("exists", "taken", lambda: s.call("container.run", attach=True,
                                                  spec=spec("false", name="taken")))
        assert baseline()["tree"] == before
        assert s.open("container.start", id="taken", attach=True).wait()["exit_code"] == 0
        s.call("container.remove", id=first)


def a_create_that_fails_leaves_nothing_C15():
    with session() as s:
        before = baseline()
        refused("create failed", "nobody-knows", lambda: s.call(
            "container.create", spec=spec("true", user="nobody-knows")))
        refused("invalid spec", "CAP_NONSENSE", lambda: s.call(
            "container.create", spec=spec("true", cap_add=["CAP_NONSENSE"])))
        assert baseline() == before


def stop_sends_the_stop_signal_and_returns_when_it_is_dead_C18():
    with session() as s:
        a = detached(s, "sh", "-c", "trap 'exit 3' TERM; echo up; while :; do sleep 0.05; done",
                     name="polite")
        wait_log(s, a, b"up\n")
        start = time.time()
        s.call("container.stop", id="polite", timeout_s=10)
        assert time.time() - start < 9
        assert s.call("container.inspect", id=a)["State"]["ExitCode"] == 3
        s.call("container.stop", id="polite", timeout_s=10)  # a stopped one: success
        s.call("container.remove", id=a)
        b = detached(s, "sh", "-c", "trap '' TERM; echo up; while :; do sleep 0.05; done")
        wait_log(s, b, b"up\n")
        start = time.time()
        s.call("container.stop", id=b, timeout_s=1)
        assert 0.9 < time.time() - start < 9
        assert s.call("container.inspect", id=b)["State"]["ExitCode"] == 137
        s.call("container.remove", id=b)
        refused("not found", "no such", lambda: s.call("container.stop", id="gone"))


def wait_log(s, name, text):
    end = time.time() + 30
    while time.time() < end:
        log = s.open("container.logs", id=name, tail=-1)
        log.wait()
        if text in bytes(log.out[1]):
            return
        time.sleep(0.02)
    raise AssertionError("never logged %r" % text)


def dead(pid, seconds=30):
    """Waits until a process that was killed has let go of everything."""
    end = time.time() + seconds
    while alive(pid):
        assert time.time() < end, "process %d lives" % pid
        time.sleep(0.01)


def many_waiters_are_woken_at_once_C21():
    with session() as s, session() as other:
        a = detached(s, "sleep", "1000")
        waits = [s.open("container.wait", id=a) for _ in range(20)]
        waits += [other.open("container.wait", id=a) for _ in range(20)]
        time.sleep(0.2)
        s.call("container.kill", id=a, signal=9)
        start = time.time()
        assert {w.wait()["exit_code"] for w in waits} == {137}
        assert time.time() - start < 5
        assert s.call("container.wait", id=a)["exit_code"] == 137
        s.call("container.remove", id=a)


def remove_refuses_a_running_one_unless_forced_C19():
    with session() as s:
        a = detached(s, "sleep", "1000")
        refused("conflict", "is running", lambda: s.call("container.remove", id=a))
        assert s.call("container.inspect", id=a)["State"]["Running"]
        s.call("container.remove", id=a, force=True)
        refused("not found", "no such", lambda: s.call("container.inspect", id=a))


def list_shows_what_runs_and_with_all_the_rest():
    with session() as s:
        a = detached(s, "sleep", "1000", name="up")
        b = s.call("container.create", spec=spec("true", name="idle"))["id"]
        assert [i["id"] for i in s.items("container.list", all=False)] == [a]
        both = {i["name"]: i for i in s.items("container.list", all=True)}
        assert both["up"]["status"] == "running" and both["up"]["pid"] > 0
        assert both["up"]["command"] == "sleep 1000" and both["up"]["image"] == IMAGE
        assert both["idle"]["status"] == "created"
        s.call("container.remove", id=a, force=True)
        s.call("container.remove", id=b)


def prefixes_that_several_share_are_refused():
    with session() as s:
        made = [s.call("container.create", spec=spec("true"))["id"] for _ in range(17)]
        first = [m[0] for m in made]
        twice = next(c for c in first if first.count(c) > 1)
        refused("invalid spec", "begin with", lambda: s.call("container.inspect", id=twice))
        for m in made:
            s.call("container.remove", id=m)


# --- exec ------------------------------------------------------------------------------------

def exec_gives_code_and_both_streams_C25():
    with session() as s:
        a = detached(s, "sleep", "1000")
        c = s.open("container.exec", id=a, args=["sh", "-c", "echo o; echo e >&2; exit 6"])
        assert c.wait()["exit_code"] == 6
        assert (bytes(c.out[1]), bytes(c.out[2])) == (b"o\n", b"e\n")
        c = s.open("container.exec", id=a, args=["printf", "%s|", "a b", "$HOME", "`x`", "\"'\\"])
        c.wait()
        assert bytes(c.out[1]) == b"a b|$HOME|`x`|\"'\\|"
        c = s.open("container.exec", id=a, args=["cat"], stdin=True)
        data = os.urandom(200000)
        c.data(data)
        c.end()
        assert c.wait()["exit_code"] == 0 and bytes(c.out[1]) == data
        c = s.open("container.exec", id=a, args=["sh", "-c", "id -u; pwd; echo $FOO"],
                   user="alice", workdir="/data", env=["FOO=bar"])
        assert c.wait()["exit_code"] == 0
        assert bytes(c.out[1]) == b"1000\n/data\nbar\n", bytes(c.out[1])
        refused("start failed", "exec failed (status", lambda: s.call(
            "container.exec", id=a, args=["nope"]), 127)
        refused("start failed", "exec failed (status", lambda: s.call(
            "container.exec", id=a, args=["/bin/notexec"]), 126)
        refused("invalid spec", "command", lambda: s.call("container.exec", id=a, args=[]))
        c = s.open("container.exec", id=a, args=["sh", "-c", "echo x > /tmp/made"], detach=True)
        assert c.wait() == {}
        for _ in range(100):
            c = s.open("container.exec", id=a, args=["cat", "/tmp/made"])
            if c.wait()["exit_code"] == 0:
                break
        assert bytes(c.out[1]) == b"x\n"
        s.call("container.remove", id=a, force=True)
        refused("not found", "no such", lambda: s.call("container.exec", id=a, args=["true"]))


def dropping_an_exec_ends_its_process_C26():
    with session() as s:
        a = detached(s, "sleep", "1000")
        c = s.open("container.exec", id=a, args=["sleep", "777"])
        pid = c.wait_event("started")["pid"]
        assert os.path.exists("/proc/%d" % pid)
        c.cancel()
        refused("cancelled", "", c.wait)
        assert not alive(pid)
        s.call("container.remove", id=a, force=True)


# --- logs ------------------------------------------------------------------------------------

def logs_follow_until_the_end_C24():
    with session() as s:
        a = detached(s, "sh", "-c", "for i in 1 2 3 4 5; do echo $i; sleep 0.1; done; printf last")
        log = s.open("container.logs", id=a, tail=-1, follow=True)
        log.wait()
        assert bytes(log.out[1]) == b"1\n2\n3\n4\n5\nlast", bytes(log.out[1])
        log = s.open("container.logs", id=a, tail=2, timestamps=True)
        log.wait()
        lines = bytes(log.out[1]).split(b"\n")
        assert len(lines) == 2 and lines[0].endswith(b"Z 5"), lines
        s.call("container.remove", id=a)


def a_client_that_is_gone_never_blocks_the_container():
    s = session()
    c = s.open("container.run", attach=True, spec=spec(
        "sh", "-c", "seq 1 3000000; touch /tmp/done; sleep 1000", name="orphan"))
    started = c.wait_event("started")
    IDS.add(c.events[0]["id"])
    s.process.kill()
    s.process.wait()
    with session() as s:
        for _ in range(300):
            c = s.open("container.exec", id="orphan", args=["ls", "/tmp/done"])
            if c.wait()["exit_code"] == 0:
                break
            time.sleep(0.02)
        else:
            raise AssertionError("the container is stuck")
        assert os.path.exists("/proc/%d" % started["pid"])
        s.call("container.remove", id="orphan", force=True)


# --- volumes ---------------------------------------------------------------------------------

def volumes_are_filled_from_the_image_and_kept():
    with session() as s:
        mount = [{"type": "volume", "source": "vol1", "target": "/data"}]
        code, out, err = run(s, "sh", "-c", "cat /data/file; stat -c '%u:%g %a' /data/file; "
                             "echo more > /data/new", mounts=mount)
        assert (code, out) == (0, b"from the image\n1000:1000 640\n"), (code, out, err)
        code, out, _ = run(s, "cat", "/data/new", mounts=mount)
        assert out == b"more\n"
        anonymous = [{"type": "volume", "target": "/anon"}]
        a = detached(s, "sh", "-c", "echo x > /anon/x", mounts=anonymous)
        s.call("container.wait", id=a)
        name = s.call("container.inspect", id=a)["Mounts"][0]["Name"]
        assert os.path.exists("%s/volumes/%s/_data/x" % (ROOT, name))
        s.call("container.remove", id=a)
        assert os.path.exists("%s/volumes/%s/_data/x" % (ROOT, name))
        shutil.rmtree("%s/volumes/%s" % (ROOT, name))
        a = detached(s, "true", mounts=anonymous)
        s.call("container.wait", id=a)
        s.call("container.remove", id=a, volumes=True)
        run(s, "true", mounts=anonymous)
        assert os.listdir(ROOT + "/volumes") == ["vol1"]
        shutil.rmtree(ROOT + "/volumes/vol1")


# --- crashes ---------------------------------------------------------------------------------

def monitor_of(container):
    state = json.load(open("%s/containers/%s/state.json" % (ROOT, container)))
    return state["monitor_pid"], state["pid"]


def a_lost_monitor_means_unknown_never_zero_I6():
    with session() as s:
        a = detached(s, "sleep", "1000")
        monitor, pid = monitor_of(a)
        waiter = s.open("container.wait", id=a)
        time.sleep(0.1)
        os.kill(monitor, signal.SIGKILL)
        assert waiter.wait()["exit_code"] is None
        assert not alive(pid)
    with session() as s:
        state = s.call("container.inspect", id=a)["State"]
        assert state["Status"] == "exited" and state["ExitCode"] is None, state
        s.call("container.remove", id=a)


def the_next_command_cleans_up_after_lost_monitors_I4():
    with session() as s:
        a, b = detached(s, "sleep", "1000"), detached(s, "sleep", "1000", auto_remove=True)
        pids = [monitor_of(x) for x in (a, b)]
    for monitor, _ in pids:
        os.kill(monitor, signal.SIGKILL)
        dead(monitor)
    with session() as s:
        names = {i["id"]: i for i in s.items("container.list", all=True)}
        assert set(names) == {a} and names[a]["exit_code"] is None
        for _, pid in pids:
            assert not alive(pid)
        s.call("container.remove", id=a)


def a_container_whose_runtime_state_is_torn_can_be_removed_I7():
    with session() as s:
        a = detached(s, "sleep", "1000")
        shutil.rmtree("%s/%s/rt" % (RUN, a))
        s.call("container.remove", id=a, force=True)
        b = detached(s, "sleep", "1000")
        monitor, _ = monitor_of(b)
        with open("%s/containers/%s/state.json" % (ROOT, b), "w") as file:
            file.write('{"version":1,"sta')
        s.call("container.remove", id=b, force=True)
        dead(monitor)


TESTS = [f for n, f in list(globals().items())
         if callable(f) and getattr(f, "__module__", "") == "__main__" and "_" in n
         and f.__code__.co_argcount == 0 and not f.__code__.co_flags & 4]


def main(of=None):
    """of: another file's tests, which use what is here."""
    with session() as s:
        s.put_image(IMAGE, [busybox_layer()], {"Env": ["PATH=/bin"], "Cmd": ["sh"]})
    wanted, failed = sys.argv[3:], 0
    tests = [t for t in of or TESTS if not wanted or t.__name__ in wanted]
    print("1..%d" % len(tests))
    with session() as s:
        run(s, "true")
    for _ in range(400):  # its monitor is on its way out
        if not processes():
            break
        time.sleep(0.05)
    for number, test in enumerate(tests, 1):
        before = baseline()
        try:
            test()
            end = time.time() + 20
            while True:  # processes that are on their way out
                after = baseline()
                if after == before or time.time() > end:
                    break
                time.sleep(0.02)
            assert after == before, "left behind: %r" % {
                k: [x for x in after[k] if x not in before[k]] or
                   [("gone", x) for x in before[k] if x not in after[k]]
                for k in after if after[k] != before[k]}
            print("ok %d - %s" % (number, test.__name__), flush=True)
        except Exception as error:  # noqa: BLE001
            import traceback
            failed += 1
            print("not ok %d - %s\n# %s" % (number, test.__name__,
                                            traceback.format_exc().replace("\n", "\n# ")),
                  flush=True)
            with session() as s:  # the tests behind it start clean
                for item in s.items("container.list", all=True):
                    s.call("container.remove", id=item["id"], force=True, volumes=True)
    if not failed:
        shutil.rmtree(BASE, ignore_errors=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
