#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A stand-in for wsl.exe, to be called by that name: passes its words, stdin and what comes
back between here and wsl-relay.py. Environment: WSL_TWIN_PORT, where that listens; WSL_UTF8;
WSL_TWIN_OLD: it does not know WSL_UTF8; WSL_TWIN_WARN: what init warns of; WSL_TWIN_FAULT: what
goes wrong, see there."""
import json
import os
import socket
import struct
import sys
import threading


def read_exact(file, n):
    data = b""
    while len(data) < n:
        part = file.read(n - len(data))
        if not part:
            return None
        data += part
    return data


def stdin_to(sock):
    while True:
        data = os.read(0, 4096)
        sock.sendall(struct.pack("<BI", 0, len(data)) + data)
        if not data:
            return


def write_all(fd, data):
    while data:
        data = data[os.write(fd, data):]


def main():
    sock = socket.create_connection(("127.0.0.1", int(os.environ["WSL_TWIN_PORT"])))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
    env = os.environ
    sock.sendall(json.dumps({"argv": sys.argv[1:], "utf8": env.get("WSL_UTF8") == "1",
                             "old": bool(env.get("WSL_TWIN_OLD")),
                             "warn": env.get("WSL_TWIN_WARN"),
                             "fault": env.get("WSL_TWIN_FAULT")}).encode() + b"\n")
    threading.Thread(target=stdin_to, args=(sock,), daemon=True).start()
    file = sock.makefile("rb", buffering=0)
    while True:
        head = read_exact(file, 5)
        if head is None:
            return 255
        kind, size = struct.unpack("<BI", head)
        data = read_exact(file, size)
        if kind == 3:
            return struct.unpack("<i", data)[0] & 255
        try:
            if kind == 1 and not data:
                os.close(1)
            write_all(kind, data)
        except OSError:
            return 255


os._exit(main())
