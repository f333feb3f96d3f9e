# SPDX-License-Identifier: Apache-2.0
"""Attaching, and what goes through stdin, stdout and stderr. Needs root.

    test_attach.py <dray-guest> <runtime> [test…]
"""
import os
import random
import select
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import test_lifecycle as life  # noqa: E402
from session import GuestError  # noqa: E402
from test_lifecycle import detached, monitor_of, refused, session, settled, spec  # noqa: E402


def attach(s, container, **members):
    c = s.open("container.attach", id=container, **members)
    c.wait_event("started")
    return c


def ended(c):
    """Exactly one answer, behind all output."""
    result = c.wait()
    assert c.eof == {1, 2}, c.eof
    return result["exit_code"]


def gone(s, container):
    s.call("container.remove", id=container, force=True)


# --- who is with it --------------------------------------------------------------------------

def several_clients_get_the_output_and_one_end_each_C26():
    with session() as s:
        a = detached(s, "sh", "-c", "read go; echo out; echo err >&2; exit 6", stdin_open=True)
        clients = [attach(s, a) for _ in range(3)]
        writer = attach(s, a, stdin=True)
        quiet = attach(s, a, output=False)
        writer.data(b"go\n")
        for c in clients + [writer]:
            assert ended(c) == 6
            assert (bytes(c.out[1]), bytes(c.out[2])) == (b"out\n", b"err\n")
        assert ended(quiet) == 6 and not quiet.out[1]
        gone(s, a)


def a_client_that_leaves_ends_neither_the_container_nor_its_stdin_C26():
    with session() as s:
        a = detached(s, "cat", stdin_open=True)
        c = attach(s, a, stdin=True)
        c.data(b"one\n")
        c.wait_output(b"one\n")
        c.cancel()
        refused("cancelled", "detached", c.wait)
        d = attach(s, a, stdin=True)
        d.data(b"two\n")
        d.wait_output(b"two\n")
        assert bytes(d.out[1]) == b"two\n"
        d.end()  # of this client; `run -d -i` keeps stdin open, as Docker does
        e = attach(s, a, stdin=True)
        e.data(b"three\n")
        e.wait_output(b"three\n")
        s.call("container.kill", id=a, signal=9)
        assert ended(e) == 137 and ended(d) == 137
        assert bytes(d.out[1]) == b"two\nthree\n"
        gone(s, a)


def what_a_client_wrote_before_it_left_reaches_a_container_that_is_slow_to_read():
    # more than its pipe and the monitor hold, less than that and the monitor's socket
    sent = b"x" * 260000 + b"\n"
    with session() as s:
        a = detached(s, "sh", "-c", "while [ ! -e /go ]; do sleep 0.05; done; head -n 1 | wc -c; "
                     "echo done", stdin_open=True)
        for how in ("cancel", "close"):
            with session() as other:
                c = attach(other, a, stdin=True)
                c.data(sent[:20000] if how == "cancel" else sent[20000:])
                if how == "cancel":
                    c.cancel()
                    refused("cancelled", "detached", c.wait)
        s.open("container.exec", id=a, args=["touch", "/go"]).wait()
        life.wait_log(s, a, b"%d\ndone\n" % len(sent))
        gone(s, a)


def stdin_of_an_attached_run_ends_with_its_writer():
    with session() as s:
        other = session()
        c = other.open("container.run", spec=spec("sh", "-c", "cat; sleep 0.2; exit 3",
                                                  stdin_open=True), attach=True)
        a = c.wait_event("created")["id"]
        life.IDS.add(a)
        c.wait_event("started")
        c.data(b"word\n")
        c.wait_output(b"word\n")
        d = attach(s, a)
        c.cancel()
        other.close()
        assert ended(d) == 3
        gone(s, a)


def a_created_container_takes_stdin_from_who_starts_it_and_its_end():
    with session() as s:
        a = s.call("container.create", spec=spec("sh", "-c", "cat; exit 2", stdin_open=True))["id"]
        life.IDS.add(a)
        for data in (b"once\n", b"again\n"):
            c = s.open("container.start", id=a, attach=True, stdin=True)
            c.data(data)
            c.end()
            assert ended(c) == 2
            assert bytes(c.out[1]) == data
        s.call("container.start", id=a)
        time.sleep(0.2)
        c = attach(s, a, stdin=True)
        c.data(b"late\n")
        c.end()
        assert ended(c) == 2 and bytes(c.out[1]) == b"late\n"
        gone(s, a)


