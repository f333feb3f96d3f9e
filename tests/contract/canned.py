#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A helper that records every request and plays canned answers (C34).

It is put where a target's helper is started from. Beside it: `answers.json`, a map from op to
[frame type, payload] (REPLY 3, ERROR 4), or null for none at all; `record`, to which each
request goes, a line of JSON. It takes the build of whoever speaks to it for its own.
"""
import json
import os
import struct
import sys

HEADER = struct.Struct("<IBBHI")
HELLO, REQUEST = 1, 2
HERE = os.path.dirname(os.path.abspath(__file__))


def read(size):
    data = b""
    while len(data) < size:
        more = os.read(0, size - len(data))
        if not more:
            sys.exit(0)
        data += more
    return data


def send(kind, channel, what):
    payload = json.dumps(what).encode()
    os.write(1, HEADER.pack(len(payload), kind, 0, 0, channel) + payload)


with open(HERE + "/answers.json", encoding="utf-8") as file:
    answers = json.load(file)
while True:
    length, kind, _, _, channel = HEADER.unpack(read(HEADER.size))
    payload = read(length)
    if kind == HELLO:
        build = json.loads(payload)["build"]
        os.write(1, b"\0DRAY-WIRE-1\n\0")
        send(HELLO, 0, {"protocol": 1, "build": build, "arch": "amd64", "variant": "",
                        "os": "linux", "boot_id": "b", "kernel": "6.1", "euid": 0,
                        "cgroup": "v2", "pid": 4711, "cpus": 2})
    elif kind == REQUEST:
        request = json.loads(payload)
        if request["op"] == "system.check":  # what opening a target asks
            send(3, channel, {})
            continue
        with open(HERE + "/record", "a", encoding="utf-8") as file:
            file.write(json.dumps(request, sort_keys=True) + "\n")
        unknown = [4, {"kind": "unsupported", "origin": "guest", "code": 0,
                       "text": "no answer to " + request["op"]}]
        answer = answers.get(request["op"], unknown)
        if answer:
            send(answer[0], channel, answer[1])
