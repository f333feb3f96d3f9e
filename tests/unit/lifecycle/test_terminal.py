# SPDX-License-Identifier: Apache-2.0
"""Terminals and attaching, against the real helper and a real runtime. Needs root.

    test_terminal.py <dray-guest> <runtime> [test…]
"""
import os
import signal
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import test_lifecycle as life  # noqa: E402
from test_lifecycle import detached, refused, session, spec  # noqa: E402


def run_tty(s, *args, rows=None, columns=None, **members):
    c = s.open("container.run", spec=spec(*args, tty=True, stdin_open=True, auto_remove=True,
                                          **members), attach=True, rows=rows, columns=columns)
    life.IDS.add(c.wait_event("created")["id"])
    started = c.wait_event("started")
    assert started["tty"] is True, started
    return c


def attach(s, container, **members):
    c = s.open("container.attach", id=container, **members)
    c.wait_event("started")
    return c


def ended(c):
    """Exactly one answer, behind all output."""
    result = c.wait()
    assert c.eof == {1, 2}, c.eof
    return result["exit_code"]


# --- terminals -------------------------------------------------------------------------------

def a_terminal_is_stdin_stdout_and_stderr_of_the_container_C25():
    with session() as s:
        c = run_tty(s, "sh", "-c", "for i in 0 1 2; do test -t $i || exit 1; done; "
                    "test -c /dev/console || exit 2; echo $TERM; echo err >&2; "
                    "read line; echo got $line; exit 5")
        c.wait_output(b"err\r\n")  # the terminal shows what is typed when it is typed
        c.data(b"hello\n")
        assert ended(c) == 5
        assert bytes(c.out[1]) == b"xterm\r\nerr\r\nhello\r\ngot hello\r\n", bytes(c.out[1])
        assert not c.out[2]


def a_terminal_has_its_size_before_the_first_instruction():
    with session() as s:
        for _ in range(5):
            c = run_tty(s, "stty", "size", rows=33, columns=101)
            assert ended(c) == 0
            assert bytes(c.out[1]) == b"33 101\r\n", bytes(c.out[1])


def a_resize_reaches_the_container_even_past_unread_stdin_C25():
    with session() as s:
        c = run_tty(s, "sh", "-c", "trap 'stty size' WINCH; stty -icanon -echo; echo ready; "
                    "while :; do sleep 0.1; done", rows=10, columns=20)
        c.wait_output(b"ready")
        c.event(event="resize", rows=44, columns=55)
        c.wait_output(b"44 55\r\n")
        c.data(b"x" * 300000)
        c.event(event="resize", rows=45, columns=56)
        c.wait_output(b"45 56\r\n")
        c.event(event="signal", signal=9)
        assert ended(c) == 137


def the_last_of_several_resizes_counts_C25():
    """Also when the monitor sees them all at once, as it does when it is kept waiting."""
    with session() as s:
        c = run_tty(s, "sh", "-c", "echo ready; i=0; until [ \"$(stty size)\" = '45 55' ]; "
                    "do i=$((i+1)); [ $i -lt 60 ] || break; sleep 0.1; done; stty size")
        c.wait_output(b"ready")
        monitor, _ = life.monitor_of(c.events[0]["id"])
        os.kill(monitor, signal.SIGSTOP)
        for i in range(1, 6):
            c.event(event="resize", rows=40 + i, columns=50 + i)
        time.sleep(0.3)  # for the helper to pass them on
        os.kill(monitor, signal.SIGCONT)
        assert ended(c) == 0
        assert c.out[1].endswith(b"45 55\r\n"), bytes(c.out[1])