def without_stdin_nothing_is_taken_from_a_client():
    with session() as s:
        a = s.call("container.create", spec=spec("sh", "-c", "cat; echo end; sleep 0.5"))["id"]
        life.IDS.add(a)
        c = s.open("container.start", id=a, attach=True, stdin=True)
        c.data(b"lost\n")
        assert ended(c) == 0 and bytes(c.out[1]) == b"end\n"
        gone(s, a)


def attaching_to_what_does_not_run_is_a_conflict():
    with session() as s:
        a = s.call("container.create", spec=spec("true"))["id"]
        life.IDS.add(a)
        refused("conflict", "is not running (it is created)",
                lambda: s.call("container.attach", id=a))
        s.open("container.start", id=a, attach=True).wait()
        refused("conflict", "is not running (it is exited)",
                lambda: s.call("container.attach", id=a))
        refused("not found", "no such container", lambda: s.call("container.attach", id="nobody"))
        gone(s, a)


def whoever_attaches_at_the_last_moment_hears_the_end_or_a_conflict():
    with session() as s:
        for i in range(20):
            a = detached(s, "sh", "-c", "sleep 0.0%d; exit 9" % (i % 5))
            c = s.open("container.attach", id=a)
            try:
                assert c.wait()["exit_code"] == 9
            except GuestError as error:
                assert error.kind == "conflict", (error.kind, error.text)
                assert "not running" in error.text
            gone(s, a)


# --- what was before -------------------------------------------------------------------------

def with_logs_nothing_is_missing_and_nothing_comes_twice():
    lines = 120000
    with session() as s:
        a = detached(s, "sh", "-c", "i=0; while [ $i -lt %d ]; do echo line $i; i=$((i+1)); "
                     "done; until [ -e /go ]; do sleep 0.05; done; echo end >&2" % lines)
        expect = b"".join(b"line %d\n" % i for i in range(lines))
        clients = []
        for _ in range(3):
            time.sleep(0.05)
            clients.append(attach(s, a, logs=True))
        s.open("container.exec", id=a, args=["touch", "/go"]).wait()  # all of them are there
        for c in clients:
            assert ended(c) == 0
            assert bytes(c.out[1]) == expect, (len(c.out[1]), len(expect))
            assert bytes(c.out[2]) == b"end\n"
        gone(s, a)


# --- bytes -----------------------------------------------------------------------------------

def every_byte_passes_in_both_directions_C26():
    data = random.Random(7).randbytes(6 << 20)
    with session() as s:
        c = s.open("container.run", spec=spec("cat", stdin_open=True, auto_remove=True), attach=True)
        life.IDS.add(c.wait_event("created")["id"])
        c.feed(data)
        c.end()
        assert ended(c) == 0
        assert bytes(c.out[1]) == data
        a = detached(s, "sleep", "1000")
        c = s.open("container.exec", id=a, args=["cat"], stdin=True)
        c.wait_event("started")
        c.feed(data)
        c.end()
        assert ended(c) == 0
        assert bytes(c.out[1]) == data
        gone(s, a)


def the_end_of_stdin_leaves_output_open():
    with session() as s:
        c = s.open("container.run", spec=spec("sh", "-c", "cat >/dev/null; echo read; sleep 0.3; "
                                              "echo more; exit 1",
                                              stdin_open=True, auto_remove=True), attach=True)
        life.IDS.add(c.wait_event("created")["id"])
        c.data(b"x")
        c.end()
        assert ended(c) == 1
        assert bytes(c.out[1]) == b"read\nmore\n"


def a_container_that_closes_its_stdio_goes_on_and_ends():
    with session() as s:
        a = detached(s, "sh", "-c", "read go; echo bye; exec <&- >&- 2>&-; sleep 0.5; exit 4",
                     stdin_open=True)
        c = attach(s, a, stdin=True)
        c.data(b"go\n")
        s.pump(lambda: c.eof == {1, 2}, 10)
        assert not c.finished()
        d = attach(s, a, stdin=True)
        d.data(b"nobody reads this")
        assert ended(c) == 4 and ended(d) == 4
        assert bytes(c.out[1]) == b"bye\n" and not d.out[1]
        gone(s, a)


