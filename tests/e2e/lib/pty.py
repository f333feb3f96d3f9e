#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""pty.py COMMAND [ARG...] <STEPS: runs COMMAND in a terminal of its own and talks to it.

A step a line, blank lines and lines with # left out:
  expect TEXT     waits until it was written, behind what was expected before
  send TEXT       types it; \\n, \\r, \\t, \\xNN and so on as in Python
  resize ROWS COLUMNS
  signal NAME     sends it to COMMAND
  thrice NAME TEXT  sends it three times within a moment, until TEXT was written: on a machine
                    with other work a moment may be too long for COMMAND, or for us
  raw             the terminal must be raw now (within a while)
  cooked          it must be as it was before COMMAND
  stopped         COMMAND must be stopped now (within a while)
  background      the terminal belongs to somebody else from now on
  foreground      and to COMMAND again
  hangup          the terminal goes away, and SIGHUP comes, as from a shell that is left alone

Afterwards COMMAND must end. What it wrote goes to stdout; exit status: its own, 128+n for
a signal, or 99 with a line on stderr: a step failed, it did not end, or the terminal's
settings afterwards are not what they were before.
"""
import fcntl
import os
import select
import signal
import struct
import sys
import termios
import time

LIMIT_S = 30
start_size = (24, 80)


def fail(why):
    sys.stdout.flush()
    sys.stderr.write("pty.py: %s\n--- the terminal:\n%s\n" % (why, shown.decode(errors="replace")))
    try:
        os.kill(child, signal.SIGKILL)
    except ProcessLookupError:
        pass
    os._exit(99)


def read_some(timeout):
    global shown
    if not select.select([master], [], [], timeout)[0]:
        return False
    try:
        data = os.read(master, 65536)
    except OSError:
        return False
    shown += data
    return bool(data)


def until(what, test):
    end = time.monotonic() + LIMIT_S
    while not test():
        if time.monotonic() > end:
            fail("never: " + what)
        read_some(0.02)


def settings():
    return termios.tcgetattr(slave)


def is_raw():
    lflag = settings()[3]
    return not lflag & (termios.ICANON | termios.ECHO | termios.ISIG)


def state():
    with open("/proc/%d/stat" % child) as f:
        return f.read().rpartition(")")[2].split()[0]


def resize(rows, columns):
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


def pass_time(seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if not read_some(0.02):
            time.sleep(0.01)  # nobody has the terminal any more, say


def thrice(name, text):
    for _ in range(10):
        for _ in range(3):
            os.kill(child, getattr(signal, "SIG" + name))
            pass_time(0.1)
        pass_time(1.5)  # longer than the three may take together
        if text.encode() in shown:
            return
    fail("never: %s after three of SIG%s" % (text, name))


def do(step):
    global position, master
    word, _, rest = step.partition(" ")
    text = rest.encode().decode("unicode_escape").encode("latin-1")
    if word == "expect":
        until(step, lambda: shown.find(text, position) >= 0)
        position = shown.find(text, position) + len(text)
    elif word == "send":
        os.write(master, text)
    elif word == "resize":
        resize(*map(int, rest.split()))
    elif word == "signal":
        os.kill(child, getattr(signal, "SIG" + rest))
    elif word == "thrice":
        thrice(*rest.split(" ", 1))
    elif word == "raw":
        until(step, is_raw)
    elif word == "cooked":
        until(step, lambda: settings() == before)
    elif word == "stopped":
        until(step, lambda: state() == "T")
    elif word == "background":
        os.tcsetpgrp(slave, os.getpgrp())
    elif word == "foreground":
        os.tcsetpgrp(slave, child)
    elif word == "hangup":
        os.close(slave)
        os.close(master)
        master = -1
        os.kill(child, signal.SIGHUP)
    else:
        fail("no such step: " + step)


signal.signal(signal.SIGTTOU, signal.SIG_IGN)  # we lend the terminal out, and ask for it back
steps = [line.strip() for line in sys.stdin]
if os.fork() > 0:  # the session needs a leader that owns the terminal and is not COMMAND
    _, status = os.wait()
    os._exit(os.waitstatus_to_exitcode(status) if os.WIFEXITED(status) else 99)
os.setsid()
master, slave = os.openpty()
fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
resize(*start_size)
before = settings()
shown, position = b"", 0
signal.signal(signal.SIGHUP, signal.SIG_IGN)
child = os.fork()
if child == 0:
    # as a shell at a terminal has them, also when a suite runs in the background of a script
    for one in signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTTOU:
        signal.signal(one, signal.SIG_DFL)
    os.setpgid(0, 0)
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTTOU])
    os.tcsetpgrp(slave, os.getpid())
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTTOU])
    for fd in 0, 1, 2:
        os.dup2(slave, fd)
    os.closerange(3, 1000)
    os.execvp(sys.argv[1], sys.argv[1:])
for one in steps:
    if one and not one.startswith("#"):
        do(one)
end = time.monotonic() + LIMIT_S
status = None
while status is None:
    pid, raw_status = os.waitpid(child, os.WNOHANG)
    if pid:
        status = raw_status
    elif time.monotonic() > end:
        fail("it did not end")
    elif master >= 0:
        read_some(0.02)
    else:
        time.sleep(0.02)
while master >= 0 and read_some(0.05):
    pass
if master >= 0 and settings() != before:
    fail("the terminal's settings are not what they were: %r, before %r" % (settings(), before))
sys.stdout.buffer.write(shown)
sys.stdout.flush()
code = os.waitstatus_to_exitcode(status)
os._exit(code if code >= 0 else 128 - code)