def a_monitor_that_hears_nobody_does_not_hold_up_a_client_that_resizes_C25():
    """Its queue holds 64 connections; a dragged window makes more sizes than that."""
    with session() as s:
        c = run_tty(s, "sh", "-c", "trap 'touch /got' USR1; echo ready; i=0; "
                    "until [ \"$(stty size)\" = '145 55' ]; "
                    "do i=$((i+1)); [ $i -lt 600 ] || break; sleep 0.1; done; stty size")
        c.wait_output(b"ready")
        id = c.events[0]["id"]
        monitor, _ = life.monitor_of(id)
        os.kill(monitor, signal.SIGSTOP)
        try:
            for i in range(1, 146):
                c.event(event="resize", rows=i, columns=55)
            c.event(event="signal", signal=signal.SIGUSR1)  # which no monitor passes on
            got, end = life.ROOT + "/containers/" + id + "/upper/got", time.time() + 30
            while not os.path.exists(got):
                assert time.time() < end, "the client's signal waits behind its sizes"
                time.sleep(0.05)
        finally:
            os.kill(monitor, signal.SIGCONT)
        assert ended(c) == 0
        assert c.out[1].endswith(b"145 55\r\n"), bytes(c.out[1])


def a_start_that_is_given_up_while_it_succeeds_is_undone_C33():
    """The host's word goes past ours: it has not seen that the container started."""
    with session() as s:
        # it would be started again by itself
        c = s.open("container.run", spec=spec("sleep", "1000", restart="always"), attach=True)
        pid = c.wait_event("started")["pid"]
        c.event(event="undo")
        c.cancel()
        refused("cancelled", "", c.wait)
        life.dead(pid)
        assert s.items("container.list", all=True) == []
        a = s.call("container.create", spec=spec("sleep", "1000"))["id"]
        c = s.open("container.start", id=a, attach=True)
        pid = c.wait_event("started")["pid"]
        c.event(event="undo")
        c.cancel()
        refused("cancelled", "", c.wait)
        life.dead(pid)
        assert [item["status"] for item in s.items("container.list", all=True)] == ["exited"]
        # a viewer who leaves ends nothing
        c = s.open("container.start", id=a, attach=True)
        c.wait_event("started")
        c.cancel()
        refused("cancelled", "", c.wait)
        assert [item["status"] for item in s.items("container.list", all=True)] == ["running"]
        s.call("container.remove", id=a, force=True)


def the_end_of_a_clients_stdin_does_not_close_a_terminal():
    with session() as s:
        c = run_tty(s, "sh", "-c", "stty -echo; echo ready; read line; echo got $line")
        c.wait_output(b"ready")
        c.end()
        d = attach(s, c.events[0]["id"], stdin=True)
        d.data(b"later\n")
        assert ended(d) == 0 and ended(c) == 0
        assert b"got later\r\n" in c.out[1] and b"got later\r\n" in d.out[1]


def control_characters_reach_the_container_as_signals():
    with session() as s:
        c = run_tty(s, "sh", "-c", "trap 'echo int; exit 3' INT; echo ready; "
                    "while :; do sleep 0.05; done")
        c.wait_output(b"ready")
        c.data(b"\x03")
        assert ended(c) == 3
        c = run_tty(s, "cat")
        c.data(b"a\n\x04")
        assert ended(c) == 0
        assert bytes(c.out[1]) == b"a\r\na\r\n", bytes(c.out[1])


