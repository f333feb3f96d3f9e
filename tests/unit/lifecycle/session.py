# SPDX-License-Identifier: Apache-2.0
"""Speaks the wire (docs/internals/PROTOCOL.md) to `dray-guest serve`, for the tests."""
import gzip
import hashlib
import io
import json
import os
import select
import struct
import subprocess
import tarfile
import threading

MAGIC = b"\0DRAY-WIRE-1\n\0"
HELLO, REQUEST, REPLY, ERROR, EVENT, DATA, EOF, WINDOW, CANCEL, ALIVE = range(1, 11)
HEADER = struct.Struct("<IBBHI")


class GuestError(Exception):
    def __init__(self, answer):
        super().__init__(answer.get("text"))
        self.kind, self.origin = answer.get("kind"), answer.get("origin")
        self.code, self.text = answer.get("code"), answer.get("text")
        self.output = answer.get("output")


class Channel:
    def __init__(self, session, number):
        self.session, self.number = session, number
        self.events, self.out = [], {1: bytearray(), 2: bytearray()}
        self.eof, self.result, self.error = set(), None, None
        self.discard = False
        self.grant = True  # False: the helper gets no more credit for what comes
        self.counts = {1: 0, 2: 0}
        self.credit = {0: 512 << 10}

    def send(self, kind, payload=b"", stream=0):
        self.session.send(kind, payload, stream, self.number)

    def data(self, payload, stream=0):
        """No more than the initial window: the tests send little."""
        for i in range(0, len(payload), 65536):
            self.send(DATA, payload[i:i + 65536], stream)

    def feed(self, payload, stream=0):
        """As much as it is, at the pace at which the other side takes it."""
        while payload:
            n = min(len(payload), self.credit[stream], 65536)
            if n == 0:
                self.session.pump(lambda: self.credit[stream] > 0 or self.finished(), 60)
                self.raise_error()
                if self.finished():
                    return  # no more of it is wanted
                continue
            self.credit[stream] -= n
            self.send(DATA, payload[:n], stream)
            payload = payload[n:]

    def end(self, stream=0):
        self.send(EOF, b"", stream)

    def event(self, **what):
        self.send(EVENT, json.dumps(what).encode())

    def cancel(self):
        self.send(CANCEL)

    def wait_event(self, name, timeout=30):
        self.session.pump(lambda: any(e.get("event") == name for e in self.events) or
                          self.finished(), timeout)
        for event in self.events:
            if event.get("event") == name:
                return event
        self.raise_error()
        raise AssertionError("no event %s: %r" % (name, self.result))

    def wait_output(self, text, stream=1, timeout=30):
        self.session.pump(lambda: text in self.out[stream] or self.finished(), timeout)
        assert text in self.out[stream], (text, bytes(self.out[stream]), self.result, self.error)

    def finished(self):
        return self.result is not None or self.error is not None

    def raise_error(self):
        if self.error is not None:
            raise GuestError(self.error)

    def wait(self, timeout=60):
        self.session.pump(self.finished, timeout)
        self.raise_error()
        return self.result


