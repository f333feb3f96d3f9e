#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""wire-relay.py LOG COMMAND...: stands between dray and COMMAND (exec://), counts what passes,
and lets nothing of the helper's through before it has seen a request: who waits for the helper's
words before asking waits for ever. LOG gets, at the end, JSON {"up","down" (bytes), "asked" (types
of the frames from dray before the helper was heard), "later" (after that)}.

Environment, what goes wrong: RELAY_CUT_UP, RELAY_CUT_DOWN: after so many bytes of frames in that
direction it is gone, as one that is killed. RELAY_GARBAGE: after so many bytes of frames from the
helper come some that are none. RELAY_STUCK: after so many bytes of them it hangs; RELAY_CLOSE: it
closes its stdout, and reads on."""
import json
import os
import struct
import subprocess
import sys
import threading

NAMES = ("", "HELLO", "REQUEST", "REPLY", "ERROR", "EVENT", "DATA", "EOF", "WINDOW", "CANCEL", "ALIVE")
limits = {name: int(os.environ.get("RELAY_" + name, -1))
          for name in ("CUT_UP", "CUT_DOWN", "GARBAGE", "STUCK", "CLOSE")}
child = subprocess.Popen(sys.argv[2:], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
there, asked = threading.Event(), threading.Event()  # the helper; a request
log = {"up": 0, "down": 0, "asked": [], "later": []}


def write_all(fd, data):
    while data:
        data = data[os.write(fd, data):]


def die():
    child.kill()
    os._exit(1)


class Frames:
    """Types of the frames in a stream of bytes."""
    def __init__(self):
        self.left, self.head = 0, b""

    def types(self, data):
        found = []
        while data:
            if self.left:
                step = min(self.left, len(data))
                self.left -= step
                data = data[step:]
                continue
            step = 12 - len(self.head)
            self.head, data = self.head + data[:step], data[step:]
            if len(self.head) == 12:
                self.left, kind = struct.unpack("<IB", self.head[:5])
                self.head = b""
                found.append(NAMES[kind])
        return found


def up():
    frames, passed = Frames(), 0
    while True:
        data = os.read(0, 65536)
        if not data:
            child.stdin.close()
            return
        log["up"] += len(data)
        if there.is_set():
            passed += len(data)
            types = frames.types(data)
            log["later" if asked.is_set() else "asked"] += types
            if "REQUEST" in types:
                asked.set()
            if 0 <= limits["CUT_UP"] < passed:
                die()
        try:
            write_all(child.stdin.fileno(), data)
        except OSError:
            return


def down():
    out = child.stdout.fileno()
    line = b""
    while not there.is_set():
        byte = os.read(out, 1)
        if not byte:
            return
        line += byte
        if byte == b"\n":
            if line == b"DRAY-BOOT have\n":
                there.set()
            write_all(1, line)
            log["down"] += len(line)
            line = b""
    asked.wait()
    passed, said = 0, False
    while True:
        data = os.read(out, 65536)
        if not data:
            return
        passed += len(data)
        log["down"] += len(data)
        if 0 <= limits["CUT_DOWN"] < passed:
            write_all(1, data[:limits["CUT_DOWN"] - passed])
            die()
        if 0 <= limits["STUCK"] < passed:
            threading.Event().wait()
        if 0 <= limits["CLOSE"] < passed:
            os.close(1)
            threading.Event().wait()
        if 0 <= limits["GARBAGE"] < passed and not said:
            said = True
            write_all(1, b"Broadcast message from root: the system is going down\n")
        write_all(1, data)


threading.Thread(target=up, daemon=True).start()
down()
code = child.wait()
with open(sys.argv[1], "w", encoding="ascii") as file:
    json.dump(log, file)
os._exit(code if code >= 0 else 255)