def a_signal_passes_stdin_that_nobody_reads():
    with session() as s:
        c = s.open("container.run", spec=spec("sleep", "1000", stdin_open=True, auto_remove=True),
                   attach=True)
        life.IDS.add(c.wait_event("created")["id"])
        c.wait_event("started")
        c.data(b"x" * (512 << 10))
        c.event(event="signal", signal=9)
        assert ended(c) == 137
        a = detached(s, "sleep", "1000")
        c = s.open("container.exec", id=a, args=["sleep", "1000"], stdin=True)
        c.wait_event("started")
        c.data(b"x" * (512 << 10))
        c.event(event="signal", signal=9)
        assert ended(c) == 137
        gone(s, a)


def an_exec_ends_although_a_child_of_it_writes_on():
    with session() as s:
        a = detached(s, "sleep", "1000")
        c = s.open("container.exec", id=a, args=["sh", "-c", "yes & sleep 0.3; exit 8"])
        c.discard = True
        assert ended(c) == 8
        gone(s, a)


# --- those who do not read -------------------------------------------------------------------

def private_kb(pid):
    return sum(int(line.split()[1]) for line in open("/proc/%d/smaps_rollup" % pid)
               if line.startswith("Private"))


def one_who_does_not_read_holds_the_container_back_in_bounded_memory():
    with session() as s:
        a = detached(s, "sh", "-c", "read go; dd if=/dev/zero bs=4096 count=20000 2>/dev/null; "
                     "sleep 1000", stdin_open=True, log_driver="none")
        monitor, _ = monitor_of(a)
        deaf = session()
        c = attach(deaf, a)
        d = attach(s, a, stdin=True)
        d.discard = True
        d.data(b"go\n")
        time.sleep(1.5)
        assert private_kb(monitor) < 4096, private_kb(monitor)
        assert private_kb(deaf.process.pid) < 8192, private_kb(deaf.process.pid)
        assert private_kb(s.process.pid) < 8192
        s.pump(lambda: d.counts[1] > 0, 10)
        time.sleep(0.5)
        assert d.counts[1] < 20000 * 4096, "nobody was held back"
        c.discard = True  # now it reads
        while c.counts[1] < 20000 * 4096 or d.counts[1] < 20000 * 4096:
            for one in (deaf, s):  # both: each waits for the other
                if select.select([one.process.stdout], [], [], 0.01)[0]:
                    one.pump_once()
        gone(s, a)
        assert ended(c) == 137 and ended(d) == 137
        deaf.close()


def one_who_does_not_read_keeps_nobody_from_stop_and_wait():
    with session() as s:
        a = detached(s, "sh", "-c", "read go; trap 'exit 7' TERM; while :; do echo "
                     "012345678901234567890123456789; done", stdin_open=True)
        deaf = session()
        c = attach(deaf, a, stdin=True)
        c.data(b"go\n")
        time.sleep(0.5)
        w = s.open("container.wait", id=a)
        begun = time.time()
        s.call("container.stop", id=a, timeout_s=2)
        assert w.wait()["exit_code"] in (7, 137)
        assert time.time() - begun < 30
        assert s.call("container.inspect", id=a)["State"]["Status"] == "exited"
        gone(s, a)
        assert ended(c) in (7, 137)  # what it had not read is there
        deaf.close()


def those_who_do_not_read_do_not_keep_the_end_from_each_other():
    for first in (0, 1, 2):
        with session() as s:
            a = detached(s, "sh", "-c", "read go; yes", stdin_open=True)
            sessions = [session() for _ in range(3)]
            clients = [attach(other, a, stdin=True) for other in sessions]
            clients[0].data(b"go\n")
            time.sleep(0.3)
            s.call("container.kill", id=a, signal=9)
            s.call("container.wait", id=a)
            for c in clients[first:] + clients[:first]:
                c.discard = True
                assert ended(c) == 137
            for other in sessions:
                other.close()
            gone(s, a)


def one_who_does_not_read_and_is_killed_leaves_nothing():
    with session() as s:
        a = detached(s, "sh", "-c", "read go; yes", stdin_open=True)
        deaf = session()
        c = attach(deaf, a, stdin=True)
        c.data(b"go\n")
        time.sleep(0.3)
        deaf.process.kill()
        deaf.process.wait()
        deaf.process.stdout.close()
        d = attach(s, a)
        d.discard = True
        s.pump(lambda: d.counts[1] > 1 << 20, 10)
        gone(s, a)
        assert ended(d) == 137


life.TESTS = [f for n, f in list(globals().items())
              if callable(f) and getattr(f, "__module__", "") == "__main__"
              and f.__code__.co_argcount == 0]

if __name__ == "__main__":
    sys.exit(life.main())