class Session:
    def __init__(self, helper, root, run_root, runtime=None, build=None, wrap=(), bundle_root=None,
                 log_root=None, hello=None):
        self.process = subprocess.Popen(list(wrap) + [helper, "serve"], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, bufsize=0)
        self.buffer, self.channels, self.next = bytearray(), {}, 1
        self.hello, self.broken = None, False
        self.paused = False
        self.read_until_magic()
        self.pump(lambda: self.hello is not None, 10)
        self.send(HELLO, json.dumps(dict({
            "protocol": 1, "build": build or self.hello["build"], "root": root,
            "run_root": run_root, "bundle_root": bundle_root, "log_root": log_root,
            "runtime": runtime}, **hello or {})).encode())

    def read_until_magic(self):
        while MAGIC not in self.buffer:
            more = os.read(self.process.stdout.fileno(), 65536)
            assert more, "the helper ended: %r" % bytes(self.buffer)
            self.buffer += more
        del self.buffer[:self.buffer.index(MAGIC) + len(MAGIC)]

    def send(self, kind, payload=b"", stream=0, channel=0):
        left = memoryview(HEADER.pack(len(payload), kind, stream, 0, channel) + payload)
        while left:  # a write that is interrupted, as by a freezer, takes a part
            left = left[self.process.stdin.write(left):]

    def open(self, op, **members):
        channel = Channel(self, self.next)
        self.channels[self.next] = channel
        self.next += 2
        channel.send(REQUEST, json.dumps(dict(members, op=op)).encode())
        return channel

    def call(self, op, **members):
        return self.open(op, **members).wait()

    def items(self, op, **members):
        channel = self.open(op, **members)
        channel.wait()
        return [e["item"] for e in channel.events if e.get("event") == "item"]

    def frames(self):
        while len(self.buffer) >= HEADER.size:
            length, kind, stream, _, number = HEADER.unpack_from(self.buffer)
            if len(self.buffer) < HEADER.size + length:
                return
            payload = bytes(self.buffer[HEADER.size:HEADER.size + length])
            del self.buffer[:HEADER.size + length]
            self.frame(kind, stream, number, payload)

    def frame(self, kind, stream, number, payload):
        if kind == HELLO:
            self.hello = json.loads(payload)
            return
        if kind == ALIVE:
            return
        channel = self.channels[number]
        if kind == DATA:
            assert not channel.finished() and stream not in channel.eof
            channel.counts[stream] += len(payload)
            if not channel.discard:
                channel.out[stream] += payload
            if channel.grant:
                channel.send(WINDOW, struct.pack("<I", len(payload)), stream)
        elif kind == EOF:
            channel.eof.add(stream)
        elif kind == WINDOW:
            channel.credit[stream] = channel.credit.get(stream, 0) + struct.unpack("<I", payload)[0]
        elif kind == EVENT:
            channel.events.append(json.loads(payload))
        elif kind == REPLY:
            assert not channel.finished()
            channel.result = json.loads(payload)
        elif kind == ERROR:
            assert not channel.finished()
            channel.error = json.loads(payload)

    def pump(self, done, timeout):
        self.frames()
        while not done():
            ready, _, _ = select.select([self.process.stdout], [], [], timeout)
            assert ready, "nothing came for %s s" % timeout
            self.pump_once()

    def pump_once(self):
        more = os.read(self.process.stdout.fileno(), 1 << 20)
        if not more:
            raise EOFError("the helper ended (%s)" % self.process.poll())
        self.buffer += more
        self.frames()

    def close(self):
        self.process.stdin.close()
        status = self.process.wait(30)
        self.process.stdout.close()
        return status

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.close()

    # --- images ---

    def put_image(self, ref, layers, config=None):
        """layers: lists of (TarInfo, bytes or None), base first. Returns the image id."""
        blobs, diff_ids = [], []
        for entries in layers:
            raw = io.BytesIO()
            with tarfile.open(fileobj=raw, mode="w", format=tarfile.PAX_FORMAT) as tar:
                for info, data in entries:
                    tar.addfile(info, io.BytesIO(data) if data is not None else None)
            diff_ids.append("sha256:" + hashlib.sha256(raw.getvalue()).hexdigest())
            blobs.append(gzip.compress(raw.getvalue(), 1))
        media = "application/vnd.oci.image.layer.v1.tar+gzip"
        for diff_id, blob in zip(diff_ids, blobs):
            channel = self.open("layer.put", diff_id=diff_id, media_type=media)
            channel.feed(blob)
            channel.end()
            channel.wait()
        image = {"architecture": "amd64", "os": "linux", "config": config or {},
                 "rootfs": {"type": "layers", "diff_ids": diff_ids}}
        config_bytes = json.dumps(image).encode()
        manifest = json.dumps({
            "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": {"mediaType": "application/vnd.oci.image.config.v1+json",
                       "digest": digest(config_bytes), "size": len(config_bytes)},
            "layers": [{"mediaType": media, "digest": digest(b), "size": len(b)}
                       for b in blobs]}).encode()
        channel = self.open("image.put", ref=ref, digest=digest(manifest), familiar=ref)
        channel.data(manifest, 0)
        channel.end(0)
        channel.data(config_bytes, 1)
        channel.end(1)
        return channel.wait()["id"]


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def entry(name, data=None, mode=None, kind=tarfile.REGTYPE, link="", uid=0, gid=0, pax=None):
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.uid, info.gid = kind, link, uid, gid
    info.mode = mode if mode is not None else (0o755 if kind == tarfile.DIRTYPE else 0o644)
    info.size = len(data) if data is not None else 0
    info.mtime = 1000000000
    if pax:
        info.pax_headers = pax
    return info, data


def directory(name, mode=0o755, uid=0, gid=0):
    return entry(name, None, mode, tarfile.DIRTYPE, uid=uid, gid=gid)


def busybox_layer():
    with open("/bin/busybox", "rb") as file:
        busybox = file.read()
    applets = ["sh", "true", "false", "cat", "echo", "sleep", "id", "ls", "ps", "kill", "env",
               "pwd", "head", "dd", "yes", "hostname", "mount", "touch", "stat", "seq", "wc",
               "readlink", "stty", "grep", "mkdir", "rm", "printf", "sort", "nproc", "free", "tr", "df", "nc"]
    entries = [directory(d) for d in ("bin", "etc", "proc", "sys", "dev", "root", "data")]
    entries += [directory("tmp", 0o1777), entry("bin/busybox", busybox, 0o755)]
    entries += [entry("bin/" + a, None, 0o777, tarfile.SYMTYPE, "busybox") for a in applets]
    entries += [entry("etc/passwd", b"root:x:0:0:root:/root:/bin/sh\n"
                                    b"alice:x:1000:1000:Alice:/home/alice:/bin/sh\n"),
                entry("etc/group", b"root:x:0:\nalice:x:1000:\nwheel:x:10:alice\n"),
                entry("data/file", b"from the image\n", 0o640, uid=1000, gid=1000),
                entry("bin/notexec", b"#!/bin/sh\necho no\n", 0o644),
                entry("bin/badformat", b"\x00\x01\x02 this is no program", 0o755)]
    return entries