def all_that_was_written_to_a_terminal_comes_before_the_end():
    with session() as s:
        for size in (10, 5000, 300000):
            c = run_tty(s, "sh", "-c", "stty -onlcr; dd if=/dev/zero bs=1000 count=%d "
                        "2>/dev/null; printf end" % (size // 10))
            c.discard = size > 10000
            assert ended(c) == 0
            assert c.counts[1] == size // 10 * 1000 + 3, c.counts


def a_container_may_close_its_terminal_and_open_it_again():
    with session() as s:
        c = run_tty(s, "sh", "-c", "echo one; exec </dev/null >/dev/null 2>&1; sleep 0.3; "
                    "exec >/dev/console; echo two")
        assert ended(c) == 0
        assert bytes(c.out[1]) == b"one\r\ntwo\r\n", bytes(c.out[1])


def the_terminal_belongs_to_the_containers_user():
    with session() as s:
        c = run_tty(s, "sh", "-c", "stat -c %u /dev/pts/0; echo more >/dev/tty", user="1000")
        assert ended(c) == 0
        assert bytes(c.out[1]) == b"1000\r\nmore\r\n", bytes(c.out[1])


def what_a_terminal_showed_is_logged_as_stdout():
    with session() as s:
        a = detached(s, "sh", "-c", "echo out; echo err >&2", tty=True)
        s.call("container.wait", id=a)
        c = s.open("container.logs", id=a)
        c.wait()
        assert bytes(c.out[1]) == b"out\r\nerr\r\n" and not c.out[2]
        s.call("container.remove", id=a)


def a_start_with_a_terminal_that_fails_says_why_and_leaves_nothing():
    with session() as s:
        error = refused("start failed", "run failed (status", lambda: s.call(
            "container.run", spec=spec("nope", tty=True, auto_remove=True), attach=True), 127)
        assert error.origin == "runtime" and error.output, error.output


def exec_with_a_terminal_C25():
    with session() as s:
        a = detached(s, "sleep", "1000")
        # crun's exec sets the size when the command runs already; it gets SIGWINCH then
        c = s.open("container.exec", id=a, args=["sh", "-c", "until [ \"$(stty size 2>&1)\" = '12 34' ]; "
                   "do sleep 0.01; done; stty size; test -t 0 && "
                   "test -t 1 && echo $TERM; echo err >&2; read l; echo got $l; "
                   "stty size; exit 4"],
                   tty=True, stdin=True, rows=12, columns=34)
        c.wait_output(b"err\r\n")
        c.event(event="resize", rows=13, columns=35)
        c.data(b"word\n")
        assert ended(c) == 4
        assert bytes(c.out[1]) == (b"12 34\r\nxterm\r\nerr\r\nword\r\ngot word\r\n"
                                   b"13 35\r\n"), bytes(c.out[1])
        c = s.open("container.exec", id=a, args=["sh", "-c", "echo ready; exec cat"],
                   tty=True, stdin=True)
        c.wait_output(b"ready")
        c.end()  # does not close the terminal
        time.sleep(0.3)
        assert not c.finished()
        c.event(event="signal", signal=1)
        assert ended(c) == 129
        error = refused("start failed", "", lambda: s.call(
            "container.exec", id=a, args=["nope"], tty=True), 127)
        assert error.origin == "runtime"
        s.call("container.remove", id=a, force=True)


def dropping_an_exec_with_a_terminal_ends_its_process_C26():
    with session() as s:
        a = detached(s, "sleep", "1000")
        c = s.open("container.exec", id=a, args=["sleep", "1000"], tty=True, stdin=True)
        pid = c.wait_event("started")["pid"]
        c.cancel()
        life.dead(pid)
        s.call("container.remove", id=a, force=True)


def a_run_root_longer_than_a_sockets_address_has_terminals_too():
    run = life.BASE + "/" + "r" * 60 + "/run"
    os.makedirs(run)
    s = life.Session(life.HELPER, life.ROOT, run, life.RUNTIME)
    with s:
        c = run_tty(s, "sh", "-c", "test -t 0 && echo yes")
        assert ended(c) == 0
        assert bytes(c.out[1]) == b"yes\r\n"
        a = detached(s, "sleep", "1000")
        c = s.open("container.exec", id=a, args=["sh", "-c", "test -t 0 && echo yes"], tty=True)
        assert ended(c) == 0
        assert bytes(c.out[1]) == b"yes\r\n"
        s.call("container.remove", id=a, force=True)


life.TESTS = [f for n, f in list(globals().items())
              if callable(f) and getattr(f, "__module__", "") == "__main__"
              and f.__code__.co_argcount == 0]

if __name__ == "__main__":
    sys.exit(life.main())
